//! Twenty small programs, half of which leak, each in a process of its own.
//!
//! They really allocate and free; only time is made short: an epoch passes when the program says so, not by the clock.
//! An epoch stands for fifteen seconds of a service. Planted functions have bodies of their own and are kept out of
//! line, since the linker merges equal ones.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hint::black_box;
use std::process::Command;
use std::sync::{Arc, Mutex};

use rsr_base::ByteSize;
use rsr_monitoring::{CallSites, Readings, SiteRules};

use crate::Row;
use crate::newcomers::{self, Newcomer};
use crate::series::Random;

/// Epochs a program runs for: an hour of a service.
const EPOCHS: u32 = 240;
const MIB: usize = 1 << 20;

/// What a program is, and the function that leaks where one does.
pub(crate) const PROGRAMS: [(&str, Option<&str>); 20] = [
    ("growing-map", Some("remember_session")),
    ("forgotten-task", Some("hold_upload")),
    ("arc-cycle", Some("link_pair")),
    ("unread-channel", Some("publish_event")),
    ("cache-without-bound", Some("answer_query")),
    ("leaked-guard", Some("take_permit")),
    ("kept-capacity", Some("read_message")),
    ("listeners", Some("subscribe_client")),
    ("interned-names", Some("intern_label")),
    ("slow-consumer", Some("enqueue_line")),
    ("plateau", None),
    ("bounded-queue", None),
    ("fragmentation", None),
    ("batches", None),
    ("bounded-cache", None),
    ("registered-cache", None),
    ("bursts", None),
    ("expiring-sessions", None),
    ("large-start", None),
    ("reloaded-settings", None),
];

/// What came of one program.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four answers to four questions"
)]
pub(crate) struct Verdict {
    pub(crate) leaks: bool,
    pub(crate) alarmed: bool,
    pub(crate) names_right: bool,
    pub(crate) in_time: bool,
    pub(crate) said: String,
}

/// A program's name, and the function that leaks where one does.
pub(crate) type Planted = (&'static str, Option<&'static str>);

/// Each of these programs at a tempo that only the seed knows: from half to twice its own.
pub(crate) fn paced(programs: &[Planted], seed: u64) -> Vec<(Planted, f64)> {
    let mut random = Random::new(seed ^ 0x7465_6d70_6f00);
    let at_a_tempo = |program: &Planted| (*program, random.scale(0.5, 2.0));
    programs.iter().map(at_a_tempo).collect()
}

/// Runs each of these programs in a process of its own.
pub(crate) fn judge_all(programs: &[(Planted, f64)]) -> Vec<(&'static str, Verdict)> {
    programs
        .iter()
        .map(|((name, function), tempo)| {
            let tempo = tempo.to_string();
            let output = std::env::current_exe().and_then(|own| {
                let mut program = Command::new(own);
                program
                    .args(["--tempo", &tempo, "--program", name])
                    .output()
            });
            let said = output.map_or_else(
                |error| error.to_string(),
                |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            );
            let mut words = said.split(' ');
            let alarmed = words.next() == Some("alarm");
            let mut number = || words.next().and_then(|word| word.parse::<f64>().ok());
            let (epoch, leaked_mib) = (number().unwrap_or(0.0), number().unwrap_or(0.0));
            let named = words.next().unwrap_or_default();
            let verdict = Verdict {
                leaks: function.is_some(),
                alarmed,
                names_right: function.is_some_and(|function| named.ends_with(function)),
                // Ten minutes are forty epochs.
                in_time: epoch <= 40.0 || leaked_mib <= 32.0,
                said,
            };
            (*name, verdict)
        })
        .collect()
}

