//! After a backup was put back: what the ledger's later entries say is done again to the rows it brought.
//!
//! The ledger knows tokens by pseudonyms. So the pseudonyms of all rows that stand are computed, and compared.

use std::collections::{HashMap, HashSet};

use kms::{Envelope, KeyId, KeyKind};
use ledger::{Facts, Item, ItemView, Operation, Outcome};

use super::guard::LOCKED_BY_HONEYTOKEN;
use super::own_keys::{KeyError, Pseudonyms};
use super::units::Restored;
use crate::commit::{Replay, ReplayError, Replayed};
use crate::model::{DomainName, KeyRef, KeyState, Matter, Timestamp, UnitName, VersionState};
use crate::store::{
    Change, Database, Fingerprint, GuardWrite, Hold, KeyWrite, Reader, StoreError, SubjectHandle,
    TokenWrite,
};

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
    /// The pseudonym key can't be opened.
    #[error(transparent)]
    Key(#[from] KeyError),
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
    envelope: &Envelope,
) -> Result<Aftermath, RestoreError> {
    let reader = database.reader();
    let told = Told::by(replay)?;
    let pseudonyms = match (Pseudonyms::open(envelope, &reader), told.root_rotated) {
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
        records: HashSet::new(),
        done: Aftermath {
            replayed: replay.count(),
            ..Aftermath::default()
        },
    };
    if let Some(pseudonyms) = &pseudonyms {
        amends.find(&told, pseudonyms)?;
    }
    let stands = |id: &Pseudonym| amends.rows.contains_key(id) || told.removed.contains(id);
    amends.done.lost = told.issued.iter().filter(|id| !stands(id)).count() as u64;
    replay.apply(database, |replayed| amends.change(replayed))?;
    if let Some(units) = &amends.units {
        units.close(database, &reader, replay.first() + replay.count())?;
    }
    Ok(amends.done)
}

/// What later entries speak of.
#[derive(Default)]
struct Told {
    /// Tokens that something was done to.
    named: HashSet<Pseudonym>,
    issued: HashSet<Pseudonym>,
    removed: HashSet<Pseudonym>,
    subjects: HashSet<[u8; 32]>,
    root_rotated: Option<u64>,
}

impl Told {
    fn by(replay: &Replay) -> Result<Self, ReplayError> {
        let mut told = Self::default();
        for replayed in replay.entries() {
            let Replayed { entry, items, .. } = replayed?;
            if entry.facts.outcome == Outcome::Ok {
                told.note(entry.seq, &entry.facts, &items);
            }
        }
        Ok(told)
    }

    fn note(&mut self, seq: u64, facts: &Facts, items: &[Item]) {
        let ids = |view: ItemView| {
            let of = move |item: &&Item| item.view == view;
            items.iter().filter(of).map(|item| item.pseudonym.id)
        };
        match facts.operation {
            Operation::Tokenize => self.issued.extend(ids(ItemView::Issued)),
            Operation::Erase | Operation::TokenPurge | Operation::TokenReplace => {
                self.issued.extend(ids(ItemView::Issued));
                self.removed.extend(ids(ItemView::Done));
                self.subjects.extend(facts.commitment);
            }
            Operation::TokenDisable | Operation::TokenEnable | Operation::TokenMove => {
                self.named.extend(ids(ItemView::Done));
            }
            Operation::HoldPlace => {
                self.named.extend(ids(ItemView::Done));
                self.subjects.extend(facts.commitment);
            }
            Operation::RootRotate => {
                self.root_rotated.get_or_insert(seq);
            }
            _ => {}
        }
    }

    fn speaks_of(&self, id: &Pseudonym) -> bool {
        self.named.contains(id) || self.issued.contains(id) || self.removed.contains(id)
    }
}

/// What stands of all that, and what is done to it.
struct Amends<'a> {
    reader: &'a Reader,
    units: Option<Restored>,
    rows: HashMap<Pseudonym, Fingerprint>,
    /// Rows whose uses are counted.
    limited: HashMap<Pseudonym, Fingerprint>,
    subjects: HashMap<[u8; 32], SubjectHandle>,
    /// Keys whose records were changed here: what the reader shows of them is older.
    records: HashSet<String>,
    done: Aftermath,
}

impl Amends<'_> {
    fn find(&mut self, told: &Told, pseudonyms: &Pseudonyms) -> Result<(), StoreError> {
        let mut place = i64::MIN;
        loop {
            let rows = self.reader.rows_after(place, PAGE)?;
            let Some(last) = rows.last() else { break };
            place = last.0;
            for (_, row, limited) in rows {
                let id = pseudonyms.of_token(row);
                if told.speaks_of(&id) {
                    self.rows.insert(id, row);
                }
                if limited {
                    self.limited.insert(id, row);
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
                let commitment = pseudonyms.of_subject(handle);
                if told.subjects.contains(&commitment) {
                    self.subjects.insert(commitment, handle);
                }
            }
        }
    }

    fn change(&mut self, replayed: &Replayed) -> Result<Change, RestoreError> {
        let (facts, items) = (&replayed.entry.facts, &replayed.items);
        let mut change = Change::none();
        change.guard.extend(lock(replayed));
        let at = Timestamp(replayed.entry.time_us);
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
