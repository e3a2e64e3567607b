//! Which entries are asked for: by who, what, why, when, how it ended, and which token.

use ledger::verify::Listed;
use ledger::{Entry, Item, ItemView, Operation, Outcome, moment};

use crate::record::{bytes, request};

/// Only entries that agree with every one of these.
#[derive(clap::Args)]
#[command(next_help_heading = "Only entries")]
pub(crate) struct Selection {
    /// Of this unit; may be given again for another
    #[arg(long)]
    unit: Vec<String>,
    /// By this gateway
    #[arg(long)]
    gateway: Option<String>,
    /// With this token: its pseudonym, 32 hex digits, or `EPOCH:` and these; may be given again, for each epoch
    #[arg(long, value_name = "PSEUDONYM", value_parser = pseudonym)]
    token: Vec<(Option<u64>, [u8; 16])>,
    /// With an item of this data class
    #[arg(long)]
    class: Option<String>,
    /// With an item that was answered like this, such as `plain`
    #[arg(long, value_parser = view)]
    view: Option<ItemView>,
    /// For this purpose
    #[arg(long)]
    purpose: Option<String>,
    /// In this token domain
    #[arg(long)]
    domain: Option<String>,
    /// With this operation, such as `detokenize`; may be given again for another
    #[arg(long, value_parser = operation)]
    op: Vec<Operation>,
    /// With this outcome: `ok`, `denied` or `error`
    #[arg(long, value_parser = outcome)]
    outcome: Option<Outcome>,
    /// With this reason, such as `policy-denied`
    #[arg(long)]
    reason: Option<String>,
    /// With this request id, 32 hex digits
    #[arg(long, value_name = "ID", value_parser = request)]
    request: Option<[u8; 16]>,
    /// From this time on, in UTC: `2026-11-23` or `2026-11-23T08:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<u64>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<u64>,
}

impl Selection {
    /// Whether the items must be read to tell.
    pub(crate) fn needs_items(&self) -> bool {
        !self.token.is_empty() || self.class.is_some() || self.view.is_some()
    }

    /// Whether an entry is asked for. Where its items cannot be read, one that names items is not.
    pub(crate) fn takes(&self, listed: &Listed) -> bool {
        let Some(entry) = &listed.entry else {
            return false;
        };
        self.takes_entry(entry) && (!self.needs_items() || self.takes_items(listed))
    }

    fn takes_entry(&self, entry: &Entry) -> bool {
        let facts = &entry.facts;
        let same = |asked: &Option<String>, said: &Option<String>| asked.is_none() || asked == said;
        let unit = facts.unit.as_ref();
        (self.unit.is_empty() || unit.is_some_and(|unit| self.unit.contains(unit)))
            && (self.op.is_empty() || self.op.contains(&facts.operation))
            && self.outcome.is_none_or(|outcome| facts.outcome == outcome)
            && same(&self.gateway, &facts.gateway)
            && same(&self.purpose, &facts.purpose)
            && same(&self.domain, &facts.domain)
            && same(&self.reason, &facts.reason)
            && self.request.is_none_or(|id| facts.request == Some(id))
            && self.from.is_none_or(|from| entry.time_us >= from)
            && self.until.is_none_or(|until| entry.time_us < until)
    }

    fn takes_items(&self, listed: &Listed) -> bool {
        let mut items = listed.items.iter().flatten();
        items.any(|item| self.takes_item(item))
    }

    fn takes_item(&self, item: &Item) -> bool {
        let found = &item.pseudonym;
        let is_it = |(epoch, id): &(Option<u64>, [u8; 16])| {
            found.id == *id && epoch.is_none_or(|epoch| found.epoch == epoch)
        };
        (self.token.is_empty() || self.token.iter().any(is_it))
            && self.class.as_ref().is_none_or(|class| item.class == *class)
            && self.view.is_none_or(|view| item.view == view)
    }
}

fn pseudonym(text: &str) -> Result<(Option<u64>, [u8; 16]), String> {
    let (epoch, id) = match text.split_once(':') {
        Some((epoch, id)) => (epoch.parse().ok().map(Some), id),
        None => (Some(None), text),
    };
    let expected = "expected 32 hex digits, as `show --json` has them, or `EPOCH:` and these";
    epoch.zip(bytes(id)).ok_or_else(|| expected.to_owned())
}

/// A moment in microseconds.
pub(crate) fn time(text: &str) -> Result<u64, String> {
    moment(text).ok_or_else(|| "expected 2026-11-23 or 2026-11-23T08:00:00Z".to_owned())
}

fn operation(name: &str) -> Result<Operation, String> {
    Operation::parse(name).ok_or_else(|| one_of(Operation::ALL))
}

fn outcome(name: &str) -> Result<Outcome, String> {
    Outcome::parse(name).ok_or_else(|| one_of(Outcome::ALL))
}

fn view(name: &str) -> Result<ItemView, String> {
    ItemView::parse(name).ok_or_else(|| one_of(ItemView::ALL))
}

fn one_of(all: &[impl ToString]) -> String {
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    format!("expected one of {}", names.join(", "))
}