/// What the verdicts come to, as rows of the table. The rule that this detector replaces named no function and needs
/// hours: it finds none of them in time.
pub(crate) fn rows(prefix: &str, all: &[(&str, Verdict)]) -> [Row; 4] {
    let count = |which: &dyn Fn(&Verdict) -> bool| {
        all.iter().filter(|(_, verdict)| which(verdict)).count() as f64
    };
    let row = |case: &str, ours, unit| Row {
        case: format!("{prefix}-{case}"),
        ours,
        peer: 0.0,
        unit,
    };
    let leaks = count(&|verdict| verdict.leaks);
    let found = count(&|verdict| verdict.leaks && verdict.alarmed);
    let wrong = count(&|verdict| !verdict.leaks && verdict.alarmed);
    let healthy = count(&|verdict| !verdict.leaks);
    let named = count(&|verdict| verdict.names_right);
    let in_time = count(&|verdict| verdict.leaks && verdict.alarmed && verdict.in_time);
    [
        row(
            "f1",
            2.0 * found / (leaks + found + wrong).max(1.0),
            "ratio",
        ),
        row(
            "false-alarms",
            wrong / healthy.max(1.0),
            "ratio of healthy programs",
        ),
        row(
            "right-function",
            named / found.max(1.0),
            "ratio of those found",
        ),
        row(
            "in-time",
            in_time / found.max(1.0),
            "ratio within 10 min or 32 MiB",
        ),
    ]
}

/// The program of this name, so many of its steps an epoch, judged as a service judges itself; prints what it found.
pub(crate) fn run(name: &str, tempo: f64) {
    let Some(sites) = CallSites::watch() else {
        println!("unknown: no jemalloc with profiling");
        return;
    };
    let readings = Readings::of_this_process();
    let is_new = newcomers::PROGRAMS.iter().any(|(known, _)| *known == name);
    let (mut program, mut newcomer) = (Program::default(), Newcomer::default());
    let mut random = Random::new(7);
    let held = |program: &Program| {
        let allocated = readings.heap().map_or(0, |heap| heap.allocated.bytes());
        ByteSize::from_bytes(allocated.saturating_sub(program.accounted as u64))
    };
    let start = held(&program);
    let (mut n_seen, mut step) = (0, 0);
    for epoch in 0..EPOCHS {
        while f64::from(step) < f64::from(epoch + 1) * tempo {
            if is_new {
                newcomer.step(name, step, &mut random);
            } else {
                program.step(name, step, &mut random);
            }
            step += 1;
        }
        let now = held(&program);
        let found = sites.tick(now, &SiteRules::default());
        n_seen = if found.is_empty() { 0 } else { n_seen + 1 };
        // As with every finding: the second time in a row it is confirmed.
        if n_seen == 2 {
            let first = found.first().map(|site| site.dump.name());
            let frame = first
                .as_ref()
                .and_then(|profile| profile.stacks().first()?.call_site());
            let leaked = now.bytes().saturating_sub(start.bytes()) / MIB as u64;
            let (function, file, line) = frame.map_or(("?", "?", 0), |frame| {
                (frame.function.as_str(), frame.file.as_str(), frame.line)
            });
            println!("alarm {epoch} {leaked} {function} {file}:{line}");
            return;
        }
    }
    println!("none");
}

type Bytes = Vec<u8>;

struct Pair {
    other: Mutex<Option<Arc<Self>>>,
    _load: Bytes,
}

struct Guard {
    _load: Bytes,
}

type Listener = Box<dyn Fn() -> usize>;

/// All that the programs hold; each uses a part of it.
#[derive(Default)]
struct Program {
    accounted: usize,
    map: HashMap<u64, Bytes>,
    queue: VecDeque<(u32, Bytes)>,
    blocks: Vec<Bytes>,
    names: BTreeSet<String>,
    listeners: Vec<Listener>,
    sender: Option<std::sync::mpsc::Sender<Bytes>>,
    receiver: Option<std::sync::mpsc::Receiver<Bytes>>,
    tasks: Option<tokio::runtime::Runtime>,
}

#[inline(never)]
fn remember_session(map: &mut HashMap<u64, Bytes>, user: u64) {
    map.insert(user, vec![1; 3_000]);
}

