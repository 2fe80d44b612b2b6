//! The mock's state in a file, so that it lasts across calls.

use super::chip::{Chip, Output};
use super::core::MOST_VIRTUAL_CLOCKS;
use super::oscillator::{PARTS, Random};
use super::time::Time;
use super::{MockError, World};
use crate::Frequency;
use crate::files::{self, Identity, Replacement};
use crate::kernel;
use nix::errno::Errno;
use serde_json::{Map, Value, json};
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The version of the file's form.
const FORM: u64 = 1;
/// The longest that a valid file can be.
const LONGEST: u64 = 1 << 20;

/// Identifies what is in the state file, by its inode and the time of its last change: each writer
/// replaces the file.
type Seen = (u64, i64, i64);

fn seen(found: &Metadata) -> Seen {
    (found.ino(), found.mtime(), found.mtime_nsec())
}

/// A state file.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// What the file contained when it was last read, until it is locked.
    found: Option<Value>,
    /// Which file that was.
    seen: Option<Seen>,
    /// Keeps other writers away.
    lock: Option<File>,
}

impl StateFile {
    /// Opens the file and returns its content. With `write` the file is made where there is none,
    /// and locked against other writers; otherwise this happens when something has to be written.
    pub(super) fn open(path: &Path, write: bool) -> Result<(Self, Option<Value>), MockError> {
        let refuse = |why: Unusable| MockError::State { path: path.to_owned(), why: why.text };
        // A link is followed now, even where it leads to no file yet: the file that it leads to is
        // the one that is written.
        let path = files::resolved(path).map_err(|error| refuse(error.into()))?;
        let (lock, seen, found) = if write {
            let (file, found) = lock(&path).map_err(refuse)?;
            (Some(file), None, found)
        } else {
            let (seen, found) = look(&path).map_err(refuse)?;
            (None, seen, found)
        };
        Ok((Self { path, found: found.clone(), seen, lock }, found))
    }

    /// Its content, where another process has written it since it was read; `None` while it is
    /// locked.
    pub(super) fn changed(&mut self) -> Option<Value> {
        let now = fs::metadata(&self.path).ok().map(|found| seen(&found));
        if self.lock.is_some() || now.is_none() || now == self.seen {
            return None;
        }
        // A file that can't be read leaves the clock as it is; the next open reports it.
        let (seen, found) = look(&self.path).ok()?;
        (self.seen, self.found) = (seen, found);
        self.found.clone()
    }

    /// Whether this process has locked it, and may write it at once.
    pub(super) fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// Replaces the file with a new one, as a whole or not at all.
    pub(super) fn write(&mut self, state: &Value) -> kernel::Result<()> {
        let lock = if let Some(file) = self.lock.take() {
            file
        } else {
            // Another process may have written the file since it was read.
            let (file, found) = lock(&self.path).map_err(|why| why.errno)?;
            if found != self.found {
                return Err(Errno::EBUSY);
            }
            file
        };
        let replace = || -> io::Result<File> {
            let new = Replacement::of(&self.path)?;
            new.file().lock()?;
            new.file().write_all(format!("{state:#}\n").as_bytes())?;
            new.file().set_permissions(lock.metadata()?.permissions())?;
            new.take_its_place()
        };
        match replace() {
            Ok(file) => {
                self.lock = Some(file);
                Ok(())
            }
            Err(error) => {
                self.lock = Some(lock);
                Err(Unusable::from(error).errno)
            }
        }
    }
}

/// Why a state file can't be used.
struct Unusable {
    errno: Errno,
    text: String,
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
        Self { errno, text: kernel::in_words(&error) }
    }
}

/// Opens a regular file; anything else could block, or would be replaced by a regular file.
fn open_regular(path: &Path, options: &OpenOptions) -> Result<File, Unusable> {
    let file = files::open(path, options, libc::O_NONBLOCK)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(Unusable { errno: Errno::EINVAL, text: "it is no regular file".into() })
    }
}

