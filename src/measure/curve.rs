//! Whether clocks ran at a steady rate (straight), and the piece that a guess is made from.
//!
//! A straight line through a piece in which the clocks curve is wrong, and its own scatter doesn't
//! show it. So each piece is cut into blocks of time, whose offsets are compared with a line by
//! orthogonal polynomials of the second to the fourth degree: a drift, a servo's steps and a change
//! of the frequency each show in one of them.
//!
//! Where the whole is bent, shorter pieces around the moment are tried. The first that isn't bent is
//! just short enough to hide its curve; half of it is taken, in which a drift does a quarter of the
//! harm (undersmoothing, as for confidence bands in nonparametric regression; Wasserman, "All of
//! Nonparametric Statistics", 2006, section 5.7).

#![expect(clippy::float_arithmetic, reason = "statistics, in nanoseconds from the first sample")]

use super::line::float;
use super::straight::{Guess, Opening, USUAL, count, straight};

/// What a guess was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Basis {
    /// All samples: one straight line passes through them.
    All,
    /// This many samples around the moment: beyond them the clocks curve.
    Piece(usize),
    /// The best sample alone: the clocks curve even between it and its neighbours.
    BestSample,
}

/// A piece of fewer samples can't be told from a straight one.
const FEWEST: usize = 32;
/// A piece has one block for each of this many samples, but at least 4 and at most 8 blocks.
const BLOCK: usize = 16;
/// The contrasts of straight samples seldom exceed this many standard deviations.
const BENT: f64 = 2.6;
/// Blocks of fewer samples vary more than their spread tells: the limit is raised by
/// [`SMALL_VARY`].
const SMALL: usize = 64;
const SMALL_VARY: f64 = 0.3;
/// The guess from half of the samples is seldom this many standard deviations from that of all.
const MOVED: f64 = 3.0;
/// Fewer samples don't tell whether the guess moved.
const MANY: usize = 512;
/// Where the whole is bent, the limit for a piece of it is lower.
const PIECE_BENT: f64 = 2.5;
/// Beyond this many standard deviations, the clocks are said to curve.
const CURVED: f64 = 3.5;

/// With fewer samples, all readings of a small block can be slow in the same direction, which looks
/// like a curve. Then the clocks are said to curve only where no line at all fits the samples.
const MANY_TO_CURVE: usize = 128;

/// A guess at the moment of a sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// `None` where no piece is straight.
    pub(super) guess: Option<Guess>,
    pub(super) basis: Basis,
    /// Whether the samples tell for sure that the clocks curve. A suspicion is enough to take a
    /// piece.
    pub(super) curved: bool,
}

/// The guess at the moment of one of the samples, which are in the order of time.
pub(super) fn guess(samples: &[Opening], place: usize) -> Found {
    let at = samples.get(place).map_or(0.0, |one| float(one.clock));
    let whole = straight(samples, at);
    let bend = whole.map_or(f64::INFINITY, |whole| bend(samples, &whole));
    if let Some(whole) = whole
        && bend <= most(samples)
        && !moves(samples, place, &whole, at)
    {
        return Found { guess: Some(whole), basis: Basis::All, curved: false };
    }
    let curved = bend > CURVED && (samples.len() >= MANY_TO_CURVE || bend.is_infinite());
    let piece = straight_piece(samples, place, at);
    let guess = piece.map(|(guess, _)| guess);
    let basis = piece.map_or(Basis::BestSample, |(_, size)| Basis::Piece(size));
    Found { guess, basis, curved }
}

/// The limit for the contrasts of straight samples.
fn most(samples: &[Opening]) -> f64 {
    let is_small = samples.len() / blocks(samples.len()) < SMALL;
    if is_small { BENT + SMALL_VARY } else { BENT }
}

/// Whether the half of the samples around the moment gives another guess than all of them.
fn moves(samples: &[Opening], place: usize, whole: &Guess, at: f64) -> bool {
    let half = around(samples, place, samples.len() / 2);
    let is_far = |half: Guess| (half.offset - whole.offset).abs() > MOVED * half.uncertainty;
    samples.len() >= MANY && straight(half, at).is_none_or(is_far)
}

/// The guess from a straight piece around one of the samples, and how many samples that has.
fn straight_piece(samples: &[Opening], place: usize, at: f64) -> Option<(Guess, usize)> {
    let mut size = shorter(samples.len());
    while size >= FEWEST {
        let piece = around(samples, place, size);
        if straight(piece, at).is_some_and(|guess| bend(piece, &guess) <= PIECE_BENT) {
            let half = around(samples, place, size / 2);
            let is_likely = |guess: &Guess| {
                guess.uncertainty < own(samples)
                    && USUAL.low <= guess.rate
                    && guess.rate <= USUAL.high
            };
            let guess = straight(half, at).filter(is_likely)?;
            return Some((guess, half.len()));
        }
        size = shorter(size);
    }
    None
}

/// The next size that is tried: shorter by the root of two.
fn shorter(size: usize) -> usize {
    size * 12 / 17
}

