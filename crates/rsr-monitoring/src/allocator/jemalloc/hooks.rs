//! jemalloc tells of each allocation it samples, and of its end.
//!
//! **Source:** `prof_hook.h` and `prof.c` of jemalloc 5.3; the names of the hooks are experimental there. jemalloc calls
//! them outside of its locks, and what they allocate themselves is never sampled, so they may allocate.

use std::ffi::c_void;
use std::sync::OnceLock;

use super::sampling::is_built_in;
use super::{Figure, write};

/// Who hears of samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listener {
    /// Address, bytes of its block, and the return addresses of its call stack, the innermost first.
    pub(crate) sampled: fn(usize, usize, &[usize]),
    /// Address of a sampled allocation that ends.
    pub(crate) freed: fn(usize),
}

static LISTENER: OnceLock<Listener> = OnceLock::new();

type SampleHook = unsafe extern "C" fn(*const c_void, usize, *const *mut c_void, u32, usize);
type FreeHook = unsafe extern "C" fn(*const c_void, usize);

#[derive(Clone, Copy, Default)]
#[repr(transparent)]
struct OnSample(Option<SampleHook>);
// SAFETY: only ever written to jemalloc, never read from it.
unsafe impl Figure for OnSample {}

#[derive(Clone, Copy, Default)]
#[repr(transparent)]
struct OnFree(Option<FreeHook>);
// SAFETY: as above.
unsafe impl Figure for OnFree {}

/// Has jemalloc call this listener from now on, or no longer; `false` where it cannot. There is one for the whole life
/// of the process.
pub(crate) fn listen(listener: Option<Listener>) -> bool {
    if !is_built_in() {
        return false;
    }
    let (sample, free): (Option<SampleHook>, Option<FreeHook>) = match listener {
        Some(listener) => {
            LISTENER.get_or_init(|| listener);
            (Some(on_sample), Some(on_free))
        }
        None => (None, None),
    };
    // The end is heard of before the beginning, so that none is missed.
    write(c"experimental.hooks.prof_sample_free", OnFree(free))
        && write(c"experimental.hooks.prof_sample", OnSample(sample))
}

unsafe extern "C" fn on_sample(
    block: *const c_void,
    _asked: usize,
    stack: *const *mut c_void,
    length: u32,
    size: usize,
) {
    let Some(listener) = LISTENER.get() else {
        return;
    };
    // SAFETY: jemalloc passes `length` addresses that live while it calls. They are read as numbers of the same size
    // and never followed.
    let stack = unsafe { std::slice::from_raw_parts(stack.cast::<usize>(), length as usize) };
    (listener.sampled)(block.addr(), size, stack);
}

unsafe extern "C" fn on_free(block: *const c_void, _size: usize) {
    if let Some(listener) = LISTENER.get() {
        (listener.freed)(block.addr());
    }
}

unsafe extern "C" {
    fn _Unwind_FindEnclosingFunction(pc: *const c_void) -> *const c_void;
}

/// Where the function begins that this return address lies in; the address itself where no one knows. About a
/// microsecond.
pub(crate) fn function_at(address: usize) -> usize {
    // The call may be the last instruction of its function.
    let inside = address.saturating_sub(1);
    // SAFETY: the unwinder, which the standard library links, looks the number up in its tables and follows it nowhere.
    let start = unsafe { _Unwind_FindEnclosingFunction(std::ptr::without_provenance(inside)) };
    if start.is_null() {
        address
    } else {
        start.addr()
    }
}
