//! ptpctl under the names of testptp and `phc_ctl`. What is expected here is what those programs
//! printed on real kernels; `tests/kernel/run compat` compares both there.

use crate::common::{Run, TemporaryFile, pid, ptpctl, run, start};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

fn testptp(line: &str) -> Run {
    ptpctl(&format!("compat testptp {line}"))
}

/// The text with each number as N: what stays the same from call to call.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if shape.ends_with('N') => {}
            '0'..='9' => shape.push('N'),
            c => shape.push(c),
        }
    }
    shape
}

#[test]
fn caps_are_printed_as_testptp_prints_them() {
    let printed = testptp("-d mock:clockmatrix -c").done().stdout;
    assert_eq!(
        printed,
        "capabilities:\n  244000 maximum frequency adjustment (ppb)\n  0 programmable alarms\n  \
         4 external time stamp channels\n  12 programmable periodic signals\n  0 pulse per second\n  \
         16 programmable pins\n  0 cross timestamping\n  1 adjust_phase\n  \
         107374182 maximum phase adjustment (ns)\n"
    );
}

#[test]
fn the_time_is_printed_as_ctime_prints_it() {
    let printed = testptp("-d mock:igb,unset,time=virtual -g").done().stdout;
    let (before, calendar) = printed.split_once(" or ").expect("two times");
    assert_eq!(shape(before), "clock time: N.N");
    assert_eq!(shape(calendar), "Thu Jan  N N:N:N N\n");
    // A summer time without dates, as the C library reads it.
    let mut zoned = crate::common::program();
    zoned.env("TZ", "CET-1CEST").args(["compat", "testptp", "-d", "mock:igb,time=virtual", "-g"]);
    assert!(run(&mut zoned).done().stdout.ends_with("or Tue Nov 14 23:13:20 2023\n"));
}

#[test]
fn measurements_have_testptps_text_and_sign() {
    let basic = testptp("-d mock:full,offset=1s -k 2").done().stdout;
    let reading = "system time: N.N\nphc    time: N.N\nsystem time: N.N\nsystem/phc clock time \
                   offset is -N ns\nsystem     clock time delay  is N ns\n";
    assert_eq!(
        shape(&basic),
        format!("system and phc clock time offset request okay\n{reading}{reading}")
    );
    let extended = testptp("-d mock:full -x 2 -y Monotonic-RAW").done().stdout;
    let sample = "sample # N: monotonic-raw time before: N.N\n            phc time: N.N\n            \
                  monotonic-raw time after: N.N\n";
    assert_eq!(
        shape(&extended),
        format!("extended timestamp request returned N samples\n{sample}{sample}")
    );
    assert!(testptp("-d mock:full -x 1").done().stdout.contains(" real time before: "));
    assert!(testptp("-d mock:full -x 25").done().stdout.contains("sample #24: "));
    let precise = testptp("-d mock:full -X").done().stdout;
    assert_eq!(
        shape(&precise),
        "system and phc crosstimestamping request okay\ndevice time: N.N\nsystem time: N.N\n\
         monoraw time: N.N\n"
    );
}

#[test]
fn changes_are_made_in_testptps_order() {
    let file = TemporaryFile::new("compat-order");
    let clock = file.mock("full,time=virtual");
    let line =
        format!("-d {clock} -T 1000 -f 1000 -t 5 -n -3 -o 50 -l -L 0,2 -i 1 -p 2000000 -P 1");
    let printed = testptp(&line).done().stdout;
    assert_eq!(
        printed,
        "frequency adjustment okay\ntime shift okay\nphase adjustment okay\nset time okay\n\
         set pin function okay\nname SDP0 index 0 func 2 chan 1\nname SDP1 index 1 func 0 chan 0\n\
         name SDP2 index 2 func 0 chan 0\nname SDP3 index 3 func 0 chan 0\n\
         periodic output request okay\npps for system time request okay\n"
    );
    let shown = ptpctl(&format!("freq --json {clock}")).done().json();
    assert!(
        shown["frequency_ppb"].as_f64().is_some_and(|ppb| (ppb - 1000.0).abs() < 0.01),
        "{shown}"
    );
    let time = ptpctl(&format!("get --json {clock}")).done().json();
    assert_eq!(time["time"]["seconds"], 1000);
}

#[test]
fn events_are_printed_and_switched_off_again() {
    let printed = testptp("-d mock:full,time=virtual,signal=1s -i 1 -E 1 -e 2").done().stdout;
    assert_eq!(
        shape(&printed),
        "external time stamp request okay\nevent index N at N.N\nevent index N at N.N\n"
    );
    assert!(printed.contains("event index 1 at "), "{printed}");
}

