//! Reads a script.

use super::{Expectation, Expected, Happening, Script, Side, SystemIncident, Window};
use crate::Offset;
use crate::mock::{CHANGEABLE, Incident, SystemConfig};
use crate::tables::{self, Found, Result, Table};
use nix::sys::signal::Signal;
use std::time::Duration;
use toml::de::DeValue;

const KEYS: [&str; 6] = ["clocks", "wires", "system-clock", "stop", "at", "expect"];
/// Besides the settings of a mock that can change.
const KEYS_OF_AT: [&str; 9] =
    ["time", "clock", "freq-step", "step", "leap", "fail", "pin", "goes", "returns-as"];
const KEYS_OF_EXPECT: [&str; 11] = [
    "name",
    "clock",
    "reference",
    "offset",
    "within",
    "readings-per-second",
    "from",
    "until",
    "exit-status",
    "signal",
    "nothing-left-on",
];

/// Reads a script.
pub(super) fn script(source: &str) -> Result<Script> {
    tables::read(source, &KEYS, of_root)
}

fn of_root(root: &Table<'_>) -> Result<Script> {
    let mut script = Script::default();
    for clock in root.get("clocks").map_or(Ok(Vec::new()), Found::array)? {
        script.clocks.push(clock.parsed()?);
    }
    for wire in root.get("wires").map_or(Ok(Vec::new()), Found::array)? {
        script.wires.push(wire.parsed()?);
    }
    script.system = root.get("system-clock").map(system).transpose()?;
    script.stop = root.get("stop").map(time).transpose()?;
    let keys_of_at = [KEYS_OF_AT.as_slice(), &CHANGEABLE].concat();
    for at in root.tables("at", &keys_of_at)? {
        happenings(&at, &mut script.happenings)?;
    }
    // What is written first happens first.
    script.happenings.sort_by_key(|(time, _)| *time);
    for expect in root.tables("expect", &KEYS_OF_EXPECT)? {
        script.expectations.push(expectation(&expect)?);
    }
    let is_of_end =
        |expected: &Expectation| matches!(expected.what, Expected::Status(_) | Expected::Signal(_));
    if !script.expectations.iter().any(is_of_end) {
        let name = "the program ends well".to_owned();
        script.expectations.push(Expectation { name, what: Expected::EndsWell });
    }
    Ok(script)
}

/// A time after the start of the program.
fn time(found: Found<'_>) -> Result<Duration> {
    let time: Offset = found.quantity("5s")?;
    match u64::try_from(time.nanoseconds()) {
        Ok(time) => Ok(Duration::from_nanos(time)),
        Err(_) => found.refuse("it is a time after the start of the program"),
    }
}

/// A value as the settings of a mock have it.
fn setting(found: Found<'_>) -> Result<String> {
    match found.value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.as_str().to_owned()),
        _ => found.refuse("it is text, in quotes, or a whole number"),
    }
}

fn system(found: Found<'_>) -> Result<SystemConfig> {
    match found.value {
        DeValue::Boolean(true) => "".parse().or_else(|why: String| found.refuse(why)),
        DeValue::String(_) => found.parsed(),
        _ => found.refuse("it is true, or text such as \"offset=1ms\""),
    }
}

/// The clock that is meant; the first where none is named.
fn clock(table: &Table<'_>) -> Result<Side> {
    table.get("clock").map_or(Ok(Side::Clock(0)), side)
}

fn side(found: Found<'_>) -> Result<Side> {
    let name = found.string()?;
    match name {
        "system" => return Ok(Side::System),
        "utc" => return Ok(Side::Utc),
        _ => {}
    }
    let place = name.strip_prefix("ptp").and_then(|number| number.parse().ok());
    place.map_or_else(
        || found.refuse("it is ptp0, ptp1 and so on, as the clocks were at first, or system"),
        |place| Ok(Side::Clock(place)),
    )
}

/// What an `[[at]]` says.
fn happenings(at: &Table<'_>, into: &mut Vec<(Duration, Happening)>) -> Result<()> {
    let Some(time) = at.get("time") else { return at.refuse("at: it needs a time") };
    let time = self::time(time)?;
    let before = into.len();
    match clock(at)? {
        Side::System => {
            for found in at.entries() {
                let incident = match found.key {
                    "time" | "clock" => continue,
                    "step" => SystemIncident::Step(found.quantity("1ms")?),
                    "freq-step" => SystemIncident::Crystal(found.quantity("5ppb")?),
                    "leap" => SystemIncident::Leap {
                        is_inserted: match found.string()? {
                            "insert" => true,
                            "delete" => false,
                            _ => return found.refuse("it is \"insert\" or \"delete\""),
                        },
                    },
                    _ => {
                        return found.refuse(
                            "to the system clock only step, freq-step and leap can happen",
                        );
                    }
                };
                into.push((time, Happening::ToSystem(incident)));
            }
        }
        Side::Clock(place) => {
            if at.get("goes").map(Found::is_true).transpose()?.is_some() {
                into.push((time, Happening::Goes(place)));
            }
            if let Some(found) = at.get("returns-as") {
                let number = found.string()?.strip_prefix("ptp").and_then(|it| it.parse().ok());
                let Some(number) = number else {
                    return found.refuse("it is what the clock is called then, such as ptp3");
                };
                into.push((time, Happening::Returns(place, number)));
            }
            let incident = incident(at)?;
            if !incident.is_empty() {
                into.push((time, Happening::ToClock(place, incident)));
            }
        }
        Side::Utc => return at.refuse("nothing happens to UTC: clock is ptp0 or system"),
    }
    if into.len() == before { at.refuse("at: nothing happens then") } else { Ok(()) }
}

