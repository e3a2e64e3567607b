//! Units and gateways as they are registered: who they are, how far they are cleared.

mod change;
mod document;
mod swap;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::ops::Bound;
use std::sync::Arc;

use ipnet::IpNet;
use kms::jwe::{JwkError, RecipientKey};
use serde::{Deserialize, Serialize};

use super::allowance::{Allowance, AllowanceFault, RawAllowance, is_default};
use super::class::{Catalogue, Level};
use super::clock::Timestamp;
use super::name::{Compartment, GatewayName, UnitName};

pub use change::{Need, UnitKey};
pub use document::{DocumentFault, Registration, UnitDocument, UnitText};
pub use swap::Units;

use document::{DOCUMENT_BYTES_MAX, TEXT_BYTES_MAX};

/// Whether a unit or gateway may act at all.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It may.
    #[default]
    Active,
    /// It may not, until someone says otherwise.
    Suspended,
    /// It never will again. Its name stays taken, its credentials are free for another one.
    Retired,
}

/// An organisation's system that acts.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its code.
    pub name: UnitName,
    /// Its name in Chinese, for people.
    pub title_zh: String,
    /// Its name in English, for people.
    pub title_en: String,
    /// Whom to ask about it.
    pub contact: Option<String>,
    /// Where its registration comes from.
    pub registration: Registration,
    /// All of it, in its one spelling.
    pub document: UnitDocument,
    /// The highest level it may see.
    pub clearance: Level,
    /// The compartments it holds.
    pub compartments: BTreeSet<Compartment>,
    /// Groups that policies speak of.
    pub groups: BTreeSet<String>,
    /// Whether it may act.
    pub standing: Standing,
    /// URI in its client certificate's subject alternative name, where it uses mutual TLS.
    pub certificate_uri: Option<String>,
    /// `sub` of its access tokens, where it uses OAuth2.
    pub token_subject: Option<String>,
    /// What values are sealed to, where it asks for that.
    pub public_key: Option<RecipientKey>,
    /// Requests a second it may make.
    pub requests_per_second: NonZeroU32,
    /// When, how fast, how much and where it may speak beside that.
    pub allowance: Allowance,
    /// Networks it may call from (CIDR); empty means any.
    pub networks: Vec<IpNet>,
    /// First instant at which it may act.
    pub valid_from: Option<Timestamp>,
    /// First instant at which it may no longer act.
    pub valid_until: Option<Timestamp>,
}

/// A machine that carries other units' requests. It proves itself and asserts nobody.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its code.
    pub name: GatewayName,
    /// URI in its client certificate's subject alternative name.
    pub certificate_uri: String,
    /// Whether it may act.
    pub standing: Standing,
}

/// All units and gateways, as `units.toml` and the database have them.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    digest: [u8; 32],
    units: BTreeMap<UnitName, Arc<Unit>>,
    gateways: BTreeMap<GatewayName, Arc<Gateway>>,
    unit_by_uri: BTreeMap<String, UnitName>,
    unit_by_subject: BTreeMap<String, UnitName>,
    gateway_by_uri: BTreeMap<String, GatewayName>,
}

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
    /// A unit has neither a certificate URI nor a token subject: nobody could ever be it.
    #[error("unit `{0}` has no credential: give it `certificate_uri` or `token_subject`")]
    NoCredential(UnitName),
    /// A unit's public key can't be used.
    #[error("`public_key` of unit `{unit}` can't be used: {cause}")]
    PublicKey {
        /// The unit.
        unit: UnitName,
        /// Why.
        cause: JwkError,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRegistry {
    #[serde(default)]
    unit: Vec<RawUnit>,
    #[serde(default)]
    gateway: Vec<RawGateway>,
}

/// A unit as it is written: the one shape of `units.toml`, of the database, and of what is asked for. A key that
/// is not written is not there: so a document stays as it is when keys are added here.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawUnit {
    name: UnitName,
    title_zh: String,
    title_en: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<String>,
    clearance: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    compartments: BTreeSet<Compartment>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    groups: BTreeSet<String>,
    #[serde(default)]
    standing: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<RawKey>,
    #[serde(default = "requests_per_second_default")]
    requests_per_second: NonZeroU32,
    #[serde(default, skip_serializing_if = "is_default")]
    limits: RawAllowance,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    networks: Vec<IpNet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
}

/// A JWK, as a table or as its JSON text.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum RawKey {
    Text(String),
    Table(toml::Table),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGateway {
    name: GatewayName,
    certificate_uri: String,
    #[serde(default)]
    standing: Standing,
}

fn requests_per_second_default() -> NonZeroU32 {
    const { NonZeroU32::new(1_000).unwrap() }
}