/// Reads the file, where there is one.
fn look(path: &Path) -> Result<(Option<Seen>, Option<Value>), Unusable> {
    match open_regular(path, OpenOptions::new().read(true)) {
        Ok(file) => Ok((Some(seen(&file.metadata()?)), parse(&file)?)),
        Err(why) if why.errno == Errno::ENOENT => Ok((None, None)),
        Err(why) => Err(why),
    }
}

/// Makes the file where there is none, locks it and reads it.
fn lock(path: &Path) -> Result<(File, Option<Value>), Unusable> {
    loop {
        let file = open_regular(
            path,
            OpenOptions::new().read(true).write(true).create(true).truncate(false),
        )?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = "another process is writing it: try again later".into();
                return Err(Unusable { errno: Errno::EBUSY, text });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Another writer may have put a new file in this one's place before the lock.
        if Identity::of(path)? == Identity::of_found(&file.metadata()?) {
            let found = parse(&file)?;
            return Ok((file, found));
        }
    }
}

/// The content of the file; `None` where it is empty.
fn parse(file: &File) -> Result<Option<Value>, Unusable> {
    let damaged = |why: String| {
        let text = format!("it is damaged and was left alone: {why}");
        Unusable { errno: Errno::EINVAL, text }
    };
    let mut text = String::new();
    let read = file.take(LONGEST + 1).read_to_string(&mut text);
    match read.map_err(|error| damaged(kernel::in_words(&error)))? {
        0 => Ok(None),
        _ => serde_json::from_str(&text).map(Some).map_err(|error| damaged(error.to_string())),
    }
}

/// The state to keep of a mock.
pub(super) fn of(world: &World) -> Value {
    let chip = &world.chip;
    let outputs: Map<String, Value> = chip
        .outputs
        .iter()
        .map(|(channel, output)| {
            let Output { start, period, width, one_shot } = output;
            let kept = json!([start.to_string(), period.to_string(), width.to_string(), one_shot]);
            (channel.to_string(), kept)
        })
        .collect();
    let inputs: Map<String, Value> =
        chip.inputs.iter().map(|(channel, flags)| (channel.to_string(), json!(flags))).collect();
    let pins: Vec<_> = world.pins.iter().map(|pin| json!([pin.func, pin.chan])).collect();
    json!({
        "form": FORM,
        "profile": world.config.profile.name,
        "virtual_now": world.time.is_virtual().then(|| world.time.latest().to_string()),
        "system_step": world.time.step.to_string(),
        "random": world.random.0,
        "birth": chip.birth.to_string(),
        "anchor_at": chip.anchor.0.to_string(),
        "anchor_parts": chip.anchor.1.to_string(),
        "dialled": chip.dialled,
        "phase_register": chip.phase.register,
        "phase_since": chip.phase.since.to_string(),
        "outputs": outputs,
        "inputs": inputs,
        "pins": pins,
        "pps": chip.pps,
        "virtual_clocks": world.virtual_clocks,
    })
}

