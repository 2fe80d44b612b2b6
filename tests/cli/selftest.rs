//! `ptpctl selftest`: it passes sound drivers, catches each faulty one, and leaves the clock as it
//! was.

use crate::common::{Run, TemporaryFile, program, ptpctl, run};
use crate::ktap::{Document, Test, parse};
use ptpctl::mock::Mock;
use ptpctl::phc::PinFunction;
use ptpctl::selftest::{self, Loop, Options, Progress};
use ptpctl::{Frequency, Phc};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const WIRED: &str = "--loop 0:1 mock:full,time=virtual,loop=0:1";

/// A run whose output is KTAP.
#[track_caller]
fn selftest(arguments: &str) -> (Run, Document) {
    let run = ptpctl(&format!("selftest --yes {arguments}"));
    match parse(&run.stdout) {
        Ok(document) => (run, document),
        Err(why) => panic!("{why}:\n{}", run.stdout),
    }
}

fn failed(document: &Document) -> Vec<String> {
    let name = |group: &Test, test: &Test| format!("{}/{}", group.name, test.name);
    let of = |group: &Test| -> Vec<String> {
        group.tests.iter().filter(|test| !test.ok).map(|test| name(group, test)).collect()
    };
    document.tests.iter().flat_map(of).collect()
}

#[test]
fn every_sound_driver_passes() {
    for clock in [
        "full",
        "clockmatrix",
        "igb",
        "e1000e",
        "vclock",
        "full,kernel=5.4",
        "full,kernel=5.10",
        "full,kernel=6.1",
        "clockmatrix,kernel=6.1",
        "igb,kernel=4.19",
        "full,freq=100ppm,drift=1ppb,noise=20ns",
        "full,offset=37s",
        "full,unset",
        "full,lax",
    ] {
        let (run, document) = selftest(&format!("mock:{clock},time=virtual"));
        assert_eq!((run.status, failed(&document)), (Some(0), vec![]), "{clock}: {}", run.stdout);
        assert_eq!(run.stderr, "", "{clock}");
    }
}

#[test]
fn a_loop_lets_nothing_be_skipped_on_a_full_clock() {
    let (run, document) = selftest(WIRED);
    assert_eq!(run.status, Some(0), "{}", run.stdout);
    for group in &document.tests {
        for test in &group.tests {
            assert_eq!((test.ok, &test.directive), (true, &None), "{}: {test:?}", group.name);
        }
    }
}

/// Each fault of the mock, and the one check that is meant for it.
const FAULTS: [(&str, &str); 32] = [
    ("stuck-time", "time/advances"),
    ("backwards", "time/is monotonic"),
    ("torn", "time/is monotonic across a second"),
    ("fast", "time/keeps the pace of the machine's clock"),
    ("set-part", "set/takes a part of a second"),
    ("set-31-bits", "set/takes a time after 2038"),
    ("step-part", "step/goes forwards by a part of a second"),
    ("step-back", "step/goes back by a part of a second"),
    ("step-carry", "step/goes forwards across a second"),
    ("freq-sign", "frequency/goes the way that was dialled"),
    ("freq-double", "frequency/goes by as much as was dialled"),
    ("freq-limit", "frequency/takes its limits"),
    ("phase-limit", "phase/takes its limits"),
    ("basic-late", "offset/has methods that agree"),
    ("precise-late", "offset/has methods that agree"),
    ("caps-sysfs", "caps/agree with sysfs"),
    ("caps-precise", "caps/promise cross timestamps that work"),
    ("caps-pins", "caps/promise pins that can be read"),
    ("version-2", "versions/agree on the caps"),
    ("read-only", "access/a read-only handle can't change the clock"),
    ("pin-lies", "pins/have the functions that they take"),
    ("pin-keeps", "pins/lose what another pin takes"),
    ("pin-sysfs", "pins/show in sysfs what they do"),
    ("edges-both", "extts/has only the edges that were asked for"),
    ("events-order", "extts/has events in order"),
    ("events-lost", "extts/loses no event"),
    ("one-reader", "extts/gives two readers every event each"),
    ("extts-stays", "extts/ends when it is switched off"),
    ("perout-period", "perout/has the period that was asked for"),
    ("perout-phase", "perout/is in phase"),
    ("perout-width", "perout/has the pulse width that was asked for"),
    ("perout-stays", "perout/ends when it is switched off"),
];

