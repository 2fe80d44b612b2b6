//! `ptpctl list`: every clock of the machine.

use super::Command;
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::find::{self, Kind, Listed, Listing};
use crate::kernel::Source;
use crate::phc::Access;
use crate::report::{Cell, Report, Table, Value};

pub(super) const COMMAND: Command = Command {
    name: "list",
    aliases: &["ls"],
    about: "List every clock of this machine",
    arguments,
    run: |context, _| run(context),
};

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(arguments::device())
        .long_about(
            "Lists every PTP hardware clock of this machine: its device, what it calls itself, its \
             driver and bus address, the network interfaces that it stamps for (and whether it \
             sits in their MAC or their PHY, where the kernel reports it), whether it is physical \
             or virtual (and on which clock), how many virtual clocks it has, and which processes \
             have it open. With a DEVICE, that clock alone.",
        )
        .after_help("Examples:\n  ptpctl list\n  ptpctl list --json\n  ptpctl list mock")
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let Some(name) = context.named_device()? else {
        return Ok(report(find::list()?));
    };
    let phc = find::open(&name, Access::ReadOnly)?;
    let mut listing = find::list()?;
    // A symbolic link names the same clock.
    let path = std::fs::canonicalize(&phc.name().device).unwrap_or_default();
    listing.clocks.retain(|clock| path.as_os_str() == clock.device.as_str());
    if listing.clocks.is_empty() {
        let holders = find::holders(&phc.name().device);
        listing.clocks.push(Listed { holders, ..Listed::unlisted(&phc) });
    }
    Ok(report(listing))
}

fn report(listing: Listing) -> Report {
    let Listing { clocks, clocks_are_complete, interfaces_are_complete, holders_are_complete } =
        listing;
    let mut table = Table::new(
        "clocks",
        &[
            ("device", "DEVICE"),
            ("clock_name", "CLOCK"),
            ("driver", "DRIVER"),
            ("bus_address", "BUS"),
            ("interfaces", "INTERFACES"),
            ("physical_clock", "KIND"),
            ("virtual_clocks", "VIRTUAL"),
            ("open_by", "OPEN BY"),
        ],
    );
    let is_empty = clocks.is_empty();
    for clock in clocks {
        table.line(line(clock));
    }
    let mut report = Report::new().table(table);
    if is_empty {
        report =
            report.note("this machine has no PTP hardware clock; 'ptpctl caps mock' shows one");
    }
    if !clocks_are_complete {
        report = report.note(
            "sysfs (/sys) isn't there to tell of the clocks: these are the devices in /dev, and \
             there may be others",
        );
    }
    if !interfaces_are_complete {
        report = report.note("not every interface could be asked for its clock");
    }
    if !holders_are_complete {
        report = report.note("not every process could be looked at, such as those of other users");
    }
    report
        .value("clocks_are_complete", clocks_are_complete)
        .value("interfaces_are_complete", interfaces_are_complete)
        .value("open_by_is_complete", holders_are_complete)
}

/// A clock's line in the table.
fn line(clock: Listed) -> Vec<Cell> {
    let text =
        |text: Option<String>| (text.clone().unwrap_or_else(|| "-".into()), Value::from(text));
    let (kind, physical) = match clock.kind {
        Kind::Physical => ("physical".to_owned(), None),
        Kind::Unknown => ("-".to_owned(), None),
        Kind::Virtual { of } => (format!("virtual, on {of}"), Some(of)),
    };
    let interfaces: Vec<_> = clock
        .interfaces
        .iter()
        .map(|(name, source)| match source {
            Some(source) => format!("{name} ({})", source_name(*source)),
            None => name.clone(),
        })
        .collect();
    let providers = clock.interfaces.into_iter().map(|(name, source)| {
        let source = ("source", source.map(|source| source_name(source).to_lowercase()).into());
        Value::Object(vec![("name", name.into()), source])
    });
    let number = clock.virtual_clocks.map_or("-".into(), |number| number.to_string());
    let holders: Vec<_> =
        clock.holders.iter().map(|h| format!("{} ({})", h.command, h.process)).collect();
    let open_by = clock.holders.into_iter().map(|holder| {
        let command = ("command", holder.command.into());
        Value::Object(vec![("pid", holder.process.into()), command])
    });
    vec![
        (clock.device.clone(), clock.device.into()),
        text(clock.clock_name),
        text(clock.driver),
        text(clock.bus_address),
        (or_dash(&interfaces), Value::List(providers.collect())),
        (kind, physical.into()),
        (number, clock.virtual_clocks.into()),
        (or_dash(&holders), Value::List(open_by.collect())),
    ]
}

/// Where the clock of an interface sits.
fn source_name(source: Source) -> String {
    match source {
        Source::Mac => "MAC".into(),
        Source::Phy(None) => "PHY".into(),
        Source::Phy(Some(index)) => format!("PHY {index}"),
    }
}

fn or_dash(texts: &[String]) -> String {
    if texts.is_empty() { "-".into() } else { texts.join(", ") }
}
