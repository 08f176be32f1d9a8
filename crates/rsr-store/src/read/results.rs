//! Results of a project with what stands at their periods.

use std::collections::{HashMap, HashSet};

use rsr_aggregation::Numbers;
use rsr_base::{DimensionValueId, IndicatorId, PeriodId, ProjectId, ResultId, UpdateId, UserId};
use rsr_hierarchy::Viewer;

use crate::error::Error;
use crate::hierarchy::Query;
use crate::numbers;
use crate::rollup::scores_from_text;
use crate::rows::{Disaggregation, UpdateStatus};
use crate::snapshot::Snapshot;
use crate::sql::roots::Kind;
use crate::sql::{IDS, Root, Roots, Row, Session, id_list, params};

/// A result with all it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResultRow {
    /// The result.
    pub id: ResultId,
    /// Its project.
    pub project: ProjectId,
    /// The result it was copied from.
    pub parent: Option<ResultId>,
    /// The code of its type.
    pub kind: String,
    /// The title.
    pub title: String,
    /// The description.
    pub description: String,
    /// `aggregation-status`.
    pub aggregation_status: Option<bool>,
    /// Its indicators, in order.
    pub indicators: Vec<IndicatorRow>,
}

/// An indicator with its periods.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndicatorRow {
    /// The indicator.
    pub id: IndicatorId,
    /// Its result.
    pub result: ResultId,
    /// Its project.
    pub project: ProjectId,
    /// The indicator it was copied from.
    pub parent: Option<IndicatorId>,
    /// Whether it is qualitative.
    pub is_qualitative: bool,
    /// The code of its measure.
    pub measure: String,
    /// Whether every report is a running total.
    pub is_cumulative: bool,
    /// Whether more is better.
    pub is_ascending: Option<bool>,
    /// Whether it defines scores.
    pub has_scores: bool,
    /// The title.
    pub title: String,
    /// The description.
    pub description: String,
    /// Its periods, in order.
    pub periods: Vec<PeriodRow>,
}

/// A period with what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeriodRow {
    /// The period.
    pub id: PeriodId,
    /// Its indicator.
    pub indicator: IndicatorId,
    /// Its project.
    pub project: ProjectId,
    /// The period it was copied from.
    pub parent: Option<PeriodId>,
    /// The first day.
    pub start: Option<String>,
    /// The last day.
    pub end: Option<String>,
    /// The target, as text.
    pub target_value: String,
    /// The numbers that stand.
    pub numbers: Numbers,
    /// Whether these are the manual ones.
    pub is_manual: bool,
    /// The manual value as it was typed.
    pub manual_text: Option<String>,
    /// The narrative of a qualitative period.
    pub narrative: String,
    /// Its score.
    pub score: Option<i64>,
    /// Its list of scores.
    pub scores: Vec<i32>,
    /// The texts of its approved updates.
    pub comment: String,
    /// By dimension value, in their order.
    pub disaggregations: Vec<PeriodDisaggregationRow>,
}

/// What stands at a period for one dimension value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeriodDisaggregationRow {
    /// The dimension value.
    pub dimension_value: DimensionValueId,
    /// The dimension's name.
    pub name: String,
    /// The value's name.
    pub value: String,
    /// The numbers that stand.
    pub numbers: Numbers,
    /// What each child project adds.
    pub contributions: Vec<(ProjectId, Numbers)>,
}

/// A stored update.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdateRow {
    /// The update.
    pub id: UpdateId,
    /// Its period.
    pub period: PeriodId,
    /// Who reported.
    pub user: UserId,
    /// How far it is.
    pub status: UpdateStatus,
    /// What was reported.
    pub numbers: Numbers,
    /// The comment.
    pub text: String,
    /// The narrative.
    pub narrative: String,
    /// The score.
    pub score: Option<i64>,
    /// The list of scores.
    pub scores: Vec<i32>,
    /// When it was made.
    pub created_ms: i64,
    /// When it was last changed.
    pub changed_ms: i64,
    /// Its parts, each with whether they do not add up; `None` where that has no meaning.
    pub disaggregations: Vec<(Disaggregation, Option<bool>)>,
}

