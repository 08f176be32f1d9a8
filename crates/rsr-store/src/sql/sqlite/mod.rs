//! SQLite: one file, one writer at a time, any number of readers that see their own moment.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, StatementStatus, ToSql, TransactionState};

use rsr_base::ByteSize;

use super::{
    Begin, Column, EachRow, Engine, Role, Row, Session, Table, Value, Work, insert, params,
};
use crate::error::Error;

mod failure;
mod migrate;

/// Statements each connection keeps prepared.
const STATEMENTS_KEPT: usize = 256;
/// Marks the file as ours: "rsr1".
const APPLICATION_ID: i64 = 0x7273_7231;
/// Page cache of a connection, KiB: readers are many and read along indexes, the writer sorts and links.
const READER_CACHE_KIB: i64 = 2_048;
const WRITER_CACHE_KIB: i64 = 12_288;
/// The same for temporary tables, whose pages would else grow with what an import touches.
const TEMPORARY_CACHE_KIB: i64 = 512;

/// A SQLite file.
#[derive(Clone, Debug)]
pub(crate) struct Sqlite {
    path: PathBuf,
    busy_timeout: Duration,
}

impl Sqlite {
    pub(crate) fn new(path: PathBuf, busy_timeout: Duration) -> Self {
        Self { path, busy_timeout }
    }

    fn open(&self, role: Role) -> Result<SqliteSession, Error> {
        let cannot_open = |error: rusqlite::Error| Error::CannotOpen {
            path: self.path.clone(),
            reason: error.to_string(),
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.path, flags).map_err(cannot_open)?;
        if self.needs_no_log(&connection) {
            match role {
                Role::Reader => connection = self.open_unchanging().map_err(cannot_open)?,
                Role::Writer => return Err(Error::ReadOnly),
            }
        }
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        // Without it a statement is planned anew each time another value is bound to an end of a range, as every chunk does.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(cannot_open)?;
        let session = SqliteSession {
            connection,
            n_rows: Cell::new(0),
            n_steps: Cell::new(0),
        };
        session
            .connection
            .busy_timeout(self.busy_timeout)
            .map_err(|error| failure::of("busy_timeout", error))?;
        let cache_kib = match role {
            Role::Reader => READER_CACHE_KIB,
            Role::Writer => WRITER_CACHE_KIB,
        };
        session.script(&format!(
            "PRAGMA cache_size = -{cache_kib}; PRAGMA temp.cache_size = -{TEMPORARY_CACHE_KIB};
             PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;
             PRAGMA journal_size_limit = 67108864;"
        ))?;
        if role == Role::Reader {
            session.script("PRAGMA query_only = ON")?;
        }
        Ok(session)
    }
}

impl Sqlite {
    /// Whether the file can be read, but not with its log beside it: a folder that may not be written to has no place for
    /// the log's index. Without anything in the log the file alone is the whole database.
    fn needs_no_log(&self, connection: &Connection) -> bool {
        let read = connection.query_row("PRAGMA schema_version", [], |_row| Ok(()));
        let cannot_open = read.is_err_and(|error| {
            use rusqlite::ErrorCode::{CannotOpen, ReadOnly};
            matches!(error.sqlite_error_code(), Some(CannotOpen | ReadOnly))
        });
        let log = size_of(&beside(&self.path, "-wal"));
        cannot_open && log == ByteSize::ZERO && self.path.is_file()
    }

    /// Opens the file as one that nobody changes.
    fn open_unchanging(&self) -> Result<Connection, rusqlite::Error> {
        let mut address = String::from("file:");
        for byte in self.path.as_os_str().as_encoded_bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                    address.push(char::from(*byte));
                }
                other => address.push_str(&format!("%{other:02x}")),
            }
        }
        address.push_str("?immutable=1");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        tracing::debug!(path = %self.path.display(), "opened as a database that nobody changes: its folder cannot be written to");
        Connection::open_with_flags(address, flags)
    }
}

impl Engine for Sqlite {
    fn connect(&self, role: Role) -> Result<Box<dyn Session>, Error> {
        Ok(Box::new(self.open(role)?))
    }

    fn migrate(&self, now_ms: i64) -> Result<i64, Error> {
        // A file of today's schema is not written to, so that whoever only reads may do so where nobody may write.
        if self.path.is_file() && migrate::is_current(&self.open(Role::Reader)?) {
            return Ok(migrate::VERSION);
        }
        migrate::migrate(&self.open(Role::Writer)?, &self.path, now_ms)
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }

