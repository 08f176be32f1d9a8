//! Loads inside loads: noticing that one waits for itself.

use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

thread_local! {
    /// The loads whose loaders this thread is inside of, the outermost first.
    static INSIDE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Which load waits for which, over all caches and threads. As many edges as loaders are blocked on other loads.
static WAITS: Mutex<Vec<Edge>> = Mutex::new(Vec::new());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edge {
    waiting: u64,
    awaited: u64,
}

fn waits() -> MutexGuard<'static, Vec<Edge>> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that this thread runs the loader of a load, until the answer is dropped.
pub(crate) fn enter(id: u64) -> Inside {
    INSIDE.with_borrow_mut(|inside| inside.push(id));
    Inside
}

/// This thread is inside a loader.
#[must_use]
pub(crate) struct Inside;

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(Vec::pop);
    }
}

/// A loader's wait for another load, on record until this is dropped.
#[must_use]
pub(crate) struct Waiting {
    edges: Vec<Edge>,
}

impl Waiting {
    /// Records that whatever this thread is loading waits for `awaited`. `None` where that would wait for this in turn.
    pub(crate) fn on(awaited: u64) -> Option<Self> {
        let inside = INSIDE.with_borrow(Vec::clone);
        if inside.is_empty() {
            return Some(Self { edges: Vec::new() });
        }
        let mut waits = waits();
        let mut reached = vec![awaited];
        let mut seen = 0;
        while let Some(id) = reached.get(seen).copied() {
            if inside.contains(&id) {
                return None;
            }
            for edge in waits.iter().filter(|edge| edge.waiting == id) {
                if !reached.contains(&edge.awaited) {
                    reached.push(edge.awaited);
                }
            }
            seen += 1;
        }
        let edges: Vec<_> = inside
            .into_iter()
            .map(|waiting| Edge { waiting, awaited })
            .collect();
        waits.extend(&edges);
        Some(Self { edges })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.edges.is_empty() {
            return;
        }
        let mut waits = waits();
        for edge in &self.edges {
            if let Some(index) = waits.iter().position(|known| known == edge) {
                waits.swap_remove(index);
            }
        }
    }
}
