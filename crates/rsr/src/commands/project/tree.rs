//! `rsr project tree`.

use std::num::NonZeroU32;

use rsr_base::ProjectId;
use rsr_hierarchy::{
    Ancestors, ClimbError, Filter, Node, NodeSource as _, Parent, ParentSource as _, Scope, Sort,
    Viewer,
};
use rsr_store::{Achieved, ChildRow, Snapshot};
use serde_json::{Value, json};

use super::check::named;
use super::grouped;
use super::values::{self, one_line};
use super::walk::{LinkWalk, Step};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Out;

/// Children of one project that are drawn; the rest is a number.
const DRAWN_MAX: u64 = 50;
/// Levels that are indented; deeper ones say how deep they are.
const INDENTED_MAX: usize = 40;

/// Prints a project and what lies below it, each with what it has achieved: for people a tree, cut where a project has very
/// many children; as JSON one object a line, all of them. What a circle of parent links leads to is printed once, with the circle.
pub(super) fn run(context: &Context, id: ProjectId, max_depth: Option<u32>) -> Outcome {
    let store = context.existing_store()?;
    let mut snapshot = store.snapshot()?;
    let top = snapshot.project(id)?;
    let filter = Filter::default();
    let scope = Scope {
        viewer: Viewer::Administrator,
        filter: &filter,
        sort: Sort::default(),
    };
    let chunk_size = context.settings().hierarchy.chunk_size.max(1);
    let n_children = snapshot.count_descendants(&scope, id, Some(NonZeroU32::MIN), u64::MAX)?;
    let circle = circle_above(&mut snapshot, id)?;
    let is_json = context.is_json();
    let achieved = snapshot.achieved(&[id], values::DRAWN_MAX)?;
    let (n_indicators, all_values) = values::fields(achieved.get(&id));
    let mut out = Out::new();
    if is_json {
        let mut line = json!({
            "id": id.0, "title": top.title, "depth": 0, "parent": top.parent.map(|id| id.0),
            "children_count": n_children, "indicators_count": n_indicators, "values": all_values,
        });
        if !circle.is_empty() {
            line["cycle"] = circle.iter().map(|id| id.0).collect::<Vec<_>>().into();
        }
        out.json(&line)?;
    } else {
        let (title, below) = (one_line(&top.title), count(n_children));
        let drawn = values::drawn(achieved.get(&id));
        out.line(format_args!("{id} {title}{below}{drawn}"))?;
        say_circle(&mut out, id, &circle)?;
    }
    let stopped = |mut out: Out| {
        out.flush()?;
        Err(Failure::new(
            Exit::PartWay,
            "stopped: the tree above is not whole",
        ))
    };
    if is_json && circle.is_empty() && snapshot.place(id)?.is_some() {
        // Along the positions: one range, whatever its shape.
        let depth_max = NonZeroU32::new(max_depth.unwrap_or(0));
        let mut nodes = Vec::new();
        let mut resume = None;
        loop {
            resume = snapshot.branches(&scope, &[id], depth_max, resume, chunk_size, &mut nodes)?;
            let ids: Vec<ProjectId> = nodes.iter().map(|below| below.node.id).collect();
            let achieved = snapshot.achieved(&ids, values::DRAWN_MAX)?;
            for below in nodes.drain(..) {
                if context.interrupt.is_raised() {
                    return stopped(out);
                }
                out.json(&line(&below.node, achieved.get(&below.node.id)))?;
            }
            if resume.is_none() {
                return out.end(Exit::Done);
            }
        }
    }
    let (children_max, chunk_size) = if is_json {
        (u64::MAX, chunk_size)
    } else {
        (DRAWN_MAX, usize::try_from(DRAWN_MAX).unwrap_or(usize::MAX))
    };
    let top = (id, n_children);
    let mut walk = LinkWalk::new(
        &mut snapshot,
        scope,
        top,
        max_depth,
        children_max,
        chunk_size,
    );
    let mut drawing = Drawing::default();
    while let Some(step) = walk.step()? {
        if context.interrupt.is_raised() {
            return stopped(out);
        }
        match step {
            Step::Node(node, achieved, _) if is_json => {
                out.json(&line(&node, achieved.as_ref()))?;
            }
            Step::More(..) | Step::Circle(..) if is_json => {}
            Step::Node(node, achieved, more_follow) => {
                let start = drawing.start(node.depth as usize, more_follow);
                let title = one_line(&node.row.project.title);
                let (below, drawn) = (count(node.children_count), values::drawn(achieved.as_ref()));
                out.line(format_args!("{start}{} {title}{below}{drawn}", node.id))?;
            }
            Step::More(depth, n) => {
                let start = drawing.start(depth, false);
                out.line(format_args!("{start}… {} more", grouped(n)))?;
            }
            Step::Circle(depth, more_follow) => {
                let start = drawing.start(depth, more_follow);
                out.line(format_args!("{start}{id} again: the circle closes here"))?;
            }
        }
    }
    out.end(if circle.is_empty() {
        Exit::Done
    } else {
        Exit::Problems
    })
}

