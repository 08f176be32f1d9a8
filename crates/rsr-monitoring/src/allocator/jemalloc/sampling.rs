//! jemalloc's sampling of allocations.

use std::ffi::{CString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

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

/// Samples from now on, or no longer; what was sampled stays known.
pub(crate) fn set_active(active: bool) {
    if is_built_in() {
        write(c"prof.active", active);
    }
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
