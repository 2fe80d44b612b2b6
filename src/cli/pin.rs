//! `ptpctl pin`: give a pin a function.

use super::failure::Failure;
use super::journal::{self, Entry};
use super::{Command, Context, arguments};
use crate::phc::{Error, Phc, Pin, PinFunction};
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
    let assigned = if context.is_dry_run() {
        phc.check_pin(&pin, function, channel)?
    } else {
        let assigned = phc.set_pin(&pin, function, channel)?;
        context.did(format!(
            "{}: pin {} ({}) has the function {function}",
            phc.name(),
            pin.index,
            pin.name
        ));
        journal::settle(&phc, &[&journal::pin_key(pin.index)]);
        assigned
    };
    let done = if context.is_dry_run() { "would get" } else { "has" };
    let of =
        if function == PinFunction::None { String::new() } else { format!(", channel {channel}") };
    let report = Report::on(phc.name())
        .headline(format!("pin {} ({}) {done} the function {function}{of}", pin.index, pin.name))
        .value("pin", pin.index)
        .value("name", pin.name.as_str())
        .value("function", function.to_string())
        .value("channel", channel)
        .value("taken_from", assigned.as_ref().map_or(Value::Null, |pin| pin.index.into()))
        .value("dry_run", context.is_dry_run());
    Ok(if (pin.function, pin.channel) == (function, channel) {
        report
    } else {
        note_changes(report, &pin, assigned.as_ref(), context.is_dry_run())
    })
}

/// Pins that were given other functions, and what they had before. Going away, it puts them back.
pub(super) struct Borrowed<'a> {
    phc: &'a Phc,
    /// As they were and as they are, in the order in which they were changed.
    changed: Vec<(Pin, Pin)>,
    /// How many of them, the first ones, others changed.
    adopted: usize,
}

impl<'a> Borrowed<'a> {
    pub(super) fn none(phc: &'a Phc) -> Self {
        Self { phc, changed: Vec::new(), adopted: 0 }
    }

    /// Pins that others have borrowed, who leave it to this one to give them back, where they end
    /// before it does.
    pub(super) fn together_with(phc: &'a Phc, others: &[Entry]) -> Result<Self, Error> {
        let mut borrowed = Self::none(phc);
        let before: Vec<_> = others.iter().filter_map(Entry::pin_before).collect();
        if before.is_empty() {
            return Ok(borrowed);
        }
        let pins = phc.pins()?;
        for was in before {
            for now in pins.iter().filter(|pin| pin.index == was.index) {
                let was = Pin { function: was.function, channel: was.channel, ..now.clone() };
                borrowed.changed.push((was, now.clone()));
            }
        }
        borrowed.adopted = borrowed.changed.len();
        Ok(borrowed)
    }

    /// Leaves it to others to give back all pins; answers those that they don't know of.
    pub(super) fn leave_to(&mut self, others: &[Entry]) -> Vec<Entry> {
        let mut unknown = self.give_up();
        unknown.retain(|entry| others.iter().all(|other| other.key != entry.key));
        unknown
    }

    /// Gives up the pins that were others' before.
    pub(super) fn disown(&mut self) {
        self.changed.drain(..self.adopted.min(self.changed.len()));
        self.adopted = 0;
    }

    /// The changes that giving a pin a function makes: as the pins are, and as they will be.
    fn changes(
        phc: &Phc,
        pin: &Pin,
        function: PinFunction,
        channel: u32,
    ) -> Result<Vec<(Pin, Pin)>, Error> {
        let loser = phc.check_pin(pin, function, channel)?;
        let emptied = |pin: Pin| {
            let now = Pin { function: PinFunction::None, channel: 0, ..pin.clone() };
            (pin, now)
        };
        // Put back in the other order, this pin lets go before the loser gets the channel again.
        let taken = (pin.clone(), Pin { function, channel, ..pin.clone() });
        Ok(loser.map(emptied).into_iter().chain([taken]).collect())
    }

    /// What is left if the program is killed after [`Borrowed::take`].
    pub(super) fn would_leave(
        phc: &Phc,
        pin: &Pin,
        function: PinFunction,
        channel: u32,
    ) -> Result<Vec<Entry>, Error> {
        let changes = Self::changes(phc, pin, function, channel)?;
        Ok(changes.iter().map(|(was, now)| Entry::pin(was, std::slice::from_ref(now))).collect())
    }

    /// Gives a pin a function; returns the pin that lost it.
    pub(super) fn take(
        &mut self,
        pin: &Pin,
        function: PinFunction,
        channel: u32,
    ) -> Result<Option<Pin>, Error> {
        self.changed.extend(Self::changes(self.phc, pin, function, channel)?);
        self.phc.set_pin(pin, function, channel)
    }

    /// Leaves the pins as they are now: nobody has to put them back any more.
    pub(super) fn keep(&mut self) {
        let keys: Vec<_> =
            self.changed.drain(..).map(|(pin, _)| journal::pin_key(pin.index)).collect();
        if !keys.is_empty() {
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            journal::settle(self.phc, &keys);
        }
    }

    /// Gives all pins back what they had, as far as that works; answers the first failure. What
    /// fails stays to be put back.
    pub(super) fn put_back(&mut self) -> Result<(), Error> {
        let mut outcome = Ok(());
        let mut left = Vec::new();
        for (was, now) in self.changed.drain(..).rev() {
            let put_back = self.phc.set_pin(&was, was.function, was.channel).map(drop);
            if put_back.is_err() {
                left.insert(0, (was, now));
            }
            outcome = outcome.and(put_back);
        }
        self.changed = left;
        outcome
    }

    /// Gives up what couldn't be put back.
    pub(super) fn give_up(&mut self) -> Vec<Entry> {
        self.changed.drain(..).map(|(was, now)| Entry::pin(&was, &[now])).collect()
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        // On the way out of a failure, which is what gets told.
        let _ = self.put_back();
    }
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
