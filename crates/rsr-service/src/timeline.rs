//! Memory over time: seconds of the last hour, minutes of the last day, hours of the last weeks.

use std::collections::VecDeque;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rsr_base::{ByteSize, read_file_at_most};

use crate::watch::Moment;

/// Time between two moments, and how many are kept: an hour, a day and a half, four weeks.
const TIERS: [(Duration, usize); 3] = [
    (Duration::from_secs(10), 360),
    (Duration::from_secs(300), 432),
    (Duration::from_secs(3600), 672),
];

/// Most bytes of a history on disk.
const FILE_MAX: ByteSize = ByteSize::from_mib(1);

/// The moments that are kept: 35 KB however long the service runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    tiers: [VecDeque<Moment>; TIERS.len()],
}

impl Timeline {
    /// Takes a moment into every tier that is due.
    pub(crate) fn push(&mut self, moment: Moment) {
        for (tier, (every, most)) in self.tiers.iter_mut().zip(TIERS) {
            let last = tier.back();
            if last.is_some_and(|last| moment.at.saturating_sub(last.at) < every) {
                continue;
            }
            if tier.len() == most {
                tier.pop_front();
            }
            tier.push_back(moment);
        }
    }

    /// The last hour, oldest first.
    pub(crate) fn hour(&self) -> Vec<Moment> {
        self.tiers[0].iter().copied().collect()
    }

    /// Everything, oldest first: each stretch of time at the finest that is known of it.
    pub(crate) fn all(&self) -> Vec<Moment> {
        let mut moments: Vec<Moment> = Vec::new();
        for tier in self.tiers.iter().rev() {
            if let Some(first) = tier.front() {
                moments.retain(|moment| moment.at < first.at);
            }
            moments.extend(tier.iter().copied());
        }
        moments
    }

    /// Writes all but the last hour's details: `seconds since 1970, bytes held, bytes resident` a line.
    pub(crate) fn save(&self, path: &Path, wall: SystemTime, now: Duration) -> std::io::Result<()> {
        let seconds = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut text = String::from("rsr-memory-history 1\n");
        let moments = self.all();
        let coarse = moments
            .iter()
            .filter(|moment| self.tiers.iter().skip(1).any(|tier| tier.contains(moment)));
        for moment in coarse {
            let at = seconds
                .saturating_sub(now.saturating_sub(moment.at))
                .as_secs();
            writeln!(text, "{at} {} {}", moment.held, moment.resident)
                .expect("a string takes all text");
        }
        let beside = path.with_extension("new");
        std::fs::write(&beside, text)?;
        std::fs::rename(&beside, path)
    }

    /// Takes back what a run before has written. Its moments lie before the service's clock began, so they count back
    /// from `now`; what does not is left out. `None` where the file is none of ours.
    pub(crate) fn load(path: &Path, wall: SystemTime) -> Option<Vec<(Duration, u64, u64)>> {
        let seconds = wall
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let text = read_file_at_most(path, FILE_MAX).ok()?;
        let lines = text.strip_prefix("rsr-memory-history 1\n")?;
        Some(
            lines
                .lines()
                .filter_map(|line| {
                    let mut numbers = line.split(' ').map(|word| word.parse::<u64>().ok());
                    let at = numbers.next()??;
                    let age = Duration::from_secs(seconds.checked_sub(at)?);
                    Some((age, numbers.next()??, numbers.next()??))
                })
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(second: u64) -> Moment {
        Moment {
            at: Duration::from_secs(second),
            held: second,
            resident: second,
        }
    }

    #[test]
    fn the_older_the_coarser_and_never_more_than_it_may() {
        let mut timeline = Timeline::default();
        for second in (0..20 * 86_400).step_by(10) {
            timeline.push(moment(second));
        }
        let all = timeline.all();
        assert!(all.len() < 360 + 432 + 672, "{}", all.len());
        assert!(all.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert_eq!(all[0].at, Duration::ZERO);
        assert_eq!(timeline.hour().len(), 360);
    }

    #[test]
    fn what_was_saved_comes_back_with_its_age() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let mut timeline = Timeline::default();
        for second in (0..7_200).step_by(10) {
            timeline.push(moment(second));
        }
        let wall = UNIX_EPOCH + Duration::from_secs(1_000_000);
        timeline
            .save(&path, wall, Duration::from_secs(7_200))
            .unwrap();
        let later = wall + Duration::from_secs(100);
        let back = Timeline::load(&path, later).unwrap();
        assert_eq!(back.first(), Some(&(Duration::from_secs(7_300), 0, 0)));
        assert_eq!(back.len(), 24);
        std::fs::write(&path, "something else").unwrap();
        assert_eq!(Timeline::load(&path, later), None);
    }
}
