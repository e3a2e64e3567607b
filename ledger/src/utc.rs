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
    fn known_moments_are_shown_as_dates() {
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(shown(951_782_400), "2000-02-29T00:00:00.000000Z");
        assert_eq!(shown(951_868_799), "2000-02-29T23:59:59.000000Z");
        assert_eq!(shown(1_795_471_916), "2026-11-23T22:11:56.000000Z");
        assert_eq!(shown(4_107_542_400), "2100-03-01T00:00:00.000000Z");
    }
}
