//! What a command found or did, as plain values; [`text`] and [`json`] write it out.
//!
//! Only this module writes to standard output and standard error.

pub(crate) mod chart;
pub(crate) mod json;
pub(crate) mod ktap;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod person;
pub(crate) mod plot;
mod progress;
pub(crate) mod rates;
pub(crate) mod terminal;
mod text;
mod track;

pub(crate) use crate::printable::printable;

use crate::json::SCHEMA;
use crate::kernel::{Interruptible, standard_output_was_closed};
use crate::phc::DeviceName;
use crate::printable::printable_lines;
use crate::{Offset, Scale, Timestamp};
use progress::Progress;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::os::fd::AsFd;
use std::time::Duration;

/// Standard error, unbuffered. After a signal, a reader that has stopped reading doesn't keep the
/// program from ending.
pub(crate) fn standard_error() -> impl Write {
    Interruptible(io::stderr())
}

/// Standard output, to be polled for whether its reader has gone away.
pub(crate) fn standard_output() -> impl AsFd {
    io::stdout()
}

/// Whether both ends of a conversation are a terminal: standard input and standard output.
pub(crate) fn is_at_a_terminal() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

/// How many columns a chart of characters has: the terminal's, but at least 40 and at most 200.
pub(crate) fn terminal_width() -> usize {
    terminal::Terminal::size().0.clamp(40, 200)
}