    fn file(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn schema_version(&self, db: &dyn Session) -> Result<i64, Error> {
        db.number("PRAGMA user_version", params![])
    }

    fn data_version(&self, db: &dyn Session) -> Result<i64, Error> {
        db.number("PRAGMA data_version", params![])
    }

    fn checkpoint(&self) -> Result<(), Error> {
        // It answers whether readers kept it from all of the log, which is no failure.
        self.open(Role::Writer)?
            .query_until("PRAGMA wal_checkpoint(TRUNCATE)", params![], &mut |_row| {
                Ok(ControlFlow::Break(()))
            })
            .map(drop)
    }

    fn size(&self, _db: &dyn Session) -> Result<ByteSize, Error> {
        Ok(size_of(&self.path) + size_of(&beside(&self.path, "-wal")))
    }

    fn complaints(&self, db: &dyn Session, n: usize) -> Result<Vec<String>, Error> {
        let mut complaints =
            db.rows(&format!("PRAGMA integrity_check({n})"), params![], |row| {
                row.string(0)
            })?;
        complaints.retain(|complaint| complaint != "ok");
        let broken_links = db.rows("PRAGMA foreign_key_check", params![], |row: &dyn Row| {
            Ok(format!(
                "row {} of {} refers to a row of {} that is not there",
                row.int(1)?,
                row.text(0)?,
                row.text(2)?
            ))
        })?;
        complaints.extend(broken_links);
        Ok(complaints)
    }

    fn copy_to(&self, target: &Path) -> Result<(), Error> {
        if target.exists() {
            return Err(Error::Invalid {
                field: "target",
                reason: format!("{} exists already, name another file", target.display()),
            });
        }
        let partial = beside(target, ".partial");
        let io = |error: std::io::Error| Error::Io {
            reason: format!("{}: {error}", partial.display()),
        };
        if partial.exists() {
            std::fs::remove_file(&partial).map_err(io)?;
        }
        let text = partial.to_str().ok_or_else(|| Error::Invalid {
            field: "target",
            reason: format!("{} is not UTF-8", target.display()),
        })?;
        // Copying reads one moment and keeps nobody from writing; pooled readers may not write, not even another file.
        let copied = self
            .open(Role::Writer)?
            .execute("VACUUM INTO ?1", params![text]);
        if let Err(error) = copied {
            // What is left of a copy that failed is of no use; that it cannot be removed either changes nothing.
            drop(std::fs::remove_file(&partial));
            return Err(error);
        }
        let synced = std::fs::File::open(&partial).and_then(|file| file.sync_all());
        synced.map_err(io)?;
        std::fs::rename(&partial, target).map_err(io)
    }
}

fn size_of(path: &Path) -> ByteSize {
    ByteSize::from_bytes(std::fs::metadata(path).map_or(0, |metadata| metadata.len()))
}

/// The path with something added to its file name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[derive(Debug)]
struct SqliteSession {
    connection: Connection,
    n_rows: Cell<u64>,
    n_steps: Cell<u64>,
}

impl SqliteSession {
    fn count(&self, n_rows: u64, statement: &rusqlite::Statement<'_>) {
        self.n_rows.set(self.n_rows.get() + n_rows);
        // The machine's counter has 32 bits.
        let n_steps = statement.reset_status(StatementStatus::VmStep);
        let n_steps = u64::from(n_steps.cast_unsigned());
        self.n_steps.set(self.n_steps.get() + n_steps);
    }
}

impl Session for SqliteSession {
    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<usize, Error> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(given(params)))
            .map_err(|error| failure::of(sql, error))
    }

    fn put_new(&self, into: &Table, values: &[Value<'_>]) -> Result<i64, Error> {
        self.execute(&insert(into.name, into.columns), values)?;
        Ok(self.connection.last_insert_rowid())
    }

    fn query_until(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let fail = |error| failure::of(sql, error);
        let mut statement = self.connection.prepare_cached(sql).map_err(fail)?;
        let mut n_rows = 0;
        let mut flow = ControlFlow::Continue(());
        let mut rows = statement.query(given(params)).map_err(fail)?;
        while flow.is_continue()
            && let Some(row) = rows.next().map_err(fail)?
        {
            n_rows += 1;
            flow = each(&SqliteRow { row, sql })?;
        }
        drop(rows);
        self.count(n_rows, &statement);
        Ok(flow)
    }

    fn columns(&self, table: &str) -> Result<Vec<Column>, Error> {
        let db: &dyn Session = self;
        db.rows(
            "SELECT name, type FROM pragma_table_info(?1) ORDER BY cid",
            params![table],
            |row| {
                Ok(Column {
                    name: row.string(0)?,
                    is_number: row.text(1)? == "ANY",
                })
            },
        )
    }

    fn begin(&self, begin: Begin) -> Result<(), Error> {
        match begin {
            // A deferred transaction sees the moment of its first read, so that read is made here.
            Begin::Read => {
                self.script("BEGIN DEFERRED; SELECT 1 FROM meta LIMIT 1;")?;
                let state = self.connection.transaction_state::<&str>(None);
                debug_assert!(
                    matches!(state, Ok(TransactionState::Read)),
                    "a snapshot begins with its first read"
                );
                Ok(())
            }
            Begin::Write | Begin::Work { .. } => self.script("BEGIN IMMEDIATE"),
        }
    }

    fn commit(&self) -> Result<(), Error> {
        self.script("COMMIT")
    }

    fn rollback(&self) -> Result<(), Error> {
        if self.in_transaction() {
            self.script("ROLLBACK")?;
        }
        Ok(())
    }

    fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    fn script(&self, sql: &str) -> Result<(), Error> {
        self.connection
            .execute_batch(sql)
            .map_err(|error| failure::of(sql, error))
    }

    fn work(&self) -> Work {
        Work {
            n_rows: self.n_rows.get(),
            n_steps: Some(self.n_steps.get()),
        }
    }
}