/// Puts a kept state into a mock.
pub(super) fn restore(world: &mut World, kept: &Value) -> Result<(), String> {
    let profile = kept.get("profile").and_then(Value::as_str).ok_or_else(|| damaged("profile"))?;
    if kept.get("form").and_then(Value::as_u64) != Some(FORM) {
        return Err(damaged("form"));
    }
    if profile != world.config.profile.name {
        return Err(format!("it is the state of mock:{profile}"));
    }
    match (world.config.virtual_time, kept.get("virtual_now")) {
        (true, Some(Value::String(_))) => {
            world.time = Time::starting_virtual(big(kept, "virtual_now")?);
        }
        (false, Some(Value::Null)) => {}
        (_, None) => return Err(damaged("virtual_now")),
        (true, _) => return Err("it was kept without time=virtual".into()),
        (false, _) => return Err("it was kept with time=virtual".into()),
    }
    world.time.step = big(kept, "system_step")?;
    world.random =
        Random(kept.get("random").and_then(Value::as_u64).ok_or_else(|| damaged("random"))?);
    let chip = &mut world.chip;
    chip.birth = big(kept, "birth")?;
    chip.anchor = (big(kept, "anchor_at")?, parts(kept, "anchor_parts")?);
    chip.dialled = number(kept, "dialled")?;
    let limit = Frequency::from_ppb(world.config.profile.max_adj(world.config.kernel)).scaled_ppm();
    if !(-limit..=limit).contains(&chip.dialled) {
        return Err(damaged("dialled"));
    }
    chip.phase.register = number(kept, "phase_register")?;
    if i32::try_from(chip.phase.register).is_err() {
        return Err(damaged("phase_register"));
    }
    chip.phase.since = big(kept, "phase_since")?;
    chip.pps = kept.get("pps").and_then(Value::as_bool).ok_or_else(|| damaged("pps"))?;
    restore_channels(chip, kept)?;
    let pins = kept.get("pins").and_then(Value::as_array).ok_or_else(|| damaged("pins"))?;
    if pins.len() != world.pins.len() {
        return Err(damaged("pins"));
    }
    for (pin, kept) in world.pins.iter_mut().zip(pins) {
        let part = |index: usize| {
            let number = kept.get(index).and_then(Value::as_u64);
            number.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| damaged("pins"))
        };
        (pin.func, pin.chan) = (part(0)?, part(1)?);
    }
    let clocks = u32::try_from(number(kept, "virtual_clocks")?).ok();
    let clocks = clocks.filter(|clocks| *clocks <= MOST_VIRTUAL_CLOCKS);
    world.virtual_clocks = clocks.ok_or_else(|| damaged("virtual_clocks"))?;
    let now = world.time.now();
    world.emitted = (now, world.chip.shows(now));
    Ok(())
}

fn restore_channels(chip: &mut Chip, kept: &Value) -> Result<(), String> {
    chip.outputs.clear();
    for (channel, kept) in object(kept, "outputs")? {
        let part = |index: usize| {
            let text = kept.get(index).and_then(Value::as_str)?;
            text.parse::<i128>().ok().filter(|value| value.unsigned_abs() < LARGEST)
        };
        let output = (|| {
            let one_shot = kept.get(3)?.as_bool()?;
            Some(Output { start: part(0)?, period: part(1)?, width: part(2)?, one_shot })
        })();
        let output = output.filter(Output::is_valid).ok_or_else(|| damaged("outputs"))?;
        chip.outputs.insert(channel.parse().map_err(|_| damaged("outputs"))?, output);
    }
    chip.inputs.clear();
    for (channel, flags) in object(kept, "inputs")? {
        let flags = flags.as_u64().and_then(|flags| u32::try_from(flags).ok());
        let channel = channel.parse().map_err(|_| damaged("inputs"))?;
        chip.inputs.insert(channel, flags.ok_or_else(|| damaged("inputs"))?);
    }
    Ok(())
}

/// Beyond every time that a clock can show, in nanoseconds.
const LARGEST: u128 = 1 << 64;

fn damaged(field: &str) -> String {
    format!("it is damaged and was left alone: '{field}' is missing or wrong")
}

/// A time or a span of time.
fn big(kept: &Value, field: &str) -> Result<i128, String> {
    let text = kept.get(field).and_then(Value::as_str);
    text.and_then(|text| text.parse().ok())
        .filter(|value: &i128| value.unsigned_abs() < LARGEST)
        .ok_or_else(|| damaged(field))
}

/// A time in parts of a nanosecond.
fn parts(kept: &Value, field: &str) -> Result<i128, String> {
    let text = kept.get(field).and_then(Value::as_str);
    text.and_then(|text| text.parse().ok())
        .filter(|value: &i128| (value / PARTS).unsigned_abs() < LARGEST)
        .ok_or_else(|| damaged(field))
}

fn number(kept: &Value, field: &str) -> Result<i64, String> {
    kept.get(field).and_then(Value::as_i64).ok_or_else(|| damaged(field))
}

fn object<'a>(kept: &'a Value, field: &str) -> Result<&'a Map<String, Value>, String> {
    kept.get(field).and_then(Value::as_object).ok_or_else(|| damaged(field))
}
