//! Whether a clock keeps a mask.
//!
//! There are three answers: it does, it doesn't, or these offsets don't show it. An offset is known
//! only to within its bound. So a limit on time errors is passed where every offset keeps it even
//! at the far end of its bound, and failed where one exceeds it even at the near end. A curve
//! limits differences of offsets, in which a constant bias cancels, so these are judged without
//! bounds. They contain the measurement's own noise: a curve that is kept only without this noise
//! is neither passed nor failed.

#![expect(clippy::float_arithmetic, reason = "limits are curves over averaging times")]

use super::filter::{Filtered, high_pass, low_pass};
use super::{Filter, Limit, Mask, Quantity, Requirement, Segment};
use crate::measure::stability::{
    Deviation, Kind, Series, float, float_of, float_of_signed, float_of_sum, spread,
};
use crate::{FineOffset, Offset};
use std::fmt;

/// What there is to judge a clock by.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Its offsets from a reference that counts as true.
    pub series: &'a Series,
    /// All time errors that were measured, also those after steps and gaps.
    pub errors: &'a TimeErrors,
    /// The standard deviation that a measurement's own noise has, in nanoseconds, where it is known.
    pub noise: Option<f64>,
}

/// What whoever judges is willing to assume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The guess counts as the truth: both ways of a reading take equally long.
    pub symmetric: bool,
    /// The offsets that were measured stand for those that weren't.
    pub partial: bool,
}

/// The ranges of the time errors: as they were measured, and as they can be, in attoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeErrors {
    number: usize,
    /// The ranges of the offsets, of their lowest possible values, and of their highest possible
    /// values.
    guess: Range,
    least: Range,
    most: Range,
    bound: i128,
    /// Whether any had no bound.
    unbounded: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Range {
    low: i128,
    high: i128,
}

impl Range {
    fn take(&mut self, value: i128, is_first: bool) {
        let (low, high) = if is_first { (value, value) } else { (self.low, self.high) };
        *self = Self { low: low.min(value), high: high.max(value) };
    }

    fn less(self, by: i128) -> Self {
        Self { low: self.low.saturating_sub(by), high: self.high.saturating_sub(by) }
    }
}

impl TimeErrors {
    /// Takes one more, with its bound where it is known.
    pub fn add(&mut self, offset: FineOffset, bound: Option<Offset>) {
        let is_first = self.number == 0;
        let known = bound.map(|bound| FineOffset::from(bound).attoseconds());
        let (offset, bound) = (offset.attoseconds(), known.unwrap_or(0).saturating_abs());
        self.guess.take(offset, is_first);
        self.least.take(offset.saturating_sub(bound), is_first);
        self.most.take(offset.saturating_add(bound), is_first);
        self.bound = self.bound.max(bound);
        self.unbounded |= known.is_none();
        self.number += 1;
    }

    /// The same errors, less an offset that all of them contain.
    #[must_use]
    pub fn less(self, by: Offset) -> Self {
        let by = FineOffset::from(by).attoseconds();
        Self {
            guess: self.guess.less(by),
            least: self.least.less(by),
            most: self.most.less(by),
            ..self
        }
    }

    /// Whether any of them has no bound.
    pub const fn is_unbounded(&self) -> bool {
        self.unbounded
    }

    /// The largest absolute error: as it was measured, and the least and the most that it can be.
    fn largest(&self) -> [f64; 3] {
        let of = |low: i128, high: i128| nanoseconds(high.max(low.saturating_neg()).max(0));
        [
            of(self.guess.low, self.guess.high),
            // One of the errors is at least this large.
            of(self.most.low, self.least.high),
            of(self.least.low, self.most.high),
        ]
    }
}

/// Converts attoseconds to nanoseconds.
fn nanoseconds(attoseconds: i128) -> f64 {
    float_of_sum(attoseconds) / 1e9
}

/// The result for one limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was limited.
    pub quantity: Quantity,
    /// Whether it is kept, and why.
    pub verdict: Verdict,
}

