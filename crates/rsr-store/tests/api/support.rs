//! A store of its own for each test.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rsr_base::ProjectId;
use rsr_settings::{DatabaseSettings, Settings};
use rsr_store::{NewProject, Store};
use rsr_testkit::{ManualClock, PostgresDatabase};
use tempfile::TempDir;

/// Makes empty databases of one engine.
pub(crate) trait TestEngine {
    /// What has to stay for as long as the database does, and its address.
    type Kept;
    fn make() -> (Self::Kept, String);
}

/// A file in a folder of its own.
pub(crate) struct Sqlite;

impl TestEngine for Sqlite {
    type Kept = TempDir;

    fn make() -> (TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("rsr.db").display());
        (folder, url)
    }
}

/// A database of a server. Where this machine has none the test says so, and runs over a file.
pub(crate) struct Postgres;

impl TestEngine for Postgres {
    type Kept = (Option<PostgresDatabase>, Option<TempDir>);

    fn make() -> (Self::Kept, String) {
        match PostgresDatabase::make() {
            Some(database) => {
                let url = database.url();
                ((Some(database), None), url)
            }
            None => {
                let (folder, url) = Sqlite::make();
                ((None, Some(folder)), url)
            }
        }
    }
}

/// An empty database that goes when this does.
pub(crate) struct TestDatabase<E: TestEngine> {
    _kept: E::Kept,
    url: String,
}

impl<E: TestEngine> TestDatabase<E> {
    pub(crate) fn new() -> Self {
        let (kept, url) = E::make();
        Self { _kept: kept, url }
    }

    pub(crate) fn settings(&self) -> DatabaseSettings {
        let mut settings = Settings::default().database;
        settings.url = self.url.parse().unwrap();
        settings
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(&self.settings(), Arc::new(ManualClock::new())).unwrap()
    }
}

/// A store with a database of its own.
pub(crate) struct TestStore<E: TestEngine> {
    pub(crate) store: Store,
    /// What the store takes for the time.
    pub(crate) clock: ManualClock,
    pub(crate) database: TestDatabase<E>,
}

impl<E: TestEngine> TestStore<E> {
    pub(crate) fn new() -> Self {
        let database: TestDatabase<E> = TestDatabase::new();
        let clock = ManualClock::new();
        Self {
            store: Store::open(&database.settings(), Arc::new(clock.clone())).unwrap(),
            clock,
            database,
        }
    }

    /// Changes rows behind the store's back. What stands between `/*!` and `*/` is for PostgreSQL alone.
    pub(crate) fn meddle(&self, sql: &str) {
        let url = &self.database.settings().url;
        match url.sqlite_path() {
            Some(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.execute_batch(sql).unwrap();
            }
            None => {
                let mut client =
                    ::postgres::Client::connect(url.expose(), ::postgres::NoTls).unwrap();
                let sql = sql.replace("/*!", "").replace("*/", "");
                client.batch_execute(&sql).unwrap();
            }
        }
    }

    /// The numbers of the first column, read behind the store's back.
    pub(crate) fn numbers(&self, sql: &str) -> Vec<i64> {
        let url = &self.database.settings().url;
        match url.sqlite_path() {
            Some(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                let mut statement = connection.prepare(sql).unwrap();
                let numbers = statement.query_map([], |row| row.get(0)).unwrap();
                numbers.map(Result::unwrap).collect()
            }
            None => {
                let mut client =
                    ::postgres::Client::connect(url.expose(), ::postgres::NoTls).unwrap();
                let rows = client.query(sql, &[]).unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Roots whose jobs are held by more than one worker at this moment.
    pub(crate) fn roots_held_twice(&self) -> i64 {
        self.numbers(
            "SELECT count(*) FROM (SELECT root_period_id FROM jobs WHERE state = 'running'
             GROUP BY root_period_id HAVING count(DISTINCT worker) > 1) AS held",
        )[0]
    }

    /// From now on counts each writing of a row of this table: see [`TestStore::writes`].
    pub(crate) fn count_writes(&self, table: &str) {
        let counted = "CREATE TABLE writes (one BIGINT)";
        let trigger = match self.database.settings().url.sqlite_path() {
            Some(_) => format!(
                "CREATE TRIGGER counted AFTER UPDATE ON {table} BEGIN INSERT INTO writes VALUES (1); END"
            ),
            None => format!(
                "CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS
                     $$BEGIN INSERT INTO writes VALUES (1); RETURN NULL; END$$;
                 CREATE TRIGGER counted AFTER UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION count_write()"
            ),
        };
        self.meddle(&format!("{counted}; {trigger}"));
    }

    /// How often a row was written.
    pub(crate) fn writes(&self) -> i64 {
        self.numbers("SELECT count(*) FROM writes")[0]
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

/// The real files, by name; `None`, with a word about it, where they are not on this machine.
pub(crate) fn real_files() -> Option<Vec<PathBuf>> {
    let Some(folder) = iati_data() else {
        rsr_testkit::left_out("real files in and out of the database: set RSR_IATI_DATA");
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
