//! What a row is made of, and what a change is: the store's words.

use kms::{KeyId, KeyKind};

use super::answer::AnswerRow;
use super::detail::DetailWrite;
use super::epoch::EpochWrite;
use super::guard::GuardWrite;
use super::incarnation::IncarnationRow;
use super::policy::PolicyWrite;
use super::ticket::TicketWrite;
use super::units::UnitWrite;
use crate::model::{
    ClassName, DomainName, KeyRecord, Life, Matter, NormalForm, Timestamp, VersionState,
};

/// May be computed from something withheld: it is written, and says nothing of it without keys.
pub trait Column {}

/// Keyed hash of a token within its domain, cut to 16 bytes. The database knows tokens only so.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fingerprint(pub [u8; 16]);

/// Keyed hash of a value's normal form within domain and class, cut to 16 bytes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct BlindIndex(pub [u8; 16]);

/// A ciphertext of `seal`, header and all.
#[derive(Clone, Eq, PartialEq)]
pub struct SealedValue(pub Vec<u8>);

impl Column for Fingerprint {}
impl Column for BlindIndex {}
impl Column for SealedValue {}
// Keyed hashes and ciphertexts, and what says nothing of the value.
impl Column for TokenRow {}

/// Keyed hash of a data subject within its domain, cut to 16 bytes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct SubjectHandle(pub [u8; 16]);

/// Place of a shred key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ShredSlot(pub u64);

/// One token's row.
#[derive(Clone)]
pub struct TokenRow {
    /// Primary key.
    pub fingerprint: Fingerprint,
    /// Namespace of the token.
    pub domain: DomainName,
    /// What the value is.
    pub class: ClassName,
    /// Microseconds UTC.
    pub created_us: u64,
    /// The key without which the row is worth nothing.
    pub shred: ShredSlot,
    /// The value.
    pub sealed: SealedValue,
    /// Whether the token's text is a share of the row's key.
    pub bound: bool,
    /// For how long it serves.
    pub life: Life,
    /// Where the value can be found again.
    pub indexed: Option<Indexed>,
}

/// What finds a value without its token.
#[derive(Clone)]
pub struct Indexed {
    /// The value's blind index.
    pub index: BlindIndex,
    /// Which normal form it is made of.
    pub form: NormalForm,
    /// 0: the token that an equal value gets; others of the value have a number of their own.
    pub nth: u64,
    /// The token's text, sealed.
    pub token: SealedValue,
}

/// What changes of one token that stands. Where it does not stand as it was seen, that is a conflict.
pub enum TokenWrite {
    /// It must stand still: what was decided needs it.
    Stands(Fingerprint),
    /// It must live as it was seen to.
    Lives(Fingerprint, Life),
    /// Its time must have been over before this instant.
    Over(Fingerprint, Timestamp),
    /// Another expiry: the last write of equal values wins.
    Expire(Fingerprint, Option<Timestamp>),
    /// Off, or on again.
    Disable(Fingerprint, bool),
    /// One use less; where none is left, that is a conflict.
    Use(Fingerprint),
    /// Equal values get another token from now on: this one takes a number of its own.
    StepAside(Fingerprint, u64),
    /// It belongs to this subject too.
    Link(SubjectHandle, Fingerprint),
    /// Whom the first is about, the second is too.
    Inherit(Fingerprint, Fingerprint),
    /// It belongs to this subject no longer.
    Unlink(SubjectHandle, Fingerprint),
    /// The row goes, is never issued again, and its shred key is due. Under a legal hold that is a conflict.
    Remove(Fingerprint),
    /// The same, where it is about this subject and nobody else: another one's is a conflict.
    RemoveOf(SubjectHandle, Fingerprint),
    /// The same, whatever holds it: the ledger says that it went, and a backup brought it back.
    Forget(Fingerprint),
    /// One use less where uses are counted; one that has none left keeps none.
    Used(Fingerprint),
    /// Nothing is about this subject any longer.
    UnlinkAll(SubjectHandle),
    /// No token is about this subject any more, and no hold is on it: otherwise that is a conflict.
    NoneLeft(SubjectHandle),
    /// The class, with what is sealed under it, in place of the ciphertext that was read.
    Move {
        /// Which row.
        fingerprint: Fingerprint,
        /// The value's ciphertext that was read.
        seen: SealedValue,
        /// The class from now on.
        class: ClassName,
        /// The value, bound to it.
        sealed: SealedValue,
        /// What finds it, in that class.
        indexed: Option<Indexed>,
    },
    /// A legal hold on a token or a subject, for one matter.
    Hold(Hold),
    /// That hold is lifted.
    Release([u8; 16], Matter),
    /// These shred keys are destroyed.
    Shredded(Vec<ShredSlot>),
}

/// A legal hold: as long as one stands, nothing that it covers is erased or purged.
#[derive(Clone)]
pub struct Hold {
    /// The token's fingerprint, or the subject's handle.
    pub handle: [u8; 16],
    /// Which matter, in the officers' words.
    pub matter: Matter,
    /// In which domain.
    pub domain: DomainName,
    /// When it was placed.
    pub placed: Timestamp,
}

/// What makes a token old.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Age {
    /// It was issued before this instant.
    CreatedBefore(Timestamp),
    /// Its time was over before this instant.
    ExpiredBefore(Timestamp),
}

