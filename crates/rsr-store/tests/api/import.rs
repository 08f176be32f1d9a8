//! Files of activities into the database.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use rsr_base::ByteSize;
use rsr_iati::export::ActivitySource as _;
use rsr_iati::model::ActivityElement;
use rsr_settings::Settings;
use rsr_store::{CutShort, FileReport, ImportNote, Importer, LinkReport};

use super::support::{TestStore, real_files};

/// What a whole import came to.
pub(crate) struct Imported {
    pub(crate) files: Vec<FileReport>,
    pub(crate) links: LinkReport,
    /// What was found, as people read it.
    pub(crate) lines: Vec<String>,
}

impl Imported {
    fn has(&self, code: &str) -> bool {
        let word = format!(" {code} ");
        self.lines.iter().any(|line| line.contains(&word))
    }
}

fn hear(lines: &mut Vec<String>) -> impl FnMut(ImportNote<'_>) + '_ {
    |note| {
        lines.push(match note {
            ImportNote::Finding { file, finding } => format!("{file}:{finding}"),
            ImportNote::Skipped { file, finding } => format!("{file}:{finding}: skipped"),
            ImportNote::Link { finding } => format!("{finding}"),
            _ => return,
        });
    }
}

pub(crate) fn importer(test: &TestStore) -> Importer {
    test.store.importer(&Settings::default().iati).unwrap()
}

/// Imports texts as files `0`, `1` …
pub(crate) fn import(test: &TestStore, texts: &[&str]) -> Imported {
    let mut notes = Vec::new();
    let mut importer = importer(test);
    let mut files = Vec::new();
    for (nth, text) in texts.iter().enumerate() {
        let cancel = AtomicBool::new(false);
        let report = importer
            .file(
                &nth.to_string(),
                text.as_bytes(),
                false,
                &cancel,
                &mut hear(&mut notes),
            )
            .unwrap();
        files.push(report);
    }
    let links = importer.finish(&mut hear(&mut notes)).unwrap();
    Imported {
        files,
        links,
        lines: notes,
    }
}

/// Imports files of the real data.
pub(crate) fn import_files(test: &TestStore, paths: &[PathBuf]) -> Imported {
    let mut notes = Vec::new();
    let mut importer = importer(test);
    let mut files = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let cancel = AtomicBool::new(false);
        let source = File::open(path).unwrap();
        let report = importer
            .file(&name, source, false, &cancel, &mut hear(&mut notes))
            .unwrap();
        assert_eq!(report.read, report.kept + report.skipped, "{name}");
        files.push(report);
    }
    let links = importer.finish(&mut hear(&mut notes)).unwrap();
    Imported {
        files,
        links,
        lines: notes,
    }
}

pub(crate) fn activity(identifier: &str, updated: &str, more: &str) -> String {
    format!(
        "<iati-activity last-updated-datetime=\"{updated}\" default-currency=\"EUR\">
           <iati-identifier>{identifier}</iati-identifier>
           <reporting-org ref=\"XM-1\" type=\"10\"><narrative>Wells</narrative></reporting-org>
           <title><narrative>Title of {identifier}</narrative></title>
           <description><narrative>About {identifier}</narrative></description>
           <participating-org ref=\"XM-1\" role=\"1\" type=\"10\"/>
           <activity-status code=\"2\"/>
           <activity-date type=\"1\" iso-date=\"2024-01-01\"/>
           <recipient-country code=\"KE\"/>
           <sector vocabulary=\"1\" code=\"14030\"/>
           {more}
         </iati-activity>"
    )
}

pub(crate) fn file(activities: &[String]) -> String {
    format!(
        "<iati-activities version=\"2.03\">{}</iati-activities>",
        activities.concat()
    )
}

const DAY: &str = "2024-01-01T00:00:00Z";