impl Snapshot {
    /// Results of a project after `after`, in order, `n` at most, with all they hold: a fixed number of queries. As an
    /// administrator sees them.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the project, or the result to go on after, is not stored.
    pub fn results(
        &self,
        project: ProjectId,
        after: Option<ResultId>,
        n: usize,
    ) -> Result<Vec<ResultRow>, Error> {
        self.results_seen_by(Viewer::Administrator, project, after, n)
    }

    /// As [`Snapshot::results`], without what would tell this viewer of projects that they may not see: the children that
    /// a disaggregation's contributions name, and the items of the parent that these were copied from. Whether the viewer
    /// may see the project itself is for the caller to ask.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::results`].
    pub fn results_seen_by(
        &self,
        viewer: Viewer,
        project: ProjectId,
        after: Option<ResultId>,
        n: usize,
    ) -> Result<Vec<ResultRow>, Error> {
        let db = self.db();
        let root = self.root_of(project)?;
        let stored = "SELECT 1 FROM projects WHERE id = ?1 /*! AND root_id = ?root */";
        if db.number(stored, params![project, root])? == 0 {
            return Err(Error::not_found("project", project));
        }
        let mut at = i64::MIN;
        if let Some(after) = after {
            at = db
                .row(
                    "SELECT place FROM results WHERE id = ?1 AND project_id = ?2 /*! AND root_id = ?root */",
                    params![after, project, root],
                    |row| row.int(0),
                )?
                .ok_or_else(|| Error::not_found("result", after))?;
        }
        let mut results = db.rows(
            &format!(
                "SELECT {RESULT} FROM results x
                 WHERE x.project_id = ?1 /*! AND x.root_id = ?root */ AND (x.place, x.id) > (?2, ?3) ORDER BY x.place, x.id LIMIT ?4"
            ),
            params![
                project,
                at,
                after.map_or(i64::MIN, |id| id.0),
                i64::try_from(n).unwrap_or(i64::MAX),
                root
            ],
            read_result,
        )?;
        let ids = id_list(results.iter().map(|result| result.id.0));
        let mut indicators = grouped(indicators(db, viewer, &ids, root)?, |indicator| {
            indicator.result.0
        });
        for result in &mut results {
            result.indicators = indicators.remove(&result.id.0).unwrap_or_default();
        }
        if !origins_seen_by(db, viewer, &[project], &Roots::from(root))?.contains(&project) {
            for result in &mut results {
                result.parent = None;
                for indicator in &mut result.indicators {
                    indicator.parent = None;
                    for period in &mut indicator.periods {
                        period.parent = None;
                    }
                }
            }
        }
        Ok(results)
    }

    /// The updates of a period, newest first.
    ///
    /// # Errors
    ///
    /// Those of the database alone.
    pub fn updates(&self, period: PeriodId) -> Result<Vec<UpdateRow>, Error> {
        let db = self.db();
        let root = Root::of(db, Kind::Period, period.0)?;
        let mut updates = db.rows(
            &format!("{UPDATES} WHERE period_id = ?1 /*! AND root_id = ?root */ ORDER BY id DESC"),
            params![period, root],
            read_update,
        )?;
        let mut parts = grouped(
            db.rows(
                "SELECT u.id, d.dimension_value_id, d.value, d.numerator, d.denominator, d.is_incomplete
                 FROM updates u JOIN disaggregations d ON d.update_id = u.id /*! AND d.root_id = u.root_id */
                 WHERE u.period_id = ?1 /*! AND u.root_id = ?root */ ORDER BY d.dimension_value_id",
                params![period, root],
                |row| {
                    let part = Disaggregation {
                        dimension_value: DimensionValueId(row.int(1)?),
                        numbers: numbers::read(row, 2)?,
                    };
                    Ok((row.int(0)?, (part, row.opt_int(5)?.map(|mark| mark != 0))))
                },
            )?,
            |part| part.0,
        );
        for update in &mut updates {
            let parts = parts.remove(&update.id.0).unwrap_or_default();
            update.disaggregations = parts.into_iter().map(|(_, part)| part).collect();
        }
        Ok(updates)
    }

