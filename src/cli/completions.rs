//! `ptpctl completions`: completions for shells.

use super::failure::Failure;
use super::{Command, Context};
use crate::report::Report;
use clap::Arg;
use clap_complete::Shell;

pub(super) const COMMAND: Command = Command {
    name: "completions",
    aliases: &[],
    about: "Print completions for a shell",
    arguments,
    run,
};

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(
            Arg::new("SHELL")
                .required(true)
                .value_parser(["bash", "zsh", "fish"].map(clap::builder::PossibleValue::new))
                .help("The shell"),
        )
        .long_about("Prints completions for a shell, to be put where that shell looks for them.")
        .after_help(
            "Examples:\n  \
             ptpctl completions bash > /etc/bash_completion.d/ptpctl\n  \
             ptpctl completions zsh > /usr/local/share/zsh/site-functions/_ptpctl\n  \
             ptpctl completions fish > ~/.config/fish/completions/ptpctl.fish",
        )
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let shell = match context.required::<String>("SHELL")?.as_str() {
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => Shell::Bash,
    };
    let mut script = Vec::new();
    let mut command = super::command();
    command.build();
    clap_complete::generate(shell, &mut command, "ptpctl", &mut script);
    context.printer.bytes(&script)?;
    Ok(Report::new())
}
