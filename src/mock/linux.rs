//! The kernel that the mock pretends to be: what each one lacks.

use std::{fmt, str::FromStr};

/// A kernel's version.
///
/// Two numbers, `6.1`, mean the latest of that series, as distributions have it; three, `6.1.20`,
/// exactly that one. It matters where a fix was backported to stable series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Linux {
    major: u16,
    minor: u16,
    /// The latest where it is [`u16::MAX`].
    patch: u16,
}

/// What came into the PTP interface at some version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feature {
    /// `PTP_SYS_OFFSET_PRECISE`.
    Precise,
    /// `PTP_SYS_OFFSET_EXTENDED`.
    Extended,
    /// The second number of each ioctl.
    Version2,
    /// `PTP_STRICT_FLAGS`.
    StrictFlags,
    /// `ADJ_OFFSET`.
    AdjPhase,
    /// `PTP_PEROUT_DUTY_CYCLE` and `PTP_PEROUT_PHASE`.
    DutyCycleAndPhase,
    /// Virtual clocks.
    VirtualClocks,
    /// `max_phase_adj`, and the check against it.
    MaxPhase,
    /// A queue and a channel mask for each open handle.
    QueuePerHandle,
    /// `PTP_EXT_OFFSET`.
    ExtOffset,
    /// The `clockid` of `PTP_SYS_OFFSET_EXTENDED`.
    ClockId,
    /// An invalid time is refused before the driver sees it.
    TimeChecks,
    /// Times that the machine's own clock couldn't be set to are refused.
    TimeLimit,
    /// Requests that change something need a handle that was opened for writing, and reading the
    /// frequency doesn't any more.
    ReadOnlyChecks,
    /// The frequency that was dialled can be read while the clock runs freely.
    ReadsWhileFree,
    /// The auxiliary clocks.
    AuxiliaryClocks,
    /// The cycle counter's ioctls.
    Cycles,
}

/// Major and minor number.
type Series = (u16, u16);
/// Major, minor and patch number.
type Stable = (u16, u16, u16);

impl Feature {
    /// The first version that has it, and the stable versions that got it, too.
    const fn since(self) -> (Series, &'static [Stable]) {
        match self {
            Self::Precise => ((4, 6), &[]),
            Self::Extended => ((5, 0), &[]),
            Self::Version2 => ((5, 4), &[]),
            Self::StrictFlags => ((5, 5), &[]),
            Self::AdjPhase => ((5, 8), &[]),
            Self::DutyCycleAndPhase => ((5, 9), &[]),
            Self::VirtualClocks => ((5, 14), &[]),
            Self::MaxPhase => ((6, 5), &[]),
            Self::QueuePerHandle => ((6, 7), &[]),
            Self::ExtOffset => ((6, 9), &[]),
            Self::ClockId => ((6, 12), &[]),
            Self::TimeChecks => ((6, 12), &[(5, 10, 228), (6, 1, 114), (6, 11, 5)]),
            Self::TimeLimit => ((6, 18), &[(6, 1, 159), (6, 12, 58)]),
            Self::ReadOnlyChecks => ((6, 15), &[(5, 10, 249), (6, 1, 162), (6, 12, 68)]),
            Self::ReadsWhileFree => ((6, 16), &[(6, 1, 142), (6, 12, 35)]),
            Self::AuxiliaryClocks => ((6, 17), &[]),
            Self::Cycles => ((6, 18), &[]),
        }
    }
}

impl Linux {
    /// The newest that the mock knows.
    pub const NEWEST: Self = Self { major: 7, minor: 2, patch: u16::MAX };

    pub(super) const fn of(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Whether this kernel has a feature.
    pub fn has(self, feature: Feature) -> bool {
        let (first, stable) = feature.since();
        let series = (self.major, self.minor);
        let got = |&(major, minor, patch)| series == (major, minor) && self.patch >= patch;
        series >= first || stable.iter().any(got)
    }
}

impl FromStr for Linux {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let version = (parts.next().flatten(), parts.next().flatten(), parts.next(), parts.next());
        match version {
            (Some(major), Some(minor), None, None) => Ok(Self { major, minor, patch: u16::MAX }),
            (Some(major), Some(minor), Some(Some(patch)), None) => Ok(Self { major, minor, patch }),
            _ => Err("a kernel is written as 6.12 or 6.12.30".into()),
        }
    }
}

impl fmt::Display for Linux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, patch } = self;
        write!(f, "{major}.{minor}")?;
        if *patch == u16::MAX { Ok(()) } else { write!(f, ".{patch}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        let kernel: Linux = "6.12".parse().expect("a version");
        assert!(kernel.has(Feature::ExtOffset));
        assert!(!kernel.has(Feature::AuxiliaryClocks));
        for wrong in ["5", "5.", "6.x", "6.1.", "6.1.2.3", "-6.1", ""] {
            assert!(wrong.parse::<Linux>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_version_is_printed_as_it_is_written() {
        for text in ["6.12", "5.10.251"] {
            assert_eq!(text.parse::<Linux>().expect("a version").to_string(), text);
        }
    }
}
