//! The bulk pass against a plain fold, the time its index takes to build, the bytes it holds, and what more processors gain.
//!
//! `cargo bench -p rsr-aggregation --bench aggregation -- [--quick] [--json] [CASE]`: a line a case; a ratio above 1 is in our
//! favour. Times are medians; those of one thread are its own time on a processor, which other work on the machine does not
//! add to.
#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints figures to a few digits"
)]

#[cfg(feature = "parallel")]
mod parallel;

use std::hint::black_box;

use nix::time::{ClockId, clock_gettime};
use rsr_aggregation::{Hundredths, Rollup};
use rsr_base::{PeriodId, SharedClock, system_clock};
use rsr_testkit::Seeded;

const N: u32 = 1_000_000;
const ROOT: u32 = u32::MAX;

type Links = Vec<(PeriodId, Option<PeriodId>)>;

fn main() {
    let has = |flag: &str| std::env::args().any(|arg| arg == flag);
    let bench = Bench {
        only: std::env::args().skip(1).find(|arg| !arg.starts_with('-')),
        clock: system_clock(),
        rounds: if has("--quick") { 7 } else { 31 },
        json: has("--json"),
    };
    if !bench.json {
        println!(
            "{:<22} {:>10} {:>10} {:<8} {:<14} {:>6}",
            "case", "ours", "peer", "peer", "unit", "ratio"
        );
    }
    let shapes: [(&str, Links); 4] = [
        ("portfolio", portfolio()),
        ("random", random(|id| id)),
        (
            "chain",
            (0..i64::from(N))
                .map(|id| link(id, (id > 0).then(|| id - 1)))
                .collect(),
        ),
        (
            "fan",
            (0..i64::from(N))
                .map(|id| link(id, (id > 0).then_some(0)))
                .collect(),
        ),
    ];
    for (name, links) in &shapes {
        bench.pass(name, links);
    }
    for (name, links) in &shapes {
        bench.index(name, links);
    }
    let mut shuffled = random(|id| id);
    Seeded::new(3).shuffle_links(&mut shuffled);
    bench.index("shuffled", &shuffled);
    // Ids of no order at all, as in data that was put together from many databases.
    bench.index(
        "scattered",
        &random(|id| id.wrapping_mul(0x5851_F42D_4C95_7F2D)),
    );
    if bench.wants("bytes") {
        bench.bytes(&shapes[0].1);
    }
    #[cfg(feature = "parallel")]
    if bench.wants("parallel") {
        parallel::compare(&bench, &shapes[0].1);
    }
}

fn link(id: i64, parent: Option<i64>) -> (PeriodId, Option<PeriodId>) {
    (PeriodId(id), parent.map(PeriodId))
}

/// Trees of some hundred periods, three or four levels deep, as copies of indicators down a hierarchy are.
fn portfolio() -> Links {
    let mut seeded = Seeded::new(1);
    let mut links = Vec::with_capacity(N as usize);
    let mut root = 0;
    for id in 0..i64::from(N) {
        if id - root > 300 || id == 0 {
            root = id;
            links.push(link(id, None));
        } else {
            let span = u64::try_from((id - root).min(40)).unwrap_or(1);
            let above = i64::try_from(seeded.below(span)).unwrap_or(0);
            links.push(link(id, Some(root + above)));
        }
    }
    links
}

/// Every period below any earlier one: a tree without locality.
fn random(name: impl Fn(i64) -> i64) -> Links {
    let mut seeded = Seeded::new(2);
    (0..u64::from(N))
        .map(|id| {
            let parent = (id > 0).then(|| seeded.below(id));
            let name = |id: u64| name(i64::try_from(id).unwrap_or(0));
            link(name(id), parent.map(name))
        })
        .collect()
}

trait Shuffle {
    fn shuffle_links(&mut self, links: &mut Links);
}

impl Shuffle for Seeded {
    fn shuffle_links(&mut self, links: &mut Links) {
        for at in (1..links.len()).rev() {
            let other = usize::try_from(self.below(at as u64 + 1)).unwrap_or(0);
            links.swap(at, other);
        }
    }
}

/// What passes while work is done.
#[derive(Clone, Copy)]
enum Timer {
    /// Time: for work on several threads.
    #[cfg_attr(
        not(feature = "parallel"),
        expect(dead_code, reason = "nothing runs side by side")
    )]
    Wall,
    /// This thread's time on a processor.
    Thread,
}

struct Bench {
    /// The only case to run.
    only: Option<String>,
    clock: SharedClock,
    rounds: usize,
    json: bool,
}

