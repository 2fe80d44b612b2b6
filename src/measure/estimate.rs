//! The offset and the rate of a clock from readings between two readings of a system clock.

use super::curve::{self, Basis, Found};
use super::grain::Grain;
use super::line::FARTHEST_POINT;
use super::straight::{CUT, Guess, Opening};
use crate::{Offset, Rate, Sample, Scale, System, Timestamp};

/// What samples say about a clock's offset, at the moment of the best sample.
///
/// It answers two questions. The *bound* is proven, whatever the clocks do: the clock was read
/// somewhere between the two system times of its best sample. The *offset* is the best guess within
/// the bound, from all samples that lie on a straight line with it. Its uncertainty is statistical,
/// and assumes that the quickest readings take equally long on the way there and on the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Estimate {
    /// Clock − system clock.
    pub offset: Offset,
    /// The offset is off by at most this much. It is the sum of half of the best sample's delay,
    /// the distance of the guess from its middle, how far the offset moves within it at the clock's
    /// rate, and how coarse the clock is.
    pub bound: Offset,
    /// The standard deviation of the guess; `None` where there are too few samples.
    pub uncertainty: Option<Offset>,
    /// From the system time before the reading to the one after it, in the best sample.
    pub delay: Offset,
    /// The moment of the offset, on the system clock: the middle of the best sample.
    pub at: Timestamp<System>,
    /// The clock's rate against the system clock; `None` where there are too few samples.
    pub rate: Option<UncertainRate>,
    /// What the guess was made from.
    pub basis: Basis,
    /// Whether the clocks curved meanwhile.
    pub curved: bool,
    /// How many samples there were.
    pub samples: usize,
    /// How many of them were the wrong way round: the system clock went backwards in between, or
    /// the driver has its times the wrong way round. They don't count.
    pub reversed: usize,
    /// How often one of the clocks was stepped: samples from before a step don't count.
    pub steps: usize,
}

/// A measured rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UncertainRate {
    /// How fast the clock goes.
    pub rate: Rate,
    /// Its standard deviation.
    pub uncertainty: Rate,
}

/// Finds the offset of a clock from the samples that it is given, one by one. However many they
/// are, it needs little memory.
#[derive(Clone, Debug, Default)]
pub struct Estimator {
    gathered: Gathered<1>,
}

impl Estimator {
    /// Takes one more sample.
    pub fn add(&mut self, sample: Sample) {
        self.gathered.add(&[sample], opening);
    }

    /// How many of the samples so far were the wrong way round, and how many there were.
    pub fn reversed(&self) -> (usize, usize) {
        (self.gathered.reversed, self.gathered.samples)
    }

    /// What the samples so far say.
    ///
    /// `None` where no sample is of use: there are none, all were the wrong way round, the clock stood
    /// still, or the offset doesn't fit 64 bits of nanoseconds.
    pub fn estimate(&self) -> Option<Estimate> {
        self.gathered.estimate(opening, |[first]| {
            (first.phc.total_nanoseconds() - first.before.total_nanoseconds(), first.before)
        })
    }
}

impl<'a> Extend<&'a Sample> for Estimator {
    fn extend<Samples: IntoIterator<Item = &'a Sample>>(&mut self, samples: Samples) {
        for sample in samples {
            self.gathered.add(std::array::from_ref(sample), opening);
        }
    }
}

/// Finds the offset of one clock from another, by samples of both against the same system clock.
///
/// Two clocks can't be read at the same moment. So a difference leaves open what both samples leave
/// open, and also how far the first clock can have moved between the two. That takes a limit on its
/// rate.
#[derive(Clone, Debug)]
pub struct DifferenceEstimator {
    limit: Rate,
    gathered: Gathered<2>,
}

impl DifferenceEstimator {
    /// For a first clock that is faster or slower than the system clock by `limit` at most.
    pub fn new(limit: Rate) -> Self {
        Self { limit: limit.abs(), gathered: Gathered::default() }
    }