#[inline(never)]
fn hold_upload(runtime: &tokio::runtime::Runtime, size: usize) {
    let upload = vec![2_u8; size];
    runtime.spawn(async move {
        std::future::pending::<()>().await;
        black_box(upload);
    });
}

#[inline(never)]
fn link_pair() {
    let make = || {
        Arc::new(Pair {
            other: Mutex::new(None),
            _load: vec![3; 5_000],
        })
    };
    let (a, b) = (make(), make());
    let link = |from: &Pair, to: &Arc<Pair>| {
        if let Ok(mut other) = from.other.lock() {
            *other = Some(Arc::clone(to));
        }
    };
    link(&a, &b);
    link(&b, &a);
    black_box(&a);
}

#[inline(never)]
fn publish_event(sender: &std::sync::mpsc::Sender<Bytes>, number: u64) {
    let mut event = number.to_le_bytes().to_vec();
    event.resize(2_000, 4);
    // The receiver lives as long as the program, and reads nothing.
    drop(sender.send(event));
}

#[inline(never)]
fn answer_query(cache: &mut HashMap<u64, Bytes>, query: u64) -> usize {
    cache
        .entry(query)
        .or_insert_with(|| [5_u8; 700].repeat(10))
        .len()
}

#[inline(never)]
#[expect(
    clippy::disallowed_methods,
    reason = "a value without an owner is what is to be found"
)]
fn take_permit() {
    black_box(Box::leak(Box::new(Guard {
        _load: vec![6; 9_000],
    })));
}

#[inline(never)]
fn read_message(buffer: &mut Bytes, size: usize) {
    buffer.resize(size, 7);
    black_box(&buffer);
    buffer.clear();
}

#[inline(never)]
fn subscribe_client(listeners: &mut Vec<Listener>, client: u8) {
    let state = [client; 4_000].to_vec();
    listeners.push(Box::new(move || state.len()));
}

#[inline(never)]
fn intern_label(names: &mut BTreeSet<String>, number: u64) {
    names.insert(format!("{number:0>900}"));
}

#[inline(never)]
fn enqueue_line(queue: &mut VecDeque<(u32, Bytes)>, epoch: u32) {
    queue.push_back((
        epoch,
        b"a line of the log, and what belongs to it; ".repeat(60),
    ));
}

impl Program {
    /// One epoch of the program of this name. Leaking ones lose between a half and one MiB.
    fn step(&mut self, name: &str, epoch: u32, random: &mut Random) {
        work(random);
        match name {
            "growing-map" => {
                (0..300).for_each(|n| remember_session(&mut self.map, u64::from(epoch) * 300 + n));
            }
            "forgotten-task" => self.forget_tasks(random),
            "arc-cycle" => (0..90).for_each(|_| link_pair()),
            "unread-channel" => {
                let sender = self.sender.get_or_insert_with(|| {
                    let (sender, receiver) = channel();
                    self.receiver = Some(receiver);
                    sender
                });
                (0..350).for_each(|n| publish_event(sender, n));
            }
            "cache-without-bound" => {
                // Some queries are asked again.
                let mut ask = || answer_query(&mut self.map, (random.unit().powi(2) * 1e6) as u64);
                (0..120).for_each(|_| {
                    black_box(ask());
                });
            }
            "leaked-guard" => (0..90).for_each(|_| take_permit()),
            "kept-capacity" => {
                // Connections that live on; each gets a large message one day.
                let mut connection = Bytes::new();
                read_message(&mut connection, 700_000 + epoch as usize * 100);
                self.blocks.push(connection);
            }
            "listeners" => (0..200).for_each(|n| subscribe_client(&mut self.listeners, n as u8)),
            "interned-names" => {
                (0..700).for_each(|n| intern_label(&mut self.names, u64::from(epoch) * 700 + n));
            }
            "slow-consumer" => {
                (0..800).for_each(|_| enqueue_line(&mut self.queue, epoch));
                self.queue.drain(..500);
            }
            _ => self.step_healthy(name, epoch, random),
        }
    }

