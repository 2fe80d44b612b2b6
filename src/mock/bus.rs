//! The way to the mock's clock: how long a reading takes, and how often there may be one.

#![expect(clippy::float_arithmetic, reason = "random times, of which only samples are seen")]

use super::oscillator::Random;
use super::time::SECOND;
use nix::errno::Errno;
use std::str::FromStr;

/// How the time that a way takes beyond its minimum is distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// Evenly, up to the jitter.
    #[default]
    Uniform,
    /// With the jitter as its mean.
    Exponential,
    /// A Lomax distribution, with an exponent of 1.5 and the jitter as its scale: sometimes very
    /// long.
    Pareto,
    /// Half of the ways take the whole jitter more, the others none of it.
    Bimodal,
    /// A normal distribution around the minimum, with the jitter as its standard deviation: no
    /// edge.
    Bell,
}

impl Shape {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Uniform, "uniform"),
        (Self::Exponential, "exponential"),
        (Self::Pareto, "pareto"),
        (Self::Bimodal, "bimodal"),
        (Self::Bell, "bell"),
    ];
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(shape, _)| *shape).ok_or_else(|| {
            let names = Self::NAMES.map(|(_, name)| name);
            format!("the shapes are {}", names.join(", "))
        })
    }
}

/// How long one way of a reading takes, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) least: i64,
    pub(super) jitter: i64,
    pub(super) shape: Shape,
    /// The standard deviation of a normal time that is added to every way: a soft edge.
    pub(super) edge: i64,
    /// Three of ten ways take up to this much longer.
    pub(super) late: i64,
}

impl Way {
    pub(super) fn time(&self, random: &mut Random) -> i128 {
        let jitter = match self.shape {
            Shape::Uniform => random.up_to(self.jitter),
            Shape::Exponential => scaled(self.jitter, -random.between().ln()),
            Shape::Pareto => scaled(self.jitter, random.between().powf(-1.0 / 1.5) - 1.0),
            Shape::Bimodal => random.up_to(1) * i128::from(self.jitter),
            Shape::Bell => scaled(self.jitter, random.normal()),
        };
        let mut time = i128::from(self.least) + jitter;
        if self.edge > 0 {
            time += scaled(self.edge, random.normal());
        }
        if self.late > 0 && random.up_to(9) < 3 {
            time += random.up_to(self.late);
        }
        time.max(0)
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "nanoseconds")]
fn scaled(nanoseconds: i64, by: f64) -> i128 {
    (nanoseconds as f64 * by).round() as i128
}

/// A card that limits the readings a second; beyond the limit it answers `EBUSY` for a millisecond.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// Readings a second.
    allowed: i64,
    /// How many of them other programs take.
    others: i64,
    /// What is left, in readings times [`SECOND`], and when that was.
    left: i128,
    at: i128,
    blocked_until: i128,
}

/// How long the card then answers `EBUSY`, in nanoseconds.
const BLOCKED: i128 = 1_000_000;

impl Limit {
    pub(super) fn new(allowed: i64, others: i64, now: i128) -> Self {
        let left = i128::from(allowed - others) * SECOND;
        Self { allowed, others, left, at: now, blocked_until: i128::MIN }
    }

    /// Takes a reading.
    pub(super) fn take(&mut self, now: i128) -> Result<(), Errno> {
        if now < self.blocked_until {
            return Err(Errno::EBUSY);
        }
        let free = i128::from(self.allowed - self.others);
        self.left = (self.left + (now - self.at).max(0) * free).min(free * SECOND);
        self.at = now;
        if self.left < SECOND {
            self.blocked_until = now + BLOCKED;
            return Err(Errno::EBUSY);
        }
        self.left -= SECOND;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(shape: Shape) -> Vec<i128> {
        let way = Way { least: 1_000, jitter: 100, shape, edge: 0, late: 0 };
        let mut random = Random(1);
        (0..10_000).map(|_| way.time(&mut random)).collect()
    }

    #[test]
    fn shapes_are_spread_as_they_are_named() {
        let mean = |shape| times(shape).iter().sum::<i128>() / 10_000;
        assert!((1_045..1_055).contains(&mean(Shape::Uniform)));
        assert!((1_095..1_105).contains(&mean(Shape::Exponential)));
        assert!((1_045..1_055).contains(&mean(Shape::Bimodal)));
        assert!((995..1_005).contains(&mean(Shape::Bell)));
        assert!(times(Shape::Pareto).iter().any(|time| *time > 10_000));
        let below = |shape| times(shape).iter().filter(|time| **time < 1_000).count();
        assert_eq!(below(Shape::Exponential) + below(Shape::Pareto) + below(Shape::Uniform), 0);
        assert!((4_500..5_500).contains(&below(Shape::Bell)));
    }

    #[test]
    fn past_its_limit_a_card_answers_nobody_for_a_millisecond() {
        let mut limit = Limit::new(125, 0, 0);
        assert!((0..125).all(|reading| limit.take(reading * 1_000).is_ok()));
        assert_eq!(limit.take(126_000), Err(Errno::EBUSY));
        assert_eq!(limit.take(1_125_000), Err(Errno::EBUSY), "it is blocked");
        assert_eq!(limit.take(8_200_000), Ok(()), "a hundred and twenty-fifth of a second later");
        assert!((1..=125).all(|reading| limit.take(2 * SECOND + reading).is_ok()));
    }

    #[test]
    fn what_others_read_is_not_left() {
        let mut limit = Limit::new(125, 100, 0);
        assert_eq!((0..125).filter(|_| limit.take(0).is_ok()).count(), 25);
    }
}
