//! Drivers that answer in their own ways, and what ptpctl tells people then.

use crate::common::{TemporaryFile, ptpctl};

#[test]
fn enotsupp_means_that_the_driver_cannot() {
    for line in [
        "pin 0 extts mock:full,fail=pin_setfunc/1:ENOTSUPP",
        "perout --period 1s mock:full,fail=perout_request/1:524",
        "adjphase 5ns mock:full,fail=clock_adjtime/1:ENOTSUPP",
        "set @1700000000 mock:full,fail=clock_settime/1:ENOTSUPP",
    ] {
        ptpctl(line).failed(3, "(ENOTSUPP, 524)");
    }
    // ENOTSUPP is handled like EOPNOTSUPP, with the same fallbacks.
    let lax = ptpctl("extts --count 1 mock:full,signal=5ms,fail=extts_request#1:ENOTSUPP");
    assert!(lax.status == Some(0) && lax.stderr.contains("doesn't check requests"), "{lax:?}");
    ptpctl("offset mock:full,fail=sys_offset_precise/1:ENOTSUPP").done();
}

#[test]
fn an_errno_without_a_name_is_told_by_its_number() {
    let failed =
        ptpctl("pin 0 extts mock:full,fail=pin_setfunc/1:517 --json").failed(1, "errno 517");
    let error: serde_json::Value = serde_json::from_str(failed.stderr.trim()).expect("JSON");
    assert_eq!((&error["errno"], &error["errno_number"]), (&"errno 517".into(), &517.into()));
    let known = ptpctl("set now mock:full,fail=clock_settime/1:EIO --json").failed(1, "EIO");
    let error: serde_json::Value = serde_json::from_str(known.stderr.trim()).expect("JSON");
    assert_eq!((&error["errno"], &error["errno_number"]), (&"EIO".into(), &5.into()));
}

#[test]
fn a_refused_phase_offset_names_the_clocks_own_limit() {
    ptpctl("adjphase 5s mock:clockmatrix").failed(2, "This clock's limit is ±107374182 ns");
    ptpctl("adjphase 5s mock:full,kernel=6.1").failed(2, "The limit is ±2147483647 ns");
}

#[test]
fn a_clock_that_is_busy_without_virtual_clocks_is_not_blamed_on_them() {
    let busy =
        ptpctl("set @5 mock:full,held-by=ptp4l,fail=clock_settime/1:EBUSY").failed(1, "EBUSY");
    assert!(busy.stderr.contains("no virtual clocks") && busy.stderr.contains("ptp4l"), "{busy:?}");
    assert!(!busy.stderr.contains("vclocks 0"), "{busy:?}");
    let request = |line: &str| ptpctl(line).failed(1, "EBUSY").stderr;
    let without = request("extts mock:full,fail=extts_request/1:EBUSY");
    assert!(without.contains("--pin assigns one"), "{without}");
    let with = request("extts --pin 0 mock:full,fail=extts_request/1:EBUSY");
    assert!(with.contains("the pin has the channel") && !with.contains("--pin assigns"), "{with}");
    let pinless = request("extts mock:cpts,fail=extts_request/1:EBUSY");
    assert!(pinless.contains("has no pins"), "{pinless}");
    let off = request("extts --off mock:full,fail=extts_request/1:EBUSY");
    assert!(!off.contains("--pin") && !off.contains("--channel"), "{off}");
}

#[test]
fn an_output_is_started_as_its_driver_wants_it() {
    for (wants, told) in [
        ("phase", Some("phase 0 was asked for instead")),
        ("32bit", Some("phase 0 was asked for instead")),
        ("ahead", Some("phase 0 was asked for instead")),
        ("zero", Some("start 0 was asked for instead")),
        ("second", None),
        ("1hz", None),
        ("half", None),
    ] {
        let on =
            ptpctl(&format!("perout --period 1s mock:full,time=virtual,outputs={wants}")).done();
        assert_eq!(on.stdout.contains("was asked for instead"), told.is_some(), "{wants}: {on:?}");
        assert!(told.is_none_or(|told| on.stdout.contains(told)), "{wants}: {on:?}");
    }
    ptpctl("perout --period 1s --start @0 mock:full,outputs=zero").done();
    ptpctl("perout --period 1s --phase 0 mock:full,outputs=phase").done();
}

