//! What a source says at one moment: a measurement, a miss, or the clock's absence.

use crate::find::FindError;
use crate::kernel::{Call, Errno};
use crate::measure::{Statistics, UncertainRate};
use crate::phc::{DeviceName, Error, Method};
use crate::{Offset, Rate, Timestamp, Utc};
use std::fmt;
use std::sync::Arc;

/// What a source is called, in lines and in pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Label {
    /// The clock's device.
    pub device: String,
    /// What the clock calls itself.
    pub clock_name: Option<String>,
    /// What it is measured against: a system clock, or another clock's device.
    pub reference: String,
}

impl Label {
    /// The name that a user gives: the device, a colon, and what it is measured against.
    pub fn name(&self) -> String {
        format!("{}:{}", self.device, self.reference)
    }

    /// Whether a name that a user gives means this source: the clock as users name it elsewhere,
    /// alone or with a colon and what it is measured against.
    pub fn is_called(&self, name: &str) -> bool {
        let is_device = |name: &str, device: &str| {
            name == device
                || [format!("/dev/{name}"), format!("/dev/ptp{name}")].contains(&device.into())
        };
        let is_clock =
            |name: &str| is_device(name, &self.device) || self.clock_name.as_deref() == Some(name);
        let both = |(at, _)| {
            let (clock, reference) = name.split_at(at);
            let reference = reference.trim_start_matches(':');
            is_clock(clock) && is_device(reference, &self.reference)
        };
        is_clock(name) || name.match_indices(':').any(both)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} - {}", self.device, self.reference)
    }
}

/// One reading of a source.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What was read.
    pub source: Arc<Label>,
    /// When: the moment of its offset, or of the attempt.
    pub at: Timestamp<Utc>,
    /// Its result.
    pub outcome: Outcome,
}

/// The result of a reading.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// An offset.
    Measured(Measurement),
    /// The clock is there, and this reading failed: the next one may work.
    Missed(Cause),
    /// The clock has gone.
    Absent(Cause),
}

/// One offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measurement {
    /// Clock − reference: the best guess.
    pub offset: Offset,
    /// The offset is off by this at most, where that can be told.
    pub bound: Option<Offset>,
    /// The standard deviation of the guess, where that can be told.
    pub uncertainty: Option<Offset>,
    /// The time between the system times of the best sample, where that can be told; of both clocks
    /// together where two are compared.
    pub delay: Option<Offset>,
    /// The clock's rate against the reference, where that can be told.
    pub rate: Option<UncertainRate>,
    /// Whether the clocks curved while they were read.
    pub curved: bool,
    /// How the samples were read, where that is known.
    pub method: Option<Method>,
    /// Whether one of the clocks was stepped since the reading before, or in this one.
    pub stepped: bool,
    /// Why better methods weren't used, in the reading in which that turns out.
    pub passed_over: Vec<PassedOver>,
    /// How two clocks were compared, where two were.
    pub comparison: Option<Comparison>,
}

/// How two clocks were compared: `method` is the first one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How the second clock was read.
    pub reference_method: Method,
    /// The limit that the first clock's rate is assumed to keep between a sample of it and one of
    /// the second: the bound holds only if the rate keeps it.
    pub rate_limit: Rate,
}

impl Reading {
    /// Enters it into statistics of its source.
    pub fn enter(&self, statistics: &mut Statistics) {
        match &self.outcome {
            Outcome::Measured(one) => statistics.add(self.at, one.offset, one.stepped),
            Outcome::Missed(_) => statistics.miss(),
            Outcome::Absent(_) => statistics.absent(),
        }
    }
}

impl Outcome {
    /// The measurement, where there is one.
    pub fn measured(&self) -> Option<&Measurement> {
        match self {
            Self::Measured(measurement) => Some(measurement),
            Self::Missed(_) | Self::Absent(_) => None,
        }
    }

    /// Why there is no measurement.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Measured(_) => None,
            Self::Missed(cause) | Self::Absent(cause) => Some(cause),
        }
    }
}

/// Why a better method wasn't used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PassedOver {
    /// It failed again and again.
    Failed(Error),
    /// The system times of its samples are the wrong way round.
    Reversed(Method),
}

