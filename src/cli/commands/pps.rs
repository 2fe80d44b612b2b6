//! `ptpctl pps`: the kernel's pulse per second.

use super::Command;
use crate::cli::args::{args, define, read};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::report::Report;
use clap::builder::PossibleValuesParser;

pub(super) const COMMAND: Command = Command {
    name: "pps",
    aliases: &[],
    about: "Switch a clock's pulse per second to the kernel on or off",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        switch: String = arguments::positional("SWITCH", "on or off")
            .value_parser(PossibleValuesParser::new(["on", "off"])),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Switches a clock's pulse per second to the kernel's PPS subsystem (/dev/ppsN) on or \
             off. This is not a signal on a pin: for that use perout. Needs the capability \
             CAP_SYS_TIME.",
        )
        .after_help("Examples:\n  ptpctl pps on\n  ptpctl pps off eth0\n  ptpctl pps on mock")
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let on = args.switch == "on";
    let phc = context.open_to_change()?;
    phc.enable_pps(on)?;
    let switched = if phc.is_dry() { "would be switched" } else { "switched" };
    let switch = if on { "on" } else { "off" };
    Ok(context
        .with_privilege(Report::on(phc.name()), &phc)
        .headline(format!("PPS to the kernel {switched} {switch}"))
        .value("pps", on)
        .value("dry_run", phc.is_dry()))
}
