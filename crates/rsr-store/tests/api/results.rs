//! Results, their copies below, updates and what they queue.

use rsr_aggregation::{Hundredths, Numbers};
use rsr_base::{IndicatorId, PeriodId, ProjectId, UserId};
use rsr_store::{
    Conflict, Disaggregation, Error, NewIndicator, NewPeriod, NewResult, NewUpdate, Tx, UpdateEdit,
    UpdateStatus,
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
