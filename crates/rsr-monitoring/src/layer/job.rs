//! One request that is being measured.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use rsr_base::ByteSize;

use super::{Measurement, Observe, Shared};
use crate::Scope;
use crate::scope::Entered;

/// Bytes that the shared figure of the heap is told of. What most requests leave behind, the last piece of their answer,
/// is less, and is freed a moment later where nobody counts it; and all threads write to that figure.
const TOLD_MIN: u64 = 4 << 10;

/// From the call of the service to the end of the body; its end is told when it is dropped.
pub(crate) struct Job<O: Observe> {
    shared: Arc<Shared<O>>,
    /// Empty only while the work runs.
    scope: Option<Scope>,
    subject: Option<O::Subject>,
    started: Duration,
    heap_before: Option<ByteSize>,
    status: Option<StatusCode>,
    is_complete: bool,
    /// What the shared figure of the heap has been told so far.
    told: i64,
}

impl<O: Observe> Job<O> {
    pub(super) fn start<B>(shared: &Arc<Shared<O>>, request: &Request<B>) -> Box<Self> {
        let subject = shared.observer.started(request);
        let scope = Scope::new();
        shared.observer.scoped(&subject, &scope);
        Box::new(Self {
            subject: Some(subject),
            scope: Some(scope),
            started: shared.clock.elapsed(),
            heap_before: shared.headers.as_ref().and_then(|_| shared.vitals.heap()),
            status: None,
            is_complete: false,
            told: 0,
            shared: Arc::clone(shared),
        })
    }

    #[inline]
    pub(super) fn enter(&mut self) -> Entered<'_> {
        Entered::new(&mut self.scope)
    }

    /// The head of the answer is there: states in it what was measured so far.
    pub(super) fn head(&mut self, status: StatusCode, headers: &mut http::HeaderMap) {
        self.status = Some(status);
        self.tell(false);
        let shared = &*self.shared;
        if let (Some(names), Some(scope)) = (&shared.headers, &self.scope) {
            names.set(
                headers,
                &super::headers::Figures {
                    duration: shared.clock.elapsed().saturating_sub(self.started),
                    usage: scope.usage(),
                    heap_before: self.heap_before,
                    heap_after: shared.vitals.heap(),
                    system_used_percent: shared.vitals.system_used_percent(),
                    is_detailed: shared.switches.is_detailed(),
                },
            );
        }
    }

    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// A request that was told of once is settled to the byte at its end.
    fn tell(&mut self, is_settled: bool) {
        let retained = self.scope.as_ref().map_or(0, Scope::retained);
        let more = retained - self.told;
        if more.unsigned_abs() >= TOLD_MIN || is_settled && self.told != 0 {
            self.shared.vitals.drift(more);
            self.told = retained;
        }
    }
}

impl<O: Observe> Drop for Job<O> {
    fn drop(&mut self) {
        self.tell(true);
        if let (Some(subject), Some(scope)) = (self.subject.take(), &self.scope) {
            let measurement = Measurement {
                duration: self.shared.clock.elapsed().saturating_sub(self.started),
                usage: scope.usage(),
                status: self.status,
                is_complete: self.is_complete,
            };
            self.shared.observer.finished(subject, &measurement);
        }
    }
}
