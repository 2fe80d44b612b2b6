//! The clock can be read, and runs.

use super::{Check, Group};
use crate::selftest::bench::Bench;
use crate::selftest::verdict::{Stop, Verdict, must};
use crate::selftest::words::{ppm, span, within};
use std::time::Duration;

pub(super) static GROUP: Group = Group {
    name: "time",
    changes: None,
    checks: &[&ADVANCES, &IS_MONOTONIC, &IS_MONOTONIC_ACROSS_A_SECOND, &KEEPS_RATE],
};

/// How far a free-running oscillator may be off, in millionths of a ppb: more than any real one.
const WORST: i128 = 500_000_000_000;

const SECOND: i128 = 1_000_000_000;
/// The readings across a second end this long after it, in nanoseconds.
const AFTER: i128 = 2_000_000;

/// What the clock shows, in seconds.
fn shown(nanoseconds: i128) -> String {
    format!("{}.{:09} s", nanoseconds.div_euclid(SECOND), nanoseconds.rem_euclid(SECOND))
}

pub(super) static ADVANCES: Check =
    Check { group: &GROUP, name: "advances", needs: &[], run: advances };

fn advances(bench: &mut Bench<'_>) -> Verdict {
    let before = bench.clock.shows()?;
    bench.clock.sleep(Duration::from_millis(20))?;
    let after = bench.clock.shows()?;
    must(before != after, || format!("20 ms later it still shows {}", shown(after)))
}

pub(super) static IS_MONOTONIC: Check =
    Check { group: &GROUP, name: "is monotonic", needs: &[&ADVANCES], run: is_monotonic };

fn is_monotonic(bench: &mut Bench<'_>) -> Verdict {
    let mut last = bench.clock.shows()?;
    let began = bench.clock.monotonic()?;
    for number in 1..=2_000 {
        bench.clock.go_on()?;
        // A clock on a slow bus is read fewer times.
        if number > 10 && bench.clock.monotonic()? - began > 500_000_000 {
            break;
        }
        let next = bench.clock.shows()?;
        must(next >= last, || {
            format!("reading {number} is {} earlier than the one before it", span(last - next))
        })?;
        last = next;
    }
    Ok(())
}

pub(super) static IS_MONOTONIC_ACROSS_A_SECOND: Check = Check {
    group: &GROUP,
    name: "is monotonic across a second",
    needs: &[&ADVANCES, &IS_MONOTONIC],
    run: is_monotonic_across_a_second,
};

/// If a driver reads the seconds and the nanoseconds separately, they may not belong together.
fn is_monotonic_across_a_second(bench: &mut Bench<'_>) -> Verdict {
    bench.clock.wait_for(990..998)?;
    let mut last = bench.clock.shows()?;
    let end = last - last.rem_euclid(SECOND) + SECOND + AFTER;
    // The number is limited, because a clock that goes back may never reach the end.
    for number in 1..=1_000_000 {
        bench.clock.go_on()?;
        let next = bench.clock.shows()?;
        must(next >= last, || {
            let border = last - last.rem_euclid(SECOND) - next;
            format!(
                "reading {number} is {} earlier than the one before it, {} from a whole second",
                span(last - next),
                span(border.abs().min(SECOND - border.abs()))
            )
        })?;
        if next > end {
            return Ok(());
        }
        last = next;
    }
    Err(Stop::Unsure("it doesn't get to the end of a second".into()))
}

pub(super) static KEEPS_RATE: Check = Check {
    group: &GROUP,
    name: "keeps the pace of the machine's clock",
    needs: &[&ADVANCES, &IS_MONOTONIC],
    run: keeps_rate,
};

fn keeps_rate(bench: &mut Bench<'_>) -> Verdict {
    let dialled = bench.frequency_before().micro_ppb();
    let long = bench.comparator().long_enough_for(WORST / 5)?;
    let rate = bench.comparator().measure_rate(long)?;
    let (middle, bound) = (ppm(rate.middle().micro_ppb()), within(rate.bound().micro_ppb()));
    bench.note(format!("measured {middle} within {bound}, dialled {}", ppm(dialled)));
    bench.account.comparator.rate = Some(rate);
    let off = (rate.middle().micro_ppb() - dialled).abs();
    if off <= WORST && rate.bound().micro_ppb() <= WORST {
        Ok(())
    } else if off - rate.bound().micro_ppb() <= WORST {
        bench.account.comparator.rate = None;
        Err(Stop::Unsure(format!("the rate is known only within {bound}")))
    } else {
        Err(Stop::Wrong(format!("its rate is off by {middle}, but {} is dialled", ppm(dialled))))
    }
}
