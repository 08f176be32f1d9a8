//! Whether a transaction was kept whose connection broke while it was being committed.
//!
//! Each connection that writes has a row in `meta`, and its transactions leave their number there: in the message that
//! commits, so it costs no round trip. Where no answer comes, another connection waits for the writers' lock. Who has it
//! knows that the transaction is over, and the row says how it ended; also after a crash, and on the server that took
//! over, which may not have what the first one kept.

use std::thread;
use std::time::Duration;

use uuid::Uuid;

use super::session::PostgresSession;
use super::{failure, meeting};
use crate::error::Error;
use crate::sql::{Begin, Role, Session, params};

/// How often it is tried to find out, and the wait before each time.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// What a connection leaves with the transactions that it commits.
#[derive(Debug, Default)]
pub(super) struct Witness {
    /// The key of its row; empty before the first transaction.
    key: String,
    /// The number of its latest transaction.
    nth: u64,
    /// Whether the open transaction leaves one.
    pub(super) is_due: bool,
}

/// A number as it is left, and the script that does so and commits.
pub(super) struct Left {
    key: String,
    nth: u64,
    pub(super) sql: String,
}

/// Rows of connections that committed nothing for a day go: nobody asks for them any more.
const PRUNE: &str = "DELETE FROM meta WHERE key LIKE 'writer:%'
     AND CAST(split_part(value, ' ', 2) AS NUMERIC) < extract(epoch FROM now()) - 86400; ";

impl PostgresSession {
    /// Commits. Where the connection breaks meanwhile, finds out whether that was done.
    ///
    /// # Errors
    ///
    /// [`Error::ConnectionLost`] where it was not, [`Error::Uncertain`] where nobody can tell.
    pub(super) fn end(&self) -> Result<(), Error> {
        if !self.witness.borrow().is_due {
            return self.script(meeting::COMMIT);
        }
        // What was committed behind is on the disk once something later is: so something is written.
        let left = self.leave_witness(self.holds_on.get());
        let ended = self.script(&format!("{}{}", left.sql, self.let_go()));
        if ended.is_ok() {
            self.has_let_go();
        }
        match ended {
            Err(Error::ConnectionLost { reason, .. }) => {
                self.ask_elsewhere(&left.key, left.nth, &reason)
            }
            ended => ended,
        }
    }

    /// What commits a transaction and leaves its number, also where nothing was written if it `must`.
    pub(super) fn leave_witness(&self, must: bool) -> Left {
        let mut sql = String::new();
        let mut witness = self.witness.borrow_mut();
        if witness.key.is_empty() {
            witness.key = format!("writer:{}", Uuid::new_v4());
            sql.push_str(PRUNE);
        }
        witness.nth += 1;
        let (key, nth) = (witness.key.clone(), witness.nth);
        // Nothing is left, and nobody told, where nothing was written.
        sql.push_str(&format!(
            "INSERT INTO meta (key, value) SELECT '{key}', '{nth} ' || extract(epoch FROM now())
             WHERE {must} OR pg_current_xact_id_if_assigned() IS NOT NULL
             ON CONFLICT (key) DO UPDATE SET value = excluded.value; {}",
            meeting::COMMIT
        ));
        Left { key, nth, sql }
    }

    fn ask_elsewhere(&self, key: &str, nth: u64, reason: &str) -> Result<(), Error> {
        for _try in 0..TRIES {
            match self.engine.last_of(key) {
                Ok(last) if last == Some(nth) => {
                    tracing::info!(server = %self.server, "a connection broke in a commit, which was kept");
                    return Ok(());
                }
                Ok(_) => return Err(failure::lost(&self.server, reason.to_owned())),
                Err(error) => tracing::debug!(%error, "what became of a commit is not known yet"),
            }
            thread::park_timeout(PAUSE);
        }
        Err(Error::Uncertain {
            server: self.server.clone(),
            reason: reason.to_owned(),
        })
    }
}

impl super::Postgres {
    /// The number of the latest transaction that a connection committed, once it has none open.
    fn last_of(&self, key: &str) -> Result<Option<u64>, Error> {
        let session = self.open(Role::Writer)?;
        session.begin(Begin::Write)?;
        let db: &dyn Session = &session;
        let value = db.row(
            "SELECT split_part(value, ' ', 1) FROM meta WHERE key = ?1",
            params![key],
            |row| row.string(0),
        )?;
        session.rollback()?;
        Ok(value.and_then(|nth| nth.parse().ok()))
    }
}
