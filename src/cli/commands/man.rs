//! `ptpctl man`: the man pages, written by the program itself.

use super::Command;
use crate::cli::args::{args, define, read};
use crate::cli::done::Files;
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments, watching};
use crate::files;
use crate::kernel::in_words;
use crate::report::Report;
use clap::value_parser;
use clap_mangen::Man;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

pub(super) const COMMAND: Command = Command {
    name: "man",
    aliases: &[],
    about: "Write the man pages into a folder of manuals",
    arguments,
    run: |context, matches| run(context, &read(matches)?),
};

args! {
    struct Args {
        folder: PathBuf = arguments::positional("FOLDER", "The folder; it is made if need be")
            .value_parser(value_parser!(PathBuf)),
    }
}

fn arguments(command: clap::Command) -> clap::Command {
    define::<Args>(command)
        .long_about(
            "Writes ptpctl(1), a page for each command, ptpctl-mock(7) and ptpctl-json(7) into the \
             sections man1 and man7 of a folder.",
        )
        .after_help("Examples:\n  ptpctl man man\n  ptpctl man /usr/local/share/man")
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    context.without_clock()?;
    let folder = &args.folder;
    let failed =
        |error: io::Error| Failure::Failed(format!("{}: {}", folder.display(), in_words(&error)));
    for section in ["man1", "man7"] {
        let section = folder.join(section);
        if !section.is_dir() {
            files::check_place(&section).map_err(failed)?;
        }
        fs::create_dir_all(section).map_err(failed)?;
    }
    let pages = pages().map_err(failed)?;
    let number = pages.len();
    let options = OpenOptions::new().write(true).create(true).truncate(true).clone();
    for (name, page) in pages {
        let file = files::open(&folder.join(name), &options, 0);
        file.and_then(|mut file| file.write_all(&page)).map_err(failed)?;
    }
    context.done.to_files(Files::Pages(number, folder.display().to_string()));
    Ok(Report::new()
        .headline(format!("{number} pages written to {}", folder.display()))
        .value("pages", number))
}

/// All pages: file name and text.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut root = crate::cli::command().disable_version_flag(true).disable_help_subcommand(true);
    root.build();
    let mut pages = vec![("man1/ptpctl.1".to_owned(), render(root.clone(), "ptpctl".to_owned())?)];
    for command in root.get_subcommands() {
        let name = format!("ptpctl-{}", command.get_name());
        pages.push((format!("man1/{name}.1"), render(command.clone(), name)?));
    }
    for topic in TOPICS {
        let command = clap::Command::new(topic.name)
            .about(topic.about)
            .long_about(topic.description)
            .after_help(format!("{}{}", topic.rest.trim_end(), (topic.list)()));
        let man = Man::new(command).section("7").manual("ptpctl").source(SOURCE).date("");
        let mut page = Vec::new();
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_extra_section(&mut page)?;
        pages.push((format!("man7/{}.7", topic.name), finished(&page, topic.heading, "")));
    }
    Ok(pages)
}

const SOURCE: &str = concat!("ptpctl ", env!("CARGO_PKG_VERSION"));

fn render(command: clap::Command, title: String) -> io::Result<Vec<u8>> {
    let (heading, status) = match title.as_str() {
        // Its long text has the statuses.
        "ptpctl" => (".SH NOTES\n", ""),
        "ptpctl-selftest" => (".SH EXAMPLES\n", SELFTEST_STATUS),
        "ptpctl-stability" => (".SH EXAMPLES\n", STABILITY_STATUS),
        _ => (".SH EXAMPLES\n", STATUS),
    };
    let mut page = Vec::new();
    // The renderer doesn't tell that there can be several.
    let command = command.mut_args(|argument| match argument.get_id().as_str() {
        watching::SOURCES => argument.value_name("DEVICE…"),
        _ => argument,
    });
    Man::new(command).title(title).date("").source(SOURCE).manual("ptpctl").render(&mut page)?;
    Ok(finished(&page, heading, status))
}

/// Gives the last section its name, which the renderer doesn't know, and adds what the statuses
/// mean and where to read on.
fn finished(page: &[u8], heading: &str, status: &str) -> Vec<u8> {
    let page = String::from_utf8_lossy(page);
    let page = page.replace(".SH EXTRA\nExamples:\n", heading).replace(".SH EXTRA\n", heading);
    let see = ".SH \"SEE ALSO\"\nptpctl(1), ptpctl\\-mock(7), ptpctl\\-json(7)\n";
    format!("{}\n{status}{see}", page.trim_end()).into_bytes()
}

const STATUS: &str = "\
.SH \"EXIT STATUS\"
0 done, 1 failed, 2 wrong usage, 3 this clock can't do it, 5 waited in vain; see ptpctl(1).
";

/// A mask is a verdict.
const STABILITY_STATUS: &str = "\
.SH \"EXIT STATUS\"
0 done, and every mask is kept, 1 failed, or a limit isn't kept, 2 wrong usage, 3 this clock can't do it, 4 nothing could be shown: there was too little for a mask; see ptpctl(1).
";

/// The kernel's self-tests have statuses of their own.
const SELFTEST_STATUS: &str = "\
.SH \"EXIT STATUS\"
0 no check failed and some passed, 4 all checks were skipped (those of what is put back don't count), 1 everything else: a check failed, the clock went away, it couldn't begin, it was called wrongly, a person said no, or nobody read the results to their end. These are kselftest's; 2, for which others stand for wrong usage, would be an expected failure there. A signal ends it by that signal.
";

/// A page on something other than a command.
struct Topic {
    name: &'static str,
    about: &'static str,
    description: &'static str,
    /// What the rest is called, and the rest.
    heading: &'static str,
    rest: &'static str,
    /// What the program lists by itself.
    list: fn() -> String,
}

/// The faulty drivers that a mock can be.
fn faults() -> String {
    let faults = crate::mock::faults().map(|(name, about)| format!("\n\nfault={name}  {about}"));
    let intro = "\n\nfault=NAME  the driver doesn't keep its word; 'ptpctl selftest' finds each of \
        these out on mock:full, those of outputs and timestamps with --loop 0:1 and loop=0:1. \
        Several can be given. The faults:";
    std::iter::once(intro.to_owned()).chain(faults).collect()
}

const TOPICS: [Topic; 2] = [
    Topic {
        name: "ptpctl-mock",
        about: "the mock clock of ptpctl",
        description: include_str!("../mock_page.txt"),
        heading: ".SH SETTINGS\n",
        rest: include_str!("../mock_settings.txt"),
        list: faults,
    },
    Topic {
        name: "ptpctl-json",
        about: "what ptpctl prints with --json",
        description: include_str!("../json_page.txt"),
        heading: ".SH KEYS\n",
        rest: include_str!("../json_keys.txt"),
        list: String::new,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_in_the_tree_are_those_that_the_program_writes() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("man");
        let pages = pages().expect("pages");
        let sections = ["man1", "man7"].map(|section| folder.join(section));
        let kept = sections.iter().flat_map(fs::read_dir).flatten().count();
        assert_eq!(kept, pages.len(), "run 'cargo run -- man man'");
        for (name, page) in pages {
            let kept = fs::read(folder.join(&name)).unwrap_or_default();
            assert!(kept == page, "{name} is old: run 'cargo run -- man man'");
        }
    }
}
