//! The best guess of an offset from samples of clocks that run at a steady rate.
//!
//! A sample shows the way there and the way back: its upper end lies above the offset by what the
//! way there took, its lower end below it by what the way back took. Both ways are assumed to be
//! equally long at their quickest, as no program can see; the rest is jitter. So the offset is
//! the middle between the lower edge of the upper ends and the upper edge of the lower ends, and the
//! question is how to find an edge.
//!
//! - Where jitter has a hard edge (a register that takes some time at least), the extreme samples
//!   tell it best: their error falls with 1/N. They are the [feasible lines](super::line).
//! - Where the edge is soft (jitter like a bell), extremes are what varies most, and the mean of many
//!   samples is best: its error falls with 1/√N.
//! - In between, the mean of the lowest *k* of N is best.
//!
//! Such a trimmed mean has a simple influence function (Huber, "Robust Statistics", 1981, section
//! 3.3): with ξ the (*k*+1)-th value, each value *x* stands for ξ + (min(*x*, ξ) − ξ) · N/*k*. The mean
//! of these is the mean of the lowest *k*, and their scatter tells its variance; a line of least
//! squares through them tells a rate as well. So every *k* of 4, 16, 64, … N gives an offset and
//! its uncertainty, and no shape of jitter is assumed.
//!
//! A larger *k* also lets in more of what differs between the two ways. So larger *k* are tried,
//! from the extremes on, as long as they agree with all smaller ones, and the surest of these
//! counts (Lepskii, "On a problem of adaptive estimation in Gaussian white noise", 1990).

#![expect(clippy::float_arithmetic, reason = "statistics, in nanoseconds from the first sample")]

mod edges;
mod trimmed;

use super::line::{Hulls, Lines, Range, float};
use edges::Edges;
use trimmed::{Fit, Ways, fits};

/// What a sample leaves open, in nanoseconds from the first one: when its clock showed `clock`, its
/// offset was between `low` and `high`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) clock: i64,
    pub(super) low: i64,
    pub(super) high: i64,
    /// When that was, on the system clock.
    pub(super) moment: i64,
}

/// Times are cut to whole nanoseconds: a moment is up to this later than its time.
pub(super) const CUT: i64 = 1;

/// The guess from a straight piece, at one moment. Uncertainties are standard deviations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guess {
    /// In nanoseconds, as the openings are.
    pub(super) offset: f64,
    pub(super) uncertainty: f64,
    /// Per time of the clock itself.
    pub(super) rate: f64,
    pub(super) rate_uncertainty: f64,
    /// The guess takes one of this many samples at each edge.
    pub(super) trimming: usize,
}

/// Fewer samples don't tell how soft an edge is.
const ENOUGH: usize = 64;
/// Nearly all clocks have a rate between these. They are used where the samples don't tell.
pub(super) const USUAL: Range = Range { low: -1e-3, high: 1e-3 };
/// The middle of the rates is trusted where it is off by less than this part of [`USUAL`].
const UNSURE: f64 = 0.25;
/// Estimates disagree where they are more than this many standard deviations apart.
const APART: f64 = 3.0;
/// The uncertainty of another *k* has to be below this part of the best one so far: uncertainties
/// are estimates, too.
const SURER: f64 = 0.75;
/// What times are rounded to, in ns. No processor keeps the two ways of a reading more equal than that
/// from one moment to the next, so a rate is no surer than this over the time of its samples.
const ROUNDING: f64 = 1.0;
/// The error of extremes has a longer tail than the spacing of the next samples shows.
const TAIL: f64 = 1.2;

/// The offset at a moment, by samples in the order of time; `None` where no straight line passes
/// through all of them.
pub(super) fn straight(samples: &[Opening], at: f64) -> Option<Guess> {
    let mut hulls = Hulls::default();
    for one in samples {
        hulls.push(one.clock, one.low - CUT, one.high + CUT);
    }
    let lines = hulls.lines()?;
    let told = lines.rates().unwrap_or(USUAL);
    let ways = Ways::of(samples);
    // The middle of the rates is off by at most the scatter of the samples' middles over the time.
    let scatter = ways.scatter() / span(samples).max(1.0);
    let rates = if scatter < UNSURE * USUAL.high { told } else { told.within(USUAL) };
    let edges = Edges::of(samples, at, rates.middle());
    let rounding = ROUNDING / span(samples).max(1.0);
    if samples.len() < ENOUGH {
        return Some(Guess {
            offset: edges.middle,
            uncertainty: edges.uncertainty,
            rate: rates.middle(),
            rate_uncertainty: rounding.hypot((told.high - told.low) / 6.0),
            trimming: samples.len(),
        });
    }
    let guess = surest(samples, &ways, at, &lines, rates, &edges);
    Some(Guess { rate_uncertainty: rounding.hypot(guess.rate_uncertainty), ..guess })
}

/// From the first sample to the last one, on the clock.
fn span(samples: &[Opening]) -> f64 {
    match samples {
        [first, .., last] => float(last.clock - first.clock),
        _ => 0.0,
    }
}

/// Weighs the extremes and the means of the lowest *k*.
fn surest(
    samples: &[Opening],
    ways: &Ways,
    at: f64,
    lines: &Lines,
    rates: Range,
    edges: &Edges,
) -> Guess {
    let fits = fits(ways, rates.middle());
    let guess = |fit: &Fit| Guess {
        offset: fit.offset(at),
        uncertainty: fit.uncertainty(at),
        rate: fit.rate,
        rate_uncertainty: fit.rate_variance.sqrt(),
        trimming: samples.len() / fit.lowest,
    };
    let mut guesses: Vec<Guess> = fits.iter().map(guess).collect();
    if let [first, second, ..] = guesses.as_slice() {
        // The lines know little of the edges between the corners, and the edges little of the rate:
        // the middle between both is surer than either.
        let by_lines = lines.offsets(at, rates).middle() + edges.middle - edges.extremes;
        let by_edges = Edges::of(samples, at, first.rate).middle;
        // The uncertainty changes from k = 4 to 1 as it does from 16 to 4.
        let ratio = (first.uncertainty / second.uncertainty).clamp(0.4, 3.0);
        let uncertainty = TAIL * first.uncertainty * ratio;
        guesses.insert(
            0,
            Guess {
                offset: f64::midpoint(by_lines, by_edges),
                uncertainty,
                // Four samples at each edge tell little about the rate.
                rate: second.rate,
                rate_uncertainty: TAIL * second.rate_uncertainty,
                trimming: samples.len(),
            },
        );
    }
    let agree = |place: usize| {
        let (before, from) = guesses.split_at(place);
        let Some(now) = from.first() else { return false };
        // The uncertainty from few samples is unsure itself: that of the next k is taken where it
        // is larger.
        let next = guesses.iter().skip(1).map(|next| next.uncertainty);
        before.iter().zip(next).all(|(one, next)| {
            let both = one.uncertainty.max(next).hypot(now.uncertainty);
            (now.offset - one.offset).abs() <= APART * both
        })
    };
    let first = guesses.first().copied().unwrap_or_else(|| guess(&Fit::default()));
    let later = guesses.iter().enumerate().skip(1);
    let agreeing = later.take_while(|(place, _)| agree(*place)).map(|(_, guess)| *guess);
    agreeing.fold(
        first,
        |best, next| {
            if next.uncertainty < SURER * best.uncertainty { next } else { best }
        },
    )
}

#[expect(clippy::cast_precision_loss, reason = "a number of samples has less than 53 bits")]
pub(super) fn count(number: usize) -> f64 {
    number as f64
}
