//! The flags of testptp, as its users write them.

use crate::Offset;
use crate::phc::{PinFunction, SystemClock};
use std::fmt::Write as _;

/// A flag: what testptp does for it, and what ptpctl's own command line has instead.
struct Flag {
    letter: char,
    /// What its value is called; empty for a flag without a value.
    value: &'static str,
    does: &'static str,
    /// The line of ptpctl for it.
    line: &'static str,
    /// What is different here.
    differs: &'static str,
}

const fn flag(
    letter: char,
    value: &'static str,
    does: &'static str,
    line: &'static str,
    differs: &'static str,
) -> Flag {
    Flag { letter, value, does, line, differs }
}

/// All flags, in the order of the alphabet.
const FLAGS: [Flag; 27] = [
    flag('c', "", "show what the clock can do", "caps", ""),
    flag(
        'd',
        "CLOCK",
        "the clock, else /dev/ptp0",
        "the last argument",
        "CLOCK can be named as for ptpctl, and can be a mock. A device that is no PTP hardware \
         clock isn't opened.",
    ),
    flag(
        'e',
        "N",
        "print N external timestamps; with a negative N, all that come",
        "extts --count N",
        "Ctrl-C and SIGTERM, too, switch the timestamps off again.",
    ),
    flag('E', "EDGES", "the edges to stamp: 1 rising, 2 falling, 3 both", "extts --edge both", ""),
    flag(
        'f',
        "PPB",
        "dial the frequency",
        "adjfreq 10ppb",
        "The frequency is rounded to the nearest step of the kernel, not toward 0. One beyond the \
         clock's limit is refused before the call.",
    ),
    flag(
        'F',
        "CHANNEL",
        "receive the events of one channel only, and wait for a key",
        "extts --only --channel 1",
        "",
    ),
    flag('g', "", "show the clock's time", "get", ""),
    flag('h', "", "print this", "--help", "The text is ptpctl's."),
    flag('H', "NS", "the phase of the output of -p", "perout --phase 0ns", ""),
    flag('i', "N", "the channel of -e, -L, -p and -z, else 0", "--channel N", ""),
    flag(
        'k',
        "N",
        "print N readings between two system times, at most 25",
        "offset --method basic --raw",
        "A failed call prints no samples.",
    ),
    flag('l', "", "list the pins", "pins", ""),
    flag(
        'L',
        "PIN,FUNCTION",
        "give a pin a function: 0 none, 1 external timestamps, 2 periodic output, 3 PHY",
        "pin 1 perout --channel 0",
        "A pin or a channel that the clock doesn't have is refused before the call.",
    ),
    flag('n', "NS", "step the clock, with -t", "adjtime 500ns", "It can have 64 bits."),
    flag(
        'o',
        "NS",
        "hand a phase offset to the clock's phase control",
        "adjphase 500ns",
        "An offset beyond 32 bits or beyond the clock's limit, or for a clock without phase \
         control, is refused before the call. -o 0 writes nothing, as in testptp, and says so.",
    ),
    flag(
        'p',
        "NS",
        "put out a signal with this period; 0 ends it",
        "perout --period 1s",
        "A kernel or driver that doesn't take a phase gets a start with that phase, with a note. A \
         channel that the clock doesn't have is refused before the call.",
    ),
    flag('P', "0|1", "switch PPS to the kernel off or on", "pps on", ""),
    flag(
        'r',
        "",
        "open the clock for reading only",
        "",
        "What only looks opens the clock for reading only without it, too.",
    ),
    flag('s', "", "set the clock from the system clock", "set now", ""),
    flag(
        'S',
        "",
        "set the system clock from the clock",
        "set-system",
        "The system clock is moved by the measured offset. A clock that is unset, or that doesn't \
         show UTC within a second of the system clock, is refused: testptp would set the system \
         clock 37 s wrong from one that keeps TAI.",
    ),
    flag('t', "SECONDS", "step the clock, with -n", "adjtime 5s", "It can have 64 bits."),
    flag('T', "SECONDS", "set the clock", "set @1700000000", "It can be after 2038."),
    flag('w', "NS", "the width of the pulses of -p", "perout --pulse-width 100ms", ""),
    flag('x', "N", "print N extended samples, at most 25", "offset --method extended --raw", ""),
    flag('X', "", "print a cross timestamp", "offset --method precise --raw", ""),
    flag(
        'y',
        "CLOCK",
        "the system clock of -x: realtime, monotonic or monotonic-raw",
        "offset --clock monotonic",
        "",
    ),
    flag(
        'z',
        "",
        "try flags of external timestamps",
        "selftest",
        "A call that succeeds is always shown as Success, not with the error of an earlier call.",
    ),
];

