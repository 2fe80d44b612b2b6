//! Completions of a word on the command line, for the shells.
//!
//! A shell's script calls `ptpctl __complete WORD…` with the words so far, the last of which is
//! being written, and gets one candidate per line. The name of the argument's value in the help
//! decides what the candidates are: DEVICE, PIN, GROUP.

use super::arguments::{DEVICE_OPTION, POSITIONAL_DEVICE};
use super::compat;
use super::{DEFAULT_DEVICE, DEVICE_VARIABLE, command};
use crate::find;
use crate::mock;
use crate::phc::{Access, Phc};
use crate::selftest::GROUPS;
use clap::{Arg, ArgAction};

/// The word that asks for completions.
pub(super) const WORD: &str = "__complete";

/// Printed instead of candidates, for the shell to offer files.
pub(super) const FILES: &str = "<files>";

/// The candidates for the last of these words, which come after the program's name.
pub(super) fn candidates(words: &[String]) -> Vec<String> {
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    let mut root = command();
    root.build();
    let named = before.iter().position(|word| root.find_subcommand(word).is_some());
    let sub = named.and_then(|at| root.find_subcommand(before.get(at)?));
    let (command, rest) = match (sub, named) {
        (Some(sub), Some(at)) => (sub, before.get(at + 1..).unwrap_or_default()),
        _ => (&root, before),
    };
    // A command of commands.
    let below = rest.iter().position(|word| command.find_subcommand(word).is_some());
    let (command, rest) =
        match below.and_then(|at| Some((at, command.find_subcommand(rest.get(at)?)?))) {
            Some((at, below)) if sub.is_some() => (below, rest.get(at + 1..).unwrap_or_default()),
            _ => (command, rest),
        };
    let line = Line::of(command, before, rest);
    if let Some(option) = line.open {
        return values(option, last, &line);
    }
    if let Some((name, value)) = last.split_once('=').filter(|(name, _)| name.starts_with("--")) {
        let option = option_named(command, name);
        let all = option.map_or(Vec::new(), |option| values(option, value, &line));
        return all.into_iter().map(|value| format!("{name}={value}")).collect();
    }
    let all = if last.starts_with('-') {
        options(command, before)
    } else if command.has_subcommands() && line.positionals.is_empty() {
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect()
    } else {
        let positionals: Vec<_> = command.get_positionals().collect();
        let at = line.positionals.len().min(positionals.len().saturating_sub(1));
        let argument = positionals.get(at).filter(|argument| {
            line.positionals.len() < positionals.len() || takes_several(argument)
        });
        return argument.map_or(Vec::new(), |argument| values(argument, last, &line));
    };
    starting_with(all, last)
}

fn takes_several(argument: &Arg) -> bool {
    argument.get_num_args().is_some_and(|range| range.max_values() > 1)
}

fn starting_with(all: Vec<String>, begin: &str) -> Vec<String> {
    all.into_iter().filter(|word| word.starts_with(begin)).collect()
}

/// The words of a command, sorted by what they are.
struct Line<'a> {
    /// An option whose value is being written.
    open: Option<&'a Arg>,
    positionals: Vec<&'a str>,
    /// The clock that is named, else the usual one.
    device: String,
}

impl<'a> Line<'a> {
    fn of(command: &'a clap::Command, before: &'a [String], rest: &'a [String]) -> Self {
        let (mut open, mut positionals, mut device) = (None, Vec::new(), None);
        // An option before the command counts, too.
        for word in before.iter().take(before.len() - rest.len()) {
            if let Some(option) = std::mem::take(&mut open) {
                device = is_device(option).then(|| word.clone()).or(device);
                continue;
            }
            open = option_named(command, word).filter(|option| takes_value(option));
        }
        for word in rest {
            if let Some(option) = std::mem::take(&mut open) {
                device = is_device(option).then(|| word.clone()).or(device);
            } else if word.starts_with('-') && word.len() > 1 {
                open = option_named(command, word).filter(|option| takes_value(option));
            } else {
                positionals.push(word.as_str());
            }
        }
        let places = command.get_positionals().zip(&positionals);
        let place = places.into_iter().find(|(argument, _)| argument.get_id() == POSITIONAL_DEVICE);
        let device = device
            .or_else(|| place.map(|(_, word)| (*word).to_owned()))
            .or_else(|| std::env::var(DEVICE_VARIABLE).ok())
            .unwrap_or_else(|| DEFAULT_DEVICE.into());
        Self { open, positionals, device }
    }
}

