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
                Schedule { sources, pace, sender, stop: stopped, lost: Vec::new() }.run();
            }
        };
        let thread = thread::Builder::new()
            .name("sampler".into())
            .spawn(run)
            .map_err(|error| format!("can't start a thread: {error}"))?;
        let refusals = told.recv().map_err(|error| error.to_string())??;
        Ok(Self { batches, stop, thread: Some(thread), refusals })
    }

    /// The next measurements; `Ok(None)` where none came in time, `Err` after the last.
    pub(crate) fn next(&self, within: Duration) -> Result<Option<Vec<Tick>>, RecvTimeoutError> {
        match self.batches.recv_timeout(within) {
            Ok(batch) => Ok(Some(batch)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(end) => Err(end),
        }
    }
}

impl Sampler {
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
        // Whoever measures may wait for room.
        while let Ok(batch) = self.batches.recv_timeout(SLICE) {
            rest.extend(batch);
        }
        let was_well = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        rest.extend(self.batches.try_iter().flatten());
        was_well
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop(&mut Vec::new());
    }
}

/// What the thread works on.
struct Schedule {
    sources: Vec<Source>,
    pace: Pace,
    sender: SyncSender<Vec<Tick>>,
    stop: Arc<AtomicBool>,
    /// Which sources are lost.
    lost: Vec<bool>,
}

impl Schedule {
    fn run(mut self) {
        self.lost = vec![false; self.sources.len()];
        // Each source's own system has its own time: a mock's may be virtual.
        let now = |source: &Source| source.phc().and_then(|phc| phc.monotonic().ok());
        let began: Vec<_> =
            self.sources.iter().map(|source| now(source).unwrap_or_default()).collect();
        let mut batch = Vec::new();
        let mut sent = Instant::now();
        let mut number = 0_u64;
        let mut counted = 0_u64;
        while self.pace.count.is_none_or(|count| counted < count) {
            let due = Duration::from_nanos(self.interval().saturating_mul(number));
            if self.pace.duration.is_some_and(|duration| due >= duration) {
                break;
            }
            if !self.wait(&began, due) {
                break;
            }
            for place in 0..self.sources.len() {
                batch.extend(self.tick(place));
            }
            counted += 1;
            number = self.next_number(&began, number);
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

    /// The number of the next tick that is still to come: what was missed isn't made up for.
    fn next_number(&self, began: &[Duration], number: u64) -> u64 {
        let first = self.sources.iter().zip(began).find_map(|(source, began)| {
            Some(source.phc()?.monotonic().ok()?.saturating_sub(*began))
        });
        let passed = first.map_or(0, |elapsed| nanoseconds(elapsed) / self.interval());
        (number + 1).max(passed)
    }

    fn interval(&self) -> u64 {
        nanoseconds(self.pace.interval).max(1)
    }

    /// Waits until so long after the beginning; answers whether to go on.
    fn wait(&self, began: &[Duration], due: Duration) -> bool {
        for (source, began) in self.sources.iter().zip(began) {
            let until = began.saturating_add(due);
            loop {
                if self.stop.load(Ordering::Relaxed) {
                    return false;
                }
                let Some(phc) = source.phc() else {
                    // Its clock tells no time: the others keep the pace, or else this does.
                    if self.sources.iter().all(|source| source.phc().is_none()) {
                        thread::sleep(self.pace.interval.min(SLICE));
                    }
                    break;
                };
                let Ok(now) = phc.monotonic() else { break };
                if now >= until {
                    break;
                }
                if phc.sleep_until(until.min(now + SLICE)).is_err() {
                    break;
                }
            }
        }
        true
    }

    fn tick(&mut self, place: usize) -> Option<Tick> {
        let source = self.sources.get_mut(place)?;
        let lost = self.lost.get_mut(place)?;
        match source.measure() {
            Ok(mut measurement) => {
                // What it was before it went away doesn't count.
                measurement.stepped &= !*lost;
                *lost = false;
                Some(Tick { source: place, at: measurement.at, outcome: Ok(measurement) })
            }
            Err(_) if *lost => None,
            Err(why) => {
                *lost = true;
                Some(Tick { source: place, at: now(), outcome: Err(why) })
            }
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The machine's time, for what has no clock to tell it.
fn now() -> i128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i128::try_from(now.as_nanos()).unwrap_or(i128::MAX))
}
