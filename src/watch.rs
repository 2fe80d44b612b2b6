//! Measures clocks, once or on a schedule, and keeps readings in files.
//!
//! A [`Source`] is a clock and what it is measured against: a system clock or another clock. Each
//! [`Reading`] of it is a measurement, a miss (a reading that failed; the next one may work) or the
//! clock's absence. A [`Sampler`] reads sources on a [`Schedule`], in a thread of its own.

mod allowance;
#[cfg(feature = "cli")]
pub(crate) mod fleet;
#[cfg(feature = "cli")]
pub(crate) mod foreign;
mod meter;
mod reading;
#[cfg(feature = "recordings")]
pub mod record;
#[cfg(feature = "recordings")]
mod replay;
mod sampler;
mod schedule;
mod source;
mod step;

#[cfg(feature = "cli")]
pub(crate) use allowance::known_limit;
pub use meter::{Effort, Measured};
#[cfg(feature = "cli")]
pub(crate) use meter::{Meter, Question, rate_limit};
pub use reading::{Cause, Comparison, Label, Measurement, Outcome, PassedOver, Reading, Recorded};
#[cfg(feature = "recordings")]
pub use replay::Replay;
pub use sampler::{Isolation, Privilege, Refusal, Sampler, SamplerError};
pub use schedule::Schedule;
pub use source::Source;
#[cfg(feature = "cli")]
pub(crate) use source::machine_time;
