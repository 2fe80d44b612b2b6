//! `ptpctl save`: writes what clocks are into a file that `apply` reads.

use super::Command;
use crate::apply::{self, Declared, Name};
use crate::cli::args::{args, define, read};
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::files::{self, Identity, Replacement};
use crate::find::{self, Listed};
use crate::phc::Access;
use crate::report::{Report, Value};
use clap::value_parser;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub(super) const COMMAND: Command = Command {
    name: "save",
    aliases: &[],
    about: "Write what clocks are to a file that apply reads",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        replace: bool = arguments::flag(
            "replace",
            "Replace FILE if it is there; keep the outputs and the PPS that it declares",
        ),
        file: PathBuf = arguments::positional("FILE", "The file to write, in TOML; - is standard output")
            .value_parser(value_parser!(PathBuf)),
        clocks: Vec<String> = arguments::devices(),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .long_about(
            "Writes what clocks are now, for people to edit, and for `ptpctl apply` to make so \
             again, as after a boot: pins, virtual clocks and the frequency. A clock is called by \
             its card's bus address, or by its own name, which stay; /dev/ptpN may be another \
             clock after a boot. Virtual clocks themselves have no lasting name and are left \
             out.\n\nHow outputs and PPS are, the kernel doesn't tell: FILE has a comment in their \
             place. With --replace, what FILE declared of them before is kept.\n\nFILE is written \
             as a whole or not at all. An existing one is refused without --replace.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl save clocks.toml\n  \
             ptpctl save --replace /etc/ptpctl/clocks.toml eth0\n  \
             ptpctl save /tmp/mock.toml mock",
        )
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    let path = &args.file;
    let is_printed = path.as_os_str() == "-";
    if is_printed && (args.replace || context.printer.is_json()) {
        return Err(Failure::Usage("to replace or for --json, name a file, not -".into()));
    }
    let earlier = if is_printed {
        Vec::new()
    } else {
        check(context, path, &context.named_devices(&args.clocks))?;
        earlier(path, args.replace)?
    };
    let (mut names, listed) = context.named_and_listed(&args.clocks)?;
    if names.is_empty() {
        let own = listed.iter().filter(|clock| !clock.is_virtual());
        names = own.map(|clock| clock.device.clone()).collect();
    }
    if names.is_empty() {
        return Err(Failure::Failed("this machine has no clock".into()));
    }
    let mut all: Vec<Declared> = Vec::new();
    let mut notes = Vec::new();
    for name in &names {
        let mut declared = seen(context, name, &listed, &mut notes)?;
        if all.iter().any(|other| other.name == declared.name) {
            return Err(Failure::Usage(format!("'{name}' is named twice")));
        }
        if let Some(before) = earlier.iter().find(|before| before.name == declared.name) {
            declared.pps = before.pps;
            declared.outputs.clone_from(&before.outputs);
        }
        all.push(declared);
    }
    // What was declared of other clocks stays.
    let others = earlier.into_iter().filter(|before| all.iter().all(|one| one.name != before.name));
    let kept: Vec<_> = others.collect();
    let clocks = all.iter().map(|one| one.name.to_string()).collect::<Vec<_>>();
    all.extend(kept);
    if is_printed {
        context.printer.bytes(apply::text(&all).as_bytes())?;
        return Ok(notes.into_iter().fold(Report::new(), Report::note));
    }
    write(path, &apply::text(&all)).map_err(|error| Failure::of_file("write", path, &error))?;
    let name = path.display().to_string();
    let report = Report::new()
        .headline(format!("{} written to {name}", clocks.join(", ")))
        .value("file", name)
        .value("clocks", Value::from(clocks));
    Ok(notes.into_iter().fold(report, Report::note))
}

/// Refuses a file that is a clock, or belongs to one.
fn check(context: &Context<'_>, path: &Path, names: &[String]) -> Result<(), Failure> {
    let name = path.to_string_lossy();
    if find::is_mock(&name) || name.starts_with("/dev/ptp") {
        return Err(Failure::Usage(format!("'{name}' is a clock: name a file before it")));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.exists()) {
        return Err(Failure::Failed(format!("there is no folder {}", folder.display())));
    }
    let Ok(identity) = Identity::of(path) else { return Ok(()) };
    if context.files_of_clocks(names).iter().any(|other| identity.is_at(other)) {
        return Err(Failure::Usage(format!("'{name}' is a mock's state or log")));
    }
    Ok(())
}

/// What the file declares that is to be replaced.
fn earlier(path: &Path, is_replaced: bool) -> Result<Vec<Declared>, Failure> {
    let name = path.display();
    let unreadable = |error: io::Error| Failure::of_file("read", path, &error);
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(unreadable(error)),
        Ok(found) if found.is_dir() => {
            Err(Failure::Usage(format!("{name} is a folder: name a file in it")))
        }
        Ok(found) if !found.is_file() => Err(Failure::Usage(format!("{name} is no file"))),
        Ok(_) if !is_replaced => {
            Err(Failure::Failed(format!("{name} is there already: --replace replaces it")))
        }
        Ok(_) => {
            let text = files::read_text(path).map_err(unreadable)?;
            apply::declared(&text)
                .map_err(|error| Failure::Failed(format!("{name}, {error}; it is not replaced")))
        }
    }
}

/// A clock as it is.
fn seen(
    context: &Context<'_>,
    name: &str,
    listed: &[Listed],
    notes: &mut Vec<String>,
) -> Result<Declared, Failure> {
    let phc = context.open_named(name, Access::ReadOnly)?;
    let device = phc.name().device.clone();
    let path = fs::canonicalize(&device).unwrap_or_default();
    let called = match listed.iter().find(|clock| path.as_os_str() == clock.device.as_str()) {
        Some(clock) if clock.is_virtual() => {
            let why = format!("{device} is a virtual clock, which has no name that stays");
            return Err(Failure::Usage(why));
        }
        Some(clock) => Name::of(clock, listed),
        None => Name::Device(device.clone()),
    };
    if matches!(called, Name::Device(_)) && !find::is_mock(&device) {
        notes.push(format!(
            "{device} has no name that stays: after a boot, this may be another clock"
        ));
    }
    for holder in find::steering(&device) {
        notes.push(format!(
            "{} ({}) steers {device}: its frequency will soon be another",
            holder.command, holder.process
        ));
    }
    Ok(Declared::seen(&phc, called)?)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let path = files::resolved(path)?;
    let earlier = fs::metadata(&path).map(|found| found.permissions());
    let new = Replacement::of(&path)?;
    let mut file = new.file();
    file.set_permissions(earlier.unwrap_or_else(|_| Permissions::from_mode(0o644)))?;
    file.write_all(text.as_bytes())?;
    // It is there for the next boot, which may follow a loss of power.
    file.sync_all()?;
    new.take_its_place().map(drop)
}
