//! What the kernel tells of a clock that can be declared.

use super::{Declared, DeclaredPin, Name};
use crate::phc::{Error, Phc, Pin, PinFunction};

impl Declared {
    /// A clock as it is. Nothing of outputs and PPS: the kernel doesn't tell them.
    ///
    /// # Errors
    ///
    /// Of the calls that read; what the clock can't have is left out.
    pub(crate) fn seen(phc: &Phc, name: Name) -> Result<Self, Error> {
        let caps = phc.patiently(Phc::caps)?;
        let has_frequency = caps.max_frequency_ppb > 0;
        let frequency = has_frequency.then(|| phc.patiently(Phc::frequency)).transpose()?;
        let virtual_clocks = match phc.patiently(Phc::virtual_clocks) {
            Ok(clocks) => Some(clocks.number),
            Err(error) if error.is_unsupported() => None,
            Err(error) => return Err(error),
        };
        let pins = phc.patiently(Phc::pins)?;
        let pins = pins.iter().filter_map(|pin| of_pin(pin, &pins)).collect();
        Ok(Self { name, frequency, virtual_clocks, pps: None, pins, outputs: Vec::new() })
    }
}

/// What a pin is used for; `None` for a function that has no name here, and for a pin that no name
/// and no index tells apart from another.
fn of_pin(pin: &Pin, all: &[Pin]) -> Option<DeclaredPin> {
    let index = pin.index.to_string();
    let is_called = |name: &str, other: &Pin| other.name == name || other.index.to_string() == name;
    let is_its_own = |name: &String| {
        !name.is_empty() && all.iter().filter(|it| is_called(name, it)).count() == 1
    };
    let name = [pin.name.clone(), index].into_iter().find(is_its_own)?;
    let channel = match pin.function {
        PinFunction::Other(_) => return None,
        PinFunction::None => 0,
        _ => pin.channel,
    };
    Some(DeclaredPin { name, function: pin.function, channel })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_called_by_its_name_or_else_by_its_index() {
        let pin =
            |index, name: &str, function| Pin { index, name: name.into(), function, channel: 1 };
        let all = [
            pin(0, "SDP0", PinFunction::Perout),
            pin(1, "twin", PinFunction::None),
            pin(2, "twin", PinFunction::Extts),
            pin(3, "", PinFunction::Extts),
            pin(4, "SDP4", PinFunction::Other(9)),
        ];
        let seen: Vec<_> = all.iter().filter_map(|pin| of_pin(pin, &all)).collect();
        let seen: Vec<_> =
            seen.iter().map(|pin| (pin.name.as_str(), pin.function, pin.channel)).collect();
        let expected = [
            ("SDP0", PinFunction::Perout, 1),
            ("1", PinFunction::None, 0),
            ("2", PinFunction::Extts, 1),
            ("3", PinFunction::Extts, 1),
        ];
        assert_eq!(seen, expected);
    }
}