/// A token that is old.
pub struct Aged {
    /// Where it stands in the table.
    pub place: i64,
    /// Which it is.
    pub fingerprint: Fingerprint,
    /// What its value is.
    pub class: ClassName,
    /// Its key.
    pub shred: ShredSlot,
    /// Whether a legal hold covers it.
    pub held: bool,
}

/// One version of one key, wrapped under the HSM's root key.
#[derive(Clone)]
pub struct VersionRow {
    /// Which key.
    pub key: KeyId,
    /// 1 and up.
    pub number: u32,
    /// What it may be used for.
    pub state: VersionState,
    /// The wrapped material; `None` once it is destroyed.
    pub wrapped: Option<Vec<u8>>,
    /// Microseconds UTC.
    pub created: Timestamp,
}

/// One version's wrapped material, and what it is bound to.
pub struct Material {
    /// Which key.
    pub key: KeyId,
    /// Which version.
    pub number: u32,
    /// What the key is.
    pub kind: KeyKind,
    /// The material, under a root key.
    pub wrapped: Vec<u8>,
}

/// A permission to bring one key's material, once.
#[derive(Clone)]
pub struct ImportRow {
    /// SHA-256 of what the holder has.
    pub ticket: [u8; 32],
    /// For which key.
    pub key: KeyId,
    /// Label of the HSM's wrapping key.
    pub wrapping: String,
    /// First instant at which it counts no longer.
    pub expires: Timestamp,
}

/// A place in the order of keys that are due: by time, then by id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Due {
    /// When it was due.
    pub at: Timestamp,
    /// Which key.
    pub key: KeyId,
}

/// What changes of one key.
pub enum KeyWrite {
    /// A new key.
    Add(KeyRecord),
    /// A key's record as it shall stand. Its revision is the one that was seen: another is a conflict.
    Set(KeyRecord),
    /// A new version.
    AddVersion(VersionRow),
    /// Another state of a version.
    SetVersion(KeyId, u32, VersionState),
    /// A version's material is overwritten.
    DestroyVersion(KeyId, u32),
    /// The same for a version of the vault's own key: rows of the domain under it are a conflict.
    DestroyUnneeded(KeyId, u32, DomainName),
    /// A version's material under another root key, in place of what was read: other material is a conflict.
    Rewrap {
        /// Which key.
        key: KeyId,
        /// Which version.
        number: u32,
        /// What was read.
        seen: Vec<u8>,
        /// The same, wrapped anew.
        wrapped: Vec<u8>,
    },
    /// A permission to import.
    AddImport(ImportRow),
    /// It is used up: where it does not stand, that is a conflict. Expired ones go with it.
    TakeImport([u8; 32], Timestamp),
    /// A version makes messages that are counted: more than there may be are a conflict.
    CountMessages {
        /// Which key.
        key: KeyId,
        /// Which version.
        number: u32,
        /// How many.
        messages: u64,
        /// How many there may be, with those that were made before.
        messages_max: u64,
    },
}

/// A row's ciphertexts under another version, in place of those that were read.
pub struct Resealed {
    /// Which row.
    pub fingerprint: Fingerprint,
    /// The value's ciphertext that was read: another one there is a conflict.
    pub seen: SealedValue,
    /// The value.
    pub sealed: SealedValue,
    /// The repeatable token's text, where the row has one.
    pub token: Option<SealedValue>,
}

/// One ledger entry as stored: exactly the bytes that are hashed.
#[derive(Clone)]
pub struct StoredEntry {
    /// Index in the log.
    pub seq: u64,
    /// Deterministic CBOR.
    pub bytes: Vec<u8>,
    /// The batch's items, length-prefixed, kept beside the entry; empty where there is no batch.
    pub items: Vec<u8>,
}

/// What one request changes: all of it, or nothing.
#[derive(Default)]
pub struct Change {
    /// Tokens to add.
    pub tokens: Vec<TokenRow>,
    /// Tokens that stand and change, in order; before those that are added.
    pub token_writes: Vec<TokenWrite>,
    /// Keys and versions to add or change, in order.
    pub keys: Vec<KeyWrite>,
    /// Rows to seal anew.
    pub resealed: Vec<Resealed>,
    /// An answer to be kept, so that the same request gets it again.
    pub answer: Option<AnswerRow>,
    /// Tickets to add or take.
    pub tickets: Vec<TicketWrite>,
    /// What the guard remembers.
    pub guard: Vec<GuardWrite>,
    /// Units that are registered or changed, and what is proposed of them.
    pub units: Vec<UnitWrite>,
    /// Policy sets to keep.
    pub policies: Vec<PolicyWrite>,
    /// Epochs of pseudonyms that are opened or erased.
    pub epochs: Vec<EpochWrite>,
    /// Details that entries commit to.
    pub details: Vec<DetailWrite>,
    /// An incarnation of the database that is opened.
    pub incarnation: Option<IncarnationRow>,
}

impl Change {
    /// Nothing but the entry itself.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether it is nothing but the entry itself.
    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
            && self.token_writes.is_empty()
            && self.keys.is_empty()
            && self.resealed.is_empty()
            && self.answer.is_none()
            && self.tickets.is_empty()
            && self.guard.is_empty()
            && self.units.is_empty()
            && self.policies.is_empty()
            && self.epochs.is_empty()
            && self.incarnation.is_none()
            && self.details.is_empty()
    }
}
