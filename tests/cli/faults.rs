//! Each kernel call of each command fails once with each errno. A reading is tried again. Otherwise
//! the command reports a clear error with the right exit status. It makes nothing up and leaves
//! nothing switched on.
//!
//! `cargo test --test cli faults -- --nocapture` prints the table.

use crate::common::{Run, TemporaryFile, ptpctl};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;

const ERRNOS: [&str; 13] = [
    "EINTR",
    "EAGAIN",
    "EBUSY",
    "ENODEV",
    "ENOMEM",
    "EACCES",
    "EPERM",
    "EOPNOTSUPP",
    "EINVAL",
    "ERANGE",
    "EFAULT",
    "EIO",
    "ENOTTY",
];

/// A command, and the calls that it can do without: it has another way, or its report says less. A
/// failure of any other call must be reported.
///
/// `list` looks through sysfs, which the mock doesn't have: `tests/kernel/faults` has its table.
const COMMANDS: [(&str, &[&str]); 28] = [
    ("caps", &["attribute", "system_gettime", "sys_offset*"]),
    ("get", &["attribute", "system_gettime", "system_adjtime"]),
    ("freq", &["attribute"]),
    ("pins", &["attribute"]),
    ("offset", &["attribute", "sys_offset*", "system_adjtime"]),
    ("offset --clock monotonic", &["attribute", "sys_offset*", "system_adjtime"]),
    ("offset --cycles", &["attribute", "sys_offset*", "system_adjtime"]),
    ("diff mock:igb,time=virtual", &["attribute", "sys_offset*"]),
    ("monitor --interval 1ms --count 3", &["*"]),
    // What can't be read is missing on the page.
    ("metrics", &["*"]),
    ("record --interval 1ms --count 3 /dev/null", &["*"]),
    ("stability --interval 1ms --count 30", &["*"]),
    ("set @1700000000", &["attribute"]),
    ("set now", &["attribute", "sys_offset*"]),
    // TAI - UTC isn't needed where the clock keeps UTC.
    ("set-system", &["attribute", "sys_offset*", "system_adjtime#1"]),
    ("adjtime 1s", &["attribute"]),
    ("adjfreq 1ppb", &["attribute"]),
    ("adjphase 5ns", &["attribute"]),
    ("pin SDP1 extts", &["attribute"]),
    ("perout --period 1s --pin SDP0", &["attribute"]),
    ("perout --off", &["attribute"]),
    ("pps on", &["attribute"]),
    ("pps off", &["attribute"]),
    ("vclocks", &["attribute"]),
    ("vclocks 1", &["attribute"]),
    ("extts --count 2 --pin SDP1", &["attribute", "system_gettime"]),
    // It reads the pins only for its report.
    ("extts --off", &["attribute", "pin_getfunc"]),
    ("selftest --yes --only set --only pins --only phase", &["*"]),
];

/// The errnos of a clock that can't do what is asked.
const UNSUPPORTED: [&str; 3] = ["EOPNOTSUPP", "ERANGE", "ENOTTY"];

/// How many failures of one call are tried: the first ones, and the last.
const MOST: usize = 6;

fn file_name(command: &str) -> String {
    command.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect()
}

/// The calls that a command makes, with their number, when all goes well.
fn calls(command: &str) -> BTreeMap<String, usize> {
    let log = TemporaryFile::new(&format!("log-{}", file_name(command)));
    ptpctl(&format!("{command} mock:full,time=virtual,log={}", log.0.display())).done();
    let text = fs::read_to_string(&log.0).expect("a log");
    let mut calls = BTreeMap::new();
    text.lines().for_each(|call| *calls.entry(call.to_owned()).or_insert(0) += 1);
    calls
}

fn is_spared(spared: &[&str], call: &str) -> bool {
    spared.iter().any(|spare| match spare.strip_suffix('*') {
        Some(begin) => call.starts_with(begin),
        None => *spare == call || call.split('#').next() == Some(*spare),
    })
}

