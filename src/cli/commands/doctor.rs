//! `ptpctl doctor`: what stands between this machine and good time.

mod words;

use super::Command;
use crate::FittingScale;
use crate::cli::args::{args, define, read, values};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::doctor::{self, Finding, Found};
use crate::find::{self, Machine};
use crate::phc::Access;
use crate::report::{Report, Value};
use crate::watch::machine_time;
use clap::value_parser;
use std::path::PathBuf;
use words::Words;

pub(super) const COMMAND: Command = Command {
    name: "doctor",
    aliases: &[],
    about: "Show what stands between this machine and good time",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

/// A time scale that a clock is to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expected(FittingScale);

values!(Expected);

args! {
    struct Args {
        expect: Option<Expected> = arguments::option(
            "expect",
            "SCALE",
            "The time scale that the clocks are to keep: utc or tai",
        )
        .value_parser(|text: &str| match text {
            "utc" => Ok(Expected(FittingScale::Utc)),
            "tai" => Ok(Expected(FittingScale::Tai)),
            _ => Err("use utc or tai"),
        }),
        root: Option<PathBuf> = arguments::option(
            "root",
            "FOLDER",
            "Look at the files of another machine below this folder, and at no clock",
        )
        .value_parser(value_parser!(PathBuf)),
        clocks: Vec<String> = arguments::devices(),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .long_about(
            "Looks at the machine, at its clocks and their cards, and shows what stands in the way \
             of good time: the worst first, each with what was seen, what to do, and how to see \
             that it helped. It changes nothing: it opens clocks read-only, takes some 200 samples \
             of each (10 where a card limits readings), and reads files of /sys and /proc.\n\nThe \
             machine: programs that fight over the system clock; a kernel that doesn't know \
             TAI - UTC; an expired list of leap seconds; a clock source other than TSC; interrupts \
             of the clocks' cards, and receive packet steering, on isolated processors; governors \
             that change the frequency.\n\nEach clock: unset; fought over by two programs; not on \
             the scale that --expect names; running freely below virtual clocks; a frequency near \
             its limit; slow or uneven readings; a limit of readings; a driver that reports both \
             edges.\n\nIts card: hardware timestamps that are off, or not of PTP; a link that is \
             down; an interface in another network namespace; stamps in the MAC and in the PHY; a \
             kernel that refuses changes.\n\nThe exit status is 0 if nothing was found, 1 if \
             something was, or if a clock could not be looked at. Programs of other users can be \
             looked at only by root. With --root, a machine is judged by a copy of its files, such \
             as one in a support report.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl doctor\n  \
             ptpctl doctor --expect tai eth0\n  \
             ptpctl doctor --json | jq -r '.findings[].finding'\n  \
             ptpctl doctor --root /tmp/sosreport-host",
        )
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let machine = args.root.as_deref().map_or_else(Machine::here, Machine::at);
    let mut all = doctor::of_machine(&machine, machine_time());
    let mut clocks = Vec::new();
    if args.root.is_none() {
        clocks = of_clocks(context, args, &machine, &mut all)?;
    } else if !context.named_devices(&args.clocks).is_empty() {
        return Err(Failure::Usage("--root looks at no clock: name none".into()));
    }
    doctor::sort(&mut all);
    tell(context, &all, clocks)
}

/// Adds what is found of the clocks that are named, or of all. Gives the clocks.
fn of_clocks(
    context: &Context<'_>,
    args: &Args,
    machine: &Machine,
    all: &mut Vec<Found>,
) -> Result<Vec<String>, Failure> {
    let (mut names, listed) = context.named_and_listed(&args.clocks)?;
    let is_named = !names.is_empty();
    if !is_named {
        names = listed.iter().map(|clock| clock.device.clone()).collect();
    }
    let expected = args.expect.map(|Expected(scale)| scale);
    for name in &names {
        let phc = match context.open_named(name, Access::ReadOnly) {
            Ok(phc) => phc,
            // Nobody named it: the others are still looked at.
            Err(Failure::Clock(error)) if !is_named => {
                let (why, errno) = (error.to_string(), error.errno());
                let finding = Finding::NotRead { what: "it", why, errno };
                all.push(Found { clock: Some(name.clone()), finding });
                continue;
            }
            Err(failure) => return Err(failure),
        };
        all.extend(doctor::of_clock(&phc, &listed, machine, expected));
        // All clocks of a system ask one kernel.
        let is_known = all.iter().any(|found| matches!(found.finding, Finding::NoTai { .. }));
        if !is_known && phc.tai_offset().is_none() {
            let finding = Finding::NoTai { from_list: find::tai_offset(&phc) };
            all.push(Found { clock: None, finding });
        }
    }
    Ok(names)
}

/// Prints the findings. That there are some is a verdict.
fn tell(context: &mut Context<'_>, all: &[Found], clocks: Vec<String>) -> Result<Report, Failure> {
    let status = u8::from(!all.is_empty());
    if context.printer.is_json() {
        let report = Report::new()
            .value("clocks", Value::List(clocks.into_iter().map(Value::from).collect()))
            .value("findings", Value::List(all.iter().map(object).collect()));
        return Err(Failure::Verdict(Box::new(report), status));
    }
    if all.is_empty() {
        let headline = format!("nothing was found; {}", looked_at(&clocks));
        return Ok(Report::new().headline(headline));
    }
    for (number, found) in (1..).zip(all) {
        let Words { what, seen, remedy, check } = Words::of(found);
        let clock = found.clock.as_ref().map_or(String::new(), |clock| format!("{clock}: "));
        let gap = if number > 1 { "\n" } else { "" };
        // Each part is a line of its own, as people read it.
        for line in [
            format!("{number}. {clock}{what}"),
            format!("   seen:  {seen}"),
            format!("   do:    {remedy}"),
            format!("   check: {check}"),
        ] {
            if line.starts_with(char::is_numeric) && !gap.is_empty() {
                context.printer.line("", &[])?;
            }
            context.printer.line(&line, &[])?;
        }
    }
    if !clocks.is_empty() {
        context.printer.line("", &[])?;
        context.printer.line(&looked_at(&clocks), &[])?;
    }
    context.printer.flush()?;
    Err(Failure::Status(status))
}

fn looked_at(clocks: &[String]) -> String {
    match clocks {
        [] => "no clock was looked at".into(),
        clocks => format!("looked at {}", clocks.join(", ")),
    }
}

fn object(found: &Found) -> Value {
    let Words { what, seen, remedy, check } = Words::of(found);
    Value::Object(vec![
        ("finding", found.finding.name().into()),
        ("device", found.clock.clone().into()),
        ("what", what.into()),
        ("seen", seen.into()),
        ("remedy", remedy.into()),
        ("check", check.into()),
    ])
}