#[test]
fn each_faulty_driver_is_caught_by_the_check_that_is_meant_for_it() {
    for (fault, check) in FAULTS {
        // With a pin too many, the pins of a loop can't be found.
        let clock = match fault {
            "caps-pins" => "mock:full,time=virtual".to_owned(),
            // Every other pulse late is out of phase, too: the phase is another fault's.
            _ => WIRED.to_owned(),
        };
        let (run, document) = selftest(&format!("{clock},fault={fault}"));
        assert_eq!(failed(&document), [check], "{fault}: {}", run.stdout);
        assert_eq!(run.status, Some(1), "{fault}");
    }
}

#[test]
fn every_fault_that_the_mock_has_is_tested() {
    let tested: BTreeSet<_> = FAULTS.iter().map(|(fault, _)| *fault).collect();
    let there: BTreeSet<_> = ptpctl::mock::faults().map(|(name, _)| name).collect();
    assert_eq!(tested, there);
}

#[test]
fn afterwards_the_clock_is_to_the_microsecond_where_it_would_be() {
    for settings in ["full", "full,freq=80ppm", "igb,offset=37s", "full,fault=step-carry"] {
        let file = TemporaryFile::new("accounted");
        let mock = file.mock(&format!("{settings},time=virtual,noise=5ns"));
        let offset = |mock: &str| -> (i64, i64) {
            let run = ptpctl(&format!("offset --samples 25 --json {mock}")).done().json();
            let time = run["time"]["seconds"].as_i64();
            (run["offset_ns"].as_i64().expect("an offset"), time.unwrap_or(0))
        };
        ptpctl(&format!("adjfreq 12ppb {mock}")).done();
        let (before, _) = offset(&mock);
        let clock = || -> i64 {
            let state = std::fs::read_to_string(&file.0).expect("a state");
            let state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
            state["virtual_now"].as_str().and_then(|now| now.parse().ok()).expect("a time")
        };
        let began = clock();
        ptpctl(&format!("selftest --yes {mock}"));
        let (after, _) = offset(&mock);
        let seconds = (clock() - began) / 1_000_000_000;
        // Meanwhile the clock ran at its own rate, plus the dialled frequency.
        let own = if settings.contains("freq=80ppm") { 80_000 } else { 0 };
        let expected = before + (own + 12) * (clock() - began) / 1_000_000_000;
        let off = after - expected;
        assert!(off.abs() <= 1_000, "{settings}: off by {off} ns after {seconds} s");
        let freq = ptpctl(&format!("freq --json {mock}")).done().json();
        assert_eq!(freq["frequency_scaled_ppm"], 786);
    }
}

#[test]
fn pins_in_use_are_left_alone_and_the_others_put_back() {
    let file = TemporaryFile::new("in-use");
    let mock = file.mock("full,time=virtual");
    ptpctl(&format!("pin SDP2 perout --channel 3 {mock}")).done();
    ptpctl(&format!("perout --period 1s --channel 3 {mock}")).done();
    let before = std::fs::read_to_string(&file.0).expect("a state");
    let (run, _) = selftest(&mock);
    assert!(run.stdout.contains("# pin 2 (SDP2) is in use and left alone"), "{}", run.stdout);
    let after = std::fs::read_to_string(&file.0).expect("a state");
    let of = |state: &str, key: &str| {
        let state: serde_json::Value = serde_json::from_str(state).expect("JSON");
        state[key].clone()
    };
    for key in ["pins", "outputs", "inputs", "dialled"] {
        assert_eq!(of(&before, key), of(&after, key), "{key}");
    }
}

#[test]
fn a_clock_that_goes_away_bails_out() {
    let (run, document) = selftest("mock:full,time=virtual,remove=3s");
    assert_eq!(run.status, Some(1));
    assert!(document.bailed_out.is_some_and(|why| why.contains("ENODEV")), "{}", run.stdout);
    assert!(run.stderr.contains("ENODEV"));
}

