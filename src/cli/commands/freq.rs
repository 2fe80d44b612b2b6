//! `ptpctl freq`: the frequency offset that a clock is dialled to.

use super::Command;
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments, frequencies};
use crate::phc::Access;
use crate::report::Report;

pub(super) const COMMAND: Command = Command {
    name: "freq",
    aliases: &[],
    about: "Show the frequency offset that a clock is dialled to",
    arguments,
    run: |context, _| run(context),
};

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(arguments::device())
        .long_about(
            "Shows the frequency offset that was dialled last: in ppb, in ppm, in the kernel's \
             scaled ppm (2^-16 ppm), and the clock's limit. The kernel has 0 until somebody \
             dials; what the hardware really does is not read back. To dial, use adjfreq.",
        )
        .after_help("Examples:\n  ptpctl freq\n  ptpctl freq --json mock")
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let phc = context.open(Access::ReadOnly)?;
    let frequency = phc.frequency()?;
    let limit = phc.caps()?.max_frequency_ppb;
    Ok(frequencies::rows(Report::on(phc.name()), frequency).row(
        "limit",
        format!("±{limit} ppb"),
        "max_adj_ppb",
        limit,
    ))
}
