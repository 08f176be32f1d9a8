//! What commands beside the service did with IATI files, for its counters: they end before anybody could scrape them.

use axum::Json;
use axum::extract::State;
use axum::routing::post;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::Problem;
use crate::routes::table::{Field, FieldKind, Operation, Route};
use crate::wire::{Fields, refused, required};

const COUNTS: [Field; 5] = [
    Field::new("operation", FieldKind::Text, "import, export or validate"),
    Field::new(
        "good",
        FieldKind::Integer,
        "Activities kept, written or valid",
    ),
    Field::new(
        "bad",
        FieldKind::Integer,
        "Activities skipped, left out or with findings",
    ),
    Field::new("bytes", FieldKind::Integer, "Bytes read or written"),
    Field::new(
        "database",
        FieldKind::Text,
        "Which database it was done with; nothing is counted where it is not the service's",
    ),
];

pub(super) fn routes() -> Vec<Route> {
    vec![Route {
        operation: Operation::admin(
            "POST",
            "/admin/v1/iati/counts/",
            "iati_counts",
            "Counts what a command did with IATI files among the service's own",
        )
        .body(&COUNTS),
        handler: post(count),
    }]
}

async fn count(State(app): State<App>, mut fields: Fields) -> Result<Json<Value>, Problem> {
    let operation = required("operation", fields.text("operation")?)?;
    let number = |fields: &mut Fields, name: &'static str| -> Result<u64, Problem> {
        let number: u64 = required(name, fields.value(name, "a whole number from 0")?)?;
        Ok(number)
    };
    let good = number(&mut fields, "good")?;
    let bad = number(&mut fields, "bad")?;
    let bytes = number(&mut fields, "bytes")?;
    let database = fields.text("database")?;
    fields.finish()?;
    if database.is_some_and(|database| database != app.store.identity()) {
        return Ok(Json(json!({"counted": false})));
    }
    let work = &app.measure.metrics.work;
    let ([well, badly], all) = match operation.as_str() {
        "import" => (&work.imported, &work.imported_bytes),
        "export" => (&work.exported, &work.exported_bytes),
        "validate" => (&work.validated, &work.validated_bytes),
        _ => {
            return Err(refused(
                "operation",
                "must be import, export or validate".to_owned(),
            ));
        }
    };
    well.add(good);
    badly.add(bad);
    all.add(bytes);
    Ok(Json(json!({"counted": true})))
}
