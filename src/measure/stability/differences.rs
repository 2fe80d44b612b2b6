//! The sums of squares that variances are made of, over the differences that were measured.
//!
//! A difference that lacks one of its offsets is left out; nothing is filled in. Where none is left
//! out, all of them are exact.

#![expect(clippy::float_arithmetic, reason = "sums of squares, and means of windows with gaps")]

use super::slot::{Slot, Stretch};
use super::{float, float_of_signed, float_of_sum};

/// A sum of squares, and the number of its terms.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) squares: f64,
    pub(super) terms: usize,
}

impl Sum {
    fn of(differences: impl Iterator<Item = Option<i64>>) -> Self {
        let mut sum = Self::default();
        for difference in differences.flatten() {
            sum.add(float_of_signed(difference));
        }
        sum
    }

    fn add(&mut self, difference: f64) {
        self.squares += difference * difference;
        self.terms += 1;
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self { squares: self.squares + other.squares, terms: self.terms + other.terms }
    }
}

/// The sum of the squares of `x[i+2m] - 2x[i+m] + x[i]`.
pub(super) fn second(slots: &[Slot], m: usize) -> Sum {
    Sum::of(second_differences(slots, m))
}

/// The sum of the squares of `x[i+3m] - 3x[i+2m] + 3x[i+m] - x[i]`.
pub(super) fn third(slots: &[Slot], m: usize) -> Sum {
    Sum::of(third_differences(slots, m))
}

fn second_differences(slots: &[Slot], m: usize) -> impl Iterator<Item = Option<i64>> {
    let (middle, last) = (slots.iter().skip(m), slots.iter().skip(2 * m));
    slots
        .iter()
        .zip(middle)
        .zip(last)
        .map(|((a, b), c)| Some((c.offset()? - b.offset()?) - (b.offset()? - a.offset()?)))
}

fn third_differences(slots: &[Slot], m: usize) -> impl Iterator<Item = Option<i64>> {
    let later = slots.get(m..).unwrap_or_default();
    let pairs = second_differences(later, m).zip(second_differences(slots, m));
    pairs.map(|(b, a)| Some(b? - a?))
}

/// The sum of the squares of sums of `m` second differences in a row: such a sum is `m` times the
/// second difference of means.
pub(super) fn modified(stretch: &Stretch, m: usize) -> Sum {
    if stretch.missing > 0 { of_means(&stretch.slots, m) } else { of_sums(&stretch.slots, m) }
}

fn of_sums(slots: &[Slot], m: usize) -> Sum {
    if slots.len() < 3 * m {
        return Sum::default();
    }
    let mut moving: i128 = second_differences(slots, m).flatten().take(m).map(i128::from).sum();
    let mut sum = Sum::default();
    sum.add(float_of_sum(moving));
    // One enters the sum, one leaves it: together they are a third difference.
    for change in third_differences(slots, m).flatten() {
        moving += i128::from(change);
        sum.add(float_of_sum(moving));
    }
    sum
}

/// A mean counts where at least half of its offsets were measured. It stands for the middle of its
/// window: it is moved there along the rate from the first mean to the third. Missing offsets make
/// a mean scatter, by as much as the offsets of the window scatter around that rate. This is
/// subtracted again, as for a random sample of some of `m` (Cochran, "Sampling Techniques", 1977,
/// section 2.6).
fn of_means(slots: &[Slot], m: usize) -> Sum {
    let first = slots.first().and_then(|slot| slot.offset()).unwrap_or(0);
    let mut windows = [0, 1, 2].map(|window| Window::of(slots, first, window * m, m));
    let mut sum = Sum::default();
    for _ in 0..(slots.len() + 1).saturating_sub(3 * m) {
        let [one, two, three] = &windows;
        if windows.iter().all(Window::counts) {
            let rate = (three.mean() - one.mean()) / (three.place() - one.place());
            let [a, b, c] = windows.each_ref().map(|window| window.at_middle(rate));
            let difference = (c - b) - (b - a);
            let scatter = one.scatter(rate) + 4.0 * two.scatter(rate) + three.scatter(rate);
            sum.squares += (difference * difference - scatter) * float(m) * float(m);
            sum.terms += 1;
        }
        for window in &mut windows {
            window.go_on(slots, first);
        }
    }
    // With few offsets, the scatter can be more than the differences.
    sum.squares = sum.squares.max(0.0);
    sum
}

