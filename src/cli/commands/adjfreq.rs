//! `ptpctl adjfreq`: dial a clock's frequency.

use super::Command;
use crate::Frequency;
use crate::cli::args::{args, define, read};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments, frequencies};
use crate::report::Report;

pub(super) const COMMAND: Command = Command {
    name: "adjfreq",
    aliases: &[],
    about: "Dial a clock's frequency offset",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        frequency: Frequency = arguments::frequency(arguments::positional(
            "FREQUENCY",
            "The offset, with its unit: 12.5ppb, -3ppm, 0",
        )),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Dials a clock's frequency offset (ADJ_FREQUENCY): positive makes it run faster. The \
             kernel's step is 2^-16 ppm, about 0.015 ppb; what is asked for is rounded to it \
             once. What was really dialled is read back and shown.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl adjfreq 12.5ppb\n  \
             ptpctl adjfreq -3ppm eth0\n  \
             ptpctl adjfreq 0 mock",
        )
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let asked = args.frequency;
    let phc = context.open_to_change()?;
    let report = Report::on(phc.name());
    phc.set_frequency(asked)?;
    if phc.is_dry() {
        return Ok(frequencies::rows(report.headline("would be dialled".into()), asked)
            .value("dry_run", true));
    }
    let dialled = phc.frequency()?;
    let report =
        frequencies::rows(report.headline("dialled".into()), dialled).value("dry_run", false);
    Ok(if dialled == asked {
        report
    } else {
        report.note(format!("{asked:+} was asked for; the kernel has another value"))
    })
}