/// The parameters that a statement has here: roots are in comments to this engine, and come last.
fn given(params: &[Value<'_>]) -> impl rusqlite::Params {
    let n = params.iter().take_while(|param| !param.is_root()).count();
    rusqlite::params_from_iter(params.iter().take(n))
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match *self {
            // No statement has roots here.
            Value::Null | Value::Root(_) | Value::Roots(_) | Value::OwnRoot => {
                ToSqlOutput::Borrowed(ValueRef::Null)
            }
            Value::Int(value) => ToSqlOutput::Borrowed(ValueRef::Integer(value)),
            Value::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            Value::Blob(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value)),
            Value::Hundredths(value) => match i64::try_from(value) {
                Ok(value) => ToSqlOutput::Borrowed(ValueRef::Integer(value)),
                Err(_too_long) => ToSqlOutput::from(value.to_string()),
            },
        })
    }
}

struct SqliteRow<'a> {
    row: &'a rusqlite::Row<'a>,
    sql: &'a str,
}

impl SqliteRow<'_> {
    fn get(&self, column: usize) -> Result<ValueRef<'_>, Error> {
        self.row
            .get_ref(column)
            .map_err(|error| failure::of(self.sql, error))
    }

    fn unexpected(&self, column: usize, found: ValueRef<'_>) -> Error {
        Error::Corrupt {
            reason: format!(
                "column {column} of {:?} holds {:?}",
                self.sql,
                found.data_type()
            ),
        }
    }
}

impl Row for SqliteRow<'_> {
    fn opt_int(&self, column: usize) -> Result<Option<i64>, Error> {
        match self.get(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => Ok(Some(value)),
            other => Err(self.unexpected(column, other)),
        }
    }

    fn opt_text(&self, column: usize) -> Result<Option<&str>, Error> {
        match self.get(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => {
                std::str::from_utf8(bytes)
                    .map(Some)
                    .map_err(|error| Error::Corrupt {
                        reason: format!("column {column} of {:?}: {error}", self.sql),
                    })
            }
            other => Err(self.unexpected(column, other)),
        }
    }

    fn opt_blob(&self, column: usize) -> Result<Option<&[u8]>, Error> {
        match self.get(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => Ok(Some(bytes)),
            other => Err(self.unexpected(column, other)),
        }
    }

    fn value(&self, column: usize) -> Result<Value<'_>, Error> {
        match self.get(column)? {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Integer(value) => Ok(Value::Int(value)),
            ValueRef::Text(_) => Ok(self.opt_text(column)?.map_or(Value::Null, Value::Text)),
            ValueRef::Blob(bytes) => Ok(Value::Blob(bytes)),
            other => Err(self.unexpected(column, other)),
        }
    }

    fn opt_hundredths(&self, column: usize) -> Result<Option<i128>, Error> {
        match self.get(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => Ok(Some(i128::from(value))),
            other => {
                let digits = other.as_str().ok().and_then(|text| text.parse().ok());
                digits
                    .map(Some)
                    .ok_or_else(|| self.unexpected(column, other))
            }
        }
    }
}
