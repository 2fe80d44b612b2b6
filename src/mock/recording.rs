//! A recording of calls on clocks: JSON, a line for each clock and for each call. `ptpctl trace`
//! writes it, and a mock can answer as the recorded clock did. ptpctl-trace(1) documents its keys.

mod read;
#[cfg(feature = "cli")]
mod write;

pub(super) use read::{Line, read};
#[cfg(feature = "cli")]
pub(crate) use write::{write_call, write_facts};

use crate::kernel::uapi::{ptp_clock_caps, ptp_pin_desc};

/// What a clock is like, as far as it could be found out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Its name in the calls, such as `ptp0`.
    pub(crate) clock: String,
    /// When the recording began, in nanoseconds since 1970 by the system's clock.
    pub(crate) began_ns: i64,
    pub(crate) clock_name: Option<String>,
    pub(crate) driver: Option<String>,
    /// The release of the kernel.
    pub(crate) kernel: String,
    pub(crate) caps: Option<ptp_clock_caps>,
    pub(crate) pins: Vec<ptp_pin_desc>,
}

#[cfg(test)]
#[cfg(feature = "cli")]
mod tests;
