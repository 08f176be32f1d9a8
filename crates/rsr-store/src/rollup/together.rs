//! Computed totals of a whole tree into their rows: where each statement is a round trip to a server, sent together and merged
//! in a statement a table.

use rsr_aggregation::{Contribution, PeriodTexts, Sink, Total};
use rsr_base::{DimensionValueId, PeriodId, ProjectId};

use super::keep::Keep;
use super::texts::scores_to_text;
use crate::error::Error;
use crate::sql::{Root, Session, Value, params};

/// Changes that go one by one: making room for so few would cost more than it saves.
const FEW: usize = 48;

/// A change of a row.
#[derive(Debug)]
enum Change {
    Period(PeriodId, Total),
    Texts(PeriodId, PeriodTexts),
    Disaggregation(PeriodId, DimensionValueId, Total),
    Contribution(Contribution),
    NoContribution(PeriodId, DimensionValueId, ProjectId),
}

/// Where changes of one kind are gathered, and the statement that merges them.
struct Gathered {
    table: &'static str,
    /// Names and types of its columns.
    columns: &'static [(&'static str, &'static str)],
    merge: &'static str,
}

const PERIOD: (&str, &str) = ("period_id", "BIGINT");
const DIMENSION_VALUE: (&str, &str) = ("dimension_value_id", "BIGINT");
const PROJECT: (&str, &str) = ("project_id", "BIGINT");
const VALUE: (&str, &str) = ("value", "NUMERIC");
const NUMERATOR: (&str, &str) = ("numerator", "NUMERIC");
const DENOMINATOR: (&str, &str) = ("denominator", "NUMERIC");
const IS_MANUAL: (&str, &str) = ("is_manual", "BIGINT");

/// In the order of their merging: what a contribution adds to is there before it.
const GATHERED: [Gathered; 5] = [
    Gathered {
        table: "rolled_totals",
        columns: &[PERIOD, VALUE, NUMERATOR, DENOMINATOR, IS_MANUAL],
        merge: "UPDATE periods SET value = r.value, numerator = r.numerator, denominator = r.denominator,
                is_manual = r.is_manual FROM rolled_totals r WHERE periods.id = r.period_id
                /*! AND periods.root_id = ?root */",
    },
    Gathered {
        table: "rolled_texts",
        columns: &[
            PERIOD,
            ("comment", "TEXT"),
            ("narrative", "TEXT"),
            ("score", "BIGINT"),
            ("scores", "TEXT"),
        ],
        merge: "UPDATE periods SET comment = r.comment, narrative = r.narrative, score = r.score, scores = r.scores
                FROM rolled_texts r WHERE periods.id = r.period_id /*! AND periods.root_id = ?root */",
    },
    Gathered {
        table: "rolled_parts",
        columns: &[PERIOD, DIMENSION_VALUE, VALUE, NUMERATOR, DENOMINATOR, IS_MANUAL],
        merge: "INSERT INTO period_disaggregations (period_id, dimension_value_id, value, numerator, denominator, is_manual
                    /*!, root_id */)
                SELECT period_id, dimension_value_id, value, numerator, denominator, is_manual
                    /*!, CAST(?root AS BIGINT) */ FROM rolled_parts
                WHERE true ON CONFLICT (period_id, dimension_value_id /*!, root_id */) DO UPDATE SET value = excluded.value,
                    numerator = excluded.numerator, denominator = excluded.denominator, is_manual = excluded.is_manual",
    },
    Gathered {
        table: "rolled_out",
        columns: &[PERIOD, DIMENSION_VALUE, PROJECT],
        merge: "DELETE FROM contributions WHERE (period_disaggregation_id, project_id) IN (SELECT d.id, r.project_id
                FROM rolled_out r JOIN period_disaggregations d
                    ON d.period_id = r.period_id AND d.dimension_value_id = r.dimension_value_id
                    /*! AND d.root_id = ?root */) /*! AND root_id = ?root */",
    },
    Gathered {
        table: "rolled_given",
        columns: &[PERIOD, DIMENSION_VALUE, PROJECT, VALUE, NUMERATOR, DENOMINATOR],
        merge: "INSERT INTO contributions (period_disaggregation_id, project_id, value, numerator, denominator
                    /*!, root_id */)
                SELECT d.id, r.project_id, r.value, r.numerator, r.denominator /*!, d.root_id */
                FROM rolled_given r JOIN period_disaggregations d
                    ON d.period_id = r.period_id AND d.dimension_value_id = r.dimension_value_id
                    /*! AND d.root_id = ?root */
                WHERE true ON CONFLICT (period_disaggregation_id, project_id /*!, root_id */) DO UPDATE SET value = excluded.value,
                    numerator = excluded.numerator, denominator = excluded.denominator",
    },
];

