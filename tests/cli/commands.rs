//! What each command does, on the mock clock.

use crate::common::{TemporaryFile, program, ptpctl, run};
use serde_json::json;

// Virtual time makes every run the same.
const MOCK: &str = "mock:full,time=virtual";

#[test]
fn caps_shows_every_field_of_the_kernels_answer() {
    let caps = ptpctl("caps --json mock").done().json();
    for (key, value) in [
        ("device", json!("mock")),
        ("clock_name", json!("mock PHC")),
        ("max_adj_ppb", json!(100_000_000)),
        ("adjust_phase", json!(true)),
        ("max_phase_adj_ns", json!(500_000_000)),
        ("n_ext_ts", json!(4)),
        ("n_per_out", json!(4)),
        ("n_pins", json!(4)),
        ("n_alarm", json!(1)),
        ("pps", json!(true)),
        ("cross_timestamping", json!(true)),
        ("offset_precise", json!(true)),
        ("offset_extended", json!(true)),
        ("offset_basic", json!(true)),
        ("cycles_precise", json!(true)),
        ("cycles_extended", json!(true)),
        ("virtual_clocks", json!(0)),
        ("max_virtual_clocks", json!(20)),
    ] {
        assert_eq!(caps[key], value, "{key}");
    }
}

#[test]
fn caps_tells_not_told_from_no() {
    let of = |mock: &str| ptpctl(&format!("caps --json {mock}")).done().json();
    let old = of("mock:clockmatrix,kernel=6.1");
    assert_eq!((&old["adjust_phase"], &old["max_phase_adj_ns"]), (&json!(true), &json!(null)));
    assert_eq!(old["cycles_extended"], json!(null), "this kernel doesn't know the call");
    let new = of("mock:clockmatrix");
    assert_eq!(new["max_phase_adj_ns"], json!(107_374_182));
    assert_eq!(new["cycles_extended"], json!(false), "this driver has none");
    assert_eq!(of("mock:igb")["adjust_phase"], json!(false));
}

#[test]
fn caps_lists_the_auxiliary_clocks_that_are_switched_on() {
    let caps = ptpctl("caps --json mock:full,aux=3").done().json();
    assert_eq!(caps["system_clocks"], json!(["realtime", "monotonic", "monotonic-raw", "aux3"]));
    let caps = ptpctl("caps --json mock:full,aux=3,kernel=6.1").done().json();
    assert_eq!(caps["system_clocks"], json!(["realtime"]));
}

#[test]
fn get_shows_the_time_and_the_scale_that_fits() {
    let get = ptpctl("get --json mock:full,time=virtual,read=5ns,jitter=0").done().json();
    assert_eq!(get["time"], json!({"seconds": 1_700_000_000, "nanoseconds": 5}));
    assert_eq!(get["utc_if_utc"], json!("2023-11-14T22:13:20.000000005Z"));
    assert_eq!(get["utc_if_tai"], json!("2023-11-14T22:12:43.000000005Z"));
    assert_eq!((&get["fits"], &get["unset"]), (&json!("utc"), &json!(false)));
    let get = ptpctl(&format!("get --json {MOCK},offset=37s")).done().json();
    assert_eq!(get["fits"], json!("tai"));
    let get = ptpctl(&format!("get --json {MOCK},offset=5s")).done().json();
    assert_eq!(get["fits"], json!(null));
    let get = ptpctl(&format!("get --json {MOCK},unset")).done().json();
    assert_eq!((&get["fits"], &get["unset"]), (&json!(null), &json!(true)));
}

#[test]
fn freq_shows_what_was_dialled_last() {
    let file = TemporaryFile::new("freq");
    let mock = file.mock("full");
    let freq = ptpctl(&format!("freq --json {mock}")).done().json();
    assert_eq!(freq["frequency_scaled_ppm"], json!(0));
    ptpctl(&format!("adjfreq -12.5ppb {mock}")).done();
    let freq = ptpctl(&format!("freq --json {mock}")).done().json();
    assert_eq!(freq["frequency_scaled_ppm"], json!(-819));
    assert_eq!(freq["frequency_ppb"], json!(-12.496_948));
    assert_eq!(freq["frequency_ppm"], json!(-0.012_496_948));
    assert_eq!(freq["max_adj_ppb"], json!(100_000_000));
}

#[test]
fn pins_lists_index_name_function_and_channel() {
    let file = TemporaryFile::new("pins");
    let mock = file.mock("full");
    ptpctl(&format!("pin SDP1 perout --channel 3 {mock}")).done();
    let pins = ptpctl(&format!("pins --json {mock}")).done().json();
    assert_eq!(
        pins["pins"][1],
        json!({"index": 1, "name": "SDP1", "function": "perout", "channel": 3})
    );
    assert_eq!(pins["pins"][0]["function"], json!("none"));
    assert_eq!(pins["pins"].as_array().map(Vec::len), Some(4));
    let none = ptpctl("pins mock:igb").done().stdout;
    assert!(none.contains("no programmable pins"));
}

