//! Tables of a TOML file that people write: each key must be known, and a mistake is told with its line.

use std::fmt;
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(crate) type Result<T> = std::result::Result<T, TableError>;

/// What is wrong with a file, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableError {
    line: usize,
    why: String,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// Reads a file's text, whose top has these keys.
///
/// # Errors
///
/// What is wrong: text that isn't TOML, a key that isn't known, or what `read` finds.
pub(crate) fn read<T>(
    source: &str,
    known: &[&str],
    read: impl FnOnce(&Table<'_>) -> Result<T>,
) -> Result<T> {
    let text = Text(source);
    let root = DeTable::parse(source);
    let root = match &root {
        Ok(root) => root,
        Err(error) => return text.refuse(error.span().map_or(0, |at| at.start), error.message()),
    };
    read(&Table::new(text, root.get_ref(), 0, known)?)
}

/// The text of a file, to tell lines.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

impl Text<'_> {
    /// Refuses what is at a byte.
    fn refuse<T>(self, at: usize, why: impl Into<String>) -> Result<T> {
        Err(TableError { line: self.line(at), why: why.into() })
    }

    /// The line of a byte.
    fn line(self, at: usize) -> usize {
        self.0.get(..at).unwrap_or_default().matches('\n').count() + 1
    }
}

/// A table, whose keys are all known.
pub(crate) struct Table<'a> {
    text: Text<'a>,
    of: &'a DeTable<'a>,
    at: usize,
}

/// A value of a table.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    text: Text<'a>,
    pub(crate) key: &'a str,
    pub(crate) value: &'a DeValue<'a>,
    at: usize,
}

impl<'a> Table<'a> {
    fn new(text: Text<'a>, table: &'a DeTable<'a>, at: usize, known: &[&str]) -> Result<Self> {
        match table.keys().find(|key| !known.contains(&&**key.get_ref())) {
            Some(key) => text.refuse(
                key.span().start,
                format!(
                    "there is no key '{}' here: the keys are {}",
                    key.get_ref(),
                    known.join(", ")
                ),
            ),
            None => Ok(Self { text, of: table, at }),
        }
    }

    pub(crate) fn get(&self, key: &'a str) -> Option<Found<'a>> {
        let value = self.of.get(key)?;
        let (at, value) = (value.span().start, value.get_ref());
        Some(Found { text: self.text, key, value, at })
    }

    /// The line on which it begins.
    pub(crate) fn line(&self) -> usize {
        self.text.line(self.at)
    }

    pub(crate) fn refuse<T>(&self, why: impl Into<String>) -> Result<T> {
        self.text.refuse(self.at, why)
    }

    /// All keys and their values.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Found<'a>> + use<'a> {
        let text = self.text;
        self.of.iter().map(move |(key, value)| Found {
            text,
            key: key.get_ref(),
            value: value.get_ref(),
            at: value.span().start,
        })
    }

    /// The tables of an array, such as `[[at]]`.
    pub(crate) fn tables(&self, key: &'a str, known: &[&str]) -> Result<Vec<Table<'a>>> {
        let Some(found) = self.get(key) else { return Ok(Vec::new()) };
        if found.value.is_table() {
            return found.refuse(format!("there can be several: write [[{key}]]"));
        }
        let tables = found.array()?.into_iter().map(|item| match item.value {
            DeValue::Table(table) => Table::new(item.text, table, item.at, known),
            _ => item.refuse(format!("it is a table: [[{key}]]")),
        });
        tables.collect()
    }
}

impl<'a> Found<'a> {
    pub(crate) fn refuse<T>(self, why: impl AsRef<str>) -> Result<T> {
        self.text.refuse(self.at, format!("{}: {}", self.key, why.as_ref()))
    }

    pub(crate) fn string(self) -> Result<&'a str> {
        match self.value {
            DeValue::String(text) => Ok(text),
            _ => self.refuse("it is text, in quotes"),
        }
    }

    /// A quantity, which has a unit.
    pub(crate) fn quantity<T: FromStr>(self, such_as: &str) -> Result<T>
    where
        T::Err: ToString,
    {
        match self.value {
            DeValue::String(_) => self.parsed(),
            _ => self.refuse(format!("it has a unit, and is in quotes: \"{such_as}\"")),
        }
    }

    pub(crate) fn parsed<T: FromStr>(self) -> Result<T>
    where
        T::Err: ToString,
    {
        self.string()?.parse().or_else(|why: T::Err| self.refuse(why.to_string()))
    }

    pub(crate) fn number(self) -> Result<u64> {
        let number = match self.value {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        number.map_or_else(|| self.refuse("it is a whole number, without quotes"), Ok)
    }

    /// `true`; a key with `false` says nothing that could be meant.
    pub(crate) fn is_true(self) -> Result<()> {
        match self.value {
            DeValue::Boolean(true) => Ok(()),
            _ => self.refuse("it can only be true"),
        }
    }

    pub(crate) fn boolean(self) -> Result<bool> {
        match self.value {
            DeValue::Boolean(value) => Ok(*value),
            _ => self.refuse("it is true or false"),
        }
    }

    /// The keys and values of a table whose keys are names.
    pub(crate) fn entries(self, such_as: &str) -> Result<Vec<Found<'a>>> {
        match self.value {
            DeValue::Table(of) => {
                Ok(Table { text: self.text, of, at: self.at }.entries().collect())
            }
            _ => self.refuse(format!("it is a table: {such_as}")),
        }
    }

    pub(crate) fn array(self) -> Result<Vec<Found<'a>>> {
        let DeValue::Array(array) = self.value else { return self.refuse("it is a list, in []") };
        let items = array.iter().map(|item: &Spanned<DeValue<'a>>| Found {
            value: item.get_ref(),
            at: item.span().start,
            ..self
        });
        Ok(items.collect())
    }
}
