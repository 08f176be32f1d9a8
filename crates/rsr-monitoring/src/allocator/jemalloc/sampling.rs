//! jemalloc's sampling of allocations.

use std::ffi::{CString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, Once, PoisonError};

use super::{Figure, is_global, read, write};

// SAFETY: jemalloc keeps its truth values as C `bool`, which is 0 or 1.
unsafe impl Figure for bool {}

/// The address of a text that ends in NUL.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Text(*const c_char);

impl Default for Text {
    fn default() -> Self {
        Self(std::ptr::null())
    }
}

// SAFETY: every address is a `*const c_char`; it is not followed here.
unsafe impl Figure for Text {}

/// Whether this process can be profiled at all: it runs on jemalloc, started with `prof:true`.
pub(crate) fn is_built_in() -> bool {
    is_global() && read(c"opt.prof") == Some(true)
}

/// Who wants samples now. jemalloc has one switch for all.
static N_USERS: Mutex<u32> = Mutex::new(0);

/// Mean bytes between two samples, as a power of two: at 1 MiB sampling costs a request some per cent.
const PERIOD_POWER: usize = 20;

static PERIOD_SET: Once = Once::new();

/// Allocations are sampled for as long as one of these lives; what was sampled stays known after it.
#[derive(Debug)]
pub(crate) struct Sampling(());

impl Sampling {
    /// Samples from now on. Does nothing where the process cannot be profiled.
    pub(crate) fn begin() -> Self {
        let mut n_users = N_USERS.lock().unwrap_or_else(PoisonError::into_inner);
        *n_users += 1;
        if *n_users == 1 && is_built_in() {
            // Before the first sample, since it forgets all there are.
            PERIOD_SET.call_once(|| {
                write(c"prof.reset", PERIOD_POWER);
            });
            write(c"prof.active", true);
        }
        Self(())
    }
}

impl Drop for Sampling {
    fn drop(&mut self) {
        let mut n_users = N_USERS.lock().unwrap_or_else(PoisonError::into_inner);
        *n_users -= 1;
        if *n_users == 0 && is_built_in() {
            write(c"prof.active", false);
        }
    }
}

/// Mean bytes between two samples; `None` where the process cannot be profiled.
pub(crate) fn period() -> Option<u64> {
    is_built_in().then_some(1 << PERIOD_POWER)
}

/// Whether allocations are sampled now.
pub(crate) fn is_active() -> bool {
    is_built_in() && read(c"prof.active") == Some(true)
}

/// Writes what is sampled of the living heap into a file; `false` where jemalloc could not.
pub(crate) fn dump(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // jemalloc reads the text before it returns, and `path` lives until then.
    is_built_in() && write(c"prof.dump", Text(path.as_ptr()))
}
