//! Measurements in files: JSON lines, plain or compressed, that can be added to.

use super::source::{Label, Measurement};
use crate::phc::Method;
use crate::{Offset, Timestamp, Unknown};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// How a file is compressed: its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Gzip,
    Zstandard,
}

impl Form {
    fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstandard,
            _ => Self::Plain,
        }
    }

    /// Whether a file is empty or begins as one of this form does.
    fn begins(self, path: &Path) -> io::Result<bool> {
        let mark: &[u8] = match self {
            Self::Plain => b"{",
            Self::Gzip => &[0x1f, 0x8b],
            Self::Zstandard => &[0x28, 0xb5, 0x2f, 0xfd],
        };
        let mut begin = Vec::new();
        File::open(path)?.take(4).read_to_end(&mut begin)?;
        let common = begin.len().min(mark.len());
        Ok(begin.get(..common) == mark.get(..common))
    }

    /// Adds to a file what will be compressed.
    fn writer(self, file: File) -> io::Result<Writer> {
        Ok(match self {
            Self::Plain => Writer::Plain(BufWriter::new(file)),
            Self::Gzip => Writer::Gzip(GzEncoder::new(file, Compression::default())),
            Self::Zstandard => Writer::Zstandard(zstd::Encoder::new(file, 0)?),
        })
    }

    fn reader<'a>(self, from: impl Read + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
        let file = BufReader::with_capacity(1 << 16, from);
        Ok(match self {
            Self::Plain => Box::new(file),
            Self::Gzip => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file))),
            Self::Zstandard => {
                Box::new(BufReader::with_capacity(1 << 16, zstd::Decoder::with_buffer(file)?))
            }
        })
    }
}

enum Writer {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<File>),
    Zstandard(zstd::Encoder<'static, File>),
}

/// Adds measurements to a file.
pub(crate) struct Recorder {
    to: Writer,
}

impl Recorder {
    /// Opens a file to add to it, or makes it.
    ///
    /// What is there stays. Where its end was cut off, as by a machine that lost power, what can
    /// be read of it is kept: behind a plain line that is no whole one a new line begins, a
    /// compressed file is written anew first. Answers how many lines that were cut were met.
    pub(crate) fn append(path: &Path) -> io::Result<(Self, usize)> {
        let form = Form::of(path);
        let mut cut = 0;
        // Whatever else it is, it isn't added to.
        let mut reader = match File::open(path) {
            Ok(file) if file.metadata()?.is_file() => Some(Reader::of(path, file)?),
            _ => None,
        };
        let first = reader.as_mut().map(Reader::next).transpose();
        let damaged = reader.is_some_and(|reader| reader.damaged > 0);
        // What was cut off before its first line has ended begins like one at least.
        let is_other = matches!(first, Ok(Some(None))) && !form.begins(path)?;
        if first.is_err() || damaged || is_other {
            let why = "it is there, and no recording: name another file";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        match form {
            Form::Plain => cut += usize::from(end_last_line(path)?),
            Form::Gzip | Form::Zstandard => cut += usize::from(restore(path, form)?),
        }
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok((Self { to: form.writer(file)? }, cut))
    }

    /// Brings what was written so far into the file.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        self.flush()
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self.to {
            Writer::Plain(mut to) => to.flush(),
            Writer::Gzip(to) => to.finish().map(drop),
            Writer::Zstandard(to) => to.finish().map(drop),
        }
    }
}

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            Writer::Plain(to) => to.write(bytes),
            Writer::Gzip(to) => to.write(bytes),
            Writer::Zstandard(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            Writer::Plain(to) => to.flush(),
            Writer::Gzip(to) => to.flush(),
            Writer::Zstandard(to) => to.flush(),
        }
    }
}

/// Ends the last line of a plain file where it isn't.
fn end_last_line(path: &Path) -> io::Result<bool> {
    use std::io::{Seek, SeekFrom};
    let mut file = match OpenOptions::new().read(true).append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    // What is no file, as a pipe, has no end.
    if !file.metadata()?.is_file() || file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(false);
    }
    file.write_all(b"\n")?;
    Ok(true)
}

