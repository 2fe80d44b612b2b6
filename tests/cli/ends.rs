//! However `extts` ends, what it switched on is switched off.

use crate::common::{TemporaryFile, program, ptpctl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Stdio};

/// Starts to watch a fast signal, and waits for its first events.
fn watch(file: &TemporaryFile) -> (Child, BufReader<ChildStdout>) {
    let mock = file.mock("full,signal=5ms");
    let mut child = program()
        .args(["extts", "--pin", "SDP1", "--device", &mock])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut events = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    events.read_line(&mut line).expect("an event");
    assert!(line.contains("channel 0"), "{line}");
    (child, events)
}

#[track_caller]
fn assert_all_is_off(file: &TemporaryFile) {
    let state = std::fs::read_to_string(&file.0).expect("a state");
    assert!(state.contains("\"inputs\": {}"), "{state}");
    let pins = ptpctl(&format!("pins --json {}", file.mock("full"))).done().json();
    assert_eq!(pins["pins"][1]["function"], "none");
}

#[test]
fn a_signal_switches_off_and_then_ends_the_program() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let file = TemporaryFile::new(signal.as_str());
        let (mut child, _events) = watch(&file);
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        kill(pid, signal).expect("sent");
        let status = child.wait().expect("ended");
        assert_eq!(status.signal(), Some(signal as i32));
        assert_all_is_off(&file);
    }
}

#[test]
fn a_closed_pipe_switches_off_and_is_no_error() {
    let file = TemporaryFile::new("pipe");
    let (mut child, events) = watch(&file);
    drop(events);
    let status = child.wait().expect("ended");
    assert_eq!(status.code(), Some(0));
    assert_all_is_off(&file);
}

#[test]
fn a_closed_pipe_is_noticed_without_an_event() {
    let file = TemporaryFile::new("quiet");
    let mut child = program()
        .args(["extts", "--pin", "SDP1", "--device", &file.mock("full,signal=off")])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    // Wait until it is on.
    while !std::fs::read_to_string(&file.0).is_ok_and(|state| state.contains("\"0\":")) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ended").code(), Some(0));
    assert_all_is_off(&file);
}

#[test]
fn a_signal_ends_a_program_whose_reader_has_stopped_reading() {
    let file = TemporaryFile::new("stalled");
    let mut child = program()
        .args(["extts", "--json", "--device", &file.mock("full,signal=100us")])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let stdout = child.stdout.take().expect("a pipe");
    // 64 KiB of lines are full in a moment at 10 kHz.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    kill(pid, Signal::SIGTERM).expect("sent");
    assert_eq!(child.wait().expect("ended").signal(), Some(Signal::SIGTERM as i32));
    drop(stdout);
    let state = std::fs::read_to_string(&file.0).expect("a state");
    assert!(state.contains("\"inputs\": {}"), "{state}");
}

#[test]
fn an_error_switches_off() {
    let file = TemporaryFile::new("error");
    let mock = file.mock("full,time=virtual,fail=read:EIO");
    ptpctl(&format!("extts --pin SDP1 {mock}")).failed(1, "EIO");
    let state = std::fs::read_to_string(&file.0).expect("a state");
    assert!(state.contains("\"inputs\": {}"), "{state}");
}

#[test]
fn events_that_a_stopped_reader_lost_are_counted() {
    let mut child = program()
        .args(["extts", "--json", "mock:full,signal=1ms"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut events = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = || -> serde_json::Value {
        serde_json::from_str(&events.next().expect("an event").expect("a line")).expect("JSON")
    };
    (0..20).for_each(|_| drop(next()));
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    kill(pid, Signal::SIGSTOP).expect("stopped");
    std::thread::sleep(std::time::Duration::from_millis(500));
    kill(pid, Signal::SIGCONT).expect("going on");
    // The queue has kept the last 127 of about 500.
    let missing = (0..1_000).map(|_| next()["missing"].as_u64().expect("a number")).max();
    assert!(missing > Some(250), "{missing:?}");
    kill(pid, Signal::SIGTERM).expect("sent");
    child.wait().expect("ended");
}

#[test]
fn a_second_writer_of_a_state_file_is_refused() {
    let file = TemporaryFile::new("second");
    let (mut child, _events) = watch(&file);
    ptpctl(&format!("adjtime 1s {}", file.mock("full"))).failed(1, "another process is writing");
    ptpctl(&format!("get {}", file.mock("full"))).done();
    child.kill().expect("killed");
    let _ = child.wait();
}

#[test]
fn what_a_killed_program_left_on_is_still_on() {
    let file = TemporaryFile::new("killed");
    let (mut child, _events) = watch(&file);
    child.kill().expect("killed");
    let _ = child.wait();
    let state = std::fs::read_to_string(&file.0).expect("a state");
    assert!(!state.contains("\"inputs\": {}"), "{state}");
}
