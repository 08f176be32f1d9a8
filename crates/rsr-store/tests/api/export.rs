//! What went in comes out, valid.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use rsr_iati::export::{ExportOptions, ExportSummary, export};
use rsr_iati::model::{ActivityElement, ActivityHead};
use rsr_iati::reader::{ActivityReader, Event};
use rsr_store::{ActivityFilter, ProjectEdit};

use super::import::{activity, file, import, import_files};
use super::support::{TestStore, iati_data, real_files};

/// The whole export, and what was left out of it.
fn exported(test: &TestStore, filter: &ActivityFilter) -> (Vec<u8>, ExportSummary, Vec<String>) {
    let snapshot = test.store.snapshot().unwrap();
    let mut left_out = Vec::new();
    let mut omit = |omission: rsr_store::Omission<'_>| {
        left_out.push(format!("{} {}", omission.element, omission.reason));
    };
    let mut source = snapshot.activities(filter, 3, &mut omit);
    let mut out = Vec::new();
    let mut notes = Vec::new();
    let summary = export(
        &mut source,
        &mut out,
        &ExportOptions::default(),
        &mut |note| {
            notes.push(format!("{note:?}"));
        },
    )
    .unwrap();
    drop(source);
    left_out.extend(notes);
    (out, summary, left_out)
}

fn identifiers(bytes: &[u8]) -> Vec<String> {
    let mut reader = ActivityReader::new(bytes);
    let mut found = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        if let Event::Element(ActivityElement::Identifier(identifier), _) = event {
            found.push(identifier.identifier().to_owned());
        }
    }
    found
}

/// Checks with xmllint, where it is installed.
fn lint(bytes: &[u8], data: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.xml");
    std::fs::write(&path, bytes).unwrap();
    let schema = data.join("schemas/2.03/iati-activities-schema.xsd");
    let linted = Command::new("xmllint")
        .args(["--noout", "--schema"])
        .args([&schema, &path])
        .output();
    match linted {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let first: Vec<&str> = said.lines().take(5).collect();
            assert!(output.status.success(), "{first:#?}");
        }
        Err(_missing) => rsr_testkit::left_out(
            "xmllint --schema on exports: xmllint is not installed (Debian: libxml2-utils)",
        ),
    }
}

#[test]
fn real_files_come_out_valid() {
    let (Some(paths), Some(data)) = (real_files(), iati_data()) else {
        return;
    };
    // The valid files of 2.0x, by the README beside them.
    let valid: Vec<_> = paths
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.contains("-2.0") && !name.contains("invalid") && !name.starts_with("iom-")
        })
        .collect();
    let test = TestStore::new();
    let done = import_files(&test, &valid);
    let kept: u64 = done.files.iter().map(|report| report.kept).sum();
    let (bytes, summary, left_out) = exported(&test, &ActivityFilter::default());
    for line in left_out.iter().take(20) {
        println!("{line}");
    }
    assert_eq!(
        summary.n_activities, kept,
        "every activity that was kept comes out"
    );
    assert_eq!(identifiers(&bytes).len() as u64, kept);
    lint(&bytes, &data);
}

/// Each activity of a file by its identifier: its attributes, and its elements in the order of 2.03, those of one kind as
/// they came. Languages that say what the activity says are left aside, since an export does not repeat them.
fn activities(bytes: &[u8]) -> BTreeMap<String, (ActivityHead, Vec<String>)> {
    let mut reader = ActivityReader::new(bytes);
    let mut all = BTreeMap::new();
    let (mut head, mut identifier, mut elements) =
        (ActivityHead::default(), String::new(), Vec::new());
    while let Some(event) = reader.next_event().unwrap() {
        drop(reader.take_findings());
        match event {
            Event::ActivityStart(found, _) => {
                head = found;
                elements = Vec::new();
            }
            Event::Element(element, _) => {
                if let ActivityElement::Identifier(found) = &element {
                    found.identifier().clone_into(&mut identifier);
                }
                elements.push(element);
            }
            Event::ActivityEnd => {
                elements.sort_by_key(ActivityElement::rank);
                let own = head
                    .language
                    .as_ref()
                    .map(|own| format!(" xml:lang=\"{own}\""));
                let text = |element: &ActivityElement| match &own {
                    Some(own) => element.to_xml().replace(own, ""),
                    None => element.to_xml(),
                };
                let texts = elements.iter().map(text).collect();
                all.insert(identifier.clone(), (head.clone(), texts));
            }
            Event::ActivitySkipped(finding) => panic!("{finding}"),
        }
    }
    all
}

#[test]
fn every_element_of_real_files_of_2_0x_comes_out_as_it_went_in() {
    let Some(paths) = real_files() else { return };
    let (mut n_activities, mut kinds) = (0, BTreeSet::new());
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.contains("-2.0") || name.contains("invalid") || name.contains("organisation") {
            continue;
        }
        let test = TestStore::new();
        import_files(&test, std::slice::from_ref(&path));
        let (bytes, summary, left_out) = exported(&test, &ActivityFilter::default());
        assert!(left_out.is_empty(), "{name}: {left_out:?}");
        assert_eq!(summary.n_parts_omitted, 0, "{name}");
        let original =
            rsr_base::read_file_at_most(&path, rsr_base::ByteSize::from_mib(64)).unwrap();
        let before = activities(original.as_bytes());
        let after = activities(&bytes);
        assert_eq!(before.len(), after.len(), "{name}");
        for (identifier, (head, elements)) in &before {
            let (after_head, after_elements) = &after[identifier];
            assert_eq!(head, after_head, "{name}: {identifier}");
            for (element, after) in elements.iter().zip(after_elements) {
                assert_eq!(element, after, "{name}: {identifier}");
                let kind = element.split([' ', '>', '/']).next().unwrap();
                kinds.insert(kind.trim_start_matches('<').to_owned());
            }
            assert_eq!(elements.len(), after_elements.len(), "{name}: {identifier}");
            n_activities += 1;
        }
    }
    // What has to survive is there to survive.
    for kind in [
        "title",
        "description",
        "activity-date",
        "activity-status",
        "participating-org",
        "sector",
        "recipient-country",
        "location",
        "budget",
        "planned-disbursement",
        "transaction",
        "result",
        "document-link",
        "related-activity",
        "contact-info",
        "policy-marker",
        "other-identifier",
        "recipient-region",
        "default-aid-type",
        "humanitarian-scope",
        "conditions",
    ] {
        assert!(
            kinds.contains(kind),
            "no {kind} in {n_activities} real activities: {kinds:?}"
        );
    }
    assert!(n_activities > 500, "{n_activities}");
}

