//! `ptpctl perout`: a periodic output.

use super::Command;
use crate::Offset;
use crate::cli::args::{args, define, read, values};
use crate::cli::failure::{Failure, catch_signals};
use crate::cli::pins::note_changes;
use crate::cli::times::{self, Time};
use crate::cli::{Context, arguments};
use crate::decimal::Decimal;
use crate::phc::{Perout, PeroutLoss, PeroutStart, Phc, Pin, PinFunction};
use crate::report::Report;
use crate::restore::{Guard, Part, Writer, is_about_the_start, soon};
use crate::{Timestamp, Unknown};
use clap::ArgGroup;

pub(super) const COMMAND: Command = Command {
    name: "perout",
    aliases: &[],
    about: "Switch a periodic output on or off",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        period: Option<Offset> = arguments::offset(arguments::option(
            "period",
            "TIME",
            "From pulse to pulse: 1s, 100us",
        )),
        frequency: Option<Offset> =
            arguments::option("frequency", "FREQUENCY", "Pulses a second: 1Hz, 10kHz, 10MHz")
                .value_parser(parse_frequency),
        off: bool = arguments::flag("off", "Switch the output off"),
        pulse_width: Option<Offset> = arguments::offset(arguments::option(
            "pulse-width",
            "TIME",
            "How long each pulse is high",
        ))
        .conflicts_with_all(["duty", "off"]),
        duty: Option<Decimal> = arguments::option(
            "duty",
            "PERCENT",
            "How much of the period each pulse is high: 25%",
        )
        .allow_hyphen_values(true)
        .value_parser(parse_percent)
        .conflicts_with("off"),
        phase: Option<Offset> = arguments::offset(arguments::option(
            "phase",
            "TIME",
            "Start each pulse this long after a multiple of the period",
        ))
        .conflicts_with_all(["start", "off"]),
        start: Option<Start> = arguments::option(
            "start",
            "TIME",
            "Start at this time of the clock: @SECONDS, RFC 3339, or +2s from now [default: the \
             first full second after +2s]",
        )
        .allow_hyphen_values(true)
        .value_parser(parse_start)
        .conflicts_with("off"),
        far: bool = arguments::flag("far", "Accept a start that is more than a year ahead, too")
            .requires("start")
            .conflicts_with("off"),
        one_shot: bool = arguments::flag("one-shot", "A single pulse").conflicts_with("off"),
        channel: u32 = arguments::channel("The output's channel; a channel isn't a pin"),
        pin: Option<String> = arguments::option(
            "pin",
            "PIN",
            "Connect this pin (index or name) to the channel, too",
        )
        .conflicts_with("off"),
    }
}

values!(Start);

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        // With each value's name it would have more than 80 columns.
        .override_usage("ptpctl perout [OPTIONS] <--period|--frequency|--off> [DEVICE]")
        .group(ArgGroup::new("what").args(["period", "frequency", "off"]).required(true))
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Switches a periodic output of a clock on: pulses at each period of the clock's own \
             time. The output stays on after the command has ended; --off switches it off. On most \
             clocks a pin must be connected to the channel, before or with --pin.\n\nWhether pulse \
             width, phase and single pulses work depends on the driver; what it can't do is \
             refused. A phase that the driver doesn't accept is turned into a start time, and the \
             report says so. If neither --start nor --phase is given, ptpctl requests an absolute \
             start. If the driver refuses that, it requests phase 0, then start 0. --start @0 \
             requests only start 0.\n\nA calendar time for --start is on the clock's own scale: \
             nothing is added for TAI. A start more than a year ahead is usually a mistake, such \
             as milliseconds for seconds, and needs --far.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl perout --period 1s --pin SDP0 mock\n  \
             ptpctl perout --frequency 10MHz --duty 50% mock\n  \
             ptpctl perout --period 1s --pulse-width 100ms --phase 250ms --channel 1 mock\n  \
             ptpctl perout --period 1s --one-shot --start +5s mock\n  \
             ptpctl perout --off mock",
        )
}

/// When to start, as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    At(Timestamp<Unknown>),
    In(Offset),
}

