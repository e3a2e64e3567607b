//! Epochs of the ledger's pseudonyms: each has a key of its own, which can be destroyed.
//!
//! ```text
//! key of an epoch = both halves: HMAC key `pseudonym.1`, wrapped by the HSM, in the database and its backups
//!                                a shred key, outside of both
//! pseudonym       = HMAC-SHA-256(key of the epoch, label | what it stands for), cut to 16 bytes
//! ```
//! Once the shred key is destroyed, neither database nor backup nor HSM tell whom a pseudonym of that epoch stands for.
//! The first epoch of a database from before epochs has the one key alone: it lies in every backup, and can't be erased.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use kms::{Binding, Envelope, MacKey};
use ledger::{Facts, Operation, Outcome, Pseudonym};

use super::{KeyError, Opening, PSEUDONYM_KEY, cut, failed, opened_mac};
use crate::commit::{Record, Withheld};
use crate::model::Timestamp;
use crate::store::{
    BlindIndex, Change, EpochRow, EpochWrite, Fingerprint, Reader, ShredSlot, Shreds, SubjectHandle,
};

/// What entries about epochs call the key whose version is the epoch's number.
const EPOCH_KEY: &str = "pseudonym-epoch";
/// What says in an entry where an epoch's shred key lies: a database that is older than the entry needs it.
const SLOT: &str = "slot-";

/// What stands in the ledger for tokens and for those they are about, in one epoch.
pub(in crate::engine) struct Pseudonyms {
    epoch: u32,
    key: Arc<MacKey>,
}

impl Pseudonyms {
    pub(in crate::engine) fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(in crate::engine) fn of_token(&self, row: Fingerprint) -> [u8; 16] {
        cut(self.tag("jinku/v1 token pseudonym", &row.0))
    }

    /// A data subject's handle in the store is not in the ledger; this stands for it.
    pub(in crate::engine) fn of_subject(&self, subject: SubjectHandle) -> [u8; 32] {
        self.tag("jinku/v1 subject pseudonym", &subject.0)
    }

    pub(super) fn of_search(&self, index: BlindIndex) -> [u8; 32] {
        self.tag("jinku/v1 search pseudonym", &index.0)
    }

    pub(super) fn of_planted(&self, mark: [u8; 16]) -> [u8; 16] {
        cut(self.tag("jinku/v1 planted honeytoken", &mark))
    }

    pub(super) fn of_context(&self, context: &Binding) -> [u8; 32] {
        self.tag("jinku/v1 context pseudonym", context.as_bytes())
    }

    pub(super) fn named(&self, id: [u8; 16]) -> Pseudonym {
        let epoch = self.epoch.into();
        Pseudonym { epoch, id }
    }

    fn tag(&self, label: &'static str, message: &[u8]) -> [u8; 32] {
        self.key.tag(&Binding::new(label).field(message))
    }
}

/// The epochs whose keys stand. The newest is the present one.
pub(in crate::engine) struct Epochs {
    base: Arc<MacKey>,
    living: RwLock<BTreeMap<u32, Arc<Pseudonyms>>>,
    /// The present epoch when the vault started: what was counted since is counted under it.
    first: u32,
}

impl Epochs {
    /// Opens the keys of these epochs, in a database that stands.
    pub(in crate::engine) fn standing(
        envelope: &Envelope,
        (reader, shreds): (&Reader, &Shreds),
        rows: &[EpochRow],
    ) -> Result<Self, KeyError> {
        let base = opened_mac(envelope, reader, PSEUDONYM_KEY)?;
        let base = base.ok_or_else(|| KeyError::Lost(PSEUDONYM_KEY.to_owned()))?;
        Self::open(Arc::new(base), shreds, rows)
    }

    fn open(base: Arc<MacKey>, shreds: &Shreds, rows: &[EpochRow]) -> Result<Self, KeyError> {
        let mut living = BTreeMap::new();
        for row in rows.iter().filter(|row| row.erased.is_none()) {
            let opened = pseudonyms(&base, shreds, row)?;
            living.insert(row.number, Arc::new(opened));
        }
        // A database from before epochs, read as it is.
        if rows.is_empty() {
            living.insert(1, Arc::new(of_the_base(&base)));
        }
        Ok(Self {
            first: living.keys().next_back().copied().unwrap_or_default(),
            living: RwLock::new(living),
            base,
        })
    }

    /// The half that all of them share; of other keys too that must be erased for good.
    pub(in crate::engine) fn base(&self) -> &MacKey {
        &self.base
    }

    /// All of them, by number.
    pub(in crate::engine) fn living(&self) -> Vec<Arc<Pseudonyms>> {
        let living = self.living.read().unwrap_or_else(PoisonError::into_inner);
        living.values().map(Arc::clone).collect()
    }