fn is_device(option: &Arg) -> bool {
    option.get_id() == DEVICE_OPTION
}

fn takes_value(option: &Arg) -> bool {
    let needs_equals = option.is_require_equals_set();
    option.get_action().takes_values() && !needs_equals
}

fn option_named<'a>(command: &'a clap::Command, word: &str) -> Option<&'a Arg> {
    command.get_opts().chain(command.get_arguments()).find(|argument| {
        let long = argument.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long));
        let short = argument
            .get_short()
            .is_some_and(|short| word.strip_prefix('-') == Some(short.to_string().as_str()));
        long || short
    })
}

/// The long options that can still be given: not one that is there already or conflicts with one.
fn options(command: &clap::Command, before: &[String]) -> Vec<String> {
    let given: Vec<_> = before.iter().filter_map(|word| option_named(command, word)).collect();
    // Of a group there can be one only.
    let conflict = |one: &Arg, other: &Arg| {
        let all = command.get_arg_conflicts_with(one);
        let both = |group: &clap::ArgGroup| {
            let has = |argument: &Arg| group.get_args().any(|id| id == argument.get_id());
            has(one) && has(other)
        };
        all.iter().any(|conflicting| conflicting.get_id() == other.get_id())
            || command.get_groups().any(both)
    };
    let can_be = |argument: &&Arg| {
        let is_in_the_way = |given: &&Arg| {
            given.get_id() == argument.get_id() && !matches!(given.get_action(), ArgAction::Append)
                || conflict(given, argument)
                || conflict(argument, given)
        };
        !given.iter().any(is_in_the_way)
    };
    let arguments = command.get_arguments().filter(can_be);
    arguments.filter_map(Arg::get_long).map(|long| format!("--{long}")).collect()
}

/// The possible values of an argument that start with `begin`.
fn values(argument: &Arg, begin: &str, line: &Line<'_>) -> Vec<String> {
    let possible = argument.get_possible_values();
    if !possible.is_empty() {
        let names = possible.iter().map(|value| value.get_name().to_owned());
        return starting_with(names.collect(), begin);
    }
    let name =
        argument.get_value_names().and_then(|names| names.first()).map(clap::builder::Str::as_str);
    match name.unwrap_or(argument.get_id().as_str()) {
        "DEVICE" | "OTHER" => clocks(begin),
        "PIN" => starting_with(pins(&line.device), begin),
        "OUT:IN" => loops(&line.device, begin),
        "GROUP" => groups(begin),
        "CLOCK" => {
            let aux = (0..8).map(|number| format!("aux{number}"));
            let all = ["realtime", "monotonic", "monotonic-raw"].map(str::to_owned);
            starting_with(all.into_iter().chain(aux).collect(), begin)
        }
        "TIME" if argument.is_positional() => starting_with(vec!["now".into()], begin),
        "N" if argument.get_id() == "channel" => starting_with(channels(&line.device), begin),
        "SPEC" if argument.get_id() == "clocks" => specs(begin),
        "PROGRAM" if argument.get_id() == "line" => {
            starting_with(compat::PROGRAMS.map(|(name, _)| name.to_owned()).to_vec(), begin)
        }
        "FILE" | "FOLDER" | "PROGRAM" => vec![FILES.into()],
        _ => Vec::new(),
    }
}

