//! Typical typing errors. ptpctl refuses each, and says what is wrong and what to do.

use crate::common::{TemporaryFile, program, ptpctl, run};
use std::fs::OpenOptions;
use std::process::Stdio;

#[test]
fn offsets_that_arent_exact_and_clear_are_refused() {
    for (offset, why) in [
        ("500", "write 500ns for nanoseconds or 500s for seconds"),
        ("5ns3us", "no unit of time"),
        ("nan", "begin with a number"),
        ("inf", "begin with a number"),
        ("nanns", "begin with a number"),
        ("1e9ns", "exponents"),
        ("--5ns", "begin with a number"),
        ("+-5ns", "begin with a number"),
        ("''", "empty"),
        ("٥ns", "ASCII digits"),
        ("５ns", "ASCII digits"),
        ("0.5ns", "whole number of nanoseconds"),
        ("0.0000000001s", "whole number of nanoseconds"),
        ("500ps", "whole nanoseconds"),
        ("5minutes", "no unit of time"),
        ("9223372036854775808ns", "64 bits"),
        ("-9223372036854775809ns", "64 bits"),
        ("99999999999999999999999999999999999999999s", "more digits"),
        ("0x10ns", "no unit of time"),
        ("1,5us", "no unit of time"),
        ("-", "begin with a number"),
    ] {
        for command in ["adjphase", "adjtime"] {
            ptpctl(&format!("{command} {offset} mock")).failed(2, why);
        }
    }
}

#[test]
fn phase_offsets_beyond_32_bits_are_refused() {
    for offset in
        ["2147483648ns", "-2147483649ns", "4294967796ns", "4.294967796s", "9223372036854775807ns"]
    {
        ptpctl(&format!("adjphase {offset} mock")).failed(2, "32 bits");
    }
}

#[test]
fn frequencies_that_arent_clear_are_refused() {
    for (frequency, why) in [
        ("5", "write 5ppb for parts per billion or 5ppm for parts per million"),
        ("5ns", "no unit of frequency"),
        ("nan", "begin with a number"),
        ("1e9ppb", "exponents"),
        ("''", "empty"),
        ("99999999999999999ppm", "64 bits"),
    ] {
        ptpctl(&format!("adjfreq {frequency} mock")).failed(2, why);
    }
}

#[test]
fn starts_that_a_driver_would_wrap_or_nobody_waits_for_are_refused() {
    for (arguments, why) in [
        ("--start @18446744074", "64 bits"),
        ("--start @9223372037", "64 bits"),
        ("--start @9223372036 --far", "64 bits"),
        ("--start @1700000000000", "64 bits"),
        ("--start @4102444800", "--far"),
        ("--start 2100-01-01T00:00:00Z", "--far"),
        ("--start +40000000s", "--far"),
        ("--start 2s", "write +2s"),
        ("--start 2026-01-31T12:00:00ZZ", "calendar time"),
        ("--start 2099-01-31T12:00:00Z-23:59", "calendar time"),
    ] {
        for more in ["", " --dry-run"] {
            let line = format!("perout --period 1s {arguments}{more} mock:full,time=virtual");
            ptpctl(&line).failed(2, why);
        }
    }
    ptpctl("perout --period 1s --start 2026-11-25T23:59:00Z mock:full,unset").failed(2, "is unset");
    ptpctl("perout --period 9223372036s mock:full").failed(2, "64 bits");
    ptpctl("perout --period 1s --start @4102444800 --far mock:full,time=virtual").done();
    ptpctl("perout --period 1s --start +31000000s mock:full,time=virtual").done();
}

#[test]
fn steps_to_where_no_clock_goes_are_refused() {
    for (step, why) in [
        ("9223372036s", "64 bits"),
        ("9223372036.854775807s", "64 bits"),
        ("-9223372036.854775808s", "before 1970"),
        ("-1700001000s", "before 1970"),
        ("7600000000s", "64 bits"),
    ] {
        for more in ["", " --dry-run"] {
            ptpctl(&format!("adjtime {step}{more} mock:full,time=virtual,kernel=6.1.20"))
                .failed(2, why);
        }
    }
}

#[test]
fn the_largest_values_of_each_request_are_refused() {
    for (line, status) in [
        ("set @9223372036.854775808 mock", 2),
        ("adjfreq 9223372036854ppb mock", 3),
        ("adjfreq -9223372036854ppb mock", 3),
        ("adjphase 9223372036s mock", 2),
        ("adjphase -2147483648ns mock", 2),
        ("extts --channel 4294967295 mock", 3),
        ("extts --only --channel 2048 mock", 3),
        ("extts --off --channel 4294967295 mock", 3),
        ("perout --period 1s --channel 4294967295 mock", 3),
        ("perout --off --channel 4294967295 mock", 3),
        ("perout --period 9223372036.854775807s --phase 9223372036.854775807s mock", 2),
        ("perout --period 1s --pulse-width 9223372036s mock", 2),
        ("pin 4294967295 extts mock", 3),
        ("pin 0 extts --channel 4294967295 mock", 3),
        ("pin 0 perout --channel 4294967295 mock", 3),
        ("vclocks 4294967295 -d mock", 3),
        ("offset --samples 4294967295 mock", 2),
        ("offset --clock aux8 mock", 2),
    ] {
        ptpctl(line).failed(status, "");
    }
}