/// Takes the changes of a tree. What is read of these rows before [`Together::finish`] may be as it was before.
#[derive(Debug)]
pub(super) struct Together<'t> {
    db: &'t dyn Session,
    one_by_one: Keep<'t>,
    /// Those that came, until they are many.
    few: Vec<Change>,
    are_many: bool,
    /// Which of the tables hold any.
    has: [bool; GATHERED.len()],
}

impl<'t> Together<'t> {
    /// For the changes of one tree.
    pub(super) fn new(db: &'t dyn Session, root: Root) -> Self {
        Self {
            db,
            one_by_one: Keep::new(db, root),
            few: Vec::new(),
            are_many: false,
            has: Default::default(),
        }
    }

    fn take(&mut self, change: Change) -> Result<(), Error> {
        if !self.db.is_remote() {
            return self.keep(&change);
        }
        if !self.are_many && self.few.len() < FEW {
            self.few.push(change);
            return Ok(());
        }
        self.are_many = true;
        for earlier in std::mem::take(&mut self.few) {
            self.gather(&earlier)?;
        }
        self.gather(&change)
    }

    /// Writes one row.
    fn keep(&mut self, change: &Change) -> Result<(), Error> {
        let to = &mut self.one_by_one;
        match change {
            Change::Period(period, total) => to.write_period(*period, total),
            Change::Texts(period, texts) => to.write_texts(*period, texts),
            Change::Disaggregation(period, value, total) => {
                to.write_disaggregation(*period, *value, total)
            }
            Change::Contribution(contribution) => to.write_contribution(contribution),
            Change::NoContribution(period, value, project) => {
                to.remove_contribution(*period, *value, *project)
            }
        }
    }

    /// Lets one row wait for others of its kind.
    fn gather(&mut self, change: &Change) -> Result<(), Error> {
        match change {
            Change::Period(period, Total { numbers, is_manual }) => self.put(
                0,
                params![
                    *period,
                    numbers.value,
                    numbers.numerator,
                    numbers.denominator,
                    *is_manual
                ],
            ),
            Change::Texts(period, texts) => self.put(
                1,
                params![
                    *period,
                    &texts.comment,
                    &texts.narrative,
                    texts.score.map(i64::from),
                    &scores_to_text(&texts.scores),
                ],
            ),
            Change::Disaggregation(period, value, Total { numbers, is_manual }) => self.put(
                2,
                params![
                    *period,
                    *value,
                    numbers.value,
                    numbers.numerator,
                    numbers.denominator,
                    *is_manual,
                ],
            ),
            Change::NoContribution(period, value, project) => {
                self.put(3, params![*period, *value, *project])
            }
            Change::Contribution(given) => self.put(
                4,
                params![
                    given.period,
                    given.dimension_value,
                    given.project,
                    given.numbers.value,
                    given.numbers.numerator,
                    given.numbers.denominator,
                ],
            ),
        }
    }

    fn put(&mut self, kind: usize, values: &[Value<'_>]) -> Result<(), Error> {
        let Gathered { table, columns, .. } = &GATHERED[kind];
        if !self.has[kind] {
            self.db.make_room(table, columns)?;
            self.has[kind] = true;
        }
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        self.db.put_into(table, &names, values)
    }

    /// Brings everything that was taken into the rows.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        for change in std::mem::take(&mut self.few) {
            self.keep(&change)?;
        }
        for (Gathered { merge, .. }, has) in GATHERED.iter().zip(self.has) {
            if has {
                self.db.execute(merge, params![self.one_by_one.root])?;
            }
        }
        Ok(())
    }
}

impl Sink for Together<'_> {
    type Error = Error;

    fn write_period(&mut self, period: PeriodId, total: &Total) -> Result<(), Error> {
        self.take(Change::Period(period, *total))
    }

    fn write_texts(&mut self, period: PeriodId, texts: &PeriodTexts) -> Result<(), Error> {
        self.take(Change::Texts(period, texts.clone()))
    }

    fn write_disaggregation(
        &mut self,
        period: PeriodId,
        dimension_value: DimensionValueId,
        total: &Total,
    ) -> Result<(), Error> {
        self.take(Change::Disaggregation(period, dimension_value, *total))
    }

    fn write_contribution(&mut self, contribution: &Contribution) -> Result<(), Error> {
        self.take(Change::Contribution(*contribution))
    }

    fn remove_contribution(
        &mut self,
        period: PeriodId,
        dimension_value: DimensionValueId,
        project: ProjectId,
    ) -> Result<(), Error> {
        self.take(Change::NoContribution(period, dimension_value, project))
    }
}
