//! Finds out from the intervals between a signal's events whether both of its edges are stamped.

use crate::Offset;

/// Notices intervals that alternate: from a rising edge to a falling one, and back.
#[derive(Debug, Default)]
pub(super) struct Alternation {
    /// The last ones, the newest first.
    last: [Option<i64>; 3],
    is_told: bool,
}

impl Alternation {
    /// Takes the next interval of a channel. Returns the short and the long interval, once, when
    /// four in a row alternate.
    pub(super) fn next(&mut self, interval: Offset) -> Option<(Offset, Offset)> {
        let newest = interval.nanoseconds();
        let [second, third, fourth] = self.last;
        self.last = [Some(newest), second, third];
        let (second, third, fourth) = (second?, third?, fourth?);
        let alternates = is_same(newest, third) && is_same(second, fourth);
        if self.is_told || !alternates || is_same(newest, second) || newest.min(second) <= 0 {
            return None;
        }
        self.is_told = true;
        let [short, long] = [newest.min(second), newest.max(second)];
        Some((Offset::from_nanoseconds(short), Offset::from_nanoseconds(long)))
    }
}

/// Whether two intervals agree to a tenth: a signal's pulses are at least that regular.
fn is_same(one: i64, other: i64) -> bool {
    let [one, other] = [one, other].map(i128::from);
    (one - other).abs() * 10 <= one.abs().min(other.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(intervals: &[i64]) -> Vec<Option<(i64, i64)>> {
        let mut alternation = Alternation::default();
        let next = |interval: &i64| {
            let told = alternation.next(Offset::from_nanoseconds(*interval));
            told.map(|(short, long)| (short.nanoseconds(), long.nanoseconds()))
        };
        intervals.iter().map(next).collect()
    }

    #[test]
    fn intervals_that_alternate_are_told_once() {
        let told = told(&[100, 900, 101, 899, 100, 900, 100, 900]);
        assert_eq!(told, [None, None, None, Some((101, 899)), None, None, None, None]);
    }

    #[test]
    fn what_is_even_jitters_or_lacks_an_event_does_not_alternate() {
        for intervals in [
            &[1_000, 1_000, 1_000, 1_000, 1_000][..],
            &[1_000, 1_050, 1_000, 1_050, 1_000],
            &[1_000, 2_000, 1_000, 1_000, 1_000],
            &[100, 900, 300, 700, 100],
            &[0, 0, 0, 0, 0],
            &[-100, 900, -100, 900, -100],
            &[i64::MAX, i64::MIN, i64::MAX, i64::MIN],
        ] {
            assert!(told(intervals).iter().all(Option::is_none), "{intervals:?}");
        }
    }
}
