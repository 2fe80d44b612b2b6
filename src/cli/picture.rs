//! `--plot`: a picture of what a command measured.

use super::failure::Failure;
use super::{Context, arguments};
use crate::report::plot::Picture;
use crate::report::{Report, terminal_width};
use clap::Arg;
use nix::unistd::{AccessFlags, access};
use std::path::{Path, PathBuf};

/// A picture of what was measured.
pub(super) fn argument() -> Arg {
    arguments::option("plot", "FILE", "Draw it: FILE.svg, FILE.png, or - for the terminal")
}

/// The file of a picture, whose name tells its form.
pub(super) fn file(context: &Context<'_>) -> Result<Option<PathBuf>, Failure> {
    let Some(name) = context.get::<String>("plot") else { return Ok(None) };
    let path = PathBuf::from(&name);
    let extension = path.extension().and_then(|extension| extension.to_str());
    if name != "-" && !matches!(extension, Some("svg" | "png")) {
        return Err(Failure::Usage(format!(
            "'{name}' is no picture: name it FILE.svg or FILE.png, or - for the terminal"
        )));
    }
    if name != "-" {
        check_folder(&path)?;
    } else if context.printer.is_json() {
        return Err(Failure::Usage("--json leaves no room for a picture: name a file".into()));
    }
    Ok(Some(path))
}

/// A picture that can't be drawn is told before it is measured, not after a night.
fn check_folder(path: &Path) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let checked = if path.exists() { path } else { folder };
    let is_folder = path.is_dir();
    match access(checked, AccessFlags::W_OK) {
        Ok(()) if is_folder => Err(format!("can't draw {}: it is a folder", path.display())),
        Ok(()) => Ok(()),
        Err(errno) => Err(format!("can't draw {}: {}: {errno}", path.display(), checked.display())),
    }
    .map_err(Failure::Failed)
}

/// Draws a picture beside a report: below it, where it is drawn into the terminal.
pub(super) fn finish(
    context: &mut Context<'_>,
    report: Report,
    picture: &Picture,
    path: &Path,
) -> Result<Report, Failure> {
    if path != Path::new("-") {
        draw(context, picture, path)?;
        return Ok(report);
    }
    context.printer.report(&report)?;
    draw(context, picture, path)?;
    Ok(Report::new())
}

/// Draws a picture into a file, or with `-` into the terminal.
pub(super) fn draw(
    context: &mut Context<'_>,
    picture: &Picture,
    path: &Path,
) -> Result<(), Failure> {
    let failed = |why| Failure::Failed(format!("can't draw {}: {why}", path.display()));
    if path == Path::new("-") {
        let text = picture.text(terminal_width());
        return context.printer.bytes(text.as_bytes()).map_err(Failure::Output);
    }
    picture.draw(path).map_err(failed)
}
