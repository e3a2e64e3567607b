//! After a backup was put back: what the ledger's later entries say is done again to the rows it brought.
//!
//! The ledger knows tokens by pseudonyms. So the pseudonyms of all rows that stand are computed, and compared:
//! of each epoch that later entries speak in. Of an epoch that was erased nothing can be compared; then rows whose
//! shred keys are destroyed are those that were removed, and whatever else was done in it can't be done again.

mod told;

use std::collections::{HashMap, HashSet};

use kms::{Envelope, KeyId, KeyKind};
use ledger::{Facts, Item, ItemView, Operation, Outcome};

use super::guard::LOCKED_BY_HONEYTOKEN;
use super::own_keys::{Epochs, KeyError, epoch_told};
use super::token::detail_told;
use super::units::Restored;
use crate::commit::{Replay, ReplayError, Replayed, incarnation_told};
use crate::model::{DomainName, KeyRef, KeyState, Matter, Timestamp, UnitName, VersionState};
use crate::store::{
    Change, Database, Fingerprint, GuardWrite, Hold, KeyWrite, Reader, ShredError, Shreds,
    StoreError, SubjectHandle, TokenWrite,
};

use told::{Told, Uses};

/// Rows and subjects that are read at a time.
const PAGE: u32 = 4_096;

type Pseudonym = [u8; 16];

/// What came of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Aftermath {
    /// Entries that were replayed.
    pub replayed: u64,
    /// Rows that are gone again.
    pub removed: u64,
    /// Rows that are off or on again; those that had moved to another class are off.
    pub switched: u64,
    /// Tokens that were issued after the backup: their rows are in no backup.
    pub lost: u64,
    /// Keys that are destroyed or switched off again.
    pub keys: u64,
    /// Acts on units after the backup: what the unit may is no longer known, and it is suspended or retired.
    pub units: u64,
    /// Acts on keys after the backup that can't be done again: versions and records that are in no backup.
    pub key_acts_lost: u64,
}

/// Why a backup can't be made good.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The backup's keys are wrapped under a root key that is no longer the vault's.
    #[error(
        "entry {seq} moved the keys to another root key after the backup: name the old one as \
         `hsm.root_label`, restore, and rotate the root anew"
    )]
    RootRotated {
        /// The entry that says so.
        seq: u64,
    },
    /// What was done to tokens after the backup is told in pseudonyms whose key was erased.
    #[error(
        "entry {seq} did something to tokens after the backup that must be done again, and the key of its epoch {epoch} \
         of pseudonyms was erased: restore a backup that was made after that epoch's end"
    )]
    EpochErased {
        /// The first such entry.
        seq: u64,
        /// Its epoch.
        epoch: u32,
    },
    /// The pseudonym key can't be opened.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The shred keys can't be read.
    #[error(transparent)]
    Shreds(#[from] ShredError),
    /// The published log can't go on from this database.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The database can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Appends the entries that the database does not have, and does again what they say. Where the log says that
/// another root key came after the backup, nothing is done, unless the backup's keys open under this one.
pub fn make_good(
    database: &Database,
    replay: &Replay,
    (envelope, shreds): (&Envelope, &Shreds),
) -> Result<Aftermath, RestoreError> {
    let reader = database.reader();
    let told = Told::by(replay, reader.epochs()?)?;
    let opened = Epochs::standing(envelope, (&reader, shreds), &told.epochs);
    let epochs = match (opened, told.root_rotated) {
        (Err(KeyError::Kms { .. }), Some(seq)) => return Err(RestoreError::RootRotated { seq }),
        // A database without tokens has no pseudonyms yet, and nothing to make good.
        (Err(KeyError::Lost(_)), _) if !reader.any_token()? => None,
        (opened, _) => Some(opened?),
    };
    let mut amends = Amends {
        reader: &reader,
        units: Restored::open(envelope, &reader)?,
        rows: HashMap::new(),
        limited: HashMap::new(),
        subjects: HashMap::new(),
        uses: Uses::Free,
        shredded: Vec::new(),
        records: HashSet::new(),
        done: Aftermath {
            replayed: replay.count(),
            ..Aftermath::default()
        },
    };
    if let Some(epochs) = &epochs {
        amends.find(&told, epochs)?;
        amends.find_shredded(&told, shreds)?;
        if let Some((seq, epoch)) = told.undoable(amends.uses) {
            return Err(RestoreError::EpochErased { seq, epoch });
        }
    }
    let stands = |id: &Pseudonym| amends.rows.contains_key(id) || told.removed.contains(id);
    amends.done.lost = told.issued().filter(|id| !stands(id)).count() as u64;
    replay.apply(database, |replayed| amends.change(replayed))?;
    if let Some(units) = &amends.units {
        units.close(database, &reader, replay.first() + replay.count())?;
    }
    Ok(amends.done)
}

/// What stands of all that, and what is done to it.
struct Amends<'a> {
    reader: &'a Reader,
    units: Option<Restored>,
    rows: HashMap<Pseudonym, Fingerprint>,
    /// Rows whose uses are counted.
    limited: HashMap<Pseudonym, Fingerprint>,
    /// Whether there are any.
    uses: Uses,
    subjects: HashMap<[u8; 32], SubjectHandle>,
    /// Rows that were removed in epochs that are erased: their keys are destroyed.
    shredded: Vec<Fingerprint>,
    /// Keys whose records were changed here: what the reader shows of them is older.
    records: HashSet<String>,
    done: Aftermath,
}

