//! `cargo bench --bench mock_run`: what `ptpctl mock run` and `ptpctl trace` cost a program, as tables
//! in Markdown.
//!
//! This program starts itself, natively and under both in turns, and measures its own system calls. Each figure is the median of the turns' medians.

#![expect(unsafe_code, reason = "makes system calls")]
#![expect(
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that can't run has failed; its figures are for people"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Tells this program that it is to measure itself.
const GUEST: &str = "--guest";
const TURNS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        // `cargo test --benches` only wants to know that it runs.
        Some("--test") => {}
        Some(GUEST) => guest(),
        _ => compare(),
    }
}

/// How a program is started: natively, and under ptpctl.
const NATIVELY: &str = "";
const STARTS: [&str; 3] =
    [NATIVELY, "mock run --clock full,read=0,jitter=0 --", "trace --summary --"];

/// This program, or another one.
fn command(start: &str, program: &str) -> Command {
    if start == NATIVELY {
        return Command::new(program);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_ptpctl"));
    command.args(start.split(' ')).arg(program);
    command
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn compare() {
    let own = std::env::current_exe().expect("this program").display().to_string();
    let mut figures: BTreeMap<(String, &str), Vec<f64>> = BTreeMap::new();
    let mut names = Vec::new();
    for _ in 0..TURNS {
        for start in STARTS {
            let told = command(start, &own).arg(GUEST).output().expect("it runs").stdout;
            for line in String::from_utf8(told).expect("text").lines() {
                // `trace` tells its summary on the same standard output.
                let Some((figure, name)) =
                    line.strip_prefix("took ").and_then(|line| line.split_once(' '))
                else {
                    continue;
                };
                if !names.contains(&name.to_owned()) {
                    names.push(name.to_owned());
                }
                let figure = figure.parse().expect("a number");
                figures.entry((name.to_owned(), start)).or_default().push(figure);
            }
        }
    }
    println!("\n| call | native, ns | under `ptpctl mock run`, ns | under `ptpctl trace`, ns |");
    println!("|---|---|---|---|");
    for name in names {
        let figures = STARTS.map(|start| {
            let all = figures.get(&(name.clone(), start));
            all.map_or("-".to_owned(), |all| format!("{:.0}", median(all.clone())))
        });
        println!("| {name} | {} |", figures.join(" | "));
    }
    programs();
}

/// Whole programs, in milliseconds.
fn programs() {
    let file = std::env::temp_dir().join(format!("ptpctl-bench-{}.c", std::process::id()));
    std::fs::write(&file, "#include <stdio.h>\nint main(void) { return puts(\"\"); }\n")
        .expect("written");
    let source = file.display().to_string();
    let lines: [(&str, Vec<&str>); 3] = [
        ("`true`", vec!["true"]),
        ("`cc` of one file", vec!["cc", "-c", &source, "-o", "/dev/null"]),
        ("`grep -r` over /usr/include/linux", vec!["grep", "-r", "PTP_", "/usr/include/linux"]),
    ];
    println!("\n| program | native, ms | under `ptpctl mock run`, ms | under `ptpctl trace`, ms |");
    println!("|---|---|---|---|");
    for (name, line) in lines {
        let mut took = [const { Vec::new() }; STARTS.len()];
        for _ in 0..2 * TURNS {
            for (start, took) in STARTS.iter().zip(&mut took) {
                let began = Instant::now();
                let mut command = command(start, line[0]);
                command.args(&line[1..]).stdout(Stdio::null()).stderr(Stdio::null());
                command.status().expect("it runs");
                took.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
        let took = took.map(|took| format!("{:.1}", median(took)));
        println!("| {name} | {} |", took.join(" | "));
    }
    let _ = std::fs::remove_file(file);
}

/// The median time of a call, in nanoseconds.
fn time(name: &str, rounds: usize, mut call: impl FnMut()) {
    let took = (0..rounds).map(|_| {
        let began = Instant::now();
        for _ in 0..10 {
            call();
        }
        began.elapsed().as_nanos() as f64 / 10.0
    });
    println!("took {} {name}", median(took.collect()));
}

/// Measures its own calls; those on a clock only where there is one.
fn guest() {
    // SAFETY: each call takes no pointer, or one to a struct that outlives it.
    unsafe {
        time("getppid", 2_000, || {
            black_box(libc::syscall(libc::SYS_getppid));
        });
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        time("clock_gettime of CLOCK_MONOTONIC, by vDSO", 2_000, || {
            libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now);
        });
        time("clock_gettime of CLOCK_MONOTONIC, by system call", 2_000, || {
            libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, &raw mut now);
        });
        let (mut pipe, mut event) = ([0; 2], [0_u8; 32]);
        assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
        time("write and read of 32 bytes by a pipe", 2_000, || {
            libc::write(pipe[1], event.as_ptr().cast(), 32);
            libc::read(pipe[0], event.as_mut_ptr().cast(), 32);
        });
        let mut status: libc::stat = std::mem::zeroed();
        time("stat of /etc/passwd", 500, || {
            libc::stat(c"/etc/passwd".as_ptr(), &raw mut status);
        });
        time("open and close of /etc/passwd", 500, || {
            libc::close(libc::open(c"/etc/passwd".as_ptr(), libc::O_RDONLY));
        });
        // It fails, but `trace` must ask which clock the descriptor is.
        time("clock_gettime of a descriptor that is no clock", 1_000, || {
            libc::clock_gettime((!pipe[0] << 3) | 3, &raw mut now);
        });
        let clock = libc::open(c"/dev/ptp0".as_ptr(), libc::O_RDWR);
        if clock < 0 {
            return;
        }
        time("open and close of a PHC", 500, || {
            libc::close(libc::open(c"/dev/ptp0".as_ptr(), libc::O_RDWR));
        });
        let id = (!clock << 3) | 3;
        time("clock_gettime of a PHC", 1_000, || {
            libc::clock_gettime(id, &raw mut now);
        });
        let mut caps: libc::ptp_clock_caps = std::mem::zeroed();
        time("PTP_CLOCK_GETCAPS", 1_000, || {
            libc::ioctl(clock, libc::PTP_CLOCK_GETCAPS, &raw mut caps);
        });
        let mut samples: libc::ptp_sys_offset_extended = std::mem::zeroed();
        for number in [5, 25] {
            samples.n_samples = number;
            time(&format!("PTP_SYS_OFFSET_EXTENDED of {number} samples"), 1_000, || {
                libc::ioctl(clock, libc::PTP_SYS_OFFSET_EXTENDED, &raw mut samples);
            });
        }
    }
}
