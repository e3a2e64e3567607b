//! Hours on the wall clock of a zone.

use super::*;

const TAIWAN: &str = "[[calendar]]\nname = 'tw'\nholidays = ['2025-01-27', '2025-02-28']\n\
                      workdays = [{ date = '2025-02-08', as = 'mon' }]\n";

fn hours(days: &str, from: &str, to: &str, holidays: Option<&str>) -> Result<Hours, HoursFault> {
    Hours::read(&RawHours {
        weekly: vec![RawSpan {
            days: days.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        }],
        holidays: holidays.map(str::to_owned),
    })
}

fn at(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().unwrap();
    Timestamp(u64::try_from(instant.as_microsecond()).unwrap())
}

#[track_caller]
fn check(hours: &Hours, zone: &str, moments: &[(&str, bool)]) {
    let (zone, calendars) = (
        Zone::parse(zone).unwrap(),
        Calendars::parse(TAIWAN).unwrap(),
    );
    for (moment, on) in moments {
        assert_eq!(hours.are_on(at(moment), &zone, &calendars), *on, "{moment}");
    }
}

#[test]
fn a_span_has_its_first_instant_and_not_its_last() {
    let hours = hours("mon-fri", "08:00", "18:00", None).unwrap();
    check(
        &hours,
        "Asia/Taipei",
        &[
            ("2026-11-27T23:59:59Z", false),
            // Friday 08:00 in Taipei.
            ("2026-11-27T00:00:00Z", true),
            ("2026-11-26T23:59:59.999999Z", false),
            ("2026-11-27T09:59:59.999999Z", true),
            ("2026-11-27T10:00:00Z", false),
            // Saturday noon.
            ("2026-11-28T04:00:00Z", false),
        ],
    );
}

#[test]
fn a_span_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let night = hours("fri", "22:00", "06:00", None).unwrap();
    check(
        &night,
        "Asia/Taipei",
        &[
            ("2026-11-27T13:59:59Z", false),
            ("2026-11-27T14:00:00Z", true),
            ("2026-11-27T21:59:59Z", true),
            ("2026-11-27T22:00:00Z", false),
            // Friday's own early morning is Thursday's night.
            ("2026-11-26T21:00:00Z", false),
        ],
    );
    let whole = hours("sun", "00:00", "24:00", None).unwrap();
    check(
        &whole,
        "UTC",
        &[
            ("2026-11-29T00:00:00Z", true),
            ("2026-11-29T23:59:59.999999Z", true),
            ("2026-11-30T00:00:00Z", false),
        ],
    );
}

#[test]
fn holidays_have_no_hours_and_make_up_workdays_have_a_weekday_s() {
    let office = hours("mon-fri", "08:00", "18:00", Some("tw")).unwrap();
    check(
        &office,
        "Asia/Taipei",
        &[
            ("2025-01-27T02:00:00Z", false),
            ("2025-02-28T02:00:00Z", false),
            // A Saturday that makes up for a Monday, and one that does not.
            ("2025-02-08T02:00:00Z", true),
            ("2025-02-15T02:00:00Z", false),
        ],
    );
    // The night of a holiday's eve goes on into the holiday.
    let night = hours("mon-sun", "22:00", "06:00", Some("tw")).unwrap();
    check(
        &night,
        "Asia/Taipei",
        &[
            ("2025-02-27T21:00:00Z", true),
            ("2025-02-28T15:00:00Z", false),
            ("2025-02-28T17:00:00Z", false),
        ],
    );
    // A calendar that is not there: nobody knows the holidays, so nobody is served.
    let lost = hours("mon-sun", "00:00", "24:00", Some("none")).unwrap();
    check(&lost, "Asia/Taipei", &[("2025-02-27T02:00:00Z", false)]);
}

// Berlin, 2026: clocks jump from 02:00 to 03:00 on March 29, and back from 03:00 to 02:00 on October 25.
#[test]
fn gaps_and_overlaps_go_by_what_the_wall_clock_shows() {
    let morning = hours("sun", "02:30", "04:00", None).unwrap();
    check(
        &morning,
        "Europe/Berlin",
        &[
            ("2026-03-29T00:59:59Z", false),
            // 02:30 does not come: the first instant that is shown after it is 03:00.
            ("2026-03-29T01:00:00Z", true),
            ("2026-03-29T02:00:00Z", false),
            // 02:15, 02:30 and 02:45 come twice.
            ("2026-10-25T00:15:00Z", false),
            ("2026-10-25T00:30:00Z", true),
            ("2026-10-25T01:15:00Z", false),
            ("2026-10-25T01:45:00Z", true),
            ("2026-10-25T03:00:00Z", false),
        ],
    );
    let gone = hours("sun", "02:00", "03:00", None).unwrap();
    let day = at("2026-03-28T23:00:00Z").0;
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let on = (0..23 * 60).any(|minute| {
        gone.are_on(
            Timestamp(day + minute * 60_000_000),
            &zone,
            &Calendars::default(),
        )
    });
    assert!(!on, "an hour that does not come is never on");
}

#[test]
fn days_are_names_and_ranges_also_over_the_week_s_end() {
    let mask = |text: &str| {
        let days = days(text)?;
        Some(
            days.map(|on| if on { 'x' } else { '.' })
                .iter()
                .collect::<String>(),
        )
    };
    for (text, expected) in [
        ("mon-fri", "xxxxx.."),
        ("sat,sun", ".....xx"),
        ("fri-mon", "x...xxx"),
        ("wed", "..x...."),
        ("mon, wed-thu", "x.xx..."),
    ] {
        assert_eq!(mask(text).as_deref(), Some(expected), "{text}");
    }
    for wrong in ["", "Mon", "mon-", "monday", "mon-fri-sat", "mon;tue"] {
        assert_eq!(mask(wrong), None, "{wrong}");
    }
}

#[test]
fn what_is_no_span_is_refused() {
    assert_eq!(hours("mon", "08:00", "08:00", None), Err(HoursFault::Empty));
    for wrong in [
        "8:00", "08:60", "25:00", "24:00", "08", "+8:00", "08:00:00", "",
    ] {
        assert_eq!(
            hours("mon", wrong, "18:00", None),
            Err(HoursFault::Time),
            "{wrong}"
        );
    }
    assert!(hours("mon", "08:00", "24:00", None).is_ok());
    let none = RawHours {
        weekly: Vec::new(),
        holidays: None,
    };
    assert_eq!(Hours::read(&none), Err(HoursFault::Spans));
}
