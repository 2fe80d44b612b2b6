//! `ptpctl man`: the man pages, written by the program itself.

use super::Command;
use crate::cli::args::{args, define, read};
use crate::cli::compat::page_of_flags;
use crate::cli::done::Files;
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments, watching};
use crate::files;
use crate::kernel::in_words;
use crate::report::Report;
use crate::report::metrics::Metric;
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
            "Writes ptpctl(1), a page for each command, ptpctl-mock-script(5), ptpctl-mock(7), \
             ptpctl-metrics(7) and ptpctl-json(7) into the sections man1, man5 and man7 of a folder.",
        )
        .after_help("Examples:\n  ptpctl man man\n  ptpctl man /usr/local/share/man")
}

fn run(context: &mut Context<'_>, args: &Args) -> Result<Report, Failure> {
    context.without_clock()?;
    let folder = &args.folder;
    let failed =
        |error: io::Error| Failure::Failed(format!("{}: {}", folder.display(), in_words(&error)));
    for section in SECTIONS {
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
    let mut root = crate::cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = vec![("man1/ptpctl.1".to_owned(), render(root.clone(), "ptpctl")?)];
    for command in root.get_subcommands() {
        // A command of commands has no page, only they have.
        let below: Vec<_> = command.get_subcommands().collect();
        let all = if below.is_empty() { vec![command] } else { below };
        for command in all {
            let called = command.get_bin_name().unwrap_or_default();
            let name = called.replace(' ', "-");
            pages.push((format!("man1/{name}.1"), render(command.clone(), &name)?));
        }
    }
    for topic in TOPICS {
        let command = clap::Command::new(topic.name)
            .about(topic.about)
            .long_about(topic.description)
            .after_help(format!("{}{}", topic.rest.trim_end(), (topic.list)()));
        let section = topic.section;
        let man = Man::new(command).section(section).manual("ptpctl").source(SOURCE).date("");
        let mut page = Vec::new();
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_extra_section(&mut page)?;
        pages.push((
            format!("man{section}/{}.{section}", topic.name),
            finished(&page, topic.name, topic.heading, topic.examples, topic.siblings),
        ));
    }
    Ok(pages)
}

const SECTIONS: [&str; 3] = ["man1", "man5", "man7"];

const SOURCE: &str = concat!("ptpctl ", env!("CARGO_PKG_VERSION"));

fn render(command: clap::Command, title: &str) -> io::Result<Vec<u8>> {
    let (heading, status) = match title {
        // Its long text has the statuses.
        "ptpctl" => (".SH NOTES\n", ""),
        "ptpctl-selftest" => (".SH EXAMPLES\n", SELFTEST_STATUS),
        "ptpctl-mock-run" => (".SH EXAMPLES\n", RUN_STATUS),
        "ptpctl-trace" => (".SH EXAMPLES\n", TRACE_STATUS),
        "ptpctl-stability" => (".SH EXAMPLES\n", STABILITY_STATUS),
        _ => (".SH EXAMPLES\n", STATUS),
    };
    let command = command.mut_args(|argument| match argument.get_id().as_str() {
        // The renderer doesn't show that there can be several.
        watching::SOURCES => argument.value_name("DEVICE…"),
        // Clap's text mentions a summary (-h), which a page doesn't have.
        "help" => argument.help("Print help").long_help("Print help"),
        "version" => argument.help("Print the version"),
        _ => argument,
    });
    let synopsis = synopsis(&command, title);
    let has_commands = command.has_subcommands();
    let aliases: Vec<_> = command.get_visible_aliases().map(str::to_owned).collect();
    let man = Man::new(command).title(title).date("").source(SOURCE).manual("ptpctl");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    writeln!(page, ".SH SYNOPSIS\n{synopsis}")?;
    man.render_description_section(&mut page)?;
    if let [alias] = aliases.as_slice() {
        writeln!(page, ".PP\n\\fBptpctl {alias}\\fR is the same.")?;
    }
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    man.render_extra_section(&mut page)?;
    Ok(finished(&page, title, heading, status, &siblings(title)))
}

/// How a command is called: each option with its value.
fn synopsis(command: &clap::Command, title: &str) -> String {
    let name = command.get_bin_name().unwrap_or(title).replace('-', "\\-");
    let mut words = vec![format!("\\fB{name}\\fR")];
    let (positionals, options): (Vec<_>, Vec<_>) =
        command.get_arguments().partition(|argument| argument.is_positional());
    for option in options {
        let Some(long) = option.get_long().filter(|long| *long != "help") else { continue };
        let long = long.replace('-', "\\-");
        let takes_value = option.get_action().takes_values();
        let value = option.get_value_names().filter(|_| takes_value);
        let value = value.map_or(String::new(), |names| format!(" \\fI{}\\fR", names.join(" ")));
        let value =
            if option.is_require_equals_set() { value.replacen(' ', "[=", 1) + "]" } else { value };
        let again = if long == "clock" && title == "ptpctl-mock-run" { "…" } else { "" };
        words.push(format!("[\\fB\\-\\-{long}\\fR{value}]{again}"));
    }
    for positional in positionals {
        let names = positional.get_value_names().unwrap_or_default().join(" ");
        let name = if names.is_empty() { positional.get_id().to_string() } else { names };
        let word = format!("\\fI{name}\\fR");
        // Everything behind `--` is another program's.
        let runs = ["ptpctl-mock-run", "ptpctl-trace"].contains(&title);
        let word = if positional.is_trailing_var_arg_set() && runs {
            format!("\\-\\- {word} [\\fIARGUMENT\\fR…]")
        } else {
            word
        };
        words.push(if positional.is_required_set() { word } else { format!("[{word}]") });
    }
    if command.has_subcommands() {
        words.push("\\fICOMMAND\\fR [\\fIARGUMENT\\fR…]".into());
    }
    words.join(" ")
}

/// Commands whose pages refer to each other.
const FAMILIES: [&[&str]; 8] = [
    &["list", "caps", "get", "freq", "vclocks"],
    &["offset", "diff", "monitor", "record", "stability"],
    &["set", "set-system", "adjtime", "adjfreq", "adjphase", "freq"],
    &["pins", "pin", "extts", "perout", "pps"],
    &["selftest", "caps", "pins"],
    &["metrics", "list", "monitor", "record"],
    &["doctor", "list", "metrics", "caps"],
    &["apply", "save", "pins", "vclocks"],
];

/// The pages that a command's page refers to.
fn siblings(title: &str) -> String {
    let Some(own) = title.strip_prefix("ptpctl-") else { return String::new() };
    let mut names: Vec<_> = FAMILIES
        .iter()
        .filter(|family| family.contains(&own))
        .flat_map(|family| family.iter().copied())
        .filter(|name| *name != own)
        .collect();
    names.sort_unstable();
    names.dedup();
    let page = |name: &&str| format!("ptpctl\\-{}(1), ", name.replace('-', "\\-"));
    let others = match own {
        "mock-run" => "ptpctl\\-trace(1), ptpctl\\-mock\\-script(5), ",
        "trace" => "ptpctl\\-mock\\-run(1), ",
        "metrics" => "ptpctl\\-metrics(7), ",
        _ => "",
    };
    names.iter().map(page).chain([others.to_owned()]).collect()
}

/// Gives the last section its name, which the renderer doesn't know, and adds what the statuses
/// mean and where to read on.
fn finished(page: &[u8], title: &str, heading: &str, status: &str, siblings: &str) -> Vec<u8> {
    let page = String::from_utf8_lossy(page);
    let page = page.replace(".SH EXTRA\nExamples:\n", heading).replace(".SH EXTRA\n", heading);
    // A command of commands has no page.
    let page = page.replace("ptpctl\\-mock(1)", "ptpctl\\-mock\\-run(1)");
    let own = title.replace('-', "\\-");
    let others = ["ptpctl\\-mock(7)", "ptpctl\\-json(7)"];
    let others = others.into_iter().filter(|other| other.split('(').next() != Some(own.as_str()));
    let others: Vec<_> = others.collect();
    let see = format!(".SH \"SEE ALSO\"\nptpctl(1), {siblings}{}\n", others.join(", "));
    format!("{}\n{status}{see}", page.trim_end()).into_bytes()
}

const STATUS: &str = "\
.SH \"EXIT STATUS\"
0 done, 1 failed, 2 wrong usage, 3 this clock can't do it, 5 timed out: no event came; see ptpctl(1).
";

/// The exit status of stability also depends on the masks.
const STABILITY_STATUS: &str = "\
.SH \"EXIT STATUS\"
0 done, and every mask was passed; 1 failed, or a mask was failed; 2 wrong usage; 3 this clock can't do it; 4 neither passed nor failed: there was too little data for a mask; see ptpctl(1).
";

/// A program's own statuses are passed on.
const RUN_STATUS: &str = "\
.SH \"EXIT STATUS\"
The program's. With a script: 0 all expectations came true, 1 one didn't, or that was not shown. If it was not run: 2 wrong usage; 125 ptpctl could not run it; 126 the program can't be executed; 127 there is no such program. A signal that ends the program ends ptpctl by that signal.
";

/// As for `mock run`.
const TRACE_STATUS: &str = "\
.SH \"EXIT STATUS\"
The program's. If it was not run: 2 wrong usage; 125 ptpctl could not run or watch it; 126 the program can't be executed; 127 there is no such program. 1 where the program ended with 0, but its recording or the output could not be written to the end. A signal that ends the program ends ptpctl by that signal.
";

/// The kernel's self-tests have statuses of their own.
const SELFTEST_STATUS: &str = "\
.SH \"EXIT STATUS\"
0 no check failed and some passed; 4 all checks were skipped (the checks of what was put back don't count); 1 everything else: a check failed, the clock went away, the test couldn't begin, the usage was wrong, the user answered no, or the results couldn't be written to the end. These are kselftest's statuses. 2, which means wrong usage for other commands, would mean an expected failure there. A signal ends selftest by that signal.
";

/// A page on something other than a command.
struct Topic {
    name: &'static str,
    section: &'static str,
    about: &'static str,
    description: &'static str,
    /// What the rest is called, and the rest.
    heading: &'static str,
    rest: &'static str,
    /// A list that the program generates.
    list: fn() -> String,
    /// A section of examples, for the formatter.
    examples: &'static str,
    /// The pages of commands that it refers to, for the formatter.
    siblings: &'static str,
}

/// The faulty drivers that a mock can be.
fn faults() -> String {
    let faults = crate::mock::faults().map(|(name, about)| format!("\n\nfault={name}  {about}"));
    let intro = "\n\nfault=NAME  the driver has this fault; 'ptpctl selftest' detects each of them \
        on mock:full, those of outputs and timestamps with --loop 0:1 and loop=0:1. Several can be \
        given. The faults:";
    std::iter::once(intro.to_owned()).chain(faults).collect()
}

/// The metrics, each with its name.
fn metrics() -> String {
    let metric = |metric: &&Metric| {
        let Metric { name, kind, help } = metric;
        format!("\n\n{name}  {help} ({})", kind.name())
    };
    super::metrics::ALL.iter().map(metric).collect()
}

/// Examples of using JSON, and an object of each kind.
const JSON_EXAMPLES: &str = r#".SH EXAMPLES
The offset of a clock in nanoseconds, and how far it can be off:
.PP
.nf
$ ptpctl offset \-\-json eth0 | jq '.offset_ns, .bound_ns'
12
450
.fi
.PP
A report:
.PP
.nf
$ ptpctl get \-\-json mock:igb,time=virtual
{"schema":2,"device":"mock:igb,time=virtual","clock_name":"525400123456",
 "time":{"seconds":1700000000,"nanoseconds":848},
 "utc_if_utc":"2023\-11\-14T22:13:20.000000848Z",
 "utc_if_tai":"2023\-11\-14T22:12:43.000000848Z","tai_offset_s":37,
 "fits":"utc","unset":false,"notes":[]}
.fi
.PP
A stream of readings, of which only the failed ones are shown:
.PP
.nf
$ ptpctl monitor \-\-json eth0 | jq \-c 'select(.missed) | {at, missed}'
.fi
.PP
A failure, on standard error:
.PP
.nf
$ ptpctl adjphase \-\-json 5ns mock:igb 2>&1 | jq \-c '{error, done, exit_status}'
{"error":"can't write a phase offset of 5 ns on mock:igb (525400123456): this
 clock has no phase control: it can be stepped, or slewed by its frequency",
 "done":false,"exit_status":3}
.fi
.PP
The source has a JSON Schema of all of it, schema/ptpctl.schema.json.
"#;

/// Examples of testptp's command line.
const TESTPTP_EXAMPLES: &str = r"\
.SH EXAMPLES
.nf
ptpctl compat testptp \-d mock \-c
PATH=/usr/lib/ptpctl/compat:$PATH
testptp \-d /dev/ptp0 \-L 0,2 \-i 0 && testptp \-d /dev/ptp0 \-p 1000000000
.fi
";

const TOPICS: [Topic; 5] = [
    Topic {
        name: "ptpctl-mock",
        section: "7",
        about: "the mock clock of ptpctl",
        description: include_str!("../mock_page.txt"),
        heading: ".SH SETTINGS\n",
        rest: include_str!("../mock_settings.txt"),
        list: faults,
        examples: "",
        siblings: "ptpctl\\-mock\\-run(1), ptpctl\\-mock\\-script(5), ptpctl\\-trace(1), ",
    },
    Topic {
        name: "ptpctl-mock-script",
        section: "5",
        about: "what happens to mock clocks, and what is expected of a program",
        description: include_str!("../mock_script_page.txt"),
        heading: ".SH KEYS\n",
        rest: include_str!("../mock_script_keys.txt"),
        list: String::new,
        examples: include_str!("../mock_script_examples.man"),
        siblings: "ptpctl\\-mock\\-run(1), ",
    },
    Topic {
        name: "ptpctl-json",
        section: "7",
        about: "what ptpctl prints with --json",
        description: include_str!("../json_page.txt"),
        heading: ".SH KEYS\n",
        rest: include_str!("../json_keys.txt"),
        list: String::new,
        examples: JSON_EXAMPLES,
        siblings: "",
    },
    Topic {
        name: "ptpctl-metrics",
        section: "7",
        about: "what ptpctl tells Prometheus",
        description: include_str!("../metrics_page.txt"),
        heading: ".SH METRICS\n",
        rest: "Each with the number's kind.",
        list: metrics,
        examples: include_str!("../metrics_queries.man"),
        siblings: "ptpctl\\-metrics(1), ",
    },
    Topic {
        name: "ptpctl-testptp",
        section: "1",
        about: "ptpctl under the name of testptp",
        description: include_str!("../compat/page.txt"),
        heading: ".SH FLAGS\n",
        rest: "What each flag does, the line of ptpctl for it, and what is different from testptp:",
        list: page_of_flags,
        examples: TESTPTP_EXAMPLES,
        siblings: "",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_in_the_tree_are_those_that_the_program_writes() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("man");
        let pages = pages().expect("pages");
        let sections = SECTIONS.map(|section| folder.join(section));
        let kept = sections.iter().flat_map(fs::read_dir).flatten().count();
        assert_eq!(kept, pages.len(), "run 'cargo run -- man man'");
        for (name, page) in pages {
            let kept = fs::read(folder.join(&name)).unwrap_or_default();
            assert!(kept == page, "{name} is old: run 'cargo run -- man man'");
        }
    }
}
