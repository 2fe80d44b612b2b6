//! `mock:replay=FILE`: a mock that answers as a recorded clock did.

#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use crate::common::{TemporaryFile, program, ptpctl, run, start};
use serde_json::Value;
use std::fs;

/// Records what ptpctl does with a mock clock, unless this machine can't.
fn record(name: &str, clock: &str, lines: &[&str]) -> Option<(TemporaryFile, String)> {
    let file = TemporaryFile::new(&format!("replay-{name}"));
    let own = start().join(" ");
    let lines: Vec<_> = lines.iter().map(|line| format!("{own} {line}")).collect();
    let path = file.0.display();
    let line = format!("{own} trace --summary --record {path} -- sh -c '{}'", lines.join("; "));
    let mut command = program();
    command.args(["mock", "run", "--clock", clock, "--", "sh", "-c", &line]);
    let ended = run(&mut command);
    if ended.status == Some(125) {
        println!("skipped: {}", ended.stderr);
        return None;
    }
    assert!(file.0.exists(), "{ended:?}");
    Some((file, ended.stdout))
}

#[test]
fn the_clock_is_as_the_recorded_one() {
    let clock = "clockmatrix,driver=idt,kernel=6.1";
    let Some((file, _)) = record("caps", clock, &["caps ptp0"]) else { return };
    let as_recorded = |line: &str| {
        let mut shown = ptpctl(line).done().json();
        shown["device"] = Value::Null;
        shown
    };
    let path = file.0.display();
    let caps = as_recorded(&format!("caps --json mock:replay={path}"));
    let original = as_recorded("caps --json mock:clockmatrix,kernel=6.1");
    for key in ["max_adj_ppb", "n_ext_ts", "n_per_out", "n_pins", "adjust_phase", "clock_name"] {
        assert_eq!(caps[key], original[key], "{key}");
    }
    assert_eq!(caps["max_phase_adj_ns"], original["max_phase_adj_ns"]);
    let pins = as_recorded(&format!("pins --json mock:replay={path}"));
    assert_eq!(pins["pins"], as_recorded("pins --json mock:clockmatrix")["pins"]);
    let tests = format!("selftest --dry-run mock:replay={path}");
    ptpctl(&tests).done();
}

/// The offsets of all samples in a recording, or the raw samples of `offset --raw`.
fn delays(lines: &str) -> Vec<i64> {
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter_map(|line| line["delay_ns"].as_i64().filter(|_| line["phc"].is_object())).collect()
}

#[test]
fn exactly_the_same_calls_get_exactly_the_same_answers() {
    let clock = "igb,offset=-7ms,freq=20ppm,jitter=3us,seed=9,fail=sys_offset_extended#3:EIO";
    let Some((file, original)) = record("exact", clock, &["offset --raw --json --samples 60 ptp0"])
    else {
        return;
    };
    let recorded: Vec<Value> = fs::read_to_string(&file.0)
        .expect("a recording")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let samples: Vec<&Value> = recorded
        .iter()
        .filter(|line| line["call"].as_str().is_some_and(|it| it.contains("EXTENDED")))
        .flat_map(|line| line["samples"].as_array().into_iter().flatten())
        .collect();
    let time = |time: &Value| {
        let part = |key: &str| time[key].as_i64().expect("a number");
        part("seconds") * 1_000_000_000 + part("nanoseconds")
    };
    let expected: Vec<_> =
        samples.iter().map(|it| time(&it["after"]) - time(&it["before"])).collect();
    let path = file.0.display();
    let line = format!("offset --raw --json --samples 60 mock:replay={path},exact,time=virtual");
    let twice = [ptpctl(&line).done().stdout, ptpctl(&line).done().stdout];
    assert_eq!(twice[0], twice[1], "it is the same each time");
    let found = delays(&twice[0]);
    assert!(found.len() >= 50 && expected.starts_with(&found[..50]), "{found:?} {expected:?}");
    let result = |lines: &str| -> Value {
        let line = lines.lines().find(|line| line.contains("\"bound_ns\"")).expect("a result");
        serde_json::from_str(line).expect("JSON")
    };
    let (found, original) = (result(&twice[0]), result(&original));
    let number = |of: &Value, key: &str| of[key].as_i64().expect("a number");
    let apart = number(&found, "offset_ns") - number(&original, "offset_ns");
    let bounds = number(&found, "bound_ns") + number(&original, "bound_ns");
    assert!(apart.abs() <= bounds, "{found} {original}");
}

