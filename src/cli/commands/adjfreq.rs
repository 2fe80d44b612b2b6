//! `ptpctl adjfreq`: dial a clock's frequency.

use super::Command;
use crate::Frequency;
use crate::cli::args::{args, define, read, values};
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
        frequency: Asked = arguments::positional(
            "FREQUENCY",
            "The offset, with its unit: 12.5ppb, -3ppm, 0",
        )
        .allow_hyphen_values(true)
        .value_parser(asked),
    }
}

/// A frequency as it was asked for, and the nearest that can be dialled.
#[derive(Clone, Debug)]
struct Asked {
    text: String,
    nearest: Frequency,
    is_exact: bool,
}

values!(Asked);

fn asked(text: &str) -> Result<Asked, String> {
    let (nearest, is_exact) = Frequency::read(text).map_err(|error| error.why)?;
    Ok(Asked { text: text.to_owned(), nearest, is_exact })
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
    let Asked { text, nearest, is_exact } = &args.frequency;
    let phc = context.open_to_change()?;
    phc.set_frequency(*nearest)?;
    let done = if phc.is_dry() { "would be dialled" } else { "dialled" };
    let dialled = if phc.is_dry() { *nearest } else { phc.frequency()? };
    let report = Report::on(phc.name()).headline(done.into());
    let mut report = frequencies::rows(report, dialled)
        .value("asked", text.as_str())
        .value("rounded", !is_exact)
        .value("dry_run", phc.is_dry());
    if !is_exact {
        report = report.note(format!(
            "{text} lies between two steps of the kernel: {nearest:+} is the nearest"
        ));
    }
    Ok(if dialled == *nearest {
        report
    } else {
        report.note(format!("{nearest:+} was asked for; the kernel has another value"))
    })
}