#[test]
fn the_same_file_again_changes_nothing() {
    let test = TestStore::new();
    let text = file(&[activity("XM-1-1", DAY, ""), activity("XM-1-2", DAY, "")]);
    let first = import(&test, &[&text]);
    assert_eq!((first.files[0].kept, first.files[0].unchanged), (2, 0));
    let again = import(&test, &[&text]);
    assert_eq!((again.files[0].kept, again.files[0].unchanged), (2, 2));
    assert_eq!(again.links.n_moved, 0);
}

#[test]
fn of_one_identifier_the_newest_stands() {
    let test = TestStore::new();
    let later = "2024-02-01T00:00:00Z";
    let text = file(&[
        activity("XM-1-1", DAY, "<capital-spend percentage=\"1\"/>"),
        activity("XM-1-1", later, "<capital-spend percentage=\"2\"/>"),
        activity("XM-1-1", later, "<capital-spend percentage=\"3\"/>"),
        activity(" ", later, ""),
    ]);
    let done = import(&test, &[&text]);
    assert_eq!(
        (
            done.files[0].read,
            done.files[0].kept,
            done.files[0].skipped
        ),
        (4, 1, 3)
    );
    assert!(done.has("duplicate-identifier") && done.has("blank-identifier"));
    let older = file(&[activity("XM-1-1", DAY, "<capital-spend percentage=\"4\"/>")]);
    let done = import(&test, &[&older]);
    assert_eq!((done.files[0].kept, done.files[0].skipped), (0, 1));
    assert!(done.has("older-than-stored"));
}

#[test]
fn one_without_a_date_never_takes_the_place_of_one_with_a_date() {
    let test = TestStore::new();
    let spend = |percent: u32| format!("<capital-spend percentage=\"{percent}\"/>");
    let undated = |percent| {
        activity("A", DAY, &spend(percent))
            .replace(&format!(" last-updated-datetime=\"{DAY}\""), "")
    };
    let take = |text: String| {
        let done = import(&test, &[&file(&[text])]);
        (done.files[0].kept, done.has("undated-beside-dated"))
    };
    assert_eq!(take(undated(1)), (1, false));
    assert_eq!(
        take(undated(2)),
        (1, false),
        "of two without a date the last wins"
    );
    assert_eq!(take(activity("A", DAY, &spend(3))), (1, false));
    assert_eq!(take(undated(4)), (0, true));
    assert_eq!(
        take(activity("A", DAY, &spend(5))),
        (1, false),
        "of two of one date the last wins: a correction"
    );
    let done = import(
        &test,
        &[
            &file(&[undated(6)]),
            &file(&[activity("A", DAY, &spend(5))]),
        ],
    );
    assert_eq!((done.files[0].kept, done.files[1].unchanged), (0, 1));
    // Nor does it within one file, in either order.
    let other = TestStore::new();
    let both = [activity("A", DAY, &spend(1)), undated(2)];
    assert_eq!(import(&other, &[&file(&both)]).files[0].kept, 1);
    let again = import(&other, &[&file(&[both[1].clone(), both[0].clone()])]);
    assert_eq!((again.files[0].kept, again.files[0].unchanged), (1, 1));
}

#[test]
fn what_is_said_of_a_file_is_the_same_again() {
    let test = TestStore::new();
    let text = file(&[
        activity(
            "A",
            DAY,
            "<budget type=\"1\"/><related-activity type=\"1\" ref=\"A\"/><no-such/>",
        ),
        activity(
            "B",
            DAY,
            "<related-activity type=\"1\" ref=\"A\"/><related-activity type=\"1\" ref=\"C\"/>\
             <result type=\"1\"><title><narrative>R</narrative></title><indicator measure=\"1\">\
             <title><narrative>I</narrative></title><period><period-start iso-date=\"2024-01-01\"/>\
             <period-end iso-date=\"2024-12-31\"/><actual value=\"many\"/><actual value=\"few\">\
             <dimension name=\"a\" value=\"b\"/></actual></period></indicator></result>",
        ),
        activity("B", DAY, ""),
        activity(" ", DAY, ""),
    ]);
    let first = import(&test, &[&text]);
    let again = import(&test, &[&text]);
    assert_eq!(first.lines, again.lines);
    assert_eq!(first.files[0].n_findings, again.files[0].n_findings);
    for code in [
        "self-reference",
        "several-parents",
        "actual-without-number",
        "duplicate-identifier",
    ] {
        assert!(again.has(code), "{code}: {:#?}", again.lines);
    }
}

