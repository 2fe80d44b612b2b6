//! Measures one offset of a clock: takes as many samples as are worth it, and estimates from them.
//!
//! Reading a clock is neither free nor certain. A call that fails is made again within the
//! measurement; a limit of readings is kept; and the measurement ends where more samples don't
//! improve the answer.

use super::allowance::Allowance;
use super::reading::{Cause, Comparison, Measurement, PassedOver};
use crate::kernel::Errno;
use crate::measure::{DifferenceEstimator, Estimate, Estimator};
use crate::phc::{Error, Method, Phc, SystemClock, TRIES};
use crate::{Offset, Rate, Sample};
use std::time::Duration;

/// How much is read for one measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// The most samples.
    most: usize,
    /// How long samples are taken.
    duration: Option<Duration>,
    /// The fewest samples, even where they take longer than `duration`.
    least: usize,
    /// The longest time that the fewest samples may take.
    longest: Duration,
    /// Whether it ends earlier where the answer is exact to the nanosecond.
    is_spare: bool,
    /// Whether it waits where a limit of readings is reached, instead of ending there.
    waits: bool,
}

impl Effort {
    /// As much as improves the answer, for a single measurement: 4 000 samples or some 6 ms at most;
    /// 25 samples at least, unless they take more than 30 ms.
    pub const fn once() -> Self {
        Self {
            most: 4_000,
            duration: Some(Duration::from_millis(6)),
            least: 25,
            longest: Duration::from_millis(30),
            is_spare: true,
            waits: false,
        }
    }

    /// As much as improves the answer, for one of many measurements that are `interval` apart: 600
    /// samples or a five-hundredth of the interval at most, or four samples on a fast schedule.
    pub fn every(interval: Duration) -> Self {
        if interval < Duration::from_millis(10) {
            return Self { waits: false, ..Self::samples(4) };
        }
        let duration = (interval / 500).min(Duration::from_millis(6));
        Self {
            most: 600,
            duration: Some(duration),
            least: 4,
            longest: interval / 100,
            is_spare: true,
            waits: false,
        }
    }

    /// The same, but with at most this many samples, one at least.
    #[cfg(feature = "cli")]
    #[must_use]
    pub(crate) fn at_most(self, samples: usize) -> Self {
        let most = self.most.min(samples.max(1));
        Self { most, least: self.least.min(most), ..self }
    }

    /// `number` samples, however long that takes.
    pub const fn samples(number: usize) -> Self {
        Self {
            most: number,
            duration: None,
            least: number,
            longest: Duration::MAX,
            is_spare: false,
            waits: true,
        }
    }

    /// As many samples as `duration` gives, or `most` where that is given and fewer.
    pub fn duration(duration: Duration, most: Option<usize>) -> Self {
        let most = most.unwrap_or(usize::MAX);
        Self {
            most,
            duration: Some(duration),
            least: 1,
            longest: duration,
            is_spare: false,
            waits: false,
        }
    }

    /// Whether this is enough, after `samples` samples in the time `gone`.
    fn is_reached(&self, samples: usize, gone: Duration) -> bool {
        let is_long = |most: Duration| gone >= most;
        samples >= self.most
            || self.duration.is_some_and(is_long)
                && (samples >= self.least || is_long(self.longest))
    }
}

/// What is asked of a clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) clock: SystemClock,
    /// The free-running counter instead of the clock.
    pub(crate) cycles: bool,
    /// The best one where none is named.
    pub(crate) method: Option<Method>,
    pub(crate) effort: Effort,
}

/// An offset from a system clock, and how it was measured.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Measured {
    /// How both clocks were read together.
    pub method: Method,
    /// What the samples say.
    pub estimate: Estimate,
    /// The most that the clock is off, as its driver claims.
    pub claimed: Option<Offset>,
    /// What another method says about a clock whose hardware reads both clocks at one instant.
    pub check: Option<(Method, Estimate)>,
    /// Why it couldn't be checked by another method.
    pub unchecked: Option<Error>,
    /// Why better methods weren't used.
    pub passed_over: Vec<PassedOver>,
}

