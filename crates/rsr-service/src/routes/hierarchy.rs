//! The children of a project, and everything below it.

use std::io::Write;
use std::num::NonZeroU32;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use rsr_base::ProjectId;
use rsr_hierarchy::{
    Children, ChildrenRequest, Descendants, Filter, Head, Mode, Scope, Sort, Waypoint,
};
use serde::Serialize;

use super::answer::{self, Negotiated};
use super::link::{next_link, with_cursor};
use super::table::{Field, FieldKind, Operation, Route};
use crate::access::Caller;
use crate::app::App;
use crate::bridge::BodyWriter;
use crate::params::{self, Params};
use crate::problem::{Kind, Problem};
use crate::progress::Progress;
use crate::wire::{Element, NestedArray};

const MEMORY_PROTECTION: HeaderName = HeaderName::from_static("x-memory-protection");
const TOTAL_PROCESSED: HeaderName = HeaderName::from_static("x-total-processed");
const CHILDREN_COUNT: HeaderName = HeaderName::from_static("x-children-count");
const TRUNCATED: HeaderName = HeaderName::from_static("x-truncated");

const CHILDREN_QUERY: [Field; 13] = [
    Field::new(
        "max_depth",
        FieldKind::Count,
        "Levels that counts and nesting look at: 2 if not given, 10 at most",
    ),
    Field::new(
        "limit",
        FieldKind::Count,
        "Most elements of this answer; the setting caps it",
    ),
    Field::new(
        "cursor",
        FieldKind::Text,
        "From the Link header of the answer before",
    ),
    Field::new(
        "nested",
        FieldKind::Flag,
        "Whether each element carries its own children",
    ),
    Field::new(
        "sort",
        FieldKind::Text,
        "id, title, planned_start, planned_end, actual_start or actual_end; - before it for falling order",
    ),
    Field::new("title", FieldKind::Text, "The title contains this"),
    Field::new("status", FieldKind::Text, "published or unpublished")
        .one_of(&["published", "unpublished"]),
    Field::new(
        "is_public",
        FieldKind::Flag,
        "Public ones, or those that are not",
    ),
    Field::new("is_program", FieldKind::Flag, "Programs, or what is none"),
    Field::new("country", FieldKind::Text, "A location in this country"),
    Field::new(
        "recipient_country",
        FieldKind::Text,
        "This recipient country",
    ),
    Field::new("sector", FieldKind::Text, "This sector code"),
    Field::new(
        "organisation",
        FieldKind::Integer,
        "The id of the primary organisation",
    ),
];

const DESCENDANTS_QUERY: [Field; 2] = [
    Field::new(
        "max_depth",
        FieldKind::Count,
        "Levels below the project; all if not given",
    ),
    Field::new(
        "cursor",
        FieldKind::Text,
        "From the last line of a stream that was cut",
    ),
];

pub(super) fn routes() -> Vec<Route> {
    let children = |path, id| Route {
        operation: Operation::get(
            path,
            id,
            "The direct children of a project, newest first, with their own children's number",
        )
        .heavy()
        .query(&CHILDREN_QUERY),
        handler: get(list_children),
    };
    vec![
        children("/api/v1/projects/{id}/children/", "children"),
        children("/rest/v1/project/{id}/children/", "children_legacy"),
        Route {
            operation: Operation::get(
                "/api/v1/projects/{id}/descendants/",
                "descendants",
                "Everything below a project, depth first, one project a line",
            )
            .heavy()
            .query(&DESCENDANTS_QUERY)
            .answers(200, "application/x-ndjson"),
            handler: get(stream_descendants),
        },
    ]
}

