//! Runs a program: starts it, answers its calls, passes on events and signals, until nobody is
//! left who could make a call.

use super::clocks::{Clock, Clocks};
use super::log::{Log, Made};
use super::processes::{children, descendants};
use super::rules::{Seen, filter};
use super::script::{Play, Wish};
use super::signals::Signals;
use super::supervisor::{Answer, Supervisor};
use super::sysfs::Sysfs;
use super::{Ended, LeftOn, Notice, Outcome, RunError, Setting, What};
use crate::kernel::supervision::abi::{Abi, Syscall, known};
use crate::kernel::supervision::listener::{Listener, Notification};
use crate::kernel::supervision::start::{NotStarted, Started, send, start};
use crate::kernel::supervision::tracing::{self, Event};
use crate::kernel::{has_capability, number_of, phc_major};
use crate::mock::SharedClock;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::unistd::Pid;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// The marks of what the loop waits for. That of a handle is this much more than its inode.
const CALLS: u64 = 0;
const SIGNALS: u64 = 1;
const TIME: u64 = 2;
const HANDLES: u64 = 3;

/// Runs `words` on these clocks; `tell` is told what the user should know at once.
///
/// # Errors
///
/// [`RunError`] where the program could not be started.
pub(crate) fn run(
    setting: Setting<'_>,
    words: &[CString],
    tell: &mut dyn FnMut(Notice),
) -> Result<Outcome, RunError> {
    let Setting { clocks: specs, wires: wiring, system, log, script } = setting;
    check_machine()?;
    if system.is_some() && !known().iter().all(tells_its_beginning) {
        return Err(RunError::SystemClock);
    }
    if let Some(script) = script {
        let fits = script.check(specs, system.is_some());
        fits.map_err(|why| RunError::Setting("the script".into(), why))?;
    }
    let clocks = Clocks::new(specs)?;
    let major = phc_major().ok().flatten().unwrap_or(FALLBACK_MAJOR);
    let system = system.map(SharedClock::new).transpose().map_err(RunError::Process)?;
    for clock in &clocks.0 {
        if let Some(system) = &system {
            clock.mock.share_system_clock(system);
        }
    }
    let seen = Seen { interfaces: clocks.have_interfaces(), system: system.is_some() };
    let filter = filter(seen);
    let sysfs = Sysfs::new(&clocks, major).map_err(RunError::Files)?;
    let supervisor = Supervisor::new(clocks, wiring, sysfs, major, system)?;
    // A daemon whose parent ends becomes a child of this process, which may read its memory.
    prctl::set_child_subreaper(true).map_err(RunError::Process)?;
    let (signals, blocked_before) = Signals::catch().map_err(RunError::Process)?;
    let Started { process, listener } =
        start(words, &filter, &blocked_before).map_err(|error| why(error, words))?;
    // Not before: the program has the limit that it would have.
    raise_limit_of_files();
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(RunError::Process)?;
    let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(RunError::Process)?;
    let log = log.map(Log::new);
    let mut watch = Watch {
        supervisor,
        listener,
        signals,
        timer,
        is_set: false,
        epoll,
        program: process,
        ended: None,
        log,
        log_ends: None,
        play: script.map(Play::new),
    };
    let ended = watch.until_the_end(tell).map_err(RunError::Process)?;
    let left = left_on(&watch.supervisor.clocks);
    let judged = watch.play.map_or(Vec::new(), |play| play.judge(ended, &left));
    Ok(Outcome { ended, left, judged })
}

pub(super) fn why(error: NotStarted, words: &[CString]) -> RunError {
    match error {
        NotStarted::Program(errno) => {
            let name = words.first().map(|name| name.to_string_lossy().into_owned());
            RunError::Program(name.unwrap_or_default(), errno)
        }
        NotStarted::Filter(errno) => RunError::Filter(errno),
        NotStarted::Process(errno) => RunError::Process(errno),
    }
}

/// What is still on.
fn left_on(clocks: &Clocks) -> Vec<LeftOn> {
    let of_clock = |clock: &Clock| {
        let timestamps = clock.mock.extts_that_are_on().into_iter().map(What::Timestamps);
        let outputs = clock.mock.perouts_that_are_on().into_iter().map(What::Output);
        let pps = clock.mock.pps_is_on().then_some(What::Pps);
        let all: Vec<_> = timestamps.chain(outputs).chain(pps).collect();
        let clock = clock.path();
        all.into_iter().map(move |what| LeftOn { clock: clock.clone(), what })
    };
    // What is on of a card that has gone has gone with it.
    clocks.0.iter().filter(|clock| !clock.mock.has_gone()).flat_map(of_clock).collect()
}

