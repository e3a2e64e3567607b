//! Details that entries commit to, as they lie in the store.

use super::row::{SealedValue, ShredSlot};
use crate::model::DomainName;

/// A detail.
pub struct DetailRow {
    /// In which domain's affairs it was given; `None`: in none's.
    pub domain: Option<DomainName>,
    /// Its shred key.
    pub slot: ShredSlot,
    /// Salt and text.
    pub sealed: SealedValue,
}

/// What changes of details.
pub enum DetailWrite {
    /// The entry of this change commits to one.
    Keep(DetailRow),
    /// That of this entry goes, and its key is due to be destroyed; one that is not there is a conflict.
    Erase(u64),
    /// The same, be there one or not.
    Forget(u64),
}
