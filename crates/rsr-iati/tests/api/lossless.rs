//! Activities passed on are the ones that came, byte for byte.

use std::collections::BTreeSet;
use std::fs;

use rsr_base::ByteSize;
use rsr_iati::lossless::{Cut, RawReader, extract, filter, merge, split};

use crate::data;

/// The activities of a file as text.
fn activities(file: &[u8]) -> Vec<String> {
    let mut reader = RawReader::new(file);
    let mut all = Vec::new();
    while reader.next_activity().unwrap().is_some() {
        let mut text = String::new();
        while let Some(piece) = reader.next_piece().unwrap() {
            text.push_str(&piece);
        }
        all.push(text);
    }
    all
}

#[test]
fn every_activity_of_every_well_formed_real_file_stands_in_the_output_as_in_the_input() {
    for path in data::real_files() {
        let name = data::name(&path);
        if name.contains("notwellformed") || name.contains("organisation") {
            continue;
        }
        let file =
            rsr_base::read_at_most(fs::File::open(&path).unwrap(), ByteSize::from_mib(64)).unwrap();
        let text = String::from_utf8_lossy(&file);
        let all = activities(&file);
        assert!(!all.is_empty(), "{name}");
        let mut at = 0;
        for activity in &all {
            let found = text
                .get(at..)
                .and_then(|rest| rest.find(activity.as_str()))
                .unwrap_or_else(|| panic!("{name}: not as written"));
            at += found + activity.len();
        }
        let mut out = Vec::new();
        let tally = filter(&file[..], &mut out, &mut |_| true).unwrap();
        assert_eq!(
            (tally.n_read, tally.n_written),
            (all.len() as u64, all.len() as u64),
            "{name}"
        );
        assert_eq!(activities(&out), all, "{name}");
        // Cut and put together again.
        let size_max = ByteSize::from_kib(64);
        let folder = tempfile::tempdir().unwrap();
        let part = |n: usize| folder.path().join(format!("{n}.xml"));
        let mut n_parts = 0;
        let mut sizes = Vec::new();
        split(
            &mut || Ok(&file[..]),
            size_max,
            &mut |n| {
                n_parts = n;
                fs::File::create(part(n))
            },
            &mut |_file, piece| {
                sizes.push((piece.n_activities, piece.n_bytes));
                Ok(())
            },
        )
        .unwrap();
        let parts: Vec<String> = (1..=n_parts)
            .map(|n| rsr_base::read_file_at_most(&part(n), ByteSize::from_mib(64)).unwrap())
            .collect();
        for (part, size) in parts.iter().zip(sizes) {
            let n = activities(part.as_bytes()).len();
            assert_eq!(size, (n as u64, part.len() as u64), "{name}");
            assert!(
                part.len() as u64 <= size_max.bytes() || n == 1,
                "{name}: {} bytes",
                part.len()
            );
        }
        let mut whole = Vec::new();
        merge(parts.iter().map(|part| part.as_bytes()), &mut whole).unwrap();
        assert_eq!(activities(&whole), all, "{name}");
    }
}

#[test]
fn a_file_is_cut_by_number_too() {
    let activity = "<iati-activity><title/></iati-activity>";
    let file = format!("<iati-activities>{}</iati-activities>", activity.repeat(7));
    let cut = Cut {
        size_max: ByteSize::from_mib(1),
        count_max: 3,
    };
    let mut files = Vec::new();
    split(
        &mut || Ok(file.as_bytes()),
        cut,
        &mut |_| Ok(Vec::new()),
        &mut |file, piece| {
            assert_eq!(activities(&file).len() as u64, piece.n_activities);
            files.push(piece.n_activities);
            Ok(())
        },
    )
    .unwrap();
    assert_eq!(files, [3, 3, 1]);
}

#[test]
fn extract_takes_what_is_named_and_nothing_else() {
    let file = b"<?xml version='1.0'?><iati-activities version='2.03' xmlns:x='u'>
        <iati-activity><!-- late --><title/><iati-identifier>\n A </iati-identifier><x:e/></iati-activity>
        <iati-activity><iati-identifier>B</iati-identifier></iati-activity></iati-activities>";
    let mut out = Vec::new();
    let tally = extract(
        &file[..],
        &mut out,
        &BTreeSet::from(["A".to_owned(), "C".to_owned()]),
    )
    .unwrap();
    assert_eq!((tally.n_read, tally.n_written), (2, 1));
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<iati-activities version='2.03' xmlns:x='u'>\n\
        <iati-activity><!-- late --><title/><iati-identifier>\n A </iati-identifier><x:e/></iati-activity>\n\
        </iati-activities>\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn merge_gives_each_activity_the_namespaces_it_needs() {
    let one = b"<iati-activities version='2.03' xmlns:x='one'><iati-activity/></iati-activities>";
    let other = b"<iati-activities version='2.03' xmlns:x='two' xmlns:y='three'><iati-activity><x:e/></iati-activity></iati-activities>";
    let mut out = Vec::new();
    merge([&one[..], &other[..]], &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(
        out.contains(r#"<iati-activity xmlns:x="two" xmlns:y="three"><x:e/></iati-activity>"#),
        "{out}"
    );
}

#[test]
fn merge_refuses_two_versions() {
    let one = b"<iati-activities version='2.03'><iati-activity/></iati-activities>";
    let other = b"<iati-activities version='1.05'><iati-activity/></iati-activities>";
    let error = merge([&one[..], &other[..]], Vec::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "activities of version 1.05 cannot join those of version 2.03"
    );
}

#[test]
fn utf_16_comes_out_as_utf_8() {
    let text = "<iati-activities version='2.03'><iati-activity><title>é</title></iati-activity></iati-activities>";
    let file: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(
        activities(&file),
        ["<iati-activity><title>é</title></iati-activity>"]
    );
}

#[test]
fn what_others_could_not_read_is_passed_on_as_the_text_it_is_read_as() {
    let file = "<!DOCTYPE iati-activities [<!ENTITY own 'x'>]>\n<iati-activities version='2.03' generated-datetime='&own;'>\
        <iati-activity default-currency='&own;'><!-- &own; --><title ref='a&own;&amp;&#1;'>b&own;&#xFFFE;&#233;&lt;\
        <![CDATA[&own;]]>&own;</title></iati-activity></iati-activities>";
    let mut out = Vec::new();
    let tally = filter(file.as_bytes(), &mut out, &mut |_| true).unwrap();
    assert!(tally.n_notices > 0, "it is counted");
    let out = String::from_utf8(out).unwrap();
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<iati-activities version='2.03' generated-datetime='&amp;own;'>\n\
        <iati-activity default-currency='&amp;own;'><!-- &own; --><title ref='a&amp;own;&amp;\u{fffd}'>b&amp;own;\u{fffd}&#233;&lt;\
        <![CDATA[&own;]]>&amp;own;</title></iati-activity>\n</iati-activities>\n";
    assert_eq!(out, expected);
}
