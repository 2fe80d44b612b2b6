//! `ptpctl adjphase`: hand a phase offset to a clock's phase control.

use super::Command;
use crate::Offset;
use crate::cli::args::{args, define, read};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::report::Report;

pub(super) const COMMAND: Command = Command {
    name: "adjphase",
    aliases: &["phase"],
    about: "Hand a phase offset to a clock's own phase control",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        offset: Offset = arguments::offset(arguments::positional(
            "OFFSET",
            "The phase offset, with its unit: 500ns, -1.5us, 0",
        )),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Hands a phase offset to a clock's own phase control (ADJ_OFFSET).\n\nA phase offset \
             is an input to a control loop inside the clock, such as the DPLL of a jitter \
             attenuator. The clock removes the offset by itself, smoothly, at the pace of the \
             loop's bandwidth. It is not a step: the time that the clock shows doesn't jump, and \
             nothing has moved yet when the command ends. To step use adjtime; to dial a \
             frequency, adjfreq.\n\nThe sign: a positive offset moves the clock forwards. To \
             correct a clock that is ahead by 500 ns ('ptpctl offset' shows +500 ns), hand it \
             -500ns. A servo such as ptp4l does this again and again, with a fresh measurement \
             each time. Each offset takes the place of the one before; 0 tells the clock that no \
             offset is left to remove.\n\nThe chip keeps the value in a register of its own unit: \
             a ClockMatrix counts 50 ps and switches its channel to write-phase mode. The kernel \
             gives no way to read the register back.\n\nThe offset is written exactly or not at \
             all. ptpctl refuses, and changes nothing: an offset with a part of a nanosecond; one \
             that doesn't fit 32 bits, which the kernel would silently truncate; one beyond the \
             clock's limit; and any offset for a clock whose caps say that it has no phase \
             control, since some kernels crash on it.\n\nThere is one exception: kernels before \
             6.5 don't report the limit, and a driver may then silently clamp the offset. The \
             report says so where this applies.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl adjphase 500ns\n  \
             ptpctl adjphase -500ns eth0\n  \
             ptpctl adjphase -1.5us mock\n  \
             ptpctl adjphase 0 mock:clockmatrix",
        )
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let offset = args.offset;
    let phc = context.open_to_change()?;
    let limit = phc.adjust_phase(offset)?;
    let done = if phc.is_dry() { "would be handed" } else { "handed" };
    let report = Report::on(phc.name())
        .headline(format!("phase offset of {offset:+} {done} to its phase control"))
        .value("phase_offset_ns", offset)
        .value("max_phase_adj_ns", limit)
        .value("dry_run", phc.is_dry());
    Ok(if limit.is_some() {
        report
    } else {
        report.note(
            "this kernel (before 6.5) doesn't tell the limit: the driver may have clamped the \
             offset",
        )
    })
}
