//! `ptpctl offset`: a clock − a system clock.

use super::Command;
use crate::cli::args::{args, define, read, values};
use crate::cli::arguments::Measuring;
use crate::cli::drawing::SamplesDrawing;
use crate::cli::failure::Failure;
use crate::cli::left::quoted;
use crate::cli::measured::{Rows, moment, uncertainty_text};
use crate::cli::picture::Plot;
use crate::cli::{Context, arguments, picture, whole_seconds};
use crate::find::tai_offset;
use crate::measure::Estimate;
use crate::phc::{Access, Method, SystemClock};
use crate::report::Report;
use crate::watch::{Meter, Question};
use crate::{Sample, TaiOffset};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::io;

pub(super) const COMMAND: Command = Command {
    name: "offset",
    aliases: &["cmp"],
    about: "Measure a clock's offset from a system clock",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        measuring: Measuring = (),
        method: Way = arguments::option("method", "METHOD", "How both clocks are read together")
            .short('m')
            .value_parser(
                PossibleValuesParser::new(["auto", "precise", "extended", "basic"]).map(way),
            )
            .default_value("auto"),
        clock: SystemClock = arguments::system_clock(),
        cycles: bool = arguments::flag("cycles", "Measure the clock's free-running counter instead"),
        raw: bool = arguments::flag("raw", "Print every sample as it comes"),
        plot: Plot = (),
    }
}

/// A method; `None` chooses the best one.
#[derive(Clone, Copy, Debug)]
struct Way(Option<Method>);

values!(Way);

#[expect(clippy::needless_pass_by_value, reason = "a parser's map takes a String")]
fn way(name: String) -> Way {
    Way(Method::ALL.into_iter().find(|method| method.to_string() == name))
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .arg(arguments::device())
        .long_about(
            "Measures PHC - system clock: positive means that the PHC is ahead.\n\nA sample is a \
             time of the PHC between two times of the system clock: the PHC was read somewhere \
             between them. Samples give two results, a bound and a guess. The bound is proven, \
             whatever the clocks do. It holds for the moment of the best sample, which is shown; \
             of the four samples with the shortest delays, the best is the one in the middle of \
             the time. The bound is half of that sample's delay, plus how far the offset lies from \
             the sample's middle. If the clock's times are multiples of a step, as of a counter \
             that advances by 10 us, the step is added. So is the error that the driver claims for \
             its clock (phc_error_bound, which the ENA driver reports). The offset is the best \
             guess within the bound, from all samples that lie on a straight line with the best \
             one; ± is its standard deviation. The guess assumes that the quickest readings take \
             equally long both ways. If the rate changes meanwhile, as while a clock is slewed, \
             the report says so, and the guess comes only from the samples around that moment. A \
             rate is rounded to its standard deviation. It is left out if the standard deviation \
             is more than 1 ppm and more than a third of the rate. A step of either clock is \
             reported, and samples before it are ignored.\n\nIt reads until the offset is exact to \
             the nanosecond: at most 4000 samples or some 6 ms, but at least 25 samples unless \
             they take more than 30 ms. A reading that fails is tried again. A card that limits \
             readings is read less often: at most 31 times a second if its driver is ena or \
             reports phc_error_bound, and half as often as before each time that it returns EBUSY. \
             With --samples it waits until the readings are allowed.\n\nauto takes the best method \
             that works for the clock: precise (hardware reads both clocks at one instant; the \
             kernel reports no delay, so there is no bound), extended (the driver reads the system \
             clock right before and after the PHC's register), basic (the kernel reads it before \
             and after calling the driver). A method that keeps failing, or has the system times \
             the wrong way round, is passed over, and the report says so. A precise offset is \
             checked against a few samples of another method; if it lies beyond their bound, the \
             report says that they contradict it.\n\nIf TAI - UTC explains the whole seconds of \
             the offset, the report says so and shows the rest. With --raw samples are printed as \
             they come.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl offset\n  \
             ptpctl offset --method extended --duration 1s eth0\n  \
             ptpctl offset --clock monotonic-raw --raw mock\n  \
             ptpctl offset --duration 1s --plot offset.svg eth0\n  \
             ptpctl offset --json mock:full,offset=37s",
        )
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let others = context.files_of_clocks([]);
    let picture = picture::target(context, args.plot.plot.as_deref(), others)?;
    let phc = context.open(Access::ReadOnly)?;
    args.measuring.isolating.apply(context)?;
    let Args { clock, cycles, method: Way(method), .. } = *args;
    let effort = args.measuring.effort();
    let title = format!("{} - {clock}", phc.name());
    let mut drawing = SamplesDrawing::new(title);
    let mut raw = Raw::new(args.raw);
    let question = Question { clock, cycles, method, effort };
    let measured = Meter::of(&phc).measure_and_check(&phc, &question, &mut |method, batch| {
        if picture.is_some() {
            drawing.take(method, batch);
        }
        raw.take(context, method, batch);
    });
    raw.end(context)?;
    let measured = measured?;
    let Estimate { offset, samples, uncertainty, .. } = measured.estimate;
    let tai = (clock == SystemClock::Realtime && !cycles).then(|| tai_offset(&phc)).flatten();
    let rest = tai.and_then(|tai| tai.explains(offset));
    let report = Report::on(phc.name())
        .rows(
            "offset",
            format!("{offset:+}{} (PHC - {clock})", uncertainty_text(uncertainty)),
            vec![("offset_ns", offset.into()), ("uncertainty_ns", uncertainty.into())],
        )
        .row("at", moment(clock, measured.estimate.at), "at", measured.estimate.at);
    let mut report = measured
        .rows(report)
        .row("samples", samples.to_string(), "samples", samples)
        .value("reference", clock.to_string())
        .value("cycles", cycles)
        .value("tai_offset_s", rest.and(tai).map(|tai| tai.0))
        .value("offset_from_tai_ns", rest);
    if let (Some(rest), Some(tai)) = (rest, tai) {
        report = report.note(format!(
            "the clock keeps TAI, {} s ahead of UTC; without them the offset is {rest:+}",
            tai.0
        ));
    }
    let of_utc = clock == SystemClock::Realtime && !cycles;
    let other = whole_seconds::explained(offset, tai.unwrap_or(TaiOffset::SINCE_2017));
    if let (Some((why, rest)), true, None) = (other, of_utc, rest) {
        let device = quoted(&phc.name().device);
        report = report.note(format!(
            "{why}; without them the offset is {rest:+}. 'ptpctl set now {device}' sets it to UTC, \
             'ptpctl set now --tai {device}' to TAI"
        ));
    }
    if let Some(asked) = args.measuring.samples.and_then(|asked| usize::try_from(asked).ok())
        && samples < asked
        && args.measuring.duration.is_none()
    {
        report = report.note(format!("{samples} of the {asked} samples came: then reading failed"));
    }
    let Some(target) = picture else { return Ok(report) };
    picture::finish(context, report, &args.plot.of(drawing.offsets), &target)
}

