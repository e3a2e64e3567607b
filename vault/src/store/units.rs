//! Registered units and proposals as rows. Tags come in computed: the store knows no keys.

use crate::model::{Timestamp, UnitName};

/// A registered unit.
#[derive(Clone)]
pub struct UnitRow {
    /// Which.
    pub name: UnitName,
    /// How often it was changed: 1 and up.
    pub revision: u64,
    /// Its registration, JSON.
    pub document: String,
    /// What its commitment is made with.
    pub salt: [u8; 16],
    /// When it was changed last.
    pub changed: Timestamp,
    /// Keyed, over all of it.
    pub tag: [u8; 32],
}

/// A proposal that waits.
#[derive(Clone)]
pub struct ProposalRow {
    /// Which.
    pub id: [u8; 32],
    /// Of which unit: one at a time.
    pub unit: UnitName,
    /// All of it, JSON.
    pub body: String,
    /// When it was made.
    pub made: Timestamp,
    /// Keyed, over all of it.
    pub tag: [u8; 32],
}

/// As of which entry the registry is known to be whole.
#[derive(Clone, Copy)]
pub struct RegistryRow {
    /// Every entry before this index is accounted for.
    pub seq: u64,
    /// Over the tags of all registered units, in the order of their names.
    pub digest: [u8; 32],
    /// Commitment of the change that came last.
    pub latest: [u8; 32],
    /// Keyed, over all of it.
    pub tag: [u8; 32],
}

/// What changes of the units' tables, in the transaction of the entry that says so.
pub enum UnitWrite {
    /// A unit as it shall stand, at the revision after the one that was seen: another one is a conflict.
    Put(Box<UnitRow>),
    /// A new proposal. One of the same unit that waits is a conflict.
    AddProposal(Box<ProposalRow>),
    /// A proposal with one more approval, in place of what was read.
    SetProposal(Box<ProposalRow>, [u8; 32]),
    /// A proposal waits no longer. One that does not is a conflict.
    EndProposal([u8; 32]),
    /// Nothing is proposed of this unit any more.
    EndProposalsOf(UnitName),
    /// Those made before this instant wait no longer.
    Expire(Timestamp),
    /// As of which entry the registry is whole.
    Whole(RegistryRow),
}
