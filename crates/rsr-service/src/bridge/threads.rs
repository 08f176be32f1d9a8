//! Who goes first where all want the processor: threads that answer, not those that read and write much.

use std::cell::Cell;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// How much heavy threads give way, in the system's steps of niceness: one at 5 gets about a third of what one at 0 gets
/// where both want the same core, and all of it where nobody else wants it.
const NICENESS: i32 = 5;

/// Marks the running thread as one of heavy work, for good: the system lets nobody take it back.
///
/// Where the system refuses, the thread works as it did before.
pub(crate) fn give_way() {
    thread_local! {
        static GIVES_WAY: Cell<bool> = const { Cell::new(false) };
    }
    if !GIVES_WAY.replace(true) {
        // Without a process it is the running thread alone, on Linux.
        let refused = rustix::process::setpriority_process(None, NICENESS);
        if let Err(error) = refused {
            tracing::debug!(%error, "heavy threads cannot give way");
        }
    }
}

/// Blocking threads that no heavy work has run on: apart from the runtime that serves, whose blocking threads give way.
#[derive(Debug)]
pub(super) struct VitalThreads {
    // Only its blocking threads are used; it has no others. Gone in `drop` alone.
    runtime: Option<Runtime>,
}

impl VitalThreads {
    /// At most so many; they are started when they are needed. `None` of its own where the system gives no runtime.
    pub(super) fn new(n: usize) -> Self {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(n)
            .thread_name("rsr-vital")
            .build();
        if let Err(error) = &runtime {
            tracing::warn!(%error, "no threads of their own for health and administration");
        }
        Self {
            runtime: runtime.ok(),
        }
    }

    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        match &self.runtime {
            Some(runtime) => runtime.spawn_blocking(work),
            None => tokio::task::spawn_blocking(work),
        }
    }
}

impl Drop for VitalThreads {
    fn drop(&mut self) {
        // The last owner may be a task of the runtime that serves, where waiting for threads is an error.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
