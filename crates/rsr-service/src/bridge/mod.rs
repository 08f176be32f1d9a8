//! From async to blocking and back: the store's work runs on threads, and both their number and what waits is bounded.
//!
//! ```text
//!  handler ──run──────▶ thread ──▶ one value
//!  handler ──answer───▶ thread ──▶ head and bytes in one piece; once they are many, a stream
//!  handler ──stream───▶ thread ──▶ head, then bytes ══(two buffers at most)══▶ body ──▶ reader
//! ```
//!
//! Most answers are small: they leave their thread at once, however slow their reader is, and take no stream's place.
//! A stream's thread waits while its reader is slow, so a slow reader slows the reading of rows and nothing else. A
//! reader that hangs up drops the body: the thread's next write fails, and with it the query ends.

mod threads;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use rsr_monitoring::Scope;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::bounds::Bounds;
use crate::budget::{self, Allowance};
use crate::drain::Drain;
use crate::problem::{Kind, Problem};
use threads::VitalThreads;
pub(crate) use threads::{LightRequest, give_way, give_way_with};
use writer::Undecided;
pub(crate) use writer::{BodyWriter, Encoding};

/// Buffers on their way between a stream's thread and its reader.
const BUFFERS_IN_FLIGHT: usize = 1;

/// Threads for what must be answered while all others are busy.
const VITAL_THREADS: usize = 2;

/// The bounded groups of threads: what is always answered, short work, and streams that may last as long as their readers.
#[derive(Debug)]
pub(crate) struct Bridge {
    /// Health, the dashboard, administration: never behind those who read much.
    vital: Pool,
    vital_threads: VitalThreads,
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

/// A body before its first byte: the moment to count, to check and to refuse.
#[derive(Debug)]
pub(crate) struct Opening<H> {
    head: oneshot::Sender<(H, Decided)>,
    writer: BodyWriter,
    spill: Option<Spill>,
}

/// The bytes behind a head.
#[derive(Debug)]
pub(crate) enum Reply {
    /// All of them.
    Whole(Bytes),
    /// More than are gathered in one piece.
    Stream(Body),
}

#[derive(Debug)]
enum Decided {
    Whole(Bytes),
    Stream,
}

/// What a small answer needs to become a stream: a stream's place instead of its own.
#[derive(Debug)]
struct Spill {
    streams: Arc<Semaphore>,
    held: Held,
    whole_max: usize,
}

/// The permit of a thread at work, which may be exchanged for another.
type Held = Arc<Mutex<Option<OwnedSemaphorePermit>>>;

impl<H: Send + 'static> Opening<H> {
    /// Fixes the head, after which only bytes can follow. The writer fails if nobody waits for them any more.
    pub(crate) fn send(self, head: H) -> BodyWriter {
        let announce = self.head;
        let Some(spill) = self.spill else {
            // A receiver that is gone shows at the first write, which is where all readers that hang up show.
            drop(announce.send((head, Decided::Stream)));
            return self.writer;
        };
        let whole_max = spill.whole_max;
        self.writer.undecided(Undecided {
            whole_max,
            decide: Box::new(move |whole| {
                let decided = match whole {
                    Some(bytes) => Decided::Whole(bytes),
                    None => {
                        spill.become_a_stream()?;
                        Decided::Stream
                    }
                };
                announce
                    .send((head, decided))
                    .map_err(|_gone| io::ErrorKind::BrokenPipe.into())
            }),
        })
    }
}

impl Spill {
    fn become_a_stream(&self) -> io::Result<()> {
        let place = Arc::clone(&self.streams)
            .try_acquire_owned()
            .map_err(|_none| io::Error::from(io::ErrorKind::ResourceBusy))?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        Ok(())
    }
}

