//! Notes on readings, on standard error, beside the readings themselves.

use super::Context;
use super::failure::Failure;
use crate::watch::{Label, Outcome, Reading};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// The notes printed so far: each text is printed once, not a thousand times a night.
#[derive(Default)]
pub(super) struct Told {
    texts: HashSet<String>,
    /// When each source was measured last, and how many times in a row it was late.
    paces: HashMap<Arc<Label>, (i128, u32)>,
    was_measured: bool,
    /// Why the last one failed.
    failure: Option<String>,
}

/// How many texts are remembered.
const MOST_TEXTS: usize = 64;
/// How many times in a row a measurement is late before that is reported: on a busy machine, one is
/// late now and then.
const OFTEN: u32 = 8;

impl Told {
    fn once(&mut self, context: &Context<'_>, text: String) {
        if self.texts.len() >= MOST_TEXTS {
            self.texts.clear();
        }
        if !self.texts.contains(&text) {
            context.printer.aside(&text);
            self.texts.insert(text);
        }
    }

    /// Takes a reading. Prints why better methods were passed over, and that measurements are late.
    pub(super) fn take(
        &mut self,
        context: &Context<'_>,
        reading: &Reading,
        interval: Option<Duration>,
    ) {
        match &reading.outcome {
            Outcome::Measured(one) => {
                self.was_measured = true;
                for why in &one.passed_over {
                    self.once(context, format!("{}: {why}", reading.source));
                }
            }
            Outcome::Missed(why) => self.failure = Some(why.to_string()),
            Outcome::Absent(why) => {
                self.failure = Some(why.to_string());
                // While it is gone nothing is late.
                self.paces.remove(&reading.source);
                return;
            }
        }
        if let Some(interval) = interval {
            self.take_pace(context, reading, interval);
        }
    }

    fn take_pace(&mut self, context: &Context<'_>, reading: &Reading, interval: Duration) {
        let at = reading.at.total_nanoseconds();
        let (last, late) = self.paces.get(&reading.source).copied().unwrap_or((at, 0));
        let apart = Duration::from_nanos(u64::try_from(at - last).unwrap_or(0));
        let late = if apart > interval * 3 / 2 { late + 1 } else { 0 };
        self.paces.insert(Arc::clone(&reading.source), (at, late));
        if late == OFTEN {
            let source = &reading.source;
            let interval = humantime::format_duration(interval);
            self.once(
                context,
                format!(
                    "{source}: measurements come later than every {interval}: reading takes long, or \
                     the clock limits its readings"
                ),
            );
        }
    }

    /// Prints why there is no measurement.
    pub(super) fn cause(&mut self, context: &Context<'_>, reading: &Reading) {
        match &reading.outcome {
            Outcome::Measured(_) => {}
            Outcome::Missed(why) => {
                self.once(context, format!("{} missed: {why}", reading.source));
            }
            Outcome::Absent(why) => {
                context.printer.aside(&format!("{} is absent: {why}", reading.source));
            }
        }
    }

    /// Prints a failure that the program survives.
    pub(super) fn failure(&mut self, context: &Context<'_>, failure: String) {
        self.once(context, failure);
    }

    /// Whether anything was measured, where anything was tried.
    pub(super) fn outcome(&self) -> Result<(), Failure> {
        match &self.failure {
            Some(why) if !self.was_measured => {
                Err(Failure::Failed(format!("nothing was measured: {why}")))
            }
            _ => Ok(()),
        }
    }
}
