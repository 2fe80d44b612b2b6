//! `ptpctl pin`: give a pin a function.

use super::failure::Failure;
use super::{Command, Context, arguments};
use crate::phc::{Pin, PinFunction};
use crate::report::{Report, Value};
use clap::Arg;
use clap::builder::PossibleValuesParser;

pub(super) const COMMAND: Command =
    Command { name: "pin", aliases: &[], about: "Give a pin a function", arguments, run };

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(Arg::new("PIN").required(true).help("The pin: its index or its name"))
        .arg(
            Arg::new("FUNCTION")
                .required(true)
                .value_parser(PossibleValuesParser::new(["none", "extts", "perout", "physync"]))
                .help("What to use it for"),
        )
        .arg(arguments::channel("The channel of that function; a channel isn't a pin"))
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Gives a pin a function: extts (input of external timestamps), perout (periodic \
             output), physync (synchronisation of the PHY) or none, and the channel of that \
             function that it is connected to. A channel has one pin: if another pin had it, that \
             pin loses its function, and the report says which. Whatever a pin did before it \
             changes, the kernel switches off.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl pin SDP0 perout\n  \
             ptpctl pin 1 extts --channel 1 mock\n  \
             ptpctl pin SDP0 none mock",
        )
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let function: String = context.required("FUNCTION")?;
    let function = PinFunction::ALL.into_iter().find(|known| known.to_string() == function);
    let function = function.ok_or_else(|| Failure::Usage("no such function".into()))?;
    let channel: u32 = context.required("channel")?;
    let phc = context.open_to_change()?;
    let pin = phc.find_pin(&context.required::<String>("PIN")?)?;
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
    Ok(if (pin.function, pin.channel) == (function, channel) {
        report
    } else {
        note_changes(report, &pin, assigned.as_ref(), phc.is_dry())
    })
}

/// Tells which pin lost its function, and what a pin did before that is off now.
pub(super) fn note_changes(
    report: Report,
    pin: &Pin,
    loser: Option<&Pin>,
    dry_run: bool,
) -> Report {
    let report = match loser {
        Some(Pin { index, name, .. }) => {
            let lost = if dry_run { "would lose" } else { "has lost" };
            report.note(format!("pin {index} ({name}) {lost} this channel and has no function now"))
        }
        None => report,
    };
    match switched_off(pin) {
        Some(what) => report.note(what),
        None => report,
    }
}

/// What the kernel switches off when a pin gets another function. It can't be switched on again
/// as it was: the kernel doesn't tell how that was.
pub(super) fn switched_off(pin: &Pin) -> Option<String> {
    let Pin { index, name, function, channel } = pin;
    (*function != PinFunction::None).then(|| {
        format!(
            "pin {index} ({name}) had {function} channel {channel} before: the kernel switches \
             that off when the pin changes, and it stays off"
        )
    })
}