#[test]
fn what_is_not_valid_is_left_out_and_told() {
    let test = TestStore::new();
    let text = file(&[
        activity(
            "XM-1-1",
            "2024-01-01T00:00:00Z",
            "<budget type=\"1\"/><capital-spend percentage=\"5\"/>",
        ),
        "<iati-activity><iati-identifier>XM-1-2</iati-identifier></iati-activity>".to_owned(),
    ]);
    import(&test, &[&text]);
    let (bytes, summary, left_out) = exported(&test, &ActivityFilter::default());
    assert_eq!(identifiers(&bytes), ["XM-1-1"]);
    assert_eq!(summary.n_activities_omitted, 1);
    assert!(
        left_out.iter().any(|line| line.starts_with("budget ")),
        "{left_out:?}"
    );
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("capital-spend") && !text.contains("<budget"));
}

#[test]
fn a_filter_gives_one_organisation() {
    let test = TestStore::new();
    let day = "2024-01-01T00:00:00Z";
    let other = activity("XM-2-1", day, "").replace("XM-1", "XM-2");
    import(&test, &[&file(&[activity("XM-1-1", day, ""), other])]);
    let filter = ActivityFilter {
        reporting_ref: Some("XM-2".to_owned()),
        ..ActivityFilter::default()
    };
    assert_eq!(identifiers(&exported(&test, &filter).0), ["XM-2-1"]);
}

#[test]
fn an_export_shows_one_moment_however_it_is_cut_into_chunks() {
    let test = TestStore::new();
    let day = "2024-01-01T00:00:00Z";
    let some = |from: usize| -> Vec<String> {
        let numbers = from..from + 5;
        numbers
            .map(|nth| activity(&format!("XM-1-{nth}"), day, ""))
            .collect()
    };
    import(&test, &[&file(&some(0))]);
    let (expected, ..) = exported(&test, &ActivityFilter::default());
    let snapshot = test.store.snapshot().unwrap();
    for chunk_size in [1, 2, 5, 100] {
        let mut omit = |omission: rsr_store::Omission<'_>| panic!("{omission:?}");
        let mut source = snapshot.activities(&ActivityFilter::default(), chunk_size, &mut omit);
        // Others write while it is read.
        import(&test, &[&file(&some(5 * chunk_size))]);
        let mut out = Vec::new();
        let options = ExportOptions::default();
        export(&mut source, &mut out, &options, &mut |note| {
            panic!("{note:?}")
        })
        .unwrap();
        assert!(out == expected, "chunks of {chunk_size}");
    }
    drop(snapshot);
    let (now, ..) = exported(&test, &ActivityFilter::default());
    assert_eq!(identifiers(&now).len(), 25, "the others are there");
}

#[test]
fn a_title_that_was_edited_is_the_one_that_is_given() {
    let test = TestStore::new();
    import(
        &test,
        &[&file(&[activity("XM-1-1", "2024-01-01T00:00:00Z", "")])],
    );
    let project = test
        .store
        .snapshot()
        .unwrap()
        .project_by_identifier("XM-1-1")
        .unwrap()
        .unwrap();
    let edit = ProjectEdit {
        title: Some("Pumps & wells".to_owned()),
        ..ProjectEdit::default()
    };
    test.store
        .write(|tx| tx.edit_project(project, &edit))
        .unwrap();
    let text = String::from_utf8(exported(&test, &ActivityFilter::default()).0).unwrap();
    assert!(
        text.contains("<title><narrative>Pumps &amp; wells</narrative></title>"),
        "{text}"
    );
}

#[test]
fn a_roll_up_gives_back_actuals_of_which_nothing_was_computed() {
    let test = TestStore::new();
    let actual = |value: &str, place: &str| {
        format!(
            "<actual value=\"{value}\"><location ref=\"{place}\"/><dimension name=\"Sex\" value=\"F\"/>\
             <comment><narrative>as told</narrative></comment></actual>"
        )
    };
    let result = format!(
        "<result type=\"1\"><title><narrative>R</narrative></title><indicator measure=\"1\">\
         <title><narrative>I</narrative></title><period><period-start iso-date=\"2024-01-01\"/>\
         <period-end iso-date=\"2024-12-31\"/>{}{}</period></indicator></result>",
        actual("12014", "AF"),
        actual("0", "NL"),
    );
    let text = file(&[activity("XM-1-1", "2024-01-01T00:00:00Z", &result)]);
    import(&test, &[&text]);
    let (before, ..) = exported(&test, &ActivityFilter::default());
    let roots = test
        .store
        .snapshot()
        .unwrap()
        .roots_with_periods(None, 9)
        .unwrap();
    test.store.roll_up(roots[0]).unwrap();
    let (after, ..) = exported(&test, &ActivityFilter::default());
    assert_eq!(
        String::from_utf8(after).unwrap(),
        String::from_utf8(before).unwrap()
    );
}
