//! Why an act on tokens was not done: one item of it, or all.

use crate::model::{ClassName, LifeFault};

/// Why one item of an act was not done. The others were.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// No such token, another domain's, or no right to it: not told apart (invariant 8).
    #[error("no such token, or none that the unit may do this to")]
    NotAvailable,
    /// A legal hold covers it.
    #[error("a legal hold keeps the token as it is: nothing was changed")]
    Held,
    /// The value is none of the other class.
    #[error(
        "the token's value is not one of that class: move it to another, or leave it where it is"
    )]
    Value,
    /// The token could not be one of the other class, or its row does not keep what that class promises.
    #[error("the token can't stay as it is in that class: replace it, naming the class")]
    Look,
    /// Its life can't go on in the class.
    #[error("{0}")]
    Life(LifeFault),
    /// No hold for that matter stands on it.
    #[error("no hold for that matter stands on it: list its holds")]
    NoHold,
}

impl TokenFault {
    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAvailable => "not-available",
            Self::Held => "held",
            Self::Value => "value-unfit",
            Self::Look => "token-unfit",
            Self::Life(_) => "life-unfit",
            Self::NoHold => "hold-unknown",
        }
    }
}

/// Why an act was not done at all.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenActFault {
    /// A number is outside its range.
    #[error("`{name}` must be {range}")]
    Range {
        /// Which.
        name: &'static str,
        /// What it may be.
        range: String,
    },
    /// An instant that has not come: it would take tokens that serve.
    #[error("`{name}` lies in the future: name an instant that is over")]
    Future {
        /// Which.
        name: &'static str,
    },
    /// Nothing finds values of the class.
    #[error(
        "values of class `{0}` can't be searched for: it is neither repeatable nor `searchable`"
    )]
    NotSearchable(ClassName),
    /// The unit searches faster than it may.
    #[error("the unit searches faster than it may: slow down and retry")]
    SearchRate,
    /// Rows are gone, and their keys are not.
    #[error(
        "the tokens are gone, but their values' keys could not be destroyed: check the disk of the shred \
        keys and restart the vault, which destroys them"
    )]
    NotDestroyed,
    /// No detail is kept for the entry.
    #[error(
        "no reason is kept for that entry in this domain: none was given, it was erased, or it came after the backup \
         that was restored"
    )]
    NoDetail,
    /// No hold for that matter stands on the subject.
    #[error("no hold for that matter stands on it: list its holds")]
    NoHold,
}
