//! Defects of other tools, each shown to be absent here. The names of the tests say whose they
//! were.

use crate::common::{TemporaryFile, ptpctl};
use nix::errno::Errno;
use ptpctl::kernel::{Calls, Version};
use ptpctl::mock::{Config, Mock};
use ptpctl::phc::{Method, PinFunction, SystemClock};
use ptpctl::{Offset, Phc};
use serde_json::json;

fn mock(text: &str) -> Mock {
    let config: Config = text.parse().expect("a mock");
    Mock::new(&config).expect("a mock")
}

/// A clock and a second handle on it, to look behind it.
fn clock(text: &str) -> (Phc, Mock) {
    let mock = mock(text);
    (Phc::over(Box::new(mock.again(true)), "mock"), mock)
}

#[test]
fn testptp_exits_0_when_a_call_failed() {
    for (command, call) in [
        ("caps", "getcaps"),
        ("get", "clock_gettime"),
        ("freq", "clock_adjtime"),
        ("pins", "pin_getfunc"),
        ("set @5", "clock_settime"),
        ("adjtime 1s", "clock_adjtime"),
        ("adjfreq 1ppm", "clock_adjtime"),
        ("adjphase 5ns", "clock_adjtime"),
        ("pin 0 extts", "pin_setfunc"),
        ("perout --period 1s", "perout_request"),
        ("perout --off", "perout_request"),
        ("pps on", "enable_pps"),
        ("vclocks 2", "set_attribute"),
        ("extts", "extts_request"),
        ("extts", "wait"),
        ("set-system", "system_adjtime"),
    ] {
        // The report names the request, the clock's device and name, and the errno in words.
        let failed = ptpctl(&format!("{command} -d mock:full,fail={call}/1:EIO"));
        if command == "set-system" {
            assert_eq!(failed.status, Some(1), "{failed:?}");
        } else {
            failed.failed(1, "(mock PHC)").failed(1, "(EIO)");
        }
    }
}

#[test]
fn testptp_prints_made_up_samples_after_a_failure() {
    for (method, call) in [
        ("precise", "sys_offset_precise"),
        ("extended", "sys_offset_extended"),
        ("basic", "sys_offset"),
    ] {
        ptpctl(&format!("offset --raw -m {method} mock:full,fail={call}/1:EIO")).failed(1, "EIO");
    }
}

#[test]
fn testptp_reads_numbers_with_atoi() {
    ptpctl("adjphase abc mock").failed(2, "begin with a number");
    ptpctl("adjfreq 1e9ppb mock").failed(2, "exponents");
    ptpctl("adjphase 4294967796ns mock").failed(2, "32 bits");
}

#[test]
fn testptp_cant_write_a_phase_offset_of_0() {
    let (phc, mock) = clock("mock:full");
    phc.adjust_phase(Offset::from_nanoseconds(500)).expect("written");
    assert_eq!(mock.phase_register(), 500);
    phc.adjust_phase(Offset::ZERO).expect("written");
    assert_eq!(mock.phase_register(), 0);
}

#[test]
fn testptp_copies_a_tai_clock_into_system_time() {
    ptpctl("set-system mock:full,offset=37s").failed(1, "--tai");
    let set = ptpctl("set-system --tai --json mock:full,time=virtual,offset=37s").done().json();
    assert_eq!(set["step_ns"], json!(0));
    ptpctl("set-system --utc mock:full,offset=37s").done();
}

#[test]
fn phc_ctl_prints_success_whatever_the_kernel_said() {
    for command in ["adjtime 1s", "adjfreq 1ppm", "adjphase 5ns"] {
        ptpctl(&format!("{command} mock:full,fail=clock_adjtime:EBUSY")).failed(1, "EBUSY");
    }
}

#[test]
fn phc_ctl_passes_over_a_misspelt_command() {
    ptpctl("sett @5 mock").failed(2, "unrecognized");
    ptpctl("getfoo mock").failed(2, "unrecognized");
}

#[test]
fn phc_ctl_hangs_in_wait_0() {
    ptpctl("extts --duration 0s mock:full,signal=off").failed(5, "no event came");
    ptpctl("extts --timeout 0s mock:full,signal=off").failed(5, "no event came");
}

#[test]
fn phc_ctl_loses_nanoseconds_in_doubles() {
    let file = TemporaryFile::new("doubles");
    let mock = file.mock("full,time=virtual,read=0ns,jitter=0ns");
    ptpctl(&format!("set @1700000000.123456789 {mock}")).done();
    let time = ptpctl(&format!("get --json {mock}")).done().json()["time"].clone();
    assert_eq!(time, json!({"seconds": 1_700_000_000, "nanoseconds": 123_456_789}));
    ptpctl(&format!("adjtime 0.000000015s {mock}")).done();
    let time = ptpctl(&format!("get --json {mock}")).done().json()["time"].clone();
    assert_eq!(time, json!({"seconds": 1_700_000_000, "nanoseconds": 123_456_804}));
}