fn line(node: &Node<ChildRow>, achieved: Option<&Achieved>) -> Value {
    let (n_indicators, all_values) = values::fields(achieved);
    json!({
        "id": node.id.0,
        "title": node.row.project.title,
        "depth": node.depth,
        "parent": node.parent.0,
        "children_count": node.children_count,
        "indicators_count": n_indicators,
        "values": all_values,
    })
}

fn count(n_children: u64) -> String {
    match n_children {
        0 => String::new(),
        n => format!(" ({})", grouped(n)),
    }
}

/// The circle that the parent links above a project lead into, along the links; empty where they lead to a root.
fn circle_above(snapshot: &mut Snapshot, id: ProjectId) -> Result<Vec<ProjectId>, Failure> {
    let on_it = match Ancestors::of(snapshot, id).map(|mut all| all.find_map(Result::err)) {
        Ok(None) => return Ok(Vec::new()),
        Ok(Some(ClimbError::Cycle(on_it))) => on_it,
        Ok(Some(ClimbError::Source(error))) | Err(ClimbError::Source(error)) => {
            return Err(error.into());
        }
        Ok(Some(unknown)) | Err(unknown) => return Err(Failure::of(Exit::Usage, unknown)),
    };
    let mut circle = vec![on_it];
    let mut at = on_it;
    while let Parent::Node(parent) = snapshot.parent(at)?
        && parent != on_it
    {
        circle.push(parent);
        at = parent;
    }
    // From the project asked about, where it is one of them.
    let from = circle.iter().position(|on_it| *on_it == id);
    circle.rotate_left(from.unwrap_or(0));
    Ok(circle)
}

fn say_circle(out: &mut Out, id: ProjectId, circle: &[ProjectId]) -> Result<(), Failure> {
    if circle.is_empty() {
        return Ok(());
    }
    let place = if circle.contains(&id) {
        "is in"
    } else {
        "is below"
    };
    out.line(format_args!(
        "project {id} {place} a circle of parents: {}; move one of them to break it",
        named(circle.iter())
    ))
}

/// The lines before each project. Holds a bit for each level.
#[derive(Debug, Default)]
struct Drawing {
    /// Whether a line goes on at each level.
    goes_on: Vec<bool>,
}

impl Drawing {
    fn start(&mut self, depth: usize, more_follow: bool) -> String {
        self.goes_on.resize(depth, false);
        if let Some(last) = self.goes_on.last_mut() {
            *last = more_follow;
        }
        let mut text = String::new();
        let above = depth.saturating_sub(1);
        for goes_on in self.goes_on.iter().take(above.min(INDENTED_MAX)) {
            text.push_str(if *goes_on { "│   " } else { "    " });
        }
        if above > INDENTED_MAX {
            text.push_str(&format!("[level {}] ", grouped(depth as u64)));
        }
        text.push_str(if more_follow {
            "├── "
        } else {
            "└── "
        });
        text
    }
}
