//! How many values of a type live.

use std::any::{TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use rsr_base::ByteSize;

/// Shards of a counter: more threads than this share them.
const SHARDS: usize = 16;

/// Types that can be tracked; more are counted under none.
const TYPES_MAX: usize = 1_000;

/// Lives in a value and counts it: from [`track`] to its drop.
///
/// Put one into a struct; copying the struct copies the count, dropping it ends it. It takes no space.
///
/// ```
/// use rsr_monitoring::{Tracked, track};
///
/// #[derive(Clone)]
/// struct Session {
///     user: u64,
///     _tracked: Tracked<Session>,
/// }
///
/// let session = Session { user: 1, _tracked: track() };
/// let copies = vec![session.clone(); 9];
/// let live = |name: &str| {
///     let all = rsr_monitoring::live_instances();
///     all.iter().find(|object| object.name.ends_with(name)).map(|object| object.n_live)
/// };
/// assert_eq!(live("Session"), Some(10));
/// drop(copies);
/// assert_eq!(live("Session"), Some(1));
/// # assert_eq!(session.user, 1);
/// ```
pub struct Tracked<T: 'static> {
    kind: PhantomData<fn() -> T>,
}

/// Counts one more value of `T`, until what is returned is dropped.
///
/// The first of a type takes a lock; each after it a look-up under a shared lock and one addition to a shard of the
/// thread's own.
#[must_use]
pub fn track<T: 'static>() -> Tracked<T> {
    change::<T>(1);
    Tracked { kind: PhantomData }
}

impl<T: 'static> Clone for Tracked<T> {
    fn clone(&self) -> Self {
        track()
    }
}

impl<T: 'static> Default for Tracked<T> {
    fn default() -> Self {
        track()
    }
}

impl<T: 'static> Drop for Tracked<T> {
    fn drop(&mut self) {
        change::<T>(-1);
    }
}

impl<T: 'static> fmt::Debug for Tracked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tracked<{}>", type_name::<T>())
    }
}

/// Tracked values of two types are equal in this respect: it is no part of what they mean.
impl<T: 'static> PartialEq for Tracked<T> {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl<T: 'static> Eq for Tracked<T> {}

/// Live values of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveInstances {
    /// The type's name, with its path.
    pub name: &'static str,
    /// Values alive now.
    pub n_live: u64,
    /// What they take themselves, without what they point to.
    pub shallow_size: ByteSize,
}

/// Live values of every type that was ever tracked, by name. O(types); no lock that tracking waits for but the first
/// time of a type.
#[must_use]
pub fn live_instances() -> Vec<LiveInstances> {
    let kinds = kinds().read().unwrap_or_else(PoisonError::into_inner);
    let mut all: Vec<_> = kinds
        .iter()
        .map(|kind| {
            let n: i64 = kind
                .shards
                .iter()
                .map(|shard| shard.0.load(Ordering::Relaxed))
                .sum();
            let n_live = u64::try_from(n).unwrap_or(0);
            LiveInstances {
                name: kind.name,
                n_live,
                shallow_size: ByteSize::from_bytes(n_live.saturating_mul(kind.size)),
            }
        })
        .collect();
    all.sort_by_key(|object| object.name);
    all
}

/// A counter on a cache line of its own, so that threads do not wait for each other's.
#[derive(Default)]
#[repr(align(64))]
struct Shard(AtomicI64);

struct Kind {
    id: TypeId,
    name: &'static str,
    size: u64,
    shards: [Shard; SHARDS],
}

type Kinds = RwLock<Vec<Arc<Kind>>>;

/// The one list that the whole process shares: a value can be dropped where nothing else is at hand.
fn kinds() -> &'static Kinds {
    static KINDS: OnceLock<Kinds> = OnceLock::new();
    KINDS.get_or_init(Kinds::default)
}

fn change<T: 'static>(by: i64) {
    let id = TypeId::of::<T>();
    let find = |kinds: &[Arc<Kind>]| kinds.iter().find(|kind| kind.id == id).cloned();
    let known = find(&kinds().read().unwrap_or_else(PoisonError::into_inner));
    let kind = known.or_else(|| {
        let mut kinds = kinds().write().unwrap_or_else(PoisonError::into_inner);
        find(&kinds).or_else(|| {
            let kind = Arc::new(Kind {
                id,
                name: type_name::<T>(),
                size: size_of::<T>() as u64,
                shards: Default::default(),
            });
            (kinds.len() < TYPES_MAX).then(|| {
                kinds.push(Arc::clone(&kind));
                kind
            })
        })
    });
    if let Some(shard) = kind.as_ref().and_then(|kind| kind.shards.get(shard())) {
        shard.0.fetch_add(by, Ordering::Relaxed);
    }
}

/// The shard of the calling thread. Values may be dropped on other threads than they were made on: only the sum of all
/// shards means anything.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    OWN.try_with(|own| *own).unwrap_or(0)
}
