//! What was measured, in reports.

use crate::kernel::Call;
use crate::measure::{Basis, Estimate};
use crate::phc::{Method, SystemClock};
use crate::report::rates::{rate_values, told_rate};
use crate::report::{Report, Value};
use crate::rfc3339;
use crate::watch::{Effort, Measured, PassedOver, Question};
use crate::{Offset, System, Timestamp, Utc};

/// How a clock is compared with the system clock when one of the two is set to the other.
pub(super) const MEASURING: Question = Question {
    clock: SystemClock::Realtime,
    cycles: false,
    method: None,
    effort: Effort::samples(15),
};

/// A standard deviation, to follow the value that it belongs to.
pub(super) fn uncertainty_text(uncertainty: Option<Offset>) -> String {
    uncertainty.map_or(String::new(), |uncertainty| format!(" ±{uncertainty}"))
}

/// A moment on a system clock, as people read it.
pub(super) fn moment(clock: SystemClock, at: Timestamp<System>) -> String {
    let time =
        (clock == SystemClock::Realtime).then(|| rfc3339::format(at.assume::<Utc>())).flatten();
    time.unwrap_or_else(|| format!("{at} s of {clock}"))
}

/// Adds to a report how an offset was measured.
pub(super) trait Rows {
    /// Adds bound, rate, delay and method, and what there is to know about them.
    fn rows(&self, report: Report) -> Report;
}

impl Rows for Measured {
    fn rows(&self, report: Report) -> Report {
        let Estimate { rate, delay, basis, reversed, steps, .. } = self.estimate;
        let delay = self.bound().and(Some(delay));
        let told = |offset: Option<Offset>, sign: &str| {
            offset.map_or("unknown".into(), |offset| format!("{sign}{offset}"))
        };
        let bound = match (self.bound(), self.claimed) {
            (Some(bound), Some(claimed)) => {
                format!("±{bound}, of which the driver claims {claimed}")
            }
            (bound, _) => told(bound, "±"),
        };
        let bounds =
            vec![("bound_ns", self.bound().into()), ("claimed_error_ns", self.claimed.into())];
        let mut report = report
            .rows("bound", bound, bounds)
            .rows("rate", rate.and_then(told_rate).unwrap_or_default(), rate_values(rate))
            .row("delay", told(delay, ""), "delay_ns", delay)
            .row("method", self.method.to_string(), "method", self.method.to_string())
            .value("curved", self.estimate.curved)
            .value("steps", steps)
            .value("contradiction_ns", self.contradiction())
            .value("passed_over", passed_over(&self.passed_over));
        if steps > 0 {
            let times = if steps == 1 { "once".into() } else { format!("{steps} times") };
            report = report.note(format!(
                "one of the clocks was stepped meanwhile, {times}: samples before the step are \
                 ignored"
            ));
        }
        match basis {
            Basis::Piece(samples) if self.estimate.curved => {
                report = report.note(format!(
                    "the clocks curve: the offset comes from the {samples} samples around the time shown"
                ));
            }
            Basis::BestSample if self.method != Method::Precise => {
                report = report.note(
                    "the clocks curve, or one of them is being slewed: the offset comes from one \
                     sample, and the rate is unknown",
                );
            }
            _ => {}
        }
        if reversed > 0 {
            report = report.note(format!(
                "in {reversed} samples the system times are the wrong way round: they don't count"
            ));
        }
        for why in self.objections() {
            report = report.note(why);
        }
        report
    }
}

/// The methods that were passed over, as JSON values.
fn passed_over(all: &[PassedOver]) -> Vec<Value> {
    let value = |why: &PassedOver| {
        let error = why.error();
        Value::Object(vec![
            ("why", why.to_string().into()),
            ("call", error.and_then(crate::Error::call).map(Call::name).into()),
            ("errno", error.and_then(crate::Error::errno_name).into()),
            ("errno_number", error.and_then(crate::Error::raw_os_error).into()),
        ])
    };
    all.iter().map(value).collect()
}
