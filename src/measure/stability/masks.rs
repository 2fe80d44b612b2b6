//! Limits that ITU-T Recommendations set, and whether a clock keeps them.

#![expect(clippy::float_arithmetic, reason = "limits are curves over averaging times")]

use super::slot::Stretch;
use super::{Kind, Series, float, float_of, float_of_signed, float_of_sum, spread};

/// The limits of a Recommendation for a kind of clock.
#[derive(Debug)]
pub struct Mask {
    /// What people call it by: `g8272-a`.
    pub name: &'static str,
    /// Which clock it is for.
    pub title: &'static str,
    /// Where the limits stand.
    pub source: &'static str,
    /// All of them.
    pub requirements: &'static [Requirement],
}

/// One limit.
#[derive(Debug)]
pub struct Requirement {
    /// What is limited.
    pub limited: Limited,
    /// Whether the time error passes a first-order low-pass filter of 0.1 Hz before.
    pub filtered: bool,
}

/// What is limited, in nanoseconds.
#[derive(Debug)]
pub enum Limited {
    /// MTIE, by a curve.
    Mtie(&'static [Segment]),
    /// TDEV, by a curve.
    Tdev(&'static [Segment]),
    /// The largest time error, either way.
    MaxTimeError(f64),
    /// The mean time error over 1000 s, either way: the constant time error.
    ConstantTimeError(f64),
}

/// A piece of a curve: the sum of some `a τ^b`, in nanoseconds, with τ in seconds.
#[derive(Debug)]
pub struct Segment {
    /// From which τ.
    pub from: f64,
    /// To which τ.
    pub to: f64,
    /// Each `(a, b)`.
    pub terms: &'static [(f64, f64)],
}

impl Segment {
    const fn new(from: f64, to: f64, terms: &'static [(f64, f64)]) -> Self {
        Self { from, to, terms }
    }

    /// The limit at τ, in nanoseconds.
    pub fn at(&self, tau: f64) -> f64 {
        self.terms.iter().map(|(a, b)| a * tau.powf(*b)).sum()
    }
}

const fn plain(limited: Limited) -> Requirement {
    Requirement { limited, filtered: false }
}

const fn filtered(limited: Limited) -> Requirement {
    Requirement { limited, filtered: true }
}

/// The limits by name.
pub const MASKS: [Mask; 8] = [
    Mask {
        name: "g8262-option1",
        title: "synchronous Ethernet equipment clock (EEC), option 1",
        source: "ITU-T G.8262 (11/2018), wander generation at constant temperature",
        requirements: &[
            plain(Limited::Mtie(&[
                Segment::new(0.1, 1.0, &[(40.0, 0.0)]),
                Segment::new(1.0, 100.0, &[(40.0, 0.1)]),
                Segment::new(100.0, 1_000.0, &[(25.25, 0.2)]),
            ])),
            plain(Limited::Tdev(&[
                Segment::new(0.1, 25.0, &[(3.2, 0.0)]),
                Segment::new(25.0, 100.0, &[(0.64, 0.5)]),
                Segment::new(100.0, 1_000.0, &[(6.4, 0.0)]),
            ])),
        ],
    },
    Mask {
        name: "g8262-option2",
        title: "synchronous Ethernet equipment clock (EEC), option 2",
        source: "ITU-T G.8262 (11/2018), wander generation at constant temperature",
        requirements: &[
            plain(Limited::Mtie(&[
                Segment::new(0.1, 1.0, &[(20.0, 0.0)]),
                Segment::new(1.0, 10.0, &[(20.0, 0.48)]),
                Segment::new(10.0, 1_000.0, &[(60.0, 0.0)]),
            ])),
            plain(Limited::Tdev(&[
                Segment::new(0.1, 2.5, &[(3.2, -0.5)]),
                Segment::new(2.5, 40.0, &[(2.0, 0.0)]),
                Segment::new(40.0, 1_000.0, &[(0.32, 0.5)]),
                Segment::new(1_000.0, 10_000.0, &[(10.0, 0.0)]),
            ])),
        ],
    },
    Mask {
        name: "g8272-a",
        title: "primary reference time clock (PRTC-A)",
        source: "ITU-T G.8272 (11/2018), 6.1 and 6.2",
        requirements: &[
            plain(Limited::MaxTimeError(100.0)),
            plain(Limited::Mtie(&[
                Segment::new(0.1, 273.0, &[(25.0, 0.0), (0.275, 1.0)]),
                Segment::new(273.0, 100_000.0, &[(100.0, 0.0)]),
            ])),
            plain(Limited::Tdev(&[
                Segment::new(0.1, 100.0, &[(3.0, 0.0)]),
                Segment::new(100.0, 1_000.0, &[(0.03, 1.0)]),
                Segment::new(1_000.0, 10_000.0, &[(30.0, 0.0)]),
            ])),
        ],
    },
    Mask {
        name: "g8272-b",
        title: "primary reference time clock (PRTC-B)",
        source: "ITU-T G.8272 (11/2018), 6.1 and 6.2",
        requirements: &[
            plain(Limited::MaxTimeError(40.0)),
            plain(Limited::Mtie(&[
                Segment::new(0.1, 54.5, &[(25.0, 0.0), (0.275, 1.0)]),
                Segment::new(54.5, 100_000.0, &[(40.0, 0.0)]),
            ])),
            plain(Limited::Tdev(&[
                Segment::new(0.1, 100.0, &[(1.0, 0.0)]),
                Segment::new(100.0, 500.0, &[(0.01, 1.0)]),
                Segment::new(500.0, 100_000.0, &[(5.0, 0.0)]),
            ])),
        ],
    },
    Mask {
        name: "g8273.2-a",
        title: "telecom boundary or time slave clock, class A",
        source: G8273_2,
        requirements: &[
            plain(Limited::MaxTimeError(100.0)),
            plain(Limited::ConstantTimeError(50.0)),
            filtered(Limited::Mtie(&[Segment::new(0.1, 1_000.0, &[(40.0, 0.0)])])),
            filtered(Limited::Tdev(&[Segment::new(0.1, 1_000.0, &[(4.0, 0.0)])])),
        ],
    },
    Mask {
        name: "g8273.2-b",
        title: "telecom boundary or time slave clock, class B",
        source: G8273_2,
        requirements: &[
            plain(Limited::MaxTimeError(70.0)),
            plain(Limited::ConstantTimeError(20.0)),
            filtered(Limited::Mtie(&[Segment::new(0.1, 1_000.0, &[(40.0, 0.0)])])),
            filtered(Limited::Tdev(&[Segment::new(0.1, 1_000.0, &[(4.0, 0.0)])])),
        ],
    },
    Mask {
        name: "g8273.2-c",
        title: "telecom boundary or time slave clock, class C",
        source: G8273_2,
        requirements: &[
            plain(Limited::MaxTimeError(30.0)),
            plain(Limited::ConstantTimeError(10.0)),
            filtered(Limited::Mtie(&[Segment::new(0.1, 1_000.0, &[(10.0, 0.0)])])),
            filtered(Limited::Tdev(&[Segment::new(0.1, 1_000.0, &[(2.0, 0.0)])])),
        ],
    },
    Mask {
        name: "g8273.2-d",
        title: "telecom boundary or time slave clock, class D",
        source: G8273_2,
        requirements: &[filtered(Limited::MaxTimeError(5.0))],
    },
];

const G8273_2: &str = "ITU-T G.8273.2 (10/2020), 7.1, noise generation at constant temperature";

/// Whether a limit is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was limited: `MTIE`, `TDEV`, `max|TE|`, `cTE`, with an `L` where it was filtered.
    pub quantity: &'static str,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a limit.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It was judged.
    Judged {
        /// What came of it.
        outcome: Outcome,
        /// The place that is closest to the limit or farthest beyond it: τ in seconds for a
        /// curve, how long it was measured for a time error.
        tau: f64,
        /// What was measured there, in nanoseconds.
        value: f64,
        /// What is allowed there, in nanoseconds.
        limit: f64,
        /// The first τ that fails.
        fails_from: Option<f64>,
        /// Up to which τ it was judged.
        up_to: f64,
        /// Up to which τ the limit goes.
        goes_to: f64,
    },
    /// It can't be judged, and why.
    NotJudged(&'static str),
}

/// Whether a limit that was judged is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is.
    Passed,
    /// It isn't.
    Failed,
    /// It is wherever it was judged, which is too little, and why.
    NotShown(&'static str),
}

impl Mask {
    /// The limits of this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        MASKS.iter().find(|mask| mask.name == name)
    }

    /// Judges a clock by its offsets from a reference that counts as true: `series`, and for max|TE|
    /// `all` that were measured, in nanoseconds.
    ///
    /// A limit is passed only where no offset was left out and it was judged in its whole range.
    pub fn judge(&self, series: &Series, all: &[i64]) -> Vec<Finding> {
        if let Some(why) = unfit(series) {
            let finding = |requirement: &Requirement| Finding {
                quantity: requirement.quantity(),
                verdict: Verdict::NotJudged(why),
            };
            return self.requirements.iter().map(finding).collect();
        }
        let leaves_out =
            series.stretches.len() > 1 || series.crowded > 0 || series.longest_gap() > LONGEST_GAP;
        let smooth = self.requirements.iter().any(|one| one.filtered).then(|| low_pass(series));
        let finding = |requirement: &Requirement| {
            let verdict = match &smooth {
                Some(Ok(smooth)) if requirement.filtered => {
                    requirement.judge(&smooth.series, smooth.settling, all)
                }
                Some(Err(why)) if requirement.filtered => Verdict::NotJudged(why),
                _ => requirement.judge(series, 0.0, all),
            };
            let sees_all = matches!(requirement.limited, Limited::MaxTimeError(_));
            let verdict = if leaves_out && (requirement.filtered || !sees_all) {
                verdict.unless(
                    "it has a gap of more than ten offsets, or such as come too close together",
                )
            } else {
                verdict
            };
            Finding { quantity: requirement.quantity(), verdict }
        };
        self.requirements.iter().map(finding).collect()
    }
}

/// What happens while more offsets in a row are missing, nobody knows.
const LONGEST_GAP: usize = 10;

impl Verdict {
    /// The same, but not passed for this reason.
    #[must_use]
    pub fn unless(self, why: &'static str) -> Self {
        match self {
            Self::Judged {
                outcome: Outcome::Passed,
                tau,
                value,
                limit,
                fails_from,
                up_to,
                goes_to,
            } => {
                let outcome = Outcome::NotShown(why);
                Self::Judged { outcome, tau, value, limit, fails_from, up_to, goes_to }
            }
            other => other,
        }
    }
}

/// Why nothing can be judged by these offsets.
fn unfit(series: &Series) -> Option<&'static str> {
    if series.measured() == 0 {
        return Some("there are no offsets");
    }
    (series.distance == 0).then_some("its offsets have no distance")
}