#[test]
fn offset_is_the_clock_less_the_system_clock_with_a_bound_that_holds() {
    for method in ["extended", "basic"] {
        for seed in 1..20 {
            let mock = format!("{MOCK},offset=1500ns,seed={seed}");
            let offset = ptpctl(&format!("offset --json -m {method} {mock}")).done().json();
            let number = |key: &str| offset[key].as_i64().expect("a number");
            let error = (number("offset_ns") - 1_500).abs();
            assert!(error <= number("bound_ns"), "{offset}");
            // The bound is half of the delay plus how far the guess is off the middle.
            let half = (number("delay_ns") + 1) / 2;
            assert!((half..half + 100).contains(&number("bound_ns")), "{offset}");
            assert!(error <= 6 * number("uncertainty_ns"), "{offset}");
            assert_eq!(offset["method"], json!(method));
        }
    }
}

#[test]
fn offset_takes_the_best_method_that_there_is() {
    let method =
        |mock: &str| ptpctl(&format!("offset --json {mock}")).done().json()["method"].clone();
    assert_eq!(method("mock"), json!("precise"));
    assert_eq!(method("mock:igb"), json!("extended"));
    assert_eq!(method("mock:clockmatrix"), json!("basic"));
    assert_eq!(method("mock:igb,kernel=4.19"), json!("basic"));
}

#[test]
fn a_better_method_that_fails_gives_way_and_is_told() {
    let mock = format!("{MOCK},fail=sys_offset_precise/1:ETIMEDOUT");
    let offset = ptpctl(&format!("offset --json {mock}")).done().json();
    assert_eq!(offset["method"], json!("extended"));
    assert!(offset["bound_ns"].as_i64().expect("a bound") > 0, "{offset}");
    assert!(offset["notes"].to_string().contains("ETIMEDOUT"), "{offset}");
    ptpctl(&format!("offset -m precise {mock}")).failed(1, "ETIMEDOUT");
}

#[test]
fn a_precise_offset_claims_no_bound() {
    let offset = ptpctl(&format!("offset --json {MOCK},offset=5ns")).done().json();
    assert_eq!(offset["offset_ns"], json!(5));
    assert_eq!((&offset["delay_ns"], &offset["bound_ns"]), (&json!(null), &json!(null)));
}

#[test]
fn offset_explains_whole_seconds_by_tai() {
    let offset = ptpctl(&format!("offset --json {MOCK},offset=37.000000250s")).done().json();
    assert_eq!(offset["offset_ns"], json!(37_000_000_250_i64));
    assert_eq!(offset["tai_offset_s"], json!(37));
    assert_eq!(offset["offset_from_tai_ns"], json!(250));
    let text = ptpctl(&format!("offset {MOCK},offset=37.000000250s")).done().stdout;
    assert!(
        text.contains("keeps TAI, 37 s ahead of UTC; without them the offset is +250 ns"),
        "{text}"
    );
}

#[test]
fn offset_tells_the_rate_with_its_uncertainty() {
    for ppm in [-100, 0, 100] {
        for settings in ["jitter=400ns", "jitter=10us", "read=300ns,noise=1ns"] {
            let mock = format!("mock:igb,time=virtual,{settings},freq={ppm}ppm");
            let offset = ptpctl(&format!("offset --json --duration 30ms {mock}")).done().json();
            let number = |key: &str| offset[key].as_f64().expect("a number");
            let off = (number("rate_ppb") - f64::from(ppm) * 1_000.0).abs();
            // A noise of 1 ns that wanders over 10 ms adds a rate of its own.
            assert!(off <= 4.0 * number("rate_uncertainty_ppb") + 100.0, "{offset}");
            assert!(number("rate_uncertainty_ppb") < 50_000.0, "{offset}");
            assert!(number("bound_ns") < 1_200.0, "{offset}");
        }
    }
}

#[test]
fn offset_is_told_for_the_moment_for_which_most_is_known() {
    let mock = "mock:igb,time=virtual,freq=100ppm,jitter=0ns";
    let offset = ptpctl(&format!("offset --json --duration 1s {mock}")).done().json();
    // Virtual time begins at 1.7e9 s. The clock's offset is 0 then.
    let at = |part: &str| offset["at"][part].as_i64().expect("a number");
    let elapsed = (at("seconds") - 1_700_000_000) * 1_000_000_000 + at("nanoseconds");
    assert!((0..=1_001_000_000).contains(&elapsed), "{offset}");
    let error = (offset["offset_ns"].as_i64().expect("a number") - elapsed / 10_000).abs();
    assert!(error <= offset["bound_ns"].as_i64().expect("a number"), "{offset}");
}