impl Registry {
    /// Reads `units.toml`; clearances are labels of `catalogue`.
    pub fn parse(text: &str, catalogue: &Catalogue) -> Result<Self, RegistryError> {
        let raw: RawRegistry = toml::from_str(text)?;
        let mut registry = Self::default();
        for unit in raw.unit {
            let unit = Unit::meant(unit, Registration::File, catalogue)?;
            registry.add_unit(unit.into())?;
        }
        for gateway in raw.gateway {
            registry.add_gateway(gateway)?;
        }
        registry.sum_up();
        Ok(registry)
    }

    fn add_unit(&mut self, unit: Arc<Unit>) -> Result<(), RegistryError> {
        match self.units.get(&unit.name) {
            None => {}
            Some(other)
                if (other.registration == Registration::File)
                    == (unit.registration == Registration::File) =>
            {
                return Err(RegistryError::Twice(unit.name.to_string()));
            }
            Some(_) => return Err(RegistryError::InBoth(unit.name.clone())),
        }
        if unit.standing != Standing::Retired {
            let (uri, subject) = (&unit.certificate_uri, &unit.token_subject);
            if let Some(uri) = uri
                && self.gateway_by_uri.contains_key(uri)
            {
                return Err(RegistryError::Twice(uri.clone()));
            }
            claim(&mut self.unit_by_uri, uri.as_ref(), &unit.name)?;
            claim(&mut self.unit_by_subject, subject.as_ref(), &unit.name)?;
        }
        self.units.insert(unit.name.clone(), unit);
        Ok(())
    }
}

impl Unit {
    fn meant(
        raw: RawUnit,
        registration: Registration,
        catalogue: &Catalogue,
    ) -> Result<Self, RegistryError> {
        let clearance = catalogue
            .level(&raw.clearance)
            .ok_or_else(|| RegistryError::UnknownLevel(raw.name.clone()))?;
        if raw.certificate_uri.is_none() && raw.token_subject.is_none() {
            return Err(RegistryError::NoCredential(raw.name));
        }
        raw.texts()?;
        let document = UnitDocument::of(&raw);
        if document.as_str().len() > DOCUMENT_BYTES_MAX {
            return Err(RegistryError::TooLong(raw.name));
        }
        let public_key = recipient(raw.public_key.as_ref(), &raw.name)?;
        let allowance = allowance(&raw.limits, &raw.name)?;
        Ok(Self {
            registration,
            document,
            name: raw.name.clone(),
            title_zh: raw.title_zh,
            title_en: raw.title_en,
            contact: raw.contact,
            clearance,
            compartments: raw.compartments,
            groups: raw.groups,
            standing: raw.standing,
            certificate_uri: raw.certificate_uri,
            token_subject: raw.token_subject,
            public_key,
            requests_per_second: raw.requests_per_second,
            allowance,
            networks: raw.networks,
            valid_from: instant(raw.valid_from.as_deref(), &raw.name)?,
            valid_until: instant(raw.valid_until.as_deref(), &raw.name)?,
        })
    }
}

impl Registry {
    fn add_gateway(&mut self, raw: RawGateway) -> Result<(), RegistryError> {
        if self.unit_by_uri.contains_key(&raw.certificate_uri) {
            return Err(RegistryError::Twice(raw.certificate_uri));
        }
        claim(
            &mut self.gateway_by_uri,
            Some(&raw.certificate_uri),
            &raw.name,
        )?;
        let gateway = Gateway {
            name: raw.name.clone(),
            certificate_uri: raw.certificate_uri,
            standing: raw.standing,
        };
        match self.gateways.insert(raw.name, gateway.into()) {
            None => Ok(()),
            Some(twice) => Err(RegistryError::Twice(twice.name.to_string())),
        }
    }

    /// The unit with this name.
    pub fn unit(&self, name: &UnitName) -> Option<&Arc<Unit>> {
        self.units.get(name)
    }

    /// All units, by name.
    pub fn units(&self) -> impl Iterator<Item = &Arc<Unit>> {
        self.units.values()
    }

