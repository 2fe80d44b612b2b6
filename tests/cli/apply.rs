//! `ptpctl save` and `ptpctl apply`: a clock is as declared afterwards, or as it was.

use crate::common::{Folder, Run, TemporaryFile, pid, program, ptpctl, run};
use nix::sys::signal::{Signal, kill};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// All that can be declared.
const ALL: &str = "frequency = \"12.5ppb\"
virtual-clocks = 2
pps = true
[clock.pins]
SDP0 = \"perout 0\"
SDP1 = \"extts 1\"
[[clock.output]]
channel = 0
period = \"1s\"
pulse-width = \"100ms\"
";

/// A mock clock that is kept in a file of the folder.
fn kept(folder: &Folder, settings: &str) -> String {
    format!("mock:{settings},state={}", folder.file("state"))
}

/// Writes a file that declares this of a clock.
fn declare(path: &str, clock: &str, what: &str) {
    fs::write(path, format!("[[clock]]\ndevice = \"{clock}\"\n{what}")).expect("written");
}

fn apply(options: &str, path: &str) -> Run {
    ptpctl(&format!("apply --json {options} {path}").replace("  ", " "))
}

/// What is changed: what it is, how it was, what it becomes.
#[track_caller]
fn changes(run: &Run) -> Vec<[String; 3]> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("unknown").to_owned();
    let changes = run.json()["changes"].as_array().expect("a list").clone();
    changes.iter().map(|one| ["what", "was", "becomes"].map(|key| text(&one[key]))).collect()
}