#[test]
fn offset_measures_as_long_as_it_was_told() {
    let samples = |arguments: &str| {
        ptpctl(&format!("offset --json {arguments} mock:igb,time=virtual,read=1us,jitter=0ns"))
            .done()
            .json()["samples"]
            .as_u64()
            .expect("a number")
    };
    assert_eq!(samples("--samples 60"), 60);
    let long = samples("--duration 10ms");
    assert!((4_900..=5_100).contains(&long), "{long} of 2 us");
    assert_eq!(samples("--duration 1s --samples 60"), 60);
    // It also ends on a clock whose readings take no time.
    ptpctl("offset mock:full,time=virtual,read=0ns,jitter=0ns").done();
}

#[test]
fn a_clock_that_curves_is_said_to_and_its_bound_holds() {
    // It drifts from 0 to 950 ppb in these ten seconds, and is 4.75 us ahead at their end.
    let mock = "mock:igb,time=virtual,drift=95ppb";
    let offset = ptpctl(&format!("offset --json --duration 10s {mock}")).done().json();
    assert_eq!(offset["curved"], json!(true), "{offset}");
    assert!(offset["notes"].to_string().contains("the clocks curve"), "{offset}");
    let at = |part: &str| offset["at"][part].as_f64().expect("a number");
    let elapsed = at("seconds") - 1_700_000_000.0 + at("nanoseconds") / 1e9;
    let truth = 95.0 * elapsed * elapsed / 2.0;
    let number = |key: &str| offset[key].as_f64().expect("a number");
    let error = (number("offset_ns") - truth).abs();
    assert!(error <= number("bound_ns") && error < 20.0, "{truth}: {offset}");
    // If a clock wanders faster than the measurement can follow, only one sample is left.
    let wild = "mock:igb,time=virtual,noise=1ms,read=100us,jitter=0ns";
    let offset = ptpctl(&format!("offset --json --duration 1s {wild}")).done().json();
    assert_eq!((&offset["curved"], &offset["rate_ppb"]), (&json!(true), &json!(null)), "{offset}");
}

#[test]
fn offset_takes_more_samples_than_one_call_gives() {
    let lines = ptpctl(&format!("offset --json --raw -s 60 -m extended {MOCK}")).done().lines();
    assert_eq!(lines.iter().filter(|line| line["phc"].is_object()).count(), 60);
    assert_eq!((lines.len(), &lines[60]["samples"]), (61, &json!(60)));
}

#[test]
fn offset_goes_against_every_system_clock_that_the_kernel_has() {
    for clock in ["realtime", "monotonic", "monotonic-raw", "aux2"] {
        ptpctl(&format!("offset --clock {clock} mock:igb,aux=2")).done();
    }
    ptpctl("offset --clock aux1 mock:full,aux=2").failed(3, "switched off");
    ptpctl("offset --clock monotonic mock:igb,kernel=6.1").failed(3, "before 6.12");
    ptpctl("offset --clock aux8 mock").failed(2, "aux0 to aux7");
    ptpctl("offset -m basic --clock monotonic mock").failed(3, "realtime only");
}

#[test]
fn offset_measures_the_free_running_counter() {
    let mock = format!("{MOCK},offset=37s");
    let offset = ptpctl(&format!("offset --cycles --json {mock}")).done().json();
    assert_eq!(offset["cycles"], json!(true));
    let behind = offset["offset_ns"].as_i64().expect("a number");
    assert!(behind < -1_600_000_000_000_000_000, "the counter begins at 0: {behind}");
    ptpctl("offset --cycles mock:igb").failed(3, "not supported");
}

#[test]
fn diff_subtracts_the_second_clock_from_the_first() {
    let diff = ptpctl("diff --json mock:full,offset=250us mock:igb,offset=-750us").done().json();
    let offset = diff["offset_ns"].as_i64().expect("a number");
    assert!((offset - 1_000_000).abs() < 50_000, "{diff}");
    assert_eq!(diff["through"], json!("monotonic-raw"));
    let rate = |diff: &serde_json::Value, key: &str| diff[key].as_f64().expect("a number");
    let fast = ptpctl("diff --json mock:full,freq=50ppm mock:igb").done().json();
    let off = (rate(&fast, "rate_ppb") - 50_000.0).abs();
    assert!(off <= 5.0 * rate(&fast, "rate_uncertainty_ppb") + 10_000.0, "{fast}");
    let diff = ptpctl("diff --json mock:igb mock:clockmatrix").done().json();
    assert_eq!(diff["through"], json!("realtime"));
    assert!(diff["bound_ns"].as_i64().expect("a bound") > 0);
    // The report names its assumption.
    assert_eq!(diff["rate_limit_ppb"].as_f64(), Some(1e6));
    let text = ptpctl("diff mock:igb mock:clockmatrix").done().stdout;
    assert!(text.contains("if the first clock's rate is within 1000000 ppb"), "{text}");
}