/// What happens to a clock.
fn incident(at: &Table<'_>) -> Result<Incident> {
    let mut incident = Incident::default();
    let pin = at.get("pin").map(|found| found.number().map(|pin| (found, pin))).transpose()?;
    for found in at.entries() {
        let read = match found.key {
            "time" | "clock" | "goes" | "returns-as" | "pin" => continue,
            "leap" => return found.refuse("a leap second happens to clock = \"system\""),
            "fail" => {
                let failures = match found.value {
                    DeValue::String(one) => vec![&**one],
                    _ => found.array()?.into_iter().map(Found::string).collect::<Result<_>>()?,
                };
                incident.fail(failures)
            }
            "signal" if pin.is_some() => {
                let is_on = match found.string()? {
                    "on" => true,
                    "off" => false,
                    _ => return found.refuse("at one pin it is \"off\" or \"on\""),
                };
                let pin = pin.and_then(|(_, pin)| u32::try_from(pin).ok()).unwrap_or(u32::MAX);
                incident.signal_at(pin, is_on);
                Ok(())
            }
            key => incident.set(key, &setting(found)?),
        };
        read.or_else(|why| found.refuse(why))?;
    }
    // Of a limit that isn't known, others can't take a part.
    if let Some(others) = at.get("others") {
        let limit = at.get("limit").map(Found::number).transpose()?.unwrap_or(0);
        if others.number()? >= limit {
            return others.refuse("it goes with a limit in the same [[at]], and is below it");
        }
    }
    match pin {
        Some((found, _)) if at.get("signal").is_none() => {
            found.refuse("it goes with signal = \"off\" or \"on\"")
        }
        _ => Ok(incident),
    }
}

/// What an `[[expect]]` says.
fn expectation(expect: &Table<'_>) -> Result<Expectation> {
    let window = Window {
        from: expect.get("from").map_or(Ok(Duration::ZERO), time)?,
        until: expect.get("until").map(time).transpose()?,
    };
    if window.until.is_some_and(|until| until <= window.from) {
        return expect.refuse("expect: until is not after from");
    }
    let kinds = ["within", "readings-per-second", "exit-status", "signal", "nothing-left-on"];
    let mut said = kinds.iter().filter_map(|kind| expect.get(kind));
    let (Some(found), None) = (said.next(), said.next()) else {
        return expect.refuse(format!("expect: say one of {}", kinds.join(", ")));
    };
    let own: &[&str] = match found.key {
        "within" => &["clock", "reference", "offset", "from", "until"],
        "readings-per-second" => &["clock", "from", "until"],
        _ => &[],
    };
    let stray =
        |entry: &Found<'_>| ![found.key, "name"].contains(&entry.key) && !own.contains(&entry.key);
    if let Some(stray) = expect.entries().find(stray) {
        return stray.refuse(format!("it does not go with {}", found.key));
    }
    let (name, what) = match found.key {
        "within" => offset(expect, found, window)?,
        "readings-per-second" => {
            let most = found.number()?;
            let Side::Clock(of) = clock(expect)? else {
                return expect.refuse("expect: readings are of a clock, such as ptp0");
            };
            let name = format!("ptp{of} has at most {most} readings in a second{}", words(window));
            (name, Expected::Readings { of, most, window })
        }
        "exit-status" => {
            let status = found.number()?;
            let name = format!("the program ends with status {status}");
            let status = i32::try_from(status).ok().filter(|status| *status < 256);
            match status {
                Some(status) => (name, Expected::Status(status)),
                None => return found.refuse("it is 0 to 255"),
            }
        }
        "signal" => {
            let signal = found.string()?.parse::<Signal>();
            let signal =
                signal.or_else(|_| found.refuse("it is a signal's name, such as SIGTERM"))?;
            (format!("the program is ended by {signal}"), Expected::Signal(signal))
        }
        _ => {
            found.is_true()?;
            ("the program leaves nothing on".to_owned(), Expected::NothingLeft)
        }
    };
    let name = expect.get("name").map_or(Ok(name), |found| found.string().map(str::to_owned))?;
    Ok(Expectation { name, what })
}

