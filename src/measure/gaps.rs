//! Events that are missing from a periodic signal.

/// Notices missing events of one channel by the distances of those that came.
///
/// A period is believed once two distances in a row agree within a tenth. A later distance near
/// a whole multiple of it tells how many events are missing in between: lost to a full queue, or
/// never made. The same multiple three times in a row is a new period.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    last: Option<i128>,
    distance: Option<i128>,
    period: Option<i128>,
    /// How many periods the last distance was, where it was more than one.
    multiple: Option<i128>,
    /// How often that multiple was repeated.
    again: u8,
}

/// Ten times a distance below this fits 128 bits.
const FARTHEST_EVENT: i128 = 1 << 120;

impl Gaps {
    /// Takes the time of the next event in nanoseconds; returns how many are missing before it.
    ///
    /// A clock that was stepped back, or by more than 2^120 ns, starts over.
    pub fn next(&mut self, time: i128) -> u64 {
        let Some(last) = self.last.replace(time) else {
            return 0;
        };
        let distance = time.saturating_sub(last);
        if !(1..FARTHEST_EVENT).contains(&distance) {
            // The clock was stepped: start over.
            (self.distance, self.period) = (None, None);
            return 0;
        }
        if let Some(period) = self.period {
            let multiple = (distance + period / 2) / period;
            let off = (distance - multiple * period).abs();
            if multiple >= 2 && off * 10 <= period {
                self.again = if self.multiple == Some(multiple) { self.again + 1 } else { 0 };
                self.multiple = Some(multiple);
                if self.again == 2 {
                    (self.period, self.distance, self.multiple) =
                        (Some(distance), Some(distance), None);
                    return 0;
                }
                return u64::try_from(multiple - 1).unwrap_or(u64::MAX);
            }
            self.multiple = None;
        }
        let before = self.distance.replace(distance);
        let agrees = before.is_some_and(|before| (distance - before).abs() * 10 <= before);
        self.period = agrees.then_some(distance);
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(times: &[i128]) -> Vec<u64> {
        let mut gaps = Gaps::default();
        times.iter().map(|time| gaps.next(*time)).collect()
    }

    #[test]
    fn a_regular_signal_misses_nothing() {
        assert_eq!(missing(&[0, 100, 201, 299, 400]), [0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_distance_of_several_periods_tells_how_many_are_missing() {
        assert_eq!(missing(&[0, 100, 200, 500, 600, 800]), [0, 0, 0, 2, 0, 1]);
    }

    #[test]
    fn without_a_period_nothing_is_said() {
        assert_eq!(missing(&[0, 100, 350, 400, 1_000]), [0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_step_of_the_clock_starts_over() {
        assert_eq!(missing(&[0, 100, 200, 50, 150, 250, 450]), [0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_signal_that_becomes_slower_by_a_whole_factor_is_learnt_again() {
        assert_eq!(missing(&[0, 100, 200, 400, 600, 800, 1_000]), [0, 0, 0, 1, 1, 0, 0]);
    }

    proptest::proptest! {
        #[test]
        fn no_times_are_too_large(times: Vec<i128>, small in 0_i128..1_000) {
            let ends = [i128::MIN, i128::MAX, 0, small, i128::MAX, i128::MIN, i128::MAX];
            missing(&[times.as_slice(), &ends].concat());
            let far = 1_i128 << 119;
            missing(&[0, far, 2 * far, 3 * far, 250 * far, i128::MAX]);
        }
    }

    #[test]
    fn a_signal_that_becomes_slower_is_learnt_again() {
        assert_eq!(missing(&[0, 100, 200, 350, 500, 650, 950]), [0, 0, 0, 0, 0, 0, 1]);
    }
}
