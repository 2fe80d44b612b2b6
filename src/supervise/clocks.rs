//! The clocks that a program is to see, and their names.

use super::RunError;
use crate::kernel::Call;
use crate::mock::{Config, Mock, MockError, Wire};
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A clock as the command line describes it: `igb,interface=eth0,offset=1ms`.
#[derive(Clone, Debug)]
pub(crate) struct ClockSpec {
    config: Config,
    interface: Option<String>,
    links: Vec<PathBuf>,
}

/// A wire as the command line describes it: `ptp0:1=ptp1:0`, from a pin to a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WireSpec {
    from: (usize, u32),
    to: (usize, u32),
}

impl FromStr for WireSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = |text: &str| {
            let (clock, pin) = text.strip_prefix("ptp")?.split_once(':')?;
            Some((clock.parse().ok()?, pin.parse().ok()?))
        };
        let ends = text.split_once('=').and_then(|(from, to)| Some((end(from)?, end(to)?)));
        let (from, to) = ends.ok_or("write it as ptp0:1=ptp1:0, from pin 1 to pin 0")?;
        Ok(Self { from, to })
    }
}

/// A clock that the program sees.
pub(super) struct Clock {
    /// N of `/dev/ptpN`.
    pub(super) index: u32,
    /// The number of its card, which stays when the card comes back as another clock.
    pub(super) card: u32,
    /// The interface of the network that it belongs to.
    pub(super) interface: Option<Interface>,
    links: Vec<PathBuf>,
    config: Config,
    /// A handle of its own, which the others are made from.
    pub(super) mock: Mock,
    /// Whether its node and its files have gone with it.
    pub(super) is_away: bool,
    /// For each count of its readings, the most in a second before its card came back.
    counts: Vec<u64>,
    /// Whether events could come when they were last passed on.
    pub(super) had_events: bool,
}

/// An interface that takes its timestamps from a clock.
pub(super) struct Interface {
    pub(super) name: String,
    /// `struct hwtstamp_config`: flags, which packets are sent and received with timestamps.
    pub(super) timestamps: [i32; 3],
}

impl FromStr for ClockSpec {
    type Err = MockError;

    fn from_str(text: &str) -> Result<Self, MockError> {
        let refuse = |why: &str| MockError::Config { text: text.to_owned(), why: why.to_owned() };
        let (mut interface, mut links, mut rest) = (None, Vec::new(), Vec::new());
        for setting in text.strip_prefix("mock:").unwrap_or(text).split(',') {
            match setting.split_once('=') {
                Some(("interface", name)) => {
                    let fits = |name: &&str| !name.is_empty() && name.len() < 16;
                    let name = Some(name).filter(fits).filter(|name| !name.contains('/'));
                    let name = name.ok_or_else(|| refuse("an interface has up to 15 letters"))?;
                    interface = Some(name.to_owned());
                }
                Some(("link", path)) => {
                    let name = path.strip_prefix("/dev/").unwrap_or_default();
                    let is_number = name.strip_prefix("ptp").is_some_and(is_number);
                    let fits = !["", ".", ".."].contains(&name) && !name.contains('/');
                    if !fits || is_number {
                        return Err(refuse(
                            "a link is a name in /dev that no clock has: /dev/ptp_card",
                        ));
                    }
                    links.push(path.into());
                }
                _ => rest.push(setting),
            }
        }
        let settings = rest.join(",");
        let settings = if settings == "mock" { String::new() } else { settings };
        let config: Config = format!("mock:{settings}").parse()?;
        if config.is_virtual() {
            return Err(refuse("other programs run on the machine's own time"));
        }
        if let Some(call) = config.failing().find(|call| !is_answered(*call)) {
            return Err(refuse(&unanswered(call)));
        }
        Ok(Self { config, interface, links })
    }
}

impl ClockSpec {
    /// How many pins, or channels, a signal can come to, and what they are.
    pub(super) fn inputs(&self) -> (u32, &'static str) {
        self.config.inputs()
    }
}

/// Whether the mock answers this call of another program; others are the kernel's own.
pub(super) fn is_answered(call: Call) -> bool {
    !matches!(
        call,
        Call::Read
            | Call::Wait
            | Call::SetAttribute
            | Call::VirtualClocks
            | Call::SystemGettime
            | Call::SystemNanosleep
            | Call::SystemAdjtime
    )
}

