//! Attacks that only others can tell of: the vault's rows, receipts that units kept, a witness that saw another log.

use ledger::verify::{Book, Code};
use ledger::witness::{AddCheckpoint, Refused, WatchedLog};
use ledger::{Checkpoint, Hash};

use super::scene::{At, Attack, Found, SIZE, SIZES, Scene};
use crate::forge::Forged;
use crate::reconcile;

/// How many tokens the honest log issued: three in every seventh entry from the fourth on.
const TOKENS: u64 = 3 * SIZE.div_ceil(7);
/// The entry whose receipt a unit kept.
const KEPT: u64 = 304;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T49",
        what: "the node issues a token and writes no entry: its rows are one more",
        make: |scene| counted(scene, TOKENS + 1),
        code: Code::CountsDiffer,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T49",
        what: "the node takes a token away and writes no entry: its rows are one less",
        make: |scene| counted(scene, TOKENS - 1),
        code: Code::CountsDiffer,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T07",
        what: "an entry whose receipt a unit kept is rewritten, everything signed anew",
        make: |scene| {
            let log = Forged::told(SIZE, &|seq, entry| {
                if seq == KEPT {
                    entry.facts.purpose = Some("another".to_owned());
                }
            })?;
            kept(scene, &log, &SIZES)
        },
        code: Code::ReceiptLost,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T12",
        what: "the tail is cut behind an older genuine checkpoint, and a unit kept a receipt of it",
        make: |scene| kept(scene, scene.log, &[1, 300]),
        code: Code::ReceiptLost,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T62",
        what: "a second node goes on as the same log after a failover, and asks the witness of the first",
        make: |scene| {
            let other = other_node()?;
            let proof = continued(scene, &other)?;
            asked(scene, (&other, SIZE + 100), (SIZE, proof))
        },
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T16",
        what: "another root of the size that a witness cosigned",
        make: |scene| asked(scene, (&other_node()?, SIZE), (SIZE, Vec::new())),
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T12",
        what: "a log that was rolled back asks a witness that saw more",
        make: |scene| asked(scene, (scene.log, 512), (300, proof(scene, 300, 512)?)),
        code: Code::Rollback,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T32",
        what: "a witness that saw nothing yet is sent a proof from size 0 that is not empty",
        make: |scene| {
            let refused = request(scene.log, SIZE, (0, vec![Hash([7; 32])]))?;
            Ok(said(&refused.judge(&watched(scene)?, None)))
        },
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
    Attack {
        id: "T13",
        what: "a witness that saw the log is asked as if it had seen nothing: begun anew",
        make: |scene| asked(scene, (&other_node()?, SIZE + 100), (0, Vec::new())),
        code: Code::Rollback,
        exit: 4,
        at: At::Anywhere,
    },
];

/// What an honest node is told: its rows are right, its receipts stand, its witness cosigns.
pub(super) fn honest(scene: &Scene<'_>) -> anyhow::Result<[Found; 3]> {
    let rows = counted(scene, TOKENS)?;
    let receipt = kept(scene, scene.log, &SIZES)?;
    let old = scene.log.checkpoint(300);
    let request = request(scene.log, SIZE, (300, proof(scene, 300, SIZE)?))?;
    let cosigned = said(&request.judge(&watched(scene)?, Some(&old)));
    Ok([rows, receipt, cosigned])
}

/// What `reconcile` says of so many tokens in the vault.
fn counted(scene: &Scene<'_>, tokens: u64) -> anyhow::Result<Found> {
    let differs = reconcile::tokens_differ(&scene.dir, tokens)?;
    Ok(differs.map_or_else(Found::nothing, Found::of))
}

/// What `reconcile` says of a receipt of the honest log, where the operator shows another one.
fn kept(scene: &Scene<'_>, shown: &Forged, sizes: &[u64]) -> anyhow::Result<Found> {
    let trust = scene.log.trust()?;
    let receipt = Book::open(&scene.dir, &trust)?.receipt(KEPT)?.encode()?;
    scene.replace(shown, sizes)?;
    let book = Book::open(&scene.dir, &trust)?;
    let lost = reconcile::receipt_lost(&book, &scene.log.key()?, &receipt);
    Ok(lost.map_or_else(Found::nothing, Found::of))
}

/// The honest log's first 600 entries, and then others.
fn other_node() -> anyhow::Result<Forged> {
    Forged::told(SIZE + 100, &|seq, entry| {
        if seq >= 600 {
            entry.boot.id = [2; 8];
        }
    })
}

/// The other node's own proof from the size at which it was, as if that had been the honest log's.
fn continued(scene: &Scene<'_>, other: &Forged) -> anyhow::Result<Vec<Hash>> {
    let dir = scene.dir.with_extension("other-node");
    other.publish(&dir, &[SIZE, SIZE + 100])?;
    let book = Book::open(&dir, &scene.log.trust()?)?;
    Ok(book.consistency(&other.checkpoint(SIZE), &other.checkpoint(SIZE + 100))?)
}

fn proof(scene: &Scene<'_>, old: u64, new: u64) -> anyhow::Result<Vec<Hash>> {
    let book = Book::open(&scene.dir, &scene.log.trust()?)?;
    Ok(book.consistency(&scene.log.checkpoint(old), &scene.log.checkpoint(new))?)
}

/// What a witness that saw the honest log at its size says of a request.
fn asked(
    scene: &Scene<'_>,
    (log, size): (&Forged, u64),
    from: (u64, Vec<Hash>),
) -> anyhow::Result<Found> {
    let seen = scene.log.checkpoint(SIZE);
    let request = request(log, size, from)?;
    Ok(said(&request.judge(&watched(scene)?, Some(&seen))))
}

fn request(
    log: &Forged,
    size: u64,
    (old_size, proof): (u64, Vec<Hash>),
) -> anyhow::Result<AddCheckpoint> {
    let note = log.note(size)?;
    Ok(AddCheckpoint {
        old_size,
        proof,
        note,
    })
}

fn watched(scene: &Scene<'_>) -> anyhow::Result<WatchedLog> {
    Ok(WatchedLog {
        origin: scene.log.origin.clone(),
        keys: vec![scene.log.key()?],
    })
}

/// A witness's refusal as the finding that it stands for.
fn said(judged: &Result<Checkpoint, Refused>) -> Found {
    match judged {
        Ok(_) => Found::nothing(),
        Err(Refused::Fork(_) | Refused::Inconsistent) => Found::of(Code::Fork),
        Err(Refused::Stale(_) | Refused::Backward) => Found::of(Code::Rollback),
        Err(Refused::Unsigned) => Found::of(Code::SignatureMissing),
        Err(_) => Found::of(Code::CheckpointMalformed),
    }
}
