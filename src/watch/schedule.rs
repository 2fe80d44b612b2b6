//! When clocks are read.

use std::time::Duration;

/// How often sources are read, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From one reading to the next, 1 ns at least.
    pub interval: Duration,
    /// It ends after this many readings of each source: measurements and misses. While its clock is
    /// absent, a source isn't read.
    pub count: Option<u64>,
    /// It ends after this time.
    pub duration: Option<Duration>,
}

impl Schedule {
    /// A reading every `interval`, without an end.
    pub const fn every(interval: Duration) -> Self {
        Self { interval, count: None, duration: None }
    }

    /// The same, but it ends after `count` readings of each source.
    #[must_use]
    pub const fn count(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }

    /// The same, but it ends after `duration`.
    #[must_use]
    pub const fn lasting(self, duration: Duration) -> Self {
        Self { duration: Some(duration), ..self }
    }
}
