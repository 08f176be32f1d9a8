//! Work that a server does while whoever asked for it goes on: storing rows, and keeping a transaction.
//!
//! A connection does one thing at a time. So it goes away with a thread, and whatever needs it next waits for it to come
//! back; what is only read beside it is read on another connection, which sees what was kept before.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::Write as _;
use std::iter;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use bytes::BytesMut;
use postgres::{Client, Statement};

use super::session::{PostgresSession, State};
use super::{BEGIN_WRITE, WRITER_LOCK, dialect, failure};
use crate::error::Error;
use crate::sql::{EachRow, Role, Session as _, Value, params};

/// What is read beside goes by keys, and is asked thousands of times. A plan that was made while a table was small would read
/// all of it for ever.
/// It waits for nobody: a server does not see that somebody who waits for the one connection holds up the other.
const BY_KEY: &str =
    "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; SET lock_timeout = 100;
     SET statement_timeout = 5000";
/// What ends a transaction that cannot be kept, and lets go of what is held beyond it.
const GIVE_UP: &str = "ROLLBACK; SELECT pg_advisory_unlock_all()";
/// Loads that wait while another one is carried. Files differ in what they ask of the server and of who reads them: with
/// these neither waits for the other.
const LOADS_MAX: usize = 2;
/// Bytes of rows from which on a load waits with no others: one row may be as large as an element.
const LARGE_BYTES: usize = 2 << 20;
/// Bytes of rows in a message: on its way to the server it is there three times.
const MESSAGE_BYTES: usize = 64 << 10;
/// `COPY` statements that a connection keeps prepared; beyond, all are prepared again.
const COPIES_KEPT: usize = 256;

/// A connection, and what it has prepared to take rows.
pub(super) struct Connection {
    pub(super) client: Client,
    copies: HashMap<String, Statement>,
}

/// A connection, or where it is.
#[expect(
    clippy::large_enum_variant,
    reason = "a session has one, and it is here most of the time"
)]
pub(super) enum Line {
    Here(Connection),
    Away(Away),
    /// The thread that had it broke.
    Gone,
}

/// A thread that has a connection, and what it was sent after.
pub(super) struct Away {
    loads: SyncSender<Load>,
    n_sent: Cell<u64>,
    n_done: Arc<AtomicU64>,
    thread: JoinHandle<Option<(Connection, Done)>>,
}

impl Line {
    pub(super) fn here(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Here(connection) => Some(connection),
            Self::Away(_) | Self::Gone => None,
        }
    }
}

/// What became of a load.
pub(super) type Done = Result<(), Failure>;

/// Why a load was not stored.
pub(super) struct Failure {
    error: Error,
    is_demoted: bool,
}

/// What a connection is sent away with.
pub(super) struct Load {
    /// Statements and the rows they take.
    copies: Vec<(String, BytesMut)>,
    /// A script for the end.
    then: Option<String>,
}

impl Load {
    pub(super) fn of(copies: Vec<(String, BytesMut)>) -> Self {
        Self { copies, then: None }
    }

    fn n_bytes(&self) -> usize {
        self.copies.iter().map(|(_sql, data)| data.len()).sum()
    }

    pub(super) fn carry(self, connection: &mut Connection, server: &str) -> Done {
        for (sql, data) in self.copies {
            let fail = |error| Failure::of(server, &sql, error);
            let statement = connection.copy_statement(&sql).map_err(fail)?;
            let mut writer = connection.client.copy_in(&statement).map_err(fail)?;
            for some in data.chunks(MESSAGE_BYTES) {
                // What the server objects to comes in the end; before it only the connection can fail.
                writer.write_all(some).map_err(|error| Failure {
                    error: failure::lost(server, error.to_string()),
                    is_demoted: false,
                })?;
            }
            writer.finish().map_err(fail)?;
        }
        match self.then {
            Some(sql) => connection
                .client
                .batch_execute(&sql)
                .map_err(|error| Failure::of(server, &sql, error)),
            None => Ok(()),
        }
    }
}

