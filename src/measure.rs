//! Offsets from samples: pure functions.

mod estimate;
mod gaps;

pub use estimate::{Difference, Estimate, Estimator, difference, estimate};
pub use gaps::Gaps;
