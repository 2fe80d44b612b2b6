use super::{Facts, Line, read, write_call, write_facts};
use crate::kernel::Version::{V1, V2};
use crate::kernel::uapi::{
    self, ExttsEvent, PTP_PF_EXTTS, PeroutTimes, clock_time, perout_request, pin_desc,
    ptp_extts_request, sys_offset, sys_offset_extended, sys_offset_precise, timespec,
};
use crate::kernel::{Exchange, Traced};
use std::time::Duration;

fn call(exchange: Exchange, answer: Result<i64, i32>) -> Traced {
    Traced {
        at: Duration::from_nanos(1_234),
        took: Duration::from_nanos(56),
        program: "a \"program\"\n".into(),
        process: 7,
        thread: 8,
        clock: "ptp3".into(),
        exchange,
        answer,
    }
}

fn written(call: &Traced) -> String {
    let mut line = Vec::new();
    write_call(&mut line, call, true).expect("written");
    String::from_utf8(line).expect("text")
}

/// One call of each kind.
fn all() -> Vec<Exchange> {
    let time = clock_time(1_700_000_000, 999_999_999);
    let mut extended = sys_offset_extended(2, libc::CLOCK_MONOTONIC_RAW);
    extended.ts[1] = [time; 3];
    let mut basic = sys_offset(1);
    basic.ts[1] = time;
    let mut precise = sys_offset_precise();
    precise.sys_monoraw = time;
    let mut pin = pin_desc(1, PTP_PF_EXTTS, 2);
    pin.name[0] = 65;
    let mut asked = uapi::timex();
    asked.modes = libc::ADJ_SETOFFSET;
    (asked.time.tv_sec, asked.time.tv_usec) = (-1, 999_999);
    let mut told = asked;
    told.freq = -65_536;
    let event = ExttsEvent { t: time, index: 1, flags: 1, rsv: [0; 2] };
    let times = PeroutTimes { start_or_phase: time, on: clock_time(0, 5) };
    let caps = uapi::ptp_clock_caps { max_adj: 5, max_phase_adj: -1, ..uapi::clock_caps() };
    let at = timespec { tv_sec: -1, tv_nsec: 5 };
    vec![
        Exchange::Open { write: true },
        Exchange::ClockGettime(at),
        Exchange::ClockSettime(at),
        Exchange::ClockGetres(at),
        Exchange::ClockAdjtime(Box::new((asked, told))),
        Exchange::GetCaps(V2, caps),
        Exchange::ExttsRequest(V2, ptp_extts_request { index: 1, flags: 7, rsv: [0; 2] }),
        Exchange::PeroutRequest(V1, perout_request(1, 2, time, times)),
        Exchange::EnablePps(V1, true),
        Exchange::PinGetFunc(V2, pin),
        Exchange::PinSetFunc(V1, pin),
        Exchange::SysOffset(V2, Box::new(basic)),
        Exchange::SysOffsetExtended(V1, Box::new(extended)),
        Exchange::SysOffsetPrecise(V2, precise),
        Exchange::SysOffsetExtendedCycles(Box::new(extended)),
        Exchange::SysOffsetPreciseCycles(precise),
        Exchange::MaskClearAll,
        Exchange::MaskEnSingle(4),
        Exchange::Read(vec![event, event]),
        Exchange::Other(0x3d99),
    ]
}

#[cfg_attr(miri, ignore = "no unsafe code, and it takes long there")]
#[test]
fn each_call_is_read_back_as_it_was_written() {
    for exchange in all() {
        for answer in [Ok(32), Err(libc::EBUSY), Err(524)] {
            let before = call(exchange.clone(), answer);
            let line = written(&before);
            let Ok(Line::Call(after)) = read(&line) else { panic!("{line}: {:?}", read(&line)) };
            assert_eq!(written(&after), line);
            assert_eq!((after.answer, after.took), (answer, before.took), "{line}");
        }
    }
}

#[cfg_attr(miri, ignore = "no unsafe code, and it takes long there")]
#[test]
fn what_a_clock_is_like_is_read_back() {
    let pins = vec![pin_desc(0, 0, 0), pin_desc(1, PTP_PF_EXTTS, 3)];
    let caps = uapi::ptp_clock_caps { n_pins: 2, pps: 1, ..uapi::clock_caps() };
    for caps in [None, Some(caps)] {
        let facts = Facts {
            clock: "ptp1".into(),
            began_ns: 5,
            clock_name: Some("a clock".into()),
            driver: None,
            kernel: "6.12.95+deb13".into(),
            caps,
            pins: pins.clone(),
        };
        let mut line = Vec::new();
        write_facts(&mut line, &facts, true).expect("written");
        let line = String::from_utf8(line).expect("text");
        let Ok(Line::Clock(after)) = read(&line) else { panic!("{line}: {:?}", read(&line)) };
        let mut again = Vec::new();
        write_facts(&mut again, &after, true).expect("written");
        assert_eq!(String::from_utf8(again).expect("text"), line);
    }
}

#[cfg_attr(miri, ignore = "no unsafe code, and it takes long there")]
#[test]
fn a_line_that_is_none_of_a_recording_is_told() {
    let read_error = Exchange::ClockGettime(timespec { tv_sec: 0, tv_nsec: 0 });
    let good = written(&call(read_error, Ok(0)));
    for (from, to, why) in [
        ("", "", "EOF"),
        ("{", "[", ""),
        ("\"clock_gettime\"", "\"clock_gettimes\"", "no call has this name"),
        ("\"took_ns\":56", "\"took_ns\":-1", "took_ns is no such number"),
        ("\"thread\":8,", "", "it has no thread"),
        ("\"seconds\":0", "\"seconds\":0.5", "seconds is no such number"),
    ] {
        let line = if from.is_empty() { String::new() } else { good.replacen(from, to, 1) };
        assert!(read(&line).is_err_and(|error| error.contains(why)), "{line}");
    }
    let samples = written(&call(all().swap_remove(12), Ok(0)));
    let longer = samples.replacen("\"n_samples\":2", "\"n_samples\":3", 1);
    assert!(read(&longer).is_err_and(|error| error.contains("another length")));
}
