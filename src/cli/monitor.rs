//! `ptpctl monitor`: clocks measured again and again, live in a terminal or a line each.

use super::failure::Failure;
use super::rfc3339;
use super::{Command, Context, arguments};
use crate::kernel::Signals;
use crate::phc::SystemClock;
use crate::report::live::{Live, Point};
use crate::report::{Report, Value, plot};
use crate::watch::{Label, Line, Measurement, Pace, Reader, Sampler, Source, Tick};
use crate::{Timestamp, Unknown, find};
use clap::{Arg, ArgAction};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const COMMAND: Command = Command {
    name: "monitor",
    aliases: &["watch"],
    about: "Measure clocks again and again, live or a line each",
    arguments,
    run,
};

fn arguments(command: clap::Command) -> clap::Command {
    arguments::watching(command)
        .arg(
            arguments::option(
                "from",
                "FILE",
                "Show what record has written instead; - is standard input",
            )
            .conflicts_with_all([
                "interval", "count", "duration", "samples", "clock", "cpu", "realtime",
            ]),
        )
        .arg(arguments::flag("lines", "Print lines on a terminal, too"))
        .arg(arguments::plot())
        .arg(sources_argument())
        .long_about(
            "Measures PHC - system clock, or with FIRST:SECOND the first clock less the second, \
             every --interval, as offset and diff do: a fast schedule takes fewer samples each \
             time.\n\nOn a terminal it draws each offset with the band that its bound leaves, and \
             its present value, mean, standard deviation, peak to peak and rate. Steps are marked \
             and begin the statistics anew, since a mean over them means nothing; so is the time \
             in which a clock was gone. A clock that comes back is measured again. Elsewhere, or \
             with --lines or --json, it prints a line for each measurement.\n\nKeys of the \
             terminal: q ends, space pauses, + and - zoom in time, 0 shows everything, u changes \
             the unit, b leaves out the band, r begins the statistics anew.\n\nIt needs the same \
             memory however long it runs. A measurement that is late isn't made up for.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl monitor\n  \
             ptpctl monitor --interval 10ms eth0 eth0:eth1\n  \
             ptpctl monitor --json --count 3 mock\n  \
             ptpctl monitor --from night.jsonl.zst --plot night.svg",
        )
}

/// The clocks, for monitor and record.
pub(super) fn sources_argument() -> Arg {
    Arg::new("sources")
        .value_name("DEVICE")
        .action(ArgAction::Append)
        .num_args(0..)
        .help("The clocks, as for other commands; FIRST:SECOND for two; as --device")
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let is_live = !context.printer.is_json()
        && !context.has("lines")
        && io::stdout().is_terminal()
        && io::stdin().is_terminal();
    let mut output = Output::new(context, is_live)?;
    if let Some(from) = context.get::<String>("from") {
        return replay(context, Path::new(&from), output);
    }
    let (sources, pace) = sources(context)?;
    let labels: Vec<_> = sources.iter().map(|source| source.label().clone()).collect();
    let signals = catch()?;
    let sampler =
        Sampler::start(sources, pace, arguments::isolation(context)).map_err(Failure::Failed)?;
    for refusal in &sampler.refusals {
        context.printer.aside(refusal);
    }
    output.begin(&labels, Some(pace.interval))?;
    let mut take = |ticks: Vec<Tick>| {
        for tick in ticks {
            if let Some(label) = labels.get(tick.source) {
                output.take(context, label, &tick)?;
            }
        }
        output.show(context)
    };
    let answer = follow(&sampler, &signals, &mut take);
    let ended = sampler.end().map_err(Failure::Failed);
    let answer = answer.and_then(|()| take(ended?).map(drop));
    output.end(context)?;
    match answer {
        _ if signals.came().is_some() => Err(Failure::Signal(signals)),
        answer => answer.map(|()| Report::new()),
    }
}

pub(super) fn catch() -> Result<Signals, Failure> {
    Signals::catch().map_err(|errno| Failure::Failed(format!("can't catch signals: {errno}")))
}

/// A terminal is drawn, and keys are looked at, so often.
const FRAME: Duration = Duration::from_millis(100);

