//! Mail that waits to be sent: written in the transaction that it tells of, sent apart from it (aggregation rules 40, 45).
//!
//! A mail leaves the database once it was sent, or has waited too long. Whoever takes one has it for a time; where
//! nothing is heard of it after that, it is sent again, so one may come twice and none is lost.

use std::time::Duration;

use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::sql::params;
use crate::store::Store;
use crate::tx::Tx;

/// A mail to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMail {
    /// Addresses; all of them see each other.
    pub recipients: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Name and text of a file that goes with it.
    pub attachment: Option<(String, String)>,
}

/// A mail that was taken to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitingMail {
    /// Its number in the outbox.
    pub id: i64,
    /// What it says, and to whom.
    pub mail: NewMail,
    /// How often it was taken, this time included.
    pub attempts: u32,
}

impl Tx {
    /// Writes a mail to the outbox. Without recipients there is nothing to do.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn queue_mail(&mut self, mail: &NewMail) -> Result<(), Error> {
        if mail.recipients.is_empty() {
            return Ok(());
        }
        let (name, text) = mail
            .attachment
            .as_ref()
            .map(|(name, text)| (name, text))
            .unzip();
        self.db().execute(
            "INSERT INTO mails (recipients, subject, body, attachment_name, attachment, created_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                &mail.recipients.join("\n"),
                &mail.subject,
                &mail.body,
                name,
                text,
                self.now_ms()
            ],
        )?;
        Ok(())
    }
}

impl Snapshot {
    /// Mails that wait, or are being sent.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn mails_waiting(&self) -> Result<u64, Error> {
        let n = self.db().number("SELECT count(*) FROM mails", params![])?;
        Ok(n.unsigned_abs())
    }
}

impl Store {
    /// Takes the mail that has waited longest, for so long as sending it may take at most. `None` where none is due.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn take_mail(&self, for_so_long: Duration) -> Result<Option<WaitingMail>, Error> {
        let due = "SELECT count(*) FROM mails WHERE send_after_ms <= ?1";
        let now_ms = self.now_ms();
        if self.snapshot()?.db().number(due, params![now_ms])? == 0 {
            return Ok(None);
        }
        self.write(|tx| {
            tx.db().row(
                "UPDATE mails SET attempts = attempts + 1, send_after_ms = ?2
                 WHERE id = (SELECT id FROM mails WHERE send_after_ms <= ?1 ORDER BY send_after_ms, id LIMIT 1)
                 RETURNING id, recipients, subject, body, attachment_name, attachment, attempts",
                params![tx.now_ms(), after(tx.now_ms(), for_so_long)],
                |row| {
                    Ok(WaitingMail {
                        id: row.int(0)?,
                        mail: NewMail {
                            recipients: row.text(1)?.lines().map(str::to_owned).collect(),
                            subject: row.string(2)?,
                            body: row.string(3)?,
                            attachment: row.opt_string(4)?.zip(row.opt_string(5)?),
                        },
                        attempts: u32::try_from(row.int(6)?).unwrap_or(u32::MAX),
                    })
                },
            )
        })
    }

    /// Ends a mail that was sent, or never can be.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn drop_mail(&self, id: i64) -> Result<(), Error> {
        self.write(|tx| {
            let sql = "DELETE FROM mails WHERE id = ?1";
            tx.db().execute(sql, params![id]).map(|_gone| ())
        })
    }

    /// Puts a mail back that could not be sent, to be taken again after a wait.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn put_mail_back(&self, id: i64, wait: Duration) -> Result<(), Error> {
        self.write(|tx| {
            let sql = "UPDATE mails SET send_after_ms = ?2 WHERE id = ?1";
            let due = after(tx.now_ms(), wait);
            tx.db().execute(sql, params![id, due]).map(|_changed| ())
        })
    }

    /// Gives up what has waited longer than this. Answers how many mails that were.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn drop_old_mails(&self, age_max: Duration) -> Result<u64, Error> {
        let before = after(0, age_max);
        let old = "SELECT count(*) FROM mails WHERE created_ms < ?1";
        let before = self.now_ms().saturating_sub(before);
        if self.snapshot()?.db().number(old, params![before])? == 0 {
            return Ok(0);
        }
        self.write(|tx| {
            let sql = "DELETE FROM mails WHERE created_ms < ?1";
            Ok(tx.db().execute(sql, params![before])? as u64)
        })
    }
}

fn after(ms: i64, wait: Duration) -> i64 {
    ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}
