//! testptp, the kernel's test program: `tools/testing/selftests/ptp/testptp.c` of Linux 7.2.

use super::calendar::ctime;
use super::flags::{Asked, MOST_SAMPLES, Misread, Set, read, usage};
use super::{Calls, WRONG, errno, shown, tell_in_words, wrong_usage};
use crate::cli::commands::extts::is_closed;
use crate::cli::commands::perout::PHASE_AS_START;
use crate::cli::commands::set_system;
use crate::cli::failure::{Failure, catch_signals};
use crate::cli::{Context, DEFAULT_DEVICE};
use crate::kernel::uapi::{
    PTP_ENABLE_FEATURE, PTP_EXT_OFFSET, PTP_EXTTS_EDGES, PTP_FALLING_EDGE, PTP_RISING_EDGE,
    PTP_STRICT_FLAGS, ptp_clock_time,
};
use crate::kernel::{Signals, Version, Wait};
use crate::phc::{
    Caps, Event, EventKind, Method, Perout, PeroutLoss, PeroutStart, PhaseControl, Phc, Pin,
    PinFunction, SystemClock,
};
use crate::report::{Report, standard_output};
use crate::restore::{Guard, Writer};
use crate::{Frequency, Offset, Sample, TaiOffset, Timestamp};
use nix::poll::{PollFd, PollFlags};
use std::fmt::Write as _;
use std::io::Read;
use std::os::fd::AsFd;
use std::time::Duration;

pub(super) fn run(context: &mut Context<'_>, words: &[String]) -> Result<Report, Failure> {
    let asked = match read(words) {
        Ok(asked) => asked,
        Err(Misread::Flags(why)) => {
            context.printer.plain_error(&format!("testptp: {why}\n{}", usage().trim_end()));
            return Err(Failure::Status(WRONG));
        }
        Err(Misread::Refused(why)) => {
            context.printer.plain_error(&why);
            return Err(Failure::Status(WRONG));
        }
        Err(Misread::Doubtful(why)) => return Err(wrong_usage(context, &why)),
    };
    if asked.help {
        context.printer.plain_error(usage().trim_end());
        return Ok(Report::new());
    }
    if let Some((why, shows_usage)) = lacks(&asked) {
        context.printer.bytes(format!("{why}\n").as_bytes())?;
        if shows_usage {
            context.printer.plain_error(usage().trim_end());
        }
        return Err(Failure::Status(WRONG));
    }
    for word in &asked.stray {
        context.printer.aside(&format!("'{word}' belongs to no flag, and is passed over"));
    }
    let device = asked.device.clone().unwrap_or_else(|| DEFAULT_DEVICE.into());
    let mut calls = Calls::on(context, &device);
    let Some(phc) = open(&mut calls, &asked, &device) else {
        return Err(Failure::Status(WRONG));
    };
    look(&mut calls, &phc, &asked)?;
    calls.end()
}

/// What testptp says where flags don't fit together, and whether its usage follows.
fn lacks(asked: &Asked) -> Option<(&'static str, bool)> {
    if asked.pulse_width.is_some() && asked.period.is_none() {
        return Some(("-w can only be specified together with -p", false));
    }
    if asked.phase.is_some() && asked.period.is_none() {
        return Some(("-H can only be specified together with -p", false));
    }
    let is_few = |number: i64| (1..=MOST_SAMPLES).contains(&number);
    (!asked.samples.is_none_or(is_few)).then_some(("n_samples should be between 1 and 25", true))
}

/// Opens the clock, or says in testptp's words why it can't be.
fn open(calls: &mut Calls<'_, '_>, asked: &Asked, device: &str) -> Option<Writer> {
    match calls.open(asked.changes() && !asked.read_only) {
        Ok(phc) => Some(phc),
        Err(failure) => {
            tell_in_words(calls.context, &format!("opening {device}"), &failure);
            calls.failed(failure);
            None
        }
    }
}

/// Makes the calls, in testptp's order.
fn look(calls: &mut Calls<'_, '_>, phc: &Writer, asked: &Asked) -> Result<(), Failure> {
    if asked.caps {
        let caps = phc.caps().map(|caps| told_caps(&caps));
        calls.made("PTP_CLOCK_GETCAPS", caps.map_err(Failure::from))?;
    }
    change_time(calls, phc, asked)?;
    if let Some((pin, function)) = asked.pin {
        let set = set_pin(phc, pin, function, asked.channel);
        calls.made("PTP_PIN_SETFUNC", set.map(|()| "set pin function okay\n".into()))?;
    }
    if asked.events != 0 {
        watch(calls, phc, asked)?;
    }
    if asked.flag_test {
        try_flags(calls, phc, asked.channel)?;
    }
    if asked.pins {
        let pins = phc.pins().map(|pins| told_pins(&pins));
        calls.made("PTP_PIN_GETFUNC", pins.map_err(Failure::from))?;
    }
    if let Some(period) = asked.period {
        let on = put_out(calls, phc, asked, period);
        calls.made("PTP_PEROUT_REQUEST", on.map(|()| "periodic output request okay\n".into()))?;
    }
    if let Some(on) = asked.pps {
        let switched = phc.enable_pps(on).map(|()| "pps for system time request okay\n".into());
        calls.made("PTP_ENABLE_PPS", switched.map_err(Failure::from))?;
    }
    measure(calls, phc, asked)?;
    match asked.only_channel {
        Some(channel) => receive_only(calls, phc, channel),
        None => Ok(()),
    }
}