#[test]
fn times_that_no_clock_can_have_are_refused() {
    for (time, status, why) in [
        ("1700000000", 2, "write @1700000000"),
        ("@", 2, "empty"),
        ("@nan", 2, "begin with a number"),
        ("@-5", 2, "before 1970"),
        ("@1.0000000001", 2, "nine decimals"),
        ("@5s", 2, "left over"),
        ("@9223372036854775808", 2, "64 bits"),
        ("@9223372036854775807", 2, "64 bits"),
        ("2026-01-31T12:00:00", 2, "offset from UTC"),
        ("@9223372037", 2, "64 bits"),
        ("2026-02-30T12:00:00Z", 2, "RFC 3339"),
        ("2026-01-31T12:00:00Z-23:59", 2, "calendar time"),
        ("2026-01-31T12:00:00Zfoo+01:00", 2, "calendar time"),
        ("2026-01-31T12:00:00ZZ", 2, "calendar time"),
        ("yesterday", 2, "now, @SECONDS"),
        ("''", 2, "now, @SECONDS"),
    ] {
        let run = ptpctl(&format!("set {time} mock"));
        assert_eq!(run.status, Some(status), "{time}: {run:?}");
        if time != "2026-02-30T12:00:00Z" {
            run.failed(status, why);
        }
    }
}

#[test]
fn outputs_that_no_clock_can_make_are_refused() {
    for (output, why) in [
        ("--period 0", "above 0"),
        ("--period 0s", "above 0"),
        ("--period -1s", "above 0"),
        ("--period 1s --pulse-width 2s", "doesn't fit"),
        ("--period 1s --pulse-width 0s", "doesn't fit"),
        ("--period 1s --duty 101%", "doesn't fit"),
        ("--period 1s --duty 50", "50%"),
        ("--period 1s --phase 1s", "less than the period"),
        ("--period 1s --phase -1ns", "0 or more"),
        ("--period 1s --start @5", "in the past"),
        ("--period 1s --start +0s", "in the future"),
        ("--period 1s --start now", "in the future"),
        ("--period 1s --start +2s --phase 5ns", "cannot be used"),
        ("--frequency 0Hz", "above 0"),
        ("--frequency 3Hz", "whole number of nanoseconds"),
        ("--frequency 10", "10Hz"),
        ("--period 1s --frequency 1Hz", "cannot be used"),
        ("--off --period 1s", "cannot be used"),
        ("", "required"),
        ("--period 1s --channel 4294967296", "4294967296"),
        ("--period 1s --channel -1", "-1"),
    ] {
        ptpctl(format!("perout {output} -d mock").replace("  ", " ").as_str()).failed(2, why);
    }
    ptpctl("perout --period 1s --channel 4294967295 mock").failed(3, "0 to 3");
    ptpctl("perout --period 1s --pin SDP9 mock").failed(3, "0 (SDP0)");
}

#[test]
fn channels_that_arent_there_are_refused() {
    ptpctl("extts --channel 4 mock").failed(3, "0 to 3");
    ptpctl("extts --channel 4294967295 mock").failed(3, "0 to 3");
    ptpctl("extts mock:igb").failed(3, "no extts channels");
}

#[test]
fn waits_need_a_unit() {
    ptpctl("extts --timeout 10 mock").failed(2, "10s");
    ptpctl("extts --duration nan mock").failed(2, "duration");
    ptpctl("extts --count 0 mock").failed(2, "0");
    ptpctl("offset --samples 0 mock").failed(2, "0");
}

#[test]
fn devices_that_are_no_clock_are_told() {
    for device in ["/dev/null", "/tmp", "/dev", "/proc/self/stat", "./Cargo.toml"] {
        ptpctl(&format!("get {device}")).failed(1, "no PTP hardware clock");
    }
    ptpctl("get /dev/nosuch").failed(1, "ptpctl list");
    ptpctl("get nosuch").failed(1, "no clock 'nosuch'");
    ptpctl("get ''").failed(2, "empty");
    ptpctl("get lo").failed(1, "lo has no PTP hardware clock");
    ptpctl("get an-interface-with-a-long-name").failed(1, "no clock");
    ptpctl("get mock:nosuch").failed(2, "full, clockmatrix, igb");
    ptpctl("get mock:full,nosuch=1").failed(2, "no such setting");
}

