//! `rsr jobs`: the aggregation queue.

use serde_json::json;

use super::aggregate;
use crate::cli::Jobs;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out};
use crate::table::Table;

const STATES: [&str; 5] = ["scheduled", "running", "finished", "failed", "maxxed"];

/// Lists jobs, or works off those that wait.
pub(crate) fn run(context: &Context, which: &Jobs) -> Outcome {
    match which {
        Jobs::List { state, limit } => list(context, state.as_deref(), *limit as usize),
        Jobs::Run => {
            context.accept(&[Format::Text, Format::Json])?;
            let totals = aggregate::waiting(context, &context.store()?)?;
            aggregate::tell(context, &totals)
        }
        Jobs::Retry { .. } => Err(Failure::new(
            Exit::Usage,
            "jobs retry is not there yet: `rsr aggregate --all` computes every period anew",
        )),
    }
}

fn list(context: &Context, state: Option<&str>, limit: usize) -> Outcome {
    context.accept(&[Format::Text, Format::Json, Format::Tsv])?;
    if let Some(state) = state.filter(|state| !STATES.contains(state)) {
        let known = STATES.join(", ");
        return Err(Failure::new(
            Exit::Usage,
            format_args!("--state {state} is none of {known}"),
        ));
    }
    let jobs = context.store()?.snapshot()?.jobs(state, limit)?;
    let mut out = Out::new();
    let mut table = Table::new(["job", "project", "period", "state", "attempts", "reason"]);
    for job in jobs {
        if context.is_json() {
            out.json(&json!({
                "id": job.id.0,
                "project": job.project.0,
                "period": job.period.0,
                "root_period": job.root_period.0,
                "state": job.state,
                "attempts": job.attempts,
                "reason": job.reason,
                "created_ms": job.created_ms,
                "changed_ms": job.changed_ms,
            }))?;
        }
        table.row([
            job.id.to_string(),
            job.project.to_string(),
            job.period.to_string(),
            job.state,
            job.attempts.to_string(),
            job.reason.unwrap_or_default(),
        ]);
    }
    match context.format {
        Format::Json => {}
        Format::Tsv => out.line(table.tsv())?,
        _ => out.line(table.aligned())?,
    }
    out.end(Exit::Done)
}
