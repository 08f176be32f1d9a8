//! Projects: listed, shown, made, changed, moved, deleted.

use axum::Extension;
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use rsr_base::ProjectId;
use rsr_hierarchy::{ChildrenRequest, Key, Scope};
use rsr_store::{NewProject, ProjectEdit, Snapshot};

use super::answer::{self, Negotiated};
use super::iati::observe_memory;
use super::link::next_link;
use super::table::{Field, FieldKind, Operation, Route};
use crate::access::Caller;
use crate::app::App;
use crate::bridge::BodyWriter;
use crate::params;
use crate::problem::Problem;
use crate::rights::{Right, require};
use crate::target::Target;
use crate::wire::{Element, Fields, NestedArray, Project, required};

const LIST_QUERY: [Field; 12] = [
    Field::new(
        "search",
        FieldKind::Text,
        "The title contains this; the same as title",
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
        "sort",
        FieldKind::Text,
        "id, title, planned_start, planned_end, actual_start or actual_end; - before it for falling order",
    ),
    Field::new("title", FieldKind::Text, "The title contains this"),
    Field::new("status", FieldKind::Text, "published or unpublished"),
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

const NEW: [Field; 10] = [
    Field::new("title", FieldKind::Title, "The title").required(),
    Field::new("subtitle", FieldKind::Line, "The subtitle"),
    Field::new("parent", FieldKind::Integer, "The project above"),
    Field::new(
        "iati_identifier",
        FieldKind::Title,
        "The IATI identifier; unique",
    ),
    Field::new(
        "is_published",
        FieldKind::Flag,
        "Whether it is published; no if not given",
    ),
    Field::new(
        "is_public",
        FieldKind::Flag,
        "Whether everybody may see it once published; yes if not given",
    ),
    Field::new("is_program", FieldKind::Flag, "Whether it is a program"),
    Field::new(
        "use_project_roles",
        FieldKind::Flag,
        "Whether access goes by roles in the project",
    ),
    Field::new(
        "primary_organisation",
        FieldKind::Integer,
        "The primary organisation",
    ),
    Field::new(
        "default_currency",
        FieldKind::Line,
        "Currency of amounts that name none",
    ),
];

const EDIT: [Field; 11] = [
    Field::new("title", FieldKind::Title, "The title"),
    Field::new("subtitle", FieldKind::Line, "The subtitle"),
    Field::new(
        "parent",
        FieldKind::Integer,
        "The new parent, or null for a root: moves everything below too",
    ),
    Field::new(
        "force",
        FieldKind::Flag,
        "Moves a project with inherited results, which cuts these links",
    ),
    Field::new("is_published", FieldKind::Flag, "Whether it is published"),
    Field::new(
        "is_public",
        FieldKind::Flag,
        "Whether everybody may see it once published",
    ),
    Field::new("is_program", FieldKind::Flag, "Whether it is a program"),
    Field::new(
        "use_project_roles",
        FieldKind::Flag,
        "Whether access goes by roles in the project",
    ),
    Field::new(
        "aggregate_to_parent",
        FieldKind::Flag,
        "Whether its results count in its parent",
    ),
    Field::new(
        "aggregate_children",
        FieldKind::Flag,
        "Whether its children's results count in it",
    ),
    Field::new(
        "primary_organisation",
        FieldKind::Integer,
        "The primary organisation",
    ),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            operation: Operation::get(
                "/api/v1/projects/",
                "projects",
                "The projects of all levels, newest first, with search and filters",
            )
            .heavy()
            .query(&LIST_QUERY),
            handler: get(list),
        },
        Route {
            operation: Operation::write(
                "POST",
                "/api/v1/projects/",
                "create_project",
                "Makes a project",
            )
            .body(&NEW)
            .answers(201, "application/json"),
            handler: post(create),
        },
        Route {
            operation: Operation::get("/api/v1/projects/{id}/", "project", "A project"),
            handler: get(show),
        },
        Route {
            operation: Operation::write(
                "PATCH",
                "/api/v1/projects/{id}/",
                "edit_project",
                "Changes a project, or moves it with everything below it",
            )
            .body(&EDIT),
            handler: patch(edit),
        },
        Route {
            operation: Operation::write(
                "DELETE",
                "/api/v1/projects/{id}/",
                "delete_project",
                "Deletes a project with everything under it",
            ),
            handler: delete(remove),
        },
    ]
}

/// The list is asked for as children are, of no project.
const ALL: ProjectId = ProjectId(0);

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let pairs = params::pairs(query.as_deref())?;
    let own = ["max_depth", "nested"];
    if let Some((name, _)) = pairs.iter().find(|(name, _)| own.contains(&name.as_str())) {
        return Err(params::invalid(name.clone(), "is not known here"));
    }
    let renamed = pairs.iter().map(|(name, value)| match name.as_str() {
        "search" => ("title", value.as_str()),
        name => (name, value.as_str()),
    });
    let request = ChildrenRequest::parse(ALL, caller.viewer(), renamed, &app.cursor_key)
        .map_err(|error| as_asked(error.into(), &pairs))?;
    let negotiated = Negotiated::of(&headers);
    let work = app.clone();
    let (link, reply) = app
        .bridge
        .answer(move |opening| {
            let snapshot = work.store.snapshot()?;
            let scope = Scope::from(&request);
            let n = request.page_size(&work.limits()).get();
            let mut keys =
                snapshot.project_keys(&scope, request.after.as_ref(), n.saturating_add(1))?;
            let is_cut = keys.len() > n;
            keys.truncate(n);
            let last = keys.pop().filter(|_last| is_cut);
            let link = last.map(|last| next_link(&uri, &work.cursor_key.seal(&last, &request)));
            let writer = opening.send(link).encoded(negotiated.encoding);
            write_list(&work, &snapshot, &request, n, writer)
        })
        .await?;
    let mut response = answer::json(reply, None, &negotiated);
    if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// Names the field of a refusal as the client named it.
