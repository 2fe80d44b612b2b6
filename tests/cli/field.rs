//! What cards, buses and clocks really do. Readings are limited, fail, or have their times in the
//! wrong order. Clocks change their rate, are stepped and are steered.

#![expect(
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "simulated clocks, and small numbers"
)]

use crate::common::{TemporaryFile, ptpctl};
use serde_json::{Value, json};
use std::fs;

/// A card that allows 125 readings a second, of which another program takes 40.
const LIMITED: &str = "mock:igb,time=virtual,limit=125,others=40";

fn number(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_else(|| panic!("{key} is no number: {value}"))
}

/// The calls of a command that reads a clock, one at a time or many samples in a call.
fn calls(line: &str) -> Vec<String> {
    let log = TemporaryFile::new(&format!("field-{}", line.len()));
    ptpctl(&format!("{line},log={}", log.0.display())).done();
    fs::read_to_string(&log.0).expect("a log").lines().map(str::to_owned).collect()
}

#[test]
fn every_command_that_measures_works_on_a_card_that_limits_readings() {
    for line in [
        format!("offset {LIMITED}"),
        format!("diff {LIMITED} mock:e1000e,time=virtual,limit=125"),
        format!("monitor --count 5 {LIMITED}"),
        format!("record --count 5 /dev/null {LIMITED}"),
        format!("stability --count 20 {LIMITED}"),
        format!("set now {LIMITED}"),
        format!("set-system {LIMITED}"),
        format!("get {LIMITED}"),
    ] {
        let run = ptpctl(&line);
        let run = run.done();
        assert!(!run.stdout.contains("missed") && !run.stderr.contains("missed"), "{run:?}");
    }
    let test = ptpctl(&format!("selftest --yes {LIMITED}"));
    assert!(!test.stdout.contains("not ok"), "{}", test.stdout);
}

#[test]
fn a_limit_that_is_known_is_kept_from_the_first_reading_on() {
    for known in ["driver=ena", "claimed-error=300ns"] {
        // A quarter of 125 in a second, so that no reading is refused.
        let strict = format!("mock:igb,time=virtual,limit=34,{known}");
        let offset = ptpctl(&format!("offset --json {strict}")).done().json();
        assert!((20..=31).contains(&number(&offset, "samples")), "{offset}");
        let lines = ptpctl(&format!("monitor --json --count 10 {strict}")).done().lines();
        assert!(lines.iter().all(|line| line["offset_ns"].is_i64()), "{lines:?}");
    }
}

#[test]
fn what_fails_now_and_then_is_tried_again() {
    let line = "stability --json --count 40 --interval 10ms --samples 25 \
                mock:igb,time=virtual,fail=sys_offset_extended#20:ETIMEDOUT";
    assert_eq!(ptpctl(line).done().json()["offsets"], 40);
    for errno in ["ETIMEDOUT", "EBUSY", "EAGAIN", "EIO"] {
        for when in ["/7", "~20%"] {
            let mock = format!("mock:igb,time=virtual,fail=sys_offset_extended{when}:{errno}");
            let lines = ptpctl(&format!("monitor --json --count 50 {mock}")).done().lines();
            let extended = |line: &&Value| line["method"] == "extended";
            assert_eq!(lines.iter().filter(extended).count(), 50, "{errno} {when}");
        }
    }
    // A single reading, too.
    ptpctl("get mock:igb,fail=clock_gettime:EIO").done();
}

#[test]
fn a_reading_that_stays_away_is_one_missing_measurement() {
    let line = "monitor --json --count 9 --interval 100ms mock:igb,time=virtual,\
                fail=sys_offset_extended~93%:EIO,fail=sys_offset/1:EIO,seed=2";
    let lines = ptpctl(line).done().lines();
    let missed: Vec<_> = lines.iter().filter(|line| line["missed"].is_string()).collect();
    assert!(!missed.is_empty() && missed.len() < 9, "{lines:?}");
    assert!(missed.iter().all(|line| line["errno"] == "EIO" && line["call"].is_string()));
    assert!(lines.iter().all(|line| line["stepped"] != true), "{lines:?}");
}

