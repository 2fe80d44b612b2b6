//! `ptpctl trace`, natively and under `ptpctl mock run`, where there are clocks.

#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use crate::common::{Run, TemporaryFile, program, run, start};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::process::ExitStatusExt;

fn own() -> String {
    start().join(" ")
}

/// A line of a shell on these clocks, unless this machine can't.
fn on(clocks: &[&str], line: &str) -> Option<Run> {
    let clocks = clocks.iter().flat_map(|clock| ["--clock", clock]);
    let mut command = program();
    command.args(["mock", "run"]).args(clocks).args(["--", "sh", "-c", line]);
    let ended = run(&mut command);
    let lacks = ended.status == Some(125) && ended.stderr.contains("Linux 5.19 or later");
    if lacks {
        println!("skipped: {}", ended.stderr);
    }
    (!lacks).then_some(ended)
}

#[test]
fn a_call_that_fails_is_a_line_and_counts() {
    // No clock has this number.
    let ended = run(program().args(["trace", "--", "sh", "-c", ": </dev/ptp987654; exit 3"]));
    if ended.status == Some(125) {
        return;
    }
    assert!(
        ended.stdout.contains(" ptp987654 open(read-only) = ENOENT (No such file"),
        "{ended:?}"
    );
    let row = ended.stdout.lines().find(|line| line.contains("  open"));
    let row: Vec<_> = row.expect("a row").split_whitespace().collect();
    assert_eq!(row.get(1..5), Some(["ptp987654", "open", "1", "1"].as_slice()));
    assert_ne!(ended.status, Some(0));
}

#[test]
fn the_exit_status_or_the_signal_is_the_programs() {
    let traced = |line: &str| {
        let status = program().args(["trace", "--summary", "--", "sh", "-c", line]).output();
        status.expect("runs").status
    };
    let seven = traced("exit 7");
    if seven.code() == Some(125) {
        return;
    }
    assert_eq!(seven.code(), Some(7));
    assert_eq!(traced("kill -TERM $$").signal(), Some(libc::SIGTERM));
    assert_eq!(traced("kill -40 $$").signal(), Some(40));
    let missing = run(program().args(["trace", "--", "there-is-no-such-program"]));
    missing.failed(127, "can't run 'there-is-no-such-program': ENOENT");
}

#[test]
fn each_call_is_told_in_words() {
    let own = own();
    let line = format!(
        "{own} trace -- sh -c '{own} get ptp0; {own} adjfreq 10ppb ptp0; {own} adjtime -1ms ptp0; \
         {own} adjphase 500ns ptp0; {own} caps ptp0; {own} pin 1 perout ptp0; \
         {own} perout --pin 1 --period 1s ptp0; {own} extts --channel 0 --count 1 ptp0; \
         {own} pps on ptp0; {own} offset ptp0'"
    );
    let Some(ended) = on(&["full,signal=20ms,fail=enable_pps:EIO"], &line) else { return };
    for text in [
        " ptp0 open(read-only) = descriptor ",
        " ptp0 clock_gettime() = 1",
        " ptp0 clock_adjtime(frequency 9.994507 ppb) = done <",
        " ptp0 clock_adjtime(step -1 ms) = done <",
        " ptp0 clock_adjtime(phase offset 500 ns) = done <",
        " ptp0 PTP_CLOCK_GETCAPS() = 100000000 ppb, 4 timestamp channels, 4 output channels",
        " ptp0 PTP_PIN_SETFUNC(pin 1: perout, channel ",
        " ptp0 PTP_PEROUT_REQUEST2(channel ",
        ": period 1 s, ",
        " ptp0 PTP_EXTTS_REQUEST2(channel 0: on, rising",
        " ptp0 read() = channel 0 at 1",
        " ptp0 PTP_ENABLE_PPS",
        "(on) = EIO (I/O error) <",
        " ptp0 PTP_SYS_OFFSET_PRECISE() = offset -",
    ] {
        assert!(ended.stdout.contains(text), "{text}: {}", ended.stdout);
    }
}

#[test]
fn a_clock_is_known_by_whatever_descriptor_and_program_has_it() {
    let own = own();
    let line = format!(
        "exec 7<>/dev/ptp1; {own} trace --json -- sh -c 'exec 9<&7; cd /dev; {own} get ./ptp0; \
         ({own} get /dev/fd/9) & wait; head -c 32 <&9'"
    );
    let Some(ended) = on(&["full", "full,signal=off,remove=3s"], &line) else { return };
    let calls = ended
        .stdout
        .lines()
        .filter(|line| line.contains("\"call\":\"clock_gettime\"") && line.contains("at_ns"));
    let calls: Vec<Value> = calls.map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let clocks: Vec<_> = calls.iter().map(|call| call["clock"].as_str()).collect();
    assert!(clocks.contains(&Some("ptp0")) && clocks.contains(&Some("ptp1")), "{ended:?}");
    assert!(calls.iter().all(|call| call["errno"].is_null() && call["took_ns"].is_u64()));
}

