//! Grants for many values: asked for by one unit, approved by others, spent, and over.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::clock::Timestamp;
use super::name::{ClassName, DomainName, Purpose, UnitName};

/// Names a grant: what its entries carry as their commitment. 64 hexadecimal digits.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct GrantId(pub [u8; 32]);

/// The text is not the id of a grant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a grant's id is 64 hexadecimal digits in lower case")]
pub struct InvalidGrantId;

impl GrantId {
    /// Reads an id in its one spelling.
    pub fn parse(text: &str) -> Result<Self, InvalidGrantId> {
        let mut id = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != id.len() || !rest.is_empty() {
            return Err(InvalidGrantId);
        }
        for (byte, pair) in id.iter_mut().zip(pairs) {
            let [high, low] = pair.map(digit);
            *byte = high.ok_or(InvalidGrantId)? << 4 | low.ok_or(InvalidGrantId)?;
        }
        Ok(Self(id))
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What is asked for.
#[derive(Clone)]
pub struct GrantTerms {
    /// By whom.
    pub unit: UnitName,
    /// Values of which domain.
    pub domain: DomainName,
    /// Why.
    pub purpose: Purpose,
    /// Of which classes.
    pub classes: BTreeSet<ClassName>,
    /// How many.
    pub values_max: u64,
    /// For how long from the last approval.
    pub ttl: Duration,
}

/// A grant as it stands.
#[derive(Clone)]
pub struct Grant {
    /// Its name.
    pub id: GrantId,
    /// What was asked for.
    pub terms: GrantTerms,
    /// How many units must approve.
    pub approvals: usize,
    /// Those that did.
    pub approved_by: Vec<UnitName>,
    /// Values spent.
    pub spent: u64,
    /// When it was asked for.
    pub asked: Timestamp,
    /// First instant at which it counts no longer, once it is approved.
    pub ends: Option<Timestamp>,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// Where a grant is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GrantState {
    /// It waits for approvals.
    Pending,
    /// It can be used.
    Active,
    /// All of its values are spent.
    Spent,
    /// Its time is over, or it was not approved in time.
    Ended,
    /// It was taken back.
    Revoked,
}

impl GrantState {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Spent => "spent",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
        }
    }
}

impl Grant {
    /// How long a grant waits for its approvals.
    pub const PENDING_MAX: Duration = Duration::from_hours(24);

    /// Where it is at a time.
    pub fn state(&self, now: Timestamp) -> GrantState {
        let waited_us = u128::from(now.0.saturating_sub(self.asked.0));
        match self.ends {
            _ if self.revoked => GrantState::Revoked,
            None if waited_us >= Self::PENDING_MAX.as_micros() => GrantState::Ended,
            None => GrantState::Pending,
            Some(ends) if ends <= now => GrantState::Ended,
            Some(_) if self.spent >= self.terms.values_max => GrantState::Spent,
            Some(_) => GrantState::Active,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let text = "00".repeat(15) + "ff" + &"0a".repeat(16);
        let id = GrantId::parse(&text).unwrap();
        assert_eq!(id.to_string(), text);
        for bad in [
            "",
            "0a",
            &text[1..],
            &text.to_uppercase(),
            &format!("{text}0"),
            "稅",
        ] {
            assert!(GrantId::parse(bad).is_err(), "{bad}");
        }
    }
}