#[test]
fn set_writes_seconds_and_nanoseconds_as_they_are() {
    let file = TemporaryFile::new("set");
    let mock = file.mock("full,time=virtual,read=0ns,jitter=0ns");
    ptpctl(&format!("set @1600000000.123456789 {mock}")).done();
    let get = ptpctl(&format!("get --json {mock}")).done().json();
    assert_eq!(get["time"], json!({"seconds": 1_600_000_000, "nanoseconds": 123_456_789}));
    ptpctl(&format!("set 2030-01-01T00:00:00+01:00 --tai {mock}")).done();
    let get = ptpctl(&format!("get --json {mock}")).done().json();
    assert_eq!(get["time"]["seconds"], json!(1_893_452_400 + 37));
}

#[test]
fn set_now_tells_what_remains() {
    for (tai, seconds) in [("", 0), (" --tai", 37)] {
        let file = TemporaryFile::new(&format!("now{seconds}"));
        let mock = file.mock("igb,time=virtual,offset=1h".trim_end_matches(",offset=1h"));
        let set = ptpctl(&format!("set now{tai} --json {mock}")).done().json();
        let rest = set["remaining_offset_ns"].as_i64().expect("a number");
        assert!(rest.abs() < 2_000, "{set}");
        let offset = ptpctl(&format!("offset --json {mock}")).done().json();
        let offset = offset["offset_ns"].as_i64().expect("a number");
        assert!((offset - seconds * 1_000_000_000).abs() < 3_000, "{offset}");
    }
}

#[test]
fn set_with_tai_needs_to_know_tai() {
    // The machine may have a list of leap seconds. The mock's kernel has no TAI - UTC.
    let set = ptpctl("set now --tai mock:full,tai=0");
    if set.status != Some(0) {
        set.failed(1, "TAI - UTC is unknown");
    }
    ptpctl("set @5 --tai mock").failed(2, "written as it is");
}

#[test]
fn set_system_moves_the_system_clock_onto_the_clock() {
    let file = TemporaryFile::new("system");
    let mock = file.mock("igb,time=virtual,offset=1s");
    let set = ptpctl(&format!("set-system --json --utc {mock}")).done().json();
    let step = set["step_ns"].as_i64().expect("a number");
    assert!((step - 1_000_000_000).abs() < 1_000, "{set}");
    assert!(set["remaining_offset_ns"].as_i64().expect("a number").abs() < 2_000, "{set}");
    let offset = ptpctl(&format!("offset --json {mock}")).done().json();
    assert!(offset["offset_ns"].as_i64().expect("a number").abs() < 2_000, "{offset}");
}

#[test]
fn set_system_takes_tai_off() {
    let set = ptpctl("set-system --tai --json mock:igb,time=virtual,offset=37s").done().json();
    assert!(set["step_ns"].as_i64().expect("a number").abs() < 1_000, "{set}");
}

#[test]
fn set_system_wants_to_know_the_scale_unless_it_is_plain() {
    ptpctl("set-system mock:full,offset=5s").failed(1, "say --tai or --utc");
    ptpctl("set-system --utc mock:full,offset=5s").done();
    ptpctl("set-system --tai mock:full").failed(1, "not TAI");
    ptpctl("set-system mock:full,offset=300ms").done();
}

#[test]
fn set_system_refuses_a_clock_that_is_unset() {
    ptpctl("set-system mock:full,unset").failed(1, "unset");
    ptpctl("set-system --force --utc mock:full,unset").done();
}

#[test]
fn adjtime_steps_exactly() {
    for (step, nanoseconds) in
        [("15ns", 15), ("-1ns", -1), ("-1.5s", -1_500_000_000), ("37s", 37_000_000_000_i64)]
    {
        let file = TemporaryFile::new(&format!("step{nanoseconds}"));
        let mock = file.mock("full,time=virtual");
        ptpctl(&format!("adjtime {step} {mock}")).done();
        let offset = ptpctl(&format!("offset --json {mock}")).done().json();
        assert_eq!(offset["offset_ns"], json!(nanoseconds));
    }
}

#[test]
fn adjfreq_makes_the_clock_run_faster() {
    let file = TemporaryFile::new("faster");
    let mock = file.mock("full,time=virtual");
    let dialled = ptpctl(&format!("adjfreq 1ppm --json {mock}")).done().json();
    assert_eq!(dialled["frequency_scaled_ppm"], json!(65_536));
    // Waiting for ten pulses takes ten virtual seconds.
    ptpctl(&format!("extts --count 10 {mock}")).done();
    let offset = ptpctl(&format!("offset --json {mock}")).done().json();
    let offset = offset["offset_ns"].as_i64().expect("a number");
    assert!((9_900..10_100).contains(&offset), "{offset}");
}

#[test]
fn a_phase_offset_shrinks_the_offset() {
    let file = TemporaryFile::new("phase");
    let mock = file.mock("full,time=virtual,offset=500ns,servo=1s");
    ptpctl(&format!("adjphase -500ns {mock}")).done();
    let mut offsets = Vec::new();
    for _ in 0..6 {
        let offset = ptpctl(&format!("offset --json {mock}")).done().json();
        offsets.push(offset["offset_ns"].as_i64().expect("a number"));
        ptpctl(&format!("extts --count 1 {mock}")).done();
    }
    assert!(offsets[0] > 480, "nothing jumps: {offsets:?}");
    assert!(offsets.windows(2).all(|pair| pair[1] < pair[0]), "{offsets:?}");
    assert!(offsets[5] < 30, "{offsets:?}");
}

