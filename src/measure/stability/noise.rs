//! Which kind of noise dominates at an averaging time.
//!
//! Source: W. J. Riley and C. A. Greenhall, "Power law noise identification using the lag 1
//! autocorrelation", Proc. 18th European Frequency and Time Forum (2004).

#![expect(clippy::float_arithmetic, reason = "statistics")]

use super::{Kind, Series, float, trend};

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

/// Fewer means of offsets don't tell which noise it is.
const FEWEST: usize = 30;
/// The most means that are used: more don't make the noise surer.
const MOST: usize = 1 << 18;

/// Which noises it can be: a range of exponents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidates {
    reddest: i8,
    whitest: i8,
}

impl Candidates {
    /// What clocks usually have.
    const USUAL: Self = Self { reddest: -2, whitest: 2 };

    #[cfg(test)]
    pub(super) const fn of(alpha: i8) -> Self {
        Self { reddest: alpha, whitest: alpha }
    }

    pub(super) fn all(self) -> impl Iterator<Item = Noise> {
        (self.reddest..=self.whitest).map(Noise)
    }

    /// The noise, where only one is possible.
    pub(super) fn told(self) -> Option<Noise> {
        (self.reddest == self.whitest).then_some(Noise(self.reddest))
    }
}

/// The noise at each averaging time where it can be told.
pub(super) struct Noises {
    /// By factor: the candidates for second differences, and for third ones, which can tell redder
    /// noise.
    found: Vec<(usize, [Candidates; 2])>,
}

impl Noises {
    pub(super) fn of(series: &Series, factors: &[usize]) -> Self {
        let asked = !factors.is_empty();
        let parabola = asked.then(|| trend::Parabola::through(&series.stretches)).flatten();
        let Some(parabola) = parabola else {
            return Self { found: Vec::new() };
        };
        // A frequency offset and its drift aren't noise.
        let rests = parabola.rests(&series.stretches);
        let varies = rests.iter().any(|rest| rest.abs() > LEAST);
        let tell = |factor: &usize| {
            let means = means(&rests, *factor);
            let number = means.iter().filter(|mean| !mean.is_nan()).count();
            let told = || {
                [(2, -2), (3, -4)].map(|(most, reddest)| {
                    let mean = Exponent::of(means.clone(), most);
                    if mean.alpha > PHASE {
                        return mean.candidates(reddest);
                    }
                    Exponent::of(thinned(&rests, *factor), most).candidates(reddest)
                })
            };
            (varies && number >= FEWEST).then(|| (*factor, told()))
        };
        Self { found: factors.iter().map_while(tell).collect() }
    }

    pub(super) fn at(&self, kind: Kind, factor: usize) -> Candidates {
        let place = self.found.binary_search_by_key(&factor, |(factor, _)| *factor);
        let found = place.ok().and_then(|place| self.found.get(place));
        let Some((_, [second, third])) = found else { return Candidates::USUAL };
        if kind == Kind::Hadamard { *third } else { *second }
    }
}

/// Offsets that are nearer to the parabola than this, in nanoseconds, count as on it.
const LEAST: f64 = 1e-6;

/// Every `factor`-th offset. These identify frequency noise: neighbouring means of it would be more
/// correlated than the colour of the noise makes them.
fn thinned(rests: &[f64], factor: usize) -> Vec<f64> {
    rests.iter().step_by(factor).take(MOST).copied().collect()
}

/// Means of `factor` offsets in a row; NaN for those that have less than half of their offsets.
/// These identify phase noise: thinning would fold the noise of shorter times into that of longer
/// ones, and so whiten it.
fn means(rests: &[f64], factor: usize) -> Vec<f64> {
    let mean = |some: &[f64]| {
        let there = || some.iter().filter(|one| !one.is_nan());
        let number = there().count();
        if number * 2 >= factor { there().sum::<f64>() / float(number) } else { f64::NAN }
    };
    rests.chunks_exact(factor).take(MOST).map(mean).collect()
}

/// Noise with an exponent above this is phase noise.
const PHASE: f64 = 0.5;

/// An exponent, and its standard deviation.
struct Exponent {
    alpha: f64,
    deviation: f64,
}

impl Exponent {
    /// From the lag 1 autocorrelation of the values, which are differenced until they are
    /// stationary.
    fn of(mut values: Vec<f64>, most_differences: u8) -> Self {
        let mut differences = 0;
        loop {
            let (r, number) = autocorrelation(&values);
            let rho = r / (1.0 + r);
            if rho < 0.25 || differences >= most_differences {
                return Self {
                    alpha: 2.0 - 2.0 * rho - 2.0 * f64::from(differences),
                    deviation: 2.0 / float(number.max(1)).sqrt() / (1.0 + r).powi(2),
                };
            }
            values = values.iter().zip(values.iter().skip(1)).map(|(a, b)| b - a).collect();
            differences += 1;
        }
    }

    /// The noises that are likely, but none redder than `reddest`: the variance isn't finite for
    /// those.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to a whole number from -4 to 2")]
    fn candidates(&self, reddest: i8) -> Candidates {
        let whole = |alpha: f64| alpha.round().clamp(f64::from(reddest), 2.0) as i8;
        // Taking flicker PM for white PM costs most: flicker PM has far fewer degrees of freedom.
        let sure = if whole(self.alpha) == 2 { 2.0 } else { 1.0 };
        Candidates {
            reddest: whole(self.alpha - sure * self.deviation),
            whitest: whole(self.alpha + self.deviation),
        }
    }
}

/// The lag 1 autocorrelation of the values that aren't missing, 0 where they don't vary, and the
/// number of pairs.
fn autocorrelation(values: &[f64]) -> (f64, usize) {
    let there = || values.iter().filter(|value| !value.is_nan());
    let mean = there().sum::<f64>() / float(there().count().max(1));
    let squares: f64 = there().map(|value| (value - mean).powi(2)).sum();
    let pairs = values.iter().zip(values.iter().skip(1));
    let products = pairs.map(|(a, b)| (a - mean) * (b - mean)).filter(|one| !one.is_nan());
    let (lagged, number) = products.fold((0.0, 0), |(sum, n), one| (sum + one, n + 1));
    // Where some are missing there are fewer pairs.
    let share = float(there().count().saturating_sub(1)) / float(number).max(1.0);
    (if squares > 0.0 { lagged * share / squares } else { 0.0 }, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reproducible white noise of whole numbers, which are distributed evenly.
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

    fn names(offsets: impl Iterator<Item = i64>) -> [Option<&'static str>; 2] {
        let noises = Noises::of(&Series::even(1, offsets), &[1, 16]);
        [1, 16].map(|factor| noises.at(Kind::Allan, factor).told().map(Noise::name))
    }

    #[test]
    fn noise_that_is_summed_gets_two_redder() {
        assert_eq!(names(white().take(2_000)), [Some("white PM"); 2]);
        assert_eq!(names(summed(white()).take(2_000)), [Some("white FM"); 2]);
        assert_eq!(names(summed(summed(white())).take(2_000))[0], Some("random walk FM"));
    }

    #[test]
    fn few_offsets_tell_nothing() {
        assert_eq!(names(white().take(100)), [Some("white PM"), None]);
        assert_eq!(names(white().take(29)), [None, None]);
    }

    #[test]
    fn what_does_not_vary_has_no_noise() {
        assert_eq!(names(std::iter::repeat_n(7, 2_000)), [None, None]);
        assert_eq!(names((0..2_000).map(|place| 25 * place)), [None, None]);
    }
}
