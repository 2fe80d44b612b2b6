//! `ptpctl mock run`, from outside. `tests/supervised` has what a program sees.

#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use crate::common::{Run, TemporaryFile, pid, program, ptpctl, run, start};
use serde_json::json;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// `ptpctl mock run`, unless this machine can't; that is told then, and is no failure.
fn mock_run(arguments: &[&str]) -> Option<Run> {
    let ended = run(program().args(["mock", "run"]).args(arguments));
    if ended.status == Some(125) && ended.stderr.contains("Linux 5.19 or later is needed") {
        println!("skipped: {}", ended.stderr);
        return None;
    }
    Some(ended)
}

/// A line of a shell on the mock.
fn shell(clocks: &[&str], line: &str) -> Option<Run> {
    let clocks: Vec<_> = clocks.iter().flat_map(|clock| ["--clock", clock]).collect();
    mock_run(&[&clocks, ["--", "sh", "-c", line].as_slice()].concat())
}

#[test]
fn the_exit_status_is_the_programs() {
    for status in [0, 1, 7, 255] {
        let Some(ended) = shell(&[], &format!("exit {status}")) else { return };
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(status), ""));
    }
}

#[test]
fn the_program_has_the_limits_and_signals_of_its_caller() {
    let line = "ulimit -n; grep -E 'Sig(Blk|Ign)|CapEff|Groups' /proc/self/status";
    let Some(inside) = shell(&[], line) else { return };
    let outside = run(Command::new("sh").args(["-c", line]));
    assert_eq!(inside.done().stdout, outside.done().stdout);
}

#[test]
fn a_signal_that_ends_the_program_ends_ptpctl() {
    use std::os::unix::process::ExitStatusExt;
    for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGSEGV, libc::SIGRTMIN() + 6] {
        let line = format!("kill -{signal} $$");
        let ended = program().args(["mock", "run", "--", "sh", "-c", &line]).status();
        let ended = ended.expect("ptpctl runs");
        if ended.code() != Some(125) {
            assert_eq!(ended.signal(), Some(signal));
        }
    }
}

#[test]
fn a_program_that_can_not_be_run_is_told() {
    let Some(ended) = mock_run(&["--", "there-is-no-such-program"]) else { return };
    ended.failed(127, "can't run 'there-is-no-such-program': ENOENT");
    mock_run(&["--", "/etc/passwd"]).expect("runs").failed(126, "Permission denied");
    ptpctl("mock run").failed(2, "PROGRAM");
    ptpctl("mock").failed(2, "run");
    ptpctl("mock run --clock nosuch -- true").failed(2, "none of its profiles");
    let two = "mock run --clock full --clock full";
    ptpctl(&format!("{two} --wire ptp0:9=ptp1:0 -- true")).failed(2, "ptp0 has 4 pins");
    ptpctl(&format!("{two} --wire ptp0:0=ptp2:0 -- true")).failed(2, "there is no clock ptp2");
    ptpctl("mock run --clock igb,link=/dev/null -- true").failed(2, "another file of this machine");
    ptpctl("mock run --clock full,time=virtual -- true").failed(2, "the machine's own time");
    let error = ptpctl("mock run --json -- there-is-no-such-program").stderr;
    let error: serde_json::Value = serde_json::from_str(&error).expect("an object");
    assert_eq!(error["exit_status"], json!(127));
}

#[test]
fn ptpctl_itself_sees_the_clocks() {
    let own = start().join(" ");
    let line = format!("{own} caps --json /dev/ptp1");
    let Some(inside) = shell(&["igb", "clockmatrix"], &line) else { return };
    let mut outside = ptpctl("caps --json mock:clockmatrix").done().json();
    outside["device"] = json!("/dev/ptp1");
    assert_eq!(inside.done().json(), outside);
    let line = format!("{own} list --json");
    let list = shell(&["igb,interface=eth77", "full"], &line).expect("runs").done().json();
    assert_eq!(list["clocks"].as_array().expect("clocks").len(), 2);
    assert_eq!(list["clocks"][0]["interfaces"][0]["name"], json!("eth77"));
    let line = format!("{own} extts --json --count 3 ptp0");
    let events = shell(&["full,signal=10ms"], &line).expect("runs").done().lines();
    assert_eq!(events.iter().filter(|line| line["channel"] == json!(0)).count(), 3);
}

#[test]
fn a_clock_lasts_as_long_as_the_run() {
    let own = start().join(" ");
    let line = format!("{own} adjtime 1000s ptp0 && {own} offset --json ptp0");
    let Some(ended) = shell(&["full"], &line) else { return };
    let report = ended.stdout.lines().last().expect("a line");
    let report: serde_json::Value = serde_json::from_str(report).expect("an object");
    let offset = report["offset_ns"].as_i64().expect("an offset");
    assert!((999_999_990_000..=1_000_000_010_000).contains(&offset), "{offset}");
}

#[test]
fn what_is_left_on_is_told() {
    let own = start().join(" ");
    let line = format!("{own} perout --channel 1 --period 1s ptp0");
    let Some(ended) = shell(&["full"], &line) else { return };
    assert_eq!(ended.status, Some(0));
    assert!(ended.stderr.contains("left this on: the output of channel 1 of /dev/ptp0"));
}

