//! What to give up when memory runs short, step by step.

mod ladder;
mod state;

pub use ladder::{PressureLevel, PressureSteps};
pub use state::{Consumer, Pressure, PressureChange, Shed, Work};
