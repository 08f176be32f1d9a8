//! A database into another one, of the same or the other engine.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rsr_store::{Error, Store};

use super::import::import_files;
use super::support::{TestStore, real_files};

type SqliteStore = crate::support::TestStore<crate::support::Sqlite>;

fn copy(from: &Store, to: &Store) -> Result<rsr_store::CopyReport, Error> {
    from.copy_into(to, &mut |_progress| {})
}

#[test]
fn a_copy_has_every_row_also_where_it_was_ended_on_the_way() {
    let Some(paths) = real_files() else { return };
    let paths: Vec<_> = paths
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("be-") || name.starts_with("wri-") || name.starts_with("sida-")
        })
        .collect();
    let (first, file, back) = (TestStore::new(), SqliteStore::new(), TestStore::new());
    import_files(&first, &paths);
    for n in [3, 9, 12] {
        let mut n_left = n;
        let ended = catch_unwind(AssertUnwindSafe(|| {
            first.store.copy_into(&file.store, &mut |_progress| {
                n_left -= 1;
                assert!(n_left > 0, "ended as by a signal");
            })
        }));
        assert!(ended.is_err(), "after {n} chunks: {ended:?}");
    }
    let report = copy(&first.store, &file.store).unwrap();
    assert!(report.was_resumed);
    let projects = report.rows.iter().find(|(table, _)| *table == "projects");
    assert!(projects.unwrap().1 > 10, "{report:?}");

    let there = copy(&file.store, &back.store).unwrap();
    assert_eq!((&there.rows, there.was_resumed), (&report.rows, false));
    // Ids go on behind those that were copied.
    let top = back.project("new", None);
    assert_eq!(
        back.store.snapshot().unwrap().project(top).unwrap().title,
        "new"
    );

    if let Some(mut client) = super::server::client(&back.database.settings()) {
        let tables = "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public'";
        for row in client.query(tables, &[]).unwrap() {
            let table: String = row.get(0);
            let is_copied = report_has(&there.rows, &table);
            assert!(is_copied || table == "meta", "{table} is not copied");
        }
        // The first questions are planned by what is there, not by an empty database.
        let known = "SELECT count(*) FROM pg_stats
             WHERE (tablename, attname) IN (('projects', 'id'), ('project_elements', 'place'))";
        let n_known: i64 = client.query_one(known, &[]).unwrap().get(0);
        assert_eq!(n_known, 2, "tables whose rows the planner knows");
    }

    let refused = copy(&first.store, &back.store).unwrap_err();
    assert!(
        refused.to_string().contains("holds data already"),
        "{refused}"
    );
}

fn report_has(rows: &[(&'static str, u64)], name: &str) -> bool {
    rows.iter().any(|(table, _)| *table == name)
}