#[test]
fn the_flag_test_has_a_line_for_each_combination() {
    let printed = testptp("-d mock:full -z").done().stdout;
    assert!(printed.starts_with("PTP_EXTTS_REQUEST  flags 0x00000001 : (0) Success\n"));
    assert_eq!(printed.lines().count(), 10);
    assert!(printed.contains("PTP_EXTTS_REQUEST2 flags 0x00000021 : (-1) Invalid argument\n"));
}

#[test]
fn a_failed_call_is_told_in_both_words_and_fails_the_run() {
    let refused = testptp("-d mock:full,fail=pin_setfunc/1:EOPNOTSUPP -L 0,2 -p 1000000000");
    assert_eq!(refused.status, Some(3), "{refused:?}");
    // The calls after it are made, as in testptp.
    assert_eq!(refused.stdout, "periodic output request okay\n");
    assert!(refused.stderr.starts_with("PTP_PIN_SETFUNC: Operation not supported\nptpctl: can't "));
}

#[test]
fn no_samples_are_made_up() {
    for (flags, call) in [
        ("-k 5", "sys_offset"),
        ("-x 5", "sys_offset_extended"),
        ("-X", "sys_offset_precise"),
        ("-g", "clock_gettime"),
        ("-c", "getcaps"),
    ] {
        let failed = testptp(&format!("-d mock:full,fail={call}:EIO {flags}"));
        assert_eq!((failed.status, failed.stdout.as_str()), (Some(1), ""), "{flags}: {failed:?}");
        assert!(failed.stderr.contains(": Input/output error\n"), "{flags}: {failed:?}");
    }
}

#[test]
fn what_the_kernel_would_cut_is_not_sent() {
    let file = TemporaryFile::new("compat-cut");
    let clock = file.mock("full");
    let log = TemporaryFile::new("compat-cut-log");
    for (value, status) in [("4294967796", 2), ("500000001", 3), ("abc", 255), ("1e9", 255)] {
        let line = format!("-d {clock},log={} -o {value}", log.0.display());
        testptp(&line).failed(status, "");
    }
    let calls = std::fs::read_to_string(&log.0).unwrap_or_default();
    assert!(!calls.contains("clock_adjtime"), "{calls}");
    testptp("-d mock:igb -o 5").failed(3, "this clock has no phase control");
}

#[test]
fn wrong_usage_has_testptps_status() {
    testptp("-q").failed(255, "invalid option -- 'q'\nusage: testptp");
    testptp("-d").failed(255, "option requires an argument -- 'd'\nusage: testptp");
    testptp("-d mock -x 26").failed(255, "must be between 1 and 25; was asked for 26");
    testptp("-d mock -y tai").failed(255, "was given tai");
    testptp("/dev/ptp1 -g").failed(255, "-d names the clock");
    testptp("-d /dev/ptp99 -g")
        .failed(255, "opening /dev/ptp99: No such file or directory\nptpctl: ");
    let needs = testptp("-d mock -w 5 -T 5");
    assert_eq!(needs.status, Some(255));
    assert_eq!(needs.stdout, "-w can only be specified together with -p\n");
    let help = testptp("-h");
    assert_eq!((help.status, help.stdout.as_str()), (Some(0), ""));
    ptpctl("compat foo").failed(2, "the programs are testptp and phc_ctl");
    ptpctl("compat testptp -d mock -X 0").status.filter(|status| *status == 0).expect("done");
}

#[test]
fn the_system_clock_is_not_set_from_a_clock_that_keeps_tai() {
    let set = testptp("-d mock:full,offset=1ms -S").done();
    assert_eq!(set.stdout, "set time okay\n");
    testptp("-d mock:full,offset=37s -S").failed(1, "looks as if it keeps TAI");
    testptp("-d mock:full,unset -S").failed(1, "is unset");
}

/// The program under another name, by a link.
fn linked(name: &str, folder: &TemporaryFile) -> PathBuf {
    let _ = std::fs::create_dir(&folder.0);
    let path = folder.0.join(name);
    symlink(start().last().expect("a program"), &path).expect("a link");
    path
}

fn called_by_link(name: &str, arguments: &str) -> Run {
    let folder = TemporaryFile::new(&format!("compat-{name}"));
    let link = linked(name, &folder);
    let mut words = start();
    let last = words.len() - 1;
    words[last] = link.display().to_string();
    let done = run(Command::new(&words[0]).args(&words[1..]).args(arguments.split(' ')));
    let _ = std::fs::remove_dir_all(&folder.0);
    done
}

#[test]
fn a_link_with_the_programs_name_is_that_program() {
    let printed = called_by_link("testptp", "-d mock:full -l").done().stdout;
    assert!(printed.starts_with("name SDP0 index 0 func 0 chan 0\n"), "{printed}");
    let printed = called_by_link("phc_ctl", "mock:igb,time=virtual get").done().stdout;
    assert_eq!(shape(&printed), "phc_ctl[N.N]: clock time is N.N or Tue Nov N N:N:N N\n\n");
}