#[test]
fn only_the_clock_itself_says_that_it_has_gone() {
    // A cross timestamp without a partner.
    let lonely = "mock:full,time=virtual,fail=sys_offset_precise/1:ENODEV";
    let offset = ptpctl(&format!("offset --json {lonely}")).done().json();
    assert_eq!(
        (&offset["method"], &offset["passed_over"][0]["errno"]),
        (&json!("extended"), &json!("ENODEV"))
    );
    let failed = ptpctl(&format!("offset -m precise {lonely}")).failed(1, "PTP_SYS_OFFSET_PRECISE");
    assert!(failed.stderr.contains("for want of a partner"), "{}", failed.stderr);
    assert!(!failed.stderr.contains("has gone"), "{}", failed.stderr);
    for errno in ["EINVAL", "EOPNOTSUPP", "ETIMEDOUT"] {
        let mock = format!("mock:full,time=virtual,fail=sys_offset_precise/1:{errno}");
        let run = ptpctl(&format!("monitor --json --count 3 {mock}"));
        // It isn't reported that the driver lacks this method.
        let is_told = run.stderr.contains("a better method failed");
        assert_eq!(is_told, errno != "EOPNOTSUPP", "{run:?}");
        let lines = run.lines();
        assert!(lines.iter().all(|line| line["method"] == "extended"), "{lines:?}");
        ptpctl(&format!("offset -m precise {mock}"))
            .failed(if errno == "EOPNOTSUPP" { 3 } else { 1 }, errno);
    }
}

#[test]
fn samples_the_wrong_way_round_are_passed_over_and_can_be_seen() {
    let mock = "mock:igb,time=virtual,reversed,offset=5us";
    let offset = ptpctl(&format!("offset --json {mock}")).done().json();
    assert_eq!(offset["method"], "basic");
    assert!(
        (number(&offset, "offset_ns") - 5_000).abs() <= number(&offset, "bound_ns"),
        "{offset}"
    );
    assert!(offset["notes"].to_string().contains("the wrong way round"), "{offset}");
    ptpctl(&format!("offset -m extended {mock}")).failed(1, "the wrong way round");
    let raw = ptpctl(&format!("offset --raw -m extended -s 3 {mock}"));
    assert_eq!((raw.status, raw.stdout.matches("-2 s").count()), (Some(1), 3), "{raw:?}");
    let lines = ptpctl(&format!("monitor --json --count 3 {mock}")).lines();
    assert!(lines.len() == 3 && lines.iter().all(|line| line["method"] == "basic"), "{lines:?}");
}

#[test]
fn no_more_is_read_than_it_is_worth() {
    let samples = |line: &str| number(&ptpctl(line).done().json(), "samples");
    // More samples don't improve this.
    assert!(samples("offset --json mock:igb,time=virtual,jitter=10ns") <= 400);
    assert!(samples("offset --json mock:igb,time=virtual,jitter=20us,shape=bell") <= 4_000);
    // A clock on a slow bus.
    assert!(samples("offset --json mock:igb,time=virtual,read=5ms,jitter=1ms") <= 5);
    let of_calls =
        |line: &str| calls(line).iter().filter(|call| *call == "sys_offset_extended").count();
    let slow = of_calls("monitor --count 20 mock:igb,time=virtual,read=5ms,jitter=0ns");
    assert!(slow <= 22, "one reading of 10 ms a second: {slow}");
    let fast = of_calls("monitor --count 20 mock:igb,time=virtual,jitter=20us,shape=exponential");
    assert!(fast <= 20 * 32, "some 600 samples in calls of 25: {fast}");
}

#[test]
fn raw_samples_are_printed_as_they_come() {
    let run = ptpctl("offset --raw --json -s 100000 mock:igb,time=virtual").done();
    let lines = run.lines();
    assert_eq!(lines.len(), 100_001);
    assert_eq!((&lines[0]["schema"], &lines[1]["schema"]), (&json!(2), &json!(null)));
}

