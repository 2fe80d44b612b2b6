//! Periodic outputs and external timestamps, through two pins that are wired together.

use super::pins::free;
use super::{Check, Group, time};
use crate::Offset;
use crate::phc::{
    Access, Caps, Edges, Error, Event, EventKind, ExttsRequest, Perout, PeroutLoss, PeroutStart,
    Phc, Pin, PinFunction,
};
use crate::selftest::bench::{Bench, Capture, Loop};
use crate::selftest::clock::ask;
use crate::selftest::verdict::{Stop, Verdict, must, skip};
use crate::selftest::words::{span, time};
use nix::errno::Errno;
use std::time::Duration;

pub(super) static EXTTS: Group = Group {
    name: "extts",
    changes: Some("stamp the edges of the loop"),
    checks: &[&HAS_EDGES, &ONLY_ASKED, &EVENTS_IN_ORDER, &LOSES_NONE, &TWO_READERS, &EXTTS_ENDS],
};

pub(super) static PEROUT: Group = Group {
    name: "perout",
    changes: Some("pulse through the loop"),
    checks: &[&PERIOD, &PHASE, &WIDTH, &PEROUT_ENDS],
};

static EDGES: [&Check; 1] = [&HAS_EDGES];

static ASKED: [&Check; 2] = [&HAS_EDGES, &ONLY_ASKED];

static PERIODIC: [&Check; 3] = [&HAS_EDGES, &ONLY_ASKED, &PERIOD];

const MILLISECOND: i64 = 1_000_000;
/// How far an edge may be off: cables, filters, and the resolution of both ends.
const EDGE_TOLERANCE: i128 = 10_000;
/// The number of periods that are watched.
const PERIODS: u32 = 12;

/// The loop, with a channel of each kind.
struct Wired {
    output: u32,
    input: u32,
}

impl Loop {
    /// The channel that a pin has already, or one that no pin has.
    fn free_channels(&self, caps: &Caps, pins: &[Pin]) -> Option<(u32, u32)> {
        let channel = |pin: &Pin, function, channels: u32| {
            if pin.function == function {
                return Some(pin.channel);
            }
            free(pins, function, channels)
        };
        let output = channel(&self.from, PinFunction::Perout, caps.perout_channels)?;
        let input = channel(&self.to, PinFunction::Extts, caps.extts_channels)?;
        Some((output, input))
    }
}

/// Connects both pins. A pin that has a channel already keeps it.
fn connect(bench: &mut Bench<'_>) -> Result<Wired, Stop> {
    let Some(wire) = bench.wire.clone() else {
        return skip("no loop was given (--loop OUT:IN)");
    };
    let Some((output, input)) = wire.free_channels(&bench.caps, &bench.pins()?) else {
        return skip("there is no free channel for the loop");
    };
    if bench.caps.pins == 0 {
        return Ok(Wired { output, input });
    }
    let Loop { from, to } = wire;
    let ends = [(from, PinFunction::Perout, output), (to, PinFunction::Extts, input)];
    for (pin, function, channel) in ends {
        bench.account.touched.pins = true;
        match bench.account.guard.set_pin(&pin, function, channel) {
            Err(error) if error.errno() == Some(Errno::EOPNOTSUPP) => {
                bench.account.guard.put_back_pins()?;
                let Pin { index, name, .. } = pin;
                return skip(format!("pin {index} ({name}) can't have {function}: another loop?"));
            }
            set => drop(set?),
        }
    }
    Ok(Wired { output, input })
}

/// Switches everything off again and gives the pins back.
fn disconnect(bench: &mut Bench<'_>) -> Verdict {
    let guard = &mut bench.account.guard;
    Ok(guard.put_back_channels().and(guard.put_back_pins())?)
}

/// An output that was started.
struct Started {
    period: i64,
    /// When it starts, on the clock: the start that was asked for, or the time of the request.
    at: i128,
    /// Whether it was given a start some seconds ahead, which no driver has promised to accept.
    has_start: bool,
    /// Whether its phase is known.
    is_in_phase: bool,
    loss: PeroutLoss,
}

