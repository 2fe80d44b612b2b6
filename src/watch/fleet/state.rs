//! What a clock says of itself, beside its time.

use crate::find::tai_offset;
use crate::phc::{Caps, Phc};
use crate::{Frequency, Offset, TaiOffset, Timestamp, Unknown, Utc};
use std::time::{Duration, Instant};

/// How often TAI - UTC is asked for.
const TAI_ASKED: Duration = Duration::from_mins(1);

/// What a clock says of itself; what it doesn't say is left out.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) caps: Option<Caps>,
    pub(crate) frequency: Option<Frequency>,
    pub(crate) virtual_clocks: Option<u32>,
    /// Whether it was never set since it began to run.
    pub(crate) unset: Option<bool>,
    /// The whole seconds by which it is ahead of UTC, where it keeps UTC, TAI or GPS time.
    pub(crate) ahead_of_utc: Option<i32>,
    tai: Option<(Option<TaiOffset>, Instant)>,
}

impl State {
    /// What a clock says that was just opened.
    pub(super) fn of(phc: &Phc) -> Self {
        Self { caps: phc.caps().ok(), ..Self::default() }
    }

    /// Asks again for what changes; `measured` is its offset from the system clock, and when.
    pub(super) fn ask(&mut self, phc: &Phc, measured: Option<(Timestamp<Utc>, Offset)>) {
        self.frequency = phc.frequency().ok();
        self.virtual_clocks = phc.virtual_clocks().ok().map(|clocks| clocks.number);
        let Some((at, offset)) = measured else { return };
        self.unset = at.plus(offset).map(|shown| shown.assume::<Unknown>().is_unset());
        let is_set = self.unset == Some(false);
        self.ahead_of_utc = ahead_of_utc(offset, self.tai(phc)).filter(|_| is_set);
    }

    fn tai(&mut self, phc: &Phc) -> Option<TaiOffset> {
        match self.tai {
            Some((tai, when)) if when.elapsed() < TAI_ASKED => tai,
            _ => {
                let tai = tai_offset(phc);
                self.tai = Some((tai, Instant::now()));
                tai
            }
        }
    }
}

/// The whole seconds of a scale that is within half a second of this offset from UTC.
fn ahead_of_utc(offset: Offset, tai: Option<TaiOffset>) -> Option<i32> {
    let scales = [Some(0), tai.map(|tai| tai.0), tai.map(|tai| tai.gps().0)];
    scales.into_iter().flatten().find(|ahead| TaiOffset(*ahead).explains(offset).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_on_utc_tai_or_gps_is_some_whole_seconds_ahead_of_utc() {
        let ahead = |offset: &str, tai| ahead_of_utc(offset.parse().expect("an offset"), tai);
        let tai = Some(TaiOffset(37));
        assert_eq!(ahead("-400ms", tai), Some(0));
        assert_eq!(ahead("37.000001s", tai), Some(37));
        assert_eq!(ahead("17.6s", tai), Some(18), "GPS time");
        assert_eq!(ahead("600ms", tai), None);
        assert_eq!(ahead("36s", tai), None);
        assert_eq!(ahead("37s", None), None, "nobody says what TAI is");
        assert_eq!(ahead("1ns", None), Some(0));
    }
}
