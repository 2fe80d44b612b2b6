//! What a program changes on a clock, and how it is put back.
//!
//! A [`Change`] is one thing that the program has changed. A [`Guard`] notes each change before it
//! is made and puts all of them back at its end. A [`Journal`] keeps the notes in a file that
//! outlives the program. If the program is killed, [`left_behind`] tells the next program what was
//! not put back. A [`Writer`] makes permanent changes.

mod change;
mod guard;
#[cfg(feature = "cli")]
mod journal;
#[cfg(feature = "cli")]
mod left;
#[cfg(feature = "cli")]
mod outputs;
#[cfg(feature = "cli")]
mod shared;
mod time;
#[cfg(feature = "cli")]
mod writer;

pub use change::Change;
pub(crate) use change::Part;
pub(crate) use guard::{Guard, Record};
#[cfg(feature = "cli")]
pub(crate) use journal::{Journal, may_have_left, runs_for_another};
#[cfg(feature = "cli")]
pub(crate) use left::{Left, left_behind};
#[cfg(feature = "cli")]
pub(crate) use outputs::{is_about_the_start, soon};
pub(crate) use time::beside_system;
#[cfg(feature = "cli")]
pub(crate) use writer::{Done, Log, Writer};
