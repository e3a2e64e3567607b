//! Writes real archives of a log, as a node would: entries, items, tiles, checkpoints, history.

#![allow(dead_code, reason = "each test crate uses its own part")]

pub(crate) mod handed;

use std::fs;
use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use ledger::tile::{Edge, Tile, bundle, entries_path, items_bundle, items_path, partial};
use ledger::{
    Batch, Boot, Checkpoint, Entry, Facts, Frontier, Item, ItemView, Operation, Origin, Outcome,
    Pseudonym, Trust, VerifierKey, encode_items, framed_note, genesis_prev, items_root, leaf_hash,
    notes_path, signature_line, signed_note,
};

pub(crate) const ORIGIN: &str = "bank.example/vault/node-1";
pub(crate) const START_US: u64 = 1_795_471_916_000_000;

/// A log in memory: bytes of its entries and of the items beside them.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) origin: Origin,
    pub(crate) signer: SigningKey,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) items: Vec<Vec<u8>>,
}

impl Log {
    /// A log of that many entries; every seventh is a batch of three items.
    pub(crate) fn of(size: u64) -> Self {
        Self::told(size, |_, _| {})
    }

    /// The same, with entries changed before they are encoded, and linked as changed.
    pub(crate) fn told(size: u64, change: impl Fn(u64, &mut Entry)) -> Self {
        Self::empty().grown(size, change)
    }

    fn grown(mut self, size: u64, change: impl Fn(u64, &mut Entry)) -> Self {
        let log = &mut self;
        for seq in 0..size {
            let items = if seq % 7 == 3 {
                items_of(seq)
            } else {
                Vec::new()
            };
            let mut entry = Entry {
                seq,
                prev: log.prev(),
                time_us: START_US + seq * 1000,
                boot: Boot {
                    id: [1; 8],
                    monotonic_us: seq * 1000,
                },
                facts: facts_of(seq, &items),
            };
            change(seq, &mut entry);
            log.entries.push(entry.encode().unwrap());
            log.items.push(encode_items(&items).unwrap());
        }
        self
    }

    /// A log of another name, with a key of its own.
    pub(crate) fn named(name: &str, size: u64) -> Self {
        let empty = Self {
            origin: Origin::parse(name).unwrap(),
            signer: SigningKey::from_bytes(&[43; 32]),
            ..Self::empty()
        };
        empty.grown(size, |_, _| {})
    }

    pub(crate) fn empty() -> Self {
        Self {
            origin: Origin::parse(ORIGIN).unwrap(),
            signer: SigningKey::from_bytes(&[42; 32]),
            entries: Vec::new(),
            items: Vec::new(),
        }
    }

    fn prev(&self) -> ledger::Hash {
        self.entries
            .last()
            .map_or_else(|| genesis_prev(&self.origin), |last| leaf_hash(last))
    }

    pub(crate) fn key(&self) -> VerifierKey {
        VerifierKey::new(self.origin.as_str(), self.signer.verifying_key().to_bytes()).unwrap()
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust {
            key: Some(self.key()),
            ..Trust::default()
        }
    }

    /// What this log would say at a size.
    pub(crate) fn checkpoint(&self, size: u64) -> Checkpoint {
        let leaves = self.entries.iter().take(usize::try_from(size).unwrap());
        let tree: Frontier = leaves.map(|entry| leaf_hash(entry)).collect();
        Checkpoint {
            origin: self.origin.clone(),
            size,
            root: tree.root(),
        }
    }

    pub(crate) fn sign(&self, body: &str) -> String {
        let signature = self.signer.sign(body.as_bytes()).to_bytes();
        signed_note(body, &[signature_line(&self.key(), &signature)])
    }

    pub(crate) fn note(&self, size: u64) -> String {
        self.sign(&self.checkpoint(size).body())
    }

    /// Writes the archive as it is after publishing each of these sizes in turn.
    pub(crate) fn publish(&self, dir: &Path, sizes: &[u64]) {
        let mut history = String::new();
        for size in sizes {
            self.write_tiles(dir, *size);
            self.write_bundles(dir, *size);
            let note = self.note(*size);
            put(dir, "checkpoint", note.as_bytes());
            history.push_str(&framed_note(&note));
        }
        put(dir, &notes_path(START_US), history.as_bytes());
    }

    pub(crate) fn write_bundles(&self, dir: &Path, size: u64) {
        let size = usize::try_from(size).unwrap();
        let parts = self.entries[..size]
            .chunks(256)
            .zip(self.items[..size].chunks(256));
        for (n, (entries, items)) in (0..).zip(parts) {
            let width = partial(entries.len() as u64);
            put(dir, &entries_path(n, width), &bundle(entries));
            if items.iter().any(|items| !items.is_empty()) {
                put(dir, &items_path(n, width), &items_bundle(items));
            }
        }
    }

    pub(crate) fn write_tiles(&self, dir: &Path, size: u64) {
        let mut edge = Edge::new();
        let mut tiles: Vec<Tile> = Vec::new();
        for entry in &self.entries[..usize::try_from(size).unwrap()] {
            tiles.extend(edge.append(leaf_hash(entry)));
        }
        tiles.extend(edge.partial_tiles());
        for tile in tiles {
            put(dir, &tile.path(), &tile.bytes());
        }
    }
}

fn facts_of(seq: u64, items: &[Item]) -> Facts {
    match seq {
        0 => Facts::genesis(),
        1 => Facts::new(Operation::NodeStart, Outcome::Ok),
        _ if items.is_empty() => Facts {
            unit: Some("tax-office".to_owned()),
            reason: Some("policy-denied".to_owned()),
            ..Facts::new(Operation::Detokenize, Outcome::Denied)
        },
        _ => Facts {
            unit: Some("臺北市稅捐處".to_owned()),
            gateway: Some("edge-1".to_owned()),
            purpose: Some("land-tax".to_owned()),
            domain: Some("citizen".to_owned()),
            request: Some([7; 16]),
            batch: Some(Batch {
                count: 3,
                root: items_root(items).unwrap(),
            }),
            ..Facts::new(Operation::Tokenize, Outcome::Ok)
        },
    }
}

pub(crate) fn items_of(seq: u64) -> Vec<Item> {
    let id = |index: u8| u128::from(seq).to_be_bytes().map(|byte| byte ^ index);
    (0..3)
        .map(|index| Item {
            pseudonym: Pseudonym {
                epoch: 1,
                id: id(index),
            },
            class: "national-id".to_owned(),
            view: ItemView::Issued,
        })
        .collect()
}

pub(crate) fn put(dir: &Path, path: &str, bytes: &[u8]) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Every file of an archive, relative, sorted.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Numbers that look random and are the same in every run (xorshift64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}
