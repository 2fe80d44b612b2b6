//! The best guess of an offset from samples of clocks that go straight.
//!
//! A sample shows the way there and the way back: its upper end lies above the offset by what the
//! way there took, its lower end below it by what the way back took. Both ways are taken to be
//! equally long at their quickest, as nobody can tell; what comes on top is jitter. So the offset is
//! the middle between the lower edge of the upper ends and the upper edge of the lower ends, and the
//! question is how to find an edge.
//!
//! - Where jitter has a hard edge (a register that takes some time at least), the extreme samples
//!   tell it best: their error falls with 1/N. They are the [feasible lines](super::line).
//! - Where the edge is soft (jitter like a bell), extremes are what varies most, and the mean of many
//!   samples is best: its error falls with 1/√N.
//! - In between, the mean of the lowest *k* of N is.
//!
//! Such a trimmed mean has a simple influence function (Huber, "Robust Statistics", 1981, section
//! 3.3): with ξ the (*k*+1)-th value, each value *x* stands for ξ + (min(*x*, ξ) − ξ) · N/*k*. The mean
//! of these is the mean of the lowest *k*, and their scatter tells its variance; a line of least
//! squares through them tells a rate as well. So every *k* of 4, 16, 64, … N gives an offset and how
//! sure it is, and no shape of jitter is supposed.
//!
//! More samples also let more in of what is not alike on both ways. From the extremes on, a larger *k*
//! is taken as long as it agrees with all smaller ones, and the surest of these counts (Lepskii, "On
//! a problem of adaptive estimation in Gaussian white noise", 1990).

#![expect(clippy::float_arithmetic, reason = "statistics, in nanoseconds from the first sample")]

use super::line::{Hulls, Lines, Range, float};

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

/// What cutting two times puts into a sample, though all samples agree.
const CUT_VARIANCE: f64 = 1.0 / 6.0;

/// What is guessed of a straight piece, at one moment. Uncertainties are standard deviations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guess {
    /// In nanoseconds, as the openings are.
    pub(super) offset: f64,
    pub(super) uncertainty: f64,
    /// By the clock's own time.
    pub(super) rate: f64,
    pub(super) rate_uncertainty: f64,
    /// Of so many samples the guess takes one at each edge.
    pub(super) trimming: usize,
}

