//! Output that can't be written is a failure. What was done before a failure is reported first.

use crate::common::{Run, limited, program, ptpctl, run};
use serde_json::Value;
use std::fs::OpenOptions;
use std::process::Stdio;

/// Runs the program with its output on a full disk.
fn into_a_full_disk(line: &str) -> Run {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    run(program().args(line.split(' ')).stdout(Stdio::from(full)))
}

/// The program without a standard output.
fn without_output(line: &str) -> Run {
    run(limited("exec >&-").args(line.split(' ')))
}

/// Runs the program with a reader that has closed the pipe.
fn into_a_closed_pipe(line: &str) -> Run {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    run(program().args(line.split(' ')).stdout(Stdio::from(writer)))
}

const PRINTING: [&str; 14] = [
    "--help",
    "--version",
    "get --help",
    "caps mock",
    "list mock --json",
    "offset mock:igb",
    "completions bash",
    "monitor --count 1 mock:igb",
    "metrics mock:igb",
    "doctor mock:igb,unset",
    "selftest --list",
    "selftest --yes --only time mock:igb,time=virtual",
    "extts --count 1 mock:full,time=virtual",
    "stability --count 20 mock:igb,time=virtual",
];

#[test]
fn what_a_full_disk_does_not_take_is_a_failure() {
    for line in PRINTING {
        let run = into_a_full_disk(line);
        assert_eq!(run.status, Some(1), "{line}: {run:?}");
        assert!(run.stderr.contains("can't write the"), "{line}: {run:?}");
    }
}

#[test]
fn what_has_no_output_to_go_to_is_a_failure() {
    for line in PRINTING {
        let run = without_output(line);
        assert_eq!(run.status, Some(1), "{line}: {run:?}");
        assert!(run.stderr.contains("Bad file descriptor"), "{line}: {run:?}");
    }
}

#[test]
fn a_null_device_that_was_opened_on_purpose_is_an_output() {
    for (read, write) in [(false, true), (true, true)] {
        let null = OpenOptions::new().read(read).write(write).open("/dev/null").expect("/dev/null");
        let run = run(program().args(["caps", "mock"]).stdout(Stdio::from(null)));
        assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    for line in PRINTING {
        // A self-test whose results nobody has read must not exit with 0.
        let status = i32::from(line.contains("--yes"));
        let run = into_a_closed_pipe(line);
        assert_eq!(run.status, Some(status), "{line}: {run:?}");
    }
}

/// Commands that change something and then fail, with what they say that they have done.
const HALF_DONE: [(&str, &str); 6] = [
    (
        "set now mock:igb,offset=5s,fail=sys_offset_extended/1:ETIMEDOUT,fail=sys_offset/1:ETIMEDOUT",
        "set to the system clock in UTC",
    ),
    ("adjfreq 1ppm mock:igb,fail=clock_adjtime#2:EIO", "dialled to +1000 ppb"),
    ("vclocks 2 -d mock:full,fail=attribute#6:EIO", "the number of virtual clocks set to 2"),
    (
        "set-system mock:igb,offset=1ms,time=virtual,fail=system_gettime#6:EIO",
        "the system clock was moved by +",
    ),
    (
        "set now mock:igb,offset=5s,read=1ms,fail=clock_settime#2:EIO",
        "set to the system clock in UTC",
    ),
    ("vclocks 2 -d mock:full,fail=virtual_clocks#2:EIO", "the number of virtual clocks set to 2"),
];

#[test]
fn what_was_done_before_it_failed_is_told_first() {
    for (line, did) in HALF_DONE {
        let failed = ptpctl(line).failed(1, "; but then it failed: can't");
        let (first, _) = failed.stderr.split_once("; but then").expect("both");
        assert!(first.contains(did), "{line}: {first}");
        let failed = ptpctl(&format!("{line} --json")).failed(1, "");
        let error: Value = serde_json::from_str(&failed.stderr).expect("an object");
        assert_eq!((&error["done"], &error["exit_status"]), (&true.into(), &1.into()), "{line}");
        assert!(error["did"].as_str().is_some_and(|told| told.contains(did)), "{line}: {error}");
    }
}

#[test]
fn what_was_done_is_told_where_the_result_cannot_be_printed() {
    for (line, did) in [
        ("adjtime 37s mock", "stepped by +37 s"),
        ("set @5 mock", "set to 5.000000000 s"),
        ("adjfreq 1ppm mock", "dialled to +1000 ppb"),
        ("adjphase 5ns mock", "phase offset of +5 ns handed"),
        ("pin 0 extts mock", "has the function extts"),
        ("perout --period 1s mock", "periodic output of channel 0 on"),
        ("perout --off mock", "periodic output of channel 0 off"),
        ("pps on mock", "PPS to the kernel switched on"),
        ("vclocks 1 -d mock", "virtual clocks set to 1"),
        ("extts --off mock", "external timestamps of channel 0 off"),
        ("set-system mock:full,offset=1ms", "the system clock was moved by"),
    ] {
        let run = into_a_full_disk(line);
        assert_eq!(run.status, Some(1), "{line}: {run:?}");
        let told = run.stderr.split_once("; but then it failed: can't write the output");
        assert!(told.is_some_and(|(first, _)| first.contains(did)), "{line}: {run:?}");
    }
}

#[test]
fn what_failed_before_anything_was_done_says_so() {
    for line in [
        "set @5 mock:igb,fail=clock_settime:EIO",
        "adjtime 1s mock:igb,fail=clock_adjtime:EIO",
        "adjphase 5ns mock:igb",
        "caps mock:igb,fail=getcaps:EIO",
        "adjphase 500 mock",
    ] {
        let failed = ptpctl(&format!("{line} --json"));
        assert!(!failed.stderr.contains("but then it failed"), "{failed:?}");
        let error: Value = serde_json::from_str(&failed.stderr).expect("an object");
        assert_eq!((&error["done"], &error["did"]), (&false.into(), &Value::Null), "{line}");
    }
}

#[test]
fn names_that_a_terminal_would_obey_are_shown_as_text() {
    let name = "mock:full,seed=a\u{9b}2J\u{7f}\u{202e}b\u{1b}[2J";
    let is_obeyed = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    for arguments in [&["get", name][..], &["get", "--json", name], &["selftest", name]] {
        let run = run(program().args(arguments));
        assert_ne!(run.status, Some(0));
        assert!(!run.stderr.contains(is_obeyed), "{:?}", run.stderr);
    }
}
