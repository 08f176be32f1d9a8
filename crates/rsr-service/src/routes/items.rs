//! Lists of results, indicators and periods over all projects, and each by itself.

use axum::Extension;
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use http::{HeaderMap, HeaderValue, Uri, header};
use rsr_base::ProjectId;
use rsr_hierarchy::Viewer;
use rsr_store::{Error, ItemFilter, Snapshot};
use serde_json::Value;

use super::answer::{self, Negotiated};
use super::link::next_link;
use super::table::{Field, FieldKind, Operation, Route};
use crate::access::Caller;
use crate::app::App;
use crate::params::{self, Params, invalid};
use crate::problem::Problem;
use crate::wire;

/// One kind of item.
#[derive(Clone, Copy, Debug)]
struct Items {
    /// What it is called, for people.
    noun: &'static str,
    list: &'static str,
    one: &'static str,
    list_id: &'static str,
    query: &'static [Field],
    /// The parameter that names what it lies in, besides the project.
    above: Option<&'static str>,
    /// The parameter that names its code, where it has one.
    code: Option<&'static str>,
    has_title: bool,
    read: fn(&Snapshot, &ItemFilter<'_>, usize) -> Result<Vec<Value>, Error>,
}

const PROJECT: Field = Field::new("project", FieldKind::Integer, "Those of this project");
const SEARCH: Field = Field::new(
    "search",
    FieldKind::Line,
    "The title contains this, letter for letter",
);
const SORT: Field =
    Field::new("sort", FieldKind::Line, "id, or -id for the newest first").one_of(&["id", "-id"]);
const LIMIT: Field = Field::new(
    "limit",
    FieldKind::Count,
    "Most elements of this answer; the setting caps it",
);
const CURSOR: Field = Field::new(
    "cursor",
    FieldKind::Line,
    "From the Link header of the answer before",
);

const RESULTS: Items = Items {
    noun: "result",
    list: "/api/v1/results/",
    one: "/api/v1/results/{id}/",
    list_id: "list_results",
    query: &[
        PROJECT,
        Field::new("type", FieldKind::Line, "Those of this type"),
        SEARCH,
        SORT,
        LIMIT,
        CURSOR,
    ],
    above: None,
    code: Some("type"),
    has_title: true,
    read: |snapshot, filter, n| {
        let rows = snapshot.listed_results(filter, n)?;
        Ok(rows.into_iter().map(wire::result).collect())
    },
};

const INDICATORS: Items = Items {
    noun: "indicator",
    list: "/api/v1/indicators/",
    one: "/api/v1/indicators/{id}/",
    list_id: "list_indicators",
    query: &[
        PROJECT,
        Field::new("result", FieldKind::Integer, "Those of this result"),
        Field::new("measure", FieldKind::Line, "Those of this measure"),
        SEARCH,
        SORT,
        LIMIT,
        CURSOR,
    ],
    above: Some("result"),
    code: Some("measure"),
    has_title: true,
    read: |snapshot, filter, n| {
        let rows = snapshot.listed_indicators(filter, n)?;
        Ok(rows.into_iter().map(wire::indicator).collect())
    },
};

const PERIODS: Items = Items {
    noun: "period",
    list: "/api/v1/periods/",
    one: "/api/v1/periods/{id}/",
    list_id: "list_periods",
    query: &[
        PROJECT,
        Field::new("indicator", FieldKind::Integer, "Those of this indicator"),
        SORT,
        LIMIT,
        CURSOR,
    ],
    above: Some("indicator"),
    code: None,
    has_title: false,
    read: |snapshot, filter, n| {
        let rows = snapshot.listed_periods(filter, n)?;
        Ok(rows.into_iter().map(wire::period).collect())
    },
};

pub(super) fn routes() -> Vec<Route> {
    let both = |items: Items, about, about_one| {
        [
            Route {
                operation: Operation::get(items.list, items.list_id, about)
                    .heavy()
                    .query(items.query),
                handler: list(items),
            },
            Route {
                operation: Operation::get(items.one, items.noun, about_one),
                handler: one(items),
            },
        ]
    };
    [
        both(RESULTS, "Results of all projects, newest first", "A result"),
        both(
            INDICATORS,
            "Indicators of all projects, newest first",
            "An indicator",
        ),
        both(
            PERIODS,
            "Periods of all projects, newest first, with what stands at each",
            "A period with what stands there",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What was asked of a list, apart from its cursor.
#[derive(Clone, Debug)]
struct Question {
    project: Option<i64>,
    above: Option<i64>,
    search: Option<String>,
    code: Option<String>,
    is_rising: bool,
    limit: Option<usize>,
    after: Option<i64>,
}

impl Question {
    fn parse(items: &Items, query: Option<&str>, app: &App) -> Result<Self, Problem> {
        const ID: &str = "must be an id, a whole number";
        let mut params = Params::parse(query)?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let above = match items.above {
            Some(name) => params.value(name, ID)?,
            None => None,
        };
        let mut question = Self {
            project: params.value("project", ID)?,
            above,
            search: items
                .has_title
                .then(|| given(params.text("search")))
                .flatten(),
            code: items.code.and_then(|name| given(params.text(name))),
            is_rising: match given(params.text("sort")).as_deref() {
                None | Some("-id") => false,
                Some("id") => true,
                Some(_) => return Err(invalid("sort", "must be id or -id")),
            },
            limit: params.count("limit")?,
            after: None,
        };
        let cursor = given(params.text("cursor"));
        params.finish()?;
        let length = question.search.as_ref().map_or(0, String::len);
        if length > wire::LINE_MAX_CHARS {
            return Err(invalid("search", "is too long"));
        }
        if let Some(cursor) = cursor {
            let after = app.cursor_key.open_id(&cursor, &question.name(items));
            question.after = Some(after?);
        }
        Ok(question)
    }

    /// What a cursor is bound to.
    fn name(&self, items: &Items) -> String {
        let Self {
            project,
            above,
            search,
            code,
            is_rising,
            ..
        } = self;
        format!(
            "{} {project:?} {above:?} {search:?} {code:?} {is_rising}",
            items.list
        )
    }

    fn filter(&self, viewer: Viewer) -> ItemFilter<'_> {
        ItemFilter {
            project: self.project.map(ProjectId),
            above: self.above,
            search: self.search.as_deref(),
            code: self.code.as_deref(),
            is_rising: self.is_rising,
            after: self.after,
            ..ItemFilter::all(viewer)
        }
    }
}

fn list(items: Items) -> MethodRouter<App> {
    get(
        async move |State(app): State<App>,
                    Extension(caller): Extension<Caller>,
                    RawQuery(query): RawQuery,
                    uri: Uri,
                    headers: HeaderMap|
                    -> Result<Response, Problem> {
            let question = Question::parse(&items, query.as_deref(), &app)?;
            let limits = app.limits();
            let max = limits.max_descendants_per_request.get();
            let n = question.limit.map_or(max, |limit| limit.min(max));
            let asked = question.clone();
            let viewer = caller.viewer();
            let store = app.store.clone();
            let mut rows = app
                .bridge
                .run(move || {
                    let snapshot = store.snapshot()?;
                    let rows = (items.read)(&snapshot, &asked.filter(viewer), n.saturating_add(1));
                    Ok(rows?)
                })
                .await?;
            let is_cut = rows.len() > n;
            rows.truncate(n);
            let last = rows.last().and_then(|row| row["id"].as_i64());
            let mut response = answer::value(&rows.into(), &Negotiated::of(&headers))?;
            if let Some(last) = last.filter(|_last| is_cut) {
                let cursor = app.cursor_key.seal_id(last, &question.name(&items));
                if let Ok(link) = HeaderValue::try_from(next_link(&uri, &cursor)) {
                    response.headers_mut().insert(header::LINK, link);
                }
            }
            Ok(response)
        },
    )
}

fn one(items: Items) -> MethodRouter<App> {
    get(
        async move |State(app): State<App>,
                    Extension(caller): Extension<Caller>,
                    Path(id): Path<String>|
                    -> Result<Response, Problem> {
            let id: i64 = params::id(items.noun, &id)?;
            let viewer = caller.viewer();
            let store = app.store.clone();
            let found = app
                .bridge
                .run(move || {
                    let filter = ItemFilter {
                        id: Some(id),
                        ..ItemFilter::all(viewer)
                    };
                    Ok((items.read)(&store.snapshot()?, &filter, 1)?.pop())
                })
                .await?;
            let found = found.ok_or_else(|| Problem::not_found(items.noun, id))?;
            Ok(Json(found).into_response())
        },
    )
}
