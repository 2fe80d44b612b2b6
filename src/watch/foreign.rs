//! Other programs' recordings: offsets from their logs and files, a line at a time.
//!
//! The form of a file is recognised by its content. Each program has its own meaning and sign of an
//! offset; here each becomes clock − reference, like all offsets.

mod chrony;
mod columns;
mod events;
mod linuxptp;
mod number;

pub(crate) use columns::{Columns, GAPS_ARE_ZERO, RATE_TIMES_DISTANCE, Unit};

use crate::{FineOffset, Offset};
use std::fmt;

/// An offset from another program's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The clock, as the file names it.
    pub(crate) device: String,
    /// What it is measured against.
    pub(crate) reference: String,
    /// When, in nanoseconds; `None` where the file has no times: then offsets
    /// come at even distances.
    pub(crate) at: Option<i128>,
    /// Clock − reference.
    pub(crate) offset: FineOffset,
    /// It is off by this at most, where the file says so.
    pub(crate) bound: Option<Offset>,
    /// Whether the clock was stepped since the one before.
    pub(crate) stepped: bool,
    /// Whether the file has it the other way round, reference − clock.
    pub(crate) turned: bool,
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// An offset.
    Offset(Entry),
    /// A summary of several offsets, which isn't an offset itself: the largest of them, in
    /// nanoseconds, where the line has it.
    Summary(Option<i64>),
    /// A frequency; the caller sums them up to offsets.
    Frequency(Entry),
    /// A headline, a comment, or another message of the program.
    Nothing,
    /// A line that fits neither the form of the lines before nor any other.
    Other,
    /// An empty line among values, one of which may be missing.
    Empty,
}

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Lines of phc2sys, ptp4l or ts2phc: from a terminal, syslog or the journal.
    LinuxPtp,
    /// chronyd's refclocks.log.
    Refclocks,
    /// chronyd's tracking.log.
    Tracking,
    /// chronyd's statistics.log.
    Statistics,
    /// Columns with names.
    Table,
    /// Numbers: Stable32, allantools and the like.
    Numbers,
    /// `TimeLab`'s .tim.
    TimeLab,
    /// External timestamps, as ptpctl prints them.
    Events,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LinuxPtp => "a log of phc2sys, ptp4l or ts2phc",
            Self::Refclocks => "chronyd's refclocks.log",
            Self::Tracking => "chronyd's tracking.log",
            Self::Statistics => "chronyd's statistics.log",
            Self::Table => "a table with named columns",
            Self::Numbers => "columns of numbers",
            Self::TimeLab => "TimeLab's .tim",
            Self::Events => "events of ptpctl extts, the clock less the signal",
        })
    }
}

/// Reads lines of another program's file.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    form: Option<Form>,
    columns: Columns,
    table: columns::Table,
    steps: linuxptp::Steps,
    events: events::Events,
}

impl Lines {
    /// Reads columns as `columns` says; other forms don't need it.
    pub(crate) fn new(columns: Columns) -> Self {
        Self { columns, ..Self::default() }
    }

    /// The form, once a line has told it.
    pub(crate) const fn form(&self) -> Option<Form> {
        self.form
    }

    /// How far apart the offsets are in nanoseconds, where the file says so.
    pub(crate) const fn distance(&self) -> Option<u64> {
        self.table.distance
    }

