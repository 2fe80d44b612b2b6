//! Reads a line of a recording.

use super::Facts;
use crate::json::SCHEMA;
use crate::kernel::Version::{self, V1, V2};
use crate::kernel::uapi::{
    ExttsEvent, PTP_BUF_TIMESTAMPS, PTP_MAX_SAMPLES, PeroutTimes, clock_caps, clock_time, name_pin,
    perout_request, pin_desc, ptp_clock_caps, ptp_clock_time, ptp_extts_request, ptp_pin_desc,
    ptp_sys_offset, ptp_sys_offset_extended, ptp_sys_offset_precise, sys_offset,
    sys_offset_extended, sys_offset_precise, timespec, timex,
};
use crate::kernel::{Exchange, Traced};
use serde_json::{Map, Value};
use std::time::Duration;

/// A line of a recording.
#[derive(Clone, Debug)]
pub(in crate::mock) enum Line {
    Clock(Box<Facts>),
    Call(Box<Traced>),
}

/// Reads a line.
///
/// # Errors
///
/// What is wrong with it.
pub(in crate::mock) fn read(line: &str) -> Result<Line, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let object = Object(value.as_object().ok_or("it is no object")?);
    if object.0.contains_key("schema") && object.number::<u32>("schema")? != SCHEMA {
        return Err("it is of another version of ptpctl".into());
    }
    if object.0.contains_key("call") {
        call(object).map(|call| Line::Call(Box::new(call)))
    } else {
        facts(object).map(|facts| Line::Clock(Box::new(facts)))
    }
}

/// An object, whose members are numbers, texts and so on.
#[derive(Clone, Copy)]
struct Object<'a>(&'a Map<String, Value>);

type Found<T> = Result<T, String>;

impl<'a> Object<'a> {
    fn get(self, key: &str) -> Found<&'a Value> {
        self.0.get(key).ok_or_else(|| format!("it has no {key}"))
    }

    /// A whole number, as wide as it is needed.
    fn number<T: TryFrom<i64>>(self, key: &str) -> Found<T> {
        let number = self.get(key)?.as_i64().and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("{key} is no such number"))
    }

    /// A number that may be missing: then it is 0.
    fn number_or_0<T: TryFrom<i64> + Default>(self, key: &str) -> Found<T> {
        if self.0.contains_key(key) { self.number(key) } else { Ok(T::default()) }
    }

    fn text(self, key: &str) -> Found<String> {
        self.get(key)?.as_str().map(str::to_owned).ok_or_else(|| format!("{key} is no text"))
    }

    fn flag(self, key: &str) -> Found<bool> {
        self.get(key)?.as_bool().ok_or_else(|| format!("{key} is neither true nor false"))
    }

    fn object(self, key: &str) -> Found<Object<'a>> {
        self.get(key)?.as_object().map(Object).ok_or_else(|| format!("{key} is no object"))
    }

    fn list(self, key: &str) -> Found<impl Iterator<Item = Object<'a>> + use<'a>> {
        let list = self.get(key)?.as_array().ok_or_else(|| format!("{key} is no list"))?;
        if list.iter().any(|item| !item.is_object()) {
            return Err(format!("{key} has what is no object"));
        }
        Ok(list.iter().filter_map(Value::as_object).map(Object))
    }

    fn time(self, key: &str) -> Found<ptp_clock_time> {
        self.object(key)?.as_time()
    }

    fn as_time(self) -> Found<ptp_clock_time> {
        let nanoseconds: u32 = self.number("nanoseconds")?;
        if nanoseconds >= 1_000_000_000 {
            return Err("nanoseconds is no part of a second".into());
        }
        Ok(clock_time(self.number("seconds")?, nanoseconds))
    }

    fn timespec(self, key: &str) -> Found<timespec> {
        // A program may ask for a time that is none.
        let time = self.object(key)?;
        Ok(timespec { tv_sec: time.number("seconds")?, tv_nsec: time.number("nanoseconds")? })
    }
}

fn facts(object: Object<'_>) -> Found<Facts> {
    let optional = |key: &str| object.text(key).ok();
    let pins = object.list("pins")?.map(pin).collect::<Found<_>>()?;
    Ok(Facts {
        clock: object.text("clock")?,
        began_ns: object.number("began_ns")?,
        clock_name: optional("clock_name"),
        driver: optional("driver"),
        kernel: object.text("kernel")?,
        caps: object.object("caps").ok().map(caps).transpose()?,
        pins,
    })
}