/// Whether a limit is kept, and what shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether it is kept.
    pub outcome: Outcome,
    /// What the outcome assumes.
    pub assumes: Vec<Assumption>,
    /// The place that is closest to the limit or farthest beyond it; `None` where nothing was judged.
    pub worst: Option<Worst>,
    /// The first τ that fails, in seconds.
    pub fails_from: Option<f64>,
    /// The τ up to which it was judged, or how long it was measured, in seconds.
    pub judged_to: f64,
    /// The τ up to which it has to be judged, or how long it has to be measured, in seconds.
    pub goes_to: f64,
    /// What was judged: τ in seconds and what was measured there, in nanoseconds.
    pub points: Vec<(f64, f64)>,
}

/// Where something is closest to its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worst {
    /// τ in seconds; `None` where the limit is one number.
    pub tau: Option<f64>,
    /// What was measured there, in nanoseconds.
    pub value: f64,
    /// What is allowed there, in nanoseconds.
    pub limit: f64,
}

/// Whether a limit is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// It is.
    Passed,
    /// It isn't.
    Failed,
    /// These offsets don't show it.
    NotShown(Lack),
}

/// What a verdict assumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assumption {
    /// The guess is the truth ([`Terms::symmetric`]).
    Symmetric,
    /// The offsets that were measured stand for those that weren't ([`Terms::partial`]).
    Partial,
    /// Offsets without a bound are as accurate as whoever measured them says.
    Accuracy,
}

impl Assumption {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Symmetric => "symmetric",
            Self::Partial => "partial",
            Self::Accuracy => "accurate",
        }
    }
}

/// What is missing to show whether a limit is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Lack {
    /// It was measured for too short a time.
    TooShort {
        /// How long it takes, in seconds.
        needs: f64,
    },
    /// The offsets are too far apart.
    TooFarApart {
        /// How close together they have to be, in seconds.
        needs: f64,
    },
    /// The offsets can be off by this many nanoseconds, and that decides whether it is kept.
    Bound(f64),
    /// Without the measurement's own noise, this many nanoseconds, it may be kept.
    Noise(f64),
    /// Too many offsets in a row are missing.
    Gap,
    /// Some offsets are too close together, and don't count.
    Crowded,
    /// The measurement has parts that can't be compared with each other.
    Parts,
    /// The limit is exceeded while its filter settles.
    Settling,
    /// The offsets differ by more than a filter takes.
    TooFar,
    /// There are no offsets, or there is no time between them.
    None,
    /// Parts of the data can't be read.
    Damaged,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { needs } => {
                write!(f, "it was measured for less than the {needs} s that it takes")
            }
            Self::TooFarApart { needs } => {
                write!(f, "its offsets are farther apart than the {needs} s that the limit allows")
            }
            Self::Bound(bound) => write!(f, "its offsets can be off by up to {bound} ns"),
            Self::Noise(noise) => {
                write!(
                    f,
                    "the measurement's own noise of {noise:.3} ns can be what exceeds the limit"
                )
            }
            Self::Gap => f.write_str("it has a gap of more than ten offsets"),
            Self::Crowded => f.write_str("offsets that come too close together don't count"),
            Self::Parts => f.write_str("parts of it aren't compared with each other"),
            Self::Settling => {
                f.write_str("it is beyond the limit while its filter of 0.1 Hz settles")
            }
            Self::TooFar => f.write_str("its offsets differ by more than eleven days"),
            Self::None => f.write_str("there are no offsets"),
            Self::Damaged => f.write_str("parts of the data can't be read"),
        }
    }
}

impl Lack {
    /// Whether less was measured than the limit covers.
    const fn is_partial(self) -> bool {
        matches!(self, Self::TooShort { .. } | Self::TooFarApart { .. } | Self::Gap | Self::Parts)
    }
}

/// The longest gap that is accepted: what happens in a longer one is unknown.
const LONGEST_GAP: usize = 10;
/// How long constant time errors are averaged and filtered time errors are judged, in seconds
/// (ITU-T G.8273.2, 7.1).
const LONG: f64 = 1_000.0;
/// A time deviation takes a measurement of this many averaging times (ITU-T G.810, II.3).
const TDEV_TAKES: f64 = 12.0;
/// The peak-to-peak value of noise in many measurements, in standard deviations.
const PEAK_TO_PEAK: f64 = 6.0;

