//! Ctrl-C, and being told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

/// A flag that goes up at the first Ctrl-C or SIGTERM. The second one ends the program at once.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    raised: Arc<AtomicBool>,
}

/// What shells show for a program that an interrupt ended.
const KILLED: i32 = 130;

impl Interrupt {
    /// Starts listening.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let raised = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down and only raises it.
            signal_hook::flag::register_conditional_shutdown(signal, KILLED, Arc::clone(&raised))?;
            signal_hook::flag::register(signal, Arc::clone(&raised))?;
        }
        Ok(Self { raised })
    }

    /// Whether the person wants the work to end.
    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// The flag itself, for the crates that look at it between two steps.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.raised)
    }
}

impl Interrupt {
    /// Waits for the flag, `at_most` so long. A signal ends the wait within a tenth of a second.
    pub(crate) fn wait(&self, at_most: std::time::Duration) {
        const STEP: std::time::Duration = std::time::Duration::from_millis(100);
        let mut left = at_most;
        while !left.is_zero() && !self.is_raised() {
            let step = left.min(STEP);
            std::thread::park_timeout(step);
            left = left.saturating_sub(step);
        }
    }
}
