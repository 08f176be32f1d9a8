//! One connection of PostgreSQL, as the crate's statements use it.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::ToSql;
use postgres::{Client, Statement};

use super::behind::{Connection, Line, Load};
use super::values::{Param, PostgresRow};
use super::waiting::{Rows, Waiting};
use super::witness::Witness;
use super::{BEGIN_WRITE, MILLIS_MAX, Postgres, WRITER_LOCK, dialect, failure, meeting, roots};
use crate::error::Error;
use crate::sql::meeting::Word;
use crate::sql::{Begin, Column, EachRow, Session, Table, Value, Work, params};

/// Statements each connection keeps prepared.
const STATEMENTS_KEPT: usize = 256;

/// Where a connection is in the life of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
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

pub(super) struct PostgresSession {
    pub(super) line: RefCell<Line>,
    /// Another connection, that reads what is stored while this one is away.
    pub(super) side: RefCell<Option<Box<Self>>>,
    /// Whether there was none to be had, or it did not answer, in this transaction.
    pub(super) has_no_side: Cell<bool>,
    /// Where another connection comes from, to read, or to ask what became of a commit.
    pub(super) engine: Postgres,
    pub(super) server: String,
    /// Of the transaction that is open, where it is one that writes alone.
    pub(super) witness: RefCell<Witness>,
    /// Transactions that were to be kept behind, and those that were.
    pub(super) n_left: Cell<u64>,
    pub(super) n_kept: Arc<AtomicU64>,
    /// Whether it holds the writers' lock beyond the transaction that is open.
    pub(super) holds_on: Cell<bool>,
    /// Whether its server no longer takes writes: after a failover it is the wrong one.
    pub(super) is_demoted: Cell<bool>,
    prepared: RefCell<Prepared>,
    waiting: RefCell<Waiting>,
    pub(super) state: Cell<State>,
    pub(super) n_rows: Cell<u64>,
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
    pub(super) fn new(engine: &Postgres, client: Client) -> Self {
        Self {
            line: RefCell::new(Line::Here(Connection::new(client))),
            side: RefCell::default(),
            has_no_side: Cell::new(false),
            engine: engine.clone(),
            server: engine.server.clone(),
            witness: RefCell::default(),
            n_left: Cell::new(0),
            n_kept: Arc::default(),
            holds_on: Cell::new(false),
            is_demoted: Cell::new(false),
            prepared: RefCell::default(),
            waiting: RefCell::default(),
            state: Cell::new(State::Idle),
            n_rows: Cell::new(0),
        }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// The connection, once what it was sent away with is done.
    fn connection(&self) -> Result<RefMut<'_, Connection>, Error> {
        self.join()?;
        RefMut::filter_map(self.line.borrow_mut(), Line::here)
            .map_err(|_gone| failure::lost(&self.server, "a thread ended with it".to_owned()))
    }

    pub(super) fn client(&self) -> Result<RefMut<'_, Client>, Error> {
        let connection = self.connection()?;
        Ok(RefMut::map(connection, |connection| &mut connection.client))
    }

    pub(super) fn fail(&self, sql: &str, error: postgres::Error) -> Error {
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
            .client()?
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
        if self.waiting.borrow().is_empty() {
            return Ok(());
        }
        let load = self.load();
        let done = load.carry(&mut *self.connection()?, &self.server);
        self.done(done)
    }

    /// All rows that wait, with the statements that take them.
    pub(super) fn load(&self) -> Load {
        let tables = self.waiting.borrow_mut().take();
        Load::of(tables.into_iter().map(Rows::finish).collect())
    }

    /// What lets go of the writers' lock after a transaction's end, where it is held beyond that; to be followed by
    /// [`Self::has_let_go`] once it was done.
    pub(super) fn let_go(&self) -> String {
        match self.holds_on.get() {
            true => format!("; SELECT pg_advisory_unlock({WRITER_LOCK})"),
            false => String::new(),
        }
    }

    pub(super) fn clear_waiting(&self) {
        self.waiting.borrow_mut().clear();
    }

    pub(super) fn has_let_go(&self) {
        self.holds_on.set(false);
        self.has_no_side.set(false);
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
            waiting.is_full()
                || self.state.get() == State::Idle
                || waiting.is_worth_sending() && self.is_free()
        };
        match (is_due, self.state.get()) {
            (false, _) => Ok(()),
            (true, State::Idle) => self.settle(),
            (true, _) => self.send_rows(),
        }
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
    pub(super) fn ask(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let statement = self.prepare(sql)?;
        let mut client = self.client()?;
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
        self.ask_beside(sql, params, each)
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
            .client()?
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
            Begin::Write => &format!("{BEGIN_WRITE}; SELECT pg_advisory_xact_lock({WRITER_LOCK})"),
            // A worker whose machine went away would keep the server, and with it all writers, waiting for hours.
            Begin::Work { silence_max } => &format!(
                "{BEGIN_WRITE};
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
        self.clear_waiting();
        self.state.set(State::Idle);
        Ok(())
    }

    fn commit_behind(&self) -> Result<Option<usize>, Error> {
        self.keep_behind()
    }

    fn wait_behind(&self) -> Result<(), Error> {
        self.join()
    }

    fn n_unseen(&self) -> usize {
        let n_kept = self.n_kept.load(Ordering::Acquire);
        usize::try_from(self.n_left.get().saturating_sub(n_kept)).unwrap_or(usize::MAX)
    }

    fn rest(&self) -> bool {
        self.begin_rest()
    }

    fn end_rest(&self) -> Result<bool, Error> {
        self.resume()
    }

    fn rollback(&self) -> Result<(), Error> {
        self.clear_waiting();
        // Whatever became of it: it ends here.
        let trouble = self.join();
        if let Err(error) = &trouble {
            tracing::debug!(%error, "what was on its way to the server is given up");
        }
        if self.client()?.is_closed() {
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
            if self.holds_on.get() {
                // What was kept behind is on the disk once this is.
                let left = self.leave_witness(true);
                self.script(&format!(
                    "ROLLBACK; {BEGIN_WRITE}; {}{}",
                    left.sql,
                    self.let_go()
                ))?;
            } else {
                self.script("ROLLBACK")?;
            }
            self.has_let_go();
            self.n_left.set(self.n_kept.load(Ordering::Acquire));
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
        self.client()?
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