/// Time errors behind a first-order low-pass filter of 0.1 Hz.
#[derive(Clone, Debug)]
pub struct Filtered {
    /// In picoseconds, without what comes while the filter settles.
    pub series: Series,
    /// The largest that came meanwhile, in nanoseconds.
    pub settling: f64,
}

/// So long the filter settles, in nanoseconds: at the begin, and after a gap of as much.
const SETTLES: u64 = 10_000_000_000;
/// The filter's bandwidth, in Hz.
const BANDWIDTH: f64 = 0.1;
/// Offsets that are no farther from their first one have room in picoseconds.
const FARTHEST_ERROR: f64 = 1e15;

/// Time errors behind a first-order low-pass filter of 0.1 Hz, without the ten seconds in which it
/// settles. What is missing stays missing: the filter goes on with the next one as time went on.
///
/// # Errors
///
/// Why the offsets don't allow it: they are too far apart, or too few.
pub fn low_pass(series: &Series) -> Result<Filtered, &'static str> {
    // An offset a second, on whatever clock.
    if series.distance > 1_010_000_000 {
        return Err("its filter of 0.1 Hz needs an offset a second at least");
    }
    let unit = series.unit();
    let settled = usize::try_from(SETTLES / series.distance.max(1)).unwrap_or(usize::MAX);
    let mut filtered = Series { decimals: 3, stretches: Vec::new(), ..series.clone() };
    let mut settling: f64 = 0.0;
    for stretch in &series.stretches {
        let base =
            stretch.measured().next().map_or(0.0, |(_, first)| float_of_signed(first) * unit);
        let (mut state, mut last, mut since) = (0.0, None, 0);
        let mut smooth = Stretch::at(stretch.place);
        for (place, offset) in stretch.measured() {
            let error = float_of_signed(offset) * unit - base;
            if error.abs() > FARTHEST_ERROR || base.abs() > FARTHEST_ERROR {
                return Err("its offsets go farther apart than eleven days");
            }
            let places = last.map_or(0, |last| place - last);
            if places > settled || last.is_none() {
                (state, since) = (error, place);
            }
            let time = float(places) * float_of(series.distance) * 1e-9;
            state += (1.0 - (-std::f64::consts::TAU * BANDWIDTH * time).exp()) * (error - state);
            last = Some(place);
            if place - since < settled {
                settling = settling.max((state + base).abs());
                continue;
            }
            let picoseconds = picoseconds(state + base);
            match smooth.slots().len() {
                0 => {
                    smooth.place = place;
                    smooth.push(1, picoseconds);
                }
                number => smooth.push(place + 1 - smooth.place - number, picoseconds),
            }
        }
        if smooth.number() > 0 {
            filtered.stretches.push(smooth);
        }
    }
    if filtered.stretches.is_empty() {
        return Err("its filter of 0.1 Hz takes ten seconds to settle: measure for longer");
    }
    Ok(Filtered { series: filtered, settling })
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
fn picoseconds(nanoseconds: f64) -> i64 {
    (nanoseconds * 1e3).round() as i64
}