impl Bench {
    /// Copying the own parts in and adding them up: ours with counts, checks and switches, the peer without.
    fn pass(&self, shape: &str, links: &Links) {
        let case = format!("pass-{shape}");
        if !self.wants(&case) {
            return;
        }
        let (mut rollup, _) = Rollup::new(links.iter().copied()).expect("a million fits");
        let mut seeded = Seeded::new(4);
        let own: Vec<i128> = (0..N)
            .map(|_| i128::from(seeded.below(1_000_000)))
            .collect();
        let parents = rollup.order().raw_parents().to_vec();
        let mut folded = Vec::new();
        let pair = self.in_turn(
            Timer::Thread,
            || {
                let values = own.iter().map(|&own| Hundredths::from_hundredths(own));
                rollup.set_own_values(values.map(Some));
                rollup.run().expect("sums of a million small numbers fit");
            },
            || fold(&parents, &own, &mut folded),
        );
        for (&id, &sum) in rollup.order().ids().iter().zip(&folded).step_by(997) {
            let total = rollup.total(id).ok().flatten();
            let total = total.and_then(|total| total.numbers.value);
            assert_eq!(
                total.map(Hundredths::hundredths),
                Some(sum),
                "both add up alike"
            );
        }
        self.print_pair(&case, pair, "fold");
    }

    /// Seconds of both, of the round whose ratio is the middle one. In turn, so that both meet the same machine.
    fn in_turn<A, B>(
        &self,
        time: Timer,
        mut ours: impl FnMut() -> A,
        mut peer: impl FnMut() -> B,
    ) -> (f64, f64) {
        let rounds = (0..=self.rounds)
            .map(|_| {
                let before = self.now(time);
                black_box(peer());
                let between = self.now(time);
                black_box(ours());
                (self.now(time) - between, between - before)
            })
            .collect();
        middle(rounds)
    }

    fn print_pair(&self, case: &str, (ours, peer): (f64, f64), peer_name: &str) {
        self.print(case, ours * 1e3, peer * 1e3, peer_name, "ms");
    }

    fn index(&self, shape: &str, links: &Links) {
        let case = format!("index-{shape}");
        if !self.wants(&case) {
            return;
        }
        let mut times: Vec<f64> = (0..self.rounds)
            .map(|_| self.time(|| black_box(Rollup::new(links.iter().copied())).is_ok()))
            .collect();
        let ns = median(&mut times) * 1e9 / f64::from(N);
        self.print(&case, ns, 150.0, "limit", "ns a node");
    }

    fn wants(&self, case: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == case)
    }

    fn bytes(&self, links: &Links) {
        let (rollup, _) = Rollup::new(links.iter().copied()).expect("a million fits");
        let (structure, column) = rollup.bytes();
        let each = |bytes: usize| bytes as f64 / f64::from(N);
        self.print(
            "bytes-structure",
            each(structure),
            20.0,
            "limit",
            "bytes a node",
        );
        self.print("bytes-column", each(column), 20.0, "limit", "bytes a node");
    }

    fn time<T>(&self, work: impl FnOnce() -> T) -> f64 {
        let before = self.now(Timer::Thread);
        black_box(work());
        self.now(Timer::Thread) - before
    }

    fn now(&self, time: Timer) -> f64 {
        match time {
            Timer::Wall => self.clock.elapsed().as_secs_f64(),
            Timer::Thread => {
                let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
                let now = now.expect("Linux counts it");
                now.tv_sec() as f64 + now.tv_nsec() as f64 / 1e9
            }
        }
    }

    fn print(&self, case: &str, ours: f64, peer: f64, peer_name: &str, unit: &str) {
        let ratio = peer / ours;
        if self.json {
            println!(
                "{{\"bench\":\"aggregation\",\"case\":\"{case}\",\"ours\":{ours:.3},\"peer\":{peer:.3},\
                 \"peer_name\":\"{peer_name}\",\"unit\":\"{unit}\",\"ratio\":{ratio:.3}}}"
            );
        } else {
            println!("{case:<22} {ours:>10.2} {peer:>10.2} {peer_name:<8} {unit:<14} {ratio:>6.2}");
        }
    }
}

/// The plainest that could work, on the same order of periods.
fn fold(parents: &[u32], own: &[i128], sums: &mut Vec<i128>) {
    sums.clear();
    sums.extend_from_slice(own);
    for index in (0..parents.len()).rev() {
        let parent = parents[index];
        if parent != ROOT {
            sums[parent as usize] += sums[index];
        }
    }
}

/// Ours and the peer, of the round whose ratio is the middle one; the first round warmed both up.
fn middle(mut rounds: Vec<(f64, f64)>) -> (f64, f64) {
    rounds.remove(0);
    rounds.sort_by(|left, right| (left.1 / left.0).total_cmp(&(right.1 / right.0)));
    rounds[rounds.len() / 2]
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}
