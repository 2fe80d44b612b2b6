//! PTP hardware clocks (PHCs) for Rust programs: everything that Linux's PTP character devices
//! offer, measuring them well, and a mock clock that answers as the kernel does.
//!
//! [`Phc`] is one open clock. It speaks in exact quantities: [`Timestamp`], [`Offset`],
//! [`Frequency`], [`Rate`]. [`watch`] measures clocks, once or on a schedule: the offset is the best
//! guess, with a bound that holds whatever the clock does. Below is the seam, the trait
//! [`kernel::Calls`], which your own simulator can implement.
//!
//! # Examples
//!
//! ```
//! # #[cfg(feature = "mock")] {
//! use ptpctl::{Offset, Phc, mock::Mock, phc::SystemClock};
//!
//! let phc = Phc::over(Box::new(Mock::new(&"mock:full".parse()?)?), "mock:full");
//! assert!(phc.caps()?.phase_control.is_offered());
//! phc.adjust_phase(Offset::from_nanoseconds(500))?;
//! let measured = phc.offset(SystemClock::Realtime)?;
//! println!("{:+} at {}", measured.estimate.offset, measured.estimate.at);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The folder `examples` has programs: one reads a clock, one watches two clocks and stops at a step,
//! one is the loop of an exporter, and one tests your own program on the mock.
//!
//! # Features
//!
//! Without features the library depends on `libc` and `nix` only.
//!
//! | feature | what it adds |
//! |---|---|
//! | `mock` | the mock clock, [`mock::Mock`](mock) |
//! | `recordings` | readings in files, [`watch::record`] |
//! | `stability` | deviations and masks, [`measure::stability`] |
//! | `cli` (default) | the command `ptpctl`; other programs don't need it |

// Which feature an item needs, on docs.rs.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "cli")]
mod apply;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod decimal;
#[cfg(feature = "cli")]
mod doctor;
#[cfg(any(feature = "mock", feature = "recordings"))]
mod files;
pub mod find;
mod fine_offset;
mod frequency;
#[cfg(all(fuzzing, feature = "cli"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "cli")]
mod http;
#[cfg(any(feature = "mock", feature = "recordings"))]
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
mod restore;
#[cfg(feature = "cli")]
mod rfc3339;
mod sample;
pub mod selftest;
#[cfg(feature = "cli")]
mod supervise;
#[cfg(feature = "cli")]
mod tables;
mod timestamp;
pub mod watch;

pub use fine_offset::FineOffset;
pub use frequency::Frequency;
pub use offset::{Offset, ParseQuantityError};
pub use phc::{Error, Phc};
pub use rate::{Rate, RateInterval};
pub use sample::Sample;
pub use timestamp::{FittingScale, Scale, System, Tai, TaiOffset, Timestamp, Unknown, Utc};
