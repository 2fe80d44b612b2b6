//! `ptpctl offset`: a clock − a system clock.

use super::failure::Failure;
use super::{Command, Context, arguments};
use crate::find::tai_offset;
use crate::measure::{Estimate, Estimator};
use crate::phc::{Access, Error, Method, Phc, Sample, SystemClock};
use crate::report::{Report, Table};
use crate::{Offset, TaiOffset};
use clap::builder::PossibleValuesParser;

pub(super) const COMMAND: Command = Command {
    name: "offset",
    aliases: &["cmp"],
    about: "Measure a clock's offset from a system clock",
    arguments,
    run,
};

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(
            arguments::option("method", "METHOD", "How both clocks are read together")
                .short('m')
                .value_parser(PossibleValuesParser::new(["auto", "precise", "extended", "basic"]))
                .default_value("auto"),
        )
        .arg(arguments::samples("25"))
        .arg(arguments::system_clock())
        .arg(arguments::flag("cycles", "Measure the clock's free-running counter instead"))
        .arg(arguments::flag("raw", "Show every sample"))
        .arg(arguments::device())
        .long_about(
            "Measures PHC - system clock: positive means that the PHC is ahead.\n\nA sample is the \
             PHC's time between two system times. The one whose system times are closest together \
             counts; the PHC was read somewhere between them, so the offset is off by half of \
             that delay at most: the bound.\n\nauto takes the best method that the clock turns \
             out to have: precise (hardware reads both clocks at one instant; the kernel tells no \
             delay and no bound, and the first sample counts), extended (the driver reads the \
             system clock right around the register), basic (the kernel does so around the \
             driver).\n\nIf TAI - UTC explains the whole seconds of the offset, that is said and \
             the rest is shown.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl offset\n  \
             ptpctl offset --method extended --samples 1000 eth0\n  \
             ptpctl offset --clock monotonic-raw --raw mock\n  \
             ptpctl offset --json mock:full,offset=37s",
        )
}

/// Reads a method's name; `None` is the best there is.
fn method(text: &str) -> Option<Method> {
    Method::ALL.into_iter().find(|method| method.to_string() == text)
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let phc = context.open(Access::ReadOnly)?;
    let clock: SystemClock = context.required("clock")?;
    let number: u32 = context.required("samples")?;
    let cycles = context.has("cycles");
    let method = method(&context.required::<String>("method")?);
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    let mut raw = Vec::new();
    let keeps = context.has("raw");
    let measured = Measured::by(&phc, |take| {
        let mut of = None;
        let mut take_and_keep = |method, batch: &[Sample]| {
            take(method, batch);
            if keeps {
                if of.replace(method) != Some(method) {
                    raw.clear();
                }
                raw.extend_from_slice(batch);
            }
        };
        match method {
            Some(method) => {
                let mut take = |batch: &[Sample]| take_and_keep(method, batch);
                phc.each_batch(method, clock, cycles, number, &mut take).map(|()| (method, None))
            }
            None => phc.each_batch_by_best_method(clock, cycles, number, &mut take_and_keep),
        }
    })?;
    let offset = measured.estimate.offset;
    let tai = (clock == SystemClock::Realtime && !cycles).then(|| tai_offset(&phc)).flatten();
    let rest = tai.and_then(|tai| explained_by(tai, offset));
    let report = Report::on(phc.name()).row(
        "offset",
        format!("{offset:+} (PHC - {clock})"),
        "offset_ns",
        offset,
    );
    let mut report = measured
        .rows(report)
        .row("samples", number.to_string(), "samples", number)
        .value("clock", clock.to_string())
        .value("cycles", cycles)
        .value("tai_offset_s", rest.and(tai).map(|tai| tai.0))
        .value("offset_from_tai_ns", rest);
    if let (Some(rest), Some(tai)) = (rest, tai) {
        report = report.note(format!(
            "the clock keeps TAI, {} s ahead of UTC; without them the offset is {rest:+}",
            tai.0
        ));
    }
    if measured.estimate.useless > 0 {
        let useless = measured.estimate.useless;
        report = report.note(format!(
            "in {useless} samples the system clock was stepped back: they don't count"
        ));
    }
    Ok(if keeps { report.table(raw_table(&raw)) } else { report })
}

