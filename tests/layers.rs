//! The rooms of the house: which may use which, and what only one of them does. ARCHITECTURE.md
//! describes them.

#![expect(clippy::expect_used, reason = "a test that can't run has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room with those that it may use, which come below it.
const ROOMS: [(&str, &[&str]); 27] = [
    ("main", &["cli"]),
    (
        "cli",
        &[
            "report",
            "selftest",
            "doctor",
            "apply",
            "supervise",
            "restore",
            "watch",
            "measure",
            "find",
            "phc",
            "mock",
            "kernel",
            "rfc3339",
            "files",
            "http",
            "fine_offset",
            "frequency",
            "rate",
            "sample",
            "timestamp",
            "offset",
            "decimal",
        ],
    ),
    // Of the rooms below it takes values only.
    (
        "report",
        &[
            "watch",
            "measure",
            "phc",
            "kernel",
            "json",
            "printable",
            "rfc3339",
            "rate",
            "timestamp",
            "offset",
        ],
    ),
    (
        "selftest",
        &["restore", "phc", "kernel", "frequency", "rate", "sample", "timestamp", "offset"],
    ),
    ("doctor", &["watch", "find", "phc", "kernel", "frequency", "sample", "timestamp", "offset"]),
    ("apply", &["restore", "find", "phc", "tables", "frequency", "offset"]),
    ("supervise", &["mock", "kernel", "tables", "frequency", "offset"]),
    ("restore", &["find", "phc", "mock", "kernel", "files", "frequency", "timestamp", "offset"]),
    (
        "watch",
        &[
            "measure",
            "find",
            "phc",
            "kernel",
            "json",
            "rfc3339",
            "files",
            "fine_offset",
            "frequency",
            "rate",
            "sample",
            "timestamp",
            "offset",
        ],
    ),
    ("measure", &["fine_offset", "rate", "sample", "timestamp", "offset"]),
    ("find", &["phc", "mock", "kernel", "timestamp"]),
    ("phc", &["kernel", "frequency", "sample", "timestamp", "offset"]),
    ("mock", &["kernel", "json", "files", "frequency", "offset", "decimal"]),
    ("kernel", &[]),
    ("json", &["printable"]),
    ("printable", &[]),
    ("rfc3339", &["timestamp"]),
    ("files", &[]),
    ("tables", &[]),
    ("http", &[]),
    ("fine_offset", &["offset"]),
    ("rate", &["frequency", "offset", "decimal"]),
    ("frequency", &["offset", "decimal"]),
    ("sample", &["timestamp", "offset"]),
    ("timestamp", &["offset"]),
    ("offset", &["decimal"]),
    ("decimal", &[]),
];

/// Names of the crate's root, and the room that each comes from.
const FROM_THE_ROOT: [(&str, &str); 17] = [
    ("Error", "phc"),
    ("FineOffset", "fine_offset"),
    ("FittingScale", "timestamp"),
    ("Frequency", "frequency"),
    ("Offset", "offset"),
    ("ParseQuantityError", "offset"),
    ("Phc", "phc"),
    ("Rate", "rate"),
    ("RateInterval", "rate"),
    ("Sample", "sample"),
    ("Scale", "timestamp"),
    ("System", "timestamp"),
    ("Tai", "timestamp"),
    ("TaiOffset", "timestamp"),
    ("Timestamp", "timestamp"),
    ("Unknown", "timestamp"),
    ("Utc", "timestamp"),
];

/// A file of the source: its path below `src`, and its text without comments and tests.
struct Source {
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path: PathBuf = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("a text");
                let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
                let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
                let path = path.strip_prefix(&root).expect("below src").display().to_string();
                all.push(Source { path, text: code.collect::<Vec<_>>().join("\n") });
            }
        }
    }
    all
}