fn as_asked(problem: Problem, pairs: &[(String, String)]) -> Problem {
    let has = |wanted: &str| pairs.iter().any(|(name, _)| name == wanted);
    if has("search") && !has("title") {
        problem.renamed("title", "search")
    } else {
        problem
    }
}

fn write_list(
    app: &App,
    snapshot: &Snapshot,
    request: &ChildrenRequest,
    n: usize,
    writer: BodyWriter,
) -> Result<(), Problem> {
    let scope = Scope::from(request);
    let chunk_size = app.limits().chunk_size.get();
    let mut array = NestedArray::begin(writer, false)?;
    let mut remaining = n;
    let mut after: Option<Key> = request.after.clone();
    while remaining > 0 {
        let wanted = remaining.min(chunk_size);
        let listed = snapshot.projects(&scope, after.as_ref(), wanted)?;
        let n_read = listed.rows.len();
        for row in listed.rows {
            array.push(1, &Element::from(row))?;
        }
        array.flush()?;
        remaining -= n_read;
        if n_read < wanted {
            break;
        }
        after = listed.last;
    }
    array.end()?.finish()?;
    Ok(())
}

async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let project = params::id("project", &id)?;
    let viewer = caller.viewer();
    let work = app.clone();
    let summary = app
        .bridge
        .run(move || {
            let reader = work.reader(project, &caller);
            work.caches.summary(&reader, |snapshot| {
                let mut project = snapshot.project(project)?;
                if let Some(parent) = project.parent
                    && !snapshot.may_see(parent, viewer)?
                {
                    project.parent = None;
                }
                let project = Project::from(project);
                Ok(serde_json::to_vec(&project)
                    .map_err(Problem::internal)?
                    .into())
            })
        })
        .await?;
    Ok(answer::shared_json(&summary, &Negotiated::of(&headers)))
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let new = NewProject {
        parent: fields.id("parent")?,
        uuid: None,
        iati_identifier: fields.title("iati_identifier")?,
        title: required("title", fields.title("title")?)?,
        subtitle: fields.line("subtitle")?.unwrap_or_default(),
        is_published: fields.flag("is_published")?.unwrap_or(false),
        is_private: !fields.flag("is_public")?.unwrap_or(true),
        is_program: fields.flag("is_program")?.unwrap_or(false),
        use_project_roles: fields.flag("use_project_roles")?.unwrap_or(false),
        organisation: fields.id("primary_organisation")?,
        default_currency: fields.line("default_currency")?.unwrap_or_default(),
    };
    fields.finish()?;
    let targets: Vec<_> = new.parent.map(Target::Project).into_iter().collect();
    let stored = app
        .write(&caller, Right::Edit, &targets, move |_app, tx| {
            let id = tx.create_project(&new)?;
            if new.parent.is_some() {
                tx.inherit_results(id)?;
            }
            Ok(tx.project(id)?)
        })
        .await?;
    tracing::info!(%caller, project = %stored.id, "project created");
    let location = format!("/api/v1/projects/{}/", stored.id);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(Project::from(stored)),
    )
        .into_response())
}

async fn edit(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let project: ProjectId = params::id("project", &id)?;
    let edit = ProjectEdit {
        title: fields.title("title")?,
        subtitle: fields.line("subtitle")?,
        is_published: fields.flag("is_published")?,
        is_public: fields.flag("is_public")?,
        is_program: fields.flag("is_program")?,
        use_project_roles: fields.flag("use_project_roles")?,
        aggregate_to_parent: fields.flag("aggregate_to_parent")?,
        aggregate_children: fields.flag("aggregate_children")?,
        organisation: fields.id("primary_organisation")?,
    };
    let parent = fields
        .nullable("parent", "an id, or null")?
        .map(|parent: Option<i64>| parent.map(ProjectId));
    let force = fields.flag("force")?.unwrap_or(false);
    fields.finish()?;
    let targets: Vec<_> = std::iter::once(project)
        .chain(parent.flatten())
        .map(Target::Project)
        .collect();
    let stored = app
        .write(&caller, Right::Edit, &targets, move |_app, tx| {
            if let Some(parent) = parent {
                tx.move_project(project, parent, force)?;
            }
            tx.edit_project(project, &edit)?;
            Ok(tx.project(project)?)
        })
        .await?;
    tracing::info!(%caller, %project, is_moved = parent.is_some(), "project changed");
    Ok(Json(Project::from(stored)).into_response())
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let project: ProjectId = params::id("project", &id)?;
    let (work, asking) = (app.clone(), caller.clone());
    let delete = move || {
        let (app, target) = (&work, [Target::Project(project)]);
        let snapshot = app.store.snapshot()?;
        require(&snapshot, &asking, Right::Own, &target)?;
        app.refuse_while_deleted(&snapshot, &target)?;
        drop(snapshot);
        // Held until the transaction has ended, whichever way it ends.
        let guard = app.deletions.try_begin(project)?;
        app.write_here(|tx| {
            require(tx, &asking, Right::Own, &target)?;
            let n_deleted = tx.delete_project(guard.id())?;
            let [_export, memory, _aggregation] = &app.measure.metrics.work.operation_memory;
            observe_memory(memory);
            Ok(n_deleted)
        })
    };
    let n_deleted = app.bridge.run(delete).await?;
    tracing::info!(%caller, %project, n_deleted, "project deleted");
    Ok(Json(serde_json::json!({ "id": project.0, "deleted_projects": n_deleted })).into_response())
}
