//! Calendar time from microseconds, for people: no clock is read here.

use std::fmt;

const DAY_SECONDS: u64 = 86_400;

/// A moment in UTC, shown as `2026-11-23T22:11:56.000123Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    /// The year.
    pub year: u64,
    /// 1 to 12.
    pub month: u64,
    /// 1 to 31.
    pub day: u64,
    day_micros: u64,
}

impl Utc {
    /// The moment that many microseconds after 1970 began.
    #[must_use]
    pub fn from_micros(time_us: u64) -> Self {
        let (year, month, day) = civil(time_us / 1_000_000 / DAY_SECONDS);
        Self {
            year,
            month,
            day,
            day_micros: time_us % (DAY_SECONDS * 1_000_000),
        }
    }
}

/// Reads a moment in UTC: `2026-11-23`, `2026-11-23T22:11:56Z` or with up to six digits of a second.
/// Microseconds since 1970.
#[must_use]
pub fn moment(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let day = days(date)?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let digits = fraction.len();
    let fraction = fraction
        .parse::<u64>()
        .ok()
        .filter(|_| (1..=6).contains(&digits))?;
    let micros = fraction * 10_u64.pow(6 - u32::try_from(digits).ok()?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((day * DAY_SECONDS + hour * 3600 + minute * 60 + second) * 1_000_000 + micros)
}

/// The day since 1970 that a date names; none where there is no such day.
fn days(date: &str) -> Option<u64> {
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Howard Hinnant's `days_from_civil`, the inverse of `civil`.
    let years = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (years / 400, years % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    (civil(days) == (year, month, day)).then_some(days)
}

/// Three numbers with so many digits each.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(between).zip(digits).map(|(part, digits)| {
        let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u64>().ok().filter(|_| plain)
    });
    let found = [parts.next()??, parts.next()??, parts.next()??];
    (text.split(between).count() == 3).then_some(found)
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.day_micros / 1_000_000, self.day_micros % 1_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)?;
        write!(f, "T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// Howard Hinnant's `civil_from_days`: years that begin in March, in cycles of 400.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(seconds: u64) -> String {
        Utc::from_micros(seconds * 1_000_000).to_string()
    }

    #[test]
    fn a_moment_is_read_as_it_is_shown() {
        for seconds in [0, 951_782_400, 951_868_799, 1_795_471_916, 4_107_542_400] {
            assert_eq!(moment(&shown(seconds)), Some(seconds * 1_000_000));
        }
        assert_eq!(moment("2026-11-23"), moment("2026-11-23T00:00:00Z"));
        assert_eq!(moment("1970-01-01T00:00:01.5Z"), Some(1_500_000));
        for bad in [
            "",
            "2026",
            "2026-11-31",
            "2025-02-29",
            "2026-13-01",
            "26-11-23",
            "2026-11-23T24:00:00Z",
            "2026-11-23T01:02:03",
            "2026-11-23T1:02:03Z",
            "+026-11-23",
            "2026-11-23T01:02:03.Z",
            "2026-11-23T01:02:03.1234567Z",
            "1969-12-31",
            "2026-11-23-01",
        ] {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }

    #[test]
    fn known_moments_are_shown_as_dates() {
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(shown(951_782_400), "2000-02-29T00:00:00.000000Z");
        assert_eq!(shown(951_868_799), "2000-02-29T23:59:59.000000Z");
        assert_eq!(shown(1_795_471_916), "2026-11-23T22:11:56.000000Z");
        assert_eq!(shown(4_107_542_400), "2100-03-01T00:00:00.000000Z");
    }
}
