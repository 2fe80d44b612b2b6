//! `cargo bench --bench stability`: how far the deviations of a series with gaps are from those of
//! the whole series, and how often intervals hold the true deviation, on simulated noise, as tables
//! in Markdown. Everything is made from fixed seeds. After `--`, a number sets the runs of each
//! cell, and `gaps`, `intervals` or `mixtures` prints only that table.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::format_push_string,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that can't run has failed; its figures are for people"
)]

mod common;

use common::Random;
use ptpctl::Offset;
use ptpctl::measure::stability::{Kind, Point, Series, Steps, octaves, series};

/// Prints a table, from this number of runs.
type Table = fn(usize);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --benches` only wants to know that it runs.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let runs = arguments.iter().find_map(|argument| argument.parse().ok());
    let tables: [(&str, Table, usize); 3] =
        [("gaps", gaps, 100), ("intervals", intervals, 500), ("mixtures", mixtures, 500)];
    let is_named = |argument: &String| tables.iter().any(|(name, ..)| argument == name);
    let has_name = arguments.iter().any(is_named);
    for (name, table, usual) in tables {
        if !has_name || arguments.iter().any(|argument| argument == name) {
            table(runs.unwrap_or(usual));
        }
    }
}

/// Phases with a power law of the frequency noise `f^α`, in nanoseconds.
///
/// White noise through a filter of fractional differences: J. N. Kasdin and T. Walter, "Discrete
/// simulation of power law noise", Proc. 46th Frequency Control Symposium (1992).
fn phases(alpha: i32, number: usize, random: &mut Random) -> Vec<f64> {
    // The spectrum of the phases is proportional to f^(α - 2).
    let power = f64::from(2 - alpha);
    let white: Vec<f64> = (0..number).map(|_| random.normal()).collect();
    match alpha {
        2 => white,
        0 => summed(&white),
        -2 => summed(&summed(&white)),
        // The sum is a whole integration: only half a one is left for the filter.
        -1 => summed(&filtered(&white, 1.0)),
        _ => filtered(&white, power),
    }
}

fn summed(values: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    values
        .iter()
        .map(|value| {
            sum += value;
            sum
        })
        .collect()
}

fn filtered(white: &[f64], power: f64) -> Vec<f64> {
    let mut filter = vec![1.0];
    for k in 1..white.len() {
        let k = k as f64;
        filter.push(filter[filter.len() - 1] * (k - 1.0 + power / 2.0) / k);
    }
    let at = |place: usize| {
        let back = white[..=place].iter().rev();
        back.zip(&filter).map(|(value, weight)| value * weight).sum()
    };
    (0..white.len()).map(at).collect()
}

/// Rounds to nanoseconds, one of which is a thousandth of the standard deviation of white phases.
fn rounded(phases: &[f64]) -> impl Iterator<Item = i64> {
    phases.iter().map(|phase| (phase * 1_000.0).round() as i64)
}

const NOISES: [(&str, i32); 5] = [
    ("white PM", 2),
    ("flicker PM", 1),
    ("white FM", 0),
    ("flicker FM", -1),
    ("random walk FM", -2),
];
const KINDS: [Kind; 4] = [Kind::Allan, Kind::ModifiedAllan, Kind::Hadamard, Kind::Time];

/// Compares the deviations of 20 000 offsets, 12 % of which are missing, with those of all of them.
fn gaps(runs: usize) {
    const NUMBER: usize = 20_000;
    let factors = [1, 4, 16, 64, 256, 1_024, 4_096];
    println!(
        "| 12 % of {NUMBER} missing, {runs} runs: mean variance relative to all offsets, % | {} |",
        factors.map(|factor| format!("m = {factor}")).join(" | ")
    );
    println!("|---|{}", "---|".repeat(factors.len()));
    for (name, alpha) in [NOISES[0], NOISES[2], NOISES[4]] {
        for kind in Kind::ALL {
            let mut random = Random(1);
            let mut sums = vec![(0.0, 0.0); factors.len()];
            for _ in 0..runs {
                let phases = phases(alpha, NUMBER, &mut random);
                let point = |(place, offset): (usize, i64)| Point {
                    at: place as i128 * 1_000_000_000,
                    offset: Offset::from_nanoseconds(offset).into(),
                    stepped: false,
                };
                let all: Vec<Point> = rounded(&phases).enumerate().map(point).collect();
                let some: Vec<Point> =
                    all.iter().copied().filter(|_| random.even() > 0.12).collect();
                let of = |points: &[Point]| {
                    let series =
                        series(&points.iter().copied().collect(), Steps::Keep).expect("a series");
                    series.deviations(kind, &factors)
                };
                for (sum, (whole, part)) in sums.iter_mut().zip(of(&all).iter().zip(of(&some))) {
                    sum.0 += whole.value.powi(2);
                    sum.1 += part.value.powi(2);
                }
            }
            let mut line = format!("| {} of {name} |", kind.name());
            for (whole, part) in sums.iter().filter(|(whole, _)| *whole > 0.0) {
                line += &format!(" {:+.2} |", (part / whole - 1.0) * 100.0);
            }
            println!("{line}");
        }
    }
    println!();
}

/// How often the interval of 68.3 % holds the true deviation, by noise and averaging time.
fn intervals(runs: usize) {
    const NUMBER: usize = 1_024;
    let make = |alpha| move |random: &mut Random| phases(alpha, NUMBER, random);
    let rows = NOISES.map(|(name, alpha)| (name, make(alpha)));
    covered(NUMBER, runs, rows);
}

fn mixtures(runs: usize) {
    const NUMBER: usize = 1_024;
    let mix = |one: i32, other: i32, share: f64| {
        move |random: &mut Random| {
            let (first, second) = (phases(one, NUMBER, random), phases(other, NUMBER, random));
            first.iter().zip(second).map(|(a, b)| a + share * b).collect::<Vec<_>>()
        }
    };
    covered(
        NUMBER,
        runs,
        [
            ("white PM with 0.03 white FM", mix(2, 0, 0.03)),
            ("white PM with 0.1 white FM", mix(2, 0, 0.1)),
            ("flicker PM with 0.1 white FM", mix(1, 0, 0.1)),
            ("flicker PM with 0.3 white FM", mix(1, 0, 0.3)),
            ("white FM with 0.03 random walk FM", mix(0, -2, 0.03)),
        ],
    );
}

fn covered<Make: Fn(&mut Random) -> Vec<f64>, const ROWS: usize>(
    number: usize,
    runs: usize,
    rows: [(&str, Make); ROWS],
) {
    let factors: Vec<usize> =
        octaves(number).into_iter().filter(|factor| number / factor >= 5).collect();
    let columns: Vec<String> = factors.iter().map(|factor| format!("m = {factor}")).collect();
    println!(
        "| {number} offsets, {runs} runs: intervals that hold the truth, % (runs with identified noise, %: their intervals, %) | {} |",
        columns.join(" | ")
    );
    println!("|---|{}", "---|".repeat(factors.len()));
    for (name, make) in rows {
        let mut random = Random(7);
        let all: Vec<Series> = (0..runs)
            .map(|_| Series::even(1_000_000_000, rounded(&make(&mut random)).collect::<Vec<_>>()))
            .collect();
        let found: Vec<_> = all.iter().map(|one| one.all_deviations(&factors)).collect();
        for (place, kind) in KINDS.iter().enumerate() {
            let mut line = format!("| {} of {name} |", kind.name());
            for at in 0..factors.len() {
                let ones: Vec<_> = found.iter().filter_map(|all| all[place].1.get(at)).collect();
                if ones.is_empty() {
                    continue;
                }
                let mean = |sum: f64| sum / ones.len() as f64;
                // The variance is unbiased: its mean over all runs is the true one.
                let truth = mean(ones.iter().map(|one| one.value.powi(2)).sum()).sqrt();
                let percent = |part: usize, of: usize| part as f64 / of.max(1) as f64 * 100.0;
                let holds = |interval: Option<(f64, f64)>| {
                    interval.is_some_and(|(low, high)| low <= truth && truth <= high)
                };
                let held = ones.iter().filter(|one| holds(one.interval)).count();
                let told: Vec<_> = ones.iter().filter(|one| one.noise.is_some()).collect();
                let told_held = told.iter().filter(|one| holds(one.interval)).count();
                line += &format!(" {:.0}", percent(held, ones.len()));
                line += &match percent(told.len(), ones.len()) {
                    share if share >= 5.0 => {
                        format!(" ({share:.0}: {:.0}) |", percent(told_held, told.len()))
                    }
                    _ => " |".to_owned(),
                };
            }
            println!("{line}");
        }
    }
    println!();
}