/// The text for `-h`, and after a call with wrong flags.
pub(super) fn usage() -> String {
    let mut text = String::from("usage: testptp [FLAG]...\n");
    for Flag { letter, value, does, .. } in &FLAGS {
        let flag = format!("-{letter} {value}");
        let _ = writeln!(text, "  {flag:<16} {does}");
    }
    text + "This is ptpctl under the name of testptp: see ptpctl-testptp(1)\n"
}

/// The flags as a list for the manual.
pub(in crate::cli) fn page() -> String {
    let mut text = String::new();
    for Flag { letter, value, does, line, differs } in &FLAGS {
        let space = if value.is_empty() { "" } else { " " };
        let _ = write!(text, "\n\n-{letter}{space}{value}  {does}");
        if !line.is_empty() {
            let _ = write!(text, ". In ptpctl: {line}");
        }
        if !differs.is_empty() {
            let _ = write!(text, ". {differs}");
        }
    }
    text
}

/// What a call of testptp asks for.
#[derive(Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct Asked {
    pub(super) caps: bool,
    pub(super) device: Option<String>,
    pub(super) events: i64,
    pub(super) edges: u32,
    pub(super) frequency: Option<i32>,
    pub(super) only_channel: Option<u32>,
    pub(super) time: bool,
    pub(super) help: bool,
    pub(super) phase: Option<Offset>,
    pub(super) channel: u32,
    pub(super) samples: Option<i64>,
    pub(super) pins: bool,
    pub(super) pin: Option<(u32, PinFunction)>,
    pub(super) step: Offset,
    pub(super) step_seconds: i64,
    pub(super) phase_offset: Option<Offset>,
    pub(super) period: Option<Offset>,
    pub(super) pps: Option<bool>,
    pub(super) read_only: bool,
    pub(super) set: Option<Set>,
    pub(super) pulse_width: Option<Offset>,
    pub(super) extended: Option<usize>,
    pub(super) cross: bool,
    pub(super) clock: Option<SystemClock>,
    pub(super) flag_test: bool,
    /// What belongs to no flag.
    pub(super) stray: Vec<String>,
}

/// Which clock is set, and from what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    FromSystem,
    System,
    To(i64),
}

/// Why a call can't be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Misread {
    /// testptp can't read the flags, either, and answers with its usage.
    Flags(String),
    /// testptp refuses it in these words.
    Refused(String),
    /// testptp would read something else.
    Doubtful(String),
}

/// How many samples a call returns at most.
pub(super) const MOST_SAMPLES: i64 = 25;

