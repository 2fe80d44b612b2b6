//! However `extts` ends, what it switched on is switched off.

use crate::common::{TemporaryFile, limited, pid, program, ptpctl};
use nix::sys::signal::{Signal, kill};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Stdio};

/// Starts to watch a fast signal, and waits for its first events.
pub(crate) fn watch(file: &TemporaryFile) -> (Child, BufReader<ChildStdout>) {
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

/// The numbers of the signals that end a program by default. Signals that these tests ignore, as
/// under nohup, are left out: the programs that they start ignore them, too.
fn ending_signals() -> impl Iterator<Item = i32> {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
    let ignored = u64::from_str_radix(ignored.trim(), 16).expect("a mask");
    [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGXCPU,
        Signal::SIGVTALRM,
        Signal::SIGPROF,
        Signal::SIGIO,
        Signal::SIGPWR,
        #[cfg(not(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64")))]
        Signal::SIGSTKFLT,
        Signal::SIGABRT,
        Signal::SIGALRM,
    ]
    .map(|signal| signal as i32)
    .into_iter()
    .chain([libc::SIGRTMIN(), libc::SIGRTMAX()])
    .filter(move |signal| ignored >> (*signal - 1) & 1 == 0)
}

#[track_caller]
pub(crate) fn assert_all_is_off(file: &TemporaryFile) {
    let state = std::fs::read_to_string(&file.0).expect("a state");
    assert!(state.contains("\"inputs\": {}"), "{state}");
    let pins = ptpctl(&format!("pins --json {}", file.mock("full"))).done().json();
    assert_eq!(pins["pins"][1]["function"], "none");
}

#[test]
fn a_signal_switches_off_and_then_ends_the_program() {
    for signal in ending_signals() {
        let file = TemporaryFile::new(&format!("signal-{signal}"));
        let (mut child, _events) = watch(&file);
        // Real-time signals have no name.
        let sent = std::process::Command::new("kill")
            .args([format!("-{signal}"), child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "{signal}");
        let status = child.wait().expect("ended");
        assert_eq!(status.signal(), Some(signal));
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
    // At 10 kHz the lines fill the pipe's 64 KiB in a moment.
    std::thread::sleep(std::time::Duration::from_secs(1));
    kill(pid(&child), Signal::SIGTERM).expect("sent");
    assert_eq!(child.wait().expect("ended").signal(), Some(Signal::SIGTERM as i32));
    drop(stdout);
    let state = std::fs::read_to_string(&file.0).expect("a state");
    assert!(state.contains("\"inputs\": {}"), "{state}");
}

#[test]
fn a_signal_ends_a_program_whose_complaints_nobody_reads() {
    let file = TemporaryFile::new("complaints");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    // Fill the pipe, so that it takes not a byte more.
    let mut filler = writer.try_clone().expect("a second end");
    nix::fcntl::fcntl(&filler, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))
        .expect("set");
    while std::io::Write::write(&mut filler, &[b'x'; 4096]).is_ok() {}
    while std::io::Write::write(&mut filler, b"x").is_ok() {}
    nix::fcntl::fcntl(&filler, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty()))
        .expect("set");
    // This driver refuses strict requests: a note is printed as soon as the channel is on.
    let mut child = program()
        .args(["extts", "--pin", "SDP1", "--device", &file.mock("full,lax,signal=off")])
        .stdout(Stdio::null())
        .stderr(Stdio::from(writer))
        .spawn()
        .expect("started");
    while !std::fs::read_to_string(&file.0).is_ok_and(|state| state.contains("\"0\":")) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    kill(pid(&child), Signal::SIGTERM).expect("sent");
    let began = std::time::Instant::now();
    assert_eq!(child.wait().expect("ended").signal(), Some(Signal::SIGTERM as i32));
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    drop((reader, filler));
    assert_all_is_off(&file);
}

#[test]
fn a_limit_on_the_size_of_files_switches_off_and_is_an_error() {
    let file = TemporaryFile::new("limit");
    let output = TemporaryFile::new("limit-output");
    let mut child = limited("ulimit -f 1")
        .args(["extts", "--pin", "SDP1", "--device", &file.mock("full,signal=100us")])
        .stdout(Stdio::from(std::fs::File::create(&output.0).expect("made")))
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let status = child.wait().expect("ended");
    let mut told = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut told).expect("text");
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("File too large"), "{told}");
    assert_all_is_off(&file);
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
    kill(pid(&child), Signal::SIGSTOP).expect("stopped");
    std::thread::sleep(std::time::Duration::from_millis(500));
    kill(pid(&child), Signal::SIGCONT).expect("going on");
    // The queue has kept the last 127 of about 500.
    let missing = (0..1_000).map(|_| next()["missing"].as_u64().expect("a number")).max();
    assert!(missing > Some(250), "{missing:?}");
    kill(pid(&child), Signal::SIGTERM).expect("sent");
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

