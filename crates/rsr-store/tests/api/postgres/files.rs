//! Files of an import that follow each other at once: what becomes of each is known in the end, and nothing is held meanwhile.

use std::sync::atomic::AtomicBool;

use rsr_base::{ByteSize, MemoryBudget};
use rsr_settings::Settings;
use rsr_store::{Error, NewProject, WorkBudgets};

use super::behind::{
    DAY, N_ACTIVITIES, check_nothing_held, check_refused, count, importer, large, refuse,
};
use super::import::{activity, file};
use super::server::client;
use super::support::TestStore;

/// A file of three activities.
fn three(nth: u32) -> String {
    file(&[1, 2, 3].map(|one| activity(&format!("XM-{nth}-{one}"), DAY, "")))
}

#[test]
fn what_is_wrong_with_the_end_of_a_file_that_others_follow_is_told_by_what_comes_next() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    refuse(
        &mut client,
        "TRIGGER refuse BEFORE INSERT ON import_files FOR EACH ROW WHEN (NEW.file = '2')",
    );
    let take = |n_files: u32| {
        let never = AtomicBool::new(false);
        let mut importer = test.store.importer(&Settings::default().iati).unwrap();
        importer.expect_more(true);
        for nth in 1..=n_files {
            let name = nth.to_string();
            importer
                .file(&name, three(nth).as_bytes(), false, &never, &mut |_note| {})
                .map_err(|error| (error, importer.n_files_kept()))?;
        }
        let settled = importer.settle();
        settled.map_err(|error| (error, importer.n_files_kept()))?;
        importer.finish(&mut |_note| {}).unwrap();
        Ok(())
    };
    for (n_files, n_noted) in [(2, 1), (9, 2)] {
        let (refused, n_files_kept) = take(n_files).unwrap_err();
        check_refused(&refused);
        assert_eq!(n_files_kept, 1);
        assert_eq!(count(&mut client, N_ACTIVITIES), 3);
        assert_eq!(
            count(&mut client, "SELECT count(*) FROM import_files"),
            n_noted
        );
        check_nothing_held(&test);
    }
    client
        .batch_execute("DROP TRIGGER refuse ON import_files")
        .unwrap();
    take(9).unwrap();
    assert_eq!(count(&mut client, N_ACTIVITIES), 27);
}

/// What is wrong here ends an import, and what is on its way is waited for: it may be wrong too.
#[test]
fn an_import_that_ends_early_knows_which_files_are_in_the_database() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    let never = AtomicBool::new(false);
    let too_large = file(&[large("XM-1")]);
    for is_refused in [false, true] {
        if is_refused {
            refuse(
                &mut client,
                "TRIGGER refuse BEFORE INSERT ON import_files FOR EACH ROW WHEN (NEW.file = '3')",
            );
        }
        // Room to begin and for what is small.
        let budgets = WorkBudgets::below(&MemoryBudget::root(
            "test",
            ByteSize::from_kib((16 << 10) + 64),
        ));
        let store = test.store.clone().within(budgets);
        let mut importer = store.importer(&Settings::default().iati).unwrap();
        importer.expect_more(true);
        for nth in 1..=3 {
            let name = nth.to_string();
            let report =
                importer.file(&name, three(nth).as_bytes(), false, &never, &mut |_note| {});
            assert_eq!(report.unwrap().kept, 3);
        }
        let ended = importer
            .file("4", too_large.as_bytes(), false, &never, &mut |_note| {})
            .unwrap_err();
        match is_refused {
            true => check_refused(&ended),
            false => assert!(matches!(ended, Error::OverBudget(_)), "{ended:?}"),
        }
        assert_eq!(importer.n_files_kept(), if is_refused { 2 } else { 3 });
        // Nothing is held, and nothing is left to wait for.
        importer.settle().unwrap();
        test.store
            .write(|tx| tx.create_project(&NewProject::default()))
            .unwrap();
    }
}

#[test]
fn others_write_while_an_import_is_long_in_coming_to_its_next_file() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    let elsewhere = test.database.open();
    let never = AtomicBool::new(false);
    let mut importer = test.store.importer(&Settings::default().iati).unwrap();
    importer.expect_more(true);
    for nth in 1..=3 {
        importer
            .file(
                "file",
                three(nth).as_bytes(),
                false,
                &never,
                &mut |_note| {},
            )
            .unwrap();
        elsewhere
            .write(|tx| tx.create_project(&NewProject::default()))
            .unwrap();
        assert_eq!(count(&mut client, N_ACTIVITIES), i64::from(nth) * 3);
    }
    importer.settle().unwrap();
    assert_eq!(importer.n_files_kept(), 3);
    importer.finish(&mut |_note| {}).unwrap();
    assert_eq!(test.store.check_integrity().unwrap(), Vec::<String>::new());
}

