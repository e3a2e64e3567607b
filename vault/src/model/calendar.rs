//! Calendars of holidays and make-up workdays (補班), as `calendars.toml` has them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};
use serde::Deserialize;

use super::hours::{Hours, weekday};
use super::unit::{Registry, RegistryError, Unit};

/// Most days of one calendar.
const DAYS_MAX: usize = 10_000;

/// Which days are not what their weekday says.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    holidays: BTreeSet<Date>,
    workdays: BTreeMap<Date, Weekday>,
}

/// All calendars, by name.
#[derive(Clone, Debug, Default)]
pub struct Calendars(BTreeMap<String, Calendar>);

/// Why calendars were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalendarError {
    /// The text is not TOML of the expected shape.
    #[error("the calendars can't be read: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Two calendars share a name.
    #[error("calendar `{0}` is there twice")]
    Twice(String),
    /// A day is none.
    #[error(
        "calendar `{0}` has a day that is not one: write it as 2026-02-16, and a weekday as mon"
    )]
    Day(String),
    /// A day is a holiday and a workday.
    #[error("calendar `{0}` says of a day that it is a holiday and a workday")]
    Both(String),
    /// A calendar has too many days.
    #[error("calendar `{0}` has more than {DAYS_MAX} days")]
    TooLong(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCalendars {
    #[serde(default)]
    calendar: Vec<RawCalendar>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCalendar {
    name: String,
    #[serde(default)]
    holidays: Vec<String>,
    #[serde(default)]
    workdays: Vec<RawWorkday>,
}

/// A day on which people work though its weekday would not say so, and which weekday's hours it has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWorkday {
    date: String,
    #[serde(rename = "as")]
    like: String,
}

impl Calendars {
    /// Reads `calendars.toml`.
    pub fn parse(text: &str) -> Result<Self, CalendarError> {
        let raw: RawCalendars = toml::from_str(text)?;
        let mut calendars = BTreeMap::new();
        for RawCalendar {
            name,
            holidays,
            workdays,
        } in raw.calendar
        {
            let calendar = Calendar::read(&name, &holidays, &workdays)?;
            if calendars.insert(name.clone(), calendar).is_some() {
                return Err(CalendarError::Twice(name));
            }
        }
        Ok(Self(calendars))
    }

    /// Whether the calendar that a unit's hours name is there.
    pub fn serve(&self, unit: &Unit) -> Result<(), RegistryError> {
        let hours = unit.allowance.hours.as_ref();
        let named = hours.and_then(Hours::calendar);
        if named.is_none_or(|name| self.0.contains_key(name)) {
            Ok(())
        } else {
            Err(RegistryError::Calendar(unit.name.clone()))
        }
    }

    /// The same of all of a registry's units.
    pub fn serve_all(&self, registry: &Registry) -> Result<(), RegistryError> {
        registry.units().try_for_each(|unit| self.serve(unit))
    }

    /// The calendar of this name.
    pub fn find(&self, name: &str) -> Option<&Calendar> {
        self.0.get(name)
    }
}

impl Calendar {
    fn read(
        name: &str,
        holidays: &[String],
        workdays: &[RawWorkday],
    ) -> Result<Self, CalendarError> {
        if holidays.len() + workdays.len() > DAYS_MAX {
            return Err(CalendarError::TooLong(name.to_owned()));
        }
        let wrong = || CalendarError::Day(name.to_owned());
        let date = |text: &str| text.parse::<Date>().map_err(|_| wrong());
        let mut calendar = Self::default();
        for holiday in holidays {
            calendar.holidays.insert(date(holiday)?);
        }
        for workday in workdays {
            let day = date(&workday.date)?;
            let like = weekday(&workday.like).ok_or_else(wrong)?;
            if calendar.holidays.contains(&day) {
                return Err(CalendarError::Both(name.to_owned()));
            }
            calendar.workdays.insert(day, like);
        }
        Ok(calendar)
    }

    /// Whose weekday's hours a day has; a holiday has none.
    pub(super) fn weekday(&self, date: Date) -> Option<Weekday> {
        if self.holidays.contains(&date) {
            return None;
        }
        Some(self.workdays.get(&date).copied().unwrap_or(date.weekday()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_calendar_has_taiwan_s_holidays_and_its_make_up_workday() {
        let calendars = Calendars::parse(include_str!("../../../policies/calendars.toml")).unwrap();
        let taiwan = calendars.find("tw").unwrap();
        let day = |text: &str| taiwan.weekday(text.parse().unwrap());
        assert_eq!(day("2026-02-17"), None);
        // A Saturday that had a Monday's hours.
        assert_eq!(day("2025-02-08"), Some(Weekday::Monday));
        assert_eq!(day("2026-02-23"), Some(Weekday::Monday));
        assert_eq!(day("2026-02-21"), Some(Weekday::Saturday));
    }

    #[test]
    fn what_is_not_a_calendar_is_refused() {
        for (text, wrong) in [
            (
                "[[calendar]]\nname = 'a'\nholidays = ['2026-02-30']",
                "not one",
            ),
            (
                "[[calendar]]\nname = 'a'\nworkdays = [{ date = '2026-02-28', as = 'tag' }]",
                "not one",
            ),
            (
                "[[calendar]]\nname = 'a'\nholidays = ['2026-02-27']\nworkdays = [{ date = '2026-02-27', as = 'mon' }]",
                "a holiday and a workday",
            ),
            (
                "[[calendar]]\nname = 'a'\n[[calendar]]\nname = 'a'",
                "twice",
            ),
            ("[[calendar]]\nname = 'a'\nholiday = []", "can't be read"),
        ] {
            let said = Calendars::parse(text).unwrap_err().to_string();
            assert!(said.contains(wrong), "{text}: {said}");
        }
    }
}
