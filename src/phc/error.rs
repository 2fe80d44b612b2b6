//! What can go wrong with a clock, and what to do about it.

use super::{Reason, Task};
use crate::kernel::{Call, ENOTSUPP, Errno, errno_name};
use std::fmt;

/// The names of a clock: the one that the user gave, and its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceName {
    /// The device: `/dev/ptp0`, `mock:full`.
    pub device: String,
    /// The clock's own name, where sysfs tells it.
    pub clock_name: Option<String>,
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.clock_name {
            Some(name) => write!(f, "{} ({name})", self.device),
            None => f.write_str(&self.device),
        }
    }
}

/// Why a clock didn't do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A call failed.
    Call {
        /// What was asked.
        asked: Task,
        /// Of which clock.
        name: DeviceName,
        /// The call.
        call: Call,
        /// Its answer.
        errno: Errno,
        /// The number that the driver answered. It differs from `errno` where the C library has no
        /// name for it: `ENOTSUPP` (524), which some drivers answer where they mean `EOPNOTSUPP`.
        number: i32,
    },
    /// This clock can't do it; no call was made and nothing has changed.
    Unable {
        /// What was asked.
        asked: Task,
        /// Of which clock.
        name: DeviceName,
        /// The reason, with the limit.
        why: Box<Reason>,
    },
    /// No clock can do it; no call was made and nothing has changed.
    Invalid {
        /// What was asked.
        asked: Task,
        /// Of which clock.
        name: DeviceName,
        /// The reason.
        why: Box<Reason>,
    },
}

impl Error {
    /// What was asked.
    pub fn asked(&self) -> &Task {
        let (Self::Call { asked, .. } | Self::Unable { asked, .. } | Self::Invalid { asked, .. }) =
            self;
        asked
    }

    /// Of which clock.
    pub fn name(&self) -> &DeviceName {
        let (Self::Call { name, .. } | Self::Unable { name, .. } | Self::Invalid { name, .. }) =
            self;
        name
    }

    /// The kernel's answer, where a call failed.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Call { errno, .. } => Some(*errno),
            _ => None,
        }
    }

    /// The number of the kernel's answer, as [`std::io::Error`] has it.
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::Call { number, .. } => Some(*number),
            _ => None,
        }
    }

    /// What the kernel calls its answer, where a call failed: "EBUSY", and "errno 517" where it has
    /// no name that programs know.
    pub fn errno_name(&self) -> Option<String> {
        match self {
            Self::Call { number, .. } => Some(errno_name(*number)),
            Self::Unable { .. } | Self::Invalid { .. } => None,
        }
    }

    /// The call that failed.
    pub fn call(&self) -> Option<Call> {
        match self {
            Self::Call { call, .. } => Some(*call),
            _ => None,
        }
    }

    /// Whether the clock or its kernel lacks what was asked for, as opposed to having failed.
    pub fn is_unsupported(&self) -> bool {
        match self {
            Self::Call { errno, call, .. } => {
                matches!(errno, Errno::EOPNOTSUPP | Errno::ERANGE)
                    || (*errno == Errno::ENOTTY && *call != Call::Open)
            }
            Self::Unable { .. } => true,
            Self::Invalid { .. } => false,
        }
    }

    /// Whether what was asked for was refused, and nothing has changed.
    pub(crate) fn is_refusal(&self) -> bool {
        let refuses = |errno: Errno| {
            matches!(errno, Errno::EINVAL | Errno::EBUSY | Errno::EACCES | Errno::EPERM)
        };
        self.is_unsupported()
            || matches!(self, Self::Invalid { .. })
            || self.errno().is_some_and(refuses)
    }

    /// Whether this says that the clock has gone: `ENODEV` from reading its time, or `ENOENT`,
    /// `ENODEV` or `ENXIO` from opening it. Other calls may answer these for other reasons: a cross
    /// timestamp where its partner is missing.
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Call { errno, call: Call::ClockGettime, .. } => *errno == Errno::ENODEV,
            Self::Call { errno, call: Call::Open, .. } => {
                matches!(errno, Errno::ENOENT | Errno::ENODEV | Errno::ENXIO)
            }
            _ => false,
        }
    }

    /// Whether it is the machine's own clock that failed.
    pub(crate) fn is_of_system(&self) -> bool {
        matches!(
            self.call(),
            Some(Call::SystemGettime | Call::SystemNanosleep | Call::SystemAdjtime)
        )
    }

    /// Whether the same call may work the next time: the clock is there, and can do it.
    pub fn is_passing(&self) -> bool {
        let is_refusal = |errno: Errno| matches!(errno, Errno::EACCES | Errno::EPERM);
        !self.is_unsupported()
            && !self.is_absence()
            && !self.is_of_system()
            && self.errno().is_some_and(|errno| !is_refusal(errno))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { name, call: Call::Open, errno, .. } => {
                let words = match errno {
                    Errno::ENOTTY => "it is no PTP hardware clock",
                    Errno::ENODATA => {
                        "neither /sys nor /proc/devices is there to tell whether it is a PTP \
                         hardware clock, and opening another device can do harm"
                    }
                    _ => words(*errno),
                };
                write!(f, "can't open {name}: {words} ({})", self.errno_name().unwrap_or_default())
            }
            Self::Call { asked, name, call, errno, number } => {
                let (words, errno_name) = (words(*errno), self.errno_name().unwrap_or_default());
                write!(f, "can't {asked} on {name}: {call}: {words} ({errno_name}")?;
                // The C library doesn't know this name, so the number is shown, too.
                if *number == ENOTSUPP {
                    write!(f, ", {number}")?;
                }
                f.write_str(")")
            }
            Self::Unable { asked, name, why } | Self::Invalid { asked, name, why } => {
                write!(f, "can't {asked} on {name}: {why}")
            }
        }
    }
}

/// An errno in words that fit a clock.
fn words(errno: Errno) -> &'static str {
    match errno {
        Errno::EOPNOTSUPP => "not supported",
        Errno::ENOTTY => "this kernel doesn't know the call",
        Errno::ERANGE => "value out of range",
        Errno::EPROTO => "the answer makes no sense",
        Errno::UnknownErrno => "an error that programs are not meant to see",
        _ => errno.desc(),
    }
}

impl std::error::Error for Error {
    /// The kernel's answer, where a call failed.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Call { errno, .. } => Some(errno),
            _ => None,
        }
    }
}
