//! What is told of clocks as metrics: each with its name, its unit and what it is.

use crate::find::{Kind as Nature, Listed};
use crate::report::metrics::{Kind, Label, Metric, Metrics, Number, text_of};
use crate::watch::fleet::{Fleet, Known, Member, Moment, SYSTEM, Track};
use crate::{Offset, Timestamp};
use std::collections::HashMap;

/// Defines metrics, and the list of all.
macro_rules! metrics {
    ($($id:ident: $kind:ident $name:literal, $help:literal;)*) => {
        $(static $id: Metric = Metric { name: $name, kind: Kind::$kind, help: $help };)*

        /// All metrics, in the order in which a page has them.
        pub(in crate::cli::commands) static ALL: &[&Metric] = &[$(&$id),*];
    };
}

metrics! {
    BUILD: Gauge "ptpctl_build_info",
        "The version of ptpctl; 1.";
    MEASURED_AT: Gauge "ptpctl_last_round_timestamp_seconds",
        "When the clocks were read last: it stands still if reading a clock hangs.";
    INFO: Gauge "ptpctl_clock_info",
        "What a clock is; 1. It stays when the clock is absent.";
    PRESENT: Gauge "ptpctl_clock_present",
        "1 while the clock is there, 0 while it is absent.";
    ABSENCES: Counter "ptpctl_clock_absences_total",
        "How often the clock went away.";
    DEVICE: Gauge "ptpctl_clock_device_number",
        "N of the clock's device, /dev/ptpN.";
    OFFSET: Gauge "ptpctl_clock_offset_seconds",
        "The clock less its reference; positive where the clock is ahead.";
    TIME_ERROR: Gauge "ptpctl_clock_time_error_seconds",
        "The offset less the whole seconds of the clock's time scale, and of its reference's; all of the offset where the clock keeps no scale.";
    BOUND: Gauge "ptpctl_clock_offset_bound_seconds",
        "The offset is off by this at most; missing where that can't be told.";
    UNCERTAINTY: Gauge "ptpctl_clock_offset_uncertainty_seconds",
        "The standard deviation of the offset.";
    DELAY: Gauge "ptpctl_clock_delay_seconds",
        "The time between the system times of the best sample.";
    RATE: Gauge "ptpctl_clock_rate_ratio",
        "How fast the offset grew on average over the last ten measurements, in seconds per second; missing after a step.";
    RATE_BOUND: Gauge "ptpctl_clock_rate_bound_ratio",
        "That average is off by this at most.";
    WHEN: Gauge "ptpctl_clock_measured_timestamp_seconds",
        "When the offset was measured.";
    READINGS: Counter "ptpctl_clock_readings_total",
        "Readings of the clock while it was there.";
    MISSES: Counter "ptpctl_clock_misses_total",
        "Readings that failed.";
    STEPS: Counter "ptpctl_clock_steps_total",
        "Readings that found a step of the clock or of its reference.";
    AHEAD_OF_UTC: Gauge "ptpctl_clock_utc_offset_seconds",
        "The whole seconds that the clock is ahead of UTC: 0 on UTC, TAI - UTC on TAI, 19 less on GPS time; missing where it keeps none of them within half a second.";
    UNSET: Gauge "ptpctl_clock_unset",
        "1 where the clock shows a time before 1980: nobody has set it.";
    FREQUENCY: Gauge "ptpctl_clock_frequency_ratio",
        "The frequency offset that is dialled, in seconds per second.";
    MOST_FREQUENCY: Gauge "ptpctl_clock_frequency_limit_ratio",
        "The largest frequency offset that can be dialled, either way.";
    MOST_PHASE: Gauge "ptpctl_clock_phase_limit_seconds",
        "The largest phase offset that the clock accepts, either way.";
    PINS: Gauge "ptpctl_clock_pins", "Programmable pins.";
    EXTTS: Gauge "ptpctl_clock_extts_channels", "Channels for external timestamps.";
    PEROUT: Gauge "ptpctl_clock_perout_channels", "Channels for periodic outputs.";
    VIRTUAL: Gauge "ptpctl_clock_virtual_clocks",
        "Virtual clocks on the clock, which runs freely below them.";
    OPEN: Gauge "ptpctl_clock_open_processes",
        "Other processes that have the clock open, by program; missing where not all processes may be looked at.";
    TRANSMIT: Gauge "ptpctl_interface_transmit_timestamps",
        "Which sent packets get hardware timestamps: the kernel's number HWTSTAMP_TX; 0 is none.";
    RECEIVE: Gauge "ptpctl_interface_receive_timestamps",
        "Which received packets get hardware timestamps: the kernel's number HWTSTAMP_FILTER; 0 is none, 1 is all.";
}

/// What an earlier page has that a new one goes on from: values by their names and labels.
#[derive(Debug, Default)]
pub(super) struct Earlier(HashMap<String, String>);

