//! The masks that are asked for, and what came of them.

#![expect(clippy::float_arithmetic, reason = "how long it takes, and limits for a picture")]

use super::Judging;
use super::described::{exact, shown};
use crate::cli::Context;
use crate::cli::failure::Failure;
use crate::kernel::in_words;
use crate::measure::stability::{
    Assumption, Finding, Lack, Limit, Mask, Outcome, Requirement, Terms, Verdict, masks, parse,
};
use crate::report::{Report, Table, Value};
use crate::watch::Schedule;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// What a mask finds of a clock.
pub(super) type Found = (Mask, Vec<Finding>);

/// The masks of --mask and --mask-file.
pub(super) fn asked(judging: &Judging) -> Result<Vec<Mask>, Failure> {
    let mask = |name: &String| masks().iter().find(|mask| mask.name == *name);
    let mut all: Vec<Mask> = judging.mask.iter().filter_map(mask).cloned().collect();
    for file in &judging.mask_file {
        all.extend(from_file(file)?);
    }
    Ok(all)
}

/// A file of masks is no longer than this.
const LONGEST_FILE: u64 = 1 << 20;

fn from_file(path: &Path) -> Result<Vec<Mask>, Failure> {
    let (file, path) = (File::open(path), path.display());
    let mut text = String::new();
    let read = file.and_then(|file| file.take(LONGEST_FILE + 1).read_to_string(&mut text));
    read.map_err(|error| {
        Failure::Usage(format!("can't read the masks of {path}: {}", in_words(&error)))
    })?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > LONGEST_FILE {
        return Err(Failure::Usage(format!("{path} is no file of masks: it is longer than 1 MiB")));
    }
    let own = parse(&text).map_err(|error| {
        let form = "--masks prints masks in the right format";
        Failure::Usage(format!("{path} is no file of masks: {error}; {form}"))
    })?;
    // A reader of the verdict would take the name for the Recommendation's mask.
    let is_other = |mask: &&Mask| {
        masks().iter().any(|known| {
            known.name.eq_ignore_ascii_case(&mask.name) && known.requirements != mask.requirements
        })
    };
    match own.iter().find(is_other) {
        Some(Mask { name, .. }) => Err(Failure::Usage(format!(
            "{path}: {name} is a mask of a Recommendation with other limits: give this one another \
             name"
        ))),
        None => Ok(own),
    }
}

/// What the user accepts as assumptions.
pub(super) fn terms(judging: &Judging) -> Terms {
    Terms { symmetric: judging.assume_symmetric, partial: judging.partial }
}

/// Lists the masks; as text, in the format of a mask file.
pub(super) fn list(context: &mut Context<'_>) -> Result<Report, Failure> {
    if !context.printer.is_json() {
        context.printer.bytes(crate::measure::stability::ITU.as_bytes())?;
        return Ok(Report::new());
    }
    let columns = [
        ("mask", ""),
        ("title", ""),
        ("source", ""),
        ("quantity", ""),
        ("from_s", ""),
        ("to_s", ""),
        ("limit", ""),
    ];
    let mut table = Table::new("masks", &columns);
    for mask in masks() {
        for requirement in &mask.requirements {
            for (range, limit) in pieces(requirement) {
                let [from, to] = match range {
                    Some(range) => range.map(|tau| Value::Decimal(exact(tau))),
                    None => [Value::Null, Value::Null],
                };
                let [name, title, source] =
                    [&mask.name, &mask.title, &mask.source].map(|text| text.as_str().into());
                let quantity = requirement.quantity.name().into();
                let cells = [name, title, source, quantity, from, to, limit.into()];
                table.line(cells.into_iter().map(|cell| (String::new(), cell)).collect());
            }
        }
    }
    Ok(Report::new().table(table))
}