impl Requirement {
    /// How long it takes to show that it is kept, in seconds.
    pub fn takes(&self) -> f64 {
        match &self.limit {
            Limit::Number(_) if self.quantity == Quantity::MaxTimeError => 0.0,
            Limit::Number(_) => LONG,
            Limit::Curve(segments) => {
                let to = segments.last().map_or(0.0, |last| last.to);
                if self.quantity.kind() == Some(Kind::Time) { TDEV_TAKES * to } else { to }
            }
        }
    }
}

impl Mask {
    /// Judges a clock by what was measured.
    pub fn judge(&self, evidence: &Evidence<'_>, terms: Terms) -> Vec<Finding> {
        let wants = |filter| self.requirements.iter().any(|one| one.quantity.filter() == filter);
        let low = wants(Filter::Low).then(|| low_pass(evidence.series));
        let high = wants(Filter::High).then(|| high_pass(evidence.series));
        let finding = |requirement: &Requirement| {
            let filtered = match requirement.quantity.filter() {
                Filter::None => None,
                Filter::Low => low.as_ref(),
                Filter::High => high.as_ref(),
            };
            let verdict = match filtered.map(Result::as_ref).transpose() {
                Err(lack) => Verdict::not_shown(*lack, requirement.takes()),
                Ok(filtered) => Judge { evidence, terms, filtered }.judge(requirement),
            };
            Finding { quantity: requirement.quantity, verdict }
        };
        self.requirements.iter().map(finding).collect()
    }
}

impl Verdict {
    fn not_shown(lack: Lack, goes_to: f64) -> Self {
        Self {
            outcome: Outcome::NotShown(lack),
            assumes: Vec::new(),
            worst: None,
            fails_from: None,
            judged_to: 0.0,
            goes_to,
            points: Vec::new(),
        }
    }

    /// The same verdict; where it is passed, it becomes not shown for this reason.
    #[must_use]
    pub fn unless(mut self, lack: Lack) -> Self {
        if self.outcome == Outcome::Passed {
            self.outcome = Outcome::NotShown(lack);
        }
        self
    }
}

/// One limit and what there is to judge by.
struct Judge<'a> {
    evidence: &'a Evidence<'a>,
    terms: Terms,
    filtered: Option<&'a Filtered>,
}