#[test]
fn parents_come_from_either_side() {
    let test = TestStore::new();
    let text = file(&[
        activity(
            "A",
            DAY,
            "<related-activity type=\"2\" ref=\"B\"/><related-activity type=\"1\" ref=\"A\"/>",
        ),
        activity("B", DAY, ""),
        activity(
            "C",
            DAY,
            "<related-activity type=\"1\" ref=\"B\"/><related-activity type=\"1\" ref=\"A\"/>",
        ),
        activity("D", DAY, "<related-activity type=\"1\" ref=\"E\"/>"),
    ]);
    let done = import(&test, &[&text]);
    let snapshot = test.store.snapshot().unwrap();
    let project = |identifier: &str| {
        let id = snapshot.project_by_identifier(identifier).unwrap().unwrap();
        snapshot.project(id).unwrap()
    };
    assert_eq!(project("B").parent, Some(project("A").id));
    assert_eq!(project("C").parent, Some(project("B").id));
    assert_eq!(project("D").parent, None);
    assert_eq!(done.links.n_moved, 2);
    for code in [
        "self-reference",
        "several-parents",
        "link-to-unknown",
        "link-without-counterpart",
    ] {
        assert!(done.has(code), "{code} is found");
    }
    assert_eq!(snapshot.position_disagreements(None, 10).unwrap(), []);
    drop(snapshot);
    // The missing one comes later, in a run of its own.
    let done = import(&test, &[&file(&[activity("E", DAY, "")])]);
    assert_eq!(done.links.n_moved, 1);
}

