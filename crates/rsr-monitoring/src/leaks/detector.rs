//! The states of a suspicion, from sample to sample.

use std::time::Duration;

use rsr_base::ByteSize;

use super::history::{BLOCK_HOURS, History, MIB};
use super::judge::{self, Bars, Trend};
use super::trend;

/// Figures of one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeakSample {
    /// Since a moment that stays the same; rises from sample to sample.
    pub at: Duration,
    /// Bytes the program holds.
    pub allocated: ByteSize,
    /// The part of them that registered caches hold within their bounds; zero where there is none.
    pub accounted: ByteSize,
    /// Physical memory, which is watched for fragmentation.
    pub resident: Option<ByteSize>,
    /// Requests a second, or whatever else measures the work that asks for memory.
    pub load: Option<f64>,
}

/// From when on a confirmed leak is worth waking someone up. The trend itself is judged without them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeakRules {
    /// Growth over the window as a share of its beginning. The setting is `leaks.growth_threshold`.
    pub growth_threshold: f64,
    /// Growth over the window. The setting is `leaks.memory_threshold_mb`.
    pub memory_threshold: ByteSize,
}

impl Default for LeakRules {
    fn default() -> Self {
        Self {
            growth_threshold: 0.2,
            memory_threshold: ByteSize::from_mib(100),
        }
    }
}

impl From<&rsr_settings::LeaksSettings> for LeakRules {
    fn from(settings: &rsr_settings::LeaksSettings) -> Self {
        Self {
            growth_threshold: settings.growth_threshold,
            memory_threshold: settings.memory_threshold_mb,
        }
    }
}

/// What is known of a leak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeakState {
    /// The history is too short to say anything.
    #[default]
    Unknown,
    /// Memory does not grow for good.
    None,
    /// It seems to, since a short time.
    Suspected,
    /// It does.
    Confirmed,
}

/// A change of state. There is one for each change and none for a state that holds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum LeakEvent {
    /// Memory began to look as if it leaked.
    Suspected(LeakVerdict),
    /// It does leak.
    Confirmed(LeakVerdict),
    /// It no longer grows, after it was suspected or confirmed. Carries the last verdict of growth.
    Resolved(LeakVerdict),
}

/// A trend of growth.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct LeakVerdict {
    /// MB of 1,048,576 bytes an hour.
    pub slope_mb_per_hour: f64,
    /// Bytes gained over the window.
    pub growth: ByteSize,
    /// The same as a share of what was held at its beginning.
    pub growth_ratio: f64,
    /// How long it has grown.
    pub window: Duration,
    /// From 0 to 1: how sure it is that chance alone did not do it.
    pub confidence: f64,
    /// Whether it has passed one of the [`LeakRules`].
    pub pages: bool,
}

/// What the newest samples say, whether or not there is a leak.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Outlook {
    /// The state.
    pub state: LeakState,
    /// The trend, where there is one.
    pub verdict: Option<LeakVerdict>,
    /// When a first verdict can be had, where the state is unknown: time from the newest sample.
    pub known_in: Option<Duration>,
    /// Physical memory grows and what the program holds does not: MB an hour.
    pub fragmentation_mb_per_hour: Option<f64>,
}

/// Judges a service's memory from samples, one after the other, and sees only what came before each.
///
/// Samples are taken together in blocks of half an hour, of which the lowest counts: what a program still holds at its
/// quietest moment. From it go the bytes of registered caches and the part that load explains. A verdict needs all of
/// these, on one of four scales from half an hour to four hours:
///
/// * a growth of more than 4 MB and 2 % of the base, by the Theil–Sen slope;
/// * a trend by Mann–Kendall, corrected for the series' own memory, and larger than wandering would bring about;
/// * growth that goes on in the second half and the last third, does not slow down as what fills up does, and is spread
///   over the window: not steps;
/// * a line rather than noise or a stair, and no falling back: the newest trough is the highest there was, and what has
///   fallen by half of the growth does not leak;
/// * three hours of growth after two and a half in which memory moved by less than half of it. Where it grew as fast before,
///   both last ten and a half hours: the first flank of a long saw-tooth or of a day is a leak to all who have seen nothing
///   else. Five hours do where it grew by half of the base.
///
/// An event comes with the first block that looks like a leak (suspected), with the second (confirmed), and when it has
/// not looked like one for four (resolved).
///
/// Holds at most three days of blocks, 8 KB. A sample costs nanoseconds; one that completes a block costs some
/// milliseconds where all of three days grows, and far less where nothing does.
///
/// ```
/// use std::time::Duration;
/// use rsr_base::ByteSize;
/// use rsr_monitoring::{LeakSample, analyse};
///
/// // 200 MiB, and from the sixth hour on 5 MiB more every hour; a sample each five minutes.
/// let samples = (0..432_u64).map(|n| LeakSample {
///     at: Duration::from_secs(n * 300),
///     allocated: ByteSize::from_kib(200 * 1024 + n.saturating_sub(72) * 5 * 1024 / 12),
///     accounted: ByteSize::ZERO,
///     resident: None,
///     load: None,
/// });
/// let alarm = analyse(samples).expect("it leaks");
/// assert!(alarm > Duration::from_secs(6 * 3600) && alarm < Duration::from_secs(12 * 3600));
/// ```
#[derive(Clone, Debug, Default)]
pub struct LeakDetector {
    rules: LeakRules,
    bars: Bars,
    history: History,
    state: LeakState,
    /// Blocks in a row that looked like a leak, and that did not.
    n_suspicious: u32,
    n_calm: u32,
    verdict: Option<LeakVerdict>,
    fragmentation: Option<f64>,
}

