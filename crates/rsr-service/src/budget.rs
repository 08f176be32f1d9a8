//! What work may hold: a pool for each kind of it, and what one request draws from its pool.
//!
//! ```text
//!  process ─┬─ requests        a request, until its answer is sent
//!           ├─ exports         a stream of IATI, likewise
//!           ├─ aggregations    a worker's claim; a tree that is rolled up
//!           ├─ imports         none in the service; the same tree holds commands beside it
//!           ├─ caches          what they hold, a little ahead
//!           └─ profiles        a dump while it is made
//! ```
//!
//! Each may take all that the process has left: what is free is of use to whoever needs it, and the ladder of pressure
//! decides who goes first. What a request needs is estimated from the limits it runs under before it begins. As it goes on,
//! what it really holds is compared at each buffer it hands on, and more is reserved; a request to which no more is promised
//! ends there.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use rsr_base::{ByteSize, MemoryBudget, OverBudget, Reservation, SharedClock};
use rsr_monitoring::{Consumer, Readings, Scope, Tracked, track};
use rsr_settings::Settings;
use rsr_store::WorkBudgets;

use crate::problem::{Kind, Problem};
use crate::routes::table::{Draws, Operation};

/// When a refused caller should ask again: by then the requests of this moment have ended, or most of them.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What a request takes whatever it asks: its head, its answer's, a buffer on its way.
const REQUEST_BYTES: ByteSize = ByteSize::from_kib(96);
/// An answer gathered to be sent in one piece, and what codes it.
const ANSWER_BYTES: ByteSize = ByteSize::from_kib(512);
/// A row of a hierarchy with its names, sectors and countries.
const ROW_BYTES: u64 = 1 << 10;
/// An export beside the activities at hand.
const EXPORT_BYTES: ByteSize = ByteSize::from_mib(1);
/// The elements of an activity; real ones take 20 KB on average, and a part of them is held at once.
const ACTIVITY_BYTES: u64 = 8 << 10;
/// One claim of the aggregation queue: the frontier of a climb.
const CLAIM_BYTES: ByteSize = ByteSize::from_mib(2);
/// A dump of the sampled heap with its names.
const PROFILE_BYTES: ByteSize = ByteSize::from_mib(8);
/// By how much a reservation grows.
const STEP: u64 = 512 << 10;

/// The pools.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    pub(crate) root: MemoryBudget,
    requests: MemoryBudget,
    exports: MemoryBudget,
    pub(crate) caches: MemoryBudget,
    profiles: MemoryBudget,
    pub(crate) store: WorkBudgets,
}

impl Pools {
    /// Pools over what a process of this limit may promise.
    pub(crate) fn new(settings: &Settings, limit: Option<ByteSize>) -> Self {
        let root = MemoryBudget::root("process", promised(settings, limit));
        let pool = |name| root.child(name, ByteSize::MAX);
        Self {
            requests: pool("requests"),
            exports: pool("exports"),
            caches: pool("caches"),
            profiles: pool("profiles"),
            store: WorkBudgets::below(&root),
            root,
        }
    }

    /// Takes over a limit that was changed.
    pub(crate) fn follow(&self, settings: &Settings, limit: Option<ByteSize>) {
        self.root.set_limit(promised(settings, limit));
    }

    /// What a request may hold, before it is begun; nothing for a light one, which is answered whatever happens.
    pub(crate) fn admit(
        &self,
        operation: &Operation,
        body: ByteSize,
        settings: &Settings,
    ) -> Result<Option<Allowance>, Problem> {
        let rows = |n: usize, each: u64| ByteSize::from_bytes((n as u64).saturating_mul(each));
        let (pool, least) = match operation.draws {
            Draws::Nothing => return Ok(None),
            Draws::Little => (&self.requests, REQUEST_BYTES + body + body),
            Draws::Rows => {
                let chunk = rows(settings.hierarchy.chunk_size, ROW_BYTES);
                (&self.requests, REQUEST_BYTES + ANSWER_BYTES + chunk)
            }
            Draws::Export => {
                let chunk = rows(settings.iati.export_chunk_size, ACTIVITY_BYTES);
                (&self.exports, EXPORT_BYTES + chunk)
            }
        };
        let reservation = pool
            .try_reserve(least)
            .map_err(|over| self.refused(&over))?;
        Ok(Some(Allowance(Arc::new(Mutex::new(Drawn {
            reservation,
            most: settings.memory.request_budget.max(least),
            _tracked: track(),
        })))))
    }