#[test]
fn siblings_are_told_once_an_activity() {
    let test = TestStore::new();
    let siblings = |from: u32, to: u32| -> String {
        (from..to)
            .map(|nth| format!("<related-activity type=\"3\" ref=\"S-{nth}\"/>"))
            .collect()
    };
    let text = file(&[
        activity("S-0", DAY, &siblings(1, 3)),
        activity("S-1", DAY, "<related-activity type=\"3\" ref=\"S-0\"/>"),
        activity("S-2", DAY, &siblings(3, 140)),
    ]);
    let done = import(&test, &[&text]);
    let told: Vec<_> = done
        .lines
        .iter()
        .filter(|line| line.contains("siblings"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains(" many-siblings activity S-2 names 137 siblings, 137 of them not stored"),
        "{told:?}"
    );
    let done = import(&test, &[&file(&[activity("S-3", DAY, &siblings(2, 5))])]);
    assert!(done.has("siblings-unknown"), "{:?}", done.lines);
}

#[test]
fn a_circle_of_parents_is_kept_and_told() {
    let test = TestStore::new();
    let text = file(&[
        activity("A", DAY, "<related-activity type=\"1\" ref=\"B\"/>"),
        activity("B", DAY, "<related-activity type=\"1\" ref=\"A\"/>"),
        activity("C", DAY, "<related-activity type=\"1\" ref=\"A\"/>"),
    ]);
    let done = import(&test, &[&text]);
    assert_eq!(done.links.n_in_cycles, 3);
    assert!(done.has("parent-cycle"));
    assert_eq!(import(&test, &[&text]).links.n_moved, 0);
}

const RESULT: &str = "<result type=\"1\"><title><narrative>Water</narrative></title>
    <indicator measure=\"1\"><title><narrative>People</narrative></title>
      <period><period-start iso-date=\"2024-01-01\"/><period-end iso-date=\"2024-12-31\"/>
        <target value=\"10\"/>
        <actual value=\"1\"/><actual value=\"7\"/><actual value=\"3\"><dimension name=\"sex\" value=\"f\"/></actual>
      </period></indicator></result>";

#[test]
fn indicators_and_periods_take_after_the_parents() {
    let test = TestStore::new();
    let text = file(&[
        activity("A", DAY, RESULT),
        activity(
            "B",
            DAY,
            &format!("<related-activity type=\"1\" ref=\"A\"/>{RESULT}"),
        ),
    ]);
    let done = import(&test, &[&text]);
    assert_eq!(
        (
            done.links.n_indicators_matched,
            done.links.n_periods_matched
        ),
        (1, 1)
    );
    assert_eq!(done.links.n_queued, 1);
    let again = import(&test, &[&text]);
    assert_eq!(
        (again.links.n_indicators_matched, again.links.n_queued),
        (0, 0)
    );
}

#[test]
fn all_real_files_come_in_and_come_again_unchanged() {
    let Some(paths) = real_files() else { return };
    let test = TestStore::new();
    let first = import_files(&test, &paths);
    for report in &first.files {
        println!(
            "{}: read {} kept {} skipped {} unchanged {} findings {} {}",
            report.file,
            report.read,
            report.kept,
            report.skipped,
            report.unchanged,
            report.n_findings,
            report
                .cut_short
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default()
        );
    }
    println!("{:?}", first.links);
    // Odd links that real files have; none of these has one to itself.
    for code in [
        "several-parents",
        "many-siblings",
        "link-to-unknown",
        "link-without-counterpart",
    ] {
        let n = first
            .lines
            .iter()
            .filter(|line| line.contains(&format!(" {code} ")))
            .count();
        println!("{code}: {n}");
        assert!(n > 0, "{code} is found");
    }
    let again = import_files(&test, &paths);
    for (report, before) in again.files.iter().zip(&first.files) {
        assert_eq!(report.unchanged, report.kept, "{}", report.file);
        let counts = |report: &FileReport| (report.kept, report.skipped, report.n_findings);
        assert_eq!(counts(report), counts(before), "{}", report.file);
    }
    for (line, before) in again.lines.iter().zip(&first.lines) {
        assert_eq!(
            line, before,
            "what is said does not depend on what is stored"
        );
    }
    assert_eq!(again.lines.len(), first.lines.len());
    assert_eq!(again.links.n_moved, 0);
    let snapshot = test.store.snapshot().unwrap();
    assert_eq!(snapshot.position_disagreements(None, 10).unwrap(), []);
}

#[test]
fn an_activity_that_does_not_fit_in_memory_comes_in_whole() {
    let test = TestStore::new();
    let words = "word ".repeat(400);
    let condition = format!(
        "<legacy-data name=\"n\" value=\"{words}\"/>{}",
        format!("<legacy-data name=\"m\" value=\"{words}\"/>").repeat(400)
    );
    let text = file(&[
        activity("XM-1-1", DAY, &condition),
        activity("XM-1-2", DAY, ""),
    ]);
    let first = import(&test, &[&text]);
    assert_eq!((first.files[0].kept, first.files[0].unchanged), (2, 0));
    let again = import(&test, &[&text]);
    assert_eq!(
        again.files[0].unchanged, 2,
        "what waited on disk counts too"
    );
    let snapshot = test.store.snapshot().unwrap();
    let mut left_out = |omission: rsr_store::Omission<'_>| panic!("{omission:?}");
    let mut activities =
        snapshot.activities(&rsr_store::ActivityFilter::default(), 1, &mut left_out);
    let mut n_elements = Vec::new();
    while activities.next_activity().unwrap().is_some() {
        let mut n = 0;
        while activities.next_element().unwrap().is_some() {
            n += 1;
        }
        n_elements.push(n);
    }
    assert_eq!(n_elements, [410, 9]);
}

#[test]
fn a_text_past_the_default_limit_comes_in_and_out_whole_where_the_settings_allow_it() {
    let test = TestStore::new();
    let mut settings = Settings::default().iati;
    settings.max_field_bytes = ByteSize::from_mib(32);
    let long = "ten bytes ".repeat(1_750_000);
    let text = file(&[
        activity("XM-1-1", DAY, "").replace("About XM-1-1", &long),
        activity("XM-1-2", DAY, ""),
    ]);
    for n_unchanged in [0, 2] {
        let mut importer = test.store.importer(&settings).unwrap();
        let cancel = AtomicBool::new(false);
        let report = importer
            .file("long", text.as_bytes(), false, &cancel, &mut |_| {})
            .unwrap();
        assert_eq!((report.kept, report.unchanged), (2, n_unchanged));
        importer.finish(&mut |_| {}).unwrap();
    }
    let snapshot = test.store.snapshot().unwrap();
    let mut left_out = |omission: rsr_store::Omission<'_>| panic!("{omission:?}");
    let mut activities =
        snapshot.activities(&rsr_store::ActivityFilter::default(), 1, &mut left_out);
    assert!(activities.next_activity().unwrap().is_some());
    let mut kinds = Vec::new();
    while let Some(element) = activities.next_element().unwrap() {
        kinds.push(element.kind());
        if let ActivityElement::Description(description) = element {
            assert!(description.narratives[0].text == long, "it is the same");
        }
    }
    assert_eq!(kinds.len(), 9, "{kinds:?}");
    assert!(kinds.is_sorted(), "in the order of 2.03: {kinds:?}");
}

#[test]
fn a_raised_flag_leaves_whole_activities() {
    let test = TestStore::new();
    let text = file(&[activity("XM-1-1", DAY, ""), activity("XM-1-2", DAY, "")]);
    let cancel = AtomicBool::new(true);
    let mut notes = Vec::new();
    let mut importer = importer(&test);
    let report = importer
        .file("f", text.as_bytes(), false, &cancel, &mut hear(&mut notes))
        .unwrap();
    assert!(matches!(report.cut_short, Some(CutShort::Cancelled { .. })));
    assert_eq!((report.read, report.kept + report.skipped), (0, 0));
}

#[test]
fn strict_reading_stops_at_a_blank_identifier() {
    let test = TestStore::new();
    let text = file(&[
        activity("XM-1-1", DAY, ""),
        activity(" ", DAY, ""),
        activity("XM-1-2", DAY, ""),
    ]);
    let cancel = AtomicBool::new(false);
    let mut notes = Vec::new();
    let mut importer = importer(&test);
    let report = importer
        .file("f", text.as_bytes(), true, &cancel, &mut hear(&mut notes))
        .unwrap();
    assert!(report.cut_short.is_some(), "{notes:?}");
    assert_eq!(
        (report.kept, report.read),
        (1, report.kept + report.skipped)
    );
}

#[test]
fn what_people_reported_stays_when_the_activity_changes() {
    let test = TestStore::new();
    import(&test, &[&file(&[activity("A", DAY, RESULT)])]);
    let project = test
        .store
        .snapshot()
        .unwrap()
        .project_by_identifier("A")
        .unwrap()
        .unwrap();
    let before = test
        .store
        .snapshot()
        .unwrap()
        .results(project, None, 9)
        .unwrap();
    let later = activity(
        "A",
        "2024-03-01T00:00:00Z",
        &format!("<capital-spend percentage=\"1\"/>{RESULT}"),
    );
    import(&test, &[&file(&[later])]);
    let after = test
        .store
        .snapshot()
        .unwrap()
        .results(project, None, 9)
        .unwrap();
    assert_eq!(before, after, "rows keep their ids");
    import(
        &test,
        &[&file(&[activity("A", "2024-04-01T00:00:00Z", "")])],
    );
    let gone = test
        .store
        .snapshot()
        .unwrap()
        .results(project, None, 9)
        .unwrap();
    assert_eq!(gone, [], "nobody reported on it");
}
