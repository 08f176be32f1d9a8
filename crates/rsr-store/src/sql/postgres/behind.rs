//! Work that a server does while whoever asked for it goes on: storing rows, and keeping a transaction.
//!
//! A connection does one thing at a time. So it goes away with a thread, and whatever needs it next waits for it to come
//! back; what is only read beside it is read on another connection, which sees what was kept before.

use std::collections::HashMap;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

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
/// Loads that are on their way at once, and bytes of their rows: files differ in what they ask of the server and of who reads
/// them, and with these neither waits for the other.
const LOADS_MAX: usize = 8;
const ON_THE_WAY_BYTES: usize = 4 << 20;
/// How long a connection rests before others are let write.
const REST_MAX: Duration = Duration::from_millis(500);
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
    road: Arc<Road>,
    thread: JoinHandle<Option<(Connection, Done)>>,
}

/// What a connection's owner and the thread that has it tell each other.
#[derive(Default)]
struct Road {
    traffic: Mutex<Traffic>,
    moved: Condvar,
}

#[derive(Default)]
struct Traffic {
    /// Loads that were sent and are not done, and their bytes.
    n_loads: usize,
    n_bytes: usize,
    rest: Rest,
    is_over: bool,
}

/// Whether the owner waits for somebody else, who may be long.
#[derive(Default)]
enum Rest {
    #[default]
    No,
    /// It does: the script ends the transaction, in which nothing was written, and lets others write.
    Yes(String),
    /// The script was run.
    Over,
}

impl Road {
    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room for so many bytes, and takes it.
    fn enter(&self, n_bytes: usize) {
        let is_full = |traffic: &mut Traffic| {
            !traffic.is_over
                && traffic.n_loads > 0
                && (traffic.n_loads >= LOADS_MAX || traffic.n_bytes + n_bytes > ON_THE_WAY_BYTES)
        };
        let traffic = self.moved.wait_while(self.traffic(), is_full);
        let mut traffic = traffic.unwrap_or_else(PoisonError::into_inner);
        traffic.n_loads += 1;
        traffic.n_bytes += n_bytes;
    }

    fn leave(&self, n_bytes: usize) {
        let mut traffic = self.traffic();
        traffic.n_loads -= 1;
        traffic.n_bytes -= n_bytes;
        drop(traffic);
        self.moved.notify_all();
    }

    /// What is to be run where the owner rests: at most once.
    fn let_go(&self) -> Option<String> {
        let mut traffic = self.traffic();
        if traffic.n_loads > 0 || !matches!(traffic.rest, Rest::Yes(_)) {
            return None;
        }
        match std::mem::replace(&mut traffic.rest, Rest::Over) {
            Rest::Yes(script) => Some(script),
            Rest::No | Rest::Over => None,
        }
    }
}

/// Tells whoever waits for room that nothing moves any more, whatever ended it.
struct Over(Arc<Road>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.traffic().is_over = true;
        self.0.moved.notify_all();
    }
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
        let bytes = self.copies.iter().map(|(_sql, data)| data.capacity());
        bytes.sum()
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

/// What the thread needs besides the connection.
struct Porter {
    server: String,
    n_kept: Arc<AtomicU64>,
    road: Arc<Road>,
}

impl Porter {
    /// Carries a load, and those that come, until no more can.
    fn carry(self, connection: &mut Connection, first: Load, more: &Receiver<Load>) -> Done {
        let _over = Over(Arc::clone(&self.road));
        let mut next = Some(first);
        loop {
            if let Some(load) = next.take() {
                let (keeps, n_bytes) = (load.then.is_some(), load.n_bytes());
                if let Err(failure) = load.carry(connection, &self.server) {
                    // Nobody else waits until this is looked at. Where it fails the connection is broken, and holds nothing.
                    let _broken = connection.client.batch_execute(GIVE_UP);
                    return Err(failure);
                }
                if keeps {
                    self.n_kept.fetch_add(1, Ordering::Release);
                }
                self.road.leave(n_bytes);
            }
            match more.recv_timeout(REST_MAX) {
                Ok(load) => next = Some(load),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {
                    let Some(sql) = self.road.let_go() else {
                        continue;
                    };
                    let done = connection.client.batch_execute(&sql);
                    if done.is_err() {
                        let _broken = connection.client.batch_execute(GIVE_UP);
                    }
                    return done.map_err(|error| Failure::of(&self.server, &sql, error));
                }
            }
        }
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
    pub(super) fn keep_behind(&self) -> Result<Option<usize>, Error> {
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
        if let Err(error) = self.send(load) {
            // It is behind nothing: what went wrong came before.
            self.n_left.set(self.n_left.get() - 1);
            return Err(error);
        }
        Ok(Some(self.n_unseen()))
    }

    /// See [`Session::rest`].
    pub(super) fn begin_rest(&self) -> bool {
        let line = self.line.borrow();
        let Line::Away(away) = &*line else {
            return false;
        };
        // What was kept behind is on the disk once this is.
        let left = self.leave_witness(true);
        away.road.traffic().rest = Rest::Yes(format!("{}{}", left.sql, self.let_go()));
        true
    }

    /// See [`Session::end_rest`].
    pub(super) fn resume(&self) -> Result<bool, Error> {
        let rest = match &*self.line.borrow() {
            Line::Away(away) => std::mem::take(&mut away.road.traffic().rest),
            Line::Here(_) | Line::Gone => Rest::No,
        };
        if matches!(rest, Rest::No | Rest::Yes(_)) {
            return Ok(true);
        }
        self.join()?;
        self.has_let_go();
        self.clear_waiting();
        self.state.set(State::Idle);
        Ok(false)
    }

    fn send(&self, load: Load) -> Result<(), Error> {
        let n_bytes = load.n_bytes();
        self.send_off(load, n_bytes)?;
        // What is as large is not reserved beyond the statement that puts it.
        if n_bytes > ON_THE_WAY_BYTES {
            self.join()?;
        }
        Ok(())
    }

    fn send_off(&self, load: Load, n_bytes: usize) -> Result<(), Error> {
        let mut line = self.line.borrow_mut();
        if let Line::Away(away) = &*line {
            away.road.enter(n_bytes);
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
        let road = Arc::new(Road::default());
        road.enter(n_bytes);
        // A thread that cannot be started would take with it what it was given.
        let bundle = Arc::new(Mutex::new(Some((connection, load))));
        let take = |bundle: &Mutex<Option<(Connection, Load)>>| {
            bundle.lock().unwrap_or_else(PoisonError::into_inner).take()
        };
        let given = Arc::clone(&bundle);
        let porter = Porter {
            server: self.server.clone(),
            n_kept: Arc::clone(&self.n_kept),
            road: Arc::clone(&road),
        };
        let started = thread::Builder::new()
            .name("rsr-store".to_owned())
            .spawn(move || {
                let (mut connection, first) = take(&given)?;
                let done = porter.carry(&mut connection, first, &more);
                Some((connection, done))
            });
        match started {
            Ok(thread) => {
                *line = Line::Away(Away {
                    loads,
                    road,
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
            Line::Away(away) => away.road.traffic().n_loads == 0,
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
