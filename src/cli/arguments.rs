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
  4  nothing could be shown: every check of selftest was skipped, or there was
     too little data for a mask
  5  waited in vain: no event came

selftest has kselftest's statuses: 1 for everything that goes wrong.

A command that fails after it changed something first says what it changed, and exits with 1. A
result that can't be printed is a failure. A reader that closes a pipe is not a failure: the exit
status is then that of the result.

Ctrl-C, SIGTERM and every other signal that ends a program end ptpctl by that signal, after it has
switched off what it switched on. Reaching the file size limit is an error, like a full disk. If a
command is killed, the next command on that clock reports what it left on. It reads that from a
file: in /run/ptpctl; for users other than root, in $XDG_RUNTIME_DIR/ptpctl; for a mock with
state=FILE, next to FILE.

ptpctl writes only to regular files, pipes, terminals and /dev/null.";

/// The options of every command, before and after its name.
pub(super) fn for_every_command() -> [Arg; 2] {
    [
        Arg::new(DEVICE_OPTION).short('d').long("device").value_name("DEVICE").help(
            "The clock: path, ptpN, N, interface, clock name or mock… [default: $PTPCTL_DEVICE, \
             else /dev/ptp0; where a command takes several, all]",
        ),
        flag("json", "Print JSON: one object, or one a line for a stream"),
    ]
}

/// The clock, always the last positional.
pub(super) fn device() -> Arg {
    Arg::new(POSITIONAL_DEVICE)
        .help("The clock: path, ptpN, N, interface, clock name or mock…; as --device")
}

/// Any number of clocks, always the last positional; none are all of the machine.
pub(super) fn devices() -> Arg {
    Arg::new("clocks")
        .value_name("DEVICE")
        .action(ArgAction::Append)
        .num_args(0..)
        .help("The clocks, as for other commands; without any, all of the machine")
}

/// `--dry-run`, for every command that changes something.
pub(super) fn dry_run() -> Arg {
    flag("dry-run", "Check what can be checked, show what would be done, change nothing").short('n')
}

pub(super) fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// An option with a value.
pub(super) fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// A required positional argument.
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

/// A duration: `10s`, `1min 30s`.
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
        .map_err(|_| "it is not a duration: write it as 10s, 1m30s or 500ms".to_owned())
}

/// A whole number from `least` to `most`.
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
            Some(most) => format!("it is not a whole number from {least} to {most}"),
            None => format!("it is not a whole number of at least {least}, or it is too large"),
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
    /// How much to measure: a number of samples, or a duration.
    pub(super) struct Measuring {
        samples: Option<u32> = option("samples", "N", "Take N samples; with --duration, at most N")
            .short('s')
            .value_parser(whole(1_u32, Some(10_000_000))),
        duration: Option<Duration> = duration(option(
            "duration",
            "TIME",
            "Measure for this long: 100ms [default: until the offset is exact, some 6 ms]",
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

    /// Applies this to the calling thread; prints what isn't permitted.
    pub(super) fn apply(&self, context: &Context<'_>) -> Result<(), Failure> {
        for refusal in self.isolation().apply()? {
            context.printer.aside(&refusal.to_string());
        }
        Ok(())
    }
}

args! {
    /// How often to measure, and until when.
    pub(super) struct Watching(usual: &'static str) {
        interval: Defaulted<Duration> =
            option("interval", "TIME", "The time from one measurement to the next, 1ms at least")
                .short('i')
                .default_value(usual)
                .value_parser(parse_interval),
        count: Option<u64> = option("count", "N", "End after N measurements of each clock")
            .short('c')
            .value_parser(whole(1_u64, None)),
        duration: Option<Duration> =
            duration(option("duration", "TIME", "End after this long: 10s, 1h30m")),
        samples: Option<u32> =
            option("samples", "N", "Take N samples for each measurement")
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