/// The largest rate between two clocks that is expected: a thousandth.
pub(super) const MOST_APART: Rate = Rate::from_ppb(1_000_000);

impl Measured {
    /// How far off the offset is at most; `None` with the precise method, as it is unknown how far
    /// apart hardware reads two clocks that it reads at one instant.
    pub fn bound(&self) -> Option<Offset> {
        let claimed = self.claimed.unwrap_or_default();
        (self.method != Method::Precise).then(|| self.estimate.bound.saturating_add(claimed))
    }

    /// How far the offset lies beyond what the check leaves open; `None` where they agree.
    pub fn contradiction(&self) -> Option<Offset> {
        let (_, check) = self.check.as_ref()?;
        let apart = self.estimate.offset.saturating_sub(check.offset).abs();
        // In between, the clocks may have gone apart.
        let since = check.at.since(self.estimate.at).unwrap_or(Offset::ZERO).abs();
        let gone = MOST_APART.over(since).unwrap_or(Offset::ZERO);
        let beyond = apart.saturating_sub(check.bound).saturating_sub(gone);
        (beyond > Offset::ZERO).then_some(beyond)
    }

    /// Objections to the measurement: a check that contradicts it, better methods that weren't
    /// used, and why it couldn't be checked.
    pub(crate) fn objections(&self) -> Vec<String> {
        let contradiction = self.contradiction().zip(self.check.as_ref());
        let contradiction = contradiction.map(|(beyond, (method, check))| {
            format!(
                "the {method} method contradicts it and says {:+} ±{}; {beyond} of the difference \
                 are unexplained",
                check.offset, check.bound
            )
        });
        let unchecked = self.unchecked.as_ref();
        let unchecked =
            unchecked.map(|error| format!("it couldn't be checked by another method: {error}"));
        let passed_over = self.passed_over.iter().map(ToString::to_string);
        contradiction.into_iter().chain(passed_over).chain(unchecked).collect()
    }

    /// The offset as a reading has it.
    pub fn measurement(&self) -> Measurement {
        let bound = self.bound();
        Measurement {
            offset: self.estimate.offset,
            bound,
            uncertainty: self.estimate.uncertainty,
            delay: bound.and(Some(self.estimate.delay)),
            rate: self.estimate.rate,
            curved: self.estimate.curved,
            method: Some(self.method),
            stepped: self.estimate.steps > 0,
            passed_over: self.passed_over.clone(),
            comparison: None,
        }
    }
}

/// Reads one clock, and remembers what is known about it.
#[derive(Debug)]
pub(crate) struct Meter {
    /// The method that turned out to be the best.
    method: Option<Method>,
    allowance: Allowance,
    /// How long a sample took lately.
    sample_time: Option<Duration>,
    /// How many calls failed otherwise than because it was read too often, and the last failure.
    #[cfg(feature = "cli")]
    failures: Option<(u32, Error)>,
}

/// The most samples that one call gives.
const BATCH: u32 = 25;
/// Where two clocks are compared, this many samples of one are read before those of the other.
const SMALL_BATCH: u32 = 5;
/// After this many samples, and then each time after twice as many, it is checked whether they are
/// enough.
const FIRST_LOOK: usize = 100;
/// How often in a row time may stand still, as a mock's can, before the measurement ends.
const STANDSTILL: u32 = 10_000;
/// Samples that are taken to check others.
const CHECK: usize = 25;

/// Is called with the samples as they come, and with their method. The samples of a method that is
/// given up come before those of the next one, and don't count.
pub(crate) type See<'a> = dyn FnMut(Method, &[Sample]) + 'a;

impl Meter {
    pub(crate) fn of(phc: &Phc) -> Self {
        Self {
            method: None,
            allowance: Allowance::of(phc),
            sample_time: None,
            #[cfg(feature = "cli")]
            failures: None,
        }
    }

    /// How many calls failed otherwise than because it was read too often, and the last failure.
    #[cfg(feature = "cli")]
    pub(crate) fn failures(&self) -> Option<&(u32, Error)> {
        self.failures.as_ref()
    }

