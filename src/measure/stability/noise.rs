//! Which kind of noise dominates at an averaging time.
//!
//! Source: W. J. Riley and C. A. Greenhall, "Power law noise identification using the lag 1
//! autocorrelation", Proc. 18th European Frequency and Time Forum (2004).

#![expect(clippy::float_arithmetic, reason = "statistics")]

use super::{Kind, float, float_of_signed, trend};

/// A power law of the frequency noise: its spectral density goes with `f^α`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise(i8);

impl Noise {
    #[cfg(test)]
    pub(super) const fn of_alpha(alpha: i8) -> Self {
        Self(alpha)
    }

    /// `α`, from 2 to −4.
    pub const fn alpha(self) -> i8 {
        self.0
    }

    /// What it is called, PM for phase and FM for frequency modulation.
    pub const fn name(self) -> &'static str {
        match self.0 {
            2.. => "white PM",
            1 => "flicker PM",
            0 => "white FM",
            -1 => "flicker FM",
            -2 => "random walk FM",
            -3 => "flicker walk FM",
            _ => "random run FM",
        }
    }
}

/// Fewer offsets don't tell.
const FEWEST: usize = 30;

/// Identifies the noise at one averaging time after another, which ascend.
pub(super) struct Identifier<'a> {
    kind: Kind,
    offsets: &'a [i64],
    /// What was found before: it goes on where too few offsets are left.
    before: Option<Noise>,
}

impl<'a> Identifier<'a> {
    pub(super) fn new(kind: Kind, offsets: &'a [i64]) -> Self {
        Self { kind, offsets, before: None }
    }

    pub(super) fn at(&mut self, factor: usize) -> Option<Noise> {
        if self.offsets.len() / factor >= FEWEST {
            let thinned: Vec<_> = self.offsets.iter().copied().step_by(factor).collect();
            // A differenced variance is finite for noise that is redder than what it can tell.
            let (differences, reddest) = match self.kind {
                Kind::Hadamard => (3, -4),
                _ => (2, -2),
            };
            let alpha = alpha(without_trend(&thinned), differences).max(reddest);
            self.before = Some(Noise(alpha));
        }
        self.before
    }
}

/// Offsets less their quadratic trend: a frequency offset and its drift aren't noise.
fn without_trend(offsets: &[i64]) -> Vec<f64> {
    let Some(trend) = trend(offsets, 1) else { return Vec::new() };
    let first = offsets.first().copied().unwrap_or(0);
    let residual = |(place, offset): (usize, &i64)| {
        float_of_signed(offset.wrapping_sub(first)) - trend.quadratic_at(float(place))
    };
    offsets.iter().enumerate().map(residual).collect()
}

/// The exponent by the lag 1 autocorrelation, of differences until they are steady.
#[expect(clippy::cast_possible_truncation, reason = "a whole number from -8 to 2")]
fn alpha(mut values: Vec<f64>, most_differences: i8) -> i8 {
    let mut differences = 0;
    loop {
        let r = autocorrelation(&values);
        let rho = r / (1.0 + r);
        if rho < 0.25 || differences >= most_differences {
            let alpha = 2.0 - (2.0 * rho).round() - 2.0 * f64::from(differences);
            return alpha.clamp(-8.0, 2.0) as i8;
        }
        values = values.iter().zip(values.iter().skip(1)).map(|(a, b)| b - a).collect();
        differences += 1;
    }
}

/// The lag 1 autocorrelation; 0 of what doesn't vary.
fn autocorrelation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / float(values.len().max(1));
    let pairs = values.iter().zip(values.iter().skip(1));
    let lagged: f64 = pairs.map(|(a, b)| (a - mean) * (b - mean)).sum();
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if squares > 0.0 { lagged / squares } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reproducible noise of whole numbers, as even as it is white.
    fn white() -> impl Iterator<Item = i64> {
        std::iter::successors(Some(1_234_567_890_i64), |last| Some(last * 16_807 % 2_147_483_647))
            .map(|number| number / 1_000 - 1_073_741)
    }

    fn summed(of: impl Iterator<Item = i64>) -> impl Iterator<Item = i64> {
        of.scan(0_i64, |sum, value| {
            *sum += value;
            Some(*sum)
        })
    }

    #[test]
    fn noise_that_is_summed_gets_two_redder() {
        let names = |kind, offsets: Vec<i64>| {
            let mut identifier = Identifier::new(kind, &offsets);
            (identifier.at(1).map(Noise::name), identifier.at(16).map(Noise::name))
        };
        let phase_noise = white().take(2_000).collect();
        assert_eq!(names(Kind::Allan, phase_noise), (Some("white PM"), Some("white PM")));
        let frequency_noise = summed(white()).take(2_000).collect();
        assert_eq!(names(Kind::Allan, frequency_noise), (Some("white FM"), Some("white FM")));
        let walk = summed(summed(white())).take(2_000).collect();
        assert_eq!(names(Kind::Allan, walk).0, Some("random walk FM"));
    }

    #[test]
    fn few_offsets_go_on_with_the_noise_before() {
        let offsets: Vec<_> = white().take(100).collect();
        let mut identifier = Identifier::new(Kind::Allan, &offsets);
        assert_eq!(identifier.at(1), identifier.at(32));
        assert_eq!(Identifier::new(Kind::Allan, &offsets).at(32), None);
    }
}
