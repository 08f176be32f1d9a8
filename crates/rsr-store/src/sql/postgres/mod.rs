//! PostgreSQL: a server, any number of readers that see their own moment, one writer at a time by a lock of ours, which
//! workers share among themselves.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use postgres::config::{Host, SslMode, TargetSessionAttrs};
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::ToSql;
use postgres::{Client, Config, NoTls, Statement};
use rsr_base::ByteSize;
use rsr_settings::DatabaseSettings;

use super::meeting::{Meeting, Word};
use super::{Begin, Column, EachRow, Engine, Role, Session, Table, Value, Work, params};
use crate::error::Error;
use address::Address;
use tls::Tls;
use values::{Param, PostgresRow};
use waiting::Waiting;
use witness::Witness;

mod address;
mod dialect;
mod failure;
mod meeting;
mod migrate;
mod numeric;
mod roots;
mod tls;
mod values;
mod waiting;
mod witness;

/// Statements each connection keeps prepared.
const STATEMENTS_KEPT: usize = 256;
/// Wait for a server that does not answer, where the address sets none.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// After this long without an acknowledgement a connection counts as broken.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// The lock that whoever writes holds, whatever the process or machine: "rsr" and a one.
const WRITER_LOCK: i64 = 0x0072_7372_0000_0001;
/// The longest time that the server's settings take.
const MILLIS_MAX: u128 = i32::MAX as u128;

/// A server ends a transaction that writes, and has asked nothing for so long: a process that stopped holds up no others.
const WRITER_SILENCE_MAX: Duration = Duration::from_secs(60);

/// A database on a server.
#[derive(Clone)]
pub(crate) struct Postgres {
    config: Config,
    /// `None` where connections are not encrypted.
    tls: Option<Tls>,
    server: String,
    lock_timeout: Duration,
    statement_timeout: Duration,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Postgres").field(&self.server).finish()
    }
}

impl Postgres {
    /// # Errors
    ///
    /// [`Error::Address`] for an address that the driver cannot read; [`Error::Unreachable`] where a certificate cannot
    /// be read; [`Error::Invalid`] for a file of passwords.
    pub(crate) fn new(settings: &DatabaseSettings) -> Result<Self, Error> {
        let Address { mut config, tls } = address::read(settings)?;
        let server = server(&config);
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            _ => Some(Tls::new(&tls).map_err(|reason| {
                failure::unusable(
                    &server,
                    reason,
                    "correct database.tls_ca_file, tls_cert_file and tls_key_file",
                )
            })?),
        };
        if config.get_application_name().is_none() {
            config.application_name("rsr");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        // Of several hosts the one that is not a copy: a failover is followed by connecting anew.
        if config.get_hosts().len() > 1
            && config.get_target_session_attrs() == TargetSessionAttrs::Any
        {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.keepalives_idle(SILENCE_MAX);
        config.tcp_user_timeout(SILENCE_MAX);
        Ok(Self {
            config,
            tls,
            server,
            lock_timeout: settings.lock_timeout,
            statement_timeout: settings.statement_timeout,
        })
    }

    fn open(&self, role: Role) -> Result<PostgresSession, Error> {
        let connected = match &self.tls {
            None => self.config.connect(NoTls),
            Some(tls) => self.config.connect(tls.clone()),
        };
        let client = connected.map_err(|error| failure::connecting(&self.server, &error))?;
        let session = PostgresSession {
            client: RefCell::new(client),
            engine: self.clone(),
            server: self.server.clone(),
            witness: RefCell::default(),
            is_demoted: Cell::new(false),
            prepared: RefCell::default(),
            waiting: RefCell::default(),
            state: Cell::new(State::Idle),
            n_rows: Cell::new(0),
        };
        // 0 would mean to wait for ever.
        let lock_timeout_ms = self.lock_timeout.as_millis().max(1);
        let is_reader = role == Role::Reader;
        let (statement_timeout_ms, silence_ms) = match role {
            Role::Reader => (self.statement_timeout.as_millis(), 0),
            Role::Writer => (0, WRITER_SILENCE_MAX.as_millis()),
        };
        session.script(&format!(
            "SET lock_timeout = {lock_timeout_ms}; SET jit = off; SET client_min_messages = warning;
             SET statement_timeout = {statement_timeout_ms};
             SET idle_in_transaction_session_timeout = {silence_ms};
             SET default_transaction_read_only = {is_reader}; SET standard_conforming_strings = on"
        ))?;
        if role == Role::Writer {
            // Long texts are compressed in a fraction of the time, where the server was built with that.
            session.script(
                "DO $$ BEGIN SET default_toast_compression = 'lz4'; EXCEPTION WHEN OTHERS THEN NULL; END $$",
            )?;
        }
        Ok(session)
    }
}

/// Where a database is, for people: no user, no password.
fn server(config: &Config) -> String {
    let mut place = String::new();
    let ports = config.get_ports();
    for (nth, host) in config.get_hosts().iter().enumerate() {
        let port = ports.get(nth).or(ports.first()).copied().unwrap_or(5432);
        if nth > 0 {
            place.push(',');
        }
        match host {
            Host::Tcp(name) => place.push_str(&format!("{name}:{port}")),
            Host::Unix(folder) => {
                place.push_str(&format!("{}/.s.PGSQL.{port}", folder.display()));
            }
        }
    }
    let name = config.get_dbname().or(config.get_user());
    format!(
        "{place} (database {})",
        name.unwrap_or("of the user's name")
    )
}

impl Engine for Postgres {
    fn connect(&self, role: Role) -> Result<Box<dyn Session>, Error> {
        Ok(Box::new(self.open(role)?))
    }

