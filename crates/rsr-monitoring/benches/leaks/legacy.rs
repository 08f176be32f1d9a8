//! The rule that this detector replaces, for comparison.

/// The first and the last of fifty samples, one every five minutes: an alarm once the growth passes a fifth or 100 MB.
///
/// It looked at the memory of the process.
pub(crate) fn alarm_s(resident: &[f64], step_s: f64) -> Option<f64> {
    const SAMPLES: usize = 50;
    let every = (300.0 / step_s).round().max(1.0) as usize;
    let samples: Vec<f64> = resident.iter().copied().step_by(every).collect();
    (1..samples.len()).find_map(|last| {
        let first = samples[(last + 1).saturating_sub(SAMPLES)];
        let growth = samples[last] - first;
        (last + 1 >= SAMPLES && (growth > 100.0 || growth > 0.2 * first))
            .then_some((last * every) as f64 * step_s)
    })
}