pub(super) fn unanswered(call: Call) -> String {
    format!("{} of another program can't fail: the kernel itself answers it", call.method())
}

/// All clocks of a program, in the order of their numbers.
pub(super) struct Clocks(pub(super) Vec<Clock>);

impl Clocks {
    /// # Errors
    ///
    /// [`RunError::Clock`] for a mock that can't be opened, [`RunError::Setting`] for names that can't
    /// be.
    pub(super) fn new(specs: &[ClockSpec]) -> Result<Self, RunError> {
        check_names(specs)?;
        let clocks = (0..).zip(specs).map(|(index, spec)| {
            let mock = new_mock(&spec.config).map_err(RunError::Clock)?;
            let interface =
                spec.interface.clone().map(|name| Interface { name, timestamps: [0; 3] });
            Ok(Clock {
                index,
                card: index,
                interface,
                links: spec.links.clone(),
                config: spec.config.clone(),
                mock,
                is_away: false,
                counts: Vec::new(),
                had_events: false,
            })
        });
        clocks.collect::<Result<_, _>>().map(Self)
    }

    /// The place of the clock that has this path. The clocks of the machine aren't there for the
    /// program: their paths are `ENOENT`.
    pub(super) fn at(&self, path: &Path) -> Option<Result<usize, Errno>> {
        let is_it = |clock: &Clock| {
            clock.links.iter().any(|link| link == path) || path == Path::new(&clock.path())
        };
        // The node of a clock goes with it.
        let place = self.0.iter().position(|clock| is_it(clock) && !clock.mock.has_gone());
        let number = || path.to_str()?.strip_prefix("/dev/ptp");
        match place {
            Some(place) => Some(Ok(place)),
            None if self.0.iter().any(is_it) => Some(Err(Errno::ENOENT)),
            None => number().is_some_and(is_number).then_some(Err(Errno::ENOENT)),
        }
    }

    /// Connects pins of the clocks.
    ///
    /// # Errors
    ///
    /// [`RunError::Setting`] for a clock or a pin that isn't there, and for a wire within one clock,
    /// which is the mock's own setting.
    pub(super) fn connect(&self, wires: &[WireSpec]) -> Result<Vec<Wire>, RunError> {
        let wires = wires.iter().map(|wire| {
            let ((from, output), (to, input)) = (wire.from, wire.to);
            let refuse = |why: String| {
                RunError::Setting(format!("the wire ptp{from}:{output}=ptp{to}:{input}"), why)
            };
            if from == to {
                return Err(refuse("within one clock it is the setting loop=OUT:IN".into()));
            }
            let clock = |place: usize, end: u32| {
                let clock = self.get(place);
                let clock = clock.ok_or_else(|| refuse(format!("there is no clock ptp{place}")))?;
                let (ends, what) = clock.config.ends();
                if end < ends {
                    Ok(clock)
                } else {
                    Err(refuse(format!("ptp{place} has {ends} {what}, counted from 0")))
                }
            };
            let (from, to) = (clock(from, output)?, clock(to, input)?);
            Ok(Wire::new(&from.mock, output, &to.mock, input))
        });
        wires.collect()
    }

    pub(super) fn get(&self, place: usize) -> Option<&Clock> {
        self.0.get(place)
    }

    /// The clock of an interface.
    pub(super) fn of_interface(&mut self, name: &[u8]) -> Option<&mut Clock> {
        self.0.iter_mut().find(|clock| {
            clock.interface.as_ref().is_some_and(|interface| interface.name.as_bytes() == name)
        })
    }

    pub(super) fn have_interfaces(&self) -> bool {
        self.0.iter().any(|clock| clock.interface.is_some())
    }
}

