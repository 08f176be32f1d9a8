//! Results, their copies below, updates and what they queue.

use rsr_aggregation::{Hundredths, Numbers};
use rsr_base::{IndicatorId, PeriodId, ProjectId, UserId};
use rsr_store::{
    Conflict, Disaggregation, Error, IndicatorEdit, NewIndicator, NewPeriod, NewResult, NewUpdate,
    Tx, UpdateEdit, UpdateStatus,
};

use super::support::TestStore;

fn indicator(tx: &mut Tx, project: ProjectId, measure: &str) -> IndicatorId {
    let result = tx
        .create_result(&NewResult {
            project,
            kind: "1".to_owned(),
            title: "Safe water".to_owned(),
            description: String::new(),
            aggregation_status: None,
        })
        .unwrap();
    tx.create_indicator(&NewIndicator {
        result,
        is_qualitative: false,
        measure: measure.to_owned(),
        is_cumulative: false,
        is_ascending: None,
        has_scores: false,
        title: "People reached".to_owned(),
        description: String::new(),
    })
    .unwrap()
}

fn period(tx: &mut Tx, indicator: IndicatorId) -> PeriodId {
    tx.create_period(&NewPeriod {
        indicator,
        start: Some("2024-01-01".to_owned()),
        end: Some("2024-12-31".to_owned()),
        target_value: String::new(),
    })
    .unwrap()
}

fn update(period: PeriodId, user: UserId, status: UpdateStatus, numbers: Numbers) -> NewUpdate {
    NewUpdate {
        period,
        user,
        status,
        numbers,
        text: String::new(),
        narrative: String::new(),
        score: None,
        scores: Vec::new(),
        disaggregations: Vec::new(),
    }
}

fn pair(numerator: i128, denominator: i128) -> Numbers {
    Numbers {
        value: None,
        numerator: Some(Hundredths::from_hundredths(numerator * 100)),
        denominator: Some(Hundredths::from_hundredths(denominator * 100)),
    }
}

#[test]
fn a_percentage_period_takes_one_update() {
    let test = TestStore::new();
    let project = test.project("p", None);
    let refused = test.store.write(|tx| {
        let user = tx.create_user("Ada", None, false)?;
        let indicator = indicator(tx, project, "2");
        let period = period(tx, indicator);
        tx.create_update(&update(period, user, UpdateStatus::Draft, pair(1, 3)))?;
        tx.create_update(&update(period, user, UpdateStatus::Draft, pair(2, 3)))
    });
    assert!(matches!(
        refused,
        Err(Error::Conflict(Conflict::OneUpdatePerPeriod(_)))
    ));
}

#[test]
fn a_period_with_an_update_takes_no_manual_value() {
    let test = TestStore::new();
    let project = test.project("p", None);
    let refused = test.store.write(|tx| {
        let user = tx.create_user("Ada", None, false)?;
        let indicator = indicator(tx, project, "1");
        let period = period(tx, indicator);
        tx.set_manual_value(period, Some("n/a"), None)?;
        tx.create_update(&update(
            period,
            user,
            UpdateStatus::Draft,
            Numbers::default(),
        ))?;
        tx.set_manual_value(period, Some("5"), None)
    });
    assert!(matches!(
        refused,
        Err(Error::Conflict(Conflict::HasUpdates(_)))
    ));
}

#[test]
fn a_move_with_inherited_results_needs_force() {
    let test = TestStore::new();
    let top = test.project("top", None);
    let child = test.project("child", Some(top));
    test.store
        .write(|tx| {
            let indicator = indicator(tx, top, "1");
            period(tx, indicator);
            Ok::<_, Error>(())
        })
        .unwrap();
    let refused = test.store.write(|tx| tx.move_project(child, None, false));
    assert!(matches!(
        refused,
        Err(Error::Conflict(Conflict::InheritedResults(_)))
    ));
    test.store
        .write(|tx| tx.move_project(child, None, true))
        .unwrap();
    test.store
        .write(|tx| tx.move_project(child, Some(top), false))
        .unwrap();
}

#[test]
fn a_move_cuts_inherited_dimensions_where_no_result_is_inherited_too() {
    let test = TestStore::new();
    let top = test.project("top", None);
    let child = test.project("child", Some(top));
    let names = "SELECT count(*) FROM dimension_names WHERE parent_name_id IS NOT NULL";
    test.store
        .write(|tx| tx.create_dimension_name(top, "Gender").map(drop))
        .unwrap();
    assert_eq!(test.numbers(names), [1]);
    test.store
        .write(|tx| tx.move_project(child, None, false))
        .unwrap();
    assert_eq!(test.numbers(names), [0], "its own now");
}