#[test]
fn pin_tells_which_pin_lost_the_channel() {
    let file = TemporaryFile::new("steal");
    let mock = file.mock("full");
    let first = ptpctl(&format!("pin SDP1 extts --json {mock}")).done().json();
    assert_eq!(first["taken_from"], json!(null));
    let second = ptpctl(&format!("pin 2 extts --json {mock}")).done().json();
    assert_eq!(second["taken_from"], json!(1));
    let pins = ptpctl(&format!("pins --json {mock}")).done().json();
    assert_eq!(pins["pins"][1]["function"], json!("none"));
    assert_eq!(pins["pins"][2]["function"], json!("extts"));
}

#[test]
fn a_wrong_pin_says_which_there_are() {
    ptpctl("pin SDP9 extts mock").failed(3, "0 (SDP0), 1 (SDP1), 2 (SDP2), 3 (SDP3)");
    ptpctl("pin 4 extts mock").failed(3, "0 (SDP0)");
    ptpctl("pin SDP0 extts --channel 4 mock").failed(3, "0 to 3");
    ptpctl("pin SDP0 blink mock").failed(2, "extts");
    ptpctl("pin 0 extts mock:igb").failed(3, "no programmable pins");
    ptpctl("pin 0 physync mock").failed(3, "EOPNOTSUPP");
}

#[test]
fn a_periodic_output_wired_to_an_input_gives_events() {
    let file = TemporaryFile::new("loop");
    let mock = file.mock("full,time=virtual,loop=0:1");
    ptpctl(&format!("perout --period 100ms --phase 7ns --pin SDP0 {mock}")).done();
    let events = ptpctl(&format!("extts --pin SDP1 --count 3 --json {mock}")).done().lines();
    let nanoseconds: Vec<_> = events
        .iter()
        .map(|event| event["time"]["nanoseconds"].as_i64().expect("a number"))
        .collect();
    assert_eq!(nanoseconds[0] % 100_000_000, 7);
    assert_eq!(events[2]["interval_ns"], json!(100_000_000));
}

#[test]
fn perout_reports_what_it_set() {
    let on = "perout --frequency 10MHz --duty 25% --channel 1 --pin SDP2 --start +5s --json";
    let perout = ptpctl(&format!("{on} {MOCK}")).done().json();
    assert_eq!(perout["period_ns"], json!(100));
    assert_eq!(perout["pulse_width_ns"], json!(25));
    assert_eq!(perout["pin"], json!(2));
    assert_eq!(perout["start"]["seconds"], json!(1_700_000_005));
    let off = ptpctl(&format!("perout --off --channel 1 --json {MOCK}")).done().json();
    assert_eq!(off["enabled"], json!(false));
}

#[test]
fn perout_starts_at_a_full_second_where_nothing_else_is_asked() {
    let perout = ptpctl(&format!("perout --period 1s --json {MOCK}")).done().json();
    assert_eq!(perout["start"], json!({"seconds": 1_700_000_003, "nanoseconds": 0}));
}

#[test]
fn a_phase_that_the_driver_cant_take_becomes_a_start_time() {
    // Before Linux 5.9 outputs have no phase.
    let mock = "mock:full,time=virtual,kernel=5.8";
    let perout = ptpctl(&format!("perout --period 1s --phase 250ms --json {mock}")).done().json();
    assert_eq!(perout["start"], json!({"seconds": 1_700_000_002, "nanoseconds": 250_000_000}));
    assert!(perout["notes"].to_string().contains("takes no phase"), "{perout}");
    ptpctl(&format!("perout --period 1s --pulse-width 1ms {mock}")).failed(3, "a pulse width");
}

#[test]
fn perout_works_on_a_kernel_without_version_2() {
    ptpctl("perout --period 1s mock:full,kernel=5.3").done();
    ptpctl("perout --period 1s --one-shot mock:full,kernel=5.3").failed(3, "a single pulse");
}

#[test]
fn an_output_that_fails_gives_the_pin_back() {
    let file = TemporaryFile::new("refused");
    let mock = file.mock("full");
    ptpctl(&format!("pin SDP2 perout --channel 1 {mock}")).done();
    let before = ptpctl(&format!("pins --json {mock}")).done().stdout;
    ptpctl(&format!("perout --period 1s --channel 1 --pin SDP0 {mock},fail=perout_request:EIO"))
        .failed(1, "EIO");
    assert_eq!(ptpctl(&format!("pins --json {mock}")).done().stdout, before);
}

#[test]
fn an_output_without_a_pin_says_so() {
    let perout = ptpctl("perout --period 1s --json mock").done().json();
    assert_eq!(
        perout["notes"][0],
        json!("no pin is connected to channel 0: unless it is wired, --pin connects one")
    );
    let perout = ptpctl("perout --period 1s --pin 0 --json mock").done().json();
    assert_eq!(perout["notes"], json!([]));
}

