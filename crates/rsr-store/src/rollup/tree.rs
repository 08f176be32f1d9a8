//! Everything of one tree that its totals are made of, a few projects at a time.

use std::cell::RefCell;
use std::iter::Peekable;

use rsr_aggregation::{
    BulkPeriod, BulkSource, BulkTexts, Contribution, Edge, Indicator, IndicatorUpdates, PeriodEnd,
    PeriodTexts, StoredDisaggregation, Take,
};
use rsr_base::{
    ByteSize, DimensionValueId, IndicatorId, MemoryBudget, OverBudget, PeriodId, ProjectId,
    Reservation,
};

use super::columns::{date, measure, optional, score, total};
use super::texts::scores_from_text;
use super::updates;
use crate::error::Error;
use crate::numbers;
use crate::sql::{IDS, Root, Row, Session, id_list, params};

/// Projects whose rows are read at once.
const CHUNK: i64 = 64;

/// Bytes a roll-up holds for each period, with room for lists that grow by doubling and for building the forest.
const PERIOD_BYTES: u64 = 256;
/// The same for each pair of a period and a dimension value.
const PAIR_BYTES: u64 = 192;
/// What one takes for however small a tree: rows of a chunk of projects.
const LEAST: ByteSize = ByteSize::from_kib(256);

/// Rows that are reserved for together.
const STEP: u64 = 1024;

/// The rows of the tree below one root.
#[derive(Debug)]
pub(super) struct TreeRows<'t> {
    db: &'t dyn Session,
    root: ProjectId,
    reserved: RefCell<Reserved>,
}

/// What the numbers made of the rows may hold.
#[derive(Debug)]
struct Reserved {
    memory: Reservation,
    n_periods: u64,
    n_pairs: u64,
}

impl<'t> TreeRows<'t> {
    pub(super) fn new(
        db: &'t dyn Session,
        root: ProjectId,
        budget: &MemoryBudget,
    ) -> Result<Self, OverBudget> {
        Ok(Self {
            db,
            root,
            reserved: RefCell::new(Reserved {
                memory: budget.try_reserve(LEAST)?,
                n_periods: 0,
                n_pairs: 0,
            }),
        })
    }

    /// Reserves what these many periods and pairs take, before the last of them is handed out. Every pass hands out the
    /// same rows: only those that go beyond the largest pass before count.
    fn reserve(&self, n_periods: u64, n_pairs: u64) -> Result<(), Error> {
        let mut reserved = self.reserved.borrow_mut();
        if n_periods <= reserved.n_periods && n_pairs <= reserved.n_pairs {
            return Ok(());
        }
        reserved.n_periods = reserved.n_periods.max(n_periods.next_multiple_of(STEP));
        reserved.n_pairs = reserved.n_pairs.max(n_pairs.next_multiple_of(STEP));
        let rows = reserved.n_periods * PERIOD_BYTES + reserved.n_pairs * PAIR_BYTES;
        let all = LEAST + ByteSize::from_bytes(rows);
        Ok(reserved.memory.try_grow_to(all)?)
    }

    /// The root, as statements name it.
    fn of_tree(&self) -> Root {
        Root(self.root.0)
    }

    /// Calls `each` with the ids of some projects as one parameter, until all of the tree were in it once.
    fn chunks(&self, mut each: impl FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
        let mut after = i64::MIN;
        loop {
            let projects = self.db.rows(
                "SELECT project_id, place FROM positions WHERE root_id = ?1 AND place > ?2 ORDER BY place LIMIT ?3",
                params![self.root, after, CHUNK],
                |row| Ok((row.int(0)?, row.int(1)?)),
            )?;
            let Some((_, last)) = projects.last() else {
                return Ok(());
            };
            after = *last;
            each(&id_list(projects.iter().map(|(project, _)| *project)))?;
        }
    }

    /// Hands out the rows of a statement about the projects in `?1`. What takes them may write to the same rows.
    fn each<T>(
        &self,
        sql: &str,
        mut map: impl FnMut(&dyn Row) -> Result<T, Error>,
        take: Take<'_, T>,
    ) -> Result<(), Error> {
        self.chunks(|projects| {
            for row in self
                .db
                .rows(sql, params![projects, self.of_tree()], &mut map)?
            {
                take(row);
            }
            Ok(())
        })
    }
}

/// What belongs to a key, out of rows in groups by rising keys of which none is asked for that came before. Groups that
/// nobody asks for are passed over.
fn take_group<K: Copy + Ord, T>(
    rows: &mut Peekable<impl Iterator<Item = (K, T)>>,
    key: K,
) -> Vec<T> {
    while rows.next_if(|(other, _)| *other < key).is_some() {}
    std::iter::from_fn(|| rows.next_if(|(other, _)| *other == key))
        .map(|(_, row)| row)
        .collect()
}

