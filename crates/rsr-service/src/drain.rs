//! How far the service is with stopping, seen by everyone who has to know.

use tokio::sync::watch;

/// The three phases of a service's life, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Everything is answered.
    Serving,
    /// Not ready any more, and says so: what is under way ends, who comes is answered once.
    Draining,
    /// The grace time is over: no new connection, and streams end at their next write.
    Cutting,
}

/// Tells all parts of one service when to stop. Clones share the phase.
#[derive(Clone, Debug)]
pub(crate) struct Drain {
    phase: watch::Sender<Phase>,
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self {
            phase: watch::Sender::new(Phase::Serving),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.phase() == Phase::Serving
    }

    /// Moves on to a later phase; an earlier one than the present is ignored.
    pub(crate) fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let later = to > *phase;
            if later {
                *phase = to;
            }
            later
        });
    }

    /// Waits until this phase or a later one.
    pub(crate) async fn reached(&self, phase: Phase) {
        let mut watcher = self.phase.subscribe();
        // The sender lives as long as `self`, so this ends by the phase alone.
        let _closed = watcher.wait_for(|now| *now >= phase).await.is_err();
    }
}