#[test]
fn a_call_that_failed_fails() {
    let clock = "full,fail=extts_request/1:EBUSY,fail=getcaps#9:EIO";
    let Some((file, _)) = record("fails", clock, &["extts --channel 0 --count 1 ptp0"]) else {
        return;
    };
    for way in ["", ",exact"] {
        let replay = format!("mock:replay={}{way}", file.0.display());
        let ended = ptpctl(&format!("extts --channel 0 --count 1 {replay}"));
        ended.failed(1, "EBUSY");
        ptpctl(&format!("caps {replay}")).done();
    }
}

#[test]
fn a_clock_that_is_steered_has_the_recorded_statistics() {
    let clock = "igb,offset=5ms,freq=10ppm,jitter=4us,fail=sys_offset_extended/4:ETIMEDOUT";
    let lines = ["monitor --count 40 --interval 20ms ptp0"];
    let Some((file, _)) = record("statistics", clock, &lines) else { return };
    let replay = format!("mock:replay={},time=virtual", file.0.display());
    let measured = ptpctl(&format!("offset --json {replay}")).done().json();
    let offset = measured["offset_ns"].as_i64().expect("an offset");
    assert!((4_980_000..5_030_000).contains(&offset), "{offset}");
    let lines =
        ptpctl(&format!("monitor --json --count 100 --interval 100ms {replay}")).done().lines();
    let offsets: Vec<_> = lines.iter().filter_map(|line| line["offset_ns"].as_i64()).collect();
    let grown = offsets.last().expect("an offset") - offsets[0];
    assert!((60_000..140_000).contains(&grown), "{grown} ns in 10 s");
    let delays: Vec<_> = lines.iter().filter_map(|line| line["delay_ns"].as_i64()).collect();
    assert!(delays.iter().all(|delay| (1_100..200_000).contains(delay)), "{delays:?}");
    let slow = ptpctl(&format!("offset --json {replay},read=300us,jitter=0")).done().json();
    assert_eq!(slow["delay_ns"], 600_000);
}

#[test]
fn events_come_as_they_were_recorded() {
    let lines = ["extts --channel 0 --count 6 ptp0"];
    let Some((file, _)) = record("events", "full,signal=20ms,signal-phase=3ms", &lines) else {
        return;
    };
    for way in ["", ",exact", ",exact,time=virtual", ",time=virtual"] {
        let replay = format!("mock:replay={}{way}", file.0.display());
        let events = ptpctl(&format!("extts --json --channel 0 --count 5 {replay}")).done().lines();
        let intervals = events.iter().filter_map(|event| event["interval_ns"].as_i64());
        let intervals: Vec<_> = intervals.collect();
        assert_eq!(intervals.len(), 4, "{way}");
        assert!(intervals.iter().all(|it| (it - 20_000_000).abs() < 10_000), "{way} {intervals:?}");
    }
}

#[test]
fn after_the_recorded_events_others_come_as_often() {
    let lines = ["extts --channel 0 --count 2 ptp0"];
    let Some((file, _)) = record("more", "full,signal=20ms", &lines) else { return };
    let replay = format!("mock:replay={},exact,time=virtual", file.0.display());
    let events = ptpctl(&format!("extts --json --channel 0 --count 6 {replay}")).done().lines();
    assert_eq!(events.len(), 6);
}

#[test]
fn a_reading_alone_shows_no_offset_that_is_shorter_than_it_took() {
    let Some((file, _)) = record("alone", "full", &["set now --dry-run ptp0"]) else { return };
    let text = fs::read_to_string(&file.0).expect("a recording");
    let alone = |line: &&str| line.contains("\"caps\"") || line.contains("\"clock_gettime\"");
    let lines: Vec<_> = text.lines().filter(alone).collect();
    fs::write(&file.0, lines.join("\n") + "\n").expect("written");
    let shown = ptpctl(&format!("offset --json mock:replay={}", file.0.display())).done().json();
    let offset = shown["offset_ns"].as_i64().expect("an offset");
    assert!(offset.abs() < 1_000, "{shown}");
}

