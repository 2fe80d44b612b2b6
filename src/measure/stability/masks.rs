//! Limits that clocks are judged by: those of ITU-T Recommendations, and the user's own.
//!
//! All of them are written in one form:
//!
//! ```text
//! # a line that begins like this is a comment
//! mask our-switch
//! title the switch in our racks
//! source purchase order 4711, page 3
//! max|TE| = 100
//! cTE = 50
//! MTIE 0.1 to 273 = 25 + 0.275 t
//! MTIE 273 to 10000 = 100
//! dTE_L TDEV 0.1 to 1000 = 4
//! TDEV 0.1 to 2.5 = 3.2 t^-0.5
//! ```
//!
//! Times are in seconds, limits in nanoseconds, and `t` is the averaging time. A curve is made of pieces,
//! each of which begins where the one before ends.

mod filter;
mod judge;

pub use filter::{Filtered, high_pass, low_pass};
pub use judge::{
    Assumption, Evidence, Finding, Lack, Outcome, Terms, TimeErrors, Verdict, Worst, overall,
};

use super::Kind;
use std::fmt;
use std::sync::LazyLock;

/// The limits of a Recommendation, or of a file, for a kind of clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    /// Its name, such as `g8272-a`.
    pub name: String,
    /// Which clock it is for.
    pub title: String,
    /// The document that has the limits.
    pub source: String,
    /// All of them.
    pub requirements: Vec<Requirement>,
}

/// One limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// What is limited.
    pub quantity: Quantity,
    /// To what.
    pub limit: Limit,
}

/// What is limited, in the Recommendations' words (ITU-T G.8260 and G.8273.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The largest time error, either way.
    MaxTimeError,
    /// The largest time error after a low-pass filter of 0.1 Hz, either way.
    MaxLowTimeError,
    /// The mean time error over 1000 s, either way: the constant time error.
    ConstantTimeError,
    /// The largest range within an averaging time.
    Mtie,
    /// The time deviation.
    Tdev,
    /// MTIE after a low-pass filter of 0.1 Hz.
    LowMtie,
    /// TDEV after a low-pass filter of 0.1 Hz.
    LowTdev,
    /// The peak-to-peak value of what a low-pass filter of 0.1 Hz removes.
    HighPeakToPeak,
}

/// What a time error passes before it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Nothing.
    None,
    /// A first-order low-pass filter of 0.1 Hz.
    Low,
    /// What that filter removes.
    High,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::MaxTimeError,
        Self::MaxLowTimeError,
        Self::ConstantTimeError,
        Self::Mtie,
        Self::Tdev,
        Self::LowMtie,
        Self::LowTdev,
        Self::HighPeakToPeak,
    ];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxTimeError => "max|TE|",
            Self::MaxLowTimeError => "max|TE_L|",
            Self::ConstantTimeError => "cTE",
            Self::Mtie => "MTIE",
            Self::Tdev => "TDEV",
            Self::LowMtie => "dTE_L MTIE",
            Self::LowTdev => "dTE_L TDEV",
            Self::HighPeakToPeak => "dTE_H p-p",
        }
    }

    /// The kind of deviation that it is; `None` where it is one number.
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Self::Mtie | Self::LowMtie => Some(Kind::Mtie),
            Self::Tdev | Self::LowTdev => Some(Kind::Time),
            _ => None,
        }
    }

    /// The filter before it.
    pub const fn filter(self) -> Filter {
        match self {
            Self::MaxLowTimeError | Self::LowMtie | Self::LowTdev => Filter::Low,
            Self::HighPeakToPeak => Filter::High,
            _ => Filter::None,
        }
    }
}

/// What something is limited to.
#[derive(Clone, Debug, PartialEq)]
pub enum Limit {
    /// A number, in nanoseconds.
    Number(f64),
    /// A curve over averaging times, in pieces that follow each other.
    Curve(Vec<Segment>),
}

/// A piece of a curve: the sum of some `a τ^b`, in nanoseconds, with τ in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// From which τ.
    pub from: f64,
    /// To which τ.
    pub to: f64,
    /// Each `(a, b)`.
    pub terms: Vec<(f64, f64)>,
}

