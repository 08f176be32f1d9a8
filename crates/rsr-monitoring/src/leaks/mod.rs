//! Finds out whether memory grows for good.

mod detector;
mod history;
mod judge;
mod trend;

pub use detector::{
    LeakDetector, LeakEvent, LeakRules, LeakSample, LeakState, LeakVerdict, Outlook, analyse,
};

#[cfg(test)]
mod tests;
