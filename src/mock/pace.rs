//! How many readings of a clock there are in any second.

use std::collections::VecDeque;

/// Counts readings. Time has parts of a millisecond, so that a count needs the same memory however
/// fast a program reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace {
    /// The parts of the last second in which there were readings, and how many.
    parts: VecDeque<(i128, u64)>,
    /// How many readings these are.
    in_parts: u64,
    /// The most that there were in a second.
    most: u64,
}

/// A part, in nanoseconds, and how many make a second.
const PART: i128 = 1_000_000;
const PARTS_OF_SECOND: i128 = 1_000;

impl Pace {
    /// Counts a reading at a moment of true time, in nanoseconds.
    pub(crate) fn count(&mut self, now: i128) {
        let part = now.div_euclid(PART);
        while let Some((old, readings)) = self.parts.front().copied()
            && old <= part - PARTS_OF_SECOND
        {
            self.parts.pop_front();
            self.in_parts -= readings;
        }
        match self.parts.back_mut() {
            Some((last, readings)) if *last >= part => *readings += 1,
            _ => self.parts.push_back((part, 1)),
        }
        self.in_parts += 1;
        self.most = self.most.max(self.in_parts);
    }

    /// The most readings that there were in any second.
    pub(crate) fn most(&self) -> u64 {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_second_is_any_second() {
        let mut pace = Pace::default();
        // Ten in the second half of one second, and ten in the first half of the next.
        (0..10).for_each(|reading| pace.count(500_000_000 + reading * 50_000_000));
        (0..10).for_each(|reading| pace.count(1_000_000_000 + reading * 50_000_000));
        assert_eq!(pace.most(), 20);
        (0..10).for_each(|reading| pace.count(5_000_000_000 + reading));
        assert_eq!(pace.most(), 20, "they are forgotten after a second");
        (0..11).for_each(|reading| pace.count(5_000_000_000 + reading));
        assert_eq!(pace.most(), 21);
        assert!(pace.parts.len() < 3);
    }
}
