//! Sixteen more small programs, half of which leak: none of the sizes and windows of the product was chosen on them.
//!
//! They run and are judged as those of `programs` are, and are reported apart.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread;

use crate::series::Random;

const MIB: usize = 1 << 20;

/// What a program is, and the function that leaks where one does.
pub(crate) const PROGRAMS: [(&str, Option<&str>); 16] = [
    ("thread-local-notes", Some("note_on_thread")),
    ("interned-for-ever", Some("intern_for_ever")),
    ("slow-behind-churn", Some("keep_trace")),
    ("retries", Some("schedule_retry")),
    ("dead-weak-links", Some("watch_project")),
    ("armed-timers", Some("arm_timer")),
    ("abandoned-cursors", Some("abandon_cursor")),
    ("labels-without-bound", Some("count_by_label")),
    ("filling-pool", None),
    ("ring", None),
    ("sorting-jobs", None),
    ("two-generations", None),
    ("day-and-night", None),
    ("short-threads", None),
    ("resized-values", None),
    ("closed-interner", None),
];

type Bytes = Vec<u8>;
type Note = Box<dyn FnOnce() + Send>;

thread_local! {
    static NOTES: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
}

static INTERNED: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);

/// All that the programs hold; each uses a part of it.
#[derive(Default)]
pub(crate) struct Newcomer {
    worker: Option<mpsc::SyncSender<Note>>,
    traces: Vec<Box<[u64]>>,
    retries: VecDeque<(u32, String)>,
    watched: HashMap<u64, Weak<[u8; 6_000]>>,
    timers: BTreeMap<u64, Box<dyn Fn() -> usize>>,
    labels: BTreeMap<String, [u64; 12]>,
    held: Vec<Bytes>,
    ring: VecDeque<Bytes>,
    older: Vec<Bytes>,
    names: HashSet<String>,
}

#[inline(never)]
fn note_on_thread(size: usize) {
    let note = vec![21; size];
    NOTES.with_borrow_mut(|notes| notes.push(note));
}

#[inline(never)]
#[expect(
    clippy::disallowed_methods,
    reason = "a value without an owner is what is to be found"
)]
fn intern_for_ever(text: &str) {
    let mut interned = INTERNED
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let names = interned.get_or_insert_with(HashSet::new);
    if !names.contains(text) {
        names.insert(Box::leak(text.repeat(40).into_boxed_str()));
    }
}

#[inline(never)]
fn keep_trace(traces: &mut Vec<Box<[u64]>>, steps: usize) {
    let trace: Vec<u64> = (0..steps as u64).map(|step| step * 22).collect();
    traces.push(trace.into_boxed_slice());
}

#[inline(never)]
fn schedule_retry(retries: &mut VecDeque<(u32, String)>, epoch: u32, job: &str) {
    let mut payload = String::from(job);
    while payload.len() < 3_500 {
        payload.push_str(", and what the job is to be called with");
    }
    retries.push_back((epoch + 1, payload));
}

#[inline(never)]
fn watch_project(watched: &mut HashMap<u64, Weak<[u8; 6_000]>>, project: u64) {
    // The project goes at once; its memory stays for as long as the link does.
    let state = Arc::new([23; 6_000]);
    watched.insert(project, Arc::downgrade(&state));
}

#[inline(never)]
fn arm_timer(timers: &mut BTreeMap<u64, Box<dyn Fn() -> usize>>, at: u64, size: usize) {
    let request: Bytes = std::iter::repeat_n(24, size).collect();
    timers.insert(
        at,
        Box::new(move || request.iter().filter(|byte| **byte > 0).count()),
    );
}

#[inline(never)]
fn abandon_cursor(rows: usize) {
    let cursor: Vec<[u64; 32]> = vec![[25; 32]; rows];
    black_box(&*ManuallyDrop::new(cursor));
}

#[inline(never)]
fn count_by_label(labels: &mut BTreeMap<String, [u64; 12]>, user: u64) {
    let label = format!("requests{{user=\"{user:0>200}\",path=\"/projects/{user}/\"}}");
    labels.entry(label).or_default()[(user % 12) as usize] += 1;
}

