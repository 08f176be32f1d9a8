//! Traces and metrics for OpenTelemetry, where the feature `otlp` is built in and the settings name a collector.

#[cfg(feature = "otlp")]
mod send;
#[cfg(feature = "otlp")]
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::app::App;
use crate::drain::Phase;

/// Spans that wait to be sent; more are dropped, since a collector that is slow must not slow the service.
const WAITING_MAX: usize = 2_048;

/// One answered request.
#[cfg_attr(
    not(feature = "otlp"),
    expect(
        dead_code,
        reason = "read where spans are sent, which is built in on request"
    )
)]
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// 32 and 16 hexadecimal digits.
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    /// Method and route.
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) began: SystemTime,
    pub(crate) ended: SystemTime,
}

/// Takes spans, without waiting. Where nothing is sent it takes none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans {
    sender: Option<Sender<Span>>,
    receiver: Arc<Mutex<Option<Receiver<Span>>>>,
}

impl Spans {
    /// Spans are taken where the settings name a collector and this program can send to it.
    pub(crate) fn new(settings: &rsr_settings::OtlpSettings) -> Self {
        if settings.endpoint.is_none() {
            return Self::default();
        }
        if !cfg!(feature = "otlp") {
            tracing::warn!(
                "RSR_OTLP_ENDPOINT is set and this program cannot send: build it with --features otlp"
            );
            return Self::default();
        }
        let (sender, receiver) = channel(WAITING_MAX);
        Self {
            sender: Some(sender),
            receiver: Arc::new(Mutex::new(Some(receiver))),
        }
    }

    /// Whether spans are wanted.
    pub(crate) fn is_on(&self) -> bool {
        self.sender.is_some()
    }

    pub(crate) fn record(&self, span: Span) {
        if let Some(sender) = &self.sender {
            // Full: the collector is slower than the service, and the service goes first.
            let _is_kept = sender.try_send(span).is_ok();
        }
    }

    fn take(&self) -> Option<Receiver<Span>> {
        self.receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// Sends until the service stops, and then what is left.
pub(crate) async fn keep(app: App) {
    if let Some(spans) = app.spans.take() {
        #[cfg(feature = "otlp")]
        send::keep(&app, spans).await;
        #[cfg(not(feature = "otlp"))]
        drop(spans);
    }
    app.drain.reached(Phase::Draining).await;
}