/// How a run that may be ended at any moment is ended.
#[derive(Clone, Copy, Debug)]
enum End {
    Signal(i32),
    /// The reader closes the pipe. That raises SIGPIPE in programs that don't ignore it.
    ClosedPipe,
}

/// How often each end is tried for each command. `PTPCTL_SIGNALS` sets another number, such as
/// 1 000.
fn rounds() -> u64 {
    std::env::var("PTPCTL_SIGNALS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// Ends a command at random moments soon after its start, and checks the clock that it leaves.
fn end_at_random(
    command: &str,
    settings: &str,
    longest_us: u64,
    unread: i32,
    look: fn(&TemporaryFile, bool),
) {
    std::thread::scope(|scope| {
        // Other signals are handled in the same way.
        let ends = ending_signals().take(3).map(End::Signal).chain([End::ClosedPipe]);
        for (number, end) in ends.enumerate() {
            scope.spawn(move || {
                // Each thread has its own seed, so that a failure can be repeated.
                let mut random = 1 + number as u64;
                for round in 0..rounds() {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round);
                    let after = std::time::Duration::from_micros((random >> 33) % longest_us);
                    let name: String = command
                        .chars()
                        .map(|c| if c.is_alphanumeric() { c } else { '-' })
                        .collect();
                    let file = TemporaryFile::new(&format!("{name}-{number}"));
                    let mut child = program()
                        .args(command.split(' '))
                        .args(["--device", &file.mock(settings)])
                        .stdout(Stdio::piped())
                        .stderr(Stdio::null())
                        .spawn()
                        .expect("started");
                    std::thread::sleep(after);
                    match end {
                        End::ClosedPipe => drop(child.stdout.take()),
                        End::Signal(signal) => {
                            let signal = Signal::try_from(signal).expect("one with a name");
                            kill(pid(&child), signal).expect("sent");
                        }
                    }
                    // Nobody reads the pipe: it holds all output, or the signal ends the write.
                    let status = child.wait().expect("ended");
                    assert!(
                        match end {
                            End::Signal(signal) => {
                                status.signal() == Some(signal) || status.success()
                            }
                            End::ClosedPipe => {
                                status.success() || status.code() == Some(unread)
                            }
                        },
                        "{command}: {end:?} after {after:?}: {status:?}"
                    );
                    look(&file, status.success());
                }
            });
        }
    });
}

fn state(file: &TemporaryFile) -> Option<serde_json::Value> {
    // A command that ended before it began has made no state file.
    let text = std::fs::read_to_string(&file.0).ok().filter(|text| !text.is_empty())?;
    Some(serde_json::from_str(&text).expect("a whole state"))
}

pub(crate) fn no_journal_is_left(file: &TemporaryFile) {
    let name = file.0.file_name().expect("a name").to_str().expect("text").to_owned();
    let folder = file.0.parent().expect("a folder");
    let left = std::fs::read_dir(folder).expect("a folder").flatten().find(|entry| {
        entry.file_name().to_str().is_some_and(|other| other.starts_with(&format!("{name}.left")))
    });
    assert!(left.is_none(), "{left:?}");
}

#[test]
fn extts_leaves_nothing_on_at_whatever_moment_it_ends() {
    end_at_random("extts --pin SDP1 --timeout 1s", "full,signal=1ms", 12_000, 0, |file, _| {
        if let Some(state) = state(file) {
            assert_eq!(
                (&state["inputs"], &state["pins"][1]),
                (&serde_json::json!({}), &serde_json::json!([0, 0]))
            );
        }
        no_journal_is_left(file);
    });
}

#[test]
fn perout_is_wholly_on_or_wholly_off_at_whatever_moment_it_ends() {
    end_at_random("perout --period 1s --pin SDP1", "full", 6_000, 0, |file, done| {
        let Some(state) = state(file) else {
            assert!(!done);
            return;
        };
        let is_on = !state["outputs"].as_object().expect("outputs").is_empty();
        let has_pin = state["pins"][1][0] != 0;
        assert_eq!((is_on, has_pin), (done, done), "{state}");
        no_journal_is_left(file);
    });
}

#[test]
fn selftest_leaves_the_clock_as_it_was_at_whatever_moment_it_ends() {
    let command = "selftest --yes --loop 0:1";
    end_at_random(command, "full,time=virtual,loop=0:1", 40_000, 1, |file, _| {
        let Some(state) = state(file) else { return };
        assert_eq!(state["inputs"], serde_json::json!({}), "{state}");
        assert_eq!(state["outputs"], serde_json::json!({}), "{state}");
        assert_eq!((&state["dialled"], &state["phase_register"]), (&0.into(), &0.into()));
        let pins = state["pins"].as_array().expect("pins");
        assert!(pins.iter().all(|pin| pin[0] == 0), "{state}");
        no_journal_is_left(file);
        // The time is within a microsecond of where it would be.
        let offset = ptpctl(&format!("offset --json {}", file.mock("full,time=virtual"))).done();
        let offset = offset.json()["offset_ns"].as_i64().expect("an offset");
        assert!(offset.abs() <= 1_000, "off by {offset} ns");
    });
}