impl Newcomer {
    /// One epoch of the program of this name.
    pub(crate) fn step(&mut self, name: &str, epoch: u32, random: &mut Random) {
        churn(random);
        let number = |n: u64| u64::from(epoch) * 10_000 + n;
        match name {
            "thread-local-notes" => self.on_worker(|| (0..60).for_each(|_| note_on_thread(12_000))),
            "interned-for-ever" => {
                (0..500).for_each(|n| intern_for_ever(&format!("name of {:>24}", number(n))));
            }
            "slow-behind-churn" => {
                // 300 KiB an epoch are lost, a hundred times as much comes and goes.
                self.ring = (0..30).map(|_| vec![26; MIB]).collect();
                (0..75).for_each(|_| keep_trace(&mut self.traces, 512));
            }
            "retries" => {
                let failed: Vec<String> = (0..250).map(|n| format!("job {}", number(n))).collect();
                for job in &failed {
                    schedule_retry(&mut self.retries, epoch, job);
                }
                // Half of them are taken up, and fail again.
                for (due, job) in self.retries.drain(..100).collect::<Vec<_>>() {
                    black_box((due, job.len()));
                }
            }
            "dead-weak-links" => {
                (0..140).for_each(|n| watch_project(&mut self.watched, number(n)));
            }
            "armed-timers" => (0..90).for_each(|n| {
                let size = random.within(4_000.0, 12_000.0) as usize;
                arm_timer(&mut self.timers, number(n), size);
            }),
            "abandoned-cursors" => (0..25).for_each(|_| abandon_cursor(100)),
            "labels-without-bound" => {
                (0..1_400).for_each(|n| count_by_label(&mut self.labels, number(n)));
            }
            _ => self.step_healthy(name, epoch, random),
        }
    }

    fn step_healthy(&mut self, name: &str, epoch: u32, random: &mut Random) {
        match name {
            // Connections are made as they are needed, up to the pool's bound within five minutes.
            "filling-pool" if self.held.len() < 60 => {
                (0..3).for_each(|_| self.held.push(vec![31; MIB / 5]));
            }
            "ring" => {
                for _ in 0..150 {
                    self.ring
                        .push_back(vec![32; random.within(2_000.0, 20_000.0) as usize]);
                    if self.ring.len() > 1_500 {
                        self.ring.pop_front();
                    }
                }
            }
            "sorting-jobs" => {
                let rows = random.scale(1e4, 2e6) as usize;
                let mut table: Vec<u64> = (0..rows as u64).map(|n| n.wrapping_mul(33)).collect();
                table.sort_unstable();
                self.held = vec![vec![33; rows / 4]];
            }
            "two-generations" => {
                (0..20).for_each(|_| self.held.push(vec![34; 20_000]));
                if epoch % 23 == 22 {
                    self.older = std::mem::take(&mut self.held);
                }
            }
            "day-and-night" => {
                let day = (f64::from(epoch) / 90.0 * std::f64::consts::TAU).sin();
                let wanted = (80.0 * (1.2 + day)) as usize;
                self.held.resize_with(wanted, || vec![35; 120_000]);
                // Sessions end and begin in between.
                for _ in 0..wanted / 8 {
                    let place = (random.unit() * wanted as f64) as usize % wanted;
                    self.held[place] = vec![35; 120_000];
                }
            }
            "short-threads" => {
                let threads: Vec<_> = (0..4)
                    .map(|_| thread::spawn(|| (0..30).for_each(|_| note_on_thread(40_000))))
                    .collect();
                for thread in threads {
                    black_box(thread.join().is_ok());
                }
            }
            "resized-values" => {
                self.held.resize_with(3_000, Bytes::new);
                for _ in 0..600 {
                    let place = (random.unit() * 3_000.0) as usize % 3_000;
                    let mut value = std::mem::take(&mut self.held[place]);
                    value.resize(random.within(100.0, 9_000.0) as usize, 36);
                    value.shrink_to_fit();
                    self.held[place] = value;
                }
            }
            "closed-interner" => (0..3_000).for_each(|_| {
                let name = (random.unit() * 4_000.0) as u32;
                self.names
                    .insert(format!("{name:0>1500} of a closed set of names"));
            }),
            _ => {}
        }
    }

    /// Runs `work` on a thread that lives as long as the program.
    fn on_worker(&mut self, work: impl FnOnce() + Send + 'static) {
        let worker = self.worker.get_or_insert_with(|| {
            let (sender, receiver) = mpsc::sync_channel::<Note>(1);
            thread::spawn(move || receiver.into_iter().for_each(|work| work()));
            sender
        });
        let (done, wait) = mpsc::sync_channel(1);
        let noted = worker.send(Box::new(move || {
            work();
            black_box(done.send(()).is_ok());
        }));
        black_box((noted.is_ok(), wait.recv().is_ok()));
    }
}

/// What any of them does besides: answers that come and go.
#[inline(never)]
fn churn(random: &mut Random) {
    for _ in 0..150 {
        let rows: Vec<Bytes> = (0..15)
            .map(|_| vec![37; random.within(50.0, 2_500.0) as usize])
            .collect();
        black_box(rows.concat());
    }
}
