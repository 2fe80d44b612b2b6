//! The commands: a file each, with its arguments and what it does, and the table that names them.

mod adjfreq;
mod adjphase;
mod adjtime;
mod apply;
mod caps;
mod compat;
mod completions;
mod diff;
mod doctor;
pub(super) mod extts;
mod freq;
mod get;
mod list;
mod man;
mod metrics;
mod mock;
mod monitor;
mod offset;
pub(super) mod perout;
mod pin;
mod pins;
mod pps;
mod record;
mod save;
mod selftest;
mod set;
pub(super) mod set_system;
mod stability;
mod trace;
mod vclocks;

use super::Context;
use super::arguments;
use super::failure::Failure;
use crate::report::Report;
use clap::ArgMatches;
use std::ffi::OsString;

/// One command: how it is called, what it takes, what it does.
pub(super) struct Command {
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) about: &'static str,
    /// Adds its arguments, its long text and its examples.
    pub(super) arguments: fn(clap::Command) -> clap::Command,
    /// Reads its arguments and runs it.
    pub(super) run: fn(&mut Context<'_>, &ArgMatches) -> Result<Report, Failure>,
}

impl Command {
    /// Whether a word is its name.
    pub(super) fn is_called(&self, word: &OsString) -> bool {
        word == self.name || self.aliases.iter().any(|alias| word == alias)
    }

    /// What parses its arguments, of which the first is its name.
    pub(super) fn parser(&self) -> clap::Command {
        let parser = clap::Command::new(self.name).args(arguments::for_every_command());
        (self.arguments)(parser)
    }
}

/// All commands, in the order in which help shows them.
pub(super) const COMMANDS: [Command; 30] = [
    list::COMMAND,
    caps::COMMAND,
    get::COMMAND,
    freq::COMMAND,
    pins::COMMAND,
    offset::COMMAND,
    diff::COMMAND,
    monitor::COMMAND,
    record::COMMAND,
    stability::COMMAND,
    metrics::COMMAND,
    set::COMMAND,
    set_system::COMMAND,
    adjtime::COMMAND,
    adjfreq::COMMAND,
    adjphase::COMMAND,
    pin::COMMAND,
    perout::COMMAND,
    pps::COMMAND,
    vclocks::COMMAND,
    extts::COMMAND,
    save::COMMAND,
    apply::COMMAND,
    selftest::COMMAND,
    doctor::COMMAND,
    mock::COMMAND,
    trace::COMMAND,
    compat::COMMAND,
    completions::COMMAND,
    man::COMMAND,
];

/// Its exit statuses are kselftest's.
pub(super) const SELFTEST: &str = selftest::COMMAND.name;

/// Reads a text in every way in which an argument of one command alone is read, for the fuzz
/// targets.
#[cfg(fuzzing)]
pub(super) fn read_everything(text: &str) {
    perout::read_everything(text);
}
