//! If a program was killed or failed, the next call tells what it has not put back, and the command
//! that puts it right.

use crate::common::{TemporaryFile, program, ptpctl, run};
use crate::ends::{assert_all_is_off, no_journal_is_left, watch};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::Stdio;

#[test]
fn what_a_killed_program_left_on_is_told_until_it_is_off() {
    let file = TemporaryFile::new("killed");
    let (mut child, _events) = watch(&file);
    child.kill().expect("killed");
    let _ = child.wait();
    let mock = file.mock("full");
    let look = || ptpctl(&format!("get {mock}")).stderr;
    let (channel, pin) =
        (format!(": ptpctl extts --off --channel 0 {mock}\n"), String::from(": ptpctl pin 1 none"));
    assert!(look().contains(&channel) && look().contains(&pin), "{}", look());
    ptpctl(&format!("extts --off {mock}"));
    assert!(!look().contains(&channel) && look().contains(&pin), "{}", look());
    ptpctl(&format!("pin SDP1 none {mock}"));
    assert_eq!(look(), "");
    assert_all_is_off(&file);
}

#[test]
fn a_pin_that_lost_its_channel_to_a_killed_program_is_told_and_names_are_quoted() {
    let file = TemporaryFile::new("a b");
    let mock = file.mock("full,signal=5ms");
    let call = |arguments: &[&str]| run(program().args(arguments).args(["--device", &mock]));
    call(&["pin", "3", "extts"]);
    let mut child = program()
        .args(["extts", "--pin", "2", "--device", &mock])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut events = BufReader::new(child.stdout.take().expect("a pipe"));
    events.read_line(&mut String::new()).expect("an event");
    child.kill().expect("killed");
    let _ = child.wait();
    let told = call(&["get"]).stderr;
    let quoted = format!(": ptpctl pin 3 extts --channel 0 '{mock}'");
    assert!(told.contains(&quoted), "{told}");
    assert_eq!(told.lines().count(), 3, "{told}");
}

#[test]
fn a_pin_that_perout_cannot_put_back_is_told() {
    let file = TemporaryFile::new("perout-pin");
    let mock = file.mock("full");
    ptpctl(&format!("pin 2 extts --channel 1 {mock}")).done();
    let failing = format!("{mock},fail=perout_request:EIO,fail=pin_setfunc#2:EIO");
    ptpctl(&format!("perout --period 1s --pin 2 {failing}")).failed(1, "can't give pin 2");
    let told = ptpctl(&format!("get {mock}")).stderr;
    assert!(told.contains(&format!("ptpctl pin 2 extts --channel 1 {mock}")), "{told}");
}

