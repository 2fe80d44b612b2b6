//! `ptpctl mock run --script`, from outside.

#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use crate::common::{Run, TemporaryFile, program, run, start};
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

/// A line of a shell under a script, unless this machine can't; that is told, and is no failure.
fn play(script: &str, line: &str) -> Option<Run> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let file = TemporaryFile::new(&format!("script-{number}"));
    fs::write(&file.0, script).expect("written");
    let mut command = program();
    command.args(["mock", "run", "--script"]).arg(&file.0);
    let ended = run(command.args(["--", "sh", "-c", line]));
    if ended.status == Some(125) && ended.stderr.contains("Linux 5.19 or later is needed") {
        println!("skipped: {}", ended.stderr);
        return None;
    }
    Some(ended)
}

fn own() -> String {
    start().join(" ")
}

#[test]
fn a_script_ends_with_a_line_for_each_expectation() {
    let script = "
        clocks = ['full,offset=1ms']
        [[expect]]
        offset = '1ms'
        within = '10us'
        [[expect]]
        exit-status = 3
        [[expect]]
        name = 'it leaves nothing # on'
        nothing-left-on = true
    ";
    let Some(ended) = play(script, "sleep 0.1; exit 3") else { return };
    let lines: Vec<_> = ended.stdout.lines().filter(|line| !line.starts_with("  # ")).collect();
    let (head, tests) = lines.split_at(4);
    // The last line of the program may have no end.
    assert_eq!(head, ["", "KTAP version 1", "1..1", "  KTAP version 1"]);
    let [count, offset, status, left, group] = tests else { panic!("{ended:?}") };
    assert_eq!(*count, "  1..3");
    assert_eq!(*offset, "  ok 1 ptp0 - utc is within 10 us of 1 ms");
    assert_eq!(*status, "  ok 2 the program ends with status 3");
    assert_eq!(*left, "  ok 3 it leaves nothing no. on");
    assert!(group.starts_with("ok 1 "), "{group}");
    assert_eq!(ended.status, Some(0));
}

#[test]
fn what_does_not_come_true_or_is_not_shown_fails() {
    let script = "
        clocks = ['full']
        system-clock = true
        [[expect]]
        within = '1us'
        clock = 'system'
        from = '100s'
        [[expect]]
        nothing-left-on = true
    ";
    let line = format!("{} perout --channel 0 --period 1s ptp0; exit 5", own());
    let Some(ended) = play(script, &line) else { return };
    assert_eq!(ended.status, Some(1));
    for text in [
        "  # not shown: the program ended after",
        "  not ok 1 system - utc",
        "  # the output of channel 0 of /dev/ptp0\n  not ok 2 the program leaves nothing on",
        "  # it ended with status 5\n  not ok 3 the program ends well",
        "\nnot ok 1 ",
    ] {
        assert!(ended.stdout.contains(text), "{text}: {ended:?}");
    }
}

