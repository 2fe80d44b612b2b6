//! `ptpctl pins`: a clock's programmable pins.

use super::Command;
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::phc::{Access, PinFunction};
use crate::report::{Report, Table, Value};

pub(super) const COMMAND: Command = Command {
    name: "pins",
    aliases: &[],
    about: "List a clock's programmable pins",
    arguments,
    run: |context, _| run(context),
};

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(arguments::device())
        .long_about(
            "Lists a clock's programmable pins: index, name, function and the channel of that \
             function. A channel isn't a pin: it is a unit of the clock that a pin is connected \
             to. To give a pin a function, use pin.",
        )
        .after_help("Examples:\n  ptpctl pins\n  ptpctl pins --json eth0\n  ptpctl pins mock")
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let phc = context.open(Access::ReadOnly)?;
    let pins = phc.pins()?;
    let mut table = Table::new(
        "pins",
        &[("index", "PIN"), ("name", "NAME"), ("function", "FUNCTION"), ("channel", "CHANNEL")],
    );
    let is_empty = pins.is_empty();
    for pin in pins {
        let function = pin.function.to_string();
        // The channel of an unused pin means nothing.
        let channel = (pin.function != PinFunction::None).then_some(pin.channel);
        table.line(vec![
            (pin.index.to_string(), pin.index.into()),
            (pin.name.clone(), pin.name.into()),
            (function.clone(), function.into()),
            (channel.map_or("-".into(), |channel| channel.to_string()), Value::from(channel)),
        ]);
    }
    let report = Report::on(phc.name()).table(table);
    Ok(if is_empty { report.note("this clock has no programmable pins") } else { report })
}
