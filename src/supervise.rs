//! Other programs on the mock: an unmodified program runs, and its calls to PTP hardware clocks are
//! answered by mocks. Everything else that it does, the kernel does.
//!
//! A seccomp filter with a listener hands over the calls (`seccomp_unotify`(2)), so this needs no
//! privileges, and it also works for static programs. An open clock is the end of a pipe.

mod clocks;
mod guest;
mod handles;
mod log;
mod network;
mod processes;
mod requests;
mod rules;
mod run;
mod script;
mod signals;
mod supervisor;
mod sysfs;
mod system;
mod trace;
mod vdso;

pub(crate) use clocks::{ClockSpec, WireSpec};
pub(crate) use run::run;
pub(crate) use script::{Judged, Script};
pub(crate) use trace::{Seen, Wants, facts, trace};

use crate::kernel::in_words;
use crate::mock::{MockError, SystemConfig};
use nix::errno::Errno;
use nix::unistd::Pid;
use std::fs::File;
use std::path::PathBuf;
use std::{fmt, io};

/// What a program is to be run with.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    /// The clocks that it sees.
    pub(crate) clocks: &'a [ClockSpec],
    /// The wires between them.
    pub(crate) wires: &'a [WireSpec],
    /// The simulated system clock, where it is to have one.
    pub(crate) system: Option<&'a SystemConfig>,
    /// Where its calls are logged.
    pub(crate) log: Option<File>,
    /// What happens to the clocks, and what is expected.
    pub(crate) script: Option<&'a Script>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this status.
    Exited(i32),
    /// By the signal of this number, which may be one of the real-time signals.
    Killed(i32),
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) ended: Ended,
    /// What the program left on its clocks.
    pub(crate) left: Vec<LeftOn>,
    /// What came of the expectations of its script.
    pub(crate) judged: Vec<Judged>,
}

/// Something that is still on when nobody has the clock open any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOn {
    /// The clock's path.
    pub(crate) clock: String,
    pub(crate) what: What,
}

/// What can be left on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Timestamps of this channel.
    Timestamps(u32),
    /// The output of this channel.
    Output(u32),
    /// The pulse per second to the kernel.
    Pps,
}

impl fmt::Display for LeftOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Timestamps(channel) => write!(f, "timestamps of channel {channel}")?,
            What::Output(channel) => write!(f, "the output of channel {channel}")?,
            What::Pps => write!(f, "the PPS to the kernel")?,
        }
        write!(f, " of {}", self.clock)
    }
}

/// What the user should know while the program runs.
#[derive(Debug)]
pub(crate) enum Notice {
    /// The program has ended, but these processes of it go on.
    GoesOn(Vec<(Pid, String)>),
    /// This thread's memory can't be read: it sees no clocks.
    CantRead(i32),
    /// The log can't be written: from here on it isn't.
    LogEnds(io::Error),
    /// A program reads the machine's system clock, not the simulated one.
    SeesTheMachinesClock(Errno),
    /// The card of the clock at this place can't come back.
    StaysAway(usize, MockError),
}

/// Why a program could not be run.
#[derive(Debug)]
pub(crate) enum RunError {
    /// The mock of this number can't be opened.
    Clock(MockError),
    /// What was asked for can't be, and why.
    Setting(String, String),
    /// The files of sysfs can't be made.
    Files(io::Error),
    /// The log can't be opened.
    Log(PathBuf, io::Error),
    /// The recording can't be made.
    Recording(PathBuf, io::Error),
    /// The script can't be read.
    Script(PathBuf, io::Error),
    /// No program of this processor is known.
    Processor,
    /// On this processor programs read the machine's system clock without a call.
    SystemClock,
    /// The kernel lets nobody read another process's memory (Yama's `ptrace_scope`).
    Yama(u8),
    /// The program of this name could not be started.
    Program(String, Errno),
    /// The kernel has no filter that asks.
    Filter(Errno),
    /// This process can't watch over it.
    Process(Errno),
    /// It can't trace a program.
    Trace(Errno),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock(error) => error.fmt(f),
            Self::Setting(what, why) => write!(f, "{what}: {why}"),
            Self::Files(error) => {
                write!(f, "can't make the clocks' files of sysfs: {}", in_words(error))
            }
            Self::Log(path, error) => {
                write!(f, "can't write the log to {}: {}", path.display(), in_words(error))
            }
            Self::Recording(path, error) => {
                write!(f, "can't write the recording to {}: {}", path.display(), in_words(error))
            }
            Self::Script(path, error) => {
                write!(f, "can't read the script {}: {}", path.display(), in_words(error))
            }
            Self::Processor => f.write_str(
                "can't answer a program's calls on this processor: x86-64, x86 and arm64 are known",
            ),
            Self::SystemClock => f.write_str(
                "can't simulate the system clock on this processor: that is known for x86-64, x86 \
                 and arm64",
            ),
            Self::Yama(scope) => write!(
                f,
                "can't answer a program's calls: /proc/sys/kernel/yama/ptrace_scope is {scope}, so \
                 no process may read another one's memory; 0 or 1 will do",
            ),
            Self::Program(name, errno) => write!(f, "can't run '{name}': {errno}"),
            Self::Filter(Errno::EBUSY) => f.write_str(
                "can't answer a program's calls: another supervisor does that already, such as \
                 another 'mock run' or a container's",
            ),
            Self::Filter(errno) => {
                write!(
                    f,
                    "can't answer a program's calls: {errno}; Linux 5.19 or later is needed, "
                )?;
                f.write_str("with seccomp filters that have a listener")
            }
            Self::Trace(errno) => write!(
                f,
                "can't watch a program's calls: {errno}; ptrace and seccomp filters are needed, with \
                 Linux 5.3 or later, and /proc/sys/kernel/yama/ptrace_scope below 2",
            ),
            Self::Process(errno) => write!(f, "can't watch over a program: {errno}"),
        }
    }
}

impl std::error::Error for RunError {}