    fn migrate(&self, now_ms: i64) -> Result<i64, Error> {
        migrate::migrate(&self.open(Role::Writer)?, now_ms)
    }

    fn meeting(&self) -> Option<&dyn Meeting> {
        Some(self)
    }

    fn location(&self) -> String {
        format!("PostgreSQL at {}", self.server)
    }

    fn file(&self) -> Option<&Path> {
        None
    }

    fn has_workers_side_by_side(&self) -> bool {
        true
    }

    fn schema_version(&self, db: &dyn Session) -> Result<i64, Error> {
        Ok(migrate::version(db)?.unwrap_or_default())
    }

    /// What is seen of all transactions of the server, hashed: it changes with every one that commits.
    fn data_version(&self, db: &dyn Session) -> Result<i64, Error> {
        db.number(
            "SELECT hashtextextended(CAST(pg_current_snapshot() AS TEXT), 0)",
            params![],
        )
    }

    fn size(&self, db: &dyn Session) -> Result<ByteSize, Error> {
        let bytes = db.number("SELECT pg_database_size(current_database())", params![])?;
        Ok(ByteSize::from_bytes(bytes.unsigned_abs()))
    }

    /// The server keeps references whole by itself, and roots along them; what has none is looked through here. Pages are
    /// checked with `pg_amcheck`, which needs its own rights.
    fn complaints(&self, db: &dyn Session, n: usize) -> Result<Vec<String>, Error> {
        roots::complaints(db, n)
    }

    fn copy_to(&self, _target: &Path) -> Result<(), Error> {
        Err(Error::Invalid {
            field: "target",
            reason: format!(
                "{} is copied with `pg_dump --format=custom`, while it is in use",
                self.location()
            ),
        })
    }
}

/// Where a connection is in the life of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Open,
    /// A statement failed, so that the server takes nothing but the end of it.
    Failed,
}

/// Statements by their text, the longest kept first out.
#[derive(Default)]
struct Prepared {
    by_text: HashMap<String, Statement>,
    order: VecDeque<String>,
}

struct PostgresSession {
    client: RefCell<Client>,
    /// Where another connection comes from, to ask what became of a commit.
    engine: Postgres,
    server: String,
    /// Of the transaction that is open, where it is one that writes alone.
    witness: RefCell<Witness>,
    /// Whether its server no longer takes writes: after a failover it is the wrong one.
    is_demoted: Cell<bool>,
    prepared: RefCell<Prepared>,
    waiting: RefCell<Waiting>,
    state: Cell<State>,
    n_rows: Cell<u64>,
}

impl fmt::Debug for PostgresSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSession")
            .field("server", &self.server)
            .field("state", &self.state.get())
            .finish_non_exhaustive()
    }
}

impl PostgresSession {
    fn server(&self) -> &str {
        &self.server
    }

    fn fail(&self, sql: &str, error: postgres::Error) -> Error {
        if self.state.get() == State::Open {
            self.state.set(State::Failed);
        }
        if failure::is_demoted(&error) {
            self.is_demoted.set(true);
        }
        failure::of(&self.server, sql, error)
    }

