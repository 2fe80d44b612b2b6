//! The difference between a clock and what it is declared to be, in an order that works.
//!
//! Virtual clocks that are too many go first: below them a clock can't be dialled. Then come the
//! frequency, the pins, the outputs on them, PPS, and last the virtual clocks that are missing.

use super::{Declared, Output, Pulses};
use crate::phc::{Error, Perout, PeroutStart, Phc, Pin, PinFunction};
use crate::restore::{Writer, soon};
use crate::{Frequency, Offset};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The number of virtual clocks.
    VirtualClocks {
        was: u32,
        becomes: u32,
    },
    Frequency {
        was: Frequency,
        becomes: Frequency,
    },
    Pin {
        was: Pin,
        becomes: Pin,
        /// The pin that loses the function to this one.
        loser: Option<Pin>,
    },
    /// How it was, the kernel doesn't tell.
    Output(Output),
    /// How it was, the kernel doesn't tell.
    Pps(bool),
}

/// The changes that a clock needs, and what stands in their way.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) problems: Vec<Error>,
    /// Two names each of one pin.
    pub(crate) same_pins: Vec<[String; 2]>,
    /// The channels of outputs to which no pin is connected.
    pub(crate) unconnected: Vec<u32>,
}

impl Plan {
    /// What is to be changed. Each change is checked as far as that is possible without making it.
    pub(crate) fn of(declared: &Declared, phc: &Writer) -> Self {
        let mut plan = Self::default();
        let (first, last) = plan.tried(virtual_clocks(declared, phc)).unwrap_or_default();
        plan.steps.extend(first);
        let frequency = plan.tried(frequency(declared, phc)).flatten();
        plan.steps.extend(frequency);
        plan.pins(declared, phc);
        for output in &declared.outputs {
            plan.tried(check_output(*output, phc));
            plan.steps.push(Step::Output(*output));
        }
        if let Some(on) = declared.pps {
            plan.tried(phc.check_pps());
            plan.steps.push(Step::Pps(on));
        }
        plan.steps.extend(last);
        plan.check(phc);
        plan
    }

    /// An answer; its error is a problem.
    fn tried<T>(&mut self, answer: Result<T, Error>) -> Option<T> {
        answer.map_err(|error| self.problems.push(error)).ok()
    }

    fn pins(&mut self, declared: &Declared, phc: &Writer) {
        let on = declared.outputs.iter().filter(|output| output.pulses.is_some());
        let on: Vec<_> = on.map(|output| output.channel).collect();
        if declared.pins.is_empty() && on.is_empty() {
            return;
        }
        let Some(pins) = self.tried(phc.patiently(Phc::pins)) else { return };
        let (mut wanted, mut named): (Vec<Pin>, Vec<(String, u32)>) = (Vec::new(), Vec::new());
        for pin in &declared.pins {
            let Some(is) = self.tried(phc.find_pin(&pin.name)) else { continue };
            if let Some((other, _)) = named.iter().find(|(_, index)| *index == is.index) {
                self.same_pins.push([other.clone(), pin.name.clone()]);
            }
            named.push((pin.name.clone(), is.index));
            self.tried(phc.check_pin(&is, pin.function, pin.channel));
            wanted.push(Pin { function: pin.function, channel: pin.channel, ..is });
        }
        let (steps, pins) = of_pins(pins, wanted);
        self.steps.extend(steps);
        let is_unconnected = |channel: &u32| {
            !pins.is_empty() && !pins.iter().any(|pin| pin.has(PinFunction::Perout, *channel))
        };
        self.unconnected.extend(on.into_iter().filter(is_unconnected));
    }

    /// Checks what depends on the steps before it.
    fn check(&mut self, phc: &Writer) {
        let frees = |step: &Step| matches!(step, Step::VirtualClocks { becomes: 0, .. });
        let dials = |step: &Step| matches!(step, Step::Frequency { .. });
        if self.steps.iter().any(dials) && !self.steps.iter().any(frees) {
            self.tried(phc.check_moves());
        }
    }
}

/// The step that is made first, and the one that is made last.
type FirstAndLast = (Option<Step>, Option<Step>);

fn virtual_clocks(declared: &Declared, phc: &Phc) -> Result<FirstAndLast, Error> {
    let Some(becomes) = declared.virtual_clocks else { return Ok((None, None)) };
    let was = match phc.patiently(Phc::virtual_clocks) {
        // It can't have any, and needs none.
        Err(error) if becomes == 0 && error.is_unsupported() => 0,
        answer => answer?.number,
    };
    if was == becomes {
        return Ok((None, None));
    }
    phc.check_virtual_clocks(becomes)?;
    let step = Some(Step::VirtualClocks { was, becomes });
    Ok(if becomes < was { (step, None) } else { (None, step) })
}

