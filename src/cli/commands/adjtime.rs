//! `ptpctl adjtime`: step a clock.

use super::Command;
use crate::Offset;
use crate::cli::args::{args, define, read};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::report::Report;

pub(super) const COMMAND: Command = Command {
    name: "adjtime",
    aliases: &["adj"],
    about: "Step a clock by an offset",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        offset: Offset = arguments::offset(arguments::positional(
            "OFFSET",
            "How far to step, with its unit: 500ns, -1.5us, 37s",
        )),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
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

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let offset = args.offset;
    let phc = context.open_to_change()?;
    phc.step(offset)?;
    let done = if phc.is_dry() { "would be stepped" } else { "stepped" };
    Ok(Report::on(phc.name())
        .headline(format!("{done} by {offset:+}"))
        .value("step_ns", offset)
        .value("dry_run", phc.is_dry()))
}