/// A mock for other programs, which would wait for an answer that comes late.
fn new_mock(config: &Config) -> Result<Mock, MockError> {
    let mock = Mock::unopened(config)?;
    mock.never_wait();
    Ok(mock)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Refuses names that two clocks have, and links that would hide another file of the machine.
fn check_names(specs: &[ClockSpec]) -> Result<(), RunError> {
    let refuse = |text: String, why: &str| Err(RunError::Setting(text, why.to_owned()));
    let mut seen = BTreeSet::new();
    for spec in specs {
        let interface = spec.interface.iter().map(|name| format!("interface={name}"));
        let links = spec.links.iter().map(|link| format!("link={}", link.display()));
        for name in interface.chain(links) {
            if !seen.insert(name.clone()) {
                return refuse(name, "two clocks have this name");
            }
        }
        for link in &spec.links {
            if fs::symlink_metadata(link).is_ok_and(|found| !found.is_symlink()) {
                return refuse(link.display().to_string(), "it is another file of this machine");
            }
        }
    }
    Ok(())
}

impl Clock {
    /// The card comes back as the clock of this number, as it was at first.
    ///
    /// # Errors
    ///
    /// [`MockError`] where the mock can't be opened again.
    pub(super) fn come_back(&mut self, number: u32) -> Result<(), MockError> {
        self.mock.give_up_state();
        let mock = new_mock(&self.config)?;
        for (count, most) in self.counts.iter_mut().enumerate() {
            *most = self.mock.most_readings(count).max(*most);
            mock.begin_count();
        }
        (self.mock, self.index, self.is_away) = (mock, number, false);
        Ok(())
    }

    /// Begins to count its readings; answers the number of the count.
    pub(super) fn begin_count(&mut self) -> usize {
        self.counts.push(0);
        self.mock.begin_count()
    }

    /// The most readings in any second of a count so far.
    pub(super) fn most_readings(&self, count: usize) -> u64 {
        let before = self.counts.get(count).copied().unwrap_or(0);
        self.mock.most_readings(count).max(before)
    }

    pub(super) fn name(&self) -> String {
        format!("ptp{}", self.index)
    }

    /// The name of its driver.
    pub(super) fn driver(&self) -> Option<&str> {
        self.config.driver()
    }

    pub(super) fn path(&self) -> String {
        format!("/dev/{}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_a_mock_with_an_interface_and_links() {
        let spec: ClockSpec =
            "igb,interface=eth0,offset=1ms,link=/dev/ptp_card".parse().expect("a clock");
        assert_eq!(spec.interface.as_deref(), Some("eth0"));
        assert_eq!(spec.links, [Path::new("/dev/ptp_card")]);
        for text in ["mock", "mock:igb", "igb", "full,seed=2", "interface=eth0"] {
            assert!(text.parse::<ClockSpec>().is_ok(), "{text}");
        }
        for text in
            ["nosuch", "igb,interface=", "igb,interface=a/b", "igb,link=/tmp/x", "igb,time=virtual"]
        {
            assert!(text.parse::<ClockSpec>().is_err(), "{text}");
        }
        for link in ["/dev/", "/dev/ptp1", "/dev/../etc/passwd", "/dev/.."] {
            assert!(format!("igb,link={link}").parse::<ClockSpec>().is_err(), "{link}");
        }
    }

    #[test]
    fn a_wire_leads_from_a_pin_of_one_clock_to_one_of_another() {
        let wire: WireSpec = "ptp0:1=ptp1:2".parse().expect("a wire");
        assert_eq!(wire, WireSpec { from: (0, 1), to: (1, 2) });
        for text in ["", "ptp0:1", "ptp0=ptp1", "0:1=1:2", "ptp0:x=ptp1:0"] {
            assert!(text.parse::<WireSpec>().is_err(), "{text}");
        }
        let specs = ["full", "full"].map(|text| text.parse().expect("a clock"));
        let clocks = Clocks::new(&specs).expect("clocks");
        assert!(clocks.connect(&[wire]).is_ok_and(|wires| wires.len() == 1));
        for text in ["ptp0:1=ptp0:2", "ptp0:1=ptp2:0", "ptp0:4=ptp1:0", "ptp0:0=ptp1:9"] {
            assert!(clocks.connect(&[text.parse().expect("a wire")]).is_err(), "{text}");
        }
    }

    #[test]
    fn two_clocks_have_no_name_in_common() {
        let specs = |texts: &[&str]| -> Vec<ClockSpec> {
            texts.iter().map(|text| text.parse().expect("a clock")).collect()
        };
        assert!(check_names(&specs(&["igb,interface=eth0", "igb,interface=eth1"])).is_ok());
        assert!(check_names(&specs(&["igb,interface=eth0", "full,interface=eth0"])).is_err());
        assert!(check_names(&specs(&["igb,link=/dev/ptp_a,link=/dev/ptp_a"])).is_err());
        assert!(check_names(&specs(&["igb,link=/dev/null"])).is_err());
    }
}
