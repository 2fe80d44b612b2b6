//! The analysis of offsets, and the verdicts of the masks on them.

#![expect(clippy::float_arithmetic, reason = "τ in seconds")]

use super::limits::{self, Found};
use super::{Deviations, described, float, is_of_utc, seconds};
use crate::cli::failure::NOT_SHOWN;
use crate::cli::watching;
use crate::measure::stability::{
    self, Deviation, Lack, Outcome, Series, Steps, TimeErrors, overall,
};
use crate::report::plot::{self, Curve};
use crate::report::printable;
use crate::watch::Label;
use crate::{Offset, TaiOffset};
use std::sync::Arc;

/// The analysis of offsets.
pub(super) struct Judged {
    pub(super) label: Arc<Label>,
    pub(super) series: Series,
    pub(super) steps: Steps,
    /// The whole seconds of the offsets that TAI - UTC explains.
    pub(super) whole_seconds: Offset,
    pub(super) deviations: Deviations,
    pub(super) findings: Vec<Found>,
}

impl Judged {
    pub(super) fn of(
        label: Arc<Label>,
        mut series: Series,
        (first, tai): (Offset, Option<TaiOffset>),
        (steps, factors): (Steps, &[usize]),
    ) -> Self {
        let whole_seconds = if is_of_utc(&label) { explained(first, tai) } else { Offset::ZERO };
        if whole_seconds != Offset::ZERO {
            series.move_by(whole_seconds);
        }
        let deviations = series.all_deviations(factors);
        Self { label, series, steps, whole_seconds, deviations, findings: Vec::new() }
    }

    pub(super) fn judge(
        &mut self,
        masks: Vec<stability::Mask>,
        (errors, noise): (&TimeErrors, Option<f64>),
        terms: stability::Terms,
    ) {
        let errors = errors.less(self.whole_seconds);
        let evidence = stability::Evidence { series: &self.series, errors: &errors, noise };
        let judged = |mask: stability::Mask| {
            let found = mask.judge(&evidence, terms);
            (mask, found)
        };
        self.findings = masks.into_iter().map(judged).collect();
    }

    /// Turns each pass into "not shown", for this reason.
    pub(super) fn unless(&mut self, lack: Lack) {
        for finding in self.findings.iter_mut().flat_map(|(_, findings)| findings) {
            finding.verdict = finding.verdict.clone().unless(lack);
        }
    }

    /// The exit status: 0 if every limit is passed, 1 if one is failed, else 4.
    pub(super) fn status(&self) -> u8 {
        match overall(self.findings.iter().flat_map(|(_, findings)| findings)) {
            Outcome::Passed => 0,
            Outcome::Failed => 1,
            Outcome::NotShown(_) => NOT_SHOWN,
        }
    }

    /// As a picture, with the limits over what they limit.
    pub(super) fn drawn(&self) -> plot::Deviations {
        let distance = seconds(self.series.distance);
        let point = |one: &Deviation| (float(one.factor) * distance, one.value, one.interval);
        let mut curves: Vec<Curve> = Vec::new();
        for (kind, deviations) in &self.deviations {
            let points = deviations.iter().map(point).collect();
            let name = kind.name().to_owned();
            curves.push(Curve { name, is_time: kind.is_time(), points });
        }
        let mut limits = Vec::new();
        for (mask, findings) in &self.findings {
            for (requirement, finding) in mask.requirements.iter().zip(findings) {
                let Some(points) = limits::curve(requirement) else { continue };
                let quantity = requirement.quantity.name();
                let name = format!("{} {quantity}", mask.name);
                limits.push(plot::Limit { name, over: quantity.to_owned(), points });
                if curves.iter().all(|curve| curve.name != quantity) {
                    let judged = finding.verdict.points.iter();
                    let points = judged.map(|(tau, value)| (*tau, *value, None)).collect();
                    curves.push(Curve { name: quantity.to_owned(), is_time: true, points });
                }
            }
        }
        let start = crate::Timestamp::<crate::Unknown>::from_total_nanoseconds(self.series.start);
        let start = start.and_then(crate::rfc3339::format).unwrap_or_default();
        plot::Deviations {
            title: printable(&watching::title(&self.label)).into_owned(),
            source: format!(
                "{} offsets, {} apart, from {start}; bars: 68.3 % intervals",
                self.series.measured(),
                described::shown(distance)
            ),
            curves,
            limits,
            verdicts: limits::in_a_line(&self.findings),
        }
    }
}

/// The whole seconds of the offsets that TAI - UTC explains.
fn explained(first: Offset, tai: Option<TaiOffset>) -> Offset {
    let tai = tai.unwrap_or(TaiOffset::SINCE_2017);
    tai.explains(first).map_or(Offset::ZERO, |_| tai.offset())
}