#[test]
fn pps_is_switched() {
    for switch in ["on", "off"] {
        let pps = ptpctl(&format!("pps {switch} --json mock")).done().json();
        assert_eq!(pps["pps"], json!(switch == "on"));
    }
    ptpctl("pps on mock:igb").failed(3, "no PPS");
    ptpctl("pps on mock:full,unprivileged").failed(1, "CAP_SYS_TIME");
}

#[test]
fn vclocks_names_the_new_clocks_and_warns() {
    let file = TemporaryFile::new("vclocks");
    let mock = file.mock("igb");
    let two = ptpctl(&format!("vclocks 2 --json {mock}")).done().json();
    assert_eq!(two["new"], json!(["ptp1", "ptp2"]));
    assert!(two["notes"][1].as_str().expect("a note").contains("runs freely"));
    let shown = ptpctl(&format!("vclocks --json {mock}")).done().json();
    assert_eq!(shown["virtual_clocks"], json!(2));
    ptpctl(&format!("adjtime 1s {mock}")).failed(1, "ptpctl vclocks 0");
    ptpctl(&format!("vclocks 0 -d {mock}")).done();
    ptpctl(&format!("adjtime 1s {mock}")).done();
    ptpctl(&format!("vclocks 21 {mock}")).failed(3, "the most is 20");
    ptpctl("vclocks mock:vclock").failed(3, "virtual clock");
    ptpctl("vclocks mock:igb,kernel=5.10").failed(3, "before 5.14");
}

#[test]
fn extts_prints_an_event_a_line_with_its_interval() {
    let text = ptpctl(&format!("extts --count 2 {MOCK},signal=250ms")).done().stdout;
    assert_eq!(text, "1700000000.250000000  channel 0\n1700000000.500000000  channel 0  +250 ms\n");
}

#[test]
fn extts_stamps_the_edges_that_are_asked_for() {
    let parts = |edge: &str| -> Vec<i64> {
        let mock = format!("{MOCK},signal=1s,signal-width=300ms");
        let events = ptpctl(&format!("extts --edge {edge} --count 4 --json {mock}")).done().lines();
        events
            .iter()
            .map(|event| event["time"]["nanoseconds"].as_i64().expect("a number"))
            .collect()
    };
    assert_eq!(parts("rising"), [0; 4]);
    assert_eq!(parts("falling"), [300_000_000; 4]);
    assert_eq!(parts("both"), [300_000_000, 0, 300_000_000, 0]);
}

#[test]
fn extts_gives_a_pin_its_function_back() {
    let file = TemporaryFile::new("back");
    let mock = file.mock("full,time=virtual");
    ptpctl(&format!("pin SDP1 extts --channel 0 {mock}")).done();
    ptpctl(&format!("pin SDP2 perout --channel 3 {mock}")).done();
    let before = ptpctl(&format!("pins --json {mock}")).done().stdout;
    let watch = ptpctl(&format!("extts --pin SDP2 --count 1 {mock}"));
    assert_eq!(watch.status, Some(0));
    assert!(watch.stderr.contains("pin 1 (SDP1) loses channel 0 meanwhile"), "{watch:?}");
    assert_eq!(ptpctl(&format!("pins --json {mock}")).done().stdout, before);
}

#[test]
fn extts_keeps_what_it_is_told_to_keep() {
    let file = TemporaryFile::new("keep");
    let mock = file.mock("full,time=virtual");
    ptpctl(&format!("extts --count 1 {mock}")).done();
    let state = || std::fs::read_to_string(&file.0).expect("a state");
    assert!(state().contains("\"inputs\": {}"));
    ptpctl(&format!("extts --keep --pin SDP3 --count 1 {mock}")).done();
    assert!(!state().contains("\"inputs\": {}"));
    let pins = ptpctl(&format!("pins --json {mock}")).done().json();
    assert_eq!(pins["pins"][3]["function"], json!("extts"));
}

#[test]
fn a_reader_that_keeps_up_misses_nothing() {
    let mock = format!("{MOCK},signal=1ms");
    let events = ptpctl(&format!("extts --count 300 --json {mock}")).done().lines();
    assert!(events.iter().all(|event| event["missing"] == json!(0)));
    assert!(events[1..].iter().all(|event| event["interval_ns"] == json!(1_000_000)));
}

#[test]
fn extts_that_waits_in_vain_ends_with_5() {
    ptpctl(&format!("extts --timeout 2s {MOCK},signal=off")).failed(5, "no event came");
    ptpctl("extts --duration 100ms mock:full,signal=off").failed(5, "no event came");
    ptpctl("extts --duration 1200ms mock").done();
}