/// Its row may be on the way when a child comes.
#[test]
fn a_child_lies_in_the_tree_of_a_parent_that_came_twice() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    let child = "<related-activity type=\"1\" ref=\"P\"/>";
    let mut activities = vec![
        activity("P", DAY, ""),
        activity("P", "2024-02-01T00:00:00Z", ""),
    ];
    // Enough for the connection to be away with rows.
    activities.extend((0..9).map(|nth| large(&format!("XM-{nth}"))));
    activities.extend((0..9).map(|nth| activity(&format!("C-{nth}"), DAY, child)));
    let never = AtomicBool::new(false);
    let text = file(&activities);
    let mut importer = test.store.importer(&Settings::default().iati).unwrap();
    importer
        .file("file", text.as_bytes(), false, &never, &mut |_note| {})
        .unwrap();
    let in_its_tree = "SELECT count(*) FROM projects p JOIN projects c ON c.root_id = p.id
         WHERE p.iati_identifier = 'P' AND c.iati_identifier LIKE 'C-%'";
    assert_eq!(count(&mut client, in_its_tree), 9);
}

#[test]
fn an_importer_that_is_dropped_between_two_files_leaves_what_it_took_and_nothing_locked() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    let never = AtomicBool::new(false);
    let mut importer = importer(&test.store);
    importer.expect_more(true);
    for nth in 1..=3 {
        let report = importer.file(
            "file",
            three(nth).as_bytes(),
            false,
            &never,
            &mut |_note| {},
        );
        assert_eq!(report.unwrap().kept, 3);
    }
    drop(importer);
    assert_eq!(count(&mut client, N_ACTIVITIES), 9);
    assert_eq!(count(&mut client, "SELECT count(*) FROM import_files"), 3);
    check_nothing_held(&test);
}

/// Rows of organisations may be on their way when the next activity names them.
#[test]
fn organisations_are_known_again_in_the_chunks_and_files_that_follow() {
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    let reported = |identifier: &str, organisation: &str| {
        let plain = "ref=\"XM-1\" type=\"10\"><narrative>Wells</narrative>";
        let text = activity(identifier, DAY, "");
        assert!(text.contains(plain));
        text.replace(plain, organisation)
    };
    let texts = [
        [
            reported("A", "ref=\"R\" type=\"10\">"),
            reported("B", "ref=\"R\" type=\"10\">"),
            reported(
                "C",
                "ref=\"R\" type=\"21\"><narrative>Named later</narrative>",
            ),
        ],
        [
            reported(
                "D",
                "ref=\"R\" type=\"22\"><narrative>Named again</narrative>",
            ),
            reported("E", "type=\"22\"><narrative>Without</narrative>"),
            reported("F", "type=\"23\"><narrative>Without</narrative>"),
        ],
    ];
    let never = AtomicBool::new(false);
    let mut importer = importer(&test.store);
    importer.expect_more(true);
    for text in texts {
        let text = file(&text);
        importer
            .file("file", text.as_bytes(), false, &never, &mut |_note| {})
            .unwrap();
    }
    importer.finish(&mut |_note| {}).unwrap();
    let rows = client.query(
        "SELECT concat_ws('|', o.ref, o.name, o.type, string_agg(p.iati_identifier, '' ORDER BY p.iati_identifier))
         FROM organisations o JOIN projects p ON p.organisation_id = o.id GROUP BY o.id ORDER BY 1",
        &[],
    );
    let told: Vec<String> = rows.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(told, ["R|Named later|21|ABCD", "Without|22|EF"]);
}

#[test]
fn what_goes_wrong_while_an_import_is_long_in_coming_to_its_next_file_is_told_and_holds_up_nobody()
{
    let test = TestStore::new();
    let Some(mut client) = client(&test.database.settings()) else {
        return;
    };
    let elsewhere = test.database.open();
    let never = AtomicBool::new(false);
    let begin = || {
        let mut importer = test.store.importer(&Settings::default().iati).unwrap();
        importer.expect_more(true);
        importer
            .file("file", three(1).as_bytes(), false, &never, &mut |_note| {})
            .unwrap();
        importer
    };
    let write = || {
        elsewhere
            .write(|tx| tx.create_project(&NewProject::default()))
            .unwrap();
    };
    let mut importer = begin();
    while count(&mut client, N_ACTIVITIES) == 0 {}
    // Whoever wrote last.
    let writer = client
        .query_one(
            "SELECT key FROM meta WHERE key LIKE 'writer:%'
             ORDER BY CAST(split_part(value, ' ', 2) AS NUMERIC) DESC LIMIT 1",
            &[],
        )
        .unwrap();
    let writer: String = writer.get(0);
    refuse(
        &mut client,
        &format!(
            "TRIGGER refuse BEFORE INSERT OR UPDATE ON meta FOR EACH ROW WHEN (NEW.key = '{writer}')"
        ),
    );
    write();
    check_refused(&importer.settle().unwrap_err());
    assert_eq!(importer.n_files_kept(), 1);
    drop(importer);
    client.batch_execute("DROP TRIGGER refuse ON meta").unwrap();
    let mut importer = begin();
    client
        .batch_execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .unwrap();
    let broken = importer.settle().unwrap_err();
    assert!(matches!(broken, Error::ConnectionLost { .. }), "{broken:?}");
    assert_eq!(importer.n_files_kept(), 0);
    drop(importer);
    test.store
        .write(|tx| tx.create_project(&NewProject::default()))
        .unwrap();
}