/// What is still on at the clock after a run, if anything.
fn left_on(file: &TemporaryFile) -> Option<String> {
    let text = fs::read_to_string(&file.0).unwrap_or_default();
    let state: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let pins = state["pins"].as_array().cloned().unwrap_or_default();
    let used = pins.iter().filter(|pin| pin[0] != 0).count();
    let on = |key: &str| state[key].as_object().map_or(0, serde_json::Map::len);
    let (inputs, outputs) = (on("inputs"), on("outputs"));
    (inputs + outputs + used > 0)
        .then(|| format!("{inputs} inputs, {outputs} outputs, {used} pins"))
}

/// Judges one run; its exit status goes into the table.
fn judge(
    command: &str,
    call: &str,
    errno: &str,
    spared: &[&str],
    run: &Run,
    left: Option<&str>,
) -> i32 {
    let at = format!("{command}: {call} fails with {errno}: {run:?}, left on: {left:?}");
    let status = run.status.unwrap_or_else(|| panic!("it ended by a signal: {at}"));
    // A call that a signal interrupted is made again.
    assert!(status == 0 || errno != "EINTR", "{at}");
    assert!(!run.stderr.contains("panicked"), "{at}");
    if command.starts_with("selftest") {
        // The self-test reports a failed call in its results.
        assert!([0, 1, 4].contains(&status), "{at}");
        assert_eq!(left, None, "{at}");
        return status;
    }
    let streams = command.starts_with("extts");
    let watches = ["monitor", "record", "stability"].iter().any(|name| command.starts_with(name));
    if watches && status == 0 {
        // These commands go on. They must report the failure, unless it is of a call that only
        // reads the time.
        let told = run.stdout.contains(errno) || run.stderr.contains(errno);
        let timing = ["system_", "attribute"].iter().any(|begin| call.starts_with(begin));
        let unsupported = UNSUPPORTED.contains(&errno) || errno == "EINVAL";
        let is_fine = timing || unsupported || errno == "EINTR" || is_tried_again(call, errno);
        assert!(told || is_fine, "it goes on in silence: {at}");
        return status;
    }
    if status == 0 {
        let is_fine = is_fall_back(call, errno) || is_tried_again(call, errno);
        assert!(errno == "EINTR" || is_spared(spared, call) || is_fine, "{at}");
        assert!(!run.stdout.is_empty(), "{at}");
        // If another method was used, the report must say so. It needn't if the clock can't do the
        // first method, or if the kernel doesn't know the system clock that diff asks for first.
        let falls_back = ["offset", "diff"].iter().any(|name| command.starts_with(name));
        let probes = command.starts_with("diff")
            && call.starts_with("sys_offset_extended")
            && errno == "EINVAL";
        let measures = call.starts_with("sys_offset") && errno != "EINTR" && !probes;
        if falls_back && measures && !UNSUPPORTED.contains(&errno) && !is_tried_again(call, errno) {
            let told = ["a better method failed", "couldn't be checked by another method"];
            assert!(
                told.iter().any(|told| run.stdout.contains(told)),
                "it falls back in silence: {at}"
            );
        }
    } else {
        assert!([1, 2, 3, 5].contains(&status), "{at}");
        assert!(run.stderr.starts_with("ptpctl: ") || run.stderr.contains("\nptpctl: "), "{at}");
        // A page of metrics tells the miss.
        let shows = streams || command == "metrics";
        assert!(run.stdout.is_empty() || shows, "something was made up: {at}");
        // A clock that can't do it has another exit status than a call that failed.
        let unsupported = UNSUPPORTED.contains(&errno) || errno == "EINVAL";
        assert!(status == 1 || unsupported, "{at}");
        assert!(run.stderr.contains(errno) || unsupported, "the errno isn't told: {at}");
    }
    // Something stays on only if the call that switches it off fails. Then the command must say so.
    if streams || (command.starts_with("perout") && status != 0) {
        assert!(left.is_none() || run.stderr.contains("to put it right: ptpctl "), "{at}");
        assert!(left.is_none() || is_undoing(run), "{at}");
    }
    status
}

/// A failed reading that may succeed when it is tried again.
fn is_tried_again(call: &str, errno: &str) -> bool {
    let reads = call.starts_with("sys_offset") || call.starts_with("clock_gettime");
    // If reading the clock's time fails with ENODEV, the clock has gone.
    let is_gone = call.starts_with("clock_gettime") && errno == "ENODEV";
    reads && !is_gone && !UNSUPPORTED.contains(&errno) && !["EACCES", "EPERM"].contains(&errno)
}

