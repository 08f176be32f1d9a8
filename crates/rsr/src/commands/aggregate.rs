//! `rsr aggregate`: results rolled up the hierarchy, a tree at a time.

use rsr_base::ProjectId;
use rsr_store::{RollUpError, Snapshot, Store, TreeReport};
use serde_json::{Value, json};

use crate::cli::Aggregate;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out};
use crate::progress::Progress;

/// Trees whose tops are read at once.
const TREES_AT_ONCE: usize = 1_000;

/// What rolling up several trees came to.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) n_trees: u64,
    pub(crate) n_periods: u64,
    pub(crate) n_periods_changed: u64,
    n_disaggregations_changed: u64,
    n_jobs_finished: u64,
    /// Trees that were left as they are, and why.
    pub(crate) failed: Vec<(ProjectId, String)>,
    is_stopped: bool,
}

impl Totals {
    fn add(
        &mut self,
        root: ProjectId,
        done: Result<TreeReport, RollUpError>,
    ) -> Result<(), Failure> {
        match done {
            Ok(TreeReport {
                periods,
                n_jobs_finished,
                ..
            }) => {
                self.n_trees += 1;
                self.n_periods += periods.n_periods;
                self.n_periods_changed += periods.n_periods_written;
                self.n_disaggregations_changed += periods.n_disaggregations_written;
                self.n_jobs_finished += n_jobs_finished;
                if !periods.broken.is_empty() {
                    let reason = "its periods lead in a circle: see `rsr project check`".to_owned();
                    self.failed.push((root, reason));
                }
                Ok(())
            }
            // What is wrong with the numbers of one tree is no reason to leave the others.
            Err(error @ RollUpError::Numbers { .. }) => {
                self.failed
                    .push((root, Failure::of(Exit::PartWay, error).to_string()));
                Ok(())
            }
            Err(RollUpError::Store(error)) => Err(error.into()),
            Err(error) => Err(Failure::of(Exit::PartWay, error)),
        }
    }

    fn in_words(&self) -> String {
        format!(
            "{} periods in {} trees computed, {} changed; {} disaggregations changed; {} waiting jobs done",
            self.n_periods,
            self.n_trees,
            self.n_periods_changed,
            self.n_disaggregations_changed,
            self.n_jobs_finished
        )
    }

    fn to_json(&self) -> Value {
        let failed = self
            .failed
            .iter()
            .map(|(root, reason)| json!({ "project": root.0, "reason": reason }));
        json!({
            "trees": self.n_trees,
            "periods": self.n_periods,
            "periods_changed": self.n_periods_changed,
            "disaggregations_changed": self.n_disaggregations_changed,
            "jobs_finished": self.n_jobs_finished,
            "failed": failed.collect::<Vec<_>>(),
            "stopped": self.is_stopped,
        })
    }
}

/// Rolls up the trees asked for. One that fails stops no other.
pub(crate) fn run(context: &Context, flags: &Aggregate) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    let store = context.existing_store()?;
    let totals = match flags.project {
        Some(id) => one(&store, ProjectId(id), flags.rebuild)?,
        None => each_tree(context, &store, flags.rebuild)?,
    };
    tell(context, &totals)
}

/// Prints what was done, and ends with what failed.
fn tell(context: &Context, totals: &Totals) -> Outcome {
    let mut out = Out::new();
    if context.is_json() {
        out.json(&totals.to_json())?;
    } else {
        out.line(totals.in_words())?;
    }
    out.flush()?;
    for (root, reason) in &totals.failed {
        crate::output::note(format_args!(
            "the tree of project {root} was left as it is: {reason}"
        ));
    }
    if totals.is_stopped {
        return Err(Failure::new(
            Exit::PartWay,
            "stopped: the trees counted above are done, the same command does the rest",
        ));
    }
    out.end(if totals.failed.is_empty() {
        Exit::Done
    } else {
        Exit::PartWay
    })
}

/// The whole tree that a project belongs to: its numbers count in everything above it.
fn one(store: &Store, project: ProjectId, is_rebuilt: bool) -> Result<Totals, Failure> {
    let snapshot = store.snapshot()?;
    snapshot.project(project)?;
    let mut totals = Totals::default();
    match snapshot.place(project)? {
        Some(place) => totals.add(place.root, tree(store, place.root, is_rebuilt))?,
        None => totals.failed.push((
            project,
            "its parents lead in a circle: see `rsr project check`".to_owned(),
        )),
    }
    Ok(totals)
}

/// Every tree that has anything to roll up, each in a transaction of its own; stops between two at Ctrl-C.
pub(crate) fn everything(context: &Context, store: &Store) -> Result<Totals, Failure> {
    each_tree(context, store, false)
}

/// One tree; where asked for, with its disaggregations made anew.
fn tree(store: &Store, root: ProjectId, is_rebuilt: bool) -> Result<TreeReport, RollUpError> {
    if is_rebuilt {
        store.rebuild_disaggregations(root)
    } else {
        store.roll_up(root)
    }
}

fn each_tree(context: &Context, store: &Store, is_rebuilt: bool) -> Result<Totals, Failure> {
    let progress = Progress::items(context.is_quiet);
    progress.about("rolling up");
    let mut totals = Totals::default();
    let mut after = None;
    'all: loop {
        let roots = tops(&store.snapshot()?, after)?;
        let Some(last) = roots.last() else {
            break;
        };
        after = Some(*last);
        for root in roots {
            if context.interrupt.is_raised() {
                totals.is_stopped = true;
                break 'all;
            }
            totals.add(root, tree(store, root, is_rebuilt))?;
            progress.add(1);
        }
    }
    progress.end();
    Ok(totals)
}

fn tops(snapshot: &Snapshot, after: Option<ProjectId>) -> Result<Vec<ProjectId>, Failure> {
    Ok(snapshot.roots_with_periods(after, TREES_AT_ONCE)?)
}
