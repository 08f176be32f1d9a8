//! From async to blocking and back: the store's work runs on threads, and both their number and what waits is bounded.
//!
//! ```text
//!  handler ──run──────▶ thread ──▶ one answer
//!  handler ──stream───▶ thread ──▶ head, then bytes ══(two buffers at most)══▶ body ──▶ reader
//! ```
//!
//! A stream's thread waits while its reader is slow, so a slow reader slows the reading of rows and nothing else. A
//! reader that hangs up drops the body: the thread's next write fails, and with it the query ends.

mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::bounds::Bounds;
use crate::drain::Drain;
use crate::problem::{Kind, Problem};
pub(crate) use writer::{BodyWriter, Encoding};

/// Buffers on their way between a stream's thread and its reader.
const BUFFERS_IN_FLIGHT: usize = 1;

/// The two bounded groups of threads: short work, and streams that may last as long as their readers.
#[derive(Debug)]
pub(crate) struct Bridge {
    short: Pool,
    streams: Pool,
    bounds: Bounds,
    drain: Drain,
}

#[derive(Debug)]
struct Pool {
    name: &'static str,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// A stream before its first byte: the moment to count, to check and to refuse.
#[derive(Debug)]
pub(crate) struct Opening<H> {
    head: oneshot::Sender<H>,
    writer: BodyWriter,
}

impl<H> Opening<H> {
    /// Sends the head, after which only bytes can follow. The writer fails if nobody waits for them any more.
    pub(crate) fn send(self, head: H) -> BodyWriter {
        // A receiver that is gone shows at the first write, which is where all readers that hang up show.
        drop(self.head.send(head));
        self.writer
    }
}

impl Bridge {
    pub(crate) fn new(bounds: &Bounds, drain: Drain) -> Self {
        Self {
            short: Pool::new("threads", bounds.readers_max, bounds.waiting_max),
            streams: Pool::new("streams", bounds.streams_max, 0),
            bounds: bounds.clone(),
            drain,
        }
    }

    /// Runs short work on a thread and waits for its answer.
    ///
    /// Work that has begun ends even if nobody waits any more, so that a write is never half-done.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = self.short.permit(&self.bounds).await?;
        spawn(permit, work)
            .await
            .map_err(Problem::internal)
            .and_then(|answer| answer)
    }

    /// Runs a stream on a thread of its own, and answers as soon as its head is known.
    ///
    /// # Errors
    ///
    /// What `work` returns before it sent a head; an error after that ends the body, so that the reader's connection
    /// breaks instead of looking complete.
    pub(crate) async fn stream<H: Send + 'static>(
        &self,
        work: impl FnOnce(Opening<H>) -> Result<(), Problem> + Send + 'static,
    ) -> Result<(H, Body), Problem> {
        let permit = self.streams.permit(&self.bounds).await?;
        let (head, head_is_known) = oneshot::channel();
        let (sender, body) = mpsc::channel(BUFFERS_IN_FLIGHT);
        let opening = Opening {
            head,
            writer: BodyWriter::new(sender, self.bounds.stream_buffer, self.drain.clone()),
        };
        let work = spawn(permit, move || {
            work(opening).inspect_err(|problem| tracing::debug!(%problem, "a stream ended early"))
        });
        match head_is_known.await {
            Ok(head) => Ok((head, Body::new(writer::ChannelBody::new(body)))),
            Err(_no_head) => match work.await {
                Ok(Err(problem)) => Err(problem),
                Ok(Ok(())) => Err(Problem::internal("a stream ended without a head")),
                Err(panicked) => Err(Problem::internal(panicked)),
            },
        }
    }

    /// Streams under way.
    pub(crate) fn n_streams(&self) -> usize {
        self.bounds
            .streams_max
            .saturating_sub(self.streams.permits.available_permits())
    }
}

impl Pool {
    fn new(name: &'static str, threads: usize, waiting_max: usize) -> Self {
        Self {
            name,
            permits: Arc::new(Semaphore::new(threads)),
            waiting: AtomicUsize::new(0),
            waiting_max,
        }
    }

    async fn permit(&self, bounds: &Bounds) -> Result<OwnedSemaphorePermit, Problem> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let Some(_place) = Place::take(&self.waiting, self.waiting_max) else {
            return Err(Problem::busy(
                format!("all {} are in use", self.name),
                bounds.retry_after,
            ));
        };
        Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|closed| {
                Problem::new(Kind::Stopping, "the service is stopping").because(closed)
            })
    }
}

/// One place in the queue, given back on drop.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, max: usize) -> Option<Self> {
        waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
                (count < max).then(|| count + 1)
            })
            .ok()
            .map(|_before| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Starts work on a blocking thread; the permit is given back when the work ends, whoever still waits.
fn spawn<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        span.in_scope(work)
    })
}
