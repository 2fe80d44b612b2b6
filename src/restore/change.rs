//! One thing that is changed on a clock, and how it was.

use crate::phc::{Pin, PinFunction};
use crate::{Frequency, Offset};

/// One thing that is changed and not put back yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The time may be displaced.
    Time {
        /// The clock − the system clock before the change, where that is known.
        was: Option<Offset>,
    },
    /// Another frequency may be dialled.
    Frequency {
        /// What was dialled before.
        was: Frequency,
        /// The frequencies that were asked for since. The clock has one of these or `was`.
        asked: Vec<Frequency>,
    },
    /// The phase control may still be taking out a phase offset.
    Phase,
    /// A pin may have another function.
    Pin {
        /// The pin as it was.
        was: Pin,
        /// The functions that were asked for since. The pin has one of these or `was`.
        asked: Vec<Pin>,
    },
    /// External timestamps of this channel may be on.
    Extts(u32),
    /// The periodic output of this channel may be on.
    Perout(u32),
}

/// What is changed, without its earlier value. The variants are in the order in which leftovers are
/// reported. The time is last, because any other leftover may go on moving it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Frequency,
    Phase,
    Extts(u32),
    Perout(u32),
    Pin(u32),
    Time,
}

impl Part {
    /// The place of the kind in that order. Changes of one kind have the same place.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Frequency => 0,
            Self::Phase => 1,
            Self::Extts(_) => 2,
            Self::Perout(_) => 3,
            Self::Pin(_) => 4,
            Self::Time => 5,
        }
    }
}

impl Change {
    pub(crate) fn part(&self) -> Part {
        match self {
            Self::Time { .. } => Part::Time,
            Self::Frequency { .. } => Part::Frequency,
            Self::Phase => Part::Phase,
            Self::Pin { was, .. } => Part::Pin(was.index),
            Self::Extts(channel) => Part::Extts(*channel),
            Self::Perout(channel) => Part::Perout(*channel),
        }
    }

    /// A pin that gets another function.
    pub(crate) fn pin(was: &Pin, function: PinFunction, channel: u32) -> Self {
        Self::Pin { was: was.clone(), asked: vec![Pin { function, channel, ..was.clone() }] }
    }

    /// Adds a later change of the same part: appends what it asked for.
    pub(super) fn and(&mut self, more: Self) {
        match (self, more) {
            (Self::Frequency { asked, .. }, Self::Frequency { asked: more, .. }) => {
                // The last one is what is dialled now.
                for frequency in more {
                    if asked.last() != Some(&frequency) {
                        asked.push(frequency);
                    }
                }
            }
            (Self::Pin { asked, .. }, Self::Pin { asked: more, .. }) => {
                for pin in more {
                    if !asked.contains(&pin) {
                        asked.push(pin);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(function: PinFunction, channel: u32) -> Pin {
        Pin { index: 3, name: "SDP3".into(), function, channel }
    }

    #[test]
    fn what_a_part_was_asked_to_be_is_kept_once_each() {
        let mut change = Change::pin(&pin(PinFunction::None, 0), PinFunction::Extts, 1);
        for (function, channel) in [(PinFunction::Perout, 0), (PinFunction::Extts, 1)] {
            change.and(Change::pin(&pin(PinFunction::Extts, 1), function, channel));
        }
        let Change::Pin { was, asked } = change else { panic!("a pin") };
        assert_eq!(was, pin(PinFunction::None, 0));
        assert_eq!(asked, [pin(PinFunction::Extts, 1), pin(PinFunction::Perout, 0)]);
    }
}
