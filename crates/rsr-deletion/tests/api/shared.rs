//! Several machines: rule 26, with a table in memory in the database's place.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rsr_deletion::{DeletionTracker, SharedError, SharedTracker};
use rsr_testkit::ManualClock;

use super::settings;

/// What all machines write to: (machine, token) → id.
#[derive(Debug, Default)]
struct Table(Mutex<Records>);

type Records = BTreeMap<(u8, u64), i64>;

#[derive(Debug)]
struct Machine {
    number: u8,
    table: Arc<Table>,
    is_cut_off: AtomicBool,
}

impl Machine {
    fn reach(&self) -> Result<MutexGuard<'_, Records>, SharedError> {
        if self.is_cut_off.load(Ordering::Relaxed) {
            return Err(SharedError::new("no route to the database"));
        }
        Ok(self.table.0.lock().expect("no test panics with it"))
    }
}

impl SharedTracker<i64> for Machine {
    fn begin(&self, id: i64, token: u64) -> Result<(), SharedError> {
        self.reach()?.insert((self.number, token), id);
        Ok(())
    }

    fn renew(&self, id: i64, token: u64) -> Result<(), SharedError> {
        self.begin(id, token)
    }

    fn release(&self, _id: i64, token: u64) -> Result<(), SharedError> {
        self.reach()?.remove(&(self.number, token));
        Ok(())
    }

    fn contains(&self, id: i64) -> bool {
        self.table
            .0
            .lock()
            .expect("no test panics with it")
            .values()
            .any(|known| *known == id)
    }

    fn sweep(&self, _stale_after: Duration) -> Result<u64, SharedError> {
        Ok(0)
    }
}

fn machine(number: u8, table: &Arc<Table>) -> (DeletionTracker<i64>, Arc<Machine>) {
    let machine = Arc::new(Machine {
        number,
        table: Arc::clone(table),
        is_cut_off: AtomicBool::new(false),
    });
    let shared = Arc::clone(&machine) as Arc<dyn SharedTracker<i64>>;
    (
        DeletionTracker::with_shared(&settings(), Arc::new(ManualClock::new()), shared),
        machine,
    )
}

#[test]
fn a_deletion_on_one_machine_is_seen_on_the_others() {
    let table = Arc::default();
    let ((one, _), (two, _)) = (machine(1, &table), machine(2, &table));
    let guard = one.try_begin(7).unwrap();
    assert!(one.contains(7) && two.contains(7));
    drop(guard);
    assert!(!one.contains(7) && !two.contains(7));
}

#[test]
fn a_deletion_that_cannot_be_shared_is_refused_or_at_least_counted() {
    let table = Arc::default();
    let (tracker, machine) = machine(1, &table);
    machine.is_cut_off.store(true, Ordering::Relaxed);
    let error = tracker.try_begin(7).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the shared deletion tracker cannot be reached"
    );
    assert!(!tracker.contains(7), "nothing is tracked after a refusal");
    let _guard = tracker.begin(7);
    assert!(tracker.contains(7));
    assert!(tracker.stats().n_shared_failures > 0);
}
