//! Metrics in Prometheus' text format 0.0.4, which `node_exporter` and promtool read.

use super::Value;
use crate::json::SCHEMA;
use std::fmt::Write;

/// What such a page is called in HTTP.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metric: what is told of clocks under one name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
}

/// How a metric's values go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Up and down.
    Gauge,
    /// Up, or from 0 again.
    Counter,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// A label and its value.
pub(crate) type Label = (&'static str, String);

/// A number, exact in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Number(String);

impl Number {
    /// `value` times 10^-`places`.
    pub(crate) fn scaled(value: i128, places: usize) -> Self {
        let digits = format!("{:0>width$}", value.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let sign = if value < 0 { "-" } else { "" };
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        Self(format!("{sign}{whole}{point}{fraction}"))
    }
}

impl<T: Into<i128>> From<T> for Number {
    fn from(value: T) -> Self {
        Self(value.into().to_string())
    }
}

/// A metric, and its values by their labels.
type Family = (&'static Metric, Vec<(Vec<Label>, Number)>);

/// Metrics with their values.
#[derive(Debug)]
pub(crate) struct Metrics(Vec<Family>);

impl Metrics {
    /// Those that there can be, in the order of a page.
    pub(crate) fn of(all: &[&'static Metric]) -> Self {
        Self(all.iter().map(|metric| (*metric, Vec::new())).collect())
    }

    /// Adds a value of one of the metrics, which has no other one with the same labels.
    pub(crate) fn add(&mut self, metric: &Metric, labels: Vec<Label>, value: impl Into<Number>) {
        if let Some((_, values)) = self.0.iter_mut().find(|(known, _)| std::ptr::eq(*known, metric))
        {
            values.push((labels, value.into()));
        }
    }

    /// Those that have values.
    fn told(&self) -> impl Iterator<Item = &Family> {
        self.0.iter().filter(|(_, values)| !values.is_empty())
    }

    /// The page.
    pub(crate) fn text(&self) -> String {
        let mut page = String::new();
        for (Metric { name, kind, help }, values) in self.told() {
            // Writing to a string can't fail.
            let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
            for (labels, value) in values {
                let _ = writeln!(page, "{name}{} {}", text_of(labels), value.0);
            }
        }
        page
    }

    /// The same for `--json`.
    pub(crate) fn object(&self) -> Vec<(&'static str, Value)> {
        let value = |(labels, value): &(Vec<Label>, Number)| {
            let labels = labels.iter().map(|(name, value)| (*name, value.as_str().into()));
            let value = Value::Decimal(value.0.clone());
            Value::Object(vec![("labels", Value::Object(labels.collect())), ("value", value)])
        };
        let metric = |(metric, values): &Family| {
            Value::Object(vec![
                ("name", metric.name.into()),
                ("type", metric.kind.name().into()),
                ("help", metric.help.into()),
                ("values", Value::List(values.iter().map(value).collect())),
            ])
        };
        let metrics = self.told().map(metric).collect();
        vec![("schema", SCHEMA.into()), ("metrics", Value::List(metrics))]
    }
}

/// Labels in braces, with their values as the format wants them.
pub(crate) fn text_of(labels: &[Label]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let escaped =
        |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    format!("{{{}}}", labels.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_and_short() {
        let text = |value, places| Number::scaled(value, places).0;
        assert_eq!(text(37_000_000_001, 9), "37.000000001");
        assert_eq!(text(-5, 9), "-0.000000005");
        assert_eq!(text(-1_500_000_000, 9), "-1.5");
        assert_eq!(text(0, 15), "0");
        assert_eq!(text(120, 0), "120");
    }

    #[test]
    fn the_page_has_a_head_for_each_metric_and_its_values_together() {
        static A: Metric = Metric { name: "a_total", kind: Kind::Counter, help: "As." };
        static B: Metric = Metric { name: "b", kind: Kind::Gauge, help: "Bs." };
        static C: Metric = Metric { name: "c", kind: Kind::Gauge, help: "Cs." };
        let mut metrics = Metrics::of(&[&A, &B, &C]);
        metrics.add(&A, vec![("clock", "x".into())], 1);
        metrics.add(&B, Vec::new(), Number::scaled(-15, 1));
        metrics.add(&A, vec![("clock", "a\"\\\nb".into()), ("other", "z".into())], 2);
        assert_eq!(
            metrics.text(),
            "# HELP a_total As.\n# TYPE a_total counter\n\
             a_total{clock=\"x\"} 1\na_total{clock=\"a\\\"\\\\\\nb\",other=\"z\"} 2\n\
             # HELP b Bs.\n# TYPE b gauge\nb -1.5\n"
        );
    }
}
