//! Why the guard said no. Each is an entry before it is an answer.

use super::budget::OverBudget;
use crate::model::{ClassName, GrantState};

/// Why something that policy permits is not done.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardFault {
    /// More distinct values than a budget allows.
    #[error(
        "the unit would be shown more distinct values than its budget `{}` allows: wait, ask for fewer, or ask for a grant",
        .0.budget
    )]
    OverBudget(OverBudget),
    /// More items than may be asked for without a grant.
    #[error("more than {max} items need a grant: ask for one, or send fewer")]
    GrantNeeded {
        /// Most items without one.
        max: usize,
    },
    /// The request names a grant that is not this unit's, or of another domain or purpose.
    #[error("the unit has no such grant for this domain and purpose")]
    NoGrant,
    /// The grant is not active.
    #[error("the grant is {}: it can't be used for this", .0.as_str())]
    GrantState(GrantState),
    /// The grant has fewer values left than would be shown.
    #[error("the grant has {left} values left: ask for fewer, or for another grant")]
    GrantSpent {
        /// How many.
        left: u64,
    },
    /// The grant does not cover a class of what would be shown.
    #[error("the grant does not cover a class that would be shown: ask for its classes only")]
    GrantClass,
    /// A unit does not approve its own grant.
    #[error("a grant is approved by other units than the one that asks")]
    OwnGrant,
    /// The unit has approved it already.
    #[error("the unit has approved this grant already: another one must")]
    ApprovedAlready,
    /// The unit has as many open grants as it may have.
    #[error("the unit has too many open grants: revoke some, or let them end")]
    TooManyGrants,
    /// A number of a grant or a planting is out of its range.
    #[error("`{name}` must be {range}")]
    Range {
        /// Which number.
        name: &'static str,
        /// What it may be.
        range: String,
    },
    /// No value of the class's kind can be made up that passes for a real one.
    #[error(
        "no plausible value of class `{0}` can be made up: plant honeytokens of a class whose kind is not `text`"
    )]
    NothingPlausible(ClassName),
}

impl GuardFault {
    /// Its stable code, in answers and entries.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OverBudget(_) => "budget-exceeded",
            Self::GrantNeeded { .. } => "grant-needed",
            Self::NoGrant => "grant-unknown",
            Self::GrantState(_) => "grant-state",
            Self::GrantSpent { .. } => "grant-spent",
            Self::GrantClass => "grant-class",
            Self::OwnGrant => "grant-own",
            Self::ApprovedAlready => "grant-approved-already",
            Self::TooManyGrants => "grants-too-many",
            Self::Range { .. } => "range",
            Self::NothingPlausible(_) => "honeytoken-kind",
        }
    }
}