impl Segment {
    /// The limit at τ, in nanoseconds.
    #[expect(clippy::float_arithmetic, reason = "a curve over averaging times")]
    pub fn at(&self, tau: f64) -> f64 {
        self.terms.iter().map(|(a, b)| a * tau.powf(*b)).sum()
    }
}

/// The limits of ITU-T Recommendations. Those that no public text shows are left out: G.8262.1, and
/// the limits of G.8273.2 at variable temperature.
///
/// # Examples
///
/// ```
/// use ptpctl::measure::stability::masks;
///
/// assert!(masks().iter().any(|mask| mask.name == "g8272-a"));
/// ```
pub fn masks() -> &'static [Mask] {
    static MASKS: LazyLock<Vec<Mask>> = LazyLock::new(|| parse(ITU).unwrap_or_default());
    &MASKS
}

/// The text of [`masks`].
pub const ITU: &str = include_str!("masks/itu.txt");

/// Why a text is no mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskError {
    /// In which line, counted from 1; 0 for the whole text.
    pub line: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl fmt::Display for MaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        f.write_str(self.what)
    }
}

impl std::error::Error for MaskError {}

/// Reads masks in the form that the module describes.
///
/// # Errors
///
/// The line that is wrong, and why.
pub fn parse(text: &str) -> Result<Vec<Mask>, MaskError> {
    let mut masks: Vec<Mask> = Vec::new();
    // Programs on Windows begin a text with a byte order mark.
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        take(&mut masks, line).map_err(|what| MaskError { line: number, what })?;
    }
    if masks.is_empty() {
        return Err(MaskError { line: 0, what: "there is no line 'mask NAME'" });
    }
    if masks.iter().any(|mask| mask.requirements.is_empty()) {
        return Err(MaskError { line: 0, what: "a mask has no limits" });
    }
    Ok(masks)
}

fn take(masks: &mut Vec<Mask>, line: &str) -> Result<(), &'static str> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    if word == "mask" {
        if rest.is_empty() || rest.contains(char::is_whitespace) {
            return Err("a mask has a name of one word");
        }
        if masks.iter().any(|mask| mask.name == rest) {
            return Err("there is a mask of this name already");
        }
        let [name, title, source] = [rest, "", ""].map(str::to_owned);
        masks.push(Mask { name, title, source, requirements: Vec::new() });
        return Ok(());
    }
    let mask = masks.last_mut().ok_or("it begins with a line 'mask NAME'")?;
    match word {
        "title" => rest.clone_into(&mut mask.title),
        "source" => rest.clone_into(&mut mask.source),
        _ => limit(&mut mask.requirements, line)?,
    }
    Ok(())
}

/// Takes a limit, or one more piece of one.
fn limit(requirements: &mut Vec<Requirement>, line: &str) -> Result<(), &'static str> {
    let (left, right) = line
        .split_once('=')
        .ok_or("it is neither 'mask', 'title', 'source' nor a limit with an '='")?;
    let left: Vec<&str> = left.split_whitespace().collect();
    let named = |quantity: &&Quantity| {
        let name: Vec<&str> = quantity.name().split(' ').collect();
        left.starts_with(&name) && (left.len() == name.len()) == quantity.kind().is_none()
    };
    let quantity = *Quantity::ALL.iter().find(named).ok_or(
        "it limits none of max|TE|, max|TE_L|, cTE and dTE_H p-p, nor one of MTIE, TDEV, dTE_L MTIE and \
         dTE_L TDEV with 'FROM to TO'",
    )?;
    let before = requirements.iter_mut().find(|one| one.quantity == quantity);
    let Some(_) = quantity.kind() else {
        let number = positive(right.trim()).ok_or("the limit is no number above 0")?;
        if before.is_some() {
            return Err("this limit stands there already");
        }
        requirements.push(Requirement { quantity, limit: Limit::Number(number) });
        return Ok(());
    };
    let segment = segment(left.get(left.len().saturating_sub(3)..).unwrap_or_default(), right)?;
    match before.map(|one| &mut one.limit) {
        Some(Limit::Curve(segments)) => {
            let ends = segments.last().map(|last| last.to.to_bits());
            if ends != Some(segment.from.to_bits()) {
                return Err("a piece begins where the one before ends");
            }
            segments.push(segment);
        }
        _ => requirements.push(Requirement { quantity, limit: Limit::Curve(vec![segment]) }),
    }
    Ok(())
}

