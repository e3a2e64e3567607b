//! Days: the Gregorian and the ROC calendar, in the writings that Taiwan uses.

use std::fmt::Write as _;
use std::ops::Range;

use jiff::civil::Date;

use crate::token::ValueFault;

const YEAR_MIN: i16 = 1850;
const YEAR_MAX: i16 = 2199;
/// Year 1 of the Republic is 1912.
const ROC_YEARS: i16 = 1911;

/// `YYYY-MM-DD`.
const NORMAL_BYTES: usize = 10;

/// Days of all those years.
pub(super) const DAYS: u128 = 127_835;

/// `YYYY-MM-DD` if `text` is a day in one of the known writings, else `text`.
///
/// Four digits are a Gregorian year, three one of the Republic; two only after 民國, since elsewhere
/// they may be anything. Without separators, eight digits are Gregorian, seven of the Republic.
pub(super) fn normal(text: &str) -> String {
    match day(text) {
        Some(date) => {
            let mut normal = String::with_capacity(NORMAL_BYTES);
            // Into a string, writing can't fail.
            let _ = write!(normal, "{date}");
            normal
        }
        None => text.to_owned(),
    }
}

/// The fewest days that agree in all places of their normal form but the hidden ones: all are sorted.
pub(super) fn fewest(hidden: &Range<usize>) -> u128 {
    const DIGIT_PLACES: [usize; 8] = [0, 1, 2, 3, 5, 6, 8, 9];
    let first = Date::new(YEAR_MIN, 1, 1).ok();
    let days = std::iter::successors(first, |day| day.tomorrow().ok());
    let shown = |day: Date| {
        let month_and_day =
            u32::from(day.month().unsigned_abs()) * 100 + u32::from(day.day().unsigned_abs());
        let mut rest = u32::from(day.year().unsigned_abs()) * 10_000 + month_and_day;
        let mut shown = 0;
        for (power, place) in (0..).zip(DIGIT_PLACES.into_iter().rev()) {
            if !hidden.contains(&place) {
                shown += rest % 10 * 10_u32.pow(power);
            }
            rest /= 10;
        }
        shown
    };
    let mut views: Vec<u32> = days
        .take_while(|day| day.year() <= YEAR_MAX)
        .map(shown)
        .collect();
    views.sort_unstable();
    let alike = views.chunk_by(|one, other| one == other);
    alike.map(|days| days.len() as u128).min().unwrap_or(0)
}

/// Whether a normal form is a day.
pub(super) fn check(text: &str) -> Result<(), ValueFault> {
    let numbers: Option<Vec<i16>> = text.split('-').map(number).collect();
    match (text.len(), numbers.as_deref()) {
        (NORMAL_BYTES, Some(&[year, month, day])) => {
            let small = |number: i16| i8::try_from(number).map_err(|_| ValueFault::Calendar);
            if !(YEAR_MIN..=YEAR_MAX).contains(&year) {
                return Err(ValueFault::Calendar);
            }
            let date = Date::new(year, small(month)?, small(day)?);
            date.map(drop).map_err(|_| ValueFault::Calendar)
        }
        _ if text
            .chars()
            .any(|c| !c.is_ascii_digit() && !"-/.年月日民國前".contains(c)) =>
        {
            Err(ValueFault::Character)
        }
        // All its signs are those of a date, yet no known writing makes a day of them.
        _ => Err(ValueFault::Calendar),
    }
}

fn day(text: &str) -> Option<Date> {
    let (republic, text) = match text.strip_prefix("民國") {
        Some(rest) => (true, rest.trim()),
        None => (false, text),
    };
    let (year, month, day) = parts(text)?;
    let of_republic = match year.len() {
        4 if !republic => false,
        3 => true,
        1 | 2 if republic => true,
        _ => return None,
    };
    let year = number(year)? + if of_republic { ROC_YEARS } else { 0 };
    let fits = (YEAR_MIN..=YEAR_MAX).contains(&year) && (1..=2).contains(&month.len());
    if !fits || !(1..=2).contains(&day.len()) {
        return None;
    }
    let (month, day) = (number(month)?, number(day)?);
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Year, month and day as they stand.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) && matches!(text.len(), 7 | 8) {
        let (year, rest) = text.split_at(text.len() - 4);
        let (month, day) = rest.split_at(2);
        return Some((year, month, day));
    }
    if let Some(text) = text.strip_suffix('日') {
        let (year, rest) = text.split_once('年')?;
        let (month, day) = rest.split_once('月')?;
        return Some((year.trim(), month.trim(), day.trim()));
    }
    let sign = ['-', '/', '.']
        .into_iter()
        .find(|&sign| text.contains(sign))?;
    let mut parts = text.split(sign);
    let found = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(found)
}

fn number(digits: &str) -> Option<i16> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_day_has_one_normal_form_in_whatever_calendar_it_was_written() {
        for text in [
            "2026-03-02",
            "2026/3/2",
            "2026.03.02",
            "20260302",
            "2026年3月2日",
            "115/03/02",
            "115-3-2",
            "115.3.2",
            "1150302",
            "民國115年3月2日",
            "民國 115 年 3 月 2 日",
            "民國115/3/2",
        ] {
            assert_eq!(normal(text), "2026-03-02", "{text}");
            assert_eq!(check(&normal(text)), Ok(()), "{text}");
        }
        assert_eq!(normal("民國1年1月1日"), "1912-01-01");
        assert_eq!(normal("民國85年2月29日"), "1996-02-29");
    }

    #[test]
    fn what_no_calendar_has_is_refused_with_what_is_wrong() {
        for text in [
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-01-32",
            "1849-12-31",
            "2200-01-01",
            "85/3/2",
            "850302",
            "2026-03",
            "2026-03-02-01",
            "2026/03-02",
            "民國2026年3月2日",
            "-",
            "2026",
            "99999999999999999999-01-01",
            "2026-003-02",
            "20260230",
            "1150230",
        ] {
            assert_eq!(check(&normal(text)), Err(ValueFault::Calendar), "{text}");
        }
        for text in [
            "March 2, 2026",
            "2026-03-02T00:00",
            "二〇二六年",
            "2026-3-😀",
            "２０２６",
        ] {
            assert_eq!(check(&normal(text)), Err(ValueFault::Character), "{text}");
        }
    }

    #[test]
    fn the_number_of_days_is_the_calendars() {
        let begin = Date::new(YEAR_MIN, 1, 1).unwrap();
        let end = Date::new(YEAR_MAX, 12, 31).unwrap();
        let days = end.since(begin).unwrap().get_days() + 1;
        assert_eq!(u128::try_from(days).unwrap(), DAYS);
    }
}