    /// Why the lines can't be read, where that is known.
    pub(crate) fn trouble(&self) -> Option<&'static str> {
        self.table.trouble.or_else(|| self.events.trouble())
    }

    /// Whether times without a unit are assumed to be in seconds, or in the unit that they look
    /// like.
    pub(crate) const fn supposes_times(&self) -> bool {
        self.table.supposes_times
    }

    /// The unit that is assumed, where neither the file nor the user gives one.
    pub(crate) const fn supposed(&self) -> Option<Unit> {
        self.table.supposed
    }

    /// Takes the next line.
    pub(crate) fn take(&mut self, line: &str) -> Told {
        let line = line.trim_end();
        // Programs on Windows begin a text with a byte order mark.
        let line = if self.form.is_none() { line.trim_start_matches('\u{feff}') } else { line };
        if line.trim_start().is_empty() {
            let is_value = matches!(self.form, Some(Form::Numbers | Form::TimeLab | Form::Table));
            return if is_value { Told::Empty } else { Told::Nothing };
        }
        let form = match self.form {
            Some(form) => form,
            None => match form_of(line) {
                Some(form) => *self.form.insert(form),
                None => return self.table.comment(line),
            },
        };
        match form {
            Form::LinuxPtp => self.steps.take(line),
            Form::Refclocks => self.or_banner(line, chrony::refclock(line)),
            Form::Tracking => self.or_banner(line, chrony::tracking(line)),
            Form::Statistics => self.or_banner(line, chrony::statistics(line)),
            Form::Table => self.table.row(line, &self.columns),
            Form::Numbers => self.table.numbers(line, &self.columns),
            Form::TimeLab => self.table.timelab(line),
            Form::Events => self.events.take(line, self.columns.interval),
        }
    }

    /// chronyd writes its headlines again and again.
    fn or_banner(&self, line: &str, told: Told) -> Told {
        let is_banner = || form_of(line) == self.form || line.starts_with('=');
        if told == Told::Other && is_banner() { Told::Nothing } else { told }
    }
}