/// Blocks in a row that confirm a suspicion, and that resolve one.
const CONFIRMED_AFTER: u32 = 2;
const RESOLVED_AFTER: u32 = 4;

/// Blocks without which no verdict is possible: three hours of flat history and as many of growth.
const KNOWN_AFTER: usize = 12;

impl LeakDetector {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(rules: LeakRules) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }

    /// Uses other rules from now on.
    pub fn set_rules(&mut self, rules: LeakRules) {
        self.rules = rules;
    }

    /// Forgets all it has seen.
    pub fn reset(&mut self) {
        *self = Self::new(self.rules);
    }

    /// Takes the next sample.
    pub fn observe(&mut self, sample: &LeakSample) -> Option<LeakEvent> {
        if !self.history.push(sample) {
            return None;
        }
        let trend = judge::judge(self.history.blocks(), &self.bars);
        self.fragmentation = fragmentation(&mut self.history, &self.bars);
        match trend {
            Some(trend) => self.suspect(&trend),
            None => self.calm(),
        }
    }

    fn suspect(&mut self, trend: &Trend) -> Option<LeakEvent> {
        self.n_calm = 0;
        self.n_suspicious += 1;
        let verdict = self.verdict_of(trend);
        self.verdict = Some(verdict);
        match self.state {
            LeakState::Unknown | LeakState::None => {
                self.state = LeakState::Suspected;
                Some(LeakEvent::Suspected(verdict))
            }
            LeakState::Suspected if self.n_suspicious >= CONFIRMED_AFTER => {
                self.state = LeakState::Confirmed;
                Some(LeakEvent::Confirmed(verdict))
            }
            LeakState::Suspected | LeakState::Confirmed => None,
        }
    }

    fn calm(&mut self) -> Option<LeakEvent> {
        self.n_suspicious = 0;
        self.n_calm += 1;
        match self.state {
            LeakState::Suspected | LeakState::Confirmed if self.n_calm >= RESOLVED_AFTER => {
                self.state = LeakState::None;
                self.verdict.take().map(LeakEvent::Resolved)
            }
            LeakState::Unknown if self.history.len() >= KNOWN_AFTER => {
                self.state = LeakState::None;
                None
            }
            _ => None,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "growth is above zero and far below 2^53 bytes"
    )]
    fn verdict_of(&self, trend: &Trend) -> LeakVerdict {
        let growth = ByteSize::from_bytes((trend.growth * MIB) as u64);
        let growth_ratio = trend.growth / trend.base.max(1.0);
        LeakVerdict {
            slope_mb_per_hour: trend.slope,
            growth,
            growth_ratio,
            window: Duration::from_secs_f64(trend.span * 3600.0),
            confidence: 1.0 - (-trend.drift / 3.0).exp(),
            pages: growth_ratio >= self.rules.growth_threshold
                || growth >= self.rules.memory_threshold,
        }
    }

    /// What the samples say so far. O(1).
    #[must_use]
    pub fn outlook(&self) -> Outlook {
        let missing = KNOWN_AFTER.saturating_sub(self.history.len());
        let is_unknown = self.state == LeakState::Unknown;
        Outlook {
            state: self.state,
            verdict: self.verdict,
            known_in: is_unknown.then(|| {
                let blocks = u32::try_from(missing).unwrap_or(u32::MAX);
                Duration::from_secs_f64(BLOCK_HOURS * 3600.0).saturating_mul(blocks)
            }),
            fragmentation_mb_per_hour: self.fragmentation,
        }
    }
}

impl LeakVerdict {
    /// When this growth reaches `limit`, from a moment at which `in_use` is held; `None` where it is past already or
    /// more than a year away.
    #[must_use]
    pub fn time_to(&self, limit: ByteSize, in_use: ByteSize) -> Option<Duration> {
        const YEAR_HOURS: f64 = 365.0 * 24.0;
        if in_use >= limit {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "sizes far below 2^53 bytes")]
        let left_mb = (limit - in_use).bytes() as f64 / MIB;
        let hours = left_mb / self.slope_mb_per_hour;
        (hours <= YEAR_HOURS).then(|| Duration::from_secs_f64(hours * 3600.0))
    }
}

/// Growth of resident memory that the program's own bytes do not explain, judged as a leak is; MB an hour.
fn fragmentation(history: &mut History, bars: &Bars) -> Option<f64> {
    let blocks = history.blocks();
    let holes: Option<Vec<_>> = blocks
        .iter()
        .map(|block| {
            Some(super::history::Block {
                trough: block.resident? - block.held,
                ..*block
            })
        })
        .collect();
    let holes = holes?;
    let base = trend::median(&mut blocks.iter().map(|block| block.held).collect::<Vec<_>>())?;
    let trend = judge::judge(&holes, bars)?;
    // A share of the holes is little; what matters is a share of what is held.
    (trend.growth >= bars.growth_share_min * base).then_some(trend.slope)
}

/// Judges a whole series as the service would have while it was recorded: the moment of the sample at which a leak was
/// confirmed, if one was.
///
/// Sees at each sample only those before it. O(n), and some milliseconds at most for each half-hour of samples.
pub fn analyse(samples: impl IntoIterator<Item = LeakSample>) -> Option<Duration> {
    let mut detector = LeakDetector::default();
    samples
        .into_iter()
        .find(|sample| matches!(detector.observe(sample), Some(LeakEvent::Confirmed(_))))
        .map(|sample| sample.at)
}