impl BulkSource for TreeRows<'_> {
    type Error = Error;

    fn each_period(&mut self, take: Take<'_, BulkPeriod>) -> Result<(), Error> {
        let sql = format!(
            "SELECT p.id, p.project_id, i.kind, i.measure, p.parent_period_id,
                 o.aggregate_to_parent = 1 AND coalesce(ao.aggregate_children, 0) = 1, p.manual_text IS NOT NULL,
                 p.manual_value, p.manual_numerator, p.manual_denominator, p.value, p.numerator, p.denominator, p.is_manual
             FROM periods p JOIN indicators i ON i.id = p.indicator_id /*! AND i.root_id = p.root_id */
             JOIN projects o ON o.id = p.project_id /*! AND o.root_id = p.root_id */
             LEFT JOIN periods a ON a.id = p.parent_period_id /*! AND a.root_id = p.root_id */
             LEFT JOIN projects ao ON ao.id = a.project_id /*! AND ao.root_id = a.root_id */
             WHERE p.project_id IN {IDS} /*! AND p.root_id = ?root */ ORDER BY p.id"
        );
        let mut n_periods = 0;
        self.each(
            &sql,
            |row| {
                n_periods += 1;
                self.reserve(n_periods, 0)?;
                let is_open = row.flag(5)?;
                let edge = row.opt_int(4)?.map(|parent| Edge {
                    parent: PeriodId(parent),
                    is_open,
                });
                Ok(BulkPeriod {
                    id: PeriodId(row.int(0)?),
                    project: ProjectId(row.int(1)?),
                    measure: measure(row, 2)?,
                    edge,
                    manual: optional(row.flag(6)?, row, 7)?,
                    stored: total(row, 10)?,
                })
            },
            take,
        )
    }

    fn each_indicator(&mut self, take: &mut dyn FnMut(IndicatorUpdates<'_>)) -> Result<(), Error> {
        let sql = format!(
            "SELECT i.id, i.kind, i.measure, i.is_cumulative, i.has_scores FROM indicators i
             WHERE i.project_id IN {IDS} /*! AND i.root_id = ?root */
             AND EXISTS (SELECT 1 FROM periods p JOIN updates u ON u.period_id = p.id /*! AND u.root_id = p.root_id */
                 WHERE p.indicator_id = i.id /*! AND p.root_id = i.root_id */ AND u.status = 'A') ORDER BY i.id"
        );
        let periods_sql = format!(
            "SELECT indicator_id, id, end_date FROM periods
             WHERE project_id IN {IDS} /*! AND root_id = ?root */ ORDER BY indicator_id, id"
        );
        self.chunks(|projects| {
            let indicators = self
                .db
                .rows(&sql, params![projects, self.of_tree()], |row| {
                    Ok(Indicator {
                        id: IndicatorId(row.int(0)?),
                        measure: measure(row, 1)?,
                        cumulative: row.flag(3)?,
                        has_scores: row.flag(4)?,
                    })
                })?;
            if indicators.is_empty() {
                return Ok(());
            }
            let all_periods =
                self.db
                    .rows(&periods_sql, params![projects, self.of_tree()], |row| {
                        let period = PeriodEnd {
                            id: PeriodId(row.int(1)?),
                            end: date(row, 2)?,
                        };
                        Ok((IndicatorId(row.int(0)?), period))
                    })?;
            let mut updates = updates::of_projects(self.db, self.of_tree(), projects)?
                .into_iter()
                .peekable();
            let mut periods = all_periods.into_iter().peekable();
            for indicator in indicators {
                take(IndicatorUpdates {
                    indicator,
                    periods: &take_group(&mut periods, indicator.id),
                    updates: &take_group(&mut updates, indicator.id),
                });
            }
            Ok(())
        })
    }

    fn each_texts(&mut self, take: &mut dyn FnMut(BulkTexts<'_>)) -> Result<(), Error> {
        let sql = format!(
            "SELECT p.id, i.kind, i.measure, i.has_scores, p.comment, p.narrative, p.score, p.scores
             FROM periods p JOIN indicators i ON i.id = p.indicator_id /*! AND i.root_id = p.root_id */
             WHERE p.project_id IN {IDS} /*! AND p.root_id = ?root */
             AND (p.comment <> '' OR p.narrative <> '' OR p.score IS NOT NULL OR p.scores <> ''
                 OR EXISTS (SELECT 1 FROM updates u WHERE u.period_id = p.id /*! AND u.root_id = p.root_id */ AND u.status = 'A'))
             ORDER BY p.id"
        );
        self.chunks(|projects| {
            let periods = self
                .db
                .rows(&sql, params![projects, self.of_tree()], |row| {
                    let stored = PeriodTexts {
                        comment: row.string(4)?,
                        narrative: row.string(5)?,
                        score: score(row, 6)?,
                        scores: scores_from_text(row.text(7)?),
                    };
                    Ok((
                        PeriodId(row.int(0)?),
                        measure(row, 1)?,
                        row.flag(3)?,
                        stored,
                    ))
                })?;
            if periods.is_empty() {
                return Ok(());
            }
            let mut texts = updates::texts_of_projects(self.db, self.of_tree(), projects)?
                .into_iter()
                .peekable();
            for (period, measure, has_scores, stored) in periods {
                let texts = take_group(&mut texts, period);
                take(BulkTexts {
                    period,
                    measure,
                    has_scores,
                    texts: &texts,
                    stored: &stored,
                });
            }
            Ok(())
        })
    }

    fn each_dimension_value(
        &mut self,
        take: Take<'_, (DimensionValueId, Option<DimensionValueId>)>,
    ) -> Result<(), Error> {
        let sql = format!(
            "SELECT v.id, v.parent_value_id FROM dimension_names n
             JOIN dimension_values v ON v.name_id = n.id /*! AND v.root_id = n.root_id */
             WHERE n.project_id IN {IDS} /*! AND n.root_id = ?root */ ORDER BY v.id"
        );
        let map = |row: &dyn Row| {
            Ok((
                DimensionValueId(row.int(0)?),
                row.opt_int(1)?.map(DimensionValueId),
            ))
        };
        self.each(&sql, map, take)
    }

    fn each_attachment(
        &mut self,
        take: Take<'_, (PeriodId, DimensionValueId)>,
    ) -> Result<(), Error> {
        let sql = format!(
            "SELECT p.id, v.id FROM periods p
             JOIN indicator_dimension_names a ON a.indicator_id = p.indicator_id /*! AND a.root_id = p.root_id */
             JOIN dimension_values v ON v.name_id = a.name_id /*! AND v.root_id = a.root_id */
             WHERE p.project_id IN {IDS} /*! AND p.root_id = ?root */ ORDER BY p.id, v.id"
        );
        let mut n_pairs = 0;
        self.each(
            &sql,
            |row| {
                n_pairs += 1;
                self.reserve(0, n_pairs)?;
                Ok((PeriodId(row.int(0)?), DimensionValueId(row.int(1)?)))
            },
            take,
        )
    }

    fn each_disaggregation(
        &mut self,
        take: Take<'_, (PeriodId, StoredDisaggregation)>,
    ) -> Result<(), Error> {
        // Rows that were computed, with the manual value beside them; then manual values that have none.
        let sql = format!(
            "SELECT d.period_id, d.dimension_value_id, m.period_id IS NOT NULL, m.value, m.numerator, m.denominator,
                 d.value, d.numerator, d.denominator, d.is_manual
             FROM periods p JOIN period_disaggregations d ON d.period_id = p.id /*! AND d.root_id = p.root_id */
             LEFT JOIN manual_disaggregations m ON m.period_id = d.period_id AND m.dimension_value_id = d.dimension_value_id
                 /*! AND m.root_id = d.root_id */
             WHERE p.project_id IN {IDS} /*! AND p.root_id = ?root */
             UNION ALL
             SELECT m.period_id, m.dimension_value_id, true, m.value, m.numerator, m.denominator, NULL, NULL, NULL, 0
             FROM periods p JOIN manual_disaggregations m ON m.period_id = p.id /*! AND m.root_id = p.root_id */
             WHERE p.project_id IN {IDS} /*! AND p.root_id = ?root */ AND NOT EXISTS (SELECT 1 FROM period_disaggregations d
                 WHERE d.period_id = m.period_id AND d.dimension_value_id = m.dimension_value_id
                 /*! AND d.root_id = m.root_id */)"
        );
        self.each(
            &sql,
            |row| {
                let stored = StoredDisaggregation {
                    dimension_value: DimensionValueId(row.int(1)?),
                    manual: optional(row.flag(2)?, row, 3)?,
                    stored: total(row, 6)?,
                };
                Ok((PeriodId(row.int(0)?), stored))
            },
            take,
        )
    }

    fn each_contribution(&mut self, take: Take<'_, Contribution>) -> Result<(), Error> {
        let sql = format!(
            "SELECT d.period_id, d.dimension_value_id, c.project_id, c.value, c.numerator, c.denominator
             FROM periods p JOIN period_disaggregations d ON d.period_id = p.id /*! AND d.root_id = p.root_id */
             JOIN contributions c ON c.period_disaggregation_id = d.id /*! AND c.root_id = d.root_id */
             WHERE p.project_id IN {IDS} /*! AND p.root_id = ?root */"
        );
        self.each(
            &sql,
            |row| {
                Ok(Contribution {
                    period: PeriodId(row.int(0)?),
                    dimension_value: DimensionValueId(row.int(1)?),
                    project: ProjectId(row.int(2)?),
                    numbers: numbers::read(row, 3)?,
                })
            },
            take,
        )
    }
}
