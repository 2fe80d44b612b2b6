//! Arguments that several commands share, and the values that people write for them.

use super::Context;
use super::args::{Defaulted, args};
use super::failure::Failure;
use crate::phc::SystemClock;
use crate::watch::{Effort, Isolation, Schedule};
use crate::{Offset, ParseQuantityError};
use clap::{Arg, ArgAction};
use std::str::FromStr;
use std::time::Duration;

pub(super) const POSITIONAL_DEVICE: &str = "DEVICE";
pub(super) const DEVICE_OPTION: &str = "device";

pub(super) const COMMAND_GROUPS: &str = "\
Try it without hardware: ptpctl caps mock

Each command has a page: ptpctl COMMAND --help, man ptpctl-COMMAND";

pub(super) const ENVIRONMENT: &str = "\
Environment:
  PTPCTL_DEVICE  the clock where none is named, instead of /dev/ptp0; a mock with a file is refused
                 under sudo and with another user's rights";

pub(super) const EXIT_STATUS: &str = "\
Exit status:
  0  done
  1  failed
  2  wrong usage: no clock could do what was asked
  3  this clock can't do it
  4  nothing could be shown: every check of selftest was skipped, or there was too little
     for a mask
  5  waited in vain

selftest has kselftest's: 1 for all that goes wrong.

A command that fails after it changed something says first what it changed, and ends with 1. A
result that can't be printed is a failure. A reader that closes a pipe is none: the status is then
that of the result.

Ctrl-C, SIGTERM and every other signal that ends a program end it by the signal, after what was
switched on is off. A limit on the size of files is an error like a full disk. The next command on
the clock tells what a killed one left on. It knows from a file in /run/ptpctl, for people who
aren't root in $XDG_RUNTIME_DIR/ptpctl, and for a mock with state=FILE beside FILE.

Only regular files, pipes, terminals and /dev/null are written to.";

/// The options of every command.
pub(super) fn for_every_command() -> [Arg; 2] {
    [
        Arg::new(DEVICE_OPTION).short('d').long("device").value_name("DEVICE").global(true).help(
            "The clock: path, ptpN, N, interface, clock name or mock… [default: $PTPCTL_DEVICE, \
             else /dev/ptp0]",
        ),
        flag("json", "Print JSON: one object, or one a line for a stream").global(true),
    ]
}

/// The clock, always the last positional.
pub(super) fn device() -> Arg {
    Arg::new(POSITIONAL_DEVICE)
        .help("The clock: path, ptpN, N, interface, clock name or mock…; as --device")
}

/// `--dry-run`, for every command that changes something.
pub(super) fn dry_run() -> Arg {
    flag("dry-run", "Check what can be checked, tell what would be done, change nothing").short('n')
}

pub(super) fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// An option with a value.
pub(super) fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// What a command is called with, at its place.
pub(super) fn positional(value: &'static str, help: &'static str) -> Arg {
    Arg::new(value).value_name(value).required(true).help(help)
}

/// An offset: exact nanoseconds, with its unit.
pub(super) fn offset(argument: Arg) -> Arg {
    argument.allow_hyphen_values(true).value_parser(|text: &str| exactly::<Offset>(text))
}

/// Reads a quantity; says only what is wrong with it.
fn exactly<T: FromStr<Err = ParseQuantityError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: ParseQuantityError| error.why)
}

/// How long to go on or to wait: `10s`, `1min 30s`.
pub(super) fn duration(argument: Arg) -> Arg {
    argument.value_parser(parse_duration)
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text != "0" {
        return Err(format!(
            "it has no unit: write {text}s for seconds or {text}ms for milliseconds"
        ));
    }
    humantime::parse_duration(text)
        .map_err(|_| "it is no time: write it as 10s, 1m30s or 500ms".to_owned())
}

/// A whole number of at least, and at most, so much.
pub(super) fn whole<T>(
    least: T,
    most: Option<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + std::fmt::Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let is_within =
            |number: &T| *number >= least && most.as_ref().is_none_or(|most| number <= most);
        let is_whole = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| is_whole && is_within(number));
        number.ok_or_else(|| match &most {
            Some(most) => format!("it is no whole number from {least} to {most}"),
            None => format!("it is no whole number from {least} on, or too large"),
        })
    }
}

