//! The mock's oscillator: how far a free-running clock has gone astray, as a pure function of
//! time, so that a seed gives the same clock again.

/// Parts of a nanosecond that phases are kept in: 2^20 to the nanosecond.
pub(super) const PARTS: i128 = 1 << 20;

/// The noise has a value of its own every so many nanoseconds and a straight line in between.
const NOISE_STEP: i128 = 10_000_000;

/// An oscillator's faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Oscillator {
    /// Frequency offset at the start, in scaled ppm.
    pub(super) frequency: i64,
    /// Its change in a second, in scaled ppm.
    pub(super) drift: i64,
    /// The phase wanders by so many nanoseconds at most.
    pub(super) noise: i64,
    /// What the noise is made of.
    pub(super) seed: u64,
}

impl Oscillator {
    /// The phase error in [`PARTS`] after so many nanoseconds.
    pub(super) fn phase_error(&self, elapsed: i128) -> i128 {
        // Microseconds keep the square within 128 bits for a century.
        let micros = elapsed / 1_000;
        let drifted = micros * micros / 1_000 * i128::from(self.drift) * 16 / 2_000_000;
        slewed(elapsed, self.frequency) + drifted + self.wander(elapsed)
    }

    fn wander(&self, elapsed: i128) -> i128 {
        if self.noise == 0 {
            return 0;
        }
        let (step, within) = (elapsed.div_euclid(NOISE_STEP), elapsed.rem_euclid(NOISE_STEP));
        let at = |step: i128| {
            let random =
                mix(self.seed
                    ^ mix(u64::from_ne_bytes(i64::try_from(step).unwrap_or(0).to_ne_bytes())));
            let span = 2 * i128::from(self.noise) * PARTS + 1;
            i128::from(random) % span - i128::from(self.noise) * PARTS
        };
        let (from, to) = (at(step), at(step + 1));
        from + (to - from) * within / NOISE_STEP
    }
}

/// What a frequency offset in scaled ppm makes of so many nanoseconds, in [`PARTS`].
pub(super) fn slewed(elapsed: i128, scaled_ppm: i64) -> i128 {
    // 2^20 parts / (2^16 × 10^6) = 16 / 10^6.
    elapsed * i128::from(scaled_ppm) * 16 / 1_000_000
}

/// Random numbers from a seed (`SplitMix64`, Steele, Lea and Flood 2014).
#[derive(Clone, Copy, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number from 0 to `most`.
    pub(super) fn up_to(&mut self, most: i64) -> i128 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        i128::from(mix(self.0)) % (i128::from(most.max(0)) + 1)
    }
}

fn mix(seed: u64) -> u64 {
    let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    #[test]
    fn a_frequency_offset_adds_up() {
        let oscillator = Oscillator { frequency: 65_536, ..Oscillator::default() }; // 1 ppm
        assert_eq!(oscillator.phase_error(SECOND) / PARTS, 1_000);
        assert_eq!(oscillator.phase_error(3_600 * SECOND) / PARTS, 3_600_000);
    }

    #[test]
    fn a_drift_adds_up_with_the_square_of_the_time() {
        let oscillator = Oscillator { drift: 65_536, ..Oscillator::default() }; // 1 ppm a second
        assert_eq!(oscillator.phase_error(SECOND) / PARTS, 500);
        assert_eq!(oscillator.phase_error(10 * SECOND) / PARTS, 50_000);
    }

    #[test]
    fn noise_stays_within_its_limit_and_is_the_same_for_the_same_seed() {
        let of = |seed| Oscillator { noise: 100, seed, ..Oscillator::default() };
        let times = (0..1_000).map(|i| i * SECOND / 7);
        let errors = |seed| times.clone().map(move |t| of(seed).phase_error(t)).collect::<Vec<_>>();
        assert!(errors(1).iter().all(|error| error.abs() <= 100 * PARTS));
        assert!(errors(1).iter().any(|error| error.abs() > 50 * PARTS));
        assert_eq!(errors(1), errors(1));
        assert_ne!(errors(1), errors(2));
    }
}
