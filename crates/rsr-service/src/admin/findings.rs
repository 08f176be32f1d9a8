//! Findings: what is wrong, and who has taken note of it.

use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use rsr_monitoring::{Finding, FindingId, FindingState};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::app::App;
use crate::problem::Problem;
use crate::routes::table::{Field, FieldKind, Operation, Route};
use crate::wire::{Fields, refused, required, rfc3339};

const ACK: [Field; 3] = [
    Field::new("id", FieldKind::Integer, "The finding").required(),
    Field::new(
        "for_seconds",
        FieldKind::Integer,
        "For how long no one need be told; 7 days if not given",
    ),
    Field::new("note", FieldKind::Text, "Why"),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route {
            operation: Operation::admin(
                "GET",
                "/admin/v1/findings/",
                "findings",
                "What is or was wrong, oldest first",
            ),
            handler: get(list),
        },
        Route {
            operation: Operation::admin(
                "POST",
                "/admin/v1/findings/ack/",
                "acknowledge_finding",
                "Takes note of a finding for a time",
            )
            .body(&ACK),
            handler: post(acknowledge),
        },
    ]
}

/// A finding as it is shown.
pub(super) fn finding(app: &App, finding: &Finding) -> Value {
    let seen = &finding.observation;
    let state = match finding.state {
        FindingState::Suspected => "suspected",
        FindingState::Confirmed => "confirmed",
        _ => "resolved",
    };
    let acknowledged = finding
        .acknowledged
        .as_ref()
        .filter(|_note| finding.is_acknowledged(app.clock.wall()))
        .map(|(until, note)| json!({ "until": rfc3339(*until), "note": note }));
    json!({
        "id": finding.id.0,
        "state": state,
        "indicator": seen.indicator,
        "subject": seen.subject,
        "severity": seen.severity.name(),
        "description": seen.description,
        "value": seen.value,
        "threshold": seen.threshold,
        "unit": seen.unit,
        "evidence": seen.evidence,
        "recommendation": seen.recommendation,
        "since": rfc3339(finding.since),
        "last_seen": rfc3339(finding.last_seen),
        "times_seen": finding.n_seen,
        "release": finding.release,
        "acknowledged": acknowledged,
    })
}

async fn list(State(app): State<App>) -> Json<Value> {
    let book = app.findings.book();
    let findings: Vec<Value> = book.findings().map(|one| finding(&app, one)).collect();
    Json(json!({ "open": book.open().count(), "findings": findings }))
}

async fn acknowledge(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    mut fields: Fields,
) -> Result<Json<Value>, Problem> {
    const WEEK: u64 = 7 * 24 * 3600;
    const LONGEST: u64 = 366 * 24 * 3600;
    let id: Option<u64> = fields.value("id", "must be the number of a finding")?;
    let id = required("id", id)?;
    let seconds: Option<u64> = fields.value("for_seconds", "must be a whole number of seconds")?;
    let seconds = seconds.unwrap_or(WEEK);
    let note = fields.text("note")?.unwrap_or_default();
    fields.finish()?;
    if seconds == 0 || seconds > LONGEST {
        return Err(refused(
            "for_seconds",
            format!("must be from 1 to {LONGEST}"),
        ));
    }
    let mut book = app.findings.book();
    if !book.acknowledge(FindingId(id), Duration::from_secs(seconds), note.clone()) {
        return Err(Problem::not_found("finding", id));
    }
    tracing::info!(%caller, id, seconds, note, "finding acknowledged");
    let shown = book.findings().find(|one| one.id == FindingId(id));
    Ok(Json(shown.map_or(Value::Null, |one| finding(&app, one))))
}
