//! `ptpctl record`: measurements into a file.

use super::failure::Failure;
use super::monitor::{self, Goes};
use super::{Command, Context, arguments};
use crate::report::live::Statistics;
use crate::report::plot::{Offsets, Picture};
use crate::report::{Report, Table, json};
use crate::watch::{Recorder, Sampler, Tick};
use clap::Arg;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(super) const COMMAND: Command = Command {
    name: "record",
    aliases: &[],
    about: "Write measurements of clocks to a file",
    arguments,
    run,
};

fn arguments(command: clap::Command) -> clap::Command {
    arguments::watching(command)
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help("The file to add to; compressed where its name ends with .gz or .zst"),
        )
        .arg(arguments::plot())
        .arg(monitor::sources_argument())
        .long_about(
            "Measures clocks as monitor does, and adds a line to FILE for each measurement: the \
             JSON objects of monitor --json, which ptpctl-json(7) describes. What is in FILE \
             stays, so that a recording can be gone on with; two files can be put together with \
             cat, compressed ones as well.\n\nWhat was measured is in the file within a second. \
             Where the end of a file was cut off, as by a loss of power, what comes before it is \
             kept and read. It ends with --count, --duration, Ctrl-C or SIGTERM.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl record night.jsonl.zst eth0\n  \
             ptpctl record --interval 100ms --duration 1h pair.jsonl eth0:eth1\n  \
             ptpctl record --count 5 --interval 10ms /tmp/mock.jsonl mock",
        )
}

/// What was measured is in the file after this.
const SAVED: Duration = Duration::from_secs(1);

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let path: PathBuf = context.required("file")?;
    let picture = arguments::plot_file(context)?;
    let (sources, pace) = monitor::sources(context)?;
    let labels: Vec<_> = sources.iter().map(|source| source.label().clone()).collect();
    let signals = monitor::catch()?;
    let failed = |error| Failure::Failed(format!("can't write {}: {error}", path.display()));
    let (mut recorder, cut) = Recorder::append(&path).map_err(failed)?;
    if cut > 0 {
        context.printer.aside(&format!(
            "{}: its end was cut off: what comes before it is kept",
            path.display()
        ));
    }
    let sampler =
        Sampler::start(sources, pace, arguments::isolation(context)).map_err(Failure::Failed)?;
    for refusal in &sampler.refusals {
        context.printer.aside(refusal);
    }
    let mut offsets = Offsets::default();
    let mut statistics = vec![Statistics::default(); labels.len()];
    let mut lines = 0_u64;
    let mut saved_lines = 0;
    let mut saved_at = Instant::now();
    let mut take = |ticks: Vec<Tick>| {
        for tick in ticks {
            let both = labels.get(tick.source).zip(statistics.get_mut(tick.source));
            let Some((label, statistics)) = both else { continue };
            json::write_object(&mut recorder, &monitor::object(label, tick.at, &tick.outcome))
                .map_err(failed)?;
            lines += 1;
            monitor::tell_failed(context, label, &tick, false);
            match &tick.outcome {
                Ok(measurement) => {
                    statistics.add(tick.at, measurement.offset, measurement.stepped);
                    if picture.is_some() {
                        let title = monitor::title(label);
                        let (bound, delay) = (measurement.bound, measurement.delay);
                        offsets.add(&title, tick.at, measurement.offset, bound, delay);
                    }
                }
                Err(why) => {
                    statistics.lose();
                    context.printer.aside(&format!("{label} is lost: {why}"));
                }
            }
        }
        if lines > saved_lines && saved_at.elapsed() >= SAVED {
            recorder.save().map_err(failed)?;
            (saved_at, saved_lines) = (Instant::now(), lines);
        }
        Ok(Goes::On)
    };
    let answer = monitor::follow(&sampler, &signals, &mut take);
    let ended = sampler.end().map_err(Failure::Failed);
    let answer = answer.and_then(|()| take(ended?).map(drop));
    // Also after a signal: a compressed file has an end.
    recorder.finish().map_err(failed)?;
    answer?;
    let mut table = Table::new(
        "sources",
        &[
            ("device", "CLOCK"),
            ("reference", "REFERENCE"),
            ("measurements", "MEASUREMENTS"),
            ("mean_ns", "MEAN"),
            ("deviation_ns", "STANDARD DEVIATION"),
            ("peak_to_peak_ns", "PEAK TO PEAK"),
            ("steps", "STEPS"),
            ("losses", "LOSSES"),
        ],
    );
    for (label, statistics) in labels.iter().zip(&statistics) {
        table.line(statistics.cells(&label.device, &label.reference));
    }
    let report = Report::new()
        .headline(format!("{lines} lines added to {}", path.display()))
        .value("file", path.display().to_string())
        .value("lines", lines)
        .table(table);
    let report = match picture {
        Some(path) => monitor::finish(context, report, &Picture::Offsets(offsets), &path)?,
        None => report,
    };
    if signals.came().is_some() {
        context.printer.report(&report)?;
        return Err(Failure::Signal(signals));
    }
    Ok(report)
}