/// Reads the arguments as `getopt` does: flags can be put together (`-cg`), and a value can follow
/// its flag at once (`-d/dev/ptp1`). The last one of several counts.
///
/// Refuses what testptp would read as something else: a number with more behind it or beyond its
/// bits, and an argument without a flag, unless it is a number and nothing is to be changed.
pub(super) fn read(words: &[String]) -> Result<Asked, Misread> {
    let mut asked = Asked::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(mut letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            asked.stray.push(word.clone());
            continue;
        };
        if letters == "-" {
            asked.stray.extend(words.cloned());
            break;
        }
        while let Some(letter) = letters.chars().next() {
            letters = letters.get(letter.len_utf8()..).unwrap_or_default();
            let Some(flag) = FLAGS.iter().find(|flag| flag.letter == letter) else {
                return Err(Misread::Flags(format!("invalid option -- '{letter}'")));
            };
            if letter == 'h' {
                return Ok(Asked { help: true, ..Asked::default() });
            }
            if flag.value.is_empty() {
                asked.set_flag(letter);
                continue;
            }
            let value =
                if letters.is_empty() { words.next().map(String::as_str) } else { Some(letters) };
            let Some(value) = value else {
                return Err(Misread::Flags(format!("option requires an argument -- '{letter}'")));
            };
            asked.set_value(letter, value)?;
            break;
        }
    }
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let matters = |word: &&String| asked.changes() || !is_number(word);
    match asked.stray.iter().find(matters) {
        Some(word) => {
            Err(Misread::Doubtful(format!("'{word}' belongs to no flag; -d names the clock")))
        }
        None => Ok(asked),
    }
}

impl Asked {
    fn set_flag(&mut self, letter: char) {
        match letter {
            'c' => self.caps = true,
            'g' => self.time = true,
            'l' => self.pins = true,
            'r' => self.read_only = true,
            's' => self.set = Some(Set::FromSystem),
            'S' => self.set = Some(Set::System),
            'X' => self.cross = true,
            _ => self.flag_test = true,
        }
    }

    fn set_value(&mut self, letter: char, value: &str) -> Result<(), Misread> {
        let number = || number(letter, value);
        let offset = || number().map(Offset::from_nanoseconds);
        let natural = || {
            let number = number()?;
            u32::try_from(number).map_err(|_| {
                Misread::Doubtful(format!("-{letter} {value}: it can't be negative or so large"))
            })
        };
        let length = || {
            let length = offset()?;
            if length < Offset::ZERO {
                return Err(Misread::Doubtful(format!("-{letter} {value}: it can't be negative")));
            }
            Ok(length)
        };
        match letter {
            'd' => self.device = Some(value.to_owned()),
            'e' => self.events = number()?,
            // testptp takes the lowest two bits, which are in this order in the kernel, too.
            'E' => self.edges = u32::try_from(number()? & 3).unwrap_or(0) << 1,
            'f' => self.frequency = Some(frequency(number()?)?),
            'F' => self.only_channel = Some(natural()?),
            'H' => self.phase = Some(length()?),
            'i' => self.channel = natural()?,
            'k' => self.samples = Some(number()?),
            'L' => self.pin = Some(pin(value)?),
            'n' => self.step = offset()?,
            'o' => self.phase_offset = Some(offset()?),
            'p' => self.period = Some(length()?),
            'P' => self.pps = Some(natural()? != 0),
            't' => self.step_seconds = number()?,
            'T' => self.set = Some(Set::To(number()?)),
            'w' => self.pulse_width = Some(length()?),
            'x' => self.extended = Some(samples(number()?)?),
            _ => self.clock = Some(clock(value)?),
        }
        Ok(())
    }

    /// Whether something on a clock is to be changed, which needs write access.
    pub(super) fn changes(&self) -> bool {
        self.frequency.is_some()
            || self.step != Offset::ZERO
            || self.step_seconds != 0
            || self.phase_offset.is_some_and(|offset| offset != Offset::ZERO)
            || matches!(self.set, Some(Set::FromSystem | Set::To(_)))
            || self.pin.is_some()
            || self.events != 0
            || self.flag_test
            || self.period.is_some()
            || self.pps.is_some()
    }
}

/// A whole number, as `atoi` reads it where it reads all of the text.
fn number(letter: char, text: &str) -> Result<i64, Misread> {
    let number = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    number.parse().map_err(|_| {
        Misread::Doubtful(format!("-{letter} {text}: it is no whole number, or it is too large"))
    })
}

fn frequency(ppb: i64) -> Result<i32, Misread> {
    i32::try_from(ppb)
        .map_err(|_| Misread::Doubtful(format!("-f {ppb}: no clock has so large a frequency")))
}