impl Amends<'_> {
    fn find(&mut self, told: &Told, epochs: &Epochs) -> Result<(), StoreError> {
        let living = epochs.living();
        let mut place = i64::MIN;
        loop {
            let rows = self.reader.rows_after(place, PAGE)?;
            let Some(last) = rows.last() else { break };
            place = last.0;
            for (_, row, limited) in rows {
                if limited {
                    self.uses = Uses::Counted;
                }
                let spoken = living.iter().filter(|epoch| told.speaks_in(epoch.epoch()));
                for id in spoken.map(|epoch| epoch.of_token(row)) {
                    if told.speaks_of(&id) {
                        self.rows.insert(id, row);
                    }
                    if limited {
                        self.limited.insert(id, row);
                    }
                }
            }
        }
        let mut after = None;
        loop {
            let handles = self.reader.subjects_after(after, PAGE)?;
            let Some(last) = handles.last() else {
                return Ok(());
            };
            after = Some(*last);
            for handle in handles {
                for commitment in living.iter().map(|epoch| epoch.of_subject(handle)) {
                    if told.subjects.contains(&commitment) {
                        self.subjects.insert(commitment, handle);
                    }
                }
            }
        }
    }

    /// Rows whose keys are destroyed, but for those that a living epoch's entries remove.
    fn find_shredded(&mut self, told: &Told, shreds: &Shreds) -> Result<(), RestoreError> {
        if !told.removed_blindly() {
            return Ok(());
        }
        let removed =
            |(id, row): (&Pseudonym, &Fingerprint)| told.removed.contains(id).then_some(*row);
        let known: HashSet<Fingerprint> = self.rows.iter().filter_map(removed).collect();
        let mut place = i64::MIN;
        loop {
            let rows = self.reader.shreds_after(place, PAGE)?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            place = last.0;
            for (_, row, slot) in rows {
                if !known.contains(&row) && shreds.key(slot)?.is_none() {
                    self.shredded.push(row);
                }
            }
        }
    }

    fn change(&mut self, replayed: &Replayed) -> Result<Change, RestoreError> {
        let (facts, items) = (&replayed.entry.facts, &replayed.items);
        let mut change = Change::none();
        change.guard.extend(lock(replayed));
        let at = Timestamp(replayed.entry.time_us);
        change.epochs.extend(epoch_told(facts, at));
        change.incarnation = incarnation_told(facts, at);
        change
            .details
            .extend(detail_told(facts).filter(|_| facts.outcome == Outcome::Ok));
        let unit = self.units.as_mut();
        if let Some(write) = unit.and_then(|units| units.change(facts, at)) {
            change.units.push(write);
            self.done.units += 1;
        }
        if facts.outcome != Outcome::Ok {
            return Ok(change);
        }
        let writes = &mut change.token_writes;
        match facts.operation {
            Operation::Erase | Operation::TokenPurge | Operation::TokenReplace => {
                self.forget(facts, items, writes);
            }
            // The class that it moved to is not sealed into the row that came back: it serves nobody as it is.
            Operation::TokenDisable | Operation::TokenMove => {
                self.switch(items, |row| TokenWrite::Disable(row, true), writes);
            }
            Operation::TokenEnable => {
                self.switch(items, |row| TokenWrite::Disable(row, false), writes);
            }
            Operation::Detokenize | Operation::TicketRedeem => self.use_up(items, writes),
            Operation::HoldPlace => self.hold(replayed, writes),
            Operation::Encrypt => change.keys = self.count(facts)?,
            _ => change.keys = self.key_act(facts)?,
        }
        Ok(change)
    }

    fn forget(&mut self, facts: &Facts, items: &[Item], writes: &mut Vec<TokenWrite>) {
        for item in done(items) {
            let id = item.pseudonym.id;
            self.limited.remove(&id);
            if let Some(row) = self.rows.remove(&id) {
                writes.push(TokenWrite::Forget(row));
                self.done.removed += 1;
            }
        }
        let subject = facts.commitment.and_then(|id| self.subjects.get(&id));
        writes.extend(subject.map(|handle| TokenWrite::UnlinkAll(*handle)));
        // Which of them this entry removed is not known any more; that they were removed is.
        let shredded = std::mem::take(&mut self.shredded);
        self.done.removed += shredded.len() as u64;
        writes.extend(shredded.into_iter().map(TokenWrite::Forget));
    }

    fn switch(
        &mut self,
        items: &[Item],
        write: fn(Fingerprint) -> TokenWrite,
        writes: &mut Vec<TokenWrite>,
    ) {
        for item in done(items) {
            if let Some(row) = self.rows.get(&item.pseudonym.id) {
                writes.push(write(*row));
                self.done.switched += 1;
            }
        }
    }

    fn use_up(&self, items: &[Item], writes: &mut Vec<TokenWrite>) {
        let shown = |item: &&Item| matches!(item.view, ItemView::Plain | ItemView::Masked);
        let rows = items.iter().filter(shown);
        let rows = rows.filter_map(|item| self.limited.get(&item.pseudonym.id));
        writes.extend(rows.map(|row| TokenWrite::Used(*row)));
    }

    /// The entry does not tell the matter: the hold stands for the entry, and is lifted by that name.
    fn hold(&self, replayed: &Replayed, writes: &mut Vec<TokenWrite>) {
        let facts = &replayed.entry.facts;
        let domain = facts.domain.as_deref().map(DomainName::parse);
        let matter = Matter::parse(&format!("entry-{}", replayed.entry.seq));
        let (Some(Ok(domain)), Ok(matter)) = (domain, matter) else {
            return;
        };
        let rows = done(&replayed.items).filter_map(|item| self.rows.get(&item.pseudonym.id));
        let subject = facts.commitment.and_then(|id| self.subjects.get(&id));
        let handles = rows.map(|row| row.0).chain(subject.map(|handle| handle.0));
        let held: HashSet<[u8; 16]> = handles.collect();
        writes.extend(held.into_iter().map(|handle| {
            TokenWrite::Hold(Hold {
                handle,
                matter: matter.clone(),
                domain: domain.clone(),
                placed: Timestamp(replayed.entry.time_us),
            })
        }));
    }

    /// What a version made after the backup counts too, where the key itself encrypts: it would make too much else.
    fn count(&self, facts: &Facts) -> Result<Vec<KeyWrite>, RestoreError> {
        let Some((Ok(key), number)) = facts.key.as_ref().map(|(id, at)| (KeyId::parse(id), *at))
        else {
            return Ok(Vec::new());
        };
        let record = self.reader.key(&KeyRef::Id(key.clone()))?;
        if record.is_none_or(|record| record.kind != KeyKind::JweDir) {
            return Ok(Vec::new());
        }
        Ok(vec![KeyWrite::CountMessages {
            key,
            number,
            messages: facts.batch.as_ref().map_or(1, |batch| batch.count),
            // They were made: there may be as many as there are.
            messages_max: i64::MAX.unsigned_abs(),
        }])
    }

    /// A key that was destroyed or switched off does not come back by a backup. The vault's own keep what
    /// rows of the backup may need (invariant 15).
    fn key_act(&mut self, facts: &Facts) -> Result<Vec<KeyWrite>, RestoreError> {
        let Some((name, number)) = &facts.key else {
            return Ok(Vec::new());
        };
        match facts.operation {
            Operation::KeyDestroy | Operation::KeyDisable => {}
            Operation::KeyCreate
            | Operation::KeyRotate
            | Operation::KeySet
            | Operation::KeyEnable
            | Operation::KeyImport
            | Operation::KeyRestore
            | Operation::KeyCompromise
            | Operation::KeyScheduleDeletion
            | Operation::KeyCancelDeletion
            | Operation::KeyReseal => {
                self.done.key_acts_lost += 1;
                return Ok(Vec::new());
            }
            _ => return Ok(Vec::new()),
        }
        let Ok(id) = KeyId::parse(name) else {
            return Ok(Vec::new());
        };
        let record = self.reader.key(&KeyRef::Id(id.clone()))?;
        let Some(mut record) = record.filter(|record| !record.is_own()) else {
            return Ok(Vec::new());
        };
        let mut writes = Vec::new();
        let whole = facts.operation == Operation::KeyDestroy && *number == 0;
        if facts.operation == Operation::KeyDestroy {
            for version in self.reader.key_versions(&id)? {
                let standing = version.state != VersionState::Destroyed;
                if standing && (whole || version.number == *number) {
                    writes.push(KeyWrite::DestroyVersion(id.clone(), version.number));
                }
            }
        }
        let ends = whole || facts.operation == Operation::KeyDisable;
        // Once: its revision counts on, and the reader does not see it yet.
        if ends && self.records.insert(name.clone()) {
            record.state = if whole {
                KeyState::Destroyed
            } else {
                KeyState::Suspended
            };
            record.delete_at = None;
            record.rotate_at = None;
            writes.push(KeyWrite::Set(record));
        }
        self.done.keys += u64::from(!writes.is_empty());
        Ok(writes)
    }
}

/// A unit that was locked out, or let in again, is so after the restore too: by an officer (the unit stands in
/// the entry's reason), or by a honeytoken that it presented.
fn lock(replayed: &Replayed) -> Option<GuardWrite> {
    let facts = &replayed.entry.facts;
    let reason = facts.reason.as_deref()?;
    let named = |name: &str| UnitName::parse(name).ok();
    let at = Timestamp(replayed.entry.time_us);
    match (facts.operation, facts.outcome) {
        (Operation::UnitLock, Outcome::Ok) => Some(GuardWrite::Lock(named(reason)?, at)),
        (Operation::UnitUnlock, Outcome::Ok) => Some(GuardWrite::Unlock(named(reason)?)),
        _ if reason == LOCKED_BY_HONEYTOKEN => {
            let unit = facts.unit.as_deref().and_then(named)?;
            Some(GuardWrite::Lock(unit, at))
        }
        _ => None,
    }
}

fn done(items: &[Item]) -> impl Iterator<Item = &Item> {
    items.iter().filter(|item| item.view == ItemView::Done)
}
