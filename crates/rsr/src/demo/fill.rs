//! The described portfolio into the store, a programme a transaction.

use std::collections::BTreeMap;

use rsr_aggregation::{Hundredths, Numbers};
use rsr_base::{DimensionNameId, DimensionValueId, IndicatorId, PeriodId, ProjectId, UserId};
use rsr_store::{
    Disaggregation, Error, NewIndicator, NewPeriod, NewProject, NewResult, NewUpdate, Role, Store,
    Tx, UpdateStatus,
};

use super::elements::{elements, head};
use super::facts::{Counting, IndicatorFact, PEOPLE, YEARS};
use super::portfolio::Portfolio;
use super::reports::{Content, Report, Status};

/// What filling came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filled {
    /// Programmes that were written now.
    pub(crate) n_written: usize,
    /// Programmes that were there already, whole, and were left as they are.
    pub(crate) n_kept: usize,
    /// Updates that were written now.
    pub(crate) n_updates: usize,
}

/// Writes every programme of the portfolio that is not there yet. `go_on` is told how many projects are done after each
/// programme, and may stop the work there.
pub(crate) fn fill(
    store: &Store,
    portfolio: &Portfolio,
    go_on: &mut dyn FnMut(usize) -> bool,
) -> Result<Filled, Error> {
    let mut filled = Filled::default();
    for programme in 0..portfolio.shape().n_programmes() {
        let identifier = portfolio.identifier(portfolio.shape().first(programme));
        let is_there = store
            .snapshot()?
            .project_by_identifier(&identifier)?
            .is_some();
        if is_there {
            filled.n_kept += 1;
        } else {
            filled.n_updates += store.write(|tx| write_programme(tx, portfolio, programme))?;
            filled.n_written += 1;
        }
        if !go_on(portfolio.shape().first(programme + 1)) {
            break;
        }
    }
    Ok(filled)
}

/// What the results of a programme are called in one project of it: the programme's own, or its copies.
#[derive(Clone, Debug, Default)]
struct Handles {
    /// By indicator and year.
    periods: Vec<Vec<PeriodId>>,
    /// Women, then men.
    genders: Vec<DimensionValueId>,
}

impl Handles {
    /// The same in a child, from its list of originals and copies.
    fn below(
        &self,
        periods: &[(PeriodId, PeriodId)],
        genders: &[(DimensionValueId, DimensionValueId)],
    ) -> Option<Self> {
        let periods: BTreeMap<_, _> = periods.iter().copied().collect();
        let genders: BTreeMap<_, _> = genders.iter().copied().collect();
        let of_indicator = |row: &Vec<PeriodId>| {
            row.iter()
                .map(|period| periods.get(period).copied())
                .collect()
        };
        Some(Self {
            periods: self
                .periods
                .iter()
                .map(of_indicator)
                .collect::<Option<_>>()?,
            genders: self
                .genders
                .iter()
                .map(|value| genders.get(value).copied())
                .collect::<Option<_>>()?,
        })
    }
}

/// Writes a programme with all below it; answers how many updates that were.
fn write_programme(tx: &mut Tx, portfolio: &Portfolio, programme: usize) -> Result<usize, Error> {
    let (first, end) = (
        portfolio.shape().first(programme),
        portfolio.shape().first(programme + 1),
    );
    let mut projects = Vec::with_capacity(end - first);
    for number in first..end {
        let parent = portfolio.shape().position(number).parent;
        let parent = parent.and_then(|parent| projects.get(parent - first).copied());
        projects.push(write_project(tx, portfolio, number, parent)?);
    }
    let Some(top) = projects.first().copied() else {
        return Ok(0);
    };
    let people = write_people(tx, portfolio, programme, top)?;
    let own = write_results(tx, portfolio, programme, top)?;
    let mut handles = vec![own];
    let mut n_updates = 0;
    for (number, project) in (first..end).zip(&projects) {
        let parent = portfolio.shape().position(number).parent;
        if let Some(above) = parent.and_then(|parent| handles.get(parent - first)) {
            let periods = tx.period_copies(*project)?;
            let genders = tx.dimension_value_copies(*project)?;
            let below = above
                .below(&periods, &genders)
                .ok_or_else(|| Error::Invalid {
                    field: "results",
                    reason: format!("project {project} has no copy of each period above"),
                })?;
            handles.push(below);
        }
        let reports = portfolio.reports(number);
        n_updates += reports.len();
        let Some(handles) = handles.get(number - first) else {
            continue;
        };
        for report in &reports {
            write_report(tx, handles, &people, report)?;
        }
    }
    Ok(n_updates)
}

fn write_project(
    tx: &mut Tx,
    portfolio: &Portfolio,
    number: usize,
    parent: Option<ProjectId>,
) -> Result<ProjectId, Error> {
    let described = portfolio.project(number);
    let project = tx.create_project(&NewProject {
        parent,
        iati_identifier: Some(described.identifier.clone()),
        title: described.title.clone(),
        subtitle: described.subtitle.clone(),
        is_published: true,
        is_program: parent.is_none(),
        default_currency: "EUR".to_owned(),
        ..NewProject::default()
    })?;
    let left_out = tx.put_elements(project, &head(&described), &elements(portfolio, &described))?;
    for (name, reason) in left_out {
        tracing::warn!(
            identifier = described.identifier,
            name,
            reason,
            "an element is not valid"
        );
    }
    Ok(project)
}