    /// One update, without its parts.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn update(&self, id: UpdateId) -> Result<UpdateRow, Error> {
        let sql = format!("{UPDATES} WHERE id = ?1 /*! AND root_id = ?root */");
        let root = Root::of(self.db(), Kind::Update, id.0)?;
        self.db()
            .row(&sql, params![id, root], read_update)?
            .ok_or_else(|| Error::not_found("update", id))
    }

    /// The project that a result belongs to.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn project_of_result(&self, result: ResultId) -> Result<ProjectId, Error> {
        self.owner(
            "result",
            "SELECT door.project_id FROM results AS door WHERE door.id = ?1",
            result.0,
        )
    }

    /// The project that an indicator belongs to.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn project_of_indicator(&self, indicator: IndicatorId) -> Result<ProjectId, Error> {
        self.owner(
            "indicator",
            "SELECT door.project_id FROM indicators AS door WHERE door.id = ?1",
            indicator.0,
        )
    }

    /// The project that a period belongs to.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn project_of_period(&self, period: PeriodId) -> Result<ProjectId, Error> {
        self.owner(
            "period",
            "SELECT door.project_id FROM periods AS door WHERE door.id = ?1",
            period.0,
        )
    }

    /// The project that an update belongs to.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn project_of_update(&self, update: UpdateId) -> Result<ProjectId, Error> {
        self.owner(
            "update",
            "SELECT p.project_id FROM updates AS door
             JOIN periods p ON p.id = door.period_id /*! AND p.root_id = door.root_id */ WHERE door.id = ?1",
            update.0,
        )
    }

    fn owner(&self, kind: &'static str, sql: &str, id: i64) -> Result<ProjectId, Error> {
        self.db()
            .row(sql, params![id], |row| Ok(ProjectId(row.int(0)?)))?
            .ok_or_else(|| Error::not_found(kind, id))
    }
}

/// Those of the projects whose parent this viewer may see: what their results were copied from may be named.
pub(super) fn origins_seen_by(
    db: &dyn Session,
    viewer: Viewer,
    projects: &[ProjectId],
    roots: &Roots,
) -> Result<HashSet<ProjectId>, Error> {
    let mut query = Query::default();
    query.roots(roots);
    let ids = query.text(id_list(projects.iter().map(|id| id.0)));
    let visible = query.visible(viewer);
    let sql = format!(
        "SELECT c.id FROM projects c JOIN projects p ON p.id = c.parent_id /*! AND p.root_id = c.root_id */
         WHERE c.id IN (SELECT value FROM json_each({ids})) /*! AND c.root_id IN ?roots */ AND {visible}"
    );
    let seen = db.rows(&sql, &query.params(), |row| Ok(ProjectId(row.int(0)?)))?;
    Ok(seen.into_iter().collect())
}

/// Rows by a key of theirs, each group in the order they came.
fn grouped<T>(rows: Vec<T>, key: impl Fn(&T) -> i64) -> HashMap<i64, Vec<T>> {
    let mut groups: HashMap<i64, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}

/// What [`read_result`] reads, of results `x`.
pub(super) const RESULT: &str =
    "x.id, x.project_id, x.parent_result_id, x.type, x.title, x.description, x.aggregation_status";

/// What [`read_indicator`] reads, of indicators `x`.
pub(super) const INDICATOR: &str =
    "x.id, x.result_id, x.parent_indicator_id, x.kind, x.measure, x.is_cumulative,
     x.is_ascending, x.has_scores, x.title, x.description, x.project_id";