    /// Whether the clock answered that it was read too often.
    #[cfg(feature = "cli")]
    pub(crate) fn was_refused(&self) -> bool {
        self.allowance.was_refused
    }

    /// Measures the offset of a clock from a system clock.
    pub(crate) fn measure(
        &mut self,
        phc: &Phc,
        question: &Question,
        see: &mut See<'_>,
    ) -> Result<Measured, Cause> {
        let mut passed_over = Vec::new();
        let (mut unsupported, mut is_useless) = (None, false);
        for method in self.methods(question) {
            let mut estimator = Estimator::default();
            match self.gather(phc, question, method, &mut estimator, see) {
                Err(error) if error.is_absence() || error.is_of_system() => {
                    return Err(error.into());
                }
                Err(error) if question.method.is_some() => return Err(error.into()),
                // The error of the extended method is of most use: only that method reads every
                // clock.
                Err(error) if error.is_unsupported() => {
                    unsupported = unsupported.filter(|_| method == Method::Basic).or(Some(error));
                    continue;
                }
                Err(error) => {
                    passed_over.push(PassedOver::Failed(error));
                    continue;
                }
                Ok(()) => {}
            }
            let (reversed, samples) = estimator.reversed();
            let are_reversed = reversed > samples / 2;
            let Some(estimate) = estimator.estimate().filter(|_| !are_reversed) else {
                if are_reversed && question.method.is_some() {
                    return Err(Cause::Reversed(phc.name().clone(), method));
                }
                passed_over.extend(are_reversed.then_some(PassedOver::Reversed(method)));
                is_useless |= !are_reversed;
                continue;
            };
            self.method = Some(method);
            let (claimed, check, unchecked) = (None, None, None);
            return Ok(Measured { method, estimate, claimed, check, unchecked, passed_over });
        }
        let failed = passed_over.iter().find_map(PassedOver::error).cloned();
        unsupported = unsupported.filter(|_| !is_useless);
        Err(failed.or(unsupported).map_or(Cause::Useless(phc.name().clone()), Cause::Clock))
    }

    /// As [`Meter::measure`], with what the driver claims about its clock, and with a check by
    /// another method where the best one gives no bound.
    pub(crate) fn measure_and_check(
        &mut self,
        phc: &Phc,
        question: &Question,
        see: &mut See<'_>,
    ) -> Result<Measured, Cause> {
        let mut measured = self.measure(phc, question, see)?;
        if !question.cycles {
            measured.claimed = phc.claimed_error();
        }
        if question.method.is_none() && measured.method == Method::Precise {
            for method in [Method::Extended, Method::Basic] {
                let effort = Effort { waits: false, ..Effort::samples(CHECK) };
                let question = Question { method: Some(method), effort, ..*question };
                let mut estimator = Estimator::default();
                match self.gather(phc, &question, method, &mut estimator, &mut |_, _| {}) {
                    Ok(()) => {
                        measured.check = estimator.estimate().map(|check| (method, check));
                        break;
                    }
                    Err(error) if error.is_of_system() => return Err(error.into()),
                    Err(error) if error.is_unsupported() => {}
                    Err(error) => {
                        measured.unchecked = Some(error);
                        break;
                    }
                }
            }
        }
        Ok(measured)
    }

    /// The methods to try, in order: the one that worked last, then the best first.
    fn methods(&self, question: &Question) -> Vec<Method> {
        match (question.method, self.method) {
            (Some(method), _) => vec![method],
            (None, None) => Method::ALL.to_vec(),
            (None, Some(last)) => {
                let others = Method::ALL.into_iter().filter(|method| *method != last);
                std::iter::once(last).chain(others).collect()
            }
        }
    }