fn told_caps(caps: &Caps) -> String {
    let limit = match caps.phase_control {
        PhaseControl::Offered { limit: Some(limit) } => limit.nanoseconds(),
        // Kernels that don't tell the limit leave it 0.
        PhaseControl::Offered { limit: None } | PhaseControl::NotOffered => 0,
    };
    format!(
        "capabilities:\n  \
         {} maximum frequency adjustment (ppb)\n  \
         {} programmable alarms\n  \
         {} external time stamp channels\n  \
         {} programmable periodic signals\n  \
         {} pulse per second\n  \
         {} programmable pins\n  \
         {} cross timestamping\n  \
         {} adjust_phase\n  \
         {limit} maximum phase adjustment (ns)\n",
        caps.max_frequency_ppb,
        caps.alarms,
        caps.extts_channels,
        caps.perout_channels,
        u8::from(caps.pps),
        caps.pins,
        u8::from(caps.cross_timestamping),
        u8::from(caps.phase_control.is_offered()),
    )
}

/// Frequency, step, phase offset, and the times.
fn change_time(calls: &mut Calls<'_, '_>, phc: &Writer, asked: &Asked) -> Result<(), Failure> {
    const ADJTIME: &str = "clock_adjtime";
    if let Some(ppb) = asked.frequency {
        let dialled = phc.set_frequency(Frequency::from_ppb(ppb)).map_err(Failure::from);
        calls.made(ADJTIME, dialled.map(|()| "frequency adjustment okay\n".into()))?;
    }
    if asked.step_seconds != 0 || asked.step != Offset::ZERO {
        calls.made(ADJTIME, step(phc, asked).map(|()| "time shift okay\n".into()))?;
    }
    match asked.phase_offset {
        Some(Offset::ZERO) => calls
            .context
            .printer
            .aside("testptp -o 0 writes nothing: 'ptpctl adjphase 0ns' writes a phase offset of 0"),
        Some(offset) => {
            let handed = phc.adjust_phase(offset).map_err(Failure::from);
            calls.made(ADJTIME, handed.map(|_| "phase adjustment okay\n".into()))?;
        }
        None => {}
    }
    if asked.time {
        let time = phc.time().map(|time| {
            let seconds = time.seconds();
            format!("clock time: {} or {}", shown(seconds, time.nanoseconds()), ctime(seconds))
        });
        calls.made("clock_gettime", time.map_err(Failure::from))?;
    }
    if let Some(set) = asked.set {
        let set = match set {
            Set::FromSystem => set_from_system(phc),
            Set::System => set_system::without_options(calls.context),
            Set::To(seconds) => match Timestamp::new(seconds, 0) {
                Some(time) => phc.set_time(time).map_err(Failure::from),
                None => Ok(()),
            },
        };
        calls.made("clock_settime", set.map(|()| "set time okay\n".into()))?;
    }
    Ok(())
}

fn step(phc: &Writer, asked: &Asked) -> Result<(), Failure> {
    let seconds = asked.step_seconds.checked_mul(1_000_000_000);
    let step = seconds.and_then(|seconds| seconds.checked_add(asked.step.nanoseconds()));
    let step = step.ok_or_else(|| Failure::Usage("so long a step doesn't fit 64 bits".into()))?;
    Ok(phc.step(Offset::from_nanoseconds(step))?)
}

fn set_from_system(phc: &Writer) -> Result<(), Failure> {
    let now = phc.system_time()?;
    Ok(phc.set_system_time(now.assume(), TaiOffset(0))?)
}

fn set_pin(phc: &Writer, pin: u32, function: PinFunction, channel: u32) -> Result<(), Failure> {
    let pin = phc.find_pin(&pin.to_string())?;
    phc.set_pin(&pin, function, channel)?;
    Ok(())
}

fn told_pins(pins: &[Pin]) -> String {
    pins.iter().fold(String::new(), |mut text, Pin { index, name, function, channel }| {
        let function = function.to_kernel();
        let _ = writeln!(text, "name {name} index {index} func {function} chan {channel}");
        text
    })
}

