//! Reports as text for people.

use super::{Report, Table};
use crate::printable::printable;
use std::io::{self, Write};

pub(super) fn write(to: &mut impl Write, report: &Report) -> io::Result<()> {
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
        write_table(to, table)?;
    }
    for note in &report.notes {
        writeln!(to, "note: {}", printable(note))?;
    }
    Ok(())
}

fn write_table(to: &mut impl Write, table: &Table) -> io::Result<()> {
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
    for line in &lines {
        // A column without anything is for JSON only.
        let shown = line.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let padded: Vec<_> = shown.map(|(text, width)| format!("{text:width$}")).collect();
        writeln!(to, "  {}", padded.join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;
    use crate::phc::DeviceName;

    fn text(report: &Report) -> String {
        let mut to = Vec::new();
        write(&mut to, report).expect("written");
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
}
