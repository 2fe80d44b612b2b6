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
             TAI - UTC; a clock source other than TSC; interrupts of the clocks' cards, and receive \
             packet steering, on isolated processors; governors that change the frequency; an \
             expired list of leap seconds.\n\nEach clock: standing still; unset; fought over by two \
             programs; not on the scale that --expect names; 10 ms or more off UTC, TAI and GPS \
             time; running freely below virtual clocks; a frequency near its limit; readings that \
             fail, are slow or uneven; a better method of reading that doesn't work.\n\nIts card: hardware timestamps that are off, or not of PTP; a link that is \
             down; an interface in another network namespace; a kernel that refuses \
             changes.\n\nTraits of the hardware, with which programs have to live, come apart: a \
             limit of readings; readings that take long; stamps in the MAC and in the PHY; a driver \
             that reports both edges.\n\nThe exit status is 0 if nothing but such traits was found, \
             1 if something was, or if a clock could not be looked at. Programs of other users can be \
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
    } else if !machine.has_files() {
        let root = args.root.clone().unwrap_or_default();
        return Err(Failure::Failed(format!(
            "{}: no files of /sys or /proc are below it",
            root.display()
        )));
    } else if !context.named_devices(&args.clocks).is_empty() {
        return Err(Failure::Usage("--root looks at no clock: name none".into()));
    }
    doctor::sort(&mut all);
    let looked_at = match (&args.root, clocks.as_slice()) {
        (Some(root), _) => format!("looked at the files below {}", root.display()),
        (None, []) => "this machine has no PTP hardware clock".into(),
        (None, clocks) => format!("looked at {}", clocks.join(", ")),
    };
    tell(context, &all, clocks, looked_at)
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
            // A mock has a kernel of its own.
            all.push(Found { clock: find::is_mock(name).then(|| name.clone()), finding });
        }
    }
    Ok(names)
}

/// Prints the findings. That there are some is a verdict, unless they are traits of the hardware.
fn tell(
    context: &mut Context<'_>,
    all: &[Found],
    clocks: Vec<String>,
    looked_at: String,
) -> Result<Report, Failure> {
    let (traits, faults): (Vec<_>, Vec<_>) =
        all.iter().partition(|found| found.finding.is_a_trait());
    let status = u8::from(!faults.is_empty());
    if context.printer.is_json() {
        let report = Report::new()
            .value("clocks", Value::List(clocks.into_iter().map(Value::from).collect()))
            .value("findings", Value::List(all.iter().map(object).collect()));
        return Err(Failure::Verdict(Box::new(report), status));
    }
    let numbered = (1..).zip(faults);
    let mut all: Vec<_> =
        numbered.flat_map(|(number, found)| lines(&format!("{number}. "), found)).collect();
    if !traits.is_empty() {
        all.extend([
            "Traits of the hardware, with which programs have to live:".into(),
            String::new(),
        ]);
        all.extend(traits.into_iter().flat_map(|found| lines("-  ", found)));
    }
    all.push(if status == 0 { format!("nothing to mend; {looked_at}") } else { looked_at });
    for line in all {
        context.printer.line(&line, &[])?;
    }
    context.printer.flush()?;
    Err(Failure::Status(status))
}

/// A finding, as people read it.
fn lines(begin: &str, found: &Found) -> [String; 5] {
    let Words { what, seen, remedy, check } = Words::of(found);
    let clock = found.clock.as_ref().map_or(String::new(), |clock| format!("{clock}: "));
    [
        format!("{begin}{clock}{what}"),
        format!("   seen:  {seen}"),
        format!("   do:    {remedy}"),
        format!("   check: {check}"),
        String::new(),
    ]
}

fn object(found: &Found) -> Value {
    let Words { what, seen, remedy, check } = Words::of(found);
    Value::Object(vec![
        ("finding", found.finding.name().into()),
        ("device", found.clock.clone().into()),
        ("trait", found.finding.is_a_trait().into()),
        ("what", what.into()),
        ("seen", seen.into()),
        ("remedy", remedy.into()),
        ("check", check.into()),
    ])
}
