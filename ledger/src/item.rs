//! The items of a batch, kept beside its entry: which token, of which class, and what was given.

use crate::cbor::{Lines, Reader, Writer, is_clean};
use crate::entry::decode::pseudonym;
use crate::entry::operation::coded;
use crate::entry::{Batch, Pseudonym};
use crate::error::EntryError;
use crate::frontier::Frontier;
use crate::hash::{Hash, leaf_hash};

use std::{fmt, iter};

/// The most bytes an encoded item may have.
pub const ITEM_BYTES_MAX: usize = 1024;

/// One token of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The token, as a pseudonym.
    pub pseudonym: Pseudonym,
    /// Its data class.
    pub class: String,
    /// What was given.
    pub view: ItemView,
}

coded! {
    /// What was given for an item.
    ItemView {
        /// A token was made for a value.
        Issued = 0 "issued",
        /// The value itself.
        Plain = 1 "plain",
        /// The value with parts hidden.
        Masked = 2 "masked",
        /// The token again: nothing was revealed.
        Token = 3 "token",
        /// Absent, or not for this unit: the two look the same.
        NotAvailable = 4 "not-available",
        /// An act of a key was done.
        Done = 5 "done",
        /// An act of a key was refused for this item.
        Refused = 6 "refused",
    }
}

impl Item {
    /// Its bytes. [`encode_items`] and [`items_root`] refuse an item whose class is not clean text.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(3);
        w.array(2);
        w.uint(self.pseudonym.epoch);
        w.bytes(&self.pseudonym.id);
        w.text(&self.class);
        w.uint(self.view.code());
        w.into_bytes()
    }

    /// Reads an item, refusing every spelling but one.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > ITEM_BYTES_MAX {
            return Err(EntryError::TooLong);
        }
        let mut r = Reader::new(bytes);
        r.array(3)?;
        let pseudonym = pseudonym(&mut r)?;
        let class = r.text(Lines::One)?.to_owned();
        let view = ItemView::from_code(r.uint()?);
        let view = view.ok_or_else(|| r.broken("an unknown view"))?;
        r.end()?;
        let item = Self {
            pseudonym,
            class,
            view,
        };
        if item.encode() == bytes {
            Ok(item)
        } else {
            Err(r.broken("a second spelling"))
        }
    }

    fn checked(&self) -> Result<Vec<u8>, EntryError> {
        if !is_clean(&self.class, Lines::One) {
            return Err(EntryError::Text);
        }
        let bytes = self.encode();
        if bytes.len() > ITEM_BYTES_MAX {
            Err(EntryError::TooLong)
        } else {
            Ok(bytes)
        }
    }
}

/// Writes the items of a batch. Equal items that follow each other cost as much as one.
#[derive(Default)]
pub struct BatchWriter {
    bytes: Vec<u8>,
    tree: Frontier,
}

impl BatchWriter {
    /// Adds an item `times` over.
    pub fn push(&mut self, item: &Item, times: usize) -> Result<(), EntryError> {
        let item = item.checked()?;
        let length = u16::try_from(item.len()).map_err(|_| EntryError::TooLong)?;
        self.bytes.reserve(times.saturating_mul(2 + item.len()));
        for _ in 0..times {
            self.bytes.extend_from_slice(&length.to_be_bytes());
            self.bytes.extend_from_slice(&item);
        }
        self.tree.append_run(leaf_hash(&item), times as u64);
        Ok(())
    }

    /// What the entry says of the items, and their bytes: each behind its length in two big-endian bytes.
    #[must_use]
    pub fn finish(self) -> (Batch, Vec<u8>) {
        let batch = Batch {
            count: self.tree.size(),
            root: self.tree.root(),
        };
        (batch, self.bytes)
    }
}

/// The RFC 6962 root over the items' bytes; the root of no items is that of the empty tree.
pub fn items_root(items: &[Item]) -> Result<Hash, EntryError> {
    Ok(written(items)?.finish().0.root)
}

/// The items as they are kept beside their entry: what a [`BatchWriter`] makes of them.
pub fn encode_items(items: &[Item]) -> Result<Vec<u8>, EntryError> {
    Ok(written(items)?.finish().1)
}

fn written(items: &[Item]) -> Result<BatchWriter, EntryError> {
    let mut batch = BatchWriter::default();
    items.iter().try_for_each(|item| batch.push(item, 1))?;
    Ok(batch)
}

/// Reads what [`encode_items`] wrote.
pub fn decode_items(bytes: &[u8]) -> Result<Vec<Item>, EntryError> {
    read_items(bytes).collect()
}

/// The same one by one: no more than one item is in memory. An error is the last.
pub fn read_items(bytes: &[u8]) -> impl Iterator<Item = Result<Item, EntryError>> {
    let mut at = 0;
    iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let read = item_at(bytes, at);
        at = read.as_ref().map_or(bytes.len(), |(_, end)| *end);
        Some(read.map(|(item, _)| item))
    })
}

fn item_at(bytes: &[u8], at: usize) -> Result<(Item, usize), EntryError> {
    let cut = EntryError::Spelling {
        offset: at,
        rule: "an item cut short",
    };
    let length = bytes.get(at..at + 2).ok_or(cut)?;
    let end = at + 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
    let item = Item::decode(bytes.get(at + 2..end).ok_or(cut)?);
    let item = item.map_err(|error| shifted(error, at + 2))?;
    Ok((item, end))
}

/// The items beside an entry, if they are as many and have the root that the entry states.
pub fn stated_items(stated: Option<Batch>, bytes: &[u8]) -> Result<Vec<Item>, EntryError> {
    let items = decode_items(bytes)?;
    let tree: Frontier = items.iter().map(|item| leaf_hash(&item.encode())).collect();
    let found = Batch {
        count: tree.size(),
        root: tree.root(),
    };
    let agrees = stated.map_or(items.is_empty(), |stated| stated == found);
    if agrees {
        Ok(items)
    } else {
        Err(EntryError::OtherItems)
    }
}

fn shifted(error: EntryError, by: usize) -> EntryError {
    match error {
        EntryError::Spelling { offset, rule } => EntryError::Spelling {
            offset: offset + by,
            rule,
        },
        other => EntryError::Spelling {
            offset: by,
            rule: rule_of(other),
        },
    }
}

fn rule_of(error: EntryError) -> &'static str {
    if error == EntryError::TooLong {
        "an item too long"
    } else {
        "an item that is not clean"
    }
}
