//! Whether a clock was stepped between one measurement and the next.

use super::meter::MOST_APART;
use crate::measure::UncertainRate;
use crate::{Offset, Rate, RateInterval, System, Timestamp};
use std::collections::VecDeque;

/// What a measurement says, as the next one is compared with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// When, on the reference's own scale.
    pub(crate) at: Timestamp<System>,
    pub(crate) offset: Offset,
    /// The offset is off by this at most, where that is told.
    pub(crate) bound: Option<Offset>,
    /// The rate, where it is told.
    pub(crate) rate: Option<UncertainRate>,
}

/// Finds the steps in a row of measurements.
///
/// Between two measurements, the offset of a clock that isn't stepped moves by its rate times the
/// time, give or take both bounds. A larger move is a step, except for some room: a millionth of
/// the time, since no clock's rate is quite even, or four times as much as this clock usually
/// wanders, whichever is more. It usually wanders as far as in the fifth largest of its latest
/// sixteen moves.
///
/// Few samples tell a rate only to some hundred millionths, which could hide steps. There, a clock
/// that has gone on evenly for a while is stepped when it departs from that by more than twice the
/// bounds and some room: ten millionths of the time, or eight times as much as it usually wanders,
/// whichever is more.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    last: Option<Moment>,
    /// The rates that the last two measurements leave possible.
    slope: Option<RateInterval>,
    /// How far the latest moves were from going on as before.
    wanders: VecDeque<Offset>,
}

/// A clock's own rate changes by less than this.
const UNEVEN: Rate = Rate::from_ppb(1_000);
/// The same, as long as it isn't known how even a clock is.
const MAYBE_UNEVEN: Rate = Rate::from_ppb(10_000);
/// A servo changes a rate by less than this at once.
const STEERED: Rate = Rate::from_ppb(100_000);
/// A measured rate is off by no more than this many standard deviations.
const SURE: i128 = 4;
/// How far an offset is assumed to be off where no bound is known.
const UNTOLD_BOUND: Offset = Offset::from_nanoseconds(1_000);
/// The number of moves that tell how uneven a clock is.
const REMEMBERED: usize = 16;
/// Fewer moves than this don't tell how uneven a clock is.
const ENOUGH: usize = 8;
/// This many of the moves may be steps.
const RARE: usize = 4;

impl Steps {
    /// Takes the next measurement; answers whether a clock was stepped before it.
    pub(super) fn is_step(&mut self, now: Moment) -> bool {
        let Some(last) = self.last.replace(now) else { return false };
        let span = now.at.since(last.at).filter(|span| *span > Offset::ZERO);
        let (Some(span), Some(moved)) = (span, now.offset.checked_sub(last.offset)) else {
            // The reference went back, or a time or an offset moved by centuries.
            return true;
        };
        let over = |rate: Rate| rate.over(span).unwrap_or(Offset::ZERO);
        let uncertain = last.bound_or_guess().saturating_add(now.bound_or_guess());
        let rates = self.rates(&last, &now);
        let too_little = over(rates.lowest).saturating_sub(uncertain).saturating_sub(moved);
        let too_much = moved.saturating_sub(over(rates.highest)).saturating_sub(uncertain);
        let mut beyond = too_little.max(too_much);
        let room = self.room(over);
        let mut leaves_its_way = false;
        if let Some(slope) = self.slope {
            let wander = moved.saturating_sub(over(slope.middle())).abs();
            self.wanders.push_back(wander);
            if self.wanders.len() > REMEMBERED {
                self.wanders.pop_front();
            }
            // A clock that goes on as before isn't stepped, whatever the rates at other moments
            // say.
            let unexplained = wander.saturating_sub(over(slope.bound())).saturating_sub(uncertain);
            beyond = beyond.min(unexplained);
            let is_told =
                |one: Moment| one.sure_rate().is_some_and(|rates| rates.bound() < MAYBE_UNEVEN);
            let is_loose = !is_told(last) || !is_told(now);
            leaves_its_way = is_loose && self.is_even(over, unexplained.saturating_sub(uncertain));
        }
        let is_step = beyond > room || leaves_its_way;
        if !is_step {
            let rate = |moved| Rate::of(moved, span).unwrap_or(Rate::ZERO);
            self.slope = Some(RateInterval::around(rate(moved), rate(uncertain)));
        } else if self.slope.is_none() {
            // The distance that a step moved tells no rate.
            self.slope = Some(rates);
        }
        is_step
    }

