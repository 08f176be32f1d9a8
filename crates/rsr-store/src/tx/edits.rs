//! Results, indicators and periods: changed, and periods deleted. What is inherited follows its original.

use rsr_base::{IndicatorId, PeriodId, ResultId};

use super::{Tx, date};
use crate::error::{Conflict, Error};
use crate::rows::{IndicatorEdit, PeriodEdit, ResultEdit};
use crate::sql::roots::Kind;
use crate::sql::{Root, Row, id_list, params};

/// The indicator ?1 with its copies below, and the copies of those.
const COPIES_OF_INDICATOR: &str = "WITH RECURSIVE copies(id) AS (
     SELECT CAST(?1 AS BIGINT)
     UNION SELECT i.id FROM copies JOIN indicators i ON i.parent_indicator_id = copies.id /*! AND i.root_id = ?root */)";

/// The same for a period.
const COPIES_OF_PERIOD: &str = "WITH RECURSIVE copies(id) AS (
     SELECT CAST(?1 AS BIGINT)
     UNION SELECT p.id FROM copies JOIN periods p ON p.parent_period_id = copies.id /*! AND p.root_id = ?root */)";

impl Tx {
    /// Changes what `edit` names. Copies below keep their own.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn edit_result(&mut self, id: ResultId, edit: &ResultEdit) -> Result<(), Error> {
        let root = Root::of(self.db(), Kind::Result, id.0)?;
        let changed = self.db().execute(
            "UPDATE results SET type = coalesce(?2, type), title = coalesce(?3, title),
                 description = coalesce(?4, description), aggregation_status = coalesce(?5, aggregation_status)
             WHERE id = ?1 /*! AND root_id = ?root */",
            params![
                id,
                edit.kind.as_deref(),
                edit.title.as_deref(),
                edit.description.as_deref(),
                edit.aggregation_status,
                root
            ],
        )?;
        match changed {
            0 => Err(Error::not_found("result", id)),
            _ => Ok(()),
        }
    }

    /// Changes what `edit` names. How an indicator counts changes in its copies below too, and queues all their periods.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Conflict::Inherited`] where a copy is to count in another way than its original.
    pub fn edit_indicator(&mut self, id: IndicatorId, edit: &IndicatorEdit) -> Result<(), Error> {
        let root = Root::of(self.db(), Kind::Indicator, id.0)?;
        let stored = self.db().row(
            "SELECT kind, measure, is_cumulative, has_scores, parent_indicator_id FROM indicators
             WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, root],
            |row| {
                let counts = (row.int(0)?, row.string(1)?, row.flag(2)?, row.flag(3)?);
                Ok((counts, row.opt_int(4)?.is_some()))
            },
        )?;
        let (before, is_copy) = stored.ok_or_else(|| Error::not_found("indicator", id))?;
        self.db().execute(
            "UPDATE indicators SET title = coalesce(?2, title), description = coalesce(?3, description),
                 is_ascending = coalesce(?4, is_ascending) WHERE id = ?1 /*! AND root_id = ?root */",
            params![
                id,
                edit.title.as_deref(),
                edit.description.as_deref(),
                edit.is_ascending,
                root
            ],
        )?;
        let kind = edit.is_qualitative.map(|is| if is { 2 } else { 1 });
        let after = (
            kind.unwrap_or(before.0),
            edit.measure.clone().unwrap_or_else(|| before.1.clone()),
            edit.is_cumulative.unwrap_or(before.2),
            edit.has_scores.unwrap_or(before.3),
        );
        if after == before {
            return Ok(());
        }
        if is_copy {
            return Err(inherited("indicator", id.0));
        }
        let (kind, measure, is_cumulative, has_scores) = after;
        self.db().execute(
            &format!(
                "{COPIES_OF_INDICATOR} UPDATE indicators SET kind = ?2, measure = ?3, is_cumulative = ?4, has_scores = ?5
                 WHERE id IN (SELECT id FROM copies) /*! AND root_id = ?root */"
            ),
            params![id, kind, &measure, is_cumulative, has_scores, root],
        )?;
        let periods = format!(
            "{COPIES_OF_INDICATOR} SELECT p.id FROM copies
             JOIN periods p ON p.indicator_id = copies.id /*! AND p.root_id = ?root */"
        );
        self.queue_found(&periods, root, id.0).map(|_queued| ())
    }

    /// Changes what `edit` names. Dates change in the copies below too, and queue what may count in another place.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] for a date that is none; [`Conflict::Inherited`] where a copy is to have
    /// other dates than its original.
    pub fn edit_period(&mut self, id: PeriodId, edit: &PeriodEdit) -> Result<(), Error> {
        let root = Root::of(self.db(), Kind::Period, id.0)?;
        let stored = self.db().row(
            "SELECT start_date, end_date, parent_period_id FROM periods WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, root],
            |row| {
                let dates = (row.opt_string(0)?, row.opt_string(1)?);
                Ok((dates, row.opt_int(2)?.is_some()))
            },
        )?;
        let (before, is_copy) = stored.ok_or_else(|| Error::not_found("period", id))?;
        if let Some(target) = &edit.target_value {
            self.db().execute(
                "UPDATE periods SET target_value = ?2 WHERE id = ?1 /*! AND root_id = ?root */",
                params![id, target, root],
            )?;
        }
        let day = |field, edit: &Option<Option<String>>, before: &Option<String>| match edit {
            None => Ok::<_, Error>(before.clone()),
            Some(text) => Ok(date(field, text.as_deref())?.map(str::to_owned)),
        };
        let after = (
            day("start", &edit.start, &before.0)?,
            day("end", &edit.end, &before.1)?,
        );
        if after == before {
            return Ok(());
        }
        if is_copy {
            return Err(inherited("period", id.0));
        }
        let copies = format!("{COPIES_OF_PERIOD} SELECT id FROM copies");
        let copies = self.db().rows(&copies, params![id, root], period_id)?;
        // What running totals they fed, and what they feed from now on.
        for &copy in &copies {
            self.queue_changed_period(copy)?;
        }
        self.db().execute(
            "UPDATE periods SET start_date = ?2, end_date = ?3
             WHERE id IN (SELECT value FROM json_each(?1)) /*! AND root_id = ?root */",
            params![
                &id_list(copies.iter().map(|copy| copy.0)),
                after.0.as_deref(),
                after.1.as_deref(),
                root
            ],
        )?;
        for &copy in &copies {
            self.queue_changed_period(copy)?;
        }
        Ok(())
    }

    /// Deletes a period with everything reported for it, and queues what it counted in. Its copies below stay, as the
    /// projects' own.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Conflict::Inherited`] for a copy.
    pub fn delete_period(&mut self, id: PeriodId) -> Result<(), Error> {
        let root = Root::of(self.db(), Kind::Period, id.0)?;
        let parent = self.db().row(
            "SELECT parent_period_id FROM periods WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, root],
            |row| row.opt_int(0),
        )?;
        match parent {
            None => return Err(Error::not_found("period", id)),
            Some(Some(_)) => return Err(inherited("period", id.0)),
            Some(None) => {}
        }
        // Its own job goes with it.
        self.queue_changed_period(id)?;
        self.db().execute(
            "DELETE FROM periods WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, root],
        )?;
        Ok(())
    }

    /// Queues the periods that a statement about one id of a tree finds. Answers for how many a job waits now.
    pub(super) fn queue_found(&mut self, sql: &str, root: Root, id: i64) -> Result<u64, Error> {
        let found = self.db().rows(sql, params![id, root], period_id)?;
        self.queue_periods(&found)
    }
}

fn period_id(row: &dyn Row) -> Result<PeriodId, Error> {
    row.int(0).map(PeriodId)
}

/// What belongs to a project above is changed there.
fn inherited(kind: &'static str, id: i64) -> Error {
    Conflict::Inherited { kind, id }.into()
}
