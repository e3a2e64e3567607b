//! Service hours: spans of a week on a zone's wall clock, over midnight too, less holidays, with make-up workdays.
//!
//! What the wall clock shows decides. Where clocks jump ahead, a span that begins in the gap begins after it; an hour
//! that comes twice is in or out both times.

use jiff::civil::{Date, Time, Weekday};
use serde::{Deserialize, Serialize};

use super::calendar::{Calendar, Calendars};
use super::clock::Timestamp;
use super::zone::Zone;

/// Most spans of a week.
const SPANS_MAX: usize = 64;

const WEEK: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// When a unit is served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hours {
    spans: Vec<Span>,
    calendar: Option<String>,
}

/// Hours as they are written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawHours {
    weekly: Vec<RawSpan>,
    /// Name of the calendar that says which days are holidays.
    #[serde(skip_serializing_if = "Option::is_none")]
    holidays: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct RawSpan {
    days: String,
    from: String,
    to: String,
}

/// Why hours were refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HoursFault {
    /// Days are none.
    #[error("`days` is a list of mon, tue, wed, thu, fri, sat, sun and of ranges such as mon-fri")]
    Days,
    /// A time is none.
    #[error("`from` and `to` are times such as 08:00 or 17:30; `to` may be 24:00")]
    Time,
    /// A span without length, or with all of it.
    #[error("a span's `from` and `to` are the same: a whole day is from 00:00 to 24:00")]
    Empty,
    /// No spans, or too many.
    #[error("`weekly` has 1 to {SPANS_MAX} spans")]
    Spans,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Span {
    /// By their place in the week, from Monday.
    days: [bool; 7],
    from: Time,
    /// `None` is the day's end.
    to: Option<Time>,
}

impl Hours {
    /// From hours as they are written.
    pub fn read(raw: &RawHours) -> Result<Self, HoursFault> {
        if raw.weekly.is_empty() || raw.weekly.len() > SPANS_MAX {
            return Err(HoursFault::Spans);
        }
        let spans = raw.weekly.iter().map(Span::read);
        Ok(Self {
            spans: spans.collect::<Result<_, _>>()?,
            calendar: raw.holidays.clone(),
        })
    }

    /// The calendar that they name.
    pub fn calendar(&self) -> Option<&str> {
        self.calendar.as_deref()
    }

    /// Whether they are on at an instant. Where their calendar is missing they never are.
    pub fn are_on(&self, now: Timestamp, zone: &Zone, calendars: &Calendars) -> bool {
        let none = Calendar::default();
        let calendar = match &self.calendar {
            None => &none,
            Some(name) => match calendars.find(name) {
                Some(calendar) => calendar,
                None => return false,
            },
        };
        let wall = zone.wall(now);
        let today = calendar.weekday(wall.date());
        let yesterday = before(wall.date()).and_then(|date| calendar.weekday(date));
        let on = |span: &Span| span.is_on(today, yesterday, wall.time());
        self.spans.iter().any(on)
    }
}

impl Span {
    fn read(raw: &RawSpan) -> Result<Self, HoursFault> {
        let from = time(&raw.from)?;
        let to = if raw.to == "24:00" {
            None
        } else {
            Some(time(&raw.to)?)
        };
        // From midnight to midnight would be no time, or the whole day.
        if to == Some(from) {
            return Err(HoursFault::Empty);
        }
        Ok(Self {
            days: days(&raw.days).ok_or(HoursFault::Days)?,
            from,
            to,
        })
    }

    /// A span belongs to the day on which it begins: what goes over midnight is that day's still.
    fn is_on(&self, today: Option<Weekday>, yesterday: Option<Weekday>, time: Time) -> bool {
        let of = |day: Option<Weekday>| day.is_some_and(|day| self.days[place(day)]);
        match self.to {
            None => of(today) && self.from <= time,
            Some(to) if self.from < to => of(today) && self.from <= time && time < to,
            Some(to) => (of(today) && self.from <= time) || (of(yesterday) && time < to),
        }
    }
}

/// The weekday of this short name.
pub(super) fn weekday(name: &str) -> Option<Weekday> {
    let known = WEEK.iter().find(|(short, _)| *short == name);
    known.map(|(_, day)| *day)
}

fn place(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or(0) % 7
}

fn before(date: Date) -> Option<Date> {
    date.yesterday().ok()
}

fn days(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (place(weekday(first.trim())?), place(weekday(last.trim())?));
        days[day] = true;
        while day != last {
            day = (day + 1) % 7;
            days[day] = true;
        }
    }
    Some(days)
}

/// `08:00`, in no other spelling.
fn time(text: &str) -> Result<Time, HoursFault> {
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let (hour, minute) = text.split_once(':').ok_or(HoursFault::Time)?;
    if !digits(hour) || !digits(minute) {
        return Err(HoursFault::Time);
    }
    let number = |text: &str| text.parse::<i8>().map_err(|_| HoursFault::Time);
    Time::new(number(hour)?, number(minute)?, 0, 0).map_err(|_| HoursFault::Time)
}

#[cfg(test)]
mod tests;
