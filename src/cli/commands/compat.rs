//! `ptpctl compat`: ptpctl with another program's command line.

use super::Command;
use crate::cli::compat::{self, PROGRAMS};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::report::Report;
use clap::{ArgAction, ArgMatches, value_parser};
use std::ffi::OsString;

pub(super) const COMMAND: Command = Command {
    name: "compat",
    aliases: &[],
    about: "Run what was written for testptp, the kernel's test program",
    arguments,
    run,
};

const LINE: &str = "line";

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(
            arguments::positional("PROGRAM", "testptp or phc_ctl, and its arguments")
                .id(LINE)
                .num_args(1..)
                .value_name("PROGRAM")
                .action(ArgAction::Append)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_parser(value_parser!(OsString)),
        )
        .long_about(
            "Takes the arguments of another program, makes the calls that it makes, and prints \
             what it prints. Where that program would go on after a failed call as if nothing had \
             happened, this one exits with a status other than 0, after the other calls.\n\n\
             testptp: all flags of Linux 7.2. ptpctl-testptp(1) has them, what differs, and \
             ptpctl's own line for each. phc_ctl: only what the kernel's test phc.sh calls, which \
             is get, set, adj, freq and wait; for other commands it prints ptpctl's line.\n\n\
             Called by a link that is named testptp or phc_ctl, ptpctl does the same. Packages \
             have such links in /usr/lib/ptpctl/compat: put that folder into PATH.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl compat testptp -d mock -c\n  \
             ptpctl compat testptp -d mock:full -k 5\n  \
             ptpctl compat phc_ctl mock set 0 adj 10 get\n  \
             PATH=/usr/lib/ptpctl/compat:$PATH ./phc.sh /dev/ptp0",
        )
}

fn run(context: &mut Context<'_>, matches: &ArgMatches) -> Result<Report, Failure> {
    context.without_clock()?;
    let words: Vec<OsString> = matches.get_many(LINE).into_iter().flatten().cloned().collect();
    let (program, words) = words.split_at(words.len().min(1));
    match PROGRAMS.iter().find(|(name, _)| program.iter().any(|program| program == name)) {
        Some((_, run)) => compat::run(context, *run, words),
        None => Err(Failure::Usage("the programs are testptp and phc_ctl".into())),
    }
}