/// The people of a programme, each with a role in it.
fn write_people(
    tx: &mut Tx,
    portfolio: &Portfolio,
    programme: usize,
    top: ProjectId,
) -> Result<Vec<UserId>, Error> {
    let tag = format!("{}-{:03}", portfolio.name(), programme + 1);
    let mut people = Vec::with_capacity(PEOPLE.len());
    for (place, (name, address)) in PEOPLE.iter().enumerate() {
        let (mailbox, host) = address.split_once('@').unwrap_or((address, "demo.example"));
        let user = tx.create_user(name, Some(&format!("{mailbox}+{tag}@{host}")), false)?;
        let role = if place == 0 {
            Role::Editor
        } else {
            Role::Reporter
        };
        tx.grant_project_role(user, top, role)?;
        people.push(user);
    }
    Ok(people)
}

/// The results of a programme, which every project below gets copies of.
fn write_results(
    tx: &mut Tx,
    portfolio: &Portfolio,
    programme: usize,
    top: ProjectId,
) -> Result<Handles, Error> {
    let theme = portfolio.theme(programme);
    let gender = tx.create_dimension_name(top, "Gender")?;
    let mut genders = Vec::new();
    for value in ["Female", "Male"] {
        genders.push(tx.create_dimension_value(gender, value)?);
    }
    let result = tx.create_result(&NewResult {
        project: top,
        kind: "2".to_owned(),
        title: theme.outcome.to_owned(),
        description: format!("What the programme \"{}\" is for.", theme.title),
        aggregation_status: Some(true),
    })?;
    let mut periods = Vec::new();
    for fact in theme.indicators {
        let indicator = tx.create_indicator(&NewIndicator {
            result,
            is_qualitative: fact.counting == Counting::Story,
            measure: measure(fact.counting).to_owned(),
            is_cumulative: fact.counting == Counting::Cumulative,
            is_ascending: Some(true),
            has_scores: fact.counting == Counting::Story,
            title: fact.title.to_owned(),
            description: String::new(),
        })?;
        attach(tx, fact, indicator, gender)?;
        let mut of_indicator = Vec::new();
        for year in YEARS {
            of_indicator.push(tx.create_period(&NewPeriod {
                indicator,
                start: Some(format!("{year}-01-01")),
                end: Some(format!("{year}-12-31")),
                target_value: target(fact),
            })?);
        }
        periods.push(of_indicator);
    }
    Ok(Handles { periods, genders })
}

fn attach(
    tx: &mut Tx,
    fact: &IndicatorFact,
    indicator: IndicatorId,
    gender: DimensionNameId,
) -> Result<(), Error> {
    if fact.by_gender {
        tx.attach_dimension(indicator, gender)?;
    }
    Ok(())
}

/// The code of IATI's list.
fn measure(counting: Counting) -> &'static str {
    match counting {
        Counting::Unit | Counting::Cumulative => "1",
        Counting::Percentage => "2",
        Counting::Story => "5",
    }
}

fn target(fact: &IndicatorFact) -> String {
    match fact.counting {
        Counting::Percentage => "80".to_owned(),
        // Copies share the target, and what a programme counts would be no target for one village.
        Counting::Unit | Counting::Cumulative | Counting::Story => String::new(),
    }
}

fn write_report(
    tx: &mut Tx,
    handles: &Handles,
    people: &[UserId],
    report: &Report,
) -> Result<(), Error> {
    let period = handles
        .periods
        .get(report.indicator)
        .and_then(|row| row.get(report.period));
    let (Some(period), Some(user)) = (period, people.get(report.person)) else {
        return Ok(());
    };
    let mut update = NewUpdate {
        period: *period,
        user: *user,
        status: match report.status {
            Status::Draft => UpdateStatus::Draft,
            Status::Pending => UpdateStatus::Pending,
            Status::Returned => UpdateStatus::Returned,
            Status::Approved => UpdateStatus::Approved,
        },
        numbers: Numbers::default(),
        text: report.comment.clone(),
        narrative: String::new(),
        score: None,
        scores: Vec::new(),
        disaggregations: Vec::new(),
    };
    match &report.content {
        Content::Number { value, by_gender } => {
            update.numbers = number(*value);
            let parts = by_gender.iter().flat_map(|(women, men)| [*women, *men]);
            update.disaggregations = handles
                .genders
                .iter()
                .zip(parts)
                .map(|(value, part)| Disaggregation {
                    dimension_value: *value,
                    numbers: number(part),
                })
                .collect();
        }
        Content::Share {
            numerator,
            denominator,
        } => {
            update.numbers.numerator = Some(whole(*numerator));
            update.numbers.denominator = Some(whole(*denominator));
        }
        Content::Story { text, score } => {
            (*text).clone_into(&mut update.narrative);
            update.score = Some(i64::from(*score));
        }
    }
    tx.create_update(&update)?;
    Ok(())
}

fn number(value: u32) -> Numbers {
    Numbers {
        value: Some(whole(value)),
        ..Numbers::default()
    }
}

fn whole(value: u32) -> Hundredths {
    Hundredths::from_hundredths(i128::from(value) * 100)
}
