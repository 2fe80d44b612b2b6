//! How coarse a clock's times are, found from the times themselves.
//!
//! A counter that advances by 10 µs at a time shows only multiples of that, while the system clock
//! shows every nanosecond. Nothing else tells how coarse a clock is.

/// What the times of both clocks have in common, from sample to sample.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Grain {
    /// The greatest common divisors of the steps, in ns.
    clock: u64,
    system: u64,
    /// How many steps there were, and how many of them differed from the step before.
    steps: u32,
    uneven: u32,
    last: i64,
}

/// The odds against chance that are required: steps of a clock that isn't coarse are all multiples
/// of a number less often than once in this many times.
const SURE: f64 = 10_000.0;

impl Grain {
    /// Whether the clock shows every nanosecond: further steps don't change that, as 1 divides
    /// every number.
    pub(super) fn is_finest(&self) -> bool {
        self.clock == 1
    }

    /// Takes how far both clocks advanced from one sample to the next.
    pub(super) fn add(&mut self, clock: i64, system: i64) {
        if self.is_finest() {
            return;
        }
        self.clock = common(self.clock, clock.unsigned_abs());
        self.system = common(self.system, system.unsigned_abs());
        self.uneven += u32::from(self.steps > 0 && clock != self.last);
        (self.steps, self.last) = (self.steps.saturating_add(1), clock);
    }

    /// Whether the clock stood still all the time.
    pub(super) fn stands_still(&self) -> bool {
        self.clock == 0 && self.system > 0 && self.steps >= MANY
    }

    /// The number that the clock's times are multiples of, in ns; 0 where that is 1, or where
    /// chance or the pace of the reader can explain it.
    #[expect(clippy::cast_precision_loss, reason = "a probability")]
    pub(super) fn size(&self) -> i64 {
        // This is called for each sample, and almost always ends here.
        if self.clock <= 1 || self.system.is_multiple_of(self.clock) {
            return 0;
        }
        let exponent = i32::try_from(self.uneven).unwrap_or(i32::MAX);
        let is_sure = (self.clock as f64).powi(exponent) > SURE;
        if is_sure { i64::try_from(self.clock).unwrap_or(0) } else { 0 }
    }
}

/// A clock that shows the same time in this many steps isn't only coarse: it stands still.
const MANY: u32 = 15;

/// The greatest common divisor, by Euclid's algorithm.
fn common(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grain(steps: impl IntoIterator<Item = (i64, i64)>) -> i64 {
        let mut grain = Grain::default();
        steps.into_iter().for_each(|(clock, system)| grain.add(clock, system));
        grain.size()
    }

    #[test]
    fn a_clock_whose_steps_are_multiples_beside_a_system_clock_whose_are_not_is_coarse() {
        assert_eq!(grain((1..20).map(|step| (step % 3 * 8, step * 13 + 1))), 8);
        assert_eq!(grain([(10_000, 9_871), (0, 1_302), (20_000, 19_998)]), 10_000);
    }

    #[test]
    fn a_clock_that_is_read_at_an_even_pace_is_not() {
        assert_eq!(grain((1..20).map(|_| (1_200, 1_200))), 0);
        assert_eq!(grain((1..20).map(|_| (2_000_100, 2_000_000))), 0);
    }

    #[test]
    fn a_few_steps_with_a_divisor_are_chance() {
        assert_eq!(grain([(1_202, 1_201), (1_194, 1_195), (1_206, 1_205)]), 0);
        assert_eq!(grain([(1_202, 1_201)]), 0);
    }

    #[test]
    fn a_clock_that_stands_still_tells_nothing() {
        assert_eq!(grain([(0, 1_201), (0, 1_195)]), 0);
        let mut stopped = Grain::default();
        (0..MANY).for_each(|_| stopped.add(0, 1_201));
        assert!(stopped.stands_still());
    }
}
