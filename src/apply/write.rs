//! Writes a file of declared clocks.

use super::{Declared, DeclaredPin, Name, Output, Pulses};
use crate::find::LastingName;
use crate::phc::PinFunction;
use std::fmt::Write;

/// The text of a file that declares these. What the kernel doesn't tell is in it as a comment, to be
/// completed by people.
pub(crate) fn text(all: &[Declared]) -> String {
    let mut text = String::from(
        "# What these clocks are to be: `ptpctl apply FILE` makes it so. Each key: ptpctl-apply(1).\n\
         # The kernel doesn't tell which outputs are on, nor whether PPS is: declare them by hand.\n",
    );
    for declared in all {
        text += "\n[[clock]]\n";
        clock(&mut text, declared);
    }
    text
}

fn clock(text: &mut String, declared: &Declared) {
    let mut line = |key: &str, value: String| {
        // A text takes everything.
        let _ = writeln!(text, "{key} = {value}");
    };
    match &declared.name {
        Name::Lasting(LastingName { bus_address, clock_name }) => {
            for (key, value) in [("bus-address", bus_address), ("clock-name", clock_name)] {
                if let Some(value) = value {
                    line(key, quoted(value));
                }
            }
        }
        Name::Device(device) => line("device", quoted(device)),
    }
    if let Some(frequency) = declared.frequency {
        line("frequency", quoted(&frequency.to_string().replace(' ', "")));
    }
    if let Some(number) = declared.virtual_clocks {
        line("virtual-clocks", number.to_string());
    }
    match declared.pps {
        Some(on) => line("pps", on.to_string()),
        None => line("# pps", "true".into()),
    }
    if !declared.pins.is_empty() {
        text.push_str("\n[clock.pins]\n");
        for DeclaredPin { name, function, channel } in &declared.pins {
            let used = match function {
                PinFunction::None => function.to_string(),
                function => format!("{function} {channel}"),
            };
            let _ = writeln!(text, "{} = {}", key(name), quoted(&used));
        }
    }
    for output in &declared.outputs {
        of_output(text, *output);
    }
    if declared.outputs.is_empty() {
        text.push_str("\n# [[clock.output]]\n# channel = 0\n# period = \"1s\"\n");
    }
}

fn of_output(text: &mut String, Output { channel, pulses }: Output) {
    let _ = writeln!(text, "\n[[clock.output]]\nchannel = {channel}");
    let Some(Pulses { period, width, phase }) = pulses else {
        text.push_str("off = true\n");
        return;
    };
    for (key, time) in [("period", Some(period)), ("pulse-width", width), ("phase", phase)] {
        if let Some(time) = time {
            let _ = writeln!(text, "{key} = {}", quoted(&time.to_string().replace(' ', "")));
        }
    }
}

/// A key, in quotes where it needs them.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::super::declared;
    use super::*;
    use crate::{Frequency, Offset};

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let pin =
            |name: &str, function, channel| DeclaredPin { name: name.into(), function, channel };
        let time = Offset::from_nanoseconds;
        let pulses = |period, width, phase| Some(Pulses { period, width, phase });
        for frequency in [0, 1, -1, 819, -65_536, 65_536_000_000, i64::from(i32::MIN)] {
            let all = vec![
                Declared {
                    name: Name::Lasting(LastingName {
                        bus_address: Some("0000:01:00.0".into()),
                        clock_name: Some("a \"name\"\\ with\ttabs\u{7f}é".into()),
                    }),
                    frequency: Some(Frequency::from_scaled_ppm(frequency)),
                    virtual_clocks: Some(3),
                    pps: Some(true),
                    pins: vec![
                        pin("0", PinFunction::None, 0),
                        pin("GNSS PPS", PinFunction::Extts, 0),
                        pin("SDP0", PinFunction::Perout, 1),
                        pin("a.b", PinFunction::Physync, 0),
                    ],
                    outputs: vec![
                        Output { channel: 0, pulses: pulses(time(1), None, Some(time(0))) },
                        Output { channel: 1, pulses: None },
                        Output {
                            channel: 2,
                            pulses: pulses(time(1_000_000_000), Some(time(5)), None),
                        },
                    ],
                },
                Declared {
                    name: Name::Device("mock:full".into()),
                    frequency: None,
                    virtual_clocks: None,
                    pps: None,
                    pins: Vec::new(),
                    outputs: Vec::new(),
                },
            ];
            let written = text(&all);
            assert_eq!(declared(&written).as_ref(), Ok(&all), "{written}");
        }
    }

    #[test]
    fn the_comments_are_declarations_once_their_signs_are_gone() {
        let one = Declared {
            name: Name::Device("mock:full".into()),
            frequency: None,
            virtual_clocks: None,
            pps: None,
            pins: Vec::new(),
            outputs: Vec::new(),
        };
        let written = text(&[one]);
        let (_, clocks) = written.split_once("\n\n").expect("a head");
        let all = declared(&clocks.replace("# ", "")).expect("declared");
        assert_eq!((all[0].pps, all[0].outputs.len()), (Some(true), 1));
    }
}
