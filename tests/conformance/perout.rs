//! `PTP_PEROUT_REQUEST`: flags, widths, phases, channels, in both versions.

use crate::check::{Check, Suite, answers, is, refuses, skip, works};
use crate::world::{World, count};
use nix::errno::Errno;
use ptpctl::kernel::Version;
use ptpctl::kernel::uapi::{
    PTP_PEROUT_DUTY_CYCLE, PTP_PEROUT_PHASE, PeroutTimes, clock_time, perout_request,
};

type Time = (i64, u32);

const ZERO: Time = (0, 0);
const SECOND: Time = (1, 0);

/// Period, start or phase, width. The flags say which of these count.
const TIMES: [(&str, Time, Time, Time); 9] = [
    ("nothing but a period", SECOND, ZERO, ZERO),
    ("a start in 2100", SECOND, (4_102_444_800, 0), ZERO),
    ("a phase of 1 ns", SECOND, (0, 1), ZERO),
    ("a phase just below the period", SECOND, (0, 999_999_999), ZERO),
    ("a phase of a period", SECOND, SECOND, ZERO),
    ("a width of 1 ns", SECOND, ZERO, (0, 1)),
    ("a width of a period", SECOND, ZERO, SECOND),
    ("a width beyond a period", SECOND, ZERO, (1, 1)),
    ("a period of nothing: off", ZERO, ZERO, ZERO),
];

pub(crate) fn cases(suite: &mut Suite) {
    for (name, period, start, on) in TIMES {
        for flags in 0..16 {
            suite.case(format!("perout V2: flags {flags:#x}, {name}"), move |w| {
                let expected = second(flags, period, start, on).or(no_channel(w));
                answers(request(w, Version::V2, 1, flags, (period, start, on)), expected)?;
                switched(w, expected.is_none() && period != ZERO)
            });
        }
        for flags in [0, 7, u32::MAX] {
            suite.case(format!("perout V1: flags {flags:#x}, {name}"), move |w| {
                let expected = no_channel(w);
                answers(request(w, Version::V1, 1, flags, (period, start, on)), expected)?;
                switched(w, expected.is_none() && period != ZERO)
            });
        }
    }
    for version in [Version::V1, Version::V2] {
        channels(suite, version);
    }
    for word in 0..4 {
        suite.case(format!("perout V2: reserved word {word} without a width"), move |w| {
            let on = match word {
                0 => clock_time(1, 0),
                1 => clock_time(1 << 32, 0),
                2 => clock_time(0, 1),
                _ => ptpctl::kernel::uapi::ptp_clock_time { reserved: 1, ..clock_time(0, 0) },
            };
            let times = PeroutTimes { start_or_phase: clock_time(0, 0), on };
            let asked = perout_request(1, 0, clock_time(1, 0), times);
            refuses(w.ask(|clock| clock.perout_request(Version::V2, &asked)), Errno::EINVAL)
        });
    }
}

/// What version 2 refuses before it looks at the channel.
fn second(flags: u32, period: Time, start: Time, on: Time) -> Option<Errno> {
    let has = |flag| flags & flag != 0;
    if flags > 7 || !has(PTP_PEROUT_DUTY_CYCLE) && on != ZERO {
        return Some(Errno::EINVAL);
    }
    let wide = has(PTP_PEROUT_DUTY_CYCLE) && on > period;
    let late = has(PTP_PEROUT_PHASE) && start >= period;
    (wide || late).then_some(Errno::ERANGE)
}

fn no_channel(w: &World) -> Option<Errno> {
    (w.caps().n_per_out == 0).then_some(Errno::EINVAL)
}

fn request(
    w: &World,
    version: Version,
    index: u32,
    flags: u32,
    (period, start, on): (Time, Time, Time),
) -> Result<(), Errno> {
    let time = |(seconds, part)| clock_time(seconds, part);
    let times = PeroutTimes { start_or_phase: time(start), on: time(on) };
    let asked = perout_request(index, flags, time(period), times);
    w.ask(|clock| clock.perout_request(version, &asked))
}

fn switched(w: &World, on: bool) -> Check {
    is("what is on", w.perouts_that_are_on(), if on { vec![1] } else { vec![] })
}

fn channels(suite: &mut Suite, version: Version) {
    for beyond in [0, 1, u32::MAX] {
        for period in [SECOND, ZERO] {
            let what = if period == ZERO { "off" } else { "on" };
            suite.case(format!("perout {version:?}: {what}, {beyond} beyond the last"), move |w| {
                let index = count(w.caps().n_per_out).saturating_add(beyond);
                refuses(request(w, version, index, 0, (period, ZERO, ZERO)), Errno::EINVAL)
            });
        }
    }
    suite.case(format!("perout {version:?}: all channels on, all off"), move |w| {
        if w.caps().n_per_out == 0 {
            return skip("no perout channels");
        }
        for index in 0..4 {
            works(request(w, version, index, 0, (SECOND, ZERO, ZERO)))?;
        }
        is("what is on", w.perouts_that_are_on(), vec![0, 1, 2, 3])?;
        for index in 0..4 {
            works(request(w, version, index, 0, (ZERO, ZERO, ZERO)))?;
        }
        is("what is on", w.perouts_that_are_on(), vec![])
    });
}
