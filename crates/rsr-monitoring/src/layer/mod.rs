//! A tower layer that measures the memory of each request.

mod body;
mod future;
mod headers;
mod job;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use rsr_base::SharedClock;
use tower_layer::Layer;
use tower_service::Service;

use crate::{ScopeUsage, Vitals};

pub use body::MeasuredBody;
pub use future::{InScope, MeasuredFuture};
pub use headers::InvalidHeaderPrefix;

use headers::HeaderNames;
use job::Job;

/// What one request took, from its arrival to the last byte of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measurement {
    /// From the call of the service to the end of the body.
    pub duration: Duration,
    /// Bytes allocated, freed and held at once.
    pub usage: ScopeUsage,
    /// The answer's status; `None` where the service failed or the client went before there was one.
    pub status: Option<StatusCode>,
    /// Whether the answer was sent to its end.
    pub is_complete: bool,
}

/// Hears of each request that was measured.
pub trait Observe: Send + Sync + 'static {
    /// What is remembered of a request from its start to its end: its route, say, or the handles of its metrics.
    type Subject: Send + 'static;

    /// A request came in.
    fn started<B>(&self, request: &Request<B>) -> Self::Subject;

    /// It will be measured in this scope: the moment to mark it. Does nothing where an observer has no use for it.
    fn scoped(&self, _subject: &Self::Subject, _scope: &crate::Scope) {}

    /// It has ended. Called once for each start, on whatever thread dropped the last of it, outside of its scope.
    fn finished(&self, subject: Self::Subject, measurement: &Measurement);
}

/// Hears nothing: for the headers alone.
impl Observe for () {
    type Subject = ();

    fn started<B>(&self, _request: &Request<B>) {}

    fn finished(&self, _subject: Self::Subject, _measurement: &Measurement) {}
}

/// Measures the memory of each request that goes through a service.
///
/// Each poll of the request's future and of its answer's body runs in a [`Scope`](crate::Scope), so that concurrent
/// requests on the same threads do not see each other's bytes. Headers state what was measured when the head was sent;
/// the observer is told the whole, streams included.
///
/// What is allocated before the service is called (reading the request) and freed after the body is dropped (the head
/// of the answer) is not the request's.
#[derive(Clone)]
pub struct MeasureLayer<O> {
    shared: Arc<Shared<O>>,
}

/// What all requests share.
pub(crate) struct Shared<O> {
    pub(crate) observer: O,
    pub(crate) vitals: Vitals,
    pub(crate) clock: SharedClock,
    pub(crate) headers: Option<HeaderNames>,
    pub(crate) switches: Switches,
}

/// Turns the layer and its detailed headers on and off while it runs. Both are one atomic load for each request.
#[derive(Clone, Debug)]
pub struct Switches {
    is_on: Arc<AtomicBool>,
    is_detailed: Arc<AtomicBool>,
}

impl Switches {
    fn new() -> Self {
        Self {
            is_on: Arc::new(AtomicBool::new(true)),
            is_detailed: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Whether requests are measured.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Measures requests that come from now on, or lets them pass untouched.
    pub fn set_on(&self, on: bool) {
        self.is_on.store(on, Ordering::Relaxed);
    }

    /// Whether answers carry the headers of detailed tracking.
    #[must_use]
    pub fn is_detailed(&self) -> bool {
        self.is_detailed.load(Ordering::Relaxed)
    }

    /// Adds the headers of detailed tracking to answers, or leaves them out.
    pub fn set_detailed(&self, detailed: bool) {
        self.is_detailed.store(detailed, Ordering::Relaxed);
    }
}

impl<O: Observe> MeasureLayer<O> {
    /// Measures without headers and tells `observer`. Process and machine figures come from `vitals`.
    pub fn new(observer: O, vitals: Vitals, clock: SharedClock) -> Self {
        Self::build(None, observer, vitals, clock)
    }

    /// Measures, and adds headers to each answer, whose names begin with `prefix`, such as `X-RSR-Memory`:
    ///
    /// | ending | value |
    /// |---|---|
    /// | `-Duration-Seconds` | from the call of the service to the head |
    /// | `-Before-MB`, `-After-MB` | the process's heap at those two moments, MB of 1,048,576 bytes |
    /// | `-Delta-MB` | what the request allocated less what it freed |
    /// | `-Peak-MB` | most that the request held at once |
    /// | `-System-Usage-Percent` | used share of the machine's memory |
    /// | `-Monitoring-Enabled` | `true` |
    /// | `-Allocated-Bytes`, `-Allocations` | with detailed tracking: bytes and calls |
    ///
    /// A figure that is not known has no header.
    ///
    /// # Errors
    ///
    /// [`InvalidHeaderPrefix`] where no header can have such a name.
    pub fn with_headers(
        prefix: &str,
        observer: O,
        vitals: Vitals,
        clock: SharedClock,
    ) -> Result<Self, InvalidHeaderPrefix> {
        let headers = Some(HeaderNames::try_new(prefix)?);
        Ok(Self::build(headers, observer, vitals, clock))
    }

    fn build(
        headers: Option<HeaderNames>,
        observer: O,
        vitals: Vitals,
        clock: SharedClock,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                observer,
                vitals,
                clock,
                headers,
                switches: Switches::new(),
            }),
        }
    }

    /// Turns it on and off while it runs.
    #[must_use]
    pub fn switches(&self) -> Switches {
        self.shared.switches.clone()
    }
}

impl<O> fmt::Debug for MeasureLayer<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasureLayer")
            .field("headers", &self.shared.headers)
            .field("switches", &self.shared.switches)
            .finish_non_exhaustive()
    }
}

impl<S, O> Layer<S> for MeasureLayer<O> {
    type Service = Measured<S, O>;

    fn layer(&self, inner: S) -> Self::Service {
        Measured {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}

/// A service whose requests are measured; made by [`MeasureLayer`].
pub struct Measured<S, O> {
    inner: S,
    shared: Arc<Shared<O>>,
}

impl<S: Clone, O> Clone for Measured<S, O> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: fmt::Debug, O> fmt::Debug for Measured<S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measured")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, O, B, R> Service<Request<B>> for Measured<S, O>
where
    S: Service<Request<B>, Response = Response<R>>,
    O: Observe,
{
    type Response = Response<MeasuredBody<R, O>>;
    type Error = S::Error;
    type Future = MeasuredFuture<S::Future, O>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !self.shared.switches.is_on() {
            return MeasuredFuture::new(self.inner.call(request), None);
        }
        let mut job = Job::start(&self.shared, &request);
        let future = {
            let _entered = job.enter();
            self.inner.call(request)
        };
        MeasuredFuture::new(future, Some(job))
    }
}
