//! Offsets as they were measured, in sixteen bytes each: there can be many millions.

use crate::{FineOffset, Offset};

/// A measured offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When, in nanoseconds on the reference's scale.
    pub at: i128,
    /// What was measured.
    pub offset: FineOffset,
    /// Whether one of the clocks was stepped, or gone, since the point before.
    pub stepped: bool,
}

/// Measured offsets, in the order of their measurement.
///
/// # Examples
///
/// ```
/// use ptpctl::Offset;
/// use ptpctl::measure::stability::{Kind, Point, Points, Steps, series};
///
/// let offsets = [0, 892, 1701, 2524, 3322, 3993, 4637, 5520, 6423, 7100];
/// let point = |(second, offset)| Point {
///     at: second * 1_000_000_000,
///     offset: Offset::from_nanoseconds(offset).into(),
///     stepped: false,
/// };
/// let points: Points = (0_i128..).zip(offsets).map(point).collect();
/// let series = series(&points, Steps::Keep).expect("a series");
/// assert_eq!((series.distance, series.measured()), (1_000_000_000, 10));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// The time of the first one; the others count from there.
    start: i128,
    times: Vec<i64>,
    /// In units of 10^-`decimals` nanoseconds.
    offsets: Vec<i64>,
    decimals: u8,
    /// The largest absolute value of them.
    farthest: u64,
    /// The places of those that come after a step.
    stepped: Vec<usize>,
    /// How many were left out, being more than 292 years from the first.
    far: usize,
    /// Whether decimals were rounded, having no room.
    rounded: bool,
}

/// An offset that is at least this far from zero has no room for one more digit.
const FARTHEST: u64 = 1 << 60;

impl Points {
    /// Takes one more. What is farther than 292 years from the first one is left out.
    ///
    /// Parts of a nanosecond are kept as far as the farthest offset leaves them room in 61 bits.
    pub fn push(&mut self, point: Point) {
        if self.times.is_empty() {
            self.start = point.at;
        }
        let time = point.at.checked_sub(self.start).and_then(|time| i64::try_from(time).ok());
        let Some(time) = time else {
            self.far += 1;
            return;
        };
        while self.decimals < decimals(point.offset) && self.has_room(point.offset) {
            self.decimals += 1;
            self.farthest *= 10;
            for offset in &mut self.offsets {
                *offset *= 10;
            }
        }
        while self.decimals > 0 && offset_is_far(point.offset, self.decimals) {
            self.decimals -= 1;
            self.farthest /= 10;
            self.rounded |= self.offsets.iter().any(|offset| offset % 10 != 0);
            for offset in &mut self.offsets {
                *offset = rounded(*offset, 10);
            }
        }
        self.rounded |= self.decimals < decimals(point.offset);
        let offset = in_units(point.offset, self.decimals);
        if point.stepped {
            self.stepped.push(self.times.len());
        }
        self.farthest = self.farthest.max(offset.unsigned_abs());
        self.times.push(time);
        self.offsets.push(offset);
    }

    /// Whether one more digit has room.
    fn has_room(&self, offset: FineOffset) -> bool {
        self.farthest < FARTHEST / 10 && !offset_is_far(offset, self.decimals + 1)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// How many were left out, being 292 years or more from the first one.
    pub const fn far(&self) -> usize {
        self.far
    }

    /// Whether parts of a nanosecond were rounded, since the offsets go too far for them.
    pub const fn is_rounded(&self) -> bool {
        self.rounded
    }

    /// The points, in the order of their measurement.
    pub fn iter(&self) -> impl Iterator<Item = Point> {
        let unit = unit(self.decimals);
        self.units().map(move |(time, offset, stepped)| Point {
            at: self.start + i128::from(time),
            offset: FineOffset::from_attoseconds(i128::from(offset) * unit),
            stepped,
        })
    }

    /// The first offset, in whole nanoseconds.
    pub fn first(&self) -> Option<Offset> {
        let first = self.offsets.first()?;
        let unit = 10_i64.pow(self.decimals.into());
        Some(Offset::from_nanoseconds(rounded(*first, unit)))
    }

    pub(super) const fn start(&self) -> i128 {
        self.start
    }

    pub(super) const fn decimals(&self) -> u8 {
        self.decimals
    }

    /// The distances from one point to the next, in nanoseconds.
    pub(super) fn distances(&self) -> impl Iterator<Item = i64> + Clone {
        let pairs = self.times.iter().zip(self.times.iter().skip(1));
        pairs.map(|(a, b)| b.saturating_sub(*a))
    }

    /// Times from the first one, offsets in units, and whether there was a step before.
    pub(super) fn units(&self) -> impl Iterator<Item = (i64, i64, bool)> {
        let mut steps = self.stepped.iter().peekable();
        let both = self.times.iter().zip(&self.offsets).enumerate();
        both.map(move |(place, (time, offset))| {
            (*time, *offset, steps.next_if_eq(&&place).is_some())
        })
    }
}

impl FromIterator<Point> for Points {
    fn from_iter<I: IntoIterator<Item = Point>>(points: I) -> Self {
        let mut all = Self::default();
        for point in points {
            all.push(point);
        }
        all
    }
}

/// How many decimal digits of a nanosecond an offset has, up to nine.
fn decimals(offset: FineOffset) -> u8 {
    let has = |decimals: &u8| offset.attoseconds() % unit(*decimals) == 0;
    (0..9).find(has).unwrap_or(9)
}

/// The unit of offsets with this many decimals, in attoseconds.
pub(super) fn unit(decimals: u8) -> i128 {
    10_i128.pow(9_u32.saturating_sub(decimals.into()))
}

fn offset_is_far(offset: FineOffset, decimals: u8) -> bool {
    offset.attoseconds().unsigned_abs() / unit(decimals).unsigned_abs() >= FARTHEST.into()
}

/// An offset in units, rounded to the nearest; it saturates at 64 bits.
pub(super) fn in_units(offset: FineOffset, decimals: u8) -> i64 {
    let unit = unit(decimals);
    let units = offset.attoseconds().saturating_add(unit / 2).div_euclid(unit);
    i64::try_from(units).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX })
}

fn rounded(value: i64, by: i64) -> i64 {
    value.saturating_add(by / 2).div_euclid(by)
}
