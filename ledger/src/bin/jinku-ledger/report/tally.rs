//! Counts what entries say: who redeemed what, what was denied, when. Bounded, whatever the archive has.

use std::collections::BTreeMap;

use ledger::verify::Listed;
use ledger::{Entry, Facts, Item, ItemView, Operation, Outcome};

/// More names than this in a table are counted together.
const NAMES_MAX: usize = 10_000;
/// Alerts that are listed one by one.
const ALERTS_MAX: usize = 200;
const DAY_MINUTES: u64 = 24 * 60;
const MINUTE_US: u64 = 60_000_000;

/// Which hours are usual.
#[derive(Clone, Copy)]
pub(super) struct Hours {
    pub(super) usual: (u8, u8),
    pub(super) weekends: bool,
    pub(super) offset_minutes: i32,
}

/// What a unit did.
#[derive(Clone, Copy, Default)]
pub(super) struct Unit {
    pub(super) entries: u64,
    pub(super) denied: u64,
    pub(super) errors: u64,
    pub(super) issued: u64,
    pub(super) plain: u64,
    pub(super) masked: u64,
    /// Values shown in unusual hours.
    pub(super) unusual: u64,
}

/// How values were answered.
#[derive(Clone, Copy, Default)]
pub(super) struct Answers {
    pub(super) plain: u64,
    pub(super) masked: u64,
    pub(super) withheld: u64,
}

/// Something people are told of at once.
pub(super) struct Alert {
    pub(super) seq: u64,
    pub(super) time_us: u64,
    pub(super) unit: String,
    pub(super) reason: String,
}

pub(super) struct Tally {
    hours: Hours,
    pub(super) entries: u64,
    pub(super) items: u64,
    pub(super) unreadable: u64,
    pub(super) items_unreadable: u64,
    /// The first and the last time.
    pub(super) span_us: Option<(u64, u64)>,
    /// By operation: ok, denied, error.
    pub(super) operations: BTreeMap<&'static str, [u64; 3]>,
    pub(super) units: BTreeMap<String, Unit>,
    pub(super) redeemed: BTreeMap<(String, String), Answers>,
    pub(super) purposes: BTreeMap<(String, String), u64>,
    pub(super) denials: BTreeMap<(String, String), u64>,
    /// Values shown, by weekday from Monday on and hour, in local time.
    pub(super) clock: [[u64; 24]; 7],
    /// By day since 1970 in local time: entries, values shown.
    pub(super) days: BTreeMap<u64, (u64, u64)>,
    pub(super) alerts: Vec<Alert>,
    pub(super) alerts_more: u64,
}

impl Tally {
    pub(super) fn new(hours: Hours) -> Self {
        Self {
            hours,
            entries: 0,
            items: 0,
            unreadable: 0,
            items_unreadable: 0,
            span_us: None,
            operations: BTreeMap::new(),
            units: BTreeMap::new(),
            redeemed: BTreeMap::new(),
            purposes: BTreeMap::new(),
            denials: BTreeMap::new(),
            clock: [[0; 24]; 7],
            days: BTreeMap::new(),
            alerts: Vec::new(),
            alerts_more: 0,
        }
    }

    pub(super) fn add(&mut self, listed: &Listed) {
        let Some(entry) = &listed.entry else { return };
        let facts = &entry.facts;
        self.entries += 1;
        let (first, last) = self.span_us.unwrap_or((entry.time_us, entry.time_us));
        self.span_us = Some((first.min(entry.time_us), last.max(entry.time_us)));
        let ends = self.operations.entry(facts.operation.as_str()).or_default();
        ends[usize::try_from(facts.outcome.code()).unwrap_or(2).min(2)] += 1;
        let items = listed.items.as_deref();
        if items.is_none() {
            self.items_unreadable += 1;
        }
        let items = items.unwrap_or_default();
        self.items += items.len() as u64;
        let shown = self.answers(facts, items);
        let (day, weekday, hour) = self.hours.local(entry.time_us);
        let by_day = named(&mut self.days, day, u64::MAX);
        by_day.0 += 1;
        by_day.1 += shown;
        self.clock[weekday][hour] += shown;
        let unusual = if self.hours.is_usual(weekday, hour) {
            0
        } else {
            shown
        };
        self.unit(facts, items, shown, unusual);
        self.refusal(facts);
        self.alert(entry, listed.seq);
    }

    /// Values shown by this entry, counted by class and purpose.
    fn answers(&mut self, facts: &Facts, items: &[Item]) -> u64 {
        let redeems = matches!(
            facts.operation,
            Operation::Detokenize | Operation::TicketRedeem
        );
        if !redeems {
            return 0;
        }
        let mut shown = 0;
        for item in items {
            let key = (unit_of(facts), item.class.clone());
            let answers = named(&mut self.redeemed, key, others());
            match item.view {
                ItemView::Plain => answers.plain += 1,
                ItemView::Masked => answers.masked += 1,
                _ => answers.withheld += 1,
            }
            shown += u64::from(matches!(item.view, ItemView::Plain | ItemView::Masked));
        }
        if shown > 0 {
            let purpose = facts.purpose.clone().unwrap_or_else(|| "(none)".to_owned());
            *named(&mut self.purposes, (unit_of(facts), purpose), others()) += shown;
        }
        shown
    }