fn caps(object: Object<'_>) -> Found<ptp_clock_caps> {
    Ok(ptp_clock_caps {
        max_adj: object.number("max_adj_ppb")?,
        adjust_phase: object.number("adjust_phase")?,
        max_phase_adj: object.number("max_phase_adj_ns")?,
        n_alarm: object.number("n_alarm")?,
        n_ext_ts: object.number("n_ext_ts")?,
        n_per_out: object.number("n_per_out")?,
        n_pins: object.number("n_pins")?,
        pps: object.number("pps")?,
        cross_timestamping: object.number("cross_timestamping")?,
        ..clock_caps()
    })
}

fn pin(object: Object<'_>) -> Found<ptp_pin_desc> {
    let index = object.number("pin")?;
    let mut pin = pin_desc(index, object.number_or_0("function")?, object.number_or_0("channel")?);
    name_pin(&mut pin, &object.text("name").unwrap_or_default());
    Ok(pin)
}

fn call(object: Object<'_>) -> Found<Traced> {
    let duration = |key: &str| match object.number::<u64>(key)? {
        nanoseconds if nanoseconds <= LONGEST => Ok(Duration::from_nanos(nanoseconds)),
        _ => Err(format!("{key} is more than 30 years")),
    };
    let answer = match object.number_or_0("errno_number")? {
        0 => Ok(object.number("returned")?),
        number => Err(number),
    };
    let name = object.text("call")?;
    Ok(Traced {
        at: duration("at_ns")?,
        took: duration("took_ns")?,
        program: object.text("program")?,
        process: object.number("process")?,
        thread: object.number("thread")?,
        clock: object.text("clock")?,
        exchange: exchange(&name, object, answer.is_ok())
            .map_err(|why| format!("{name}: {why}"))?,
        answer,
    })
}

/// The longest time in a recording, in nanoseconds.
const LONGEST: u64 = 1_000_000_000_000_000_000;

fn exchange(name: &str, object: Object<'_>, succeeded: bool) -> Found<Exchange> {
    let of_clock = match name {
        "open" => Exchange::Open { write: object.flag("write")? },
        "clock_gettime" => Exchange::ClockGettime(answered_time(object, succeeded)?),
        "clock_getres" => Exchange::ClockGetres(answered_time(object, succeeded)?),
        "clock_settime" => Exchange::ClockSettime(object.timespec("time")?),
        "clock_adjtime" => Exchange::ClockAdjtime(Box::new(adjtime(object)?)),
        "read" => Exchange::Read(if succeeded { events(object)? } else { Vec::new() }),
        "ioctl" => Exchange::Other(object.number("request")?),
        _ => return request(name, object, succeeded),
    };
    Ok(of_clock)
}

fn request(name: &str, object: Object<'_>, succeeded: bool) -> Found<Exchange> {
    let (plain, version): (&str, Version) =
        name.strip_suffix('2').map_or((name, V1), |plain| (plain, V2));
    Ok(match plain {
        "PTP_CLOCK_GETCAPS" => {
            let told = if succeeded { caps(object.object("caps")?)? } else { clock_caps() };
            Exchange::GetCaps(version, told)
        }
        "PTP_EXTTS_REQUEST" => {
            let (index, flags) = (object.number("channel")?, object.number("flags")?);
            Exchange::ExttsRequest(version, ptp_extts_request { index, flags, rsv: [0; 2] })
        }
        "PTP_PEROUT_REQUEST" => {
            let times = PeroutTimes {
                start_or_phase: object.time("start_or_phase")?,
                on: object.time("on")?,
            };
            let (index, flags) = (object.number("channel")?, object.number("flags")?);
            let told = perout_request(index, flags, object.time("period")?, times);
            Exchange::PeroutRequest(version, told)
        }
        "PTP_ENABLE_PPS" => Exchange::EnablePps(version, object.flag("enable")?),
        "PTP_PIN_GETFUNC" => Exchange::PinGetFunc(version, pin(object)?),
        "PTP_PIN_SETFUNC" => Exchange::PinSetFunc(version, pin(object)?),
        "PTP_SYS_OFFSET" => Exchange::SysOffset(version, Box::new(basic(object, succeeded)?)),
        "PTP_SYS_OFFSET_EXTENDED" => {
            Exchange::SysOffsetExtended(version, Box::new(extended(object, succeeded)?))
        }
        "PTP_SYS_OFFSET_EXTENDED_CYCLES" => {
            Exchange::SysOffsetExtendedCycles(Box::new(extended(object, succeeded)?))
        }
        "PTP_SYS_OFFSET_PRECISE" => {
            Exchange::SysOffsetPrecise(version, precise(object, succeeded)?)
        }
        "PTP_SYS_OFFSET_PRECISE_CYCLES" => {
            Exchange::SysOffsetPreciseCycles(precise(object, succeeded)?)
        }
        "PTP_MASK_CLEAR_ALL" => Exchange::MaskClearAll,
        "PTP_MASK_EN_SINGLE" => Exchange::MaskEnSingle(object.number("channel")?),
        _ => return Err("no call has this name".into()),
    })
}

