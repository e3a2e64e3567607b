//! Why an act on registered units was not done.

use crate::model::{RegistryError, UnitName};

/// Why something that policy permits is not done.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitFault {
    /// The unit would not fit the registry.
    #[error("the unit can't be registered so: {0}")]
    Unfit(String),
    /// The file of units is not put in force.
    #[error("units.toml is refused: {0}")]
    File(String),
    /// The unit is the file's.
    #[error("unit `{0}` stands in units.toml: change it there, or lock it")]
    InFile(UnitName),
    /// Someone else changed it.
    #[error("the unit was changed meanwhile: look at it, and ask again")]
    Changed,
    /// It is retired, for good.
    #[error("the unit is retired: register another one")]
    Retired,
    /// It acts already.
    #[error("the unit is not suspended")]
    NotSuspended,
    /// Something else is proposed of it.
    #[error(
        "something else is proposed of this unit: have it approved, refused or withdrawn first"
    )]
    ProposalOpen,
    /// As many proposals wait as may.
    #[error("{max} proposals wait already: have some approved, refused or withdrawn")]
    TooManyProposals {
        /// Most that may wait.
        max: usize,
    },
    /// As many units are registered as may be.
    #[error("{max} units are registered already: raise `units.units_max`, or leave some out")]
    TooManyUnits {
        /// Most units.
        max: usize,
    },
    /// No such proposal waits.
    #[error("no such proposal waits: it may have been decided, or have ended")]
    NoProposal,
    /// Its time is over.
    #[error("the proposal has waited too long: make it anew")]
    ProposalEnded,
    /// A unit does not decide on what it proposed.
    #[error("a proposal is decided on by other units than the one that made it")]
    OwnProposal,
    /// A unit does not approve what widens itself.
    #[error("a unit does not approve what is proposed of itself")]
    OwnUnit,
    /// Only who made a proposal takes it back.
    #[error("a proposal is taken back by who made it: others refuse it")]
    NotProposer,
    /// The unit has approved it already.
    #[error("the unit has approved this proposal already: another one must")]
    ApprovedAlready,
    /// The row is not as the vault wrote it.
    #[error("the row of this proposal is not as the vault wrote it: the database was altered")]
    Altered,
}

impl UnitFault {
    pub(super) fn unfit(error: RegistryError) -> Self {
        match error {
            RegistryError::InBoth(unit) => Self::InFile(unit),
            other => Self::Unfit(other.to_string()),
        }
    }

    /// Its stable code, in answers and entries.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unfit(_) => "unit-invalid",
            Self::File(_) => "units-file",
            Self::InFile(_) => "unit-in-file",
            Self::Changed => "unit-changed",
            Self::Retired => "unit-retired",
            Self::NotSuspended => "unit-not-suspended",
            Self::ProposalOpen => "proposal-open",
            Self::TooManyProposals { .. } => "proposals-too-many",
            Self::TooManyUnits { .. } => "units-too-many",
            Self::NoProposal => "proposal-unknown",
            Self::ProposalEnded => "proposal-ended",
            Self::OwnProposal => "proposal-own",
            Self::OwnUnit => "proposal-own-unit",
            Self::NotProposer => "proposal-not-own",
            Self::ApprovedAlready => "proposal-approved-already",
            Self::Altered => "proposal-altered",
        }
    }
}