/// The clocks of the machine, and mocks.
fn clocks(begin: &str) -> Vec<String> {
    if find::is_mock(begin) || "mock".starts_with(begin) && !begin.is_empty() {
        return mocks(begin);
    }
    if begin.contains('/') {
        let all = find::names_of_clocks().into_iter().filter(|name| name.starts_with('/'));
        return starting_with(all.collect(), begin);
    }
    let mut all = find::names_of_clocks();
    all.push("mock".into());
    starting_with(all, begin)
}

/// Mocks: their profiles, their settings, and the values of those that have a list.
fn mocks(begin: &str) -> Vec<String> {
    let Some((_, settings)) = begin.split_once(':') else {
        return starting_with(vec!["mock".into(), "mock:".into()], begin);
    };
    let head = begin.strip_suffix(settings).unwrap_or_default();
    let Some((done, last)) = settings.rsplit_once(',') else {
        let profiles =
            mock::profiles().chain(["replay="]).map(|profile| format!("{head}{profile}"));
        return starting_with(profiles.collect(), begin);
    };
    let one = |setting: &str| format!("{head}{done},{setting}");
    let all: Vec<_> = match last.split_once('=') {
        None => mock::settings().map(one).collect(),
        Some(("fault", _)) => {
            mock::faults().map(|(name, _)| one(&format!("fault={name}"))).collect()
        }
        Some(("fail", _)) => {
            crate::kernel::Call::methods().map(|call| one(&format!("fail={call}:"))).collect()
        }
        Some(("time", _)) => ["real", "virtual"].map(|time| one(&format!("time={time}"))).into(),
        Some(_) => Vec::new(),
    };
    starting_with(all, begin)
}

/// Clocks of `mock run`: mocks without their first word, and what only that has.
fn specs(begin: &str) -> Vec<String> {
    let done = begin.rsplit_once(',').map(|(done, _)| format!("{done},"));
    let own =
        ["interface=", "link="].map(|name| done.iter().map(move |done| format!("{done}{name}")));
    let mocks = mocks(&format!("mock:{begin}"));
    let mocks = mocks.iter().filter_map(|mock| mock.strip_prefix("mock:").map(str::to_owned));
    starting_with(mocks.chain(own.into_iter().flatten()).collect(), begin)
}

/// Opens a clock to look at; nothing is written, if possible.
fn look(device: &str) -> Option<Phc> {
    find::open_untouched(device).or_else(|_| find::open(device, Access::ReadOnly)).ok()
}

/// The names and numbers of a clock's pins.
fn pins(device: &str) -> Vec<String> {
    let pins = look(device).and_then(|phc| phc.pins().ok()).unwrap_or_default();
    let names = pins.iter().map(|pin| pin.name.clone());
    names.chain(pins.iter().map(|pin| pin.index.to_string())).collect()
}

fn channels(device: &str) -> Vec<String> {
    let caps = look(device).and_then(|phc| phc.caps().ok());
    let most = caps.map_or(0, |caps| caps.extts_channels.max(caps.perout_channels));
    (0..most.min(64)).map(|channel| channel.to_string()).collect()
}

/// An output pin, a colon, an input pin.
fn loops(device: &str, begin: &str) -> Vec<String> {
    let pins = pins(device);
    let all = match begin.split_once(':') {
        None => pins.iter().map(|pin| format!("{pin}:")).collect(),
        Some((from, _)) => pins.iter().map(|pin| format!("{from}:{pin}")).collect(),
    };
    starting_with(all, begin)
}