    fn forget_tasks(&mut self, random: &mut Random) {
        if self.tasks.is_none() {
            self.tasks = tokio::runtime::Builder::new_current_thread().build().ok();
        }
        if let Some(runtime) = &self.tasks {
            (0..40).for_each(|_| hold_upload(runtime, random.within(8_000.0, 32_000.0) as usize));
        }
    }

    fn step_healthy(&mut self, name: &str, epoch: u32, random: &mut Random) {
        match name {
            "plateau" => {
                let full = 24.0 * (1.0 - (-f64::from(epoch) / 5.0).exp());
                while (self.blocks.len() as f64) < full * 16.0 {
                    self.blocks.push(vec![8; MIB / 16]);
                }
            }
            "bounded-queue" => {
                self.fill_queue(epoch, 2 * MIB);
                self.expire(epoch, 10);
            }
            "fragmentation" => {
                let many: Vec<Bytes> = (0..2_000)
                    .map(|_| vec![9; random.within(500.0, 4_000.0) as usize])
                    .collect();
                self.blocks = many
                    .into_iter()
                    .enumerate()
                    .filter(|(n, _)| n % 7 == 0)
                    .map(|(_, block)| block)
                    .collect();
            }
            "batches" => {
                self.fill_queue(epoch, 3 * MIB / 2);
                if epoch % 9 == 8 {
                    self.queue = VecDeque::new();
                }
            }
            "bounded-cache" | "registered-cache" => {
                let (bound, a_epoch) = if name == "bounded-cache" {
                    (1_600, 200)
                } else {
                    (6_000, 80)
                };
                for _ in 0..a_epoch {
                    self.map
                        .insert((random.unit() * 1e9) as u64, vec![10; 10_000]);
                    if self.map.len() > bound
                        && let Some(any) = self.map.keys().next().copied()
                    {
                        self.map.remove(&any);
                    }
                }
                self.accounted = if name == "registered-cache" {
                    self.map.len() * 10_240
                } else {
                    0
                };
            }
            "bursts" => {
                self.blocks = if random.chance(0.3) {
                    (0..30).map(|_| vec![11; MIB]).collect()
                } else {
                    Vec::new()
                };
            }
            "expiring-sessions" => {
                let load = if epoch > 120 { 2 } else { 1 };
                self.fill_queue(epoch, load * MIB / 3);
                self.expire(epoch, 30);
            }
            "large-start" if epoch == 0 => self.blocks = (0..60).map(|_| vec![12; MIB]).collect(),
            "reloaded-settings" if epoch.is_multiple_of(40) => {
                self.blocks = (0..8 + epoch / 10).map(|_| vec![13; MIB]).collect();
            }
            _ => {}
        }
    }

    fn fill_queue(&mut self, epoch: u32, bytes: usize) {
        (0..bytes / 8_192).for_each(|_| self.queue.push_back((epoch, vec![14; 8_000])));
    }

    fn expire(&mut self, epoch: u32, epochs: u32) {
        while self
            .queue
            .front()
            .is_some_and(|(born, _)| born + epochs <= epoch)
        {
            self.queue.pop_front();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "one without a bound is what is to be found"
)]
fn channel() -> (
    std::sync::mpsc::Sender<Bytes>,
    std::sync::mpsc::Receiver<Bytes>,
) {
    std::sync::mpsc::channel()
}

/// What any program does besides: a few MiB that come and go.
#[inline(never)]
fn work(random: &mut Random) {
    for _ in 0..200 {
        let answer: Vec<String> = (0..20).map(|n| format!("{n:0>500}")).collect();
        black_box(&answer);
        black_box(vec![0_u8; random.within(1_000.0, 30_000.0) as usize]);
    }
}
