//! Pins: the functions that they offer, and which pin loses a channel to another.

use super::{Check, Group, caps};
use crate::kernel::Version;
use crate::kernel::uapi::pin_desc;
use crate::phc::{Pin, PinFunction};
use crate::selftest::bench::Bench;
use crate::selftest::verdict::{Stop, Verdict, must, must_refuse, skip};
use nix::errno::Errno;
use std::collections::BTreeMap;

pub(super) static GROUP: Group = Group {
    name: "pins",
    changes: Some("change its unused pins"),
    checks: &[&FUNCTIONS, &SYSFS, &STEALING, &REFUSALS],
};

static READ: [&Check; 1] = [&caps::PINS];

/// A function, and the number of its channels.
fn channels(bench: &Bench<'_>) -> [(PinFunction, u32); 2] {
    [
        (PinFunction::Extts, bench.caps.extts_channels),
        (PinFunction::Perout, bench.caps.perout_channels),
    ]
}

/// The pins without a function. The others are in use, and the kernel would switch off what they
/// do.
fn unused(bench: &mut Bench<'_>) -> Result<Vec<Pin>, Stop> {
    if bench.caps.pins == 0 {
        return skip("the clock has no pins");
    }
    let unused: Vec<_> =
        bench.pins()?.into_iter().filter(|pin| pin.function == PinFunction::None).collect();
    if unused.is_empty() { skip("all pins are in use") } else { Ok(unused) }
}

/// A channel of this function that no pin has. The kernel doesn't tell which channels run without a
/// pin. The last channel is the least likely to.
pub(super) fn free(pins: &[Pin], function: PinFunction, channels: u32) -> Option<u32> {
    (0..channels).rev().find(|channel| !pins.iter().any(|pin| pin.has(function, *channel)))
}

fn set(bench: &mut Bench<'_>, pin: &Pin, function: PinFunction, channel: u32) -> Result<(), Errno> {
    bench.account.will_set_pin(pin.index, function, channel);
    let request = pin_desc(pin.index, function.to_kernel(), channel);
    bench.clock.ask(|clock| clock.pin_setfunc(Version::V1, &request))
}

/// What a pin does now.
fn found(bench: &Bench<'_>, pin: &Pin) -> Result<(PinFunction, u32), Stop> {
    let mut now = pin_desc(pin.index, 0, 0);
    let answer = bench.clock.ask(|clock| clock.pin_getfunc(Version::V1, &mut now));
    answer.map_err(|errno| Stop::Wrong(format!("reading pin {}: {errno:?}", pin.index)))?;
    Ok((PinFunction::from_kernel(now.func), now.chan))
}

pub(super) static FUNCTIONS: Check = Check {
    group: &GROUP,
    name: "have the functions that they take",
    needs: &READ,
    run: functions,
};

fn functions(bench: &mut Bench<'_>) -> Verdict {
    bench.offered.clear();
    let pins = bench.pins()?;
    let mut lacking: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pin in pins.iter().filter(|pin| pin.function != PinFunction::None) {
        bench.note(format!("pin {} ({}) is in use and left alone", pin.index, pin.name));
    }
    for pin in unused(bench)? {
        for (function, channels) in channels(bench) {
            let Some(channel) = free(&pins, function, channels) else { continue };
            let before = found(bench, &pin)?;
            let answer = set(bench, &pin, function, channel);
            let now = found(bench, &pin)?;
            let name = format!("pin {} ({})", pin.index, pin.name);
            match answer {
                Ok(()) => {
                    bench.offered.push((pin.index, function));
                    must(now == (function, channel), || {
                        format!("{name} accepted {function} channel {channel}, but has {}", now.0)
                    })?;
                }
                Err(errno) => {
                    must(errno == Errno::EOPNOTSUPP, || {
                        format!("{name} refuses {function} with {errno:?}, expected EOPNOTSUPP")
                    })?;
                    lacking.entry(function.to_string()).or_default().push(pin.index.to_string());
                    must(now == before, || format!("{name} refused {function} and has {}", now.0))?;
                }
            }
            bench.account.guard.put_back_pins()?;
            must(found(bench, &pin)?.0 == PinFunction::None, || {
                format!("the function of {name} can't be set back to none")
            })?;
        }
    }
    for (function, pins) in lacking {
        bench.note(format!("pins that don't offer {function}: {}", pins.join(", ")));
    }
    Ok(())
}

