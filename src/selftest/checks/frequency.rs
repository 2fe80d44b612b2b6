//! Dialling a frequency, and its effect over time.

use super::set::GOES;
use super::{Check, Group};
use crate::Frequency;
use crate::RateInterval;
use crate::selftest::bench::{Bench, Effects};
use crate::selftest::comparator::{LONGEST_RATE, exactly};
use crate::selftest::verdict::{Stop, Verdict, must, must_refuse, skip};
use crate::selftest::words::{ppm, within};
use nix::errno::Errno;
use std::time::Duration;

pub(super) static GROUP: Group = Group {
    name: "frequency",
    changes: Some("adjust its frequency"),
    checks: &[&READS_BACK, &DIRECTION, &AMOUNT, &LIMITS, &PAST_LIMITS],
};

/// How far an effect may be off beyond the uncertainty of its measurement: 1 part in this number.
const EFFECT_PART: i128 = 100;
/// An effect must be known to 1 part in this number.
const UNCERTAINTY: i128 = 10;
/// A clock that is dialled to within this of its limit isn't judged: 10 ppm.
const LEAST_ROOM: i64 = 10_000;
/// What is dialled where there is room: 500 ppm.
const DIALLED: i64 = 500_000;
/// How long a limit is dialled.
const AT_LIMIT: Duration = Duration::from_millis(200);

/// The kernel's number of a frequency in ppb, rounded towards 0.
fn scaled(ppb: i64) -> i64 {
    i64::try_from(i128::from(ppb) * 8_192 / 125).unwrap_or(0)
}

/// The kernel's first numbers past a limit in ppb: it compares ((number + 1) × 125) >> 13 with ±limit.
fn first_past(limit: i64) -> [i64; 2] {
    let limit = i128::from(limit);
    let up = (limit + 1) * 8_192;
    let down = -limit * 8_192;
    // The least number that reaches `up`, and the greatest that stays below `down`.
    let past = [-(-up).div_euclid(125) - 1, (down - 1).div_euclid(125) - 1];
    past.map(|number| i64::try_from(number).unwrap_or(i64::MAX))
}

/// The limit of what can be dialled, in ppb.
fn limit(bench: &Bench<'_>) -> Result<i64, Stop> {
    match i64::from(bench.caps.max_frequency_ppb) {
        0 => skip("the clock's frequency can't be adjusted"),
        limit => Ok(limit),
    }
}

/// The limit of what can be dialled, in the kernel's numbers, which a 32-bit kernel has less of.
fn scaled_limit(bench: &Bench<'_>) -> Result<i64, Stop> {
    let limit = scaled(limit(bench)?);
    let is_cut = bench.account.comparator.clock.phc.calls().bits_of_long() == 32;
    Ok(if is_cut { limit.min(i32::MAX.into()) } else { limit })
}

/// By how much to dial up or down, in the kernel's numbers. It is more where readings are too
/// coarse to see that, and less where the limit is near.
fn amount_to_dial(bench: &Bench<'_>) -> Result<i64, Stop> {
    let before = bench.frequency_before().scaled_ppm();
    let room = scaled_limit(bench)? - before.abs();
    if room < scaled(LEAST_ROOM) {
        return skip("the frequency is less than 10 ppm from its limit");
    }
    let uncertainty = 2 * bench.comparator().compare()?.bound() * 1_000_000_000;
    let longest = i128::try_from(LONGEST_RATE.as_nanos()).unwrap_or(i128::MAX);
    let visible =
        i64::try_from(2 * UNCERTAINTY * uncertainty / longest).unwrap_or(i64::MAX / 8_192);
    Ok(room.min(scaled(DIALLED.max(visible))))
}

pub(super) static READS_BACK: Check =
    Check { group: &GROUP, name: "reads back what was dialled", needs: &GOES, run: reads_back };