impl Judge<'_> {
    fn judge(&self, requirement: &Requirement) -> Verdict {
        let evidence = self.evidence;
        if evidence.series.measured() == 0 || evidence.series.distance == 0 {
            return Verdict::not_shown(Lack::None, requirement.takes());
        }
        match &requirement.limit {
            Limit::Number(limit) => self.number(requirement, *limit),
            Limit::Curve(segments) => self.curve(requirement, segments),
        }
    }

    fn series(&self) -> &Series {
        self.filtered.map_or(self.evidence.series, |filtered| &filtered.series)
    }

    /// How long it was measured, in seconds.
    fn span(&self) -> f64 {
        seconds(self.evidence.series) * float_of(self.evidence.series.span())
    }

    /// What the record lacks because of gaps; [`Terms::partial`] can assume it.
    fn gaps(&self) -> Option<Lack> {
        let series = self.evidence.series;
        if series.stretches.len() > 1 {
            return Some(Lack::Parts);
        }
        (series.longest_gap() > LONGEST_GAP).then_some(Lack::Gap)
    }

    /// Offsets that were measured and don't count; no terms can assume them.
    fn crowded(&self) -> Option<Lack> {
        (self.evidence.series.crowded > 0).then_some(Lack::Crowded)
    }

    fn number(&self, requirement: &Requirement, limit: f64) -> Verdict {
        let (quantity, span) = (requirement.quantity, self.span());
        let bound = nanoseconds(self.evidence.errors.bound);
        let around = |value: f64| [value, (value - bound).max(0.0), value + bound];
        let errors = || {
            let (series, unit) = (self.series(), self.series().unit());
            series.offsets().map(move |offset| float_of_signed(offset) * unit)
        };
        let [guess, least, most] = match quantity {
            Quantity::MaxTimeError => self.evidence.errors.largest(),
            Quantity::ConstantTimeError => around(constant_error(self.series())),
            // A bias that stays the same cancels.
            Quantity::HighPeakToPeak => {
                let range = errors()
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), one| {
                        (one.min(low), one.max(high))
                    });
                let value = (range.1 - range.0).max(0.0);
                [value; 3]
            }
            _ => around(errors().map(f64::abs).fold(0.0, f64::max)),
        };
        let is_absolute = quantity != Quantity::HighPeakToPeak;
        let symmetric = is_absolute && self.terms.symmetric;
        let [least, most] = if symmetric { [guess; 2] } else { [least, most] };
        let noise = self.evidence.noise.map_or(0.0, |noise| PEAK_TO_PEAK * noise);
        let outcome = if most <= limit {
            Outcome::Passed
        } else if least <= limit {
            Outcome::NotShown(Lack::Bound(bound))
        } else if !is_absolute && guess - noise <= limit {
            Outcome::NotShown(Lack::Noise(noise))
        } else {
            Outcome::Failed
        };
        let mut verdict = Verdict {
            outcome,
            worst: Some(Worst { tau: None, value: guess, limit }),
            judged_to: span,
            ..Verdict::not_shown(Lack::None, requirement.takes().max(span))
        };
        if symmetric && bound > 0.0 {
            verdict.assumes.push(Assumption::Symmetric);
        }
        if is_absolute && self.evidence.errors.unbounded {
            verdict.assumes.push(Assumption::Accuracy);
        }
        if self.filtered.is_some_and(|filtered| is_absolute && filtered.settling > limit) {
            verdict = verdict.unless(Lack::Settling);
        }
        let short = Some(Lack::TooShort { needs: requirement.takes() });
        let short = short.filter(|_| span < requirement.takes());
        // Each offset is judged by itself.
        let all = quantity == Quantity::MaxTimeError;
        let [gaps, crowded] = [self.gaps(), self.crowded()].map(|lack| lack.filter(|_| !all));
        self.lacks(verdict, [short, gaps, crowded])
    }

    /// Where something is missing, the verdict can't be passed, unless the terms assume it.
    fn lacks(&self, verdict: Verdict, lacks: impl IntoIterator<Item = Option<Lack>>) -> Verdict {
        lacks.into_iter().flatten().fold(verdict, |mut verdict, lack| {
            let assumed = self.terms.partial && lack.is_partial() && verdict.worst.is_some();
            if !assumed {
                return verdict.unless(lack);
            }
            if !verdict.assumes.contains(&Assumption::Partial) {
                verdict.assumes.push(Assumption::Partial);
            }
            verdict
        })
    }

    fn curve(&self, requirement: &Requirement, segments: &[Segment]) -> Verdict {
        let series = self.series();
        let (seconds, span) = (seconds(series), self.span());
        let kind = requirement.quantity.kind().unwrap_or(Kind::Mtie);
        let begins = segments.first().map_or(0.0, |segment| segment.from);
        let goes_to = segments.last().map_or(0.0, |segment| segment.to);
        let takes = if kind == Kind::Time { TDEV_TAKES } else { 1.0 };
        let (mut worst, mut fails_from, mut unsure): (Option<Worst>, _, _) = (None, None, None);
        let (mut judged_to, mut points) = (0.0, Vec::new());
        let factors = factors(segments, seconds, series.places());
        let mut all = series.deviations(kind, &factors);
        if kind == Kind::Mtie {
            all = closer(series, all, |factor| at(segments, float(factor) * seconds));
        }
        for one in all {
            let tau = float(one.factor) * seconds;
            let Some(limit) = at(segments, tau) else { continue };
            if tau * takes > (span + seconds) * (1.0 + 1e-9) {
                break;
            }
            let value = one.value;
            judged_to = tau;
            points.push((tau, value));
            let noise = self.evidence.noise.unwrap_or(0.0);
            // Ranges add up, and so do variances.
            let (noise, least) = match kind {
                Kind::Time => {
                    let noise = noise / float(one.factor).sqrt();
                    (noise, (value * value - noise * noise).max(0.0).sqrt())
                }
                _ => (PEAK_TO_PEAK * noise, value - PEAK_TO_PEAK * noise),
            };
            if least > limit {
                fails_from = fails_from.or(Some(tau));
            } else if value > limit {
                unsure = unsure.or(Some(Lack::Noise(noise)));
            }
            if worst.is_none_or(|worst| value / limit > worst.value / worst.limit) {
                worst = Some(Worst { tau: Some(tau), value, limit });
            }
        }
        let outcome = match (fails_from, unsure) {
            (Some(_), _) => Outcome::Failed,
            (None, Some(lack)) => Outcome::NotShown(lack),
            (None, None) => Outcome::Passed,
        };
        let needs = requirement.takes();
        let verdict =
            Verdict { outcome, assumes: Vec::new(), worst, fails_from, judged_to, goes_to, points };
        let short = (judged_to + seconds <= goes_to).then_some(Lack::TooShort { needs });
        let far = (seconds > begins * 1.01).then_some(Lack::TooFarApart { needs: begins });
        let nothing = verdict.worst.is_none().then_some(Lack::TooShort { needs });
        self.lacks(verdict, [short, far, self.gaps(), self.crowded(), nothing])
    }
}