    /// Starts over: the next measurement isn't compared with earlier ones.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The rates that are possible between two measurements.
    fn rates(&self, last: &Moment, now: &Moment) -> RateInterval {
        // The rates of nearly every clock are within these.
        let usual = RateInterval::around(Rate::ZERO, MOST_APART);
        let rates = match (last.sure_rate(), now.sure_rate(), self.slope) {
            (Some(one), Some(other), _) => one.with(&other),
            // The clock goes on at about the rate of before.
            (_, _, Some(slope)) => {
                RateInterval::around(slope.middle(), slope.bound().saturating_add(STEERED))
            }
            _ => usual,
        };
        // A rate from few samples says less than the limits that nearly every clock keeps.
        let says_less = rates.lowest < usual.lowest && usual.highest < rates.highest;
        if says_less { usual } else { rates }
    }

    /// How far beyond what is explained a clock may move.
    fn room(&self, over: impl Fn(Rate) -> Offset) -> Offset {
        let times = |usual: Offset| Offset::from_nanoseconds(usual.nanoseconds().saturating_mul(4));
        let unsure = over(MAYBE_UNEVEN);
        self.usual_wander().map_or(unsure, |usual| times(usual).max(over(UNEVEN)))
    }

    /// Whether a clock is usually far too even to wander this far.
    fn is_even(&self, over: impl Fn(Rate) -> Offset, wander: Offset) -> bool {
        let times = |usual: Offset| Offset::from_nanoseconds(usual.nanoseconds().saturating_mul(8));
        self.usual_wander().is_some_and(|usual| wander > times(usual).max(over(MAYBE_UNEVEN)))
    }

    /// How far it wanders, once that is known.
    fn usual_wander(&self) -> Option<Offset> {
        let mut wanders: Vec<_> = self.wanders.iter().copied().collect();
        wanders.sort_unstable();
        (wanders.len() >= ENOUGH).then(|| wanders.iter().rev().nth(RARE).copied())?
    }
}

impl Moment {
    fn bound_or_guess(&self) -> Offset {
        self.bound.unwrap_or(UNTOLD_BOUND)
    }

