//! Finished jobs do not stay for ever.

use rsr_settings::AggregationSettings;

use crate::error::Error;
use crate::sql::params;
use crate::store::Store;

/// Jobs that go in one transaction.
const TOGETHER: i64 = 10_000;

impl Store {
    /// Removes finished jobs that are older than `aggregation.keep_finished`, and the oldest beyond
    /// `aggregation.keep_finished_max`. What was given up stays, for people to ask again. Answers how many went; call it
    /// again where that are many.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn prune_jobs(&self, settings: &AggregationSettings) -> Result<u64, Error> {
        let age = i64::try_from(settings.keep_finished.as_millis()).unwrap_or(i64::MAX);
        let before = self.now_ms().saturating_sub(age);
        let n_kept = i64::try_from(settings.keep_finished_max).unwrap_or(i64::MAX);
        self.write(|tx| {
            let mut n_gone = tx.db().execute(
                "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE changed_ms < ?1 AND state = 'finished'
                     ORDER BY changed_ms, id LIMIT ?2)",
                params![before, TOGETHER],
            )?;
            n_gone += tx.db().execute(
                "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE state = 'finished' AND id <= (
                     SELECT id FROM jobs WHERE state = 'finished' ORDER BY id DESC LIMIT 1 OFFSET ?1)
                     ORDER BY id LIMIT ?2)",
                params![n_kept, TOGETHER],
            )?;
            Ok(n_gone as u64)
        })
    }
}
