//! What the commands that measure again and again have in common.

use super::Context;
use super::arguments::{Isolating, Watching};
use super::failure::Failure;
use crate::kernel::Signals;
use crate::phc::SystemClock;
use crate::report::live::FRAME;
use crate::watch::record::{Damage, Reader};
use crate::watch::{Cause, Effort, Label, Reading, Sampler, Schedule, Source};
use clap::{Arg, ArgAction};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The clocks, for monitor and record. The manual's renderer doesn't show that there can be
/// several.
pub(super) fn sources_argument() -> Arg {
    Arg::new(SOURCES)
        .value_name("DEVICE")
        .action(ArgAction::Append)
        .num_args(0..)
        .help("The clocks, as for other commands; FIRST:SECOND for two; as --device")
}

/// The name of that argument.
pub(super) const SOURCES: &str = "sources";

/// Hands measurements on as they come, until there are no more, a signal comes, or `take` ends it.
pub(super) fn follow<T>(
    mut next: impl FnMut(Duration) -> Option<Vec<T>>,
    signals: &Signals,
    mut take: impl FnMut(Vec<T>) -> Result<Goes, Failure>,
) -> Result<(), Failure> {
    while let Some(batch) = next(FRAME) {
        let goes = take(batch)?;
        if goes == Goes::End || signals.came().is_some() {
            break;
        }
    }
    Ok(())
}

/// Starts to measure; prints what isn't permitted.
pub(super) fn start(
    context: &Context<'_>,
    sources: Vec<Source>,
    schedule: Schedule,
    isolating: &Isolating,
) -> Result<Sampler, Failure> {
    let sampler = Sampler::start(sources, schedule, isolating.isolation())?;
    for refusal in &sampler.refusals {
        context.printer.aside(&refusal.to_string());
    }
    Ok(sampler)
}

/// Hands measurements on as [`follow`] does, and at the end those that are still on their way.
pub(super) fn measure(
    sampler: Sampler,
    signals: &Signals,
    mut take: impl FnMut(Vec<Reading>) -> Result<Goes, Failure>,
) -> Result<(), Failure> {
    let answer = follow(|within| sampler.next(within), signals, &mut take);
    let ended = sampler.end().map_err(Failure::from);
    answer.and_then(|()| take(ended?).map(drop))
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goes {
    On,
    End,
}

/// The clocks that the command line names.
pub(super) fn sources(
    context: &Context<'_>,
    given: &[String],
    watching: &Watching,
) -> Result<Vec<Source>, Failure> {
    let mut names = given.to_vec();
    names.extend(context.device.option.clone());
    if names.is_empty() {
        names.push(context.device()?);
    }
    let mut sources: Vec<Source> = Vec::new();
    for name in &names {
        let source = source(context, name, watching.clock, watching.effort())?;
        if sources.iter().any(|other| other.label() == source.label()) {
            // Nobody could tell their lines apart.
            return Err(Failure::Usage(format!("'{name}' is named twice, maybe by another name")));
        }
        sources.push(source);
    }
    Ok(sources)
}

/// Opens the named clock, to be compared with a system clock, or the two clocks of a pair.
pub(super) fn source(
    context: &Context<'_>,
    name: &str,
    clock: SystemClock,
    effort: Effort,
) -> Result<Source, Failure> {
    let source = match Source::open(name, None, clock, effort) {
        // A name that isn't a clock's can be a pair's.
        Err(Cause::Find(error)) => {
            let Some((first, second)) = pair(name) else { return Err(error.into()) };
            Source::open(first, Some(second), clock, effort)?
        }
        source => source?,
    };
    if let Some(phc) = source.phc() {
        context.tell_what_is_left(phc);
    }
    for objection in source.objections() {
        context.printer.aside(objection);
    }
    Ok(source)
}

/// Splits two names at the colon between them. A mock's name has colons, too: then the second name
/// has to be a mock or a path.
pub(super) fn pair(text: &str) -> Option<(&str, &str)> {
    let at = text
        .find(":mock")
        .or_else(|| text.find(":/dev/"))
        .or_else(|| text.find(':').filter(|_| !text.starts_with("mock")))?;
    let (first, second) = (text.get(..at)?, text.get(at + 1..)?);
    (!first.is_empty() && !second.is_empty()).then_some((first, second))
}

/// What a source is called in a picture.
pub(super) fn title(label: &Label) -> String {
    match &label.clock_name {
        Some(name) => format!("{} ({name}) - {}", label.device, label.reference),
        None => label.to_string(),
    }
}

/// The sources of the readings, in the order of their first readings.
#[derive(Default)]
pub(super) struct Places(HashMap<Arc<Label>, usize>);

impl Places {
    /// The place of a source, and whether it is new.
    pub(super) fn of(&mut self, source: &Arc<Label>) -> (usize, bool) {
        if let Some(place) = self.0.get(source) {
            return (*place, false);
        }
        let place = self.0.len();
        self.0.insert(Arc::clone(source), place);
        (place, true)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Opens a file of measurements.
pub(super) fn open(from: &Path) -> Result<Reader<'static>, Failure> {
    Reader::open(from).map_err(|error| Failure::of_file("open", from, &error))
}

/// Prints what couldn't be read of a file.
pub(super) fn tell_damage(context: &Context<'_>, damage: Damage, from: &Path) {
    let from = from.display();
    if damage.lines > 0 {
        let lines = damage.lines;
        context
            .printer
            .aside(&format!("{from}: lines left out, which are no measurements: {lines}"));
    }
    if damage.gaps > 0 {
        let parts = damage.gaps;
        context.printer.aside(&format!(
            "{from}: damaged parts, whose lines are left out or may be wrong: {parts}"
        ));
    }
    if damage.cut {
        context.printer.aside(&format!(
            "{from}: its end was cut off or is still being written: what comes before it counts"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_two_names_with_a_colon_between_them() {
        assert_eq!(pair("eth0:eth1"), Some(("eth0", "eth1")));
        assert_eq!(pair("eth0:mock:full,offset=1us"), Some(("eth0", "mock:full,offset=1us")));
        assert_eq!(pair("mock:igb:mock"), Some(("mock:igb", "mock")));
        assert_eq!(pair("mock:igb:/dev/ptp7"), Some(("mock:igb", "/dev/ptp7")));
        assert_eq!(pair("/dev/ptp0:/dev/ptp7"), Some(("/dev/ptp0", "/dev/ptp7")));
        assert_eq!(pair("mock:igb"), None);
        assert_eq!(pair("eth0:"), None);
        assert_eq!(pair("eth0"), None);
    }
}