/// Whether the self-test was killed while another frequency was dialled. It dials some for a moment
/// only.
fn killed_while_another_frequency_is_dialled(file: &TemporaryFile) -> bool {
    let mock = file.mock("full");
    ptpctl(&format!("adjfreq 12ppb {mock}")).done();
    let mut child = program()
        .args(["selftest", "--yes", "--only", "frequency", "--device", &mock])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let is_dialled = || {
        let state = std::fs::read_to_string(&file.0).unwrap_or_default();
        state.contains("\"dialled\": 32768786")
    };
    while !is_dialled() {
        assert_eq!(child.try_wait().expect("a status"), None, "it never dials");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().expect("killed");
    let _ = child.wait();
    is_dialled()
}

#[test]
fn a_killed_self_test_is_told_with_what_puts_it_right() {
    let file = loop {
        let file = TemporaryFile::new("killed-selftest");
        if killed_while_another_frequency_is_dialled(&file) {
            break file;
        }
    };
    let mock = file.mock("full");
    let told = ptpctl(&format!("get {mock}")).stderr;
    let dial = told.lines().find_map(|line| line.split(": ptpctl adjfreq ").nth(1));
    ptpctl(&format!("adjfreq {}", dial.expect("a command")));
    assert_eq!(ptpctl(&format!("get {mock}")).stderr, "");
    let freq = ptpctl(&format!("freq --json {mock}")).done().json();
    assert_eq!(freq["frequency_scaled_ppm"], 786);
}

/// A watch that was killed, and left its channel and its pin.
fn killed_watch(name: &str) -> (TemporaryFile, String) {
    let file = TemporaryFile::new(name);
    let (mut child, _events) = watch(&file);
    child.kill().expect("killed");
    let _ = child.wait();
    let mock = file.mock("full");
    (file, mock)
}

fn told(mock: &str) -> String {
    ptpctl(&format!("get {mock}")).stderr
}

/// The journals beside a clock's file.
fn journals(file: &TemporaryFile) -> Vec<std::path::PathBuf> {
    let name = format!("{}.left-on", file.0.file_name().expect("a name").to_string_lossy());
    let folder = file.0.parent().expect("a folder").read_dir().expect("a folder").flatten();
    let named = folder.filter(|entry| entry.file_name().to_string_lossy().starts_with(&name));
    named.map(|entry| entry.path()).collect()
}

#[test]
fn following_the_advice_ends_it_without_another_word() {
    let (file, mock) = killed_watch("advice");
    let all = told(&mock);
    let steps: Vec<_> = all.lines().filter_map(|line| line.split(": ptpctl ").nth(1)).collect();
    assert_eq!(steps.len(), 2, "{all}");
    let after: Vec<_> = steps.iter().map(|step| ptpctl(step).stderr).collect();
    // The first command tells what is left to do. The second tells nothing.
    assert!(!after[0].contains("extts --off") && after[0].contains("pin 1 none"), "{after:?}");
    assert_eq!(after[1], "");
    assert_all_is_off(&file);
    no_journal_is_left(&file);
}

#[test]
fn what_is_meant_to_be_so_now_is_not_told() {
    let (file, mock) = killed_watch("meant");
    ptpctl(&format!("extts --off {mock}"));
    // The pin has a new function, so it no longer matters that it had none.
    ptpctl(&format!("perout --period 1s --pin 1 --channel 2 {mock}"));
    assert_eq!(told(&mock), "");
    no_journal_is_left(&file);
}

#[test]
fn what_somebody_else_has_put_right_is_forgotten() {
    let (file, mock) = killed_watch("forgotten");
    ptpctl(&format!("extts --off {mock}"));
    // Another program would change the pin without a note in the journal.
    let state = fs::read_to_string(&file.0).expect("a state");
    let mut state: serde_json::Value = serde_json::from_str(&state).expect("JSON");
    state["pins"][1] = serde_json::json!([0, 0]);
    fs::write(&file.0, serde_json::to_string_pretty(&state).expect("JSON")).expect("written");
    assert_eq!(told(&mock), "");
    no_journal_is_left(&file);
}

#[test]
fn what_could_not_be_undone_is_told_by_the_call_itself() {
    let file = TemporaryFile::new("undo");
    let mock = file.mock("full,time=virtual");
    let watch = |failing: &str| ptpctl(&format!("extts --count 1 --pin 1 {mock},{failing}")).stderr;
    let pin = watch("fail=pin_setfunc#2:EIO");
    assert!(pin.contains(": ptpctl pin 1 none ") && !pin.contains("--off"), "{pin}");
    ptpctl(&format!("pin 1 none {mock}"));
    let channel = watch("fail=extts_request#2:EIO");
    assert!(channel.contains(": ptpctl extts --off ") && !channel.contains("pin 1"), "{channel}");
}

#[test]
fn a_time_is_told_as_long_as_it_is_off() {
    let file = TemporaryFile::new("time-off");
    let mock = file.mock("full,time=virtual,offset=37s");
    ptpctl(&format!("selftest --yes --only step {mock},fault=step-part,fault=set-part"));
    assert!(told(&mock).contains(": ptpctl adjtime "));
    // A program that steers the clock brings it back to its offset from the system clock.
    ptpctl(&format!("set now --tai {}", file.mock("full,time=virtual")));
    assert_eq!(told(&mock), "");
    no_journal_is_left(&file);
}

#[test]
fn a_journal_is_neither_read_nor_written_through_a_link() {
    let (file, mock) = killed_watch("link");
    let [journal] = journals(&file).try_into().expect("one");
    let elsewhere = TemporaryFile::new("elsewhere");
    fs::rename(&journal, &elsewhere.0).expect("renamed");
    let before = fs::read(&elsewhere.0).expect("read");
    for link in [symlink, |from, to| fs::hard_link(from, to)] {
        link(&elsewhere.0, &journal).expect("linked");
        assert_eq!(told(&mock), "");
        ptpctl(&format!("extts --off {mock}"));
        assert_eq!(fs::read(&elsewhere.0).expect("read"), before);
        fs::remove_file(&journal).expect("removed");
    }
}

#[test]
fn root_is_told_what_another_user_has_left() {
    let (file, mock) = killed_watch("of-a-user");
    let [journal] = journals(&file).try_into().expect("one");
    if std::os::unix::fs::chown(&file.0, Some(1_000), Some(1_000)).is_err() {
        println!("only root can give a file away: tests/kernel/trouble has this, too");
        return;
    }
    std::os::unix::fs::chown(&journal, Some(1_000), Some(1_000)).expect("given away");
    let all = told(&mock);
    assert!(all.contains("note: not put back by user 1000: external timestamps"), "{all}");
    // The journal of a third user about the second user's clock doesn't count.
    std::os::unix::fs::chown(&journal, Some(1_001), Some(1_001)).expect("given away");
    assert_eq!(told(&mock), "");
}

#[test]
fn a_damaged_journal_does_no_harm() {
    let (file, mock) = killed_watch("damaged");
    let [journal] = journals(&file).try_into().expect("one");
    let whole = fs::read(&journal).expect("read");
    for damage in [
        &b""[..],
        b"mock\n",
        b"\xff\xfe\t\t\t\t\n",
        b"mock\npin 1\n",
        b"another\nextts 0\t\ta\tb\n",
    ] {
        fs::write(&journal, damage).expect("written");
        assert_eq!(told(&mock), "", "{damage:?}");
    }
    // A byte that isn't text spoils only its own line.
    fs::write(&journal, [&whole[..], b"\xff\n"].concat()).expect("written");
    assert!(told(&mock).contains("extts --off"));
    fs::write(&journal, vec![b'x'; 1 << 20]).expect("written");
    assert_eq!(told(&mock), "");
}

#[test]
fn those_who_look_at_once_are_all_told() {
    let (_file, mock) = killed_watch("at-once");
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..20).map(|_| scope.spawn(|| told(&mock))).collect();
        for told in all {
            assert!(told.join().expect("looked").contains("extts --off"));
        }
    });
}