/// Fewer samples don't tell how soft an edge is.
const ENOUGH: usize = 64;
/// Nearly all clocks keep a rate between these, where the samples don't tell.
pub(super) const USUAL: Range = Range { low: -1e-3, high: 1e-3 };
/// Where the middle of the rates is off by less than this part of those, it is believed.
const UNSURE: f64 = 0.25;
const FEW: usize = 8;
/// Estimates disagree where they are apart by more than so many standard deviations.
const APART: f64 = 3.0;
/// Another *k* has to be so much surer: how sure each is is an estimate, too.
const SURER: f64 = 0.75;
/// A rate that changes by less than this part of its variance, for each of the lowest samples, is found.
const SETTLED: f64 = 0.01;
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
    // What the middles scatter by, over the time, is what the middle of the rates is off at most.
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
        // As it goes from k = 16 to 4, it goes on to 1.
        let ratio = (first.uncertainty / second.uncertainty).clamp(0.4, 3.0);
        let uncertainty = TAIL * first.uncertainty * ratio;
        guesses.insert(
            0,
            Guess {
                offset: f64::midpoint(by_lines, by_edges),
                uncertainty,
                // Four samples at each edge know little of it.
                rate: second.rate,
                rate_uncertainty: TAIL * second.rate_uncertainty,
                trimming: samples.len(),
            },
        );
    }
    let agree = |place: usize| {
        let (before, from) = guesses.split_at(place);
        let Some(now) = from.first() else { return false };
        // How sure few samples are is told by fewer: the next k's is taken, where that is less sure.
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

/// A line of least squares through what each sample stands for.
#[derive(Clone, Copy, Debug, Default)]
struct Fit {
    /// How many of the lowest on each way count.
    lowest: usize,
    /// The mean time, and the offset then.
    center: f64,
    mean: f64,
    rate: f64,
    mean_variance: f64,
    rate_variance: f64,
}

impl Fit {
    fn offset(&self, at: f64) -> f64 {
        self.mean + self.rate * (at - self.center)
    }

    fn uncertainty(&self, at: f64) -> f64 {
        (self.mean_variance + self.rate_variance * (at - self.center).powi(2)).sqrt()
    }
}

/// The numbers of lowest samples that are tried: 4, 16, 64, … and all.
fn trimmings(number: usize) -> Vec<usize> {
    let quarters = std::iter::successors(Some(4_usize), |lowest| lowest.checked_mul(4));
    quarters.take_while(|lowest| lowest * 2 <= number).chain([number]).collect()
}

/// A fit for each number of lowest samples. The rate of the one in the middle is known first; from
/// there on each begins with its neighbour's.
fn fits(ways: &Ways, rate: f64) -> Vec<Fit> {
    let trimmings = trimmings(ways.times.len());
    let ways = Ordered::of(ways, rate);
    let (below, from) = trimmings.split_at(trimmings.len() / 2);
    let Some((middle, above)) = from.split_first() else { return Vec::new() };
    let first = ways.fit(*middle, rate, 3);
    let chain = |numbers: &mut dyn Iterator<Item = &usize>| {
        let mut last = first;
        let mut next = |lowest: &usize| {
            last = ways.fit(*lowest, last.rate, 2);
            last
        };
        numbers.map(&mut next).collect::<Vec<_>>()
    };
    let mut fits = chain(&mut below.iter().rev());
    fits.reverse();
    fits.push(first);
    fits.extend(chain(&mut above.iter()));
    fits
}

/// Both ways of all samples: what lies above the offset and, seen from below, what lies below it.
struct Ways {
    /// Times from their mean.
    times: Vec<f64>,
    center: f64,
    /// The sum of the squares of the times.
    squares: f64,
    there: Vec<f64>,
    back: Vec<f64>,
}

impl Ways {
    fn of(samples: &[Opening]) -> Self {
        let number = count(samples.len());
        let center = samples.iter().map(|one| float(one.clock)).sum::<f64>() / number;
        let times: Vec<f64> = samples.iter().map(|one| float(one.clock) - center).collect();
        Self {
            squares: times.iter().map(|time| time * time).sum::<f64>().max(f64::MIN_POSITIVE),
            times,
            center,
            there: samples.iter().map(|one| float(one.high)).collect(),
            back: samples.iter().map(|one| -float(one.low)).collect(),
        }
    }

    /// How far the middle of a sample is from the line through all of them at most; few samples are on
    /// a line by chance.
    fn scatter(&self) -> f64 {
        if self.times.len() < FEW {
            return f64::INFINITY;
        }
        let ways = self.there.iter().zip(&self.back);
        let middles: Vec<f64> = ways.map(|(there, back)| (there - back) / 2.0).collect();
        let mean = middles.iter().sum::<f64>() / count(middles.len());
        let products = middles.iter().zip(&self.times).map(|(middle, time)| middle * time);
        let rate = products.sum::<f64>() / self.squares;
        let rests =
            middles.iter().zip(&self.times).map(|(middle, time)| middle - mean - rate * time);
        rests.fold(0.0, |most, rest| rest.abs().max(most))
    }
}

/// Both ways of all samples, by how low they are.
struct Ordered {
    number: usize,
    center: f64,
    squares: f64,
    there: Order,
    back: Order,
}

impl Ordered {
    /// The order along a rate that is near those that are asked for.
    fn of(ways: &Ways, rate: f64) -> Self {
        Self {
            number: ways.times.len(),
            center: ways.center,
            squares: ways.squares,
            there: Order::of(&ways.there, &ways.times, rate),
            back: Order::of(&ways.back, &ways.times, -rate),
        }
    }

    /// The line by the lowest so many of each way, from a first rate on, in so many rounds at most: in
    /// each the rate so far is taken out, to see which are the lowest.
    fn fit(&self, lowest: usize, rate: f64, rounds: usize) -> Fit {
        let number = count(self.number);
        let free = (number - 2.0).max(1.0);
        let mut fit = Fit { lowest, center: self.center, rate, ..Fit::default() };
        for _ in 0..rounds {
            let stand_there = self.there.lowest(lowest, fit.rate);
            let stand_back = self.back.lowest(lowest, -fit.rate);
            let there = self.line(&stand_there);
            let back = self.line(&stand_back);
            fit.mean = (stand_there.limit + there.mean - stand_back.limit - back.mean) / 2.0;
            // How much the two ways have in common is in neither's variance.
            let common = self.products(&stand_there, &stand_back)
                - number * there.mean * back.mean
                - self.squares * there.rate * back.rate;
            let halves = (there.rest + back.rest - 2.0 * common).max(0.0) / 4.0;
            fit.mean_variance = (halves / free + CUT_VARIANCE / 2.0) / number;
            let [there_varies, back_varies] =
                [&there, &back].map(|line| line.rest / free + CUT_VARIANCE);
            let change = if lowest < self.number {
                // The surer way knows the rate better.
                let share = back_varies / (there_varies + back_varies);
                fit.rate_variance = share * there_varies / self.squares;
                share * there.rate - (1.0 - share) * back.rate
            } else {
                fit.rate_variance = fit.mean_variance * number / self.squares;
                (there.rate - back.rate) / 2.0
            };
            fit.rate += change;
            // The mean is off by a change of the rate times the mean time of the lowest, which is near
            // the middle the more they are.
            if change * change < SETTLED * count(lowest) * fit.rate_variance {
                break;
            }
        }
        fit
    }

    /// The line of least squares through what the samples of one way stand for.
    fn line(&self, stand: &Stand) -> WayLine {
        let number = count(self.number);
        let (mut sum, mut products, mut squares) = (0.0, 0.0, 0.0);
        for (value, point) in &stand.below {
            sum += value;
            products += value * point.time;
            squares += value * value;
        }
        let (mean, rate) = (sum / number, products / self.squares);
        let rest = squares - number * mean * mean - self.squares * rate * rate;
        WayLine { mean, rate, rest: rest.max(0.0) }
    }

    /// The sum of the products of both ways' values.
    fn products(&self, there: &Stand, back: &Stand) -> f64 {
        let mut values = vec![0.0; self.number];
        for (value, point) in &there.below {
            if let Some(place) = values.get_mut(point.place) {
                *place = *value;
            }
        }
        let product = |(value, point): &(f64, Point)| {
            values.get(point.place).map_or(0.0, |other| value * other)
        };
        back.below.iter().map(product).sum()
    }
}

/// A sample's time from their mean, and its value on one way.
#[derive(Clone, Copy)]
struct Point {
    time: f64,
    value: f64,
    place: usize,
}

/// The samples of one way so that the lowest of them, along a rate, are soon found.
struct Order {
    points: Vec<Point>,
    rate: f64,
    /// All times are within so much of their mean.
    reach: f64,
    /// The first so many points are the lowest, and the others at least so high; from few to all.
    cuts: Vec<(usize, f64)>,
}

/// Each cut has so many times as many as the one before.
const CUTS: usize = 4;

impl Order {
    fn of(way: &[f64], times: &[f64], rate: f64) -> Self {
        let values = way.iter().zip(times).enumerate();
        let mut points: Vec<Point> = values
            .map(|(place, (value, time))| Point { time: *time, value: *value, place })
            .collect();
        let along = |point: &Point| point.value - rate * point.time;
        let mut cuts = vec![(points.len(), f64::INFINITY)];
        let sizes = std::iter::successors(Some(points.len()), |size| Some(size / CUTS));
        let mut rest = points.as_mut_slice();
        for size in sizes.skip(1).take_while(|size| *size > CUTS) {
            let (lower, least, _) =
                rest.select_nth_unstable_by(size, |a, b| along(a).total_cmp(&along(b)));
            cuts.push((size, along(least)));
            rest = lower;
        }
        cuts.reverse();
        let reach = times.iter().fold(0.0, |reach: f64, time| reach.max(time.abs()));
        Self { points, rate, reach, cuts }
    }

    /// What the samples stand for, without a rate, where so many of the lowest count.
    fn lowest(&self, lowest: usize, rate: f64) -> Stand {
        let turned = (rate - self.rate).abs() * self.reach;
        for (size, others) in &self.cuts {
            if *size < 2 * lowest && *size < self.points.len() {
                continue;
            }
            let points = self.points.get(..*size).unwrap_or(&self.points);
            let along: Vec<f64> =
                points.iter().map(|point| point.value - rate * point.time).collect();
            let limit = if lowest < along.len() {
                let mut order = along.clone();
                *order.select_nth_unstable_by(lowest, f64::total_cmp).1
            } else {
                along.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            };
            // Beyond the cut none is lower along this rate, either.
            if limit <= others - turned {
                let share = count(self.points.len()) / count(lowest);
                let below = along.iter().zip(points).filter(|(value, _)| **value < limit);
                let below = below.map(|(value, point)| ((value - limit) * share, *point)).collect();
                return Stand { below, limit };
            }
        }
        Stand::default()
    }
}

/// What the samples of one way stand for, seen from the lowest that doesn't count.
#[derive(Default)]
struct Stand {
    /// Those below it; the others stand for nothing else.
    below: Vec<(f64, Point)>,
    limit: f64,
}

/// The line through what the samples of one way stand for.
struct WayLine {
    mean: f64,
    rate: f64,
    /// The sum of the squares of what is left without the line.
    rest: f64,
}

/// The middle between the edges of both ways, by a known rate.
struct Edges {
    /// Between the edges, which are beyond the extremes.
    middle: f64,
    /// Between the extremes.
    extremes: f64,
    /// The standard deviation of the middle between them, by how the samples are spaced there.
    uncertainty: f64,
}

/// So many extremes tell how far beyond them their edge is.
const EXTREMES: usize = 8;
/// So many at most tell how hard it is.
const SHAPED: usize = 16;
/// An extreme is beyond its edge by the spacing on the average, by this of it in the median.
const MEDIAN: f64 = 0.7;

impl Edges {
    fn of(samples: &[Opening], at: f64, rate: f64) -> Self {
        let away = |one: &Opening| rate * (float(one.clock) - at);
        let there = edge(samples.iter().map(|one| float(one.high) - away(one)).collect());
        let back = edge(samples.iter().map(|one| away(one) - float(one.low)).collect());
        Self {
            middle: (there.place - back.place) / 2.0,
            extremes: (there.extreme - back.extreme) / 2.0,
            uncertainty: there.uncertainty.hypot(back.uncertainty) / 2.0,
        }
    }
}

/// The lower edge of some values.
struct Edge {
    place: f64,
    extreme: f64,
    /// The extreme's standard deviation.
    uncertainty: f64,
}

/// Finds the lower edge of values: the least of them, less what the spacing of the next ones tells.
///
/// The spacings of order statistics, each times how many values are above it, are alike where the
/// values are spread evenly or exponentially beyond their edge (Rényi, "On the theory of order
/// statistics", 1953); their median doesn't mind a gap.
fn edge(mut values: Vec<f64>) -> Edge {
    let number = count(values.len());
    // Beyond the half it is no edge.
    let shaped = EXTREMES.max(values.len() / 2).min(SHAPED);
    if values.len() > shaped {
        values.select_nth_unstable_by(shaped, f64::total_cmp);
        values.truncate(shaped);
    }
    values.sort_unstable_by(f64::total_cmp);
    let neighbours = values.iter().zip(values.iter().skip(1));
    let mut spacings: Vec<f64> = neighbours
        .enumerate()
        .map(|(place, (low, high))| (high - low) * (number - 1.0 - count(place)) / number)
        .collect();
    let extreme = values.first().copied().unwrap_or(0.0);
    let uncertainty = uncertainty_of_extreme(&spacings);
    // Fewer values say nothing of their edge.
    if values.len() < EXTREMES {
        return Edge { place: extreme, extreme, uncertainty };
    }
    spacings.truncate(EXTREMES - 1);
    let middle = spacings.len() / 2;
    let (_, median, _) = spacings.select_nth_unstable_by(middle, f64::total_cmp);
    Edge { place: extreme - MEDIAN * *median, extreme, uncertainty }
}

/// How the spacings fall from the extreme on, as a power of their number: all alike behind a hard
/// edge, as 1/i in the tail of a bell. And the extreme's standard deviation, by the first spacing's mean.
const EDGES: [(f64, f64); 3] = [(0.0, 1.0), (0.5, 1.1), (1.0, 1.28)];

/// The standard deviation of an extreme, by the spacings of the values next to it.
///
/// Each spacing is distributed exponentially, whatever the edge; how their means go on is the edge's
/// shape (Weissman, "Estimation of parameters and large quantiles based on the k largest
/// observations", 1978). Few spacings don't tell it for sure: each shape counts as it is likely.
fn uncertainty_of_extreme(spacings: &[f64]) -> f64 {
    let number = count(spacings.len());
    let shapes = EDGES.map(|(power, deviation)| {
        let places =
            spacings.iter().enumerate().map(|(place, spacing)| (count(place + 1), spacing));
        let first = places.clone().map(|(place, spacing)| spacing * place.powf(power)).sum::<f64>()
            / number.max(1.0);
        let logarithms = places.map(|(place, _)| place.ln()).sum::<f64>();
        let likelihood = power * logarithms - number * first.max(f64::MIN_POSITIVE).ln();
        (likelihood, (deviation * first).max(f64::MIN_POSITIVE).ln())
    });
    let most = shapes.iter().fold(f64::NEG_INFINITY, |most, (one, _)| most.max(*one));
    let weights = shapes.map(|(likelihood, deviation)| ((likelihood - most).exp(), deviation));
    let sum: f64 = weights.iter().map(|(weight, _)| weight).sum();
    (weights.iter().map(|(weight, deviation)| weight * deviation).sum::<f64>() / sum).exp()
}

#[expect(clippy::cast_precision_loss, reason = "a number of samples has less than 53 bits")]
pub(super) fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extreme_is_as_sure_as_its_edge_is_hard() {
        let of = |power: f64| {
            let spacings: Vec<f64> =
                (1..16).map(|place| 10.0 / f64::from(place).powf(power)).collect();
            uncertainty_of_extreme(&spacings)
        };
        let (hard, bell) = (of(0.0), of(1.0));
        assert!((10.0..15.0).contains(&hard), "{hard}: as far as all are apart, and not much more");
        assert!(
            (10.0..13.0).contains(&bell),
            "{bell}: as far as the outermost are, and a little more"
        );
    }

    #[test]
    fn few_spacings_and_none_at_all_are_finite() {
        for spacings in [&[][..], &[0.0], &[5.0], &[0.0, 0.0, 0.0]] {
            let uncertainty = uncertainty_of_extreme(spacings);
            assert!((0.0..10.0).contains(&uncertainty), "{spacings:?}: {uncertainty}");
        }
    }
}