    /// Takes samples by one method. Those that were taken before it failed count.
    fn gather(
        &mut self,
        phc: &Phc,
        question: &Question,
        method: Method,
        estimator: &mut Estimator,
        see: &mut See<'_>,
    ) -> Result<(), Error> {
        let effort = question.effort;
        let mut progress = Progress::start(phc)?;
        let mut batch = Vec::new();
        let mut taken = 0;
        loop {
            let missing = u32::try_from(effort.most - taken).unwrap_or(u32::MAX).min(BATCH);
            let wanted = self.fitting(missing, effort, progress.gone, taken);
            let call = Batch {
                phc,
                method,
                clock: question.clock,
                cycles: question.cycles,
                wanted,
                waits: effort.waits || taken == 0,
                now: progress.now(),
            };
            let now = match self.read(call, &mut batch) {
                Ok(Some(now)) => now,
                // More aren't allowed for now, or don't come.
                Ok(None) => return Ok(()),
                Err(error) if taken > 0 && error.is_passing() => return Ok(()),
                Err(error) => return Err(error),
            };
            estimator.extend(&batch);
            taken += batch.len();
            see(method, &batch);
            if progress.is_enough(now, effort, taken, || estimator.estimate()) {
                return Ok(());
            }
        }
    }

    /// How many samples are asked for in one call: not many more than the time has room for.
    fn fitting(&self, missing: u32, effort: Effort, gone: Duration, taken: usize) -> u32 {
        let Some(duration) = effort.duration.filter(|_| missing > 1) else { return missing };
        let Some(sample_time) = self.sample_time else {
            // A single sample tells how long samples take.
            return if effort.is_spare { 1 } else { missing };
        };
        let room = duration.saturating_sub(gone).as_nanos() / sample_time.as_nanos().max(1);
        let least = u32::try_from(effort.least.saturating_sub(taken)).unwrap_or(u32::MAX);
        let longest =
            effort.longest.saturating_sub(gone).as_nanos() / sample_time.as_nanos().max(1);
        let least = least.min(u32::try_from(longest).unwrap_or(u32::MAX));
        u32::try_from(room).unwrap_or(u32::MAX).max(least).clamp(1, missing)
    }

    /// Makes one call for `wanted` samples at most, and makes it again where it fails.
    ///
    /// Returns the time after the call, which the next call begins with: on some machines, asking
    /// for the time costs as much as a sample. `None` where no sample is allowed for now and the
    /// call doesn't wait.
    ///
    /// # Errors
    ///
    /// The last failure.
    fn read(
        &mut self,
        call: Batch<'_>,
        samples: &mut Vec<Sample>,
    ) -> Result<Option<Duration>, Error> {
        let Batch { phc, method, clock, cycles, mut wanted, waits, mut now } = call;
        for attempt in 0..TRIES {
            let mut allowed = self.allowance.now(wanted, now);
            if allowed == 0 {
                if !waits {
                    return Ok(None);
                }
                phc.sleep_until(now.saturating_add(self.allowance.wait()))?;
                now = phc.monotonic()?;
                allowed = self.allowance.now(wanted, now).max(1);
            }
            samples.clear();
            let answer = phc.batch(method, clock, cycles, allowed, samples);
            let after = phc.monotonic()?;
            let error = match answer {
                Ok(()) => {
                    let number = u32::try_from(samples.len()).unwrap_or(u32::MAX);
                    self.allowance.took(number, after);
                    self.sample_time = Some(after.saturating_sub(now) / number.max(1));
                    return Ok(Some(after));
                }
                Err(error) => error,
            };
            let errno = error.errno();
            if errno == Some(Errno::ENODEV) {
                // Only the clock itself says that it has gone.
                if let Err(gone) = phc.time()
                    && gone.is_absence()
                {
                    return Err(gone);
                }
            }
            if errno == Some(Errno::EBUSY) {
                self.allowance.took(allowed, after);
                self.allowance.refused(after);
                // A call fails as a whole: fewer samples get through sooner.
                wanted = (wanted / 2).max(1);
            }
            #[cfg(feature = "cli")]
            if errno != Some(Errno::EBUSY) && !error.is_unsupported() {
                let number = self.failures.as_ref().map_or(0, |(number, _)| *number);
                self.failures = Some((number.saturating_add(1), error.clone()));
            }
            if !error.is_passing() || attempt + 1 == TRIES {
                return Err(error);
            }
            phc.pause_after(&error, attempt)?;
            now = phc.monotonic()?;
        }
        Ok(None)
    }
}

