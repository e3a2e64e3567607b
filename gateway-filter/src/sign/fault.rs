//! Owns why a signature does not count. No text repeats what was sent; what would tell whether a key is
//! known, or a nonce, is one answer for all.

use api::signature::SignatureFault;

/// Why a message's signature does not count, or none can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningFault {
    /// The route demands one, and there is none.
    #[error("the message must be signed, and is not")]
    Missing,
    /// It can't be read, or does not say enough, whatever the key.
    #[error(transparent)]
    Form(#[from] SignatureFault),
    /// It leaves out what the route wants covered.
    #[error("the signature must cover all that this route names")]
    Uncovered,
    /// Two that both could be meant.
    #[error("the message has more than one signature or code that this route could take: send one")]
    Several,
    /// The time that a code is for is missing or not written as it must be.
    #[error(
        "the message's timestamp is missing, comes twice, or is not a plain number of this unit"
    )]
    Stamp,
    /// It is for a time that has passed.
    #[error("the message's timestamp is too old: sign it anew")]
    Old,
    /// It is for a time to come.
    #[error("the message's timestamp lies in the future: set the clock")]
    Early,
    /// The nonce is missing or not written as it must be.
    #[error(
        "the message's nonce is missing, comes twice, or is not 8 to 128 letters, digits, `-`, `_` or `.`"
    )]
    Nonce,
    /// No canonical text can be made of the parameters.
    #[error(transparent)]
    Parameters(#[from] ParametersFault),
    /// It is not believed. One answer for all reasons, which are for metrics and logs.
    #[error(
        "the signature is not valid: another key, another message, or one that was taken before"
    )]
    Unbelieved(Unbelieved),
    /// As many nonces of this key stand as are remembered.
    #[error(
        "as many signatures of this key are under way as are remembered: wait, or let them expire sooner"
    )]
    NoncesFull,
    /// What it has to say can't stand where it should.
    #[error("the code can't be put in its place: the message has no place for it, or one already")]
    Unplaced,
}

/// Why a signature is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unbelieved {
    /// No key of the route has this name.
    Key,
    /// Another algorithm than the key's.
    Algorithm,
    /// It is not this message's under this key.
    Wrong,
    /// The body is not the one whose digest is covered.
    Digest,
    /// Its nonce was taken before.
    Replayed,
    /// The code is not spelled as the profile spells codes.
    Spelling,
}

/// Why parameters have no one canonical text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParametersFault {
    /// Neither a form nor a JSON object, or compressed, or not strictly so.
    #[error(
        "the parameters to be signed can't be read: an uncompressed form or JSON object, or a query, read strictly"
    )]
    Unreadable,
    /// Two of one name: which one counts?
    #[error("a parameter comes twice")]
    Repeated,
    /// An array or object as a value.
    #[error("a parameter holds an array or an object")]
    Nested,
    /// A name or value that holds what joins them.
    #[error("a parameter holds a character that separates parameters: it could be read as two")]
    Joiner,
}

impl SigningFault {
    /// What the sender is told. All that is not believed is one.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Unbelieved(_) => "signature-invalid",
            other => other.own_code(),
        }
    }

    /// The exact reason, for metrics and logs.
    pub(crate) fn own_code(self) -> &'static str {
        match self {
            Self::Missing => "signature-missing",
            Self::Form(fault) => fault.code(),
            Self::Uncovered => "signature-coverage",
            Self::Several => "signature-several",
            Self::Stamp => "signature-timestamp",
            Self::Old => "signature-expired",
            Self::Early => "signature-early",
            Self::Nonce => "signature-nonce",
            Self::Parameters(_) => "signature-parameters",
            Self::NoncesFull => "signature-nonces-full",
            Self::Unplaced => "signature-unplaced",
            Self::Unbelieved(why) => match why {
                Unbelieved::Key => "signature-key-unknown",
                Unbelieved::Algorithm => "signature-algorithm",
                Unbelieved::Wrong => "signature-wrong",
                Unbelieved::Digest => "content-digest-mismatch",
                Unbelieved::Replayed => "signature-replayed",
                Unbelieved::Spelling => "signature-spelling",
            },
        }
    }
}
