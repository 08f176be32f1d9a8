//! `rsr project`: a hierarchy drawn, and what is broken in the data.

use std::num::NonZeroU32;

use rsr_base::ProjectId;
use rsr_hierarchy::{Descendants, Filter, Forest, Limits, OpenError, Scope, Sort, Viewer};
use rsr_store::Snapshot;
use serde_json::json;

use crate::cli::Project;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out};

/// Runs the action asked for.
pub(crate) fn run(context: &Context, which: &Project) -> Outcome {
    context.accept(&[Format::Text, Format::Json])?;
    match which {
        Project::Tree { id, max_depth } => tree(context, ProjectId(*id), *max_depth),
        Project::Check => check(context),
    }
}

/// Children of one project that are drawn; the rest is a number.
const DRAWN_MAX: u64 = 50;

/// Prints a project and what lies below it: for people an indented tree, cut where a project has very many children;
/// as JSON one object a line, all of them.
fn tree(context: &Context, id: ProjectId, max_depth: Option<u32>) -> Outcome {
    let store = context.existing_store()?;
    let mut snapshot = store.snapshot()?;
    let top = snapshot.project(id)?;
    let filter = Filter::default();
    let scope = Scope {
        viewer: Viewer::Administrator,
        filter: &filter,
        sort: Sort::default(),
    };
    let hierarchy = &context.settings().hierarchy;
    let limits = Limits::new(hierarchy.max_descendants_per_request, hierarchy.chunk_size);
    let mut out = Out::new();
    if context.is_json() {
        out.json(&json!({"id": id.0, "title": top.title, "depth": 0, "parent": top.parent.map(|id| id.0)}))?;
    } else {
        out.line(format_args!("{id} {}", top.title))?;
    }
    let depth_max = NonZeroU32::new(max_depth.unwrap_or(0));
    let nodes = Descendants::open(&mut snapshot, scope, id, depth_max, &limits).map_err(opened)?;
    let mut drawing = Drawing::default();
    for node in nodes {
        let node = node?;
        if context.interrupt.is_raised() {
            out.flush()?;
            return Err(Failure::new(
                Exit::PartWay,
                "stopped: the tree above is not whole",
            ));
        }
        if context.is_json() {
            out.json(&json!({
                "id": node.id.0,
                "title": node.row.project.title,
                "depth": node.depth,
                "parent": node.parent.0,
                "children_count": node.children_count,
            }))?;
        } else {
            drawing.node(
                &mut out,
                node.depth,
                node.children_count,
                node.id,
                &node.row.project.title,
            )?;
        }
    }
    drawing.close(&mut out, 0)?;
    out.end(Exit::Done)
}

fn opened(error: OpenError<rsr_store::Error>) -> Failure {
    match error {
        OpenError::Source(error) => error.into(),
        unknown => Failure::of(Exit::Usage, unknown),
    }
}

/// Draws nodes that come depth first, and counts those it leaves out. Holds one number a level.
#[derive(Debug, Default)]
struct Drawing {
    /// For each level: how many siblings came so far.
    seen: Vec<u64>,
    /// Below this level everything is left out, since its parent was.
    hidden_below: Option<u32>,
}

impl Drawing {
    fn node(
        &mut self,
        out: &mut Out,
        depth: u32,
        children: u64,
        id: ProjectId,
        title: &str,
    ) -> Result<(), Failure> {
        if self.hidden_below.is_some_and(|level| depth > level) {
            return Ok(());
        }
        self.hidden_below = None;
        self.close(out, depth)?;
        let level = usize::try_from(depth).unwrap_or(usize::MAX);
        self.seen.resize(level, 0);
        let Some(count) = self.seen.last_mut() else {
            return Ok(());
        };
        *count += 1;
        if *count > DRAWN_MAX {
            self.hidden_below = Some(depth);
            return Ok(());
        }
        let indent = "  ".repeat(level);
        let below = if children > 0 {
            format!(" ({children})")
        } else {
            String::new()
        };
        out.line(format_args!("{indent}{id} {title}{below}"))
    }

    /// Says for each level deeper than `depth` what was left out there.
    fn close(&mut self, out: &mut Out, depth: u32) -> Result<(), Failure> {
        let keep = usize::try_from(depth).unwrap_or(usize::MAX);
        while self.seen.len() > keep {
            let level = self.seen.len();
            if let Some(more) = self
                .seen
                .pop()
                .and_then(|count| count.checked_sub(DRAWN_MAX))
                .filter(|more| *more > 0)
            {
                out.line(format_args!("{}… {more} more", "  ".repeat(level)))?;
            }
        }
        Ok(())
    }
}

/// Links read at once.
const LINKS_PER_CHUNK: usize = 10_000;
/// Most ids that a finding names.
const NAMED_MAX: usize = 20;

/// What is broken in the stored hierarchy, each kind with its ids.
fn check(context: &Context) -> Outcome {
    let store = context.existing_store()?;
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

fn named<T: ToString>(ids: impl ExactSizeIterator<Item = T>) -> String {
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
