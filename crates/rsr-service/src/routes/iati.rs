//! IATI 2.03 out of the database, as a stream.

use std::io::{self, Write};

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, HeaderValue, Uri, header};
use rsr_iati::export::{ExportError, ExportNote, ExportOptions, export};
use rsr_iati::writer::WriteError;
use rsr_monitoring::{Counter, Histogram, Scope};
use rsr_store::ActivityFilter;

use super::answer::{self, Negotiated};
use super::table::{Field, FieldKind, Operation, Route};
use crate::access::Caller;
use crate::app::App;
use crate::bridge::BodyWriter;
use crate::params::Params;
use crate::problem::{Kind, Problem};

const QUERY: [Field; 2] = [
    Field::new(
        "reporting_org",
        FieldKind::Text,
        "Only activities this organisation reports, by its reference",
    ),
    Field::new("project", FieldKind::Integer, "Only this project"),
];

const XML: &str = "application/xml";

pub(super) fn routes() -> Vec<Route> {
    vec![Route {
        operation: Operation::get(
            "/api/v1/iati/activities.xml",
            "export_iati",
            "Every activity that may be seen, as IATI 2.03",
        )
        .export()
        .query(&QUERY)
        .answers(200, XML),
        handler: get(activities),
    }]
}

async fn activities(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut params = Params::parse(query.as_deref())?;
    let filter = ActivityFilter {
        reporting_ref: params.text("reporting_org").filter(|text| !text.is_empty()),
        project: params.value("project", "must be an id, a whole number")?,
        visible_to: Some(caller.viewer()),
    };
    params.finish()?;
    let negotiated = Negotiated::of(&headers);
    let work = app.clone();
    let asked = (caller, uri);
    let known = negotiated.clone();
    let (head, reply) = app
        .bridge
        .answer(move |opening| {
            let app = work;
            let tag = app.version_tag(&asked.0, &asked.1)?;
            if known.knows(&tag) {
                opening.send((tag, true)).finish()?;
                return Ok(());
            }
            let writer = opening.send((tag, false)).encoded(known.encoding);
            write_activities(&app, &filter, writer)
        })
        .await?;
    let (tag, is_known) = head;
    if is_known {
        return Ok(answer::not_modified(&tag));
    }
    let mut response = answer::stream(reply.into_body(), XML, &negotiated);
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

fn write_activities(app: &App, filter: &ActivityFilter, writer: BodyWriter) -> Result<(), Problem> {
    let work = &app.measure.metrics.work;
    // Bytes of IATI, not of its compression; those of an export that its reader gave up count too.
    let mut writer = Counted {
        writer,
        bytes: &work.exported_bytes,
    };
    let settings = app.settings();
    let snapshot = app.store.snapshot()?;
    let mut n_omitted = 0_u64;
    let mut omit = |omission: rsr_store::Omission<'_>| {
        n_omitted += 1;
        tracing::debug!(project = %omission.project, element = omission.element, reason = omission.reason, "left out of an export");
    };
    let chunk = app.chunk(settings.iati.export_chunk_size);
    let mut source = snapshot.activities(filter, chunk, &mut omit);
    let mut note = |note: ExportNote| tracing::debug!(?note, "left out of an export");
    let options = ExportOptions::from(&settings.iati);
    let summary = export(&mut source, &mut writer, &options, &mut note).map_err(failed)?;
    drop(source);
    let [written, left_out] = &work.exported;
    written.add(summary.n_activities);
    left_out.add(summary.n_activities_omitted);
    if summary.n_activities == 0 {
        return Err(Problem::new(
            Kind::NotFound,
            "no activity passes the filter and the standard, and a file without any is not valid IATI",
        ));
    }
    if n_omitted + summary.n_activities_omitted > 0 {
        tracing::info!(
            elements = n_omitted + summary.n_elements_omitted,
            activities = summary.n_activities_omitted,
            "an export left out what is not valid"
        );
    }
    let [memory, _deletion, _aggregation] = &work.operation_memory;
    observe_memory(memory);
    writer.writer.finish()?;
    Ok(())
}

/// A writer whose bytes are counted as they are written.
struct Counted<'c> {
    writer: BodyWriter,
    bytes: &'c Counter,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.writer.write(bytes)?;
        self.bytes.add(n as u64);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// What the thread's request has allocated so far, where the allocator tells.
pub(super) fn observe_memory(histogram: &Histogram) {
    if let Some(bytes) = Scope::current().and_then(|scope| scope.usage().allocated) {
        histogram.observe_count(bytes.bytes());
    }
}

fn failed(error: ExportError<rsr_store::Error>) -> Problem {
    match error {
        ExportError::Source(error) => error.into(),
        ExportError::Write(WriteError::Io(error)) => error.into(),
        error => Problem::internal(error),
    }
}
