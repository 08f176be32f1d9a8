//! Manual clocks, seeded generators and memory assertions for tests of memory-aware code.
//!
//! ```
//! use std::time::Duration;
//! use rsr_base::Clock;
//! use rsr_testkit::ManualClock;
//!
//! let clock = ManualClock::new();
//! clock.advance(Duration::from_secs(60));
//! assert_eq!(clock.elapsed(), Duration::from_secs(60));
//! ```

mod clock;

pub use clock::ManualClock;
