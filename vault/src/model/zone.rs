//! Time zones by their IANA names: the wall clock of an instant, and when a day or a month begins and ends there.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::clock::Timestamp;

/// A time zone of the IANA database, as the system has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Zone(TimeZone);

/// Why a zone was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "no such time zone: give an IANA name such as `Asia/Taipei`, and see that the system's package tzdata is installed"
)]
pub struct UnknownZone;

/// A stretch of time that a quota counts: a day or a month of a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Period {
    /// Its name: `2026-11-28`, or `2026-11`.
    pub name: String,
    /// First instant of it.
    pub begins: Timestamp,
    /// First instant after it.
    pub ends: Timestamp,
}

impl Period {
    /// Whether an instant lies in it.
    pub fn covers(&self, now: Timestamp) -> bool {
        self.begins <= now && now < self.ends
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Zone {
    /// The zone of this name.
    pub fn parse(name: &str) -> Result<Self, UnknownZone> {
        TimeZone::get(name).map(Self).map_err(|_| UnknownZone)
    }

    /// What a clock on a wall there shows. Each instant has one; a time that comes twice is shown twice.
    pub(super) fn wall(&self, now: Timestamp) -> DateTime {
        self.0.to_datetime(instant(now))
    }

    /// The day that an instant lies in.
    pub fn day(&self, now: Timestamp) -> Period {
        let date = self.wall(now).date();
        let next = date.tomorrow().unwrap_or(date);
        self.period(date.to_string(), date, next)
    }

    /// The month that an instant lies in.
    pub fn month(&self, now: Timestamp) -> Period {
        let first = self.wall(now).date().first_of_month();
        let last = first.last_of_month();
        let next = last.tomorrow().unwrap_or(last);
        let name = format!("{:04}-{:02}", first.year(), first.month());
        self.period(name, first, next)
    }

    fn period(&self, name: String, from: Date, to: Date) -> Period {
        Period {
            name,
            begins: self.midnight(from),
            ends: self.midnight(to),
        }
    }

    /// Where clocks jump over midnight, a day begins with the first instant after the gap.
    fn midnight(&self, date: Date) -> Timestamp {
        let at = date.to_zoned_datetime(self.0.clone());
        let micros = at.map_or(0, |at| at.timestamp().as_microsecond());
        Timestamp(u64::try_from(micros).unwrap_or(0))
    }
}

fn instant(now: Timestamp) -> jiff::Timestamp {
    let micros = i64::try_from(now.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn at(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().unwrap();
        Timestamp(u64::try_from(instant.as_microsecond()).unwrap())
    }

    #[test]
    fn a_day_and_a_month_begin_at_the_zone_s_midnight() {
        let zone = Zone::parse("Asia/Taipei").unwrap();
        let now = at("2026-11-30T16:00:00Z");
        let day = zone.day(now);
        assert_eq!(day.name, "2026-12-01");
        assert_eq!((day.begins, day.ends), (now, at("2026-12-01T16:00:00Z")));
        assert_eq!(zone.month(now).name, "2026-12");
        let before = Timestamp(now.0 - 1);
        assert_eq!(zone.day(before).name, "2026-11-30");
        assert!(zone.month(before).covers(before) && !zone.month(before).covers(now));
        assert_eq!(Zone::default().day(now).name, "2026-11-30");
    }

    // Berlin's day of 2026-03-29 has 23 hours; Beirut's of 2024-03-31 begins at 01:00.
    #[test]
    fn a_day_is_as_long_as_the_clocks_there_make_it() {
        let day = Zone::parse("Europe/Berlin")
            .unwrap()
            .day(at("2026-03-29T12:00:00Z"));
        assert_eq!(day.ends.0 - day.begins.0, 23 * 3_600_000_000);
        let day = Zone::parse("Asia/Beirut")
            .unwrap()
            .day(at("2024-03-31T12:00:00Z"));
        assert_eq!(day.begins, at("2024-03-30T22:00:00Z"));
        assert!(Zone::parse("Asia/Atlantis").is_err());
    }
}
