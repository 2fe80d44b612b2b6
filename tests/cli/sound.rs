//! `ptpctl selftest` blames no sound driver, however odd, and finds wrong drivers even if they are
//! odd.

use crate::common::{TemporaryFile, ptpctl};

/// The checks that failed, and all that was printed.
fn failed(arguments: &str) -> (Vec<String>, String) {
    let run = ptpctl(&format!("selftest --yes {arguments}"));
    let failed = run.stdout.lines().filter_map(|line| line.strip_prefix("  not ok "));
    (failed.map(str::to_owned).collect(), run.stdout)
}

#[track_caller]
fn assert_nothing_failed(arguments: &str) -> String {
    let (failed, output) = failed(arguments);
    assert!(failed.is_empty(), "{arguments}: {output}");
    assert!(!output.contains("Bail out!"), "{arguments}: {output}");
    output
}

/// The setting with which every call of this name fails.
fn always(call: &str, errno: &str) -> String {
    format!(",fail={call}/1:{errno}")
}

/// A clock on which a command was run.
fn after(command: &str, settings: &str) -> (TemporaryFile, String) {
    let file = TemporaryFile::new(&format!("sound-{}", settings.len()));
    let mock = file.mock(&format!("{settings},time=virtual"));
    let run = ptpctl(&format!("{command} {mock}"));
    assert_eq!(run.status, Some(0), "{run:?}");
    (file, mock)
}

#[test]
fn drivers_that_stamp_both_edges_of_a_plain_request_are_not_blamed() {
    for settings in ["lax", "kernel=4.19"] {
        let mock = format!("mock:full,time=virtual,loop=0:1,fault=edges-both,{settings}");
        let output = assert_nothing_failed(&format!("--loop 0:1 {mock}"));
        assert!(output.contains("SKIP the driver or the kernel takes no strict request"));
        assert!(output.contains("ok 4 loses no event\n"), "the others are made: {output}");
    }
}

#[test]
fn a_clock_that_can_only_be_read_is_skipped() {
    // Reading the frequency works, dialling one is refused.
    let dialled: Vec<_> =
        (2..200).map(|number| format!(",fail=clock_adjtime#{number}:EOPNOTSUPP")).collect();
    let cant = always("clock_settime", "EOPNOTSUPP") + &dialled.concat();
    let output = assert_nothing_failed(&format!("--only set,step mock:igb,time=virtual{cant}"));
    assert!(output.contains("SKIP the driver can't set it"), "{output}");
    assert!(output.contains("SKIP the driver can't step it"), "{output}");
}

#[test]
fn a_clock_under_virtual_clocks_is_skipped_on_every_kernel() {
    for kernel in ["5.15", "6.1.100", "6.12.30", "6.12", "7.2"] {
        let (_file, mock) = after("vclocks 1", &format!("igb,kernel={kernel}"));
        let output = assert_nothing_failed(&mock);
        assert!(output.contains("SKIP it runs freely"), "{output}");
    }
}

#[test]
fn a_kernel_that_hands_on_what_is_no_time_is_no_fault_and_the_time_is_put_back() {
    for settings in ["read=5ms", "read=700ns"] {
        let (_file, mock) = after("get", &format!("full,kernel=5.10.200,{settings}"));
        let output = assert_nothing_failed(&mock);
        assert!(output.contains("SKIP this kernel leaves it to the driver"), "{output}");
        let offset = ptpctl(&format!("offset --json {mock}")).json()["offset_ns"].clone();
        assert!(offset.as_i64().expect("an offset").abs() < 15_000_000, "{offset}");
    }
}

#[test]
fn a_time_that_could_not_be_set_again_is_left_alone() {
    for offset in [7_000_000_000_i64, -1_800_000_000] {
        let (_file, mock) = after("get", &format!("full,offset={offset}s"));
        let output = assert_nothing_failed(&mock);
        assert!(output.contains("can't be set to that again"), "{output}");
        let now = ptpctl(&format!("offset --json {mock}")).json()["offset_ns"].clone();
        assert_eq!(now.as_i64().expect("an offset") / 1_000_000_000, offset);
    }
}

