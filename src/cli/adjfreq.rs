//! `ptpctl adjfreq`: dial a clock's frequency.

use super::failure::Failure;
use super::{Command, Context, arguments, freq};
use crate::Frequency;
use crate::report::Report;
use clap::Arg;

pub(super) const COMMAND: Command = Command {
    name: "adjfreq",
    aliases: &[],
    about: "Dial a clock's frequency offset",
    arguments,
    run,
};

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(arguments::frequency(
            Arg::new("FREQUENCY")
                .required(true)
                .help("The offset, with its unit: 12.5ppb, -3ppm, 0"),
        ))
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

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let asked: Frequency = context.required("FREQUENCY")?;
    let phc = context.open_to_change()?;
    let report = Report::on(phc.name());
    phc.set_frequency(asked)?;
    if phc.is_dry() {
        return Ok(
            freq::rows(report.headline("would be dialled".into()), asked).value("dry_run", true)
        );
    }
    let dialled = phc.frequency()?;
    let report = freq::rows(report.headline("dialled".into()), dialled).value("dry_run", false);
    Ok(if dialled == asked {
        report
    } else {
        report.note(format!("{asked:+} was asked for; the kernel has another value"))
    })
}
