//! Transactions of an import: however many there are, the same comes of it.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use rsr_iati::export::{ExportOptions, export};
use rsr_settings::Settings;
use rsr_store::{ActivityFilter, Omission};

use super::import::{activity, file};
use super::support::TestStore;

/// What comes of files in transactions of so many activities, whose ends are waited for or not: what is told, what is kept,
/// and what is exported.
fn come_to(files: &[String], n: usize, follow: bool) -> (Vec<String>, Vec<String>, String) {
    let test = TestStore::new();
    let mut settings = Settings::default().iati;
    settings.import_chunk_size = n;
    let mut importer = test.store.importer(&settings).unwrap();
    importer.expect_more(follow);
    let (mut told, mut kept) = (Vec::new(), Vec::new());
    let never = AtomicBool::new(false);
    for text in files {
        let mut n_kept = 0;
        let report = importer.file(
            "file",
            text.as_bytes(),
            false,
            &never,
            &mut |note| match note {
                rsr_store::ImportNote::Progress { kept, .. } => n_kept = kept,
                note => told.push(format!("{note:?}")),
            },
        );
        let report = report.unwrap();
        assert!(n_kept <= report.kept, "{n_kept} of {report:?}");
        assert!(importer.n_files_kept() <= kept.len() + 1);
        assert!(follow || importer.n_files_kept() == kept.len() + 1);
        kept.push(format!("{report:?}"));
    }
    importer.settle().unwrap();
    assert_eq!(importer.n_files_kept(), files.len());
    importer
        .finish(&mut |note| told.push(format!("{note:?}")))
        .unwrap();
    assert_eq!(test.store.check_integrity().unwrap(), Vec::<String>::new());
    let snapshot = test.store.snapshot().unwrap();
    let mut omit = |_omission: Omission<'_>| {};
    let mut source = snapshot.activities(&ActivityFilter::default(), 7, &mut omit);
    let mut out = Vec::new();
    let options = ExportOptions::default();
    export(&mut source, &mut out, &options, &mut |_note| {}).unwrap();
    let text = String::from_utf8(out).unwrap();
    // The moment at which it was made.
    let (_head, body) = text.split_once("<iati-activity ").unwrap_or_default();
    (told, kept, body.to_owned())
}

/// An activity of one of a few identifiers, with a parent among them, on one of a few days: small, as large as what is read
/// ahead, or larger than what is held.
fn any_activity() -> impl Strategy<Value = String> {
    let lengths = prop_oneof![6 => Just((3, 1)), 2 => Just((70_000, 1)), 1 => Just((300_000, 2))];
    (0..7_u32, 0..9_u32, 1..4_u32, 0..3_u32, lengths).prop_map(
        |(nth, parent, day, text, (length, n))| {
            let text = text.to_string().repeat(length);
            let parent = match parent {
                0..7 => format!("<related-activity type=\"1\" ref=\"XM-{parent}\"/>"),
                _ => String::new(),
            };
            let more =
                format!("<description><narrative>{text}</narrative></description>").repeat(n);
            activity(
                &format!("XM-{nth}"),
                &format!("2024-01-0{day}T00:00:00Z"),
                &format!("{more}{parent}"),
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_import_comes_to_the_same_in_chunks_of_any_size(
        files in prop::collection::vec(prop::collection::vec(any_activity(), 1..14), 1..4),
        n in 1..4_usize,
        follow in any::<bool>(),
    ) {
        let files: Vec<String> = files.iter().map(|some| file(some)).collect();
        prop_assert_eq!(come_to(&files, n, follow), come_to(&files, 100, false));
    }
}
