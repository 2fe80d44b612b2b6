//! Times, typed by their scale.

use crate::offset::Offset;
use std::{fmt, marker::PhantomData};

/// The scale that a time is on.
pub trait Scale: Copy + fmt::Debug + private::Sealed {}

/// Coordinated Universal Time, with leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Utc {}

/// International Atomic Time, without leap seconds: ahead of UTC by [TAI − UTC](TaiOffset).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tai {}

/// An unknown scale: that of a PHC's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unknown {}

/// What a system clock shows, whichever is read: UTC, or the time since the machine's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum System {}

impl Scale for Utc {}
impl Scale for Tai {}
impl Scale for Unknown {}
impl Scale for System {}

mod private {
    pub trait Sealed {}
    impl Sealed for super::Utc {}
    impl Sealed for super::Tai {}
    impl Sealed for super::Unknown {}
    impl Sealed for super::System {}
}

/// TAI − UTC in seconds: 37 since 2017.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaiOffset(pub i32);

impl TaiOffset {
    /// Its value since 2017.
    pub const SINCE_2017: Self = Self(37);

    /// What remains of a clock's offset from UTC if it keeps TAI; `None` where TAI − UTC doesn't
    /// explain it to within half a second.
    ///
    /// # Examples
    ///
    /// ```
    /// use ptpctl::{Offset, TaiOffset};
    ///
    /// let rest = |offset: &str| TaiOffset::SINCE_2017.explains(offset.parse().expect("an offset"));
    /// assert_eq!(rest("37.000000012s"), Some(Offset::from_nanoseconds(12)));
    /// assert_eq!(rest("36s"), None);
    /// ```
    pub fn explains(self, offset: Offset) -> Option<Offset> {
        let rest = offset.checked_sub(self.offset())?;
        (rest.abs() < Offset::from_nanoseconds(500_000_000)).then_some(rest)
    }

    /// How far GPS time is ahead of UTC: always 19 s less than TAI.
    #[cfg(feature = "cli")]
    pub(crate) const fn gps(self) -> Self {
        Self(self.0.saturating_sub(19))
    }

    /// The same as an offset.
    pub const fn offset(self) -> Offset {
        Offset::from_nanoseconds(self.0 as i64 * 1_000_000_000)
    }

    /// The scale that a clock keeps, judging by what it shows: UTC or TAI where that is within a
    /// second of the system's UTC clock, else `None`.
    pub fn fitting(
        shown: Timestamp<Unknown>,
        system: Timestamp<Utc>,
        tai: Option<Self>,
    ) -> Option<FittingScale> {
        let fits = |utc: Option<Timestamp<Utc>>| {
            utc.and_then(|utc| utc.since(system))
                .is_some_and(|offset| offset.abs() <= Offset::from_nanoseconds(1_000_000_000))
        };
        if fits(Some(shown.assume())) {
            Some(FittingScale::Utc)
        } else {
            tai.filter(|tai| fits(shown.assume::<Tai>().to_utc(*tai))).map(|_| FittingScale::Tai)
        }
    }
}

/// A scale that a clock's time fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FittingScale {
    /// UTC.
    Utc,
    /// TAI.
    Tai,
}

impl fmt::Display for FittingScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utc => "UTC",
            Self::Tai => "TAI",
        })
    }
}

/// A time: seconds since 1970-01-01 00:00:00 on its scale, and nanoseconds.
///
/// # Examples
///
/// ```
/// use ptpctl::{TaiOffset, Timestamp, Tai, Unknown};
///
/// let shown = Timestamp::<Unknown>::new(1_700_000_037, 5).expect("in range");
/// let utc = shown.assume::<Tai>().to_utc(TaiOffset(37)).expect("in range");
/// assert_eq!(utc.seconds(), 1_700_000_000);
/// assert_eq!(utc.to_string(), "1700000000.000000005");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp<S: Scale> {
    seconds: i64,
    nanoseconds: u32,
    scale: PhantomData<S>,
}

impl<S: Scale> Default for Timestamp<S> {
    /// The beginning of 1970.
    fn default() -> Self {
        Self { seconds: 0, nanoseconds: 0, scale: PhantomData }
    }
}

const BILLION: i128 = 1_000_000_000;

impl<S: Scale> Timestamp<S> {
    /// A time, or `None` where `nanoseconds` is beyond 999 999 999.
    pub const fn new(seconds: i64, nanoseconds: u32) -> Option<Self> {
        if nanoseconds < 1_000_000_000 {
            Some(Self { seconds, nanoseconds, scale: PhantomData })
        } else {
            None
        }
    }