/// A recording of this line on this clock.
fn recording(clock: &str, options: &str, line: &str) -> Option<Vec<Value>> {
    let file = TemporaryFile::new(&format!("trace-{}", options.len()));
    let path = file.0.display();
    let line = format!("{} trace --summary {options} --record {path} -- sh -c '{line}'", own());
    on(&[clock], &line)?.done();
    let text = fs::read_to_string(&file.0).expect("a recording");
    Some(text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

#[test]
fn a_recording_has_what_the_clock_is_like_and_each_call() {
    let own = own();
    let line = format!("{own} pins ptp0; {own} get ptp0");
    let Some(lines) = recording("clockmatrix,driver=idt", "", &line) else { return };
    assert_eq!(lines[0]["schema"], json!(2));
    assert_eq!(lines[0]["clock_name"], json!("IDT CM TOD0"));
    assert_eq!(lines[0]["driver"], json!("idt"));
    assert_eq!(lines[0]["caps"]["max_phase_adj_ns"], json!(107_374_182));
    assert_eq!(lines[0]["pins"].as_array().map(Vec::len), Some(16));
    assert!(
        lines[1..]
            .iter()
            .all(|line| ["ptp0", "system"].contains(&line["clock"].as_str().unwrap_or(""))
                && line["at_ns"].is_u64())
    );
    let read = lines.iter().find(|line| line["call"] == "clock_gettime").expect("a reading");
    assert!(read["time"]["seconds"].as_i64().is_some_and(|seconds| seconds > 1_700_000_000));
}

#[test]
fn an_anonymous_recording_has_no_names_of_programs_and_clocks() {
    let line = format!("{} get ptp0", own());
    let Some(lines) = recording("igb", "--anonymous", &line) else { return };
    assert_eq!(lines[0]["clock_name"], Value::Null);
    assert_eq!(lines[1]["program"], json!("program1"));
    assert!(lines[1..].iter().all(|line| line["process"].as_i64().is_some_and(|it| it < 10)));
}

#[test]
fn a_recording_replaces_no_file_and_fails_on_a_full_disk() {
    let file = TemporaryFile::new("trace-there");
    fs::write(&file.0, "mine").expect("written");
    let ended = run(program().args(["trace", "--record"]).arg(&file.0).args(["--", "true"]));
    ended.failed(125, "there is a file of this name");
    assert_eq!(fs::read_to_string(&file.0).expect("there"), "mine");
    // The program goes on, and its status counts.
    for (line, status) in [("(: </dev/ptp987654); exit 0", 1), ("(: </dev/ptp987654); exit 6", 6)] {
        let full = ["trace", "--record", "/dev/full", "--", "sh", "-c", line];
        let ended = run(program().args(full));
        if ended.status != Some(125) {
            assert_eq!(ended.status, Some(status), "{ended:?}");
            assert!(ended.stderr.contains("the recording ends here"), "{ended:?}");
        }
    }
}

#[test]
fn what_another_supervisor_hides_is_told() {
    let line = format!("{} mock run -- true", own());
    let mut command = program();
    let ended = run(command.args(["trace", "--", "sh", "-c", &line]));
    if ended.status != Some(125) {
        assert_eq!(ended.status, Some(0), "{ended:?}");
        assert!(ended.stderr.contains("they are not seen here"), "{ended:?}");
    }
}

#[test]
fn setting_the_time_zone_is_no_setting_of_a_clock() {
    let program = "import ctypes; ctypes.CDLL(None).settimeofday(None, b'\\0' * 8)";
    let line = format!("{} trace -- python3 -c \"{program}\"", own());
    let mut command = crate::common::program();
    command.args(["mock", "run", "--system-clock", "--", "sh", "-c", &line]);
    let ended = run(&mut command);
    if ended.status == Some(0) {
        assert!(ended.stdout.contains("made no call on a clock"), "{ended:?}");
    }
}

#[test]
fn a_recording_is_there_when_ptpctl_is_killed() {
    let file = TemporaryFile::new("trace-killed");
    let line = "(: </dev/ptp987654); kill -KILL $PPID; sleep 5";
    let mut command = program();
    command.args(["trace", "--summary", "--record"]).arg(&file.0);
    let ended = command.args(["--", "sh", "-c", line]).output().expect("runs").status;
    if ended.code() != Some(125) {
        assert_eq!(ended.signal(), Some(libc::SIGKILL));
        let text = fs::read_to_string(&file.0).expect("a recording");
        assert!(text.ends_with('\n') && text.contains("\"errno\":\"ENOENT\""), "{text:?}");
    }
}

#[test]
fn a_program_whose_trace_nobody_reads_is_told_to_end() {
    let line = format!(
        "{} trace -- sh -c 'while :; do (: </dev/ptp987654); sleep 0.01; done 2>/dev/null' | head -1",
        own()
    );
    let line = format!("{line}; exit ${{PIPESTATUS[0]}}");
    let ended = std::process::Command::new("bash").args(["-c", &line]).output().expect("runs");
    assert!([Some(143), Some(125)].contains(&ended.status.code()), "{ended:?}");
}

#[test]
fn stopped_and_continued_programs_and_signals_are_as_without_a_trace() {
    let line = "trap 'echo usr1; exit 4' USR1; (sleep 0.2; kill -STOP $$; sleep 0.2; kill -CONT $$; \
                kill -USR1 $$) & while :; do sleep 0.05; done";
    let ended = run(program().args(["trace", "--summary", "--", "sh", "-c", line]));
    if ended.status == Some(125) {
        return;
    }
    assert_eq!(ended.status, Some(4), "{ended:?}");
    assert!(ended.stdout.starts_with("usr1\n"), "{ended:?}");
}