/// A plain value, as JSON has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    /// A decimal number, exact in its text.
    Decimal(String),
    Text(String),
    List(Vec<Self>),
    /// In this order.
    Object(Vec<(&'static str, Self)>),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

macro_rules! from_integer {
    ($($integer:ty),*) => {
        $(impl From<$integer> for Value {
            fn from(value: $integer) -> Self {
                Self::Int(value.into())
            }
        })*
    };
}
from_integer!(i32, i64, u32, u64, i128);

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        i128::try_from(value).map_or(Self::Null, Self::Int)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl From<Offset> for Value {
    fn from(value: Offset) -> Self {
        Self::Int(value.nanoseconds().into())
    }
}

impl<S: Scale> From<Timestamp<S>> for Value {
    fn from(time: Timestamp<S>) -> Self {
        Self::Object(vec![
            ("seconds", time.seconds().into()),
            ("nanoseconds", time.nanoseconds().into()),
        ])
    }
}

/// One line of text, and the JSON keys that say the same.
#[derive(Debug)]
struct Row {
    label: &'static str,
    text: String,
    values: Vec<(&'static str, Value)>,
}

/// Lines of cells under headings, a JSON list of objects.
#[derive(Debug)]
pub(crate) struct Table {
    key: &'static str,
    columns: Vec<(&'static str, &'static str)>,
    lines: Vec<Vec<Cell>>,
    /// How many of the first cells identify a line.
    keys: usize,
    /// Whether a table wider than 80 columns is split even if it doesn't go to a terminal.
    is_narrow: bool,
}

/// A cell: what people read, and the JSON value.
pub(crate) type Cell = (String, Value);

impl Table {
    /// A table under a JSON key, with its columns' keys and headings.
    pub(crate) fn new(key: &'static str, columns: &[(&'static str, &'static str)]) -> Self {
        Self { key, columns: columns.to_vec(), lines: Vec::new(), keys: 1, is_narrow: false }
    }

    /// The same table, with at most 80 columns in a file, too: for tables of figures, whose lines
    /// nobody greps. The first `keys` cells identify a line.
    #[must_use]
    pub(crate) fn narrow(self, keys: usize) -> Self {
        Self { keys, is_narrow: true, ..self }
    }

    /// How many lines it has.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn line(&mut self, cells: Vec<Cell>) {
        self.lines.push(cells);
    }
}

/// What a command found or did.
#[derive(Debug, Default)]
pub(crate) struct Report {
    device: Option<DeviceName>,
    headline: Option<String>,
    rows: Vec<Row>,
    tables: Vec<Table>,
    notes: Vec<String>,
}

impl Report {
    /// A report on no clock in particular.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A report on this clock.
    pub(crate) fn on(name: &DeviceName) -> Self {
        Self { device: Some(name.clone()), ..Self::default() }
    }

    /// Sets the sentence that says what was done.
    #[must_use]
    pub(crate) fn headline(mut self, text: String) -> Self {
        self.headline = Some(text);
        self
    }

    /// Adds a line of text that is one JSON value.
    #[must_use]
    pub(crate) fn row(
        self,
        label: &'static str,
        text: impl Into<String>,
        key: &'static str,
        value: impl Into<Value>,
    ) -> Self {
        self.rows(label, text, vec![(key, value.into())])
    }

    /// Adds a line of text that is several JSON values.
    #[must_use]
    pub(crate) fn rows(
        mut self,
        label: &'static str,
        text: impl Into<String>,
        values: Vec<(&'static str, Value)>,
    ) -> Self {
        self.rows.push(Row { label, text: text.into(), values });
        self
    }

    /// Adds a JSON value that the text says elsewhere.
    #[must_use]
    pub(crate) fn value(self, key: &'static str, value: impl Into<Value>) -> Self {
        self.rows("", "", vec![(key, value.into())])
    }

    #[must_use]
    pub(crate) fn table(mut self, table: Table) -> Self {
        self.tables.push(table);
        self
    }

    /// Whether there is nothing to print, as after a stream.
    fn is_empty(&self) -> bool {
        self.device.is_none()
            && self.headline.is_none()
            && self.rows.is_empty()
            && self.tables.is_empty()
            && self.notes.is_empty()
    }

    /// Adds something to know about the result.
    #[must_use]
    pub(crate) fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }
}

/// Where reports go: standard output, as text or as JSON.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    /// Whether a line of a stream was printed: the first one has the version of the keys.
    has_begun: bool,
    to: BufWriter<StandardOutput>,
    progress: Progress,
}

/// Standard output, which may be closed.
#[derive(Debug)]
struct StandardOutput(Interruptible<Stdout>);

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if standard_output_was_closed() {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// For code that writes a format of its own, such as KTAP.
impl Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.progress.clear();
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            has_begun: false,
            to: BufWriter::new(StandardOutput(Interruptible(io::stdout()))),
            progress: Progress::new(),
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a report.
    pub(crate) fn report(&mut self, report: &Report) -> io::Result<()> {
        if report.is_empty() {
            return self.flush();
        }
        if self.json {
            json::write(&mut self.to, report)?;
        } else {
            let terminal = io::stdout().is_terminal().then(terminal_width);
            text::write(&mut self.to, report, terminal)?;
        }
        self.flush()
    }

    /// Prints one line of a stream; it is seen after [`Printer::flush`].
    pub(crate) fn line(&mut self, text: &str, object: &[(&'static str, Value)]) -> io::Result<()> {
        if !self.json {
            return writeln!(self.to, "{}", printable(text));
        }
        if std::mem::replace(&mut self.has_begun, true) {
            return json::write_object(&mut self.to, object);
        }
        let schema = [("schema", SCHEMA.into())];
        let object: Vec<_> = schema.into_iter().chain(object.iter().cloned()).collect();
        json::write_object(&mut self.to, &object)
    }

    /// Prints an object alone, as JSON.
    pub(crate) fn object(&mut self, object: &[(&'static str, Value)]) -> io::Result<()> {
        json::write_object(&mut self.to, object)?;
        self.flush()
    }

    /// Prints bytes as they are: a completion script.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        // Both may be one terminal.
        self.progress.clear();
        self.to.flush()
    }

    /// Shows the progress of a long operation, on a terminal: `text`, which gets the elapsed time.
    /// Other output replaces it.
    pub(crate) fn progress(&self, text: impl FnOnce(Duration) -> String) {
        self.progress.show(text);
    }

    /// Clears the progress line.
    pub(crate) fn end_progress(&self) {
        self.progress.clear();
    }

    /// Prints a note on standard error, beside the output.
    pub(crate) fn aside(&self, text: &str) {
        self.tell(&format!("note: {text}"), &[("note", text.into())]);
    }

    /// Prints an error on standard error. If that fails, the error is lost.
    pub(crate) fn error(&self, text: &str, object: &[(&'static str, Value)]) {
        self.tell(&format!("ptpctl: {text}"), object);
    }

    /// Prints lines on standard error as another program has them.
    pub(crate) fn plain_error(&self, text: &str) {
        self.progress.clear();
        let _ = standard_error().write_all(format!("{}\n", printable_lines(text)).as_bytes());
    }

    fn tell(&self, text: &str, object: &[(&'static str, Value)]) {
        let mut message = Vec::new();
        let _ = if self.json {
            json::write_object(&mut message, object)
        } else {
            writeln!(message, "{}", printable_lines(text))
        };
        self.progress.clear();
        let _ = standard_error().write_all(&message);
    }
}
