//! What a ticket's row is made of, and what changes of one.

use super::row::{Column, SealedValue};
use crate::model::{DomainName, Purpose, Timestamp, UnitName};

/// SHA-256 of a ticket's text. The text has 256 random bits, so nobody finds it from this.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TicketHash(pub [u8; 32]);

impl Column for TicketHash {}

/// One ticket's row.
#[derive(Clone)]
pub struct TicketRow {
    /// Primary key.
    pub hash: TicketHash,
    /// Who alone may redeem it.
    pub unit: UnitName,
    /// Namespace of its tokens.
    pub domain: DomainName,
    /// What its values are for.
    pub purpose: Purpose,
    /// First instant at which it counts no longer.
    pub expires: Timestamp,
    /// The tokens' texts, under the domain's key and the ticket's text.
    pub sealed: SealedValue,
}

/// What changes of a ticket.
#[derive(Clone)]
pub enum TicketWrite {
    /// A new one.
    Add(TicketRow),
    /// It is used up: where it does not stand, that is a conflict.
    Take(TicketHash),
    /// Up to so many of those go that counted no longer at this time.
    Expire(Timestamp, u32),
}