#[test]
fn it_asks_before_it_changes_a_clock() {
    let file = TemporaryFile::new("asks");
    ptpctl(&format!("selftest {}", file.mock("full,time=virtual"))).failed(1, "say --yes");
    // The clock was opened, but not changed.
    let state = std::fs::read_to_string(&file.0).unwrap_or_default();
    assert!(state.is_empty() || state.contains("\"dialled\": 0"), "{state}");
}

#[test]
fn a_group_alone_is_run_with_what_puts_back() {
    let (_, document) = selftest("--only phase --only caps mock:full,time=virtual");
    let names: Vec<_> = document.tests.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["caps", "phase", "restore"]);
    ptpctl("selftest --yes --only clock mock").failed(1, "the groups are caps, versions");
}

#[test]
fn where_all_is_skipped_the_status_is_4() {
    let (run, _) = selftest("--only phase mock:igb,time=virtual");
    // The checks of what is put back run all the same.
    assert_eq!(run.status, Some(4), "{}", run.stdout);
}

#[test]
fn the_list_names_every_check() {
    let list = ptpctl("selftest --list --json").done().json();
    let checks = list["checks"].as_array().expect("checks").len();
    let (_, document) = selftest(WIRED);
    let run: usize = document.tests.iter().map(|group| group.tests.len()).sum();
    assert_eq!(checks, run);
}

#[test]
fn json_has_an_object_a_check_and_the_sums() {
    let lines = ptpctl("selftest --yes --json mock:igb,time=virtual").done().lines();
    let (last, checks) = lines.split_last().expect("lines");
    let of = |result: &str| checks.iter().filter(|check| check["result"] == result).count();
    assert_eq!(last["passed"], of("ok"));
    assert_eq!(last["skipped"], of("skip"));
    assert_eq!(last["failed"], 0);
}

#[test]
fn a_clock_that_is_slow_to_read_is_no_wrong_driver() {
    // If a reading takes up to 20 ms each way, the rate can't be judged.
    let (run, document) =
        selftest("--only time --only frequency mock:full,time=virtual,read=1ms,jitter=20ms");
    assert_eq!(failed(&document), Vec::<String>::new(), "{}", run.stdout);
    assert!(run.stdout.contains("too long to tell"), "{}", run.stdout);
}

#[test]
fn consumers_of_the_older_tap_read_it() {
    // prove and others read only the lines at the first level, and ignore the rest.
    let (run, document) = selftest("mock:full,time=virtual");
    let mut lines = run.stdout.lines();
    assert_eq!(lines.next(), Some("KTAP version 1"));
    let plan = lines.next().and_then(|line| line.strip_prefix("1..")).expect("a plan");
    let results =
        run.stdout.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok "));
    assert_eq!(plan.parse(), Ok(results.count()));
    assert_eq!(plan.parse(), Ok(document.tests.len()));
}

#[test]
fn every_line_is_seen_when_it_is_written() {
    let mut child = program()
        .args(["selftest", "--yes", "mock"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    // The results of caps come long before the rate has been measured.
    assert!(lines.any(|line| line.expect("a line") == "ok 1 caps"));
    assert_eq!(child.try_wait().expect("a status"), None);
    child.kill().expect("killed");
    let _ = child.wait();
    let _ = run(program().arg("list"));
}

/// Runs the self-test on a mock until `tell` ends it. Returns the mock.
fn run_until(tell: impl Fn(&Progress<'_>) -> Result<(), ()> + std::panic::RefUnwindSafe) -> Mock {
    let config = "mock:full,time=virtual,loop=0:1".parse().expect("a mock");
    let mock = Mock::new(&config).expect("a mock");
    let phc = Phc::over(Box::new(mock.again(true)), "mock");
    phc.set_frequency(Frequency::from_ppb(12)).expect("dialled");
    let pin = |name| phc.find_pin(name).expect("a pin");
    let wire = Some(Loop { from: pin("0"), to: pin("1") });
    let options = Options { only: Vec::new(), wire };
    let before = mock.true_offset();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        selftest::run(&phc, &options, None, &mut |_| {}, |progress| tell(&progress))
    }));
    assert!(!matches!(outcome, Ok((Ok(_), _))), "it was ended");
    assert_eq!(phc.frequency().expect("read").scaled_ppm(), 786);
    let pins = phc.pins().expect("read");
    assert!(pins.iter().all(|pin| pin.function == PinFunction::None), "{pins:?}");
    assert!(mock.extts_that_are_on().is_empty() && mock.perouts_that_are_on().is_empty());
    assert_eq!(mock.phase_register(), 0);
    // The self-test takes a minute at most. In that time 12 ppb are less than a microsecond.
    let off = mock.true_offset() - before;
    assert!(off.abs() <= 1_700, "off by {off} ns");
    mock
}