impl PassedOver {
    /// The error, where it failed.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Reversed(_) => None,
        }
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "a better method failed: {error}"),
            Self::Reversed(method) => write!(
                f,
                "the {method} method has the system times the wrong way round in each sample: it \
                 wasn't used"
            ),
        }
    }
}

/// Why there is no measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// A clock didn't answer.
    Clock(Error),
    /// A clock isn't there, or can't be opened.
    Find(FindError),
    /// A clock's samples are of no use: the system clock went backwards in each, or the offset is
    /// beyond 292 years.
    Useless(DeviceName),
    /// With this method, the system times of a clock's samples are the wrong way round.
    Reversed(DeviceName, Method),
    /// It was read from a recording.
    Recorded(Recorded),
}

/// Why there is no measurement, as a recording has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The whole sentence.
    pub why: String,
    /// The call that failed.
    pub call: Option<Call>,
    /// Its answer.
    pub errno: Option<Errno>,
}

impl Cause {
    /// The call that failed.
    pub fn call(&self) -> Option<Call> {
        match self {
            Self::Recorded(recorded) => recorded.call,
            other => other.error().and_then(Error::call),
        }
    }

    /// The kernel's answer.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Recorded(recorded) => recorded.errno,
            Self::Find(FindError::Unasked { errno, .. } | FindError::Unreadable { errno, .. }) => {
                Some(*errno)
            }
            other => other.error().and_then(Error::errno),
        }
    }

    /// What the kernel calls its answer, as [`Error::errno_name`] has it.
    pub fn errno_name(&self) -> Option<String> {
        match self.error() {
            Some(error) => error.errno_name(),
            None => self.errno().map(|errno| format!("{errno:?}")),
        }
    }

    /// The number of the kernel's answer.
    pub fn raw_os_error(&self) -> Option<i32> {
        match self.error() {
            Some(error) => error.raw_os_error(),
            None => self.errno().map(|errno| errno as i32),
        }
    }

    /// The clock's error.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Clock(error) | Self::Find(FindError::Clock(error)) => Some(error),
            _ => None,
        }
    }

    /// Whether it says that the clock has gone.
    pub(super) fn is_absence(&self) -> bool {
        match self {
            Self::Find(FindError::Clock(error)) | Self::Clock(error) => error.is_absence(),
            Self::Find(_) => true,
            Self::Useless(_) | Self::Reversed(..) | Self::Recorded(_) => false,
        }
    }
}

impl From<Error> for Cause {
    fn from(error: Error) -> Self {
        Self::Clock(error)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock(error) => error.fmt(f),
            Self::Find(error) => error.fmt(f),
            Self::Useless(name) => write!(
                f,
                "can't tell the offset of {name}: it stands still, the system clock went backwards in \
                 each sample, or the offset is beyond 292 years"
            ),
            Self::Reversed(name, method) => write!(
                f,
                "can't tell the offset of {name}: with the {method} method, the system times of \
                 each sample are the wrong way round; another method may work"
            ),
            Self::Recorded(recorded) => f.write_str(&recorded.why),
        }
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Clock(error) => Some(error),
            Self::Find(error) => Some(error),
            Self::Useless(_) | Self::Reversed(..) | Self::Recorded(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_called_by_its_clock_alone_or_with_what_it_is_measured_against() {
        let label = |device: &str, reference: &str| Label {
            device: device.into(),
            clock_name: Some("ptpsim sim".into()),
            reference: reference.into(),
        };
        let one = label("/dev/ptp3", "realtime");
        for name in ["/dev/ptp3", "ptp3", "3", "ptpsim sim", "3:realtime", "ptpsim sim:realtime"] {
            assert!(one.is_called(name), "{name}");
        }
        for name in ["/dev/ptp", "4", "", "3:", ":realtime", "3:monotonic", "3:realtime:"] {
            assert!(!one.is_called(name), "{name}");
        }
        assert!(label("/dev/ptp0", "/dev/ptp1").is_called("0:1"));
        assert!(
            label("mock:igb", "mock:full,offset=1us").is_called("mock:igb:mock:full,offset=1us")
        );
        assert!(one.is_called(&one.name()));
    }
}