impl Earlier {
    /// Reads the counters of a page, which clocks were there, and how far they were off.
    pub(super) fn read(page: &str) -> Self {
        let kept =
            [&ABSENCES, &READINGS, &MISSES, &STEPS, &PRESENT, &OFFSET, &BOUND, &WHEN, &BUILD];
        let value = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            let metric = name.split('{').next()?;
            kept.iter().any(|kept| kept.name == metric).then_some(())?;
            Some((name.to_owned(), value.to_owned()))
        };
        Self(page.lines().filter_map(value).collect())
    }

    /// Whether there is such a page, or no page at all.
    pub(super) fn is_sound(&self) -> bool {
        self.0.keys().any(|name| name.starts_with(BUILD.name))
    }

    /// The clocks, in the order of their labels.
    pub(super) fn clocks(&self) -> Vec<Known> {
        let clock = |(name, value): (&String, &String)| {
            let label =
                name.strip_prefix(PRESENT.name)?.strip_prefix("{clock=\"")?.strip_suffix("\"}")?;
            let label = unescaped(label);
            let last = self.last(&label);
            Some(Known { label, was_there: value == "1", last })
        };
        let mut clocks: Vec<_> = self.0.iter().filter_map(clock).collect();
        clocks.sort_by(|one, other| one.label.cmp(&other.label));
        clocks
    }

    /// How far a clock was off the system clock.
    fn last(&self, clock: &str) -> Option<Moment> {
        let labels = [("clock", clock.to_owned()), ("reference", SYSTEM.to_owned())];
        let of = |metric| self.value(metric, &labels).and_then(seconds);
        let at = Timestamp::from_total_nanoseconds(of(&WHEN)?.nanoseconds().into())?;
        Some(Moment { at, offset: of(&OFFSET)?, bound: of(&BOUND), rate: None })
    }

    fn of(&self, metric: &Metric, labels: &[Label]) -> u64 {
        self.value(metric, labels).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn value(&self, metric: &Metric, labels: &[Label]) -> Option<&str> {
        self.0.get(&format!("{}{}", metric.name, text_of(labels))).map(String::as_str)
    }
}

/// Seconds with a point, as a page has them.
fn seconds(text: &str) -> Option<Offset> {
    format!("{text}s").parse().ok()
}

/// A label's value without what the format adds.
fn unescaped(value: &str) -> String {
    let (mut text, mut escaped) = (String::new(), false);
    for c in value.chars() {
        match (escaped, c) {
            (false, '\\') => {
                escaped = true;
                continue;
            }
            (true, 'n') => text.push('\n'),
            (_, c) => text.push(c),
        }
        escaped = false;
    }
    text
}

/// All that is known of the clocks now.
pub(super) fn metrics(fleet: &Fleet, earlier: &Earlier) -> Metrics {
    let mut page = Page { metrics: Metrics::of(ALL), earlier };
    let version = ("version", env!("CARGO_PKG_VERSION").to_owned());
    page.metrics.add(&BUILD, vec![version], 1);
    if let Some(at) = fleet.read_at {
        page.metrics.add(&MEASURED_AT, Vec::new(), Number::scaled(at.total_nanoseconds(), 9));
    }
    for member in &fleet.members {
        page.clock(fleet, member);
    }
    page.metrics
}

struct Page<'a> {
    metrics: Metrics,
    earlier: &'a Earlier,
}

