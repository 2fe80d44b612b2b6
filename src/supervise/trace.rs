//! Watches a program's calls on real clocks.
//!
//! A seccomp filter marks the calls that may be on a clock, and ptrace stops the program before and
//! after each of them; all its other calls cost nothing. Under another supervisor, whose listener
//! takes these calls, ptrace stops it at all calls.

mod calls;
mod clocks;
mod facts;

pub(crate) use facts::facts;

use super::processes::children;
use super::signals::Signals;
use super::{Ended, RunError};
use crate::kernel::Exchange;
use crate::kernel::Traced;
use crate::kernel::supervision::abi::{Abi, Syscall, Word, known};
use crate::kernel::supervision::filter::{Fate, Rule, Test, filter};
use crate::kernel::supervision::memory::Memory;
use crate::kernel::supervision::start::{NotStarted, is_supervised, send, start_watched};
use crate::kernel::supervision::timex32::cut;
use crate::kernel::supervision::tracing::{self, AtCall, Event, Next};
use crate::kernel::uapi::PTP_CLK_MAGIC;
use calls::{Caller, NO_TIME};
use clocks::Clocks;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::ffi::CString;
use std::fs;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The bit of `SECCOMP_FILTER_FLAG_NEW_LISTENER`.
const NEW_LISTENER: u32 = 3;

/// What the watcher is told.
pub(crate) enum Seen<'a> {
    /// A call on a clock.
    Call(&'a Traced),
    /// The program has ended, but these processes of it go on.
    GoesOn(Vec<(Pid, String)>),
    /// This program has another supervisor answer the calls of what it starts: they aren't seen.
    Hidden(String),
}

/// Whether the watcher wants to see more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    More,
    /// The program is to end.
    End,
}

/// Runs `words`, and tells each of its calls on clocks. Answers how it ended.
///
/// # Errors
///
/// [`RunError`] where the program could not be started.
pub(crate) fn trace(
    words: &[CString],
    tell: &mut dyn FnMut(Seen<'_>) -> Wants,
) -> Result<Ended, RunError> {
    if known().is_empty() {
        return Err(RunError::Processor);
    }
    let (signals, blocked_before) = Signals::catch().map_err(RunError::Process)?;
    let next = if is_supervised() { Next::ToCall } else { Next::Run };
    let filter = filter(rules);
    let filter = (next == Next::Run).then_some(filter.as_slice());
    let program =
        start_watched(words, filter, &blocked_before).map_err(|error| why(error, words))?;
    let watch = Watch {
        program,
        next,
        since: Instant::now(),
        ended: None,
        clocks: Clocks::default(),
        names: HashMap::new(),
        pending: HashMap::new(),
        tell,
    };
    watch.until_the_end(&signals).map_err(RunError::Process)
}

fn why(error: NotStarted, words: &[CString]) -> RunError {
    match error {
        NotStarted::Filter(errno) | NotStarted::Process(errno) => RunError::Trace(errno),
        program @ NotStarted::Program(_) => super::run::why(program, words),
    }
}

/// The calls that may be on a clock.
fn rules(call: Syscall) -> Vec<Rule> {
    let test = |argument, shift, mask, value| Test { argument, shift, mask, value };
    let marked = |tests| Rule { tests, fate: Fate::Marked };
    // A descriptor's clock id is negative, and ends with 3.
    let of_device = || marked(vec![test(0, 31, 1, 1), test(0, 0, 7, 3)]);
    let of_system = || marked(vec![test(0, 0, u32::MAX, 0)]);
    match call {
        Syscall::Open
        | Syscall::Creat
        | Syscall::Openat
        | Syscall::Openat2
        | Syscall::Adjtimex
        | Syscall::Settimeofday
        | Syscall::Stime => vec![Rule::always(Fate::Marked)],
        Syscall::Ioctl => vec![marked(vec![test(1, 8, 0xff, PTP_CLK_MAGIC)])],
        // Events have 32 bytes; other reads have other lengths, or more.
        Syscall::Read => vec![marked(vec![test(2, 0, 31, 0), test(2, 12, 0xf_ffff, 0)])],
        Syscall::ClockGettime(_) | Syscall::ClockGetres(_) => vec![of_device()],
        Syscall::Seccomp => vec![marked(vec![test(1, NEW_LISTENER, 1, 1)])],
        Syscall::ClockSettime(_) | Syscall::ClockAdjtime(_) => vec![of_device(), of_system()],
        _ => Vec::new(),
    }
}

struct Watch<'a> {
    program: Pid,
    /// How threads go on after a stop.
    next: Next,
    since: Instant,
    ended: Option<Ended>,
    clocks: Clocks,
    /// The process of a thread, and the name of its program.
    names: HashMap<Pid, (i32, String)>,
    /// Calls that have begun.
    pending: HashMap<Pid, Pending>,
    tell: &'a mut dyn FnMut(Seen<'_>) -> Wants,
}

