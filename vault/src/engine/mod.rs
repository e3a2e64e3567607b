//! The use cases: the only room that works with store, commit, token and seal together.
//!
//! Each method takes the proof that `policy` made for it, and nothing leaves before
//! `commit.record` gives it back. A batch is one change, one withheld list, one entry.

mod access_token;
mod admission;
mod delivery;
mod detokenize;
mod epoch;
pub mod guard;
mod idempotency;
pub mod key;
mod nonce;
mod own_keys;
pub mod policy;
mod reason;
mod receipt;
mod refusal;
mod restore;
mod ticket;
pub mod token;
mod tokenize;
pub mod units;

use std::num::NonZeroU32;
use std::sync::Arc;

use ledger::{Facts, Item, ItemView, Operation, Outcome};

use crate::commit::{Committer, NotDurable, Receipts};
use crate::model::{
    Budgets, Catalogue, ClassName, Clock, DomainName, LifeFault, RequestId, UnitName,
};
use crate::policy::Authorized;
use crate::seal::SealError;
use crate::store::{Fingerprint, Reader, ShredError, Shreds, StoreError};
use crate::token::{SpaceWatch, TokenError};

use guard::{Guard, GuardFault};
use key::{KeyFault, KeyShelf};
use policy::{PolicyFault, PolicyMark};
use token::{SearchRates, Shredded, TokenActFault};
use units::{Registrar, UnitFault, UnitLimits};

pub use access_token::{IssuedAccessToken, TokenBinding, TokenTerms, TokenWish};
pub use delivery::DeliveryFault;
pub use detokenize::{Disclosure, Revealed, Revelation};
pub use nonce::NonceFault;
pub use own_keys::{DomainKeys, KeyError, Keys, epoch_erased, epoch_opened};
pub use refusal::Refusal;
pub use restore::{Aftermath, RestoreError, make_good};
pub use ticket::{FoundTicket, IssuedTicket, TicketWish};
pub use tokenize::{Issued, TokenizeItem, Wish};

/// Times a request is done anew when another one changed or took first what it saw.
const ATTEMPTS_MAX: usize = 8;

