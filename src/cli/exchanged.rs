//! A call on a clock in words: what was asked, and what was answered.

use crate::kernel::uapi::{
    PTP_ENABLE_FEATURE, PTP_EXT_OFFSET, PTP_FALLING_EDGE, PTP_PEROUT_DUTY_CYCLE,
    PTP_PEROUT_ONE_SHOT, PTP_PEROUT_PHASE, PTP_PF_EXTTS, PTP_PF_NONE, PTP_PF_PEROUT,
    PTP_PF_PHYSYNC, PTP_RISING_EDGE, PTP_STRICT_FLAGS, perout_times, pin_name, ptp_clock_caps,
    ptp_clock_time, ptp_extts_request, ptp_perout_request, ptp_pin_desc, timespec, timex, total,
};
use crate::kernel::{Exchange, Traced, errno_name};
use crate::{Frequency, Offset};
use libc::{
    ADJ_ESTERROR, ADJ_FREQUENCY, ADJ_MAXERROR, ADJ_NANO, ADJ_OFFSET, ADJ_SETOFFSET, ADJ_STATUS,
    ADJ_TAI, ADJ_TICK, ADJ_TIMECONST,
};
use std::time::Duration;

/// A call on a line: when, who, on which clock, what was asked and answered, and how long it took.
pub(super) fn line(call: &Traced) -> String {
    let Traced { at, took, program, thread, clock, exchange, answer, .. } = call;
    let answered = match answer {
        Ok(value) => told(exchange, *value),
        Err(number) => failed(*number),
    };
    let (name, asked) = (exchange.name(), asked(exchange, clock == "system"));
    let at = at.as_micros();
    let (seconds, part) = (at / 1_000_000, at % 1_000_000);
    let took = span(*took);
    format!("{seconds}.{part:06} {program} {thread} {clock} {name}({asked}) = {answered} <{took}>")
}

fn failed(number: i32) -> String {
    let name = errno_name(number);
    let words = nix::errno::Errno::from_raw(number).desc();
    if name.starts_with("errno") || number > 133 { name } else { format!("{name} ({words})") }
}

/// A short time.
pub(super) fn span(span: Duration) -> String {
    Offset::from_nanoseconds(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)).to_string()
}

/// What was asked.
fn asked(exchange: &Exchange, is_system: bool) -> String {
    match exchange {
        Exchange::Open { write: true } => "read-write".into(),
        Exchange::Open { write: false } => "read-only".into(),
        Exchange::ClockSettime(to) => time_of(*to),
        Exchange::ClockAdjtime(both) => adjustment(&both.0, is_system),
        Exchange::ExttsRequest(_, request) => extts(request),
        Exchange::PeroutRequest(_, request) => perout(request),
        Exchange::EnablePps(_, enable) => on(*enable).into(),
        Exchange::PinGetFunc(_, pin) => format!("pin {}", pin.index),
        Exchange::PinSetFunc(_, pin) => format!("pin {}: {}", pin.index, function(pin)),
        Exchange::SysOffset(_, samples) => samples_of(samples.n_samples, libc::CLOCK_REALTIME),
        Exchange::SysOffsetExtended(_, samples) | Exchange::SysOffsetExtendedCycles(samples) => {
            samples_of(samples.n_samples, samples.clockid)
        }
        Exchange::MaskEnSingle(channel) => format!("channel {channel}"),
        Exchange::Other(number) => format!("{number:#x}"),
        Exchange::ClockGettime(_)
        | Exchange::ClockGetres(_)
        | Exchange::GetCaps(..)
        | Exchange::SysOffsetPrecise(..)
        | Exchange::SysOffsetPreciseCycles(_)
        | Exchange::MaskClearAll
        | Exchange::Read(_) => String::new(),
    }
}

/// What a call that has succeeded answered.
fn told(exchange: &Exchange, value: i64) -> String {
    match exchange {
        Exchange::Open { .. } => format!("descriptor {value}"),
        Exchange::ClockGettime(at) | Exchange::ClockGetres(at) => format!("{} s", time_of(*at)),
        Exchange::ClockAdjtime(both) if both.0.modes == 0 => {
            format!("frequency {}", Frequency::from_scaled_ppm(both.1.freq))
        }
        Exchange::GetCaps(_, told) => caps(told),
        Exchange::PinGetFunc(_, pin) => {
            format!("{}: {}", String::from_utf8_lossy(&pin_name(pin)), function(pin))
        }
        Exchange::SysOffset(..)
        | Exchange::SysOffsetExtended(..)
        | Exchange::SysOffsetExtendedCycles(_) => best(&exchange.samples()),
        Exchange::SysOffsetPrecise(..) | Exchange::SysOffsetPreciseCycles(_) => {
            let samples = exchange.samples();
            samples
                .first()
                .map_or(String::new(), |(_, offset)| format!("offset {}", offset_of(*offset)))
        }
        Exchange::Read(events) => {
            let events = events.iter().map(|event| {
                let at = time(event.t);
                let is_offset = event.flags & PTP_EXT_OFFSET != 0;
                let at = if is_offset { format!("offset {at} s") } else { format!("{at} s") };
                format!("channel {} at {at}", event.index)
            });
            let events: Vec<_> = events.collect();
            if events.is_empty() { "nothing".into() } else { events.join(", ") }
        }
        Exchange::ClockSettime(_)
        | Exchange::ClockAdjtime(_)
        | Exchange::ExttsRequest(..)
        | Exchange::PeroutRequest(..)
        | Exchange::EnablePps(..)
        | Exchange::PinSetFunc(..)
        | Exchange::MaskClearAll
        | Exchange::MaskEnSingle(_)
        | Exchange::Other(_) => "done".into(),
    }
}

