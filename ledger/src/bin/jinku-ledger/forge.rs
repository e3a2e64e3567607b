//! Writes a ledger as a node would, under keys that are good for nothing else; the attacks begin with it.

use std::fs;
use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use ledger::tile::{
    Edge, TILE_WIDTH, Tile, bundle, entries_path, items_bundle, items_path, partial,
};
use ledger::{
    Batch, Boot, Checkpoint, Entry, Facts, Frontier, Hash, Item, ItemView, Operation, Origin,
    Outcome, Pseudonym, Trust, VerifierKey, encode_items, framed_note, genesis_prev, items_root,
    leaf_hash, notes_path, signature_line, signed_note,
};

pub(crate) const ORIGIN: &str = "selftest.example/vault/node-1";
pub(crate) const START_US: u64 = 1_795_471_916_000_000;

/// A log in memory.
#[derive(Clone)]
pub(crate) struct Forged {
    pub(crate) origin: Origin,
    pub(crate) signer: SigningKey,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) items: Vec<Vec<u8>>,
}

/// What an attack does to an entry before it is linked and signed: to what it says, or to its bytes.
pub(crate) struct Change<'a> {
    pub(crate) entry: &'a dyn Fn(u64, &mut Entry),
    pub(crate) bytes: &'a dyn Fn(u64, Vec<u8>) -> Vec<u8>,
}

