//! `ptpctl man`: the man pages, written by the program itself.

use super::failure::Failure;
use super::{Command, Context};
use crate::report::Report;
use clap::{Arg, value_parser};
use clap_mangen::Man;
use std::fs;
use std::io;
use std::path::PathBuf;

pub(super) const COMMAND: Command = Command {
    name: "man",
    aliases: &[],
    about: "Write the man pages into a folder",
    arguments,
    run,
};

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(
            Arg::new("FOLDER")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The folder; it is made if need be"),
        )
        .long_about("Writes ptpctl(1), a page for each command, and ptpctl-mock(7) into a folder.")
        .after_help("Examples:\n  ptpctl man man\n  ptpctl man /usr/local/share/man/man1")
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let folder: PathBuf = context.required("FOLDER")?;
    let failed = |error: io::Error| Failure::Failed(format!("{}: {error}", folder.display()));
    fs::create_dir_all(&folder).map_err(failed)?;
    let pages = pages().map_err(failed)?;
    let number = pages.len();
    for (name, page) in pages {
        fs::write(folder.join(name), page).map_err(failed)?;
    }
    Ok(Report::new()
        .headline(format!("{number} pages written to {}", folder.display()))
        .value("pages", number))
}

/// All pages: file name and text.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut root = super::command().disable_version_flag(true);
    root.build();
    let mut pages = vec![("ptpctl.1".to_owned(), render(root.clone(), "ptpctl".to_owned())?)];
    for command in root.get_subcommands() {
        let name = format!("ptpctl-{}", command.get_name());
        pages.push((format!("{name}.1"), render(command.clone(), name)?));
    }
    let mock = Man::new(mock_page()).section("7").manual("ptpctl").date("");
    let mut page = Vec::new();
    mock.render_title(&mut page)?;
    mock.render_name_section(&mut page)?;
    mock.render_description_section(&mut page)?;
    mock.render_extra_section(&mut page)?;
    pages.push(("ptpctl-mock.7".into(), page));
    Ok(pages)
}

fn render(command: clap::Command, title: String) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let source = format!("ptpctl {}", env!("CARGO_PKG_VERSION"));
    Man::new(command).title(title).date("").source(source).manual("ptpctl").render(&mut page)?;
    Ok(page)
}

/// The page on the mock, in the form that the renderer takes.
fn mock_page() -> clap::Command {
    clap::Command::new("ptpctl-mock")
        .about("the mock clock of ptpctl")
        .long_about(include_str!("mock_page.txt"))
        .after_help(include_str!("mock_settings.txt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_in_the_tree_are_those_that_the_program_writes() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("man");
        let pages = pages().expect("pages");
        let kept = fs::read_dir(&folder).expect("the folder man").count();
        assert_eq!(kept, pages.len(), "run 'cargo run -- man man'");
        for (name, page) in pages {
            let kept = fs::read(folder.join(&name)).unwrap_or_default();
            assert!(kept == page, "{name} is old: run 'cargo run -- man man'");
        }
    }
}
