//! A measurement that is drawn on a terminal, and obeys keys.

use crate::common::{TemporaryFile, pid, program};
use crate::terminal::Terminal;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The end of each picture.
const DRAWN: &str = "\x1b[?2026l";

/// What the kernel says of a terminal: some C libraries leave the rest of the struct as it was.
fn settings_of(terminal: &Termios) -> impl PartialEq + std::fmt::Debug + use<> {
    let flags = (terminal.input_flags, terminal.output_flags, terminal.control_flags);
    (flags, terminal.local_flags, terminal.control_chars[..19].to_vec())
}

/// `monitor` on a terminal.
struct Monitor {
    terminal: Terminal,
    child: Child,
    /// The settings of the terminal that it found.
    found: Termios,
}

impl Monitor {
    /// One that has drawn something.
    fn start(columns: u16, rows: u16) -> Self {
        let (mut terminal, screen) = Terminal::new(columns, rows);
        let found = tcgetattr(&screen).expect("its settings");
        let child = program()
            .args(["monitor", "--interval", "10ms", "mock:igb"])
            .stdin(screen.try_clone().expect("a terminal"))
            .stdout(screen)
            .stderr(Stdio::piped())
            // Ctrl-Z stops all of a job.
            .process_group(0)
            .spawn()
            .expect("started");
        terminal.until(|drawn| drawn.contains(DRAWN)).expect("a picture");
        Self { terminal, child, found }
    }

    fn settings(&self) -> Termios {
        tcgetattr(&self.terminal.keyboard).expect("its settings")
    }