/// Leaves bytes as they are.
pub(crate) fn same(_: u64, bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

impl Forged {
    /// A log of that many entries; every seventh has three items.
    pub(crate) fn honest(size: u64) -> anyhow::Result<Self> {
        Self::told(size, &|_, _| {})
    }

    /// The same, with entries changed before they are encoded, and linked as changed.
    pub(crate) fn told(size: u64, entry: &dyn Fn(u64, &mut Entry)) -> anyhow::Result<Self> {
        Self::written(
            size,
            &Change {
                entry,
                bytes: &same,
            },
        )
    }

    pub(crate) fn written(size: u64, change: &Change<'_>) -> anyhow::Result<Self> {
        Self::with_items(size, change, |seq| {
            if seq % 7 == 3 {
                items_of(seq)
            } else {
                Vec::new()
            }
        })
    }

    /// The same, with other items.
    pub(crate) fn told_of(
        size: u64,
        entry: &dyn Fn(u64, &mut Entry),
        items: fn(u64) -> Vec<Item>,
    ) -> anyhow::Result<Self> {
        let change = Change {
            entry,
            bytes: &same,
        };
        Self::with_items(size, &change, items)
    }

    /// A log of entries that have no items.
    pub(crate) fn bare(size: u64) -> anyhow::Result<Self> {
        Self::told_bare(size, &|_, _| {})
    }

    /// The same, with entries changed before they are encoded, and linked as changed.
    pub(crate) fn told_bare(size: u64, entry: &dyn Fn(u64, &mut Entry)) -> anyhow::Result<Self> {
        let change = Change {
            entry,
            bytes: &same,
        };
        Self::with_items(size, &change, |_| Vec::new())
    }

    fn with_items(
        size: u64,
        change: &Change<'_>,
        items: fn(u64) -> Vec<Item>,
    ) -> anyhow::Result<Self> {
        let mut log = Self {
            origin: Origin::parse(ORIGIN)?,
            signer: SigningKey::from_bytes(&[42; 32]),
            entries: Vec::new(),
            items: Vec::new(),
        };
        for seq in 0..size {
            let items = items(seq);
            let mut entry = Entry {
                seq,
                prev: log.prev(),
                time_us: START_US + seq * 1000,
                boot: Boot {
                    id: [1; 8],
                    monotonic_us: seq * 1000,
                },
                facts: facts_of(seq, &items)?,
            };
            (change.entry)(seq, &mut entry);
            log.entries.push((change.bytes)(seq, entry.encode()?));
            log.items.push(encode_items(&items)?);
        }
        Ok(log)
    }

    fn prev(&self) -> Hash {
        let last = self.entries.last();
        last.map_or_else(|| genesis_prev(&self.origin), |last| leaf_hash(last))
    }

    pub(crate) fn key(&self) -> anyhow::Result<VerifierKey> {
        let public = self.signer.verifying_key().to_bytes();
        Ok(VerifierKey::new(self.origin.as_str(), public)?)
    }

    pub(crate) fn trust(&self) -> anyhow::Result<Trust> {
        Ok(Trust {
            key: Some(self.key()?),
            ..Trust::default()
        })
    }

    /// The same trust of an auditor who verified this log at a size before.
    pub(crate) fn pinned(&self, size: u64) -> anyhow::Result<Trust> {
        Ok(Trust {
            pinned: Some(self.checkpoint(size)),
            ..self.trust()?
        })
    }

    pub(crate) fn checkpoint(&self, size: u64) -> Checkpoint {
        let size_here = usize::try_from(size).unwrap_or(usize::MAX);
        let leaves = self.entries.iter().take(size_here);
        let tree: Frontier = leaves.map(|entry| leaf_hash(entry)).collect();
        Checkpoint {
            origin: self.origin.clone(),
            size,
            root: tree.root(),
        }
    }

    pub(crate) fn sign(&self, body: &str) -> anyhow::Result<String> {
        Ok(signed_note(body, &[self.line(body)?]))
    }

    /// The signature line under a text.
    pub(crate) fn line(&self, text: &str) -> anyhow::Result<String> {
        let signature = self.signer.sign(text.as_bytes()).to_bytes();
        Ok(signature_line(&self.key()?, &signature))
    }

    pub(crate) fn note(&self, size: u64) -> anyhow::Result<String> {
        self.sign(&self.checkpoint(size).body())
    }

    /// Writes the archive as it is after publishing each of these sizes in turn.
    pub(crate) fn publish(&self, dir: &Path, sizes: &[u64]) -> anyhow::Result<()> {
        let mut history = String::new();
        for size in sizes {
            self.write_tiles(dir, *size)?;
            self.write_bundles(dir, *size)?;
            let note = self.note(*size)?;
            put(dir, "checkpoint", note.as_bytes())?;
            history.push_str(&framed_note(&note));
        }
        put(dir, &notes_path(START_US), history.as_bytes())
    }

    pub(crate) fn write_bundles(&self, dir: &Path, size: u64) -> anyhow::Result<()> {
        let (width, size) = (usize::try_from(TILE_WIDTH)?, usize::try_from(size)?);
        let parts = self.entries[..size].chunks(width);
        for (n, (entries, items)) in (0..).zip(parts.zip(self.items[..size].chunks(width))) {
            let width = partial(entries.len() as u64);
            put(dir, &entries_path(n, width), &bundle(entries))?;
            if items.iter().any(|items| !items.is_empty()) {
                put(dir, &items_path(n, width), &items_bundle(items))?;
            }
        }
        Ok(())
    }

    pub(crate) fn write_tiles(&self, dir: &Path, size: u64) -> anyhow::Result<()> {
        let mut edge = Edge::new();
        let mut tiles: Vec<Tile> = Vec::new();
        for entry in self.entries.iter().take(usize::try_from(size)?) {
            tiles.extend(edge.append(leaf_hash(entry)));
        }
        tiles.extend(edge.partial_tiles());
        let mut tiles = tiles.iter();
        tiles.try_for_each(|tile| put(dir, &tile.path(), &tile.bytes()))
    }

    /// An entry with something changed, linked as it was.
    pub(crate) fn edited(&self, seq: u64, edit: fn(&mut Entry)) -> anyhow::Result<Vec<u8>> {
        let mut entry = Entry::decode(&self.entries[usize::try_from(seq)?])?;
        edit(&mut entry);
        Ok(entry.encode()?)
    }
}

fn facts_of(seq: u64, items: &[Item]) -> anyhow::Result<Facts> {
    Ok(match seq {
        0 => Facts::genesis(),
        1 => Facts::new(Operation::NodeStart, Outcome::Ok),
        _ if items.is_empty() => Facts {
            unit: Some("tax-office".to_owned()),
            reason: Some("policy-denied".to_owned()),
            ..Facts::new(Operation::Detokenize, Outcome::Denied)
        },
        _ => Facts {
            unit: Some("registry".to_owned()),
            purpose: Some("land-tax".to_owned()),
            domain: Some("citizen".to_owned()),
            request: Some([7; 16]),
            batch: Some(Batch {
                count: items.len() as u64,
                root: items_root(items)?,
            }),
            ..Facts::new(Operation::Tokenize, Outcome::Ok)
        },
    })
}

fn items_of(seq: u64) -> Vec<Item> {
    let item = |index: u8| Item {
        pseudonym: Pseudonym {
            epoch: 1,
            id: u128::from(seq).to_be_bytes().map(|byte| byte ^ index),
        },
        class: "national-id".to_owned(),
        view: ItemView::Issued,
    };
    (0..3).map(item).collect()
}

/// Writes the archive of checkpoints anew.
pub(crate) fn write_history(dir: &Path, notes: &[String]) -> anyhow::Result<()> {
    let history: String = notes.iter().map(|note| framed_note(note)).collect();
    put(dir, &notes_path(START_US), history.as_bytes())
}

pub(crate) fn put(dir: &Path, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = dir.join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(path, bytes)?)
}