/// How long a constant time error is averaged, in seconds.
const CONSTANT: f64 = 1_000.0;

impl Requirement {
    /// What is limited, in the Recommendations' words.
    pub const fn quantity(&self) -> &'static str {
        match (&self.limited, self.filtered) {
            (Limited::Mtie(_), false) => "MTIE",
            (Limited::Mtie(_), true) => "dTE_L MTIE",
            (Limited::Tdev(_), false) => "TDEV",
            (Limited::Tdev(_), true) => "dTE_L TDEV",
            (Limited::MaxTimeError(_), false) => "max|TE|",
            (Limited::MaxTimeError(_), true) => "max|TE_L|",
            (Limited::ConstantTimeError(_), _) => "cTE",
        }
    }

    /// The curve of a limit that is one.
    pub const fn curve(&self) -> Option<(Kind, &'static [Segment])> {
        match self.limited {
            Limited::Mtie(segments) => Some((Kind::Mtie, segments)),
            Limited::Tdev(segments) => Some((Kind::Time, segments)),
            Limited::MaxTimeError(_) | Limited::ConstantTimeError(_) => None,
        }
    }

    fn judge(&self, series: &Series, settling: f64, all: &[i64]) -> Verdict {
        let span = seconds(series) * float(series.span());
        let whole = |value: f64, limit: f64| {
            let goes_to = if self.filtered || self.is_constant() { CONSTANT } else { span };
            let outcome = if value <= limit { Outcome::Passed } else { Outcome::Failed };
            let verdict = Verdict::Judged {
                outcome,
                tau: span,
                value,
                limit,
                fails_from: None,
                up_to: span,
                goes_to,
            };
            if span < goes_to { verdict.unless(TOO_SHORT) } else { verdict }
        };
        let largest =
            |errors: &mut dyn Iterator<Item = f64>| errors.map(f64::abs).fold(0.0, f64::max);
        let unit = series.unit();
        let mut errors = series.offsets().map(|offset| float_of_signed(offset) * unit);
        match self.limited {
            // Steps and gaps are no excuse.
            Limited::MaxTimeError(limit) if !self.filtered => {
                whole(largest(&mut all.iter().map(|offset| float_of_signed(*offset))), limit)
            }
            Limited::MaxTimeError(limit) if settling > limit => {
                let why = "it is beyond the limit while its filter of 0.1 Hz settles";
                whole(largest(&mut errors), limit).unless(why)
            }
            Limited::MaxTimeError(limit) => whole(largest(&mut errors), limit),
            Limited::ConstantTimeError(limit) => whole(constant_error(series), limit),
            Limited::Mtie(segments) => judge_curve(series, Kind::Mtie, segments),
            Limited::Tdev(segments) => judge_curve(series, Kind::Time, segments),
        }
    }

    const fn is_constant(&self) -> bool {
        matches!(self.limited, Limited::ConstantTimeError(_))
    }
}

