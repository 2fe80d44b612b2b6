//! PTP hardware clocks (PHCs) for Rust programs: everything that Linux's PTP character devices
//! offer, and a mock clock that answers as the kernel does.
//!
//! [`Phc`] is one open clock. It speaks in exact quantities: [`Timestamp`], [`Offset`],
//! [`Frequency`]. Below it is the seam, [`kernel::Calls`], on which your own simulator can stand.
//!
//! # Examples
//!
//! ```
//! # #[cfg(feature = "mock")] {
//! use ptpctl::{Offset, Phc, mock::Mock};
//!
//! let phc = Phc::over(Box::new(Mock::new(&"mock:full".parse()?)?), "mock:full");
//! assert!(phc.caps()?.phase_control.is_offered());
//! phc.adjust_phase(Offset::from_nanoseconds(500))?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! `mock` is the mock clock; `cli` is what the command `ptpctl` needs. Without features the
//! library depends on `libc` and `nix` only.

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod decimal;
#[cfg(any(feature = "mock", feature = "recordings"))]
mod files;
pub mod find;
mod frequency;
#[cfg(all(fuzzing, feature = "cli"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "recordings")]
mod json;
pub mod kernel;
pub mod measure;
#[cfg(feature = "mock")]
pub mod mock;
mod offset;
pub mod phc;
#[cfg(feature = "recordings")]
mod printable;
mod rate;
#[cfg(feature = "cli")]
mod report;
#[cfg(feature = "cli")]
mod rfc3339;
mod sample;
pub mod selftest;
mod timestamp;
pub mod watch;

pub use frequency::Frequency;
pub use offset::{Offset, ParseQuantityError};
pub use phc::{Error, Phc};
pub use rate::{Rate, RateInterval};
pub use sample::Sample;
pub use timestamp::{FittingScale, Scale, System, Tai, TaiOffset, Timestamp, Unknown, Utc};
