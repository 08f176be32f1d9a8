//! Comparing ours with a peer, in one run and in turn.

use std::fmt;
use std::time::Duration;

use rsr_base::{Clock, SystemClock};

/// A bench binary's options and output: one row a case, as a table or as JSON lines.
///
/// Ratios of two measurements on a shared machine hold only if both saw the same machine, so ours and the peer run
/// alternately, and the median of the rounds' ratios counts.
#[derive(Clone, Debug)]
pub struct Bench {
    name: &'static str,
    is_quick: bool,
    is_json: bool,
    only: Option<String>,
}

/// One compared figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The bench.
    pub bench: &'static str,
    /// The case.
    pub case: &'static str,
    /// Our figure.
    pub ours: f64,
    /// The peer's figure.
    pub peer: f64,
    /// Who the peer is.
    pub peer_name: &'static str,
    /// What the figures count.
    pub unit: &'static str,
    /// Above 1 where ours is better.
    pub ratio: f64,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bench,
            case,
            ours,
            peer,
            peer_name,
            unit,
            ratio,
        } = self;
        write!(
            f,
            r#"{{"bench":"{bench}","case":"{case}","ours":{ours:.3},"peer":{peer:.3},"peer_name":"{peer_name}","unit":"{unit}","ratio":{ratio:.3}}}"#
        )
    }
}

impl Bench {
    /// Reads `--quick`, `--json` and the name of a single case from the command line; ignores what `cargo bench` adds.
    #[must_use]
    pub fn from_args(name: &'static str) -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
        let bench = Self {
            name,
            is_quick: has("--quick"),
            is_json: has("--json"),
            only: arguments
                .into_iter()
                .find(|argument| !argument.starts_with('-')),
        };
        if !bench.is_json {
            bench.print(&format!(
                "{:<22} {:>14} {:>14} {:<14} {:<12} {:>7}",
                "case", "ours", "peer", "peer is", "unit", "ratio"
            ));
        }
        bench
    }

    /// True where a rough figure in a short time is wanted.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        self.is_quick
    }

    /// True where this case is to run.
    #[must_use]
    pub fn wants(&self, case: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == case)
    }

    /// Compares speeds. Each function does a batch of work and answers how many operations it was.
    pub fn speed(
        &self,
        case: &'static str,
        peer_name: &'static str,
        mut ours: impl FnMut() -> u64,
        mut peer: impl FnMut() -> u64,
    ) {
        if !self.wants(case) {
            return;
        }
        let (rounds, round) = if self.is_quick { (5, 100) } else { (21, 250) };
        let round = Duration::from_millis(round);
        // The first round warms both up.
        let mut all: Vec<(f64, f64)> = (0..=rounds)
            .map(|_| (rate(round, &mut ours), rate(round, &mut peer)))
            .skip(1)
            .collect();
        all.sort_by(|left, right| (left.0 / left.1).total_cmp(&(right.0 / right.1)));
        let (ours, peer) = all[all.len() / 2];
        self.row(case, peer_name, "ops/s", ours, peer, ours / peer);
    }

    /// Prints a figure of which less is better.
    pub fn less(
        &self,
        case: &'static str,
        peer_name: &'static str,
        unit: &'static str,
        ours: f64,
        peer: f64,
    ) {
        self.row(case, peer_name, unit, ours, peer, peer / ours);
    }

    /// Prints a figure of which more is better.
    pub fn more(
        &self,
        case: &'static str,
        peer_name: &'static str,
        unit: &'static str,
        ours: f64,
        peer: f64,
    ) {
        self.row(case, peer_name, unit, ours, peer, ours / peer);
    }

    fn row(
        &self,
        case: &'static str,
        peer_name: &'static str,
        unit: &'static str,
        ours: f64,
        peer: f64,
        ratio: f64,
    ) {
        let row = Row {
            bench: self.name,
            case,
            ours,
            peer,
            peer_name,
            unit,
            ratio,
        };
        if self.is_json {
            self.print(&row.to_string());
        } else {
            let figure = |value: f64| {
                if value >= 1e5 {
                    format!("{:.2} M", value / 1e6)
                } else {
                    format!("{value:.3}")
                }
            };
            self.print(&format!(
                "{case:<22} {:>14} {:>14} {peer_name:<14} {unit:<12} {ratio:>7.3}",
                figure(ours),
                figure(peer)
            ));
        }
    }

    #[expect(
        clippy::print_stdout,
        clippy::unused_self,
        reason = "the output of a bench binary"
    )]
    fn print(&self, line: &str) {
        println!("{line}");
    }
}

/// Operations a second over at least `round`.
fn rate(round: Duration, work: &mut impl FnMut() -> u64) -> f64 {
    let clock = SystemClock::new();
    let mut n = 0;
    let mut elapsed = Duration::ZERO;
    while elapsed < round {
        n += work();
        elapsed = clock.elapsed();
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let n = n as f64;
    n / elapsed.as_secs_f64()
}
