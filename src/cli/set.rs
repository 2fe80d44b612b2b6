//! `ptpctl set`: set a clock's time.

use super::failure::Failure;
use super::offset::Rows;
use super::{Command, Context, arguments};
use crate::decimal::Decimal;
use crate::find::tai_offset;
use crate::phc::{Phc, SystemClock};
use crate::report::Report;
use crate::restore::Writer;
use crate::rfc3339;
use crate::watch::{Effort, Meter, Question};
use crate::{Offset, TaiOffset, Timestamp, Unknown, Utc};
use clap::Arg;

pub(super) const COMMAND: Command =
    Command { name: "set", aliases: &[], about: "Set a clock's time", arguments, run };

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(
            Arg::new("TIME")
                .required(true)
                .allow_hyphen_values(true)
                .value_parser(parse)
                .help("now, @SECONDS[.fraction] or RFC 3339 with an offset (2026-01-31T12:00:00Z)"),
        )
        .arg(arguments::flag("tai", "Keep TAI: add TAI - UTC to now or to the calendar time"))
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Sets a clock's time.\n\nnow copies the system clock. A writing comes late by what it \
             takes; that is measured, and the clock is set again, so much ahead, until less than \
             500 ns remain or it has been set eight times, by 15 readings each time. What remains is shown.\n\n@SECONDS is \
             written to the clock as it is, to the nanosecond. A calendar time is UTC, less its \
             offset; with --tai the clock gets TAI, by the TAI - UTC of today.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl set now\n  \
             ptpctl set now --tai eth0\n  \
             ptpctl set @1700000000.123456789 mock\n  \
             ptpctl set 2026-01-31T12:00:00+01:00 --dry-run mock",
        )
}

/// What may remain when a clock is set to the system clock, …
const GOOD_ENOUGH: Offset = Offset::from_nanoseconds(500);
/// … or else it is set again, so often at most.
const MOST_WRITINGS: u32 = 8;

/// How the clock is compared with the system clock.
pub(super) const MEASURING: Question = Question {
    clock: SystemClock::Realtime,
    cycles: false,
    method: None,
    effort: Effort::samples(15),
};

/// A time as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    Now,
    /// On the clock's own scale.
    Shown(Timestamp<Unknown>),
    Calendar(Timestamp<Utc>),
}

pub(super) fn parse(text: &str) -> Result<Time, String> {
    match text.strip_prefix('@') {
        _ if text == "now" => Ok(Time::Now),
        None if !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') =>
        {
            Err(format!("write @{text} for seconds since 1970"))
        }
        None => rfc3339::parse(text).map(Time::Calendar).map_err(|why| {
            format!("{why}; use now, @SECONDS or a calendar time such as 2026-01-31T12:00:00Z")
        }),
        Some(seconds) => {
            let (seconds, rest) = Decimal::split(seconds).map_err(|why| why.to_string())?;
            if !rest.is_empty() {
                return Err(format!("'{rest}' is left over: write @SECONDS or @SECONDS.fraction"));
            }
            let nanoseconds = seconds
                .scaled_exactly(1_000_000_000)
                .ok_or("it has more than nine decimals: the kernel takes whole nanoseconds")?;
            if nanoseconds < 0 {
                return Err("a clock can't be set before 1970".into());
            }
            Timestamp::from_total_nanoseconds(nanoseconds)
                .map(Time::Shown)
                .ok_or_else(|| "it doesn't fit 64 bits of seconds".into())
        }
    }
}

/// TAI − UTC, or a failure that says where it can come from.
pub(super) fn known_tai_offset(phc: &Phc) -> Result<TaiOffset, Failure> {
    tai_offset(phc).ok_or_else(|| {
        Failure::Failed(
            "TAI - UTC is unknown: neither the kernel (adjtimex, chrony's leapsectz, ptp4l) nor a \
             leap-second list in /usr/share/zoneinfo (package tzdata) tells it"
                .into(),
        )
    })
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let time: Time = context.required("TIME")?;
    let wants_tai = context.has("tai");
    if let (Time::Shown(_), true) = (time, wants_tai) {
        return Err(Failure::Usage(
            "--tai goes with now or a calendar time: @SECONDS is written as it is".into(),
        ));
    }
    let phc = context.open_to_change()?;
    let shift = if wants_tai { known_tai_offset(&phc)? } else { TaiOffset(0) };
    let time = match time {
        Time::Now => return set_to_system(&phc, shift),
        Time::Shown(time) => time,
        Time::Calendar(utc) => utc
            .to_tai(shift)
            .map(Timestamp::assume)
            .filter(|time: &Timestamp<Unknown>| time.seconds() >= 0)
            .ok_or_else(|| Failure::Usage("a clock can't be set before 1970".into()))?,
    };
    phc.set_time(time)?;
    let done = if phc.is_dry() { "would be set" } else { "set" };
    Ok(Report::on(phc.name())
        .headline(format!("{done} to {time} s"))
        .value("time", time)
        .value("dry_run", phc.is_dry()))
}

fn set_to_system(phc: &Writer, tai: TaiOffset) -> Result<Report, Failure> {
    let shift = tai.offset();
    let scale = if shift == Offset::ZERO { "UTC" } else { "TAI" };
    let target = |shift: Offset, ahead: Offset| -> Result<Timestamp<Unknown>, Failure> {
        let shown = phc.system_time()?.assume().plus(shift);
        shown
            .and_then(|shown| shown.plus(ahead))
            .ok_or_else(|| Failure::Failed("the system clock is out of range".into()))
    };
    let report = Report::on(phc.name());
    if phc.is_dry() {
        let time = target(shift, Offset::ZERO)?;
        return Ok(report
            .headline(format!("would be set to the system clock in {scale}, now {time} s"))
            .value("time", time)
            .value("dry_run", true));
    }
    // A writing comes late by what it takes. The next one sets out ahead by the least lateness so
    // far: more than that was an interruption, which doesn't come again.
    let mut least: Option<Offset> = None;
    let mut writings = 0;
    let mut meter = Meter::of(phc);
    let mut passed_over = Vec::new();
    let (time, mut measured, rest) = loop {
        let ahead = least.unwrap_or(Offset::ZERO);
        let time = target(shift, ahead)?;
        phc.set_system_time(time, tai)?;
        writings += 1;
        let measured = meter.measure_and_check(phc, &MEASURING, &mut |_, _| {})?;
        passed_over.extend(measured.passed_over.iter().cloned());
        let rest = measured.estimate.offset.saturating_sub(shift);
        if rest.abs() <= GOOD_ENOUGH || writings == MOST_WRITINGS {
            break (time, measured, rest);
        }
        let late = ahead.saturating_sub(rest);
        least = Some(least.map_or(late, |least| least.min(late)));
    };
    measured.passed_over = passed_over;
    let report = report.headline(format!("set to the system clock in {scale}")).row(
        "remaining offset",
        format!("{rest:+} (PHC - {scale})"),
        "remaining_offset_ns",
        rest,
    );
    Ok(measured
        .rows(report)
        .value("writings", writings)
        .value("time", time)
        .value("dry_run", false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact_to_the_nanosecond() {
        let time = Timestamp::new(1_700_000_000, 123_456_789).map(Time::Shown);
        assert_eq!(parse("@1700000000.123456789").ok(), time);
        assert_eq!(parse("now"), Ok(Time::Now));
        for text in [
            "@",
            "@1.0000000001",
            "@-1",
            "@1s",
            "@nan",
            "@99999999999999999999",
            "1700000000",
            "nowhere",
            "-1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
