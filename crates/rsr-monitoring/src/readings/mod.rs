//! How much memory the process, its group and the machine use, and how much they may.

mod cgroup;
mod file;
mod process;
mod system;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rsr_base::{ByteSize, SharedClock};

use crate::allocator;
pub use crate::allocator::HeapReading;
pub use cgroup::{GroupReading, Limit, LimitSource};
pub use process::ProcessReading;
pub use system::{StallReading, SystemReading};

/// Limits are looked up again after this time: an orchestrator may change them under a running process.
const LIMIT_AGE_MAX: Duration = Duration::from_secs(30);

/// Reads the memory figures of this process, its control group and its machine.
///
/// Files under `/proc` are opened once and read again in place. A figure that cannot be had is `None`, never 0.
///
/// | reading | about |
/// |---|---|
/// | [`Readings::resident`] | 1 µs |
/// | [`Readings::heap`] | 35 µs |
/// | [`Readings::take`] | 100 µs, and a few µs for each level of control groups |
///
/// ```
/// use rsr_monitoring::Readings;
///
/// let readings = Readings::of_this_process();
/// let now = readings.take();
/// if let Some(process) = now.process {
///     println!("{} resident of {:?}", process.resident, now.limit);
/// }
/// ```
#[derive(Debug)]
pub struct Readings {
    process: process::ProcessFiles,
    system: system::SystemFiles,
    groups: cgroup::Groups,
    clock: SharedClock,
    cached: Mutex<CachedLimit>,
}

#[derive(Debug, Default)]
struct CachedLimit {
    read_at: Option<Duration>,
    limit: Option<Limit>,
}

/// Everything [`Readings`] can tell, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// Of this process, from `/proc`.
    pub process: Option<ProcessReading>,
    /// Of its heap; absent where the allocator does not tell.
    pub heap: Option<HeapReading>,
    /// Of the machine.
    pub system: Option<SystemReading>,
    /// Of the control group the process is in.
    pub group: Option<GroupReading>,
    /// How much time work stood still for want of memory: of the group where it tells, else of the machine.
    pub stall: Option<StallReading>,
    /// The tightest limit that holds for this process.
    pub limit: Option<Limit>,
}

impl Readings {
    /// Reads this process, on the system's clock.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::new(Path::new("/"), rsr_base::system_clock())
    }

    /// Reads `proc` and `sys` below `root` instead of `/`, as a test with a tree of files does.
    #[must_use]
    pub fn new(root: &Path, clock: SharedClock) -> Self {
        let root = PathBuf::from(root);
        Self {
            process: process::ProcessFiles::open(&root),
            system: system::SystemFiles::open(&root),
            groups: cgroup::Groups::new(root),
            clock,
            cached: Mutex::default(),
        }
    }

    /// Everything at once.
    #[must_use]
    pub fn take(&self) -> Reading {
        let system = self.system.read();
        let groups = self.groups.find();
        Reading {
            process: self.process.read(),
            heap: self.heap(),
            system,
            group: groups.reading(),
            stall: groups.stall().or_else(|| self.system.stall()),
            limit: self.limit(),
        }
    }

    /// Physical memory the process holds. One read of an open file.
    #[must_use]
    pub fn resident(&self) -> Option<ByteSize> {
        Some(self.process.statm()?.resident)
    }

    /// Figures of the heap; `None` where the allocator does not tell.
    #[must_use]
    pub fn heap(&self) -> Option<HeapReading> {
        allocator::heap()
    }

    /// Memory of the machine.
    #[must_use]
    pub fn system(&self) -> Option<SystemReading> {
        self.system.read()
    }

    /// The tightest limit that holds for this process: of its control group or one above it, else the machine's
    /// memory. At most 30 s old.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        let now = self.clock.elapsed();
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = cached
            .read_at
            .is_some_and(|at| now.saturating_sub(at) < LIMIT_AGE_MAX);
        if !is_fresh {
            let machine = self.system.read().map(|system| Limit {
                size: system.total,
                source: LimitSource::Machine,
            });
            let limits = [self.groups.find().limit(), machine];
            cached.limit = limits.into_iter().flatten().min_by_key(|limit| limit.size);
            cached.read_at = Some(now);
        }
        cached.limit
    }
}
