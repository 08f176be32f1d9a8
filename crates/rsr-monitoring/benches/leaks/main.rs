//! How well leaks are told from everything else, beside the rule this detector replaces.
//!
//! `cargo bench -p rsr-monitoring --all-features --bench leaks -- [--quick] [--json] [--seed N] [--train] [--kinds]`
//!
//! Three generators of labelled series, of different making. The detector's bars were chosen on the seeds of `--train`;
//! without it each run takes a seed of its own from the clock, which nobody has seen, and says which. What counts are
//! the rows `precision` to `delay`: all three sets together. Beside the series thirty-six small programs run, half of
//! which leak: the rows that begin with `program` are of those that windows were set on, the rows that begin with
//! `new-program` of those that came later; `paced-program` are all of them, each at a tempo from half to twice its own that
//! the seed chooses.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a program that prints figures, and takes a seed from the clock"
)]

mod legacy;
mod mixture;
mod newcomers;
mod programs;
mod series;
mod textbook;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use rsr_base::ByteSize;
use rsr_monitoring::LeakSample;
use series::Labelled;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Seeds that the bars were chosen on lie below.
const TRAIN_SEEDS: u64 = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if let [.., tempo, flag, name] = arguments.as_slice()
        && flag == "--program"
    {
        programs::run(name, tempo.parse().unwrap_or(1.0));
        return;
    }
    let asked = arguments
        .windows(2)
        .find(|pair| pair.first().is_some_and(|flag| flag == "--seed"))
        .and_then(|pair| pair.last()?.parse().ok());
    let seed = match asked {
        Some(seed) => seed,
        None if has("--train") => 5,
        None => fresh_seed(),
    };
    // Three times as many as a set needs: of 240 healthy ones, chance alone moves the share of false alarms by a per cent.
    let n = if has("--quick") { 160 } else { 1_440 };
    let sets = [
        ("one-thing", series::generate(seed, n)),
        ("mixture", mixture::generate(seed, n)),
        ("textbook", textbook::generate(seed, n)),
    ];
    eprintln!("3 sets of {n} series, seed {seed}; the same again with --seed {seed}");
    let mut rows = Vec::new();
    let (mut all, mut ours_of_all, mut peer_of_all) = (Vec::new(), Vec::new(), Vec::new());
    for (name, set) in sets {
        let ours: Vec<_> = set.iter().map(alarm_s).collect();
        let peer: Vec<_> = set
            .iter()
            .map(|series| legacy::alarm_s(&series.resident, series.step_s))
            .collect();
        if has("--kinds") {
            kinds(&set, &ours);
        }
        let prefix = format!("{name}-");
        rows.extend(compare(
            &prefix,
            &Score::of(&set, &ours),
            &Score::of(&set, &peer),
        ));
        all.extend(set);
        ours_of_all.extend(ours);
        peer_of_all.extend(peer);
    }
    let (ours, peer) = (Score::of(&all, &ours_of_all), Score::of(&all, &peer_of_all));
    rows.splice(0..0, compare("", &ours, &peer));
    if !has("--train") {
        let all: Vec<_> = [&programs::PROGRAMS[..], &newcomers::PROGRAMS].concat();
        let as_written = |list: &[programs::Planted]| list.iter().map(|one| (*one, 1.0)).collect();
        for (prefix, list) in [
            ("program", as_written(&programs::PROGRAMS)),
            ("new-program", as_written(&newcomers::PROGRAMS)),
            ("paced-program", programs::paced(&all, seed)),
        ] {
            let verdicts = programs::judge_all(&list);
            if has("--kinds") {
                for (name, verdict) in &verdicts {
                    println!("{name:>22}: {}", verdict.said);
                }
            }
            rows.extend(programs::rows(prefix, &verdicts));
        }
    }
    for Row {
        case,
        ours,
        peer,
        unit,
    } in rows
    {
        let lower_is_better = case.ends_with("false-alarms") || case.ends_with("delay");
        let ratio = if lower_is_better {
            peer / ours.max(1e-3)
        } else {
            ours / peer.max(1e-3)
        };
        if has("--json") {
            println!(
                "{{\"bench\":\"leaks\",\"case\":\"{case}\",\"ours\":{ours:.4},\"peer\":{peer:.4},\"peer_name\":\"first-against-last\",\"unit\":\"{unit}\",\"ratio\":{ratio:.3},\"seed\":{seed}}}"
            );
        } else {
            println!("{case:>26} {ours:>8.3} {peer:>8.3}  {unit}");
        }
    }
}

/// One that nothing was chosen on.
fn fresh_seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    TRAIN_SEEDS + since.map_or(0, |since| since.as_secs())
}

/// One line of the table.
struct Row {
    case: String,
    ours: f64,
    peer: f64,
    unit: &'static str,
}

fn compare(prefix: &str, ours: &Score, peer: &Score) -> [Row; 5] {
    let row = |case: &str, of: fn(&Score) -> f64, unit| Row {
        case: format!("{prefix}{case}"),
        ours: of(ours),
        peer: of(peer),
        unit,
    };
    [
        row("precision", Score::precision, "ratio"),
        row("recall", Score::recall, "ratio"),
        row("f1", Score::f1, "ratio"),
        row(
            "false-alarms",
            Score::false_alarms,
            "ratio of healthy series",
        ),
        row("delay", Score::median_delay_h, "h, median"),
    ]
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
