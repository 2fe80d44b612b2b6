//! The functions that the fuzz targets call. Compiled with `--cfg fuzzing` only.

use crate::kernel::uapi::{self, *};
use crate::kernel::{Calls, Result, Version, Wait};
use crate::measure::stability::{
    Evidence, Point, Points, Series, Steps, Terms, TimeErrors, masks, octaves, parse, series,
};
use crate::measure::{Gaps, Statistics};
use crate::phc::EventKind;
use crate::report::live::View;
use crate::report::plot;
use crate::report::terminal::Key;
use crate::watch::foreign::{Lines, Told as Line};
use crate::watch::record::Reader;
use crate::{Frequency, Offset, Phc};
use nix::errno::Errno;
use nix::poll::PollFd;
use std::cell::Cell;
use std::time::Duration;

/// Reads a text in every way in which the command reads what people write.
pub fn people(text: &str) {
    if let Ok(offset) = text.parse::<Offset>() {
        // It is printed with a blank before the unit, and read only without.
        let printed = offset.to_string().replace(' ', "");
        assert_eq!(printed.parse(), Ok(offset), "what is printed is read again");
    }
    if let Ok(frequency) = text.parse::<Frequency>() {
        let again = format!("{}ppb", frequency.ppb_text()).parse::<Frequency>();
        assert_eq!(again, Ok(frequency), "what is printed is read again");
    }
    crate::cli::read_everything(text);
    let _ = crate::find::open(&format!("no-such-clock-{text}"), crate::phc::Access::ReadOnly);
}

/// Reads a text as sysfs may have it.
pub fn sysfs(text: &str) {
    let phc = Phc::over(Box::new(Told { text: text.to_owned(), ..Told::default() }), "told");
    let _ = phc.name().to_string();
    let _ = phc.virtual_clocks();
    let _ = phc.caps();
    let _ = phc.set_virtual_clocks(1);
    crate::find::read_leap_seconds(text);
}

/// Reads bytes as a file of measurements, and does everything with them that the command can do.
pub fn record(bytes: &[u8]) {
    let Ok(mut reader) = Reader::of(std::io::Cursor::new(bytes)) else { return };
    let (mut view, mut picture) = (View::default(), plot::Offsets::default());
    picture.begin("a");
    view.begin("a".into(), Some(Duration::from_millis(1)));
    let mut points = Vec::new();
    let mut statistics = Statistics::default();
    while let Ok(Some(reading)) = reader.read() {
        view.take(0, &reading);
        picture.take(0, &reading);
        reading.enter(&mut statistics);
        let Some(one) = reading.outcome.measured() else { continue };
        let at = reading.at.total_nanoseconds();
        points.push(Point { at, offset: one.offset.into(), stepped: one.stepped });
        // What is written is read again.
        let mut line = Vec::new();
        crate::watch::record::write(&mut line, &reading, true).expect("written");
        let again = Reader::of(std::io::Cursor::new(line)).expect("opened").read();
        let again = again.expect("read").expect("a reading");
        assert_eq!(
            (again.at, again.outcome.measured().map(|one| one.offset)),
            (reading.at, Some(one.offset))
        );
    }
    let _ = (statistics.mean(), statistics.deviation(), statistics.rate());
    for _ in 0..3 {
        let _ = view.draw(80, 24).lines(true);
        view.press(Key::Character('-'), 136);
    }
    let _ = plot::Picture::Offsets(picture).text(80);
    for steps in [Steps::Keep, Steps::Remove, Steps::Split] {
        let Some(series) = series(&points.iter().copied().collect(), steps) else { continue };
        let _ = series.all_deviations(&octaves(series.places()));
        let _ = series.trend();
        let mut errors = TimeErrors::default();
        for point in &points {
            errors.add(point.offset, None);
        }
        let evidence = Evidence { series: &series, errors: &errors, noise: None };
        for mask in masks() {
            let _ = mask.judge(&evidence, Terms::default());
        }
    }
}

/// Reads a text as masks, and as another program's file.
pub fn files(text: &str) {
    if let Ok(masks) = parse(text) {
        let series = Series::even(100_000_000, (0..200).map(|place| place % 7));
        let errors = TimeErrors::default();
        let evidence = Evidence { series: &series, errors: &errors, noise: Some(1.0) };
        for mask in masks {
            let _ = mask.judge(&evidence, Terms { symmetric: true, partial: true });
        }
    }
    let mut lines = Lines::default();
    let mut points = Points::default();
    for (place, line) in (0..).zip(text.lines()) {
        if let Line::Offset(entry) | Line::Frequency(entry) = lines.take(line) {
            let at = entry.at.unwrap_or(place);
            points.push(Point { at, offset: entry.offset, stepped: entry.stepped });
        }
    }
    if let Some(series) = series(&points, Steps::Remove) {
        let _ = series.all_deviations(&octaves(series.places()));
    }
}