/// The offsets that were measured in a row of places.
#[derive(Clone, Debug)]
struct Window {
    begin: usize,
    length: usize,
    number: i64,
    /// The sums of offsets and of places, of their squares and of their products.
    x: i128,
    t: i128,
    xx: i128,
    tt: i128,
    xt: i128,
}

/// Offsets that are farther from the first one are squared as if they were at this distance.
const FARTHEST_SQUARE: i128 = 1 << 48;

impl Window {
    fn of(slots: &[Slot], first: i64, begin: usize, length: usize) -> Self {
        let mut window = Self { begin, length, number: 0, x: 0, t: 0, xx: 0, tt: 0, xt: 0 };
        for place in begin..begin + length {
            window.take(slots, first, place, 1);
        }
        window
    }

    /// Goes on by one place.
    fn go_on(&mut self, slots: &[Slot], first: i64) {
        self.take(slots, first, self.begin, -1);
        self.take(slots, first, self.begin + self.length, 1);
        self.begin += 1;
    }

    /// Adds a place (`by` is 1) or removes it (`by` is -1).
    fn take(&mut self, slots: &[Slot], first: i64, place: usize, by: i8) {
        let Some(offset) = slots.get(place).and_then(|slot| slot.offset()) else { return };
        let (x, t) = (i128::from(offset) - i128::from(first), i128::try_from(place).unwrap_or(0));
        // Clamped on the way in and on the way out, so that the same part is removed that was
        // added.
        let small = x.clamp(-FARTHEST_SQUARE, FARTHEST_SQUARE);
        let by = i128::from(by);
        self.number += i64::from(by.is_positive()) - i64::from(by.is_negative());
        self.x += by * x;
        self.t += by * t;
        self.xx += by * small * small;
        self.tt += by * t * t;
        self.xt += by * small * t;
    }

    /// Whether at least half of its offsets were measured, and at least two where some are missing.
    fn counts(&self) -> bool {
        let number = usize::try_from(self.number).unwrap_or(0);
        number == self.length || (number > 1 && number * 2 >= self.length)
    }

    fn mean(&self) -> f64 {
        float_of_sum(self.x) / float_of_signed(self.number)
    }

    /// The mean place.
    fn place(&self) -> f64 {
        float_of_sum(self.t) / float_of_signed(self.number)
    }

    /// The mean offset, moved to the middle of the window.
    fn at_middle(&self, rate: f64) -> f64 {
        let middle = float(self.begin) + (float(self.length) - 1.0) / 2.0;
        self.mean() - rate * (self.place() - middle)
    }

    /// The part of the mean's variance that comes from missing offsets.
    fn scatter(&self, rate: f64) -> f64 {
        let number = i128::from(self.number);
        let missing = float(self.length) - float_of_signed(self.number);
        if missing < 0.5 {
            return 0.0;
        }
        // Multiplied by the number of offsets, these are whole numbers.
        let of = |products: i128, one: i128, other: i128| {
            float_of_sum(products * number - one * other) / float_of_sum(number)
        };
        let x = self.x.clamp(-FARTHEST_SQUARE * number, FARTHEST_SQUARE * number);
        let squares = of(self.xx, x, x) - 2.0 * rate * of(self.xt, x, self.t)
            + rate * rate * of(self.tt, self.t, self.t);
        let number = float_of_signed(self.number);
        (squares / (number - 1.0)).max(0.0) / number * missing / float(self.length)
    }
}

