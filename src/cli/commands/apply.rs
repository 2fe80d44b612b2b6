//! `ptpctl apply`: makes clocks what a file declares.

use super::Command;
use crate::apply::{self, Declared, Name, Output, Place, Plan, Pulses, Step, Stop};
use crate::cli::args::{args, define, read};
use crate::cli::failure::{Failure, catch_signals};
use crate::cli::{Context, arguments};
use crate::files;
use crate::find::{self, Listed};
use crate::kernel::Signals;
use crate::phc::{Access, Pin, PinFunction};
use crate::report::{Report, Table, Value};
use crate::restore::{Part, Writer};
use clap::value_parser;
use std::fs;
use std::path::PathBuf;

pub(super) const COMMAND: Command = Command {
    name: "apply",
    aliases: &[],
    about: "Make clocks what a file declares",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        file: PathBuf = arguments::positional("FILE", "What the clocks are to be, in TOML")
            .value_parser(value_parser!(PathBuf)),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(include_str!("../apply_page.txt"))
        .after_help(
            "Examples:\n  \
             ptpctl apply --dry-run /etc/ptpctl/clocks.toml\n  \
             ptpctl apply /etc/ptpctl/clocks.toml eth0\n  \
             ptpctl save clocks.toml && ptpctl apply clocks.toml",
        )
}

/// A clock of the file, and what became of it.
#[derive(Default)]
struct Applied {
    name: String,
    device: Option<String>,
    steps: Vec<Step>,
    problems: Vec<String>,
    /// What was changed, and is neither as it was nor as declared.
    left: Vec<String>,
    /// The channels of outputs to which no pin is connected.
    unconnected: Vec<u32>,
}

impl Applied {
    /// Tells a problem.
    fn fail(&mut self, context: &mut Context<'_>, failure: Failure) {
        self.problems.push(failure.text());
        let known = context.known();
        failure.tell(context.printer, &known);
    }
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let path = args.file.display().to_string();
    let text = files::read_text(&args.file)
        .map_err(|error| Failure::of_file("read", &args.file, &error))?;
    let all = apply::declared_on_lines(&text)
        .map_err(|error| Failure::Usage(format!("{path}, {error}")))?;
    let needs_list = all.iter().any(|(one, _)| matches!(one.name, Name::Lasting(_)));
    let listed = if needs_list { find::list_without_holders()?.clocks } else { Vec::new() };
    let only = context.named_device()?;
    let chosen = chosen(&all, &listed, only.as_deref(), &path)?;
    // Between two changes a signal waits until the clock is as declared, or as it was.
    let signals = catch_signals()?;
    let mut applied = Vec::new();
    for (declared, line, place) in &chosen {
        let one = one(context, declared, place, &signals);
        if !one.problems.is_empty() {
            context.printer.aside(&format!("it is declared in {path}, line {line}"));
        }
        applied.push(one);
        context.tell_afterwards();
        if signals.came().is_some() {
            break;
        }
    }
    let mut report = report(&applied, context.dry_run);
    if let (Some(name), true) = (&only, chosen.is_empty()) {
        report = report.note(format!("{path} declares nothing of {name}"));
    }
    if signals.came().is_some() {
        context.printer.report(&report)?;
        return Err(Failure::Signal(signals));
    }
    if applied.iter().any(|one| !one.problems.is_empty()) {
        return Err(Failure::Verdict(Box::new(report), 1));
    }
    Ok(report)
}

/// The clocks of the file with their places: all, or the one that the command line names.
fn chosen<'a>(
    all: &'a [(Declared, usize)],
    listed: &[Listed],
    only: Option<&str>,
    path: &str,
) -> Result<Vec<(&'a Declared, usize, Place)>, Failure> {
    let place = |declared: &Declared| match declared.name.place(listed) {
        // One that can't be opened is told when its turn comes.
        Place::At(name) => Place::At(device_of(&name).unwrap_or(name)),
        other => other,
    };
    let placed = |(declared, line): &'a (Declared, usize)| (declared, *line, place(declared));
    let mut chosen: Vec<_> = all.iter().map(placed).collect();
    if let Some(only) = only {
        let wanted = Place::At(device_of(only)?);
        chosen.retain(|(_, _, place)| *place == wanted);
    }
    for (number, (declared, line, place)) in chosen.iter().enumerate() {
        let mut others = chosen.iter().take(number);
        let same = |other: &Place| other == place && matches!(place, Place::At(_));
        if let Some((other, first, _)) = others.find(|(_, _, other)| same(other)) {
            return Err(Failure::Usage(format!(
                "{path}, line {line}: '{}' and '{}' are the same clock, which line {first} declares",
                other.name, declared.name
            )));
        }
    }
    Ok(chosen)
}