impl Source {
    fn room(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    /// The rooms that it names: `crate::room::…`, `crate::{room::…, …}` and names of the root.
    fn uses(&self) -> BTreeSet<&str> {
        let mut all = BTreeSet::new();
        for (at, _) in self.text.match_indices("crate::") {
            let rest = &self.text[at + "crate::".len()..];
            if let Some(list) = rest.strip_prefix('{') {
                all.extend(first_words(list));
            } else {
                all.extend(word(rest));
            }
        }
        for (name, room) in FROM_THE_ROOT {
            if all.remove(name) {
                all.insert(room);
            }
        }
        all.remove(self.room());
        all
    }
}

fn word(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.get(..end).filter(|word| !word.is_empty())
}

/// The first word of each part of a list in braces.
fn first_words(list: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut words) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                words.extend(word(list[begin..at].trim_start()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                words.extend(word(list[begin..at].trim_start()));
                begin = at + 1;
            }
            _ => {}
        }
    }
    words
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let place = |room: &str| ROOMS.iter().position(|(name, _)| *name == room);
    for (at, (name, may_use)) in ROOMS.iter().enumerate() {
        for below in *may_use {
            let below_at = place(below).unwrap_or_else(|| panic!("{below} is no room"));
            assert!(below_at > at, "{name} may not use {below}: it is not below it");
        }
    }
    for source in sources() {
        let room = source.room();
        // The root names them all; the fuzz targets reach into them.
        if ["lib", "fuzzing"].contains(&room) {
            continue;
        }
        let Some(at) = place(room) else { panic!("{}: {room} is no room", source.path) };
        let may_use = ROOMS.get(at).map(|(_, may_use)| *may_use).unwrap_or_default();
        for used in source.uses() {
            assert!(may_use.contains(&used), "{} may not use {used}", source.path);
        }
    }
}

#[test]
fn within_the_self_test_each_layer_uses_only_those_below_it() {
    const LAYERS: [&str; 8] =
        ["run", "checks", "bench", "account", "comparator", "clock", "words", "verdict"];
    let layer = |path: &str| {
        let name = path.strip_prefix("selftest/")?.split(['/', '.']).next()?;
        LAYERS.iter().position(|layer| *layer == name)
    };
    for source in sources() {
        let Some(at) = layer(&source.path) else { continue };
        for (below, name) in LAYERS.iter().enumerate() {
            let named = [format!("super::{name}::"), format!("selftest::{name}::")];
            if named.iter().any(|named| source.text.contains(named)) && below != at {
                assert!(below > at, "{} may not use {name}", source.path);
            }
        }
    }
}

/// Every file outside a room that has one of these in it.
fn outside(room: &str, signs: &[&str]) -> Vec<String> {
    let has = |source: &Source| signs.iter().any(|sign| source.text.contains(sign));
    let found = sources().into_iter().filter(|source| source.room() != room && has(source));
    found.map(|source| source.path).collect()
}

#[test]
fn only_the_seam_has_unsafe_code_and_ioctls() {
    let signs = ["unsafe_code", "unsafe {", "libc::ioctl", "libc::PTP_"];
    assert_eq!(outside("kernel", &signs), Vec::<String>::new());
}

#[test]
fn only_report_writes_to_standard_output_and_standard_error() {
    let signs = ["println!", "print!(", "io::stdout()", "io::stderr()", "standard_error()"];
    // A socket that is standard output can't be opened by its path.
    assert_eq!(outside("report", &signs), ["files.rs"]);
}

/// The methods of `Phc` that change a clock, by their verbs.
fn methods_that_change() -> BTreeSet<String> {
    let verbs = ["set_", "step", "adjust_", "enable_", "disable_"];
    let methods = sources().into_iter().filter(|source| source.room() == "phc");
    let lines: Vec<_> =
        methods.flat_map(|it| it.text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let names = lines.iter().filter_map(|line| line.trim().strip_prefix("pub fn "));
    let names = names.filter_map(|line| line.split(['(', '<']).next());
    names
        .filter(|name| verbs.iter().any(|verb| name.starts_with(verb)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn commands_change_a_clock_through_the_writer_or_the_guard_only() {
    let text = |path: &str| {
        let found = sources().into_iter().find(|source| source.path == path);
        found.expect("a source").text
    };
    let (writer, guard) = (text("restore/writer.rs"), text("restore/guard.rs"));
    let names = methods_that_change();
    assert!(names.len() > 9, "{names:?}");
    for name in names {
        let method = format!("fn {name}(");
        if writer.contains(&method) {
            continue;
        }
        assert!(guard.contains(&method), "{name} is neither in the writer nor in the guard");
        let call = format!(".{name}(");
        for source in sources().iter().filter(|source| source.room() == "cli") {
            let mut before = source.text.split(&call).collect::<Vec<_>>();
            before.pop();
            let is_guard = before.iter().all(|text| text.ends_with("guard"));
            assert!(is_guard, "{} calls {name} past the guard", source.path);
        }
    }
}

#[test]
fn every_room_is_described() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(path).expect("ARCHITECTURE.md");
    for (room, _) in ROOMS {
        let named = [format!("`{room}`"), format!("`{room}.rs`"), format!("`{room}/`")];
        assert!(named.iter().any(|name| text.contains(name)), "{room} isn't described");
    }
    for word in text.split('`').skip(1).step_by(2).filter(|word| word.starts_with("src/")) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(word);
        assert!(path.exists(), "{word} isn't there");
    }
}
