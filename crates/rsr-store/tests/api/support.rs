//! A store of its own for each test.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rsr_base::ProjectId;
use rsr_settings::{DatabaseSettings, Settings};
use rsr_store::{NewProject, Store};
use rsr_testkit::ManualClock;
use tempfile::TempDir;

/// A database in a folder that goes when this does.
pub(crate) struct TestStore {
    pub(crate) store: Store,
    /// What the store takes for the time.
    pub(crate) clock: ManualClock,
    /// Goes with its files when this does.
    _folder: TempDir,
}

impl TestStore {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let store = Store::open(&options(&folder), Arc::new(clock.clone())).unwrap();
        Self {
            store,
            clock,
            _folder: folder,
        }
    }

    /// Changes rows behind the store's back.
    pub(crate) fn meddle(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.store.path()).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// Stores a project with this title, public and published.
    pub(crate) fn project(&self, title: &str, parent: Option<ProjectId>) -> ProjectId {
        let new = NewProject {
            parent,
            title: title.to_owned(),
            is_published: true,
            ..NewProject::default()
        };
        self.store.write(|tx| tx.create_project(&new)).unwrap()
    }
}

pub(crate) fn options(folder: &TempDir) -> DatabaseSettings {
    let mut settings = Settings::default().database;
    let url = format!("sqlite://{}", folder.path().join("rsr.db").display());
    settings.url = url.parse().unwrap();
    settings
}

/// The real files, by name; `None`, with a word about it, where they are not on this machine.
pub(crate) fn real_files() -> Option<Vec<PathBuf>> {
    let Some(folder) = iati_data() else {
        println!("left out: no shared/iati folder and no RSR_IATI_DATA");
        return None;
    };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder.join("real"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    paths.sort();
    Some(paths)
}

/// The folder of IATI data.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are told of data by the environment"
)]
pub(crate) fn iati_data() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("RSR_IATI_DATA") {
        return Some(PathBuf::from(folder));
    }
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/iati"))
        .find(|folder| folder.is_dir())
}
