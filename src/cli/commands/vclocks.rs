//! `ptpctl vclocks`: virtual clocks on a physical one.

use super::Command;
use crate::cli::args::{args, define, read};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::find;
use crate::phc::{Access, VirtualClocks};
use crate::report::Report;
use clap::Arg;

pub(super) const COMMAND: Command = Command {
    name: "vclocks",
    aliases: &[],
    about: "Show or set the number of virtual clocks on a clock",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        number: Option<String> = Arg::new("N")
            .value_name("N")
            .help("How many there should be; without N, they are shown"),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .arg(arguments::dry_run())
        .arg(arguments::device())
        .long_about(
            "Shows the virtual clocks on a physical clock, or sets their number (n_vclocks in \
             sysfs) and names the new ones. A virtual clock is a clock of its own on the physical \
             clock's counter, begins at 1970, and can be set and dialled by itself.\n\nAs long as \
             there are any, the physical clock is free-running and can't be set or adjusted, \
             unless it has a separate counter for them. Writing the number needs root. A lone word \
             that isn't a number is a DEVICE; for the clock called 0 use --device 0.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl vclocks\n  \
             ptpctl vclocks 2 eth0\n  \
             ptpctl vclocks 0 --device mock\n  \
             ptpctl vclocks mock",
        )
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let first = args.number.clone();
    let number = first.as_deref().map(str::parse::<u32>);
    let is_number = first.as_deref().is_some_and(|first| first.bytes().all(|b| b.is_ascii_digit()));
    let is_alone = context.device.positional.is_none();
    let (number, lone_device) = match number {
        None => (None, None),
        Some(Ok(number)) => (Some(number), None),
        Some(Err(_)) if is_alone && !is_number => (None, first),
        Some(Err(_)) => {
            return Err(Failure::Usage(format!(
                "'{}' is no number of clocks",
                first.unwrap_or_default()
            )));
        }
    };
    let access = Access::ReadOnly; // The number is written through sysfs.
    let phc = match lone_device {
        Some(name) if context.device.option.is_none() => context.open_named(&name, access)?,
        Some(name) => {
            return Err(Failure::Usage(format!("'{name}' is no number of clocks")));
        }
        None => context.open(access)?,
    };
    let phc = context.writer(phc);
    let before = phc.virtual_clocks()?;
    let names_before = phc.virtual_clock_names()?;
    let report = Report::on(phc.name());
    let Some(number) = number else {
        return Ok(rows(report, before, names_before));
    };
    phc.set_virtual_clocks(number)?;
    if phc.is_dry() {
        let report = report
            .headline(format!("would have {number} virtual clocks instead of {}", before.number))
            .value("virtual_clocks", number)
            .value("dry_run", true);
        return Ok(if find::lacks_root(&phc.name().device) {
            report.note("this user can't do it: only root may write to sysfs")
        } else {
            report
        });
    }
    let after = phc.virtual_clocks()?;
    let names = phc.virtual_clock_names()?;
    let new: Vec<_> = names.iter().filter(|name| !names_before.contains(name)).cloned().collect();
    let mut report = rows(report, after, names).value("new", new.clone()).value("dry_run", false);
    if !new.is_empty() {
        report = report.note(format!("new: /dev/{}", new.join(", /dev/")));
    }
    if number > 0 {
        report = report.note(
            "as long as there are virtual clocks the physical clock runs freely: it can't be set \
             or adjusted, unless it has a counter apart",
        );
    }
    Ok(report)
}

fn rows(report: Report, clocks: VirtualClocks, names: Vec<String>) -> Report {
    let listed = if names.is_empty() { "-".into() } else { names.join(", ") };
    report
        .row(
            "virtual clocks",
            format!("{} of at most {}", clocks.number, clocks.most),
            "virtual_clocks",
            clocks.number,
        )
        .value("max_virtual_clocks", clocks.most)
        .row("names", listed, "names", names)
}
