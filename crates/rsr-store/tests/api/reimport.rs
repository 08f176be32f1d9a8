//! Results that come again in another shape: whatever sums that changes is queued (aggregation rules 7 and 33).

use std::sync::atomic::AtomicBool;

use rsr_settings::Settings;

use super::import::{activity, file, import, importer};
use super::support::TestStore;

/// A result with one indicator and a period a year: the actuals of each, with their dimension values.
pub(crate) fn result(title: &str, measure: &str, years: &[(u32, &[(&str, i64)])]) -> String {
    let mut periods = String::new();
    for (year, actuals) in years {
        periods += &format!(
            "<period><period-start iso-date=\"{year}-01-01\"/><period-end iso-date=\"{year}-12-31\"/>"
        );
        for (part, value) in *actuals {
            periods += &match *part {
                "" => format!("<actual value=\"{value}\"/>"),
                part => format!(
                    "<actual value=\"{value}\"><dimension name=\"sex\" value=\"{part}\"/></actual>"
                ),
            };
        }
        periods += "</period>";
    }
    format!(
        "<result type=\"1\"><title><narrative>R</narrative></title><indicator measure=\"{measure}\">
         <title><narrative>{title}</narrative></title>{periods}</indicator></result>"
    )
}

fn below(parent: &str, result: &str) -> String {
    format!("<related-activity type=\"1\" ref=\"{parent}\"/>{result}")
}

/// Works off what was queued; after that nothing that stands is wrong, and a whole roll-up changes nothing.
#[track_caller]
fn settle(test: &TestStore, what: &str) {
    let settings = Settings::default().aggregation;
    while let Some(root) = test.store.waiting_roots(1).unwrap().first() {
        let claim = test.store.claim(root.period, &settings).unwrap().unwrap();
        assert_eq!(test.store.work_off(claim, &settings).unwrap().failed, []);
    }
    let snapshot = test.store.snapshot().unwrap();
    let mut findings = Vec::new();
    let audited = snapshot.audit(None, &AtomicBool::new(false), &mut |row| {
        findings.push(row);
        Ok(())
    });
    audited.unwrap();
    assert_eq!(findings, [], "{what}");
    for top in snapshot.roots_with_periods(None, 99).unwrap() {
        let written = test.store.roll_up(top).unwrap().periods;
        assert_eq!(
            (written.n_periods_written, written.n_disaggregations_written),
            (0, 0),
            "{what}"
        );
    }
}

#[test]
fn rule_33_whatever_an_import_changes_is_queued_with_it() {
    let test = TestStore::new();
    let parts: &[(&str, i64)] = &[("f", 2), ("m", 3), ("", 5)];
    let both = result("Wells", "1", &[(2024, &[]), (2025, &[])]);
    let steps = [
        (
            "new, with parts",
            vec![
                activity("A", "2024-01-01", &both),
                activity("B", "2024-01-01", &both),
                activity(
                    "C",
                    "2024-01-01",
                    &below("A", &result("Wells", "1", &[(2024, parts), (2025, parts)])),
                ),
                activity("D", "2024-01-01", &result("Wells", "1", &[(2024, parts)])),
            ],
        ),
        (
            "a period goes, a value changes",
            vec![activity(
                "C",
                "2024-01-02",
                &below("A", &result("Wells", "1", &[(2024, &[("f", 1), ("", 6)])])),
            )],
        ),
        (
            "it moves below another",
            vec![activity(
                "C",
                "2024-01-03",
                &below("B", &result("Wells", "1", &[(2024, parts), (2025, parts)])),
            )],
        ),
        (
            "its actuals go",
            vec![activity(
                "C",
                "2024-01-04",
                &below("B", &result("Wells", "1", &[(2024, &[]), (2025, parts)])),
            )],
        ),
        (
            "it is measured in another way",
            vec![activity(
                "C",
                "2024-01-05",
                &below("B", &result("Wells", "2", &[(2024, parts), (2025, parts)])),
            )],
        ),
        (
            "its indicator has another name",
            vec![activity(
                "C",
                "2024-01-06",
                &below("B", &result("Pumps", "1", &[(2024, parts)])),
            )],
        ),
        (
            "one without a parent has other parts",
            vec![activity(
                "D",
                "2024-01-06",
                &result("Wells", "1", &[(2024, &[("f", 9)])]),
            )],
        ),
        (
            "its parent has the parts too, then its own value",
            vec![activity(
                "B",
                "2024-01-06",
                &result("Pumps", "1", &[(2024, parts)]),
            )],
        ),
    ];
    for (what, activities) in steps {
        import(&test, &[&file(&activities)]);
        settle(&test, what);
    }
}

#[test]
fn what_an_import_that_was_cut_off_has_kept_is_linked_by_the_next() {
    for another_ends_meanwhile in [false, true] {
        let test = TestStore::new();
        let years = result("Wells", "1", &[(2024, &[("", 5)])]);
        let first = file(&[
            activity("A", "2024-01-01", &years),
            activity("B", "2024-01-01", &below("A", "")),
        ]);
        import(&test, &[&first]);
        let second = file(&[activity("B", "2024-01-02", &below("A", &years))]);
        let mut cut_off = importer(&test);
        if another_ends_meanwhile {
            import(&test, &[&first]);
        }
        let never = AtomicBool::new(false);
        cut_off
            .file("second", second.as_bytes(), false, &never, &mut |_note| {})
            .unwrap();
        drop(cut_off);
        let again = import(&test, &[&second]);
        let case = format!("another ends meanwhile: {another_ends_meanwhile}");
        assert_eq!(again.files[0].unchanged, 1, "{case}");
        assert_eq!(again.links.n_periods_matched, 1, "{case}");
        settle(&test, &case);
    }
}
