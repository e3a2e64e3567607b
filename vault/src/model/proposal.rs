//! What one unit proposes of another, and others approve: a registration, or whatever widens one.

use std::fmt;
use std::time::Duration;

use kms::Binding;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::grant::GrantId;
use super::name::UnitName;
use super::unit::{Unit, UnitDocument};

/// A commitment to a unit's document at one revision: it names the proposal, and is what every entry about it
/// carries. 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProposalId(pub [u8; 32]);

/// The text is not the id of a proposal.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a proposal's id is 64 hexadecimal digits in lower case")]
pub struct InvalidProposalId;

impl ProposalId {
    /// Reads an id in its one spelling.
    pub fn parse(text: &str) -> Result<Self, InvalidProposalId> {
        let id = GrantId::parse(text).map_err(|_| InvalidProposalId)?;
        Ok(Self(id.0))
    }

    /// SHA-256 over a unit's name, the revision that it has with this document, the document, and a salt: who has
    /// all of them can show what was approved, and nobody else can guess it.
    pub fn of(unit: &UnitName, revision: u64, document: &str, salt: &[u8; 16]) -> Self {
        let binding = Binding::new("jinku/v1 unit document")
            .field(salt)
            .field(unit.as_str().as_bytes())
            .number(revision)
            .field(document.as_bytes());
        let mut id = [0; 32];
        id.copy_from_slice(digest(&SHA256, binding.as_bytes()).as_ref());
        Self(id)
    }
}

impl fmt::Display for ProposalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        GrantId(self.0).fmt(f)
    }
}

/// What is proposed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProposedAct {
    /// A new unit.
    Register,
    /// A change that widens.
    Change,
    /// A suspended unit acts again.
    Resume,
}

impl ProposedAct {
    /// The word that policies and answers use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Change => "change",
            Self::Resume => "resume",
        }
    }
}

/// A proposal as it stands.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Its name.
    pub id: ProposalId,
    /// What is proposed.
    pub act: ProposedAct,
    /// Of which unit.
    pub unit: UnitName,
    /// The revision that the unit has; 0 where there is none.
    pub base: u64,
    /// The unit as it shall be.
    pub document: UnitDocument,
    /// What makes the id a secret's.
    pub salt: [u8; 16],
    /// Who proposes it.
    pub by: UnitName,
    /// When.
    pub made: Timestamp,
    /// How many units must approve.
    pub approvals: usize,
    /// Those that did.
    pub approved_by: Vec<UnitName>,
}

impl Proposal {
    /// That a unit becomes what it is: what a policy test asks about.
    pub fn wished(unit: &Unit, by: UnitName) -> Self {
        Self {
            id: ProposalId([0; 32]),
            act: ProposedAct::Change,
            unit: unit.name.clone(),
            base: unit.registration.revision(),
            document: unit.document.clone(),
            salt: [0; 16],
            by,
            made: Timestamp(0),
            approvals: 1,
            approved_by: Vec::new(),
        }
    }

    /// First instant at which it waits no longer.
    pub fn ends(&self, waits: Duration) -> Timestamp {
        let waits = u64::try_from(waits.as_micros()).unwrap_or(u64::MAX);
        Timestamp(self.made.0.saturating_add(waits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What an approver has seen is what is approved: nothing of it can be another without another id.
    #[test]
    fn an_id_is_bound_to_unit_revision_and_document() {
        let unit = |name| UnitName::parse(name).unwrap();
        let id = ProposalId::of(&unit("one"), 1, "{}", &[7; 16]);
        assert_eq!(ProposalId::parse(&id.to_string()), Ok(id));
        for other in [
            ProposalId::of(&unit("two"), 1, "{}", &[7; 16]),
            ProposalId::of(&unit("one"), 2, "{}", &[7; 16]),
            ProposalId::of(&unit("one"), 1, "{ }", &[7; 16]),
            ProposalId::of(&unit("one"), 1, "{}", &[8; 16]),
        ] {
            assert_ne!(other, id);
        }
        assert!(ProposalId::parse("one").is_err());
    }
}
