//! Projects with their results in memory: a store that the crate reads and writes, with helpers that set up examples.
//!
//! A project `p` has one indicator, `p`; its periods are `p * 10 + k`; its dimension values `p * 10 + d`.

mod store;

use std::collections::BTreeMap;

use rsr_aggregation::{
    BulkReport, ClimbLimits, ClimbReport, Date, Edge, Hundredths, Indicator, Measure, Moment,
    Numbers, PeriodDates, PeriodTexts, StoredDisaggregation, Total, Update, UpdateText,
    affected_periods, aggregate_all, climb,
};
use rsr_base::{DimensionValueId, IndicatorId, PeriodId, UpdateId, UserId};

#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) parent: Option<i64>,
    pub(crate) to_parent: bool,
    pub(crate) takes_children: bool,
    pub(crate) indicator: Indicator,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) project: i64,
    pub(crate) parent: Option<i64>,
    pub(crate) end: Option<Date>,
    pub(crate) manual: Option<Numbers>,
    pub(crate) stored: Total,
    pub(crate) texts: PeriodTexts,
}

#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) is_approved: bool,
    pub(crate) update: Update,
    pub(crate) text: String,
    pub(crate) score: Option<i32>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) projects: BTreeMap<i64, Project>,
    pub(crate) periods: BTreeMap<i64, Row>,
    pub(crate) reports: BTreeMap<i64, Report>,
    /// Dimension values with their parents.
    pub(crate) values: BTreeMap<i64, Option<i64>>,
    /// How many of a project's dimension values are attached to its indicator.
    pub(crate) n_attached: BTreeMap<i64, i64>,
    pub(crate) rows: BTreeMap<(i64, i64), StoredDisaggregation>,
    pub(crate) given: BTreeMap<(i64, i64, i64), Numbers>,
    pub(crate) n_writes: u64,
}

pub(crate) fn number(text: &str) -> Option<Hundredths> {
    Hundredths::parse(text).unwrap()
}

pub(crate) fn value(text: &str) -> Numbers {
    Numbers {
        value: number(text),
        ..Numbers::NONE
    }
}

pub(crate) fn pair(numerator: &str, denominator: &str) -> Numbers {
    Numbers {
        value: None,
        numerator: number(numerator),
        denominator: number(denominator),
    }
    .with_percentage()
}

pub(crate) fn year_end(year: i32) -> Date {
    Date {
        year,
        month: 12,
        day: 31,
    }
}

impl World {
    /// Projects with their parents, each with `n_periods` periods that end a year after one another and two dimension
    /// values, attached.
    pub(crate) fn new(
        projects: &[(i64, Option<i64>)],
        n_periods: i64,
        measure: Measure,
        cumulative: bool,
    ) -> Self {
        let mut world = Self::default();
        for &(id, parent) in projects {
            let indicator = Indicator {
                id: IndicatorId(id),
                measure,
                cumulative,
                has_scores: true,
            };
            let project = Project {
                parent,
                to_parent: true,
                takes_children: true,
                indicator,
            };
            world.projects.insert(id, project);
            world.n_attached.insert(id, 2);
            for k in 0..n_periods {
                let row = Row {
                    project: id,
                    parent: None,
                    end: Some(year_end(2020 + i32::try_from(k).unwrap())),
                    manual: None,
                    stored: Total::default(),
                    texts: PeriodTexts::default(),
                };
                world.periods.insert(id * 10 + k, row);
            }
            for d in 0..3 {
                world.values.insert(id * 10 + d, None);
            }
            world.link(id, parent);
        }
        world
    }

    /// Makes the copies of a project take after those of its parent.
    pub(crate) fn link(&mut self, id: i64, parent: Option<i64>) {
        self.projects.get_mut(&id).unwrap().parent = parent;
        for k in 0..10 {
            let original = parent.map(|parent| parent * 10 + k);
            if let Some(row) = self.periods.get_mut(&(id * 10 + k)) {
                row.parent = original;
            }
            if let Some(value) = self.values.get_mut(&(id * 10 + k)) {
                *value = original;
            }
        }
    }