/// What the kernel tells of a clock that can be declared.
#[track_caller]
fn seen(clock: &str) -> String {
    let file = TemporaryFile::new(&format!("seen-{}", clock.replace(['/', ':', ',', '='], "-")));
    ptpctl(&format!("save {} {clock}", file.0.display())).done();
    let text = fs::read_to_string(&file.0).expect("written");
    text.lines().filter(|line| !line.starts_with("device")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_clock_becomes_what_is_declared_and_a_second_time_nothing_differs() {
    let folder = Folder::new("apply");
    let clock = kept(&folder, "full");
    let file = folder.file("clocks.toml");
    declare(&file, &clock, ALL);
    let first = apply("", &file);
    let expected = [
        ["frequency", "0 ppb", "+12.496948 ppb"],
        ["pin 0 (SDP0)", "none", "perout 0"],
        ["pin 1 (SDP1)", "none", "extts 1"],
        ["output 0", "unknown", "every 1 s, 100 ms wide"],
        ["PPS", "unknown", "on"],
        ["virtual clocks", "0", "2"],
    ];
    assert_eq!(changes(&first.done()), expected);
    let is = seen(&clock);
    for line in ["frequency = \"12.496948ppb\"", "virtual-clocks = 2", "SDP1 = \"extts 1\""] {
        assert!(is.contains(line), "{is}");
    }
    // The kernel doesn't tell these two.
    assert_eq!(changes(&apply("", &file).done()), [expected[3], expected[4]]);
    assert_eq!(seen(&clock), is);
}

#[test]
fn a_dry_run_shows_the_same_and_changes_nothing() {
    let folder = Folder::new("apply-dry");
    let state = folder.file("state");
    let clock = kept(&folder, "full");
    ptpctl(&format!("adjfreq 5ppb {clock}")).done();
    let before = fs::read(&state).expect("a state");
    let file = folder.file("clocks.toml");
    declare(&file, &clock, ALL);
    let dry = apply("--dry-run", &file).done();
    assert_eq!(fs::read(&state).expect("a state"), before);
    assert_eq!(dry.json()["dry_run"], true);
    assert_eq!(changes(&dry), changes(&apply("", &file).done()));
}

#[test]
fn what_is_saved_is_applied_as_it_was() {
    let folder = Folder::new("apply-saved");
    let state = folder.file("state");
    let clock = kept(&folder, "full");
    for line in ["adjfreq -- -3ppm", "pin SDP2 perout --channel 1", "vclocks 3 --device"] {
        ptpctl(&format!("{line} {clock}")).done();
    }
    let (file, is) = (folder.file("clocks.toml"), seen(&clock));
    ptpctl(&format!("save {file} {clock}")).done();
    assert_eq!(changes(&apply("", &file).done()), [[""; 3]; 0]);
    // As after a boot.
    fs::remove_file(&state).expect("removed");
    assert_ne!(seen(&clock), is);
    apply("", &file).done();
    assert_eq!(seen(&clock), is);
}

#[test]
fn below_virtual_clocks_that_stay_a_clock_is_not_dialled_and_stays_as_it_is() {
    let folder = Folder::new("apply-below");
    let clock = kept(&folder, "igb");
    let file = folder.file("clocks.toml");
    declare(&file, &clock, "frequency = \"1ppb\"\nvirtual-clocks = 2\n");
    apply("", &file).done();
    let is = seen(&clock);
    declare(&file, &clock, "frequency = \"2ppb\"\nvirtual-clocks = 1\n");
    for options in ["--dry-run", ""] {
        let refused = apply(options, &file);
        assert_eq!(refused.status, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("virtual clocks"), "{refused:?}");
        assert_eq!(seen(&clock), is);
    }
    // Those that are too many go first.
    declare(&file, &clock, "frequency = \"2ppb\"\nvirtual-clocks = 0\n");
    let what: Vec<_> =
        changes(&apply("", &file).done()).into_iter().map(|[what, ..]| what).collect();
    assert_eq!(what, ["virtual clocks", "frequency"]);
}

#[test]
fn all_that_can_not_work_is_told_before_anything_is_changed() {
    let folder = Folder::new("apply-refused");
    let clock = kept(&folder, "full");
    let (file, is) = (folder.file("clocks.toml"), seen(&clock));
    let what = "frequency = \"1ppb\"\nvirtual-clocks = 99\n[clock.pins]\nSDP0 = \"extts 7\"\n\
                NOSUCH = \"none\"\n[[clock.output]]\nchannel = 9\nperiod = \"1s\"\n\
                [[clock.output]]\nchannel = 1\nperiod = \"1s\"\npulse-width = \"2s\"\n";
    declare(&file, &clock, what);
    for options in ["--dry-run", ""] {
        let refused = apply(options, &file);
        assert_eq!(refused.status, Some(1));
        let problems = refused.json()["clocks"][0]["problems"].as_array().map_or(0, Vec::len);
        assert_eq!(problems, 5, "{refused:?}");
        assert_eq!(changes(&refused), [[""; 3]; 0]);
        assert_eq!(seen(&clock), is);
    }
}

#[test]
fn rights_that_are_missing_are_told_before_anything_is_changed() {
    let folder = Folder::new("apply-rights");
    let clock = kept(&folder, "full,unprivileged");
    let (file, is) = (folder.file("clocks.toml"), seen(&clock));
    declare(&file, &clock, ALL);
    let refused = apply("", &file);
    assert_eq!(refused.status, Some(1));
    for right in ["CAP_SYS_TIME", "only root"] {
        assert!(refused.stderr.contains(right), "{refused:?}");
    }
    assert_eq!(seen(&clock), is);
}

/// The calls that `apply` makes, with their number.
fn calls(file: &str, clock: &str) -> BTreeMap<String, usize> {
    let log = TemporaryFile::new("apply-log");
    let logged = format!("{clock},log={}", log.0.display());
    declare(file, &logged, ALL);
    apply("", file).done();
    let mut calls = BTreeMap::new();
    for call in fs::read_to_string(&log.0).expect("a log").lines() {
        *calls.entry(call.to_owned()).or_insert(0) += 1;
    }
    calls
}

#[test]
fn whichever_call_fails_the_clock_is_as_declared_or_as_it_was() {
    let folder = Folder::new("apply-fails");
    let state = folder.file("state");
    let clock = kept(&folder, "full,time=virtual");
    let file = folder.file("clocks.toml");
    let calls = calls(&file, &clock);
    let declared = seen(&clock);
    fs::remove_file(&state).expect("removed");
    let was = seen(&clock);
    assert!(calls.len() > 8, "{calls:?}");
    for (call, times) in &calls {
        for number in 1..=*times {
            for errno in ["EIO", "EINVAL", "EBUSY", "EPERM", "EOPNOTSUPP"] {
                let _ = fs::remove_file(&state);
                declare(&file, &format!("{clock},fail={call}#{number}:{errno}"), ALL);
                let run = apply("", &file);
                let at = format!("{call}#{number} fails with {errno}: {run:?}");
                assert!(!run.stderr.contains("panicked"), "{at}");
                match run.status {
                    Some(0) => assert_eq!(seen(&clock), declared, "{at}"),
                    Some(1) => {
                        assert_eq!(seen(&clock), was, "{at}");
                        assert!(run.stderr.contains("\"error\""), "{at}");
                    }
                    _ => panic!("{at}"),
                }
            }
        }
    }
}

#[test]
fn virtual_clocks_that_were_removed_are_made_again_and_that_is_told() {
    let folder = Folder::new("apply-removed");
    let file = folder.file("clocks.toml");
    let clock = kept(&folder, "full");
    ptpctl(&format!("vclocks 2 {clock}")).done();
    let was = seen(&clock);
    let what = "frequency = \"1ppb\"\nvirtual-clocks = 0\n[clock.pins]\nSDP0 = \"extts 0\"\n";
    declare(&file, &format!("{clock},fail=pin_setfunc:EIO"), what);
    let run = apply("", &file);
    assert_eq!(run.status, Some(1));
    assert_eq!(seen(&clock), was);
    let left = run.json()["clocks"][0]["left"].to_string();
    assert!(left.contains("2 of the 2 are new ones, which nobody has set"), "{left}");
}

#[test]
fn what_can_not_be_taken_back_is_told() {
    let folder = Folder::new("apply-left");
    let file = folder.file("clocks.toml");
    let clock = kept(&folder, "full,fail=set_attribute:EIO");
    declare(&file, &clock, ALL);
    let run = apply("", &file);
    assert_eq!(run.status, Some(1));
    let left = run.json()["clocks"][0]["left"].to_string();
    assert!(left.contains("PPS: it is on") && left.contains("output 0: it is off"), "{left}");
}

#[test]
fn an_output_that_was_on_and_could_not_be_asked_for_again_is_told_to_be_off() {
    let folder = Folder::new("apply-again");
    let file = folder.file("clocks.toml");
    let clock = kept(&folder, "full");
    ptpctl(&format!("perout --period 500ms --channel 1 --pin SDP1 {clock}")).done();
    let what = "[[clock.output]]\nchannel = 1\nperiod = \"1s\"\n";
    for (fault, is) in [("perout_request:EIO", "is off"), ("perout_request/1:EIO", "may be on")] {
        declare(&file, &format!("{clock},fail={fault}"), what);
        let run = apply("", &file);
        assert_eq!(run.status, Some(1));
        let left = run.json()["clocks"][0]["left"].to_string();
        assert!(left.contains(&format!("output 1: it {is}")), "{left}");
        let told = ptpctl(&format!("apply {file}")).stdout;
        assert!(!told.contains("nothing was changed"), "{told}");
    }
    // What is left on the clock is told once.
    let notes = apply("", &file).stderr.matches("not put back").count();
    assert_eq!(notes, 1);
    // One that is refused has changed nothing.
    declare(&file, &format!("{clock},fail=perout_request/1:EOPNOTSUPP"), what);
    let refused = apply("", &file);
    assert_eq!(refused.json()["clocks"][0]["left"], serde_json::json!([]));
    let line = format!("perout --period 1s --channel 1 {clock},fail=perout_request:EIO");
    ptpctl(&line).failed(1, "periodic output of channel 1 off; but then it failed");
}

#[test]
fn an_output_without_a_pin_is_told() {
    let folder = Folder::new("apply-unconnected");
    let (file, clock) = (folder.file("clocks.toml"), kept(&folder, "full"));
    let what = "[[clock.output]]\nchannel = 3\nperiod = \"1s\"\n";
    declare(&file, &clock, what);
    let note = apply("", &file).done().json()["notes"][0].to_string();
    assert!(note.contains("no pin is connected to channel 3"), "{note}");
    declare(&file, &clock, &format!("{what}[clock.pins]\nSDP1 = \"perout 3\"\n"));
    assert_eq!(apply("", &file).done().json()["notes"], serde_json::json!([]));
}

#[test]
fn a_signal_leaves_the_clock_as_declared_or_as_it_was() {
    let folder = Folder::new("apply-signal");
    let file = folder.file("clocks.toml");
    let state = folder.file("state");
    let clock = kept(&folder, "full");
    declare(&file, &clock, ALL);
    let was = seen(&clock);
    apply("", &file).done();
    let declared = seen(&clock);
    for round in 0..30 {
        let _ = fs::remove_file(&state);
        let mut child = program()
            .args(["apply", "--json"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        std::thread::sleep(Duration::from_micros(300 * round));
        kill(pid(&child), Signal::SIGTERM).expect("sent");
        let status = child.wait().expect("ended");
        let is = seen(&clock);
        let is_sound = if status.success() { is == declared } else { is == declared || is == was };
        assert!(is_sound, "round {round}, {status:?}: {is}");
        let is_ended = status.success() || status.signal() == Some(Signal::SIGTERM as i32);
        assert!(is_ended, "{status:?}");
    }
}

#[test]
fn a_clock_that_is_not_there_does_not_keep_the_others_from_being_made_so() {
    let folder = Folder::new("apply-absent");
    let file = folder.file("clocks.toml");
    let clock = kept(&folder, "full");
    let absent = "[[clock]]\nclock-name = \"no such clock\"\nfrequency = \"1ppb\"\n";
    declare(&file, &clock, &format!("frequency = \"1ppm\"\n{absent}"));
    let run = apply("", &file);
    assert_eq!(run.status, Some(1));
    assert!(run.stderr.contains("no such clock"), "{run:?}");
    assert_eq!(changes(&run), [["frequency", "0 ppb", "+1000 ppb"]]);
    // A clock that is named alone is all that counts.
    apply(&format!("--device {clock}"), &file).done();
    let other = apply("--device mock:igb", &file).done();
    assert_eq!(other.json()["clocks"], serde_json::json!([]));
    assert!(other.json()["notes"][0].as_str().is_some_and(|it| it.contains("declares nothing")));
}

#[test]
fn a_mistake_in_the_file_is_told_with_its_line() {
    let folder = Folder::new("apply-mistake");
    let file = folder.file("clocks.toml");
    declare(&file, "mock:full", "frequency = 5\n");
    ptpctl(&format!("apply {file}")).failed(2, "clocks.toml, line 3: frequency");
    ptpctl(&format!("apply {}", folder.0.display())).failed(1, "neither a file nor a pipe");
    ptpctl("apply /no/such/file").failed(1, "can't read /no/such/file");
    declare(&file, "mock:full", "[[clock]]\ndevice = \"mock:full\"\n");
    ptpctl(&format!("apply {file}")).failed(2, "the clock mock:full is there twice");
}

#[test]
fn save_keeps_what_the_kernel_does_not_tell_and_other_clocks() {
    let folder = Folder::new("save-replace");
    let file = folder.file("clocks.toml");
    let clock = kept(&folder, "full");
    declare(
        &file,
        &clock,
        &format!("{ALL}[[clock]]\nbus-address = \"0000:01:00.0\"\npps = false\n"),
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("set");
    ptpctl(&format!("save {file} {clock}")).failed(1, "--replace replaces it");
    ptpctl(&format!("save --replace {file} {clock}")).done();
    let text = fs::read_to_string(&file).expect("a text");
    for line in [
        "frequency = \"0ppb\"",
        "virtual-clocks = 0",
        "SDP0 = \"none\"",
        "pps = true",
        "pulse-width = \"100ms\"",
        "bus-address = \"0000:01:00.0\"",
        "pps = false",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}: {text}");
    }
    let mode = fs::metadata(&file).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    fs::write(&file, "[[clock]]\nfrequncy = 1\n").expect("written");
    ptpctl(&format!("save --replace {file} {clock}")).failed(1, "it is not replaced");
}

#[test]
fn two_names_of_one_pin_are_refused() {
    let folder = Folder::new("apply-pins");
    let (file, clock) = (folder.file("clocks.toml"), kept(&folder, "full"));
    let declared = "[clock.pins]\nSDP0 = 'perout 0'\n0 = 'extts 0'";
    fs::write(&file, format!("# A comment.\n[[clock]]\ndevice = '{clock}'\n{declared}\n"))
        .expect("written");
    let run = ptpctl(&format!("apply {file}"));
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.stderr.contains("'0' and 'SDP0' are the same pin"), "{run:?}");
    assert!(run.stderr.contains(&format!("it is declared in {file}, line 2")), "{run:?}");
    assert!(run.stdout.starts_with("nothing was changed\n"), "{run:?}");
}

#[test]
fn save_prints_to_standard_output() {
    let folder = Folder::new("save-printed");
    let file = folder.file("clocks.toml");
    ptpctl(&format!("save {file} mock:full")).done();
    let printed = ptpctl("save - mock:full").done();
    assert_eq!(printed.stdout, fs::read_to_string(&file).expect("a file"));
    ptpctl("save --replace - mock:full").failed(2, "name a file, not -");
    ptpctl("save --json - mock:full").failed(2, "name a file, not -");
}

#[test]
fn save_writes_to_nothing_but_a_file() {
    let folder = Folder::new("save-other");
    let link = folder.file("link.toml");
    symlink(folder.file("target.toml"), &link).expect("linked");
    ptpctl(&format!("save {link} mock")).done();
    assert!(Path::new(&folder.file("target.toml")).is_file() && Path::new(&link).is_symlink());
    let state = folder.file("state");
    let clock = kept(&folder, "full");
    ptpctl(&format!("adjfreq 1ppb {clock}")).done();
    let before = fs::read(&state).expect("a state");
    for (path, status, why) in [
        ("/dev/null".to_owned(), 2, "is no file"),
        (folder.0.display().to_string(), 2, "is a folder: name a file in it"),
        ("mock".into(), 2, "is a clock"),
        ("/dev/ptp0".into(), 2, "is a clock"),
        (folder.file("no/x.toml"), 1, "there is no folder"),
        (format!("{state}/x.toml"), 1, "Not a directory (ENOTDIR)"),
        ("/dev/no-such-disk".into(), 1, "files aren't made in /dev"),
        (state.clone(), 2, "is a mock's state or log"),
    ] {
        ptpctl(&format!("save --replace {path} {clock}")).failed(status, why);
    }
    assert_eq!(fs::read(&state).expect("a state"), before);
}

#[test]
fn save_on_a_full_disk_leaves_the_old_file() {
    let folder = Folder::new("save-full");
    let file = folder.file("clocks.toml");
    declare(&file, "mock:full", ALL);
    let before = fs::read(&file).expect("a file");
    let mut limited = crate::common::limited("ulimit -f 0");
    let ended = run(limited.args(["save", "--replace"]).args([&file, "mock:full"]));
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert_eq!(fs::read(&file).expect("a file"), before);
    assert_eq!(fs::read_dir(&folder.0).expect("a folder").count(), 1);
}

/// A whole machine, which is `ptpctl mock run`.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod whole_machines {
    use super::declare;
    use crate::common::{Folder, Run, program, run, start};

    /// Runs a line of a shell on a machine with two cards, where `PTPCTL` is the program. `None` on
    /// a kernel that can't; that is told then.
    fn on_a_machine(line: &str) -> Option<Run> {
        let line = line.replace("PTPCTL", &start().join(" "));
        let clocks = ["--clock", "igb", "--clock", "full,interface=eth7"];
        let ended =
            run(program().args(["mock", "run"]).args(clocks).args(["--", "sh", "-c", &line]));
        if ended.status == Some(125) && ended.stderr.contains("Linux 5.19 or later is needed") {
            println!("skipped: {}", ended.stderr);
            return None;
        }
        Some(ended)
    }

    #[test]
    fn a_card_is_known_again_by_its_bus_address() {
        let folder = Folder::new("apply-machine");
        let file = folder.file("clocks.toml");
        let line = format!(
            "PTPCTL save {file} && sed -i 's/SDP1 = \"none\"/SDP1 = \"extts 0\"/' {file} && \
             grep -c bus-address {file} && PTPCTL apply {file} /dev/ptp1 && \
             PTPCTL apply {file} && PTPCTL apply --dry-run {file} eth7 && PTPCTL pins eth7"
        );
        let Some(ended) = on_a_machine(&line) else { return };
        assert_eq!(ended.status, Some(0), "{ended:?}");
        let told: Vec<_> = ended.stdout.lines().collect();
        assert_eq!(told[1], "2", "{ended:?}");
        assert_eq!(told[2], "1 change made", "{ended:?}");
        let change = "  /dev/ptp1  pin 1 (SDP1)  none  extts 0";
        assert_eq!(told[4], change, "{ended:?}");
        assert_eq!(told[5..7], ["nothing to change", "nothing to change"], "{ended:?}");
        assert!(told.iter().any(|line| line.contains("SDP1  extts     0")), "{ended:?}");
    }

    #[test]
    fn a_clock_is_the_same_under_each_of_its_names() {
        let folder = Folder::new("apply-names");
        let file = folder.file("clocks.toml");
        declare(&file, "eth7", "frequency = \"1ppm\"\n");
        let line = format!(
            "PTPCTL apply {file} /dev/ptp1 && printf '[[clock]]\\ndevice = \"ptp1\"\\n' >>{file} && \
             PTPCTL apply {file}"
        );
        let Some(ended) = on_a_machine(&line) else { return };
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.stdout.starts_with("1 change made\n"), "{ended:?}");
        assert!(ended.stderr.contains("'eth7' and 'ptp1' are the same clock"), "{ended:?}");
    }
}