#[test]
fn a_machine_that_cannot_cross_stamp_is_no_fault() {
    let cant = always("sys_offset_precise", "ENODEV");
    let output = assert_nothing_failed(&format!("mock:full,time=virtual{cant}"));
    assert!(output.contains("SKIP this machine's own clock can't be cross-stamped"), "{output}");
}

#[test]
fn cross_timestamps_that_fail_now_and_then_are_told() {
    let failing = "mock:full,time=virtual,fail=sys_offset_precise/20:EIO";
    assert_eq!(failed(failing).0, ["1 has samples in order"]);
}

#[test]
fn clocks_that_are_dialled_far_from_where_they_would_be_are_not_blamed() {
    for (settings, ppb) in [
        ("full,read=100us", 50_000_000),
        ("full,read=300us", 99_000_000),
        ("igb,read=20us", 900_000_000),
        ("igb,read=20us", -900_000_000),
        ("clockmatrix", 242_000),
    ] {
        let (_file, mock) = after(&format!("adjfreq -- {ppb}ppb"), settings);
        assert_nothing_failed(&mock);
    }
}

#[test]
fn oscillators_that_wander_are_not_blamed() {
    for settings in ["full,noise=10us", "full,drift=500ppb", "clockmatrix,noise=5us"] {
        for seed in 1..=5 {
            assert_nothing_failed(&format!("mock:{settings},time=virtual,seed={seed}"));
        }
    }
}

#[test]
fn wrong_drivers_of_slow_clocks_are_caught() {
    for (fault, check) in [
        ("stuck-time", "1 advances"),
        ("set-part", "3 takes a part of a second"),
        ("set-31-bits", "4 takes a time after 2038"),
        ("step-part", "3 goes forwards by a part of a second"),
        ("step-back", "4 goes back by a part of a second"),
        ("step-carry", "5 goes forwards across a second"),
        ("freq-sign", "2 goes the way that was dialled"),
        ("freq-double", "3 goes by as much as was dialled"),
        ("freq-limit", "4 takes its limits"),
        ("phase-limit", "2 takes its limits"),
        ("basic-late", "2 has methods that agree"),
    ] {
        for read in ["1ms", "5ms"] {
            let mock = format!("mock:full,time=virtual,fault={fault},read={read}");
            assert_eq!(failed(&mock).0, [check], "{fault} {read}");
        }
    }
}

#[test]
fn a_loop_that_is_none_is_told_before_a_driver_is_blamed() {
    // No event comes, another signal is wired to the input, the pins are swapped.
    for (arguments, why) in [
        ("--loop 0:1 mock:full,time=virtual,signal=off", "0 events came through the loop"),
        ("--loop 0:1 mock:full,time=virtual", "something else is wired to the input"),
        ("--loop 1:0 mock:full,time=virtual,loop=0:1", "something else is wired to the input"),
    ] {
        let (all, output) = failed(arguments);
        assert_eq!(all, ["1 has the edges of the loop"], "{output}");
        assert!(output.contains(why), "{output}");
        // If that check wasn't chosen, its failure must be reported all the same.
        let (all, output) = failed(&format!("--only perout {arguments}"));
        assert_eq!(all.len(), 4, "{output}");
        assert!(output.contains(why), "{output}");
    }
}

#[test]
fn a_pin_that_cannot_be_an_output_is_no_wrong_driver() {
    let run = ptpctl("selftest --yes --only perout --loop 3:0 mock:full,time=virtual");
    assert_eq!(run.status, Some(4), "{}", run.stdout);
    assert!(run.stdout.contains("pin 3 (SDP3) can't have perout"), "{}", run.stdout);
}

#[test]
fn a_failing_pin_is_not_taken_for_one_that_lacks_a_function() {
    let failing = "--only pins mock:full,time=virtual,fail=pin_setfunc#3:EIO";
    assert_eq!(failed(failing).0, ["1 have the functions that they take"]);
}

#[test]
fn what_other_checks_need_is_looked_at_though_it_was_not_asked_for() {
    let (all, output) = failed("--only set mock:full,time=virtual,fault=stuck-time");
    assert!(output.contains("# it needs time/advances: 20 ms later it still shows"), "{output}");
    assert_eq!(all.len(), 5, "{output}");
}
