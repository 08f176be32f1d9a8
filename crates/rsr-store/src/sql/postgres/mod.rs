//! PostgreSQL: a server, any number of readers that see their own moment, one writer at a time by a lock of ours, which
//! workers share among themselves.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use postgres::config::{Host, SslMode, TargetSessionAttrs};
use postgres::{Config, NoTls};
use rsr_base::ByteSize;
use rsr_settings::DatabaseSettings;

use super::meeting::Meeting;
use super::{Engine, Role, Session, params};
use crate::error::Error;
use address::Address;
use session::PostgresSession;
use tls::Tls;

mod address;
mod behind;
mod dialect;
mod failure;
mod meeting;
mod migrate;
mod numeric;
mod roots;
mod session;
mod tls;
mod values;
mod waiting;
mod witness;

/// Wait for a server that does not answer, where the address sets none.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// After this long without an acknowledgement a connection counts as broken.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// The lock that whoever writes holds, whatever the process or machine: "rsr" and a one.
const WRITER_LOCK: i64 = 0x0072_7372_0000_0001;
/// Each statement sees what was committed before it, so nothing is missed while a lock is waited for.
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
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
        let session = PostgresSession::new(self, client);
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