/// Two pins that offer a function, with the number of its channels.
fn pairs(bench: &mut Bench<'_>) -> Result<Vec<(Pin, Pin, PinFunction, u32)>, Stop> {
    let unused = unused(bench)?;
    let mut pairs = Vec::new();
    for (function, channels) in channels(bench) {
        let mut able = unused.iter().filter(|pin| bench.offered.contains(&(pin.index, function)));
        if let (Some(one), Some(other)) = (able.next(), able.next()) {
            pairs.push((one.clone(), other.clone(), function, channels));
        }
    }
    Ok(pairs)
}

pub(super) static SYSFS: Check =
    Check { group: &GROUP, name: "show in sysfs what they do", needs: &[&FUNCTIONS], run: sysfs };

fn sysfs(bench: &mut Bench<'_>) -> Verdict {
    for pin in unused(bench)? {
        for (function, channels) in channels(bench) {
            let Some(channel) = free(&bench.pins()?, function, channels) else { continue };
            if !bench.offered.contains(&(pin.index, function)) {
                continue;
            }
            set(bench, &pin, function, channel)
                .map_err(|errno| Stop::Wrong(format!("pin {}: {errno:?}", pin.index)))?;
            let shown = bench.clock.ask(|clock| clock.attribute(&format!("pins/{}", pin.name)));
            bench.account.guard.put_back_pins()?;
            let Ok(shown) = shown else { return skip("there is no sysfs") };
            let expected = format!("{} {channel}", function.to_kernel());
            must(shown == expected, || {
                format!("pin {} shows '{shown}', expected '{expected}'", pin.name)
            })?;
        }
    }
    Ok(())
}

pub(super) static STEALING: Check = Check {
    group: &GROUP,
    name: "lose what another pin takes",
    needs: &[&FUNCTIONS],
    run: stealing,
};

fn stealing(bench: &mut Bench<'_>) -> Verdict {
    let pairs = pairs(bench)?;
    if pairs.is_empty() {
        return skip("no two unused pins offer the same function");
    }
    for (one, other, function, channels) in pairs {
        let Some(channel) = free(&bench.pins()?, function, channels) else { continue };
        for pin in [&one, &other] {
            set(bench, pin, function, channel)
                .map_err(|errno| Stop::Wrong(format!("pin {}: {errno:?}", pin.index)))?;
        }
        let left = found(bench, &one)?;
        bench.account.guard.put_back_pins()?;
        must(left.0 == PinFunction::None, || {
            format!(
                "pin {} took {function} channel {channel} from pin {}, which still has {}",
                other.index, one.index, left.0
            )
        })?;
    }
    Ok(())
}

pub(super) static REFUSALS: Check =
    Check { group: &GROUP, name: "refuse invalid requests", needs: &READ, run: refusals };

fn refusals(bench: &mut Bench<'_>) -> Verdict {
    let pins = unused(bench)?;
    let Some(pin) = pins.first() else { return Ok(()) };
    let asked = [
        ("a pin beyond the last", bench.caps.pins, PinFunction::None, 0),
        ("an unknown function", pin.index, PinFunction::Other(99), 0),
        ("an extts channel too many", pin.index, PinFunction::Extts, bench.caps.extts_channels),
        ("a perout channel too many", pin.index, PinFunction::Perout, bench.caps.perout_channels),
    ];
    for (what, index, function, channel) in asked {
        let request = Pin { index, ..pin.clone() };
        let answer = set(bench, &request, function, channel);
        bench.account.guard.put_back_pins()?;
        must_refuse(what, answer, Errno::EINVAL)?;
    }
    Ok(())
}
