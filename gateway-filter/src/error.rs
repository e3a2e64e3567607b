//! Owns what can go wrong with a message. No variant holds a value, a token or a proof
//! (invariant 11); `problem` gives each its answer.

use crate::coding::CodingFault;
use crate::jose::JweFault;
use crate::rewrite::SpellFault;
use crate::scan::ScanError;
use crate::sign::SigningFault;

/// Which way a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From the unit to the upstream.
    Request,
    /// From the upstream to the unit.
    Response,
}

/// Why a message does not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// No route is meant, and the settings say `unmatched = "refuse"`.
    #[error("no route matches this host, method and path")]
    RouteUnmatched,
    /// The path can be read in two ways.
    #[error(
        "the path can be read in more than one way: no empty or dot segments, \
         no encoded or backward slashes"
    )]
    PathAmbiguous,
    /// A header that must be single came twice.
    #[error("the header `{0}` may come only once")]
    HeaderRepeated(&'static str),
    /// A header holds characters it may not.
    #[error("the header `{0}` holds characters that it may not")]
    HeaderInvalid(&'static str),
    /// The answer needs detokenizing, and nobody said why.
    #[error("state the purpose in the header `jinku-purpose`")]
    PurposeMissing,
    /// A body of a type in which the route's rules look for nothing, or none that can be read.
    #[error(
        "this route takes bodies of the types that its rules name, in UTF-8, with one content-type"
    )]
    MediaUnsupported,
    /// A content coding that the filter does not know, or several.
    #[error("this route takes one content-encoding: identity, gzip, deflate, br or zstd")]
    EncodingUnsupported,
    /// A body that is not what its content coding says, or grows beyond its limits.
    #[error("{1}")]
    Coding(Side, CodingFault),
    /// What takes a field's place can't stand there.
    #[error("{1}")]
    Unfit(Side, SpellFault),
    /// A JWE, or what it holds, is not what the route takes.
    #[error("{1}")]
    Jwe(Side, JweFault),
    /// The request's body is over the limit.
    #[error("the body is larger than {bytes_max} bytes")]
    BodyTooLarge {
        /// The route's limit.
        bytes_max: usize,
    },
    /// The request's body took too long to arrive.
    #[error("the body did not arrive in time")]
    BodyTimeout,
    /// The request's body broke off.
    #[error("the body broke off")]
    BodyBroken,
    /// A body that was read and refused.
    #[error("{1}")]
    Body(Side, ScanError),
    /// Its signature does not count.
    #[error("{1}")]
    Signing(Side, SigningFault),
    /// What goes on can't be signed.
    #[error("what goes on can't be signed: {1}")]
    Unsigned(Side, SigningFault),
    /// The vault did not do it.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The upstream's answer can't be used.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The gateway refused the request before the filter saw it; only its status is kept.
    #[error("the gateway refused the request before it came to the filter")]
    RefusedByGateway(http::StatusCode),
    /// As many messages as the settings allow are under way.
    #[error("too many requests are under way; try again")]
    Overloaded,
}

/// What the upstream did wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// No connection, or it was lost.
    #[error("the upstream can't be reached")]
    Unreachable,
    /// No answer in time.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// Its body is over the limit.
    #[error("the upstream's body is larger than {bytes_max} bytes")]
    BodyTooLarge {
        /// The route's limit.
        bytes_max: usize,
    },
    /// Its body broke off.
    #[error("the upstream's body broke off")]
    BodyBroken,
    /// A header of its answer that a rule names can be read in two ways, or not at all.
    #[error("a header of the upstream's answer that this route names can't be read in one way")]
    HeaderInvalid,
    /// Its body can't be read, and fields of it must not go on.
    #[error("the upstream's body can't be read, and this route hides fields of it")]
    MediaUnsupported,
    /// It asks to change the protocol.
    #[error("the upstream asked for another protocol")]
    Upgrade,
}

/// Why the vault gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The unit did not prove who it is.
    #[error("the vault does not know this unit: {0}")]
    Unauthenticated(Refusal),
    /// The unit may not do this.
    #[error("the vault denied it: {0}")]
    Denied(Refusal),
    /// A value, class, domain, purpose or key that the vault does not take.
    #[error("the vault refused what it was given: {0}")]
    Invalid(Refusal),
    /// The unit's quota or rate is used up.
    #[error("the vault asks for patience: {0}")]
    Exhausted(Refusal),
    /// The vault is away.
    #[error("the vault can't be reached")]
    Unavailable,
    /// The vault is there, and can't now: it is busy, sealed or stopping.
    #[error("the vault can't do it now: {0}")]
    Busy(Refusal),
    /// The vault failed too often lately: it is left in peace for a moment, and not asked.
    #[error("the vault failed too often lately and is not asked now")]
    CircuitOpen {
        /// Until it is asked again.
        retry_after: std::time::Duration,
    },
    /// The vault did not answer in time.
    #[error("the vault did not answer in time")]
    DeadlineExceeded,
    /// The vault failed.
    #[error("the vault failed")]
    Failed,
    /// The vault's answer does not fit the question.
    #[error("the vault's answer does not fit the question")]
    AnswerMismatch,
}

/// The vault's own words for a refusal: its problem code and its text, which hold no values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// The vault's problem code, for example `value-invalid`.
    pub code: Option<String>,
    /// The vault's text.
    pub detail: Option<String>,
    /// When trying again may help, in the vault's own word.
    pub retry_after: Option<std::time::Duration>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code.as_deref().unwrap_or("no code given"))
    }
}