impl Page<'_> {
    fn counter(&mut self, metric: &'static Metric, labels: Vec<Label>, count: u64) {
        let count = count.saturating_add(self.earlier.of(metric, &labels));
        self.metrics.add(metric, labels, count);
    }

    fn clock(&mut self, fleet: &Fleet, member: &Member) {
        let own = || vec![clock(member)];
        if let Some(listed) = &member.listed {
            self.metrics.add(&INFO, [own(), info(listed)].concat(), 1);
        }
        self.metrics.add(&PRESENT, own(), i128::from(member.is_there));
        self.counter(&ABSENCES, own(), member.absences);
        let device =
            member.phc().and_then(|phc| phc.name().device.strip_prefix("/dev/ptp")?.parse().ok());
        let state = &member.state;
        let caps = state.caps;
        let seconds = |offset: Offset| Number::scaled(offset.nanoseconds().into(), 9);
        let limit = caps.and_then(|caps| caps.phase_control.limit());
        let values: [(&'static Metric, Option<Number>); 10] = [
            (&DEVICE, device.map(|number: u32| number.into())),
            (&AHEAD_OF_UTC, state.ahead_of_utc.map(Number::from)),
            (&UNSET, state.unset.map(|unset| i128::from(unset).into())),
            (&FREQUENCY, state.frequency.map(|frequency| ratio(frequency.micro_ppb()))),
            (&MOST_FREQUENCY, caps.map(|caps| Number::scaled(caps.max_frequency_ppb.into(), 9))),
            (&MOST_PHASE, limit.map(seconds)),
            (&PINS, caps.map(|caps| caps.pins.into())),
            (&EXTTS, caps.map(|caps| caps.extts_channels.into())),
            (&PEROUT, caps.map(|caps| caps.perout_channels.into())),
            (&VIRTUAL, state.virtual_clocks.map(Number::from)),
        ];
        for (metric, value) in values {
            if let Some(value) = value {
                self.metrics.add(metric, own(), value);
            }
        }
        for track in member.tracks() {
            self.track(fleet, member, track);
        }
        let mut programs: Vec<&str> =
            member.holders.iter().flatten().map(|holder| holder.command.as_str()).collect();
        programs.sort_unstable();
        for same in programs.chunk_by(|one, other| one == other) {
            let program = ("program", same.first().copied().unwrap_or_default().to_owned());
            let number = i128::try_from(same.len()).unwrap_or(i128::MAX);
            self.metrics.add(&OPEN, vec![clock(member), program], number);
        }
        for (interface, timestamps) in &member.timestamps {
            let labels = || vec![clock(member), ("interface", interface.clone())];
            self.metrics.add(&TRANSMIT, labels(), timestamps.transmit);
            self.metrics.add(&RECEIVE, labels(), timestamps.receive);
        }
    }

    fn track(&mut self, fleet: &Fleet, member: &Member, track: &Track) {
        let Some(reference) = &track.reference else { return };
        let labels = || vec![clock(member), ("reference", reference.to_string())];
        let counts = track.counts;
        for (metric, count) in
            [(&READINGS, counts.readings), (&MISSES, counts.misses), (&STEPS, counts.steps)]
        {
            self.counter(metric, labels(), count);
        }
        let Some((reading, one)) = fleet.fresh(track) else { return };
        let seconds = |offset: Offset| Number::scaled(offset.nanoseconds().into(), 9);
        let values = [
            (&OFFSET, Some(seconds(one.offset))),
            (&TIME_ERROR, Some(seconds(fleet.time_error(member, track, one.offset)))),
            (&BOUND, one.bound.map(seconds)),
            (&UNCERTAINTY, one.uncertainty.map(seconds)),
            (&DELAY, one.delay.map(seconds)),
            (&RATE, track.rate().map(|rate| ratio(rate.middle().micro_ppb()))),
            (&RATE_BOUND, track.rate().map(|rate| ratio(rate.bound().micro_ppb()))),
            (&WHEN, Some(Number::scaled(reading.at.total_nanoseconds(), 9))),
        ];
        for (metric, value) in values {
            if let Some(value) = value {
                self.metrics.add(metric, labels(), value);
            }
        }
    }
}

fn clock(member: &Member) -> Label {
    ("clock", member.label.to_string())
}

/// What stays of a clock when it comes back as another device.
fn info(listed: &Listed) -> Vec<Label> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let interfaces: Vec<_> = listed.interfaces.iter().map(|(name, _)| name.as_str()).collect();
    let kind = match listed.kind {
        Nature::Physical => "physical",
        Nature::Virtual { .. } => "virtual",
        Nature::Unknown => "unknown",
    };
    vec![
        ("clock_name", if kind == "virtual" { String::new() } else { text(&listed.clock_name) }),
        ("driver", text(&listed.driver)),
        ("bus_address", text(&listed.bus_address)),
        ("interface", interfaces.join(",")),
        ("kind", kind.to_owned()),
    ]
}

/// Millionths of a ppb as a ratio.
fn ratio(micro_ppb: i128) -> Number {
    Number::scaled(micro_ppb, 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_unit_and_counters_say_that_they_count() {
        for metric in ALL {
            let Metric { name, kind, help } = metric;
            assert!(name.starts_with("ptpctl_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(help.ends_with('.'), "{name}: {help}");
        }
    }

    #[test]
    fn counters_go_on_from_an_earlier_page() {
        let page = "# HELP ptpctl_clock_present x\nptpctl_clock_present{clock=\"a\\\\\\\"b\\n\"} 1\n\
             ptpctl_clock_present{clock=\"gone\"} 0\n\
             ptpctl_clock_misses_total{clock=\"gone\",reference=\"realtime\"} 7\n\
             ptpctl_clock_misses_total{clock=\"odd\"} 1e9\nother_total 5\n}{ 3\n";
        let earlier = Earlier::read(page);
        let clocks = earlier.clocks().into_iter().map(|known| (known.label, known.was_there));
        let expected = [("a\\\"b\n".to_owned(), true), ("gone".to_owned(), false)];
        assert_eq!(clocks.collect::<Vec<_>>(), expected);
        let labels = [("clock", "gone".to_owned()), ("reference", SYSTEM.to_owned())];
        assert_eq!(earlier.of(&MISSES, &labels), 7);
        assert_eq!(earlier.of(&READINGS, &labels), 0);
        assert!(!earlier.is_sound(), "no page of ptpctl");
    }
}
