//! Makes a plan so, and takes it back.

use super::plan::asked;
use super::{Output, Step};
use crate::phc::{Error, Phc, PinFunction};
use crate::restore::{Guard, Writer};

/// Why a plan was not made to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(Error),
    /// A signal came.
    Signal,
}

/// Makes the steps of a plan, one after the other. Returns how many were made, and why no more were.
/// What the guard knows of is put back by it.
pub(crate) fn make(
    phc: &Writer,
    guard: &mut Guard<'_>,
    steps: &[Step],
    has_signal: impl Fn() -> bool,
) -> (usize, Result<(), Stop>) {
    for (made, step) in steps.iter().enumerate() {
        if has_signal() {
            return (made, Err(Stop::Signal));
        }
        if let Err(error) = one(phc, guard, step) {
            return (made, Err(Stop::Failed(error)));
        }
    }
    (steps.len(), Ok(()))
}

fn one(phc: &Writer, guard: &mut Guard<'_>, step: &Step) -> Result<(), Error> {
    match step {
        Step::VirtualClocks { becomes, .. } => phc.set_virtual_clocks(*becomes),
        Step::Frequency { was, becomes } => guard.dial(*was, *becomes),
        Step::Pin { was, becomes, .. } => {
            guard.set_pin(was, becomes.function, becomes.channel).map(drop)
        }
        Step::Output(Output { channel, pulses: None }) => phc.disable_perout(*channel),
        Step::Output(Output { channel, pulses: Some(pulses) }) => {
            let perout = asked(*channel, *pulses, phc)?;
            match pulses.phase {
                Some(_) => guard.enable_perout(perout).map(drop),
                None => guard.enable_perout_soon(perout).map(drop),
            }
        }
        Step::Pps(on) => phc.enable_pps(*on),
    }
}

/// Takes back the steps that were made and that the guard doesn't know of, after the guard has put
/// back the others. `failed` is an output that may have been made, and `is_on` tells which may be on
/// still. Returns what is not as it was, in words.
pub(crate) fn undo(
    phc: &Phc,
    made: &[Step],
    failed: Option<&Step>,
    is_on: impl Fn(u32) -> bool,
) -> Vec<String> {
    let mut left = Vec::new();
    for step in failed.into_iter().chain(made.iter().rev()) {
        match step {
            Step::VirtualClocks { was, becomes } => match phc.set_virtual_clocks(*was) {
                Ok(()) if becomes < was => left.push(format!(
                    "virtual clocks: {} of the {was} are new ones, which nobody has set",
                    was - becomes
                )),
                Ok(()) => {}
                Err(error) => left.push(format!("virtual clocks: {error}")),
            },
            Step::Output(Output { channel, .. }) => {
                let is = if is_on(*channel) { "may be on" } else { "is off" };
                left.push(format!(
                    "output {channel}: it {is}; the kernel doesn't tell whether it was on"
                ));
            }
            Step::Pps(on) => {
                let is = if *on { "on" } else { "off" };
                left.push(format!("PPS: it is {is}; the kernel doesn't tell whether it was on"));
            }
            Step::Pin { was, loser, .. } => {
                for pin in std::iter::once(was).chain(loser) {
                    if matches!(pin.function, PinFunction::Extts | PinFunction::Perout) {
                        left.push(format!(
                            "{} {}: it is off, because its pin changed meanwhile",
                            pin.function, pin.channel
                        ));
                    }
                }
            }
            Step::Frequency { .. } => {}
        }
    }
    left
}
