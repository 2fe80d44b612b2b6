//! What can go wrong with a clock, and what to do about it.

use nix::errno::Errno;
use std::fmt;

/// How a clock is called: as people named it, and as it calls itself.
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
pub enum Error {
    /// A call failed.
    Call {
        /// What was asked: "set the time".
        asked: String,
        /// Of which clock.
        name: DeviceName,
        /// The kernel's name of the call.
        call: &'static str,
        /// Its answer.
        errno: Errno,
    },
    /// This clock can't do it; no call was made and nothing has changed.
    Unable {
        /// What was asked.
        asked: String,
        /// Of which clock.
        name: DeviceName,
        /// The reason, with the limit.
        why: String,
    },
    /// No clock can do it; no call was made and nothing has changed.
    Invalid {
        /// What was asked.
        asked: String,
        /// Of which clock.
        name: DeviceName,
        /// The reason.
        why: String,
    },
}

impl Error {
    /// What was asked.
    pub fn asked(&self) -> &str {
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

    /// The call that failed.
    pub fn call(&self) -> Option<&'static str> {
        match self {
            Self::Call { call, .. } => Some(call),
            _ => None,
        }
    }

    /// Whether the clock or its kernel lacks what was asked for, as opposed to having failed.
    pub fn is_unsupported(&self) -> bool {
        match self {
            Self::Call { errno, call, .. } => {
                matches!(errno, Errno::EOPNOTSUPP | Errno::ERANGE)
                    || (*errno == Errno::ENOTTY && *call != "open")
            }
            Self::Unable { .. } => true,
            Self::Invalid { .. } => false,
        }
    }

    /// What to do about it, where there is something.
    pub fn advice(&self) -> Option<String> {
        let Self::Call { name, call, errno, .. } = self else {
            return None;
        };
        let device = &name.device;
        Some(match errno {
            // Of a mock nobody can.
            Errno::EACCES if *call == "open" && device.starts_with('/') => format!(
                "give yourself access to {device}: join its group (ls -l {device}), or have an \
                 administrator add a udev rule such as SUBSYSTEM==\"ptp\", GROUP=\"ptp\", \
                 MODE=\"0660\". Commands that only look need read access alone"
            ),
            Errno::EACCES if call.starts_with("sysfs") => {
                "this needs root: run it with sudo".into()
            }
            Errno::EACCES if *call == "open" => {
                "this clock may be opened for reading only, as by commands that only look".into()
            }
            Errno::EACCES => {
                "the clock is open read-only: write access to the device is needed".into()
            }
            Errno::EPERM => "the capability CAP_SYS_TIME is needed: run it with sudo".into(),
            Errno::EBUSY if call.starts_with("clock_") && !call.contains("REALTIME") => format!(
                "a clock with virtual clocks runs freely: control those instead, or remove them \
                 with 'ptpctl vclocks 0 {device}'"
            ),
            Errno::EBUSY if call.contains("EXTTS") || call.contains("PEROUT") => format!(
                "this clock wants a pin for the channel first: 'ptpctl pins {device}' lists them, \
                 --pin assigns one"
            ),
            Errno::EBUSY => {
                "something else uses it: 'ptpctl list' shows who has the clock open".into()
            }
            Errno::ENODEV => {
                "the clock has gone: was the card or its driver removed? 'ptpctl list' shows what \
                 is there"
                    .into()
            }
            Errno::ENOENT if *call == "open" => {
                "there is no such device: 'ptpctl list' shows what is there".into()
            }
            Errno::ENODATA if *call == "open" => "mount -t sysfs sysfs /sys".into(),
            Errno::ENOTTY if *call == "open" => {
                "'ptpctl list' shows the clocks that there are".into()
            }
            Errno::ENOTTY => "this kernel is older than the call; 'ptpctl caps' shows what the \
                clock offers"
                .into(),
            Errno::EOPNOTSUPP => {
                format!("the driver can't do this; 'ptpctl caps {device}' shows what it can")
            }
            Errno::EINVAL if call.starts_with("clock_") => {
                "the kernel takes no time before 1970 and none after the year 2232".into()
            }
            Errno::ERANGE if call.contains("PEROUT") => {
                "this driver makes fewer outputs than the interface has: some have one pulse a \
                 second, on the second, and nothing else"
                    .into()
            }
            Errno::ERANGE => format!(
                "the value is beyond what the driver takes; 'ptpctl caps {device}' shows the \
                 limits"
            ),
            _ => return None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { name, call: "open", errno, .. } => {
                let words = match errno {
                    Errno::ENOTTY => "it is no PTP hardware clock",
                    Errno::ENODATA => {
                        "neither /sys nor /proc/devices is there to tell whether it is a PTP \
                         hardware clock, and opening another device can do harm"
                    }
                    _ => words(*errno),
                };
                write!(f, "can't open {name}: {words} ({errno:?})")
            }
            Self::Call { asked, name, call, errno } => {
                write!(f, "can't {asked} on {name}: {call}: {} ({errno:?})", words(*errno))
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
        _ => errno.desc(),
    }
}

impl std::error::Error for Error {}
