//! Columns: with names, as many programs write them, and without, as Stable32, allantools and `TimeLab` do.

use super::{Entry, Told, number};
use crate::{FineOffset, Offset};
use std::borrow::Cow;

/// What the command line says about columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    /// The column that has the offsets: its name, or its number from 1 on.
    pub(crate) column: Option<String>,
    /// The unit of the offsets.
    pub(crate) unit: Option<Unit>,
    /// How far apart they are, in nanoseconds.
    pub(crate) interval: Option<u64>,
}

/// The unit of a column, as a power of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Offsets, in 10 to this power of a second.
    Seconds(i32),
    /// Frequencies, in 10 to this power of one.
    Frequency(i32),
}

impl Unit {
    /// The units that people write.
    pub(crate) const ALL: [(&str, Self); 9] = [
        ("s", Self::Seconds(0)),
        ("ms", Self::Seconds(-3)),
        ("us", Self::Seconds(-6)),
        ("ns", Self::Seconds(-9)),
        ("ps", Self::Seconds(-12)),
        ("fs", Self::Seconds(-15)),
        ("ppm", Self::Frequency(-6)),
        ("ppb", Self::Frequency(-9)),
        ("fraction", Self::Frequency(0)),
    ];

    /// The unit of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let lower = name.trim().to_lowercase();
        let name = match lower.as_str() {
            "sec" | "second" | "seconds" => "s",
            "msec" | "millisecond" | "milliseconds" => "ms",
            // Unicode has two letters that look like µ.
            "usec" | "\u{b5}s" | "\u{3bc}s" | "microsecond" | "microseconds" => "us",
            "nsec" | "nanosecond" | "nanoseconds" => "ns",
            "psec" | "picosecond" | "picoseconds" => "ps",
            other => other,
        };
        Self::ALL.iter().find(|(one, _)| *one == name).map(|(_, unit)| *unit)
    }

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, unit)| *unit == self).map_or("", |(name, _)| name)
    }
}

/// What is known about a table from its lines so far.
#[derive(Debug, Default)]
pub(super) struct Table {
    separator: Option<char>,
    time: Option<(usize, Option<i32>)>,
    offset: Option<(usize, Option<Unit>)>,
    /// The columns that say how far an offset can be off, and whether there was a step before it.
    bound: Option<(usize, Option<Unit>)>,
    stepped: Option<usize>,
    /// How many columns its head has; 0 before it.
    width: usize,
    /// Whether `TimeLab`'s phases have begun.
    has_phases: bool,
    /// `TimeLab`'s head: the power of ten that values are multiplied by.
    power: i32,
    /// How far apart the offsets are, in nanoseconds.
    pub(super) distance: Option<u64>,
    /// The unit that is assumed.
    pub(super) supposed: Option<Unit>,
    /// Why no row has an offset.
    pub(super) trouble: Option<&'static str>,
    /// A 0 is a gap, as the head says.
    gaps_are_zero: bool,
    /// Whether the unit of times is assumed.
    pub(super) supposes_times: bool,
}

/// The words of a head after which a 0 is a gap, as in Stable32.
pub(crate) const GAPS_ARE_ZERO: &str = "0 is a gap";

const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// Whether a line names columns: two at least, none of which is a number.
pub(super) fn is_head(line: &str) -> bool {
    let separator = SEPARATORS.into_iter().find(|separator| line.contains(*separator));
    let Some(separator) = separator else {
        return named(line.trim().trim_matches('"'), &OFFSETS);
    };
    line.split(separator)
        .all(|name| name.trim().starts_with(|first: char| first.is_alphabetic() || first == '"'))
}

/// Names of columns that have offsets, and of those that have times.
const OFFSETS: [&str; 8] =
    ["offset", "phase", "te", "tie", "error", "time error", "phase_error", "x"];
const TIMES: [&str; 14] = [
    "time",
    "timestamp",
    "wall",
    "utc",
    "tai",
    "date",
    "datetime",
    "t",
    "at",
    "epoch",
    "unix",
    "elapsed",
    "monotonic",
    "seconds",
];

/// Whether a line has numbers alone.
pub(super) fn is_numbers(line: &str) -> bool {
    let numbers = words(line);
    !numbers.is_empty()
        && numbers
            .iter()
            .all(|word| FineOffset::parse(word, -9).is_some() || number::seconds(word).is_some())
}

fn words(line: &str) -> Vec<&str> {
    line.split([',', ';', '\t', ' ']).filter(|word| !word.is_empty()).collect()
}

