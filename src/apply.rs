//! What clocks are declared to be: a small TOML file that people edit, and how it is made so.
//!
//! A [`Declared`] is one clock of the file. [`declared`] reads them, [`text`] writes them, and
//! [`Declared::seen`] is what the kernel tells of a clock. A [`Plan`] is the difference, in an order
//! that works; [`make`] makes it so, and [`undo`] takes it back.

mod make;
mod name;
mod plan;
mod read;
mod seen;
mod write;

pub(crate) use make::{Stop, make, undo};
pub(crate) use name::{Name, Place};
pub(crate) use plan::{Plan, Step};
pub(crate) use read::{declared, declared_on_lines};
pub(crate) use write::text;

use crate::phc::PinFunction;
use crate::{Frequency, Offset};

/// What a clock is declared to be. What isn't declared stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) name: Name,
    pub(crate) frequency: Option<Frequency>,
    pub(crate) virtual_clocks: Option<u32>,
    pub(crate) pps: Option<bool>,
    pub(crate) pins: Vec<DeclaredPin>,
    pub(crate) outputs: Vec<Output>,
}

/// What a pin is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeclaredPin {
    /// Its index, or the driver's name for it.
    pub(crate) name: String,
    pub(crate) function: PinFunction,
    /// Of the function; 0 for a pin without one.
    pub(crate) channel: u32,
}

/// A periodic output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) channel: u32,
    /// `None` where it is off.
    pub(crate) pulses: Option<Pulses>,
}

/// The pulses of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pulses {
    pub(crate) period: Offset,
    /// The driver's choice where `None`.
    pub(crate) width: Option<Offset>,
    /// After each multiple of the period; where `None`, they start at a full second.
    pub(crate) phase: Option<Offset>,
}
