//! What drivers answer in ways of their own, and what people are told then.

use crate::common::ptpctl;

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
    // What a driver means by it has the same ways around.
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
