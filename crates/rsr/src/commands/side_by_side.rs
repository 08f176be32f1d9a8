//! Work over many things on all cores, with its results in the order of the things.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// How far ahead of the result that is taken next work goes: so many results wait at most.
const AHEAD_MAX: usize = 64;

/// Does `work` for every item on `n_workers` threads, and hands each result to `take` in the order of the items, which ends
/// everything where it answers an error. Work that is under way then is waited for.
pub(crate) fn side_by_side<I: Sync, T: Send, E>(
    items: &[I],
    n_workers: usize,
    work: &(impl Fn(&I) -> T + Sync),
    take: &mut dyn FnMut(&I, T) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let turn = Turn::default();
    thread::scope(|scope| {
        let (results, done) = sync_channel(n_workers.max(1));
        for _worker in 0..n_workers.max(1) {
            let (results, next, turn) = (results.clone(), &next, &turn);
            scope.spawn(move || {
                let _guard = StopOnPanic(turn);
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(nth).filter(|_| turn.comes(nth)) else {
                        break;
                    };
                    if results.send((nth, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(results);
        let mut waiting = BTreeMap::new();
        let mut n_taken = 0;
        for (nth, result) in done {
            waiting.insert(nth, result);
            while let (Some(result), Some(item)) = (waiting.remove(&n_taken), items.get(n_taken)) {
                if let Err(error) = take(item, result) {
                    turn.stop();
                    return Err(error);
                }
                n_taken += 1;
                turn.moves_to(n_taken);
            }
        }
        Ok(())
    })
}

/// Whose results were taken; `None` once nothing more is to be done.
#[derive(Debug)]
struct Turn {
    n_taken: Mutex<Option<usize>>,
    moved: Condvar,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            n_taken: Mutex::new(Some(0)),
            moved: Condvar::new(),
        }
    }
}

impl Turn {
    /// Waits until the item of this number is near. Answers whether it is still to be worked on.
    fn comes(&self, nth: usize) -> bool {
        let taken = self.n_taken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_far = |taken: &mut Option<usize>| taken.is_some_and(|n| nth >= n + AHEAD_MAX);
        let taken = self
            .moved
            .wait_while(taken, is_far)
            .unwrap_or_else(PoisonError::into_inner);
        taken.is_some()
    }

    fn moves_to(&self, n_taken: usize) {
        self.set(Some(n_taken));
    }

    fn stop(&self) {
        self.set(None);
    }

    fn set(&self, value: Option<usize>) {
        *self.n_taken.lock().unwrap_or_else(PoisonError::into_inner) = value;
        self.moved.notify_all();
    }
}

/// Lets the others end where one worker panics: its result never comes, so they would wait for ever.
struct StopOnPanic<'t>(&'t Turn);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_no_more_than_so_many_wait() {
        let items: Vec<usize> = (0..1_000).collect();
        let (n_begun, n_taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut found = Vec::new();
        let work = |item: &usize| {
            let n_ahead = n_begun.fetch_add(1, Ordering::SeqCst) - n_taken.load(Ordering::SeqCst);
            // Some take longer than others.
            let sum: usize = (0..(item % 7) * 1_000).sum();
            (*item, n_ahead, std::hint::black_box(sum))
        };
        let done: Result<(), ()> = side_by_side(&items, 4, &work, &mut |item, (same, ahead, _)| {
            assert_eq!(*item, same);
            assert!(ahead <= AHEAD_MAX + 4, "{ahead} wait");
            n_taken.fetch_add(1, Ordering::SeqCst);
            found.push(same);
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(found, items);
    }

    #[test]
    fn an_error_ends_it() {
        let items: Vec<usize> = (0..1_000).collect();
        let mut n_taken = 0;
        let done = side_by_side(&items, 3, &|item| *item, &mut |_, item| {
            n_taken += 1;
            if item == 10 { Err("enough") } else { Ok(()) }
        });
        assert_eq!((done, n_taken), (Err("enough"), 11));
    }

    #[test]
    fn nothing_to_do_is_done() {
        let none: [u8; 0] = [];
        let done: Result<(), ()> = side_by_side(&none, 2, &|_| (), &mut |_, ()| Ok(()));
        assert_eq!(done, Ok(()));
    }
}