fn offset(expect: &Table<'_>, found: Found<'_>, window: Window) -> Result<(String, Expected)> {
    let within: Offset = found.quantity("100ns")?;
    if within < Offset::ZERO {
        return found.refuse("it is a limit in both directions, without a sign");
    }
    let of = clock(expect)?;
    let to = expect.get("reference").map_or(Ok(Side::Utc), side)?;
    if of == to {
        return expect.refuse("expect: clock and reference are the same");
    }
    let wanted: Offset = expect.get("offset").map_or(Ok(Offset::ZERO), |it| it.quantity("37s"))?;
    let about = if wanted == Offset::ZERO { String::new() } else { format!(" of {wanted}") };
    let name = format!("{of} - {to} is within {within}{about}{}", words(window));
    let (wanted, within) = (wanted.nanoseconds().into(), within.nanoseconds().into());
    Ok((name, Expected::Offset { of, to, wanted, within, window }))
}

/// A window in words.
fn words(window: Window) -> String {
    match window {
        Window { from: Duration::ZERO, until: None } => String::new(),
        Window { from: Duration::ZERO, until: Some(until) } => format!(" until {until:?}"),
        Window { from, until: None } => format!(" from {from:?} on"),
        Window { from, until: Some(until) } => format!(" from {from:?} until {until:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_clocks_and_happenings_and_expectations() {
        let script = script(
            r#"
            clocks = ["igb,offset=1ms", "full"]
            wires = ["ptp0:0=ptp1:0"]
            system-clock = "freq=50ppm"
            stop = "140s"
            [[at]]
            time = "9s"
            goes = true
            returns-as = "ptp3"
            [[at]]
            time = "5s"
            freq-step = "5ppb"
            fail = ["sys_offset_extended/10:ETIMEDOUT"]
            limit = 125
            [[at]]
            time = "6s"
            clock = "system"
            leap = "insert"
            [[expect]]
            clock = "system"
            reference = "ptp0"
            within = "100ns"
            from = "20s"
            until = "140s"
            "#,
        )
        .expect("a script");
        assert_eq!((script.clocks.len(), script.wires.len()), (2, 1));
        assert_eq!(script.stop, Some(Duration::from_secs(140)));
        let times: Vec<_> = script.happenings.iter().map(|(time, _)| time.as_secs()).collect();
        assert_eq!(times, [5, 6, 9, 9]);
        let names: Vec<_> = script.expectations.iter().map(|it| it.name.as_str()).collect();
        let expected =
            ["system - ptp0 is within 100 ns from 20s until 140s", "the program ends well"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        for (text, line, why) in [
            ("clocks = 5", 1, "clocks: it is a list"),
            ("clocks = [\"nosuch\"]", 1, "none of its profiles"),
            ("\n\nclock = []", 3, "no key 'clock' here: the keys are clocks"),
            ("stop = 5", 1, "stop: it has a unit, and is in quotes: \"5s\""),
            ("[at]\ntime = \"5s\"", 1, "at: there can be several: write [[at]]"),
            ("[[expect]]\nwithin = 100", 2, "within: it has a unit, and is in quotes: \"100ns\""),
            ("stop = \"5\"", 1, "no unit"),
            ("stop = \"-5s\"", 1, "after the start"),
            ("[[at]]\ngoes = true", 1, "needs a time"),
            ("[[at]]\ntime = \"5s\"", 1, "nothing happens"),
            ("[[at]]\ntime = \"5s\"\ngoes = false", 3, "goes: it can only be true"),
            ("[[at]]\ntime = \"5s\"\nlimit = 0", 3, "limit: use 1 to 1000000"),
            ("[[at]]\ntime = \"5s\"\nfail = \"reed:EIO\"", 3, "fail: "),
            ("[[at]]\ntime = \"5s\"\nleap = \"insert\"", 3, "clock = \"system\""),
            ("[[at]]\ntime = \"5s\"\nclock = \"system\"\nlimit = 5", 4, "only step, freq-step"),
            ("[[at]]\ntime = \"5s\"\npin = 1", 3, "goes with signal"),
            ("[[at]]\ntime = \"5s\"\nclock = \"eth0\"\nlimit = 5", 3, "clock: it is ptp0"),
            ("[[expect]]\nclock = \"ptp0\"", 1, "say one of within"),
            ("[[expect]]\nwithin = \"5ns\"\nexit-status = 0", 1, "say one of"),
            ("[[expect]]\nexit-status = 0\nfrom = \"1s\"", 3, "from: it does not go with exit"),
            ("[[expect]]\nexit-status = 256", 2, "0 to 255"),
            ("[[expect]]\nwithin = \"-5ns\"", 2, "without a sign"),
            ("[[expect]]\nwithin = \"5ns\"\nfrom = \"2s\"\nuntil = \"1s\"", 1, "not after from"),
            ("[[expect]]\nsignal = \"SIGNOSUCH\"", 2, "signal: "),
            ("a = ", 1, ""),
        ] {
            let error = script(text).expect_err(text);
            let told = error.to_string();
            assert!(told.starts_with(&format!("line {line}: ")) && told.contains(why), "{told}");
        }
    }
}