#[test]
fn a_panic_at_any_check_leaves_the_clock_as_it_was() {
    for group in &selftest::GROUPS {
        for check in group.checks {
            let at = format!("{}/{}", group.name, check.name);
            run_until(|progress| match progress {
                // This unwinds like a panic, but prints no message.
                Progress::Checking(group, name) if format!("{group}/{name}") == at => {
                    std::panic::resume_unwind(Box::new("ordered"))
                }
                _ => Ok(()),
            });
        }
    }
}

#[test]
fn a_result_that_cannot_be_written_leaves_the_clock_as_it_was() {
    for group in &selftest::GROUPS {
        run_until(|progress| match progress {
            Progress::Checked { group: at, .. } if *at == group.name => Err(()),
            _ => Ok(()),
        });
    }
}

/// What a clock is off by, in nanoseconds.
fn offset(mock: &str) -> i64 {
    let run = ptpctl(&format!("offset --json {mock}"));
    run.json()["offset_ns"].as_i64().expect("an offset")
}

#[test]
fn a_call_that_fails_once_leaves_the_clock_as_it_was_or_is_told() {
    let calls = [("clock_gettime", 2_600, 41), ("system_gettime", 5_000, 173)];
    let calls = calls.into_iter().chain([("clock_adjtime", 40, 1), ("clock_settime", 6, 1)]);
    for (call, most, step) in calls {
        for number in (1..most).step_by(step) {
            let file = TemporaryFile::new(&format!("once-{call}"));
            ptpctl(&format!("adjfreq 0 {}", file.mock("full,time=virtual"))).done();
            let mock = file.mock(&format!("full,time=virtual,fail={call}#{number}:EIO"));
            let (run, document) = selftest(&mock);
            let off = offset(&file.mock("full,time=virtual"));
            let told = document.tests.iter().any(|group| group.name == "restore" && !group.ok)
                || document.bailed_out.is_some();
            assert!(off.abs() <= 2_000 || told, "{call}#{number}: off by {off} ns: {}", run.stdout);
        }
    }
}

#[test]
fn what_could_not_be_put_back_is_told_by_the_next_call() {
    let file = TemporaryFile::new("not-put-back");
    let mock = file.mock("full,time=virtual");
    // If a driver neither steps nor sets parts of a second, the time can't be put back.
    let (run, _) = selftest(&format!("--only step {mock},fault=step-part,fault=set-part"));
    assert!(run.stdout.contains("not ok 3 the time is as before"), "{}", run.stdout);
    let next = ptpctl(&format!("get {mock}"));
    assert!(next.stderr.contains("the time is off by"), "{next:?}");
    let step = next.stderr.split(": ptpctl ").nth(1).expect("a command").trim_end();
    ptpctl(step);
    assert!(offset(&mock).abs() < 1_000_000);
    assert_eq!(ptpctl(&format!("get {mock}")).stderr, "");
}

#[test]
fn a_clock_under_virtual_clocks_is_skipped_not_blamed() {
    let file = TemporaryFile::new("runs-freely");
    let mock = file.mock("igb,time=virtual");
    ptpctl(&format!("vclocks 1 {mock}")).done();
    let (run, document) = selftest(&mock);
    assert_eq!(failed(&document), Vec::<String>::new(), "{}", run.stdout);
    assert!(run.stdout.contains("SKIP it runs freely"), "{}", run.stdout);
}

#[test]
fn a_clock_that_has_gone_fails_no_check() {
    let (_, document) = selftest("mock:full,time=virtual,remove=1ns");
    assert_eq!(failed(&document), Vec::<String>::new());
    assert!(document.bailed_out.is_some());
}

#[test]
fn a_slow_clock_ends_in_time() {
    let began = std::time::Instant::now();
    let (run, _) = selftest("mock:full,read=20ms");
    assert!(began.elapsed().as_secs() < 40, "{}", run.stdout);
}
