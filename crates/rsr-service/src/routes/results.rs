//! Results, indicators, periods and updates: made, reported, approved.

use axum::Extension;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, patch, post};
use http::StatusCode;
use rsr_aggregation::Numbers;
use rsr_base::{PeriodId, UpdateId, UserId};
use rsr_hierarchy::Viewer;
use rsr_store::{
    Disaggregation, NewIndicator, NewPeriod, NewResult, NewUpdate, UpdateEdit, UpdateStatus,
};
use serde_json::json;

use super::table::{Field, FieldKind, Operation, Route};
use crate::access::Caller;
use crate::app::App;
use crate::params;
use crate::problem::{Kind, Problem};
use crate::rights::{Right, require, require_own_report};
use crate::target::Target;
use crate::wire::{Fields, refused, required};

const NEW_RESULT: [Field; 5] = [
    Field::new("project", FieldKind::Integer, "The project").required(),
    Field::new(
        "type",
        FieldKind::Text,
        "1 output, 2 outcome, 3 impact, 9 other",
    ),
    Field::new("title", FieldKind::Text, "The title").required(),
    Field::new("description", FieldKind::Text, "The description"),
    Field::new(
        "aggregation_status",
        FieldKind::Flag,
        "IATI's aggregation-status",
    ),
];
const NEW_INDICATOR: [Field; 8] = [
    Field::new("result", FieldKind::Integer, "The result").required(),
    Field::new("title", FieldKind::Text, "The title").required(),
    Field::new("description", FieldKind::Text, "The description"),
    Field::new("measure", FieldKind::Text, "1 unit, 2 percentage"),
    Field::new(
        "qualitative",
        FieldKind::Flag,
        "Scores and narratives in place of numbers",
    ),
    Field::new(
        "cumulative",
        FieldKind::Flag,
        "Every report is a running total",
    ),
    Field::new("ascending", FieldKind::Flag, "Whether more is better"),
    Field::new("has_scores", FieldKind::Flag, "Whether it defines scores"),
];
const NEW_PERIOD: [Field; 4] = [
    Field::new("indicator", FieldKind::Integer, "The indicator").required(),
    Field::new("start", FieldKind::Date, "The first day"),
    Field::new("end", FieldKind::Date, "The last day"),
    Field::new("target_value", FieldKind::Text, "The target"),
];
const MANUAL: [Field; 3] = [
    Field::new(
        "manual_value",
        FieldKind::Text,
        "The typed value; null takes it away",
    ),
    Field::new("manual_numerator", FieldKind::Decimal, "Of a percentage"),
    Field::new("manual_denominator", FieldKind::Decimal, "Of a percentage"),
];
const NEW_UPDATE: [Field; 9] = [
    Field::new(
        "user",
        FieldKind::Integer,
        "Who reports; the token's user if not given",
    ),
    Field::new(
        "status",
        FieldKind::Text,
        "D draft, P pending, R returned, A approved; D if not given",
    ),
    Field::new("value", FieldKind::Decimal, "The value"),
    Field::new("numerator", FieldKind::Decimal, "Of a percentage"),
    Field::new("denominator", FieldKind::Decimal, "Of a percentage"),
    Field::new("text", FieldKind::Text, "The comment"),
    Field::new("narrative", FieldKind::Text, "Of a qualitative report"),
    Field::new("score", FieldKind::Integer, "Of a qualitative report"),
    Field::new(
        "disaggregations",
        FieldKind::List,
        "Parts: dimension_value, value, numerator, denominator",
    ),
];
const EDIT_UPDATE: [Field; 7] = [
    Field::new(
        "status",
        FieldKind::Text,
        "D draft, P pending, R returned, A approved",
    ),
    Field::new(
        "value",
        FieldKind::Decimal,
        "With numerator and denominator: all three are replaced",
    ),
    Field::new("numerator", FieldKind::Decimal, "Of a percentage"),
    Field::new("denominator", FieldKind::Decimal, "Of a percentage"),
    Field::new("text", FieldKind::Text, "The comment"),
    Field::new("narrative", FieldKind::Text, "Of a qualitative report"),
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
                "/api/v1/results/",
                "create_result",
                "Makes a result, with copies in the projects below",
                &NEW_RESULT,
            ),
            handler: post(create_result),
        },
        Route {
            operation: new(
                "/api/v1/indicators/",
                "create_indicator",
                "Makes an indicator, with copies below",
                &NEW_INDICATOR,
            ),
            handler: post(create_indicator),
        },
        Route {
            operation: new(
                "/api/v1/periods/",
                "create_period",
                "Makes a period, with copies below",
                &NEW_PERIOD,
            ),
            handler: post(create_period),
        },
        Route {
            operation: Operation::write(
                "PATCH",
                "/api/v1/periods/{id}/",
                "edit_period",
                "Sets or takes away a period's manual value",
            )
            .body(&MANUAL),
            handler: patch(edit_period),
        },
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

