//! Times as `ctime` of the C library prints them.

use std::env;
use tz::{DateTime, TimeZone};

/// A time in seconds since 1970 as `ctime` prints it, in the local time zone, with its line end:
/// `Thu Jan  1 00:00:00 1970`.
pub(super) fn ctime(seconds: i64) -> String {
    in_zone(seconds, &local())
}

/// The time zone of this process, by `$TZ` or the system; UTC where neither has one.
fn local() -> TimeZone {
    let zone = match env::var("TZ") {
        // Where a zone has a summer time without its dates, the C library takes those of the USA.
        Ok(name) => TimeZone::from_posix_tz(&name)
            .or_else(|_| TimeZone::from_posix_tz(&format!("{name},M3.2.0,M11.1.0"))),
        Err(_) => TimeZone::local(),
    };
    zone.unwrap_or_else(|_| TimeZone::utc())
}

fn in_zone(seconds: i64, zone: &TimeZone) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // A zone with leap seconds doesn't know all times.
    let time = DateTime::from_timespec(seconds, 0, zone.as_ref())
        .or_else(|_| DateTime::from_timespec(seconds, 0, TimeZone::utc().as_ref()));
    let Ok(time) = time else {
        // The C library returns no text for a year that doesn't fit, and prints it as this.
        return "(null)".into();
    };
    let name = |names: &[&'static str], at: u8| *names.get(usize::from(at)).unwrap_or(&"???");
    format!(
        "{} {} {:2} {:02}:{:02}:{:02} {}\n",
        name(&DAYS, time.week_day()),
        name(&MONTHS, time.month().saturating_sub(1)),
        time.month_day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.year()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_printed_as_ctime_prints_it() {
        let utc = |seconds| in_zone(seconds, &TimeZone::utc());
        assert_eq!(utc(0), "Thu Jan  1 00:00:00 1970\n");
        assert_eq!(utc(120), "Thu Jan  1 00:02:00 1970\n");
        assert_eq!(utc(1_795_705_402), "Thu Nov 26 15:03:22 2026\n");
        assert_eq!(utc(2_208_988_800), "Sun Jan  1 00:00:00 2040\n");
        assert_eq!(utc(i64::MAX), "(null)");
    }

    #[test]
    fn a_summer_time_without_dates_has_those_of_the_usa() {
        let zone = TimeZone::from_posix_tz("CET-1CEST,M3.2.0,M11.1.0").expect("a zone");
        assert_eq!(in_zone(1_700_000_000, &zone), "Tue Nov 14 23:13:20 2023\n");
    }

    #[test]
    fn a_time_is_printed_in_the_zone() {
        let berlin = TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        assert_eq!(in_zone(1_785_000_000, &berlin), "Sat Jul 25 19:20:00 2026\n");
    }
}