    /// Waits until the terminal has settings that are wanted.
    fn until_settings(&self, wanted: impl Fn(&Termios) -> bool) {
        let began = Instant::now();
        while !wanted(&self.settings()) {
            assert!(
                began.elapsed() < Duration::from_mins(1),
                "{:?}",
                settings_of(&self.settings())
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for a picture that was begun after all that was pressed has arrived.
    fn next_picture(&mut self) -> String {
        let two = |drawn: &str| drawn.matches(DRAWN).count() >= 2;
        self.terminal.until(two).expect("two pictures")
    }

    /// Sends a signal.
    fn signal(&self, signal: Signal) {
        kill(pid(&self.child), signal).expect("sent");
    }

    /// What it drew, and how it ended. The terminal must be as it was.
    fn ended(mut self) -> (String, ExitStatus) {
        let status = self.child.wait().expect("ended");
        assert_eq!(
            settings_of(&self.settings()),
            settings_of(&self.found),
            "the terminal's settings"
        );
        (self.terminal.all(), status)
    }
}

/// The terminal is given back, as the program ends.
fn assert_given_back(monitor: Monitor, code: Option<i32>) {
    let (drawn, status) = monitor.ended();
    for (taken, given_back) in [("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?25l", "\x1b[?25h")] {
        assert!(drawn.contains(taken) && drawn.contains(given_back), "{drawn:?}");
    }
    assert!(drawn.contains("mock:igb"), "{drawn:?}");
    assert_eq!(status.code(), code, "{status:?}");
}

#[test]
fn it_draws_and_a_key_ends_it() {
    for (columns, rows, keys) in [(80, 24, "q"), (200, 60, " u0+-brq"), (20, 3, "\x03")] {
        let mut monitor = Monitor::start(columns, rows);
        monitor.terminal.press(keys);
        assert_given_back(monitor, Some(0));
    }
}

#[test]
fn a_signal_ends_it_and_the_terminal_is_given_back() {
    for signal in [Signal::SIGTERM, Signal::SIGQUIT] {
        let monitor = Monitor::start(80, 24);
        monitor.signal(signal);
        assert_given_back(monitor, None);
    }
}

#[test]
fn the_bytes_of_an_arrow_may_come_one_by_one() {
    let mut monitor = Monitor::start(80, 24);
    for byte in b"\x1b[A" {
        monitor.terminal.press([*byte]);
        thread::sleep(Duration::from_millis(5));
    }
    monitor.next_picture();
    monitor.terminal.press("q");
    assert_given_back(monitor, Some(0));
}

#[test]
fn whatever_is_typed_does_no_harm() {
    let mut monitor = Monitor::start(80, 24);
    let sequences: [&[u8]; 9] = [
        b"\x1b[M",
        b"\x1b[<M",
        b"\x1b[1",
        b"\x1b[1;M",
        b"\x1b[999999~",
        b"\x1bOP",
        b"\x1bx",
        "äβ€".as_bytes(),
        b"\xff\x00\x7f",
    ];
    for sequence in sequences {
        monitor.terminal.press(sequence);
        monitor.next_picture();
    }
    monitor.terminal.press("~q");
    assert_given_back(monitor, Some(0));
}

/// How many offsets a picture counts.
fn count(picture: &str) -> Option<u32> {
    picture.split("  n ").nth(1)?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[test]
fn keys_change_what_is_drawn() {
    let mut monitor = Monitor::start(80, 24);
    let mut press_until = |key: &str, wanted: &dyn Fn(&str) -> bool| {
        monitor.terminal.press(key);
        monitor.terminal.until(wanted).unwrap_or_else(|drawn| panic!("after {key:?}: {drawn}"))
    };
    let some = |drawn: &str, wanted: &dyn Fn(&str) -> bool| {
        let pictures =
            drawn.split("\x1b[?2026h").skip(1).filter(|picture| picture.ends_with(DRAWN));
        pictures.into_iter().any(wanted)
    };
    press_until(" ", &|drawn| some(drawn, &|picture| picture.contains("paused")));
    press_until(" ", &|drawn| some(drawn, &|picture| !picture.contains("paused")));
    press_until("", &|drawn| some(drawn, &|picture| count(picture) > Some(20)));
    // It begins anew.
    press_until("r", &|drawn| some(drawn, &|picture| count(picture).is_some_and(|n| n < 20)));
    press_until("q", &|_| true);
    assert_given_back(monitor, Some(0));
}

#[test]
fn ctrl_z_gives_the_terminal_back_until_it_goes_on() {
    let mut monitor = Monitor::start(80, 24);
    monitor.terminal.press("\x1a");
    let stopped = waitpid(pid(&monitor.child), Some(WaitPidFlag::WUNTRACED)).expect("waited");
    assert_eq!(stopped, WaitStatus::Stopped(pid(&monitor.child), Signal::SIGTSTP));
    let flags = monitor.settings().local_flags;
    assert!(flags.contains(LocalFlags::ECHO | LocalFlags::ICANON));
    monitor.signal(Signal::SIGCONT);
    monitor.until_settings(|settings| !settings.local_flags.contains(LocalFlags::ICANON));
    monitor.terminal.press("q");
    assert_given_back(monitor, Some(0));
}

#[test]
fn what_was_stopped_takes_the_terminal_again() {
    let mut monitor = Monitor::start(80, 24);
    let taken = monitor.settings();
    monitor.signal(Signal::SIGSTOP);
    let stopped = waitpid(pid(&monitor.child), Some(WaitPidFlag::WUNTRACED)).expect("waited");
    assert_eq!(stopped, WaitStatus::Stopped(pid(&monitor.child), Signal::SIGSTOP));
    // A shell does this when it takes the terminal back.
    let mut cooked = taken.clone();
    cooked.local_flags.insert(LocalFlags::ECHO | LocalFlags::ICANON);
    tcsetattr(&monitor.terminal.keyboard, SetArg::TCSANOW, &cooked).expect("set");
    monitor.signal(Signal::SIGCONT);
    monitor.until_settings(|settings| settings_of(settings) == settings_of(&taken));
    monitor.terminal.press("q");
    let (drawn, status) = monitor.ended();
    assert_eq!(status.code(), Some(0));
    assert_eq!(drawn.matches("\x1b[?1049h").count(), 2, "{drawn:?}");
}

/// What a command writes to standard error, on a terminal of 80 columns.
fn told(arguments: &str) -> String {
    let (terminal, screen) = Terminal::new(80, 24);
    let mut child = program()
        .args(arguments.split(' '))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(screen)
        .spawn()
        .expect("started");
    let told = terminal.all();
    assert!(child.wait().expect("ended").success());
    told
}

#[test]
fn it_is_shown_how_long_measuring_takes_yet() {
    let recording = TemporaryFile::with_extension("progress", "jsonl");
    let record = format!("record --duration 1500ms --interval 50ms {}", recording.0.display());
    for command in [record.as_str(), "stability --duration 1500ms --interval 50ms"] {
        let told = told(&format!("{command} mock:igb"));
        assert!(told.starts_with("\r1s, 1s left: "), "{told:?}");
        assert!(told.contains(" readings, the last "), "{told:?}");
        // The line is cleared at the end.
        let last = told.trim_end_matches('\r').rsplit('\r').next();
        assert!(last.is_some_and(|last| last.trim().is_empty()), "{told:?}");
    }
    let short = "stability --count 5 --interval 10ms mock:igb,time=virtual";
    assert_eq!(told(short), "", "what ends soon shows nothing");
}