fn reads_back(bench: &mut Bench<'_>) -> Verdict {
    let before = bench.frequency_before().scaled_ppm();
    let by = amount_to_dial(bench)?;
    for asked in [before + by, before - by, before + 1] {
        let asked = Frequency::from_scaled_ppm(asked);
        let found = bench
            .account
            .at_frequency(asked, |account| Ok(account.comparator.clock.phc.frequency()?))?;
        must(found == asked, || format!("dialled {asked:+}, read back {found:+}"))?;
    }
    Ok(())
}

impl Effects {
    /// How far the rate may have wandered in a measurement of this length.
    fn wander_in(&self, short: Duration) -> i128 {
        let nanoseconds = |time: Duration| i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
        self.wander.saturating_mul(nanoseconds(self.long)) / nanoseconds(short).max(1)
    }
}

/// Dials up and down, and measures the clock's own rate before and after each. Done once.
fn effects(bench: &mut Bench<'_>) -> Result<Effects, Stop> {
    if let Some(effects) = bench.effects {
        return Ok(effects);
    }
    let before = bench.frequency_before().scaled_ppm();
    let by = amount_to_dial(bench)?;
    let dialled = Frequency::from_scaled_ppm(by).micro_ppb();
    let long = bench.comparator().long_enough_for(dialled / (2 * UNCERTAINTY))?;
    let mut own = match bench.account.comparator.rate {
        Some(rate) => rate,
        None => bench.comparator().measure_rate(long)?,
    };
    let mut wander = 0;
    let mut measure = |by: i64| {
        let frequency = Frequency::from_scaled_ppm(before + by);
        let rate = bench
            .account
            .at_frequency(frequency, |account| account.comparator.measure_rate(long))?;
        let again = bench.comparator().measure_rate(long)?;
        wander = wander.max((again.middle().micro_ppb() - own.middle().micro_ppb()).abs());
        own = own.with(&again);
        // The uncertainty of the clock's own rate counts as wander.
        let middle = again.middle().micro_ppb();
        let effect = rate.minus(&exactly(middle));
        let asked = ppm(Frequency::from_scaled_ppm(by).micro_ppb());
        let (middle, bound) = (
            ppm(effect.middle().micro_ppb()),
            within(effect.bound().micro_ppb() + again.bound().micro_ppb()),
        );
        bench.note(format!("dialled {asked}: measured {middle} within {bound}"));
        Ok::<_, Stop>(effect)
    };
    let found = [measure(by)?, measure(-by)?];
    let effects = Effects { dialled, found, wander: wander.max(own.bound().micro_ppb()), long };
    bench.account.comparator.rate = Some(own);
    bench.effects = Some(effects);
    Ok(effects)
}

pub(super) static DIRECTION: Check =
    Check { group: &GROUP, name: "goes the way that was dialled", needs: &GOES, run: direction };

fn direction(bench: &mut Bench<'_>) -> Verdict {
    let Effects { found: [up, down], wander, .. } = effects(bench)?;
    if up.lowest.micro_ppb() > wander && down.highest.micro_ppb() < -wander {
        return Ok(());
    }
    must(up.highest.micro_ppb() > -wander, || {
        format!("dialled up, the rate changed by {}", ppm(up.middle().micro_ppb()))
    })?;
    must(down.lowest.micro_ppb() < wander, || {
        format!("dialled down, the rate changed by {}", ppm(down.middle().micro_ppb()))
    })?;
    Err(too_coarse(up.bound().micro_ppb() + wander))
}

fn too_coarse(uncertainty: i128) -> Stop {
    Stop::Unsure(format!("the effect is known only within {}", within(uncertainty)))
}

pub(super) static AMOUNT: Check = Check {
    group: &GROUP,
    name: "goes by as much as was dialled",
    needs: &[&DIRECTION],
    run: amount,
};