/// Writes a compressed file anew where its end was cut off.
fn restore(path: &Path, form: Form) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    if !file.metadata()?.is_file() || file.metadata()?.len() == 0 {
        return Ok(false);
    }
    match io::copy(&mut form.reader(file)?, &mut io::sink()) {
        Ok(_) => return Ok(false),
        Err(error) if is_cut(&error) => {}
        Err(error) => return Err(error),
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".restored");
    let beside = PathBuf::from(name);
    let mut to = Recorder { to: form.writer(File::create_new(&beside)?)? };
    let mut from = form.reader(File::open(path)?)?;
    let mut line = Vec::new();
    // What can't be read any more is the end; a part of a line is no line.
    while from.read_until(b'\n', &mut line).is_ok() && line.ends_with(b"\n") {
        to.write_all(&line)?;
        line.clear();
    }
    to.finish()?;
    std::fs::rename(&beside, path)?;
    Ok(true)
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) label: Label,
    /// In nanoseconds of UTC.
    pub(crate) at: i128,
    /// A measurement, or why there is none.
    pub(crate) outcome: Result<Measurement, String>,
}

/// Reads measurements from a file.
pub(crate) struct Reader<'a> {
    from: Box<dyn BufRead + 'a>,
    line: Vec<u8>,
    /// How many lines were no measurements, and are left out.
    pub(crate) damaged: u64,
    /// Whether the end was cut off.
    pub(crate) cut: bool,
}

/// No line is longer than this.
const LONGEST_LINE: u64 = 1 << 16;

impl<'a> Reader<'a> {
    /// Opens a file; `-` is standard input.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Self::of(path, io::stdin());
        }
        Self::of(path, File::open(path)?)
    }

    /// Reads what a file of this name would have.
    pub(crate) fn of(path: &Path, from: impl Read + 'a) -> io::Result<Self> {
        let from = Form::of(path).reader(from)?;
        Ok(Self { from, line: Vec::new(), damaged: 0, cut: false })
    }

    /// The next measurement; `None` at the end.
    ///
    /// # Errors
    ///
    /// What reading the file answers, unless its compressed end was cut off.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            self.line.clear();
            match (&mut self.from).take(LONGEST_LINE).read_until(b'\n', &mut self.line) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if is_cut(&error) => {
                    self.cut = true;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
            let whole = self.line.ends_with(b"\n");
            match serde_json::from_slice(&self.line) {
                Ok(line) => return Ok(Some(line)),
                Err(_) if self.line.iter().all(u8::is_ascii_whitespace) => {}
                Err(_) if whole => self.damaged += 1,
                Err(_) => self.cut = true,
            }
        }
    }
}

/// Whether a compressed file ends too early.
fn is_cut(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// Reads the members of a line; those that it doesn't know, it leaves out.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Line;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a measurement")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
        use serde::de::Error;
        let mut label = Label::default();
        let (mut at, mut offset, mut lost) = (None, None, None);
        let (mut bound, mut delay, mut method) = (None, None, None);
        let mut stepped = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "device" => label.device = map.next_value()?,
                "clock_name" => label.clock_name = map.next_value()?,
                "reference" => label.reference = map.next_value()?,
                "at" => at = Some(map.next_value::<At>()?.0),
                "offset_ns" => offset = map.next_value::<Option<i64>>()?,
                "bound_ns" => bound = map.next_value::<Option<i64>>()?,
                "delay_ns" => delay = map.next_value::<Option<i64>>()?,
                "method" => method = map.next_value::<Option<String>>()?,
                "stepped" => stepped = map.next_value::<Option<bool>>()?.unwrap_or_default(),
                "lost" => lost = map.next_value::<Option<String>>()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let at = at.ok_or_else(|| A::Error::missing_field("at"))?;
        let outcome = match (offset, lost) {
            (_, Some(why)) => Err(why),
            (Some(offset), None) => {
                let method = method.as_deref().unwrap_or_default();
                let known = Method::ALL.into_iter().find(|known| known.to_string() == method);
                if bound.is_some_and(|bound| bound < 0) || delay.is_some_and(|delay| delay < 0) {
                    return Err(A::Error::custom("a bound or a delay is negative"));
                }
                let nanoseconds = |value: Option<i64>| value.map(Offset::from_nanoseconds);
                Ok(Measurement {
                    at,
                    offset: Offset::from_nanoseconds(offset),
                    bound: nanoseconds(bound),
                    delay: nanoseconds(delay),
                    method: known.unwrap_or(Method::Basic),
                    stepped,
                    failed: None,
                })
            }
            (None, None) => return Err(A::Error::missing_field("offset_ns")),
        };
        Ok(Line { label, at, outcome })
    }
}