/// The pieces of a limit: from where to where, and what it is there.
fn pieces(requirement: &Requirement) -> Vec<(Option<[f64; 2]>, String)> {
    match &requirement.limit {
        Limit::Number(number) => vec![(None, number.to_string())],
        Limit::Curve(segments) => {
            let piece = |one: &crate::measure::stability::Segment| {
                (Some([one.from, one.to]), one.to_string())
            };
            segments.iter().map(piece).collect()
        }
    }
}

/// Notes on masks that the schedule is too short for, printed before it begins.
pub(super) fn known_before(masks: &[Mask], schedule: &Schedule, terms: Terms) -> Vec<String> {
    let by_count = schedule.count.map(|count| schedule.interval.as_secs_f64() * f64_of(count));
    let lasts = [by_count, schedule.duration.map(|time| time.as_secs_f64())];
    let lasts = lasts.into_iter().flatten().fold(f64::INFINITY, f64::min);
    let short = |mask: &Mask| {
        let takes = mask.requirements.iter().map(Requirement::takes).fold(0.0, f64::max);
        (takes > lasts * (1.0 + 1e-9) && !terms.partial).then(|| {
            format!(
                "{} takes {} to be shown, and this lasts {}: --partial judges what there is",
                mask.name,
                shown(takes),
                shown(lasts)
            )
        })
    };
    masks.iter().filter_map(short).collect()
}

fn f64_of(number: u64) -> f64 {
    Duration::from_secs(number).as_secs_f64()
}

/// A line for each limit.
pub(super) fn verdicts(findings: &[Found]) -> Table {
    let columns = [
        ("mask", "MASK"),
        ("quantity", "LIMIT ON"),
        ("result", "RESULT"),
        ("assumed", ""),
        ("value_ns", "WORST"),
        ("limit_ns", "ALLOWED"),
        ("tau_s", "AT TAU"),
        ("fails_from_s", "FAILS FROM"),
        ("judged_to_s", "JUDGED TO"),
        ("goes_to_s", ""),
        ("takes_s", ""),
        ("source", ""),
        ("reason", ""),
    ];
    let mut table = Table::new("masks", &columns).narrow(2);
    for (mask, found) in findings {
        for (finding, requirement) in found.iter().zip(&mask.requirements) {
            table.line(line(mask, finding, requirement));
        }
    }
    table
}

fn line(mask: &Mask, finding: &Finding, requirement: &Requirement) -> Vec<(String, Value)> {
    let Finding { quantity, verdict } = finding;
    let hidden = |value: Value| (String::new(), value);
    let none = || ("-".to_owned(), Value::Null);
    let nanoseconds =
        |value: f64| (format!("{} ns", rounded(value)), Value::Decimal(format!("{value:.6}")));
    let seconds = |value: f64| (shown(value), Value::Decimal(exact(value)));
    let reason = match verdict.outcome {
        Outcome::NotShown(lack) => lack.to_string().into(),
        _ => Value::Null,
    };
    let result = result(verdict.outcome);
    let worst = verdict.worst;
    vec![
        (mask.name.clone(), mask.name.as_str().into()),
        (quantity.name().to_owned(), quantity.name().into()),
        (with_assumptions(verdict), result.into()),
        hidden(assumed(verdict).into()),
        worst.map_or_else(none, |worst| nanoseconds(worst.value)),
        worst.map_or_else(none, |worst| nanoseconds(worst.limit)),
        worst.and_then(|worst| worst.tau).map_or_else(none, seconds),
        verdict.fails_from.map_or_else(none, seconds),
        (
            format!("{} of {}", shown(verdict.judged_to), shown(verdict.goes_to)),
            Value::Decimal(exact(verdict.judged_to)),
        ),
        hidden(Value::Decimal(exact(verdict.goes_to))),
        hidden(Value::Decimal(exact(requirement.takes()))),
        hidden(mask.source.as_str().into()),
        hidden(reason),
    ]
}

const fn result(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "pass",
        Outcome::Failed => "fail",
        Outcome::NotShown(_) => "not shown",
    }
}

