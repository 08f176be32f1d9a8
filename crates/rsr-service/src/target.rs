//! What a write changes, and whether that is being deleted.

use rsr_base::{IndicatorId, JobId, PeriodId, ProjectId, ResultId, UpdateId};
use rsr_store::{Error, Snapshot};

use crate::app::App;
use crate::problem::{Kind, Problem};

/// Levels above a project that are looked at: a deletion takes everything below it along.
const ABOVE_MAX: usize = 1_000;

/// What a write names as the thing it changes, or puts something under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Project(ProjectId),
    Result(ResultId),
    Indicator(IndicatorId),
    Period(PeriodId),
    Update(UpdateId),
    Job(JobId),
}

impl Target {
    /// What it is, and its id, for people.
    pub(crate) fn named(self) -> (&'static str, i64) {
        match self {
            Self::Project(id) => ("project", id.0),
            Self::Result(id) => ("result", id.0),
            Self::Indicator(id) => ("indicator", id.0),
            Self::Period(id) => ("period", id.0),
            Self::Update(id) => ("update", id.0),
            Self::Job(id) => ("job", id.0),
        }
    }

    /// The project it belongs to.
    pub(crate) fn project(self, snapshot: &Snapshot) -> Result<ProjectId, Error> {
        match self {
            Self::Project(project) => Ok(project),
            Self::Result(result) => snapshot.project_of_result(result),
            Self::Indicator(indicator) => snapshot.project_of_indicator(indicator),
            Self::Period(period) => snapshot.project_of_period(period),
            Self::Update(update) => snapshot.project_of_update(update),
            Self::Job(job) => Ok(snapshot.job(job)?.project),
        }
    }
}

impl App {
    /// Refuses a change of what belongs to a project that is being deleted, or that lies below one.
    ///
    /// A target that is not stored is left to the write itself, which says so.
    pub(crate) fn refuse_while_deleted(
        &self,
        snapshot: &Snapshot,
        targets: &[Target],
    ) -> Result<(), Problem> {
        // Another machine may have begun a moment ago.
        self.deletions.refresh()?;
        if self.deletions.is_idle() {
            return Ok(());
        }
        for target in targets {
            let project = match target.project(snapshot) {
                Err(Error::NotFound { .. }) => continue,
                found => found?,
            };
            let lineage = snapshot.with_ancestors(project, ABOVE_MAX)?;
            if let Some(deleted) = lineage.into_iter().find(|id| self.deletions.contains(*id)) {
                return Err(Problem::new(
                    Kind::BeingDeleted,
                    format!("project {deleted} is being deleted"),
                ));
            }
        }
        Ok(())
    }
}