impl Bridge {
    pub(crate) fn new(bounds: &Bounds, drain: Drain) -> Self {
        Self {
            vital: Pool::new(
                "threads for administration",
                VITAL_THREADS,
                bounds.waiting_max,
            ),
            vital_threads: VitalThreads::new(VITAL_THREADS + 1),
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

    /// The same for light routes, on threads that nobody else takes: under load their answers do not wait for the answers of
    /// heavy ones.
    ///
    /// # Errors
    ///
    /// As [`Bridge::run`].
    pub(crate) async fn run_vital<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = self.vital.permit(&self.bounds).await?;
        self.vital_threads
            .spawn(carried(permit, work))
            .await
            .map_err(Problem::internal)
            .and_then(|answer| answer)
    }

    /// Starts a duty that guards the service, which no reader may hold up: it takes no place of [`Bridge::run_vital`].
    pub(crate) fn spawn_duty<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.vital_threads.spawn(work)
    }

    /// Runs an answer on a thread: in one piece while it is small, as a stream once it is not.
    ///
    /// # Errors
    ///
    /// What `work` returns before the head left; busy, where the answer grows large and all streams are in use. An
    /// error after that ends the body, so that the reader's connection breaks instead of looking complete.
    pub(crate) async fn answer<H: Send + 'static>(
        &self,
        work: impl FnOnce(Opening<H>) -> Result<(), Problem> + Send + 'static,
    ) -> Result<(H, Reply), Problem> {
        let permit = self.short.permit(&self.bounds).await?;
        self.open(permit, true, work).await
    }

    /// Runs a stream on a thread of its own, and answers as soon as its head is known.
    ///
    /// # Errors
    ///
    /// As [`Bridge::answer`].
    pub(crate) async fn stream<H: Send + 'static>(
        &self,
        work: impl FnOnce(Opening<H>) -> Result<(), Problem> + Send + 'static,
    ) -> Result<(H, Body), Problem> {
        let permit = self.streams.permit(&self.bounds).await?;
        let (head, reply) = self.open(permit, false, work).await?;
        Ok((head, reply.into_body()))
    }

    async fn open<H: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        may_be_whole: bool,
        work: impl FnOnce(Opening<H>) -> Result<(), Problem> + Send + 'static,
    ) -> Result<(H, Reply), Problem> {
        let held: Held = Arc::new(Mutex::new(Some(permit)));
        let (head, head_is_known) = oneshot::channel();
        let (sender, body) = mpsc::channel(BUFFERS_IN_FLIGHT);
        let opening = Opening {
            head,
            writer: BodyWriter::new(sender, self.bounds.stream_buffer, self.drain.clone())
                .under(Allowance::current()),
            spill: may_be_whole.then(|| Spill {
                streams: Arc::clone(&self.streams.permits),
                held: Arc::clone(&held),
                whole_max: self.bounds.whole_max.as_usize(),
            }),
        };
        let work = spawn(held, move || {
            work(opening).inspect_err(|problem| tracing::debug!(%problem, "an answer ended early"))
        });
        match head_is_known.await {
            Ok((head, Decided::Whole(bytes))) => Ok((head, Reply::Whole(bytes))),
            Ok((head, Decided::Stream)) => {
                let body = Body::new(writer::ChannelBody::new(body));
                Ok((head, Reply::Stream(body)))
            }
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

impl Reply {
    /// The bytes as a body, whichever way they come.
    pub(crate) fn into_body(self) -> Body {
        match self {
            Self::Whole(bytes) => Body::from(bytes),
            Self::Stream(body) => body,
        }
    }
}

/// What a writer's failure means for the answer it belongs to.
impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ResourceBusy => {
                Self::busy("all streams are in use", std::time::Duration::from_secs(2))
            }
            io::ErrorKind::BrokenPipe => Self::new(Kind::Stopping, "the reader hung up"),
            io::ErrorKind::OutOfMemory => budget::short(Vec::new()).because(error),
            _ => Self::internal(error),
        }
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
    permit: impl Send + 'static,
    work: impl FnOnce() -> T + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    let work = carried(permit, work);
    tokio::task::spawn_blocking(move || {
        give_way();
        work()
    })
}

/// Work for another thread: what it allocates counts for the request that asked, and what it logs carries its span.
fn carried<T: Send + 'static>(
    permit: impl Send + 'static,
    work: impl FnOnce() -> T + Send + 'static,
) -> impl FnOnce() -> T + Send + 'static {
    let span = tracing::Span::current();
    let work = Scope::carry(work);
    move || {
        let _permit = permit;
        span.in_scope(work)
    }
}
