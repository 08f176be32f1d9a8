//! Results, indicators and periods: made and changed.

use axum::Extension;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use rsr_aggregation::Hundredths;
use rsr_base::{IndicatorId, PeriodId, ResultId};
use rsr_store::{IndicatorEdit, NewIndicator, NewPeriod, NewResult, PeriodEdit, ResultEdit};
use serde_json::json;

use super::answer::created;
use super::table::{Field, FieldKind, Operation, Route};
use crate::access::Caller;
use crate::app::App;
use crate::params;
use crate::problem::Problem;
use crate::rights::Right;
use crate::target::Target;
use crate::wire::{Fields, refused, required};

const TYPES: [&str; 4] = ["1", "2", "3", "9"];
const MEASURES: [&str; 5] = ["1", "2", "3", "4", "5"];

const NEW_RESULT: [Field; 5] = [
    Field::new("project", FieldKind::Integer, "The project").required(),
    Field::new(
        "type",
        FieldKind::Line,
        "1 output, 2 outcome, 3 impact, 9 other",
    )
    .one_of(&TYPES),
    Field::new("title", FieldKind::Title, "The title").required(),
    Field::new("description", FieldKind::Text, "The description"),
    Field::new(
        "aggregation_status",
        FieldKind::Flag,
        "IATI's aggregation-status",
    ),
];
const NEW_INDICATOR: [Field; 8] = [
    Field::new("result", FieldKind::Integer, "The result").required(),
    Field::new("title", FieldKind::Title, "The title").required(),
    Field::new("description", FieldKind::Text, "The description"),
    Field::new(
        "measure",
        FieldKind::Line,
        "1 unit, 2 percentage, 3 nominal, 4 ordinal, 5 qualitative",
    )
    .one_of(&MEASURES),
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
    Field::new("target_value", FieldKind::Line, "The target"),
];
const EDIT_RESULT: [Field; 4] = [
    Field::new(
        "type",
        FieldKind::Line,
        "1 output, 2 outcome, 3 impact, 9 other",
    )
    .one_of(&TYPES),
    Field::new("title", FieldKind::Title, "The title"),
    Field::new("description", FieldKind::Text, "The description"),
    Field::new(
        "aggregation_status",
        FieldKind::Flag,
        "IATI's aggregation-status",
    ),
];
const EDIT_INDICATOR: [Field; 7] = [
    Field::new("title", FieldKind::Title, "The title"),
    Field::new("description", FieldKind::Text, "The description"),
    Field::new(
        "measure",
        FieldKind::Line,
        "1 unit, 2 percentage; with qualitative, cumulative and has_scores changed where it was made, for all copies",
    )
    .one_of(&MEASURES),
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
const EDIT_PERIOD: [Field; 6] = [
    Field::new(
        "start",
        FieldKind::Date,
        "The first day; changed where it was made, for all copies",
    ),
    Field::new("end", FieldKind::Date, "The last day"),
    Field::new("target_value", FieldKind::Line, "The target"),
    Field::new(
        "manual_value",
        FieldKind::Line,
        "The typed value; null takes it away, and the numbers below with it",
    ),
    Field::new("manual_numerator", FieldKind::Decimal, "Of a percentage"),
    Field::new("manual_denominator", FieldKind::Decimal, "Of a percentage"),
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
                "Changes a period, or sets or takes away its manual value; queues what that changes",
            )
            .body(&EDIT_PERIOD),
            handler: patch(edit_period),
        },
        Route {
            operation: Operation::write(
                "PATCH",
                "/api/v1/results/{id}/",
                "edit_result",
                "Changes a result; its copies keep their own texts",
            )
            .body(&EDIT_RESULT),
            handler: patch(edit_result),
        },
        Route {
            operation: Operation::write(
                "PATCH",
                "/api/v1/indicators/{id}/",
                "edit_indicator",
                "Changes an indicator; how it counts changes in its copies too, and queues their periods",
            )
            .body(&EDIT_INDICATOR),
            handler: patch(edit_indicator),
        },
    ]
}

