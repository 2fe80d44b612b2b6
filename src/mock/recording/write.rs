//! Writes a line of a recording.

use super::Facts;
use crate::json::{self, SCHEMA};
use crate::kernel::uapi::{
    PTP_MAX_SAMPLES, perout_times, pin_name, ptp_clock_caps, ptp_clock_time, ptp_pin_desc,
    ptp_sys_offset_extended, ptp_sys_offset_precise, timespec, timex,
};
use crate::kernel::{Exchange, Traced, errno_name};
use libc::{ADJ_FREQUENCY, ADJ_OFFSET, ADJ_SETOFFSET, ADJ_STATUS, ADJ_TICK};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::io::{self, Write};

/// A value as JSON has it, whose objects keep their order.
#[derive(Clone, Debug)]
enum Value {
    Null,
    Int(i64),
    Bool(bool),
    Text(String),
    List(Vec<Value>),
    Object(Members),
}

type Members = Vec<(&'static str, Value)>;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Bool(is) => serializer.serialize_bool(*is),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(values) => serializer.collect_seq(values),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<T: Into<i64>> From<T> for Value {
    fn from(number: T) -> Self {
        Self::Int(number.into())
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn optional(text: Option<&String>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(text.clone()))
}

fn time(time: ptp_clock_time) -> Value {
    Value::Object(vec![("seconds", time.sec.into()), ("nanoseconds", time.nsec.into())])
}

fn time_of(time: timespec) -> Value {
    Value::Object(vec![("seconds", time.tv_sec.into()), ("nanoseconds", time.tv_nsec.into())])
}

/// A whole number of nanoseconds.
fn nanoseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Writes a call on a line; the first line of a stream has the version of the keys.
///
/// # Errors
///
/// The errors of writing.
pub(crate) fn write_call(to: &mut impl Write, call: &Traced, is_first: bool) -> io::Result<()> {
    let mut members = beginning(is_first);
    members.extend([
        ("at_ns", nanoseconds(call.at).into()),
        ("program", text(&call.program)),
        ("process", call.process.into()),
        ("thread", call.thread.into()),
        ("clock", text(&call.clock)),
        ("call", text(call.exchange.name())),
    ]);
    members.extend(content(&call.exchange, call.answer.is_ok()));
    match call.answer {
        Ok(value) => members.push(("returned", value.into())),
        Err(number) => members
            .extend([("errno", Value::Text(errno_name(number))), ("errno_number", number.into())]),
    }
    members.push(("took_ns", nanoseconds(call.took).into()));
    json::write_line(to, &Value::Object(members))
}

/// Writes what a clock is like on a line.
///
/// # Errors
///
/// The errors of writing.
pub(crate) fn write_facts(to: &mut impl Write, facts: &Facts, is_first: bool) -> io::Result<()> {
    let mut members = beginning(is_first);
    members.extend([
        ("clock", text(&facts.clock)),
        ("began_ns", facts.began_ns.into()),
        ("clock_name", optional(facts.clock_name.as_ref())),
        ("driver", optional(facts.driver.as_ref())),
        ("kernel", text(&facts.kernel)),
        ("caps", facts.caps.map_or(Value::Null, |told| Value::Object(caps(&told)))),
        ("pins", Value::List(facts.pins.iter().map(|told| Value::Object(pin(told))).collect())),
    ]);
    json::write_line(to, &Value::Object(members))
}

fn beginning(is_first: bool) -> Members {
    if is_first { vec![("schema", SCHEMA.into())] } else { Vec::new() }
}

/// The arguments of a call, and its answer if it has succeeded.
fn content(exchange: &Exchange, succeeded: bool) -> Members {
    match exchange {
        Exchange::Open { write } => vec![("write", Value::Bool(*write))],
        Exchange::ClockSettime(to) => vec![("time", time_of(*to))],
        Exchange::ClockAdjtime(both) => adjtime(&both.0, &both.1, succeeded),
        Exchange::ExttsRequest(_, told) => {
            vec![("channel", told.index.into()), ("flags", told.flags.into())]
        }
        Exchange::PeroutRequest(_, told) => {
            let times = perout_times(told);
            vec![
                ("channel", told.index.into()),
                ("flags", told.flags.into()),
                ("period", time(told.period)),
                ("start_or_phase", time(times.start_or_phase)),
                ("on", time(times.on)),
            ]
        }
        Exchange::EnablePps(_, enable) => vec![("enable", Value::Bool(*enable))],
        Exchange::PinGetFunc(_, told) if !succeeded => vec![("pin", told.index.into())],
        Exchange::PinGetFunc(_, told) | Exchange::PinSetFunc(_, told) => pin(told),
        Exchange::MaskEnSingle(channel) => vec![("channel", (*channel).into())],
        Exchange::SysOffset(_, told) => {
            let mut members = vec![("n_samples", Value::from(told.n_samples))];
            if succeeded {
                let number = 2 * told.n_samples.min(PTP_MAX_SAMPLES) as usize + 1;
                let times = told.ts.iter().take(number).map(|at| time(*at));
                members.push(("times", Value::List(times.collect())));
            }
            members
        }
        Exchange::SysOffsetExtended(_, told) | Exchange::SysOffsetExtendedCycles(told) => {
            extended(told, succeeded)
        }
        Exchange::Other(number) => vec![("request", (*number).into())],
        // These are answers only.
        _ if !succeeded => Vec::new(),
        Exchange::ClockGettime(told) | Exchange::ClockGetres(told) => {
            vec![("time", time_of(*told))]
        }
        Exchange::GetCaps(_, told) => vec![("caps", Value::Object(caps(told)))],
        Exchange::SysOffsetPrecise(_, told) | Exchange::SysOffsetPreciseCycles(told) => {
            precise(told)
        }
        Exchange::Read(events) => {
            let events = events.iter().map(|event| {
                Value::Object(vec![
                    ("channel", event.index.into()),
                    ("time", time(event.t)),
                    ("flags", event.flags.into()),
                ])
            });
            vec![("events", Value::List(events.collect()))]
        }
        Exchange::MaskClearAll => Vec::new(),
    }
}

fn extended(told: &ptp_sys_offset_extended, succeeded: bool) -> Members {
    let mut members =
        vec![("n_samples", Value::from(told.n_samples)), ("clockid", told.clockid.into())];
    if succeeded {
        let samples = told.ts.iter().take(told.n_samples.min(PTP_MAX_SAMPLES) as usize);
        let samples = samples.map(|[before, phc, after]| {
            Value::Object(vec![
                ("before", time(*before)),
                ("phc", time(*phc)),
                ("after", time(*after)),
            ])
        });
        members.push(("samples", Value::List(samples.collect())));
    }
    members
}

fn precise(told: &ptp_sys_offset_precise) -> Members {
    vec![
        ("phc", time(told.device)),
        ("realtime", time(told.sys_realtime)),
        ("monotonic_raw", time(told.sys_monoraw)),
    ]
}

fn caps(told: &ptp_clock_caps) -> Members {
    vec![
        ("max_adj_ppb", told.max_adj.into()),
        ("adjust_phase", told.adjust_phase.into()),
        ("max_phase_adj_ns", told.max_phase_adj.into()),
        ("n_alarm", told.n_alarm.into()),
        ("n_ext_ts", told.n_ext_ts.into()),
        ("n_per_out", told.n_per_out.into()),
        ("n_pins", told.n_pins.into()),
        ("pps", told.pps.into()),
        ("cross_timestamping", told.cross_timestamping.into()),
    ]
}

fn pin(told: &ptp_pin_desc) -> Members {
    vec![
        ("pin", told.index.into()),
        ("name", text(&String::from_utf8_lossy(&pin_name(told)))),
        ("function", told.func.into()),
        ("channel", told.chan.into()),
    ]
}

/// What was asked, by the modes; what a call that has succeeded answers.
fn adjtime(asked: &timex, told: &timex, succeeded: bool) -> Members {
    let asks = |mode: u32| asked.modes & mode != 0;
    let mut members = vec![("modes", Value::from(asked.modes))];
    if asks(ADJ_FREQUENCY) {
        members.push(("asked_frequency_scaled_ppm", asked.freq.into()));
    }
    if asks(ADJ_OFFSET) {
        members.push(("asked_offset", asked.offset.into()));
    }
    if asks(ADJ_STATUS) {
        members.push(("asked_status", asked.status.into()));
    }
    if asks(ADJ_TICK) {
        members.push(("asked_tick_us", asked.tick.into()));
    }
    if asks(ADJ_SETOFFSET) {
        let step = i64::try_from(asked.step()).unwrap_or(i64::MAX);
        members.push(("step_ns", step.into()));
    }
    if succeeded {
        members.extend([
            ("frequency_scaled_ppm", told.freq.into()),
            ("offset", told.offset.into()),
            ("status", told.status.into()),
            ("tick_us", told.tick.into()),
            ("tai_offset_s", told.tai.into()),
        ]);
    }
    members
}
