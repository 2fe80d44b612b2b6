//! Files that ptpctl writes: which kinds it accepts, and that it destroys nothing else.

use crate::common::{Folder, limited, program, ptpctl, run};
use nix::sys::stat::{Mode, SFlag, mknod};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

const MOCK: &str = "mock:igb,time=virtual";

/// Every command that writes a file, with this path.
fn writers(path: &str) -> [(String, &'static str); 4] {
    [
        (format!("record --count 3 {path} {MOCK}"), "can't write"),
        (format!("get {MOCK},log={path}"), "can't write the mock's log"),
        (format!("set @5 {MOCK},state={path}"), "can't use the mock's state"),
        (format!("man {path}"), ""),
    ]
}

#[test]
fn a_disk_is_not_written_to() {
    let folder = Folder::new("disk");
    let disk = folder.file("disk.svg");
    // No driver has this number: nothing could be destroyed.
    let made = mknod(Path::new(&disk), SFlag::S_IFBLK, Mode::S_IRWXU, libc::makedev(240, 1));
    if made.is_err() {
        assert_ne!(nix::unistd::geteuid().as_raw(), 0, "root can make one: {made:?}");
        return;
    }
    for (line, why) in writers(&disk).into_iter().take(3) {
        ptpctl(&line).failed(1, why).failed(1, "block device");
    }
    ptpctl(&format!("offset --plot {disk} {MOCK}")).failed(1, "block device");
    assert_eq!(folder.names(), ["disk.svg"]);
}

#[test]
fn a_device_is_not_written_to() {
    for device in ["/dev/zero", "/dev/full", "/dev/random"] {
        for (line, why) in writers(device).into_iter().take(3) {
            ptpctl(&line).failed(1, why).failed(1, "it is a device");
        }
    }
}

#[test]
fn a_device_that_is_missing_does_not_become_a_file() {
    let missing = "/dev/ptpctl-test-missing";
    for (line, why) in writers(missing) {
        ptpctl(&line).failed(1, why).failed(1, "files aren't made in /dev");
    }
    ptpctl(&format!("offset --plot {missing}.svg {MOCK}")).failed(1, "files aren't made in /dev");
    let folder = Folder::new("to-dev");
    let link = folder.file("link");
    symlink(missing, &link).expect("linked");
    for (line, _) in writers(&link).into_iter().take(3) {
        ptpctl(&line).failed(1, "files aren't made in /dev");
    }
    assert!(!Path::new(missing).exists());
}

#[test]
fn the_folder_for_shared_memory_is_one_like_others() {
    if !Path::new("/dev/shm").is_dir() {
        return;
    }
    let file = format!("/dev/shm/ptpctl-test-{}.jsonl", std::process::id());
    ptpctl(&format!("record --count 3 {file} {MOCK}")).done();
    assert_eq!(fs::read_to_string(&file).expect("read").lines().count(), 3);
    fs::remove_file(&file).expect("removed");
}

#[test]
fn the_null_device_and_standard_output_are_written_to() {
    ptpctl(&format!("record --count 3 /dev/null {MOCK}")).done();
    let run = ptpctl(&format!("record --count 3 /dev/stdout {MOCK}"));
    assert_eq!(run.stdout.lines().filter(|line| line.contains("\"offset_ns\"")).count(), 3);
}

#[test]
fn an_attribute_of_the_kernel_is_not_written_to() {
    for (line, why) in writers("/proc/self/comm").into_iter().take(2) {
        ptpctl(&line).failed(1, why);
    }
}

#[test]
fn a_picture_does_not_replace_its_recording() {
    let folder = Folder::new("replaces");
    let (recording, link) = (folder.file("r.svg"), folder.file("link.svg"));
    symlink("r.svg", &link).expect("linked");
    let dotted = format!("{}/./r.svg", folder.0.display());
    for picture in [&recording, &dotted, &link] {
        ptpctl(&format!("record --count 3 {recording} --plot {picture} {MOCK}"))
            .failed(2, "is the same file");
        assert_eq!(folder.names(), ["link.svg"], "before anything is made");
    }
    ptpctl(&format!("record --count 9 {recording} {MOCK}")).done();
    let before = fs::read(&recording).expect("read");
    let hard = folder.file("hard.svg");
    fs::hard_link(&recording, &hard).expect("linked");
    for picture in [&recording, &dotted, &link, &hard] {
        for line in [
            format!("record --count 3 {recording} --plot {picture} {MOCK}"),
            format!("monitor --from {recording} --plot {picture}"),
            format!("stability --from {recording} --plot {picture}"),
        ] {
            ptpctl(&line).failed(2, "is the same file");
        }
        let from_input = fs::File::open(&recording).expect("opened");
        let mut command = program();
        command.args(["monitor", "--from", "-", "--plot", picture.as_str()]);
        run(command.stdin(Stdio::from(from_input))).failed(2, "is the same file");
    }
    assert_eq!(fs::read(&recording).expect("read"), before);
}

#[test]
fn a_picture_does_not_replace_a_mocks_state() {
    let folder = Folder::new("state");
    let state = folder.file("s.svg");
    ptpctl(&format!("set @5 mock:igb,state={state}")).done();
    let before = fs::read(&state).expect("read");
    ptpctl(&format!("offset --plot {state} mock:igb,state={state}")).failed(2, "same file");
    ptpctl(&format!("monitor --count 1 --plot {state} mock:igb,state={state}"))
        .failed(2, "same file");
    assert_eq!(fs::read(&state).expect("read"), before);
}

#[test]
fn a_picture_does_not_replace_what_is_printed() {
    let folder = Folder::new("printed");
    let picture = folder.file("p.svg");
    for command in ["monitor --json --count 3", "stability --count 20"] {
        let output = fs::File::create(&picture).expect("made");
        let mut command_line = program();
        command_line.args(command.split(' ')).args(["--plot", &picture, MOCK]);
        let failed = run(command_line.stdout(Stdio::from(output)));
        assert_eq!(failed.status, Some(2), "{failed:?}");
        assert!(failed.stderr.contains("is the same file"), "{failed:?}");
    }
}

#[test]
fn a_log_is_neither_the_state_nor_a_recording() {
    let folder = Folder::new("log");
    let (state, recording) = (folder.file("state"), folder.file("r.jsonl"));
    let mock = format!("mock:igb,state={state}");
    ptpctl(&format!("set @5 {mock}")).done();
    let before = fs::read(&state).expect("read");
    ptpctl(&format!("get {mock},log={state}")).failed(1, "it is the mock's state, too");
    assert_eq!(fs::read(&state).expect("read"), before);
    ptpctl(&format!("record --count 3 {recording} {MOCK},log={recording}"))
        .failed(2, "a mock's state or log");
    ptpctl(&format!("record --count 3 {state} {mock}")).failed(2, "a mock's state or log");
    assert_eq!(fs::read(&state).expect("read"), before);
}

#[test]
fn a_recording_that_is_removed_meanwhile_is_no_success() {
    let folder = Folder::new("removed");
    let recording = folder.file("r.jsonl");
    let child = program()
        .args(["record", "--interval", "10ms", "--duration", "1min", &recording, "mock:igb"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    while !fs::metadata(&recording).is_ok_and(|found| found.len() > 0) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    fs::remove_file(&recording).expect("removed");
    // It ends by itself, long before the duration is over.
    let output = child.wait_with_output().expect("ended");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{told}");
    assert!(told.contains("it was removed meanwhile"), "{told}");
}

#[test]
fn a_killed_writer_of_a_state_blocks_nobody() {
    let folder = Folder::new("killed");
    let state = folder.file("clock");
    ptpctl(&format!("set @5 mock:igb,state={state}")).done();
    // A killed program leaves this file. In a container each may have the same process ID.
    fs::write(folder.file(".clock.ptpctl-new"), "half").expect("written");
    ptpctl(&format!("set @6 mock:igb,state={state}")).done();
    assert_eq!(folder.names(), ["clock"]);
}

#[test]
fn a_full_disk_leaves_the_state_as_it_was_and_nothing_beside_it() {
    let folder = Folder::new("full");
    let state = folder.file("clock");
    ptpctl(&format!("set @5 mock:igb,state={state}")).done();
    let before = fs::read(&state).expect("read");
    let failed =
        run(limited("ulimit -f 0").args(["set", "@7", &format!("mock:igb,state={state}")]));
    failed.failed(1, "File too large");
    assert_eq!((fs::read(&state).expect("read"), folder.names()), (before, vec!["clock".into()]));
}

#[test]
fn a_state_behind_a_link_to_nothing_is_made_where_the_link_leads() {
    let folder = Folder::new("dangling");
    symlink("there", folder.0.join("link")).expect("linked");
    for second in [5, 6] {
        ptpctl(&format!("set @{second} mock:igb,state={}", folder.file("link"))).done();
        assert!(fs::symlink_metadata(folder.0.join("link")).expect("there").is_symlink());
        assert_eq!(folder.names(), ["link", "there"]);
    }
}

#[test]
fn a_state_keeps_its_permissions() {
    let folder = Folder::new("mode");
    let state = folder.file("clock");
    ptpctl(&format!("set @5 mock:igb,state={state}")).done();
    fs::set_permissions(&state, Permissions::from_mode(0o640)).expect("set");
    ptpctl(&format!("set @6 mock:igb,state={state}")).done();
    assert_eq!(fs::metadata(&state).expect("there").mode() & 0o777, 0o640);
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = Folder::new("dry");
    let (log, state) = (folder.file("log"), folder.file("state"));
    for command in [
        "set @5",
        "set now",
        "set-system",
        "adjtime 1s",
        "adjfreq 1ppm",
        "adjphase 5ns",
        "pin 0 extts",
        "perout --period 1s",
        "perout --off",
        "pps on",
        "vclocks 2",
        "extts",
        "extts --off",
    ] {
        ptpctl(&format!("{command} --dry-run -d mock:full,log={log},state={state}")).done();
        assert!(folder.names().is_empty(), "{command}: {:?}", folder.names());
    }
}

#[test]
fn what_the_environment_names_is_not_written_with_another_users_rights() {
    let folder = Folder::new("sudo");
    let (log, state) = (folder.file("log"), folder.file("state"));
    for variable in ["SUDO_UID", "DOAS_USER", "PKEXEC_UID"] {
        for clock in [format!("mock:full,log={log}"), format!("mock:full,state={state}")] {
            let call = |arguments: &[&str]| {
                run(program().args(arguments).env("PTPCTL_DEVICE", &clock).env(variable, "1000"))
            };
            call(&["get"]).failed(2, "name the clock on the command line");
            call(&["monitor", "--count", "1"]).failed(2, "name the clock on the command line");
            assert!(folder.names().is_empty(), "{:?}", folder.names());
            // A mock without a file is permitted.
            run(program().arg("get").env("PTPCTL_DEVICE", "mock:full").env(variable, "1000"))
                .done();
        }
    }
    run(program().arg("get").env("PTPCTL_DEVICE", format!("mock:full,log={log}"))).done();
    assert_eq!(folder.names(), ["log"]);
}