/// The limit at an averaging time, where there is one.
fn at(segments: &[Segment], tau: f64) -> Option<f64> {
    // Seconds are rounded a little.
    let is_in =
        |segment: &&Segment| segment.from <= tau * (1.0 + 1e-9) && tau <= segment.to * (1.0 + 1e-9);
    Some(segments.iter().find(is_in)?.at(tau))
}

/// The most rounds in which the place where MTIE exceeds a limit is looked for, and the most places
/// that are looked at.
const ROUNDS: usize = 24;
const MOST_PLACES: usize = 1_000;

/// MTIE at more averaging times, until it can't exceed the limit between two of them: MTIE never
/// falls as the averaging time grows, so that its value at the longer one is the most between the
/// two.
fn closer(
    series: &Series,
    mut all: Vec<Deviation>,
    limit: impl Fn(usize) -> Option<f64>,
) -> Vec<Deviation> {
    let is_beyond = |one: &Deviation| limit(one.factor).is_some_and(|limit| one.value > limit);
    for _ in 0..ROUNDS {
        // The first place that is beyond it is what counts.
        let fails = all.iter().position(is_beyond).map_or(all.len(), |place| place + 1);
        let upto = all.get(..fails).unwrap_or_default();
        let neighbours = upto.iter().zip(upto.iter().skip(1));
        let between: Vec<usize> = neighbours
            .filter(|(one, next)| next.factor - one.factor > 1)
            .filter(|(one, next)| {
                let limits = [one.factor + 1, next.factor - 1].map(&limit);
                let least = limits.into_iter().flatten().fold(f64::INFINITY, f64::min);
                next.value > least
            })
            .map(|(one, next)| usize::midpoint(one.factor, next.factor))
            .collect();
        if between.is_empty() || all.len() > MOST_PLACES {
            break;
        }
        all.extend(series.deviations(Kind::Mtie, &between));
        all.sort_unstable_by_key(|one| one.factor);
    }
    all
}

/// The averaging factors where a curve is judged: ten a decade, and those next to its corners.
fn factors(segments: &[Segment], seconds: f64, places: usize) -> Vec<usize> {
    let mut factors = spread(places, 10);
    let corners = segments.iter().flat_map(|segment| [segment.from, segment.to]);
    let beside = |corner: f64| [(corner / seconds).floor(), (corner / seconds).ceil()];
    factors.extend(corners.flat_map(beside).map(whole).filter(|factor| *factor > 0));
    factors.sort_unstable();
    factors.dedup();
    factors
}

fn seconds(series: &Series) -> f64 {
    float_of(series.distance) * 1e-9
}

