//! How often a clock may be read: some cards stop answering anybody when they are read too often.

use crate::phc::Phc;
use std::time::Duration;

/// How many readings a clock is asked for in a second, where that is limited.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    /// Readings a second; `None` as long as no limit is known.
    limit: Option<u32>,
    /// What is left of it, in billionths of a reading, and when that was.
    left: u128,
    at: Duration,
    /// How many readings there were lately, and since when.
    lately: u32,
    since: Duration,
    /// Whether the clock answered that it was read too often.
    #[cfg(feature = "cli")]
    pub(super) was_refused: bool,
}

/// What Amazon's cards allow in a second, to all programs together (the kernel's ena.rst).
const ENA: u32 = 125;
/// A known limit is divided by this: others read the clock, too.
const SHARE: u32 = 4;
const SECOND: Duration = Duration::from_secs(1);
const WHOLE: u128 = 1_000_000_000;

/// How many readings a second the clock's card allows, where that is known: from the name of its
/// driver, or from the bound that Amazon's own driver shows in sysfs.
pub(crate) fn known_limit(phc: &Phc) -> Option<u32> {
    let is_ena = phc.driver().is_some_and(|driver| driver == "ena");
    (is_ena || phc.claimed_error().is_some()).then_some(ENA)
}

impl Allowance {
    /// What is known about a clock before it is read.
    pub(super) fn of(phc: &Phc) -> Self {
        let limit = known_limit(phc).map(|limit| limit / SHARE);
        let left = limit.map_or(0, |limit| u128::from(limit) * WHOLE);
        Self {
            limit,
            left,
            at: Duration::ZERO,
            lately: 0,
            since: Duration::ZERO,
            #[cfg(feature = "cli")]
            was_refused: false,
        }
    }

    /// How many readings may be taken now, at most `wanted`.
    pub(super) fn now(&mut self, wanted: u32, now: Duration) -> u32 {
        let Some(limit) = self.limit else { return wanted };
        let gone = now.saturating_sub(self.at).as_nanos();
        self.left = (self.left + gone * u128::from(limit)).min(u128::from(limit) * WHOLE);
        self.at = now;
        wanted.min(u32::try_from(self.left / WHOLE).unwrap_or(u32::MAX))
    }

    /// How long until one more may be taken.
    pub(super) fn wait(&self) -> Duration {
        let Some(limit) = self.limit else { return Duration::ZERO };
        let missing = WHOLE.saturating_sub(self.left).div_ceil(limit.max(1).into());
        Duration::from_nanos(u64::try_from(missing).unwrap_or(u64::MAX))
    }

    /// Notes that this many readings were taken.
    pub(super) fn took(&mut self, readings: u32, now: Duration) {
        if now.saturating_sub(self.since) > SECOND {
            (self.lately, self.since) = (0, now);
        }
        self.lately = self.lately.saturating_add(readings);
        self.left = self.left.saturating_sub(u128::from(readings) * WHOLE);
    }

    /// Halves the limit, after the clock answered that it was read too often.
    pub(super) fn refused(&mut self, now: Duration) {
        let limit = self.limit.map_or(self.lately, |limit| limit.min(self.lately.max(1)));
        self.limit = Some((limit / 2).max(1));
        #[cfg(feature = "cli")]
        {
            self.was_refused = true;
        }
        (self.left, self.at) = (0, now);
        (self.lately, self.since) = (0, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unlimited() -> Allowance {
        let (at, since) = (Duration::ZERO, Duration::ZERO);
        Allowance {
            limit: None,
            left: 0,
            at,
            lately: 0,
            since,
            #[cfg(feature = "cli")]
            was_refused: false,
        }
    }

    #[test]
    fn where_no_limit_shows_there_is_none() {
        let mut allowance = unlimited();
        allowance.took(10_000, SECOND);
        assert_eq!((allowance.now(25, SECOND), allowance.wait()), (25, Duration::ZERO));
    }

    #[test]
    fn a_clock_that_was_read_too_often_is_read_half_as_often_and_again() {
        let mut allowance = unlimited();
        allowance.took(100, Duration::ZERO);
        allowance.refused(Duration::ZERO);
        assert_eq!(allowance.now(200, Duration::ZERO), 0);
        assert_eq!(allowance.wait(), Duration::from_millis(20));
        assert_eq!(allowance.now(200, SECOND), 50);
        allowance.took(50, SECOND);
        allowance.refused(SECOND);
        assert_eq!(allowance.now(200, 2 * SECOND), 25);
        for _ in 0..10 {
            allowance.refused(2 * SECOND);
        }
        assert_eq!(allowance.now(200, 4 * SECOND), 1, "it is never given up");
    }
}
