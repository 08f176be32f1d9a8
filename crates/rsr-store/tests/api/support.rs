//! A store of its own for each test.

use std::sync::Arc;

use rsr_base::ProjectId;
use rsr_settings::{DatabaseSettings, Settings};
use rsr_store::{NewProject, Store};
use rsr_testkit::ManualClock;
use tempfile::TempDir;

/// A database in a folder that goes when this does.
pub(crate) struct TestStore {
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) folder: TempDir,
}

impl TestStore {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let store = Store::open(&options(&folder), Arc::new(clock.clone())).unwrap();
        Self {
            store,
            clock,
            folder,
        }
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
