//! What is stored held against what it should be.

use std::sync::atomic::AtomicBool;

use rsr_base::ProjectId;
use rsr_store::{AuditReport, AuditRow, Error, Expected};

use super::example::{Example, number, pair};
use super::queue::spoil;

fn audit(example: &Example, project: Option<ProjectId>) -> (AuditReport, Vec<AuditRow>) {
    let snapshot = example.test.store.snapshot().unwrap();
    let mut rows = Vec::new();
    let report = snapshot
        .audit(project, &AtomicBool::new(false), &mut |row| {
            rows.push(row);
            Ok(())
        })
        .unwrap();
    assert_eq!(report.n_findings, rows.len() as u64);
    (report, rows)
}

/// A line a finding: project, dimension, column, stored, expected.
pub(crate) fn findings(example: &Example, project: Option<ProjectId>) -> String {
    let (_, rows) = audit(example, project);
    let text = |number: Option<rsr_aggregation::Hundredths>| {
        number.map_or("-".to_owned(), |number| number.to_string())
    };
    let lines = rows.iter().map(|row| {
        let dimension = row
            .dimension
            .as_ref()
            .map(|(name, value)| format!("{name} {value} "));
        format!(
            "{}: {}{} {} not {}",
            row.project_title,
            dimension.unwrap_or_default(),
            row.column,
            text(row.stored),
            match &row.expected {
                Expected::Number(number) => text(*number),
                Expected::Unknown(reason) => format!("known: {reason}"),
                other => format!("{other:?}"),
            }
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn example_32_a_wrong_parent_is_found_and_a_right_one_is_not() {
    let example = Example::new(&[None, Some(0)], "1");
    example.report(1, number(1), &[]);
    example.roll_up();
    assert_eq!(findings(&example, None), "");
    let top = example.period(0).id;
    example
        .test
        .meddle(&format!("UPDATE periods SET value = 200 WHERE id = {top}"));
    assert_eq!(findings(&example, None), "project 0: value 2.00 not 1.00");
}

#[test]
fn a_wrong_leaf_is_one_finding_and_queuing_it_mends_everything_above() {
    let example = Example::new(&[None, Some(0), Some(1)], "1");
    example.report(2, number(7), &[]);
    example.roll_up();
    let leaf = example.period(2).id;
    example.test.meddle(&format!(
        "UPDATE periods SET value = value + 1 WHERE id = {leaf}"
    ));
    // The period above is compared with the leaf as it is stored: it would be right if the leaf were.
    assert_eq!(
        findings(&example, None),
        "project 1: value 7.00 not 7.01\nproject 2: value 7.01 not 7.00"
    );
    example.test.meddle("UPDATE periods SET value = 701");
    assert_eq!(
        findings(&example, Some(example.projects[0])),
        "project 2: value 7.01 not 7.00",
        "what it led to is right by the stored children"
    );
    example.write(|tx| tx.queue_period(leaf));
    assert_eq!(example.work(), []);
    assert_eq!(findings(&example, None), "");
    example.check(0, "7.00 (-, -)");
}

#[test]
fn a_period_that_cannot_be_computed_is_a_finding_and_the_rest_is_audited() {
    let example = Example::new(&[None, Some(0), Some(0)], "1");
    example.report(1, number(1), &[]);
    example.report(2, number(2), &[]);
    example.roll_up();
    spoil(&example, 1);
    let [first, second] = [1, 2].map(|place| example.period(place).id);
    example.test.meddle(&format!(
        "UPDATE periods SET value = value + 1 WHERE id = {second}"
    ));
    let found = format!(
        "project 0: value 3.00 not 3.01\nproject 1: value 1.00 not known: the sum of period {first} is too large\n\
         project 2: value 2.01 not 2.00"
    );
    assert_eq!(findings(&example, None), found);
    assert_eq!(findings(&example, Some(example.projects[0])), found);
    assert_eq!(audit(&example, None).0.n_periods, 3);
}

#[test]
fn every_column_and_every_disaggregation_is_compared_and_missing_is_not_zero() {
    let example = Example::new(&[None, Some(0)], "2");
    example.report(1, pair(1, 4), &[]);
    example.roll_up();
    let (top, leaf) = (example.period(0).id, example.period(1).id);
    let gender = example.genders(0)[0];
    example.test.meddle(&format!(
        "UPDATE periods SET denominator = 300 WHERE id = {top};
         UPDATE periods SET value = NULL WHERE id = {leaf};
         UPDATE period_disaggregations SET value = 0 WHERE period_id = {top} AND dimension_value_id = {gender}"
    ));
    assert_eq!(
        findings(&example, None),
        "project 0: denominator 3.00 not 4.00\nproject 0: Gender M value 0.00 not -\n\
         project 1: value - not 25.00"
    );
}

#[test]
fn the_audit_of_a_project_takes_what_lies_below_it_and_nothing_else() {
    let example = Example::with(&[None, Some(0), Some(1), Some(0)], "1", false, 2);
    let of = |place: usize| audit(&example, Some(example.projects[place])).0.n_periods;
    assert_eq!([of(0), of(1), of(2), of(3)], [8, 4, 2, 2]);
    assert_eq!(audit(&example, None).0.n_periods, 8);

    // A circle of links ends nothing and is walked once.
    let (top, below) = (example.period(0).id, example.period(1).id);
    example.test.meddle(&format!(
        "UPDATE periods SET parent_period_id = {below} WHERE id = {top}"
    ));
    assert_eq!([of(0), of(1)], [8, 6]);

    let snapshot = example.test.store.snapshot().unwrap();
    let raised = AtomicBool::new(true);
    let stopped = snapshot.audit(None, &raised, &mut |_row| Ok(()));
    assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
    let unknown = snapshot.audit(Some(ProjectId(99)), &raised, &mut |_row| Ok(()));
    assert!(
        matches!(unknown, Err(Error::NotFound { .. })),
        "{unknown:?}"
    );
}
