//! Reports on periods: made, changed, approved, deleted.

use axum::Extension;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, patch, post};
use rsr_aggregation::Numbers;
use rsr_base::{UpdateId, UserId};
use rsr_hierarchy::Viewer;
use rsr_store::{Disaggregation, NewUpdate, UpdateEdit, UpdateStatus};
use serde_json::json;

use super::answer::created;
use super::table::{Field, FieldKind, Operation, Route};
use crate::access::Caller;
use crate::app::App;
use crate::params;
use crate::problem::{Kind, Problem};
use crate::rights::{Right, require, require_own_report};
use crate::target::Target;
use crate::wire::{Fields, refused, required};

/// Scores of one report.
const SCORES_MAX: usize = 1_000;
const STATUSES: [&str; 4] = ["D", "P", "R", "A"];
const SCORE: Field = Field::new("score", FieldKind::Integer, "Of a qualitative report");
const SCORES: Field = Field::new(
    "scores",
    FieldKind::Integers,
    "Of a qualitative report: all of them",
);
const NEW_UPDATE: [Field; 10] = [
    Field::new(
        "user",
        FieldKind::Integer,
        "Who reports; the token's user if not given",
    ),
    Field::new(
        "status",
        FieldKind::Text,
        "D draft, P pending, R returned, A approved; D if not given",
    )
    .one_of(&STATUSES),
    Field::new("value", FieldKind::Decimal, "The value"),
    Field::new("numerator", FieldKind::Decimal, "Of a percentage"),
    Field::new("denominator", FieldKind::Decimal, "Of a percentage"),
    Field::new("text", FieldKind::Text, "The comment"),
    Field::new("narrative", FieldKind::Text, "Of a qualitative report"),
    SCORE,
    SCORES,
    Field::new(
        "disaggregations",
        FieldKind::List,
        "Parts: dimension_value, value, numerator, denominator",
    ),
];
const EDIT_UPDATE: [Field; 9] = [
    Field::new(
        "status",
        FieldKind::Text,
        "D draft, P pending, R returned, A approved",
    )
    .one_of(&STATUSES),
    Field::new(
        "value",
        FieldKind::Decimal,
        "With numerator and denominator: all three are replaced",
    ),
    Field::new("numerator", FieldKind::Decimal, "Of a percentage"),
    Field::new("denominator", FieldKind::Decimal, "Of a percentage"),
    Field::new("text", FieldKind::Text, "The comment"),
    Field::new("narrative", FieldKind::Text, "Of a qualitative report"),
    SCORE,
    SCORES,
    Field::new("disaggregations", FieldKind::List, "All parts anew"),
];

pub(super) fn routes() -> Vec<Route> {
    let new = |path, id, about, body| {
        Operation::write("POST", path, id, about)
            .body(body)
            .answers(201, "application/json")
    };
    vec![
        Route {
            operation: new(
                "/api/v1/periods/{id}/updates/",
                "create_update",
                "Reports on a period; an approved report queues the aggregation",
                &NEW_UPDATE,
            ),
            handler: post(create_update),
        },
        Route {
            operation: Operation::write(
                "PATCH",
                "/api/v1/updates/{id}/",
                "edit_update",
                "Changes or approves a report; queues what it changes",
            )
            .body(&EDIT_UPDATE),
            handler: patch(edit_update),
        },
        Route {
            operation: Operation::write(
                "DELETE",
                "/api/v1/updates/{id}/",
                "delete_update",
                "Deletes a report; queues what it changes",
            ),
            handler: delete(delete_update),
        },
    ]
}

async fn create_update(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let new = NewUpdate {
        period: params::id("period", &id)?,
        user: reporter(&caller, fields.id("user")?)?,
        status: status(&mut fields)?.unwrap_or(UpdateStatus::Draft),
        numbers: numbers(&mut fields)?.unwrap_or_default(),
        text: fields.text("text")?.unwrap_or_default(),
        narrative: fields.text("narrative")?.unwrap_or_default(),
        score: score(&mut fields)?.map(i64::from),
        scores: scores(&mut fields)?.unwrap_or_default(),
        disaggregations: disaggregations(&mut fields)?.unwrap_or_default(),
    };
    fields.finish()?;
    let who = caller.clone();
    let id = app
        .write(
            &caller,
            Right::Report,
            &[Target::Period(new.period)],
            move |_app, tx| {
                if new.status == UpdateStatus::Approved {
                    require(tx, &who, Right::Edit, &[Target::Period(new.period)])?;
                }
                Ok(tx.create_update(&new)?)
            },
        )
        .await?;
    tracing::info!(%caller, update = %id, "update reported");
    Ok(created("updates", id.0))
}

