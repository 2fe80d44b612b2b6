//! The methods that read the clock together with a system clock.

use super::set::GOES;
use super::{Check, Group, time};
use crate::Sample;
use crate::kernel::Version;
use crate::kernel::uapi::{PTP_MAX_SAMPLES, sys_offset};
use crate::phc::{Method, Phc, SystemClock};
use crate::selftest::bench::Bench;
use crate::selftest::verdict::{Stop, Verdict, must, must_refuse, skip};
use crate::selftest::words::{span, time};
use nix::errno::Errno;

pub(super) static GROUP: Group = Group {
    name: "offset",
    changes: None,
    checks: &[&IN_ORDER, &METHODS_AGREE, &PLAIN_READINGS, &TOO_MANY],
};

/// How far two methods may differ by the conversion of a cross timestamp or by a busy bus, in
/// nanoseconds.
const METHODS_TOLERANCE: i128 = 100_000;
const SAMPLES: usize = 25;
/// A method that is uncertain by more than this agrees with anything, in nanoseconds.
const WIDEST: i128 = 5_000_000;

/// The samples of each method that the clock has.
fn samples(bench: &Bench<'_>, clock: SystemClock) -> Result<Vec<(Method, Vec<Sample>)>, Stop> {
    let mut all = Vec::new();
    for method in Method::ALL {
        match bench.clock.when_free(|phc| phc.samples(method, clock, false, SAMPLES)) {
            Ok(samples) => all.push((method, samples)),
            Err(error) if error.is_unsupported() => {}
            // This machine's own clock can't be cross-stamped, or the clock has gone.
            Err(error) if method == Method::Precise && error.errno() == Some(Errno::ENODEV) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

/// The clock − the system clock: the two bounds that hold for all samples.
fn bounds(samples: &[Sample]) -> Option<(i128, i128)> {
    let nanoseconds = |sample: &Sample| {
        let phc = sample.phc.total_nanoseconds();
        (phc - sample.after.total_nanoseconds(), phc - sample.before.total_nanoseconds())
    };
    samples.iter().map(nanoseconds).reduce(|all, one| (all.0.max(one.0), all.1.min(one.1)))
}

pub(super) static IN_ORDER: Check =
    Check { group: &GROUP, name: "has samples in order", needs: &GOES, run: in_order };

fn in_order(bench: &mut Bench<'_>) -> Verdict {
    for (method, samples) in samples(bench, SystemClock::Realtime)? {
        for pair in samples.windows(2) {
            let [one, other] = pair else { continue };
            must(other.phc >= one.phc, || {
                format!("{method}: the clock shows {} and then {}", one.phc, other.phc)
            })?;
        }
        for sample in &samples {
            must(sample.after >= sample.before, || {
                format!(
                    "{method}: the system clock went from {} to {}",
                    sample.before, sample.after
                )
            })?;
        }
    }
    Ok(())
}

pub(super) static METHODS_AGREE: Check = Check {
    group: &GROUP,
    name: "has methods that agree",
    needs: &[&time::ADVANCES, &IN_ORDER],
    run: methods_agree,
};

fn methods_agree(bench: &mut Bench<'_>) -> Verdict {
    let began = bench.clock.monotonic()?;
    let all = samples(bench, SystemClock::Realtime)?;
    let drifted = bench.comparator().drifts(bench.clock.monotonic()? - began);
    if all.len() < 2 {
        return skip("the clock has one method only");
    }
    let mut found: Vec<(Method, i128, i128)> = Vec::new();
    for (method, samples) in &all {
        let Some((low, high)) = bounds(samples) else { continue };
        let (low, high) = (low.min(high), low.max(high));
        let (from, to) = (time(low), time(high));
        bench.note(format!("{method}: the clock is {from} to {to} from the system clock"));
        found.push((*method, low, high));
    }
    let widest = found.iter().map(|(_, low, high)| high - low).max().unwrap_or(0);
    for (method, low, high) in &found {
        for (other, other_low, other_high) in &found {
            let apart = (low - other_high).max(other_low - high);
            must(apart <= METHODS_TOLERANCE + drifted, || {
                format!("{method} and {other} are {} apart", span(apart))
            })?;
        }
    }
    if widest > WIDEST {
        return Err(Stop::Unsure(format!("a method is uncertain by {}", span(widest))));
    }
    Ok(())
}

pub(super) static PLAIN_READINGS: Check =
    Check { group: &GROUP, name: "agrees with plain readings", needs: &GOES, run: plain_readings };

fn plain_readings(bench: &mut Bench<'_>) -> Verdict {
    let raw = SystemClock::MonotonicRaw;
    let began = bench.clock.monotonic()?;
    // Before Linux 6.12, and with some clocks, samples are taken against CLOCK_REALTIME only.
    let (plain, samples) = if bench.clock.phc.takes_clock(raw)? {
        let read = |phc: &Phc| phc.samples(Method::Extended, raw, false, SAMPLES);
        (bench.comparator().compare()?, bench.clock.when_free(read)?)
    } else {
        let read = |phc: &Phc| phc.samples(Method::Basic, SystemClock::Realtime, false, SAMPLES);
        let samples = bench.clock.when_free(read)?;
        (bench.comparator().compare_with_realtime()?, samples)
    };
    let drifted = bench.comparator().drifts(bench.clock.monotonic()? - began);
    let Some((low, high)) = bounds(&samples) else { return Ok(()) };
    let (low, high) = (low.min(high), low.max(high));
    let apart = (low - plain.high).max(plain.low - high);
    bench
        .note(format!("both are {} apart at most", span((high - plain.low).max(plain.high - low))));
    must(apart <= METHODS_TOLERANCE + drifted, || format!("they are {} apart", span(apart)))
}

pub(super) static TOO_MANY: Check =
    Check { group: &GROUP, name: "refuses too many samples", needs: &[], run: too_many };

fn too_many(bench: &mut Bench<'_>) -> Verdict {
    let mut samples = sys_offset(PTP_MAX_SAMPLES + 1);
    let answer = bench.clock.ask(|clock| clock.sys_offset(Version::V1, &mut samples));
    must_refuse("26 samples", answer, Errno::EINVAL)
}
