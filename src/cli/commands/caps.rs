//! `ptpctl caps`: what a clock can do.

use super::Command;
use crate::Offset;
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::phc::{Access, Error, Method, PhaseControl, Phc, SystemClock};
use crate::report::{Report, Value};
use nix::errno::Errno;

pub(super) const COMMAND: Command = Command {
    name: "caps",
    aliases: &[],
    about: "Show what a clock can do",
    arguments,
    run: |context, _| run(context),
};

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(arguments::device())
        .long_about(
            "Shows what a clock says that it can do (PTP_CLOCK_GETCAPS), and what it turns out to \
             offer when it is asked: the ways to measure its offset, the system clocks to measure \
             it against, its free-running counter, virtual clocks.\n\n\"unknown\" means neither 0 \
             nor no: this kernel doesn't report it.",
        )
        .after_help(
            "Examples:\n  ptpctl caps\n  ptpctl caps eth0\n  ptpctl caps --json mock:clockmatrix",
        )
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let phc = context.open(Access::ReadOnly)?;
    let caps = phc.caps()?;
    let ppb = i128::from(caps.max_frequency_ppb);
    let count = |number: u32| number.to_string();
    let (phase, phase_limit) = match caps.phase_control {
        PhaseControl::NotOffered => ("no".to_owned(), None),
        PhaseControl::Offered { limit: Some(limit) } => {
            (format!("yes, up to ±{} ns", limit.nanoseconds()), Some(limit))
        }
        PhaseControl::Offered { limit: None } => {
            ("yes; this kernel (before 6.5) doesn't tell the limit".to_owned(), None)
        }
    };
    let report = Report::on(phc.name())
        .row("frequency adjustment", format!("up to ±{ppb} ppb"), "max_adj_ppb", ppb)
        .rows(
            "phase control",
            phase,
            vec![
                ("adjust_phase", caps.phase_control.is_offered().into()),
                ("max_phase_adj_ns", phase_limit.map(Offset::nanoseconds).into()),
            ],
        )
        .row(
            "external timestamp channels",
            count(caps.extts_channels),
            "n_ext_ts",
            caps.extts_channels,
        )
        .row(
            "periodic output channels",
            count(caps.perout_channels),
            "n_per_out",
            caps.perout_channels,
        )
        .row("programmable pins", count(caps.pins), "n_pins", caps.pins)
        .row("programmable alarms", count(caps.alarms), "n_alarm", caps.alarms)
        .row("PPS to the kernel", yes_no(caps.pps), "pps", caps.pps)
        .row(
            "cross timestamps",
            yes_no(caps.cross_timestamping),
            "cross_timestamping",
            caps.cross_timestamping,
        );
    let report = virtual_clocks(&phc, methods(&phc, report));
    Ok(system_clocks(&phc, report))
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// Asks for one sample in each way.
fn methods(phc: &Phc, report: Report) -> Report {
    const WAYS: [(&str, &str, Method, bool); 5] = [
        ("offset, precise", "offset_precise", Method::Precise, false),
        ("offset, extended", "offset_extended", Method::Extended, false),
        ("offset, basic", "offset_basic", Method::Basic, false),
        ("counter, precise", "cycles_precise", Method::Precise, true),
        ("counter, extended", "cycles_extended", Method::Extended, true),
    ];
    // Both ways to read the counter came with the same kernel version: a kernel that lacks one
    // lacks the other, too.
    let mut knows_counters = true;
    WAYS.into_iter().fold(report, |report, (label, key, method, cycles)| {
        let answer = if cycles && !knows_counters {
            Err(None)
        } else {
            phc.samples(method, SystemClock::Realtime, cycles, 1).map_err(Some)
        };
        let (text, value) = match answer {
            Ok(_) => ("yes".to_owned(), Value::Bool(true)),
            Err(Some(Error::Call { errno: Errno::EOPNOTSUPP, .. })) => {
                ("no".into(), Value::Bool(false))
            }
            Err(None | Some(Error::Call { errno: Errno::ENOTTY, .. })) => {
                knows_counters &= !cycles;
                ("unknown: this kernel doesn't know the call".into(), Value::Null)
            }
            Err(Some(error)) => (format!("failed: {error}"), Value::Null),
        };
        report.row(label, text, key, value)
    })
}

fn virtual_clocks(phc: &Phc, report: Report) -> Report {
    match phc.virtual_clocks() {
        Ok(clocks) => report.rows(
            "virtual clocks",
            format!("{} of at most {}", clocks.number, clocks.most),
            vec![
                ("virtual_clocks", clocks.number.into()),
                ("max_virtual_clocks", clocks.most.into()),
            ],
        ),
        Err(error) => report.rows(
            "virtual clocks",
            if error.is_unsupported() {
                "unknown: this is a virtual clock itself, or the kernel is before 5.14".into()
            } else {
                format!("failed: {error}")
            },
            vec![("virtual_clocks", Value::Null), ("max_virtual_clocks", Value::Null)],
        ),
    }
}

/// The system clocks that samples can be taken against.
fn system_clocks(phc: &Phc, report: Report) -> Report {
    match taken_clocks(phc) {
        Ok(clocks) => {
            let clocks: Vec<_> = clocks.iter().map(ToString::to_string).collect();
            report.row("system clocks", clocks.join(", "), "system_clocks", clocks)
        }
        Err(error) => {
            report.row("system clocks", format!("failed: {error}"), "system_clocks", Value::Null)
        }
    }
}

/// `CLOCK_REALTIME`, which every method accepts, and the clocks that extended samples can be taken
/// against.
fn taken_clocks(phc: &Phc) -> Result<Vec<SystemClock>, Error> {
    let mut clocks = vec![SystemClock::Realtime];
    for clock in [SystemClock::Monotonic, SystemClock::MonotonicRaw] {
        if phc.takes_clock(clock)? {
            clocks.push(clock);
        }
    }
    clocks.extend(phc.auxiliary_clocks()?);
    Ok(clocks)
}
