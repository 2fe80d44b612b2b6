//! `ptpctl completions`: completions for shells.

use super::Command;
use crate::cli::args::{args, define, read};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::report::Report;
use clap_complete::Shell;

pub(super) const COMMAND: Command = Command {
    name: "completions",
    aliases: &[],
    about: "Print completions for a shell",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        shell: String = arguments::positional("SHELL", "The shell")
            .value_parser(["bash", "zsh", "fish"].map(clap::builder::PossibleValue::new)),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .long_about("Prints completions for a shell, to be put where that shell looks for them.")
        .after_help(
            "Examples:\n  \
             ptpctl completions bash > /etc/bash_completion.d/ptpctl\n  \
             ptpctl completions zsh > /usr/local/share/zsh/site-functions/_ptpctl\n  \
             ptpctl completions fish > ~/.config/fish/completions/ptpctl.fish",
        )
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    context.without_clock()?;
    let shell = match args.shell.as_str() {
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => Shell::Bash,
    };
    let mut script = Vec::new();
    let mut command = crate::cli::command();
    command.build();
    clap_complete::generate(shell, &mut command, "ptpctl", &mut script);
    context.printer.bytes(&script)?;
    Ok(Report::new())
}
