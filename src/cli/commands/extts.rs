//! `ptpctl extts`: external timestamps, one event per line.

use super::Command;
use crate::cli::alternation::Alternation;
use crate::cli::args::{args, define, read};
use crate::cli::failure::{Failure, catch_signals};
use crate::cli::left::quoted;
use crate::cli::pins::switched_off;
use crate::cli::{Context, arguments};
use crate::kernel::{Signals, Wait};
use crate::measure::Gaps;
use crate::phc::{Edges, Event, EventKind, ExttsRequest, Phc, Pin, PinFunction};
use crate::report::{Report, Value, standard_output};
use crate::restore::{Guard, Part, Writer};
use crate::{Offset, Timestamp, Unknown};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

pub(super) const COMMAND: Command = Command {
    name: "extts",
    aliases: &[],
    about: "Watch external timestamps, one event per line",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        channel: u32 = arguments::channel("The input's channel; a channel isn't a pin"),
        pin: Option<String> = arguments::option(
            "pin",
            "PIN",
            "Connect this pin (index or name) to the channel, and put it back at the end",
        ),
        edge: Edges = arguments::option("edge", "EDGE", "The edges to stamp")
            .value_parser(PossibleValuesParser::new(["rising", "falling", "both"]).map(edges))
            .default_value("rising"),
        offset_events: bool =
            arguments::flag("offset-events", "Ask for offsets instead of times (EXT_OFFSET)"),
        only: bool =
            arguments::flag("only", "Receive this channel's events only (the channel mask)"),
        count: Option<u64> = arguments::option("count", "N", "End after N events")
            .short('c')
            .value_parser(arguments::whole(1_u64, None)),
        duration: Option<Duration> = arguments::duration(arguments::option(
            "duration",
            "TIME",
            "End after this long: 10s, 1m30s",
        )),
        timeout: Option<Duration> = arguments::duration(arguments::option(
            "timeout",
            "TIME",
            "Exit with status 5 if no event came for this long",
        )),
        off: bool =
            arguments::flag("off", "Switch the channel off, whoever switched it on, and end")
                .conflicts_with_all([
                    "pin",
                    "edge",
                    "offset_events",
                    "only",
                    "count",
                    "duration",
                    "timeout",
                    "keep",
                ]),
        keep: bool =
            arguments::flag("keep", "Leave the timestamps and the pin switched on at the end"),
    }
}

// Clap passes the value as a String.
#[expect(clippy::needless_pass_by_value, reason = "a parser's map takes a String")]
fn edges(name: String) -> Edges {
    match name.as_str() {
        "falling" => Edges::Falling,
        "both" => Edges::Both,
        _ => Edges::Rising,
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Switches external timestamps of a channel on and prints each event on a line, at \
             once: the clock's time at the edge, the channel, and the interval to the event before \
             on that channel. Events from before the start are dropped. If the intervals show that \
             events are missing in between (the kernel silently drops the oldest events of a slow \
             reader), the line says how many. 'ptpctl stability --from' reads the lines that \
             --json prints.\n\nAt the end, also after Ctrl-C, SIGTERM or another signal, a closed \
             pipe or an error, what was switched on is switched off again, and a pin gets its \
             function back. If several ptpctl watch one channel, the last one to end does that. \
             (If that pin had a periodic output, the kernel has switched it off, and it stays \
             off.)\n\nOther programs may have switched on other channels; --only leaves their \
             events out. Without --count and --duration it runs until it is stopped. If no event \
             came within --duration, or none for --timeout, the exit status is 5.\n\nA program \
             that is killed (SIGKILL) can't switch off what it switched on. The next call of \
             ptpctl on that clock reports what was left on, and the commands that put it right: \
             --off for a channel, 'ptpctl pin' for a pin.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl extts --count 3 mock\n  \
             ptpctl extts --pin SDP1 --channel 1 --edge both --duration 2s mock\n  \
             ptpctl extts --timeout 2s --json mock | head -n 2\n  \
             ptpctl extts --off --channel 1",
        )
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let Args { channel, edge: edges, offset_events, .. } = *args;
    let request = ExttsRequest { channel, edges, offset_events };
    let phc = context.open_to_change()?;
    context.has_pin.set(args.pin.is_some());
    phc.check_extts(channel)?;
    if args.off {
        return switch_off(&phc, channel);
    }
    let pin = args.pin.as_deref().map(|name| phc.find_pin(name)).transpose()?;
    if phc.is_dry() {
        let report = would(Report::on(phc.name()), request, pin.as_ref(), args);
        let Some(pin) = pin else {
            let pins = phc.pins().unwrap_or_default();
            let has_it = |pin: &Pin| pin.has(PinFunction::Extts, channel);
            return Ok(if pins.is_empty() || pins.iter().any(has_it) {
                report
            } else {
                report.note(format!(
                    "no pin is connected to channel {channel}: many drivers want one, --pin \
                     connects it"
                ))
            });
        };
        let loser = phc.check_pin(&pin, PinFunction::Extts, channel)?;
        let loss = loser.map(|Pin { index, name, .. }| {
            format!("pin {index} ({name}) would lose channel {channel} meanwhile")
        });
        let off = Some(&pin).filter(|pin| pin.function != PinFunction::Extts);
        let notes = loss.into_iter().chain(off.and_then(switched_off));
        return Ok(notes.fold(report, Report::note));
    }
    // Caught before anything is switched on, so that nothing stays on.
    let signals = catch_signals()?;
    let part = Part::Extts(channel);
    let mut guard = phc.guard(Some(context.begin_journal(&phc)));
    guard.share(part)?;
    let watched = watch(context, args, &phc, &signals, (request, pin.as_ref()), &mut guard);
    // A channel that couldn't be switched on isn't left on or kept.
    if guard.change_of(part).is_some() {
        if guard.leave(part) {
            context.printer.aside(&format!(
                "channel {channel} stays on: another ptpctl watches it, and the last one switches it \
                 off"
            ));
        } else if args.keep {
            phc.keep(&mut guard);
        }
    } else {
        guard.disown();
    }
    // A signal also makes a blocked write fail: the signal is the cause then.
    let watched = match signals.came() {
        Some(_) => Err(Failure::Signal(signals)),
        None => watched,
    };
    context.end(guard, watched).map(|()| Report::new())
}