/// Refuses a machine where no program's memory can be read.
fn check_machine() -> Result<(), RunError> {
    if known().is_empty() {
        return Err(RunError::Processor);
    }
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let scope = scope.trim().parse().unwrap_or(0);
    if scope == 3 || scope == 2 && !may_trace() { Err(RunError::Yama(scope)) } else { Ok(()) }
}

/// Whether a program makes a call at its beginning, in which its vDSO can be replaced.
fn tells_its_beginning(abi: &Abi) -> bool {
    let begins = |call: &Syscall| {
        matches!(call, Syscall::ArchPrctl | Syscall::SetThreadArea | Syscall::Begin)
    };
    abi.calls.iter().any(|(_, call)| begins(call))
}

/// `CAP_SYS_PTRACE`.
const MAY_TRACE: u32 = 19;

fn may_trace() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    has_capability(&status, MAY_TRACE).unwrap_or(false)
}

/// The major number of the clocks where this kernel has no PHCs. It is one of those that are left
/// to local use.
const FALLBACK_MAJOR: u32 = 247;

/// Each open clock takes a descriptor of this process.
fn raise_limit_of_files() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where it can't be raised, opens fail a little earlier.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

struct Watch<'a> {
    supervisor: Supervisor,
    listener: Listener,
    signals: Signals,
    /// Wakes the loop when something may come, to the nanosecond.
    timer: TimerFd,
    is_set: bool,
    epoll: Epoll,
    /// The program that was started.
    program: Pid,
    /// How it ended.
    ended: Option<Ended>,
    log: Option<Log>,
    /// Why the log ended.
    log_ends: Option<io::Error>,
    /// The script, where there is one.
    play: Option<Play<'a>>,
}