async fn create_result(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let new = NewResult {
        project: required("project", fields.id("project")?)?,
        kind: fields.choice("type", &TYPES)?.unwrap_or_default(),
        title: required("title", fields.title("title")?)?,
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
    tracing::info!(%caller, result = %id, "result made");
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
        measure: fields.choice("measure", &MEASURES)?.unwrap_or_default(),
        is_cumulative: fields.flag("cumulative")?.unwrap_or(false),
        is_ascending: fields.flag("ascending")?,
        has_scores: fields.flag("has_scores")?.unwrap_or(false),
        title: required("title", fields.title("title")?)?,
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
    tracing::info!(%caller, indicator = %id, "indicator made");
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
        target_value: fields.line("target_value")?.unwrap_or_default(),
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
    tracing::info!(%caller, period = %id, "period made");
    Ok(created("periods", id.0))
}

async fn edit_result(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let result: ResultId = params::id("result", &id)?;
    let edit = ResultEdit {
        kind: fields.choice("type", &TYPES)?,
        title: fields.title("title")?,
        description: fields.text("description")?,
        aggregation_status: fields.flag("aggregation_status")?,
    };
    fields.finish()?;
    let target = [Target::Result(result)];
    app.write(&caller, Right::Edit, &target, move |_app, tx| {
        Ok(tx.edit_result(result, &edit)?)
    })
    .await?;
    tracing::info!(%caller, %result, "result changed");
    Ok(Json(json!({ "id": result.0 })).into_response())
}

async fn edit_indicator(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let indicator: IndicatorId = params::id("indicator", &id)?;
    let edit = IndicatorEdit {
        title: fields.title("title")?,
        description: fields.text("description")?,
        is_ascending: fields.flag("ascending")?,
        is_qualitative: fields.flag("qualitative")?,
        measure: fields.choice("measure", &MEASURES)?,
        is_cumulative: fields.flag("cumulative")?,
        has_scores: fields.flag("has_scores")?,
    };
    fields.finish()?;
    let target = [Target::Indicator(indicator)];
    app.write(&caller, Right::Edit, &target, move |_app, tx| {
        Ok(tx.edit_indicator(indicator, &edit)?)
    })
    .await?;
    tracing::info!(%caller, %indicator, "indicator changed");
    Ok(Json(json!({ "id": indicator.0 })).into_response())
}

async fn edit_period(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let period: PeriodId = params::id("period", &id)?;
    let day = |fields: &mut Fields, name| {
        let is_given = fields.has(name);
        date(fields, name).map(|day| is_given.then_some(day))
    };
    let edit = PeriodEdit {
        start: day(&mut fields, "start")?,
        end: day(&mut fields, "end")?,
        target_value: fields.line("target_value")?,
    };
    let manual = manual(&mut fields)?;
    fields.finish()?;
    let is_manual = manual.is_some();
    let target = [Target::Period(period)];
    app.write(&caller, Right::Edit, &target, move |_app, tx| {
        tx.edit_period(period, &edit)?;
        if let Some((text, pair)) = &manual {
            tx.set_manual_value(period, text.as_deref(), *pair)?;
        }
        Ok(())
    })
    .await?;
    tracing::info!(%caller, %period, is_manual, "period changed");
    Ok(Json(json!({ "id": period.0 })).into_response())
}

/// A manual value: its text, and the pair of a percentage.
type Manual = (Option<String>, Option<(Hundredths, Hundredths)>);

/// The manual value; nothing where no part of it is given.
fn manual(fields: &mut Fields) -> Result<Option<Manual>, Problem> {
    let names = ["manual_value", "manual_numerator", "manual_denominator"];
    let is_given = names.iter().any(|name| fields.has(name));
    let text = fields.line_or_number("manual_value")?;
    let numerator = fields.decimal("manual_numerator")?;
    let denominator = fields.decimal("manual_denominator")?;
    let needed = |name, other: &str| Err(refused(name, format!("is needed with its {other}")));
    let pair = match (numerator, denominator) {
        (Some(numerator), Some(denominator)) => Some((numerator, denominator)),
        (None, None) => None,
        (None, Some(_)) => return needed("manual_numerator", "denominator"),
        (Some(_), None) => return needed("manual_denominator", "numerator"),
    };
    Ok(is_given.then_some((text, pair)))
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