    /// Takes a sample of each clock, one soon after the other.
    pub fn add(&mut self, one: Sample, other: Sample) {
        self.gathered.add(&[one, other], opening_of_two(self.limit));
    }

    /// First clock − second clock, when the second was read; the delay is that of both together.
    ///
    /// `None` as for [`Estimator::estimate`].
    pub fn estimate(&self) -> Option<Estimate> {
        self.gathered.estimate(opening_of_two(self.limit), |[one, other]| {
            (one.phc.total_nanoseconds() - other.phc.total_nanoseconds(), other.before)
        })
    }
}

/// What samples of one clock, or of two at a time, have left open since the last step.
#[derive(Clone, Debug)]
struct Gathered<const CLOCKS: usize> {
    /// The first samples since the last step, to which all others are relative.
    first: Option<[Sample; CLOCKS]>,
    /// The newest samples, as long as they may still tell how coarse the clocks are.
    newest: Option<[Sample; CLOCKS]>,
    grains: [Grain; CLOCKS],
    /// The first samples, which wait until they tell how coarse the clocks are.
    waiting: Vec<[Sample; CLOCKS]>,
    last: Option<Opening>,
    kept: Kept,
    samples: usize,
    reversed: usize,
    steps: usize,
}

impl<const CLOCKS: usize> Default for Gathered<CLOCKS> {
    fn default() -> Self {
        Self {
            first: None,
            newest: None,
            grains: [Grain::default(); CLOCKS],
            waiting: Vec::new(),
            last: None,
            kept: Kept::default(),
            samples: 0,
            reversed: 0,
            steps: 0,
        }
    }
}

/// This many samples tell how coarse a clock is; only then are steps looked for.
const GRAIN_SHOWS: usize = 16;
/// A clock whose offset changes by more than this fraction, a hundredth, of the time between two
/// samples was stepped.
const FASTEST: i64 = 100;
/// Fewer samples give no uncertainty and no rate.
const FEWEST_FOR_UNCERTAINTY: usize = 8;

impl<const CLOCKS: usize> Gathered<CLOCKS> {
    /// Takes a sample of each clock; `opening` tells what they leave open, seen from the first ones.
    fn add(
        &mut self,
        read: &[Sample; CLOCKS],
        opening: impl Fn(&[Sample; CLOCKS], &[Sample; CLOCKS]) -> Option<Opening>,
    ) {
        self.samples += 1;
        if read.iter().any(|sample| sample.after < sample.before) {
            self.reversed += 1;
            return;
        }
        if !self.grains.iter().all(Grain::is_finest)
            && let Some(before) = self.newest.replace(*read)
        {
            for (grain, (sample, before)) in self.grains.iter_mut().zip(read.iter().zip(&before)) {
                add_grain(grain, sample, before);
            }
        }
        let useful = self.samples - self.reversed;
        if useful > GRAIN_SHOWS {
            self.gather(read, &opening);
            return;
        }
        self.waiting.push(*read);
        if useful == GRAIN_SHOWS {
            self.gather_waiting(&opening);
        }
    }

    fn gather_waiting(
        &mut self,
        opening: &impl Fn(&[Sample; CLOCKS], &[Sample; CLOCKS]) -> Option<Opening>,
    ) {
        for read in std::mem::take(&mut self.waiting) {
            self.gather(&read, opening);
        }
    }

    fn gather(
        &mut self,
        read: &[Sample; CLOCKS],
        opening: &impl Fn(&[Sample; CLOCKS], &[Sample; CLOCKS]) -> Option<Opening>,
    ) {
        // A sample that is too far away for a line counts as a step, too.
        let next = self.first.as_ref().and_then(|first| opening(read, first));
        if self.goes_on(next) {
            return;
        }
        self.first = Some(*read);
        self.begin(opening(read, read));
    }

