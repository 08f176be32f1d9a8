//! Notifications, and marks that are advisory locks: both end with the connection.
//!
//! Source: PostgreSQL's documentation, `NOTIFY` (delivered at commit, equal ones of a transaction once) and "Advisory
//! Locks" (shared ones of a session add up, and the server lets go of them when the session ends).

use std::time::Duration;

use postgres::fallible_iterator::FallibleIterator as _;

use super::Postgres;
use super::session::PostgresSession;
use crate::error::Error;
use crate::sql::meeting::{Holding, Listening, Meeting, Word, Words};
use crate::sql::{Role, Session, params};

/// Each word is a channel.
const CHANNELS: [(&str, Word); 3] = [
    ("rsr_changed", Word::Changed),
    ("rsr_queued", Word::Queued),
    ("rsr_deleting", Word::Deleting),
];

/// Most words that are heard at once: who says more, whatever it is, keeps nobody from asking for the data's version.
const WORDS_MAX: usize = 10_000;

/// Ends a transaction, and says so to all machines where it has written anything.
pub(super) const COMMIT: &str = "SELECT pg_notify('rsr_changed', '') WHERE pg_current_xact_id_if_assigned() IS NOT NULL; COMMIT";

/// The upper 16 bits of the locks that mark projects: "rd".
const MARK: i64 = 0x7264 << 48;
/// The lower ones are the id. Ids come from a sequence, and are nowhere near 2⁴⁸.
const ID: i64 = (1 << 48) - 1;

pub(super) fn channel(word: Word) -> &'static str {
    let known = CHANNELS.iter().find(|(_, known)| *known == word);
    known.map_or("rsr_changed", |(channel, _)| channel)
}

impl Meeting for Postgres {
    fn listen(&self) -> Result<Box<dyn Listening>, Error> {
        let session = self.open(Role::Reader)?;
        for (channel, _) in CHANNELS {
            session.script(&format!("LISTEN {channel}"))?;
        }
        Ok(Box::new(session))
    }

    fn hold(&self) -> Result<Box<dyn Holding>, Error> {
        Ok(Box::new(self.open(Role::Reader)?))
    }
}

impl Listening for PostgresSession {
    fn wait(&self, up_to: Duration) -> Result<Words, Error> {
        let mut words = Words::default();
        let mut add = |channel: &str| {
            let word = CHANNELS.iter().find(|(known, _)| *known == channel);
            word.into_iter().for_each(|(_, word)| words.add(*word));
        };
        let fail = |error| self.fail("LISTEN", error);
        let mut client = self.client()?;
        let mut notifications = client.notifications();
        if let Some(first) = notifications.timeout_iter(up_to).next().map_err(fail)? {
            add(first.channel());
        }
        let mut more = notifications.iter().take(WORDS_MAX);
        while let Some(word) = more.next().map_err(fail)? {
            add(word.channel());
        }
        Ok(words)
    }
}

impl Holding for PostgresSession {
    fn mark(&self, id: i64) -> Result<(), Error> {
        self.execute(
            "SELECT pg_advisory_lock_shared(?1), pg_notify('rsr_deleting', '')",
            params![MARK | (id & ID)],
        )
        .map(drop)
    }

    fn unmark(&self, id: i64) -> Result<(), Error> {
        self.execute(
            "SELECT pg_advisory_unlock_shared(?1), pg_notify('rsr_deleting', '')",
            params![MARK | (id & ID)],
        )
        .map(drop)
    }

    fn marked_elsewhere(&self) -> Result<Vec<i64>, Error> {
        let db: &dyn Session = self;
        // A lock's number is shown in two halves.
        db.rows(
            "SELECT DISTINCT (CAST(classid AS BIGINT) & 65535) << 32 | CAST(objid AS BIGINT)
             FROM pg_locks
             WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND mode = 'ShareLock'
               AND CAST(classid AS BIGINT) >> 16 = ?1 AND pid <> pg_backend_pid()
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            params![MARK >> 48],
            |row| row.int(0),
        )
    }
}