fn frequency(declared: &Declared, phc: &Phc) -> Result<Option<Step>, Error> {
    let Some(becomes) = declared.frequency else { return Ok(None) };
    let was = phc.patiently(Phc::frequency)?;
    if was == becomes {
        return Ok(None);
    }
    phc.check_frequency(becomes)?;
    Ok(Some(Step::Frequency { was, becomes }))
}

/// The steps from pins as they are to those that are wanted, and how all pins are then. Pins that are
/// to have no function come first, and release their channels.
fn of_pins(mut pins: Vec<Pin>, mut wanted: Vec<Pin>) -> (Vec<Step>, Vec<Pin>) {
    wanted.sort_by_key(|pin| pin.function != PinFunction::None);
    let mut steps = Vec::new();
    for becomes in wanted {
        let is = pins.iter().find(|pin| pin.index == becomes.index);
        let Some(was) = is.filter(|pin| !has_use_of(pin, &becomes)).cloned() else { continue };
        let is_loser = |pin: &&Pin| pin.index != becomes.index && has_use_of(pin, &becomes);
        let is_given = becomes.function != PinFunction::None;
        let loser = pins.iter().find(is_loser).filter(|_| is_given).cloned();
        for pin in &mut pins {
            if pin.index == becomes.index {
                *pin = becomes.clone();
            } else if loser.as_ref().is_some_and(|loser| loser.index == pin.index) {
                pin.function = PinFunction::None;
            }
        }
        steps.push(Step::Pin { was, becomes, loser });
    }
    (steps, pins)
}

/// Whether two pins are used for the same. Without a function, the channel means nothing.
fn has_use_of(pin: &Pin, other: &Pin) -> bool {
    pin.function == other.function
        && (pin.function == PinFunction::None || pin.channel == other.channel)
}

fn check_output(output: Output, phc: &Phc) -> Result<(), Error> {
    match output.pulses {
        Some(pulses) => phc.check_perout(asked(output.channel, pulses, phc)?),
        None => phc.check_perout_channel(output.channel),
    }
}

/// The output that a declaration asks for now.
pub(super) fn asked(channel: u32, pulses: Pulses, phc: &Phc) -> Result<Perout, Error> {
    let Pulses { period, width: pulse_width, phase } = pulses;
    let start = match phase {
        Some(phase) => PeroutStart::Phase(phase),
        // A clock that is at the end of its time has no later second.
        None => soon(phc)?.unwrap_or(PeroutStart::Phase(Offset::ZERO)),
    };
    Ok(Perout { channel, period, pulse_width, start, one_shot: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(index: u32, function: PinFunction, channel: u32) -> Pin {
        Pin { index, name: format!("SDP{index}"), function, channel }
    }

    /// What each step gives to which pin, and which pin loses it.
    fn steps(pins: &[Pin], wanted: &[Pin]) -> Vec<(u32, PinFunction, u32, Option<u32>)> {
        let steps = of_pins(pins.to_vec(), wanted.to_vec()).0.into_iter();
        let told = steps.map(|step| match step {
            Step::Pin { becomes, loser, .. } => {
                let loser = loser.map(|loser| loser.index);
                (becomes.index, becomes.function, becomes.channel, loser)
            }
            other => panic!("{other:?}"),
        });
        told.collect()
    }

    #[test]
    fn a_pin_that_is_as_declared_needs_no_step() {
        let pins = [pin(0, PinFunction::Extts, 1), pin(1, PinFunction::None, 7)];
        assert_eq!(steps(&pins, &[pins[0].clone(), pin(1, PinFunction::None, 0)]), []);
    }

    #[test]
    fn pins_exchange_their_functions() {
        let pins = [pin(0, PinFunction::Extts, 0), pin(1, PinFunction::Perout, 0)];
        let wanted = [pin(0, PinFunction::Perout, 0), pin(1, PinFunction::Extts, 0)];
        let expected = [(0, PinFunction::Perout, 0, Some(1)), (1, PinFunction::Extts, 0, None)];
        assert_eq!(steps(&pins, &wanted), expected);
    }

    #[test]
    fn a_pin_that_is_released_comes_first() {
        let pins = [pin(0, PinFunction::None, 0), pin(1, PinFunction::Perout, 0)];
        let wanted = [pin(0, PinFunction::Perout, 0), pin(1, PinFunction::None, 0)];
        let expected = [(1, PinFunction::None, 0, None), (0, PinFunction::Perout, 0, None)];
        assert_eq!(steps(&pins, &wanted), expected);
    }

    #[test]
    fn a_pin_that_is_not_declared_loses_a_function_that_another_gets() {
        let pins = [pin(0, PinFunction::None, 0), pin(1, PinFunction::Perout, 0)];
        let expected = [(0, PinFunction::Perout, 0, Some(1))];
        assert_eq!(steps(&pins, &[pin(0, PinFunction::Perout, 0)]), expected);
    }
}
