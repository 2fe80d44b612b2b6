//! `cargo bench --bench accuracy`: how far guesses are from the truth, and whether bounds hold, on
//! simulated samples, as tables in Markdown. Everything is made from fixed seeds. After `--`, a
//! number sets the runs of each row, and `jitters`, `numbers` or `curves` prints only that table.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::format_push_string,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that can't run has failed; its figures are for people"
)]

mod common;

use common::Random;
use ptpctl::measure::{Estimate, Estimator};
use ptpctl::{Sample, Scale, Timestamp};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --benches` only wants to know that it runs.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let runs = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(1_000);
    for (name, table) in
        [("jitters", jitters as fn(usize)), ("numbers", numbers), ("curves", curves)]
    {
        let is_named =
            |argument: &String| ["jitters", "numbers", "curves"].contains(&argument.as_str());
        if arguments.iter().any(|argument| argument == name) || !arguments.iter().any(is_named) {
            table(runs);
        }
    }
}

impl Random {
    fn exponential(&mut self) -> f64 {
        -self.even().ln()
    }
}

/// The time that one way of a reading takes beyond 600 ns, in nanoseconds.
type Jitter = fn(&mut Random, bool) -> f64;

const JITTERS: [(&str, Jitter); 8] = [
    ("uniform 400 ns", |random, _| 400.0 * random.even()),
    ("exponential 400", |random, _| 400.0 * random.exponential()),
    (
        "one way late",
        |random, is_back| {
            if is_back { 400.0 * random.exponential() } else { 20.0 * random.even() }
        },
    ),
    ("Pareto 1.5", |random, _| 300.0 * (random.even().powf(-1.0 / 1.5) - 1.0)),
    ("2 µs, 30 % late", |random, _| {
        let late = random.even() < 0.3;
        2_000.0 * random.even() + if late { 20_000.0 * random.even() } else { 0.0 }
    }),
    ("bimodal, edge of sd 20 ns", |random, _| {
        20.0 * random.normal() + if random.even() < 0.5 { 1_500.0 } else { 0.0 }
    }),
    ("exponential, edge of sd 20", |random, _| {
        20.0 * random.normal() + 400.0 * random.exponential()
    }),
    ("Gaussian, sd 80", |random, _| 80.0 * random.normal()),
];

/// Samples, and the clock's true offset at each, in nanoseconds.
struct Run {
    samples: Vec<Sample>,
    /// When the clock was read for each sample, on the system clock, and its true offset then.
    truth: Vec<(f64, f64)>,
}

/// The start of the simulation, in nanoseconds of the system clock.
const START: i128 = 1_700_000_000_000_000_000;

fn at<S: Scale>(nanoseconds: f64) -> Timestamp<S> {
    Timestamp::from_total_nanoseconds(START + nanoseconds.floor() as i128).expect("in range")
}

/// The frequency offset of the clock.
const FAST: f64 = 12e-6;

/// Readings one after the other, with a pause of up to 100 ns.
fn straight(number: usize, jitter: Jitter, random: &mut Random) -> Run {
    let begin = 1_000.0 * random.even();
    let mut now = 100.0 * random.even();
    let mut run = Run { samples: Vec::new(), truth: Vec::new() };
    for _ in 0..number {
        let before = now;
        let read = before + 600.0 + jitter(random, false);
        let after = read + 600.0 + jitter(random, true);
        let offset = begin + FAST * read;
        run.samples.push(Sample { before: at(before), phc: at(read + offset), after: at(after) });
        run.truth.push((read, offset));
        now = after + 100.0 * random.even();
    }
    run
}

impl Run {
    fn estimate(&self) -> Estimate {
        let mut estimator = Estimator::default();
        self.samples.iter().for_each(|sample| estimator.add(*sample));
        estimator.estimate().expect("an estimate")
    }

    /// The true offset at the moment of an estimate.
    fn truth_at(&self, estimate: &Estimate) -> f64 {
        let at = (estimate.at.total_nanoseconds() - START) as f64;
        let near = |(read, _): &&(f64, f64)| (read - at).abs();
        self.truth.iter().min_by(|a, b| near(a).total_cmp(&near(b))).expect("a sample").1
    }

    /// How far the guess is from the truth.
    fn error(&self, estimate: &Estimate) -> f64 {
        estimate.offset.nanoseconds() as f64 - self.truth_at(estimate)
    }

    /// For each sample the middle of its system times, the offset there and the delay, in
    /// nanoseconds.
    fn middles(&self) -> Vec<(f64, f64, f64)> {
        let of = |sample: &Sample| {
            let [before, phc, after] = [
                sample.before.total_nanoseconds(),
                sample.phc.total_nanoseconds(),
                sample.after.total_nanoseconds(),
            ]
            .map(|time| (time - START) as f64);
            let middle = f64::midpoint(before, after);
            (middle, phc - middle, after - before)
        };
        self.samples.iter().map(of).collect()
    }
}

/// How far the mean offset of some samples is from the truth at their mean time.
fn error_of_mean(run: &Run, middles: &[(f64, f64, f64)]) -> f64 {
    let number = middles.len() as f64;
    let time = middles.iter().map(|one| one.0).sum::<f64>() / number;
    let offset = middles.iter().map(|one| one.1).sum::<f64>() / number;
    offset - (run.truth[0].1 + FAST * (time - run.truth[0].0))
}

/// A least-squares line: its error at the mean time of its samples.
fn regression(run: &Run, share: f64) -> f64 {
    let mut middles = run.middles();
    middles.sort_by(|a, b| a.2.total_cmp(&b.2));
    middles.truncate(((middles.len() as f64 * share) as usize).max(3));
    error_of_mean(run, &middles)
}

/// The sample with the shortest delay alone.
fn shortest(run: &Run) -> f64 {
    let middles = run.middles();
    let delay = |place: &usize| middles[*place].2;
    let best = (0..middles.len()).min_by(|a, b| delay(a).total_cmp(&delay(b))).expect("a sample");
    middles[best].1 - run.truth[best].1
}

/// The mean of all samples with a delay within 100 ns of the shortest, as chronyd does for a PHC.
fn short_ones(run: &Run) -> f64 {
    let mut middles = run.middles();
    let least = middles.iter().map(|one| one.2).fold(f64::INFINITY, f64::min);
    middles.retain(|one| one.2 <= least + 100.0);
    error_of_mean(run, &middles)
}

fn jitters(runs: usize) {
    for number in [3, 8, 32, 200, 5_000] {
        println!(
            "| jitter each way, {number} samples | ptpctl | its uncertainty | within it, % | the rate \
             within its uncertainty, % | the bound held | shortest delay | mean of short ones | regression, lowest 10 % | regression, all |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        for (row, (name, jitter)) in JITTERS.into_iter().enumerate() {
            let mut random = Random(row as u64);
            let (mut errors, mut told, mut within, mut held) = ([0.0; 5], 0.0, 0, 0);
            let mut rates = 0;
            for _ in 0..runs {
                let run = straight(number, jitter, &mut random);
                let estimate = run.estimate();
                let error = run.error(&estimate);
                let uncertainty = estimate.uncertainty.unwrap_or_default().nanoseconds() as f64;
                told += uncertainty;
                within += usize::from(error.abs() <= uncertainty);
                rates += usize::from(estimate.rate.is_some_and(|one| {
                    (one.rate.ppb() - FAST * 1e9).abs() <= one.uncertainty.ppb()
                }));
                held += usize::from(error.abs() <= estimate.bound.nanoseconds() as f64);
                let all = [
                    error,
                    shortest(&run),
                    short_ones(&run),
                    regression(&run, 0.1),
                    regression(&run, 1.0),
                ];
                errors.iter_mut().zip(all).for_each(|(sum, error)| *sum += error.abs());
            }
            let mean = |sum: f64| sum / runs as f64;
            let [ours, short, chrony, lowest, all] = errors.map(mean);
            println!(
                "| {name} | {ours:.2} | {:.2} | {:.0} | {:.0} | {held} of {runs} | {short:.2} | {chrony:.2} | \
                 {lowest:.2} | {all:.2} |",
                mean(told),
                mean(within as f64 * 100.0),
                mean(rates as f64 * 100.0),
            );
        }
        println!();
    }
}

/// The error against the number of samples: shows from where on more samples don't help.
fn numbers(runs: usize) {
    let numbers = [25, 50, 100, 200, 400, 800, 1_600];
    println!("| jitter each way | {} samples |", numbers.map(|n| n.to_string()).join(" | "));
    println!("|---|{}", "---|".repeat(numbers.len()));
    for (row, (name, jitter)) in JITTERS.into_iter().enumerate() {
        let mut line = format!("| {name} |");
        for number in numbers {
            let mut random = Random(row as u64);
            let error = |_| {
                let run = straight(number, jitter, &mut random);
                run.error(&run.estimate()).abs()
            };
            let sum: f64 = (0..runs / 2).map(error).sum();
            line += &format!(" {:.1} |", sum / (runs / 2) as f64);
        }
        println!("{line}");
    }
    println!();
}

/// How the frequency of a clock changes.
#[derive(Clone, Copy)]
enum Curve {
    /// Random-walk FM of this ADEV at 1 s.
    Walk(f64),
    /// A servo: another frequency each second, of this standard deviation.
    Servo(f64),
    /// One frequency step in the window.
    Step(f64),
    /// A frequency drift, per second.
    Drift(f64),
}

/// The number of samples, spread over a window.
const SPREAD: usize = 1_500;

fn curved(curve: Curve, window: f64, base: f64, random: &mut Random) -> Run {
    let mut run = Run { samples: Vec::new(), truth: Vec::new() };
    let (mut offset, mut frequency) = (100.0 * random.even(), FAST);
    let step_at = window * random.even();
    let (mut last, mut now, mut second, mut has_stepped) = (0.0_f64, 0.0_f64, -1.0, false);
    for place in 0..SPREAD {
        let before = now.max(place as f64 * window / SPREAD as f64 + 100.0 * random.even());
        let read = before + base + 400.0 * random.exponential();
        let after = read + base + 400.0 * random.exponential();
        let gone = read - last;
        match curve {
            Curve::Walk(deviation) => {
                let changed = deviation * 3_f64.sqrt() * (gone * 1e-9).sqrt() * random.normal();
                offset += (frequency + changed / 2.0) * gone;
                frequency += changed;
            }
            Curve::Servo(deviation) => {
                let mut from = last;
                while from < read {
                    if (from / 1e9).floor() > second {
                        second = (from / 1e9).floor();
                        frequency = FAST + deviation * random.normal();
                    }
                    let to = ((second + 1.0) * 1e9).min(read);
                    offset += frequency * (to - from);
                    from = to;
                }
            }
            Curve::Step(by) => {
                offset += frequency * gone;
                if !has_stepped && read > step_at {
                    has_stepped = true;
                    offset += by * (read - step_at);
                    frequency += by;
                }
            }
            Curve::Drift(drift) => {
                offset += (frequency + drift * gone * 1e-9 / 2.0) * gone;
                frequency += drift * gone * 1e-9;
            }
        }
        last = read;
        run.samples.push(Sample { before: at(before), phc: at(read + offset), after: at(after) });
        run.truth.push((read, offset));
        now = after + 50.0;
    }
    run
}

const MS: f64 = 1e6;
const S: f64 = 1e9;

const CURVES: [(&str, Curve, f64, f64); 26] = [
    ("random-walk FM, ADEV(1 s) 1e-8, 10 s", Curve::Walk(1e-8), 10.0 * S, 600.0),
    ("the same, 3e-8", Curve::Walk(3e-8), 10.0 * S, 600.0),
    ("the same, 1e-7", Curve::Walk(1e-7), 10.0 * S, 600.0),
    ("the same, 1e-8, base delay 100 ns", Curve::Walk(1e-8), 10.0 * S, 100.0),
    ("servo, sd 100 ppb, 10 s", Curve::Servo(100e-9), 10.0 * S, 600.0),
    ("the same, sd 300 ppb", Curve::Servo(300e-9), 10.0 * S, 600.0),
    ("the same, sd 300 ppb, base delay 100 ns", Curve::Servo(300e-9), 10.0 * S, 100.0),
    ("a step of 1 ppm, 30 ms", Curve::Step(1e-6), 30.0 * MS, 600.0),
    ("a step of 10 ppm, 30 ms", Curve::Step(10e-6), 30.0 * MS, 600.0),
    ("a step of 100 ppm, 30 ms", Curve::Step(100e-6), 30.0 * MS, 600.0),
    ("a step of 500 ppm, 30 ms", Curve::Step(500e-6), 30.0 * MS, 600.0),
    ("the same, base delay 100 ns", Curve::Step(500e-6), 30.0 * MS, 100.0),
    ("a step of 10 ppm, 1 s", Curve::Step(10e-6), S, 600.0),
    ("a step of 500 ppm, 60 s", Curve::Step(500e-6), 60.0 * S, 600.0),
    ("drift of 1 ppb/s, 10 s", Curve::Drift(1e-9), 10.0 * S, 600.0),
    ("drift of 1 ppb/s, 60 s", Curve::Drift(1e-9), 60.0 * S, 600.0),
    ("drift of 10 ppb/s, 1 s", Curve::Drift(10e-9), S, 600.0),
    ("drift of 10 ppb/s, 60 s", Curve::Drift(10e-9), 60.0 * S, 600.0),
    ("drift of 95 ppb/s, 10 s", Curve::Drift(95e-9), 10.0 * S, 600.0),
    ("the same, base delay 100 ns", Curve::Drift(95e-9), 10.0 * S, 100.0),
    ("drift of 100 ppb/s, 1 s", Curve::Drift(100e-9), S, 600.0),
    ("drift of 1000 ppb/s, 30 ms", Curve::Drift(1e-6), 30.0 * MS, 600.0),
    ("drift of 1000 ppb/s, 1 s", Curve::Drift(1e-6), S, 600.0),
    ("drift of 1000 ppb/s, 10 s", Curve::Drift(1e-6), 10.0 * S, 600.0),
    ("drift of 1000 ppb/s, 60 s", Curve::Drift(1e-6), 60.0 * S, 600.0),
    ("the same, base delay 100 ns", Curve::Drift(1e-6), 60.0 * S, 100.0),
];

/// The lengths of the fixed pieces that the estimator is compared with, in samples.
const PIECES: [usize; 9] = [1, 16, 32, 64, 128, 256, 512, 1_024, SPREAD];

fn curves(runs: usize) {
    println!(
        "| oscillator, {SPREAD} samples in a window of | bounds broken | mean bound, ns | mean error, \
         ns | the best fixed piece | its error, ns | ratio | marked as curved, % |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (row, (name, curve, window, base)) in CURVES.into_iter().enumerate() {
        let mut random = Random(row as u64);
        let (mut broken, mut bounds, mut error, mut bent) = (0, 0.0, 0.0, 0);
        let mut pieces = [0.0; PIECES.len()];
        for _ in 0..runs {
            let run = curved(curve, window, base, &mut random);
            let estimate = run.estimate();
            let off = run.error(&estimate).abs();
            broken += usize::from(off > estimate.bound.nanoseconds() as f64);
            bounds += estimate.bound.nanoseconds() as f64;
            error += off;
            bent += usize::from(estimate.curved);
            for (sum, size) in pieces.iter_mut().zip(PIECES) {
                *sum += run.by_piece(&estimate, size).abs();
            }
        }
        let mean = |sum: f64| sum / runs as f64;
        let fixed = pieces.iter().zip(PIECES).min_by(|a, b| a.0.total_cmp(b.0)).expect("some");
        println!(
            "| {name} | {broken} of {runs} | {:.0} | {:.2} | {} | {:.2} | {:.2} | {:.0} |",
            mean(bounds),
            mean(error),
            fixed.1,
            mean(*fixed.0),
            error / fixed.0,
            mean(bent as f64 * 100.0),
        );
    }
}

impl Run {
    /// The error of a straight line through `size` samples around the moment of an estimate.
    fn by_piece(&self, estimate: &Estimate, size: usize) -> f64 {
        let at = (estimate.at.total_nanoseconds() - START) as f64;
        let place = self.truth.partition_point(|(read, _)| *read < at).min(SPREAD - 1);
        let near = |place: &usize| (self.truth[*place].0 - at).abs();
        let place = [place.saturating_sub(1), place]
            .into_iter()
            .min_by(|a, b| near(a).total_cmp(&near(b)))
            .expect("one");
        if size == 1 {
            let (_, middle, _) = self.middles()[place];
            return middle - self.truth[place].1;
        }
        let from = place.saturating_sub(size / 2).min(SPREAD - size);
        let samples = &self.samples[from..from + size];
        // If no line passes through the piece, take the sample itself.
        let guess = ptpctl::measure::straight_guess(samples, place - from)
            .unwrap_or_else(|| self.middles()[from..from + size][place - from].1);
        // The estimator rounds to whole nanoseconds, too.
        guess.round() - self.truth[place].1
    }
}