/// Switches external timestamps on, prints as many as were asked for, and switches them off.
fn watch(calls: &mut Calls<'_, '_>, phc: &Writer, asked: &Asked) -> Result<(), Failure> {
    const REQUEST: &str = "PTP_EXTTS_REQUEST";
    if asked.read_only {
        let signals = catch_signals()?;
        let read = receive(calls.context, phc, &signals, asked.events);
        if signals.came().is_some() {
            return Err(Failure::Signal(signals));
        }
        return calls.made("read", read.map(|()| String::new()));
    }
    if let Err(error) = phc.check_extts(asked.channel) {
        return calls.made(REQUEST, Err(error.into()));
    }
    // Caught before anything is switched on, so that nothing stays on.
    let signals = catch_signals()?;
    let mut guard = phc.guard(Some(calls.context.begin_journal(phc)));
    let flags = PTP_ENABLE_FEATURE | asked.edges;
    if let Err(error) = guard.request_extts(Version::V1, asked.channel, flags) {
        return calls.made(REQUEST, Err(error.into()));
    }
    calls.made(REQUEST, Ok("external time stamp request okay\n".into()))?;
    let read = receive(calls.context, phc, &signals, asked.events);
    let off = calls.context.end(guard, Ok(()));
    if signals.came().is_some() {
        // Nothing more is printed: perhaps nobody reads.
        if let Err(failure) = off {
            calls.failed(failure);
        }
        return Err(Failure::Signal(signals));
    }
    let made = calls.made("read", read.map(|()| String::new()));
    calls.made(REQUEST, off.map(|()| String::new()))?;
    made
}

/// Prints events until there were as many as were asked for; a negative number has no end.
fn receive(
    context: &mut Context<'_>,
    phc: &Phc,
    signals: &Signals,
    mut left: i64,
) -> Result<(), Failure> {
    let stdout = standard_output();
    // Even with no events requested, poll reports that a pipe has no reader any more.
    let wake = [
        PollFd::new(signals.fd(), PollFlags::POLLIN),
        PollFd::new(stdout.as_fd(), PollFlags::empty()),
    ];
    let mut events = Vec::new();
    let has_ended = || signals.came().is_some();
    // Events may come so fast that there is always one to read.
    while left != 0 && !has_ended() {
        match phc.wait(&wake, Duration::from_secs(1))? {
            Wait::Events => phc.read_events(&mut events)?,
            Wait::Woken if has_ended() => return Ok(()),
            Wait::Woken if is_closed(&stdout) => {
                return Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into());
            }
            Wait::Woken | Wait::TimedOut | Wait::Gone => continue,
        }
        for event in &events {
            if left == 0 || has_ended() {
                break;
            }
            left -= i64::from(left > 0);
            context.printer.bytes(told_event(event).as_bytes())?;
        }
    }
    Ok(())
}

fn told_event(event: &Event) -> String {
    let (seconds, nanoseconds) = match event.kind {
        EventKind::Time(time) => (time.seconds(), time.nanoseconds()),
        EventKind::Offset(offset) => offset.seconds_and_nanoseconds(),
    };
    format!("event index {} at {}\n", event.channel, shown(seconds, nanoseconds))
}

/// Requests external timestamps with each combination of flags, in both versions of the request.
fn try_flags(calls: &mut Calls<'_, '_>, phc: &Writer, channel: u32) -> Result<(), Failure> {
    // The last one is beyond all flags that the kernel knows.
    const FLAGS: [u32; 5] = [
        0,
        PTP_RISING_EDGE,
        PTP_FALLING_EDGE,
        PTP_EXTTS_EDGES,
        (PTP_ENABLE_FEATURE | PTP_EXTTS_EDGES | PTP_STRICT_FLAGS | PTP_EXT_OFFSET) + 1,
    ];
    let signals = catch_signals()?;
    let mut guard = phc.guard(Some(calls.context.begin_journal(phc)));
    for (version, number) in [(Version::V1, ' '), (Version::V2, '2')] {
        for flags in FLAGS {
            if signals.came().is_some() {
                break;
            }
            let flags = PTP_ENABLE_FEATURE | flags;
            let line = tried(&mut guard, version, channel, flags);
            let line = format!("PTP_EXTTS_REQUEST{number} flags 0x{flags:08x} : {line}\n");
            calls.context.printer.bytes(line.as_bytes())?;
        }
    }
    let signal = if signals.came().is_some() { Err(Failure::Signal(signals)) } else { Ok(()) };
    calls.context.end(guard, signal)
}

/// What the clock answers to a request, after which the channel is off again.
fn tried(guard: &mut Guard<'_>, version: Version, channel: u32, flags: u32) -> String {
    match guard.request_extts(version, channel, flags) {
        Ok(()) => {
            // What can't be switched off stays noted, and is reported at the end.
            let _ = guard.disable_extts(channel);
            "(0) Success".into()
        }
        Err(error) => {
            let words = error.raw_os_error().map_or_else(|| error.to_string(), errno::in_words);
            format!("(-1) {words}")
        }
    }
}