#[test]
fn a_refused_watch_leaves_the_watch_of_another_program_on() {
    let file = TemporaryFile::new("other");
    let mock = file.mock("clockmatrix,time=virtual");
    ptpctl(&format!("extts --keep --pin 3 --count 1 {mock}")).done();
    let before = std::fs::read_to_string(&file.0).expect("a state");
    ptpctl(&format!("extts --edge falling {mock}")).failed(3, "refuses to stamp falling edges");
    let inputs = |state: &str| {
        serde_json::from_str::<serde_json::Value>(state).expect("JSON")["inputs"].clone()
    };
    let after = std::fs::read_to_string(&file.0).expect("a state");
    assert_eq!(inputs(&after), inputs(&before));
    assert_ne!(inputs(&after), json!({}));
}

#[test]
fn a_pin_without_a_function_gets_its_channel_back_too() {
    let file = TemporaryFile::new("none2");
    let mock = file.mock("full,time=virtual");
    let pins = || -> serde_json::Value {
        let state = std::fs::read_to_string(&file.0).expect("a state");
        serde_json::from_str::<serde_json::Value>(&state).expect("JSON")["pins"].clone()
    };
    ptpctl(&format!("pin SDP0 none --channel 2 {mock}")).done();
    let before = pins();
    assert_eq!(before[0], json!([0, 2]));
    ptpctl(&format!("extts --pin SDP0 --count 1 {mock}")).done();
    assert_eq!(pins(), before);
}

#[test]
fn what_cant_be_switched_off_is_told() {
    let mock = "mock:full,time=virtual,fail=extts_request#2:EIO";
    let left = ptpctl(&format!("extts --count 1 {mock}"));
    assert_eq!((left.status, left.stdout.lines().count()), (Some(1), 1));
    assert!(left.stderr.contains("can't disable external timestamps"), "{left:?}");
}

#[test]
fn keep_keeps_nothing_of_what_failed() {
    let file = TemporaryFile::new("keepnot");
    let mock = file.mock("full");
    ptpctl(&format!("pin SDP1 extts --channel 0 {mock}")).done();
    let before = ptpctl(&format!("pins --json {mock}")).done().json()["pins"].clone();
    let failed = ptpctl(&format!("extts --keep --pin SDP2 {mock},fail=extts_request:EIO"));
    assert_eq!(failed.status, Some(1), "{failed:?}");
    assert_eq!(ptpctl(&format!("pins --json {mock}")).done().json()["pins"], before);
}

#[test]
fn extts_can_ask_for_offsets() {
    let events =
        ptpctl(&format!("extts --offset-events --count 1 --json {MOCK},offset=-70ns")).done();
    assert_eq!(events.lines()[0]["offset_ns"], json!(-70));
    ptpctl("extts --offset-events mock:full,kernel=6.8").failed(3, "before");
    ptpctl("extts --offset-events --pin 0 mock:clockmatrix").failed(3, "no offset events");
}

#[test]
fn extts_works_on_every_kernel() {
    for kernel in ["4.19", "5.4", "5.5", "6.1", "6.12", "7.2"] {
        let mock = format!("mock:full,time=virtual,kernel={kernel}");
        let events = ptpctl(&format!("extts --only --count 2 --json {mock}"));
        assert_eq!((events.status, events.lines().len()), (Some(0), 2), "{kernel}");
    }
}

#[test]
fn extts_ends_when_the_clock_goes_away() {
    let gone = ptpctl(&format!("extts {MOCK},remove=2500ms"));
    assert_eq!((gone.status, gone.stdout.lines().count()), (Some(1), 2));
    assert!(gone.stderr.contains("ENODEV") && gone.stderr.contains("removed"), "{gone:?}");
}

#[test]
fn a_dry_run_checks_everything_and_changes_nothing() {
    let file = TemporaryFile::new("dry");
    let mock = file.mock("full,time=virtual");
    ptpctl(&format!("adjphase 5ns {mock}")).done();
    let before = std::fs::read(&file.0).expect("a state");
    for change in [
        "set now",
        "set @5",
        "set-system",
        "adjtime 1s",
        "adjfreq 1ppm",
        "adjphase 6ns",
        "pin SDP0 extts",
        "perout --period 1s --pin SDP0",
        "perout --off",
        "pps on",
        "vclocks 2",
        "extts --pin SDP0",
    ] {
        let dry = ptpctl(&format!("{change} --dry-run --json {mock}")).done().json();
        assert_eq!(dry["dry_run"], json!(true), "{change}");
        assert_eq!(std::fs::read(&file.0).expect("a state"), before, "{change}");
    }
    ptpctl(&format!("adjphase --dry-run 500000001ns {mock}")).failed(3, "500000000 ns");
    ptpctl(&format!("adjfreq --dry-run 100001ppm {mock}")).failed(3, "100000000 ppb");
    ptpctl("pps --dry-run on mock:igb").failed(3, "no PPS");
}

