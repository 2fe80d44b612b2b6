//! Lines through the lowest values of both ways, for several numbers of them.

#![expect(clippy::float_arithmetic, reason = "statistics, in nanoseconds from the first sample")]

use super::super::line::float;
use super::{Opening, count};

/// The variance that cutting two times to whole nanoseconds puts into a sample.
const CUT_VARIANCE: f64 = 1.0 / 6.0;

/// Fewer samples are on a line by chance.
const FEW: usize = 8;
/// A rate is found when the square of its change is below this part of its variance, times the
/// number of lowest samples.
const SETTLED: f64 = 0.01;

/// A line of least squares through what each sample stands for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fit {
    /// How many of the lowest on each way count.
    pub(super) lowest: usize,
    /// The mean time, and the offset then.
    center: f64,
    mean: f64,
    pub(super) rate: f64,
    mean_variance: f64,
    pub(super) rate_variance: f64,
}

impl Fit {
    pub(super) fn offset(&self, at: f64) -> f64 {
        self.mean + self.rate * (at - self.center)
    }

    pub(super) fn uncertainty(&self, at: f64) -> f64 {
        (self.mean_variance + self.rate_variance * (at - self.center).powi(2)).sqrt()
    }
}

/// The numbers of lowest samples that are tried: 4, 16, 64, … and all.
fn trimmings(number: usize) -> Vec<usize> {
    let quarters = std::iter::successors(Some(4_usize), |lowest| lowest.checked_mul(4));
    quarters.take_while(|lowest| lowest * 2 <= number).chain([number]).collect()
}

/// A fit for each number of lowest samples. The fit in the middle is made first; each of the others
/// begins with the rate of its neighbour.
pub(super) fn fits(ways: &Ways, rate: f64) -> Vec<Fit> {
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
pub(super) struct Ways {
    /// Times from their mean.
    times: Vec<f64>,
    center: f64,
    /// The sum of the squares of the times.
    squares: f64,
    there: Vec<f64>,
    back: Vec<f64>,
}

impl Ways {
    pub(super) fn of(samples: &[Opening]) -> Self {
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

    /// The largest distance of a sample's middle from the line through all of them; infinite for
    /// few samples, which are on a line by chance.
    pub(super) fn scatter(&self) -> f64 {
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

    /// The line through the `lowest` lowest values of each way, starting from a first rate, in
    /// `rounds` rounds at most. Each round removes the rate so far, to see which values are the
    /// lowest.
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
            // The covariance of the two ways is in the variance of neither.
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
            // The mean is off by the change of the rate times the mean time of the lowest, which is
            // nearer to the middle the more there are.
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

/// The samples of one way, ordered so that the lowest of them along a rate are found quickly.
struct Order {
    points: Vec<Point>,
    rate: f64,
    /// The largest distance of a time from the mean of all.
    reach: f64,
    /// How many of the first points are the lowest, and how high all others are at least; from few
    /// points to all.
    cuts: Vec<(usize, f64)>,
}

/// Each cut has this many times as many points as the one before.
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

    /// What the samples stand for, with the rate removed, where the `lowest` lowest count.
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
    /// The values below the limit; all others stand for the limit itself.
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
