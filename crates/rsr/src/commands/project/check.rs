//! `rsr project check`.

use rsr_base::ProjectId;
use rsr_hierarchy::Forest;
use rsr_store::Snapshot;
use serde_json::json;

use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Out;

/// Links read at once.
const LINKS_PER_CHUNK: usize = 10_000;
/// Most ids that a finding names.
const NAMED_MAX: usize = 20;

/// What is broken in the stored hierarchy, each kind with its ids. `fix` makes the derived positions anew first; parent
/// links are never changed.
pub(super) fn run(context: &Context, fix: bool) -> Outcome {
    let store = context.existing_store()?;
    if fix {
        store.write(|tx| tx.rebuild_positions())?;
    }
    let snapshot = store.snapshot()?;
    let links = all_links(&snapshot)?;
    let n_projects = links.len();
    let pairs = links
        .into_iter()
        .map(|(id, parent)| (id.0, parent.map(|parent| parent.0)));
    let (forest, broken) =
        Forest::build(pairs).map_err(|error| Failure::of(Exit::PartWay, error))?;
    let limit = context.settings().aggregation.max_depth;
    // The topmost node of a climb counts as its last level.
    let too_deep: Vec<_> = forest.order().too_deep(limit.saturating_sub(1)).collect();
    let positions = disagreements(&snapshot)?;
    let n_findings = broken.cycles.len()
        + broken.below_cycles.len()
        + broken.orphans.len()
        + too_deep.len()
        + positions.len();
    let mut out = Out::new();
    if context.is_json() {
        out.json(&json!({
            "projects": n_projects,
            "cycles": broken.cycles,
            "below_cycles": broken.below_cycles,
            "orphans": broken.orphans.iter().map(|(id, parent)| json!({"id": id, "parent": parent})).collect::<Vec<_>>(),
            "too_deep": too_deep.iter().map(|(id, depth)| json!({"id": id, "depth": depth})).collect::<Vec<_>>(),
            "depth_limit": limit,
            "positions": positions.iter().map(|id| id.0).collect::<Vec<_>>(),
        }))?;
    } else {
        for cycle in &broken.cycles {
            out.line(format_args!("cycle: {}", named(cycle.iter())))?;
        }
        say(&mut out, "below a cycle", broken.below_cycles.iter())?;
        for (id, parent) in &broken.orphans {
            out.line(format_args!(
                "orphan: {id} has the parent {parent}, which is not stored"
            ))?;
        }
        say(
            &mut out,
            &format!("deeper than {limit} levels"),
            too_deep.iter().map(|(id, _)| id),
        )?;
        say(
            &mut out,
            "position disagrees with the parent links",
            positions.iter(),
        )?;
        out.line(format_args!("{n_projects} projects, {n_findings} findings"))?;
    }
    out.end(if n_findings == 0 {
        Exit::Done
    } else {
        Exit::Problems
    })
}

fn all_links(snapshot: &Snapshot) -> Result<Vec<(ProjectId, Option<ProjectId>)>, Failure> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map(|(id, _)| *id);
        let chunk = snapshot.parent_links(after, LINKS_PER_CHUNK)?;
        if chunk.is_empty() {
            return Ok(all);
        }
        all.extend(chunk);
    }
}

fn disagreements(snapshot: &Snapshot) -> Result<Vec<ProjectId>, Failure> {
    let mut all = Vec::new();
    loop {
        let chunk = snapshot.position_disagreements(all.last().copied(), LINKS_PER_CHUNK)?;
        if chunk.is_empty() {
            return Ok(all);
        }
        all.extend(chunk);
    }
}

fn say<T: ToString>(
    out: &mut Out,
    what: &str,
    ids: impl ExactSizeIterator<Item = T>,
) -> Result<(), Failure> {
    if ids.len() == 0 {
        return Ok(());
    }
    let n = ids.len();
    out.line(format_args!("{what}: {n}: {}", named(ids)))
}

pub(super) fn named<T: ToString>(ids: impl ExactSizeIterator<Item = T>) -> String {
    let more = ids.len().saturating_sub(NAMED_MAX);
    let mut text = ids
        .take(NAMED_MAX)
        .map(|id| id.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        text.push_str(&format!(" … {more} more"));
    }
    text
}
