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
    for n in [3, 17, 26] {
        let mut n_left = n;
        let ended = catch_unwind(AssertUnwindSafe(|| {
            first.store.copy_into(&file.store, &mut |_progress| {
                n_left -= 1;
                assert!(n_left > 0, "ended as by a signal");
            })
        }));
        assert!(ended.is_err(), "it was ended after {n} chunks");
    }
    let report = copy(&first.store, &file.store).unwrap();
    assert!(report.was_resumed);
    let projects = report.rows.iter().find(|(table, _)| *table == "projects");
    assert!(projects.unwrap().1 > 10, "{report:?}");

    let there = copy(&file.store, &back.store).unwrap();
    assert_eq!((there.rows, there.was_resumed), (report.rows, false));
    // Ids go on behind those that were copied.
    let top = back.project("new", None);
    assert_eq!(
        back.store.snapshot().unwrap().project(top).unwrap().title,
        "new"
    );

    let refused = copy(&first.store, &back.store).unwrap_err();
    assert!(
        refused.to_string().contains("holds data already"),
        "{refused}"
    );
}
