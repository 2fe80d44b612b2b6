//! What a command says that it did, would do, or left out.

use crate::common::{TemporaryFile, ptpctl};
use serde_json::json;

#[test]
fn a_frequency_that_was_rounded_is_told() {
    let told = ptpctl("adjfreq 0.001ppb mock").done().stdout;
    assert!(
        told.contains("note: 0.001ppb lies between two steps of the kernel: 0 ppb is the"),
        "{told}"
    );
    let exact = ptpctl("adjfreq 1ppm mock").done().stdout;
    assert!(!exact.contains("note"), "{exact}");
    let json = |line: &str| ptpctl(&format!("adjfreq {line} --json mock")).done().json();
    assert_eq!(
        (&json("12.5ppb")["asked"], &json("12.5ppb")["rounded"]),
        (&json!("12.5ppb"), &json!(true))
    );
    assert_eq!(json("-3ppm")["rounded"], false);
}

#[test]
fn a_dry_run_fails_where_it_can_be_known_that_the_call_would() {
    let file = TemporaryFile::new("dry-free");
    let free = file.mock("igb");
    ptpctl(&format!("vclocks 1 -d {free}")).done();
    for change in ["set now", "set @5", "adjtime 1s", "adjfreq 1ppb"] {
        ptpctl(&format!("{change} {free}")).failed(1, "EBUSY");
        ptpctl(&format!("{change} --dry-run {free}"))
            .failed(3, "1 virtual clock and no cycle counter");
    }
}

#[test]
fn a_dry_run_of_who_may_only_read_says_that_the_call_would_be_refused() {
    for change in [
        "set now",
        "adjtime 1s",
        "adjfreq 1ppb",
        "adjphase 5ns",
        "pin 0 extts",
        "perout --period 1s",
        "pps on",
        "extts",
        "extts --off",
    ] {
        ptpctl(&format!("{change} mock:readonly")).failed(1, "for reading only");
        let dry = ptpctl(&format!("{change} --dry-run mock:readonly")).done().stdout;
        assert!(dry.contains("note: this user can't do it: can't open"), "{change}: {dry}");
    }
}

#[test]
fn what_a_dry_run_cannot_know_is_named() {
    for change in
        ["set @5", "set-system", "adjtime 1s", "adjfreq 0", "pps on", "vclocks 2", "extts"]
    {
        let dry =
            ptpctl(&format!("{change} --dry-run --json -d mock:full,time=virtual")).done().json();
        let notes = dry["notes"].as_array().expect("notes");
        assert!(
            notes.iter().any(|note| note.as_str().is_some_and(|n| n.starts_with("not tried"))),
            "{dry}"
        );
    }
}

#[test]
fn a_report_names_all_that_was_asked() {
    for (line, told) in [
        ("perout --period 1s --one-shot mock", &["pulses  a single one"][..]),
        ("perout --period 1s --pin 0 mock", &["pin     0 (SDP0)"]),
        ("set now --tai mock", &["TAI - UTC         37 s"]),
        ("set 2026-01-01T00:00:00Z --tai mock", &["TAI - UTC  37 s"]),
        (
            "extts --dry-run --pin 0 --edge both --only mock",
            &["edges     both", "pin       0 (SDP0)", "this channel alone"],
        ),
    ] {
        let text = ptpctl(line).done().stdout;
        for told in told {
            assert!(text.contains(told), "{told:?} is not in {text}");
        }
    }
}

#[test]
fn an_option_that_would_be_ignored_is_refused() {
    for line in [
        "perout --period 1s --far mock",
        "selftest --list --yes",
        "selftest --list mock",
        "selftest --list --loop 0:1",
        "monitor --lines --json --count 1 mock",
        "completions bash --device mock",
        "man /tmp/ptpctl-nowhere --device mock",
        "list --no-band",
        "offset --no-band mock",
    ] {
        assert_ne!(ptpctl(line).status, Some(0), "{line}");
    }
}

#[test]
fn a_request_that_fails_after_its_pin_has_changed_says_what_that_switched_off() {
    let file = TemporaryFile::new("pin-and-fail");
    for (settings, line, status) in [
        ("full,outputs=1hz", "perout --period 2s --pin 1", 1),
        ("full,outputs=1hz", "perout --period 2s --pin 0 --channel 1", 1),
        ("full,kernel=6.1", "extts --pin 0 --count 1 --offset-events", 1),
    ] {
        let mock = file.mock(settings);
        ptpctl(&format!("perout --period 1s --pin 0 {mock}")).done();
        let failed = ptpctl(&format!("{line} {mock} --json")).failed(status, "\"done\":true");
        let error = failed.stderr.lines().last().unwrap_or_default();
        let error: serde_json::Value = serde_json::from_str(error).expect("JSON");
        let did = error["did"].as_str().unwrap_or_default();
        assert!(did.ends_with("periodic output of channel 0 off"), "{line}: {error}");
    }
    // It isn't on again, and the next dry run says that a pin's function goes with its change.
    let mock = file.mock("full");
    let dry = ptpctl(&format!("extts --pin 0 --dry-run {mock}")).done().stdout;
    assert!(dry.contains("the kernel switches that off"), "{dry}");
}

#[test]
fn a_dry_run_knows_what_this_user_may_not_do() {
    for line in [
        "pps on --dry-run mock:full,unprivileged",
        "set-system --dry-run mock:full,unprivileged,time=virtual",
        "vclocks 2 --dry-run mock:full,unprivileged",
        "selftest --dry-run --only set mock:readonly",
        "set now --dry-run mock:readonly",
    ] {
        let told = ptpctl(line).done().stdout;
        assert!(told.contains("note: this user can't do it: "), "{line}: {told}");
    }
    let pinless = ptpctl("extts --dry-run mock:clockmatrix").done().stdout;
    assert!(pinless.contains("no pin is connected to channel 0"), "{pinless}");
    let may = ptpctl("vclocks 2 --dry-run mock:full").done().stdout;
    assert!(!may.contains("this user can't"), "{may}");
}
