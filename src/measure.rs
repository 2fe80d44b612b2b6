//! Offsets and rates from samples, stability from offsets: pure functions.

mod estimate;
mod gaps;
mod line;
#[cfg(feature = "stability")]
pub mod stability;

pub use estimate::{Difference, Estimate, Estimator, Pace, Way, difference, estimate};
pub use gaps::Gaps;