    /// The present one.
    pub(super) fn present(&self) -> Arc<Pseudonyms> {
        let living = self.living.read().unwrap_or_else(PoisonError::into_inner);
        let newest = living.values().next_back().map(Arc::clone);
        // None is ever taken away while the vault runs; the newest is never erased.
        newest.unwrap_or_else(|| Arc::new(of_the_base(&self.base)))
    }

    /// The one that was present when the vault started.
    pub(super) fn at_start(&self) -> Arc<Pseudonyms> {
        let living = self.living.read().unwrap_or_else(PoisonError::into_inner);
        let first = living.get(&self.first).map(Arc::clone);
        drop(living);
        first.unwrap_or_else(|| self.present())
    }

    /// Takes up what was opened since.
    pub(in crate::engine) fn follow(
        &self,
        rows: &[EpochRow],
        shreds: &Shreds,
    ) -> Result<(), KeyError> {
        let newest = self.present().epoch;
        for row in rows.iter().filter(|row| row.number > newest) {
            let opened = pseudonyms(&self.base, shreds, row)?;
            let mut living = self.living.write().unwrap_or_else(PoisonError::into_inner);
            living.insert(row.number, Arc::new(opened));
        }
        Ok(())
    }
}

fn of_the_base(base: &Arc<MacKey>) -> Pseudonyms {
    Pseudonyms {
        epoch: 1,
        key: Arc::clone(base),
    }
}

fn pseudonyms(base: &Arc<MacKey>, shreds: &Shreds, row: &EpochRow) -> Result<Pseudonyms, KeyError> {
    let epoch = row.number;
    let Some(slot) = row.slot else {
        return Ok(of_the_base(base));
    };
    let shred = shreds.key(slot)?.ok_or(KeyError::LostEpoch(epoch))?;
    let context = Binding::new("jinku/v1 pseudonym epoch").number(epoch.into());
    let key = base.joined(&shred, &context);
    let key = Arc::new(key.map_err(|cause| failed(EPOCH_KEY, cause))?);
    Ok(Pseudonyms { epoch, key })
}

/// The record that opens an epoch.
pub fn epoch_opened(number: u32, slot: ShredSlot, at: Timestamp) -> Record {
    let mut facts = about(Operation::EpochOpen, number);
    facts.reason = Some(format!("{SLOT}{}", slot.0));
    written(EpochWrite::Open { number, slot, at }, facts)
}

/// The record of an epoch whose key is destroyed when it stands.
pub fn epoch_erased(number: u32, at: Timestamp) -> Record {
    let facts = about(Operation::EpochErase, number);
    written(EpochWrite::Erase { number, at }, facts)
}

/// What an entry about an epoch says was done to it.
pub(in crate::engine) fn epoch_told(facts: &Facts, at: Timestamp) -> Option<EpochWrite> {
    let (key, number) = facts.key.as_ref()?;
    if key != EPOCH_KEY || facts.outcome != Outcome::Ok {
        return None;
    }
    let number = *number;
    match facts.operation {
        Operation::EpochOpen => {
            let slot = facts.reason.as_deref()?.strip_prefix(SLOT)?;
            let slot = ShredSlot(slot.parse().ok()?);
            Some(EpochWrite::Open { number, slot, at })
        }
        Operation::EpochErase => Some(EpochWrite::Erase { number, at }),
        _ => None,
    }
}

fn about(operation: Operation, number: u32) -> Facts {
    let mut facts = Facts::new(operation, Outcome::Ok);
    facts.key = Some((EPOCH_KEY.to_owned(), number));
    facts
}

fn written(write: EpochWrite, facts: Facts) -> Record {
    let change = Change {
        epochs: vec![write],
        ..Change::none()
    };
    Record::single(change, facts)
}

impl Opening<'_> {
    /// Opens the epochs, and the first one of a new database. One from before epochs goes on in its second: what
    /// it says from then on can be erased. (So does a new one whose first start ended between its key and its epoch.)
    pub(super) async fn epochs(&self) -> Result<Epochs, KeyError> {
        let is_new = self
            .records
            .iter()
            .all(|record| record.id.as_str() != PSEUDONYM_KEY);
        let base = Arc::new(self.mac(PSEUDONYM_KEY).await?);
        let mut rows = self.reader.epochs()?;
        if rows.is_empty() {
            let (slot, _) = self.shreds.take()?;
            let number = if is_new { 1 } else { 2 };
            let record = epoch_opened(number, slot, self.clock.now());
            self.committer.record(record, Withheld::nothing()).await?;
            rows = self.reader.epochs()?;
        }
        Epochs::open(base, self.shreds, &rows)
    }
}
