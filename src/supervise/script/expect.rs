//! Judges an expectation from what is seen while the program runs. It comes true, or doesn't, or
//! that is not shown: then nothing is claimed.

use super::{Judged, Side, Window};
use crate::Offset;
use std::time::Duration;

/// What an expectation that holds for a while comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Met(String),
    Broken(String),
    Unseen(String),
}

impl Shown {
    pub(super) fn of(self, name: &str) -> Judged {
        let (is_met, found) = match self {
            Self::Met(found) => (Some(true), found),
            Self::Broken(found) => (Some(false), found),
            Self::Unseen(found) => (None, format!("not shown: {found}")),
        };
        Judged { name: name.to_owned(), is_met, found }
    }
}

/// Offsets in a window, as far as they were seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Offsets {
    seen: u64,
    outside: u64,
    /// How often one of the clocks was away.
    away: u64,
    /// The offset that was farthest from the one that was wanted, and when.
    worst: Option<(i128, Duration)>,
}

impl Offsets {
    /// Takes an offset at a time; `None` where one of the clocks is away.
    pub(super) fn take(&mut self, offset: Option<i128>, at: Duration, wanted: i128, within: i128) {
        let Some(offset) = offset else {
            self.away += 1;
            return;
        };
        self.seen += 1;
        let far = |offset: i128| (offset - wanted).abs();
        self.outside += u64::from(far(offset) > within);
        if self.worst.is_none_or(|(worst, _)| far(offset) > far(worst)) {
            self.worst = Some((offset, at));
        }
    }

    /// What is shown when the program has ended after `ended`, or `None` where it still runs.
    pub(super) fn shown(
        &self,
        (of, to): (Side, Side),
        window: Window,
        ended: Option<Duration>,
    ) -> Shown {
        let Some((worst, at)) = self.worst else {
            return Shown::Unseen(
                too_early(window, ended)
                    .unwrap_or_else(|| format!("{of} - {to} was never seen: a clock was away")),
            );
        };
        let worst = i64::try_from(worst).map_or_else(
            |_| format!("{worst} ns"),
            |worst| Offset::from_nanoseconds(worst).to_string(),
        );
        let mut found = format!(
            "{} of {} offsets outside; the farthest is {worst}, {at:.3?} after the start",
            self.outside, self.seen
        );
        if self.away > 0 {
            let all = self.away + self.seen;
            found = format!("{found}; a clock was away at {} of {all} times", self.away);
        }
        if self.outside > 0 {
            return Shown::Broken(found);
        }
        match too_early(window, ended) {
            Some(why) => Shown::Unseen(format!("{why}; until then: {found}")),
            None => Shown::Met(found),
        }
    }
}

/// Says so where the program ended before the window did.
pub(super) fn too_early(window: Window, ended: Option<Duration>) -> Option<String> {
    let ended = ended?;
    let early = |time: Duration| ended < time;
    let needed = window.until.filter(|until| early(*until));
    let needed = needed.or(Some(window.from).filter(|from| early(*from)))?;
    Some(format!("the program ended after {ended:.3?}, before {needed:?}"))
}

/// What the busiest second shows.
pub(super) fn readings(found: u64, most: u64, window: Window, ended: Option<Duration>) -> Shown {
    let text = format!("{found} in the busiest second");
    match too_early(window, ended) {
        _ if found > most => Shown::Broken(text),
        Some(why) => Shown::Unseen(format!("{why}; until then: {text}")),
        None => Shown::Met(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window =
        Window { from: Duration::from_secs(1), until: Some(Duration::from_secs(2)) };
    const SIDES: (Side, Side) = (Side::Clock(0), Side::System);

    fn offsets(all: &[Option<i128>]) -> Offsets {
        let mut offsets = Offsets::default();
        for (number, offset) in (0..).zip(all) {
            offsets.take(*offset, Duration::from_millis(1_000 + number), 1_000, 50);
        }
        offsets
    }

    #[test]
    fn offsets_are_near_what_is_wanted_all_the_time_or_not() {
        let met = offsets(&[Some(1_050), Some(960)]).shown(SIDES, WINDOW, None);
        let found = "0 of 2 offsets outside; the farthest is 1.05 us, 1.000s after the start";
        assert_eq!(met, Shown::Met(found.into()));
        let broken = offsets(&[Some(1_050), Some(949), Some(1_000)]).shown(SIDES, WINDOW, None);
        assert!(matches!(broken, Shown::Broken(found) if found.starts_with("1 of 3 offsets")));
    }

    #[test]
    fn what_ended_too_early_or_was_away_is_not_shown() {
        let early = Some(Duration::from_millis(1_500));
        let seen = offsets(&[Some(1_000)]);
        assert!(matches!(seen.shown(SIDES, WINDOW, early), Shown::Unseen(_)));
        let outside = offsets(&[Some(0)]);
        assert!(matches!(outside.shown(SIDES, WINDOW, early), Shown::Broken(_)));
        assert!(matches!(offsets(&[None]).shown(SIDES, WINDOW, None), Shown::Unseen(_)));
        assert!(matches!(offsets(&[]).shown(SIDES, WINDOW, early), Shown::Unseen(_)));
        let partly = offsets(&[None, Some(1_000)]).shown(SIDES, WINDOW, None);
        assert!(matches!(partly, Shown::Met(found) if found.ends_with("away at 1 of 2 times")));
    }

    #[test]
    fn the_busiest_second_counts() {
        assert!(matches!(readings(126, 125, WINDOW, None), Shown::Broken(_)));
        assert!(matches!(readings(125, 125, WINDOW, None), Shown::Met(_)));
        let early = Some(Duration::from_millis(500));
        assert!(matches!(readings(0, 125, WINDOW, early), Shown::Unseen(_)));
    }
}