fn time(time: ptp_clock_time) -> String {
    format!("{}.{:09}", time.sec, time.nsec)
}

fn time_of(time: timespec) -> String {
    format!("{}.{:09}", time.tv_sec, time.tv_nsec)
}

fn offset_of(nanoseconds: i128) -> String {
    i64::try_from(nanoseconds).map_or_else(
        |_| format!("{nanoseconds} ns"),
        |nanoseconds| Offset::from_nanoseconds(nanoseconds).to_string(),
    )
}

fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// What is dialled, stepped or told.
fn adjustment(asked: &timex, is_system: bool) -> String {
    let asks = |mode: u32| asked.modes & mode != 0;
    let mut words = Vec::new();
    if asks(ADJ_SETOFFSET) {
        words.push(format!("step {}", offset_of(asked.step())));
    }
    if asks(ADJ_FREQUENCY) {
        words.push(format!("frequency {}", Frequency::from_scaled_ppm(asked.freq)));
    }
    if asks(ADJ_OFFSET) {
        let unit = if asks(ADJ_NANO) || !is_system { 1 } else { 1_000 };
        let what = if is_system { "offset" } else { "phase offset" };
        words.push(format!("{what} {}", offset_of(i128::from(asked.offset) * unit)));
    }
    let rest = [
        (ADJ_STATUS, "status", i64::from(asked.status)),
        (ADJ_TICK, "tick", asked.tick),
        (ADJ_TIMECONST, "constant", asked.constant),
        (ADJ_TAI, "TAI offset", asked.constant),
        (ADJ_MAXERROR, "maximum error", asked.maxerror),
        (ADJ_ESTERROR, "estimated error", asked.esterror),
    ];
    for (mode, name, value) in rest {
        if asks(mode) {
            words.push(format!("{name} {value}"));
        }
    }
    match asked.modes {
        0 => String::new(),
        modes if words.is_empty() => format!("modes {modes:#x}"),
        _ => words.join(", "),
    }
}

fn extts(request: &ptp_extts_request) -> String {
    let ptp_extts_request { index, flags, .. } = request;
    if flags & PTP_ENABLE_FEATURE == 0 {
        return format!("channel {index}: off");
    }
    let all = [
        (PTP_RISING_EDGE, "rising"),
        (PTP_FALLING_EDGE, "falling"),
        (PTP_STRICT_FLAGS, "strict"),
        (PTP_EXT_OFFSET, "offsets"),
    ];
    let flags =
        all.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| format!(", {name}"));
    format!("channel {index}: on{}", flags.collect::<String>())
}

fn perout(request: &ptp_perout_request) -> String {
    let ptp_perout_request { index, flags, period, .. } = request;
    let times = perout_times(request);
    if total(*period) == 0 && flags & PTP_PEROUT_ONE_SHOT == 0 {
        return format!("channel {index}: off");
    }
    let first = if flags & PTP_PEROUT_PHASE == 0 { "start" } else { "phase" };
    let first = format!("{first} {} s", time(times.start_or_phase));
    let mut words = vec![format!("period {}", offset_of(total(*period))), first];
    if flags & PTP_PEROUT_DUTY_CYCLE != 0 {
        words.push(format!("width {}", offset_of(total(times.on))));
    }
    if flags & PTP_PEROUT_ONE_SHOT != 0 {
        words.push("once".into());
    }
    format!("channel {index}: {}", words.join(", "))
}

fn function(pin: &ptp_pin_desc) -> String {
    match pin.func {
        PTP_PF_NONE => "none".into(),
        PTP_PF_EXTTS => format!("extts, channel {}", pin.chan),
        PTP_PF_PEROUT => format!("perout, channel {}", pin.chan),
        PTP_PF_PHYSYNC => format!("physync, channel {}", pin.chan),
        other => format!("function {other}, channel {}", pin.chan),
    }
}

fn caps(told: &ptp_clock_caps) -> String {
    let mut words = vec![format!("{} ppb", told.max_adj)];
    for (number, name) in [
        (told.n_ext_ts, "timestamp channel"),
        (told.n_per_out, "output channel"),
        (told.n_pins, "pin"),
        (told.n_alarm, "alarm"),
    ] {
        if number > 0 {
            words.push(format!("{number} {name}{}", if number == 1 { "" } else { "s" }));
        }
    }
    for (has, name) in [
        (told.pps, "PPS"),
        (told.cross_timestamping, "cross timestamps"),
        (told.adjust_phase, "phase control"),
    ] {
        if has != 0 {
            words.push(name.to_owned());
        }
    }
    words.join(", ")
}

fn samples_of(number: u32, clock: libc::clockid_t) -> String {
    let against = match clock {
        libc::CLOCK_REALTIME => String::new(),
        libc::CLOCK_MONOTONIC => " against the monotonic clock".into(),
        libc::CLOCK_MONOTONIC_RAW => " against the raw monotonic clock".into(),
        other => format!(" against clock {other}"),
    };
    format!("{number} sample{}{against}", if number == 1 { "" } else { "s" })
}

/// The sample with the shortest delay.
fn best(samples: &[(i128, i128)]) -> String {
    samples.iter().min_by_key(|(delay, _)| *delay).map_or_else(
        || "no samples".into(),
        |(delay, offset)| format!("offset {}, delay {}", offset_of(*offset), offset_of(*delay)),
    )
}
