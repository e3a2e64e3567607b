//! The guard against quiet mass reading: what stands beside policy, and remembers.
//!
//! Policy decides what a unit may see of a class; it can't say how much of it. What is counted, marked
//! or locked is known here, and every word of it ends in an entry.
//!
//! | file | owns |
//! | --- | --- |
//! | `budget` | distinct values shown, counted in sliding windows |
//! | `recall` | the same from the ledger, after a restart |
//! | `passage` | the guard's part of a detokenize |
//! | `alert` | what people are told of at once: rows beside an entry, and their signatures |
//! | `grant` | grants for many values |
//! | `honeytoken` | which tokens nobody has a reason to present |
//! | `lock` | units that are locked out |
//! | `fault` | why the guard said no |

mod alert;
mod budget;
mod fault;
mod grant;
mod honeytoken;
mod lock;
mod passage;
mod recall;

use std::sync::Arc;
use std::time::Duration;

use crate::admission::{Latch, Locks};
use crate::model::{Budgets, Clock, Hook};
use crate::store::{Reader, StoreError};

pub use budget::OverBudget;
pub use fault::GuardFault;

pub(super) use honeytoken::LOCKED_BY_HONEYTOKEN;
pub(super) use passage::{Held, Passage, Passed};

use alert::{AlertFacts, Outbox};
use budget::{Budget, Reservation};
use honeytoken::{Caught, Marks};

/// What the engine asks beside policy. Shared by all requests.
pub struct Guard {
    pub(super) budget: Arc<Budget>,
    pub(super) outbox: Outbox,
    pub(super) locks: Arc<Locks>,
    pub(super) marks: Marks,
    pub(super) limits: GuardLimits,
    /// Approvals come one after another.
    pub(super) approving: tokio::sync::Mutex<()>,
}

/// How much may be asked for.
#[derive(Clone, Copy, Debug)]
pub struct GuardLimits {
    /// Most items of a detokenize without a grant.
    pub items_without_grant: usize,
    /// Longest time that a grant may be used.
    pub grant_ttl_max: Duration,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            items_without_grant: usize::MAX,
            grant_ttl_max: Duration::from_hours(1),
        }
    }
}

impl Guard {
    /// Over these budgets, with empty windows; it tells nobody, and nobody is locked.
    pub fn new(budgets: &Budgets, clock: Arc<dyn Clock>) -> Self {
        Self {
            budget: Arc::new(Budget::new(budgets, clock)),
            outbox: Outbox::new(Vec::new()),
            locks: Arc::default(),
            marks: Marks::default(),
            limits: GuardLimits::default(),
            approving: tokio::sync::Mutex::default(),
        }
    }

    /// Within these limits.
    #[must_use]
    pub fn limited(self, limits: GuardLimits) -> Self {
        Self { limits, ..self }
    }

    /// Telling these hooks.
    #[must_use]
    pub fn telling(self, hooks: Vec<Hook>) -> Self {
        let outbox = Outbox::new(hooks);
        Self { outbox, ..self }
    }

    /// Locking units where admission looks.
    #[must_use]
    pub fn locking(self, locks: &Arc<Locks>) -> Self {
        let locks = Arc::clone(locks);
        Self { locks, ..self }
    }

    /// Knows again what it knew before a restart: who is locked, and what was shown, from the ledger.
    /// Yields the entries read.
    pub fn recall(&self, reader: &Reader) -> Result<u64, StoreError> {
        for (unit, entry) in reader.locked_units()? {
            self.locks.set(&unit, entry, Latch::Locked);
        }
        self.marks.add(reader.honeytokens()?);
        recall::recall(&self.budget, reader)
    }
}
