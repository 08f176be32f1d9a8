//! Who goes first where all want the processor: threads that answer, not those that read and write much.

use std::cell::Cell;
use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// How much heavy threads give way, in the system's steps of niceness: ten steps on, a thread gets about a tenth of what one at
/// the program's own gets where both want the same core, and all of it where nobody else wants it.
const STEPS: i32 = 10;

/// Marks the running thread as one of heavy work, for good: the system lets nobody take it back.
pub(crate) fn give_way() {
    thread_local! {
        static GIVES_WAY: Cell<bool> = const { Cell::new(false) };
    }
    if !GIVES_WAY.replace(true) {
        // Without a process it is the running thread alone, on Linux.
        put_behind(None);
    }
}

/// The same for a process that was just started, before it has threads of its own.
pub(crate) fn give_way_with(child: &Child) {
    put_behind(Some(Pid::from_child(child)));
}

/// Where the system refuses, it goes on as before.
fn put_behind(process: Option<Pid>) {
    let set =
        getpriority_process(process).and_then(|own| setpriority_process(process, own + STEPS));
    if let Err(error) = set {
        tracing::debug!(%error, "heavy work cannot give way");
    }
}

/// Light requests under way, in all services of the process: its threads share the processor.
static N_LIGHT: AtomicUsize = AtomicUsize::new(0);

/// A light request, as long as this lives: heavy threads let it pass.
#[derive(Debug)]
pub(crate) struct LightRequest(());

impl LightRequest {
    pub(crate) fn begin() -> Self {
        N_LIGHT.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for LightRequest {
    fn drop(&mut self) {
        N_LIGHT.fetch_sub(1, Ordering::Relaxed);
    }
}

/// For heavy work, between two pieces of it: gives the processor away while a light request waits.
///
/// Niceness alone does not do it at once: a scheduler may let a thread have its slice, some milliseconds, before it looks at who
/// woke meanwhile. Giving it away always would cost a busy service a quarter of what it streams.
pub(super) fn let_pass() {
    if N_LIGHT.load(Ordering::Relaxed) > 0 {
        std::thread::yield_now();
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