/// Reads a text as a script of `mock run`, and as a file of `apply`.
pub fn script(text: &str) {
    let _ = text.parse::<crate::supervise::Script>();
    if let Ok(all) = crate::apply::declared(text) {
        let again = crate::apply::declared(&crate::apply::text(&all));
        assert_eq!(again, Ok(all), "what is written is read again");
    }
}

/// Reads bytes as a recording of calls, and plays it.
pub fn replay(bytes: &[u8]) {
    for exact in [false, true] {
        let Some(mock) = crate::mock::Mock::playing(bytes, exact) else { continue };
        for _ in 0..3 {
            let _ = mock.clock_gettime();
            let _ = mock.getcaps(Version::V2);
            let _ = mock.sys_offset(Version::V1, &mut uapi::sys_offset(5));
            let _ = mock.sys_offset_extended(Version::V1, &mut uapi::sys_offset_extended(25, 0));
            let _ = mock.sys_offset_precise(Version::V1);
            let _ = mock.clock_adjtime(&mut uapi::timex());
            let mut pin = uapi::pin_desc(0, 0, 0);
            let _ = mock.pin_getfunc(Version::V1, &mut pin);
            let on = ptp_extts_request { index: 0, flags: 3, rsv: [0; 2] };
            let _ = mock.extts_request(Version::V1, &on);
            mock.pass(Duration::from_secs(2));
            let _ = mock.wait(&[], Duration::from_secs(1));
            let _ = mock.clock_settime(&timespec { tv_sec: 5, tv_nsec: 0 });
        }
    }
}

/// Reads bytes as the kernel's events.
pub fn events(bytes: &[u8]) {
    let told = Told { events: bytes.to_vec(), ..Told::default() };
    let phc = Phc::over(Box::new(told), "told");
    let (mut events, mut gaps) = (Vec::new(), Gaps::default());
    let mut last = None;
    for _ in 0..=bytes.len() / size_of::<ExttsEvent>() {
        if phc.read_events(&mut events).is_err() {
            continue;
        }
        for event in &events {
            if let EventKind::Time(time) = event.kind {
                let _ = gaps.next(time.total_nanoseconds());
                let _ = last.replace(time).and_then(|last| time.since(last));
                let _ = time.to_string();
            }
        }
    }
}

/// A clock that answers what it was told to.
#[derive(Default)]
struct Told {
    text: String,
    events: Vec<u8>,
    at: Cell<usize>,
}

impl Told {
    fn next(&self) -> Option<ExttsEvent> {
        let from = self.at.get();
        self.at.set(from + size_of::<ExttsEvent>());
        let bytes = self.events.get(from..from + size_of::<ExttsEvent>())?;
        let word = |at: usize| -> [u8; 4] {
            bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).unwrap_or_default()
        };
        let [a, b, c, d] = word(0);
        let [e, f, g, h] = word(4);
        let t =
            clock_time(i64::from_ne_bytes([a, b, c, d, e, f, g, h]), u32::from_ne_bytes(word(8)));
        let of = |at| u32::from_ne_bytes(word(at));
        Some(ExttsEvent { t, index: of(16), flags: of(20), rsv: [of(24), of(28)] })
    }
}

impl Calls for Told {
    fn clock_gettime(&self) -> Result<timespec> {
        Err(Errno::EOPNOTSUPP)
    }
    fn getcaps(&self, _: Version) -> Result<ptp_clock_caps> {
        Ok(ptp_clock_caps { adjust_phase: 1, ..uapi::clock_caps() })
    }
    fn read(&self, events: &mut [ExttsEvent]) -> Result<usize> {
        let mut number = 0;
        for event in events {
            let Some(next) = self.next() else { break };
            *event = next;
            number += 1;
        }
        Ok(number)
    }
    fn wait(&self, _: &[PollFd<'_>], _: Duration) -> Result<Wait> {
        Ok(Wait::Events)
    }
    fn attribute(&self, _: &str) -> Result<String> {
        Ok(self.text.clone())
    }
    fn set_attribute(&self, _: &str, _: &str) -> Result<()> {
        Ok(())
    }
    fn virtual_clocks(&self) -> Result<Vec<String>> {
        Ok(self.text.lines().map(str::to_owned).collect())
    }
}
