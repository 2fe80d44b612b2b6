//! What happens to a mock clock while it runs: its crystal jumps, its readings begin to fail, its
//! card limits them, a signal stops.

use super::config::{MOST_FREQUENCY_STEP, quantity, slow};
use super::fault::Fault;
use super::pace::Pace;
use super::{Config, FAST, Failure, Limit, Mock};
use crate::kernel::Call;
use crate::{Frequency, Offset};

/// One incident. It is read from the settings that change, which mean what they mean in a [`Config`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Incident {
    settings: Vec<(String, String)>,
    frequency_step: Option<Frequency>,
    step: Option<Offset>,
    /// The failures from now on; the earlier ones end.
    fail: Option<Vec<Failure>>,
    /// A pin, or a channel, whose signal stops, or begins again.
    signal: Option<(u32, bool)>,
}

/// The settings that can change while a clock runs.
pub(crate) const CHANGEABLE: [&str; 12] = [
    "limit",
    "others",
    "read",
    "jitter",
    "shape",
    "edge",
    "late",
    "resolution",
    "signal",
    "signal-phase",
    "signal-width",
    "fault",
];

impl Incident {
    /// Adds a setting that changes. `freq-step` and `step` have no time here: they come at once.
    ///
    /// # Errors
    ///
    /// Why it can't be.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "freq-step" => self.frequency_step = Some(slow(value, MOST_FREQUENCY_STEP)?),
            "step" => self.step = Some(quantity(value)?),
            key if CHANGEABLE.contains(&key) => {
                let mut any: Config = "mock".parse().map_err(|_| "there is no mock")?;
                any.set(key, value)?;
                self.settings.push((key.to_owned(), value.to_owned()));
            }
            _ => {
                return Err(format!(
                    "these can change while a clock runs: freq-step, step, fail, {}",
                    CHANGEABLE.join(", ")
                ));
            }
        }
        Ok(())
    }

    /// Sets the calls that fail from then on, as `CALL:ERRNO` has them; none where it is empty.
    ///
    /// # Errors
    ///
    /// Why it can't be.
    pub(crate) fn fail<'a>(
        &mut self,
        failures: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), String> {
        let failures = failures.into_iter().map(str::parse);
        self.fail = Some(failures.collect::<Result<_, _>>()?);
        Ok(())
    }

    /// The signal of a pin, or of a channel where the clock has no pins, stops or begins again.
    pub(crate) fn signal_at(&mut self, pin: u32, is_on: bool) {
        self.signal = Some((pin, is_on));
    }

    /// The calls that fail from then on.
    pub(crate) fn failing(&self) -> impl Iterator<Item = Call> {
        self.fail.iter().flatten().map(|failure| failure.call)
    }

    /// Whether it is about a signal at the inputs.
    pub(crate) fn changes_signal(&self) -> bool {
        self.signal.is_some() || self.settings.iter().any(|(key, _)| key.starts_with("signal"))
    }

    /// The pin, or the channel, whose signal stops or begins again.
    pub(crate) fn pin(&self) -> Option<u32> {
        self.signal.map(|(pin, _)| pin)
    }

    /// Whether nothing happens.
    pub(crate) fn is_empty(&self) -> bool {
        self.settings.is_empty()
            && self.frequency_step.is_none()
            && self.step.is_none()
            && self.fail.is_none()
            && self.signal.is_none()
    }
}

impl Mock {
    /// Lets an incident happen now.
    pub(crate) fn suffer(&self, incident: &Incident) {
        let mut world = self.lock();
        // Events from before have the time of the clock as it was then.
        world.emit();
        let now = world.time.now();
        let since = now - world.chip.birth;
        for (key, value) in &incident.settings {
            // What can be refused was refused when it was read.
            let _ = world.config.set(key, value);
        }
        if incident.settings.iter().any(|(key, _)| key == "limit" || key == "others") {
            let others = world.config.others;
            world.limit = world
                .config
                .limit
                .filter(|limit| others < *limit)
                .map(|limit| Limit::new(limit, others, now));
        }
        if world.config.faults.has(Fault::Fast) && !world.chip.faults.has(Fault::Fast) {
            world.chip.oscillator.frequency_steps.push((FAST, since));
        }
        world.chip.faults = world.config.faults;
        if let Some(by) = incident.frequency_step {
            world.chip.oscillator.frequency_steps.push((by.scaled_ppm(), since));
        }
        if let Some(by) = incident.step {
            world.chip.oscillator.steps.push((by.nanoseconds(), since));
        }
        if let Some(failures) = &incident.fail {
            world.failures.clone_from(failures);
        }
        match incident.signal {
            Some((pin, true)) => drop(world.silent.remove(&pin)),
            Some((pin, false)) => drop(world.silent.insert(pin)),
            None => {}
        }
        world.emitted = (now, world.chip.shows(now));
    }

    /// The present moment of true time, in nanoseconds.
    pub(crate) fn moment(&self) -> i128 {
        let world = self.lock();
        world.time.present()
    }