#[test]
fn rule_6_whatever_saves_a_percentage_gives_it_the_value_of_its_pair() {
    let test = TestStore::new();
    let project = test.project("p", None);
    let (period, id) = test
        .store
        .write(|tx| {
            let user = tx.create_user("Ada", None, false)?;
            let indicator = indicator(tx, project, "1");
            let period = period(tx, indicator);
            let id = tx.create_update(&update(period, user, UpdateStatus::Draft, pair(1, 4)))?;
            let percentage = IndicatorEdit {
                measure: Some("2".to_owned()),
                ..IndicatorEdit::default()
            };
            tx.edit_indicator(indicator, &percentage)?;
            Ok::<_, Error>((period, id))
        })
        .unwrap();
    let value = || {
        test.store.snapshot().unwrap().updates(period).unwrap()[0]
            .numbers
            .value
    };
    assert_eq!(value(), None, "not a percentage when it was saved");
    let approval = UpdateEdit {
        status: Some(UpdateStatus::Approved),
        ..UpdateEdit::default()
    };
    test.store
        .write(|tx| tx.edit_update(id, &approval))
        .unwrap();
    assert_eq!(value(), Some(Hundredths::from_hundredths(2_500)));
}

#[test]
fn rule_7_manual_values_are_words_or_numbers_and_come_back() {
    let test = TestStore::new();
    let project = test.project("p", None);
    let (user, period) = test
        .store
        .write(|tx| {
            let user = tx.create_user("Ada", None, false)?;
            let indicator = indicator(tx, project, "1");
            Ok::<_, Error>((user, period(tx, indicator)))
        })
        .unwrap();
    let type_in = |text: &'static str| {
        let set = |tx: &mut Tx| tx.set_manual_value(period, Some(text), None);
        test.store.write(set)
    };
    let shown = || {
        test.store.roll_up(project).unwrap();
        let snapshot = test.store.snapshot().unwrap();
        let results = snapshot.results(project, None, 1).unwrap();
        let period = &results[0].indicators[0].periods[0];
        let value = period.numbers.value.map(|value| value.to_string());
        (
            value,
            period.manual_text.clone().filter(|_| period.is_manual),
        )
    };
    for text in ["NaN", "inf", "1e5", "1,000", "0.125", "1234567890123456789"] {
        let refused = type_in(text);
        assert!(
            matches!(
                refused,
                Err(Error::Invalid {
                    field: "manual_value",
                    ..
                })
            ),
            "{text}: {refused:?}"
        );
    }
    type_in(" 7.5 ").unwrap();
    assert_eq!(shown(), (Some("7.50".to_owned()), Some("7.5".to_owned())));
    type_in("n/a").unwrap();
    assert_eq!(shown(), (None, Some("n/a".to_owned())));
    let new = update(
        period,
        user,
        UpdateStatus::Approved,
        Numbers::of_value(Hundredths::from_hundredths(300)),
    );
    let id = test.store.write(|tx| tx.create_update(&new)).unwrap();
    assert_eq!(shown(), (Some("3.00".to_owned()), None));
    test.store.write(|tx| tx.delete_update(id)).unwrap();
    assert_eq!(shown(), (None, Some("n/a".to_owned())), "it comes back");
}

#[test]
fn rule_7_a_typed_pair_over_zero_has_no_value_whatever_stands_beside_it() {
    let test = TestStore::new();
    let project = test.project("p", None);
    test.store
        .write(|tx| {
            let indicator = indicator(tx, project, "2");
            let period = period(tx, indicator);
            let pair = (Hundredths::from_hundredths(500), Hundredths::ZERO);
            tx.set_manual_value(period, Some("8000"), Some(pair))
        })
        .unwrap();
    test.store.roll_up(project).unwrap();
    let snapshot = test.store.snapshot().unwrap();
    let results = snapshot.results(project, None, 1).unwrap();
    let period = &results[0].indicators[0].periods[0];
    assert_eq!(period.numbers.value, None);
    assert_eq!(
        period.numbers.numerator,
        Some(Hundredths::from_hundredths(500))
    );
    assert_eq!(period.manual_text.as_deref(), Some(""));
}