fn amount(bench: &mut Bench<'_>) -> Verdict {
    match amount_once(bench) {
        // Measure again: an oscillator that wanders is off in another way the second time.
        Err(Stop::Wrong(first)) => {
            bench.effects = None;
            match amount_once(bench) {
                Ok(()) => Err(Stop::Unsure(format!("{first}; measured again it was as dialled"))),
                again => again,
            }
        }
        verdict => verdict,
    }
}

fn amount_once(bench: &mut Bench<'_>) -> Verdict {
    let Effects { dialled, found, wander, .. } = effects(bench)?;
    for (asked, effect) in [dialled, -dialled].into_iter().zip(found) {
        must_be_as_dialled(asked, &effect, wander)?;
    }
    Ok(())
}

/// An effect must be as dialled. If its uncertainty is too large, that can't be judged.
fn must_be_as_dialled(asked: i128, effect: &RateInterval, wander: i128) -> Verdict {
    let off = (effect.middle().micro_ppb() - asked).abs();
    let uncertainty = effect.bound().micro_ppb() + 3 * wander;
    must(off <= asked.abs() / EFFECT_PART + uncertainty, || {
        format!("dialled by {}, rate changed by {}", ppm(asked), ppm(effect.middle().micro_ppb()))
    })?;
    if uncertainty <= asked.abs() / UNCERTAINTY { Ok(()) } else { Err(too_coarse(uncertainty)) }
}

pub(super) static LIMITS: Check =
    Check { group: &GROUP, name: "takes its limits", needs: &[&AMOUNT], run: limits };

fn limits(bench: &mut Bench<'_>) -> Verdict {
    let limit = scaled_limit(bench)?;
    let before = bench.frequency_before();
    let own = match bench.account.comparator.rate {
        Some(rate) => rate,
        None => bench.comparator().measure_rate(AT_LIMIT)?,
    };
    let wander = bench.effects.map_or(0, |effects| effects.wander_in(AT_LIMIT));
    for at in [limit, -limit] {
        let at = Frequency::from_scaled_ppm(at);
        let asked = at.micro_ppb() - before.micro_ppb();
        let rate =
            bench.account.at_frequency(at, |account| account.comparator.measure_rate(AT_LIMIT))?;
        let effect = rate.minus(&own);
        bench.note(format!(
            "dialled {}: measured {}",
            ppm(asked),
            ppm(effect.middle().micro_ppb())
        ));
        match must_be_as_dialled(asked, &effect, wander) {
            // The clock accepts its limit, though the rate is too uncertain to judge.
            Err(Stop::Unsure(_)) => {}
            verdict => verdict?,
        }
    }
    Ok(())
}

pub(super) static PAST_LIMITS: Check = Check {
    group: &GROUP,
    name: "refuses a frequency beyond its limits",
    needs: &GOES,
    run: past_limits,
};

fn past_limits(bench: &mut Bench<'_>) -> Verdict {
    let limit = limit(bench)?;
    if scaled(limit) > scaled_limit(bench)? {
        return skip("this 32-bit kernel cuts a frequency before it compares it with the limit");
    }
    for past in first_past(limit) {
        let past = Frequency::from_scaled_ppm(past);
        bench.account.disturb(|account| {
            let answer = account.dial(past)?;
            account.put_back_frequency()?;
            must_refuse(&format!("{past:+}, beyond ±{limit} ppb,"), answer, Errno::ERANGE)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_less_than_the_first_number_past_a_limit_is_within_it() {
        for limit in [0, 1, 124, 125, 99_999_999, 599_999_999, 999_999_881, i64::from(i32::MAX)] {
            let [up, down] = first_past(limit);
            let ppb = |number| Frequency::from_scaled_ppm(number).kernel_ppb();
            let limit = i128::from(limit);
            assert!(ppb(up) > limit && ppb(up - 1) <= limit, "{limit}");
            assert!(ppb(down) < -limit && ppb(down + 1) >= -limit, "{limit}");
        }
    }
}