    /// How coarse the clocks are together.
    fn grain(&self) -> i64 {
        self.grains.iter().map(Grain::size).fold(0, i64::saturating_add)
    }

    /// Takes what comes next, unless a step is before it.
    fn goes_on(&mut self, next: Option<Opening>) -> bool {
        let Some(next) = next else { return false };
        let grain = self.grain();
        let goes_on = self.last.as_ref().is_some_and(|last| !is_step(last, &next, grain));
        if goes_on {
            self.last = Some(next);
            self.kept.push(&next);
        }
        goes_on
    }

    /// Starts over with the first opening, or with the first one after a step.
    fn begin(&mut self, first: Option<Opening>) {
        self.steps += usize::from(self.last.is_some());
        (self.last, self.kept) = (first, Kept::default());
        match first {
            Some(first) => self.kept.push(&first),
            None => self.reversed += 1,
        }
    }

    /// The estimate; `origin` gives the offset and the moment to which openings are relative.
    fn estimate(
        &self,
        opening: impl Fn(&[Sample; CLOCKS], &[Sample; CLOCKS]) -> Option<Opening>,
        origin: impl Fn(&[Sample; CLOCKS]) -> (i128, Timestamp<System>),
    ) -> Option<Estimate> {
        if !self.waiting.is_empty() {
            let mut all = self.clone();
            all.gather_waiting(&opening);
            return all.estimate(opening, origin);
        }
        let stands_still = self.grains.iter().any(Grain::stands_still);
        let (base, origin) = self.first.as_ref().filter(|_| !stands_still).map(origin)?;
        let grain = self.grain();
        let mut samples = self.kept.all();
        for one in &mut samples {
            (one.low, one.high) = (one.low.saturating_sub(grain), one.high.saturating_add(grain));
        }
        let place = best_of(&samples)?;
        let best = *samples.get(place)?;
        let Found { guess, basis, curved } = curve::guess(&samples, place);
        let (low, high) = (best.low - CUT, best.high + CUT);
        let offset = match guess {
            // A clock that is read at one instant leaves no range to keep the guess in.
            Some(guess) if best.low == best.high => whole(guess.offset),
            Some(guess) => whole(guess.offset).clamp(low, high),
            None => i64::midpoint(best.low, best.high),
        };
        let bound = high.saturating_sub(offset).max(offset.saturating_sub(low));
        let gone = guess.map_or(0, |guess| gone_within(&best, &guess));
        let bound = Offset::from_nanoseconds(bound.saturating_add(gone));
        let known = guess.filter(|_| samples.len() >= FEWEST_FOR_UNCERTAINTY);
        Some(Estimate {
            offset: Offset::from_nanoseconds(i64::try_from(base + i128::from(offset)).ok()?),
            bound,
            uncertainty: known.map(|guess| uncertainty(&guess, grain).min(bound)),
            delay: Offset::from_nanoseconds(best.high - best.low - 2 * grain),
            at: origin.plus(Offset::from_nanoseconds(best.moment))?,
            rate: known.map(|guess| rate(&guess, CLOCKS > 1)),
            basis,
            curved,
            samples: self.samples,
            reversed: self.reversed,
            steps: self.steps,
        })
    }
}

/// The guess at one of a few samples, as if the rate were steady: for the benchmark that compares
/// pieces of fixed lengths.
#[doc(hidden)]
#[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "simulated, and small")]
pub fn straight_guess(samples: &[Sample], place: usize) -> Option<f64> {
    let first = samples.first()?;
    let base = first.phc.total_nanoseconds() - first.before.total_nanoseconds();
    let openings: Option<Vec<_>> =
        samples.iter().map(|sample| opening(&[*sample], &[*first])).collect();
    let openings = openings?;
    let at = super::line::float(openings.get(place)?.clock);
    Some(super::straight::straight(&openings, at)?.offset + base as f64)
}

