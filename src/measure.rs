//! Offsets from samples: pure functions.

mod estimate;
mod gaps;
mod line;

pub use estimate::{Difference, Estimate, Estimator, Pace, Way, difference, estimate};
pub use gaps::Gaps;
