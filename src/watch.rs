//! Clocks measured: once, or again and again on a schedule; measurements in files.

mod measured;
mod record;
mod replay;
mod sampler;
mod source;
mod step;

pub(crate) use measured::{Limit, Measured, Question, Unmeasured};
pub(crate) use record::{Damage, Line, Reader, Recorder};
pub(crate) use replay::Replay;
pub(crate) use sampler::{Isolation, Pace, Sampler, Tick};
pub(crate) use source::{Label, Measurement, Source, Unopened};
