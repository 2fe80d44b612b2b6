//! The thread that measures on a schedule, undisturbed by whatever is done with the measurements.

use super::source::{Measurement, Source};
use crate::kernel::{lock_memory, pin_to_cpu, run_in_real_time};
use nix::errno::Errno;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often it is measured, and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) interval: Duration,
    pub(crate) count: Option<u64>,
    pub(crate) duration: Option<Duration>,
}

/// What happened to a source at one tick of the schedule.
#[derive(Clone, Debug)]
pub(crate) struct Tick {
    /// Which source, in their order.
    pub(crate) source: usize,
    /// When, in nanoseconds of UTC.
    pub(crate) at: i128,
    /// A measurement, or why there is none: told once, when the clock is lost.
    pub(crate) outcome: Result<Measurement, String>,
}

/// How the measuring thread is to be treated.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Isolation {
    pub(crate) cpu: Option<usize>,
    pub(crate) real_time: bool,
}

/// What came of an isolation: what couldn't be had.
pub(crate) type Refusals = Vec<String>;

impl Isolation {
    /// Treats the calling thread so. What isn't permitted is told; a processor that isn't there
    /// is an error.
    pub(crate) fn apply(self) -> Result<Refusals, String> {
        let mut refusals = Vec::new();
        if let Some(cpu) = self.cpu {
            pin_to_cpu(cpu).map_err(|errno| {
                format!("can't measure on processor {cpu}: this process has no such one: {errno}")
            })?;
        }
        if self.real_time {
            let mut refused = |what: &str, how: &str, answer: Result<(), Errno>| {
                if let Err(errno) = answer {
                    refusals.push(format!("measuring goes on without {what}: {errno}; {how}"));
                }
            };
            let (priority, memory) = (run_in_real_time(), lock_memory());
            refused("SCHED_FIFO", "it needs CAP_SYS_NICE or 'ulimit -r 1'", priority);
            refused("locked memory", "it needs CAP_IPC_LOCK or 'ulimit -l unlimited'", memory);
        }
        Ok(refusals)
    }
}

/// So many batches wait for whoever takes them; then measuring waits, too.
const BATCHES: usize = 256;
/// Ticks of a fast schedule come together, but not later than this.
const TOGETHER: Duration = Duration::from_millis(20);
/// What is being measured when all ends is waited for so long.
const PATIENCE: Duration = Duration::from_secs(1);
/// It is looked whether to stop at least this often.
const SLICE: Duration = Duration::from_millis(100);

/// A thread that measures sources.
pub(crate) struct Sampler {
    batches: Receiver<Vec<Tick>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// What couldn't be had of the isolation.
    pub(crate) refusals: Refusals,
}

impl Sampler {
    /// Starts to measure.
    ///
    /// # Errors
    ///
    /// Why the thread can't be started or treated as asked.
    pub(crate) fn start(
        sources: Vec<Source>,
        pace: Pace,
        isolation: Isolation,
    ) -> Result<Self, String> {
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
                Schedule { watched, pace, sender, stop: stopped }.run();
            }
        };
        let thread = thread::Builder::new()
            .name("sampler".into())
            .spawn(run)
            .map_err(|error| format!("can't start a thread: {error}"))?;
        let refusals = told.recv().map_err(|error| error.to_string())??;
        Ok(Self { batches, stop, thread: Some(thread), refusals })
    }

    /// The next measurements, none where none came in time; `None` after the last.
    pub(crate) fn next(&self, within: Duration) -> Option<Vec<Tick>> {
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
    /// It had ended by itself, in the midst of something.
    pub(crate) fn end(mut self) -> Result<Vec<Tick>, String> {
        let mut rest = Vec::new();
        if self.stop(&mut rest) {
            Ok(rest)
        } else {
            Err("measuring ended by a defect of ptpctl".into())
        }
    }

    /// Stops the thread, and answers whether it was well.
    fn stop(&mut self, rest: &mut Vec<Tick>) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return true };
        let began = Instant::now();
        // Whoever measures may wait for room.
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
struct Schedule {
    watched: Vec<Watched>,
    pace: Pace,
    sender: SyncSender<Vec<Tick>>,
    stop: Arc<AtomicBool>,
}

/// A source, and how far its time has come.
struct Watched {
    source: Source,
    /// When the measuring began, in nanoseconds of its own system's time: a mock's may be virtual.
    began: i128,
    /// How long ago that was when it was looked last, and when that was.
    elapsed: i128,
    seen: Instant,
    /// Whether its clock is lost.
    is_lost: bool,
    /// How often it was measured.
    measured: u64,
}

impl Watched {
    fn new(source: Source) -> Self {
        let began = time_of(&source).unwrap_or(0);
        Self { source, began, elapsed: 0, seen: Instant::now(), is_lost: false, measured: 0 }
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

    fn measure(&mut self, place: usize) -> Option<Tick> {
        let gone_for = self.source.phc().is_none().then(|| self.elapsed());
        let answer = self.source.measure();
        if let Some(elapsed) = gone_for
            && let Some(time) = time_of(&self.source)
        {
            // It came back, maybe with a time that began anew.
            self.began = time - elapsed;
        }
        match answer {
            Ok(measurement) => {
                self.is_lost = false;
                self.measured += 1;
                Some(Tick { source: place, at: measurement.at, outcome: Ok(measurement) })
            }
            Err(_) if self.is_lost => None,
            Err(why) => {
                self.is_lost = true;
                Some(Tick { source: place, at: now(), outcome: Err(why) })
            }
        }
    }
}

impl Schedule {
    fn run(mut self) {
        let mut batch: Vec<Tick> = Vec::new();
        let mut sent = Instant::now();
        let mut number = 0;
        while !self.has_counted() {
            let due = self.interval().saturating_mul(number);
            if self.pace.duration.is_some_and(|duration| due >= nanoseconds(duration)) {
                break;
            }
            if !self.wait(due) {
                break;
            }
            let count = self.pace.count.unwrap_or(u64::MAX);
            for (place, watched) in self.watched.iter_mut().enumerate() {
                if watched.measured < count {
                    batch.extend(watched.measure(place));
                }
            }
            number = self.next_number(number);
            let together = self.pace.interval < TOGETHER && sent.elapsed() < TOGETHER;
            if !together && !batch.is_empty() {
                if self.sender.send(std::mem::take(&mut batch)).is_err() {
                    return;
                }
                sent = Instant::now();
            }
        }
        let _ = self.sender.send(batch);
    }

    /// Whether each clock was measured as often as was asked for.
    fn has_counted(&self) -> bool {
        let is_enough = |count| self.watched.iter().all(|watched| watched.measured >= count);
        self.pace.count.is_some_and(is_enough)
    }

    /// The number of the next tick that is still to come: what was missed isn't made up for.
    fn next_number(&mut self, number: i128) -> i128 {
        let interval = self.interval();
        let passed = self.waits_for().map_or(0, |watched| watched.elapsed() / interval);
        (number + 1).max(passed)
    }

    fn interval(&self) -> i128 {
        nanoseconds(self.pace.interval).max(1)
    }

    /// The one that keeps the pace: the first whose clock is there.
    fn waits_for(&mut self) -> Option<&mut Watched> {
        let there = self.watched.iter().position(|watched| watched.source.phc().is_some());
        self.watched.get_mut(there.unwrap_or(0))
    }

    /// Waits until so many nanoseconds after the beginning; answers whether to go on.
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

/// The machine's time, for what has no clock to tell it.
fn now() -> i128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i128::try_from(now.as_nanos()).unwrap_or(i128::MAX))
}