/// A channel number.
pub(super) fn channel(help: &'static str) -> Arg {
    option("channel", "N", help).value_parser(whole(0_u32, None)).default_value("0")
}

/// The system clock to compare with.
pub(super) fn system_clock() -> Arg {
    option("clock", "CLOCK", "The system clock: realtime, monotonic, monotonic-raw, aux0…aux7")
        .default_value("realtime")
        .value_parser(|text: &str| text.parse::<SystemClock>())
}

args! {
    /// How long to measure: so many samples, or so long.
    pub(super) struct Measuring {
        samples: Option<u32> = option("samples", "N", "Take so many samples; with --duration, at most so many")
            .short('s')
            .value_parser(whole(1_u32, Some(10_000_000))),
        duration: Option<Duration> = duration(option(
            "duration",
            "TIME",
            "Measure for so long: 100ms [default: until it is exact, some 6ms]",
        )),
        isolating: Isolating = (),
    }
}

impl Measuring {
    pub(super) fn effort(&self) -> Effort {
        match (self.samples.map(number), self.duration) {
            (None, None) => Effort::once(),
            (Some(samples), None) => Effort::samples(samples),
            (samples, Some(duration)) => Effort::duration(duration, samples),
        }
    }
}

args! {
    /// How the thread that measures is treated.
    pub(super) struct Isolating {
        cpu: Option<u16> = option("cpu", "N", "Measure on this processor only")
            .value_parser(whole(0_u16, Some(1_023))),
        realtime: bool = flag("realtime", "Measure with SCHED_FIFO and locked memory"),
    }
}

impl Isolating {
    pub(super) fn isolation(&self) -> Isolation {
        Isolation { cpu: self.cpu.map(usize::from), real_time: self.realtime }
    }

    /// Treats this thread so; tells what isn't permitted.
    pub(super) fn apply(&self, context: &Context<'_>) -> Result<(), Failure> {
        for refusal in self.isolation().apply()? {
            context.printer.aside(&refusal.to_string());
        }
        Ok(())
    }
}

args! {
    /// How often it is measured, and until when.
    pub(super) struct Watching(usual: &'static str) {
        interval: Defaulted<Duration> =
            option("interval", "TIME", "Measure every so long, 1ms at least")
                .short('i')
                .default_value(usual)
                .value_parser(parse_interval),
        count: Option<u64> = option("count", "N", "End after so many measurements of each clock")
            .short('c')
            .value_parser(whole(1_u64, None)),
        duration: Option<Duration> =
            duration(option("duration", "TIME", "End after so long: 10s, 1h30m")),
        samples: Option<u32> =
            option("samples", "N", "Take so many samples for each measurement")
                .short('s')
                .value_parser(whole(1_u32, Some(1_000_000))),
        clock: SystemClock = system_clock(),
        isolating: Isolating = (),
    }
}

impl Watching {
    pub(super) fn schedule(&self) -> Schedule {
        Schedule { interval: self.interval.value, count: self.count, duration: self.duration }
    }

    /// How much is read for one measurement.
    pub(super) fn effort(&self) -> Effort {
        let every = || Effort::every(self.interval.value);
        self.samples.map_or_else(every, |samples| Effort::samples(number(samples)))
    }
}

fn number(samples: u32) -> usize {
    usize::try_from(samples).unwrap_or(usize::MAX)
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    let most = Duration::from_hours(24);
    if (Duration::from_millis(1)..=most).contains(&interval) {
        Ok(interval)
    } else {
        Err("use 1ms to 1day".into())
    }
}

#[cfg(fuzzing)]
pub(super) fn read_everything(text: &str) {
    let _ = parse_duration(text);
    let _ = text.parse::<SystemClock>();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_a_unit() {
        assert_eq!(parse_duration("1min 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("10ms"), Ok(Duration::from_millis(10)));
        assert!(parse_duration("10").is_err_and(|why| why.contains("10s")));
        assert!(parse_duration("").is_err());
        assert!(parse_duration("-1s").is_err());
    }
}