#[test]
fn what_only_looks_works_on_a_clock_that_may_only_be_read() {
    for look in ["caps", "get", "freq", "pins", "offset", "vclocks", "list"] {
        ptpctl(&format!("{look} mock:readonly")).done();
    }
    for change in
        ["set now", "adjtime 1s", "adjfreq 0", "adjphase 0", "pps on", "extts", "perout --off"]
    {
        ptpctl(&format!("{change} mock:readonly")).failed(1, "may be opened for reading only");
    }
}

#[test]
fn a_clock_is_named_by_argument_option_or_environment() {
    let device = |run: crate::common::Run| run.done().json()["device"].clone();
    assert_eq!(device(ptpctl("get --json mock:igb")), json!("mock:igb"));
    assert_eq!(device(ptpctl("get --json -d mock:igb")), json!("mock:igb"));
    assert_eq!(device(ptpctl("-d mock:igb get --json")), json!("mock:igb"));
    let by_environment = run(program().env("PTPCTL_DEVICE", "mock:igb").args(["get", "--json"]));
    assert_eq!(device(by_environment), json!("mock:igb"));
    ptpctl("get -d mock:igb mock:full").failed(2, "two clocks");
}

#[test]
fn the_names_of_phc_ctl_work_where_they_mean_the_same() {
    for (theirs, ours) in
        [("adj 1s", "adjtime 1s"), ("phase 5ns", "adjphase 5ns"), ("cmp", "offset")]
    {
        let theirs = ptpctl(&format!("{theirs} --json {MOCK}")).done().stdout;
        assert_eq!(theirs, ptpctl(&format!("{ours} --json {MOCK}")).done().stdout);
    }
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = ptpctl(&format!("completions {shell}")).done().stdout;
        for command in ["adjphase", "set-system", "vclocks", "extts"] {
            assert!(script.contains(command), "{shell} {command}");
        }
    }
}

/// Every key in a JSON value.
fn keys(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (key, value) in members {
                into.push(key.clone());
                keys(value, into);
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

#[test]
fn every_json_key_is_in_the_manual() {
    let manual = include_str!("../../src/cli/json_keys.txt");
    let words: Vec<_> = manual.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let mut objects = Vec::new();
    for line in [
        "list mock",
        "caps mock",
        "get mock",
        "freq mock",
        "pins mock",
        "offset --raw mock:igb",
        "diff mock mock:igb",
        "monitor --count 1 mock",
        "monitor --count 1 mock:igb:mock:e1000e",
        "record --count 1 /dev/null mock",
        "metrics mock",
        "set now mock",
        "set @5 mock",
        "set-system mock",
        "adjtime 1s mock",
        "adjfreq 1ppm mock",
        "adjphase 5ns mock",
        "pin 0 extts mock",
        "perout --period 1s --phase 0 mock",
        "perout --period 1s mock",
        "pps on mock",
        "vclocks 1 mock",
        "extts --count 1 mock",
        "extts --count 1 --offset-events mock",
    ] {
        let lines = ptpctl(&format!("{line} --json")).done().lines();
        objects.extend(lines.into_iter().map(|object| (line, object)));
    }
    for (line, status) in [
        ("doctor mock:igb,unset", 1),
        ("stability --count 20 --mask g8272-a mock:full,time=virtual", 4),
        ("stability --count 100 --mask g8272-a mock:igb,time=virtual,freq=1ppm", 1),
        ("monitor --count 1 mock:igb,fail=sys_offset_extended/1:EIO,fail=sys_offset/1:EIO", 1),
    ] {
        let run = ptpctl(&format!("{line} --json"));
        assert_eq!(run.status, Some(status), "{run:?}");
        objects.push((line, run.json()));
    }
    for line in
        ["set @5 mock:igb,fail=clock_settime:EIO", "adjfreq 1ppm mock,fail=clock_adjtime#2:EIO"]
    {
        let failed = ptpctl(&format!("{line} --json"));
        objects.push((line, serde_json::from_str(&failed.stderr).expect("an object")));
    }
    for (line, object) in objects {
        let mut found = Vec::new();
        keys(&object, &mut found);
        for key in found {
            assert!(words.contains(&key.as_str()), "{line}: {key} is not documented");
        }
    }
}

#[test]
fn help_fits_the_terminal() {
    let script = ptpctl("completions bash").done().stdout;
    let names = script.lines().next().and_then(|line| line.split_once("Commands: "));
    let mut lines: Vec<_> = names.expect("names").1.split(' ').collect();
    assert!(lines.len() > 20, "{lines:?}");
    lines.push("");
    for (columns, command, help) in [80, 100]
        .iter()
        .flat_map(|columns| lines.iter().map(move |command| (columns, command)))
        .flat_map(|(columns, command)| ["-h", "--help"].map(|help| (columns, command, help)))
    {
        let mut program = program();
        program.env("COLUMNS", columns.to_string()).args((!command.is_empty()).then_some(command));
        for line in run(program.arg(help)).done().stdout.lines() {
            let width = line.chars().count();
            assert!(width <= *columns, "{command} {help}: {width} of {columns} columns: {line}");
        }
    }
}
