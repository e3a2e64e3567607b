//! Checks the items beside a bundle against the count and root that its entries state.

use super::archive::{Archive, ReadError};
use super::code::Code;
use super::epochs::Named;
use super::files::{Found, Position};
use super::finding::{Finding, Findings};
use crate::entry::Batch;
use crate::frontier::Frontier;
use crate::hash::leaf_hash;
use crate::item::Item;
use crate::tile::{TILE_WIDTH, items_path};

/// Bounds the memory of the check; a bundle of 256 batches of 20,000 items stays below.
pub(super) const ITEMS_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What the entries of a bundle say about their items: none where the entry could not be read.
pub(super) type Stated = Option<Option<Batch>>;

/// Checks the items of a bundle; returns how many items agree with their entries, and the epochs that they name.
pub(super) fn check(
    archive: &Archive,
    n: u64,
    stated: &[Stated],
    findings: &mut Findings,
) -> (u64, Named) {
    let mut named = Named::default();
    let needed = stated
        .iter()
        .flatten()
        .flatten()
        .any(|batch| batch.count > 0);
    if !needed && !archive.may_have_items() {
        return (0, named);
    }
    let path = |partial| items_path(n, partial);
    let width = stated.len() as u64;
    let position = Position {
        archive,
        path: &path,
        width,
        bytes_max: ITEMS_BYTES_MAX,
    };
    let first = n * TILE_WIDTH;
    let entries_known = stated.iter().all(Option::is_some);
    let agreeing = match position.read() {
        Ok(found) => check_file(&position, (&found, first), stated, &mut named, findings),
        Err((_, ReadError::Missing)) if !needed && !entries_known => 0,
        Err((path, ReadError::Missing)) if !needed => {
            // No items, no file; a narrower file with items would contradict the entries.
            let nothing = Found {
                path,
                exact: true,
                bytes: Vec::new(),
            };
            let end_of = |count| Some(0).filter(|_| count == 0);
            position.compare_widths(&nothing, &end_of, findings);
            0
        }
        Err((path, error)) => {
            findings.push(error.finding(&path).seqs(first, first + width - 1));
            0
        }
    };
    (agreeing, named)
}

fn check_file(
    position: &Position<'_>,
    (found, first): (&Found, u64),
    stated: &[Stated],
    named: &mut Named,
    findings: &mut Findings,
) -> u64 {
    let (mut at, mut ends, mut agreeing) = (0, vec![0], 0);
    for (seq, stated) in (first..).zip(stated) {
        let Some(kept) = next_kept(&found.bytes, at) else {
            let message = "items cannot be cut out from here on";
            let finding = Finding::new(Code::ItemsMalformed, message).file(&found.path);
            findings.push(finding.offset(at).seqs(seq, first + position.width - 1));
            break;
        };
        match (
            stated,
            check_kept(kept, *stated, |epoch| named.note(epoch, seq)),
        ) {
            (_, Err((code, offset, message))) => {
                let finding = Finding::new(code, message).file(&found.path);
                findings.push(finding.offset(at + 4 + offset).seq(seq));
            }
            (Some(_), Ok(count)) => agreeing += count,
            (None, Ok(_)) => {}
        }
        at += 4 + kept.len();
        ends.push(at);
    }
    if found.exact && ends.len() > stated.len() && at < found.bytes.len() {
        let message = "bytes after the last items";
        let finding = Finding::new(Code::ItemsMalformed, message).file(&found.path);
        findings.push(finding.offset(at).seq(first + position.width - 1));
    }
    position.compare_widths(found, &|count| ends.get(count).copied(), findings);
    agreeing
}

fn next_kept(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let prefix = bytes.get(at..at + 4)?;
    let length = u32::from_be_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]);
    let start = at + 4;
    bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)
}

type Fault = (Code, usize, String);

/// The items of one entry: well formed, and as many and with the root that the entry states.
fn check_kept(kept: &[u8], stated: Stated, mut note: impl FnMut(u64)) -> Result<u64, Fault> {
    let (mut at, mut tree) = (0, Frontier::new());
    while at < kept.len() {
        let fault = |offset, message: String| (Code::ItemsMalformed, offset, message);
        let cut = || fault(at, "an item is cut short".to_owned());
        let prefix = kept.get(at..at + 2).ok_or_else(cut)?;
        let end = at + 2 + usize::from(u16::from_be_bytes([prefix[0], prefix[1]]));
        let item = kept.get(at + 2..end).ok_or_else(cut)?;
        let read = Item::decode(item)
            .map_err(|error| fault(at + 2 + error.offset(), format!("item: {error}")))?;
        note(read.pseudonym.epoch);
        tree.append(leaf_hash(item));
        at = end;
    }
    let found = Batch {
        count: tree.size(),
        root: tree.root(),
    };
    let agrees = match stated {
        None => true,
        Some(None) => found.count == 0,
        Some(Some(batch)) => found == batch,
    };
    let message = || format!("{} items whose root the entry does not state", found.count);
    if agrees {
        Ok(found.count)
    } else {
        Err((Code::ItemsAltered, 0, message()))
    }
}
