//! `--plot`: a picture of what a command measured.

use super::args::args;
use super::failure::Failure;
use super::left::quoted;
use super::{Context, arguments};
use crate::files::{self, Identity};
use crate::find;
use crate::kernel::{Interruptible, in_words};
use crate::report::plot::{Form, Offsets, Picture};
use crate::report::{Report, terminal_width};
use clap::Arg;
use nix::unistd::{AccessFlags, access};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A picture of what was measured.
pub(super) fn argument() -> Arg {
    arguments::option("plot", "FILE", "Draw it: FILE.svg, FILE.png, or - for the terminal")
}

args! {
    /// A picture of offsets, with or without their bands.
    pub(super) struct Plot {
        plot: Option<String> = argument(),
        no_band: bool =
            arguments::flag("no-band", "Draw the offsets alone, without uncertainty and bound")
                .requires("plot"),
    }
}

impl Plot {
    /// The offsets, as they are to be drawn.
    pub(super) fn of(&self, offsets: Offsets) -> Picture {
        Picture::Offsets(offsets.with_band(!self.no_band))
    }
}

/// Where a picture goes.
pub(super) enum Target {
    Terminal,
    /// Into a file, which must not be one of `others`: those that the command reads or writes
    /// besides.
    File {
        path: PathBuf,
        form: Form,
        others: Vec<PathBuf>,
    },
}

/// Where the picture that was asked for goes. The extension of the file's name sets its format.
/// `others` are the files that the command reads or writes besides.
pub(super) fn target(
    context: &Context<'_>,
    name: Option<&str>,
    others: Vec<PathBuf>,
) -> Result<Option<Target>, Failure> {
    let Some(name) = name else { return Ok(None) };
    if name == "-" {
        if context.printer.is_json() {
            let why = "--json leaves no room for a picture: name a file";
            return Err(Failure::Usage(why.into()));
        }
        return Ok(Some(Target::Terminal));
    }
    let path = PathBuf::from(name);
    let form = match path.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => Form::Svg,
        Some("png") => Form::Png,
        _ if find::open_untouched(name).is_ok() => {
            return Err(Failure::Usage(format!(
                "'{name}' is a clock: name a picture before it, --plot FILE.svg {}",
                quoted(name)
            )));
        }
        _ => {
            return Err(Failure::Usage(format!(
                "'{name}' is no picture: name it FILE.svg or FILE.png, or - for the terminal"
            )));
        }
    };
    let mut others = others;
    // Standard input may be a file, too.
    for other in &mut others {
        if other == Path::new("-") {
            *other = "/dev/stdin".into();
        }
    }
    others.extend(["/dev/stdout", "/dev/stderr"].map(PathBuf::from));
    let identity = check(&path).map_err(|why| cant_draw(&path, &in_words(&why)))?;
    if let Some(other) = others.iter().find(|other| identity.is_at(other)) {
        return Err(would_replace(&path, other));
    }
    Ok(Some(Target::File { path, form, others }))
}

fn cant_draw(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("can't draw {}: {why}", path.display()))
}

fn would_replace(path: &Path, other: &Path) -> Failure {
    Failure::Usage(format!(
        "the picture {} would overwrite {}, which is the same file: name another",
        path.display(),
        other.display()
    ))
}

/// Checks before measuring that the picture can be written, rather than after a night of it.
/// Returns which file it will be.
fn check(path: &Path) -> io::Result<Identity> {
    let identity = Identity::of(path)?;
    match &identity {
        Identity::There(..) => {
            files::check(path)?;
            access(path, AccessFlags::W_OK)?;
        }
        Identity::Missing(path) => {
            files::check_place(path)?;
            let folder = path.parent().unwrap_or(Path::new("/"));
            access(folder, AccessFlags::W_OK).map_err(|errno| {
                io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!("{}: {errno}", folder.display()),
                )
            })?;
        }
    }
    Ok(identity)
}

/// Draws a picture beside a report: below it, where it is drawn into the terminal.
pub(super) fn finish(
    context: &mut Context<'_>,
    report: Report,
    picture: &Picture,
    target: &Target,
) -> Result<Report, Failure> {
    if let Target::File { .. } = target {
        draw(context, picture, target)?;
        return Ok(report);
    }
    context.printer.report(&report)?;
    draw(context, picture, target)?;
    Ok(Report::new())
}

/// Draws a picture into its file or into the terminal.
pub(super) fn draw(
    context: &mut Context<'_>,
    picture: &Picture,
    target: &Target,
) -> Result<(), Failure> {
    if let Some(note) = picture.note() {
        context.printer.aside(&note);
    }
    match target {
        Target::Terminal => {
            let text = picture.text(terminal_width());
            context.printer.bytes(text.as_bytes()).map_err(Failure::Output)
        }
        Target::File { path, form, others } => {
            let bytes = picture.file(*form).map_err(|why| cant_draw(path, &why))?;
            write(path, others, &bytes)
        }
    }
}

fn write(path: &Path, others: &[PathBuf], bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| cant_draw(path, &in_words(&error));
    let options = OpenOptions::new().write(true).create(true).clone();
    let file = files::open(path, &options, 0).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    // A link may have taken the place of the file since it was checked.
    let identity = Identity::of_found(&found);
    if let Some(other) = others.iter().find(|other| identity.is_at(other)) {
        return Err(would_replace(path, other));
    }
    if found.is_file() {
        file.set_len(0).map_err(failed)?;
    }
    // A pipe that nobody reads must not keep the command from ending.
    Interruptible(file).write_all(bytes).map_err(failed)
}
