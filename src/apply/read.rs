//! Reads a file of declared clocks.

use super::{Declared, DeclaredPin, Name, Output, Pulses};
use crate::Offset;
use crate::find::LastingName;
use crate::phc::PinFunction;
use crate::tables::{self, Found, Result, Table};

const KEYS: [&str; 1] = ["clock"];
const KEYS_OF_CLOCK: [&str; 8] =
    ["bus-address", "clock-name", "device", "frequency", "virtual-clocks", "pps", "pins", "output"];
const KEYS_OF_OUTPUT: [&str; 5] = ["channel", "period", "pulse-width", "phase", "off"];

/// The clocks that a text declares.
///
/// # Errors
///
/// What is wrong with it, and on which line.
pub(crate) fn declared(source: &str) -> Result<Vec<Declared>> {
    Ok(declared_on_lines(source)?.into_iter().map(|(declared, _)| declared).collect())
}

/// The same, each with the line on which it begins.
///
/// # Errors
///
/// As [`declared`].
pub(crate) fn declared_on_lines(source: &str) -> Result<Vec<(Declared, usize)>> {
    tables::read(source, &KEYS, |root| {
        let clocks = root.tables("clock", &KEYS_OF_CLOCK)?;
        let mut all: Vec<(Declared, usize)> = Vec::new();
        for table in clocks {
            let one = clock(&table)?;
            if all.iter().any(|(other, _)| other.name == one.name) {
                return table.refuse(format!("the clock {} is there twice", one.name));
            }
            all.push((one, table.line()));
        }
        if all.is_empty() { root.refuse("it declares no clock: write [[clock]]") } else { Ok(all) }
    })
}

fn clock(table: &Table<'_>) -> Result<Declared> {
    let pins = table.get("pins").map_or(Ok(Vec::new()), pins)?;
    let mut outputs: Vec<Output> = Vec::new();
    for of in table.tables("output", &KEYS_OF_OUTPUT)? {
        let one = output(&of)?;
        if outputs.iter().any(|other| other.channel == one.channel) {
            return of.refuse(format!("output: channel {} is there twice", one.channel));
        }
        outputs.push(one);
    }
    Ok(Declared {
        name: name(table)?,
        frequency: table.get("frequency").map(|it| it.quantity("12.5ppb")).transpose()?,
        virtual_clocks: table.get("virtual-clocks").map(whole).transpose()?,
        pps: table.get("pps").map(Found::boolean).transpose()?,
        pins,
        outputs,
    })
}

fn name(table: &Table<'_>) -> Result<Name> {
    let text = |key| table.get(key).map(|found| found.string().map(str::to_owned)).transpose();
    match (text("bus-address")?, text("clock-name")?, text("device")?) {
        (None, None, Some(device)) => Ok(Name::Device(device)),
        (None, None, None) => table.refuse("clock: say which: bus-address, clock-name or device"),
        (bus_address, clock_name, None) => {
            Ok(Name::Lasting(LastingName { bus_address, clock_name }))
        }
        _ => table.refuse("clock: a device needs neither bus-address nor clock-name"),
    }
}

/// A number of 32 bits.
fn whole(found: Found<'_>) -> Result<u32> {
    let number = found.number()?;
    u32::try_from(number).or_else(|_| found.refuse("it is too large"))
}

/// Pins and what they are used for: `SDP0 = "perout 0"`.
fn pins(found: Found<'_>) -> Result<Vec<DeclaredPin>> {
    let mut all: Vec<DeclaredPin> = Vec::new();
    for entry in found.entries("SDP0 = \"perout 0\"")? {
        let (function, channel) = function(entry)?;
        let has = |pin: &DeclaredPin| (pin.function, pin.channel) == (function, channel);
        if function != PinFunction::None && all.iter().any(has) {
            return entry.refuse(format!("another pin has {function} {channel}, too"));
        }
        all.push(DeclaredPin { name: entry.key.to_owned(), function, channel });
    }
    Ok(all)
}

fn function(found: Found<'_>) -> Result<(PinFunction, u32)> {
    let text = found.string()?;
    if text == PinFunction::None.to_string() {
        return Ok((PinFunction::None, 0));
    }
    let (word, channel) = text.split_once(' ').unwrap_or((text, ""));
    let function = PinFunction::ALL.into_iter().find(|function| function.to_string() == word);
    match (function, channel.parse()) {
        (Some(function), Ok(channel)) if function != PinFunction::None => Ok((function, channel)),
        _ => {
            found.refuse("it is \"none\", or a function and its channel: \"extts 0\", \"perout 1\"")
        }
    }
}

