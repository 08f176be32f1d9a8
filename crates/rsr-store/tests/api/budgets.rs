//! Work of the store that grows with its input reserves memory first: none left, and nothing is begun or half done.

use std::sync::atomic::AtomicBool;

use rsr_base::{ByteSize, MemoryBudget, OverBudget};
use rsr_settings::Settings;
use rsr_store::{Error, RollUpError, Store, WorkBudgets};

use super::example::{Example, number};
use super::import::{activity, file};
use super::support::TestStore;

const DAY: &str = "2024-01-01T00:00:00Z";

/// The store with so much for all its work, and the pools that it takes it from.
fn within(test: &TestStore, kib: u64) -> (Store, WorkBudgets) {
    let budgets = WorkBudgets::below(&MemoryBudget::root("test", ByteSize::from_kib(kib)));
    (test.store.clone().within(budgets.clone()), budgets)
}

/// Whether memory was missing, however deep that is said.
fn is_short_of_memory(error: &RollUpError) -> bool {
    let mut cause = Some(error as &dyn std::error::Error);
    while let Some(error) = cause {
        let is_over = matches!(
            error.downcast_ref::<Error>(),
            Some(Error::OverBudget(OverBudget { .. }))
        );
        if is_over || error.is::<OverBudget>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn take_in(store: &Store, text: &str) -> Result<u64, Error> {
    let mut importer = store.importer(&Settings::default().iati)?;
    let cancel = AtomicBool::new(false);
    let report = importer.file("in.xml", text.as_bytes(), false, &cancel, &mut |_note| {})?;
    importer.finish(&mut |_note| {})?;
    Ok(report.kept)
}

#[test]
fn an_import_that_finds_no_memory_begins_nothing() {
    let test = TestStore::new();
    let (store, budgets) = within(&test, 3 << 10);
    let refused = take_in(&store, &file(&[activity("XM-1", DAY, "")]));
    assert!(matches!(refused, Err(Error::OverBudget(_))), "{refused:?}");
    assert_eq!(test.numbers("SELECT count(*) FROM import_runs"), [0]);
    assert_eq!(budgets.imports.used(), ByteSize::ZERO);
}

#[test]
fn an_import_ends_at_an_element_larger_than_what_is_left_and_comes_in_whole_with_more() {
    let test = TestStore::new();
    let huge = format!(
        "<description><narrative>{}</narrative></description>",
        "water ".repeat(1 << 20)
    );
    let text = file(&[activity("XM-1", DAY, ""), activity("XM-2", DAY, &huge)]);
    // Enough to begin, where a server keeps the database too.
    let (store, budgets) = within(&test, 18 << 10);
    let refused = take_in(&store, &text);
    assert!(matches!(refused, Err(Error::OverBudget(_))), "{refused:?}");
    assert_eq!(test.numbers("SELECT count(*) FROM import_runs"), [1]);
    assert_eq!(
        test.numbers("SELECT count(*) FROM projects"),
        [0],
        "the chunk at hand is not kept"
    );
    assert_eq!(budgets.imports.used(), ByteSize::ZERO, "it is given back");
    let (store, _budgets) = within(&test, 64 << 10);
    assert_eq!(take_in(&store, &text).unwrap(), 2);
}

#[test]
fn a_tree_for_whose_numbers_no_memory_is_left_keeps_its_rows() {
    let example = Example::new(&[None, Some(0), Some(1)], "1");
    example.report(2, number(7), &[]);
    let before = example.jobs("scheduled");
    // Less than the least, and enough for that but not for the first periods.
    for kib in [128, 300] {
        let (store, budgets) = within(&example.test, kib);
        for refused in [
            store.roll_up(example.projects[0]),
            store.rebuild_disaggregations(example.projects[0]),
        ] {
            let error = refused.unwrap_err();
            assert!(is_short_of_memory(&error), "{kib} KiB: {error}");
        }
        assert_eq!(budgets.aggregations.used(), ByteSize::ZERO);
        example.check(0, "- ()");
        assert_eq!(example.jobs("scheduled"), before);
    }
    let (store, budgets) = within(&example.test, 4 << 10);
    store.roll_up(example.projects[0]).unwrap();
    assert_eq!(budgets.aggregations.used(), ByteSize::ZERO);
    example.check(0, "7.00 (-, -)");
}
