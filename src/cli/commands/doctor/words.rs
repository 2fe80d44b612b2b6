//! The findings in words: what it is, what was seen, what to do, and how to see that it helped.

use crate::doctor::{Finding, Found};
use crate::find::{Holder, Source};
use crate::kernel::Errno;
use crate::rfc3339;

pub(super) struct Words {
    pub(super) what: String,
    pub(super) seen: String,
    pub(super) remedy: String,
    pub(super) check: String,
}

impl Words {
    #[expect(clippy::too_many_lines, reason = "a table: four sentences for each")]
    pub(super) fn of(found: &Found) -> Self {
        let clock = found.clock.as_deref().unwrap_or_default();
        let [what, seen, remedy, check] = match &found.finding {
            Finding::Unset { time } => [
                "it was never set".into(),
                format!("it shows {time} s since 1970"),
                format!("ptpctl set now {clock}"),
                format!("ptpctl get {clock}"),
            ],
            Finding::ClockFoughtOver { programs } => [
                "several programs steer it".into(),
                names(programs),
                "stop all but one".into(),
                format!("ptpctl list {clock}"),
            ],
            Finding::OtherScale { expected, kept, offset } => [
                format!("it doesn't keep {expected}"),
                match kept {
                    Some(kept) => format!("its offset from the system clock is {offset}: it keeps {kept}"),
                    None => format!("its offset from the system clock is {offset}"),
                },
                format!("ptpctl set now {}{clock}", if *expected == crate::FittingScale::Tai { "--tai " } else { "" }),
                format!("ptpctl get {clock}"),
            ],
            Finding::RunsFreely { virtual_clocks } => [
                "it can't be set or steered below its virtual clocks".into(),
                format!("it has {virtual_clocks}, and no counter for them"),
                format!("steer its virtual clocks, or remove them: ptpctl vclocks 0 {clock}"),
                format!("ptpctl vclocks {clock}"),
            ],
            Finding::NotRead { what, why, errno } => [
                format!("{what} can't be read"),
                why.replace('\n', " "),
                match errno {
                    Some(Errno::EACCES | Errno::EPERM) => "run as root, or as a member of its group",
                    Some(Errno::ENODEV | Errno::ENOENT | Errno::ENXIO) => {
                        "see why it has gone: dmesg; a driver that was unloaded, a card that was reset"
                    }
                    _ => "see what the driver says: dmesg",
                }
                .into(),
                format!("ptpctl doctor {clock}"),
            ],
            Finding::NotMeasured { why } => [
                "its offset can't be measured".into(),
                why.replace('\n', " "),
                format!("see which calls fail: ptpctl trace -- ptpctl offset {clock}"),
                format!("ptpctl offset {clock}"),
            ],
            Finding::FrequencyNearLimit { frequency, most_ppb } => [
                "its frequency is near its limit".into(),
                format!("{frequency} of {most_ppb} ppb are dialled"),
                "see why the servo dials so much: a wrong reference, a bad oscillator, another program".into(),
                format!("ptpctl freq {clock}"),
            ],
            Finding::SlowReadings { shortest, usual } => [
                "readings take longer than such a card's".into(),
                format!("the shortest took {shortest}; less than {usual} is usual"),
                "look for a bus that is busy or asleep: PCIe power saving (ASPM), a slot behind a bridge".into(),
                format!("ptpctl offset {clock}"),
            ],
            Finding::LongReadings { shortest } => [
                "readings take long".into(),
                format!("the shortest took {shortest}: its offset is known to half of that"),
                "see whether the driver can do better: a card on PCIe takes some microseconds, a PHY on MDIO or SPI \
                 some hundred"
                    .into(),
                format!("ptpctl offset {clock}"),
            ],
            Finding::StandsStill { time } => [
                "it stands still".into(),
                format!("it shows {time} s since 1970 again and again"),
                "unload the driver and load it again; if that doesn't help, the clock has no oscillator".into(),
                format!("ptpctl get {clock}; ptpctl get {clock}"),
            ],
            Finding::ReadingsFail { times, why } => [
                "readings fail".into(),
                format!("{times} times just now, at last so: {}", why.replace('\n', " ")),
                "see what the driver says: dmesg; what else reads it: ptpctl list".into(),
                format!("ptpctl monitor --lines --count 60 {clock}"),
            ],
            Finding::MethodPassedOver { why } => [
                "the best method of reading it doesn't work".into(),
                why.replace('\n', " "),
                "report it to the driver's maintainer; ptpctl uses the next best, other programs may not".into(),
                format!("ptpctl offset {clock}"),
            ],
            Finding::FarOff { scale, off } => [
                match scale {
                    Some(scale) => format!("it is far off {scale}"),
                    None => "it keeps neither UTC nor TAI nor GPS time".into(),
                },
                format!("its offset from {} is {off}", scale.unwrap_or("UTC")),
                format!("let a program steer it (ptp4l, ts2phc, phc2sys), or set it: ptpctl set now {clock}"),
                format!("ptpctl offset {clock}"),
            ],
            Finding::UnevenReadings { shortest, tenth } => [
                "many readings take much longer than the shortest".into(),
                format!("the shortest took {shortest}, one in ten took {tenth} or more"),
                format!(
                    "keep a processor free of other work (isolcpus), and run what measures there, as in: ptpctl \
                     monitor --cpu 1 --realtime {clock}"
                ),
                format!("ptpctl doctor {clock}"),
            ],
            Finding::LimitedReadings { a_second } => [
                "its card limits readings".into(),
                match a_second {
                    Some(number) => format!(
                        "it allows {number} a second to all programs together, and then none for a moment"
                    ),
                    None => "it refused to be read so often (EBUSY)".into(),
                },
                "keep all programs together below that: chronyd's poll, phc2sys -R and -N".into(),
                "run each program under ptpctl trace --summary, which counts its readings a second".into(),
            ],
            Finding::BothEdges { driver, source } => [
                "its driver reports both edges of a signal, whichever is asked for".into(),
                format!("the driver is {driver}: see drivers/net/{source} of Linux"),
                "leave out every second event, or use a pulse as long as its pause; ts2phc has ts2phc.extts_polarity both"
                    .into(),
                format!("ptpctl extts --count 4 {clock}"),
            ],
            Finding::TimestampsOff { interface, timestamps } => [
                format!("{interface} stamps no packets"),
                format!(
                    "hardware timestamps of sent packets are {}, of received packets {}",
                    switched(timestamps.transmit),
                    switched(timestamps.receive)
                ),
                format!("start ptp4l on it, which switches them on; or hwstamp_ctl -i {interface} -t 1 -r 12"),
                format!("ethtool --get-hwtimestamp-cfg {interface}"),
            ],
            Finding::TimestampsOfOthers { interface, timestamps } => [
                format!("{interface} stamps no packets of PTPv2"),
                format!("its filter for received packets is HWTSTAMP_FILTER number {}", timestamps.receive),
                format!("hwstamp_ctl -i {interface} -t 1 -r 12"),
                format!("ethtool --get-hwtimestamp-cfg {interface}"),
            ],
            Finding::LinkDown { interface } => [
                format!("the link of {interface} is down"),
                format!("/sys/class/net/{interface}/operstate says down"),
                format!("ip link set {interface} up; see its cable and its partner"),
                format!("ip link show {interface}"),
            ],
            Finding::InterfaceElsewhere { namespaces } => [
                "its interface is in another network namespace".into(),
                match namespaces.as_slice() {
                    [] => "the card has no interface here".into(),
                    names => format!("the card has no interface here; namespaces: {}", names.join(", ")),
                },
                "run ptp4l there: ip netns exec NAME ptp4l".into(),
                "ip netns exec NAME ethtool -T INTERFACE".into(),
            ],
            Finding::KernelRefusesChanges { release, source } => [
                "this kernel refuses every change of a clock".into(),
                format!("Linux {release} is known to answer EBUSY also where there are no virtual clocks: {source}"),
                "install another kernel".into(),
                format!("ptpctl adjtime 0 {clock}"),
            ],
            Finding::TwoClocks { interface, clocks } => [
                format!("packets of {interface} can be stamped by several clocks"),
                clocks.iter().map(place).collect::<Vec<_>>().join(", "),
                format!("choose one: ethtool --set-hwtimestamp-cfg {interface}"),
                format!("ethtool --get-hwtimestamp-cfg {interface}"),
            ],
            Finding::Governor { governor, processors } => [
                "processors change their frequency while they work".into(),
                format!("the governor of processors {processors} is {governor}"),
                "cpupower frequency-set --governor performance".into(),
                "cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor".into(),
            ],
            Finding::ClockSource { current, is_offered } => [
                "the system clock isn't read from the processor's TSC".into(),
                format!("the clock source is {current}"),
                if *is_offered {
                    "echo tsc >/sys/devices/system/clocksource/clocksource0/current_clocksource".into()
                } else {
                    "see why the kernel refuses TSC: dmesg | grep -i -e tsc -e clocksource".into()
                },
                "cat /sys/devices/system/clocksource/clocksource0/current_clocksource".into(),
            ],
            Finding::LeapSeconds { path, expired } => [
                "the list of leap seconds has expired".into(),
                format!("{path} was valid until {}", rfc3339::format(*expired).unwrap_or_default()),
                "upgrade the package tzdata".into(),
                format!("grep 'expires on' {path}"),
            ],
            Finding::NoTai { from_list } => [
                "the kernel doesn't know TAI - UTC".into(),
                format!(
                    "adjtimex says 0: CLOCK_TAI shows UTC{}",
                    from_list.map_or(String::new(), |tai| format!(", though the list of leap seconds says {} s", tai.0))
                ),
                "let chronyd set it, with leapseclist or leapsectz in chrony.conf; phc2sys with ptp4l does, too"
                    .into(),
                format!("ptpctl doctor {clock}").trim_end().to_owned(),
            ],
            Finding::SystemClockFoughtOver { programs } => [
                "several programs steer the system clock".into(),
                names(programs),
                "stop all but one, such as systemctl disable --now chrony; or run chronyd with -x".into(),
                "ptpctl doctor".into(),
            ],
            Finding::Interrupts { interface, numbers, processors } => [
                format!("interrupts of {interface} come on isolated processors"),
                format!("interrupts {} on processors {processors}", numbers.join(", ")),
                "write other processors to /proc/irq/N/smp_affinity_list, and keep irqbalance from it".into(),
                format!("grep {interface} /proc/interrupts"),
            ],
            Finding::PacketSteering { interface, queues, processors } => [
                format!("received packets of {interface} are handed to isolated processors"),
                format!("rps_cpus of {} has processors {processors}", queues.join(", ")),
                format!("write a mask without them to /sys/class/net/{interface}/queues/rx-*/rps_cpus"),
                format!("grep . /sys/class/net/{interface}/queues/rx-*/rps_cpus"),
            ],
            Finding::DefaultSteering { processors } => [
                "received packets of new interfaces will be handed to isolated processors".into(),
                format!("rps_default_mask has processors {processors}"),
                "write a mask without them to /proc/sys/net/core/rps_default_mask".into(),
                "cat /proc/sys/net/core/rps_default_mask".into(),
            ],
        };
        Self { what, seen, remedy, check }
    }
}

fn names(programs: &[Holder]) -> String {
    let name = |holder: &Holder| format!("{} ({})", holder.command, holder.process);
    programs.iter().map(name).collect::<Vec<_>>().join(", ")
}

const fn switched(number: i32) -> &'static str {
    if number == 0 { "off" } else { "on" }
}

fn place((device, source): &(String, Option<Source>)) -> String {
    match source {
        Some(Source::Mac) => format!("{device} in the MAC"),
        Some(Source::Phy(_)) => format!("{device} in the PHY"),
        None => device.clone(),
    }
}