impl Table {
    /// Takes a line before the form is known: in a comment, Stable32 says how far apart phases are.
    pub(super) fn comment(&mut self, line: &str) -> Told {
        if !line.trim_start().starts_with(['#', '%', ';', '=']) {
            return Told::Other;
        }
        let lower = line.to_ascii_lowercase();
        let tau = lower
            .split_once("tau")
            .and_then(|(_, rest)| rest.trim_start().strip_prefix(['=', ':']));
        let tau = tau.and_then(|rest| rest.split_whitespace().next()).and_then(number::seconds);
        self.distance = tau.and_then(|tau| u64::try_from(tau).ok()).or(self.distance);
        self.gaps_are_zero |= line.contains(GAPS_ARE_ZERO);
        Told::Nothing
    }

    /// A line of a table with names.
    pub(super) fn row(&mut self, line: &str, columns: &Columns) -> Told {
        let separator = *self.separator.get_or_insert_with(|| {
            SEPARATORS.into_iter().find(|one| line.contains(*one)).unwrap_or(',')
        });
        let cells: Vec<Cow<'_, str>> = line
            .split(separator)
            .map(|cell| decimal(cell.trim().trim_matches('"'), separator))
            .collect();
        let cells: Vec<&str> = cells.iter().map(|cell| &**cell).collect();
        if self.width == 0 {
            self.head(&cells, columns);
            return Told::Nothing;
        }
        // A row with more cells than the head has commas inside its cells.
        if cells.iter().skip(self.width).any(|cell| !cell.is_empty()) {
            return Told::Other;
        }
        let Some((place, unit)) = self.offset else { return Told::Other };
        let at = self.time.and_then(|(place, unit)| self.time(cells.get(place)?, unit));
        if self.time.is_some() && at.is_none() {
            return Told::Other;
        }
        let value = cells.get(place).copied().unwrap_or("");
        if value.is_empty() {
            // The value is missing. Without times, the row still counts as a place.
            return if at.is_some() { Told::Nothing } else { Told::Empty };
        }
        let mut told = self.told(value, columns.unit.or(unit), at);
        if let Told::Offset(entry) = &mut told {
            let cell = |place: usize| cells.get(place).copied().unwrap_or("");
            entry.bound = self.bound.and_then(|(place, unit)| bound(cell(place), unit));
            entry.stepped = self.stepped.is_some_and(|place| matches!(cell(place), "1" | "true"));
        }
        told
    }

    fn head(&mut self, cells: &[&str], columns: &Columns) {
        self.width = cells.len();
        let number = columns.column.as_ref().and_then(|name| name.parse::<usize>().ok());
        let is_offset = |(place, cell): &(usize, &&str)| match (&columns.column, number) {
            (_, Some(number)) => number == place + 1,
            (Some(name), None) => **cell == name.as_str(),
            (None, None) => named(cell, &OFFSETS),
        };
        let offset = cells.iter().enumerate().find(is_offset);
        self.trouble = match offset {
            None => Some("no column is known to have offsets: --column names it"),
            Some((_, cell)) if columns.unit.is_none() && has_unknown_unit(cell) => {
                Some("the unit of its offsets isn't known: --unit tells it")
            }
            Some(_) => None,
        };
        let offset = offset.filter(|_| self.trouble.is_none());
        self.offset = offset.map(|(place, cell)| (place, unit(cell)));
        let place_of = |names: &[&str]| cells.iter().position(|cell| named(cell, names));
        self.bound = place_of(&["bound"]).and_then(|place| Some((place, unit(cells.get(place)?))));
        self.stepped = place_of(&["stepped"]);
        let is_time = |(_, cell): &(usize, &&str)| named(cell, &TIMES);
        let time = cells.iter().enumerate().find(is_time);
        self.time = time.map(|(place, cell)| match unit(cell) {
            Some(Unit::Seconds(unit)) => (place, Some(unit)),
            _ => (place, None),
        });
    }

    /// A line of numbers: an offset alone, or a time and an offset.
    pub(super) fn numbers(&mut self, line: &str, columns: &Columns) -> Told {
        if line.trim_start().starts_with(['#', '%', ';']) {
            return Told::Nothing;
        }
        // Beside semicolons, commas are decimal points.
        let separator = if line.contains(';') { ';' } else { ',' };
        let line = decimal(line, separator);
        let words = words(&line);
        let number = columns.column.as_ref().map(|name| name.parse::<usize>());
        let place = match number {
            None => usize::from(words.len() > 1),
            Some(Ok(number)) => number.saturating_sub(1),
            Some(Err(_)) => return Told::Other,
        };
        let has_time = words.len() > 1 && place > 0;
        let at = has_time.then(|| self.time(words.first()?, None)).flatten();
        self.told(words.get(place).copied().unwrap_or(""), columns.unit, at)
    }

