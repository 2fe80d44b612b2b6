//! `ptpctl set-system`: set the system clock from a clock.

use super::Command;
use crate::cli::args::{args, define, read};
use crate::cli::failure::Failure;
use crate::cli::measured::{MEASURING, Rows};
use crate::cli::times::{self, Tai};
use crate::cli::{Context, arguments};
use crate::find::tai_offset;
use crate::phc::Access;
use crate::phc::Phc;
use crate::report::Report;
use crate::watch::Meter;
use crate::{FittingScale, Offset, TaiOffset};

pub(super) const COMMAND: Command = Command {
    name: "set-system",
    aliases: &[],
    about: "Set the system clock from a clock",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        tai: Option<Tai> = times::tai(
            "The clock keeps TAI: subtract TAI - UTC, which is OFFSET (37s) or what the system \
             knows",
        ),
        utc: bool = arguments::flag("utc", "The clock keeps UTC, even if it looks like TAI")
            .conflicts_with("tai"),
        force: bool = arguments::flag(
            "force",
            "Set it even from a clock that is unset, or that looks like UTC in spite of --tai",
        ),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Sets the system clock (CLOCK_REALTIME) from a PHC: the offset between them is \
             measured, and the system clock is moved by it. This is a step; daemons that keep the \
             system clock should be stopped first.\n\nA clock that is unset (before 1980) is \
             refused without --force. Unless the clock, read as UTC, is within a second of the \
             system clock, --tai or --utc must say what it keeps. Needs the capability \
             CAP_SYS_TIME.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl set-system --dry-run\n  \
             ptpctl set-system --tai eth0\n  \
             ptpctl set-system mock:full,offset=1ms",
        )
}

/// Sets the system clock as the command without options does.
pub(in crate::cli) fn without_options(context: &mut Context<'_>) -> Result<(), Failure> {
    run(context, &Args { tai: None, utc: false, force: false }).map(drop)
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let phc = context.writer(context.open(Access::ReadOnly)?);
    let shown = phc.patiently(Phc::time)?;
    if shown.is_unset() && !args.force {
        return Err(Failure::Failed(format!(
            "{} is unset (it shows {shown} s): the system clock is left alone; --force sets it all \
             the same",
            phc.name()
        )));
    }
    let known = match args.tai {
        Some(Tai::Told(offset)) => Some(offset),
        _ => tai_offset(&phc),
    };
    let fits = TaiOffset::fitting(shown, phc.system_time()?, known);
    let mistaken = match fits {
        Some(FittingScale::Utc) if args.tai.is_none() || args.force => None,
        Some(FittingScale::Utc) => {
            Some("looks as if it keeps UTC, not TAI: leave out --tai, or add --force")
        }
        _ if args.tai.is_some() || args.utc => None,
        Some(_) => Some(
            "looks as if it keeps TAI: say --tai to subtract TAI - UTC, or --utc if it really \
             keeps UTC",
        ),
        None => Some(
            "fits the system clock neither as UTC nor as TAI: say --tai or --utc for what it keeps",
        ),
    };
    if let Some(mistaken) = mistaken {
        let name = phc.name();
        return Err(Failure::Failed(format!("{name} {mistaken}; the system clock is left alone")));
    }
    let shift = args.tai.map_or(Ok(TaiOffset(0)), |tai| tai.offset(&phc))?;
    let mut meter = Meter::of(&phc);
    let mut measure = || meter.measure_and_check(&phc, &MEASURING, &mut |_, _| {});
    let less_shift = |offset: Offset| offset.saturating_sub(shift.offset());
    let before = measure()?;
    let step = less_shift(before.estimate.offset);
    let report = Report::on(phc.name());
    if phc.is_dry() {
        let bound = before.bound();
        return Ok(context
            .with_privilege(report, &phc)
            .headline(format!("the system clock would be moved by {step:+}"))
            .row("bound", bound.map_or("unknown".into(), |it| format!("±{it}")), "bound_ns", bound)
            .value("step_ns", step)
            .value("dry_run", true));
    }
    phc.step_system(step)?;
    let mut measured = measure()?;
    measured.passed_over.splice(0..0, before.passed_over);
    let rest = less_shift(measured.estimate.offset);
    let report = report
        .headline("the system clock is set from it".into())
        .row("moved by", format!("{step:+}"), "step_ns", step)
        .row("remaining offset", format!("{rest:+} (PHC - system)"), "remaining_offset_ns", rest);
    Ok(measured.rows(report).value("dry_run", false))
}