fn answered_time(object: Object<'_>, succeeded: bool) -> Found<timespec> {
    if succeeded { object.timespec("time") } else { Ok(timespec { tv_sec: 0, tv_nsec: 0 }) }
}

fn adjtime(object: Object<'_>) -> Found<(timex, timex)> {
    let step: i64 = object.number_or_0("step_ns")?;
    let mut asked = crate::kernel::uapi::timex();
    asked.modes = object.number("modes")?;
    asked.freq = object.number_or_0("asked_frequency_scaled_ppm")?;
    asked.offset = object.number_or_0("asked_offset")?;
    asked.status = object.number_or_0("asked_status")?;
    asked.tick = object.number_or_0("asked_tick_us")?;
    asked.time.tv_sec = step.div_euclid(1_000_000_000);
    asked.time.tv_usec = step.rem_euclid(1_000_000_000);
    if asked.modes & libc::ADJ_NANO == 0 {
        asked.time.tv_usec /= 1_000;
    }
    let mut told = asked;
    told.freq = object.number_or_0("frequency_scaled_ppm")?;
    told.offset = object.number_or_0("offset")?;
    told.status = object.number_or_0("status")?;
    told.tick = object.number_or_0("tick_us")?;
    told.tai = object.number_or_0("tai_offset_s")?;
    Ok((asked, told))
}

fn events(object: Object<'_>) -> Found<Vec<ExttsEvent>> {
    let events = object.list("events")?.take(PTP_BUF_TIMESTAMPS).map(|event| {
        let (index, flags) = (event.number("channel")?, event.number("flags")?);
        Ok(ExttsEvent { t: event.time("time")?, index, flags, rsv: [0; 2] })
    });
    events.collect()
}

fn basic(object: Object<'_>, succeeded: bool) -> Found<ptp_sys_offset> {
    let mut told = sys_offset(object.number("n_samples")?);
    if succeeded {
        let times: Vec<_> = object.list("times")?.map(Object::as_time).collect::<Found<_>>()?;
        if times.len() != 2 * told.n_samples.min(PTP_MAX_SAMPLES) as usize + 1 {
            return Err("times has another length than n_samples says".into());
        }
        told.ts.iter_mut().zip(times).for_each(|(to, from)| *to = from);
    }
    Ok(told)
}

fn extended(object: Object<'_>, succeeded: bool) -> Found<ptp_sys_offset_extended> {
    let mut told = sys_offset_extended(object.number("n_samples")?, object.number("clockid")?);
    if succeeded {
        let samples = object
            .list("samples")?
            .map(|sample| Ok([sample.time("before")?, sample.time("phc")?, sample.time("after")?]));
        let samples: Vec<[ptp_clock_time; 3]> = samples.collect::<Found<_>>()?;
        if samples.len() != told.n_samples.min(PTP_MAX_SAMPLES) as usize {
            return Err("samples has another length than n_samples says".into());
        }
        told.ts.iter_mut().zip(samples).for_each(|(to, from)| *to = from);
    }
    Ok(told)
}

fn precise(object: Object<'_>, succeeded: bool) -> Found<ptp_sys_offset_precise> {
    let mut told = sys_offset_precise();
    if succeeded {
        told.device = object.time("phc")?;
        told.sys_realtime = object.time("realtime")?;
        told.sys_monoraw = object.time("monotonic_raw")?;
    }
    Ok(told)
}