/// The offset of a clock with these settings, and its error at the moment for which it is given.
fn at_its_moment(settings: &str, arguments: &str, truth: impl Fn(f64) -> f64) -> (Value, f64) {
    let line = format!("offset --json {arguments} mock:igb,time=virtual,{settings}");
    let offset = ptpctl(&line.replace("  ", " ")).done().json();
    let at = |part: &str| offset["at"][part].as_f64().expect("a number");
    let seconds = at("seconds") - 1_700_000_000.0 + at("nanoseconds") / 1e9;
    let error = (offset["offset_ns"].as_f64().expect("a number") - truth(seconds)).abs();
    (offset, error)
}

#[test]
fn the_bound_holds_and_the_guess_is_near_where_a_clock_drifts_or_changes_its_frequency() {
    for seed in 1..6 {
        let (offset, error) = at_its_moment(
            &format!("drift=95ppb,read=20us,seed={seed}"),
            "--duration 10s",
            |seconds| 95.0 * seconds * seconds / 2.0,
        );
        assert!(error <= number(&offset, "bound_ns") as f64 && error < 20.0, "{error}: {offset}");
        assert_eq!(offset["curved"], true, "{offset}");
        let (offset, error) = at_its_moment(
            &format!("freq-step=500ppm@15ms,seed={seed}"),
            "--duration 30ms",
            |seconds| 500_000.0 * (seconds - 0.015).max(0.0),
        );
        assert!(error <= number(&offset, "bound_ns") as f64 && error < 20.0, "{error}: {offset}");
        assert_eq!(offset["curved"], true, "{offset}");
    }
    let (offset, error) = at_its_moment("freq=12ppm", "", |seconds| 12_000.0 * seconds);
    assert!(error < 10.0 && offset["curved"] == false, "{error}: {offset}");
}

#[test]
fn soft_edges_coarse_times_and_late_ways_are_no_harm() {
    for settings in [
        "jitter=80ns,shape=bell",
        "jitter=1500ns,shape=bimodal,edge=20ns",
        "jitter=400ns,shape=exponential,edge=20ns",
        "jitter=300ns,shape=pareto",
        "jitter=2us,late=20us",
        "resolution=8ns",
        "resolution=40ns",
        "walk=10ppb",
        "steered=100ppb",
    ] {
        let (offset, error) = at_its_moment(settings, "", |_| 0.0);
        assert!(
            error <= number(&offset, "bound_ns") as f64 && error <= 60.0,
            "{settings}: {offset}"
        );
    }
}

#[test]
fn a_clock_that_is_far_off_in_its_rate_or_read_slowly_is_told_rightly() {
    for (settings, ppb) in [
        ("freq=50ppm,read=1ms,jitter=0ns", 50_000.0),
        ("freq=50ppm,read=1ms", 50_000.0),
        ("freq=900ppm,read=1ms,jitter=0ns", 900_000.0),
        ("freq=10000ppm,jitter=0ns", 10_000_000.0),
    ] {
        let truth = |elapsed: f64| ppb * elapsed;
        let (offset, error) = at_its_moment(settings, "--samples 500", truth);
        assert!(error < 3.0, "{error} ns: {offset}");
        let rate = offset["rate_ppb"].as_f64().expect("a rate");
        let uncertainty = offset["rate_uncertainty_ppb"].as_f64().expect("an uncertainty");
        assert!((rate - ppb).abs() <= 3.0 * uncertainty, "{offset}");
        assert_eq!(offset["curved"], json!(false), "{offset}");
    }
}

#[test]
fn the_ticks_of_a_coarse_clock_are_no_steps_and_belong_to_the_bound() {
    for settings in
        ["resolution=8ns,shape=bell", "resolution=40ns", "resolution=1us", "resolution=10us"]
    {
        let (offset, error) = at_its_moment(settings, "--samples 5000", |_| 0.0);
        assert_eq!((&offset["steps"], &offset["curved"]), (&json!(0), &json!(false)), "{offset}");
        assert!(error <= number(&offset, "bound_ns") as f64, "{offset}");
        assert!(error <= 1.5 * number(&offset, "uncertainty_ns") as f64, "{offset}");
    }
    let still = "offset --samples 200 mock:igb,time=virtual,resolution=1ms";
    ptpctl(still).failed(1, "it stands still");
    let watched = "monitor --json --count 5 --interval 100ms mock:igb,time=virtual,resolution=10us";
    for line in ptpctl(watched).done().lines() {
        assert_eq!(line["stepped"], json!(false), "{line}");
        assert!(number(&line, "offset_ns").abs() <= number(&line, "bound_ns"), "{line}");
    }
}