#[test]
fn rule_14_score_scores_and_narrative_are_those_of_the_last_approved_update() {
    let test = TestStore::new();
    let project = test.project("p", None);
    let (user, period) = test
        .store
        .write(|tx| {
            let user = tx.create_user("Ada", None, false)?;
            let indicator = indicator(tx, project, "");
            let scored = IndicatorEdit {
                is_qualitative: Some(true),
                has_scores: Some(true),
                ..IndicatorEdit::default()
            };
            tx.edit_indicator(indicator, &scored)?;
            Ok::<_, Error>((user, period(tx, indicator)))
        })
        .unwrap();
    let report = |status, narrative: &str, score: i32, scores: &[i32]| {
        let new = NewUpdate {
            narrative: narrative.to_owned(),
            score: Some(i64::from(score)),
            scores: scores.to_vec(),
            ..update(period, user, status, Numbers::default())
        };
        test.store.write(|tx| tx.create_update(&new)).unwrap()
    };
    let shown = || {
        test.store.roll_up(project).unwrap();
        let snapshot = test.store.snapshot().unwrap();
        let results = snapshot.results(project, None, 1).unwrap();
        let period = &results[0].indicators[0].periods[0];
        (
            period.narrative.clone(),
            period.score,
            period.scores.clone(),
        )
    };
    report(UpdateStatus::Approved, "first", 1, &[1, 2]);
    let last = report(UpdateStatus::Approved, "last", 4, &[4, 5]);
    report(UpdateStatus::Pending, "not yet", 9, &[9]);
    assert_eq!(shown(), ("last".to_owned(), Some(4), vec![4, 5]));
    let edit = UpdateEdit {
        score: Some(3),
        scores: Some(vec![3]),
        ..UpdateEdit::default()
    };
    test.store.write(|tx| tx.edit_update(last, &edit)).unwrap();
    assert_eq!(shown(), ("last".to_owned(), Some(3), vec![3]));
    test.store.write(|tx| tx.delete_update(last)).unwrap();
    assert_eq!(shown(), ("first".to_owned(), Some(1), vec![1, 2]));
}

#[test]
fn an_error_undoes_everything() {
    let test = TestStore::new();
    let failed: Result<(), Error> = test.store.write(|tx| {
        tx.create_user("Ada", Some("ada@example.org"), false)?;
        tx.edit_update(1.into(), &UpdateEdit::default())
    });
    assert!(matches!(
        failed,
        Err(Error::NotFound { kind: "update", .. })
    ));
    test.store
        .write(|tx| tx.create_user("Ada", Some("ada@example.org"), false))
        .expect("the first one was undone");
}

#[test]
fn results_are_read_with_all_they_hold() {
    let test = TestStore::new();
    let top = test.project("top", None);
    let child = test.project("child", Some(top));
    let period = test
        .store
        .write(|tx| {
            let indicator = indicator(tx, top, "1");
            let period = period(tx, indicator);
            let name = tx.create_dimension_name(top, "Gender")?;
            let value = tx.create_dimension_value(name, "Female")?;
            tx.attach_dimension(indicator, name)?;
            let user = tx.create_user("Ada", None, false)?;
            let mut new = update(
                period,
                user,
                UpdateStatus::Approved,
                Numbers::of_value(Hundredths::from_hundredths(500)),
            );
            new.disaggregations = vec![Disaggregation {
                dimension_value: value,
                numbers: Numbers::of_value(Hundredths::from_hundredths(300)),
            }];
            tx.create_update(&new)?;
            Ok::<_, Error>(period)
        })
        .unwrap();
    let snapshot = test.store.snapshot().unwrap();
    let results = snapshot.results(top, None, 10).unwrap();
    assert_eq!(results[0].indicators[0].periods[0].id, period);
    let copy = &snapshot.results(child, None, 10).unwrap()[0];
    assert_eq!(copy.parent, Some(results[0].id));
    assert_eq!(copy.indicators[0].periods[0].parent, Some(period));
    assert_eq!(snapshot.results(top, Some(results[0].id), 10).unwrap(), []);
    let updates = snapshot.updates(period).unwrap();
    assert_eq!(
        updates[0].disaggregations[0].1,
        Some(true),
        "3 of 5 do not add up"
    );
    assert_eq!(snapshot.project_of_update(updates[0].id).unwrap(), top);
}