/// The `size` samples around the one at `place`.
fn around(samples: &[Opening], place: usize, size: usize) -> &[Opening] {
    let size = size.min(samples.len());
    let from = place.saturating_sub(size / 2).min(samples.len() - size);
    samples.get(from..from + size).unwrap_or(samples)
}

/// How far off the middle of the best sample may be: half of the spread of the shortest delays.
fn own(samples: &[Opening]) -> f64 {
    let mut delays: Vec<i64> = samples.iter().map(|one| one.high - one.low).collect();
    let Some(third) = delays.len().checked_sub(1).map(|last| last.min(3)) else { return 0.0 };
    let (shorter, fourth, _) = delays.select_nth_unstable(third);
    let shortest = shorter.iter().min().unwrap_or(fourth);
    float((*fourth - shortest).max(1)) / 2.0
}

/// How many blocks this number of samples is cut into.
fn blocks(samples: usize) -> usize {
    (samples / BLOCK).clamp(4, 8)
}

/// How far the clocks curve in a piece, seen from the line that was guessed for it, in standard
/// deviations.
fn bend(samples: &[Opening], line: &Guess) -> f64 {
    if samples.len() < FEWEST {
        return 0.0;
    }
    let number = blocks(samples.len());
    let lowest = (samples.len() / number / line.trimming).max(2);
    let blocks: Vec<Block> = samples
        .chunks(samples.len().div_ceil(number))
        .map(|block| Block::of(block, line.rate, lowest))
        .collect();
    contrasts(&blocks).iter().fold(0.0, |most, contrast| most.max(contrast.abs()))
}

/// The offset of a block of samples, after the rate of the whole piece is removed.
struct Block {
    time: f64,
    offset: f64,
    variance: f64,
}

impl Block {
    fn of(samples: &[Opening], rate: f64, lowest: usize) -> Self {
        let gone = |one: &Opening| rate * float(one.clock);
        let (there, there_variance) =
            lowest_mean(samples.iter().map(|one| float(one.high) - gone(one)).collect(), lowest);
        let (back, back_variance) =
            lowest_mean(samples.iter().map(|one| gone(one) - float(one.low)).collect(), lowest);
        let ends = samples.first().zip(samples.last());
        let time = ends.map_or(0.0, |(a, b)| f64::midpoint(float(a.clock), float(b.clock)));
        Self {
            time,
            offset: (there - back) / 2.0,
            variance: (there_variance + back_variance) / 4.0,
        }
    }
}

/// The least variance of a time that was cut to whole nanoseconds.
const CUT_VARIANCE: f64 = 0.02;

/// The mean of the lowest values, `lowest` of them, and its variance (see [`super::straight`]).
fn lowest_mean(mut values: Vec<f64>, lowest: usize) -> (f64, f64) {
    let number = count(values.len());
    let Some(last) = values.len().checked_sub(1) else { return (0.0, CUT_VARIANCE) };
    let (_, limit, _) = values.select_nth_unstable_by(lowest.min(last), f64::total_cmp);
    let limit = *limit;
    values.truncate(lowest);
    let share = count(values.len()) / number;
    let below = || values.iter().map(|value| limit - value);
    let mean = below().sum::<f64>() / number;
    let square = below().map(|below| below * below).sum::<f64>() / number;
    let variance = (square - mean * mean) / (share * share) / number;
    (limit - mean / share, variance.max(CUT_VARIANCE))
}

/// By how many standard deviations blocks depart from a line in the shape of each polynomial of the
/// second to the fourth degree.
fn contrasts(blocks: &[Block]) -> Vec<f64> {
    let number = count(blocks.len());
    let variance = blocks.iter().map(|block| block.variance).sum::<f64>() / number;
    let middle = blocks.iter().map(|block| block.time).sum::<f64>() / number;
    let reach = blocks.iter().map(|block| (block.time - middle).abs()).fold(1.0, f64::max);
    let mut found: Vec<Vec<f64>> = Vec::new();
    let mut contrasts = Vec::new();
    // Each polynomial is made orthogonal to all before it (Gram-Schmidt).
    for degree in 0..i32::try_from(blocks.len()).unwrap_or(0).min(5) {
        let power = |block: &Block| ((block.time - middle) / reach).powi(degree);
        let mut polynomial: Vec<f64> = blocks.iter().map(power).collect();
        for other in &found {
            let common = product(&polynomial, other);
            polynomial.iter_mut().zip(other).for_each(|(value, other)| *value -= common * other);
        }
        let length = product(&polynomial, &polynomial).sqrt();
        // Only rounding errors are left of it.
        if length < 1e-6 {
            break;
        }
        for value in &mut polynomial {
            *value /= length;
        }
        if degree >= 2 {
            let offsets: Vec<f64> = blocks.iter().map(|block| block.offset).collect();
            contrasts.push(product(&polynomial, &offsets) / variance.sqrt());
        }
        found.push(polynomial);
    }
    contrasts
}

fn product(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}
