//! `ptpctl pin`: give a pin a function.

use super::Command;
use crate::cli::args::{args, define, read};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments, pins};
use crate::phc::PinFunction;
use crate::report::{Report, Value};
use clap::builder::{PossibleValuesParser, TypedValueParser};

pub(super) const COMMAND: Command = Command {
    name: "pin",
    aliases: &[],
    about: "Give a pin a function",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        pin: String = arguments::positional("PIN", "The pin: its index or its name"),
        function: PinFunction = arguments::positional("FUNCTION", "What to use it for")
            .value_parser(PossibleValuesParser::new(FUNCTIONS).try_map(|name| function(&name))),
        channel: u32 = arguments::channel("The channel of that function; a channel isn't a pin"),
    }
}

const FUNCTIONS: [&str; 4] = ["none", "extts", "perout", "physync"];

fn function(name: &str) -> Result<PinFunction, String> {
    let found = PinFunction::ALL.into_iter().find(|known| known.to_string() == name);
    found.ok_or_else(|| format!("'{name}' is no function"))
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Gives a pin a function: extts (input of external timestamps), perout (periodic \
             output), physync (synchronisation of the PHY) or none, and the channel of that \
             function that it is connected to. A channel has one pin: if another pin had it, that \
             pin loses its function, and the report says which. The kernel switches off whatever \
             the pin did before.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl pin SDP0 perout\n  \
             ptpctl pin 1 extts --channel 1 mock\n  \
             ptpctl pin SDP0 none mock",
        )
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let Args { pin, function, channel } = args;
    let (function, channel) = (*function, *channel);
    let phc = context.open_to_change()?;
    let pin = phc.find_pin(pin)?;
    let assigned = phc.set_pin(&pin, function, channel)?;
    let done = if phc.is_dry() { "would get" } else { "has" };
    let of =
        if function == PinFunction::None { String::new() } else { format!(", channel {channel}") };
    let report = Report::on(phc.name())
        .headline(format!("pin {} ({}) {done} the function {function}{of}", pin.index, pin.name))
        .value("pin", pin.index)
        .value("name", pin.name.as_str())
        .value("function", function.to_string())
        .value("channel", channel)
        .value("taken_from", assigned.as_ref().map_or(Value::Null, |pin| pin.index.into()))
        .value("dry_run", phc.is_dry());
    Ok(if pin.has(function, channel) {
        report
    } else {
        pins::note_changes(report, &pin, assigned.as_ref(), phc.is_dry())
    })
}