#[test]
fn things_happen_at_their_times() {
    let script = "
        clocks = ['full,signal=10ms']
        system-clock = true
        [[at]]
        time = '100ms'
        step = '1s'
        fail = 'clock_gettime/1:EIO'
        [[at]]
        time = '100ms'
        clock = 'system'
        step = '5s'
        [[at]]
        time = '300ms'
        fail = ['pin_getfunc/1:EIO', 'getcaps/3:EIO']
        [[expect]]
        name = 'the clock was stepped'
        offset = '1s'
        within = '10us'
        from = '150ms'
        [[expect]]
        name = 'so was the system clock'
        clock = 'system'
        reference = 'ptp0'
        offset = '4s'
        within = '10us'
        from = '150ms'
        [[expect]]
        exit-status = 3
    ";
    let own = own();
    let line = format!(
        "sleep 0.2; {own} get ptp0 && exit 1; sleep 0.3; {own} get ptp0 || exit 2; \
         {own} pins ptp0 && exit 4; exit 3"
    );
    let Some(ended) = play(script, &line) else { return };
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

#[test]
fn a_card_goes_and_comes_back_as_another_clock() {
    let script = "
        clocks = ['full,signal=10ms,link=/dev/ptp_card,interface=eth77', 'igb']
        [[at]]
        time = '300ms'
        goes = true
        [[at]]
        time = '600ms'
        returns-as = 'ptp5'
        [[expect]]
        exit-status = 0
    ";
    let own = own();
    let line = format!(
        "exec 3</dev/ptp_card; sleep 0.4; test ! -e /dev/ptp0 || exit 1; \
         test ! -e /sys/class/ptp/ptp0 || exit 2; test ! -e /sys/class/net/eth77 || exit 3; \
         {own} caps ptp0 && exit 4; sleep 0.4; test ! -e /dev/ptp0 || exit 5; \
         test -c /dev/ptp5 || exit 6; cat /sys/class/ptp/ptp5/clock_name || exit 7; \
         {own} extts --count 3 /dev/ptp_card || exit 8; {own} caps ptp1 || exit 9; \
         {own} caps eth77 || exit 10; cat <&3; test -c /proc/self/fd/3"
    );
    let Some(ended) = play(script, &line) else { return };
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

#[test]
fn a_signal_stops_at_a_pin_also_over_a_wire() {
    let script = "
        clocks = ['full', 'full,signal=off']
        wires = ['ptp0:0=ptp1:2']
        [[at]]
        time = '4s'
        clock = 'ptp1'
        pin = 2
        signal = 'off'
    ";
    let own = own();
    let line = format!(
        "{own} perout --pin 0 --period 20ms ptp0 && \
         {own} extts --pin 2 --count 3 --timeout 4s ptp1 && sleep 4 && \
         ! {own} extts --pin 2 --timeout 200ms ptp1"
    );
    let Some(ended) = play(script, &line) else { return };
    assert!(ended.stdout.contains("\n  ok 1 the program ends well"), "{ended:?}");
}

#[test]
fn a_leap_second_is_inserted_or_left_out() {
    for (leap, offset) in [("insert", "-1s"), ("delete", "1s")] {
        let script = format!(
            "
            system-clock = true
            [[at]]
            time = '100ms'
            clock = 'system'
            leap = '{leap}'
            [[expect]]
            clock = 'system'
            offset = '{offset}'
            within = '10us'
            from = '1.2s'
            until = '1.3s'
            "
        );
        let Some(ended) = play(&script, "sleep 1.4") else { return };
        assert_eq!(ended.status, Some(0), "{leap}: {ended:?}");
    }
}

#[test]
fn readings_are_counted_also_those_that_are_refused() {
    let script = |most: u32| {
        format!(
            "
            clocks = ['igb,limit=20']
            [[expect]]
            readings-per-second = {most}
            [[expect]]
            exit-status = 0
            "
        )
    };
    let line = format!("for i in 1 2 3 4 5; do {} get ptp0; done; true", own());
    let Some(ended) = play(&script(200), &line) else { return };
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let ended = play(&script(1), &line).expect("runs");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("not ok 1 ptp0 has at most 1 readings in a second"));
}

#[test]
fn a_program_is_told_to_end_and_killed_if_it_does_not() {
    let Some(ended) = play("stop = '200ms'", "sleep 100 & sleep 100") else { return };
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let line = "trap '' TERM; while :; do sleep 0.1; done";
    let ended = play("stop = '200ms'", line).expect("runs");
    assert!(ended.stdout.contains("# it was ended by SIGKILL\n  not ok 1"), "{ended:?}");
}

#[test]
fn the_results_can_be_json() {
    let file = TemporaryFile::new("script");
    fs::write(&file.0, "[[expect]]\nexit-status = 1\n[[expect]]\nwithin='1s'\nfrom='9s'\n")
        .expect("written");
    let mut command = program();
    command.args(["mock", "run", "--json", "--script"]).arg(&file.0);
    let ended = run(command.args(["--", "sh", "-c", "exit 1"]));
    if ended.status == Some(125) {
        return;
    }
    let lines = ended.lines();
    let met: Vec<_> = lines.iter().map(|line| line["met"].as_bool()).collect();
    assert_eq!(met, [Some(true), None]);
    assert_eq!(ended.status, Some(1));
}

#[test]
fn a_script_that_can_not_be_is_refused_before_the_program_starts() {
    for (script, status, why) in [
        ("[[at]]\ntime = '5s'\nspeed = 3", 2, "line 3: there is no key 'speed' here"),
        ("[[at]]\ntime = '5s'\nclock = 'ptp3'\ngoes = true", 2, "there is no clock ptp3"),
        ("[[expect]]\nclock = 'system'\nwithin = '1s'", 2, "it needs --system-clock"),
        ("clocks = ['igb', 'igb']\n[[at]]\ntime='1s'\nreturns-as='ptp1'", 2, "another clock has"),
        ("clocks = [", 2, "line 1: "),
    ] {
        let Some(ended) = play(script, "echo started") else { return };
        ended.failed(status, why);
    }
    let device = run(program().args(["mock", "run", "--script", "/dev/null", "--", "true"]));
    device.failed(125, "it is neither a file nor a pipe");
    let missing = run(program().args(["mock", "run", "--script", "/nowhere", "--", "true"]));
    missing.failed(125, "can't read the script /nowhere: ");
}

#[test]
fn the_verdict_stands_even_if_nobody_reads_it() {
    let file = TemporaryFile::new("script-unread");
    fs::write(&file.0, "[[expect]]\nexit-status = 0\n").expect("written");
    for (options, status) in [("", 1), ("--json", 1)] {
        let line = format!(
            "{} mock run {options} --script {} -- sh -c 'sleep 0.2; exit 3' | true; \
             exit ${{PIPESTATUS[0]}}",
            own(),
            file.0.display()
        );
        let ended = run(std::process::Command::new("bash").args(["-c", &line]));
        assert!([Some(status), Some(125)].contains(&ended.status), "{ended:?}");
    }
}

#[test]
fn what_did_not_happen_is_not_shown() {
    let script = "
        [[at]]
        time = '50s'
        goes = true
        [[expect]]
        exit-status = 0
    ";
    let Some(ended) = play(script, "true") else { return };
    assert_eq!(ended.status, Some(1));
    let line =
        "# not shown: the program ended before 50s\n  not ok 2 all that the script lets happen";
    assert!(ended.stdout.contains(line), "{ended:?}");
}

#[test]
fn what_can_not_happen_to_these_clocks_is_refused() {
    for (script, why) in [
        ("[[at]]\ntime='1s'\npin=99\nsignal='off'", "ptp0 has 4 pins, counted from 0"),
        ("clocks=['igb']\n[[at]]\ntime='1s'\nsignal='1s'", "no inputs that a signal"),
        ("[[at]]\ntime='1s'\nothers=20", "line 3: others: it goes with a limit"),
        ("[[at]]\ntime='1s'\nlimit=10\nothers=20", "line 4: others: it goes with a limit"),
        ("[[at]]\ntime='1s'\ngoes=true\n[[at]]\ntime='2s'\ngoes=true", "at 2s the card of ptp0"),
        ("[[at]]\ntime='1s'\nreturns-as='ptp5'", "can't return: it is not away"),
        ("[[at]]\ntime='1s'\nreturns-as='foo'", "line 3: returns-as: it is what the clock"),
        ("[[at]]\ntime='1s'\nfail='read:EIO'", "read of another program can't fail"),
        ("[[at]]\ntime='1s'\nfail='getcap:EIO'", "there is no call 'getcap'"),
        ("clocks=['full,fail=read/1:EIO']", "read of another program can't fail"),
        ("system-clock=false", "system-clock: it is true, or text"),
        ("[[expect]]\nsignal='TERM'", "it is a signal's name, such as SIGTERM"),
    ] {
        let Some(ended) = play(script, "echo started") else { return };
        ended.failed(2, why);
    }
}

#[test]
fn a_signal_without_a_name_ends_the_program_with_a_verdict() {
    let Some(ended) = play("", "kill -40 $$") else { return };
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("# it was ended by signal 40\n  not ok 1"), "{ended:?}");
}