fn parse_start(text: &str) -> Result<Start, String> {
    if let Some(delay) = text.strip_prefix('+') {
        let delay: Offset =
            delay.parse().map_err(|error: crate::ParseQuantityError| error.to_string())?;
        return if delay > Offset::ZERO {
            Ok(Start::In(delay))
        } else {
            Err("the start must be in the future".into())
        };
    }
    if text.parse::<Offset>().is_ok_and(|delay| delay > Offset::ZERO) {
        return Err(format!("write +{text} to start that long from now"));
    }
    match times::parse(text)? {
        Time::Now => Err("the start must be in the future: +2s".into()),
        Time::Shown(time) => Ok(Start::At(time)),
        Time::Calendar(time) => Ok(Start::At(time.assume())),
    }
}

/// The period of a frequency; an error if it isn't a whole number of nanoseconds.
fn parse_frequency(text: &str) -> Result<Offset, String> {
    let (number, unit) = Decimal::split(text).map_err(|why| why.to_string())?;
    let hertz = match unit {
        "Hz" => 1,
        "kHz" => 1_000,
        "MHz" => 1_000_000,
        "GHz" => 1_000_000_000,
        "" => return Err(format!("it has no unit: write {text}Hz")),
        _ => return Err(format!("'{unit}' is no unit of frequency: use Hz, kHz, MHz or GHz")),
    };
    let period = number.divides_exactly(1_000_000_000, hertz);
    period
        .and_then(|period| i64::try_from(period).ok())
        .filter(|period| *period > 0)
        .map(Offset::from_nanoseconds)
        .ok_or_else(|| {
            "its period isn't a whole number of nanoseconds above 0: choose one with --period"
                .into()
        })
}

/// A percentage.
fn parse_percent(text: &str) -> Result<Decimal, String> {
    let (number, unit) = Decimal::split(text).map_err(|why| why.to_string())?;
    if unit == "%" { Ok(number) } else { Err(format!("write it as a percentage: {text}%")) }
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let channel = args.channel;
    let phc = context.open_to_change()?;
    context.has_pin.set(args.pin.is_some());
    if args.off {
        return switch_off(&phc, channel);
    }
    let asked = asked_for(args, &phc)?;
    // Everything is checked before the pin changes.
    phc.check_perout(asked.perout)?;
    let pin = args.pin.as_deref().map(|name| phc.find_pin(name)).transpose()?;
    let pins = phc.pins()?;
    let on = if phc.is_dry() {
        let loser = pin.as_ref().map(|pin| phc.check_pin(pin, PinFunction::Perout, channel));
        let loser = loser.transpose()?.flatten();
        On { loser, perout: asked.perout, loss: PeroutLoss::Nothing }
    } else {
        switch_on(context, &phc, asked, pin.as_ref())?
    };
    let reaches_a_pin = pin.is_some()
        || pins.is_empty()
        || pins.iter().any(|pin| pin.has(PinFunction::Perout, channel));
    let mut report = described(&phc, on.perout, on.loss);
    report = match &pin {
        Some(pin) => report.row("pin", format!("{} ({})", pin.index, pin.name), "pin", pin.index),
        None => report.value("pin", None::<u32>),
    };
    if let Some(pin) = &pin
        && !pin.has(PinFunction::Perout, channel)
    {
        report = note_changes(report, pin, on.loser.as_ref(), phc.is_dry());
    }
    if !reaches_a_pin {
        report = report.note(format!(
            "no pin is connected to channel {channel}: unless it is wired, --pin connects one"
        ));
    }
    if on.perout.start != asked.perout.start {
        let start =
            if matches!(on.perout.start, PeroutStart::Phase(_)) { "phase" } else { "start" };
        report = report.note(format!(
            "this driver accepts no start that is some seconds ahead: {start} 0 was asked for \
             instead"
        ));
    }
    Ok(match on.loss {
        PeroutLoss::Nothing => report,
        PeroutLoss::PhaseAsStart(_) => report.note(PHASE_AS_START),
    })
}

/// What a driver without a phase was asked for, in a note.
pub(in crate::cli) const PHASE_AS_START: &str = "this driver takes no phase: a start time with \
    that phase was asked for instead, and a step of the clock will shift the phase";

