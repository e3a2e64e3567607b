//! The verdict over an archive, what it rests on, and what it does not cover.

use serde::Serialize;

use super::code::Class;
use super::finding::Finding;
use super::incarnations::Incarnation;
use super::quorum::Cosigners;
use super::second::SecondSignature;
use super::stamps::Stamps;

/// Names the shape of a report in JSON; it changes when a field changes its meaning or goes away.
pub const REPORT_SCHEMA: &str = "jinku-ledger.report/1";

/// What was read and found. The same archive and trust give the same report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`REPORT_SCHEMA`].
    pub schema: &'static str,
    /// The verdict: the worst class found.
    pub verdict: Class,
    /// The exit code that stands for the verdict.
    pub exit_code: u8,
    /// What the checkpoint states, if it could be read.
    pub checkpoint: Option<Stated>,
    /// The pinned key, as the auditor gave it.
    pub key: Option<String>,
    /// The keys that the log was handed over to, one after another, in statements that old and new signed.
    pub later_keys: Vec<String>,
    /// Whether the pinned key, or the one whose turn it was, signed the checkpoint of the expected log.
    pub authenticated: bool,
    /// The size of the checkpoint verified last time.
    pub pinned_size: Option<u64>,
    /// The second signature, if the auditor demands one.
    pub second: Option<SecondSignature>,
    /// Who cosigned the checkpoint, if the auditor has a witness policy.
    pub cosigners: Option<Cosigners>,
    /// The time stamps that hold, if the auditor brought certificates for them.
    pub stamps: Option<Stamps>,
    /// The first entry that was read; those before rest on the pinned checkpoint.
    pub first_seq: u64,
    /// How many entries an earlier run had verified when it was broken off, and this one went on.
    pub resumed_at: Option<u64>,
    /// How much was read.
    pub read: Counts,
    /// Lives of the node's database that were opened among the entries read.
    pub incarnations: Vec<Incarnation>,
    /// What this verdict says nothing about.
    pub not_checked: Vec<&'static str>,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// How many findings were left out, for there were too many.
    pub findings_omitted: u64,
    /// The signed checkpoint, for the auditor's state file.
    #[serde(skip)]
    pub note: Option<String>,
}

/// What a checkpoint states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stated {
    /// The log's name.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root in hex.
    pub root: String,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// Entries.
    pub entries: u64,
    /// Items whose entry agrees with them.
    pub items: u64,
    /// Hash tiles.
    pub tiles: u64,
    /// Archived checkpoints.
    pub checkpoints: u64,
}

impl Report {
    /// Each life of the node's database on a line; nothing where there was one only.
    pub fn lives(&self) -> impl Iterator<Item = String> {
        let several = self.incarnations.len() > 1;
        let lives = self.incarnations.iter().filter(move |_| several);
        lives.map(|life| {
            let at = crate::utc::Utc::from_micros(life.time_us);
            let Incarnation {
                number,
                id,
                seq,
                why,
                ..
            } = life;
            format!("incarnation {number} ({why}) from entry {seq} on, {at}, id {id}")
        })
    }

    /// What the verdict rests on, and what it says nothing about.
    #[must_use]
    pub fn scope(&self) -> String {
        let entries = match (self.read.entries, &self.checkpoint) {
            (0, _) => "no entries".to_owned(),
            (1, _) => format!("1 entry, seq {}", self.first_seq),
            (read, Some(stated)) => {
                format!("{read} entries, seq {}-{}", self.first_seq, stated.size - 1)
            }
            (read, None) => format!("{read} entries"),
        };
        let against = match &self.checkpoint {
            None => "covered by no readable checkpoint".to_owned(),
            Some(stated) => format!("{} {}", self.relation(stated.size), self.signer()),
        };
        let second = self.second.as_ref();
        let second = second.map_or_else(String::new, |found| format!(", {}", found.said()));
        let cosigned = self.cosigners.as_ref();
        let cosigned = cosigned.map_or_else(String::new, |found| format!(", {}", found.said()));
        let stamped = self.stamps.as_ref();
        let stamped = stamped.map_or_else(String::new, |found| format!(", {}", found.said()));
        let not_checked = match self.not_checked.as_slice() {
            [] => "nothing".to_owned(),
            some => some.join(", "),
        };
        format!("{entries}, {against}{second}{cosigned}{stamped}; not checked: {not_checked}")
    }

    /// A checkpoint covers what was found to agree with it; anything else was held against it.
    fn relation(&self, size: u64) -> String {
        let agrees = self.verdict <= Class::Warning;
        let relation = if agrees { "covered by" } else { "held against" };
        format!("{relation} checkpoint of size {size}")
    }

    fn signer(&self) -> String {
        match &self.key {
            Some(key) if self.authenticated => match self.later_keys.as_slice() {
                [] => format!("signed by {key}"),
                later => format!(
                    "signed by the key whose turn it is after {} handovers, in a chain with {key}",
                    later.len()
                ),
            },
            Some(_) => "NOT signed by the given key for the expected log".to_owned(),
            None => "whose signature was not checked".to_owned(),
        }
    }
}
