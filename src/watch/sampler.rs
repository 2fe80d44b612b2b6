//! The thread that reads sources on a schedule, undisturbed by whatever is done with the measurements.

use super::reading::{Outcome, Reading};
use super::schedule::Schedule;
use super::source::Source;
use crate::kernel::{Errno, lock_memory, pin_to_cpu, run_in_real_time};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

/// How the measuring thread is to be treated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Isolation {
    /// On this processor only.
    pub cpu: Option<usize>,
    /// With `SCHED_FIFO` and locked memory, where that is permitted.
    pub real_time: bool,
}

/// A part of an isolation that was refused: measuring goes on without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was refused.
    pub what: Privilege,
    /// The error of asking for it.
    pub errno: Errno,
}

/// A privilege that makes measuring better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Privilege {
    /// `SCHED_FIFO`.
    RealTime,
    /// Memory that isn't swapped out.
    LockedMemory,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, how) = match self.what {
            Privilege::RealTime => ("SCHED_FIFO", "it needs CAP_SYS_NICE or 'ulimit -r 1'"),
            Privilege::LockedMemory => {
                ("locked memory", "it needs CAP_IPC_LOCK or 'ulimit -l unlimited'")
            }
        };
        write!(f, "measuring goes on without {what}: {}; {how}", self.errno)
    }
}

/// Why measuring can't begin, or ended by itself.
#[derive(Debug)]
#[non_exhaustive]
pub enum SamplerError {
    /// No thread can be started.
    Thread(io::Error),
    /// The process has no such processor.
    Processor(usize, Errno),
    /// The thread ended unexpectedly, through a defect of this library.
    Defect,
}

impl fmt::Display for SamplerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thread(error) => write!(f, "can't start a thread: {error}"),
            Self::Processor(cpu, errno) => {
                write!(f, "can't measure on processor {cpu}: this process can't use it: {errno}")
            }
            Self::Defect => f.write_str("measuring ended because of a defect of the library"),
        }
    }
}

impl std::error::Error for SamplerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
            Self::Processor(_, errno) => Some(errno),
            Self::Defect => None,
        }
    }
}

impl Isolation {
    /// Applies this to the calling thread; returns what isn't permitted.
    ///
    /// # Errors
    ///
    /// [`SamplerError::Processor`] for a processor that isn't there.
    pub fn apply(self) -> Result<Vec<Refusal>, SamplerError> {
        if let Some(cpu) = self.cpu {
            pin_to_cpu(cpu).map_err(|errno| SamplerError::Processor(cpu, errno))?;
        }
        if !self.real_time {
            return Ok(Vec::new());
        }
        let asked =
            [(Privilege::RealTime, run_in_real_time()), (Privilege::LockedMemory, lock_memory())];
        let refused = |(what, answer): (_, Result<(), Errno>)| {
            answer.err().map(|errno| Refusal { what, errno })
        };
        Ok(asked.into_iter().filter_map(refused).collect())
    }
}

/// The most batches that wait to be taken; then measuring waits, too.
const BATCHES: usize = 256;
/// Readings of a fast schedule are handed over together, but not later than this.
const TOGETHER: Duration = Duration::from_millis(20);
/// How long the end waits for a measurement that is under way.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is checked, at least, whether to stop.
const SLICE: Duration = Duration::from_millis(100);

/// A thread that measures sources.
pub struct Sampler {
    batches: Receiver<Vec<Reading>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The parts of the isolation that were refused.
    pub refusals: Vec<Refusal>,
}

impl Sampler {
    /// Starts to measure.
    ///
    /// # Errors
    ///
    /// Why the thread can't be started or treated as asked.
    pub fn start(
        sources: Vec<Source>,
        schedule: Schedule,
        isolation: Isolation,
    ) -> Result<Self, SamplerError> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (sender, batches) = mpsc::sync_channel(BATCHES);
        let (tell, told) = mpsc::sync_channel(1);
        let run = move || {
            let applied = isolation.apply();
            let goes_on = applied.is_ok();
            let _ = tell.send(applied);
            if goes_on {
                let watched = sources.into_iter().map(Watched::new).collect();
                Run { watched, schedule, sender, stop: stopped }.run();
            }
        };
        let thread = thread::Builder::new()
            .name("sampler".into())
            .spawn(run)
            .map_err(SamplerError::Thread)?;
        let refusals = told.recv().map_err(|_| SamplerError::Defect)??;
        Ok(Self { batches, stop, thread: Some(thread), refusals })
    }

    /// The next measurements, none where none came in time; `None` after the last.
    pub fn next(&self, within: Duration) -> Option<Vec<Reading>> {
        match self.batches.recv_timeout(within) {
            Ok(batch) => Some(batch),
            Err(RecvTimeoutError::Timeout) => Some(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Ends the measuring, and hands over what was measured meanwhile.
    ///
    /// # Errors
    ///
    /// [`SamplerError::Defect`] where the thread had ended by itself.
    pub fn end(mut self) -> Result<Vec<Reading>, SamplerError> {
        let mut rest = Vec::new();
        if self.stop(&mut rest) { Ok(rest) } else { Err(SamplerError::Defect) }
    }

    /// Stops the thread, and returns whether it ended as it should.
    fn stop(&mut self, rest: &mut Vec<Reading>) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return true };
        let began = Instant::now();
        // The measuring thread may be waiting for room in the channel.
        while let Some(batch) = self.next(SLICE) {
            rest.extend(batch);
            if began.elapsed() > PATIENCE {
                // A measurement of many samples takes long; its thread ends with the process.
                return true;
            }
        }
        thread.join().is_ok()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop(&mut Vec::new());
    }
}

