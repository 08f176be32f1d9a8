//! Elements of projects that were not imported, and what is copied from a parent.

use rsr_iati::model::{
    ActivityDate, ActivityElement, ActivityHead, Coded, ResultBlock, Sector, TextBlock,
};
use rsr_store::{Error, NewIndicator, NewPeriod, NewResult};

use super::support::TestStore;

fn titled(title: &str) -> ActivityElement {
    ActivityElement::Title(TextBlock::new(title))
}

#[test]
fn columns_follow_from_the_elements_and_what_is_not_valid_is_named() {
    let test = TestStore::new();
    let project = test.project("before", None);
    let head = ActivityHead {
        default_currency: Some("EUR".to_owned()),
        ..ActivityHead::default()
    };
    let started = ActivityDate {
        kind: Some("2".to_owned()),
        date: Some("2024-02-01".into()),
        ..ActivityDate::default()
    };
    let elements = [
        titled("after"),
        ActivityElement::ActivityStatus(Coded::new("2")),
        ActivityElement::ActivityDate(started),
        ActivityElement::Sector(Sector::default()),
    ];
    let left_out = test
        .store
        .write(|tx| tx.put_elements(project, &head, &elements))
        .unwrap();
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert_eq!(left_out[0].0, "sector", "it has no code");

    let stored = test.store.snapshot().unwrap().project(project).unwrap();
    assert_eq!(stored.title, "after");
    assert_eq!(stored.activity_status, "2");
    assert_eq!(stored.actual_start.as_deref(), Some("2024-02-01"));
    assert_eq!(stored.default_currency, "EUR");
    test.store
        .write(|tx| tx.put_elements(project, &head, &[titled("again")]))
        .unwrap();
    let stored = test.store.snapshot().unwrap().project(project).unwrap();
    assert_eq!(
        (stored.title.as_str(), stored.actual_start),
        ("again", None)
    );
}

#[test]
fn a_result_is_no_element_to_put() {
    let test = TestStore::new();
    let project = test.project("kept", None);
    let result = ActivityElement::Result(ResultBlock::default());
    let refused = test
        .store
        .write(|tx| tx.put_elements(project, &ActivityHead::default(), &[titled("new"), result]));
    assert!(matches!(
        refused,
        Err(Error::Invalid {
            field: "elements",
            ..
        })
    ));
    let stored = test.store.snapshot().unwrap().project(project).unwrap();
    assert_eq!(stored.title, "kept", "nothing was written");
}

#[test]
fn copies_are_found_beside_their_originals() {
    let test = TestStore::new();
    let top = test.project("top", None);
    let middle = test.project("middle", Some(top));
    let low = test.project("low", Some(middle));
    let (period, value) = test
        .store
        .write(|tx| {
            let result = tx.create_result(&NewResult {
                project: top,
                kind: "2".to_owned(),
                title: "Safe water".to_owned(),
                description: String::new(),
                aggregation_status: Some(true),
            })?;
            let indicator = tx.create_indicator(&NewIndicator {
                result,
                is_qualitative: false,
                measure: "1".to_owned(),
                is_cumulative: false,
                is_ascending: Some(true),
                has_scores: false,
                title: "People".to_owned(),
                description: String::new(),
            })?;
            let period = tx.create_period(&NewPeriod {
                indicator,
                start: Some("2024-01-01".to_owned()),
                end: None,
                target_value: String::new(),
            })?;
            let name = tx.create_dimension_name(top, "Gender")?;
            let value = tx.create_dimension_value(name, "Female")?;
            tx.attach_dimension(indicator, name)?;
            Ok::<_, Error>((period, value))
        })
        .unwrap();
    let snapshot = test.store.snapshot().unwrap();
    assert_eq!(snapshot.period_copies(top).unwrap(), []);
    let [(original, copy)] = snapshot.period_copies(middle).unwrap()[..] else {
        panic!("one period, one copy");
    };
    assert_eq!(original, period);
    assert_eq!(snapshot.period_copies(low).unwrap()[0].0, copy);
    let values = snapshot.dimension_value_copies(middle).unwrap();
    assert_eq!(values[0].0, value);
    assert_eq!(
        snapshot.dimension_value_copies(low).unwrap()[0].0,
        values[0].1
    );
}
