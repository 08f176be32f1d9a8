//! The primitives of single flight, exchanged for loom's where the races are explored.

#[cfg(not(rsr_loom))]
pub(crate) use std::sync::{
    Arc, Condvar, Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering, fence},
};

#[cfg(rsr_loom)]
pub(crate) use loom::sync::{
    Arc, Condvar, Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering, fence},
};