    /// An approved update of a user, with parts for the first dimension values; gives its id.
    pub(crate) fn report(
        &mut self,
        period: i64,
        user: i64,
        numbers: Numbers,
        parts: &[Numbers],
    ) -> i64 {
        let id = self.reports.keys().last().map_or(1, |last| last + 1);
        let row = &self.periods[&period];
        let project = row.project;
        let update = Update {
            id: UpdateId(id),
            user: UserId(user),
            period: PeriodId(period),
            period_end: row.end,
            created: Moment(id),
            numbers,
            disaggregations: (0..)
                .zip(parts)
                .filter(|(_, part)| !part.is_none())
                .map(|(d, &part)| (DimensionValueId(project * 10 + d), part))
                .collect(),
        };
        let report = Report {
            is_approved: true,
            update,
            text: format!("update {id}"),
            score: i32::try_from(id).ok(),
        };
        self.reports.insert(id, report);
        id
    }

    /// Does what the job of a change in this period does.
    pub(crate) fn job(&mut self, period: i64) -> ClimbReport {
        let project = &self.projects[&self.periods[&period].project];
        let dates = |(&id, row): (&i64, &Row)| PeriodDates {
            id: PeriodId(id),
            start: row.end.map(|end| Date {
                month: 1,
                day: 1,
                ..end
            }),
            end: row.end,
        };
        let all: Vec<PeriodDates> = self
            .periods
            .iter()
            .filter(|(_, row)| row.project == self.periods[&period].project)
            .map(dates)
            .collect();
        let changed = all.iter().find(|p| p.id.0 == period).unwrap();
        let starts = affected_periods(&project.indicator, changed, &all);
        self.climb(&starts)
    }

    pub(crate) fn climb(&mut self, starts: &[PeriodId]) -> ClimbReport {
        climb(self, starts, ClimbLimits::default()).unwrap()
    }

    pub(crate) fn aggregate(&mut self) -> BulkReport {
        let mut source = self.clone();
        aggregate_all(&mut source, self).unwrap()
    }

    /// The stored value of a period as text; "∅" for none.
    pub(crate) fn value(&self, period: i64) -> String {
        show(self.periods[&period].stored.numbers.value)
    }

    /// Numerator, denominator and percentage of a period.
    pub(crate) fn pair(&self, period: i64) -> String {
        show_pair(&self.periods[&period].stored.numbers)
    }

    /// The stored values of the first two dimension values of a period; "-" where there is no row.
    pub(crate) fn parts(&self, period: i64) -> [String; 2] {
        [0, 1].map(|d| {
            self.row(period, d)
                .map_or_else(|| "-".to_owned(), |row| show(row.value))
        })
    }

    pub(crate) fn row(&self, period: i64, d: i64) -> Option<Numbers> {
        let value = self.periods[&period].project * 10 + d;
        self.rows
            .get(&(period, value))
            .map(|row| row.stored.numbers)
    }

    /// What child projects give to the first dimension value of a period.
    pub(crate) fn given(&self, period: i64, d: i64) -> Vec<(i64, String)> {
        let value = self.periods[&period].project * 10 + d;
        self.given
            .range((period, value, i64::MIN)..=(period, value, i64::MAX))
            .map(|(&(_, _, project), numbers)| (project, show(numbers.value)))
            .collect()
    }

    pub(crate) fn edge(&self, row: &Row) -> Option<Edge> {
        let parent = row.parent?;
        let takes = self
            .periods
            .get(&parent)
            .is_some_and(|parent| self.projects[&parent.project].takes_children);
        Some(Edge {
            parent: PeriodId(parent),
            is_open: self.projects[&row.project].to_parent && takes,
        })
    }

    fn open_children(&self, period: PeriodId) -> impl Iterator<Item = (i64, &Row)> {
        self.periods
            .iter()
            .filter(move |(_, row)| {
                self.edge(row)
                    .is_some_and(|edge| edge.is_open && edge.parent == period)
            })
            .map(|(&id, row)| (id, row))
    }

    fn text_of(report: &Report) -> UpdateText {
        UpdateText {
            id: report.update.id,
            created: report.update.created,
            changed: year_end(2024),
            text: report.text.clone(),
            narrative: format!("narrative of {}", report.update.id),
            score: report.score,
            scores: report.score.into_iter().collect(),
        }
    }
}

pub(crate) fn show(number: Option<Hundredths>) -> String {
    number.map_or_else(|| "∅".to_owned(), |number| number.to_string())
}

pub(crate) fn show_pair(numbers: &Numbers) -> String {
    format!(
        "{}/{} {}",
        show(numbers.numerator),
        show(numbers.denominator),
        show(numbers.value)
    )
}
