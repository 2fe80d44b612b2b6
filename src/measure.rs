//! Offsets and rates from samples, stability from offsets: pure functions.

mod curve;
mod estimate;
mod gaps;
mod grain;
mod line;
#[cfg(feature = "stability")]
pub mod stability;
mod statistics;
mod straight;

pub use curve::Basis;
pub use estimate::{
    DifferenceEstimator, Estimate, Estimator, UncertainRate, estimate, straight_guess,
};
pub use gaps::Gaps;
pub use statistics::Statistics;