    /// A time from nanoseconds since 1970, or `None` where the seconds don't fit 64 bits.
    pub fn from_total_nanoseconds(nanoseconds: i128) -> Option<Self> {
        let seconds = i64::try_from(nanoseconds.div_euclid(BILLION)).ok()?;
        let nanoseconds = u32::try_from(nanoseconds.rem_euclid(BILLION)).ok()?;
        Self::new(seconds, nanoseconds)
    }

    /// Seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second, 0…999 999 999.
    pub const fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// Nanoseconds since 1970.
    pub fn total_nanoseconds(self) -> i128 {
        i128::from(self.seconds) * BILLION + i128::from(self.nanoseconds)
    }

    /// The same reading, taken to be on the scale `T`.
    pub fn assume<T: Scale>(self) -> Timestamp<T> {
        Timestamp { seconds: self.seconds, nanoseconds: self.nanoseconds, scale: PhantomData }
    }

    /// `self − earlier`, or `None` where it doesn't fit an [`Offset`].
    pub fn since(self, earlier: Self) -> Option<Offset> {
        let parts = i64::from(self.nanoseconds) - i64::from(earlier.nanoseconds);
        let near = self
            .seconds
            .checked_sub(earlier.seconds)
            .and_then(|seconds| seconds.checked_mul(1_000_000_000))
            .and_then(|nanoseconds| nanoseconds.checked_add(parts));
        // 64 bits overflow on the way only at the very ends of the range.
        let far = || i64::try_from(self.total_nanoseconds() - earlier.total_nanoseconds()).ok();
        near.or_else(far).map(Offset::from_nanoseconds)
    }

    /// `self + offset`, or `None` beyond 64 bits of seconds.
    pub fn plus(self, offset: Offset) -> Option<Self> {
        Self::from_total_nanoseconds(self.total_nanoseconds() + i128::from(offset.nanoseconds()))
    }
}

impl Timestamp<Unknown> {
    /// Whether a clock that shows this was never set: nobody sets a PHC to a time before the GPS
    /// epoch, 1980-01-06.
    pub const fn is_unset(self) -> bool {
        self.seconds < 315_964_800
    }
}

impl Timestamp<Tai> {
    /// The same instant in UTC, or `None` beyond 64 bits of seconds.
    pub fn to_utc(self, offset: TaiOffset) -> Option<Timestamp<Utc>> {
        Timestamp::new(self.seconds.checked_sub(i64::from(offset.0))?, self.nanoseconds)
    }
}

impl Timestamp<Utc> {
    /// The same instant in TAI, or `None` beyond 64 bits of seconds.
    pub fn to_tai(self, offset: TaiOffset) -> Option<Timestamp<Tai>> {
        Timestamp::new(self.seconds.checked_add(i64::from(offset.0))?, self.nanoseconds)
    }
}

impl<S: Scale> fmt::Display for Timestamp<S> {
    /// Writes seconds and all nine decimals, also for times before 1970: `-0.000000001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total_nanoseconds();
        let sign = if total < 0 { "-" } else { "" };
        let magnitude = total.unsigned_abs();
        let billion = BILLION.unsigned_abs();
        write!(f, "{sign}{}.{:09}", magnitude / billion, magnitude % billion)
    }
}

impl<S: Scale> fmt::Debug for Timestamp<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, nanoseconds: u32) -> Timestamp<Unknown> {
        Timestamp::new(seconds, nanoseconds).expect("in range")
    }

    #[test]
    fn nanoseconds_beyond_a_second_make_no_time() {
        assert_eq!(Timestamp::<Utc>::new(0, 1_000_000_000), None);
    }

    #[test]
    fn times_before_1970_print_their_value() {
        assert_eq!(at(-1, 999_999_999).to_string(), "-0.000000001");
        assert_eq!(at(-2, 0).to_string(), "-2.000000000");
    }

    #[test]
    fn differences_cross_seconds() {
        assert_eq!(at(2, 1).since(at(1, 2)), Some(Offset::from_nanoseconds(999_999_999)));
        assert_eq!(at(1, 0).plus(Offset::from_nanoseconds(-1)), Some(at(0, 999_999_999)));
        assert_eq!(at(i64::MAX, 0).since(at(0, 0)), None);
    }

    #[test]
    fn tai_is_ahead_of_utc() {
        let utc = at(1_700_000_000, 1).assume::<Utc>();
        let tai = utc.to_tai(TaiOffset(37)).expect("in range");
        assert_eq!(tai.seconds(), 1_700_000_037);
        assert_eq!(tai.to_utc(TaiOffset(37)), Some(utc));
    }
}