async fn list_children(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let project = params::id("project", &id)?;
    let pairs = params::pairs(query.as_deref())?;
    let borrowed = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let request = ChildrenRequest::parse(project, caller.viewer(), borrowed, &app.cursor_key)?;
    let negotiated = Negotiated::of(&headers);
    let known = negotiated.clone();
    let work = app.clone();
    let ((version, head), reply) = app
        .bridge
        .answer(move |opening| {
            let app = work;
            let version = app.version_tag(&caller, &uri)?;
            if known.knows(&version) {
                opening.send((version, None)).finish()?;
                return Ok(());
            }
            let mut snapshot = app.store.snapshot()?;
            let children = Children::open(&mut snapshot, &request, &app.reading_limits())?;
            let head = ChildrenHead::of(children.head(), &app, &request, &uri);
            count_head(&app, project, children.head());
            let writer = opening.send((version, Some(head))).encoded(known.encoding);
            write_children(&app, project, children, request.nested, writer)
        })
        .await?;
    let Some(head) = head else {
        return Ok(answer::not_modified(&version));
    };
    let mut response = answer::json(reply, Some(&version), &negotiated);
    head.write(response.headers_mut());
    Ok(response)
}

/// What the headers of rule 15 say, and the link of rule 19.
struct ChildrenHead {
    mode: Mode,
    total_processed: u64,
    children_count: usize,
    is_truncated: bool,
    link: Option<String>,
}

impl ChildrenHead {
    fn of(head: &Head, app: &App, request: &ChildrenRequest, uri: &Uri) -> Self {
        let cursor = head.next_cursor(&app.cursor_key, request);
        Self {
            mode: head.mode,
            total_processed: head.total_processed,
            children_count: head.children_count,
            is_truncated: head.is_truncated(),
            link: cursor.map(|cursor| next_link(uri, &cursor)),
        }
    }

    fn write(self, headers: &mut HeaderMap) {
        headers.insert(
            MEMORY_PROTECTION,
            HeaderValue::from_static(self.mode.as_str()),
        );
        headers.insert(TOTAL_PROCESSED, self.total_processed.into());
        headers.insert(CHILDREN_COUNT, self.children_count.into());
        let truncated = if self.is_truncated { "true" } else { "false" };
        headers.insert(TRUNCATED, HeaderValue::from_static(truncated));
        if let Some(link) = self.link
            && let Ok(link) = HeaderValue::try_from(link)
        {
            headers.insert(header::LINK, link);
        }
    }
}

fn count_head(app: &App, project: ProjectId, head: &Head) {
    let work = &app.measure.metrics.work;
    let [standard, chunked, _stream] = &work.processed;
    match head.mode {
        Mode::Standard => standard.add(head.total_processed),
        Mode::Chunked => chunked.add(head.total_processed),
    }
    if head.is_truncated() {
        work.truncated.inc();
        app.cut_warnings.warn(|n_since| {
            tracing::warn!(%project, count = head.children_count, n_since, "a list of children was cut at its limit");
        });
    }
}

fn write_children(
    app: &App,
    project: ProjectId,
    mut children: Children<'_, rsr_store::Snapshot>,
    nested: bool,
    writer: BodyWriter,
) -> Result<(), Problem> {
    let mut array = NestedArray::begin(writer, nested)?;
    let mut progress = Progress::begin(&app.clock, project);
    let mut deepest = 0;
    while let Some(node) = children.next() {
        let node = node?;
        let depth = node.depth;
        deepest = deepest.max(depth);
        array.push(depth as usize, &Element::from(node))?;
        progress.count();
        if children.buffered() == 0 {
            array.flush()?;
        }
    }
    app.measure.metrics.work.depth.observe(f64::from(deepest));
    array.end()?.finish()?;
    Ok(())
}

/// One line of the stream of descendants.
#[derive(Serialize)]
struct Line {
    depth: u32,
    parent_id: i64,
    #[serde(flatten)]
    element: Element,
}

