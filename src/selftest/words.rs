//! Quantities as people read them, also those beyond the range of the types for quantities: a clock
//! under test may show any value.

/// Millionths of a ppb as people read them.
pub(super) fn ppm(micro_ppb: i128) -> String {
    // To a thousandth of a ppm.
    let thousandths = micro_ppb.saturating_add(micro_ppb.signum() * 500_000) / 1_000_000;
    let sign = if thousandths < 0 { "-" } else { "+" };
    let size = thousandths.unsigned_abs();
    format!("{sign}{}.{:03} ppm", size / 1_000, size % 1_000)
}

/// An uncertainty in millionths of a ppb, as people read it.
pub(super) fn within(micro_ppb: i128) -> String {
    ppm(micro_ppb.saturating_abs()).replacen('+', "", 1)
}

/// A distance in nanoseconds as people read it, with its sign.
pub(super) fn time(nanoseconds: i128) -> String {
    i64::try_from(nanoseconds).map_or_else(
        |_| format!("{nanoseconds} ns"),
        |nanoseconds| format!("{:+}", crate::Offset::from_nanoseconds(nanoseconds)),
    )
}

/// As [`time`], for a distance without a sign.
pub(super) fn span(nanoseconds: i128) -> String {
    time(nanoseconds).replacen('+', "", 1)
}
