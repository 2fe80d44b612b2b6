//! Scripts of `mock run`: what happens to the clocks, and what is expected of the program.
//!
//! `ptpctl-mock-script(5)` has their form, which is TOML.

mod expect;
mod play;
mod read;

pub(super) use play::{Play, Wish};

use super::clocks::{ClockSpec, WireSpec};
use crate::mock::{Incident, SystemConfig};
use crate::{Frequency, Offset};
use nix::sys::signal::Signal;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A script. Times count from the start of the program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    /// The clocks, the wires and the system clock, where the script says.
    pub(crate) clocks: Vec<ClockSpec>,
    pub(crate) wires: Vec<WireSpec>,
    pub(crate) system: Option<SystemConfig>,
    /// When the program is told to end.
    pub(super) stop: Option<Duration>,
    /// What happens, in the order of time.
    pub(super) happenings: Vec<(Duration, Happening)>,
    pub(super) expectations: Vec<Expectation>,
}

/// What happens at a time.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// Something to the clock at this place.
    ToClock(usize, Incident),
    /// Its card goes away.
    Goes(usize),
    /// It comes back, as the clock of this number.
    Returns(usize, u32),
    ToSystem(SystemIncident),
}

/// What happens to the simulated system clock.
#[derive(Clone, Copy, Debug)]
pub(super) enum SystemIncident {
    Step(Offset),
    /// Its crystal changes its frequency.
    Crystal(Frequency),
    /// A second is inserted, or left out.
    Leap {
        is_inserted: bool,
    },
}

/// What is expected.
#[derive(Clone, Debug)]
pub(super) struct Expectation {
    /// What it is called in the results.
    pub(super) name: String,
    pub(super) what: Expected,
}

#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// One clock minus another is near this, in nanoseconds, all the time.
    Offset { of: Side, to: Side, wanted: i128, within: i128, window: Window },
    /// A clock is not read more often than this in any second.
    Readings { of: usize, most: u64, window: Window },
    /// The program ends with this status.
    Status(i32),
    /// The program is ended by this signal.
    Signal(Signal),
    /// The program ends with 0, or because it was told to.
    EndsWell,
    /// Nothing is left on.
    NothingLeft,
}

/// From when until when something is expected; `None` for the end of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: Duration,
    pub(super) until: Option<Duration>,
}

/// What has a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The clock at this place.
    Clock(usize),
    /// The simulated system clock.
    System,
    /// True time.
    Utc,
}

/// What came of an expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// What was expected.
    pub(crate) name: String,
    /// Whether it came true; `None` where that was not shown.
    pub(crate) is_met: Option<bool>,
    /// What was found.
    pub(crate) found: String,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock(place) => write!(f, "ptp{place}"),
            Self::System => f.write_str("system"),
            Self::Utc => f.write_str("utc"),
        }
    }
}

/// What is wrong with a script, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScriptError {
    line: usize,
    why: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl Script {
    /// Refuses what needs more than so many clocks, or a system clock where there is none.
    pub(super) fn check(&self, clocks: usize, has_system: bool) -> Result<(), String> {
        let mut sides = Vec::new();
        let mut numbers = Vec::new();
        for (_, happening) in &self.happenings {
            match happening {
                Happening::ToClock(place, _) | Happening::Goes(place) => {
                    sides.push(Side::Clock(*place));
                }
                Happening::Returns(place, number) => {
                    sides.push(Side::Clock(*place));
                    numbers.push((*place, *number));
                }
                Happening::ToSystem(_) => sides.push(Side::System),
            }
        }
        for expectation in &self.expectations {
            match expectation.what {
                Expected::Offset { of, to, .. } => sides.extend([of, to]),
                Expected::Readings { of, .. } => sides.push(Side::Clock(of)),
                _ => {}
            }
        }
        let is_missing = |side: &&Side| match side {
            Side::Clock(place) => *place >= clocks,
            Side::System => !has_system,
            Side::Utc => false,
        };
        match sides.iter().find(is_missing) {
            Some(Side::System) => {
                return Err("it needs --system-clock, or system-clock = true".into());
            }
            Some(side) => return Err(format!("there is no clock {side}")),
            None => {}
        }
        let at_first = |place: usize, number: u32| {
            usize::try_from(number).is_ok_and(|number| number < clocks && number != place)
        };
        let is_taken = |&&(place, number): &&(usize, u32)| {
            let by_another = |other: &(usize, u32)| other.0 != place && other.1 == number;
            at_first(place, number) || numbers.iter().any(by_another)
        };
        match numbers.iter().find(is_taken) {
            Some((place, number)) => Err(format!(
                "the card of ptp{place} can't return as ptp{number}: another clock has this number"
            )),
            None => Ok(()),
        }
    }
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        read::script(text)
    }
}
