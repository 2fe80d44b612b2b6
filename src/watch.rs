//! Clocks measured: once, or again and again on a schedule; measurements in files.

mod measured;
mod record;
mod sampler;
mod source;

pub(crate) use measured::{Limit, Measured, Question, Unmeasured};
pub(crate) use record::{Line, Reader, Recorder};
pub(crate) use sampler::{Isolation, Pace, Sampler, Tick};
pub(crate) use source::{Label, Measurement, Source, Unopened};