#[test]
fn phc_ctl_lets_nan_pass() {
    for command in ["adjtime", "adjphase", "adjfreq", "set"] {
        let refused = ptpctl(&format!("{command} nan mock"));
        assert_eq!(refused.status, Some(2), "{refused:?}");
    }
}

#[test]
fn phc_ctl_cuts_a_phase_offset_to_32_bits() {
    let (phc, mock) = clock("mock:full");
    let offset = "4.294967796s".parse().expect("an offset");
    let refused = phc.adjust_phase(offset).expect_err("refused");
    assert!(refused.to_string().contains("32 bits"), "{refused}");
    assert_eq!(mock.phase_register(), 0);
}

#[test]
fn phc_ctl_opens_read_write_even_to_look() {
    ptpctl("get mock:readonly").done();
    ptpctl("caps mock:readonly").done();
    ptpctl("offset mock:readonly").done();
}

#[test]
fn both_send_a_phase_offset_to_a_clock_whose_caps_deny_it() {
    // The failure waits for the first call. It must still be there afterwards.
    let (phc, mock) = clock("mock:igb");
    mock.fail_next(ptpctl::kernel::Call::ClockAdjtime, Errno::EIO);
    let refused = phc.adjust_phase(Offset::from_nanoseconds(500)).expect_err("refused");
    assert_eq!(refused.errno(), None, "no call was made: {refused}");
    assert_eq!(phc.frequency().expect_err("the failure is still there").errno(), Some(Errno::EIO));
}

#[test]
fn ts2phc_passes_over_a_pin_that_could_not_be_set() {
    ptpctl("extts --pin 0 mock:full,fail=pin_setfunc:EOPNOTSUPP").failed(3, "pin 0 (SDP0)");
    ptpctl("perout --period 1s --pin 0 mock:full,fail=pin_setfunc:EBUSY").failed(1, "pin 0 (SDP0)");
}

#[test]
fn ts2phc_never_puts_pin_functions_back() {
    let file = TemporaryFile::new("functions");
    let mock = file.mock("full,time=virtual");
    ptpctl(&format!("pin 2 perout --channel 1 {mock}")).done();
    assert_eq!(ptpctl(&format!("extts --pin 2 --count 1 {mock}")).status, Some(0));
    let pins = ptpctl(&format!("pins --json {mock}")).done().json();
    assert_eq!(pins["pins"][2]["function"], json!("perout"));
    assert_eq!(pins["pins"][2]["channel"], json!(1));
}

#[test]
fn linuxptp_has_no_fall_back_to_version_1_at_run_time() {
    let kernel_without_version_2 = mock("mock:full,kernel=5.3");
    assert_eq!(kernel_without_version_2.getcaps(Version::V2).err(), Some(Errno::ENOTTY));
    let watch = ptpctl("extts --count 1 mock:full,kernel=5.3,time=virtual");
    assert_eq!((watch.status, watch.stdout.lines().count()), (Some(0), 1));
    assert!(watch.stderr.contains("may stamp other edges"), "what was lost is said: {watch:?}");
    ptpctl("perout --period 1s mock:full,kernel=5.3").done();
}

#[test]
fn facebook_time_keeps_the_sample_with_the_smallest_offset() {
    // The shortest delay counts, however large the offset that it gives.
    let (phc, mock) = clock("mock:igb,time=virtual,offset=1ms,jitter=5us");
    let samples =
        phc.samples(Method::Extended, SystemClock::Realtime, false, 100).expect("samples");
    let estimate = ptpctl::measure::estimate(&samples).expect("an estimate");
    let shortest = samples.iter().filter_map(|sample| sample.after.since(sample.before)).min();
    assert_eq!(Some(estimate.delay), shortest);
    let truth = i64::try_from(mock.true_offset()).expect("small");
    let error = (estimate.offset.nanoseconds() - truth).abs();
    assert!(error <= estimate.bound.nanoseconds());
}

#[test]
fn facebook_time_splits_a_step_with_floats() {
    let file = TemporaryFile::new("floats");
    let mock = file.mock("full,time=virtual,read=0ns,jitter=0ns");
    ptpctl(&format!("set @1600000000 {mock}")).done();
    ptpctl(&format!("adjtime 10000000.999999999s {mock}")).done();
    let time = ptpctl(&format!("get --json {mock}")).done().json()["time"].clone();
    assert_eq!(time, json!({"seconds": 1_610_000_000, "nanoseconds": 999_999_999}));
}

#[test]
fn facebook_time_takes_a_pins_index_for_its_channel() {
    let (phc, _) = clock("mock:full");
    let pin = phc.find_pin("SDP2").expect("a pin");
    phc.set_pin(&pin, PinFunction::Extts, 1).expect("set");
    let pin = phc.find_pin("2").expect("a pin");
    assert_eq!((pin.index, pin.channel, pin.function), (2, 1, PinFunction::Extts));
}

#[test]
fn hwstamp_ctl_cuts_long_interface_names() {
    ptpctl("get eth0000000000000000000000").failed(1, "no clock");
}
