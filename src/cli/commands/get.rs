//! `ptpctl get`: a clock's time.

use super::Command;
use crate::cli::failure::Failure;
use crate::cli::{Context, arguments};
use crate::find::tai_offset;
use crate::phc::{Access, Phc};
use crate::report::{Report, Value};
use crate::rfc3339;
use crate::{Tai, TaiOffset, Timestamp, Unknown, Utc};

pub(super) const COMMAND: Command = Command {
    name: "get",
    aliases: &[],
    about: "Show a clock's time",
    arguments,
    run: |context, _| run(context),
};

fn arguments(command: clap::Command) -> clap::Command {
    command
        .arg(arguments::device())
        .long_about(
            "Shows a clock's time exactly, and what it means if the clock keeps UTC and if it \
             keeps TAI. A PHC doesn't report which of them it keeps: the report says which of the \
             two readings fits the system clock within a second. A clock that shows a time before \
             1980 is reported as unset: most clocks start at 1970.",
        )
        .after_help(
            "Examples:\n  \
             ptpctl get\n  \
             ptpctl get --json eth0\n  \
             ptpctl get mock:full,offset=37s",
        )
}

fn run(context: &mut Context<'_>) -> Result<Report, Failure> {
    let phc = context.open(Access::ReadOnly)?;
    let time = phc.patiently(Phc::time)?;
    let system = phc.system_time()?;
    Ok(report(&phc, time, system, tai_offset(&phc)))
}

fn report(
    phc: &Phc,
    time: Timestamp<Unknown>,
    system: Timestamp<Utc>,
    tai: Option<TaiOffset>,
) -> Report {
    let report = Report::on(phc.name()).row("time", format!("{time} s"), "time", time);
    let shown = |utc: Option<Timestamp<Utc>>| utc.and_then(rfc3339::format);
    let if_utc = shown(Some(time.assume()));
    let report = report.row(
        "if it keeps UTC",
        if_utc.clone().unwrap_or_else(|| "outside the calendar (1970 to 9999)".into()),
        "utc_if_utc",
        if_utc,
    );
    let report = match tai {
        Some(tai) => {
            let if_tai = shown(time.assume::<Tai>().to_utc(tai));
            let text =
                if_tai.clone().unwrap_or_else(|| "outside the calendar (1970 to 9999)".into());
            let text = format!("{text} (TAI - UTC = {} s)", tai.0);
            report.rows(
                "if it keeps TAI",
                text,
                vec![("utc_if_tai", if_tai.into()), ("tai_offset_s", tai.0.into())],
            )
        }
        None => report.rows(
            "if it keeps TAI",
            "unknown: neither the kernel nor a leap-second list has TAI - UTC",
            vec![("utc_if_tai", Value::Null), ("tai_offset_s", Value::Null)],
        ),
    };
    let unset = time.is_unset();
    let scale = TaiOffset::fitting(time, system, tai).filter(|_| !unset);
    let fits = match (unset, scale) {
        (true, _) => "neither: the clock is unset".to_owned(),
        (false, Some(scale)) => format!("as {scale}"),
        (false, None) => "neither, within a second".to_owned(),
    };
    report
        .row(
            "fits the system clock",
            fits,
            "fits",
            scale.map(|scale| scale.to_string().to_lowercase()),
        )
        .value("unset", unset)
}