/// Why a use case did not do what was asked. Nothing was changed, unless it says otherwise.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// An item's value is not what its class expects.
    #[error("item {item} is not what class `{class}` expects: {reason}")]
    Value {
        /// Place in the batch, from 0.
        item: usize,
        /// The class that was asked for.
        class: ClassName,
        /// What it expects.
        reason: TokenError,
    },
    /// An item wishes a life that its class does not give.
    #[error("item {item}, class `{class}`: {reason}")]
    Life {
        /// Place in the batch, from 0.
        item: usize,
        /// The class that was asked for.
        class: ClassName,
        /// What it gives.
        reason: LifeFault,
    },
    /// An item's token is longer than any token.
    #[error("item {item} is longer than any token")]
    TokenTooLong {
        /// Place in the batch, from 0.
        item: usize,
    },
    /// The batch is empty.
    #[error("the batch is empty: send 1 to {max} items")]
    BatchEmpty {
        /// Most items of a batch.
        max: usize,
    },
    /// The batch is too long.
    #[error("the batch has {found} items: send 1 to {max}")]
    BatchTooLong {
        /// Items sent.
        found: usize,
        /// Most items of a batch.
        max: usize,
    },
    /// No free token of the class's format could be drawn.
    #[error("no free token of class `{0}` could be drawn: its format's space is nearly used up")]
    SpaceExhausted(ClassName),
    /// The idempotency key names another request.
    #[error("the idempotency key was used for another request: give each request a key of its own")]
    IdempotencyMismatch,
    /// The entry is not known to be durable.
    #[error(transparent)]
    NotDurable(#[from] NotDurable),
    /// The store can't be read.
    #[error("the store can't be read: {0}")]
    Store(String),
    /// A legal hold covers what was to be erased. Nothing was.
    #[error("a legal hold covers some of it: nothing was erased; have the hold lifted first")]
    Held,
    /// Erasing by subject without the right to erase every class of the domain.
    #[error("erasing by subject needs the right to erase every class of the domain")]
    NotWhole,
    /// More rows than one act erases.
    #[error("more than {max} tokens are about the subject: erase some of them by token first")]
    SubjectTooLarge {
        /// Most rows of one act.
        max: usize,
    },
    /// The rows are gone and the entry stands, but their keys are not all destroyed on disk.
    #[error(
        "erased, and the keys of the values can't be destroyed on disk yet: check the disk of the shred keys; \
         a restart tries again"
    )]
    ShredLate,
    /// No such entry, or another unit's: not told apart.
    #[error("no entry of this number is your unit's")]
    EntryUnknown,
    /// No checkpoint covers the entry yet.
    #[error("no checkpoint covers the entry yet: ask for its receipt again")]
    CheckpointLate,
    /// The published ledger does not prove the entry, or can't be read.
    #[error("the published ledger can't be read: have it verified")]
    ReceiptUnmade,
    /// A value can't be sealed, or the domain has no keys.
    #[error("the vault's keys can't be used")]
    Keys,
    /// The values can't leave in the form that was asked for.
    #[error(transparent)]
    Delivery(#[from] DeliveryFault),
    /// An act on a key was not done.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// An act on tokens that stand was not done, as a whole.
    #[error(transparent)]
    Tokens(#[from] TokenActFault),
    /// Policy permits it, and the guard does not.
    #[error(transparent)]
    Guard(#[from] GuardFault),
    /// The same, and its entry stands: it tells of honeytokens and alerts too.
    #[error(transparent)]
    HeldBack(GuardFault),
    /// An act on registered units was not done.
    #[error(transparent)]
    Unit(#[from] UnitFault),
    /// Policy permits it, and the rule of two for policy sets does not.
    #[error(transparent)]
    Policy(#[from] PolicyFault),
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<ShredError> for EngineError {
    fn from(error: ShredError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<SealError> for EngineError {
    fn from(_: SealError) -> Self {
        Self::Keys
    }
}

/// Works with all rooms on its left. Shared by all requests.
pub struct Engine {
    catalogue: Arc<Catalogue>,
    keys: Keys,
    shelf: KeyShelf,
    reader: Reader,
    shreds: Shreds,
    committer: Committer,
    receipts: Receipts,
    clock: Arc<dyn Clock>,
    batch_items_max: usize,
    space_watch: SpaceWatch,
    shredded: Shredded,
    search_rates: SearchRates,
    guard: Guard,
    registrar: Registrar,
    policy_mark: Option<PolicyMark>,
}

/// What bounds the requests that the engine serves.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most items of a batch.
    pub batch_items_max: usize,
    /// Most searches of one unit in a minute.
    pub searches_per_minute: NonZeroU32,
}

impl Engine {
    /// From the rooms it works with.
    pub fn new(
        catalogue: Arc<Catalogue>,
        (keys, shelf): (Keys, KeyShelf),
        (reader, shreds): (Reader, Shreds),
        (committer, receipts): (Committer, Receipts),
        clock: Arc<dyn Clock>,
        bounds: Bounds,
    ) -> Self {
        let shredded = Shredded::of_the_last_run(&reader);
        let guard = Guard::new(&Budgets::none(), Arc::clone(&clock));
        Self {
            catalogue,
            keys,
            shelf,
            reader,
            shreds,
            committer,
            receipts,
            clock,
            batch_items_max: bounds.batch_items_max,
            space_watch: SpaceWatch::default(),
            shredded,
            search_rates: SearchRates::new(bounds.searches_per_minute),
            guard,
            registrar: Registrar::of_file(Arc::default(), UnitLimits::default()),
            policy_mark: None,
        }
    }

    /// With this registrar, in place of one that knows nobody.
    #[must_use]
    pub fn registering(self, registrar: Registrar) -> Self {
        Self { registrar, ..self }
    }

    /// With this guard, in place of one that holds nothing back.
    #[must_use]
    pub fn guarded(self, guard: Guard) -> Self {
        Self { guard, ..self }
    }

    /// With the rule of two for policy sets, where there is a mark.
    #[must_use]
    pub fn approving(self, policy_mark: Option<PolicyMark>) -> Self {
        Self {
            policy_mark,
            ..self
        }
    }

    /// Whether the store can be read and the ledger's writer takes work.
    pub fn ready(&self) -> Result<(), EngineError> {
        self.reader.last_entry()?;
        if self.committer.is_open() {
            Ok(())
        } else {
            Err(NotDurable::Stopped.into())
        }
    }

    /// The key service's records and opened versions.
    pub fn shelf(&self) -> &KeyShelf {
        &self.shelf
    }

    /// How much of each class's free space is used, as the draws show it.
    pub fn space_watch(&self) -> &SpaceWatch {
        &self.space_watch
    }

    fn batch_size(&self, found: usize) -> Result<(), EngineError> {
        let max = self.batch_items_max;
        match found {
            0 => Err(EngineError::BatchEmpty { max }),
            _ if found > max => Err(EngineError::BatchTooLong { found, max }),
            _ => Ok(()),
        }
    }

    fn domain_keys(&self, domain: &DomainName) -> Result<&DomainKeys, EngineError> {
        self.keys.domain(domain).ok_or(EngineError::Keys)
    }

    /// An item of the entry: who looks at the ledger learns the class and the view, not the token.
    // INVARIANT 13: a token enters the ledger as a keyed pseudonym only.
    fn item(&self, row: Fingerprint, class: &str, view: ItemView) -> Item {
        Item {
            pseudonym: self.keys.pseudonym(row),
            class: class.to_owned(),
            view,
        }
    }
}

/// What every authorised act's entry says.
fn caller_facts<A>(operation: Operation, proof: &Authorized<A>, request: RequestId) -> Facts {
    let caller = proof.admitted().caller();
    let mut facts = Facts::new(operation, Outcome::Ok);
    facts.unit = Some(caller.unit().name.to_string());
    facts.gateway = caller.gateway().map(|gateway| gateway.name.to_string());
    facts.policy = Some(proof.policy());
    facts.request = Some(request.0);
    facts
}

fn unit_text(unit: Option<&UnitName>) -> Option<String> {
    unit.map(ToString::to_string)
}