/// The device of a clock that people call `name`.
fn device_of(name: &str) -> Result<String, Failure> {
    if find::is_mock(name) {
        return Ok(name.to_owned());
    }
    let device = find::open(name, Access::ReadOnly)?.name().device.clone();
    let path = fs::canonicalize(&device).ok().and_then(|path| path.to_str().map(str::to_owned));
    Ok(path.unwrap_or(device))
}

fn one(
    context: &mut Context<'_>,
    declared: &Declared,
    place: &Place,
    signals: &Signals,
) -> Applied {
    let mut applied = Applied { name: declared.name.to_string(), ..Applied::default() };
    let device = match place {
        Place::At(device) => device,
        Place::Absent => {
            let why = format!(
                "{}: there is no such clock on this machine: 'ptpctl list' shows what there is",
                applied.name
            );
            applied.fail(context, Failure::Failed(why));
            return applied;
        }
        Place::Several(all) => {
            let all = all.join(", ");
            let why = format!("{}: these are called so: {all}; declare more of it", applied.name);
            applied.fail(context, Failure::Failed(why));
            return applied;
        }
    };
    // What was left on it may be put right now: it is told afterwards.
    let opened = if context.dry_run {
        context.open_named(device, Access::ReadOnly)
    } else {
        find::open(device, Access::ReadWrite).map_err(Failure::from)
    };
    let phc = match opened {
        Ok(phc) => context.writer(phc),
        Err(failure) => {
            applied.fail(context, failure);
            return applied;
        }
    };
    applied.device = Some(phc.name().device.clone());
    context.changes.replace(applied.device.clone());
    let plan = Plan::of(declared, &phc);
    applied.unconnected = plan.unconnected;
    let lacking = lacking(&phc, &plan.steps);
    let same = |[one, other]: [String; 2]| {
        Failure::Failed(format!("{}: '{one}' and '{other}' are the same pin", phc.name()))
    };
    let same_pins = plan.same_pins.into_iter().map(same);
    let problems = plan.problems.into_iter().map(Failure::Clock).chain(same_pins).chain(lacking);
    for problem in problems {
        applied.fail(context, problem);
    }
    if !applied.problems.is_empty() || phc.is_dry() {
        applied.steps = plan.steps;
        return applied;
    }
    make(context, &phc, plan.steps, signals, &mut applied);
    applied
}

/// What this user may not do of the steps.
fn lacking(phc: &Writer, steps: &[Step]) -> Vec<Failure> {
    let device = &phc.name().device;
    let mut all = Vec::new();
    if phc.is_dry()
        && !steps.is_empty()
        && let Err(error) = phc.reopen(Access::ReadWrite)
    {
        all.push(Failure::Clock(error));
    }
    let fails =
        |what: &str| Failure::Failed(format!("{}: this user can't do it: {what}", phc.name()));
    if steps.iter().any(|step| matches!(step, Step::Pps(_))) && find::lacks_privilege(device) {
        all.push(fails("PPS needs the capability CAP_SYS_TIME"));
    }
    let is_virtual = |step: &Step| matches!(step, Step::VirtualClocks { .. });
    if steps.iter().any(is_virtual) && find::lacks_root(device) {
        all.push(fails("only root may write the number of virtual clocks to sysfs"));
    }
    all
}

/// Makes the steps, or none of them.
fn make(
    context: &mut Context<'_>,
    phc: &Writer,
    steps: Vec<Step>,
    signals: &Signals,
    applied: &mut Applied,
) {
    if steps.is_empty() {
        return;
    }
    let device = phc.name().device.clone();
    let journal = context.begin_journal(phc);
    let mut guard = phc.guard(Some(journal));
    let (made, outcome) = apply::make(phc, &mut guard, &steps, || signals.came().is_some());
    let is_made = outcome.is_ok();
    if is_made {
        phc.keep(&mut guard);
    }
    // A request that was refused has changed nothing; one that failed may have.
    let is_noted = |step: &&Step| match step {
        Step::Output(output) => guard.change_of(Part::Perout(output.channel)).is_some(),
        _ => false,
    };
    let failed = steps.get(made).filter(is_noted);
    if let Err(Stop::Failed(error)) = outcome {
        applied.fail(context, Failure::Clock(error));
    }
    if let Err(failure) = context.end(guard, Ok(())) {
        applied.fail(context, failure);
    }
    if is_made {
        if steps.iter().any(|step| matches!(step, Step::Frequency { .. })) {
            tell_steering(context, &device);
        }
    } else {
        let left: Vec<_> = context.left.borrow().iter().map(|left| left.change.part()).collect();
        let is_on = |channel| left.contains(&Part::Perout(channel));
        applied.left = apply::undo(phc, steps.get(..made).unwrap_or_default(), failed, is_on);
        for left in &applied.left {
            context.printer.aside(&format!("{device}: {left}"));
        }
    }
    applied.steps = steps;
}