#[test]
fn the_calls_of_phc_sh_give_what_it_looks_for() {
    for (line, seconds) in [
        ("set 0 wait 120.5 get", 120),
        ("set 0 adj 10 get", 10),
        ("freq 10000000 set 0 wait 100.5 get", 101),
    ] {
        let printed =
            ptpctl(&format!("compat phc_ctl mock:full,time=virtual {line}")).done().stdout;
        let shown = printed.lines().find(|line| line.contains("clock time is")).expect(line);
        let fifth = shown.split_whitespace().nth(4).expect(line);
        assert_eq!(fifth.split('.').next(), Some(seconds.to_string().as_str()), "{printed}");
    }
    let skipped = ptpctl("compat phc_ctl mock:full,fail=clock_adjtime:EOPNOTSUPP set 0 adj 10 get");
    assert_eq!(skipped.status, Some(1), "the clock was set before: {skipped:?}");
    assert!(skipped.stderr.contains("Operation not supported"), "{skipped:?}");
    ptpctl("compat phc_ctl mock freq 0.0").done();
    ptpctl("compat phc_ctl mock set").done();
}

#[test]
fn other_commands_of_phc_ctl_are_answered_with_the_line_to_type() {
    ptpctl("compat phc_ctl mock set 0 caps").failed(255, "ptpctl caps mock");
    ptpctl("compat phc_ctl mock cmp").failed(255, "ptpctl cmp mock");
}

/// How scripts that people published read testptp's output.
#[test]
fn what_scripts_look_for_is_there() {
    let out = |line: &str| testptp(line).done().stdout;
    // grep 'clock time' | awk '{print $3}'
    let time = out("-d mock -g");
    assert!(time.split_whitespace().nth(2).is_some_and(|time| time.parse::<f64>().is_ok()));
    // "func 2" in a line of -l
    let file = TemporaryFile::new("compat-scripts");
    let clock = file.mock("full");
    assert_eq!(out(&format!("-d {clock} -L0,2")), "set pin function okay\n");
    assert!(out(&format!("-d {clock} -l")).lines().next().is_some_and(|l| l.contains("func 2")));
    // ^event index \d+ at \d+\.\d{9}$
    let events = out("-i 0 -E 1 -e 2 -d mock:full,signal=10ms");
    for line in events.lines().skip(1) {
        let (before, nanoseconds) = line.rsplit_once('.').expect("a time");
        assert_eq!(shape(before), "event index N at N");
        assert_eq!(nanoseconds.len(), 9);
    }
    // ^\s+1\s+pulse\s+per\s+second
    assert!(out("-d mock:full -c").contains("\n  1 pulse per second\n"));
    // grep 'offset is' | awk '{print $6}'
    let offset = out("-d mock -k 1");
    let line = offset.lines().find(|line| line.contains("offset is")).expect("an offset");
    assert!(line.split_whitespace().nth(5).is_some_and(|offset| offset.parse::<i64>().is_ok()));
}

#[test]
fn a_signal_ends_it_though_nobody_reads() {
    let mut words = start();
    words.extend(
        ["compat", "testptp", "-d", "mock:full,signal=10us", "-e", "-1"].map(str::to_owned),
    );
    // The pipe gets full.
    let mut child =
        Command::new(&words[0]).args(&words[1..]).stdout(Stdio::piped()).spawn().expect("a child");
    std::thread::sleep(Duration::from_millis(500));
    nix::sys::signal::kill(pid(&child), nix::sys::signal::Signal::SIGINT).expect("sent");
    let ended = child.wait().expect("an end");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(libc::SIGINT));
}

#[test]
fn a_signal_switches_the_timestamps_off() {
    let file = TemporaryFile::new("compat-signal");
    // So many that there is always one to read.
    let clock = file.mock("full,signal=1us");
    let mut words = start();
    words.extend(["compat", "testptp", "-d", &clock, "-e", "-1"].map(str::to_owned));
    let mut child =
        Command::new(&words[0]).args(&words[1..]).stdout(Stdio::null()).spawn().expect("a child");
    std::thread::sleep(Duration::from_millis(300));
    let term = nix::sys::signal::Signal::SIGTERM;
    nix::sys::signal::kill(pid(&child), term).expect("sent");
    let ended = child.wait().expect("an end");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(libc::SIGTERM));
    let state = std::fs::read_to_string(&file.0).expect("a state");
    assert!(!state.contains("\"enabled\":true"), "{state}");
    let after = ptpctl(&format!("get {clock}"));
    assert_eq!(after.stderr, "", "nothing is left on");
}
