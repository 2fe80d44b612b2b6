//! `ptpctl freq`: the frequency offset that a clock is dialled to.

use super::Command;
use crate::Frequency;
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments, frequencies};
use crate::find::FindError;
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
             scaled ppm (2^-16 ppm), and the clock's limit. The kernel reports 0 until a frequency \
             is dialled; the hardware's real frequency is not read back. To dial, use adjfreq.",
        )
        .after_help("Examples:\n  ptpctl freq\n  ptpctl freq --json mock")
}

/// A user who gives a frequency here, as with `phc_ctl`, wants to dial it: the error says how.
fn to_dial(context: &Context<'_>, failure: Failure) -> Failure {
    let Some(name) = &context.device.positional else { return failure };
    let asked = if name.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("{name}ppb")
    } else {
        name.clone()
    };
    match failure {
        Failure::Find(FindError::Unknown { .. } | FindError::Unasked { .. })
            if asked.parse::<Frequency>().is_ok() =>
        {
            Failure::Usage(format!(
                "there is no clock '{name}'; to dial a frequency:\n  ptpctl adjfreq {asked}"
            ))
        }
        failure => failure,
    }
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let phc = context.open(Access::ReadOnly).map_err(|failure| to_dial(context, failure))?;
    let frequency = phc.frequency()?;
    let limit = phc.caps()?.max_frequency_ppb;
    Ok(frequencies::rows(Report::on(phc.name()), frequency).row(
        "limit",
        format!("±{limit} ppb"),
        "max_adj_ppb",
        limit,
    ))
}
