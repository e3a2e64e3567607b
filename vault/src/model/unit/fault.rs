//! Why a registry of units is refused.

use kms::jwe::JwkError;

use super::UnitText;
use super::document::{DOCUMENT_BYTES_MAX, TEXT_BYTES_MAX};
use crate::model::allowance::AllowanceFault;
use crate::model::certificate::InvalidCertificateSubject;
use crate::model::jwk::VerifyingKeyFault;
use crate::model::name::UnitName;
use crate::model::signing::InvalidSigningKey;

/// Why a registry was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The text is not TOML of the expected shape.
    #[error("the unit registry can't be read: {0}")]
    Syntax(#[from] toml::de::Error),
    /// A unit names a clearance that the catalogue's `levels` do not list.
    #[error("unit `{0}` names a clearance that is not one of the catalogue's levels")]
    UnknownLevel(UnitName),
    /// Two entries share a name or a credential.
    #[error("`{0}` is claimed twice in the unit registry")]
    Twice(String),
    /// A unit stands in the file and is registered too.
    #[error("unit `{0}` stands in units.toml and is registered too: take it out of the file")]
    InBoth(UnitName),
    /// A text of a unit is too long, or can't be shown.
    #[error(
        "`{key}` of unit `{unit}` must be at most {TEXT_BYTES_MAX} bytes without control characters"
    )]
    Text {
        /// The unit.
        unit: UnitName,
        /// Which text.
        key: UnitText,
    },
    /// A document is not of the shape of a unit.
    #[error("a registration is not of the shape of a unit")]
    Document,
    /// A unit's document is too long.
    #[error("the registration of unit `{0}` is longer than {DOCUMENT_BYTES_MAX} bytes")]
    TooLong(UnitName),
    /// A unit has no credential at all: nobody could ever be it.
    #[error(
        "unit `{0}` has no credential: give it `certificate_uri`, `certificate_subject`, `token_subject`, `signing_key`, `signing_jwk` or `oauth.assertion_key`"
    )]
    NoCredential(UnitName),
    /// A unit's certificate subject can't be read.
    #[error("`certificate_subject` of unit `{unit}` can't be used: {cause}")]
    CertificateSubject {
        /// The unit.
        unit: UnitName,
        /// Why.
        cause: InvalidCertificateSubject,
    },
    /// A key that a unit signs with can't be used.
    #[error("`{field}` of unit `{unit}` can't be used: {cause}")]
    SigningKey {
        /// The unit.
        unit: UnitName,
        /// Which field.
        field: &'static str,
        /// Why.
        cause: InvalidSigningKey,
    },
    /// A unit's public key can't be used.
    #[error("`public_key` of unit `{unit}` can't be used: {cause}")]
    PublicKey {
        /// The unit.
        unit: UnitName,
        /// Why.
        cause: JwkError,
    },
    /// The key that a unit signs assertions with can't be used.
    #[error("`oauth.assertion_key` of unit `{unit}` can't be used: {cause}")]
    AssertionKey {
        /// The unit.
        unit: UnitName,
        /// Why.
        cause: VerifyingKeyFault,
    },
    /// A unit's `limits` can't be meant.
    #[error("`limits` of unit `{unit}`: {cause}")]
    Limits {
        /// The unit.
        unit: UnitName,
        /// Why.
        cause: AllowanceFault,
    },
    /// A unit's hours name a calendar that is not there.
    #[error(
        "the hours of unit `{0}` name a calendar that `policy.calendars` has not: add it there"
    )]
    Calendar(UnitName),
    /// A validity bound is not RFC 3339.
    #[error(
        "a validity bound of unit `{0}` is not an RFC 3339 instant such as 2026-12-31T16:00:00Z"
    )]
    Instant(UnitName),
}