/// The form that a line shows; `None` for a comment, and for a line of no known form.
fn form_of(line: &str) -> Option<Form> {
    let text = line.trim_start();
    if linuxptp::is_line(line) {
        return Some(Form::LinuxPtp);
    }
    if text.starts_with("Date (UTC) Time") {
        let has = |name| text.contains(name);
        return match () {
            () if has("Raw offset") => Some(Form::Refclocks),
            () if has("Freq ppm") => Some(Form::Tracking),
            () if has("Est offset") => Some(Form::Statistics),
            () => None,
        };
    }
    if events::is_line(text) {
        return Some(Form::Events);
    }
    if text.starts_with("TIM ") {
        return Some(Form::TimeLab);
    }
    if text.starts_with(['#', '%', ';', '=', '!', '{', '[']) {
        return None;
    }
    if columns::is_head(text) {
        return Some(Form::Table);
    }
    columns::is_numbers(text).then_some(Form::Numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> (Option<Form>, Vec<Told>) {
        let mut lines = Lines::default();
        let told = text.lines().map(|line| lines.take(line)).collect();
        (lines.form(), told)
    }

    /// Device, reference, time in ms, offset in ps and whether it was turned.
    fn entries(text: &str) -> Vec<(String, String, Option<i128>, i128, bool)> {
        let (_, told) = all(text);
        let entry = |told: Told| match told {
            Told::Offset(entry) => Some((
                entry.device,
                entry.reference,
                entry.at.map(|at| at / 1_000_000),
                entry.offset.attoseconds() / 1_000_000,
                entry.turned,
            )),
            _ => None,
        };
        told.into_iter().filter_map(entry).collect()
    }

    fn entry(
        device: &str,
        reference: &str,
        at: Option<i128>,
        ps: i128,
        turned: bool,
    ) -> (String, String, Option<i128>, i128, bool) {
        (device.into(), reference.into(), at, ps, turned)
    }

    #[test]
    fn phc2sys_has_the_system_clock_less_the_phc_or_a_phc_less_the_system_clock() {
        let text = "phc2sys[3500.289]: CLOCK_REALTIME phc offset         4 s2 freq   -6181 delay   1948\n\
                    phc2sys[3501.290]: reconfiguring after port state change\n\
                    phc2sys[3520.289]: eth0 sys offset       -12 s2 freq   +6181 delay   1948\n\
                    phc2sys[3521.5]: CLOCK_REALTIME rms   12 max   25 freq  -6160 +/-   8 delay  1950 +/-  11\n";
        let expected = [
            entry("phc", "realtime", Some(3_500_289), -4_000, true),
            entry("eth0", "realtime", Some(3_520_289), -12_000, false),
        ];
        assert_eq!(entries(text), expected);
        let (form, told) = all(text);
        assert_eq!((form, &told[3]), (Some(Form::LinuxPtp), &Told::Summary(Some(25))));
        assert_eq!(told[1], Told::Nothing);
    }

    #[test]
    fn linuxptp_is_read_from_syslog_and_the_journal() {
        let expected = [entry("phc", "realtime", Some(202_588_984), -4_000, true)];
        for line in [
            "Mar 17 16:10:00 gm2 phc2sys: [202588.984] CLOCK_REALTIME phc offset         4 s2 freq   +1286 delay  36000",
            "Mar 17 16:10:00 gm2 phc2sys[811]: [202588.984] CLOCK_REALTIME phc offset 4 s2 freq +1286 delay 36000",
            "2023-11-14T22:13:20+0000 gm2 phc2sys[811]: [202588.984:2] CLOCK_REALTIME phc offset 4 s2 freq +1286 delay 36000",
            "phc2sys[202588.984]: [gm.0.cfg] CLOCK_REALTIME phc offset 4 s2 freq +1286 delay 36000",
        ] {
            assert_eq!(entries(line), expected, "{line}");
        }
        assert_eq!(
            entries(
                "ptp4l[2000.818]: master offset         -4 s2 freq  -52625 path delay       381"
            ),
            [entry("ptp4l", "master", Some(2_000_818), -4_000, false)]
        );
        assert_eq!(
            entries("ts2phc[581761.261]: eth0 master offset          4 s2 freq   +1288"),
            [entry("eth0", "master", Some(581_761_261), 4_000, false)]
        );
        assert_eq!(
            entries("ts2phc[581761.261]: /dev/ptp0 offset          4 s2 freq   +1288"),
            [entry("/dev/ptp0", "reference", Some(581_761_261), 4_000, false)]
        );
    }

    #[test]
    fn a_servo_that_jumps_has_stepped_the_clock() {
        let (_, told) = all("ptp4l[1.0]: master offset 500000 s0 freq +0 path delay 381\n\
             ptp4l[2.0]: master offset 500100 s1 freq +100 path delay 381\n\
             ptp4l[3.0]: master offset 12 s2 freq +100 path delay 381\n\
             ptp4l[4.0]: master offset 11 s2 freq +100 path delay 381\n");
        let stepped = |told: &Told| matches!(told, Told::Offset(entry) if entry.stepped);
        assert_eq!(told.iter().map(stepped).collect::<Vec<_>>(), [false, false, true, false]);
    }

    #[test]
    fn chronyd_has_seconds_with_an_exponent() {
        let text = "==========\n   Date (UTC) Time         Refid  DP L P  Raw offset   Cooked offset      Disp.\n==========\n\
            2023-11-14 22:13:20.123456 PHC0    0 N 1  4.000000e-09  5.000000e-09  1.000e-07\n\
            2023-11-14 22:13:21.123456 PPS1    1 N 1  -3.7500e-08  -3.700000e-08  1.000e-07\n\
            2023-11-14 22:13:22.123456 PPS1    - N -       -       -3.700000e-08  1.000e-07\n";
        let start = 1_700_000_000_123;
        assert_eq!(
            entries(text),
            [
                entry("PHC0", "realtime", Some(start), 4_000, false),
                entry("PPS1", "realtime", Some(start + 1_000), -37_500, false)
            ]
        );
        let text = "   Date (UTC) Time     IP Address   St   Freq ppm   Skew ppm     Offset L Co  Offset sd Rem. corr. Root delay Root disp. Max. error\n\
            2023-11-14 22:13:20 PHC0             1     18.127      0.013  4.000e-09 N  1  1.2e-08  1.0e-09  1.0e-09  1.1e-06  1.2e-06\n";
        assert_eq!(
            entries(text),
            [entry("PHC0", "realtime", Some(1_700_000_000_000), -4_000, true)]
        );
        let text = "   Date (UTC) Time     IP Address    Std dev'n Est offset  Offset sd  Diff freq   Est skew  Stress  Ns  Bs  Nr  Asym\n\
            2023-11-14 22:13:20 PHC0              4.000e-08  4.000e-09  1.200e-08  1.100e-09  3.200e-08 1.0e+00  16   0   8  0.00\n\
            what is this\n";
        assert_eq!(
            entries(text),
            [entry("PHC0", "realtime", Some(1_700_000_000_000), -4_000, true)]
        );
        assert_eq!(all(text).1[2], Told::Other);
    }

    #[test]
    fn columns_are_known_by_their_names() {
        let start = 1_700_000_000_000;
        for text in [
            "time_s,offset_ns\n1700000000,-4.5\n",
            "seq,wall_ns,phc_ns,sysmid_ns,offset_ns,bracket_ns\n0,1700000000000000000,17,17,-4.5,900\n",
            "t;phase [ps]\n1700000000;-4500\n",
            "t;offset (us)\n1700000000,0;-0,0045\n",
            "t;offset (us)\n2023-11-14T22:13:20.000Z;-0,0045\n",
            "timestamp\toffset (s)\n1700000000.000\t-4.5e-9\n",
            "time,offset_us\n2023-11-14T22:13:20Z,-0.0045\n",
        ] {
            assert_eq!(
                entries(text),
                [entry("offsets", "reference", Some(start), -4_500, false)],
                "{text}"
            );
        }
        assert_eq!(all("a,b\n1,2\n").1[1], Told::Other, "no column is an offset");
    }

    #[test]
    fn numbers_are_whole_nanoseconds_or_seconds_with_an_exponent() {
        assert_eq!(
            entries("4\n50\n"),
            [
                entry("offsets", "reference", None, 4_000, false),
                entry("offsets", "reference", None, 50_000, false)
            ]
        );
        let text =
            "# phase in seconds, one value a line, tau = 0.5 s\n 4.000000000e-09\n-3.7e-08\n";
        assert_eq!(
            entries(text),
            [
                entry("offsets", "reference", None, 4_000, false),
                entry("offsets", "reference", None, -37_000, false)
            ]
        );
        assert_eq!(
            entries("1.0 4e-9\n2.0 5e-9\n"),
            [
                entry("offsets", "reference", Some(1_000), 4_000, false),
                entry("offsets", "reference", Some(2_000), 5_000, false)
            ]
        );
        let mut lines = Lines::default();
        text.lines().for_each(|line| {
            lines.take(line);
        });
        assert_eq!((lines.form(), lines.distance()), (Some(Form::Numbers), Some(500_000_000)));
    }

    #[test]
    fn timelab_has_a_head_with_its_unit_and_rate() {
        let text =
            "TIM 1.0\nSCR 1\nTRA 0\nRAT 2.0\nMUL 1E-9\nPER 1\n4.000000000000\n-37.500000000000\n";
        assert_eq!(
            entries(text),
            [
                entry("offsets", "reference", None, 4_000, false),
                entry("offsets", "reference", None, -37_500, false)
            ]
        );
        let mut lines = Lines::default();
        text.lines().for_each(|line| {
            lines.take(line);
        });
        assert_eq!((lines.form(), lines.distance()), (Some(Form::TimeLab), Some(500_000_000)));
    }

    #[test]
    fn a_column_and_a_unit_can_be_told() {
        let columns = Columns {
            column: Some("b".into()),
            unit: Some(Unit::Seconds(-12)),
            ..Columns::default()
        };
        let mut lines = Lines::new(columns);
        assert_eq!(lines.take("a,b"), Told::Nothing);
        let Told::Offset(entry) = lines.take("7,1500") else { panic!("no offset") };
        assert_eq!((entry.at, entry.offset.attoseconds()), (None, 1_500_000_000));
        let columns = Columns { column: Some("3".into()), ..Columns::default() };
        let Told::Offset(entry) = Lines::new(columns).take("7 8 9") else { panic!("no offset") };
        assert_eq!(entry.offset.attoseconds(), 9_000_000_000);
        let columns = Columns { unit: Some(Unit::Frequency(-9)), ..Columns::default() };
        let Told::Frequency(entry) = Lines::new(columns).take("25") else { panic!("none") };
        assert_eq!(entry.offset.attoseconds(), 25_000_000_000, "of a second");
    }

    proptest::proptest! {
        #[test]
        fn any_lines_are_something(
            lines in proptest::collection::vec("(phc2sys\\[[0-9.]{0,9}\\]: )?[-A-Za-z0-9#=., e+:\\[\\]|µ]{0,60}", 0..8),
        ) {
            let mut reader = Lines::default();
            for line in lines {
                let _ = reader.take(&line);
            }
        }
    }
}