fn created(path: &str, id: i64) -> Response {
    let location = format!("/api/v1/{path}/{id}/");
    let head = [(http::header::LOCATION, location)];
    (StatusCode::CREATED, head, Json(json!({ "id": id }))).into_response()
}

async fn create_result(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let new = NewResult {
        project: required("project", fields.id("project")?)?,
        kind: fields.text("type")?.unwrap_or_default(),
        title: required("title", fields.text("title")?)?,
        description: fields.text("description")?.unwrap_or_default(),
        aggregation_status: fields.flag("aggregation_status")?,
    };
    fields.finish()?;
    let id = app
        .write(
            &caller,
            Right::Edit,
            &[Target::Project(new.project)],
            move |_app, tx| Ok(tx.create_result(&new)?),
        )
        .await?;
    Ok(created("results", id.0))
}

async fn create_indicator(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let new = NewIndicator {
        result: required("result", fields.id("result")?)?,
        is_qualitative: fields.flag("qualitative")?.unwrap_or(false),
        measure: fields.text("measure")?.unwrap_or_default(),
        is_cumulative: fields.flag("cumulative")?.unwrap_or(false),
        is_ascending: fields.flag("ascending")?,
        has_scores: fields.flag("has_scores")?.unwrap_or(false),
        title: required("title", fields.text("title")?)?,
        description: fields.text("description")?.unwrap_or_default(),
    };
    fields.finish()?;
    let id = app
        .write(
            &caller,
            Right::Edit,
            &[Target::Result(new.result)],
            move |_app, tx| Ok(tx.create_indicator(&new)?),
        )
        .await?;
    Ok(created("indicators", id.0))
}

async fn create_period(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let new = NewPeriod {
        indicator: required("indicator", fields.id("indicator")?)?,
        start: date(&mut fields, "start")?,
        end: date(&mut fields, "end")?,
        target_value: fields.text("target_value")?.unwrap_or_default(),
    };
    fields.finish()?;
    let id = app
        .write(
            &caller,
            Right::Edit,
            &[Target::Indicator(new.indicator)],
            move |_app, tx| Ok(tx.create_period(&new)?),
        )
        .await?;
    Ok(created("periods", id.0))
}

async fn edit_period(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let period: PeriodId = params::id("period", &id)?;
    let text = fields.text("manual_value")?;
    let numerator = fields.decimal("manual_numerator")?;
    let denominator = fields.decimal("manual_denominator")?;
    let pair = match (numerator, denominator) {
        (Some(numerator), Some(denominator)) => Some((numerator, denominator)),
        (None, None) => None,
        (None, Some(_)) => {
            return Err(refused(
                "manual_numerator",
                "is needed with its denominator".to_owned(),
            ));
        }
        (Some(_), None) => {
            return Err(refused(
                "manual_denominator",
                "is needed with its numerator".to_owned(),
            ));
        }
    };
    fields.finish()?;
    app.write(
        &caller,
        Right::Edit,
        &[Target::Period(period)],
        move |_app, tx| Ok(tx.set_manual_value(period, text.as_deref(), pair)?),
    )
    .await?;
    tracing::info!(%caller, %period, "manual value set");
    Ok(Json(json!({ "id": period.0 })).into_response())
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
        score: fields.id("score")?,
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

/// A calendar date, `2024-12-31`.
fn date(fields: &mut Fields, name: &'static str) -> Result<Option<String>, Problem> {
    let Some(text) = fields.text(name)? else {
        return Ok(None);
    };
    match rsr_aggregation::Date::parse(&text) {
        Some(date) if text.as_bytes().get(4) == Some(&b'-') && text.len() == 10 => Ok(Some(
            format!("{:04}-{:02}-{:02}", date.year, date.month, date.day),
        )),
        _ => Err(refused(
            name,
            "must be a date such as 2024-12-31".to_owned(),
        )),
    }
}
