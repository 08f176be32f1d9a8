//! Updates, their approval, and manual values.

use rsr_aggregation::{Hundredths, Measure, Numbers, is_incomplete};
use rsr_base::{PeriodId, UpdateId};

use super::Tx;
use crate::error::{Conflict, Error};
use crate::numbers;
use crate::rollup::{read_measure, scores_to_text};
use crate::rows::{Disaggregation, NewUpdate, UpdateEdit, UpdateStatus};
use crate::sql::roots::Kind;
use crate::sql::{Root, Value, params};

impl Tx {
    /// Stores an update; an approved one queues the periods whose sums it changes.
    ///
    /// A percentage update with a pair gets the pair's percentage as its value.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the period, user or a dimension value; [`Conflict::OneUpdatePerPeriod`],
    /// [`Conflict::ValueFromChildren`].
    pub fn create_update(&mut self, new: &NewUpdate) -> Result<UpdateId, Error> {
        let root = Root::of(self.db(), Kind::Period, new.period.0)?;
        let measure = self.measure_of(root, new.period)?;
        self.require("user", "SELECT 1 FROM users WHERE id = ?1", new.user.0)?;
        if measure == Measure::Percentage {
            self.require_room_for_percentage(root, new.period)?;
        }
        let numbers = settle(measure, new.numbers);
        let id = self.db().number(
            "INSERT INTO updates (period_id, user_id, status, value, numerator, denominator, text, narrative, score,
                 scores, created_ms, changed_ms /*!, root_id */)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?11, ?10, ?10 /*!, ?root */) RETURNING id",
            params![
                new.period,
                new.user,
                new.status.code(),
                numbers.value,
                numbers.numerator,
                numbers.denominator,
                &new.text,
                &new.narrative,
                new.score,
                self.now_ms,
                &scores_to_text(&new.scores),
                root,
            ],
        )?;
        let id = UpdateId(id);
        self.put_disaggregations((root, id), measure, &new.disaggregations)?;
        if new.status == UpdateStatus::Approved {
            self.queue_changed_period(new.period)?;
        }
        Ok(id)
    }

    /// Changes an update: its numbers, its parts, or how far it is. Queues what an approved one, before or after,
    /// changes.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for the update or a dimension value.
    pub fn edit_update(&mut self, id: UpdateId, edit: &UpdateEdit) -> Result<(), Error> {
        let root = Root::of(self.db(), Kind::Update, id.0)?;
        let (period, before) = self.update_period(root, id)?;
        let measure = self.measure_of(root, period)?;
        let status = edit.status.unwrap_or(before);
        let scores = edit.scores.as_deref().map(scores_to_text);
        self.db().execute(
            "UPDATE updates SET status = ?2, text = coalesce(?3, text), narrative = coalesce(?4, narrative),
                 changed_ms = ?5, score = coalesce(?6, score), scores = coalesce(?7, scores)
             WHERE id = ?1 /*! AND root_id = ?root */",
            params![
                id,
                status.code(),
                edit.text.as_deref(),
                edit.narrative.as_deref(),
                self.now_ms,
                edit.score.map(i64::from),
                scores.as_deref(),
                root,
            ],
        )?;
        let stored = self.numbers_of(root, id)?;
        let numbers = settle(measure, edit.numbers.unwrap_or(stored));
        if numbers != stored {
            self.db().execute(
                "UPDATE updates SET value = ?2, numerator = ?3, denominator = ?4
                 WHERE id = ?1 /*! AND root_id = ?root */",
                params![
                    id,
                    numbers.value,
                    numbers.numerator,
                    numbers.denominator,
                    root
                ],
            )?;
        }
        match &edit.disaggregations {
            Some(parts) => self.put_disaggregations((root, id), measure, parts)?,
            None => self.mark_incomplete((root, id), measure)?,
        }
        if before == UpdateStatus::Approved || status == UpdateStatus::Approved {
            self.queue_changed_period(period)?;
        }
        Ok(())
    }

    /// Deletes an update; one that was approved queues what it changes.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn delete_update(&mut self, id: UpdateId) -> Result<(), Error> {
        let root = Root::of(self.db(), Kind::Update, id.0)?;
        let (period, before) = self.update_period(root, id)?;
        self.db().execute(
            "DELETE FROM updates WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, root],
        )?;
        if before == UpdateStatus::Approved {
            self.queue_changed_period(period)?;
        }
        Ok(())
    }

    /// Sets or takes away the manual value of a period: a text, for a percentage also a pair whose percentage replaces
    /// the text. It stands while nothing else does, so the period is queued.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Conflict::HasUpdates`]; [`Error::Invalid`] for a number in a notation that is not taken.
    pub fn set_manual_value(
        &mut self,
        period: PeriodId,
        text: Option<&str>,
        pair: Option<(Hundredths, Hundredths)>,
    ) -> Result<(), Error> {
        let root = Root::of(self.db(), Kind::Period, period.0)?;
        let measure = self.measure_of(root, period)?;
        let updates = self.db().number(
            "SELECT count(*) FROM updates WHERE period_id = ?1 /*! AND root_id = ?root */",
            params![period, root],
        )?;
        if updates > 0 {
            return Err(Conflict::HasUpdates(period.0).into());
        }
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        let (numerator, denominator) = pair.unzip();
        // A text that is no number is kept and shown, and counts as no value.
        let value = text.map_or(Ok(None), Hundredths::parse_manual);
        let value = value.map_err(|error| Error::Invalid {
            field: "manual_value",
            reason: error.to_string(),
        })?;
        let (numbers, shown) = match pair {
            // The pair's percentage, or that it has none, replaces what is typed beside it.
            Some(_) if measure == Measure::Percentage => {
                let pair = Numbers::of_pair(numerator, denominator);
                let shown = pair.value.map(|value| value.to_string());
                (pair, Some(shown.unwrap_or_default()))
            }
            _ => {
                let typed = Numbers {
                    value,
                    numerator,
                    denominator,
                };
                (typed, text.or(pair.map(|_| "")).map(str::to_owned))
            }
        };
        self.db().execute(
            "UPDATE periods SET manual_text = ?2, manual_value = ?3, manual_numerator = ?4, manual_denominator = ?5
             WHERE id = ?1 /*! AND root_id = ?root */",
            params![period, shown.as_deref(), numbers.value, numbers.numerator, numbers.denominator, root],
        )?;
        self.queue_changed_period(period)
    }

    fn update_period(&self, root: Root, id: UpdateId) -> Result<(PeriodId, UpdateStatus), Error> {
        let found = self.db().row(
            "SELECT period_id, status FROM updates WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, root],
            |row| {
                let code = row.text(1)?;
                let status = UpdateStatus::from_code(code).ok_or_else(|| Error::BadRow {
                    what: "updates.status",
                    id: id.0,
                    found: code.to_owned(),
                })?;
                Ok((PeriodId(row.int(0)?), status))
            },
        )?;
        found.ok_or_else(|| Error::not_found("update", id))
    }

    fn measure_of(&self, root: Root, period: PeriodId) -> Result<Measure, Error> {
        let found = self.db().row(
            "SELECT i.kind, i.measure FROM periods p
             JOIN indicators i ON i.id = p.indicator_id /*! AND i.root_id = p.root_id */
             WHERE p.id = ?1 /*! AND p.root_id = ?root */",
            params![period, root],
            |row| read_measure(row, 0),
        )?;
        found.ok_or_else(|| Error::not_found("period", period))
    }

    fn numbers_of(&self, root: Root, id: UpdateId) -> Result<Numbers, Error> {
        let numbers = self.db().row(
            "SELECT value, numerator, denominator FROM updates WHERE id = ?1 /*! AND root_id = ?root */",
            params![id, root],
            |row| numbers::read(row, 0),
        )?;
        Ok(numbers.unwrap_or_default())
    }

    fn require_room_for_percentage(&self, root: Root, period: PeriodId) -> Result<(), Error> {
        let updates = self.db().number(
            "SELECT count(*) FROM updates WHERE period_id = ?1 /*! AND root_id = ?root */",
            params![period, root],
        )?;
        if updates > 0 {
            return Err(Conflict::OneUpdatePerPeriod(period.0).into());
        }
        let contributing = self.db().number(
            "SELECT count(*) FROM periods c JOIN projects cp ON cp.id = c.project_id /*! AND cp.root_id = c.root_id */
             JOIN periods p ON p.id = c.parent_period_id /*! AND p.root_id = c.root_id */
             JOIN projects pp ON pp.id = p.project_id /*! AND pp.root_id = p.root_id */
             WHERE c.parent_period_id = ?1 /*! AND c.root_id = ?root */ AND cp.aggregate_to_parent = 1 AND pp.aggregate_children = 1
             AND (c.numerator IS NOT NULL OR c.denominator IS NOT NULL)",
            params![period, root],
        )?;
        if contributing > 0 {
            return Err(Conflict::ValueFromChildren(period.0).into());
        }
        Ok(())
    }

    /// Replaces the parts of an update, and marks those that do not add up.
    fn put_disaggregations(
        &self,
        (root, id): (Root, UpdateId),
        measure: Measure,
        parts: &[Disaggregation],
    ) -> Result<(), Error> {
        let db = self.db();
        db.execute(
            "DELETE FROM disaggregations WHERE update_id = ?1 /*! AND root_id = ?root */",
            params![id, root],
        )?;
        for part in parts {
            // A value of another tree stands for nothing here.
            let of_tree = "SELECT 1 FROM dimension_values WHERE id = ?1 /*! AND root_id = ?root */";
            if db.number(of_tree, params![part.dimension_value, root])? == 0 {
                return Err(Error::not_found("dimension value", part.dimension_value));
            }
            db.execute(
                "INSERT INTO disaggregations (update_id, dimension_value_id, value, numerator, denominator /*!, root_id */)
                 VALUES (?1, ?2, ?3, ?4, ?5 /*!, ?root */)
                 ON CONFLICT (update_id, dimension_value_id /*!, root_id */) DO UPDATE SET value = excluded.value,
                     numerator = excluded.numerator, denominator = excluded.denominator",
                params![
                    id,
                    part.dimension_value,
                    part.numbers.value,
                    part.numbers.numerator,
                    part.numbers.denominator,
                    root
                ],
            )?;
        }
        self.mark_incomplete((root, id), measure)
    }

    /// Marks the parts of updates anew that have lost some.
    pub(super) fn mark_anew(&mut self, updates: &[UpdateId]) -> Result<(), Error> {
        for &update in updates {
            let root = Root::of(self.db(), Kind::Update, update.0)?;
            let (period, _) = self.update_period(root, update)?;
            self.mark_incomplete((root, update), self.measure_of(root, period)?)?;
        }
        Ok(())
    }

    /// Marks, for each dimension name of an update, whether its parts add up to the update (aggregation rule 29).
    fn mark_incomplete(&self, (root, id): (Root, UpdateId), measure: Measure) -> Result<(), Error> {
        let db = self.db();
        let total = self.numbers_of(root, id)?;
        let parts = db.rows(
            "SELECT d.value, d.numerator, d.denominator, v.name_id FROM disaggregations d
             JOIN dimension_values v ON v.id = d.dimension_value_id /*! AND v.root_id = d.root_id */
             WHERE d.update_id = ?1 /*! AND d.root_id = ?root */ ORDER BY v.name_id",
            params![id, root],
            |row| Ok((row.int(3)?, numbers::read(row, 0)?)),
        )?;
        for group in parts.chunk_by(|a, b| a.0 == b.0) {
            let Some((name, _)) = group.first() else {
                continue;
            };
            let numbers: Vec<Numbers> = group.iter().map(|(_, numbers)| *numbers).collect();
            let mark = match measure {
                Measure::Qualitative => Value::Null,
                measure => Value::from(is_incomplete(measure, &total, &numbers)),
            };
            db.execute(
                "UPDATE disaggregations SET is_incomplete = ?3
                 WHERE update_id = ?1 /*! AND root_id = ?root */ AND dimension_value_id IN (
                     SELECT v.id FROM dimension_values v WHERE v.name_id = ?2 /*! AND v.root_id = ?root */)",
                params![id, *name, mark, root],
            )?;
        }
        Ok(())
    }
}

/// Gives a percentage the value of its pair, where it has one (aggregation rule 6).
fn settle(measure: Measure, given: Numbers) -> Numbers {
    if measure == Measure::Percentage {
        given.with_percentage()
    } else {
        given
    }
}