/// A piece of a curve: `FROM to TO`, and its terms.
fn segment(range: &[&str], terms: &str) -> Result<Segment, &'static str> {
    let &[from, "to", to] = range else { return Err("a curve has 'FROM to TO' before the '='") };
    let (from, to) = positive(from).zip(positive(to)).ok_or("a time is no number above 0")?;
    if from >= to {
        return Err("it ends before it begins");
    }
    let terms = terms.split(" + ").map(|text| term(text.trim()));
    let terms = terms
        .collect::<Option<Vec<_>>>()
        .ok_or("the limit isn't like 25 + 0.275 t or 3.2 t^-0.5, of numbers above 0")?;
    let segment = Segment { from, to, terms };
    let is_finite = [from, to].into_iter().all(|tau| segment.at(tau).is_finite());
    if is_finite { Ok(segment) } else { Err("the limit is beyond what numbers can be") }
}

/// `A`, `A t` or `A t^B`.
fn term(text: &str) -> Option<(f64, f64)> {
    let (factor, power) = match text.split_once(' ') {
        None => (text, 0.0),
        Some((factor, "t")) => (factor, 1.0),
        Some((factor, rest)) => (factor, rest.strip_prefix("t^")?.parse().ok()?),
    };
    let factor = positive(factor)?;
    f64::is_finite(power).then_some((factor, power))
}

