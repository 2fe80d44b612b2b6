//! `ptpctl set`: set a clock's time.

use super::Command;
use crate::cli::args::{args, define, read};
use crate::cli::failure::Failure;
use crate::cli::measured::{MEASURING, Rows};
use crate::cli::times::{self, Tai, Time};
use crate::cli::{Context, arguments};
use crate::report::Report;
use crate::restore::Writer;
use crate::watch::Meter;
use crate::{Offset, TaiOffset, Timestamp, Unknown};

pub(super) const COMMAND: Command = Command {
    name: "set",
    aliases: &[],
    about: "Set a clock's time",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        time: Time = arguments::positional(
            "TIME",
            "now, @SECONDS[.fraction] or RFC 3339 with an offset (2026-01-31T12:00:00Z)",
        )
        .allow_hyphen_values(true)
        .value_parser(times::parse),
        tai: Option<Tai> = times::tai(
            "Keep TAI: add TAI - UTC, which is OFFSET (37s) or what the system knows, to now or to \
             the calendar time",
        ),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Sets a clock's time.\n\nnow copies the system clock. To set a clock takes time, which \
             makes it late. 15 readings measure by how much, and the clock is set again, that much \
             ahead, until less than 500 ns remain or it has been set eight times. The remaining \
             offset is shown.\n\n@SECONDS is written to the clock unchanged, to the nanosecond. A \
             calendar time is converted to UTC by its offset; with --tai the clock gets TAI, by \
             today's TAI - UTC.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl set now\n  \
             ptpctl set now --tai eth0\n  \
             ptpctl set @1700000000.123456789 mock\n  \
             ptpctl set 2026-01-31T12:00:00+01:00 --dry-run mock",
        )
}

/// The offset that may remain when a clock is set to the system clock.
const GOOD_ENOUGH: Offset = Offset::from_nanoseconds(500);
/// How often the clock is set at most to get there.
const MOST_WRITINGS: u32 = 8;

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let Args { time, tai } = *args;
    if let (Time::Shown(_), Some(_)) = (time, tai) {
        return Err(Failure::Usage(
            "--tai goes with now or a calendar time: @SECONDS is written as it is".into(),
        ));
    }
    let phc = context.open_to_change()?;
    let shift = tai.map_or(Ok(TaiOffset(0)), |tai| tai.offset(&phc))?;
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
    let report = Report::on(phc.name()).headline(format!("{done} to {time} s"));
    Ok(tai_row(report, shift).value("time", time).value("dry_run", phc.is_dry()))
}

/// The TAI - UTC that was added, if one was.
fn tai_row(report: Report, tai: TaiOffset) -> Report {
    let text = if tai == TaiOffset(0) { String::new() } else { format!("{} s", tai.0) };
    report.row("TAI - UTC", text, "tai_offset_s", tai.0)
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
    let report = tai_row(Report::on(phc.name()), tai);
    if phc.is_dry() {
        let time = target(shift, Offset::ZERO)?;
        phc.set_system_time(time, tai)?;
        return Ok(report
            .headline(format!("would be set to the system clock in {scale}, now {time} s"))
            .value("time", time)
            .value("dry_run", true));
    }
    // To set a clock takes time, which makes it late. The next write is ahead by the smallest
    // lateness so far: a larger one came from an interruption, which won't recur.
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