    fn prepare(&self, sql: &str) -> Result<Statement, Error> {
        let mut prepared = self.prepared.borrow_mut();
        if let Some(statement) = prepared.by_text.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self
            .client
            .borrow_mut()
            .prepare(&dialect::translate(sql))
            .map_err(|error| self.fail(sql, error))?;
        if prepared.order.len() >= STATEMENTS_KEPT
            && let Some(oldest) = prepared.order.pop_front()
        {
            prepared.by_text.remove(&oldest);
        }
        prepared.order.push_back(sql.to_owned());
        prepared.by_text.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl PostgresSession {
    /// Stores the rows that wait, where a statement could miss them.
    fn settle_for(&self, sql: &str) -> Result<(), Error> {
        let is_missed = self.waiting.borrow().is_missed_by(sql);
        if is_missed { self.settle() } else { Ok(()) }
    }

    /// Stores all rows that wait.
    fn settle(&self) -> Result<(), Error> {
        let tables = self.waiting.borrow_mut().take();
        for rows in tables {
            let (sql, data) = rows.finish();
            let copy = self.prepare(&sql)?;
            let fail = |error| self.fail(&sql, error);
            let mut client = self.client.borrow_mut();
            let mut writer = client.copy_in(&copy).map_err(fail)?;
            // What the server objects to comes in the end; before it only the connection can fail.
            writer.write_all(&data).map_err(|error| {
                self.state.set(State::Failed);
                failure::lost(&self.server, error.to_string())
            })?;
            writer.finish().map_err(fail)?;
        }
        Ok(())
    }

    /// Lets a row wait for others.
    fn wait(
        &self,
        table: (&str, u8),
        columns: &[&str],
        id: Option<i64>,
        values: &[Value<'_>],
    ) -> Result<(), Error> {
        let is_due = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.push(table, columns, id, values);
            waiting.is_full() || self.state.get() == State::Idle
        };
        if is_due { self.settle() } else { Ok(()) }
    }

    fn next_id(&self, table: &'static str) -> Result<i64, Error> {
        let wanted = self.waiting.borrow_mut().next_id(table);
        let n = match wanted {
            Ok(id) => return Ok(id),
            Err(n) => n,
        };
        let mut ids = Vec::new();
        let flow = self.query_stored(
            // By name: the server would look it up for each row otherwise.
            &format!(
                "SELECT nextval('{table}_id_seq') FROM generate_series(1, CAST(?1 AS BIGINT))"
            ),
            params![n],
            &mut |row| {
                ids.push(row.int(0)?);
                Ok(ControlFlow::Continue(()))
            },
        )?;
        debug_assert!(flow.is_continue(), "nothing breaks it");
        ids.reverse();
        let id = ids.pop();
        self.waiting.borrow_mut().fetched(table, ids, n);
        id.ok_or_else(|| Error::Corrupt {
            reason: format!("{table} gives no ids"),
        })
    }

    /// As [`Session::query_until`], whatever waits.
    fn ask(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let statement = self.prepare(sql)?;
        let mut client = self.client.borrow_mut();
        let mut rows = client
            .query_raw(&statement, params.iter().copied().map(Param))
            .map_err(|error| self.fail(sql, error))?;
        while let Some(row) = rows.next().map_err(|error| self.fail(sql, error))? {
            self.n_rows.set(self.n_rows.get() + 1);
            if each(&PostgresRow { row: &row, sql })?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Session for PostgresSession {
    fn put(&self, into: &Table, values: &[Value<'_>]) -> Result<(), Error> {
        self.wait((into.name, into.level), into.columns, None, values)
    }

    fn put_into(&self, name: &str, columns: &[&str], values: &[Value<'_>]) -> Result<(), Error> {
        self.wait((name, 0), columns, None, values)
    }

    fn put_new(&self, into: &Table, values: &[Value<'_>]) -> Result<i64, Error> {
        let id = self.next_id(into.name)?;
        self.wait((into.name, into.level), into.columns, Some(id), values)?;
        Ok(id)
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn has_roots(&self) -> bool {
        true
    }

    fn settle_roots(&self) -> Result<(), Error> {
        self.script("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    }

    fn follow_positions(&self) -> Result<(), Error> {
        roots::follow(self)
    }

    fn mend_roots(&self) -> Result<(), Error> {
        roots::mend(self)
    }

    /// The table stays for the life of the connection, so that the server's catalogue does not grow with each transaction.
    fn make_room(&self, table: &str, columns: &[(&str, &str)]) -> Result<(), Error> {
        let columns: Vec<String> = columns
            .iter()
            .map(|(name, kind)| format!("{name} {kind}"))
            .collect();
        self.script(&format!(
            "CREATE TEMP TABLE IF NOT EXISTS {table} ({}) ON COMMIT DELETE ROWS; TRUNCATE {table}",
            columns.join(", ")
        ))
    }

    /// Roots follow from positions, whose own they are.
    fn columns(&self, table: &str) -> Result<Vec<Column>, Error> {
        let db: &dyn Session = self;
        db.rows(
            "SELECT CAST(column_name AS TEXT), data_type = 'numeric' FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = CAST(?1 AS TEXT)
             AND (column_name <> 'root_id' OR table_name = 'positions') ORDER BY ordinal_position",
            params![table],
            |row| {
                Ok(Column {
                    name: row.string(0)?,
                    is_number: row.flag(1)?,
                })
            },
        )
    }

    fn note_ids(&self) -> Result<(), Error> {
        let db: &dyn Session = self;
        let tables = db.rows(
            "SELECT CAST(table_name AS TEXT) FROM information_schema.columns
             WHERE table_schema = current_schema() AND column_name = 'id' AND is_identity = 'YES'",
            params![],
            |row| row.string(0),
        )?;
        for table in tables {
            db.script(&format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
            ))?;
        }
        Ok(())
    }

    fn query_stored(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        self.ask(sql, params, each)
    }

    fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<usize, Error> {
        self.settle_for(sql)?;
        let statement = self.prepare(sql)?;
        let params: Vec<Param<'_>> = params.iter().copied().map(Param).collect();
        let params: Vec<&(dyn ToSql + Sync)> = params
            .iter()
            .map(|param| param as &(dyn ToSql + Sync))
            .collect();
        let changed = self
            .client
            .borrow_mut()
            .execute(&statement, &params)
            .map_err(|error| self.fail(sql, error))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// Rows are taken off the connection one by one; what was not asked for when `each` breaks is passed over later.
    fn query_until(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        self.settle_for(sql)?;
        self.ask(sql, params, each)
    }

    fn note_bulk(&self, tables: &[&str]) -> Result<(), Error> {
        self.script(&dialect::translate(&format!(
            "ANALYZE {}",
            tables.join(", ")
        )))
    }

    fn begin(&self, begin: Begin) -> Result<(), Error> {
        let sql = match begin {
            // The moment that is seen is that of the first read, which is made here.
            Begin::Read => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1 FROM meta LIMIT 1"
            }
            // Each statement sees what was committed before it, so nothing is missed while the lock is waited for.
            Begin::Write => &format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock({WRITER_LOCK})"
            ),
            // A worker whose machine went away would keep the server, and with it all writers, waiting for hours.
            Begin::Work { silence_max } => &format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
                 SET LOCAL idle_in_transaction_session_timeout = {};
                 SELECT pg_advisory_xact_lock_shared({WRITER_LOCK})",
                silence_max.as_millis().clamp(1, MILLIS_MAX)
            ),
        };
        self.state.set(State::Open);
        self.witness.borrow_mut().is_due = begin == Begin::Write;
        let begun = self.script(sql);
        if begun.is_err() {
            self.rollback()?;
        }
        begun
    }

    fn commit(&self) -> Result<(), Error> {
        // The server would answer such a commit with a rollback, and call it well done.
        if self.state.get() == State::Failed {
            self.rollback()?;
            return Err(Error::Io {
                reason: "the transaction was given up after an error".to_owned(),
            });
        }
        self.settle()?;
        self.end()?;
        self.waiting.borrow_mut().clear();
        self.state.set(State::Idle);
        Ok(())
    }

    fn rollback(&self) -> Result<(), Error> {
        self.waiting.borrow_mut().clear();
        if self.client.borrow().is_closed() {
            return Err(failure::lost(
                &self.server,
                "closed by the server".to_owned(),
            ));
        }
        // Whoever holds it lets go of it, and connects anew.
        if self.is_demoted.get() {
            return Err(failure::lost(
                &self.server,
                "it takes no writes any more".to_owned(),
            ));
        }
        if self.in_transaction() {
            self.script("ROLLBACK")?;
            self.state.set(State::Idle);
        }
        Ok(())
    }

    fn in_transaction(&self) -> bool {
        self.state.get() != State::Idle
    }

    fn hold(&self, number: i64) -> Result<(), Error> {
        let sql = "SELECT pg_advisory_xact_lock(CAST(?1 AS BIGINT))";
        self.query(sql, params![number], &mut |_held| Ok(()))
    }

    fn try_hold(&self, number: i64) -> Result<bool, Error> {
        let db: &dyn Session = self;
        let sql = "SELECT pg_try_advisory_xact_lock(CAST(?1 AS BIGINT))";
        Ok(db.number(sql, params![number])? != 0)
    }

    fn tell(&self, word: Word) -> Result<(), Error> {
        self.script(&format!("NOTIFY {}", meeting::channel(word)))
    }

    fn script(&self, sql: &str) -> Result<(), Error> {
        self.settle_for(sql)?;
        self.client
            .borrow_mut()
            .batch_execute(sql)
            .map_err(|error| self.fail(sql, error))
    }

    fn work(&self) -> Work {
        Work {
            n_rows: self.n_rows.get(),
            n_steps: None,
        }
    }
}
