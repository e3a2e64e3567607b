//! How units and gateways are written, and what is meant by it.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use ipnet::IpNet;
use kms::jwe::{JwkError, RecipientKey};
use serde::{Deserialize, Serialize};

use super::document::{DOCUMENT_BYTES_MAX, Registration, UnitDocument};
use super::{Gateway, RegistryError, Standing, Unit};
use crate::model::allowance::{Allowance, RawAllowance, is_default};
use crate::model::certificate::CertificateSubject;
use crate::model::class::Catalogue;
use crate::model::clock::Timestamp;
use crate::model::name::{Compartment, GatewayName, UnitName};
use crate::model::oauth::RawUnitTokens;
use crate::model::public_url::PublicUrl;
use crate::model::signing::{InvalidSigningKey, SigningKey};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegistry {
    #[serde(default)]
    pub(super) unit: Vec<RawUnit>,
    #[serde(default)]
    pub(super) gateway: Vec<RawGateway>,
}

/// A unit as it is written: the one shape of `units.toml`, of the database, and of what is asked for. A key that
/// is not written is not there: so a document stays as it is when keys are added here.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUnit {
    pub(super) name: UnitName,
    pub(super) title_zh: String,
    pub(super) title_en: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contact: Option<String>,
    pub(super) clearance: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) compartments: BTreeSet<Compartment>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) groups: BTreeSet<String>,
    #[serde(default)]
    pub(super) standing: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certificate_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certificate_subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token_subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signing_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signing_jwk: Option<RawKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) public_key: Option<RawKey>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) oauth: RawUnitTokens,
    #[serde(default = "requests_per_second_default")]
    pub(super) requests_per_second: NonZeroU32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) limits: RawAllowance,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) networks: Vec<IpNet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid_until: Option<String>,
}

/// A JWK, as a table or as its JSON text.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum RawKey {
    Text(String),
    Table(toml::Table),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGateway {
    name: GatewayName,
    certificate_uri: String,
    #[serde(default)]
    standing: Standing,
    #[serde(default)]
    public_urls: Vec<PublicUrl>,
}

fn requests_per_second_default() -> NonZeroU32 {
    const { NonZeroU32::new(1_000).unwrap() }
}

impl Unit {
    pub(super) fn meant(
        raw: RawUnit,
        registration: Registration,
        catalogue: &Catalogue,
    ) -> Result<Self, RegistryError> {
        let clearance = catalogue
            .level(&raw.clearance)
            .ok_or_else(|| RegistryError::UnknownLevel(raw.name.clone()))?;
        if !raw.can_be_proven() {
            return Err(RegistryError::NoCredential(raw.name));
        }
        raw.texts()?;
        let document = UnitDocument::of(&raw);
        if document.as_str().len() > DOCUMENT_BYTES_MAX {
            return Err(RegistryError::TooLong(raw.name));
        }
        Ok(Self {
            registration,
            document,
            certificate_subject: raw.subject()?,
            signing_keys: raw.signing_keys()?,
            public_key: raw.recipient()?,
            allowance: raw.allowance()?,
            valid_from: raw.instant(raw.valid_from.as_deref())?,
            valid_until: raw.instant(raw.valid_until.as_deref())?,
            oauth: raw
                .oauth
                .checked()
                .map_err(|cause| RegistryError::AssertionKey {
                    unit: raw.name.clone(),
                    cause,
                })?,
            name: raw.name,
            title_zh: raw.title_zh,
            title_en: raw.title_en,
            contact: raw.contact,
            clearance,
            compartments: raw.compartments,
            groups: raw.groups,
            standing: raw.standing,
            certificate_uri: raw.certificate_uri,
            token_subject: raw.token_subject,
            requests_per_second: raw.requests_per_second,
            networks: raw.networks,
        })
    }
}

impl RawUnit {
    fn can_be_proven(&self) -> bool {
        let texts = [
            &self.certificate_uri,
            &self.certificate_subject,
            &self.token_subject,
            &self.signing_key,
        ];
        texts.into_iter().any(Option::is_some) || self.signing_jwk.is_some() || self.oauth.has_key()
    }

    fn subject(&self) -> Result<Option<CertificateSubject>, RegistryError> {
        let subject = self.certificate_subject.as_deref();
        let subject = subject.map(CertificateSubject::parse).transpose();
        subject.map_err(|cause| RegistryError::CertificateSubject {
            unit: self.name.clone(),
            cause,
        })
    }

    fn signing_keys(&self) -> Result<Vec<SigningKey>, RegistryError> {
        let refused = |field, cause| RegistryError::SigningKey {
            unit: self.name.clone(),
            field,
            cause,
        };
        let kept = self.signing_key.as_deref().map(SigningKey::kept);
        let kept = kept
            .transpose()
            .map_err(|cause| refused("signing_key", cause))?;
        let registered = self.signing_jwk.as_ref().map(|jwk| {
            let jwk = jwk.json().ok_or(InvalidSigningKey::Jwk)?;
            SigningKey::registered(&jwk)
        });
        let registered = registered
            .transpose()
            .map_err(|cause| refused("signing_jwk", cause))?;
        Ok(kept.into_iter().chain(registered).collect())
    }

    fn recipient(&self) -> Result<Option<RecipientKey>, RegistryError> {
        let read = |jwk: &RawKey| {
            let jwk = jwk.json().ok_or(JwkError::Form)?;
            RecipientKey::from_jwk(&jwk)
        };
        let key = self.public_key.as_ref().map(read).transpose();
        key.map_err(|cause| RegistryError::PublicKey {
            unit: self.name.clone(),
            cause,
        })
    }

    fn allowance(&self) -> Result<Allowance, RegistryError> {
        Allowance::read(&self.limits).map_err(|cause| RegistryError::Limits {
            unit: self.name.clone(),
            cause,
        })
    }

    fn instant(&self, text: Option<&str>) -> Result<Option<Timestamp>, RegistryError> {
        let Some(text) = text else { return Ok(None) };
        let invalid = || RegistryError::Instant(self.name.clone());
        let instant: jiff::Timestamp = text.parse().map_err(|_| invalid())?;
        let micros = u64::try_from(instant.as_microsecond());
        micros
            .map(|micros| Some(Timestamp(micros)))
            .map_err(|_| invalid())
    }
}

impl RawKey {
    fn json(&self) -> Option<String> {
        match self {
            Self::Text(jwk) => Some(jwk.clone()),
            Self::Table(table) => serde_json::to_string(table).ok(),
        }
    }
}

impl RawGateway {
    pub(super) fn meant(self) -> Gateway {
        Gateway {
            name: self.name,
            certificate_uri: self.certificate_uri,
            standing: self.standing,
            public_urls: self.public_urls,
        }
    }
}