/// Whether one of the clocks was stepped between a sample and the next.
fn is_step(last: &Opening, next: &Opening, grain: i64) -> bool {
    if next.clock < last.clock || next.moment < last.moment {
        return true;
    }
    let apart = (next.low - last.high).max(last.low - next.high);
    let delays = next.high - next.low + last.high - last.low;
    let cut = 2 * (CUT + grain);
    apart > cut && apart > (next.moment - last.moment + delays) / FASTEST + cut
}

/// What a sample leaves open, relative to the clock's time and the system time of the first sample.
/// `None` where it is too far away for a line.
fn opening([sample]: &[Sample; 1], [first]: &[Sample; 1]) -> Option<Opening> {
    let clock = from(sample.phc, first.phc)?;
    let (before, after) = (from(sample.before, first.before)?, from(sample.after, first.before)?);
    let moment = i64::midpoint(before, after);
    Some(Opening { clock, low: clock - after, high: clock - before, moment })
}

/// What two samples leave open of the difference of their clocks, in the time of the second clock,
/// if the first clock's rate is within `limit`.
fn opening_of_two(limit: Rate) -> impl Fn(&[Sample; 2], &[Sample; 2]) -> Option<Opening> {
    move |[one, other], [first, second]| {
        let clock = from(other.phc, second.phc)?;
        let apart = from(one.phc, first.phc)? - clock;
        let [before, after] = [one.before, one.after].map(|time| from(time, second.before));
        let [other_before, other_after] =
            [other.before, other.after].map(|time| from(time, second.before));
        // How long after the second clock the first was read, at least and at most.
        let (least, most) = (before? - other_after?, after? - other_before?);
        let farthest = Offset::from_nanoseconds(least.abs().max(most.abs()));
        // Rounded up.
        let gone = limit.over(farthest)?.nanoseconds() + CUT;
        let moment = i64::midpoint(other_before?, other_after?);
        Some(Opening { clock, low: apart - most - gone, high: apart - least + gone, moment })
    }
}

/// Of this many samples with the shortest delays, the one nearest to the middle of the time counts
/// as the best: its bound is hardly wider, and the guess is surest there.
const SHORTEST: usize = 4;
/// There is one candidate for each of this many samples, and at least one.
const SAMPLES_A_CANDIDATE: usize = 16;

/// The place of the best sample.
fn best_of(samples: &[Opening]) -> Option<usize> {
    let candidates = (samples.len() / SAMPLES_A_CANDIDATE).clamp(1, SHORTEST);
    let delay = |place: &usize| samples.get(*place).map_or(i64::MAX, |one| one.high - one.low);
    let mut shortest: Vec<usize> = Vec::with_capacity(candidates + 1);
    for place in 0..samples.len() {
        if shortest.len() == candidates
            && shortest.last().is_some_and(|last| delay(last) <= delay(&place))
        {
            continue;
        }
        let after = shortest.partition_point(|other| delay(other) <= delay(&place));
        shortest.insert(after, place);
        shortest.truncate(candidates);
    }
    let middle = samples.len() / 2;
    shortest.into_iter().min_by_key(|place| place.abs_diff(middle))
}

/// The nearest whole nanosecond.
#[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
fn whole(nanoseconds: f64) -> i64 {
    nanoseconds.round() as i64
}

/// A guess is no surer than the nanosecond that it is rounded to, or than half of the clock's
/// grain: it is unknown whether the clock cuts its time or rounds it.
#[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
fn uncertainty(guess: &Guess, grain: i64) -> Offset {
    Offset::from_nanoseconds((guess.uncertainty.ceil() as i64).max(1).max(grain / 2))
}

/// How far the offset moves within half of a sample: the offset is given for its middle.
#[expect(clippy::float_arithmetic, reason = "a guess has a float for its rate")]
fn gone_within(best: &Opening, guess: &Guess) -> i64 {
    whole(guess.rate.abs() * super::line::float(best.high - best.low) / 2.0)
}

