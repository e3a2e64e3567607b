//! Follows the statements by which the log's key handed over to others: from the auditor's pinned key, each
//! signed by the old and the new one, each the entry of the log that it names.

use std::path::Path;

use super::Trust;
use super::archive::{Archive, ReadError};
use super::code::Code;
use super::finding::{Finding, Findings};
use crate::entry::{Entry, Operation};
use crate::history::Frames;
use crate::note::VerifierKey;
use crate::signer::{Rotation, RotationError, SIGNERS_BYTES_MAX, Signers};
use crate::tile::{TILE_WIDTH, entries_path, unbundle};

const FILE: &str = "signers";

/// A full bundle of the longest entries, as C2SP frames them.
const BUNDLE_BYTES_MAX: u64 = TILE_WIDTH * (2 + u16::MAX as u64);

/// The trust with the keys that the archive's statements lead to. What does not hold is not followed.
pub(super) fn followed(archive: &Archive, trust: &Trust, findings: &mut Findings) -> Trust {
    let Some(key) = &trust.key else {
        return trust.clone();
    };
    let mut trust = trust.clone();
    // Those that the auditor brought count where the archive has none.
    let signers = read(archive, key, &trust.rotations, |finding| {
        findings.push(finding);
    });
    trust.rotations = signers.rotations().to_vec();
    trust
}

/// The keys that sign the log in this folder, from a pinned one: for who opens a checkpoint of it. What the
/// folder says is followed only as far as the keys themselves signed it.
pub fn signers_of(dir: &Path, pinned: &VerifierKey) -> Signers {
    match Archive::open(dir) {
        Ok(archive) => read(&archive, pinned, &[], |_| {}),
        Err(_) => Signers::pinned(pinned.clone()),
    }
}

fn read(
    archive: &Archive,
    pinned: &VerifierKey,
    known: &[Rotation],
    mut found: impl FnMut(Finding),
) -> Signers {
    let text = match archive.read(FILE, SIGNERS_BYTES_MAX) {
        Ok(bytes) => String::from_utf8(bytes).unwrap_or_else(|_| "not UTF-8".to_owned()),
        Err(error) => {
            if error != ReadError::Missing {
                found(error.finding(FILE));
            }
            return Signers::of(pinned.clone(), known.to_vec());
        }
    };
    let mut signers: Option<Signers> = None;
    let frames = Frames {
        rest: &text,
        offset: 0,
    };
    for (offset, note) in frames {
        let mut push = |code, message: String| {
            found(Finding::new(code, message).file(FILE).offset(offset));
        };
        let stepped = note.map_err(RotationError::Note).and_then(|note| {
            let rotation = Rotation::open(note)?;
            let seq = rotation.seq;
            let chain = signers.get_or_insert_with(|| Signers::pinned(rotation.old.clone()));
            chain.extend(rotation).map(|()| (seq, note))
        });
        match stepped {
            Ok((seq, note)) if stands(archive, seq, note) => {}
            Ok((seq, _)) => push(Code::SignerEntry, format!("entry {seq} does not carry it")),
            Err(error) => {
                push(Code::SignerStatement, error.to_string());
                break;
            }
        }
    }
    // Each link is signed by both its keys: so from the pinned one the chain holds forward and back.
    match signers {
        Some(signers) if signers.has(pinned) => signers,
        Some(_) => {
            let message = RotationError::Stranger.to_string();
            found(Finding::new(Code::SignerStatement, message).file(FILE));
            Signers::pinned(pinned.clone())
        }
        None => Signers::pinned(pinned.clone()),
    }
}

/// Whether the entry is there and carries the statement. That the entry is the log's is judged with all others.
fn stands(archive: &Archive, seq: u64, note: &str) -> bool {
    let (n, place) = (seq / TILE_WIDTH, usize::try_from(seq % TILE_WIDTH));
    let Ok(place) = place else {
        return false;
    };
    // The full bundle, or the widest partial one, whichever is there.
    let widths = (1..=u8::MAX).rev().map(Some);
    let mut paths = std::iter::once(None)
        .chain(widths)
        .map(|width| entries_path(n, width));
    let Some(path) = paths.find(|path| archive.has(path)) else {
        return false;
    };
    let bytes = archive.read(&path, BUNDLE_BYTES_MAX).unwrap_or_default();
    let entry = unbundle(&bytes, place + 1).and_then(|entries| Entry::decode(entries[place]).ok());
    entry.is_some_and(|entry| {
        entry.facts.operation == Operation::SignerRotate
            && entry.facts.statement.as_deref() == Some(note)
    })
}