impl Watch<'_> {
    fn until_the_end(&mut self, tell: &mut dyn FnMut(Notice)) -> nix::Result<Ended> {
        let readable = EpollFlags::EPOLLIN;
        self.epoll.add(self.listener.as_fd(), EpollEvent::new(readable, CALLS))?;
        self.epoll.add(self.signals.as_fd(), EpollEvent::new(readable, SIGNALS))?;
        self.epoll.add(self.timer.as_fd(), EpollEvent::new(readable, TIME))?;
        let (mut told, mut told_of_reading) = (false, false);
        loop {
            let next_happening = self.play_on(tell);
            let next_event = self.supervisor.pass_events();
            self.wake_after(next_event.into_iter().chain(next_happening).min())?;
            let mut events = [EpollEvent::empty(); 8];
            let number = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Err(Errno::EINTR) => 0,
                other => other?,
            };
            for event in events.iter().take(number) {
                match event.data() {
                    CALLS if event.events().contains(readable) => self.answer_next(),
                    // Nobody is left under the filter.
                    CALLS => return self.wait_for_the_end(),
                    SIGNALS => self.take_signals(),
                    // What the time has brought is passed on above.
                    TIME => {}
                    handle => self.supervisor.handles.close(handle - HANDLES),
                }
            }
            if let Some(thread) = self.supervisor.unreadable.take()
                && !told_of_reading
            {
                told_of_reading = true;
                tell(Notice::CantRead(thread));
            }
            if let Some(error) = self.log_ends.take() {
                tell(Notice::LogEnds(error));
            }
            if let Some(errno) = self.supervisor.unseen.take() {
                tell(Notice::SeesTheMachinesClock(errno));
            }
            if self.ended.is_some() && !told {
                told = true;
                let left = children();
                if !left.is_empty() {
                    tell(Notice::GoesOn(left));
                }
            }
        }
    }

    /// Goes on with the script; answers how long until something happens in it.
    fn play_on(&mut self, tell: &mut dyn FnMut(Notice)) -> Option<Duration> {
        let play = self.play.as_mut()?;
        let (next, wish) = play.go_on(&mut self.supervisor, self.ended.is_some(), tell);
        let signal = match wish {
            Some(Wish::End) => libc::SIGTERM,
            Some(Wish::Kill) => libc::SIGKILL,
            None => return next,
        };
        for (process, _) in descendants() {
            let _ = send(process, signal);
        }
        next
    }

    /// Sets the timer to the next moment at which something may come, or off.
    fn wake_after(&mut self, next: Option<Duration>) -> nix::Result<()> {
        let was_set = std::mem::replace(&mut self.is_set, next.is_some());
        match next {
            // Setting it also takes back that it has run out. No time at all would switch it off.
            Some(next) => {
                let next = TimeSpec::from_duration(next.max(Duration::from_nanos(1)));
                self.timer.set(Expiration::OneShot(next), TimerSetTimeFlags::empty())
            }
            None if was_set => self.timer.unset(),
            None => Ok(()),
        }
    }

    /// Answers the next call. A program that was killed meanwhile needs no answer.
    fn answer_next(&mut self) {
        let Ok(call) = self.listener.receive() else { return };
        let answer = self.supervisor.answer(&self.listener, &call);
        let made = self.supervisor.made.take();
        if let (Some(made), Answer::Answered(answered)) = (&made, &answer) {
            self.note_call(call.thread, made, *answered);
        }
        let _ = match answer {
            Answer::Native => self.listener.go_on(&call),
            Answer::Answered(answered) => self.listener.answer(&call, answered.map_err(number_of)),
            Answer::File(file, flags) => {
                let added = self.listener.answer_with(
                    &call,
                    file.as_fd(),
                    flags.contains(OFlag::O_CLOEXEC),
                );
                self.refuse_where_it_failed(&call, added)
            }
            Answer::Clock(identity, theirs, flags) => {
                let added = self.listener.answer_with(
                    &call,
                    theirs.as_fd(),
                    flags.contains(OFlag::O_CLOEXEC),
                );
                drop(theirs);
                match self.supervisor.handles.get(identity) {
                    // The last close shows as an error, which needs not be asked for.
                    Some(handle) if added.is_ok() => {
                        let nothing =
                            EpollEvent::new(EpollFlags::empty(), identity.inode + HANDLES);
                        let _ = handle.fd().map(|fd| self.epoll.add(fd, nothing));
                    }
                    _ => self.supervisor.handles.close(identity.inode),
                }
                if let Some(made) = &made {
                    self.note_call(call.thread, made, added.map(i64::from));
                }
                self.refuse_where_it_failed(&call, added)
            }
        };
    }

    fn note_call(&mut self, thread: i32, made: &Made, answer: nix::Result<i64>) {
        let written = self.log.as_mut().map_or(Ok(()), |log| log.write(thread, made, answer));
        if let Err(error) = written {
            self.log = None;
            self.log_ends = Some(error);
        }
    }

    fn refuse_where_it_failed(
        &self,
        call: &Notification,
        added: nix::Result<i32>,
    ) -> nix::Result<()> {
        match added {
            Ok(_) => Ok(()),
            Err(errno) => self.listener.answer(call, Err(errno as i32)),
        }
    }

    fn take_signals(&mut self) {
        for number in self.signals.came() {
            if number == libc::SIGCHLD {
                self.reap();
            } else {
                self.pass_on(number);
            }
        }
    }

    fn pass_on(&self, signal: i32) {
        if self.ended.is_none() {
            let _ = send(self.program, signal);
            return;
        }
        for (process, _) in children() {
            let _ = send(process, signal);
        }
    }

    /// Takes notice of all children that have ended, also those of daemons.
    fn reap(&mut self) {
        while let Ok(Some((process, event))) = tracing::next(false) {
            self.note(process, event);
        }
    }

    fn note(&mut self, process: Pid, event: Event) {
        let ended = match event {
            Event::Exited(status) => Ended::Exited(status),
            Event::Killed(signal) => Ended::Killed(signal),
            // It was traced to replace its vDSO, which is done.
            stopped => {
                let _ = tracing::let_go(process, stopped);
                return;
            }
        };
        if process != self.program {
            return;
        }
        self.ended = Some(ended);
        if let Some(play) = &mut self.play {
            play.program_ended(&self.supervisor);
        }
    }

    /// Newer kernels tell that nobody is left before the last process can be waited for.
    fn wait_for_the_end(&mut self) -> nix::Result<Ended> {
        loop {
            if let Some(ended) = self.ended {
                return Ok(ended);
            }
            match tracing::next(true) {
                Err(Errno::EINTR) | Ok(None) => {}
                Ok(Some((process, event))) => self.note(process, event),
                Err(errno) => return Err(errno),
            }
        }
    }
}
