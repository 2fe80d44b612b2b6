//! Dialling a frequency, and its effect over time.

use super::bench::{Bench, Pace, ppm, within};
use super::set::GOES;
use super::{Check, Group, Stop, Verdict, must, must_refuse, skip};
use crate::Frequency;
use nix::errno::Errno;
use std::time::Duration;

pub(super) const GROUP: Group = Group {
    name: "frequency",
    checks: &[
        Check { name: "reads back what was dialled", needs: GOES, run: reads_back },
        Check { name: "goes the way that was dialled", needs: GOES, run: direction },
        Check { name: "goes by as much as was dialled", needs: GOES, run: amount },
        Check { name: "takes its limits", needs: GOES, run: limits },
        Check { name: "refuses what is past its limits", needs: GOES, run: past_limits },
    ],
};

/// How far the effect may be off: a tenth.
const TOLERANCE: i128 = 10;

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

/// What is dialled, beside what is dialled already: 500 ppm, or as much as the clock can.
fn effect(bench: &Bench<'_>) -> Result<i64, Stop> {
    let limit = i64::from(bench.caps.max_frequency_ppb);
    let before = bench.frequency_before().scaled_ppm();
    let room = scaled(limit) - before.abs();
    if room <= scaled(1_000) {
        return skip("the clock can be dialled by less than 1 ppm from where it is");
    }
    Ok(room.min(scaled(500_000)))
}

fn reads_back(bench: &mut Bench<'_>) -> Verdict {
    let before = bench.frequency_before().scaled_ppm();
    let by = effect(bench)?;
    for asked in [before + by, before - by, before + 1] {
        let asked = Frequency::from_scaled_ppm(asked);
        let found = bench.at_frequency(asked, |bench| Ok(bench.phc.frequency()?))?;
        must(found == asked, || format!("dialled {asked:+}, read back {found:+}"))?;
    }
    Ok(())
}

/// What both signs do to the clock's pace. Measured once.
fn effects(bench: &mut Bench<'_>) -> Result<[Pace; 2], Stop> {
    if let Some(effects) = bench.effects {
        return Ok(effects);
    }
    let before = bench.frequency_before().scaled_ppm();
    let by = effect(bench)?;
    let second = Duration::from_secs(1);
    let own = match bench.pace {
        Some(pace) => pace,
        None => bench.measure_pace(second)?,
    };
    let mut measure = |scaled_ppm: i64| {
        let frequency = Frequency::from_scaled_ppm(scaled_ppm);
        let pace = bench.at_frequency(frequency, |bench| bench.measure_pace(second))?;
        let effect = pace.minus(&own);
        let dialled = Frequency::from_scaled_ppm(scaled_ppm - before).micro_ppb();
        let (middle, bound) = (ppm(effect.middle()), within(effect.bound()));
        bench.note(format!("dialled {}: measured {middle} within {bound}", ppm(dialled)));
        Ok::<_, Stop>(effect)
    };
    let effects = [measure(before + by)?, measure(before - by)?];
    bench.effects = Some(effects);
    Ok(effects)
}

fn direction(bench: &mut Bench<'_>) -> Verdict {
    let [up, down] = effects(bench)?;
    if up.low > 0 && down.high < 0 {
        return Ok(());
    }
    must(up.high > 0, || format!("dialled up it went by {}", ppm(up.middle())))?;
    must(down.low < 0, || format!("dialled down it went by {}", ppm(down.middle())))?;
    Err(Stop::Busy(format!("the pace is measured within {} only", within(up.bound()))))
}

fn amount(bench: &mut Bench<'_>) -> Verdict {
    let dialled = Frequency::from_scaled_ppm(effect(bench)?).micro_ppb();
    for effect in effects(bench)? {
        let off = (effect.middle().abs() - dialled).abs();
        if off <= dialled / TOLERANCE && effect.bound() <= dialled / TOLERANCE {
            continue;
        }
        if off - effect.bound() <= dialled / TOLERANCE {
            let bound = within(effect.bound());
            return Err(Stop::Busy(format!("the pace is measured within {bound} only")));
        }
        let (found, asked) = (ppm(effect.middle()), ppm(dialled));
        return Err(Stop::Wrong(format!("dialled by {asked} it went by {found}")));
    }
    Ok(())
}

fn limits(bench: &mut Bench<'_>) -> Verdict {
    let limit = scaled(i64::from(bench.caps.max_frequency_ppb));
    let before = bench.frequency_before().scaled_ppm();
    for at in [limit, -limit] {
        // For a moment only: what it moves the clock by is measured.
        bench.disturb(|bench| {
            bench.account.dialled = true;
            bench.account.touched.frequency = true;
            let answer = bench.dial(at);
            let back = bench.dial(before);
            answer.and(back).map_err(|errno| {
                let at = Frequency::from_scaled_ppm(at);
                Stop::Wrong(format!("its own limit, {at:+}, was refused: {errno:?}"))
            })
        })?;
        bench.account.dialled = false;
    }
    Ok(())
}

fn past_limits(bench: &mut Bench<'_>) -> Verdict {
    let limit = i64::from(bench.caps.max_frequency_ppb);
    let before = bench.frequency_before().scaled_ppm();
    for past in first_past(limit) {
        bench.disturb(|bench| {
            bench.account.dialled = true;
            bench.account.touched.frequency = true;
            let answer = bench.dial(past);
            let back = bench.dial(before);
            let asked = Frequency::from_scaled_ppm(past);
            must_refuse(&format!("{asked:+}, past ±{limit} ppb,"), answer, Errno::ERANGE)?;
            back.map_err(|errno| Stop::Wrong(format!("the frequency of before: {errno:?}")))
        })?;
        bench.account.dialled = false;
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