/// What would be watched.
fn would(report: Report, request: ExttsRequest, pin: Option<&Pin>, args: &Args) -> Report {
    let channel = request.channel;
    let edges = match request.edges {
        Edges::Rising => "rising",
        Edges::Falling => "falling",
        Edges::Both => "both",
    };
    let report = report
        .headline(format!("external timestamps of channel {channel} would be on"))
        .value("channel", channel)
        .row("edges", edges, "edges", edges);
    let report = match pin {
        Some(pin) => report.row("pin", format!("{} ({})", pin.index, pin.name), "pin", pin.index),
        None => report.value("pin", None::<u32>),
    };
    let offsets = if request.offset_events { "offsets, not times" } else { "" };
    let only = if args.only { "of this channel alone" } else { "" };
    report
        .row("events", offsets, "offset_events", request.offset_events)
        .row("received", only, "only", args.only)
        .value("dry_run", true)
}

fn switch_off(phc: &Writer, channel: u32) -> Result<Report, Failure> {
    phc.disable_extts(channel)?;
    let done = if phc.is_dry() { "would be off" } else { "are off" };
    let report = Report::on(phc.name())
        .headline(format!("external timestamps of channel {channel} {done}"))
        .value("channel", channel)
        .value("enabled", false)
        .value("dry_run", phc.is_dry());
    let has_it = |pin: &Pin| pin.has(PinFunction::Extts, channel);
    // A failure to read the pins isn't a failure of the command: it is ignored.
    Ok(match phc.pins().unwrap_or_default().into_iter().find(has_it) {
        Some(Pin { index, name, .. }) => report.note(format!(
            "pin {index} ({name}) still has that channel: 'ptpctl pin {index} none' removes it"
        )),
        None => report,
    })
}

fn watch(
    context: &mut Context<'_>,
    args: &Args,
    phc: &Writer,
    signals: &Signals,
    (request, pin): (ExttsRequest, Option<&Pin>),
    guard: &mut Guard<'_>,
) -> Result<(), Failure> {
    let channel = request.channel;
    if let Some(off) = pin.filter(|pin| pin.function != PinFunction::Extts).and_then(switched_off) {
        context.printer.aside(&off);
    }
    let loser = match pin {
        Some(pin) => guard.set_pin(pin, PinFunction::Extts, channel)?,
        None => None,
    };
    if let Some(Pin { index, name, .. }) = &loser {
        context.printer.aside(&format!("pin {index} ({name}) loses channel {channel} meanwhile"));
    }
    let mut only = None;
    if args.only {
        match phc.receive_only(&[channel]) {
            Ok(()) => {}
            // Old kernels have no mask; then what isn't wanted is left out here.
            Err(error) if error.errno() == Some(Errno::ENOTTY) => only = Some(channel),
            Err(error) => return Err(error.into()),
        }
    }
    phc.drop_stale_events()?;
    let strictly = guard.enable_shared_extts(request);
    if strictly.is_err() {
        phc.switched_off(pin.into_iter().chain(&loser));
    }
    if !strictly? {
        context.printer.aside(
            "this kernel or driver doesn't check requests: it may stamp other edges than those \
             asked for",
        );
    }
    let limits = Limits {
        are_both_asked: request.edges == Edges::Both,
        count: args.count,
        duration: args.duration,
        timeout: args.timeout,
        only,
    };
    receive(context, phc, signals, &limits)
}

/// When the watch ends, and what it leaves out.
struct Limits {
    /// Whether both edges were asked for.
    are_both_asked: bool,
    count: Option<u64>,
    duration: Option<Duration>,
    timeout: Option<Duration>,
    only: Option<u32>,
}

/// The longest poll. One may miss that the clock was removed just before it, so it must not be
/// long.
const LONGEST_POLL: Duration = Duration::from_secs(1);