/// Notes how far both clocks of a sample advanced since the last sample.
fn add_grain(grain: &mut Grain, sample: &Sample, last: &Sample) {
    if let (Some(clock), Some(system)) =
        (from(sample.phc, last.phc), from(sample.before, last.before))
    {
        grain.add(clock, system);
    }
}

#[expect(clippy::float_arithmetic, reason = "from the clock's own time to the system clock's")]
#[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
fn rate(guess: &Guess, is_beside: bool) -> UncertainRate {
    // System time per time of the clock: above 0, as both clocks run forwards.
    let slower = if is_beside { 1.0 } else { (1.0 - guess.rate).max(1e-9) };
    let of = |rate: f64| Rate::from_micro_ppb((rate * 1e15).round() as i128);
    UncertainRate {
        rate: of(guess.rate / slower),
        uncertainty: of((guess.rate_uncertainty / slower / slower).max(1e-15)),
    }
}

/// What samples leave open, thinned to as many as are needed: of neighbours the one with the
/// shortest delay is kept, which tells the most.
#[derive(Clone, Debug)]
struct Kept {
    openings: Vec<Opening>,
    /// How many samples each opening stands for.
    thinned: usize,
    /// The best of the samples since the last kept opening, and how many there are.
    next: Opening,
    number: usize,
}

/// The most openings that are kept; when there are more, each pair of them becomes one.
const MOST_KEPT: usize = 8_192;

impl Default for Kept {
    fn default() -> Self {
        let (openings, next) = (Vec::new(), Opening::default());
        Self { openings, thinned: 1, next, number: 0 }
    }
}

impl Kept {
    fn push(&mut self, opening: &Opening) {
        if self.number == 0 || is_shorter(opening, &self.next) {
            self.next = *opening;
        }
        self.number += 1;
        if self.number == self.thinned {
            self.keep();
        }
    }

    fn keep(&mut self) {
        if self.openings.len() == MOST_KEPT {
            let pairs = self.openings.chunks(2);
            self.openings = pairs.filter_map(|pair| pair.iter().copied().reduce(shorter)).collect();
            self.thinned *= 2;
        }
        self.openings.push(self.next);
        self.number = 0;
    }

    fn all(&self) -> Vec<Opening> {
        let next = (self.number > 0).then_some(self.next);
        self.openings.iter().copied().chain(next).collect()
    }
}

fn is_shorter(one: &Opening, other: &Opening) -> bool {
    one.high - one.low < other.high - other.low
}

fn shorter(one: Opening, other: Opening) -> Opening {
    if is_shorter(&other, &one) { other } else { one }
}

/// A time in nanoseconds since another; `None` where that is too far for a line.
fn from<S: Scale>(time: Timestamp<S>, first: Timestamp<S>) -> Option<i64> {
    let seconds = time.seconds().checked_sub(first.seconds())?;
    let part = i64::from(time.nanoseconds()) - i64::from(first.nanoseconds());
    let most = FARTHEST_POINT / 1_000_000_000;
    (-most < seconds && seconds < most).then(|| seconds * 1_000_000_000 + part)
}

