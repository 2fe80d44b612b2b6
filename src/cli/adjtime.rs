//! `ptpctl adjtime`: step a clock.

use super::failure::Failure;
use super::{Command, Context, arguments};
use crate::Offset;
use crate::report::Report;
use clap::Arg;

pub(super) const COMMAND: Command = Command {
    name: "adjtime",
    aliases: &["adj"],
    about: "Step a clock by an offset",
    arguments,
    run,
};

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(arguments::offset(
            Arg::new("OFFSET")
                .required(true)
                .help("How far to step, with its unit: 500ns, -1.5us, 37s"),
        ))
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Steps a clock by an offset (ADJ_SETOFFSET), exactly, to the nanosecond: positive \
             moves it forwards. Whoever uses the clock sees its time jump; to let the clock's own \
             phase control take out a small offset, use adjphase.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl adjtime 37s\n  \
             ptpctl adjtime -1.5us eth0\n  \
             ptpctl adjtime 15ns mock",
        )
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let offset: Offset = context.required("OFFSET")?;
    let phc = context.open_to_change()?;
    phc.step(offset)?;
    let done = if phc.is_dry() { "would be stepped" } else { "stepped" };
    Ok(Report::on(phc.name())
        .headline(format!("{done} by {offset:+}"))
        .value("step_ns", offset)
        .value("dry_run", phc.is_dry()))
}