fn assumed(verdict: &Verdict) -> Vec<&'static str> {
    verdict.assumes.iter().map(|one| one.name()).collect()
}

/// The result, and what it assumes.
fn with_assumptions(verdict: &Verdict) -> String {
    let result = result(verdict.outcome);
    let assumed = assumed(verdict);
    if assumed.is_empty() || matches!(verdict.outcome, Outcome::NotShown(_)) {
        return result.to_owned();
    }
    format!("{result} ({})", assumed.join(", "))
}

/// What came of each mask, in a line for a picture.
pub(super) fn in_a_line(findings: &[Found]) -> Vec<String> {
    let one = |finding: &Finding| {
        let (name, verdict) = (finding.quantity.name(), &finding.verdict);
        // A curve is in the picture.
        let value =
            verdict.worst.filter(|worst| worst.tau.is_none()).map_or(String::new(), |worst| {
                format!(" {} of {} ns", rounded(worst.value), rounded(worst.limit))
            });
        format!("{name}{value}: {}", with_assumptions(verdict))
    };
    let mut lines = Vec::new();
    for (mask, found) in findings {
        let mut line = mask.name.clone();
        for (place, finding) in found.iter().enumerate() {
            let next = one(finding);
            let mut between = if place == 0 { "  " } else { ", " };
            if line.len() + next.len() > LONGEST_LINE {
                lines.push(format!("{line},"));
                (line, between) = (String::new(), "    ");
            }
            line = format!("{line}{between}{next}");
        }
        lines.push(line);
    }
    lines
}

/// How many letters fit into a line of a picture.
const LONGEST_LINE: usize = 110;

/// Rounded to a thousandth, without trailing zeros.
fn rounded(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What is missing, and what a verdict assumes.
pub(super) fn notes(findings: &[Found]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut assumed = Vec::new();
    for (mask, found) in findings {
        for Finding { quantity, verdict } in found {
            if let Outcome::NotShown(lack) = verdict.outcome {
                let name = quantity.name();
                notes.push(format!("{} {name} isn't shown: {}", mask.name, told(lack)));
                continue;
            }
            for one in &verdict.assumes {
                if !assumed.contains(one) {
                    assumed.push(*one);
                }
            }
        }
    }
    notes.extend(assumed.into_iter().map(|one| {
        let text = match one {
            Assumption::Symmetric => {
                "symmetric: both ways of a reading are taken to be equally long, by your word"
            }
            Assumption::Partial => {
                "partial: what was measured is taken to stand for what wasn't, by your word"
            }
            Assumption::Accuracy => {
                "accurate: offsets have no bounds, and are assumed to be as accurate as their \
                 source says"
            }
        };
        text.to_owned()
    }));
    notes
}

/// What is missing, and what helps.
fn told(lack: Lack) -> String {
    match lack {
        Lack::TooShort { needs } => {
            format!("it takes {} of measuring; --partial judges what there is", shown(needs))
        }
        Lack::TooFarApart { needs } => {
            format!("it needs an offset every {}; --partial judges what there is", shown(needs))
        }
        Lack::Gap | Lack::Parts => format!("{lack}; --partial judges what there is"),
        Lack::Bound(_) => {
            format!("{lack}; --assume-symmetric takes both ways of a reading to be equally long")
        }
        other => other.to_string(),
    }
}

/// The curve of a limit, for a picture.
pub(super) fn curve(requirement: &Requirement) -> Option<Vec<(f64, f64)>> {
    let Limit::Curve(segments) = &requirement.limit else { return None };
    let points = segments.iter().flat_map(|segment| {
        let steps = 64;
        (0..=steps).map(move |step| {
            let share = f64::from(step) / f64::from(steps);
            let tau = segment.from * (segment.to / segment.from).powf(share);
            (tau, segment.at(tau))
        })
    });
    Some(points.collect())
}