/// What samples say, by an [`Estimator`].
///
/// # Examples
///
/// ```
/// use ptpctl::{Sample, Scale, Timestamp, measure::estimate};
///
/// fn at<S: Scale>(nanoseconds: u32) -> Timestamp<S> {
///     Timestamp::new(1_700_000_000, nanoseconds).expect("in range")
/// }
/// // The clock is 4 us ahead. Two samples were quick on the way back, the one between on the way
/// // there: neither way alone says where the clock was read.
/// let samples = [
///     Sample { before: at(0), phc: at(5_600), after: at(1_700) },
///     Sample { before: at(9_000), phc: at(13_100), after: at(10_600) },
///     Sample { before: at(18_000), phc: at(23_400), after: at(19_500) },
/// ];
/// let estimate = estimate(&samples).expect("a sample is of use");
/// assert_eq!(estimate.offset.to_string(), "4 us");
/// assert_eq!(estimate.delay.to_string(), "1.5 us");
/// assert!(estimate.bound.nanoseconds() >= 751, "half of the delay: that is proven");
/// ```
pub fn estimate(samples: &[Sample]) -> Option<Estimate> {
    let mut estimator = Estimator::default();
    estimator.extend(samples);
    estimator.estimate()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<S: Scale>(time: i128) -> Timestamp<S> {
        Timestamp::from_total_nanoseconds(time).expect("in range")
    }

    fn sample(before: i128, phc: i128, after: i128) -> Sample {
        Sample { before: at(before), phc: at(phc), after: at(after) }
    }

    #[test]
    fn quick_ways_there_and_back_are_put_together() {
        let samples =
            [sample(0, 950, 1_000), sample(2_000, 2_050, 3_000), sample(5_000, 5_950, 6_000)];
        let estimate = estimate(&samples).expect("an estimate");
        assert_eq!((estimate.offset.nanoseconds(), estimate.delay.nanoseconds()), (0, 1_000));
        assert_eq!((estimate.samples, estimate.reversed, estimate.steps), (3, 0, 0));
    }

    #[test]
    fn the_rate_of_one_clock_beside_another_is_counted_in_the_others_time() {
        // A thousandth fast, and a thousandth slow.
        let mut estimator = DifferenceEstimator::new(Rate::from_ppb(1_000_000));
        for turn in 0..200 {
            let (one, other) = (turn * 10_000, turn * 10_000 + 2_000);
            let fast = (one + 500) * 1_001 / 1_000;
            let slow = (other + 500) * 999 / 1_000;
            estimator.add(sample(one, fast, one + 1_000), sample(other, slow, other + 1_000));
        }
        let rate = estimator.estimate().and_then(|estimate| estimate.rate).expect("a rate");
        let apart = rate.rate.micro_ppb() - 2_002_002_002_000;
        assert!(apart.abs() < 2_000_000_000, "{rate:?}");
    }

    #[test]
    fn a_sample_the_wrong_way_round_is_left_out_wherever_it_comes() {
        for place in [0, 14, 15, 16, 39] {
            let mut estimator = Estimator::default();
            for turn in 0..40 {
                let before = turn * 10_000;
                let after = if turn == place { before - 100 } else { before + 1_000 };
                estimator.add(sample(before, before + 500 + turn % 3, after));
            }
            let estimate = estimator.estimate().expect("an estimate");
            assert_eq!(
                (estimate.samples, estimate.reversed, estimate.steps),
                (40, 1, 0),
                "{place}"
            );
        }
    }

    #[test]
    fn the_bound_is_that_of_one_sample_whatever_the_others_say() {
        let estimate = estimate(&[sample(0, 950, 1_000)]).expect("an estimate");
        assert_eq!((estimate.offset.nanoseconds(), estimate.bound.nanoseconds()), (450, 501));
        assert_eq!((estimate.at, estimate.rate, estimate.uncertainty), (at(500), None, None));
    }

    #[test]
    fn what_was_before_a_step_does_not_count() {
        // The clock goes a microsecond ahead; then the system clock does.
        let samples = [
            sample(0, 50, 100),
            sample(1_000, 2_050, 1_100),
            sample(2_000, 3_050, 2_100),
            sample(4_000, 4_050, 4_100),
        ];
        let after = |number| estimate(&samples[..number]).expect("an estimate");
        assert_eq!((after(3).steps, after(3).offset.nanoseconds()), (1, 1_000));
        assert_eq!((after(4).steps, after(4).offset.nanoseconds()), (2, 0));
    }

    #[test]
    fn where_no_line_fits_the_best_sample_counts() {
        // A clock that goes back and forth by less than what counts as a step.
        let samples = [
            sample(0, 50, 100),
            sample(100_000, 100_550, 100_200),
            sample(200_000, 200_030, 200_060),
        ];
        let estimate = estimate(&samples).expect("an estimate");
        assert_eq!((estimate.basis, estimate.rate), (Basis::BestSample, None));
        assert_eq!((estimate.offset.nanoseconds(), estimate.bound.nanoseconds()), (0, 31));
    }

    #[test]
    fn samples_the_wrong_way_round_are_of_no_use() {
        let reversed = sample(1_000, 600, 900);
        let best = estimate(&[reversed, sample(2_000, 2_200, 2_300)]).expect("an estimate");
        assert_eq!((best.offset.nanoseconds(), best.reversed), (50, 1));
        assert_eq!(estimate(&[reversed]), None);
        assert_eq!(estimate(&[]), None);
    }

    #[test]
    fn a_difference_leaves_open_what_both_samples_do_and_the_first_clocks_way_between() {
        let mut both = DifferenceEstimator::new(Rate::from_ppb(1_000_000));
        // +1000 at 5, and +200 at 10 005: the first clock may have gone 10 ns by then.
        both.add(sample(0, 1_005, 10), sample(10_000, 10_205, 10_010));
        let estimate = both.estimate().expect("a difference");
        assert_eq!((estimate.offset.nanoseconds(), estimate.at), (800, at(10_005)));
        assert_eq!((estimate.delay.nanoseconds(), estimate.bound.nanoseconds()), (42, 22));
    }

    proptest::proptest! {
        #[test]
        fn the_bound_holds_the_truth_wherever_in_its_sample_the_clock_was_read(
            truth in -1_000_000_000_000_i64..1_000_000_000_000,
            delays in proptest::collection::vec((0_i128..20_000, 0_i128..20_000), 1..50),
        ) {
            let mut now = 1_700_000_000_000_000_000;
            let samples: Vec<_> = delays.iter().map(|(there, back)| {
                let before = now;
                now += there + back;
                sample(before, before + there + i128::from(truth), now)
            }).collect();
            let estimate = estimate(&samples).expect("an estimate");
            let error = estimate.offset.nanoseconds().abs_diff(truth);
            proptest::prop_assert!(error <= estimate.bound.nanoseconds().unsigned_abs());
        }

        #[test]
        fn the_bound_of_a_difference_holds_the_truth_at_any_rate_within_the_limit(
            truth in -1_000_000_000_i64..1_000_000_000,
            rate in -1_000_000_i128..1_000_000,
            delays in proptest::collection::vec((0_i128..20_000, 0_i128..20_000), 1..50),
        ) {
            let start = 1_700_000_000_000_000_000;
            let mut now = start;
            let gained = |time: i128| ((time - start) * rate).div_euclid(1_000_000_000);
            let mut both = DifferenceEstimator::new(Rate::from_ppb(1_000_000));
            let mut read = |offset: &dyn Fn(i128) -> i128, (there, back): &(i128, i128)| {
                let (before, moment) = (now, now + there);
                now = moment + back;
                sample(before, moment + offset(moment), now)
            };
            for delay in &delays {
                let one = read(&|moment| i128::from(truth) + gained(moment), delay);
                let other = read(&|_| 0, delay);
                both.add(one, other);
            }
            let estimate = both.estimate().expect("an estimate");
            let then = i128::from(truth) + gained(estimate.at.total_nanoseconds());
            let error = (i128::from(estimate.offset.nanoseconds()) - then).unsigned_abs();
            // The second was read somewhere in its sample, in which the first went on.
            let moved = estimate.delay.nanoseconds().unsigned_abs() / 1_000 + 2;
            let bound = estimate.bound.nanoseconds().unsigned_abs() + moved;
            proptest::prop_assert!(error <= bound.into(), "{estimate:?} {then}");
        }
    }
}