/// What [`read_period`] reads, of periods `x`.
pub(super) const PERIOD: &str = "x.id, x.indicator_id, x.parent_period_id, x.start_date, x.end_date, x.target_value,
     x.value, x.numerator, x.denominator, x.is_manual, x.manual_text, x.narrative, x.score, x.comment, x.project_id, x.scores";

pub(super) fn read_indicator(row: &dyn Row) -> Result<IndicatorRow, Error> {
    Ok(IndicatorRow {
        id: IndicatorId(row.int(0)?),
        result: ResultId(row.int(1)?),
        parent: row.opt_int(2)?.map(IndicatorId),
        is_qualitative: row.int(3)? == 2,
        measure: row.string(4)?,
        is_cumulative: row.flag(5)?,
        is_ascending: row.opt_int(6)?.map(|is| is != 0),
        has_scores: row.flag(7)?,
        title: row.string(8)?,
        description: row.string(9)?,
        project: ProjectId(row.int(10)?),
        periods: Vec::new(),
    })
}

pub(super) fn read_period(row: &dyn Row) -> Result<PeriodRow, Error> {
    Ok(PeriodRow {
        id: PeriodId(row.int(0)?),
        indicator: IndicatorId(row.int(1)?),
        parent: row.opt_int(2)?.map(PeriodId),
        start: row.opt_string(3)?,
        end: row.opt_string(4)?,
        target_value: row.string(5)?,
        numbers: numbers::read(row, 6)?,
        is_manual: row.flag(9)?,
        manual_text: row.opt_string(10)?,
        narrative: row.string(11)?,
        score: row.opt_int(12)?,
        comment: row.string(13)?,
        project: ProjectId(row.int(14)?),
        scores: scores_from_text(row.text(15)?),
        disaggregations: Vec::new(),
    })
}

pub(super) fn read_result(row: &dyn Row) -> Result<ResultRow, Error> {
    Ok(ResultRow {
        id: ResultId(row.int(0)?),
        project: ProjectId(row.int(1)?),
        parent: row.opt_int(2)?.map(ResultId),
        kind: row.string(3)?,
        title: row.string(4)?,
        description: row.string(5)?,
        aggregation_status: row.opt_int(6)?.map(|is| is != 0),
        indicators: Vec::new(),
    })
}

/// What [`read_update`] reads.
const UPDATES: &str = "SELECT id, period_id, user_id, status, value, numerator, denominator, text, narrative, created_ms,
     changed_ms, score, scores FROM updates";

fn read_update(row: &dyn Row) -> Result<UpdateRow, Error> {
    let id = row.int(0)?;
    let code = row.text(3)?;
    Ok(UpdateRow {
        id: UpdateId(id),
        period: PeriodId(row.int(1)?),
        user: UserId(row.int(2)?),
        status: UpdateStatus::from_code(code).ok_or_else(|| Error::BadRow {
            what: "updates.status",
            id,
            found: code.to_owned(),
        })?,
        numbers: numbers::read(row, 4)?,
        text: row.string(7)?,
        narrative: row.string(8)?,
        created_ms: row.int(9)?,
        changed_ms: row.int(10)?,
        score: row.opt_int(11)?,
        scores: scores_from_text(row.text(12)?),
        disaggregations: Vec::new(),
    })
}

fn indicators(
    db: &dyn Session,
    viewer: Viewer,
    results: &str,
    root: Root,
) -> Result<Vec<IndicatorRow>, Error> {
    let mut indicators = db.rows(
        &format!(
            "SELECT {INDICATOR} FROM indicators x WHERE x.result_id IN {IDS} /*! AND x.root_id = ?root */
             ORDER BY x.result_id, x.place, x.id"
        ),
        params![results, root],
        read_indicator,
    )?;
    let mut periods = grouped(periods(db, viewer, results, root)?, |period| {
        period.indicator.0
    });
    for indicator in &mut indicators {
        indicator.periods = periods.remove(&indicator.id.0).unwrap_or_default();
    }
    Ok(indicators)
}

