//! A service that keeps something for each session and forgets to let go: the detector says so, and its own counter of
//! live sessions says who. Three days pass in a moment, as time is a parameter.
#![expect(
    clippy::print_stdout,
    clippy::missing_assert_message,
    reason = "it shows something"
)]

use std::time::Duration;

use rsr_base::ByteSize;
use rsr_monitoring::{LeakDetector, LeakRules, LeakSample, Tracked, live_instances, track};

/// What is kept for each session. The counter goes with it.
struct Session {
    buffer: Vec<u8>,
    _alive: Tracked<Self>,
}

fn main() {
    let mut detector = LeakDetector::new(LeakRules::default());
    let mut forgotten: Vec<Session> = Vec::new();
    let five_minutes = Duration::from_secs(300);

    for n in 0..864_u32 {
        // Each sample: some work that ends, and one session that nobody ends.
        let working = 40 + u64::from(n % 7);
        forgotten.push(Session {
            buffer: vec![0; 1],
            _alive: track(),
        });
        let sample = LeakSample {
            at: five_minutes * n,
            // A real service reads these from `Readings`; here a session counts for 256 KiB.
            allocated: ByteSize::from_kib(working * 1024 + 256 * forgotten.len() as u64),
            accounted: ByteSize::ZERO,
            resident: None,
            load: None,
        };
        if let Some(event) = detector.observe(&sample) {
            println!("after {:.1} h: {event:?}", sample.at.as_secs_f64() / 3600.0);
        }
    }

    let verdict = detector
        .outlook()
        .verdict
        .expect("it grows by 3 MiB an hour for three days");
    println!("{verdict:?}");
    for kind in live_instances() {
        println!("{}: {} alive", kind.name, kind.n_live);
    }
    assert_eq!(
        forgotten
            .iter()
            .map(|session| session.buffer.len())
            .sum::<usize>(),
        864
    );
}
