//! Why the rule of two said no. Each is an entry before it is an answer.

/// Why a policy set is not put up, or not approved.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// The vault's settings don't ask for approvals.
    #[error(
        "policy sets are not activated by approval here: see `policy.activation` of the vault's settings"
    )]
    NotByApproval,
    /// The set can't be read, or is not valid.
    #[error("the policy set is refused: {0}")]
    Refused(String),
    /// It decides already.
    #[error("this policy set decides already")]
    Active,
    /// No set waits, or another one.
    #[error("no policy set of this digest waits for approval: see which one does")]
    NotWaiting,
    /// The unit put it up itself.
    #[error("a policy set is approved by another unit than the one that put it up")]
    OwnProposal,
    /// The kept set was altered in the database.
    #[error("a kept policy set was altered in the database: restore the database from a backup")]
    Altered,
}

impl PolicyFault {
    /// Its stable code, in answers and entries.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotByApproval => "policy-not-by-approval",
            Self::Refused(_) => "policy-refused",
            Self::Active => "policy-active",
            Self::NotWaiting => "policy-not-waiting",
            Self::OwnProposal => "policy-own",
            Self::Altered => "policy-altered",
        }
    }
}