#[test]
fn as_many_samples_as_were_asked_for_are_waited_for() {
    let offset = ptpctl(&format!("offset --json --samples 200 {LIMITED}")).done().json();
    assert_eq!((&offset["samples"], &offset["notes"]), (&json!(200), &json!([])), "{offset}");
}

#[test]
fn measurements_that_come_late_are_told_once() {
    let run = ptpctl("monitor --count 50 --interval 10ms mock:igb,time=virtual,driver=ena");
    assert_eq!(run.stderr.matches("come later than every 10ms").count(), 1, "{}", run.stderr);
}

#[test]
fn a_step_in_the_middle_is_told() {
    let (offset, error) = at_its_moment("step=1ms@2ms", "--duration 10ms", |_| 1e6);
    assert!(error < 50.0 && offset["steps"] == 1, "{offset}");
    let line = "monitor --json --count 14 mock:igb,time=virtual,step=50us@10500ms";
    let stepped: Vec<_> =
        ptpctl(line).done().lines().iter().map(|line| line["stepped"] == true).collect();
    let at: Vec<_> = stepped.iter().enumerate().filter(|(_, is)| **is).map(|(at, _)| at).collect();
    assert_eq!(at, [11]);
}

#[test]
fn a_rate_that_says_nothing_is_left_out_of_the_text_and_kept_for_programs() {
    let few = "--samples 8 mock:igb,time=virtual,jitter=400ns";
    let text = ptpctl(&format!("offset {few}")).done().stdout;
    assert!(!text.contains("rate"), "{text}");
    let json = ptpctl(&format!("offset --json {few}")).done().json();
    assert!(json["rate_uncertainty_ppb"].as_f64().is_some_and(|rate| rate > 1e6), "{json}");
    let text = ptpctl("offset --duration 1s mock:igb,time=virtual,freq=12ppm").done().stdout;
    assert!(text.contains("rate     +1200") || text.contains("rate     +1199"), "{text}");
}

#[test]
fn the_moment_of_the_bound_is_shown() {
    let text = ptpctl("offset mock:igb,time=virtual").done().stdout;
    assert!(text.contains("at       2023-11-14T22:13:20."), "{text}");
    let text = ptpctl("offset --clock monotonic-raw mock:igb,time=virtual").done().stdout;
    assert!(text.contains("at       1000.00") && text.contains("s of monotonic-raw"), "{text}");
}

#[test]
fn recordings_of_the_first_version_are_read() {
    let file = TemporaryFile::new("first-version.jsonl");
    let line = |second: i64, what: &str| {
        format!(
            "{{\"device\":\"/dev/ptp0\",\"clock_name\":\"a\",\"reference\":\"realtime\",\
             \"at\":{{\"seconds\":{second},\"nanoseconds\":0}},{what}}}\n"
        )
    };
    let offset = "\"offset_ns\":5,\"bound_ns\":600,\"delay_ns\":1200,\"method\":\"extended\",\"stepped\":false";
    let mut text: String = (1..20).map(|second| line(second, offset)).collect();
    text += &line(20, "\"lost\":\"it is gone\"");
    fs::write(&file.0, text).expect("written");
    let lines = ptpctl(&format!("monitor --json --from {}", file.0.display())).done().lines();
    assert_eq!(lines.len(), 20);
    assert_eq!((&lines[0]["bound_ns"], &lines[19]["absent"]), (&json!(600), &json!("it is gone")));
    // record can add to such a file, too.
    ptpctl(&format!("record --count 1 {} mock", file.0.display())).done();
}
