//! The mock's oscillator: how far a free-running clock has drifted off, as a pure function of
//! time, so that a seed gives the same clock again.

use std::cell::RefCell;

/// Parts of a nanosecond that phases are kept in: 2^20 to the nanosecond.
pub(super) const PARTS: i128 = 1 << 20;

/// The noise has a value of its own each time this many nanoseconds have passed, and follows a
/// straight line in between.
const NOISE_STEP: i128 = 10_000_000;

/// The errors of an oscillator.
#[derive(Clone, Debug, Default)]
pub(super) struct Oscillator {
    /// Frequency offset at the start, in scaled ppm.
    pub(super) frequency: i64,
    /// Its change in a second, in scaled ppm.
    pub(super) drift: i64,
    /// The most that the phase wanders, in nanoseconds.
    pub(super) noise: i64,
    /// The frequency walks at random: its ADEV at 1 s, in scaled ppm.
    pub(super) walk: i64,
    /// A servo dials another frequency each second, of this standard deviation, in scaled ppm.
    pub(super) steered: i64,
    /// Changes of the frequency, in scaled ppm, and after how many nanoseconds each comes.
    pub(super) frequency_steps: Vec<(i64, i128)>,
    /// Steps of the clock, in nanoseconds, and after how many nanoseconds each comes.
    pub(super) steps: Vec<(i64, i128)>,
    /// The seed of the noise.
    pub(super) seed: u64,
    pub(super) wandered: Wandered,
}

/// How long a frequency that wanders keeps a value, in nanoseconds.
const WANDER_STEP: i128 = 100_000_000;
/// How many such steps a servo keeps a frequency.
const STEERED_EVERY: usize = 10;
/// The most such steps, a year: after them a frequency wanders no more.
const MOST_WANDERED: usize = 316_000_000;

/// How far a frequency has wandered, up to the latest time that was asked for: the frequency in
/// scaled ppm and the phase in [`PARTS`] at each step.
#[derive(Clone, Debug, Default)]
pub(super) struct Wandered(RefCell<Vec<(i64, i128)>>);

impl Oscillator {
    /// The phase error in [`PARTS`] after `elapsed` nanoseconds.
    pub(super) fn phase_error(&self, elapsed: i128) -> i128 {
        // Microseconds keep the square within 128 bits for a century.
        let micros = elapsed / 1_000;
        let drifted = micros * micros / 1_000 * i128::from(self.drift) * 16 / 2_000_000;
        let since = |at: i128| (elapsed - at).max(0);
        let freq_steps = self.frequency_steps.iter();
        let changed: i128 = freq_steps.map(|(by, at)| slewed(since(*at), *by)).sum();
        let steps = self.steps.iter().filter(|(_, at)| elapsed >= *at);
        let stepped: i128 = steps.map(|(by, _)| i128::from(*by) * PARTS).sum();
        slewed(elapsed, self.frequency)
            + drifted
            + changed
            + stepped
            + self.wander(elapsed)
            + self.wandered(elapsed)
    }

    /// The phase error that a frequency which walks or is steered has made after `elapsed`
    /// nanoseconds.
    fn wandered(&self, elapsed: i128) -> i128 {
        if self.walk == 0 && self.steered == 0 || elapsed < 0 {
            return 0;
        }
        let place = usize::try_from(elapsed / WANDER_STEP).unwrap_or(MOST_WANDERED);
        let place = place.min(MOST_WANDERED);
        let mut steps = self.wandered.0.borrow_mut();
        while steps.len() <= place {
            let number = steps.len();
            let next = match steps.last() {
                None => (self.wandering(0, 0), 0),
                Some((frequency, phase)) => {
                    (self.wandering(number, *frequency), phase + slewed(WANDER_STEP, *frequency))
                }
            };
            steps.push(next);
        }
        let (frequency, phase) = steps.get(place).copied().unwrap_or_default();
        let within = elapsed - i128::try_from(place).unwrap_or(0) * WANDER_STEP;
        phase + slewed(within, frequency)
    }

    /// The frequency of a step, from the frequency of the step before.
    #[expect(clippy::float_arithmetic, reason = "a random walk")]
    fn wandering(&self, number: usize, before: i64) -> i64 {
        let random = |number: usize, of: u64| {
            let number = u64::try_from(number).unwrap_or(u64::MAX);
            Random(mix(self.seed ^ of) ^ mix(number.wrapping_add(1)))
        };
        let second = number / STEERED_EVERY;
        let steered = |second: usize| scaled(self.steered, random(second, 0x5e12).normal());
        // An ADEV of a at 1 s is a walk of a·√3 in a second.
        let walked = scaled(self.walk, random(number, 0x3a1c).normal() * (3.0_f64 / 10.0).sqrt());
        let unsteered = match number.checked_sub(1) {
            Some(last) => before - steered(last / STEERED_EVERY) + walked,
            None => 0,
        };
        unsteered + steered(second)
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

#[expect(clippy::float_arithmetic, reason = "a random frequency")]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a small one")]
fn scaled(scaled_ppm: i64, by: f64) -> i64 {
    (scaled_ppm as f64 * by).round() as i64
}

/// The phase that a frequency offset in scaled ppm makes in `elapsed` nanoseconds, in [`PARTS`].
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

    /// One of several, each as often as the others.
    pub(super) fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let last = i64::try_from(all.len().checked_sub(1)?).ok()?;
        all.get(usize::try_from(self.up_to(last)).ok()?)
    }

    /// A number between 0 and 1, both excluded.
    #[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "53 bits of one")]
    pub(super) fn between(&mut self) -> f64 {
        (self.up_to((1 << 53) - 1) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// A number of a normal distribution (Box and Muller 1958).
    #[expect(clippy::float_arithmetic, reason = "a random number")]
    pub(super) fn normal(&mut self) -> f64 {
        let length = (-2.0 * self.between().ln()).sqrt();
        length * (std::f64::consts::TAU * self.between()).cos()
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
    fn a_change_of_the_frequency_and_a_step_come_when_they_are_due() {
        let oscillator = Oscillator {
            frequency_steps: vec![(65_536, 2 * SECOND)], // 1 ppm
            steps: vec![(-5_000, 3 * SECOND)],
            ..Oscillator::default()
        };
        let error = |seconds| oscillator.phase_error(seconds * SECOND) / PARTS;
        assert_eq!([error(1), error(2), error(3), error(4)], [0, 0, -4_000, -3_000]);
    }

    /// The Allan deviation at 1 s of phases a second apart, in parts of a billion.
    #[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a deviation")]
    fn deviation(oscillator: &Oscillator) -> f64 {
        let phases: Vec<i128> =
            (0..2_000).map(|second| oscillator.phase_error(second * SECOND)).collect();
        let squares: f64 = phases
            .windows(3)
            .map(|three| ((three[2] - 2 * three[1] + three[0]) as f64 / PARTS as f64).powi(2))
            .sum();
        (squares / 1_998.0 / 2.0).sqrt()
    }

    #[test]
    #[cfg_attr(miri, ignore = "it takes minutes there")]
    fn a_walk_has_its_deviation_and_a_servo_too() {
        let walk = Oscillator { walk: 655, seed: 3, ..Oscillator::default() }; // 10 ppb
        assert!((8.5..11.5).contains(&deviation(&walk)), "{}", deviation(&walk));
        let servo = Oscillator { steered: 6_554, seed: 3, ..Oscillator::default() }; // 100 ppb
        assert!((92.0..108.0).contains(&deviation(&servo)), "{}", deviation(&servo));
        assert_eq!(walk.phase_error(77), walk.clone().phase_error(77));
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