/// Switches the output on. If neither a start nor a phase was given, any start that the driver
/// accepts will do.
fn enable(context: &Context<'_>, guard: &mut Guard<'_>, asked: Asked) -> Result<On, Failure> {
    let perout = asked.perout;
    let enabled = if asked.any_start {
        guard.enable_perout_soon(perout)
    } else {
        guard.enable_perout(perout).map(|loss| (perout, loss))
    };
    match enabled {
        Ok((perout, loss)) => Ok(On { loser: None, perout, loss }),
        Err(error) => {
            if asked.any_start && is_about_the_start(&error) {
                let tried = "these were tried: a start some seconds ahead, phase 0 and start 0";
                context.tried.set(tried);
            }
            Err(error.into())
        }
    }
}

/// What came of switching an output on.
struct On {
    /// The pin that lost the channel.
    loser: Option<Pin>,
    /// The output as it was taken.
    perout: Perout,
    /// What the driver couldn't do.
    loss: PeroutLoss,
}

/// Connects the pin and switches the output on. If a signal comes in between, either both are done
/// or neither is.
fn switch_on(
    context: &mut Context<'_>,
    phc: &Writer,
    asked: Asked,
    pin: Option<&Pin>,
) -> Result<On, Failure> {
    let signals = catch_signals()?;
    // Without a pin there is nothing that a killed command could leave behind: the output is meant
    // to stay on.
    let mut guard = phc.guard(pin.map(|_| context.begin_journal(phc)));
    let loser = match pin {
        Some(pin) => {
            guard.set_pin(pin, PinFunction::Perout, asked.perout.channel).map_err(Failure::from)
        }
        None => Ok(None),
    };
    let on = loser.and_then(|loser| match enable(context, &mut guard, asked) {
        Ok(on) => Ok(On { loser, ..on }),
        Err(failure) => {
            phc.switched_off(pin.into_iter().chain(&loser));
            Err(failure)
        }
    });
    match on {
        Ok(on) if signals.came().is_none() => {
            phc.keep(&mut guard);
            // The output is on and stays on. The signals stay caught, so that none interrupts the
            // report.
            std::mem::forget(signals);
            context.end(guard, Ok(on))
        }
        Ok(_) => context.end(guard, Err(Failure::Signal(signals))),
        Err(failure) => {
            // A request that was refused has changed nothing. After one that failed otherwise the
            // output is switched off, and nobody knows whether it was on before.
            let channel = asked.perout.channel;
            let is_noted = guard.change_of(Part::Perout(channel)).is_some();
            if is_noted && guard.put_back_channels().is_ok() {
                phc.output_is_off(channel);
            }
            context.end(guard, Err(failure))
        }
    }
}

/// The output as it is on, or would be.
fn described(phc: &Writer, perout: Perout, loss: PeroutLoss) -> Report {
    let channel = perout.channel;
    let done = if phc.is_dry() { "would be on" } else { "on" };
    let report = Report::on(phc.name())
        .headline(format!("periodic output of channel {channel} {done}"))
        .value("channel", channel)
        .value("enabled", true)
        .row("period", perout.period.to_string(), "period_ns", perout.period);
    let report = match perout.pulse_width {
        Some(width) => report.row("pulse width", width.to_string(), "pulse_width_ns", width),
        None => report.value("pulse_width_ns", None::<i64>),
    };
    let report = match (perout.start, loss) {
        (PeroutStart::At(start), _) | (_, PeroutLoss::PhaseAsStart(start)) => {
            report.row("start", format!("{start} s"), "start", start).value("phase_ns", None::<i64>)
        }
        (PeroutStart::Phase(phase), _) => {
            report.row("phase", phase.to_string(), "phase_ns", phase).value("start", None::<i64>)
        }
    };
    let pulses = if perout.one_shot { "a single one" } else { "" };
    report.row("pulses", pulses, "one_shot", perout.one_shot).value("dry_run", phc.is_dry())
}

