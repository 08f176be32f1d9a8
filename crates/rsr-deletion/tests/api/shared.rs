//! Several machines: rule 26, with a table in memory in the database's place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rsr_deletion::{DeletionTracker, SharedError, SharedTracker};
use rsr_testkit::ManualClock;

use super::{seconds, settings};

/// What all machines write to: machine and id, once for each deletion.
#[derive(Debug, Default)]
struct Table(Mutex<Records>);

type Records = Vec<(u8, i64)>;

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
    fn begin(&self, id: i64) -> Result<(), SharedError> {
        self.reach()?.push((self.number, id));
        Ok(())
    }

    fn release(&self, id: i64) -> Result<(), SharedError> {
        let mut records = self.reach()?;
        let index = records.iter().position(|known| *known == (self.number, id));
        records.remove(index.expect("what is released was begun"));
        Ok(())
    }

    fn elsewhere(&self) -> Result<Vec<i64>, SharedError> {
        let records = self.reach()?;
        let others = records.iter().filter(|(number, _)| *number != self.number);
        Ok(others.map(|(_, id)| *id).collect())
    }
}

fn machine(number: u8, table: &Arc<Table>) -> (DeletionTracker<i64>, Arc<Machine>) {
    machine_on(number, table, ManualClock::new())
}

fn machine_on(
    number: u8,
    table: &Arc<Table>,
    clock: ManualClock,
) -> (DeletionTracker<i64>, Arc<Machine>) {
    let machine = Arc::new(Machine {
        number,
        table: Arc::clone(table),
        is_cut_off: AtomicBool::new(false),
    });
    let shared = Arc::clone(&machine) as Arc<dyn SharedTracker<i64>>;
    (
        DeletionTracker::with_shared(&settings(), Arc::new(clock), shared),
        machine,
    )
}

#[test]
fn a_deletion_on_one_machine_is_seen_on_the_others() {
    let table = Arc::default();
    let ((one, _), (two, _)) = (machine(1, &table), machine(2, &table));
    let guard = one.try_begin(7).unwrap();
    let again = one.try_begin(7).unwrap();
    assert!(one.contains(7) && !two.contains(7), "nobody asked yet");
    assert!(two.is_idle());
    two.refresh().unwrap();
    assert!(two.contains(7) && !two.is_idle());
    assert!(!two.contains(8));
    assert_eq!(two.stats().n_elsewhere, 1);
    drop(guard);
    two.refresh().unwrap();
    assert!(two.contains(7), "the second deletion goes on");
    let own = two.begin(7);
    drop(again);
    two.refresh().unwrap();
    assert!(two.contains(7), "by its own deletion");
    drop(own);
    assert!(!one.contains(7) && !two.contains(7) && two.is_idle());
    assert!(table.0.lock().unwrap().is_empty());
}

#[test]
fn what_goes_stale_here_ends_elsewhere_with_its_sweep() {
    let table = Arc::default();
    let clock = ManualClock::new();
    let (one, _) = machine_on(1, &table, clock.clone());
    let (two, _) = machine(2, &table);
    let late = one.begin(7);
    clock.advance(seconds(3_600));
    one.sweep(true);
    assert_eq!(table.0.lock().unwrap().len(), 1, "a dry run tells nobody");
    one.sweep(false);
    two.refresh().unwrap();
    assert!(!two.contains(7));
    late.renew();
    two.refresh().unwrap();
    assert!(two.contains(7), "it is tracked again");
    drop(late);
    two.refresh().unwrap();
    assert!(!two.contains(7));
    assert_eq!(one.stats().n_shared_failures, 0);
}

#[test]
fn what_others_delete_is_known_while_they_cannot_be_asked() {
    let table = Arc::default();
    let ((one, _), (two, cut_off)) = (machine(1, &table), machine(2, &table));
    let guard = one.begin(7);
    two.refresh().unwrap();
    cut_off.is_cut_off.store(true, Ordering::Relaxed);
    two.refresh().unwrap_err();
    assert!(two.contains(7));
    drop(guard);
    cut_off.is_cut_off.store(false, Ordering::Relaxed);
    two.refresh().unwrap();
    assert!(!two.contains(7));
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
    let unknown = tracker.begin(7);
    assert!(tracker.contains(7));
    assert!(tracker.stats().n_shared_failures > 0);
    machine.is_cut_off.store(false, Ordering::Relaxed);
    let told = tracker.begin(7);
    drop(unknown);
    assert_eq!(table_len(&machine), 1, "the end of one that nobody knew of");
    drop(told);
    assert_eq!(table_len(&machine), 0);
}

fn table_len(machine: &Machine) -> usize {
    machine.reach().expect("it is not cut off").len()
}