fn positive(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0)
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (factor, power)) in self.terms.iter().enumerate() {
            let and = if place > 0 { " + " } else { "" };
            match power.to_bits() {
                0 => write!(f, "{and}{factor}")?,
                bits if bits == 1_f64.to_bits() => write!(f, "{and}{factor} t")?,
                _ => write!(f, "{and}{factor} t^{power}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masks_in_the_tree_are_masks() {
        let all = parse(ITU).expect("masks");
        assert_eq!((all.len(), all.len()), (masks().len(), 12));
        for mask in all {
            assert!(!mask.title.is_empty() && mask.source.starts_with("ITU-T G."), "{}", mask.name);
        }
    }

    #[test]
    fn every_curve_is_nearly_without_a_jump() {
        for mask in masks() {
            for requirement in &mask.requirements {
                let Limit::Curve(segments) = &requirement.limit else { continue };
                for (one, next) in segments.iter().zip(segments.iter().skip(1)) {
                    let (left, right) = (one.at(one.to), next.at(next.from));
                    // The published figures are rounded.
                    assert!((left / right - 1.0).abs() < 0.02, "{}: {left} {right}", mask.name);
                }
            }
        }
    }

    /// What allantools' `mask.py` and vse-sync-test's `requirements.py` have at some times, in ns.
    #[test]
    fn limits_are_those_of_other_programs() {
        let expected = [
            ("g8272-a", Quantity::Mtie, [(1.0, 25.275), (100.0, 52.5), (5_000.0, 100.0)]),
            ("g8272-a", Quantity::Tdev, [(5.0, 3.0), (500.0, 15.0), (5_000.0, 30.0)]),
            ("g8272-b", Quantity::Mtie, [(1.0, 25.275), (50.0, 38.75), (5_000.0, 40.0)]),
            ("g8272-b", Quantity::Tdev, [(5.0, 1.0), (200.0, 2.0), (5_000.0, 5.0)]),
            ("g8272.1", Quantity::Mtie, [(0.5, 4.0), (50.0, 9.447), (200_000.0, 22.5)]),
            ("g8272.1", Quantity::Tdev, [(5.0, 1.0), (60_000.0, 2.0), (500_000.0, 10.0)]),
            ("g8273.2-c", Quantity::LowMtie, [(1.0, 10.0), (10.0, 10.0), (999.0, 10.0)]),
            ("g8273.2-c", Quantity::LowTdev, [(1.0, 2.0), (10.0, 2.0), (999.0, 2.0)]),
            ("g8262-option2", Quantity::Mtie, [(0.5, 20.0), (4.0, 38.91), (500.0, 60.0)]),
            ("g8262-option2", Quantity::Tdev, [(1.0, 3.2), (10.0, 2.0), (5_000.0, 10.0)]),
        ];
        for (name, quantity, limits) in expected {
            let mask = masks().iter().find(|mask| mask.name == name).expect(name);
            let found = mask.requirements.iter().find(|one| one.quantity == quantity);
            let Limit::Curve(segments) = &found.expect(name).limit else { panic!("{name}") };
            for (tau, limit) in limits {
                let segment = segments.iter().find(|one| one.from <= tau && tau <= one.to);
                let found = segment.expect(name).at(tau);
                assert!((found / limit - 1.0).abs() < 1e-3, "{name} at {tau}: {found}");
            }
        }
    }

    #[test]
    fn what_is_no_mask_is_told_by_its_line() {
        let of = |text: &str| parse(text).expect_err("no mask").to_string();
        for (text, line, what) in [
            ("", "", "no line 'mask NAME'"),
            ("mask one", "", "has no limits"),
            ("max|TE| = 5", "line 1: ", "begins with a line 'mask NAME'"),
            ("mask a b\ncTE = 5", "line 1: ", "a name of one word"),
            ("mask a\ncTE = 5\nmask a", "line 3: ", "of this name already"),
            ("mask a\ncTE = 5\ncTE = 6", "line 3: ", "stands there already"),
            ("mask a\ncTE = -5", "line 2: ", "no number above 0"),
            ("mask a\ncTE = nan", "line 2: ", "no number above 0"),
            ("mask a\nADEV 1 to 2 = 5", "line 2: ", "limits none of"),
            ("mask a\nMTIE = 5", "line 2: ", "limits none of"),
            ("mask a\ncTE 1 to 2 = 5", "line 2: ", "limits none of"),
            ("mask a\nMTIE 1 to 2", "line 2: ", "with an '='"),
            ("mask a\nMTIE 1 bis 2 = 5", "line 2: ", "'FROM to TO'"),
            ("mask a\nMTIE 2 to 1 = 5", "line 2: ", "ends before it begins"),
            ("mask a\nMTIE 1 to 2 = 5 u", "line 2: ", "isn't like"),
            ("mask a\nMTIE 1 to 2 = 5 t^", "line 2: ", "isn't like"),
            ("mask a\nMTIE 1 to 2 = 5 t^inf", "line 2: ", "isn't like"),
            ("mask a\nMTIE 1 to 2 = 5 t^999999", "line 2: ", "beyond what numbers can be"),
            ("mask a\nMTIE 1 to 2 = 5\nMTIE 3 to 4 = 5", "line 3: ", "begins where"),
        ] {
            let told = of(text);
            assert!(told.starts_with(line) && told.contains(what), "{text:?}: {told}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_piece_is_written_as_it_is_read(
            terms in proptest::collection::vec((1_u32..100_000, -30_i8..30), 1..4),
        ) {
            let terms: Vec<_> =
                terms.iter().map(|(a, b)| (f64::from(*a), f64::from(*b))).collect();
            let segment = Segment { from: 0.1, to: 10.0, terms };
            let again = super::segment(&["0.1", "to", "10"], &segment.to_string());
            proptest::prop_assert_eq!(again, Ok(segment));
        }

        #[test]
        fn any_text_is_a_mask_or_an_error(text in "(mask a\n)?((max\\|TE\\||MTIE 1 to [0-9]{1,3}) ?= ?[0-9t^.+ -]{0,12}\n){0,4}") {
            let _ = parse(&text);
        }
    }
}