#[test]
fn what_cannot_be_read_is_not_forgotten() {
    let (_file, mock) = killed_watch("unread");
    for failing in ["fail=pin_getfunc:EIO", "fail=clock_adjtime:EIO"] {
        ptpctl(&format!("get {mock},{failing}"));
        assert!(told(&mock).contains(": ptpctl pin 1 none "), "{failing}");
    }
}

#[test]
fn a_pin_that_lost_everything_half_way_is_told() {
    let file = TemporaryFile::new("half-way");
    let mock = file.mock("full,time=virtual");
    ptpctl(&format!("pin 1 perout --channel 0 {mock}"));
    ptpctl(&format!("pin 0 extts --channel 1 {mock}"));
    ptpctl(&format!("extts --channel 1 --pin 1 --count 1 {mock},fail=pin_setfunc#2:EIO"));
    assert!(told(&mock).contains(": ptpctl pin 1 perout --channel 0 "), "{}", told(&mock));
}

#[test]
fn a_command_that_failed_settles_nothing() {
    let (_file, mock) = killed_watch("settles-nothing");
    ptpctl(&format!("extts --count 1 {mock},fail=extts_request:EIO"));
    assert!(told(&mock).contains("extts --off"));
}

#[test]
fn a_rest_of_what_was_there_before_does_not_count() {
    let (file, mock) = killed_watch("rest");
    let [journal] = journals(&file).try_into().expect("one");
    let whole = fs::read_to_string(&journal).expect("read");
    fs::write(&journal, format!("{whole}extts 9\t\twrong\twrong\n")).expect("written");
    assert!(told(&mock).contains("extts --off") && !told(&mock).contains("wrong"));
}
