//! What is registered of a unit's access tokens: whether whoever holds one may use it, and the key that the
//! unit asks for tokens with.

use serde::{Deserialize, Serialize};

use super::allowance::is_default;
use super::jwk::{VerifyingKey, VerifyingKeyFault};

/// Whether an access token that is bound to nothing is enough.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bearer {
    /// Whoever presents the token is the unit, where the issuer allows that too.
    #[default]
    Allowed,
    /// A token must be bound to a certificate or to a DPoP key.
    Refused,
}

/// A unit's `[unit.oauth]`.
#[derive(Clone, Debug, Default)]
pub struct UnitTokens {
    /// Whether a token that is bound to nothing is enough.
    pub bearer: Bearer,
    /// What verifies its assertions at the token endpoint (RFC 7523), where it makes some.
    pub assertion_key: Option<VerifyingKey>,
}

/// The same as it is written.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawUnitTokens {
    #[serde(skip_serializing_if = "is_default")]
    bearer: Bearer,
    #[serde(skip_serializing_if = "Option::is_none")]
    assertion_key: Option<toml::Table>,
}

impl RawUnitTokens {
    pub(super) fn has_key(&self) -> bool {
        self.assertion_key.is_some()
    }

    /// Whether these permit nothing that those before did not: no bearer token, and no key but the same one.
    pub(super) fn narrows(&self, before: &Self) -> bool {
        let bearer = self.bearer == before.bearer || self.bearer == Bearer::Refused;
        bearer && (!self.has_key() || self.assertion_key == before.assertion_key)
    }

    pub(super) fn checked(&self) -> Result<UnitTokens, VerifyingKeyFault> {
        let read = |table: &toml::Table| {
            let jwk = serde_json::to_string(table).map_err(|_| VerifyingKeyFault::Form)?;
            VerifyingKey::from_jwk(&jwk)
        };
        Ok(UnitTokens {
            bearer: self.bearer,
            assertion_key: self.assertion_key.as_ref().map(read).transpose()?,
        })
    }
}