/// One call that reads a clock several times.
#[derive(Clone, Copy)]
struct Batch<'a> {
    phc: &'a Phc,
    method: Method,
    clock: SystemClock,
    cycles: bool,
    /// The most samples.
    wanted: u32,
    /// Whether it waits where none is allowed for now.
    waits: bool,
    /// The time, as far as it is known.
    now: Duration,
}

/// Two clocks read in turns.
pub(crate) struct Pair<'a> {
    pub(crate) first: (&'a Phc, &'a mut Meter),
    pub(crate) second: (&'a Phc, &'a mut Meter),
    pub(crate) clock: SystemClock,
    pub(crate) effort: Effort,
}

/// An offset of one clock from another, and how it was measured.
pub(crate) struct Difference {
    pub(crate) estimate: Estimate,
    pub(crate) methods: [Method; 2],
    /// The limit that the first clock's rate is assumed to keep.
    pub(crate) limit: Rate,
    pub(crate) passed_over: Vec<PassedOver>,
}

/// The limit of a clock's rate: the frequency offset that it was told to run at, and the error of
/// its oscillator.
pub(crate) fn rate_limit(phc: &Phc) -> Rate {
    let dialled = phc.frequency().map_or(0, |frequency| frequency.micro_ppb().abs());
    Rate::from_micro_ppb(dialled).saturating_add(MOST_APART)
}

impl Pair<'_> {
    /// Reads both clocks in turns, a few samples each, and compares neighbours.
    pub(crate) fn measure(
        self,
        see: &mut dyn FnMut(usize, &[Sample]),
    ) -> Result<Difference, Cause> {
        let Self { first: (one, one_meter), second: (other, other_meter), clock, effort } = self;
        let question = Question { clock, cycles: false, method: None, effort: Effort::samples(1) };
        let limit = rate_limit(one);
        let mut passed_over = Vec::new();
        let mut method_of = |phc: &Phc, meter: &mut Meter| match meter.method {
            Some(method) => Ok(method),
            None => meter.measure(phc, &question, &mut |_, _| {}).map(|measured| {
                passed_over.extend(measured.passed_over);
                measured.method
            }),
        };
        let methods = [method_of(one, one_meter)?, method_of(other, other_meter)?];
        // A precise reading is one sample: more of the other clock would be compared with nothing.
        let most = if methods.contains(&Method::Precise) { 1 } else { SMALL_BATCH };
        let mut estimator = DifferenceEstimator::new(limit);
        let mut progress = Progress::start(one)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut taken = 0;
        for round in 0_u64.. {
            let missing = u32::try_from(effort.most.saturating_sub(taken)).unwrap_or(u32::MAX);
            let wanted = missing.clamp(1, most);
            let wanted = wanted.min(one_meter.fitting(wanted, effort, progress.gone, taken));
            let now = progress.now();
            let waits = effort.waits || taken == 0;
            let call =
                Batch { phc: one, method: methods[0], clock, cycles: false, wanted, waits, now };
            let mut read_one = |now| one_meter.read(Batch { now, ..call }, &mut ours);
            let call = Batch { phc: other, method: methods[1], ..call };
            let mut read_other = |now| other_meter.read(Batch { now, ..call }, &mut theirs);
            // The clocks take turns in being first, so that what a clock gains in between goes both
            // ways.
            let answer = if round % 2 == 0 {
                read_one(now).and_then(|now| now.map_or(Ok(None), read_other))
            } else {
                read_other(now).and_then(|now| now.map_or(Ok(None), read_one))
            };
            let now = match answer {
                Ok(Some(now)) => now,
                Ok(None) => break,
                Err(error) if taken > 0 && error.is_passing() => break,
                Err(error) => return Err(error.into()),
            };
            see(0, &ours);
            see(1, &theirs);
            ours.iter().zip(&theirs).for_each(|(ours, theirs)| estimator.add(*ours, *theirs));
            taken += ours.len().min(theirs.len());
            if progress.is_enough(now, effort, taken, || estimator.estimate()) {
                break;
            }
        }
        let estimate = estimator.estimate();
        let estimate = estimate.ok_or_else(|| Cause::Useless(one.name().clone()))?;
        Ok(Difference { estimate, methods, limit, passed_over })
    }
}