/// Switches a periodic output on, or off with a period of 0.
fn put_out(
    calls: &mut Calls<'_, '_>,
    phc: &Writer,
    asked: &Asked,
    period: Offset,
) -> Result<(), Failure> {
    let channel = asked.channel;
    if period == Offset::ZERO {
        return Ok(phc.disable_perout(channel)?);
    }
    let start = if let Some(phase) = asked.phase {
        PeroutStart::Phase(phase)
    } else {
        let start = phc.time()?.seconds().saturating_add(2);
        PeroutStart::At(Timestamp::new(start, 0).unwrap_or_default())
    };
    let mut guard = phc.guard(None);
    let perout = Perout { channel, period, pulse_width: asked.pulse_width, start, one_shot: false };
    let loss = guard.enable_perout(perout)?;
    // The output is meant to stay on.
    phc.keep(&mut guard);
    drop(guard);
    if let PeroutLoss::PhaseAsStart(_) = loss {
        calls.context.printer.aside(PHASE_AS_START);
    }
    Ok(())
}

/// The three ways to measure an offset.
fn measure(calls: &mut Calls<'_, '_>, phc: &Phc, asked: &Asked) -> Result<(), Failure> {
    let realtime = SystemClock::Realtime;
    if let Some(number) = asked.samples.and_then(|number| usize::try_from(number).ok()) {
        let samples = phc.samples(Method::Basic, realtime, false, number);
        let text = samples.map(|samples| told_basic(&samples)).map_err(Failure::from);
        calls.made("PTP_SYS_OFFSET", text)?;
    }
    if let Some(number) = asked.extended {
        let clock = asked.clock.unwrap_or(realtime);
        let samples = phc.samples(Method::Extended, clock, false, number);
        let text = samples.map(|samples| told_extended(&samples, clock)).map_err(Failure::from);
        calls.made("PTP_SYS_OFFSET_EXTENDED", text)?;
    }
    if asked.cross {
        let text = phc.cross_timestamp().map(|[device, system, raw]| {
            let shown = |time: ptp_clock_time| shown(time.sec, time.nsec);
            format!(
                "system and phc crosstimestamping request okay\ndevice time: {}\nsystem time: \
                 {}\nmonoraw time: {}\n",
                shown(device),
                shown(system),
                shown(raw)
            )
        });
        calls.made("PTP_SYS_OFFSET_PRECISE", text.map_err(Failure::from))?;
    }
    Ok(())
}

/// Basic samples, with testptp's sign: positive where the clock is behind.
fn told_basic(samples: &[Sample]) -> String {
    let mut text = String::from("system and phc clock time offset request okay\n");
    for Sample { before, phc, after } in samples {
        let (first, last) = (before.total_nanoseconds(), after.total_nanoseconds());
        let offset = i128::midpoint(first, last) - phc.total_nanoseconds();
        let _ = write!(
            text,
            "system time: {}\nphc    time: {}\nsystem time: {}\n\
             system/phc clock time offset is {offset} ns\n\
             system     clock time delay  is {} ns\n",
            shown(before.seconds(), before.nanoseconds()),
            shown(phc.seconds(), phc.nanoseconds()),
            shown(after.seconds(), after.nanoseconds()),
            last - first
        );
    }
    text
}

fn told_extended(samples: &[Sample], clock: SystemClock) -> String {
    let name = match clock {
        SystemClock::Realtime => "real".to_owned(),
        other => other.to_string(),
    };
    let mut text = format!("extended timestamp request returned {} samples\n", samples.len());
    for (at, Sample { before, phc, after }) in samples.iter().enumerate() {
        let _ = write!(
            text,
            "sample #{at:2}: {name} time before: {}\n            phc time: {}\n            {name} \
             time after: {}\n",
            shown(before.seconds(), before.nanoseconds()),
            shown(phc.seconds(), phc.nanoseconds()),
            shown(after.seconds(), after.nanoseconds())
        );
    }
    text
}

/// Receives one channel's events only, until a key is pressed.
fn receive_only(calls: &mut Calls<'_, '_>, phc: &Phc, channel: u32) -> Result<(), Failure> {
    let text = format!(
        "Channel {channel} exclusively enabled. Check on debugfs.\nPress any key to continue\n."
    );
    match phc.receive_only(&[channel]) {
        Ok(()) => {
            calls.made("", Ok(text))?;
            // The end of the input ends the wait, too.
            let _ = std::io::stdin().read(&mut [0]);
            Ok(())
        }
        Err(error) => {
            let call = error.call().map_or("PTP_MASK_EN_SINGLE", |call| call.name());
            calls.made(call, Err(error.into()))
        }
    }
}
