//! Time in pairs, and peak memory of processes.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use rsr_base::{Clock as _, SystemClock};

use super::Input;

/// Seconds that ours and the peer took, of the round with the median ratio.
pub(super) fn pairs(rounds: usize, ours: impl FnMut(), peer: impl FnMut()) -> [f64; 2] {
    let mut all = in_turn(rounds, ours, peer);
    all.sort_by(|[ours, peer], [ours_2, peer_2]| (ours / peer).total_cmp(&(ours_2 / peer_2)));
    all[all.len() / 2]
}

/// Seconds of each of the two in its fastest of three times as many rounds: for work on all cores, of which a neighbour
/// takes one now and then. Nothing makes a round faster than the work is.
pub(super) fn quiet_pairs(rounds: usize, ours: impl FnMut(), peer: impl FnMut()) -> [f64; 2] {
    let all = in_turn(3 * rounds, ours, peer);
    [0, 1].map(|which| {
        let seconds = all.iter().map(|pair| pair[which]);
        seconds.min_by(f64::total_cmp).unwrap_or(f64::NAN)
    })
}

/// Seconds of both in each round. They run in turn, and which comes first changes from round to round; an extra round warms
/// both up.
fn in_turn(rounds: usize, mut ours: impl FnMut(), mut peer: impl FnMut()) -> Vec<[f64; 2]> {
    (0..=rounds)
        .map(|round| {
            if round % 2 == 0 {
                let ours = seconds(&mut ours);
                [ours, seconds(&mut peer)]
            } else {
                let peer = seconds(&mut peer);
                [seconds(&mut ours), peer]
            }
        })
        .skip(1)
        .collect()
}

fn seconds(work: &mut impl FnMut()) -> f64 {
    let clock = SystemClock::new();
    work();
    clock.elapsed().as_secs_f64()
}

/// Megabytes of the largest resident set.
pub(super) struct Peak(pub(super) f64);

/// The peak of this program, asked to do one thing with the input.
pub(super) fn peak_of_child(arguments: &[&str], input: &Input) -> Peak {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--child").arg(&input.path).args(arguments);
    peak_of(&mut command)
}

/// The peak of any program. The kernel keeps the high-water mark; it is asked for until the process is gone.
pub(super) fn peak_of(command: &mut Command) -> Peak {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    let status = loop {
        if let Some(kib) = fs::read_to_string(&path)
            .ok()
            .and_then(|text| high_water(&text))
        {
            peak = peak.max(kib * 1024.0 / 1e6);
        }
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "{command:?} ended with {status}");
    Peak(peak)
}

fn high_water(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}