async fn edit_update(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let update: UpdateId = params::id("update", &id)?;
    let edit = UpdateEdit {
        status: status(&mut fields)?,
        numbers: numbers(&mut fields)?,
        text: fields.text("text")?,
        narrative: fields.text("narrative")?,
        score: score(&mut fields)?,
        scores: scores(&mut fields)?,
        disaggregations: disaggregations(&mut fields)?,
    };
    fields.finish()?;
    let status = edit.status;
    let who = caller.clone();
    app.write(
        &caller,
        Right::Report,
        &[Target::Update(update)],
        move |_app, tx| {
            require_own_report(tx, &who, update)?;
            if edit.status == Some(UpdateStatus::Approved) {
                require(tx, &who, Right::Edit, &[Target::Update(update)])?;
            }
            Ok(tx.edit_update(update, &edit)?)
        },
    )
    .await?;
    tracing::info!(%caller, %update, status = status.map(UpdateStatus::code), "update changed");
    Ok(Json(json!({ "id": update.0 })).into_response())
}

async fn delete_update(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let update: UpdateId = params::id("update", &id)?;
    let who = caller.clone();
    app.write(
        &caller,
        Right::Report,
        &[Target::Update(update)],
        move |_app, tx| {
            require_own_report(tx, &who, update)?;
            Ok(tx.delete_update(update)?)
        },
    )
    .await?;
    tracing::info!(%caller, %update, "update deleted");
    Ok(Json(json!({ "id": update.0 })).into_response())
}

/// Who reports: users themselves, and whoever an administrator names.
fn reporter(caller: &Caller, named: Option<UserId>) -> Result<UserId, Problem> {
    match caller.viewer() {
        Viewer::User(user) if named.is_none_or(|named| named == user) => Ok(user),
        Viewer::User(_) => Err(Problem::field(
            Kind::Forbidden,
            "user",
            "only administrators report for others",
        )),
        _ => required("user", named),
    }
}

fn status(fields: &mut Fields) -> Result<Option<UpdateStatus>, Problem> {
    fields
        .text("status")?
        .map(|code| {
            UpdateStatus::from_code(&code)
                .ok_or_else(|| refused("status", "must be D, P, R or A".to_owned()))
        })
        .transpose()
}

fn score(fields: &mut Fields) -> Result<Option<i32>, Problem> {
    fields.value("score", "a whole number of at most nine digits")
}

fn scores(fields: &mut Fields) -> Result<Option<Vec<i32>>, Problem> {
    let scores: Option<Vec<i32>> = fields.value("scores", "a list of whole numbers")?;
    match scores {
        Some(scores) if scores.len() > SCORES_MAX => {
            Err(refused("scores", format!("must be {SCORES_MAX} at most")))
        }
        scores => Ok(scores),
    }
}

/// The three numbers; nothing where none of them is given.
fn numbers(fields: &mut Fields) -> Result<Option<Numbers>, Problem> {
    let is_given = fields.has("value") || fields.has("numerator") || fields.has("denominator");
    let numbers = Numbers {
        value: fields.decimal("value")?,
        numerator: fields.decimal("numerator")?,
        denominator: fields.decimal("denominator")?,
    };
    Ok(is_given.then_some(numbers))
}

fn disaggregations(fields: &mut Fields) -> Result<Option<Vec<Disaggregation>>, Problem> {
    let Some(list) = fields.list("disaggregations")? else {
        return Ok(None);
    };
    list.into_iter()
        .map(|mut part| {
            let disaggregation = Disaggregation {
                dimension_value: required("dimension_value", part.id("dimension_value")?)?,
                numbers: numbers(&mut part)?.unwrap_or_default(),
            };
            part.finish()?;
            Ok(disaggregation)
        })
        .collect::<Result<_, Problem>>()
        .map(Some)
}
