//! Epochs of the ledger's pseudonyms, as they stand in the store.

use super::row::ShredSlot;
use crate::model::Timestamp;

/// One epoch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EpochRow {
    /// 1 and up, without gaps.
    pub number: u32,
    /// Its shred key; none of the first epoch of a database that is older than epochs.
    pub slot: Option<ShredSlot>,
    /// When it was opened.
    pub opened: Timestamp,
    /// The entry that says so; 0 where none does.
    pub entry: u64,
    /// When its key was destroyed, if it was.
    pub erased: Option<Timestamp>,
}

/// What changes of epochs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EpochWrite {
    /// The next one is opened. Any other number is a conflict, but the second where there is none: a database
    /// from before epochs was in its first.
    Open {
        /// Its number.
        number: u32,
        /// Its shred key.
        slot: ShredSlot,
        /// When.
        at: Timestamp,
    },
    /// Its key is due to be destroyed. One that is the newest, is erased, or has no shred key is a conflict.
    Erase {
        /// Which.
        number: u32,
        /// When.
        at: Timestamp,
    },
}