/// Samples as they come, printed for `--raw`: however many they are, none is kept.
struct Raw {
    is_on: bool,
    /// The method of those so far.
    of: Option<Method>,
    answer: io::Result<()>,
}

impl Raw {
    fn new(is_on: bool) -> Self {
        Self { is_on, of: None, answer: Ok(()) }
    }

    fn take(&mut self, context: &mut Context<'_>, method: Method, samples: &[Sample]) {
        if self.is_on && self.answer.is_ok() {
            self.answer = self.print(context, method, samples);
        }
    }

    fn print(
        &mut self,
        context: &mut Context<'_>,
        method: Method,
        samples: &[Sample],
    ) -> io::Result<()> {
        let printer = &mut *context.printer;
        if self.of.replace(method) != Some(method) && !printer.is_json() {
            let head = "  SYSTEM BEFORE         PHC                   SYSTEM AFTER          DELAY";
            printer.line(&format!("{head}, {method}"), &[])?;
        }
        for sample in samples {
            let Sample { before, phc, after } = sample;
            let delay = sample.delay();
            if printer.is_json() {
                let object = [
                    ("before", (*before).into()),
                    ("phc", (*phc).into()),
                    ("after", (*after).into()),
                    ("delay_ns", delay.into()),
                    ("method", method.to_string().into()),
                ];
                printer.line("", &object)?;
            } else {
                let delay = delay.map_or("-".into(), |delay| delay.to_string());
                printer.line(&format!("  {before}  {phc}  {after}  {delay}"), &[])?;
            }
        }
        Ok(())
    }

    /// Flushes the output; returns the first error of printing.
    fn end(self, context: &mut Context<'_>) -> Result<(), Failure> {
        self.answer.and_then(|()| context.printer.flush()).map_err(Failure::Output)
    }
}