    /// A line of `TimeLab`'s: a head of words and numbers, then phases.
    pub(super) fn timelab(&mut self, line: &str) -> Told {
        if let Some((word, value)) = line.split_once(' ')
            && word.chars().all(|letter| letter.is_ascii_uppercase())
        {
            let value = value.trim();
            if self.has_phases {
                self.trouble =
                    Some("it has several traces, each with a head: only one can be read");
            }
            if word == "MUL" {
                let one = FineOffset::parse(value, 0).map(FineOffset::attoseconds);
                let power = (-18..=0)
                    .find(|power| one == 10_i128.checked_pow((power + 18_i32).unsigned_abs()));
                self.power = power.unwrap_or(self.power);
                self.trouble = match power {
                    Some(_) => self.trouble,
                    None => Some("its MUL is no power of ten up to 1"),
                };
                return Told::Nothing;
            }
            if word == "RAT" {
                let rate = FineOffset::parse(value, 0).map(FineOffset::attoseconds);
                let distance = |rate: i128| (RATE_TIMES_DISTANCE + rate / 2) / rate;
                self.distance =
                    rate.filter(|rate| *rate > 0).and_then(|rate| distance(rate).try_into().ok());
            }
            return Told::Nothing;
        }
        self.has_phases = true;
        self.told(line.trim(), Some(Unit::Seconds(self.power)), None)
    }

    /// A time in a power of ten of seconds, or a date. Where no unit is given, a number that would
    /// mean thousands of years in seconds is in a smaller unit.
    fn time(&mut self, text: &str, unit: Option<i32>) -> Option<i128> {
        let Some(seconds) = number::number(text, 0) else { return number::instant(text) };
        let Some(unit) = unit else {
            self.supposes_times = true;
            let far = |power: u32| seconds.unsigned_abs() >= 10_u128.pow(power + 9);
            let guess = [(17, -9), (14, -6), (11, -3)].into_iter().find(|(power, _)| far(*power));
            return number::number(text, guess.map_or(0, |(_, unit)| unit));
        };
        number::number(text, unit)
    }

    fn told(&mut self, value: &str, unit: Option<Unit>, at: Option<i128>) -> Told {
        if self.trouble.is_some() {
            return Told::Other;
        }
        if self.gaps_are_zero && value == "0" {
            return Told::Empty;
        }
        // Values with an exponent are in seconds, others in nanoseconds.
        let supposed =
            if value.contains(['e', 'E']) { Unit::Seconds(0) } else { Unit::Seconds(-9) };
        if unit.is_none() {
            self.supposed = Some(supposed);
        }
        let unit = unit.unwrap_or(supposed);
        let (Unit::Seconds(power) | Unit::Frequency(power)) = unit;
        let Some(offset) = FineOffset::parse(value, power) else { return Told::Other };
        let entry = Entry {
            device: "offsets".into(),
            reference: "reference".into(),
            at,
            offset,
            bound: None,
            stepped: false,
            turned: false,
        };
        match unit {
            Unit::Seconds(_) => Told::Offset(entry),
            Unit::Frequency(_) => Told::Frequency(entry),
        }
    }
}

/// A rate of `TimeLab`'s in parts of 10^18, times the distance in nanoseconds.
pub(crate) const RATE_TIMES_DISTANCE: i128 = 1_000_000_000_000_000_000_000_000_000;

/// Replaces a decimal comma by a decimal point, where commas don't separate columns.
fn decimal(cell: &str, separator: char) -> Cow<'_, str> {
    if separator == ',' || !cell.contains(',') || cell.contains('.') {
        return Cow::Borrowed(cell);
    }
    Cow::Owned(cell.replace(',', "."))
}

/// How far an offset can be off, rounded up to whole nanoseconds.
fn bound(cell: &str, unit: Option<Unit>) -> Option<Offset> {
    let (Unit::Seconds(power) | Unit::Frequency(power)) = unit.unwrap_or(Unit::Seconds(-9));
    let bound = FineOffset::parse(cell, power)?.outwards();
    (bound >= Offset::ZERO).then_some(bound)
}

/// Whether a column has one of these names, with a unit or without.
fn named(cell: &str, names: &[&str]) -> bool {
    let lower = cell.to_ascii_lowercase();
    let name = lower.split(['[', '(']).next().unwrap_or("").trim();
    names.iter().any(|one| {
        name == *one
            || name
                .strip_prefix(one)
                .and_then(|rest| rest.strip_prefix('_'))
                .is_some_and(|unit| Unit::named(unit).is_some())
    })
}

/// The unit in a column's name: `offset_ns`, `phase [ps]`, `offset (s)`.
fn unit(cell: &str) -> Option<Unit> {
    let suffix = || cell.rsplit('_').next().filter(|_| cell.contains('_'));
    Unit::named(bracket(cell).or_else(suffix)?)
}

fn bracket(cell: &str) -> Option<&str> {
    cell.split(['[', '(']).nth(1).and_then(|rest| rest.split([']', ')']).next())
}

/// Whether a column's name has an unknown unit.
fn has_unknown_unit(cell: &str) -> bool {
    bracket(cell).is_some_and(|unit| Unit::named(unit).is_none())
}