const TOO_SHORT: &str = "it was measured for less than the limit's whole range";

fn seconds(series: &Series) -> f64 {
    float_of(series.distance) * 1e-9
}

/// The largest mean time error of 1000 s in a row, or of all where that is less; windows that lack half of
/// their offsets don't count.
fn constant_error(series: &Series) -> f64 {
    let longest = spread_at(CONSTANT / seconds(series));
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
fn spread_at(number: f64) -> usize {
    number.round() as usize
}

fn judge_curve(series: &Series, kind: Kind, segments: &[Segment]) -> Verdict {
    let seconds = seconds(series);
    // Ten a decade, and where the curve has its corners.
    let mut factors = spread(series.places(), 10);
    let corners = segments.iter().flat_map(|segment| [segment.from, segment.to]);
    let beside = |corner: f64| [(corner / seconds).floor(), (corner / seconds).ceil()];
    factors.extend(corners.flat_map(beside).map(spread_at).filter(|factor| *factor > 0));
    factors.sort_unstable();
    factors.dedup();
    let goes_to = segments.last().map_or(0.0, |segment| segment.to);
    let mut worst: Option<(f64, f64, f64)> = None;
    let mut fails_from = None;
    let mut up_to = 0.0;
    for deviation in series.deviations(kind, &factors) {
        let tau = float(deviation.factor) * seconds;
        // Seconds are rounded a little.
        let is_in = |segment: &&Segment| {
            segment.from <= tau * (1.0 + 1e-9) && tau <= segment.to * (1.0 + 1e-9)
        };
        let Some(segment) = segments.iter().find(is_in) else { continue };
        let (value, limit) = (deviation.value, segment.at(tau));
        up_to = tau;
        if value > limit {
            fails_from = fails_from.or(Some(tau));
        }
        if worst.is_none_or(|(_, other, allowed)| value / limit > other / allowed) {
            worst = Some((tau, value, limit));
        }
    }
    match worst {
        Some((tau, value, limit)) => {
            let outcome = if fails_from.is_none() { Outcome::Passed } else { Outcome::Failed };
            let verdict =
                Verdict::Judged { outcome, tau, value, limit, fails_from, up_to, goes_to };
            let begins = segments.first().map_or(0.0, |segment| segment.from);
            if up_to + seconds <= goes_to {
                verdict.unless(TOO_SHORT)
            } else if seconds > begins * 1.01 {
                verdict.unless("its offsets are farther apart than the limit's shortest time")
            } else {
                verdict
            }
        }
        None => Verdict::NotJudged("no averaging time of these offsets is within the limit's"),
    }
}

/// What all findings come to: kept where every limit is, not kept where one isn't, else not shown.
pub fn overall<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Outcome {
    findings.into_iter().fold(Outcome::Passed, |all, finding| {
        let one = match &finding.verdict {
            Verdict::Judged { outcome, .. } => *outcome,
            Verdict::NotJudged(why) => Outcome::NotShown(why),
        };
        match (all, one) {
            (Outcome::Failed, _) | (_, Outcome::Failed) => Outcome::Failed,
            (Outcome::Passed, one) => one,
            (not_shown, _) => not_shown,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(name: &str) -> &'static Mask {
        Mask::by_name(name).expect("a mask")
    }

    #[test]
    fn every_curve_is_without_a_hole_and_nearly_without_a_jump() {
        for mask in &MASKS {
            for (_, segments) in mask.requirements.iter().filter_map(Requirement::curve) {
                for (one, next) in segments.iter().zip(segments.iter().skip(1)) {
                    let corner = one.to.to_bits();
                    assert_eq!(corner, next.from.to_bits(), "{} at {}", mask.name, one.to);
                    let (left, right) = (one.at(one.to), next.at(next.from));
                    // The published figures are rounded.
                    assert!((left / right - 1.0).abs() < 0.02, "{}: {left} {right}", mask.name);
                }
            }
        }
    }

    fn series(distance: u64, offsets: Vec<i64>) -> Series {
        Series::even(distance, offsets)
    }

    /// What a mask says of a quantity of this series.
    fn verdict(name: &str, quantity: &str, series: &Series) -> Verdict {
        let findings = mask(name).judge(series, &series.offsets().collect::<Vec<_>>());
        findings.into_iter().find(|one| one.quantity == quantity).expect(quantity).verdict
    }

    fn outcome(name: &str, quantity: &str, series: &Series) -> Outcome {
        match verdict(name, quantity, series) {
            Verdict::Judged { outcome, .. } => outcome,
            other @ Verdict::NotJudged(_) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_clock_that_goes_too_fast_fails_from_the_tau_where_its_line_crosses_the_limit() {
        // 0.5 ns a second crosses 25 ns + 0.275 ns/s τ at 111 s.
        let series = series(500_000_000, (0..4_000).map(|half_second| half_second / 4).collect());
        let mtie = verdict("g8272-a", "MTIE", &series);
        let Verdict::Judged { outcome, fails_from: Some(tau), .. } = mtie else {
            panic!("{mtie:?}")
        };
        assert!(outcome == Outcome::Failed && (111.0..140.0).contains(&tau), "{mtie:?}");
        let tdev = verdict("g8272-a", "TDEV", &series);
        assert!(matches!(tdev, Verdict::Judged { fails_from: None, .. }), "{tdev:?}");
    }

    #[test]
    fn the_constant_time_error_is_a_mean_of_a_thousand_seconds() {
        // Half of the time 30 ns off, in turns of one second: 15 ns on average.
        let series = series(1_000_000_000, (0..3_000).map(|second| 30 * (second % 2)).collect());
        let cte = verdict("g8273.2-c", "cTE", &series);
        let Verdict::Judged { outcome, value, limit, .. } = cte else { panic!("{cte:?}") };
        let text = format!("{value} of {limit}");
        assert_eq!((outcome, text.as_str()), (Outcome::Failed, "15 of 10"));
    }

    #[test]
    fn a_curve_is_passed_only_where_it_was_judged_from_its_begin_to_its_end() {
        let steady = |distance, number| series(distance, vec![0; number]);
        let of = |series: &Series| outcome("g8262-option1", "MTIE", series);
        assert_eq!(of(&steady(100_000_000, 10_002)), Outcome::Passed, "1000 s of 1000 s");
        assert_eq!(of(&steady(33_333_333, 30_002)), Outcome::Passed);
        assert!(matches!(of(&steady(100_000_000, 5_000)), Outcome::NotShown(_)), "500 s");
        assert!(matches!(of(&steady(1_000_000_000, 5_000)), Outcome::NotShown(_)), "from 1 s on");
        let mut broken = steady(100_000_000, 10_002);
        broken.stretches.push(Stretch::at(20_000));
        assert!(matches!(of(&broken), Outcome::NotShown(_)));
        let mut crowded = steady(100_000_000, 10_002);
        crowded.crowded = 1;
        assert!(matches!(of(&crowded), Outcome::NotShown(_)));
    }

    #[test]
    fn a_constant_time_error_is_passed_only_after_a_thousand_seconds() {
        let of = |number| outcome("g8273.2-c", "cTE", &series(1_000_000_000, vec![0; number]));
        assert_eq!(of(1_000), Outcome::Passed);
        assert!(matches!(of(999), Outcome::NotShown(_)));
    }

    #[test]
    fn the_largest_time_error_is_that_of_all_offsets_there_are() {
        let stretch = series(100_000_000, vec![0; 10_002]);
        for (beyond, expected) in [(99, Outcome::Passed), (-101, Outcome::Failed)] {
            let all: Vec<i64> = stretch.offsets().chain([beyond]).collect();
            let findings = mask("g8272-a").judge(&stretch, &all);
            let largest = findings.iter().find(|one| one.quantity == "max|TE|").expect("one");
            let Verdict::Judged { outcome, .. } = largest.verdict else { panic!("{largest:?}") };
            assert_eq!(outcome, expected, "{beyond}");
        }
    }

    #[test]
    fn what_no_clock_shows_is_judged_by_nobody() {
        let far = [0, i64::MAX, i64::MIN, 0, 1 << 61, -(1 << 61), 5, 6, 7, 8];
        for mask in &MASKS {
            for (distance, offsets) in
                [(1, far.to_vec()), (u64::MAX, far.to_vec()), (0, vec![0; 9]), (1, Vec::new())]
            {
                let series = series(distance, offsets);
                for one in mask.judge(&series, &far) {
                    let is_passed =
                        matches!(one.verdict, Verdict::Judged { outcome: Outcome::Passed, .. });
                    assert!(!is_passed, "{one:?}");
                }
            }
            // The longest distance is one like others.
            let _ = mask.judge(&series(u64::MAX, vec![1 << 59; 40]), &[0]);
        }
    }

    #[test]
    fn what_a_filter_hides_while_it_settles_is_not_passed() {
        let of = |begin| {
            let offsets = (0..20_200).map(|place| if place < 25 { begin } else { 0 }).collect();
            outcome("g8273.2-d", "max|TE_L|", &series(100_000_000, offsets))
        };
        assert_eq!(of(4), Outcome::Passed);
        assert!(matches!(of(400), Outcome::NotShown(_)));
    }

    #[test]
    fn the_filter_of_a_tenth_of_a_hertz_wants_an_offset_a_second() {
        let series = |distance| {
            super::tests::series(distance, (0..1_000).map(|place| 10 * (place % 2)).collect())
        };
        assert!(low_pass(&series(2_000_000_000)).is_err());
        assert!(low_pass(&series(1_000_000)).is_err());
        // What is faster than it doesn't get through.
        let smooth = low_pass(&series(100_000_000)).expect("filtered");
        let least = smooth.series.offsets().min().expect("one");
        let most = smooth.series.offsets().max().expect("one");
        assert!(most - least < 700 && (4_000..6_000).contains(&least), "{least} {most}");
    }
}
