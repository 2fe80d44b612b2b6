//! A parser of KTAP version 1. It is as strict as the kernel's specification of the format, and
//! refuses whatever that doesn't permit.

/// A test's result, and those of the tests in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) ok: bool,
    pub(crate) name: String,
    pub(crate) directive: Option<(String, String)>,
    pub(crate) diagnostics: Vec<String>,
    pub(crate) tests: Vec<Test>,
}

/// A whole output: its tests, and the reason where it bailed out.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) tests: Vec<Test>,
    pub(crate) bailed_out: Option<String>,
}

pub(crate) fn parse(text: &str) -> Result<Document, String> {
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line has no end".into());
    }
    let mut lines: Vec<&str> = text.lines().collect();
    let bailed_out = match lines.last().and_then(|line| line.strip_prefix("Bail out!")) {
        Some(reason) => {
            lines.pop();
            Some(reason.trim().to_owned())
        }
        None => None,
    };
    let mut lines = Lines { all: &lines, at: 0, cut: bailed_out.is_some() };
    let (tests, _) = lines.document(0)?;
    match lines.next() {
        None => Ok(Document { tests, bailed_out }),
        Some(line) => Err(format!("after the end: {line}")),
    }
}

struct Lines<'a> {
    all: &'a [&'a str],
    at: usize,
    /// Whether the output may end anywhere, because it bailed out.
    cut: bool,
}

impl<'a> Lines<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.all.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'a str> {
        let line = self.peek();
        self.at += 1;
        line
    }

    /// A document at a level: its tests, and the name that it gives itself.
    fn document(&mut self, level: usize) -> Result<(Vec<Test>, Option<String>), String> {
        let indent = "  ".repeat(level);
        let own = |line: &'a str| line.strip_prefix(indent.as_str());
        match self.next().and_then(own) {
            Some("KTAP version 1") => {}
            other => return Err(format!("level {level}: no version line but {other:?}")),
        }
        let mut name = None;
        if let Some(found) = self.peek().and_then(own).and_then(|l| l.strip_prefix("# Subtest: ")) {
            name = Some(found.to_owned());
            self.at += 1;
        }
        let plan = self.next().and_then(own).and_then(|line| line.strip_prefix("1.."));
        let plan: usize = plan.and_then(|n| n.parse().ok()).ok_or("there is no plan")?;
        let mut tests = Vec::new();
        while tests.len() < plan {
            let mut diagnostics = Vec::new();
            let mut inner = None;
            loop {
                let Some(line) = self.peek() else {
                    return if self.cut { Ok((tests, name)) } else { Err("too few tests".into()) };
                };
                if line.starts_with(&format!("{indent}  ")) {
                    if inner.is_some() {
                        return Err(format!("two documents for one test: {line}"));
                    }
                    inner = Some(self.document(level + 1)?);
                    continue;
                }
                let line = own(line).ok_or_else(|| format!("wrong level: {line}"))?;
                match line.strip_prefix("# ") {
                    Some(text) => diagnostics.push(text.to_owned()),
                    None => break,
                }
                self.at += 1;
            }
            let line = self.next().and_then(own).unwrap_or_default();
            let (tests_inside, title) = inner.unwrap_or_default();
            let test = result(line, tests.len() + 1, diagnostics, tests_inside)?;
            if title.is_some_and(|title| title != test.name) {
                return Err(format!("a group ends with another name: {line}"));
            }
            tests.push(test);
        }
        Ok((tests, name))
    }
}

fn result(
    line: &str,
    number: usize,
    diagnostics: Vec<String>,
    tests: Vec<Test>,
) -> Result<Test, String> {
    let (ok, rest) = match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Err(format!("no result: {line}")),
    };
    let (found, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    if found.parse() != Ok(number) {
        return Err(format!("test {number} expected: {line}"));
    }
    let (name, directive) = match rest.split_once('#') {
        None => (rest, None),
        Some((name, directive)) => {
            let name =
                name.strip_suffix(' ').ok_or_else(|| format!("no blank before #: {line}"))?;
            let directive = directive.strip_prefix(' ').unwrap_or(directive);
            let (word, reason) = directive.split_once(' ').unwrap_or((directive, ""));
            match (word, ok) {
                ("SKIP", true) | ("XFAIL" | "TIMEOUT" | "ERROR", false) => {}
                _ => return Err(format!("a directive that doesn't fit: {line}")),
            }
            (name, Some((word.to_owned(), reason.to_owned())))
        }
    };
    if name.is_empty() || name != name.trim() || name.starts_with("- ") {
        return Err(format!("a name that isn't one: {line}"));
    }
    let failed = tests.iter().any(|test| !test.ok);
    let skipped = !tests.is_empty() && tests.iter().all(|test| test.directive.is_some());
    if !tests.is_empty() && (ok == failed || skipped != directive.is_some()) {
        return Err(format!("a group that doesn't say what its tests say: {line}"));
    }
    Ok(Test { ok, name: name.to_owned(), directive, diagnostics, tests })
}

#[test]
fn the_specifications_shape_is_read_and_others_are_refused() {
    let good = "KTAP version 1\n1..2\n  KTAP version 1\n  # Subtest: a\n  1..1\n  # x\n  not ok 1 b\n\
                not ok 1 a\nok 2 c # SKIP no\n";
    let document = parse(good).expect("KTAP");
    assert_eq!(document.tests.len(), 2);
    assert_eq!(document.tests[0].tests[0].diagnostics, ["x"]);
    let cut = "KTAP version 1\n1..2\nok 1 a\nBail out! gone\n";
    assert_eq!(parse(cut).expect("KTAP").bailed_out.as_deref(), Some("gone"));
    for bad in [
        "1..1\nok 1 a\n",
        "KTAP version 1\nok 1 a\n",
        "KTAP version 1\n1..2\nok 1 a\n",
        "KTAP version 1\n1..1\nok 1 a\nok 2 b\n",
        "KTAP version 1\n1..1\nok 2 a\n",
        "KTAP version 1\n1..1\nok 1 a # TODO x\n",
        "KTAP version 1\n1..1\nnot ok 1 a # SKIP x\n",
        "KTAP version 1\n1..1\nok 1 - a\n",
        "KTAP version 1\n1..1\nhello\nok 1 a\n",
        "KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  not ok 1 b\nok 1 a\n",
        "KTAP version 1\n1..1\n  KTAP version 1\n  # Subtest: x\n  1..1\n  ok 1 b\nok 1 a\n",
        "KTAP version 1\n1..1\nok 1 a",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}