/// What the thread works on.
struct Run {
    watched: Vec<Watched>,
    schedule: Schedule,
    sender: SyncSender<Vec<Reading>>,
    stop: Arc<AtomicBool>,
}

/// A source, and how far its time has come.
struct Watched {
    source: Source,
    /// When the measuring began, in nanoseconds of its own system's time: a mock's may be virtual.
    began: i128,
    /// How long ago that was when it was last looked at, and when it was last looked at.
    elapsed: i128,
    seen: Instant,
    /// Whether its clock was there the last time.
    is_there: bool,
    /// How often it was read.
    readings: u64,
}

impl Watched {
    fn new(source: Source) -> Self {
        let began = time_of(&source).unwrap_or(0);
        Self { source, began, elapsed: 0, seen: Instant::now(), is_there: true, readings: 0 }
    }

    /// For how long it has been measured. While its clock is gone, the machine's time goes on.
    fn elapsed(&mut self) -> i128 {
        self.elapsed = match time_of(&self.source) {
            Some(time) => time - self.began,
            None => self.elapsed + nanoseconds(self.seen.elapsed()),
        };
        self.seen = Instant::now();
        self.elapsed
    }

    /// Reads it once. The absence of its clock is reported only once.
    fn read(&mut self) -> Option<Reading> {
        let gone_for = self.source.phc().is_none().then(|| self.elapsed());
        let reading = self.source.read();
        if let Some(elapsed) = gone_for
            && let Some(time) = time_of(&self.source)
        {
            // It came back, maybe with a time that started over.
            self.began = time - elapsed;
        }
        let is_there = !matches!(reading.outcome, Outcome::Absent(_));
        self.readings += u64::from(is_there);
        let was_there = std::mem::replace(&mut self.is_there, is_there);
        (is_there || was_there).then_some(reading)
    }
}

impl Run {
    fn run(mut self) {
        let mut batch: Vec<Reading> = Vec::new();
        let mut sent = Instant::now();
        let mut number = 0;
        while !self.has_counted() {
            let due = self.interval().saturating_mul(number);
            if self.schedule.duration.is_some_and(|duration| due >= nanoseconds(duration)) {
                break;
            }
            if !self.wait(due) {
                break;
            }
            let count = self.schedule.count.unwrap_or(u64::MAX);
            for watched in &mut self.watched {
                if watched.readings < count {
                    batch.extend(watched.read());
                }
            }
            number = self.next_number(number);
            let together = self.schedule.interval < TOGETHER && sent.elapsed() < TOGETHER;
            if !together && !batch.is_empty() {
                if self.sender.send(std::mem::take(&mut batch)).is_err() {
                    return;
                }
                sent = Instant::now();
            }
        }
        let _ = self.sender.send(batch);
    }

    /// Whether each source was read as often as was asked for.
    fn has_counted(&self) -> bool {
        let is_enough = |count| self.watched.iter().all(|watched| watched.readings >= count);
        self.schedule.count.is_some_and(is_enough)
    }

    /// The number of the next tick that is still to come: missed ticks aren't made up for.
    fn next_number(&mut self, number: i128) -> i128 {
        let interval = self.interval();
        let passed = self.waits_for().map_or(0, |watched| watched.elapsed() / interval);
        (number + 1).max(passed)
    }

    fn interval(&self) -> i128 {
        nanoseconds(self.schedule.interval).max(1)
    }

    /// The source that keeps the time: the first whose clock is there.
    fn waits_for(&mut self) -> Option<&mut Watched> {
        let there = self.watched.iter().position(|watched| watched.source.phc().is_some());
        self.watched.get_mut(there.unwrap_or(0))
    }

    /// Waits until `due` nanoseconds after the beginning; returns whether to go on.
    fn wait(&mut self, due: i128) -> bool {
        let nobody_is_there = self.watched.iter().all(|watched| watched.source.phc().is_none());
        for (place, watched) in self.watched.iter_mut().enumerate() {
            loop {
                if self.stop.load(Ordering::Relaxed) {
                    return false;
                }
                let left = due - watched.elapsed();
                if left <= 0 {
                    break;
                }
                let slice =
                    Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX)).min(SLICE);
                let Some(phc) = watched.source.phc() else {
                    if !nobody_is_there || place > 0 {
                        break;
                    }
                    thread::sleep(slice);
                    continue;
                };
                let slept = phc.monotonic().and_then(|now| phc.sleep_until(now + slice));
                if slept.is_err() {
                    break;
                }
            }
        }
        true
    }
}

/// The time of a source's own system, in nanoseconds, while its clock is there.
fn time_of(source: &Source) -> Option<i128> {
    source.phc()?.monotonic().ok().map(nanoseconds)
}

fn nanoseconds(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}