    /// The units after this name, by name; all of them where there is none.
    pub fn units_after(&self, after: Option<&UnitName>) -> impl Iterator<Item = &Arc<Unit>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let found = self.units.range::<UnitName, _>((from, Bound::Unbounded));
        found.map(|(_, unit)| unit)
    }

    /// The gateway with this name.
    pub fn gateway(&self, name: &GatewayName) -> Option<&Arc<Gateway>> {
        self.gateways.get(name)
    }

    /// All gateways, by name.
    pub fn gateways(&self) -> impl Iterator<Item = &Arc<Gateway>> {
        self.gateways.values()
    }

    /// The unit whose certificate carries this URI.
    pub fn unit_by_uri(&self, uri: &str) -> Option<&Arc<Unit>> {
        self.unit_by_uri
            .get(uri)
            .and_then(|name| self.units.get(name))
    }

    /// The unit whose access tokens carry this subject.
    pub fn unit_by_subject(&self, subject: &str) -> Option<&Arc<Unit>> {
        self.unit_by_subject
            .get(subject)
            .and_then(|name| self.units.get(name))
    }

    /// The gateway whose certificate carries this URI.
    pub fn gateway_by_uri(&self, uri: &str) -> Option<&Arc<Gateway>> {
        self.gateway_by_uri
            .get(uri)
            .and_then(|name| self.gateways.get(name))
    }
}

fn claim<N: Clone>(
    index: &mut BTreeMap<String, N>,
    credential: Option<&String>,
    owner: &N,
) -> Result<(), RegistryError> {
    match credential {
        Some(text) if index.insert(text.clone(), owner.clone()).is_some() => {
            Err(RegistryError::Twice(text.clone()))
        }
        _ => Ok(()),
    }
}

fn recipient(
    written: Option<&RawKey>,
    unit: &UnitName,
) -> Result<Option<RecipientKey>, RegistryError> {
    let refused = |cause| RegistryError::PublicKey {
        unit: unit.clone(),
        cause,
    };
    let key = match written {
        None => return Ok(None),
        Some(RawKey::Text(jwk)) => RecipientKey::from_jwk(jwk),
        Some(RawKey::Table(table)) => serde_json::to_string(table)
            .map_err(|_| JwkError::Form)
            .and_then(|jwk| RecipientKey::from_jwk(&jwk)),
    };
    key.map(Some).map_err(refused)
}

fn allowance(written: &RawAllowance, unit: &UnitName) -> Result<Allowance, RegistryError> {
    Allowance::read(written).map_err(|cause| RegistryError::Limits {
        unit: unit.clone(),
        cause,
    })
}

fn instant(text: Option<&str>, unit: &UnitName) -> Result<Option<Timestamp>, RegistryError> {
    let Some(text) = text else { return Ok(None) };
    let instant: jiff::Timestamp = text
        .parse()
        .map_err(|_| RegistryError::Instant(unit.clone()))?;
    let micros = u64::try_from(instant.as_microsecond());
    micros
        .map(|micros| Some(Timestamp(micros)))
        .map_err(|_| RegistryError::Instant(unit.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: &str = include_str!("../../../policies/classes.toml");
    const KEY: &str = "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08";

    fn read(line: &str) -> Result<Registry, RegistryError> {
        let catalogue = Catalogue::parse(CLASSES).unwrap();
        let unit = format!(
            "[[unit]]\nname = \"one\"\ntitle_zh = \"\"\ntitle_en = \"\"\nclearance = \"public\"\n\
             token_subject = \"one\"\n{line}\n"
        );
        Registry::parse(&unit, &catalogue)
    }

    fn key(line: &str) -> Option<String> {
        let registry = read(line).unwrap();
        let unit = registry.unit(&UnitName::parse("one").unwrap()).unwrap();
        unit.public_key.as_ref().map(RecipientKey::thumbprint)
    }

    #[test]
    fn a_public_key_is_a_table_or_its_json_text() {
        let table = key(&format!(
            r#"public_key = {{ kty = "OKP", crv = "X25519", x = "{KEY}", kid = "a" }}"#
        ));
        let text = key(&format!(
            r#"public_key = '{{"kty":"OKP","crv":"X25519","x":"{KEY}"}}'"#
        ));
        assert!(table.is_some());
        assert_eq!(table, text);
        assert_eq!(key(""), None);
    }

    #[test]
    fn a_key_that_can_t_be_sealed_to_is_refused_by_its_unit_and_cause() {
        for (line, expected) in [
            (
                format!(r#"{{ kty = "OKP", crv = "X25519", x = "{KEY}", d = "{KEY}" }}"#),
                JwkError::Private,
            ),
            (
                format!(r#"{{ kty = "OKP", crv = "Ed25519", x = "{KEY}" }}"#),
                JwkError::Curve,
            ),
            (
                r#"{ kty = "OKP", crv = "X25519", x = "" }"#.to_owned(),
                JwkError::Point,
            ),
            ("'unit.jwk'".to_owned(), JwkError::Form),
            ("{}".to_owned(), JwkError::Curve),
        ] {
            match read(&format!("public_key = {line}")) {
                Err(RegistryError::PublicKey { unit, cause }) => {
                    assert_eq!((unit.as_str(), cause), ("one", expected), "{line}");
                }
                other => panic!("{line}: {:?}", other.err()),
            }
        }
    }
}