async fn stream_descendants(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let project = params::id("project", &id)?;
    let mut params = Params::parse(query.as_deref())?;
    let depth_max: Option<NonZeroU32> =
        params.value("max_depth", "must be a whole number from 1 to 4294967295")?;
    let after = match params.text("cursor") {
        Some(cursor) => Some(app.cursor_key.open_stream(&cursor, project, depth_max)?),
        None => None,
    };
    params.finish()?;
    let negotiated = Negotiated::of(&headers);
    let work = app.clone();
    let ((), body) = app
        .bridge
        .stream(move |opening| {
            let app = work;
            let filter = Filter::default();
            let scope = Scope {
                viewer: caller.viewer(),
                filter: &filter,
                sort: Sort::default(),
            };
            let mut snapshot = app.store.snapshot()?;
            let limits = app.reading_limits();
            let has_place = snapshot.place(project)?.is_some();
            let descendants = match &after {
                None => Descendants::open(&mut snapshot, scope, project, depth_max, &limits)?,
                Some(last) => Descendants::open_after(
                    &mut snapshot,
                    scope,
                    project,
                    depth_max,
                    &limits,
                    last,
                )?,
            };
            if !has_place {
                return Err(Problem::new(
                    Kind::Conflict,
                    "the parent links above this project lead round in a circle, so nothing is in order below it",
                ));
            }
            let writer = opening.send(()).encoded(negotiated.encoding);
            let stream = LineStream {
                app: &app,
                project,
                depth_max,
                uri: &uri,
                last: after,
            };
            stream.write(descendants, writer)
        })
        .await?;
    Ok(answer::stream(body, "application/x-ndjson", &negotiated))
}

/// The last line of a stream that was cut.
#[derive(Serialize)]
struct CutLine<D> {
    /// Why.
    error: D,
    /// From where it goes on; nothing where not a line was sent.
    cursor: Option<String>,
    /// The request that brings the rest.
    next: String,
}

/// A stream of lines under way.
struct LineStream<'a> {
    app: &'a App,
    project: ProjectId,
    depth_max: Option<NonZeroU32>,
    uri: &'a Uri,
    /// The node of the line sent last, in this stream or the one it goes on from.
    last: Option<Waypoint>,
}

impl LineStream<'_> {
    fn write(
        mut self,
        mut descendants: Descendants<'_, rsr_store::Snapshot>,
        mut writer: BodyWriter,
    ) -> Result<(), Problem> {
        let [_standard, _chunked, processed] = &self.app.measure.metrics.work.processed;
        let mut progress = Progress::begin(&self.app.clock, self.project);
        let mut deepest = 0;
        while let Some(node) = descendants.next() {
            let node = match node {
                Ok(node) => node,
                Err(error) => return self.end_with(writer, &error.into()),
            };
            if writer.must_end() {
                let stopping = Problem::new(
                    Kind::Stopping,
                    "the service is stopping: go on from here with the cursor",
                );
                return self.end_with(writer, &stopping);
            }
            let (depth, id, parent) = (node.depth, node.id, node.parent);
            deepest = deepest.max(depth);
            let line = Line {
                depth,
                parent_id: parent.0,
                element: node.into(),
            };
            serde_json::to_writer(&mut writer, &line).map_err(std::io::Error::from)?;
            writer.write_all(b"\n")?;
            self.last = Some(Waypoint { id, parent });
            processed.inc();
            progress.count();
            if descendants.buffered() == 0 {
                writer.flush()?;
            }
        }
        self.app
            .measure
            .metrics
            .work
            .depth
            .observe(f64::from(deepest));
        writer.finish()?;
        Ok(())
    }

    /// Ends the stream with a line that says why it is not whole, and how the rest can be had.
    fn end_with(&self, mut writer: BodyWriter, problem: &Problem) -> Result<(), Problem> {
        problem.log();
        let key = &self.app.cursor_key;
        let cursor = self
            .last
            .map(|last| key.seal_stream(&last, self.project, self.depth_max));
        let line = CutLine {
            error: problem.document(None),
            next: match &cursor {
                Some(cursor) => with_cursor(self.uri, cursor),
                None => self.uri.to_string(),
            },
            cursor,
        };
        serde_json::to_writer(&mut writer, &line).map_err(std::io::Error::from)?;
        writer.write_all(b"\n")?;
        writer.finish()?;
        Ok(())
    }
}