/// The largest mean time error over 1000 s in a row, or over all where that is less; windows that
/// lack more than half of their offsets don't count.
fn constant_error(series: &Series) -> f64 {
    let longest = whole(LONG / seconds(series));
    let mut largest: f64 = 0.0;
    for stretch in &series.stretches {
        let slots = stretch.slots();
        let window = longest.clamp(1, slots.len().max(1));
        let (mut sum, mut number) = (0_i128, 0);
        for (place, late) in slots.iter().enumerate() {
            let early = place.checked_sub(window).and_then(|place| slots.get(place));
            for (slot, by) in [(Some(late), 1), (early, -1)] {
                if let Some(offset) = slot.and_then(|slot| slot.offset()) {
                    sum += by * i128::from(offset);
                    number += by;
                }
            }
            let is_full = place + 1 >= window && float_of_sum(number) * 2.0 >= float(window);
            if is_full {
                largest = largest.max((float_of_sum(sum) / float_of_sum(number)).abs());
            }
        }
    }
    largest * series.unit()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
fn whole(number: f64) -> usize {
    number.round() as usize
}

/// The outcome of all findings: passed where every limit is kept, failed where one isn't, else not
/// shown.
pub fn overall<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Outcome {
    findings.into_iter().fold(Outcome::Passed, |all, finding| {
        match (all, finding.verdict.outcome) {
            (Outcome::Failed, _) | (_, Outcome::Failed) => Outcome::Failed,
            (Outcome::Passed, one) => one,
            (not_shown, _) => not_shown,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::masks;
    use super::*;

    const TENTH: u64 = 100_000_000;

    fn series(distance: u64, offsets: impl IntoIterator<Item = i64>) -> Series {
        Series::even(distance, offsets)
    }

    fn errors(series: &Series, bound: Option<i64>) -> TimeErrors {
        let mut errors = TimeErrors::default();
        for offset in series.offsets() {
            let bound = bound.map(Offset::from_nanoseconds);
            errors.add(Offset::from_nanoseconds(offset).into(), bound);
        }
        errors
    }

    /// What a mask says about a quantity of this series, whose offsets have a bound.
    fn judged(
        name: &str,
        quantity: Quantity,
        series: &Series,
        bound: i64,
        terms: Terms,
    ) -> Verdict {
        let mask = masks().iter().find(|mask| mask.name == name).expect("a mask");
        let errors = errors(series, Some(bound));
        let evidence = Evidence { series, errors: &errors, noise: None };
        let findings = mask.judge(&evidence, terms);
        findings.into_iter().find(|one| one.quantity == quantity).expect("it").verdict
    }

    fn verdict(name: &str, quantity: Quantity, series: &Series) -> Verdict {
        judged(name, quantity, series, 0, Terms::default())
    }

    fn not_shown(verdict: &Verdict) -> bool {
        matches!(verdict.outcome, Outcome::NotShown(_))
    }

    #[test]
    fn a_time_error_is_passed_where_its_bound_keeps_the_limit_and_failed_where_it_cannot() {
        let of = |offset, bound, terms| {
            let series = series(TENTH, vec![offset; 100]);
            judged("g8272-a", Quantity::MaxTimeError, &series, bound, terms).outcome
        };
        let plain = Terms::default();
        assert_eq!(of(60, 40, plain), Outcome::Passed);
        assert_eq!(of(-60, 41, plain), Outcome::NotShown(Lack::Bound(41.0)));
        assert_eq!(of(-130, 30, plain), Outcome::NotShown(Lack::Bound(30.0)));
        assert_eq!(of(-131, 30, plain), Outcome::Failed);
        let symmetric = Terms { symmetric: true, ..plain };
        assert_eq!(
            (of(60, 634, symmetric), of(130, 634, symmetric)),
            (Outcome::Passed, Outcome::Failed)
        );
        let series = series(TENTH, vec![60; 100]);
        let verdict = judged("g8272-a", Quantity::MaxTimeError, &series, 634, symmetric);
        assert_eq!(verdict.assumes, [Assumption::Symmetric], "it says so");
    }

    #[test]
    fn offsets_without_a_bound_are_as_accurate_as_they_are_said_to_be() {
        let series = series(TENTH, vec![60; 100]);
        let errors = errors(&series, None);
        let evidence = Evidence { series: &series, errors: &errors, noise: None };
        let mask = masks().iter().find(|mask| mask.name == "g8272-a").expect("a mask");
        let findings = mask.judge(&evidence, Terms::default());
        let verdict = &findings.first().expect("max|TE|").verdict;
        assert_eq!(
            (verdict.outcome, verdict.assumes.as_slice()),
            (Outcome::Passed, &[Assumption::Accuracy][..])
        );
    }

    #[test]
    fn a_clock_that_goes_too_fast_fails_from_the_tau_where_its_line_crosses_the_limit() {
        // 0.5 ns a second crosses 25 ns + 0.275 ns/s τ at 111 s.
        let series = series(500_000_000, (0..4_000).map(|half_second| half_second / 4));
        let mtie = verdict("g8272-a", Quantity::Mtie, &series);
        assert_eq!(mtie.outcome, Outcome::Failed);
        // The offsets are whole nanoseconds: it does so a little earlier.
        assert!((108.0..112.0).contains(&mtie.fails_from.expect("it does")), "{mtie:?}");
        assert_eq!(verdict("g8272-a", Quantity::Tdev, &series).fails_from, None);
    }

    #[test]
    fn the_constant_time_error_is_a_mean_of_a_thousand_seconds() {
        // Half of the time 30 ns off, in turns of one second: 15 ns on average.
        let of = |number| {
            let series = series(1_000_000_000, (0..number).map(|second| 30 * (second % 2)));
            verdict("g8273.2-c", Quantity::ConstantTimeError, &series)
        };
        let cte = of(3_000);
        assert_eq!(cte.outcome, Outcome::Failed);
        assert_eq!(
            cte.worst.map(|worst| format!("{} of {}", worst.value, worst.limit)).as_deref(),
            Some("15 of 10")
        );
        let steady = |number| {
            let series = series(1_000_000_000, vec![0; number]);
            verdict("g8273.2-c", Quantity::ConstantTimeError, &series).outcome
        };
        assert_eq!(steady(1_000), Outcome::Passed);
        assert_eq!(steady(999), Outcome::NotShown(Lack::TooShort { needs: 1_000.0 }));
    }

    #[test]
    fn a_curve_is_passed_only_where_it_was_judged_from_its_begin_to_its_end() {
        let steady = |distance, number| series(distance, vec![0; number]);
        let of = |series: &Series| verdict("g8262-option1", Quantity::Mtie, series);
        assert_eq!(of(&steady(TENTH, 10_002)).outcome, Outcome::Passed, "1000 s of 1000 s");
        assert_eq!(of(&steady(33_333_333, 30_002)).outcome, Outcome::Passed);
        assert_eq!(
            of(&steady(TENTH, 5_000)).outcome,
            Outcome::NotShown(Lack::TooShort { needs: 1_000.0 })
        );
        let coarse = of(&steady(1_000_000_000, 5_000)).outcome;
        assert_eq!(coarse, Outcome::NotShown(Lack::TooFarApart { needs: 0.1 }), "from 1 s on");
        let mut crowded = steady(TENTH, 10_002);
        crowded.crowded = 1;
        assert_eq!(of(&crowded).outcome, Outcome::NotShown(Lack::Crowded));
        let mut gap = steady(TENTH, 10_002);
        gap.stretches.first_mut().expect("one").push(11, 0);
        assert_eq!(of(&gap).outcome, Outcome::Passed, "ten are missing");
        gap.stretches.first_mut().expect("one").push(12, 0);
        assert_eq!(of(&gap).outcome, Outcome::NotShown(Lack::Gap));
    }

    #[test]
    fn what_is_beyond_the_limit_between_two_averaging_times_is_found() {
        // MTIE of 7 s is 7.7 ns, where 7.63 ns are allowed; ten a decade are judged at 6 s and 8 s.
        let offsets = (0..60).map(|second| match second {
            20 => 385,
            27 => -385,
            _ => 0,
        });
        let mut series = series(1_000_000_000, offsets);
        series.decimals = 2;
        let mask = super::super::parse("mask x\nMTIE 4 to 20 = 1.09 t").expect("a mask");
        let errors = errors(&series, None);
        let evidence = Evidence { series: &series, errors: &errors, noise: None };
        let found = mask.first().expect("one").judge(&evidence, Terms::default());
        let verdict = &found.first().expect("one").verdict;
        assert_eq!((verdict.outcome, verdict.fails_from), (Outcome::Failed, Some(7.0)));
    }

    #[test]
    fn a_time_deviation_takes_twelve_times_its_averaging_time() {
        let of = |number| verdict("g8262-option1", Quantity::Tdev, &series(TENTH, vec![0; number]));
        assert_eq!(of(120_000).outcome, Outcome::Passed);
        let short = of(60_000);
        assert_eq!(short.outcome, Outcome::NotShown(Lack::TooShort { needs: 12_000.0 }));
        assert!((450.0..=500.1).contains(&short.judged_to), "{}", short.judged_to);
    }

    #[test]
    fn what_there_is_is_judged_where_somebody_takes_it_upon_himself() {
        let partial = Terms { partial: true, ..Terms::default() };
        let series = series(TENTH, vec![0; 5_000]);
        let found = judged("g8262-option1", Quantity::Mtie, &series, 0, partial);
        assert_eq!(
            (found.outcome, found.assumes.as_slice()),
            (Outcome::Passed, &[Assumption::Partial][..])
        );
        let nothing = Series::even(TENTH, [0, 0]);
        let found = judged("g8271.1-c", Quantity::LowMtie, &nothing, 0, partial);
        assert!(not_shown(&found), "nothing was judged: {found:?}");
    }

    #[test]
    fn what_may_be_noise_of_the_measurement_fails_nothing() {
        let mut random = 1_u32;
        let mut noise = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            i64::from(random >> 24) - 128
        };
        let series = series(TENTH, (0..120_100).map(|_| noise()));
        let errors = errors(&series, Some(300));
        let mask = masks().iter().find(|mask| mask.name == "g8262-option1").expect("a mask");
        let of = |noise| {
            let evidence = Evidence { series: &series, errors: &errors, noise };
            mask.judge(&evidence, Terms::default())
                .iter()
                .map(|one| one.verdict.outcome)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(None), [Outcome::Failed; 2], "it is the clock's");
        assert!(of(Some(74.0)).iter().all(|one| matches!(one, Outcome::NotShown(Lack::Noise(_)))));
    }

    #[test]
    fn what_a_filter_hides_while_it_settles_is_not_passed() {
        let of = |begin| {
            let offsets = (0..20_200).map(|place| if place < 25 { begin } else { 0 });
            verdict("g8273.2-d", Quantity::MaxLowTimeError, &series(TENTH, offsets)).outcome
        };
        assert_eq!((of(4), of(400)), (Outcome::Passed, Outcome::NotShown(Lack::Settling)));
    }

    #[test]
    fn what_is_faster_than_the_filter_is_limited_from_peak_to_peak() {
        let of = |size| {
            let offsets = (0..20_200_i64).map(|place| size * (place % 2));
            verdict("g8273.2-c", Quantity::HighPeakToPeak, &series(TENTH, offsets)).outcome
        };
        assert_eq!((of(25), of(35)), (Outcome::Passed, Outcome::Failed));
    }

    #[test]
    fn what_no_clock_shows_is_passed_by_nobody() {
        let far = [0, i64::MAX, i64::MIN, 0, 1 << 61, -(1 << 61), 5, 6, 7, 8];
        for mask in masks() {
            for series in [
                series(1, far),
                series(u64::MAX, far),
                series(0, [0; 9]),
                series(1, []),
                series(u64::MAX, [1 << 59; 40]),
            ] {
                let errors = errors(&series, Some(i64::MAX));
                let evidence = Evidence { series: &series, errors: &errors, noise: Some(f64::MAX) };
                for one in mask.judge(&evidence, Terms::default()) {
                    assert_ne!(one.verdict.outcome, Outcome::Passed, "{one:?}");
                }
            }
        }
    }
}
