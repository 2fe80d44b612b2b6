//! Completions in real shells, on a terminal. A test types a line with tabs in it. The shell
//! completes the line and runs it.

use crate::common::{TemporaryFile, ptpctl, start};
use crate::terminal::Terminal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// What is typed, with tabs, and what the completed line must print.
const LINES: [(&str, &str); 9] = [
    ("ptpctl adjph\t --help", "Hands a phase offset"),
    ("ptpctl get mock:cl\t", "IDT CM TOD0"),
    ("ptpctl get mock:full,uns\t", "neither: the clock is unset"),
    ("ptpctl pin --dry-run -d mock:full SDP1 ext\t", "would get the function extts"),
    (
        "ptpctl extts --dry-run -d mock:clockmatrix --pin input_ref15\t --ed\t ris\t",
        "edges  rising",
    ),
    ("ptpctl selftest --list --only time,freq\t", "reads back what was dialled"),
    ("ptpctl offset mock:igb --clock monotonic-r\t", "PHC - monotonic-raw"),
    ("ptpctl offset mock:igb --meth\t bas\t", "basic"),
    ("ptpctl stability --from /proc/self/mountin\t", "mountinfo"),
];

/// A folder in which the shells find the program under its name.
fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ptpctl-shells-{}", std::process::id()));
    let _ = fs::create_dir_all(&folder);
    make_program(&folder, &format!("exec {} \"$@\"", start().join(" ")));
    folder
}

/// Stands for ptpctl where a clock's name has spaces: what it is told shows how a shell quotes it.
fn folder_of_a_stand_in() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ptpctl-stand-in-{}", std::process::id()));
    let _ = fs::create_dir_all(&folder);
    make_program(&folder, "[ \"$1\" = __complete ] && echo 'IDT CM TOD0' || printf '<%s>' \"$@\"");
    folder
}

/// Makes a program of the name ptpctl: tests at once may make the same.
fn make_program(folder: &Path, script: &str) {
    let mine = folder.join(format!("{:?}", thread::current().id()));
    fs::write(&mine, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(&mine, fs::Permissions::from_mode(0o755)).expect("made a program");
    fs::rename(&mine, folder.join("ptpctl")).expect("named");
}

/// A shell on a terminal.
struct Shell {
    terminal: Terminal,
    child: Child,
}

impl Shell {
    fn start(program: &str, arguments: &[&str], folder: &Path) -> Self {
        let (terminal, screen) = Terminal::new(200, 50);
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
        // fish needs a controlling terminal of its own.
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", "--wait", program])
            .args(arguments)
            .env("PATH", path)
            .env("TERM", "dumb")
            .env("HOME", folder);
        command.env_remove("PTPCTL_DEVICE").env_remove("PTPCTL_RUNNER");
        let same = || screen.try_clone().expect("a terminal");
        command.stdin(Stdio::from(same())).stdout(Stdio::from(same())).stderr(Stdio::from(same()));
        Self { terminal, child: command.spawn().expect("setsid") }
    }

    /// Types keys. Returns what is drawn until it shows `wanted`.
    fn type_until(&mut self, keys: &str, wanted: &str) -> Result<String, String> {
        self.terminal.press(keys);
        self.terminal.until(|drawn| drawn.contains(wanted))
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

/// A shell that has ptpctl's completions.
fn shell_with_completions(
    shell: &str,
    arguments: &[&str],
    set_up: &str,
    folder: &Path,
) -> Option<Shell> {
    let script = TemporaryFile::new(&format!("completions-{shell}"));
    let text = ptpctl(&format!("completions {shell}")).done().stdout;
    fs::write(&script.0, text).expect("written");
    if !installed(shell) {
        assert!(std::env::var("CI").is_err(), "{shell} isn't installed");
        println!("{shell} isn't installed: its completions aren't tried");
        return None;
    }
    let mut shell = Shell::start(shell, arguments, folder);
    let set_up = format!("{set_up}source {}\n", script.0.display());
    // The shell echoes what is typed. So the typed words differ from what they print.
    shell.type_until(&set_up, "source").expect("set up");
    shell.type_until("echo be''gin\n", "begin").expect("begun");
    Some(shell)
}

/// Types lines with tabulators in them, and looks at what they print.
fn type_lines(shell: &mut Shell, lines: &[(&str, &str)]) {
    for (number, (typed, wanted)) in lines.iter().enumerate() {
        for part in typed.split_inclusive('\t') {
            // The shell needs time to draw a completion before the rest is typed.
            shell.terminal.press(part);
            thread::sleep(Duration::from_millis(700));
        }
        let end = format!("end-{number}");
        shell.terminal.press("\n");
        let drawn = shell.type_until(&format!("echo en''d-{number}\n"), &end);
        let drawn = drawn.unwrap_or_else(|drawn| panic!("{typed:?}: {drawn:?}"));
        assert!(drawn.contains(wanted), "{typed:?} doesn't print {wanted:?}: {drawn:?}");
    }
}

fn completes(shell: &str, arguments: &[&str], set_up: &str) {
    if let Some(mut shell) = shell_with_completions(shell, arguments, set_up, &folder()) {
        type_lines(&mut shell, &LINES);
    }
    let folder = folder_of_a_stand_in();
    if let Some(mut shell) = shell_with_completions(shell, arguments, set_up, &folder) {
        let lines = [
            ("ptpctl get ID\t", "<get><IDT CM TOD0>"),
            ("ptpctl get IDT\\ C\t", "<get><IDT CM TOD0>"),
        ];
        type_lines(&mut shell, &lines);
    }
}

#[test]
fn bash_completes_clocks_pins_and_the_rest() {
    completes("bash", &["--norc", "--noprofile", "-i"], "");
}

#[test]
fn zsh_completes_clocks_pins_and_the_rest() {
    completes("zsh", &["-f", "-i"], "autoload -U compinit; compinit -u -D; ");
}

#[test]
fn fish_completes_clocks_pins_and_the_rest() {
    completes("fish", &["--no-config", "--interactive"], "");
}