fn switch_off(phc: &Writer, channel: u32) -> Result<Report, Failure> {
    phc.disable_perout(channel)?;
    let done = if phc.is_dry() { "would be off" } else { "off" };
    Ok(Report::on(phc.name())
        .headline(format!("periodic output of channel {channel} {done}"))
        .value("channel", channel)
        .value("enabled", false)
        .value("dry_run", phc.is_dry()))
}

/// An output that is asked for.
#[derive(Clone, Copy)]
struct Asked {
    perout: Perout,
    /// Whether neither a start nor a phase was given.
    any_start: bool,
}

/// In nanoseconds. A start farther ahead is taken for a mistake, unless --far is given.
const A_YEAR: i128 = 366 * 86_400 * 1_000_000_000;

fn asked_for(args: &Args, phc: &Phc) -> Result<Asked, Failure> {
    let period = args.period.or(args.frequency);
    let period =
        period.ok_or_else(|| Failure::Usage("--period or --frequency is missing".into()))?;
    let width_of = |percent: Decimal| {
        percent
            .scaled_to_nearest(period.nanoseconds().into(), 100)
            .and_then(|width| i64::try_from(width).ok())
            .map(Offset::from_nanoseconds)
            .ok_or_else(|| Failure::Usage("--duty is out of range".into()))
    };
    let pulse_width = match (args.pulse_width, args.duty) {
        (None, Some(percent)) => Some(width_of(percent)?),
        (width, _) => width,
    };
    let beyond = || Failure::Usage("the start is out of range".into());
    let start = match (args.phase, args.start) {
        (Some(phase), _) => PeroutStart::Phase(phase),
        (None, Some(start)) => {
            let now = phc.time()?;
            let start = match start {
                Start::At(time) => time,
                Start::In(delay) => now.plus(delay).ok_or_else(beyond)?,
            };
            let ahead = start.total_nanoseconds() - now.total_nanoseconds();
            // A start beyond 64 bits of nanoseconds is refused in any case.
            let is_possible = start.total_nanoseconds() <= i64::MAX.into();
            if ahead > A_YEAR && is_possible && !args.far {
                if now.is_unset() {
                    return Err(Failure::Usage(format!(
                        "the start {start} is more than a year ahead: the clock is unset, at \
                         {now}; 'ptpctl set now' sets it, --far accepts the start anyway"
                    )));
                }
                return Err(Failure::Usage(format!(
                    "the start {start} is more than a year ahead, the clock is at {now}: is it in \
                     seconds? --far accepts it anyway"
                )));
            }
            PeroutStart::At(start)
        }
        (None, None) => soon(phc)?.ok_or_else(beyond)?,
    };
    let Args { channel, one_shot, .. } = *args;
    let any_start = args.start.is_none() && args.phase.is_none();
    Ok(Asked { perout: Perout { channel, period, pulse_width, start, one_shot }, any_start })
}

#[cfg(fuzzing)]
pub(super) fn read_everything(text: &str) {
    let _ = parse_start(text);
    let _ = parse_frequency(text);
    let _ = parse_percent(text).map(|percent| percent.scaled_to_nearest(1_000_000_000, 100));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequency_is_a_whole_number_of_nanoseconds() {
        let period = |text| parse_frequency(text).ok().map(Offset::nanoseconds);
        assert_eq!(period("1Hz"), Some(1_000_000_000));
        assert_eq!(period("10MHz"), Some(100));
        assert_eq!(period("0.5Hz"), Some(2_000_000_000));
        assert_eq!(period("2.5kHz"), Some(400_000));
        for text in ["3Hz", "0Hz", "-1Hz", "5", "5ppm", "2GHz", "1e3Hz"] {
            assert_eq!(period(text), None, "{text}");
        }
    }

    #[test]
    fn a_start_is_a_time_of_the_clock_or_a_delay() {
        assert_eq!(parse_start("+2s"), Ok(Start::In(Offset::from_nanoseconds(2_000_000_000))));
        let at = Timestamp::new(1_700_000_000, 500_000_000).map(Start::At);
        assert_eq!(parse_start("@1700000000.5").ok(), at);
        for text in ["", "now", "+0", "+-1s", "2s", "+2"] {
            assert!(parse_start(text).is_err(), "{text}");
        }
    }
}