    /// The rates that a measurement leaves possible. Without a bound, no rate is sure.
    fn sure_rate(&self) -> Option<RateInterval> {
        let UncertainRate { rate, uncertainty } = self.rate.filter(|_| self.bound.is_some())?;
        let far = Rate::from_micro_ppb(uncertainty.micro_ppb().saturating_mul(SURE));
        Some(RateInterval::around(rate, far))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1;

    /// With a bound of 500 ns, and a rate in ppb with the most that it is off by.
    fn moment(second: i64, offset: i64, rate: Option<(i64, i64)>) -> Moment {
        let rate = rate.map(|(ppb, bound)| UncertainRate {
            rate: Rate::from_ppb(ppb),
            uncertainty: Rate::from_micro_ppb(Rate::from_ppb(bound).micro_ppb() / SURE),
        });
        let (offset, bound) = (Offset::from_nanoseconds(offset), Offset::from_nanoseconds(500));
        let at = Timestamp::new(second, 0).expect("in range");
        Moment { at, offset, bound: Some(bound), rate }
    }

    /// Which of these seconds and offsets are steps, for a clock of this rate.
    fn steps(offsets: &[i64], rate: Option<(i64, i64)>) -> Vec<usize> {
        let mut steps = Steps::default();
        let mut second = 0;
        let mut is_step = |offset: &i64| {
            second += 1;
            steps.is_step(moment(second * SECOND, *offset, rate))
        };
        let found = offsets.iter().map(&mut is_step).enumerate().filter(|(_, is)| *is);
        found.map(|(place, _)| place).collect()
    }

    #[test]
    fn a_step_is_more_than_rates_and_bounds_explain() {
        let rate = Some((100_000, 10_000));
        let even: Vec<_> = (0..10).map(|second| second * 100_000).collect();
        let then = |offset: i64| steps(&[&even[..], &[900_000 + offset]].concat(), rate);
        assert!(then(111_900).is_empty());
        assert_eq!(then(113_000), [10]);
        assert_eq!(then(0), [10]);
    }

    #[test]
    fn a_rate_that_changes_is_no_step() {
        let mut steps = Steps::default();
        let slow = Some((0, 10));
        for second in 0..10 {
            assert!(!steps.is_step(moment(second * SECOND, 0, slow)));
        }
        let mut other = steps.clone();
        assert!(!steps.is_step(moment(10 * SECOND, 150_000, Some((200_000, 10)))));
        assert!(other.is_step(moment(10 * SECOND, 210_000, Some((200_000, 10)))));
    }

    #[test]
    fn a_rate_that_few_samples_tell_hides_no_step() {
        assert_eq!(steps(&[0, 100_000_000], Some((0, 300_000_000))), [1]);
    }

    #[test]
    fn without_a_rate_a_thousandth_is_explained_at_first_and_a_ten_thousandth_then() {
        assert!(steps(&[0, 990_000], None).is_empty());
        assert_eq!(steps(&[0, 1_020_000], None), [1]);
        assert!(steps(&[0, 500_000, 1_090_000], None).is_empty());
        assert_eq!(steps(&[0, 500_000, 1_120_000], None), [2]);
    }

    #[test]
    fn a_reference_that_goes_back_is_a_step() {
        let mut steps = Steps::default();
        assert!(!steps.is_step(moment(SECOND, 0, None)));
        assert!(steps.is_step(moment(SECOND, 0, None)));
    }

    #[test]
    fn how_uneven_a_clock_is_isnt_called_a_step() {
        let mut seed = 1_i64;
        let mut next = || {
            seed = seed * 1_103_515_245 % (1 << 31) + 12_345;
            (seed >> 8) % 5_000
        };
        let wanders: Vec<_> = (0..200).map(|_| next()).collect();
        assert!(steps(&wanders, Some((0, 10))).is_empty());
        let and_steps: Vec<i64> = wanders
            .iter()
            .enumerate()
            .map(|(place, offset)| offset + if place >= 100 { 200_000 } else { 0 })
            .collect();
        assert_eq!(steps(&and_steps, Some((0, 10))), [100], "{and_steps:?}");
    }

    #[test]
    fn a_clock_that_surely_goes_at_another_pace_is_not_stepped() {
        let fast: Vec<i64> = (0..20).map(|second| second * 5_000_000).collect();
        assert!(steps(&fast, Some((5_000_000, 10))).is_empty());
    }

    #[test]
    fn where_rates_are_told_loosely_the_way_so_far_tells_a_step() {
        // As ten milliseconds of samples tell it.
        let loose = Some((0, 130_000));
        let stepped = |by: i64| {
            let offsets: Vec<_> = (0..40).map(|second| if second < 30 { 0 } else { by }).collect();
            steps(&offsets, loose)
        };
        assert!(stepped(11_000).is_empty());
        assert_eq!(stepped(15_000), [30]);
        assert_eq!(stepped(1_000_000), [30]);
    }

    #[test]
    fn a_step_at_the_beginning_is_one() {
        let mut offsets = vec![0; 60];
        offsets[1..].fill(2_000_000);
        offsets[20..].fill(12_000_000);
        assert_eq!(steps(&offsets, None), [1, 20]);
        assert_eq!(steps(&offsets, Some((0, 10))), [1, 20]);
    }

    #[test]
    fn a_few_steps_hide_no_other() {
        let offsets: Vec<i64> = (0..60).map(|second| second / 10 * 30_000).collect();
        assert_eq!(steps(&offsets, Some((0, 10))), [10, 20, 30, 40, 50]);
    }
}