/// The largest range in any window of `factor + 1` places, for each of the ascending factors; 0
/// where no window has two offsets.
///
/// The extremes of windows of 2, 4, 8, … places come from those of half the size; a window of any
/// other size is two of these that overlap.
pub(super) fn ranges(slots: &[Slot], factors: &[usize]) -> Vec<u64> {
    let mut least: Vec<i64> = slots.iter().map(|slot| slot.offset().unwrap_or(i64::MAX)).collect();
    let mut most: Vec<i64> = slots.iter().map(|slot| slot.offset().unwrap_or(i64::MIN)).collect();
    let mut size = 1;
    let mut ranges = Vec::with_capacity(factors.len());
    for factor in factors {
        // A window that is longer than the series is cut to it.
        let window = (factor + 1).min(slots.len()).max(1);
        while size * 2 <= window {
            let left = least.len() - size;
            for place in 0..left {
                // Reads ahead of what it writes.
                if let (Some(low), Some(high)) =
                    (least.get(place + size).copied(), most.get(place + size).copied())
                    && let (Some(this_low), Some(this_high)) =
                        (least.get_mut(place), most.get_mut(place))
                {
                    *this_low = low.min(*this_low);
                    *this_high = high.max(*this_high);
                }
            }
            least.truncate(left);
            most.truncate(left);
            size *= 2;
        }
        let shift = window - size;
        let lows = least.iter().zip(least.iter().skip(shift)).map(|(a, b)| a.min(b));
        let highs = most.iter().zip(most.iter().skip(shift)).map(|(a, b)| a.max(b));
        let ranges_here = lows.zip(highs).filter(|(low, high)| low <= high);
        ranges.push(ranges_here.map(|(low, high)| high.abs_diff(*low)).max().unwrap_or(0));
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_largest_range_of_any_window_whatever_is_missing(
            offsets in proptest::collection::vec(proptest::option::of(-1_000_i64..1_000), 2..60),
        ) {
            let slots: Vec<Slot> =
                offsets.iter().map(|one| one.map_or(Slot::MISSING, Slot::of)).collect();
            let factors: Vec<_> = (1..offsets.len()).collect();
            for (factor, found) in factors.iter().zip(ranges(&slots, &factors)) {
                let range = |window: &[Option<i64>]| {
                    let there = || window.iter().flatten();
                    there().min().zip(there().max()).map_or(0, |(low, high)| high.abs_diff(*low))
                };
                let expected = offsets.windows(factor + 1).map(range).max();
                proptest::prop_assert_eq!(Some(found), expected);
            }
        }

        #[test]
        fn sums_and_means_agree_where_nothing_is_missing(
            offsets in proptest::collection::vec(-1_000_000_i64..1_000_000, 20..60),
            factor in 1_usize..6,
        ) {
            let slots: Vec<Slot> = offsets.iter().map(|one| Slot::of(*one)).collect();
            let (exact, means) = (of_sums(&slots, factor), of_means(&slots, factor));
            proptest::prop_assert_eq!(exact.terms, means.terms);
            let apart = (exact.squares - means.squares).abs();
            proptest::prop_assert!(apart <= exact.squares * 1e-9 + 1e-3, "{:?} {:?}", exact, means);
        }

        #[test]
        fn a_clock_with_a_steady_rate_has_no_differences_whatever_is_missing(
            rate in -1_000_000_i64..1_000_000,
            there in proptest::collection::vec(proptest::bool::weighted(0.8), 20..60),
            factor in 1_usize..6,
        ) {
            let slot = |(place, is_there): (i64, &bool)| {
                if *is_there { Slot::of(rate * place) } else { Slot::MISSING }
            };
            let slots: Vec<Slot> = (0..).zip(&there).map(slot).collect();
            for sum in [
                second(&slots, factor),
                third(&slots, factor),
                of_means(&slots, factor),
            ] {
                proptest::prop_assert!(sum.squares < 1e-9 * float_of_signed(rate * rate + 1), "{:?}", sum);
            }
        }
    }

    #[test]
    fn only_differences_count_that_were_measured() {
        let slots: Vec<Slot> = [0, 1, 4, 9, 16, 25]
            .into_iter()
            .map(|one| if one == 9 { Slot::MISSING } else { Slot::of(one) })
            .collect();
        // 0 1 4 and no other of distance 1; 0 4 16 of distance 2, and 1 9 25 lacks one.
        assert_eq!((second(&slots, 1).terms, second(&slots, 1).squares), (1, 4.0));
        assert_eq!((second(&slots, 2).terms, second(&slots, 2).squares), (1, 64.0));
    }
}