    fn unit(&mut self, facts: &Facts, items: &[Item], shown: u64, unusual: u64) {
        if facts.unit.is_none() {
            return;
        }
        let of = |view| items.iter().filter(|item| item.view == view).count() as u64;
        let redeems = shown > 0;
        let unit = named(&mut self.units, unit_of(facts), "(others)".to_owned());
        unit.entries += 1;
        unit.denied += u64::from(facts.outcome == Outcome::Denied);
        unit.errors += u64::from(facts.outcome == Outcome::Error);
        unit.issued += of(ItemView::Issued);
        if redeems {
            unit.plain += of(ItemView::Plain);
            unit.masked += of(ItemView::Masked);
        }
        unit.unusual += unusual;
    }

    fn refusal(&mut self, facts: &Facts) {
        if facts.outcome == Outcome::Denied {
            let reason = facts.reason.clone().unwrap_or_else(|| "(none)".to_owned());
            *named(&mut self.denials, (unit_of(facts), reason), others()) += 1;
        }
    }

    fn alert(&mut self, entry: &Entry, seq: u64) {
        let facts = &entry.facts;
        if !matches!(facts.operation, Operation::Alert | Operation::UnitLock) {
            return;
        }
        if self.alerts.len() == ALERTS_MAX {
            self.alerts_more += 1;
            return;
        }
        self.alerts.push(Alert {
            seq,
            time_us: entry.time_us,
            unit: unit_of(facts),
            reason: facts.reason.clone().unwrap_or_default(),
        });
    }
}

impl Hours {
    /// The day since 1970, the weekday from Monday on, the hour.
    fn local(self, time_us: u64) -> (u64, usize, usize) {
        let minutes = (time_us / MINUTE_US).saturating_add_signed(i64::from(self.offset_minutes));
        let (day, minute) = (minutes / DAY_MINUTES, minutes % DAY_MINUTES);
        // 1 January 1970 was a Thursday.
        let weekday = usize::try_from((day + 3) % 7).unwrap_or(0);
        (day, weekday, usize::try_from(minute / 60).unwrap_or(0))
    }

    fn is_usual(self, weekday: usize, hour: usize) -> bool {
        let (from, to) = self.usual;
        (usize::from(from)..usize::from(to)).contains(&hour) && (self.weekends || weekday < 5)
    }

    /// In words.
    pub(super) fn said(self) -> String {
        let (from, to) = self.usual;
        let days = if self.weekends {
            "every day"
        } else {
            "Monday to Friday"
        };
        let (sign, minutes) = (
            if self.offset_minutes < 0 { '-' } else { '+' },
            self.offset_minutes.abs(),
        );
        format!(
            "{from:02}:00-{to:02}:00 {days}, UTC{sign}{:02}:{:02}",
            minutes / 60,
            minutes % 60
        )
    }
}

impl Tally {
    pub(super) fn hours(&self) -> Hours {
        self.hours
    }
}

fn unit_of(facts: &Facts) -> String {
    facts.unit.clone().unwrap_or_else(|| "(none)".to_owned())
}

fn others() -> (String, String) {
    ("(others)".to_owned(), "(others)".to_owned())
}

/// The count of a name; of a name too many, that of the others.
fn named<K: Ord, V: Default>(names: &mut BTreeMap<K, V>, name: K, others: K) -> &mut V {
    let full = names.len() >= NAMES_MAX && !names.contains_key(&name);
    names.entry(if full { others } else { name }).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_and_the_weekday_are_local() {
        let hours = Hours {
            usual: (7, 20),
            weekends: false,
            offset_minutes: 480,
        };
        // Friday 27 November 2026, 23:30 UTC is Saturday 07:30 in Taipei.
        let time = ledger::moment("2026-11-27T23:30:00Z").unwrap();
        let (_, weekday, hour) = hours.local(time);
        assert_eq!(
            (weekday, hour, hours.is_usual(weekday, hour)),
            (5, 7, false)
        );
        let utc = Hours {
            offset_minutes: 0,
            ..hours
        };
        assert_eq!(utc.local(time).1, 4);
        assert!(utc.is_usual(4, 19) && !utc.is_usual(4, 20) && !utc.is_usual(4, 6));
        let early = Hours {
            offset_minutes: -600,
            ..hours
        };
        assert_eq!(early.local(0), (0, 3, 0));
    }

    #[test]
    fn names_too_many_are_counted_together() {
        let mut names = BTreeMap::new();
        for name in 0..NAMES_MAX + 50 {
            *named(&mut names, format!("{name:06}"), "others".to_owned()) += 1_u64;
        }
        assert_eq!((names.len(), names["others"]), (NAMES_MAX + 1, 50));
    }
}