fn tell_steering(context: &Context<'_>, device: &str) {
    for holder in find::steering(device) {
        context.printer.aside(&format!(
            "{} ({}) steers {device}: it will soon dial another frequency",
            holder.command, holder.process
        ));
    }
}

/// All clocks, and what was changed or would be.
fn report(all: &[Applied], is_dry: bool) -> Report {
    let columns = [("device", "CLOCK"), ("what", "WHAT"), ("was", "WAS"), ("becomes", "BECOMES")];
    let mut table = Table::new("changes", &columns);
    for one in all.iter().filter(|one| one.problems.is_empty()) {
        let device = one.device.clone().unwrap_or_default();
        for [what, was, becomes] in one.steps.iter().flat_map(rows) {
            let known = Some(was.clone()).filter(|was| !was.is_empty());
            let was = if was.is_empty() { "-".to_owned() } else { was };
            table.line(vec![
                (device.clone(), device.as_str().into()),
                (what.clone(), what.into()),
                (was, known.into()),
                (becomes.clone(), becomes.into()),
            ]);
        }
    }
    let headline = headline(all, table.len(), is_dry);
    let clocks = all.iter().map(|one| {
        Value::Object(vec![
            ("clock", one.name.as_str().into()),
            ("device", one.device.clone().into()),
            ("problems", one.problems.clone().into()),
            ("left", one.left.clone().into()),
        ])
    });
    let clocks = Value::List(clocks.collect());
    let report = Report::new().headline(headline).value("clocks", clocks);
    let report = if table.len() > 0 {
        report.table(table)
    } else {
        report.value("changes", Vec::<Value>::new())
    };
    let well = all.iter().filter(|one| one.problems.is_empty());
    let unconnected =
        well.flat_map(|one| one.unconnected.iter().map(move |channel| (one, channel)));
    unconnected.fold(report.value("dry_run", is_dry), |report, (one, channel)| {
        report.note(format!(
            "{}: no pin is connected to channel {channel}: unless it is wired, declare one in \
             [clock.pins]",
            one.name
        ))
    })
}

/// What was done, in one line. Of outputs and PPS nobody knows whether it is a change: the kernel
/// doesn't tell how they were.
fn headline(all: &[Applied], lines: usize, is_dry: bool) -> String {
    let is_again = |step: &&Step| matches!(step, Step::Output(_) | Step::Pps(_));
    let well = all.iter().filter(|one| one.problems.is_empty()).flat_map(|one| &one.steps);
    let again = well.filter(is_again).count();
    let number = lines - again;
    let changes = if number == 1 { "change" } else { "changes" };
    let asked = match (again, is_dry) {
        (0, _) => String::new(),
        (_, true) => format!("; outputs and PPS would be asked for: {again}"),
        (_, false) => format!("; outputs and PPS asked for: {again}"),
    };
    let has_problems = all.iter().any(|one| !one.problems.is_empty());
    let has_left = all.iter().any(|one| !one.left.is_empty());
    match (number, is_dry) {
        (0, false) if has_left => "what was changed is taken back as far as possible".into(),
        (0, true) if has_problems && again == 0 => "nothing would be changed".into(),
        (0, false) if has_problems && again == 0 => "nothing was changed".into(),
        (0, _) => format!("nothing to change{asked}"),
        (_, true) => format!("{number} {changes} would be made{asked}"),
        (_, false) => format!("{number} {changes} made{asked}"),
    }
}

/// What a step changes: what it is, how it was (empty where that is unknown), what it becomes.
fn rows(step: &Step) -> Vec<[String; 3]> {
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    match step {
        Step::VirtualClocks { was, becomes } => {
            vec![["virtual clocks".into(), was.to_string(), becomes.to_string()]]
        }
        Step::Frequency { was, becomes } => {
            vec![["frequency".into(), format!("{was:+}"), format!("{becomes:+}")]]
        }
        Step::Pin { was, becomes, loser } => {
            let called = |pin: &Pin| format!("pin {} ({})", pin.index, pin.name);
            let own = [called(was), used(was), used(becomes)];
            let lost = loser.as_ref().map(|pin| [called(pin), used(pin), "none".into()]);
            lost.into_iter().chain([own]).collect()
        }
        Step::Output(Output { channel, pulses }) => {
            let becomes = pulses.map_or_else(|| switch(false), described);
            vec![[format!("output {channel}"), String::new(), becomes]]
        }
        Step::Pps(on) => vec![["PPS".into(), String::new(), switch(*on)]],
    }
}

fn used(pin: &Pin) -> String {
    match pin.function {
        PinFunction::None => "none".into(),
        function => format!("{function} {}", pin.channel),
    }
}

fn described(Pulses { period, width, phase }: Pulses) -> String {
    let width = width.map(|width| format!(", {width} wide"));
    let phase = phase.map(|phase| format!(", phase {phase}"));
    format!("every {period}{}{}", width.unwrap_or_default(), phase.unwrap_or_default())
}
