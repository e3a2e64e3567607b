//! Lives of the node's database, as entries say that they were opened: after a restore, on another machine. In one
//! log each follows the one before; that two are lived at once, only two archives show.

use serde::Serialize;

use super::archive::Archive;
use super::code::Code;
use super::finding::{Finding, Findings};
use crate::entry::{ENTRY_BYTES_MAX, Entry, Operation};
use crate::hash::Hash;
use crate::tile::{TILE_WIDTH, unbundle};

/// What an entry's key begins with, before the id.
const KEY: &str = "incarnation/";
/// More than these are counted by their entries alone.
const LISTED_MAX: usize = 1_000;
const BUNDLE_BYTES_MAX: u64 = TILE_WIDTH * (2 + ENTRY_BYTES_MAX as u64);

/// One life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incarnation {
    /// 1 and up.
    pub number: u32,
    /// Its random id, in hex.
    pub id: String,
    /// The entry that opened it: so many were there before.
    pub seq: u64,
    /// When, in microseconds UTC.
    pub time_us: u64,
    /// Why, such as `restored`.
    pub why: String,
}

/// Where the walk found one.
pub(super) struct Found {
    pub(super) seq: u64,
    /// The bundle's file.
    pub(super) file: String,
    /// The root over the entries before, if it is known.
    pub(super) root: Option<Hash>,
}

/// Reads those that the walk found, and holds each to the one before it and to the tree.
pub(super) fn judge(
    archive: &Archive,
    found: &[Found],
    findings: &mut Findings,
) -> Vec<Incarnation> {
    let mut read: Vec<Incarnation> = Vec::new();
    for place in found.iter().take(LISTED_MAX) {
        // One that can't be read was a finding before.
        let Some(entry) = entry(archive, place) else {
            continue;
        };
        let mut push = |code, message: String| {
            let finding = Finding::new(code, message).file(&place.file);
            findings.push(finding.seq(place.seq));
        };
        let Some(told) = told(&entry) else {
            push(Code::IncarnationOrder, "it names no incarnation".to_owned());
            continue;
        };
        let stated = entry.facts.commitment.map(Hash);
        if place.root.is_some() && stated != place.root {
            let message = "it states another root than that of the entries before it";
            push(Code::IncarnationRoot, message.to_owned());
        }
        if let Some(before) = read.last()
            && (before.number.checked_add(1) != Some(told.number) || before.id == told.id)
        {
            let message = format!("number {} after {}", told.number, before.number);
            push(Code::IncarnationOrder, message);
        }
        read.push(told);
    }
    read
}

fn entry(archive: &Archive, place: &Found) -> Option<Entry> {
    let index = usize::try_from(place.seq % TILE_WIDTH).ok()?;
    let bytes = archive.read(&place.file, BUNDLE_BYTES_MAX).ok()?;
    let entries = unbundle(&bytes, index + 1)?;
    Entry::decode(entries.get(index)?).ok()
}

fn told(entry: &Entry) -> Option<Incarnation> {
    let facts = &entry.facts;
    let (key, number) = facts.key.as_ref()?;
    let id = key.strip_prefix(KEY)?;
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let whole = id.len() == 32 && id.bytes().all(digit);
    let opens = facts.operation == Operation::IncarnationOpen;
    (opens && whole).then(|| Incarnation {
        number: *number,
        id: id.to_owned(),
        seq: entry.seq,
        time_us: entry.time_us,
        why: facts.reason.clone().unwrap_or_default(),
    })
}