fn samples(number: i64) -> Result<usize, Misread> {
    let few = usize::try_from(number).ok().filter(|_| (1..=MOST_SAMPLES).contains(&number));
    few.ok_or_else(|| {
        Misread::Refused(format!(
            "number of extended timestamp samples must be between 1 and {MOST_SAMPLES}; was asked \
             for {number}"
        ))
    })
}

fn clock(name: &str) -> Result<SystemClock, Misread> {
    let told = name.to_ascii_lowercase();
    ["realtime", "monotonic", "monotonic-raw"]
        .contains(&told.as_str())
        .then(|| told.parse().ok())
        .flatten()
        .ok_or_else(|| {
            Misread::Refused(format!(
                "type needs to be realtime, monotonic or monotonic-raw; was given {name}"
            ))
        })
}

/// A pin and its function: `1,2`.
fn pin(text: &str) -> Result<(u32, PinFunction), Misread> {
    let wrong =
        || Misread::Flags(format!("-L {text}: a pin and a function are wanted, as in -L 0,2"));
    let (pin, function) = text.split_once(',').ok_or_else(wrong)?;
    let natural = |text| number('L', text).ok().and_then(|number| u32::try_from(number).ok());
    let pin = natural(pin).ok_or_else(wrong)?;
    Ok((pin, PinFunction::from_kernel(natural(function).ok_or_else(wrong)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Asked, Misread> {
        read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_are_read_as_getopt_reads_them() {
        let device = Some("/dev/ptp1".to_owned());
        for line in ["-cgd /dev/ptp1", "-cgd/dev/ptp1", "-c -g -d /dev/ptp1", "-d x -gcd/dev/ptp1"]
        {
            let told = asked(line).expect(line);
            assert_eq!(
                told,
                Asked { caps: true, time: true, device: device.clone(), ..Asked::default() }
            );
        }
        assert_eq!(asked("-t -5 -n+7").expect("numbers").step_seconds, -5);
        assert_eq!(asked("-L0,2").expect("a pin").pin, Some((0, PinFunction::Perout)));
        assert_eq!(asked("-E 7").expect("edges").edges, 6);
    }

    #[test]
    fn what_testptp_would_misread_is_refused() {
        for line in [
            "-o abc",
            "-f 1e9",
            "-p 1e9",
            "-p 0x10",
            "-p 1s",
            "-o 5x",
            "-f 4294967296",
            "-L 0,2x",
            "-L x,2",
            "-L -1,2",
            "-i -1",
            "-w -5",
            "-T 99999999999999999999",
            "/dev/ptp1 -g",
            "-g eth0",
            "-s 1700000000",
            "-T 5 -- x",
            "-o",
            "-q",
            "--help",
            "-x 0",
            "-x 26",
            "-y tai",
            "-o ",
        ] {
            assert!(asked(line).is_err(), "{line}");
        }
    }

    #[test]
    fn an_argument_without_a_flag_is_passed_over_where_it_does_no_harm() {
        let told = asked("-d mock -X 0").expect("a cross timestamp");
        assert!(told.cross);
        assert_eq!(told.stray, ["0"]);
        assert_eq!(asked("-g -- 5").expect("the time").stray, ["5"]);
        assert!(asked("-h -x 26 -q").expect("help").help);
    }

    #[test]
    fn only_what_changes_a_clock_needs_write_access() {
        for line in ["-c", "-g", "-l", "-k 5", "-x 5", "-X", "-S", "-F 1", "-o 0", "-t 0 -n 0"] {
            assert!(!asked(line).expect(line).changes(), "{line}");
        }
        for line in
            ["-f 0", "-t 1", "-n 1", "-o 1", "-s", "-T 0", "-L 0,0", "-e 1", "-z", "-p 0", "-P 0"]
        {
            assert!(asked(line).expect(line).changes(), "{line}");
        }
    }

    #[test]
    fn every_flag_is_in_the_help_and_in_the_page() {
        for Flag { letter, .. } in &FLAGS {
            assert!(usage().contains(&format!("\n  -{letter} ")), "{letter}");
            assert!(page().contains(&format!("\n\n-{letter} ")), "{letter}");
        }
    }
}