/// What cards in the field do is played as it was recorded.
#[test]
fn a_card_that_misbehaves_misbehaves_again() {
    let clock = "igb,reversed,offset=3ms";
    let Some((file, _)) = record("reversed", clock, &["offset ptp0"]) else { return };
    for way in ["", ",exact"] {
        let replay = format!("mock:replay={}{way}", file.0.display());
        let shown = ptpctl(&format!("offset --json {replay}")).done().json();
        assert_eq!(shown["method"], "basic", "{way}: {shown}");
        let offset = shown["offset_ns"].as_i64().expect("an offset");
        assert!((2_900_000..3_100_000).contains(&offset), "{way}: {offset}");
    }
    let clock = "full,fail=pin_setfunc/1:524";
    let lines = ["pin 0 extts ptp0"];
    let Some((file, _)) = record("524", clock, &lines) else { return };
    let replay = format!("mock:replay={}", file.0.display());
    ptpctl(&format!("pin 0 extts {replay}")).failed(3, "ENOTSUPP, 524");
}

/// Names and numbers that no clock has: no file is made elsewhere, and nothing waits or overflows.
#[test]
fn a_hostile_recording_does_no_harm() {
    let Some((file, _)) = record("hostile", "full", &["pins ptp0", "offset ptp0"]) else { return };
    let text = fs::read_to_string(&file.0).expect("a recording");
    let path = file.0.display().to_string();
    for (from, to, why) in [
        ("\"n_pins\":4", "\"n_pins\":2147483647", "no clock has 2147483647 pins"),
        ("\"schema\":2", "\"schema\":99", "it is of another version of ptpctl"),
        ("\"at_ns\":", "\"at_ns\":9", ""),
    ] {
        fs::write(&file.0, text.replace(from, to)).expect("written");
        let ended = ptpctl(&format!("caps mock:replay={path}"));
        if why.is_empty() {
            assert!([Some(0), Some(2)].contains(&ended.status), "{ended:?}");
        } else {
            ended.failed(2, why);
        }
    }
    let evil = format!("../../../../../../../../../..{path}-evil");
    let changed = text
        .replacen("\"name\":\"SDP0\"", &format!("\"name\":\"{evil}\""), 1)
        .replacen("\"name\":\"SDP1\"", "\"name\":\"SDP2\"", 1)
        .replacen("\"driver\":null", &format!("\"driver\":\"{evil}\""), 1);
    fs::write(&file.0, changed).expect("written");
    let clock = format!("replay={path}");
    let mut command = program();
    let ended = run(command.args(["mock", "run", "--clock", &clock, "--", "true"]));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(!std::path::Path::new(&format!("{path}-evil")).exists());
}

#[test]
fn a_call_that_is_always_interrupted_fails() {
    ptpctl("get mock:full,fail=clock_gettime/1:EINTR").failed(1, "EINTR");
}

#[test]
fn what_can_not_be_played_is_refused() {
    let file = TemporaryFile::new("replay-bad");
    for (text, why) in [
        ("", "it has no clock"),
        ("{}\n{}", "line 1 is none of a recording"),
        ("offset 5\n", "line 1 is none of a recording"),
    ] {
        fs::write(&file.0, text).expect("written");
        ptpctl(&format!("caps mock:replay={}", file.0.display())).failed(2, why);
    }
    ptpctl("caps mock:replay=/nowhere").failed(2, "No such file or directory (ENOENT)");
    ptpctl("caps mock:replay=/dev/zero").failed(2, "neither a file nor a pipe");
}

#[test]
fn a_recording_that_was_cut_off_is_played_as_far_as_it_goes() {
    let Some((file, _)) = record("cut", "igb", &["get ptp0", "get ptp0"]) else { return };
    let text = fs::read(&file.0).expect("a recording");
    fs::write(&file.0, &text[..text.len() - 9]).expect("written");
    ptpctl(&format!("get mock:replay={}", file.0.display())).done();
    ptpctl(&format!("get mock:replay={},clock=ptp5", file.0.display()))
        .failed(2, "it has no clock ptp5");
}

#[test]
fn another_program_sees_the_recorded_clock() {
    let Some((file, _)) = record("inside", "clockmatrix,offset=2ms", &["offset ptp0"]) else {
        return;
    };
    let own = start().join(" ");
    let mut command = program();
    let clock = format!("replay={}", file.0.display());
    command.args(["mock", "run", "--clock", &clock, "--", "sh", "-c"]);
    let shown = run(command.arg(format!("{own} offset --json ptp0"))).done().json();
    let offset = shown["offset_ns"].as_i64().expect("an offset");
    assert!((1_990_000..2_010_000).contains(&offset), "{offset}");
    assert_eq!(shown["clock_name"], "IDT CM TOD0");
}