impl Difference {
    /// The offset as a reading has it.
    pub(crate) fn measurement(self) -> Measurement {
        let Self { estimate, methods: [method, reference_method], limit, passed_over } = self;
        let is_told = ![method, reference_method].contains(&Method::Precise);
        Measurement {
            offset: estimate.offset,
            bound: is_told.then_some(estimate.bound),
            uncertainty: estimate.uncertainty,
            delay: is_told.then_some(estimate.delay),
            rate: estimate.rate,
            curved: estimate.curved,
            method: Some(method),
            stepped: estimate.steps > 0,
            passed_over,
            comparison: Some(Comparison { reference_method, rate_limit: limit }),
        }
    }
}

/// How far a measurement has come.
struct Progress {
    began: Duration,
    gone: Duration,
    /// How often in a row no time had passed.
    still: u32,
    /// After this many samples it is checked whether they are enough.
    look: usize,
    /// How often in a row they were.
    exact: u32,
}

impl Progress {
    fn start(phc: &Phc) -> Result<Self, Error> {
        let began = phc.monotonic()?;
        Ok(Self { began, gone: Duration::ZERO, still: 0, look: FIRST_LOOK, exact: 0 })
    }

    fn now(&self) -> Duration {
        self.began.saturating_add(self.gone)
    }

    /// Whether it is enough now, after `taken` samples.
    fn is_enough(
        &mut self,
        now: Duration,
        effort: Effort,
        taken: usize,
        estimate: impl Fn() -> Option<Estimate>,
    ) -> bool {
        let gone = now.saturating_sub(self.began);
        self.still = if gone == self.gone { self.still + 1 } else { 0 };
        self.gone = gone;
        if self.still > STANDSTILL || effort.is_reached(taken, gone) {
            return true;
        }
        if !effort.is_spare || taken < self.look {
            return false;
        }
        self.look = taken * 2;
        let uncertainty = estimate().and_then(|estimate| estimate.uncertainty);
        let is_exact = uncertainty.is_some_and(|uncertainty| uncertainty.nanoseconds() <= 1);
        self.exact = if is_exact { self.exact + 1 } else { 0 };
        // The first time may be by chance.
        self.exact > 1
    }
}

#[cfg(all(test, feature = "mock"))]
mod tests {
    use super::*;
    use crate::watch::Source;
    use crate::{find, phc::Access};

    #[test]
    fn of_two_clocks_each_sample_of_one_is_compared_with_one_of_the_other() {
        // The first one's precise readings are one sample each.
        for first in ["mock:full,time=virtual", "mock:igb,time=virtual"] {
            let both =
                [first, "mock:e1000e,time=virtual"].map(|name| find::open(name, Access::ReadOnly));
            let [first, second] = both.map(|clock| clock.expect("a clock"));
            let source = Source::between(first, second).expect("a source");
            let mut source = source.with_effort(Effort::samples(12));
            source.read();
            let mut taken = [0, 0];
            source.read_and_see(&mut |of, samples| taken[of] += samples.len());
            assert_eq!(taken, [12, 12]);
        }
    }

    #[cfg(feature = "cli")]
    #[test]
    fn an_effort_can_be_limited_to_some_samples() {
        let clock = find::open("mock:igb,time=virtual", Access::ReadOnly).expect("a clock");
        let effort = Effort::every(Duration::from_secs(1)).at_most(11);
        let mut source = Source::of(clock, SystemClock::Realtime).with_effort(effort);
        let mut taken = 0;
        source.read_and_see(&mut |_, samples| taken += samples.len());
        assert_eq!(taken, 11);
    }
}