impl Connection {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            copies: HashMap::new(),
        }
    }

    /// The statement, prepared.
    fn copy_statement(&mut self, sql: &str) -> Result<Statement, postgres::Error> {
        if let Some(statement) = self.copies.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(&dialect::translate(sql))?;
        if self.copies.len() >= COPIES_KEPT {
            self.copies.clear();
        }
        self.copies.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Failure {
    pub(super) fn of(server: &str, sql: &str, error: postgres::Error) -> Self {
        Self {
            is_demoted: failure::is_demoted(&error),
            error: failure::of(server, sql, error),
        }
    }
}

impl PostgresSession {
    /// Sends the rows that wait, and does not wait for it.
    pub(super) fn send_rows(&self) -> Result<(), Error> {
        self.send(self.load())
    }

    /// See [`Session::commit_behind`].
    pub(super) fn keep_behind(&self) -> Result<Option<u64>, Error> {
        if self.state.get() != State::Open || !self.witness.borrow().is_due {
            return Ok(None);
        }
        if !self.open_side() || self.is_lock_wanted().unwrap_or(true) {
            return Ok(None);
        }
        let mut load = self.load();
        let hold = match self.holds_on.replace(true) {
            true => String::new(),
            false => format!("SELECT pg_advisory_lock({WRITER_LOCK}); "),
        };
        let left = self.leave_witness(false);
        // It is on the disk with the next one that is waited for. A server that breaks down before ends this connection too,
        // which is in a transaction.
        load.then = Some(format!(
            "SET LOCAL synchronous_commit = off; {hold}{}; {BEGIN_WRITE}",
            left.sql
        ));
        self.n_left.set(self.n_left.get() + 1);
        self.send(load)?;
        let n_kept = self.n_kept.load(Ordering::Acquire);
        Ok(Some(self.n_left.get().saturating_sub(n_kept)))
    }

    fn send(&self, load: Load) -> Result<(), Error> {
        if load.n_bytes() >= LARGE_BYTES {
            self.join()?;
        }
        let mut line = self.line.borrow_mut();
        if let Line::Away(away) = &*line {
            away.n_sent.set(away.n_sent.get() + 1);
            let sent = away.loads.send(load);
            drop(line);
            // It has ended, so it tells why.
            return match sent {
                Ok(()) => Ok(()),
                Err(_) => self.join().and(Err(gone(self))),
            };
        }
        let Line::Here(connection) = std::mem::replace(&mut *line, Line::Gone) else {
            return Err(gone(self));
        };
        let (loads, more) = sync_channel(LOADS_MAX);
        // A thread that cannot be started would take with it what it was given.
        let bundle = Arc::new(Mutex::new(Some((connection, load))));
        let server = self.server.clone();
        let take = |bundle: &Mutex<Option<(Connection, Load)>>| {
            bundle.lock().unwrap_or_else(PoisonError::into_inner).take()
        };
        let given = Arc::clone(&bundle);
        let kept = Arc::clone(&self.n_kept);
        let n_done = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&n_done);
        let started = thread::Builder::new()
            .name("rsr-store".to_owned())
            .spawn(move || {
                let (mut connection, first) = take(&given)?;
                let mut done = Ok(());
                for load in iter::once(first).chain(more) {
                    let keeps = load.then.is_some();
                    done = load.carry(&mut connection, &server);
                    if done.is_err() {
                        // Nobody else waits until this is looked at. Where it fails the connection is broken, and holds nothing.
                        let _broken = connection.client.batch_execute(GIVE_UP);
                        break;
                    }
                    if keeps {
                        kept.fetch_add(1, Ordering::Release);
                    }
                    counted.fetch_add(1, Ordering::Release);
                }
                Some((connection, done))
            });
        match started {
            Ok(thread) => {
                *line = Line::Away(Away {
                    loads,
                    n_sent: Cell::new(1),
                    n_done,
                    thread,
                });
            }
            Err(_) => {
                let Some((mut connection, load)) = take(&bundle) else {
                    return Err(gone(self));
                };
                let keeps = load.then.is_some();
                let done = load.carry(&mut connection, &self.server);
                if keeps && done.is_ok() {
                    self.n_kept.fetch_add(1, Ordering::Release);
                }
                *line = Line::Here(connection);
                drop(line);
                return self.done(done);
            }
        }
        Ok(())
    }

    /// Waits until the connection is back.
    ///
    /// # Errors
    ///
    /// What went wrong with its load.
    pub(super) fn join(&self) -> Result<(), Error> {
        let mut line = self.line.borrow_mut();
        let away = match std::mem::replace(&mut *line, Line::Gone) {
            Line::Away(away) => away,
            here => {
                *line = here;
                return Ok(());
            }
        };
        drop(away.loads);
        let Ok(Some((connection, done))) = away.thread.join() else {
            return Err(gone(self));
        };
        *line = Line::Here(connection);
        drop(line);
        self.done(done)
    }

    /// Notes what became of a load.
    pub(super) fn done(&self, done: Done) -> Result<(), Error> {
        done.map_err(|failure| {
            if self.state.get() == State::Open {
                self.state.set(State::Failed);
            }
            if failure.is_demoted {
                self.is_demoted.set(true);
            }
            failure.error
        })
    }

    /// Whether the server has done all that it was sent.
    pub(super) fn is_free(&self) -> bool {
        match &*self.line.borrow() {
            Line::Here(_) => true,
            Line::Away(away) => away.n_done.load(Ordering::Acquire) == away.n_sent.get(),
            Line::Gone => false,
        }
    }

    fn is_away(&self) -> bool {
        matches!(&*self.line.borrow(), Line::Away(_))
    }

    /// Asks for what is stored: beside this connection while it is away.
    pub(super) fn ask_beside(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        if self.is_away() && self.open_side() {
            match self.ask_side(sql, params, each) {
                Ok(flow) => return Ok(flow),
                // Nothing hangs on that connection. It may wait behind somebody who waits for this one.
                Err(error) => {
                    tracing::debug!(%error, "the connection to read beside does not answer");
                }
            }
        }
        self.ask(sql, params, each)
    }

    fn ask_side(
        &self,
        sql: &str,
        params: &[Value<'_>],
        each: EachRow<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut side = self.side.borrow_mut();
        let answer = match side.as_deref() {
            Some(session) => {
                let answer = session.ask(sql, params, each);
                self.n_rows.set(self.n_rows.get() + session.n_rows.take());
                answer
            }
            None => Err(gone(self)),
        };
        if answer.is_err() {
            // The transaction goes on without, and ends at the next chance: whoever holds that one up may wait for it.
            *side = None;
            self.has_no_side.set(true);
        }
        answer
    }

    /// Opens the other connection. Answers whether there is one: a server may have no room for it, which makes this slower
    /// and nothing else.
    fn open_side(&self) -> bool {
        let mut side = self.side.borrow_mut();
        if side.is_none() && !self.has_no_side.get() {
            match self.engine.open(Role::Writer).and_then(|session| {
                session.script(BY_KEY)?;
                Ok(session)
            }) {
                Ok(session) => *side = Some(Box::new(session)),
                Err(error) => {
                    self.has_no_side.set(true);
                    tracing::debug!(%error, "there is no connection to read beside");
                }
            }
        }
        side.is_some()
    }

    /// Whether somebody waits for the writers' lock.
    fn is_lock_wanted(&self) -> Result<bool, Error> {
        let mut n = 0;
        let flow = self.ask_side(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objsubid = 1
                 AND CAST(classid AS BIGINT) = ?1 AND CAST(objid AS BIGINT) = ?2
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            params![WRITER_LOCK >> 32, WRITER_LOCK & 0xffff_ffff],
            &mut |row| {
                n = row.int(0)?;
                Ok(ControlFlow::Continue(()))
            },
        )?;
        debug_assert!(flow.is_continue(), "nothing breaks it");
        Ok(n > 0)
    }
}

fn gone(session: &PostgresSession) -> Error {
    failure::lost(session.server(), "the thread that had it broke".to_owned())
}