/// A call that has begun.
struct Pending {
    at: Duration,
    clock: String,
    exchange: Exchange,
    caller: Caller,
    /// Where its answer will be.
    into: u64,
    word: Word,
}

impl Watch<'_> {
    fn until_the_end(mut self, signals: &Signals) -> nix::Result<Ended> {
        loop {
            match tracing::next(false) {
                Ok(Some((thread, event))) => self.handle(thread, event),
                Ok(None) => {
                    let wait = PollFd::new(signals.as_fd(), PollFlags::POLLIN);
                    match poll(&mut [wait], PollTimeout::NONE) {
                        Err(errno) if errno != Errno::EINTR => return Err(errno),
                        _ => {}
                    }
                    self.pass_on(signals);
                }
                // Nobody is left.
                Err(Errno::ECHILD) => return self.ended.ok_or(Errno::ECHILD),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    fn handle(&mut self, thread: Pid, event: Event) {
        // A thread that was killed meanwhile can't go on, which its end will tell.
        let _ = match event {
            Event::Exited(status) => return self.end(thread, Ended::Exited(status)),
            Event::Killed(signal) => return self.end(thread, Ended::Killed(signal)),
            Event::GroupStop => tracing::stay_stopped(thread),
            Event::Signal(number) => tracing::go_on(thread, self.next, number),
            Event::Started => tracing::go_on(thread, self.next, 0),
            Event::NewProgram => {
                self.names.remove(&thread);
                self.pending.remove(&thread);
                tracing::go_on(thread, self.next, 0)
            }
            Event::Call => {
                let next = match tracing::at_call(thread) {
                    Ok(AtCall::Begins { arch, number, arguments }) => {
                        self.begin(thread, arch, number, arguments)
                    }
                    Ok(AtCall::Ended(answer)) => {
                        self.finish(thread, answer);
                        self.next
                    }
                    Ok(AtCall::None) | Err(_) => self.next,
                };
                tracing::go_on(thread, next, 0)
            }
        };
    }

    /// A call begins; answers how far its thread may go on.
    fn begin(&mut self, thread: Pid, arch: u32, number: u32, arguments: [u64; 6]) -> Next {
        let abi = known().iter().find(|abi| abi.arch == arch);
        let Some((abi, call)) = abi.and_then(|abi| Some((abi, abi.call(number)?))) else {
            return self.next;
        };
        let [operation, flags, ..] = arguments;
        if call == Syscall::Seccomp
            && int(operation).cast_unsigned() == libc::SECCOMP_SET_MODE_FILTER
            && flags >> NEW_LISTENER & 1 == 1
            && self.next == Next::Run
        {
            let (_, program) = self.name_of(thread);
            (self.tell)(Seen::Hidden(program));
        }
        match self.asked(thread.as_raw(), abi, call, arguments) {
            Some(pending) => {
                self.pending.insert(thread, pending);
                Next::ToCall
            }
            None => self.next,
        }
    }

    /// What is asked, if it is of a clock.
    fn asked(
        &mut self,
        thread: i32,
        abi: &'static Abi,
        call: Syscall,
        arguments: [u64; 6],
    ) -> Option<Pending> {
        let caller = Caller { memory: Memory(thread), abi };
        let [first, second, third, ..] = arguments;
        let opened = match call {
            Syscall::Open => Some((libc::AT_FDCWD, first, int(second))),
            Syscall::Creat => Some((libc::AT_FDCWD, first, libc::O_WRONLY)),
            Syscall::Openat => Some((int(first), second, int(third))),
            Syscall::Openat2 => Some((int(first), second, int(caller.memory.read(third).ok()?))),
            _ => None,
        };
        let (clock, exchange, into, word) = match opened {
            Some((folder, path, flags)) => {
                let path = caller.memory.path(path).ok()?;
                let clock = self.clocks.named(thread, folder, &path)?;
                let flags = OFlag::from_bits_retain(flags);
                let write = flags.intersects(OFlag::O_WRONLY | OFlag::O_RDWR);
                (clock, Exchange::Open { write }, 0, abi.word)
            }
            None => self.asked_of_open(caller, call, arguments)?,
        };
        let at = self.since.elapsed();
        Some(Pending { at, clock, exchange, caller, into, word })
    }

    /// What is asked of an open clock, or of the system's: the clock, the call, where its answer
    /// will be, and how wide its words are.
    fn asked_of_open(
        &mut self,
        caller: Caller,
        call: Syscall,
        [first, second, third, ..]: [u64; 6],
    ) -> Option<(String, Exchange, u64, Word)> {
        let (thread, own) = (caller.memory.0, caller.abi.word);
        let system = |exchange, into, word| Some(("system".to_owned(), exchange, into, word));
        let is_system = int(first) == libc::CLOCK_REALTIME;
        match call {
            Syscall::Ioctl if int(second).cast_unsigned() >> 8 & 0xff == PTP_CLK_MAGIC => {
                let clock = self.clocks.open_as(thread, int(first))?;
                let exchange = caller.request(int(second).cast_unsigned(), third);
                Some((clock, exchange, third, own))
            }
            Syscall::Read if third % 32 == 0 => {
                let clock = self.clocks.open_as(thread, int(first))?;
                Some((clock, Exchange::Read(Vec::new()), second, own))
            }
            Syscall::Adjtimex => system(caller.adjtime(first, own), first, own),
            // It may set the time zone only.
            Syscall::Settimeofday if first == 0 => None,
            Syscall::Settimeofday => system(caller.settimeofday(first), first, own),
            Syscall::Stime => system(caller.stime(first), first, own),
            Syscall::ClockSettime(word) if is_system => {
                system(caller.settime(second, word), second, word)
            }
            Syscall::ClockAdjtime(word) if is_system => {
                system(caller.adjtime(second, word), second, word)
            }
            Syscall::ClockGettime(word)
            | Syscall::ClockSettime(word)
            | Syscall::ClockAdjtime(word)
            | Syscall::ClockGetres(word)
                if int(first) < 0 && int(first) & 7 == 3 =>
            {
                // CLOCKID_TO_FD of the kernel's posix-timers.h.
                let clock = self.clocks.open_as(thread, !(int(first) >> 3))?;
                let exchange = match call {
                    Syscall::ClockSettime(_) => caller.settime(second, word),
                    Syscall::ClockAdjtime(_) => caller.adjtime(second, word),
                    Syscall::ClockGetres(_) => Exchange::ClockGetres(NO_TIME),
                    _ => Exchange::ClockGettime(NO_TIME),
                };
                Some((clock, exchange, second, word))
            }
            _ => None,
        }
    }

    /// A call has ended.
    fn finish(&mut self, thread: Pid, answer: Result<i64, i32>) {
        let now = self.since.elapsed();
        let Some(mut pending) = self.pending.remove(&thread) else { return };
        // The kernel makes it again after the signal that has interrupted it.
        if answer.is_err_and(is_made_again) {
            return;
        }
        if let Ok(value) = answer {
            let Pending { exchange, caller, into, word, .. } = &mut pending;
            caller.answer(exchange, *into, *word, value);
        }
        let (process, program) = self.name_of(thread);
        let Pending { at, clock, exchange, .. } = pending;
        let thread = thread.as_raw();
        let took = now.saturating_sub(at);
        let traced = Traced { at, took, program, process, thread, clock, exchange, answer };
        if (self.tell)(Seen::Call(&traced)) == Wants::End {
            let _ = send(self.program, libc::SIGTERM);
        }
    }

    /// The process of a thread, and the name of its program.
    fn name_of(&mut self, thread: Pid) -> (i32, String) {
        let found = self.names.entry(thread).or_insert_with(|| {
            let status = fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
            let field = |name: &str| {
                let value = status.lines().find_map(|line| line.strip_prefix(name));
                value.unwrap_or_default().trim().to_owned()
            };
            (field("Tgid:").parse().unwrap_or(thread.as_raw()), field("Name:"))
        });
        found.clone()
    }

    fn end(&mut self, thread: Pid, ended: Ended) {
        self.names.remove(&thread);
        self.pending.remove(&thread);
        if thread != self.program {
            return;
        }
        self.ended = Some(ended);
        let left = children();
        if !left.is_empty() {
            (self.tell)(Seen::GoesOn(left));
        }
    }

    /// Passes on the signals that were sent to this process.
    fn pass_on(&self, signals: &Signals) {
        for number in signals.came().into_iter().filter(|number| *number != libc::SIGCHLD) {
            let _ = send(self.program, number);
        }
    }
}

/// An argument that is an `int`.
fn int(argument: u64) -> i32 {
    cut(argument.cast_signed())
}

/// `ERESTARTSYS` and its kin, which the program never sees.
fn is_made_again(number: i32) -> bool {
    (512..=516).contains(&number)
}