/// Starts the output, with 10 pulses a second, or with one where the driver accepts nothing else. A
/// driver that refuses a start some seconds ahead may accept a phase, or a start of 0.
fn start(bench: &mut Bench<'_>, wired: &Wired, pulse_width: Option<i64>) -> Result<Started, Stop> {
    let mut refused = None;
    for period in [100 * MILLISECOND, 1_000 * MILLISECOND] {
        let now = bench.clock.when_free(Phc::time)?;
        let time = |seconds| {
            let out = || Stop::Wrong("the clock's time is out of range".into());
            crate::Timestamp::new(seconds, 0).ok_or_else(out)
        };
        // In phase with the clock's seconds, from the second after the next.
        let ahead = time(now.seconds() + 2)?;
        let starts =
            [PeroutStart::At(ahead), PeroutStart::Phase(Offset::ZERO), PeroutStart::At(time(0)?)];
        for start in starts {
            let perout = Perout {
                channel: wired.output,
                period: Offset::from_nanoseconds(period),
                pulse_width: pulse_width.map(|parts| Offset::from_nanoseconds(period / parts)),
                start,
                one_shot: false,
            };
            match bench.account.guard.enable_perout(perout) {
                Ok(loss) => {
                    let has_start = start == PeroutStart::At(ahead);
                    let at = if has_start { ahead } else { now }.total_nanoseconds();
                    let is_in_phase = has_start || start == PeroutStart::Phase(Offset::ZERO);
                    return Ok(Started { period, at, has_start, is_in_phase, loss });
                }
                Err(error) if error.is_unsupported() || error.errno() == Some(Errno::EINVAL) => {
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    match refused {
        Some(error) if pulse_width.is_some() => skip(format!("the driver refuses it, {error}")),
        Some(error) => Err(error.into()),
        None => skip("no period was tried"),
    }
}

/// Switches timestamps on. Returns whether the driver was asked strictly.
fn enable(bench: &mut Bench<'_>, channel: u32, edges: Edges) -> Result<bool, Stop> {
    bench.clock.phc.drop_stale_events()?;
    let request = ExttsRequest { channel, edges, offset_events: false };
    Ok(bench.account.guard.enable_extts(request)?)
}

/// The times of this channel's events.
fn times(events: &[Event], channel: u32) -> impl Iterator<Item = i128> {
    events.iter().filter(move |event| event.channel == channel).filter_map(|event| {
        match event.kind {
            EventKind::Time(time) => Some(time.total_nanoseconds()),
            EventKind::Offset(_) => None,
        }
    })
}

/// The number of periods of an output that are watched: fewer of a slow one.
fn periods(period: i64) -> u32 {
    if period >= 1_000 * MILLISECOND { 3 } else { PERIODS }
}

/// How long to watch: until the output has started, and for its periods.
fn long_enough(period: i64) -> Duration {
    let one = Duration::from_nanos(u64::try_from(period).unwrap_or(0));
    Duration::from_secs(2) + one * periods(period)
}

/// Watches the loop with rising edges, once for all checks.
fn captured(bench: &mut Bench<'_>) -> Result<Capture, Stop> {
    if let Some(capture) = &bench.capture {
        return Ok(capture.clone());
    }
    let wired = connect(bench)?;
    let outcome = capture(bench, &wired);
    disconnect(bench)?;
    let capture = outcome?;
    bench.capture = Some(capture.clone());
    Ok(capture)
}

fn capture(bench: &mut Bench<'_>, wired: &Wired) -> Result<Capture, Stop> {
    let is_strict = enable(bench, wired.input, Edges::Rising)?;
    let Started { period, at, has_start, is_in_phase, .. } = start(bench, wired, None)?;
    if !has_start {
        bench.note("the driver refuses a start some seconds ahead: no driver has to accept one");
    }
    let mut came = Vec::new();
    bench.clock.watch(bench.clock.phc, long_enough(period), |events| {
        came.extend(times(events, wired.input));
    })?;
    let number = came.len();
    bench.note(format!("{number} events with a period of {}", span(period.into())));
    // Events before the output is on aren't its own. Its first edge may be early, but by far less
    // than a period.
    let early = came.iter().filter(|time| **time < at - i128::from(period) / 2).count();
    must(early == 0, || {
        format!("{early} events came before the output began: something else is wired to the input")
    })?;
    let least = usize::try_from(periods(period) / 2).unwrap_or(usize::MAX).max(2);
    must(number >= least, || {
        format!(
            "{number} events came through the loop, at least {} were expected: are the pins \
             wired, is one of them an input?",
            periods(period)
        )
    })?;
    let period = i128::from(period);
    if !is_strict {
        // The falling edges, half a period later, may be there, too.
        came.retain(|time| (time + period / 4).rem_euclid(period) < period / 2);
    }
    Ok(Capture { period, times: came, is_strict, is_in_phase })
}

pub(super) static HAS_EDGES: Check = Check {
    group: &EXTTS,
    name: "has the edges of the loop",
    needs: &[&time::ADVANCES],
    run: has_edges,
};

fn has_edges(bench: &mut Bench<'_>) -> Verdict {
    captured(bench).map(drop)
}

/// The distances between events, in their order in time.
fn distances(came: &[i128]) -> Vec<i128> {
    let mut sorted = came.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?)).collect()
}

pub(super) static ONLY_ASKED: Check = Check {
    group: &EXTTS,
    name: "has only the edges that were asked for",
    needs: &EDGES,
    run: only_asked,
};

fn only_asked(bench: &mut Bench<'_>) -> Verdict {
    let Capture { period, times, is_strict, .. } = captured(bench)?;
    if !is_strict {
        let why = "the driver or the kernel takes no strict request, and minds no edges";
        return Err(Stop::Untold(why.into()));
    }
    // The falling edges of a pulse would come in between.
    let short = distances(&times).into_iter().find(|gap| *gap < period * 9 / 10);
    must(short.is_none(), || {
        format!("rising edges were asked for; two events are {} apart", span(short.unwrap_or(0)))
    })
}

pub(super) static EVENTS_IN_ORDER: Check =
    Check { group: &EXTTS, name: "has events in order", needs: &EDGES, run: events_in_order };

fn events_in_order(bench: &mut Bench<'_>) -> Verdict {
    let Capture { times, .. } = captured(bench)?;
    for pair in times.windows(2) {
        let [first, second] = pair else { continue };
        must(first <= second, || {
            format!("an event is {} older than the one before it", span(first - second))
        })?;
    }
    Ok(())
}

pub(super) static LOSES_NONE: Check =
    Check { group: &EXTTS, name: "loses no event", needs: &ASKED, run: loses_none };

fn loses_none(bench: &mut Bench<'_>) -> Verdict {
    let Capture { period, times, .. } = captured(bench)?;
    let long = distances(&times).into_iter().find(|gap| *gap > period * 3 / 2);
    must(long.is_none(), || format!("two events are {} apart", span(long.unwrap_or(0))))
}

pub(super) static TWO_READERS: Check = Check {
    group: &EXTTS,
    name: "gives two readers every event each",
    needs: &EDGES,
    run: two_readers,
};

fn two_readers(bench: &mut Bench<'_>) -> Verdict {
    let outcome = count_at_two(bench);
    disconnect(bench)?;
    let (one, other) = outcome?;
    bench.note(format!("{one} and {other} events"));
    // Before Linux 6.7 there is one queue for all.
    let reader = bench.clock.reopen(Access::ReadOnly)?;
    if ask(&reader, |clock| clock.mask_clear_all()) == Err(Errno::ENOTTY) {
        return skip("this kernel has one queue for all readers");
    }
    must(one.abs_diff(other) <= 1 && one > 0 && other > 0, || {
        format!("one reader got {one} events, the other {other}")
    })
}

fn count_at_two(bench: &mut Bench<'_>) -> Result<(usize, usize), Stop> {
    let wired = connect(bench)?;
    let reader = bench.clock.reopen(Access::ReadOnly)?;
    // Receive only this channel: others may be on, and this reader's queue is read only at the end.
    // Old kernels have no mask.
    let _ = reader.receive_only(&[wired.input]);
    enable(bench, wired.input, Edges::Rising)?;
    let Started { period, .. } = start(bench, &wired, None)?;
    let mut counts = (0, 0);
    bench.clock.watch(bench.clock.phc, long_enough(period), |events| {
        counts.0 += times(events, wired.input).count();
    })?;
    counts.1 = waiting(&reader, wired.input)?;
    Ok(counts)
}

/// The events of a channel that wait at a handle.
fn waiting(phc: &Phc, channel: u32) -> Result<usize, Stop> {
    let mut number = 0;
    let mut events = Vec::new();
    while phc.wait(&[], Duration::ZERO)? == crate::kernel::Wait::Events {
        phc.read_events(&mut events)?;
        number += times(&events, channel).count();
    }
    Ok(number)
}

pub(super) static EXTTS_ENDS: Check =
    Check { group: &EXTTS, name: "ends when it is switched off", needs: &EDGES, run: extts_ends };

fn extts_ends(bench: &mut Bench<'_>) -> Verdict {
    let outcome =
        events_after(bench, |bench, wired| bench.account.guard.disable_extts(wired.input));
    disconnect(bench)?;
    let number = outcome?;
    must(number == 0, || format!("{number} events came after it was switched off"))
}

pub(super) static PEROUT_ENDS: Check =
    Check { group: &PEROUT, name: "ends when it is switched off", needs: &EDGES, run: perout_ends };

fn perout_ends(bench: &mut Bench<'_>) -> Verdict {
    let outcome =
        events_after(bench, |bench, wired| bench.account.guard.disable_perout(wired.output));
    disconnect(bench)?;
    let number = outcome?;
    must(number == 0, || format!("{number} edges came after it was switched off"))
}

/// The number of events that come after something was switched off, while the rest is on.
fn events_after(
    bench: &mut Bench<'_>,
    off: impl FnOnce(&mut Bench<'_>, &Wired) -> Result<(), Error>,
) -> Result<usize, Stop> {
    let wired = connect(bench)?;
    enable(bench, wired.input, Edges::Rising)?;
    let Started { period, .. } = start(bench, &wired, None)?;
    // Events must come first, or it would prove nothing that they end.
    let mut before = 0;
    bench.clock.watch(bench.clock.phc, long_enough(period), |events| {
        before += times(events, wired.input).count();
    })?;
    must(before > 0, || "no event came through the loop".into())?;
    off(bench, &wired)?;
    waiting(bench.clock.phc, wired.input)?;
    let mut after = 0;
    let span = Duration::from_nanos(u64::try_from(period * 5 / 2).unwrap_or(0));
    bench
        .clock
        .watch(bench.clock.phc, span, |events| after += times(events, wired.input).count())?;
    Ok(after)
}

fn of_periods(periods: i128, period: i128) -> String {
    let number = if periods == 1 { "a period".into() } else { format!("{periods} periods") };
    format!("{number} of {}", span(period))
}

pub(super) static PERIOD: Check =
    Check { group: &PEROUT, name: "has the period that was asked for", needs: &ASKED, run: period };

fn period(bench: &mut Bench<'_>) -> Verdict {
    let Capture { period, times, .. } = captured(bench)?;
    for gap in distances(&times) {
        // Another check reports lost events.
        let periods = ((gap + period / 2) / period).max(1);
        let off = gap - periods * period;
        must(off.abs() <= EDGE_TOLERANCE, || {
            format!("{} took {}", of_periods(periods, period), span(gap))
        })?;
    }
    Ok(())
}

pub(super) static PHASE: Check =
    Check { group: &PEROUT, name: "is in phase", needs: &PERIODIC, run: phase };

fn phase(bench: &mut Bench<'_>) -> Verdict {
    let Capture { period, times, is_in_phase, .. } = captured(bench)?;
    if !is_in_phase {
        return Err(Stop::Untold("the driver chooses the start itself".into()));
    }
    let worst = times
        .iter()
        .map(|at| (at + period / 2).rem_euclid(period) - period / 2)
        .max_by_key(|off| off.abs())
        .unwrap_or(0);
    bench.note(format!("the edges are off by {} at most", time(worst)));
    must(worst.abs() <= EDGE_TOLERANCE, || {
        format!("the output started at a whole second, an edge is off by {}", time(worst))
    })
}

pub(super) static WIDTH: Check = Check {
    group: &PEROUT,
    name: "has the pulse width that was asked for",
    needs: &PERIODIC,
    run: width,
};

fn width(bench: &mut Bench<'_>) -> Verdict {
    let outcome = both_edges(bench);
    disconnect(bench)?;
    let (period, came) = outcome?;
    // A fifth of the period high, the rest low.
    let high = i128::from(period / 5);
    let low = i128::from(period) - high;
    let gaps = distances(&came);
    must(gaps.len() >= 2, || format!("{} events came with both edges on", came.len()))?;
    for gap in gaps {
        // Lost events, which another check reports, leave whole periods.
        let rest = gap.rem_euclid(period.into());
        let off = [0, high, low, period.into()].map(|edge| (rest - edge).abs());
        must(off.iter().any(|off| *off <= EDGE_TOLERANCE), || {
            let (high, low) = (span(high), span(low));
            format!("{high} high and {low} low were asked for, found {}", span(gap))
        })?;
    }
    Ok(())
}

fn both_edges(bench: &mut Bench<'_>) -> Result<(i64, Vec<i128>), Stop> {
    let wired = connect(bench)?;
    match enable(bench, wired.input, Edges::Both) {
        Err(Stop::Failed(error)) if error.is_unsupported() => {
            return skip("the driver doesn't stamp both edges");
        }
        other => drop(other?),
    }
    let Started { period, loss, .. } = start(bench, &wired, Some(5))?;
    if loss != PeroutLoss::Nothing {
        return skip("the kernel or the driver takes no pulse width");
    }
    let mut came = Vec::new();
    bench.clock.watch(bench.clock.phc, long_enough(period), |events| {
        came.extend(times(events, wired.input));
    })?;
    Ok((period, came))
}