    /// What one claim of the aggregation queue may hold.
    pub(crate) fn claim(&self) -> Result<Reservation, OverBudget> {
        self.store.aggregations.try_reserve(CLAIM_BYTES)
    }

    /// What making one heap profile may hold.
    pub(crate) fn profile(&self) -> Result<Reservation, Problem> {
        self.profiles
            .try_reserve(PROFILE_BYTES)
            .map_err(|over| self.refused(&over))
    }

    fn refused(&self, over: &OverBudget) -> Problem {
        let mut pools = self.root.usage();
        pools.retain(|pool| pool.depth > 0 && pool.used > ByteSize::ZERO);
        pools.sort_by_key(|pool| std::cmp::Reverse(pool.used));
        let largest = pools.into_iter().take(3);
        let largest = largest.map(|pool| format!("{} ({})", pool.name, pool.used));
        short(largest.collect()).because(over.clone())
    }
}

/// The answer to a request for which no memory is left.
pub(crate) fn short(largest: Vec<String>) -> Problem {
    let held = if largest.is_empty() {
        String::new()
    } else {
        format!(", most is held by {}", largest.join(", "))
    };
    Problem::new(
        Kind::MemoryPressure,
        format!("memory is short{held}: ask again later"),
    )
    .after(RETRY_AFTER)
}

/// Names of those who hold most, with what they hold.
pub(crate) fn named(consumers: &[Consumer]) -> Vec<String> {
    let shown = consumers
        .iter()
        .map(|consumer| format!("{} ({})", consumer.name, consumer.held));
    shown.collect()
}

/// What a process of these settings may promise: the setting's limit, else the machine's or the control group's, less the
/// reserve. For commands, which share no pools with a service.
#[must_use]
pub fn process_budget(settings: &Settings, clock: &SharedClock) -> MemoryBudget {
    let known = || {
        let readings = Readings::new("/".as_ref(), Arc::clone(clock));
        readings.take().limit.map(|limit| limit.size)
    };
    let limit = settings.memory.limit.or_else(known);
    MemoryBudget::root("process", promised(settings, limit))
}

/// The limit less the part that nobody may reserve: what the process takes by itself, and what is estimated too low.
fn promised(settings: &Settings, limit: Option<ByteSize>) -> ByteSize {
    let Some(limit) = limit else {
        return ByteSize::MAX;
    };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a size far below 2^53 bytes"
    )]
    let kept = (limit.bytes() as f64 * settings.memory.reserve).round() as u64;
    limit - ByteSize::from_bytes(kept)
}

tokio::task_local! {
    static CURRENT: Allowance;
}

/// What one request may hold, from before it begins until the last byte of its answer is sent. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Allowance(Arc<Mutex<Drawn>>);

#[derive(Debug)]
struct Drawn {
    reservation: Reservation,
    /// `memory.request_budget`.
    most: ByteSize,
    /// Requests are counted as values are: one that never ends shows.
    _tracked: Tracked<Allowance>,
}

impl Allowance {
    /// The one of the request that the calling task works for.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Runs a request's handler under its allowance.
    pub(crate) async fn over<F: Future>(allowance: Option<Self>, work: F) -> F::Output {
        match allowance {
            Some(allowance) => CURRENT.scope(allowance, work).await,
            None => work.await,
        }
    }

    /// Covers what the request of this thread holds by now.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::OutOfMemory`] where no more is promised, or the request holds more than any may.
    pub(crate) fn cover(&self) -> io::Result<()> {
        let Some(held) = Scope::held_now() else {
            return Ok(());
        };
        let mut drawn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held <= drawn.reservation.size() {
            return Ok(());
        }
        if held > drawn.most {
            let why = format!(
                "this request holds {held}, memory.request_budget is {}",
                drawn.most
            );
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, why));
        }
        let wanted = ByteSize::from_bytes(held.bytes().next_multiple_of(STEP));
        drawn
            .reservation
            .try_grow_to(wanted)
            .map_err(|over| io::Error::new(io::ErrorKind::OutOfMemory, over))
    }
}

/// A body that keeps its request's allowance until it is sent or given up.
#[derive(Debug)]
pub(crate) struct Covered {
    body: Body,
    _allowance: Allowance,
}

impl Covered {
    /// The same answer, which gives back what is reserved for it at its end.
    pub(crate) fn body(body: Body, allowance: Option<Allowance>) -> Body {
        match allowance {
            Some(allowance) => Body::new(Self {
                body,
                _allowance: allowance,
            }),
            None => body,
        }
    }
}

impl http_body::Body for Covered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
