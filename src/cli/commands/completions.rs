//! `ptpctl completions`: completions for shells.

use super::{COMMANDS, Command};
use crate::cli::args::{args, define, read};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::report::Report;

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
        .long_about("Prints completions for a shell, to be put where that shell looks for them. They ask the program itself, and know commands and options, clocks (devices, interfaces, names, mocks with their settings), the pins and channels of the clock that is named, groups of checks, system clocks and masks.")
        .after_help(
            "Examples:\n  \
             ptpctl completions bash > /etc/bash_completion.d/ptpctl\n  \
             ptpctl completions zsh > /usr/local/share/zsh/site-functions/_ptpctl\n  \
             ptpctl completions fish > ~/.config/fish/completions/ptpctl.fish",
        )
}

/// Each shell's script asks the program itself: it knows the clocks, their pins and the mocks.
fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    context.without_clock()?;
    let script = match args.shell.as_str() {
        "zsh" => include_str!("completions/zsh.txt"),
        "fish" => include_str!("completions/fish.txt"),
        _ => include_str!("completions/bash.txt"),
    };
    let commands: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
    context.printer.bytes(script.replace("@COMMANDS@", &commands.join(" ")).as_bytes())?;
    Ok(Report::new())
}