#[test]
fn an_output_that_no_start_helps_says_what_was_tried() {
    for wants in ["1hz", "zero,outputs=phase"] {
        let line = format!("perout --period 10ms mock:full,time=virtual,outputs={wants}");
        let refused = ptpctl(&line).failed(1, "EINVAL").stderr;
        for told in ["one pulse a second", "phase 0 and start 0"] {
            assert!(refused.contains(told), "{told}: {refused}");
        }
    }
    // If a start is given, no other start is tried.
    let refused =
        ptpctl("perout --period 1s --start +10s mock:full,outputs=phase").failed(1, "EINVAL");
    assert!(!refused.stderr.contains("were tried"), "{refused:?}");
    ptpctl("perout --period 1s --duty 25% mock:full,outputs=half").failed(3, "a pulse width");
}

#[test]
fn an_output_that_is_on_stays_on_where_another_is_refused() {
    let file = crate::common::TemporaryFile::new("stays-on");
    let mock = file.mock("full,outputs=1hz");
    ptpctl(&format!("perout --period 1s {mock}")).done();
    let on = || {
        let state = std::fs::read_to_string(&file.0).expect("a state");
        let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
        state["outputs"].as_object().map(serde_json::Map::len)
    };
    assert_eq!(on(), Some(1));
    ptpctl(&format!("perout --period 10ms {mock}")).failed(1, "EINVAL");
    assert_eq!(on(), Some(1), "the request was refused, and nothing changed");
}

#[test]
fn a_self_test_blames_no_driver_for_a_start_that_it_never_promised() {
    for wants in ["phase", "zero", "32bit", "ahead"] {
        let mock = format!("mock:full,loop=0:1,time=virtual,outputs={wants}");
        let run = ptpctl(&format!("selftest --yes --only extts,perout --loop 0:1 {mock}")).done();
        assert!(!run.stdout.contains("not ok"), "{wants}: {}", run.stdout);
        assert!(run.stdout.contains("no driver has to accept one"), "{wants}: {}", run.stdout);
    }
}

#[test]
fn a_clock_without_pins_is_looped_by_its_channels() {
    let run =
        ptpctl("selftest --yes --only extts,perout --loop 0:1 mock:cpts,loop=0:1,time=virtual");
    assert!(!run.done().stdout.contains("not ok"));
    ptpctl("selftest --yes --loop 0:9 mock:cpts").failed(1, "the extts channels are 0 to 3");
    ptpctl("selftest --yes --loop a:b mock:cpts").failed(1, "name two channels");
    let watched = ptpctl("extts --count 1 --channel 3 mock:cpts,signal=5ms");
    assert_eq!(watched.status, Some(0), "{watched:?}");
}

#[test]
fn both_edges_are_noticed_by_their_intervals_and_told_once() {
    let told = |line: &str| ptpctl(line).stderr.matches("both edges are stamped").count();
    assert_eq!(told("extts --count 12 mock:full,time=virtual,fault=edges-both"), 1);
    assert_eq!(
        told("extts --count 12 --edge both mock:full,time=virtual"),
        0,
        "they were asked for"
    );
    assert_eq!(told("extts --count 12 mock:full,time=virtual"), 0);
}

#[test]
fn the_frequency_is_read_on_older_kernels_where_the_user_may_write() {
    ptpctl("freq mock:full,kernel=5.10.100").done();
    ptpctl("freq mock:readonly,kernel=5.10.100").failed(1, "EACCES");
    ptpctl("freq mock:readonly").done();
}

#[test]
fn a_frequency_that_a_32_bit_kernel_would_cut_is_refused() {
    let file = TemporaryFile::new("word");
    let clock = file.mock("igb,word=32");
    ptpctl(&format!("adjfreq 32767ppm {clock}")).done();
    ptpctl(&format!("adjfreq 32768ppm {clock}")).failed(3, "of a 32-bit processor");
    ptpctl(&format!("adjfreq -50000ppm --dry-run {clock}")).failed(3, "would cut this one");
    let kept = ptpctl(&format!("freq --json {clock}")).done().json();
    assert_eq!(kept["frequency_scaled_ppm"], 2_147_418_112_i64);
    ptpctl("selftest --yes --only frequency mock:igb,word=32,time=virtual").done();
    ptpctl("adjfreq 50000ppm mock:igb").done();
}