fn periods(
    db: &dyn Session,
    viewer: Viewer,
    results: &str,
    root: Root,
) -> Result<Vec<PeriodRow>, Error> {
    let mut periods = db.rows(
        &format!(
            "SELECT {PERIOD} FROM indicators i JOIN periods x ON x.indicator_id = i.id /*! AND x.root_id = i.root_id */
             WHERE i.result_id IN {IDS} /*! AND i.root_id = ?root */ ORDER BY x.indicator_id, x.place, x.id"
        ),
        params![results, root],
        read_period,
    )?;
    let mut parts = grouped(
        disaggregations(db, viewer, results, root)?,
        |(period, _)| *period,
    );
    for period in &mut periods {
        let parts = parts.remove(&period.id.0).unwrap_or_default();
        period.disaggregations = parts.into_iter().map(|(_, part)| part).collect();
    }
    Ok(periods)
}

fn disaggregations(
    db: &dyn Session,
    viewer: Viewer,
    results: &str,
    root: Root,
) -> Result<Vec<(i64, PeriodDisaggregationRow)>, Error> {
    // What a hidden child adds is in the sum, and nowhere by itself.
    let mut query = Query::default();
    query.root(root);
    query.text(results);
    let visible = query.visible(viewer);
    let mut contributions = grouped(
        db.rows(
            &format!(
                "SELECT d.period_id, d.dimension_value_id, c.project_id, c.value, c.numerator, c.denominator
                 FROM indicators i JOIN periods x ON x.indicator_id = i.id /*! AND x.root_id = i.root_id */
                 JOIN period_disaggregations d ON d.period_id = x.id /*! AND d.root_id = x.root_id */
                 JOIN contributions c ON c.period_disaggregation_id = d.id /*! AND c.root_id = d.root_id */
                 JOIN projects p ON p.id = c.project_id /*! AND p.root_id = c.root_id */
                 WHERE i.result_id IN {IDS} /*! AND i.root_id = ?root */ AND {visible} ORDER BY d.id, c.project_id"
            ),
            &query.params(),
            |row| {
                let added = (ProjectId(row.int(2)?), numbers::read(row, 3)?);
                Ok((row.int(0)?, row.int(1)?, added))
            },
        )?,
        |(period, _, _)| *period,
    );
    db.rows(
        &format!(
            "SELECT d.period_id, d.dimension_value_id, n.name, v.value, d.value, d.numerator, d.denominator
             FROM indicators i JOIN periods p ON p.indicator_id = i.id /*! AND p.root_id = i.root_id */
             JOIN period_disaggregations d ON d.period_id = p.id /*! AND d.root_id = p.root_id */
             JOIN dimension_values v ON v.id = d.dimension_value_id /*! AND v.root_id = d.root_id */
             JOIN dimension_names n ON n.id = v.name_id /*! AND n.root_id = v.root_id */
             WHERE i.result_id IN {IDS} /*! AND i.root_id = ?root */ ORDER BY d.period_id, n.id, v.id"
        ),
        params![results, root],
        |row| {
            let (period, value) = (row.int(0)?, row.int(1)?);
            let added = contributions.get_mut(&period);
            let added = added.map(|all| all.extract_if(.., |(_, of, _)| *of == value).collect());
            let added: Vec<(i64, i64, (ProjectId, Numbers))> = added.unwrap_or_default();
            let part = PeriodDisaggregationRow {
                dimension_value: DimensionValueId(value),
                name: row.string(2)?,
                value: row.string(3)?,
                numbers: numbers::read(row, 4)?,
                contributions: added.into_iter().map(|(_, _, added)| added).collect(),
            };
            Ok((period, part))
        },
    )
}