/// Hands measurements on as they come, until there are no more, a signal comes, or `take` ends it.
pub(super) fn follow(
    sampler: &Sampler,
    signals: &Signals,
    mut take: impl FnMut(Vec<Tick>) -> Result<Goes, Failure>,
) -> Result<(), Failure> {
    while let Ok(batch) = sampler.next(FRAME) {
        let goes = take(batch.unwrap_or_default())?;
        if goes == Goes::End || signals.came().is_some() {
            break;
        }
    }
    Ok(())
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goes {
    On,
    End,
}

/// The clocks that the command line names, and how often they are measured.
pub(super) fn sources(context: &Context<'_>) -> Result<(Vec<Source>, Pace), Failure> {
    let pace = arguments::pace(context);
    let limit = arguments::limit_in(context, pace.interval);
    let clock: SystemClock = context.required("clock")?;
    let given = context.matches.try_get_many::<String>("sources").ok().flatten();
    let mut names: Vec<String> = given.into_iter().flatten().cloned().collect();
    names.extend(context.get::<String>(arguments::DEVICE_OPTION));
    if names.is_empty() {
        names.push(context.device()?);
    }
    let open = |name: &String| -> Result<Source, Failure> {
        match find::open(name, crate::phc::Access::ReadOnly) {
            Ok(phc) => context.tell_what_is_left(&phc),
            // What is no clock can be two.
            Err(error) => match pair(name) {
                Some((first, second)) => {
                    return Ok(Source::open(first, Some(second), clock, limit)?);
                }
                None => return Err(error.into()),
            },
        }
        Ok(Source::open(name, None, clock, limit)?)
    };
    let sources = names.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    Ok((sources, pace))
}

/// Two names with a colon between them; a mock's own has one, too.
fn pair(text: &str) -> Option<(&str, &str)> {
    let at = text.find(":mock").or_else(|| text.find(':').filter(|_| !text.starts_with("mock")))?;
    let (first, second) = (text.get(..at)?, text.get(at + 1..)?);
    (!first.is_empty() && !second.is_empty()).then_some((first, second))
}

/// Where measurements go.
struct Output {
    live: Option<Live>,
    /// For a picture at the end.
    picture: Option<(PathBuf, plot::Offsets)>,
}

impl Output {
    fn new(context: &Context<'_>, is_live: bool) -> Result<Self, Failure> {
        let picture = arguments::plot_file(context)?.map(|path| (path, plot::Offsets::default()));
        let live = is_live.then(Live::default);
        Ok(Self { live, picture })
    }

    fn begin(&mut self, labels: &[Label], interval: Option<Duration>) -> Result<(), Failure> {
        if let Some(live) = &mut self.live {
            let titles = labels.iter().map(title).collect();
            live.begin(titles, interval)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        context: &mut Context<'_>,
        label: &Label,
        tick: &Tick,
    ) -> Result<(), Failure> {
        if let Some((_, picture)) = &mut self.picture
            && let Ok(measurement) = &tick.outcome
        {
            picture.add(
                &title(label),
                tick.at,
                measurement.offset,
                measurement.bound,
                measurement.delay,
            );
        }
        tell_failed(context, label, tick, self.live.is_some());
        if let Some(live) = &mut self.live {
            live.add(tick.source, Point::of(tick.at, &tick.outcome));
        } else {
            print(context, label, tick)?;
        }
        Ok(())
    }

    /// Has what was taken seen, and answers whether whoever looks has had enough.
    fn show(&mut self, context: &mut Context<'_>) -> Result<Goes, Failure> {
        if let Some(live) = &mut self.live {
            return Ok(if live.show()? { Goes::On } else { Goes::End });
        }
        context.printer.flush()?;
        Ok(Goes::On)
    }

    /// Leaves the terminal as it was, and draws the picture.
    fn end(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.live = None;
        match self.picture.take() {
            Some((path, picture)) => draw(context, &plot::Picture::Offsets(picture), &path),
            None => Ok(()),
        }
    }
}

/// Draws a picture beside a report: below it, where it is drawn into the terminal.
pub(super) fn finish(
    context: &mut Context<'_>,
    report: Report,
    picture: &plot::Picture,
    path: &Path,
) -> Result<Report, Failure> {
    if path != Path::new("-") {
        draw(context, picture, path)?;
        return Ok(report);
    }
    context.printer.report(&report)?;
    draw(context, picture, path)?;
    Ok(Report::new())
}

/// Draws a picture into a file, or with `-` into the terminal.
pub(super) fn draw(
    context: &mut Context<'_>,
    picture: &plot::Picture,
    path: &Path,
) -> Result<(), Failure> {
    let failed = |why| Failure::Failed(format!("can't draw {}: {why}", path.display()));
    if path == Path::new("-") {
        let text = picture.text(crate::report::terminal_width());
        return context.printer.bytes(text.as_bytes()).map_err(Failure::Output);
    }
    picture.draw(path).map_err(failed)
}

/// Tells that a better method didn't do; a live view has no room for it.
pub(super) fn tell_failed(context: &Context<'_>, label: &Label, tick: &Tick, is_live: bool) {
    if let Ok(Measurement { failed: Some(why), .. }) = &tick.outcome
        && !is_live
    {
        context.printer.aside(&format!("{label}: a better method failed: {why}"));
    }
}

/// Prints a measurement.
fn print(context: &mut Context<'_>, label: &Label, tick: &Tick) -> io::Result<()> {
    // Only what is asked for is written out: a fast schedule has thousands of lines a second.
    if context.printer.is_json() {
        context.printer.line("", &object(label, tick.at, &tick.outcome))
    } else {
        context.printer.line(&text(label, tick.at, &tick.outcome), &[])
    }
}

/// What a source is called in a picture.
pub(super) fn title(label: &Label) -> String {
    match &label.clock_name {
        Some(name) => format!("{} ({name}) - {}", label.device, label.reference),
        None => label.to_string(),
    }
}

/// A measurement as people read it.
pub(super) fn text(label: &Label, at: i128, outcome: &Result<Measurement, String>) -> String {
    let time = Timestamp::<Unknown>::from_total_nanoseconds(at);
    let time = time.and_then(rfc3339::format).unwrap_or_else(|| "-".into());
    match outcome {
        Ok(measurement) => {
            let bound = measurement.bound.map_or(String::new(), |bound| format!(" ±{bound}"));
            let stepped = if measurement.stepped { "  (stepped)" } else { "" };
            format!("{time}  {label}  {:+}{bound}{stepped}", measurement.offset)
        }
        Err(why) => format!("{time}  {label}  lost: {}", why.replace('\n', " ")),
    }
}

/// A measurement as a line of a file.
pub(super) fn object(
    label: &Label,
    at: i128,
    outcome: &Result<Measurement, String>,
) -> Vec<(&'static str, Value)> {
    let mut object = vec![
        ("device", Value::from(label.device.as_str())),
        ("clock_name", label.clock_name.clone().into()),
        ("reference", label.reference.as_str().into()),
        ("at", Timestamp::<Unknown>::from_total_nanoseconds(at).into()),
    ];
    match outcome {
        Ok(measurement) => object.extend([
            ("offset_ns", measurement.offset.into()),
            ("bound_ns", measurement.bound.into()),
            ("delay_ns", measurement.delay.into()),
            ("method", measurement.method.to_string().into()),
            ("stepped", measurement.stepped.into()),
        ]),
        Err(why) => object.push(("lost", why.as_str().into())),
    }
    object
}

/// Shows a file as if its measurements came now.
fn replay(context: &mut Context<'_>, from: &Path, mut output: Output) -> Result<Report, Failure> {
    if context.get::<String>(arguments::DEVICE_OPTION).is_some()
        || context.matches.contains_id("sources") && context.get::<String>("sources").is_some()
    {
        return Err(Failure::Usage("--from has its clocks in the file: name none".into()));
    }
    let signals = catch()?;
    let mut labels: Vec<Label> = Vec::new();
    let mut reader = open(from)?;
    while let Some(Line { label, at, outcome }) = next(&mut reader, from)? {
        if signals.came().is_some() {
            return Err(Failure::Signal(signals));
        }
        let known = labels.iter().position(|known| *known == label);
        let source = known.unwrap_or(labels.len());
        if known.is_none() {
            labels.push(label.clone());
            output.begin(&labels, None)?;
        }
        output.take(context, &label, &Tick { source, at, outcome })?;
    }
    tell_damage(context, &reader, from);
    if labels.is_empty() && reader.damaged > 0 {
        return Err(Failure::Failed(format!("{} has no measurement", from.display())));
    }
    // A live view stays until whoever looks has had enough.
    while output.show(context)? == Goes::On && output.live.is_some() && signals.came().is_none() {
        std::thread::sleep(FRAME);
    }
    output.end(context)?;
    if signals.came().is_some() { Err(Failure::Signal(signals)) } else { Ok(Report::new()) }
}

pub(super) fn open(from: &Path) -> Result<Reader<'static>, Failure> {
    Reader::open(from)
        .map_err(|error| Failure::Failed(format!("can't open {}: {error}", from.display())))
}

pub(super) fn next(reader: &mut Reader<'_>, from: &Path) -> Result<Option<Line>, Failure> {
    reader
        .next()
        .map_err(|error| Failure::Failed(format!("can't read {}: {error}", from.display())))
}

/// Tells what of a file couldn't be read.
pub(super) fn tell_damage(context: &Context<'_>, reader: &Reader<'_>, from: &Path) {
    let from = from.display();
    if reader.damaged > 0 {
        let lines = reader.damaged;
        context.printer.aside(&format!("{from}: {lines} lines are no measurements, and left out"));
    }
    if reader.cut {
        context.printer.aside(&format!("{from}: its end was cut off: what comes before it counts"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_two_names_with_a_colon_between_them() {
        assert_eq!(pair("eth0:eth1"), Some(("eth0", "eth1")));
        assert_eq!(pair("eth0:mock:full,offset=1us"), Some(("eth0", "mock:full,offset=1us")));
        assert_eq!(pair("mock:igb:mock"), Some(("mock:igb", "mock")));
        assert_eq!(pair("mock:igb"), None);
        assert_eq!(pair("eth0:"), None);
        assert_eq!(pair("eth0"), None);
    }
}
