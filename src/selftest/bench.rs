//! What the checks work with: the clock, the account of its changes, and what earlier checks found.

use super::account::Account;
use super::clock::Clock;
use super::comparator::Comparator;
use super::verdict::{Stop, skip};
use crate::Frequency;
use crate::RateInterval;
use crate::kernel::Signals;
use crate::phc::{Caps, Phc, Pin, PinFunction};
use crate::restore::{Guard, Record};
use nix::errno::Errno;
use std::time::Duration;

/// Two pins that are wired together.
#[derive(Clone, Debug)]
pub struct Loop {
    /// The output.
    pub from: Pin,
    /// The input.
    pub to: Pin,
}

impl Loop {
    /// Two channels that are wired together, of a clock without pins.
    pub fn of_channels(output: u32, input: u32) -> Self {
        let end =
            |channel, function| Pin { index: channel, name: String::new(), function, channel };
        Self { from: end(output, PinFunction::Perout), to: end(input, PinFunction::Extts) }
    }

    /// What an end is called: "pin 0 (SDP0)", "channel 1".
    #[cfg(feature = "cli")]
    pub(crate) fn name_of(end: &Pin) -> String {
        let Pin { index, name, .. } = end;
        if name.is_empty() { format!("channel {index}") } else { format!("pin {index} ({name})") }
    }
}

/// How long the checks may take before the rest is skipped, in nanoseconds: without a loop, and
/// with one.
const BUDGET: i128 = 28_000_000_000;
const BUDGET_WITH_A_LOOP: i128 = 90_000_000_000;
/// From this second on, in the year 2232, the kernel refuses to set a clock.
pub(super) const LAST_SECOND: i64 = i64::MAX / 1_000_000_000 - 30 * 365 * 24 * 3_600;
/// More seconds than a check lasts, or sets a clock ahead.
const LONGEST_AWAY: i64 = 10_000;

/// What the checks work with.
pub(super) struct Bench<'a> {
    pub(super) clock: Clock<'a>,
    pub(super) caps: Caps,
    pub(super) wire: Option<Loop>,
    pub(super) account: Account<'a>,
    /// How dialling up and down changes the rate, once it was measured.
    pub(super) effects: Option<Effects>,
    /// The pins and functions that were found to work.
    pub(super) offered: Vec<(u32, PinFunction)>,
    /// What came through the loop.
    pub(super) capture: Option<Capture>,
    notes: Vec<String>,
}

/// What dialling does to the clock's rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effects {
    /// The dialled frequency less the one that was dialled before, in millionths of a ppb.
    pub(super) dialled: i128,
    /// The measured changes of the rate, dialled up and dialled down.
    pub(super) found: [RateInterval; 2],
    /// How far the clock's own rate was found to wander meanwhile.
    pub(super) wander: i128,
    /// How long each rate was measured.
    pub(super) long: Duration,
}

/// The events that came through the loop while it was watched once.
#[derive(Clone, Debug)]
pub(super) struct Capture {
    pub(super) period: i128,
    /// The rising edges' times, as they came.
    pub(super) times: Vec<i128>,
    /// Whether the driver was asked strictly, and so stamps only the edges that are asked for.
    pub(super) is_strict: bool,
    /// Whether the output's phase is known.
    pub(super) is_in_phase: bool,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        phc: &'a Phc,
        signals: Option<&'a Signals>,
        wire: Option<Loop>,
        record: Box<dyn Record + 'a>,
    ) -> Result<Self, Stop> {
        let budget = if wire.is_some() { BUDGET_WITH_A_LOOP } else { BUDGET };
        let clock = Clock::new(phc, signals, budget);
        let caps = phc.caps()?;
        let virtual_clocks = phc.virtual_clocks().map_or(u32::MAX, |clocks| clocks.number);
        let (frequency, runs_freely) = match phc.frequency() {
            // Older kernels refuse even to read the frequency then.
            Err(error) if virtual_clocks > 0 && error.errno() == Some(Errno::EBUSY) => {
                (Frequency::default(), true)
            }
            frequency => {
                let frequency = frequency?;
                let same = clock.ask_to_dial(frequency);
                (frequency, virtual_clocks > 0 && same == Err(Errno::EBUSY))
            }
        };
        let must_not_move = if runs_freely {
            Some("it runs freely under its virtual clocks".into())
        } else {
            let shown = phc.patiently(Phc::time)?;
            let can_be_set = (0..LAST_SECOND - LONGEST_AWAY).contains(&shown.seconds());
            (!can_be_set).then(|| format!("it shows {shown} s, and can't be set to that again"))
        };
        let comparator = Comparator::new(clock, frequency);
        Ok(Self {
            clock,
            caps,
            wire,
            account: Account::new(comparator, Guard::new(phc, Some(record)), must_not_move),
            effects: None,
            offered: Vec::new(),
            capture: None,
            notes: Vec::new(),
        })
    }

    /// Compares the clock with the machine's.
    pub(super) fn comparator(&self) -> &Comparator<'a> {
        &self.account.comparator
    }

    /// Adds a note of what was measured.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// The pins as they were before the checks.
    pub(super) fn pins(&self) -> Result<Vec<Pin>, Stop> {
        match &self.account.pins {
            Ok(pins) => Ok(pins.clone()),
            Err(error) => skip(format!("its pins can't be read, {error}")),
        }
    }

    /// The frequency that was dialled before the checks.
    pub(super) fn frequency_before(&self) -> Frequency {
        self.account.comparator.dialled
    }
}