fn receive(
    context: &mut Context<'_>,
    phc: &Phc,
    signals: &Signals,
    limits: &Limits,
) -> Result<(), Failure> {
    let stdout = standard_output();
    // Even with no events requested, poll reports that a pipe has no reader any more.
    let wake = [
        PollFd::new(signals.fd(), PollFlags::POLLIN),
        PollFd::new(stdout.as_fd(), PollFlags::empty()),
    ];
    let mut lines = Lines { are_both_asked: limits.are_both_asked, ..Lines::default() };
    let mut events = Vec::new();
    // Time is measured on the clock's own system, since a mock's time may be virtual.
    let began = phc.monotonic()?;
    let mut quiet_since = began;
    while limits.count.is_none_or(|count| lines.number < count) {
        let now = phc.monotonic()?;
        let left = |limit: Option<Duration>, since: Duration| {
            limit.map(|limit| limit.saturating_sub(now.saturating_sub(since)))
        };
        let until_end = left(limits.duration, began);
        let until_timeout = left(limits.timeout, quiet_since);
        if until_end == Some(Duration::ZERO) {
            break;
        }
        if until_timeout == Some(Duration::ZERO) {
            return Err(in_vain(phc, limits.timeout));
        }
        let until = [until_end, until_timeout].into_iter().flatten().min();
        match phc.wait(&wake, until.map_or(LONGEST_POLL, |until| until.min(LONGEST_POLL)))? {
            Wait::Events => {
                phc.read_events(&mut events)?;
                let wanted =
                    events.iter().filter(|e| limits.only.is_none_or(|only| only == e.channel));
                for event in wanted {
                    if limits.count.is_some_and(|count| lines.number >= count) {
                        break;
                    }
                    lines.print(context, phc, event)?;
                    quiet_since = now;
                }
                // One write for all that came at once.
                context.printer.flush()?;
            }
            Wait::Woken if signals.came().is_some() => return Ok(()),
            Wait::Woken if is_closed(&stdout) => {
                return Err(Failure::Output(io::ErrorKind::BrokenPipe.into()));
            }
            Wait::Woken | Wait::TimedOut | Wait::Gone => {}
        }
        if signals.came().is_some() {
            return Ok(());
        }
    }
    if lines.number == 0 { Err(in_vain(phc, limits.duration)) } else { Ok(()) }
}

fn in_vain(phc: &Phc, waited: Option<Duration>) -> Failure {
    let waited = humantime::format_duration(waited.unwrap_or_default());
    let cause = match phc.caps() {
        Ok(caps) if caps.pins == 0 => "is there a signal, on this channel?".to_owned(),
        _ => format!(
            "is there a signal, at the right pin? 'ptpctl pins {}' shows which pin has the channel",
            quoted(&phc.name().device)
        ),
    };
    Failure::InVain(format!("no event came from {} for {waited}: {cause}", phc.name()))
}

/// Whether the reader of standard output has gone away.
pub(in crate::cli) fn is_closed(stdout: &impl AsFd) -> bool {
    let mut poll = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    nix::poll::poll(&mut poll, nix::poll::PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// The lines printed so far, and what the next one is compared with.
#[derive(Default)]
struct Lines {
    /// Whether both edges were asked for.
    are_both_asked: bool,
    number: u64,
    channels: BTreeMap<u32, Before>,
}

/// What came before on a channel.
#[derive(Default)]
struct Before {
    last: Option<Timestamp<Unknown>>,
    gaps: Gaps,
    alternation: Alternation,
}

impl Lines {
    fn print(&mut self, context: &mut Context<'_>, phc: &Phc, event: &Event) -> io::Result<()> {
        self.number += 1;
        let channel = event.channel;
        let name = phc.name();
        let mut object = vec![
            ("device", Value::from(name.device.as_str())),
            ("clock_name", name.clock_name.clone().into()),
            ("channel", channel.into()),
        ];
        let text = match event.kind {
            EventKind::Offset(offset) => {
                object.push(("offset_ns", offset.into()));
                format!("channel {channel}  offset {offset:+}")
            }
            EventKind::Time(time) => {
                let before = self.channels.entry(channel).or_default();
                let interval = before.last.replace(time).and_then(|last| time.since(last));
                let missing = before.gaps.next(time.total_nanoseconds());
                object.extend([
                    ("time", time.into()),
                    ("interval_ns", interval.map(Offset::nanoseconds).into()),
                    ("missing", missing.into()),
                ]);
                let both = interval.and_then(|interval| before.alternation.next(interval));
                if let Some((short, long)) = both.filter(|_| !self.are_both_asked) {
                    let note = format!(
                        "the intervals of channel {channel} alternate, {short} and {long}: both \
                         edges are stamped, though only one was asked for"
                    );
                    context.printer.aside(&note);
                    object.push(("notes", vec![note].into()));
                }
                let interval = interval.map_or(String::new(), |i| format!("  {i:+}"));
                let missing = match missing {
                    0 => String::new(),
                    _ => format!("  ({missing} missing before it)"),
                };
                format!("{time}  channel {channel}{interval}{missing}")
            }
        };
        context.printer.line(&text, &object)
    }
}