fn output(table: &Table<'_>) -> Result<Output> {
    let Some(channel) = table.get("channel") else {
        return table.refuse("output: it needs a channel");
    };
    let channel = whole(channel)?;
    let time = |key| table.get(key).map(|it| it.quantity::<Offset>("100ms")).transpose();
    let (period, width, phase) = (time("period")?, time("pulse-width")?, time("phase")?);
    let off = table.get("off").map(Found::is_true).transpose()?;
    let pulses = match (off, period) {
        (Some(()), None) if width.is_none() && phase.is_none() => None,
        (Some(()), _) => return table.refuse("output: one that is off has a channel only"),
        (None, Some(period)) => Some(Pulses { period, width, phase }),
        (None, None) => return table.refuse("output: it needs a period, or off = true"),
    };
    Ok(Output { channel, pulses })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frequency;

    #[test]
    fn a_file_declares_clocks() {
        let all = declared(
            r#"
            [[clock]]
            bus-address = "0000:01:00.0"
            clock-name = "tod0"
            frequency = "-12.5ppb"
            virtual-clocks = 2
            pps = false
            [clock.pins]
            SDP0 = "perout 0"
            "odd name" = "none"
            [[clock.output]]
            channel = 0
            period = "1s"
            pulse-width = "100ms"
            phase = "250ms"
            [[clock.output]]
            channel = 1
            off = true
            [[clock]]
            device = "mock:igb"
            "#,
        );
        let time = |text: &str| text.parse::<Offset>().expect("a time");
        let pin = |name: &str, function| DeclaredPin { name: name.into(), function, channel: 0 };
        let pulses =
            Pulses { period: time("1s"), width: Some(time("100ms")), phase: Some(time("250ms")) };
        let first = Declared {
            name: Name::Lasting(LastingName {
                bus_address: Some("0000:01:00.0".into()),
                clock_name: Some("tod0".into()),
            }),
            frequency: "-12.5ppb".parse::<Frequency>().ok(),
            virtual_clocks: Some(2),
            pps: Some(false),
            pins: vec![pin("SDP0", PinFunction::Perout), pin("odd name", PinFunction::None)],
            outputs: vec![
                Output { channel: 0, pulses: Some(pulses) },
                Output { channel: 1, pulses: None },
            ],
        };
        let second = Declared {
            name: Name::Device("mock:igb".into()),
            frequency: None,
            virtual_clocks: None,
            pps: None,
            pins: Vec::new(),
            outputs: Vec::new(),
        };
        assert_eq!(all, Ok(vec![first, second]));
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let clock = "[[clock]]\ndevice = \"mock\"\n";
        for (text, line, why) in [
            ("", 1, "it declares no clock"),
            ("[clock]\ndevice = \"mock\"", 1, "write [[clock]]"),
            ("[[clock]]\nfrequency = \"1ppb\"", 1, "bus-address, clock-name or device"),
            ("[[clock]]\ndevice = \"mock\"\nclock-name = \"igb\"", 1, "needs neither"),
            (&format!("{clock}{clock}"), 3, "the clock mock is there twice"),
            (&format!("{clock}frequency = 5"), 3, "in quotes: \"12.5ppb\""),
            (&format!("{clock}frequency = \"5\""), 3, "no unit"),
            (&format!("{clock}virtual-clocks = -1"), 3, "whole number"),
            (&format!("{clock}virtual-clocks = 4294967296"), 3, "too large"),
            (&format!("{clock}pps = 1"), 3, "true or false"),
            (&format!("{clock}pins = 1"), 3, "SDP0 = \"perout 0\""),
            (&format!("{clock}[clock.pins]\nSDP0 = \"perout\""), 4, "its channel"),
            (&format!("{clock}[clock.pins]\nSDP0 = \"none 0\""), 4, "its channel"),
            (&format!("{clock}[clock.pins]\nA = \"extts 0\"\nB = \"extts 0\""), 5, "another pin"),
            (&format!("{clock}[[clock.output]]\nperiod = \"1s\""), 3, "needs a channel"),
            (&format!("{clock}[[clock.output]]\nchannel = 0"), 3, "needs a period"),
            (&format!("{clock}[[clock.output]]\nchannel = 0\nstart = 1"), 5, "no key 'start'"),
            (
                &format!("{clock}[[clock.output]]\nchannel = 0\noff = true\nperiod = \"1s\""),
                3,
                "a channel only",
            ),
        ] {
            let told = declared(text).expect_err(text).to_string();
            assert!(told.starts_with(&format!("line {line}: ")) && told.contains(why), "{told}");
        }
    }
}
