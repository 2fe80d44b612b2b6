//! `cargo bench`: what measuring costs, as tables in Markdown. Each figure is the median of five.

#![expect(
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a benchmark that can't run has failed; its figures are for people"
)]

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;
use ptpctl::measure::Estimator;
use ptpctl::measure::stability::{Series, octaves};
use ptpctl::{Sample, Scale, Timestamp};
use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    // First: the peak memory of a child counts at least as much as this program has.
    recording();
    estimator();
    stability();
    monitor();
    metrics();
}

/// The median of five.
fn median(mut run: impl FnMut() -> f64) -> f64 {
    let mut figures: Vec<_> = (0..5).map(|_| run()).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(2).copied().expect("five")
}

/// Whole numbers without a pattern, from 0 to `most`.
fn noise(most: i64) -> impl FnMut() -> i64 {
    let mut state = 1_234_567_890_i64;
    move || {
        state = state * 16_807 % 2_147_483_647;
        state % (most + 1)
    }
}

fn at<S: Scale>(time: i128) -> Timestamp<S> {
    Timestamp::from_total_nanoseconds(time).expect("in range")
}

/// Samples as a card gives them: each way takes 600 ns, and up to `jitter` more.
fn samples(number: usize, jitter: i64) -> Vec<Sample> {
    let mut noise = noise(jitter);
    let mut now = 1_700_000_000_000_000_000_i128;
    let sample = |_| {
        let (there, back) = (600 + i128::from(noise()), 600 + i128::from(noise()));
        let before = now;
        now += there + back;
        // 10 ppm fast.
        let phc = before + there + (before + there - 1_700_000_000_000_000_000) / 100_000;
        Sample { before: at(before), phc: at(phc), after: at(now) }
    };
    (0..number).map(sample).collect()
}

fn estimator() {
    println!("| samples | jitter of each way, ns | the estimator, million samples a second |");
    println!("|---|---|---|");
    for (number, jitter) in [(25, 400), (25_000, 400), (1_000_000, 400), (1_000_000, 10_000)] {
        let samples = samples(number, jitter);
        let rounds = (1_000_000 / number).max(1);
        let rate = median(|| {
            let began = Instant::now();
            for _ in 0..rounds {
                let mut estimator = Estimator::default();
                for sample in black_box(&samples) {
                    estimator.add(*sample);
                }
                black_box(estimator.estimate());
            }
            (number * rounds) as f64 / began.elapsed().as_secs_f64() / 1e6
        });
        println!("| {number} | {jitter} | {rate:.1} |");
    }
    println!();
}

fn stability() {
    println!("| offsets | all five deviations at every octave, s | million offsets a second |");
    println!("|---|---|---|");
    for number in [10_000, 100_000, 1_000_000, 10_000_000] {
        let mut noise = noise(100);
        let series = Series::even(1_000_000_000, (0..number).map(|place| place / 10 + noise()));
        let factors = octaves(series.places());
        let seconds = median(|| {
            let began = Instant::now();
            black_box(black_box(&series).all_deviations(&factors));
            black_box(series.trend());
            began.elapsed().as_secs_f64()
        });
        println!("| {number} | {seconds:.3} | {:.2} |", number as f64 / seconds / 1e6);
    }
    println!();
}

/// The whole program over a recording.
fn recording() {
    println!(
        "| offsets in a recording | `ptpctl stability --from`, s | peak memory, bytes an offset |"
    );
    println!("|---|---|---|");
    for number in [100_000_i64, 1_000_000, 10_000_000] {
        let path = std::env::temp_dir().join(format!("ptpctl-bench-{}.jsonl", std::process::id()));
        let mut file = BufWriter::new(File::create(&path).expect("made"));
        let mut noise = noise(100);
        for second in 0..number {
            let (at, offset) = (1_700_000_000 + second, second / 10 + noise());
            writeln!(
                file,
                "{{\"device\":\"/dev/ptp0\",\"reference\":\"realtime\",\"at\":{{\"seconds\":{at},\
                 \"nanoseconds\":0}},\"offset_ns\":{offset}}}"
            )
            .expect("written");
        }
        drop(file);
        let seconds = median(|| {
            let began = Instant::now();
            let status = Command::new(env!("CARGO_BIN_EXE_ptpctl"))
                .args(["stability", "--from"])
                .arg(&path)
                .stdout(Stdio::null())
                .status()
                .expect("it runs");
            assert!(status.success(), "it failed");
            began.elapsed().as_secs_f64()
        });
        // The peak of all children so far. This one is the largest.
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("it is told");
        // A C long, whose size depends on the processor.
        let kilobytes: f64 = usage.max_rss().to_string().parse().expect("a number");
        let bytes = kilobytes * 1024.0 / number as f64;
        println!("| {number} | {seconds:.2} | {bytes:.1} |");
        let _ = std::fs::remove_file(&path);
    }
    println!();
}

/// How long a monitor is watched.
const WATCHED: Duration = Duration::from_secs(5);

fn monitor() {
    println!("| `ptpctl monitor --interval 1ms` on a mock, to | CPU time of one core, % |");
    println!("|---|---|");
    for (name, lines) in [("lines", "--lines"), ("JSON", "--json")] {
        let share = median(|| {
            let before = spent();
            let status = Command::new(env!("CARGO_BIN_EXE_ptpctl"))
                .args(["monitor", "--interval", "1ms", "--duration", "5s", lines, "mock:igb"])
                .stdout(Stdio::null())
                .status()
                .expect("it runs");
            assert!(status.success(), "it failed");
            (spent() - before) / WATCHED.as_secs_f64() * 100.0
        });
        println!("| {name} | {share:.2} |");
    }
}

/// How long metrics are served.
const SERVED: Duration = Duration::from_secs(20);

/// Clocks that are read each second, each sample in 2 us, and scraped each second.
fn metrics() {
    println!("| clocks of `ptpctl metrics --listen` | CPU time of one core, % | peak memory, MB |");
    println!("|---|---|---|");
    for number in [1, 20, 50] {
        let mut peak = 0.0_f64;
        let share = median(|| {
            let before = spent();
            let clocks = (1..=number).map(|seed| format!("mock:igb,read=1us,jitter=0,seed={seed}"));
            let mut program = Command::new(env!("CARGO_BIN_EXE_ptpctl"))
                .args(["metrics", "--listen", "0"])
                .args(clocks)
                .stderr(Stdio::piped())
                .spawn()
                .expect("it runs");
            let mut told = String::new();
            let output = program.stderr.take().expect("a pipe");
            BufReader::new(output).read_line(&mut told).expect("a line");
            let address = told.split('/').nth(2).expect("an address");
            let began = Instant::now();
            while began.elapsed() < SERVED {
                std::thread::sleep(Duration::from_secs(1));
                assert!(scraped(address).contains("ptpctl_clock_offset_seconds{"), "no offset");
            }
            peak = peak.max(megabytes(program.id()));
            let process = Pid::from_raw(program.id().try_into().expect("a number"));
            kill(process, Signal::SIGTERM).expect("it runs");
            program.wait().expect("it ends");
            (spent() - before) / SERVED.as_secs_f64() * 100.0
        });
        println!("| {number} | {share:.2} | {peak:.1} |");
    }
}

/// The page at an address.
fn scraped(address: &str) -> String {
    let mut page = String::new();
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("sent");
    stream.read_to_string(&mut page).expect("a page");
    page
}

/// The most memory that a program has had so far.
fn megabytes(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes / 1024.0
}

/// The CPU time of all programs that have ended, in seconds.
fn spent() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("it is told");
    let seconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 * 1e-6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}
