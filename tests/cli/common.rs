//! Runs the program as people do.

use crate::schema;
use nix::unistd::Pid;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The words that start the program. If it is built for another processor, they begin with its
/// emulator.
pub(crate) fn start() -> Vec<String> {
    let runner = std::env::var("PTPCTL_RUNNER").unwrap_or_default();
    let words = runner.split_whitespace().map(str::to_owned);
    words.chain([env!("CARGO_BIN_EXE_ptpctl").to_owned()]).collect()
}

/// The program, without the environment variables that it would read.
pub(crate) fn program() -> Command {
    let start = start();
    let mut command = Command::new(&start[0]);
    command.args(&start[1..]).stdin(Stdio::null());
    for variable in ["PTPCTL_DEVICE", "SUDO_UID", "DOAS_USER", "PKEXEC_UID"] {
        command.env_remove(variable);
    }
    command
}

pub(crate) fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a pid"))
}

/// Runs the program with arguments as a shell would split them; `'…'` keeps blanks.
pub(crate) fn ptpctl(line: &str) -> Run {
    let mut arguments = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => arguments.push(String::new()),
            c => arguments.last_mut().expect("an argument").push(c),
        }
    }
    run(program().args(arguments))
}

/// The program under a limit that a shell sets.
pub(crate) fn limited(limit: &str) -> Command {
    let mut command = Command::new("sh");
    let program = start().join(" ");
    command.args(["-c", &format!("{limit} && exec {program} \"$@\""), "sh"]);
    command.env_remove("PTPCTL_DEVICE").stdin(Stdio::null());
    command
}

pub(crate) fn run(command: &mut Command) -> Run {
    let Output { status, stdout, stderr } = command.output().expect("the program runs");
    let run = Run {
        status: status.code(),
        stdout: String::from_utf8(stdout).expect("text"),
        stderr: String::from_utf8(stderr).expect("text"),
    };
    // Every JSON object must keep to the schema, whatever the test checks.
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    schema::check_run(&arguments.collect::<Vec<_>>(), &run.stdout, &run.stderr);
    run
}

impl Run {
    /// It succeeded, and wrote nothing to standard error.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        self
    }

    /// It failed with this status, gave the reason on standard error, and printed nothing.
    #[track_caller]
    pub(crate) fn failed(self, status: i32, why: &str) -> Self {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert!(self.stderr.contains(why), "{why:?} is not in {self:?}");
        assert_eq!(self.stdout, "", "nothing is made up after a failure");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }

    /// The object that was printed.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("{error}: {self:?}"),
        }
    }

    /// The objects that were printed, one a line.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        let objects = self.stdout.lines().map(serde_json::from_str);
        objects.collect::<Result<_, _>>().expect("JSON lines")
    }
}

/// A file of this test's own, removed at the end.
pub(crate) struct TemporaryFile(pub(crate) PathBuf);

impl TemporaryFile {
    pub(crate) fn new(name: &str) -> Self {
        let file = format!("ptpctl-test-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(file);
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    /// A file whose name has this extension, which tells its format.
    pub(crate) fn with_extension(name: &str, extension: &str) -> Self {
        Self::new(&format!("{name}.{extension}"))
    }

    /// A mock clock that is kept in this file.
    pub(crate) fn mock(&self, settings: &str) -> String {
        format!("mock:{settings},state={}", self.0.display())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
        // Also remove the journals of programs that were killed or could not put something back.
        let name = self.0.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let beside = format!("{name}.");
        for entry in std::env::temp_dir().read_dir().into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(&beside)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// A folder of a test's own.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ptpctl-test-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("made");
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("listed").flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