    /// What the clock shows at a moment of true time, both in nanoseconds.
    pub(crate) fn shows_at(&self, at: i128) -> i128 {
        self.lock().chip.shows(at)
    }

    /// Begins to count the readings; answers the number of the count.
    pub(crate) fn begin_count(&self) -> usize {
        let mut world = self.lock();
        world.paces.push(Pace::default());
        world.paces.len() - 1
    }

    /// The most readings in any second of a count so far.
    pub(crate) fn most_readings(&self, count: usize) -> u64 {
        self.lock().paces.get(count).map_or(0, Pace::most)
    }

    /// The state file is another's from now on.
    pub(crate) fn give_up_state(&self) {
        self.lock().file = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Calls;
    use nix::errno::Errno;
    use std::time::Duration;

    fn mock(settings: &str) -> Mock {
        let config: Config = format!("mock:full,time=virtual,{settings}").parse().expect("a mock");
        Mock::new(&config).expect("opened")
    }

    fn incident(settings: &[(&str, &str)]) -> Incident {
        let mut incident = Incident::default();
        for (key, value) in settings {
            incident.set(key, value).expect("it can change");
        }
        incident
    }

    #[test]
    fn the_crystal_jumps_and_the_clock_is_stepped() {
        let mock = mock("freq=1ppm");
        mock.pass(Duration::from_secs(1));
        assert_eq!(mock.true_offset(), 1_000);
        mock.suffer(&incident(&[("freq-step", "5ppb")]));
        mock.pass(Duration::from_secs(1));
        assert_eq!(mock.true_offset(), 2_005);
        mock.suffer(&incident(&[("freq-step", "-5ppb"), ("step", "-1us")]));
        mock.pass(Duration::from_secs(1));
        assert_eq!(mock.true_offset(), 2_005);
    }

    #[test]
    fn the_driver_gets_a_fault() {
        let mock = mock("");
        mock.suffer(&incident(&[("fault", "fast")]));
        mock.pass(Duration::from_secs(1));
        assert_eq!(mock.true_offset(), 10_000_000);
        mock.suffer(&incident(&[("fault", "stuck-time")]));
        let times = [mock.clock_gettime(), mock.clock_gettime()].map(|time| time.expect("a time"));
        assert_eq!(times[0], times[1]);
    }

    #[test]
    fn calls_begin_to_fail_and_work_again() {
        let mock = mock("fail=getcaps/1:EIO");
        let mut failing = Incident::default();
        failing.fail(["clock_gettime/2:ETIMEDOUT"]).expect("failures");
        mock.suffer(&failing);
        let read = || mock.clock_gettime().err();
        assert_eq!([read(), read(), read()], [None, Some(Errno::ETIMEDOUT), None]);
        assert!(mock.getcaps(crate::kernel::Version::V1).is_ok());
        let mut working = Incident::default();
        working.fail([]).expect("none");
        mock.suffer(&working);
        assert_eq!([read(), read()], [None, None]);
    }

    #[test]
    fn the_card_limits_its_readings_and_they_are_counted() {
        let mock = mock("");
        let count = mock.begin_count();
        mock.suffer(&incident(&[("limit", "3")]));
        let answers: Vec<_> = (0..4).map(|_| mock.clock_gettime().err()).collect();
        assert_eq!(answers, [None, None, None, Some(Errno::EBUSY)]);
        mock.suffer(&incident(&[("limit", "off")]));
        assert!((0..4).all(|_| mock.clock_gettime().is_ok()));
        assert_eq!(mock.most_readings(count), 8);
    }

    #[test]
    fn a_signal_stops_at_one_pin() {
        let mock = mock("signal=10ms");
        let on = crate::kernel::uapi::ptp_extts_request { index: 0, flags: 3, rsv: [0; 2] };
        let pin = crate::kernel::uapi::pin_desc(2, crate::kernel::uapi::PTP_PF_EXTTS, 0);
        mock.pin_setfunc(crate::kernel::Version::V1, &pin).expect("set");
        mock.extts_request(crate::kernel::Version::V1, &on).expect("on");
        let mut events = [crate::kernel::uapi::ExttsEvent::ZERO; 30];
        let mut number = || {
            mock.pass(Duration::from_millis(100));
            mock.take_events(&mut events)
        };
        assert_eq!(number(), 10);
        let mut stops = Incident::default();
        stops.signal_at(2, false);
        mock.suffer(&stops);
        assert_eq!(number(), 0);
        stops.signal_at(2, true);
        mock.suffer(&stops);
        assert_eq!(number(), 10);
    }

    #[test]
    fn what_can_not_change_is_refused() {
        let mut incident = Incident::default();
        assert!(incident.set("kernel", "5.4").is_err_and(|why| why.contains("can change")));
        assert!(incident.set("limit", "x").is_err());
        assert!(incident.fail(["reed:EIO"]).is_err());
        assert!(incident.is_empty());
    }
}
