//! What the guard writes: alerts to be delivered, locks, marks, grants.

use crate::model::{Alarm, AlertKind, Grant, GrantId, HookName, Timestamp, UnitName};

/// An alert on its way to one hook.
#[derive(Clone)]
pub struct AlertRow {
    /// Names the alert for its receiver: the same however often it is sent.
    pub id: String,
    /// Where it goes.
    pub hook: HookName,
    /// What it is about.
    pub kind: AlertKind,
    /// Index of the entry that it is about; the writer knows it.
    pub seq: u64,
    /// The unit, where there is one.
    pub unit: Option<String>,
    /// The domain, where there is one.
    pub domain: Option<String>,
    /// The class, where there is one.
    pub class: Option<String>,
    /// The budget's name or the grant's id, where there is one.
    pub subject: Option<String>,
    /// When it happened.
    pub raised: Timestamp,
    /// How often it was sent in vain.
    pub attempts: u32,
}

/// What became of an alert that was sent. It changes no token and no key, and has no entry.
pub enum AlertSettled {
    /// It goes: it was delivered, or given up.
    Done(HookName, String),
    /// All that wait for a hook go: the settings have it no longer.
    AllOf(HookName),
    /// It is tried again.
    Again {
        /// Where it goes.
        hook: HookName,
        /// Which.
        id: String,
        /// When.
        due: Timestamp,
    },
}

/// What changes of the guard's tables, in the transaction of the entry that says so.
pub enum GuardWrite {
    /// An alert is to be delivered.
    Alert(AlertRow),
    /// A unit is locked; one that is already stays so.
    Lock(UnitName, Timestamp),
    /// A unit is no longer locked.
    Unlock(UnitName),
    /// A row is a honeytoken: its mark, and what presenting it brings about.
    Mark([u8; 16], Alarm),
    /// A grant is asked for. Too many of the unit's that are open is a conflict.
    AddGrant(Box<Grant>),
    /// A grant is approved. One that does not wait, the asking unit, and a second time are conflicts.
    ApproveGrant {
        /// Which.
        id: GrantId,
        /// By whom.
        unit: UnitName,
        /// When.
        at: Timestamp,
    },
    /// A grant is taken back. One that is revoked already is a conflict.
    RevokeGrant(GrantId),
    /// Values are spent. A grant that is not active, or has fewer left, is a conflict.
    SpendGrant {
        /// Which.
        id: GrantId,
        /// How many.
        values: u64,
        /// When.
        at: Timestamp,
    },
}