#[test]
fn a_misspelt_command_is_an_error_with_a_suggestion() {
    ptpctl("adjphas 5ns mock").failed(2, "adjphase");
    ptpctl("getfoo mock").failed(2, "unrecognized");
    ptpctl("get mock mock:igb extra").failed(2, "unexpected");
    ptpctl("get --jsno mock").failed(2, "--json");
}

#[test]
fn errors_under_json_are_an_object() {
    let error = |line: &str| -> serde_json::Value {
        serde_json::from_str(&ptpctl(line).stderr).expect("an object on standard error")
    };
    let refused = error("adjphase --json 500ns mock:igb");
    assert_eq!(refused["exit_status"], 3);
    assert_eq!(refused["device"], "mock:igb");
    assert_eq!(refused["clock_name"], "525400123456");
    let failed = error("set @5 --json mock:full,fail=clock_settime:EIO");
    assert_eq!(failed["errno"], "EIO");
    assert_eq!(failed["call"], "clock_settime");
    assert_eq!(failed["asked"], "set the time to 5.000000000");
    assert_eq!(error("adjphase --json 500 mock")["exit_status"], 2);
    assert_eq!(error("get --json nosuch")["exit_status"], 1);
    assert_eq!(
        error("extts --json --timeout 1s mock:full,time=virtual,signal=off")["exit_status"],
        5
    );
}

#[test]
fn a_full_disk_behind_the_output_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let run = run(program().args(["caps", "mock"]).stdout(Stdio::from(full)));
    // Standard output isn't the pipe that `run` reads.
    assert_eq!(run.status, Some(1));
    assert!(run.stderr.contains("can't write the output"), "{run:?}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let run = run(program().args(["caps", "mock"]).stdout(Stdio::from(writer)));
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_damaged_state_file_is_refused_and_left_alone() {
    let file = TemporaryFile::new("damaged");
    for text in
        ["nonsense", "{}", "{\"form\":1}", "[", "{\"form\":1,\"profile\":\"full\"}", "\u{0}"]
    {
        std::fs::write(&file.0, text).expect("written");
        for command in ["get", "adjtime 1s"] {
            ptpctl(&format!("{command} {}", file.mock("full")))
                .failed(1, "damaged and was left alone");
        }
        assert_eq!(std::fs::read_to_string(&file.0).expect("there"), text);
    }
    let _ = std::fs::remove_file(&file.0);
    ptpctl(&format!("adjtime 1s {}", file.mock("igb"))).done();
    ptpctl(&format!("get {}", file.mock("full"))).failed(1, "the state of mock:igb");
    ptpctl(&format!("get {}", file.mock("igb,time=virtual"))).failed(1, "time=virtual");
}

#[test]
fn what_is_no_regular_file_is_no_state_file() {
    let file = TemporaryFile::new("link-target");
    let link = TemporaryFile::new("link");
    for command in ["get", "adjtime 1s"] {
        ptpctl(&format!("{command} mock:full,state=/dev/null")).failed(1, "no regular file");
        ptpctl(&format!("{command} mock:full,state=/tmp")).failed(1, "");
    }
    // A link stays a link, and the file behind it keeps the state.
    std::fs::write(&file.0, "").expect("written");
    std::os::unix::fs::symlink(&file.0, &link.0).expect("a link");
    ptpctl(&format!("adjtime 1s {}", link.mock("full"))).done();
    assert!(link.0.is_symlink());
    assert!(std::fs::read_to_string(&file.0).expect("a state").contains("\"form\""));
    ptpctl("vclocks 2 mock:full,state=/nosuch/folder/file").failed(1, "ENOENT");
}

#[test]
fn every_field_of_a_state_file_is_checked() {
    let file = TemporaryFile::new("fields");
    let mock = file.mock("full,time=virtual,loop=0:1");
    ptpctl(&format!("perout --period 1s --pin 0 {mock}")).done();
    ptpctl(&format!("extts --keep --count 1 --pin 1 {mock}")).done();
    let sound: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file.0).expect("a state")).expect("JSON");
    for field in sound.as_object().expect("an object").keys() {
        for wrong in [
            serde_json::json!("x"),
            serde_json::json!([[]]),
            serde_json::json!(-1),
            serde_json::json!(i64::MAX),
            serde_json::json!((1_u128 << 99).to_string()),
            serde_json::json!("-18446744073709551615"),
        ] {
            let mut damaged = sound.clone();
            damaged[field] = wrong;
            std::fs::write(&file.0, damaged.to_string()).expect("written");
            for command in ["vclocks", "offset", "get"] {
                let run = ptpctl(&format!("{command} {mock}"));
                assert!(matches!(run.status, Some(0 | 1)), "{field}: {run:?}");
            }
            let run = ptpctl(&format!("get {mock}"));
            // A negative number is valid in a field that is signed.
            assert!(matches!(run.status, Some(0 | 1)), "{field}: {run:?}");
            assert!(!run.stderr.contains("panicked"), "{field}: {run:?}");
        }
    }
}
