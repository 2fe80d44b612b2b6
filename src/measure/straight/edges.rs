//! Where the edges of both ways are, by their extreme samples.

#![expect(clippy::float_arithmetic, reason = "statistics, in nanoseconds from the first sample")]

use super::super::line::float;
use super::{Opening, count};

/// The middle between the edges of both ways, by a known rate.
pub(super) struct Edges {
    /// Between the edges, which are beyond the extremes.
    pub(super) middle: f64,
    /// Between the extremes.
    pub(super) extremes: f64,
    /// The standard deviation of the middle between them, by how the samples are spaced there.
    pub(super) uncertainty: f64,
}

/// The number of extremes that tell how far beyond them their edge is.
const EXTREMES: usize = 8;
/// The most extremes that tell how hard the edge is.
const SHAPED: usize = 16;
/// An extreme is away from its edge by the mean spacing on average, by this part of it in the
/// median.
const MEDIAN: f64 = 0.7;

impl Edges {
    pub(super) fn of(samples: &[Opening], at: f64, rate: f64) -> Self {
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

/// Finds the lower edge of values: the least of them, minus a distance that the spacing of the next
/// ones tells.
///
/// The spacings of order statistics, each times how many values are above it, are alike where the
/// values are spread evenly or exponentially beyond their edge (Rényi, "On the theory of order
/// statistics", 1953); a gap hardly changes their median.
fn edge(mut values: Vec<f64>) -> Edge {
    let number = count(values.len());
    // Values beyond the lower half don't belong to the edge.
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
    // Fewer values say nothing about their edge.
    if values.len() < EXTREMES {
        return Edge { place: extreme, extreme, uncertainty };
    }
    spacings.truncate(EXTREMES - 1);
    let middle = spacings.len() / 2;
    let (_, median, _) = spacings.select_nth_unstable_by(middle, f64::total_cmp);
    Edge { place: extreme - MEDIAN * *median, extreme, uncertainty }
}

/// How the spacings fall from the extreme on, as a power of their number: all alike behind a hard
/// edge, as 1/i in the tail of a bell. And the extreme's standard deviation, in means of the first
/// spacing.
const EDGES: [(f64, f64); 3] = [(0.0, 1.0), (0.5, 1.1), (1.0, 1.28)];

/// The standard deviation of an extreme, by the spacings of the values next to it.
///
/// Each spacing is distributed exponentially, whatever the edge; the sequence of their means shows
/// the shape of the edge (Weissman, "Estimation of parameters and large quantiles based on the k
/// largest observations", 1978). Few spacings don't tell it for sure: each shape is weighted by its
/// likelihood.
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
