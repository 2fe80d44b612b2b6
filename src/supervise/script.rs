//! Scripts of `mock run`: what happens to the clocks, and what is expected of the program.
//!
//! `ptpctl-mock-script(5)` has their form, which is TOML.

mod expect;
mod play;
mod read;

pub(super) use play::{Play, Wish};

use super::clocks::{ClockSpec, WireSpec, is_answered, unanswered};
use crate::mock::{Incident, SystemConfig};
use crate::tables::TableError;
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

impl Script {
    /// Refuses what doesn't fit these clocks, or needs a system clock where there is none.
    pub(super) fn check(&self, clocks: &[ClockSpec], has_system: bool) -> Result<(), String> {
        let is_there = |side: &Side| match side {
            Side::Clock(place) => *place < clocks.len(),
            Side::System => has_system,
            Side::Utc => true,
        };
        let sides = self.happenings.iter().map(|(_, happening)| happening.side());
        let expected = self.expectations.iter().flat_map(|it| it.what.sides());
        match sides.chain(expected).find(|side| !is_there(side)) {
            Some(Side::System) => {
                return Err("it needs --system-clock, or system-clock = true".into());
            }
            Some(side) => return Err(format!("there is no clock {side}")),
            None => {}
        }
        self.check_signals(clocks)?;
        self.check_cards(clocks.len())
    }

    /// Refuses signals at inputs that the clocks don't have, and failures that nobody would see.
    fn check_signals(&self, clocks: &[ClockSpec]) -> Result<(), String> {
        for (_, happening) in &self.happenings {
            let Happening::ToClock(place, incident) = happening else { continue };
            let Some(clock) = clocks.get(*place) else { continue };
            let (ends, what) = clock.inputs();
            if incident.changes_signal() && ends == 0 {
                return Err(format!("ptp{place} has no inputs that a signal could come to"));
            }
            if let Some(pin) = incident.pin().filter(|pin| *pin >= ends) {
                return Err(format!(
                    "ptp{place} has {ends} {what}, counted from 0: there is no {pin}"
                ));
            }
            if let Some(call) = incident.failing().find(|call| !is_answered(*call)) {
                return Err(unanswered(call));
            }
        }
        Ok(())
    }

    /// Refuses cards that go or come back twice, and numbers that two clocks would have.
    fn check_cards(&self, clocks: usize) -> Result<(), String> {
        let mut away = vec![false; clocks];
        let mut numbers: Vec<(usize, u32)> = (0..clocks).zip(0..).collect();
        for (time, happening) in &self.happenings {
            let (place, goes) = match happening {
                Happening::Goes(place) => (*place, true),
                Happening::Returns(place, number) => {
                    if numbers.iter().any(|known| known.1 == *number && known.0 != *place) {
                        return Err(format!(
                            "the card of ptp{place} can't return as ptp{number}: another clock has \
                             this number"
                        ));
                    }
                    numbers.push((*place, *number));
                    (*place, false)
                }
                Happening::ToClock(..) | Happening::ToSystem(_) => continue,
            };
            let was_away = away.get_mut(place).map(|away| std::mem::replace(away, goes));
            if was_away == Some(goes) {
                let how = if goes { "go away: it is" } else { "return: it is not" };
                return Err(format!("at {time:?} the card of ptp{place} can't {how} away"));
            }
        }
        Ok(())
    }
}

impl Happening {
    fn side(&self) -> Side {
        match self {
            Self::ToClock(place, _) | Self::Goes(place) | Self::Returns(place, _) => {
                Side::Clock(*place)
            }
            Self::ToSystem(_) => Side::System,
        }
    }
}

impl Expected {
    fn sides(&self) -> Vec<Side> {
        match self {
            Self::Offset { of, to, .. } => vec![*of, *to],
            Self::Readings { of, .. } => vec![Side::Clock(*of)],
            Self::Status(_) | Self::Signal(_) | Self::EndsWell | Self::NothingLeft => Vec::new(),
        }
    }
}

impl FromStr for Script {
    type Err = TableError;

    fn from_str(text: &str) -> Result<Self, TableError> {
        read::script(text)
    }
}