/// A time as JSON has it, in nanoseconds.
struct At(i128);

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = At;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<At, A::Error> {
                use serde::de::Error;
                let (mut seconds, mut nanoseconds) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "seconds" => seconds = Some(map.next_value::<i64>()?),
                        "nanoseconds" => nanoseconds = Some(map.next_value::<u32>()?),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                seconds
                    .zip(nanoseconds)
                    .and_then(|(seconds, part)| Timestamp::<Unknown>::new(seconds, part))
                    .map(|time| At(time.total_nanoseconds()))
                    .ok_or_else(|| A::Error::custom("it is no time"))
            }
        }
        deserializer.deserialize_map(Parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: i64) -> String {
        format!(
            "{{\"device\":\"/dev/ptp0\",\"reference\":\"realtime\",\"at\":{{\"seconds\":{second},\
             \"nanoseconds\":5}},\"offset_ns\":7,\"method\":\"extended\",\"new\":[1]}}\n"
        )
    }

    fn seconds(path: &Path) -> (Vec<i128>, u64, bool) {
        let mut reader = Reader::open(path).expect("opened");
        let mut seconds = Vec::new();
        while let Some(line) = reader.next().expect("read") {
            assert_eq!(line.outcome.expect("an offset").offset.nanoseconds(), 7);
            seconds.push(line.at / 1_000_000_000);
        }
        (seconds, reader.damaged, reader.cut)
    }

    fn each_form(name: &str, check: impl Fn(&Path)) {
        for extension in ["jsonl", "gz", "zst"] {
            let file = format!("ptpctl-record-{name}-{}.{extension}", std::process::id());
            let path = std::env::temp_dir().join(file);
            let _ = std::fs::remove_file(&path);
            check(&path);
            let _ = std::fs::remove_file(&path);
        }
    }

    fn add(path: &Path, lines: &[String]) -> usize {
        let (mut recorder, cut) = Recorder::append(path).expect("opened");
        for line in lines {
            recorder.write_all(line.as_bytes()).expect("written");
        }
        recorder.finish().expect("finished");
        cut
    }

    #[test]
    fn what_is_added_is_read_after_what_was_there() {
        each_form("added", |path| {
            assert_eq!(add(path, &[line(1), line(2)]), 0);
            assert_eq!(add(path, &[line(3)]), 0);
            assert_eq!(seconds(path), (vec![1, 2, 3], 0, false));
        });
    }

    #[test]
    fn a_file_whose_end_was_cut_off_is_read_up_to_there_and_can_be_added_to() {
        each_form("cut", |path| {
            let many: Vec<_> = (1..=2_000).map(line).collect();
            add(path, &many);
            let whole = std::fs::read(path).expect("read");
            std::fs::write(path, &whole[..=whole.len() * 2 / 3]).expect("cut");
            let (read, damaged, cut) = seconds(path);
            assert!(read.len() < 2_000 && damaged == 0 && cut, "{} {damaged}", read.len());
            assert_eq!(add(path, &[line(7)]), 1);
            let (after, _, _) = seconds(path);
            assert_eq!((&after[..read.len()], after.last()), (&read[..], Some(&7)));
        });
    }

    #[test]
    fn what_is_no_measurement_is_counted_and_left_out() {
        each_form("damaged", |path| {
            add(path, &[line(1), "{\"at\":5}\n".into(), "\n".into(), "x\n".into(), line(2)]);
            assert_eq!(seconds(path), (vec![1, 2], 2, false));
        });
    }

    #[test]
    fn what_is_no_recording_is_left_alone() {
        each_form("other", |path| {
            for other in ["root:x:0:0\n".repeat(50), "hi".into()] {
                std::fs::write(path, &other).expect("written");
                assert!(Recorder::append(path).is_err(), "{other}");
                assert_eq!(std::fs::read_to_string(path).expect("read"), other);
            }
        });
    }

    #[test]
    fn what_was_saved_is_there_before_the_file_is_ended() {
        each_form("saved", |path| {
            let (mut recorder, _) = Recorder::append(path).expect("opened");
            recorder.write_all(line(1).as_bytes()).expect("written");
            recorder.save().expect("saved");
            std::mem::forget(recorder);
            let (read, _, _) = seconds(path);
            assert_eq!(read, [1]);
        });
    }
}
