//! Sending to the collector, in JSON over HTTP.
//!
//! A collector stands beside the service as a rule, and speaks to the rest of the world with encryption and patience; so
//! this speaks plain HTTP, and what cannot be sent is dropped and said once.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;

use super::{Span, wire};
use crate::app::App;
use crate::drain::Phase;

/// Spans of one transmission.
const BATCH: usize = 512;
/// Longest wait of a span.
const SPANS_EVERY: Duration = Duration::from_secs(5);
/// Longest time the collector may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(10);

struct Collector {
    host: String,
    address: String,
    /// What comes before `/v1/traces`.
    path: String,
    is_failing: bool,
}

impl Collector {
    /// From an address such as `http://127.0.0.1:4318`; the error says what is wrong with it.
    fn parse(endpoint: &str) -> Result<Self, String> {
        let uri: Uri = endpoint
            .parse()
            .map_err(|error: http::uri::InvalidUri| error.to_string())?;
        if uri.scheme_str() != Some("http") {
            return Err(
                "must begin with http://: a collector on this machine encrypts what leaves it"
                    .to_owned(),
            );
        }
        let authority = uri.authority().ok_or("names no machine")?;
        let port = authority.port_u16().unwrap_or(4318);
        Ok(Self {
            host: authority.to_string(),
            address: format!("{}:{port}", authority.host()),
            path: uri.path().trim_end_matches('/').to_owned(),
            is_failing: false,
        })
    }

    async fn send(&mut self, signal: &str, body: &Value) {
        let sent = tokio::time::timeout(TIMEOUT, self.post(signal, body)).await;
        let failed = match sent {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(_elapsed) => Some(format!("no answer within {} s", TIMEOUT.as_secs())),
        };
        match failed {
            // Said once, not every five seconds.
            Some(error) if !self.is_failing => {
                tracing::warn!(
                    collector = self.address,
                    error,
                    "telemetry is not sent, and dropped"
                );
                self.is_failing = true;
            }
            Some(_) => {}
            None if self.is_failing => {
                tracing::info!(collector = self.address, "telemetry is sent again");
                self.is_failing = false;
            }
            None => {}
        }
    }

    async fn post(&self, signal: &str, body: &Value) -> Result<(), String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let stream = TcpStream::connect(&self.address)
            .await
            .map_err(|error| said(&error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| said(&error))?;
        let connection = tokio::spawn(connection);
        let request = Request::post(format!("{}/v1/{signal}", self.path))
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| said(&error))?;
        let answer = sender.send_request(request).await;
        connection.abort();
        let status = answer.map_err(|error| said(&error))?.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("the collector answered {status}"))
        }
    }
}

/// Sends until the service stops, and then what is left.
pub(super) async fn keep(app: &App, mut spans: Receiver<Span>) {
    let settings = app.settings();
    let endpoint = settings.otlp.endpoint.as_deref().unwrap_or_default();
    let mut collector = match Collector::parse(endpoint) {
        Ok(collector) => collector,
        Err(error) => {
            tracing::warn!(endpoint, error, "telemetry is not sent");
            return;
        }
    };
    let instance = app.instance();
    let began = app.clock.wall();
    let mut waiting = Vec::new();
    let mut spans_due = tokio::time::interval(SPANS_EVERY);
    let mut metrics_due = tokio::time::interval(settings.otlp.interval);
    loop {
        let mut is_last = false;
        let mut with_metrics = false;
        tokio::select! {
            () = app.drain.reached(Phase::Draining) => is_last = true,
            _now = spans_due.tick() => {}
            _now = metrics_due.tick() => with_metrics = true,
            _n = spans.recv_many(&mut waiting, BATCH) => if waiting.len() < BATCH { continue },
        }
        if is_last {
            while let Ok(span) = spans.try_recv() {
                waiting.push(span);
            }
        }
        if !waiting.is_empty() {
            collector
                .send("traces", &wire::traces(&instance, &waiting))
                .await;
            waiting.clear();
        }
        if with_metrics || is_last {
            let families = app.measure.metrics.registry.snapshot();
            let body = wire::metrics(&instance, &families, began, app.clock.wall());
            collector.send("metrics", &body).await;
        }
        if is_last {
            return;
        }
    }
}
