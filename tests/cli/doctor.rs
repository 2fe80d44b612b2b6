//! `ptpctl doctor`: each finding is brought about, and taken away again. The files of a machine are
//! tested in `src/doctor`.

use crate::common::{TemporaryFile, program, ptpctl, run};
use std::collections::BTreeSet;
use std::fs;

/// The names of what is found of a clock, whatever is wrong with this machine.
#[track_caller]
fn found(line: &str) -> BTreeSet<String> {
    let run = ptpctl(&format!("doctor --json {line}"));
    assert_eq!(run.stderr, "");
    let object = run.json();
    let findings = object["findings"].as_array().expect("a list").clone();
    let is_fault = |finding: &&serde_json::Value| finding["trait"] == false;
    assert_eq!(run.status, Some(i32::from(findings.iter().any(|one| is_fault(&one)))));
    for finding in &findings {
        for key in ["what", "seen", "remedy", "check"] {
            assert!(finding[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {finding}");
        }
    }
    let of_clock = findings.iter().filter(|finding| finding["device"].is_string());
    of_clock.map(|finding| finding["finding"].as_str().expect("a name").to_owned()).collect()
}

#[track_caller]
fn finds(line: &str, names: &[&str]) {
    assert_eq!(found(line), names.iter().map(|name| (*name).to_owned()).collect(), "{line}");
}

#[test]
fn nothing_is_found_of_a_clock_that_is_well() {
    for clock in ["mock:igb,time=virtual", "mock:full,time=virtual", "mock:e1000e,time=virtual"] {
        finds(clock, &[]);
    }
}

#[test]
fn a_clock_that_was_never_set_is_found_and_not_blamed_for_its_scale() {
    finds("--expect tai mock:igb,time=virtual,unset", &["unset"]);
}

#[test]
fn a_clock_on_another_scale_than_the_expected_one_is_found() {
    finds("--expect tai mock:igb,time=virtual", &["other-scale"]);
    finds("--expect tai mock:igb,time=virtual,offset=37s", &[]);
    finds("--expect utc mock:igb,time=virtual,offset=37s", &["other-scale"]);
    finds("--expect utc mock:igb,time=virtual,offset=5s", &["other-scale"]);
    finds("--expect utc mock:igb,time=virtual", &[]);
}

#[test]
fn a_clock_that_is_far_off_every_scale_is_found() {
    for off in ["5s", "-600ms", "-400ms", "36.4s", "100s"] {
        finds(&format!("mock:igb,time=virtual,offset={off}"), &["far-off"]);
    }
    for off in ["0", "37s", "18s", "1ms", "36.999s"] {
        finds(&format!("mock:igb,time=virtual,offset={off}"), &[]);
    }
    // Where nobody tells TAI - UTC, whole seconds may be right.
    let told = found("mock:igb,time=virtual,offset=5s,tai=unknown");
    assert!(!told.contains("far-off"), "{told:?}");
}

#[test]
fn a_clock_that_stands_still_is_found() {
    finds("mock:igb,time=virtual,fault=stuck-time", &["stands-still"]);
    finds("mock:igb,time=virtual,resolution=1ms", &[]);
}

#[test]
fn a_clock_below_virtual_clocks_is_found_unless_it_has_a_counter() {
    let file = TemporaryFile::new("doctor-virtual");
    let clock = file.mock("igb,time=virtual");
    ptpctl(&format!("vclocks 2 {clock}")).done();
    finds(&clock, &["runs-freely"]);
    ptpctl(&format!("vclocks 0 {clock}")).done();
    finds(&clock, &[]);
}

#[test]
fn programs_that_fight_over_a_clock_are_found() {
    let two = "mock:full,time=virtual,held-by=phc2sys,held-by=chronyd";
    finds(two, &["clock-fought-over"]);
    let told = ptpctl(&format!("doctor {two}")).stdout;
    assert!(told.contains("phc2sys") && told.contains("chronyd"), "{told}");
    finds("mock:full,time=virtual,held-by=phc2sys", &[]);
    finds("mock:full,time=virtual,held-by=phc2sys,held-by=cat", &[]);
}

#[test]
fn a_frequency_near_its_limit_is_found() {
    let file = TemporaryFile::new("doctor-frequency");
    let clock = file.mock("full,time=virtual");
    ptpctl(&format!("adjfreq 95000000ppb {clock}")).done();
    finds(&clock, &["frequency-near-limit"]);
    ptpctl(&format!("adjfreq -- -95000000ppb {clock}")).done();
    finds(&clock, &["frequency-near-limit"]);
    ptpctl(&format!("adjfreq 50000000ppb {clock}")).done();
    finds(&clock, &[]);
}

#[test]
fn slow_readings_are_found_where_the_card_is_known_to_be_fast() {
    finds("mock:e1000e,time=virtual,driver=ixgbe,read=50us", &["slow-readings"]);
    finds("mock:e1000e,time=virtual,driver=ixgbe,read=1us", &[]);
    finds("mock:e1000e,time=virtual,driver=mdio_phy,read=20us", &[]);
    finds("mock:e1000e,time=virtual,driver=mdio_phy,read=200us", &["long-readings"]);
}

#[test]
fn uneven_readings_are_found() {
    finds("mock:e1000e,time=virtual,read=1us,jitter=100us,shape=uniform", &["uneven-readings"]);
    finds("mock:e1000e,time=virtual,read=1us,jitter=1us,shape=uniform", &[]);
}

#[test]
fn a_limit_of_readings_is_found_and_kept() {
    let log = TemporaryFile::new("doctor-limit");
    finds(
        &format!("mock:igb,time=virtual,driver=ena,log={}", log.0.display()),
        &["limited-readings"],
    );
    let calls = fs::read_to_string(&log.0).expect("a log");
    let readings = calls.lines().filter(|line| line.starts_with("sys_offset_extended"));
    assert!(readings.count() <= 2, "{calls}");
    finds("mock:igb,time=virtual,driver=ena,limit=125,others=50", &["limited-readings"]);
    // One that nobody knows of is noticed.
    finds("mock:igb,time=virtual,limit=10", &["limited-readings"]);
    finds("mock:igb,time=virtual,limit=125", &["limited-readings"]);
}

#[test]
fn a_driver_that_reports_both_edges_is_found_where_there_are_inputs() {
    finds("mock:full,time=virtual,driver=igc", &["both-edges"]);
    finds("mock:full,time=virtual,driver=sja1105", &["both-edges"]);
    finds("mock:igb,time=virtual,driver=igc", &[]);
}

#[test]
fn a_clock_that_can_not_be_measured_is_found() {
    let failing = "fail=sys_offset_extended/1:EIO,fail=sys_offset/1:EIO";
    finds(&format!("mock:igb,time=virtual,{failing}"), &["not-measured"]);
}

#[test]
fn readings_that_fail_now_and_then_are_found() {
    for failing in ["fail=sys_offset_extended~50%:ETIMEDOUT", "fail=sys_offset_extended#3:EIO"] {
        finds(&format!("mock:igb,time=virtual,{failing}"), &["readings-fail"]);
    }
    let worse = "fail=sys_offset_extended~90%:EIO,fail=sys_offset~90%:EIO";
    let found = found(&format!("mock:igb,time=virtual,{worse}"));
    assert!(found.contains("readings-fail"), "{found:?}");
    finds("mock:igb,time=virtual,fail=sys_offset_extended:EBUSY", &["limited-readings"]);
}

#[test]
fn a_better_method_that_does_not_work_is_found_once() {
    finds("mock:full,time=virtual,fail=sys_offset_precise/1:EIO", &["method-passed-over"]);
    finds("mock:igb,time=virtual,reversed", &["method-passed-over"]);
}

#[test]
fn traits_of_the_hardware_are_no_faults() {
    let run = ptpctl("doctor --json mock:full,time=virtual,driver=igc");
    let findings = run.json()["findings"].clone();
    let both =
        findings.as_array().expect("a list").iter().find(|one| one["finding"] == "both-edges");
    assert_eq!(both.expect("the trait")["trait"], true);
    let told = ptpctl("doctor mock:full,time=virtual,driver=igc").stdout;
    let (faults, traits) = told.split_once("Traits of the hardware").expect("traits");
    assert!(!faults.contains("both edges") && traits.contains("both edges"), "{told}");
}

#[test]
fn the_remedy_fits_what_went_wrong() {
    let remedy = |settings: &str| {
        let run = ptpctl(&format!("doctor --json mock:e1000e,time=virtual,{settings}"));
        let all = run.json()["findings"].as_array().expect("a list").clone();
        let one = all.iter().find(|one| one["finding"] == "not-read").expect("one").clone();
        one["remedy"].as_str().expect("a text").to_owned()
    };
    assert!(remedy("fail=clock_adjtime/1:EACCES").contains("root"));
    assert!(remedy("fail=clock_adjtime/1:EIO").contains("dmesg"));
    assert!(remedy("fail=clock_adjtime/1:ENODEV").contains("gone"));
}

#[test]
fn what_can_not_be_read_is_found() {
    for call in ["clock_gettime", "clock_adjtime", "getcaps"] {
        for errno in ["EIO", "EBUSY", "EACCES", "ETIMEDOUT"] {
            let found = found(&format!("mock:e1000e,time=virtual,fail={call}/1:{errno}"));
            assert!(found.contains("not-read"), "{call} {errno}: {found:?}");
        }
    }
}

#[test]
fn a_clock_that_is_not_there_is_a_failure() {
    ptpctl("doctor /dev/no-such-clock").failed(1, "/dev/no-such-clock");
    ptpctl("doctor --root / mock").failed(2, "--root looks at no clock");
    for nothing in ["/no/such/folder", "/dev/null", "/usr/lib"] {
        ptpctl(&format!("doctor --root {nothing}")).failed(1, "no files of /sys or /proc");
    }
    ptpctl("doctor --expect gps mock").failed(2, "use utc or tai");
}

#[test]
fn nothing_is_changed() {
    let file = TemporaryFile::new("doctor-unchanged");
    let clock = file.mock("full,time=virtual");
    ptpctl(&format!("adjfreq 5ppb {clock}")).done();
    let before = fs::read(&file.0).expect("a state");
    found(&clock);
    assert_eq!(fs::read(&file.0).expect("a state"), before);
}

#[test]
fn another_machine_is_judged_by_its_files() {
    let root = TemporaryFile::new("doctor-root");
    let _ = fs::remove_dir_all(&root.0);
    let folder = root.0.join("sys/devices/system/cpu/cpu0/cpufreq");
    fs::create_dir_all(&folder).expect("made");
    fs::write(folder.join("scaling_governor"), "powersave\n").expect("written");
    let judged = run(program().args(["doctor", "--root"]).arg(&root.0));
    assert_eq!((judged.status, judged.stderr.as_str()), (Some(1), ""));
    let lines: Vec<_> = judged.stdout.lines().collect();
    assert_eq!(lines.len(), 6, "{judged:?}");
    assert_eq!(lines[0], "1. processors change their frequency while they work");
    assert_eq!(lines[1], "   seen:  the governor of processors 0 is powersave");
    fs::write(folder.join("scaling_governor"), "performance\n").expect("written");
    let judged = run(program().args(["doctor", "--root"]).arg(&root.0)).done();
    assert_eq!(
        judged.stdout,
        format!("nothing to mend; looked at the files below {}\n", root.0.display())
    );
    let _ = fs::remove_dir_all(&root.0);
}

/// A whole machine, which is `ptpctl mock run`.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod whole_machines {
    use crate::common::{program, run, start};

    #[test]
    fn an_interface_that_stamps_no_packets_is_found() {
        let own = start().join(" ");
        // Python switches the timestamps on as ptp4l does.
        let on = "import fcntl, socket, struct, ctypes
config = ctypes.create_string_buffer(struct.pack('iii', 0, 1, 12))
request = struct.pack('16sP16x', b'eth7', ctypes.addressof(config))
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x89b0, request)";
        let line = format!("{own} doctor --json; python3 -c \"{on}\" && {own} doctor --json; true");
        let clock = ["mock", "run", "--clock", "igb,interface=eth7", "--", "sh", "-c", &line];
        let ended = run(program().args(clock));
        if ended.status == Some(125) && ended.stderr.contains("Linux 5.19 or later is needed") {
            println!("skipped: {}", ended.stderr);
            return;
        }
        let found: Vec<_> =
            ended.stdout.lines().map(|line| line.contains("timestamps-off")).collect();
        assert_eq!(found, [true, false], "{ended:?}");
    }
}