/// The kernel lacks a version, or the driver a flag: the command makes another request.
fn is_fall_back(call: &str, errno: &str) -> bool {
    // Older kernels let only a handle that may write read the frequency.
    if (call, errno) == ("clock_adjtime#1", "EACCES") {
        return true;
    }
    // The driver can't keep a start that is so far ahead: the command tries another.
    if (call, errno) == ("perout_request#1", "ERANGE") {
        return true;
    }
    let requests = ["extts_request#1", "perout_request#1"].contains(&call);
    requests && ["EOPNOTSUPP", "ENOTTY", "EINVAL"].contains(&errno)
}

/// Whether switching off, or giving a pin back, failed.
fn is_undoing(run: &Run) -> bool {
    run.stderr.contains("can't disable") || run.stderr.contains("can't take its function from")
}

#[test]
fn each_call_of_each_command_fails_once_with_each_errno() {
    let rows: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> = COMMANDS
            .iter()
            .map(|(command, spared)| scope.spawn(move || (*command, row(command, spared))))
            .collect();
        all.into_iter().map(|thread| thread.join().expect("judged")).collect()
    });
    println!("exit status, by command and errno; 0: made again, or done in another way");
    println!("{:50} {}", "", ERRNOS.map(|errno| format!("{errno:10}")).concat());
    for (command, row) in &rows {
        let cells = row.iter().map(|statuses| {
            let all: Vec<_> = statuses.iter().map(ToString::to_string).collect();
            format!("{:10}", all.join(" "))
        });
        println!("{command:50} {}", cells.collect::<String>());
        assert!(row.iter().all(|statuses| !statuses.is_empty()), "{command}: an empty cell");
    }
}

/// The exit statuses of a command, for each errno.
fn row(command: &str, spared: &[&str]) -> Vec<BTreeSet<i32>> {
    let calls = calls(command);
    let name = file_name(command);
    let mut row = vec![BTreeSet::new(); ERRNOS.len()];
    for (cell, errno) in row.iter_mut().zip(ERRNOS) {
        for (call, times) in &calls {
            let numbers = (1..=*times).filter(|number| *number < MOST || number == times);
            for number in numbers {
                let file = TemporaryFile::new(&format!("{name}-{errno}"));
                let one = format!("{call}#{number}");
                let mock = file.mock(&format!("full,time=virtual,fail={one}:{errno}"));
                let run = ptpctl(&format!("{command} {mock}"));
                cell.insert(judge(command, &one, errno, spared, &run, left_on(&file).as_deref()));
            }
        }
    }
    row
}

#[test]
fn a_clock_that_cannot_be_opened_is_an_error_of_every_command() {
    for (command, _) in COMMANDS {
        for errno in ["EACCES", "EPERM", "ENODEV", "EBUSY", "EIO", "ENOMEM"] {
            let run = ptpctl(&format!("{command} mock:full,fail=open:{errno}"));
            if command == "metrics" {
                // A page of metrics tells the miss, or the absence.
                assert!(run.status == Some(1) && run.stderr.contains(errno), "{run:?}");
            } else {
                run.failed(1, errno);
            }
        }
    }
}

#[test]
fn a_reading_that_always_fails_is_told_by_every_command_that_needs_it() {
    let always = "fail=sys_offset/1:EIO,fail=sys_offset_extended/1:EIO,fail=sys_offset_precise/1:EIO,\
                  fail=clock_gettime/1:EIO";
    let mock = format!("mock:full,time=virtual,{always}");
    for command in ["get", "offset", "diff mock", "set-system"] {
        ptpctl(&format!("{command} {mock}")).failed(1, "(EIO)");
    }
    ptpctl(&format!("set now {mock}")).failed(1, "; but then it failed: can't");
    let monitor = ptpctl(&format!("monitor --count 3 --json {mock}"));
    assert_eq!(monitor.status, Some(1), "nothing was measured");
    let lines = monitor.lines();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line["errno"] == "EIO" && line["missed"].is_string()));
    let record = ptpctl(&format!("record --count 3 /dev/null {mock}"));
    assert_eq!(record.status, Some(1), "{}", record.stderr);
    assert_eq!(record.stderr.matches(" missed: ").count(), 1, "told once: {}", record.stderr);
}