/// Groups of the self-test, several of them separated by commas.
fn groups(begin: &str) -> Vec<String> {
    let done = begin.rsplit_once(',').map_or(String::new(), |(done, _)| format!("{done},"));
    let is_new = |name: &&str| !done.split(',').any(|one| one == *name);
    let names = GROUPS.iter().map(|group| group.name).filter(is_new);
    starting_with(names.map(|name| format!("{done}{name}")).collect(), begin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &str) -> Vec<String> {
        candidates(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_word_goes_on_to_what_can_be_there() {
        for (line, wanted) in [
            ("adj", &["adjtime", "adjfreq", "adjphase"][..]),
            ("get mo", &["mock", "mock:"]),
            ("get mock:cl", &["mock:clockmatrix"]),
            ("get mock:full,off", &["mock:full,offset="]),
            ("get mock:full,fault=stuck", &["mock:full,fault=stuck-time"]),
            ("get mock:full,seed=1,time=v", &["mock:full,seed=1,time=virtual"]),
            ("-d mock:full get mock:i", &["mock:igb"]),
            ("pin -d mock:full S", &["SDP0", "SDP1", "SDP2", "SDP3"]),
            ("pin -d mock:full SDP0 ex", &["extts"]),
            (
                "extts -d mock:clockmatrix --pin input_ref1",
                &[
                    "input_ref1",
                    "input_ref10",
                    "input_ref11",
                    "input_ref12",
                    "input_ref13",
                    "input_ref14",
                    "input_ref15",
                ],
            ),
            ("extts --edge ", &["rising", "falling", "both"]),
            ("extts -d mock:clockmatrix --channel 1", &["1", "10", "11"]),
            ("offset --method e", &["extended"]),
            ("offset --clock mono", &["monotonic", "monotonic-raw"]),
            ("selftest --only time,st", &["time,step"]),
            ("selftest -d mock:full --loop SDP0:SDP1", &["SDP0:SDP1"]),
            ("selftest --dr", &["--dry-run"]),
            ("stability --mask g8272-", &["g8272-a", "g8272-b"]),
            ("set n", &["now"]),
            ("diff mock:igb mock:e1", &["mock:e1000e"]),
            ("monitor mock:igb mock:e1", &["mock:e1000e"]),
            ("record x.jsonl mock:e1", &["mock:e1000e"]),
            ("record x", &[FILES]),
            ("offset --plot x", &[FILES]),
            ("compat t", &["testptp"]),
            ("mock ", &["run"]),
            ("mock run --cl", &["--clock"]),
            ("mock run --clock igb --cl", &["--clock"]),
            ("mock run --clock ig", &["igb"]),
            ("mock run --clock igb,off", &["igb,offset="]),
            ("mock run --clock igb,int", &["igb,interface="]),
            ("mock run x", &[FILES]),
            ("completions ", &["bash", "zsh", "fish"]),
            ("get mock mock", &[]),
            ("nosuch ", &[]),
        ] {
            assert_eq!(complete(line), wanted, "{line}");
        }
    }

    #[test]
    fn an_option_is_offered_once_and_a_value_behind_equals() {
        assert!(complete("offset --r").contains(&"--raw".into()));
        assert!(!complete("offset --raw --r").contains(&"--raw".into()));
        assert_eq!(complete("offset --method=b"), ["--method=basic"]);
        assert!(!complete("extts --off --").contains(&"--pin".into()), "they conflict");
        assert!(!complete("extts --count 1 --").contains(&"--off".into()), "they conflict");
        assert!(!complete("perout --period 1s --").contains(&"--off".into()), "one of a group");
        assert!(complete("extts --off --").contains(&"--channel".into()));
    }

    #[test]
    fn every_setting_that_is_offered_is_one() {
        for setting in mock::settings() {
            let text = format!("mock:full,{setting}");
            let refused = text.parse::<mock::Config>().err().map(|why| why.to_string());
            let known = refused.is_none_or(|why| !why.contains("no such setting"));
            assert!(known, "{setting}");
        }
        let page = include_str!("mock_settings.txt");
        for setting in mock::settings() {
            let name = setting.trim_end_matches('=');
            assert!(page.contains(name) || name == "fault", "{name} isn't in the manual");
        }
        for call in crate::kernel::Call::methods() {
            assert!(page.contains(&call.to_string()), "{call} isn't in the manual");
        }
    }
}
