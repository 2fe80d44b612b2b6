//! Samples: a clock read between two readings of a system clock.

use crate::{Offset, System, Timestamp, Unknown};

/// One reading of a clock between two readings of a system clock.
///
/// The clock was read somewhere between the two: that is all that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The system clock before.
    pub before: Timestamp<System>,
    /// The clock.
    pub phc: Timestamp<Unknown>,
    /// The system clock after; the same as before where one instant was read.
    pub after: Timestamp<System>,
}

impl Sample {
    /// From the system time before the reading to the one after it, or `None` where it doesn't fit
    /// an [`Offset`]. Negative where the system clock was stepped back in between, or where a driver
    /// has the two the wrong way round.
    pub fn delay(&self) -> Option<Offset> {
        self.after.since(self.before)
    }
}