#[test]
fn what_was_on_of_a_card_that_has_gone_is_not_left_on() {
    let line = format!("{} perout --channel 1 --period 1s ptp0; sleep 0.4", start().join(" "));
    let Some(ended) = shell(&["full,remove=400ms"], &line) else { return };
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_wired_input_has_no_other_signal() {
    let own = start().join(" ");
    let line = format!("{own} extts --json --channel 0 --timeout 1500ms ptp1");
    let wired = ["--clock", "full", "--clock", "full", "--wire", "ptp0:0=ptp1:0", "--", "sh", "-c"];
    // Pin 0 is an input of channel 0, to which nothing comes.
    let line = format!("{own} pin 0 extts ptp1 >/dev/null; {line}");
    let Some(ended) = mock_run(&[&wired, [line.as_str()].as_slice()].concat()) else { return };
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(5), ""), "{ended:?}");
}

#[test]
fn a_process_that_goes_on_is_told_and_waited_for() {
    let line = "(sleep 0.4; cat /sys/class/ptp/ptp0/clock_name) & exit 3";
    let Some(ended) = shell(&["full"], line) else { return };
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(3), "mock PHC\n"));
    assert!(ended.stderr.contains("has ended, but goes on as"), "{}", ended.stderr);
}

#[test]
fn signals_are_passed_on() {
    use nix::sys::signal::Signal;
    let line = "trap 'echo got it; exit 9' USR1 ALRM WINCH IO; echo ready; \
                while :; do sleep 0.05; done";
    for signal in [Signal::SIGUSR1, Signal::SIGALRM, Signal::SIGWINCH, Signal::SIGIO] {
        passed_on(line, signal);
    }
}

fn passed_on(line: &str, signal: nix::sys::signal::Signal) {
    use nix::sys::signal::kill;
    let mut command = program();
    let child = command
        .args(["mock", "run", "--", "sh", "-c", line])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("ptpctl runs");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut ready = [0; 6];
    if std::io::Read::read_exact(&mut stdout, &mut ready).is_err() {
        assert_eq!(child.wait().expect("ended").code(), Some(125));
        return;
    }
    kill(pid(&child), signal).expect("sent");
    assert_eq!(child.wait().expect("ended").code(), Some(9));
    assert_eq!(std::io::read_to_string(stdout).expect("text"), "got it\n");
}

#[test]
fn nothing_stays_in_the_folder_for_temporary_files() {
    let folder = TemporaryFile::new("mock-run");
    fs::create_dir(&folder.0).expect("a folder");
    let mut command = program();
    command.env("TMPDIR", &folder.0);
    let ended =
        run(command.args(["mock", "run", "--", "sh", "-c", "ls \"$TMPDIR\"; kill -TERM $$"]));
    if ended.status != Some(125) {
        assert!(ended.stdout.starts_with("ptpctl-sysfs-"), "{ended:?}");
    }
    assert_eq!(fs::read_dir(&folder.0).expect("there").count(), 0);
    fs::remove_dir(&folder.0).expect("removed");
}

#[test]
fn a_full_folder_for_temporary_files_is_told() {
    let mut command = program();
    command.env("TMPDIR", "/proc");
    let ended = run(command.args(["mock", "run", "--", "true"]));
    ended.failed(125, "can't make the clocks' files of sysfs");
}

#[test]
fn each_call_on_a_clock_is_logged() {
    let log = TemporaryFile::new("mock-run-log");
    let own = start().join(" ");
    let file = log.0.display().to_string();
    let line = format!("{own} get ptp0; {own} adjphase 5ns ptp0; {own} pps on ptp0");
    let arguments =
        ["--clock", "full,fail=enable_pps:EIO", "--log", &file, "--", "sh", "-c", &line];
    let Some(_) = mock_run(&arguments) else { return };
    let text = fs::read_to_string(&log.0).expect("a log");
    for call in [
        "ptp0 open = ",
        "ptp0 clock_gettime = 0",
        "ptp0 PTP_CLOCK_GETCAPS = 0",
        "ptp0 clock_adjtime = 0",
        "ptp0 PTP_ENABLE_PPS = EIO",
    ] {
        assert!(text.contains(call), "{call} is not in {text}");
    }
    let is_whole = |line: &str| line.split(' ').count() == 6 && line.contains('.');
    assert!(text.lines().all(is_whole), "{text}");
    ptpctl("mock run --log /dev/full -- true").failed(125, "can't write the log to /dev/full");
}

#[test]
fn a_log_that_can_not_be_written_ends() {
    let log = TemporaryFile::new("mock-run-limit");
    let own = start().join(" ");
    let mut command = crate::common::limited("ulimit -f 1");
    command.args(["mock", "run", "--log"]).arg(&log.0);
    let line = format!("for i in 1 2 3; do {own} offset --samples 200 ptp0; done");
    let ended = run(command.args(["--", "sh", "-c", &line]));
    if ended.status != Some(125) {
        assert_eq!(ended.status, Some(0), "{ended:?}");
        assert!(ended.stderr.contains("the log ends here: it can't be written"), "{ended:?}");
    }
}

#[test]
fn no_supervisor_runs_in_another() {
    let own = start().join(" ");
    let Some(ended) = shell(&[], &format!("{own} mock run -- true")) else { return };
    ended.failed(125, "another supervisor does that already");
}

/// Calls that the supervisor doesn't answer cost next to nothing, so a program runs as fast as
/// before. This only notices if every call were answered.
#[test]
fn other_calls_do_not_wait_for_the_supervisor() {
    let line = "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done";
    let began = Instant::now();
    Command::new("sh").args(["-c", line]).status().expect("runs");
    let alone = began.elapsed();
    let began = Instant::now();
    let Some(ended) = shell(&[], line) else { return };
    ended.done();
    assert!(began.elapsed() < alone * 5 + Duration::from_secs(1));
}
