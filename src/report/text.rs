//! Reports as text for people.

use super::{Report, Table};
use crate::printable::printable;
use std::io::{self, Write};

/// Writes a report. Tables wider than `terminal` are split: the width of the terminal that the
/// report goes to, if it goes to one.
pub(super) fn write(
    to: &mut impl Write,
    report: &Report,
    terminal: Option<usize>,
) -> io::Result<()> {
    let head = match (&report.device, &report.headline) {
        (Some(name), Some(headline)) => format!("{name}: {headline}"),
        (Some(name), None) => name.to_string(),
        (None, Some(headline)) => headline.clone(),
        (None, None) => String::new(),
    };
    if !head.is_empty() {
        writeln!(to, "{}", printable(&head))?;
    }
    let rows: Vec<_> = report.rows.iter().filter(|row| !row.text.is_empty()).collect();
    let width = rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0);
    for row in rows {
        let padding = " ".repeat(width.saturating_sub(row.label.chars().count()));
        let line = ["  ", row.label, &padding, "  ", &printable(&row.text), "\n"];
        to.write_all(line.concat().as_bytes())?;
    }
    for table in &report.tables {
        let most = terminal.or(table.is_narrow.then_some(NARROW));
        write_table(to, table, most.unwrap_or(usize::MAX))?;
    }
    for note in &report.notes {
        writeln!(to, "note: {}", printable(note))?;
    }
    Ok(())
}

/// The width that fits any terminal.
const NARROW: usize = 80;

/// Writes a table at most `most` characters wide: columns that don't fit come below, after the
/// first cells once more.
fn write_table(to: &mut impl Write, table: &Table, most: usize) -> io::Result<()> {
    if table.lines.is_empty() {
        return Ok(());
    }
    let headings = table.columns.iter().map(|(_, heading)| (*heading).to_owned()).collect();
    let cells = |line: &Vec<super::Cell>| {
        line.iter().map(|(text, _)| printable(text).into_owned()).collect()
    };
    let lines: Vec<Vec<String>> =
        std::iter::once(headings).chain(table.lines.iter().map(cells)).collect();
    let widths: Vec<usize> = (0..table.columns.len())
        .map(|column| {
            let of = |line: &Vec<String>| line.get(column).map_or(0, |text| text.chars().count());
            lines.iter().map(of).max().unwrap_or(0)
        })
        .collect();
    for part in parts(&widths, table.keys, most) {
        for line in &lines {
            let cells = part.iter().filter_map(|column| line.get(*column).zip(widths.get(*column)));
            let padded: Vec<_> = cells.map(|(text, width)| format!("{text:width$}")).collect();
            writeln!(to, "  {}", padded.join("  ").trim_end())?;
        }
    }
    Ok(())
}

/// The columns of each part of a table, by their widths. A column without text is for JSON only.
fn parts(widths: &[usize], keys: usize, most: usize) -> Vec<Vec<usize>> {
    let shown = widths.iter().enumerate().filter(|(_, width)| **width > 0);
    let first: Vec<usize> = shown.clone().take(keys).map(|(column, _)| column).collect();
    let first_width = shown.clone().take(keys).map(|(_, width)| width + 2).sum::<usize>();
    let (mut part, mut taken) = (first.clone(), first_width);
    let mut parts = Vec::new();
    for (column, width) in shown.skip(keys) {
        if taken + width + 2 > most && part.len() > first.len() {
            parts.push(std::mem::replace(&mut part, first.clone()));
            taken = first_width;
        }
        part.push(column);
        taken += width + 2;
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;
    use crate::phc::DeviceName;

    fn text(report: &Report) -> String {
        let mut to = Vec::new();
        write(&mut to, report, None).expect("written");
        String::from_utf8(to).expect("text")
    }

    #[test]
    fn rows_line_up_under_the_clocks_name() {
        let name = DeviceName { device: "/dev/ptp0".into(), clock_name: Some("IDT".into()) };
        let report = Report::on(&name)
            .row("short", "1", "a", 1_i64)
            .value("hidden", 2_i64)
            .row("much longer", "2\u{1b}[2J", "b", 2_i64)
            .note("mind this");
        let expected =
            "/dev/ptp0 (IDT)\n  short        1\n  much longer  2\u{fffd}[2J\nnote: mind this\n";
        assert_eq!(text(&report), expected);
    }

    #[test]
    fn a_table_lines_up_under_its_headings() {
        let mut table = Table::new("t", &[("a", "A"), ("b", "B")]);
        table.line(vec![("long".into(), Value::Null), ("x".into(), Value::Null)]);
        assert_eq!(text(&Report::new().table(table)), "  A     B\n  long  x\n");
    }

    #[test]
    fn a_table_that_is_too_wide_goes_on_below() {
        let table = || {
            let mut table = Table::new("t", &[("a", "A"), ("b", "B"), ("n", ""), ("c", "C")]);
            let cell = |text: &str| (text.to_owned(), Value::Null);
            table.line(vec![cell("long"), cell(&"x".repeat(40)), cell(""), cell(&"y".repeat(40))]);
            table
        };
        let (x, y) = ("x".repeat(40), "y".repeat(40));
        let whole = format!("  A     B{}  C\n  long  {x}  {y}\n", " ".repeat(39));
        assert_eq!(text(&Report::new().table(table())), whole, "whoever searches it finds all");
        let broken = format!("  A     B\n  long  {x}\n  A     C\n  long  {y}\n");
        assert_eq!(text(&Report::new().table(table().narrow(1))), broken);
        let mut to = Vec::new();
        write(&mut to, &Report::new().table(table()), Some(20)).expect("written");
        assert_eq!(String::from_utf8(to).expect("text"), broken, "two at least");
    }
}
