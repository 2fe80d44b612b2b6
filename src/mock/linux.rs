//! The kernel that the mock pretends to be: what each one lacks.

use std::{fmt, str::FromStr};

/// A kernel's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Linux {
    major: u16,
    minor: u16,
}

/// What came into the PTP interface at some version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    Precise,
    Extended,
    Version2,
    StrictFlags,
    AdjPhase,
    DutyCycleAndPhase,
    VirtualClocks,
    MaxPhase,
    QueuePerHandle,
    ExtOffset,
    ClockId,
    ReadOnlyChecks,
    AuxiliaryClocks,
    Cycles,
}

impl Feature {
    const fn since(self) -> Linux {
        let (major, minor) = match self {
            Self::Precise => (4, 6),
            Self::Extended => (5, 0),
            Self::Version2 => (5, 4),
            Self::StrictFlags => (5, 5),
            Self::AdjPhase => (5, 8),
            Self::DutyCycleAndPhase => (5, 9),
            Self::VirtualClocks => (5, 14),
            Self::MaxPhase => (6, 5),
            Self::QueuePerHandle => (6, 7),
            Self::ExtOffset => (6, 9),
            Self::ClockId => (6, 12),
            Self::ReadOnlyChecks => (6, 15),
            Self::AuxiliaryClocks => (6, 17),
            Self::Cycles => (6, 18),
        };
        Linux { major, minor }
    }
}

impl Linux {
    /// The newest that the mock knows.
    pub const NEWEST: Self = Self { major: 7, minor: 2 };

    pub(super) fn has(self, feature: Feature) -> bool {
        self >= feature.since()
    }
}

impl FromStr for Linux {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('.')
            .and_then(|(major, minor)| {
                Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
            })
            .ok_or_else(|| "a kernel is written as 6.12".into())
    }
}

impl fmt::Display for Linux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
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
        assert!("5".parse::<Linux>().is_err());
    }
}
