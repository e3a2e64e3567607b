//! Attacks on what leaves the log: receipts, and proofs that one checkpoint continues another.

use ledger::proof::verify_consistency;
use ledger::verify::{Book, Code};
use ledger::{Hash, Receipt, ReceiptError, node_hash, verify_proof, verify_receipt};

use super::scene::{At, Attack, Found, SIZE, Scene};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T33",
        what: "a consistency proof with a hash too many",
        make: |scene| consistency(scene, |proof| proof.push(Hash([7; 32]))),
        code: Code::ProofBroken,
        exit: 2,
        at: At::Anywhere,
    },
    Attack {
        id: "T33",
        what: "a consistency proof with a hash too few",
        make: |scene| consistency(scene, |proof| proof.truncate(proof.len().saturating_sub(1))),
        code: Code::ProofBroken,
        exit: 2,
        at: At::Anywhere,
    },
    Attack {
        id: "T34",
        what: "a receipt for an index beyond the log",
        make: |scene| receipt(scene, |receipt| receipt.index = SIZE),
        code: Code::ProofBroken,
        exit: 2,
        at: At::Anywhere,
    },
    Attack {
        id: "T34",
        what: "an inner node of the tree is shown as an entry (second preimage)",
        make: node_as_entry,
        code: Code::ProofBroken,
        exit: 2,
        at: At::Anywhere,
    },
    Attack {
        id: "T53",
        what: "a receipt with an item taken out",
        make: |scene| {
            receipt(scene, |receipt| {
                let first = usize::from(receipt.items[1]) + 2;
                receipt.items.drain(..first);
            })
        },
        code: Code::ItemsAltered,
        exit: 2,
        at: At::Anywhere,
    },
    Attack {
        id: "T01",
        what: "a receipt with another entry in it",
        make: |scene| {
            receipt(scene, |receipt| {
                let last = receipt.entry.len() - 1;
                receipt.entry[last] ^= 1;
            })
        },
        code: Code::ProofBroken,
        exit: 2,
        at: At::Anywhere,
    },
    Attack {
        id: "T27",
        what: "a receipt under the checkpoint of another log",
        make: |scene| {
            let note = scene.log.note(SIZE)?.replace("node-1\n700", "node-2\n700");
            let mut receipt = taken(scene)?;
            receipt.note = note;
            judged(scene, &receipt)
        },
        code: Code::SignatureBad,
        exit: 3,
        at: At::Anywhere,
    },
];

fn taken(scene: &Scene<'_>) -> anyhow::Result<Receipt> {
    let book = Book::open(&scene.dir, &scene.log.trust()?)?;
    Ok(book.receipt(304)?)
}

fn receipt(scene: &Scene<'_>, change: fn(&mut Receipt)) -> anyhow::Result<Found> {
    let mut receipt = taken(scene)?;
    change(&mut receipt);
    judged(scene, &receipt)
}

fn judged(scene: &Scene<'_>, receipt: &Receipt) -> anyhow::Result<Found> {
    let key = scene.log.key()?;
    Ok(match verify_receipt(&receipt.encode()?, &key) {
        Ok(_) => Found::nothing(),
        Err(error) => Found::of(error.code()),
    })
}

fn consistency(scene: &Scene<'_>, change: fn(&mut Vec<Hash>)) -> anyhow::Result<Found> {
    let (old, new) = (scene.log.checkpoint(300), scene.log.checkpoint(SIZE));
    let mut proof = Book::open(&scene.dir, &scene.log.trust()?)?.consistency(&old, &new)?;
    change(&mut proof);
    let held = verify_consistency((old.size, &old.root), (new.size, &new.root), &proof);
    Ok(match held {
        Ok(()) => Found::nothing(),
        Err(error) => Found::of(ReceiptError::Proof(error).code()),
    })
}

/// The two leaves' node with its prefix, as if it were an entry one level up.
fn node_as_entry(scene: &Scene<'_>) -> anyhow::Result<Found> {
    let mut receipt = taken(scene)?;
    let leaf = ledger::leaf_hash(&receipt.entry);
    let node = node_hash(&leaf, &receipt.proof.remove(0));
    receipt.index /= 2;
    let text = receipt.encode()?;
    Ok(
        match verify_proof(&text, node.as_bytes(), &scene.log.key()?) {
            Ok(_) => Found::nothing(),
            Err(error) => Found::of(error.code()),
        },
    )
}