/// An offset and how it was had.
pub(super) struct Measured {
    pub(super) method: Method,
    pub(super) estimate: Estimate,
    /// Why a better method didn't do.
    failed: Option<Error>,
}

impl Measured {
    /// Reads samples and says what they tell, or fails where none is of use.
    fn by(
        phc: &Phc,
        read: impl FnOnce(&mut dyn FnMut(Method, &[Sample])) -> Result<(Method, Option<Error>), Error>,
    ) -> Result<Self, Failure> {
        let mut estimator = Estimator::default();
        let mut of = None;
        let (method, failed) = read(&mut |method, batch| {
            // What a method gave before it failed doesn't count.
            if of.replace(method) != Some(method) {
                estimator = Estimator::default();
            }
            for sample in batch {
                estimator.add(*sample);
            }
        })?;
        let estimate = estimator.estimate().ok_or_else(|| {
            Failure::Failed(format!(
                "can't tell the offset of {}: the system clock was stepped back in each sample, or \
                 the offset is beyond 292 years",
                phc.name()
            ))
        })?;
        Ok(Self { method, estimate, failed })
    }

    /// The offset from a system clock, by the best method.
    pub(super) fn from(phc: &Phc, clock: SystemClock, number: usize) -> Result<Self, Failure> {
        Self::by(phc, |take| phc.each_batch_by_best_method(clock, false, number, take))
    }

    /// The offset from the system's UTC clock, by the best method.
    pub(super) fn from_realtime(phc: &Phc) -> Result<Self, Failure> {
        Self::from(phc, SystemClock::Realtime, 25)
    }

    /// How far off the offset is at most. Nobody tells how far apart hardware reads two clocks
    /// that it reads at one instant.
    pub(super) fn bound(&self) -> Option<Offset> {
        (self.method != Method::Precise).then_some(self.estimate.bound)
    }

    /// Adds delay, bound and method.
    pub(super) fn rows(&self, report: Report) -> Report {
        let delay = self.bound().and(Some(self.estimate.delay));
        let told = |offset: Option<Offset>, sign: &str| {
            offset.map_or("not told".into(), |offset| format!("{sign}{offset}"))
        };
        let report = report
            .row("delay", told(delay, ""), "delay_ns", delay)
            .row("bound", told(self.bound(), "±"), "bound_ns", self.bound())
            .row("method", self.method.to_string(), "method", self.method.to_string());
        self.tell_failed(report)
    }

    /// Adds why a better method didn't do.
    pub(super) fn tell_failed(&self, report: Report) -> Report {
        match &self.failed {
            Some(error) => report.note(format!("a better method failed: {error}")),
            None => report,
        }
    }
}

/// What remains of an offset that is TAI − UTC within half a second.
fn explained_by(tai: TaiOffset, offset: Offset) -> Option<Offset> {
    let rest = offset.nanoseconds().checked_sub(i64::from(tai.0) * 1_000_000_000)?;
    (rest.unsigned_abs() < 500_000_000).then(|| Offset::from_nanoseconds(rest))
}

fn raw_table(samples: &[Sample]) -> Table {
    let columns = [
        ("before", "SYSTEM BEFORE"),
        ("phc", "PHC"),
        ("after", "SYSTEM AFTER"),
        ("delay_ns", "DELAY"),
    ];
    let mut table = Table::new("raw", &columns);
    for sample in samples {
        let delay = sample.after.since(sample.before);
        table.line(vec![
            (sample.before.to_string(), sample.before.into()),
            (sample.phc.to_string(), sample.phc.into()),
            (sample.after.to_string(), sample.after.into()),
            (delay.map_or("-".into(), |delay| delay.to_string()), delay.into()),
        ]);
    }
    table
}
