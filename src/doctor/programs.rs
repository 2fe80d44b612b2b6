//! Programs that steer clocks, as their command lines say.

use crate::find::{Holder, Machine};

/// The programs of a machine that may steer a clock.
pub(crate) struct Programs(Vec<Program>);

struct Program {
    holder: Holder,
    arguments: Vec<String>,
    /// The files that it has open.
    files: Vec<String>,
}

/// Programs that steer the system clock unless they are told not to.
const OF_THE_SYSTEM_CLOCK: [&str; 5] =
    ["chronyd", "ntpd", "ntpd-rs", "systemd-timesyn", "openntpd"];
/// Programs that steer each PHC that they have open.
const OF_PHCS: [&str; 3] = ["ptp4l", "ts2phc", "satpulsed"];

impl Programs {
    /// Those whose files may be looked at.
    pub(super) fn of(machine: &Machine) -> Self {
        let mut processes: Vec<u32> =
            machine.names("proc").iter().filter_map(|name| name.parse().ok()).collect();
        processes.sort_unstable();
        let program = |process: u32| {
            let command = machine.text(&format!("proc/{process}/comm"))?;
            let is_known = OF_THE_SYSTEM_CLOCK.contains(&command.as_str())
                || OF_PHCS.contains(&command.as_str())
                || command == "phc2sys";
            is_known.then_some(())?;
            let line = machine.text(&format!("proc/{process}/cmdline")).unwrap_or_default();
            let arguments = line.split('\0').map(str::to_owned).collect();
            let files = machine.links(&format!("proc/{process}/fd"));
            Some(Program { holder: Holder { process, command }, arguments, files })
        };
        Self(processes.into_iter().filter_map(program).collect())
    }

    /// Those that steer the system clock.
    pub(super) fn steering_the_system_clock(&self) -> Vec<Holder> {
        self.those(Program::steers_the_system_clock)
    }

    /// Those that steer a PHC, of this device or interface.
    pub(super) fn steering(&self, device: &str, interfaces: &[String]) -> Vec<Holder> {
        self.those(|program| program.steers(device, interfaces))
    }

    fn those(&self, is_one: impl Fn(&Program) -> bool) -> Vec<Holder> {
        self.0.iter().filter(|one| is_one(one)).map(|one| one.holder.clone()).collect()
    }
}

impl Program {
    fn has(&self, flag: &str) -> bool {
        self.arguments.iter().any(|argument| argument == flag)
    }

    /// The value behind a flag of one letter: `-c eth0` or `-ceth0`.
    fn value(&self, flag: &str) -> Option<&str> {
        let place = self.arguments.iter().position(|argument| argument.starts_with(flag))?;
        let joined = self.arguments.get(place)?.strip_prefix(flag)?;
        if joined.is_empty() {
            self.arguments.get(place + 1).map(String::as_str)
        } else {
            Some(joined)
        }
    }

    fn steers_the_system_clock(&self) -> bool {
        match self.holder.command.as_str() {
            // By itself it steers the system clock; -a steers it only with -r.
            "phc2sys" if self.has("-a") => self.has("-r") || self.has("-rr"),
            "phc2sys" => self.value("-c").is_none_or(|clock| clock == "CLOCK_REALTIME"),
            // -x leaves the clock alone, -Q and -q too or for a moment.
            "chronyd" => !self.has("-x") && !self.has("-Q"),
            "ntpd" | "ntpd-rs" | "systemd-timesyn" | "openntpd" => true,
            _ => false,
        }
    }

    fn steers(&self, device: &str, interfaces: &[String]) -> bool {
        let is_it =
            |name: &str| name == device || interfaces.iter().any(|interface| interface == name);
        match self.holder.command.as_str() {
            "phc2sys" => self.value("-c").is_some_and(is_it),
            // Without steering, they only look.
            "ptp4l" if self.has("--free_running=1") => false,
            command => OF_PHCS.contains(&command) && self.files.iter().any(|file| file == device),
        }
    }
}
