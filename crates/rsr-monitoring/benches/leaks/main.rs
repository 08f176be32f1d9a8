//! How well leaks are told from everything else, beside the rule this detector replaces.
//!
//! `cargo bench -p rsr-monitoring --all-features --bench leaks -- [--quick] [--json] [--train|--mixture] [--kinds]`
//!
//! Half of the labelled series were there to choose the detector's bars; what counts is the other half, which was
//! never looked at meanwhile. `--train` shows the first half, `--mixture` series of another making, on which nothing was
//! chosen. Beside the series twenty small programs run, half of which leak: the rows that begin with `program`.
#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a program that prints figures"
)]

mod legacy;
mod mixture;
mod programs;
mod series;

use std::collections::BTreeMap;
use std::time::Duration;

use rsr_base::ByteSize;
use rsr_monitoring::LeakSample;
use series::Labelled;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const TRAIN_SEED: u64 = 1;
const TEST_SEED: u64 = 20_260_731;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if let [.., flag, name] = arguments.as_slice()
        && flag == "--program"
    {
        programs::run(name);
        return;
    }
    let n = if has("--quick") { 240 } else { 960 };
    let seed = if has("--train") {
        TRAIN_SEED
    } else {
        TEST_SEED
    };
    let all = if has("--mixture") {
        mixture::generate(seed, n)
    } else {
        series::generate(seed, n)
    };
    let ours: Vec<_> = all.iter().map(alarm_s).collect();
    let peer: Vec<_> = all
        .iter()
        .map(|series| legacy::alarm_s(&series.resident, series.step_s))
        .collect();
    if has("--kinds") {
        kinds(&all, &ours);
    }
    let (ours, peer) = (Score::of(&all, &ours), Score::of(&all, &peer));
    let rows = [
        ("precision", ours.precision(), peer.precision(), "ratio"),
        ("recall", ours.recall(), peer.recall(), "ratio"),
        ("f1", ours.f1(), peer.f1(), "ratio"),
        (
            "false-alarms",
            ours.false_alarms(),
            peer.false_alarms(),
            "ratio of healthy series",
        ),
        (
            "delay",
            ours.median_delay_h(),
            peer.median_delay_h(),
            "h, median",
        ),
    ];
    if !has("--json") {
        println!(
            "{n} series of 36 h, {} of them leak; seed {seed}",
            ours.leaks
        );
    }
    let programs = (!has("--train") && !has("--mixture")).then(programs::judge_all);
    let program_rows = programs.iter().flat_map(|all| {
        if has("--kinds") {
            for (name, verdict) in all {
                println!("{name:>20}: {}", verdict.said);
            }
        }
        programs::rows(all)
    });
    for (case, ours, peer, unit) in rows.into_iter().chain(program_rows) {
        let lower_is_better = matches!(case, "false-alarms" | "delay");
        let ratio = if lower_is_better {
            peer / ours.max(1e-3)
        } else {
            ours / peer.max(1e-3)
        };
        if has("--json") {
            println!(
                "{{\"bench\":\"leaks\",\"case\":\"{case}\",\"ours\":{ours:.4},\"peer\":{peer:.4},\"peer_name\":\"first-against-last\",\"unit\":\"{unit}\",\"ratio\":{ratio:.3}}}"
            );
        } else {
            println!("{case:>14} {ours:>8.3} {peer:>8.3}  {unit}");
        }
    }
}

/// The moment our detector raises its alarm.
fn alarm_s(series: &Labelled) -> Option<f64> {
    rsr_monitoring::analyse(samples(series)).map(|at| at.as_secs_f64())
}

fn samples(series: &Labelled) -> impl Iterator<Item = LeakSample> + '_ {
    let mib = |mib: f64| ByteSize::from_bytes((mib * 1_048_576.0) as u64);
    series
        .allocated
        .iter()
        .enumerate()
        .map(move |(place, allocated)| LeakSample {
            at: Duration::from_secs_f64(place as f64 * series.step_s),
            allocated: mib(*allocated),
            accounted: series
                .accounted
                .as_ref()
                .map_or(ByteSize::ZERO, |all| mib(all[place])),
            resident: Some(mib(series.resident[place])),
            load: series.load.as_ref().map(|all| all[place]),
        })
}

/// An alarm before the leak begins is a false one, and the leak counts as missed.
#[derive(Default)]
struct Score {
    leaks: usize,
    healthy: usize,
    found: usize,
    wrong: usize,
    healthy_alarmed: usize,
    delays_h: Vec<f64>,
}

impl Score {
    fn of(all: &[Labelled], alarms: &[Option<f64>]) -> Self {
        let mut score = Self::default();
        for (series, alarm) in all.iter().zip(alarms) {
            match (series.leak_from_s, alarm) {
                (Some(from), Some(at)) if *at >= from => {
                    score.found += 1;
                    score.delays_h.push((at - from) / 3600.0);
                }
                (Some(_), Some(_)) => score.wrong += 1,
                (None, Some(_)) => {
                    score.wrong += 1;
                    score.healthy_alarmed += 1;
                }
                _ => {}
            }
            if series.leak_from_s.is_some() {
                score.leaks += 1;
            } else {
                score.healthy += 1;
            }
        }
        score.delays_h.sort_by(f64::total_cmp);
        score
    }

    fn precision(&self) -> f64 {
        self.found as f64 / (self.found + self.wrong).max(1) as f64
    }

    fn recall(&self) -> f64 {
        self.found as f64 / self.leaks.max(1) as f64
    }

    fn f1(&self) -> f64 {
        let (precision, recall) = (self.precision(), self.recall());
        2.0 * precision * recall / (precision + recall).max(1e-9)
    }

    fn false_alarms(&self) -> f64 {
        self.healthy_alarmed as f64 / self.healthy.max(1) as f64
    }

    fn median_delay_h(&self) -> f64 {
        self.delays_h
            .get(self.delays_h.len() / 2)
            .copied()
            .unwrap_or(f64::NAN)
    }
}

fn kinds(all: &[Labelled], alarms: &[Option<f64>]) {
    let mut by_kind: BTreeMap<&str, Vec<(&Labelled, Option<f64>)>> = BTreeMap::new();
    for (series, alarm) in all.iter().zip(alarms) {
        by_kind
            .entry(series.kind)
            .or_default()
            .push((series, *alarm));
    }
    for (kind, members) in by_kind {
        let alarmed = members.iter().filter(|(_, alarm)| alarm.is_some()).count();
        let mut delays: Vec<f64> = members
            .iter()
            .filter_map(|(series, alarm)| {
                Some((alarm.as_ref()? - series.leak_from_s.unwrap_or(0.0)) / 3600.0)
            })
            .collect();
        delays.sort_by(f64::total_cmp);
        let median = delays.get(delays.len() / 2).copied().unwrap_or(f64::NAN);
        let early = delays.iter().filter(|delay| **delay < 0.0).count();
        println!(
            "{kind:>20}: {alarmed:>3} of {:>3} alarmed, {early} too early, {median:>5.1} h",
            members.len()
        );
    }
}
