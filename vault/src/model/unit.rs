//! Units and gateways as they are registered: who they are, how far they are cleared.
//!
//! | file | owns |
//! | --- | --- |
//! | `written` | how they are written, and what is meant by it |
//! | `credentials` | which credential is whose |
//! | `document` | a unit in its one spelling |
//! | `change` | what a change widens |
//! | `swap` | the registry as it changes while the vault runs |
//! | `fault` | why a registry is refused |

mod change;
mod credentials;
mod document;
mod fault;
mod swap;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::ops::Bound;
use std::sync::Arc;

use ipnet::IpNet;
use kms::jwe::RecipientKey;
use serde::{Deserialize, Serialize};

use super::allowance::Allowance;
use super::certificate::CertificateSubject;
use super::class::{Catalogue, Level};
use super::clock::Timestamp;
use super::name::{Compartment, GatewayName, UnitName};
use super::oauth::UnitTokens;
use super::public_url::PublicUrl;
use super::signing::SigningKey;

pub use change::{Need, UnitKey};
pub use document::{DocumentFault, Registration, UnitDocument, UnitText};
pub use fault::RegistryError;
pub use swap::Units;

use credentials::Credentials;
use written::RawRegistry;

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
    /// Subject of its client certificate, where that names it and no URI does.
    pub certificate_subject: Option<CertificateSubject>,
    /// Keys that it signs its requests with, where it does.
    pub signing_keys: Vec<SigningKey>,
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
    /// What is registered of its access tokens.
    pub oauth: UnitTokens,
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
    /// Where units reach it: a DPoP proof that it carries was made for a place below one of these.
    pub public_urls: Vec<PublicUrl>,
}

/// All units and gateways, as `units.toml` and the database have them.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    digest: [u8; 32],
    units: BTreeMap<UnitName, Arc<Unit>>,
    gateways: BTreeMap<GatewayName, Arc<Gateway>>,
    credentials: Credentials,
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
            registry.add_gateway(gateway.meant())?;
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
            self.credentials.claim(&unit)?;
        }
        self.units.insert(unit.name.clone(), unit);
        Ok(())
    }

    fn add_gateway(&mut self, gateway: Gateway) -> Result<(), RegistryError> {
        self.credentials.claim_gateway(&gateway)?;
        match self.gateways.insert(gateway.name.clone(), gateway.into()) {
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
}

#[cfg(test)]
mod tests {
    use kms::jwe::JwkError;

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

    #[test]
    fn a_key_for_assertions_is_a_credential() {
        let catalogue = Catalogue::parse(CLASSES).unwrap();
        let unit = |line: &str| {
            format!(
                "[[unit]]\nname = \"one\"\ntitle_zh = \"\"\ntitle_en = \"\"\nclearance = \"public\"\n{line}\n"
            )
        };
        let jwk =
            r#"kty = "OKP", crv = "Ed25519", x = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs""#;
        let keyed = unit(&format!("oauth = {{ assertion_key = {{ {jwk} }} }}"));
        assert!(Registry::parse(&keyed, &catalogue).is_ok());
        let unkeyed = Registry::parse(&unit("oauth = { bearer = \"refused\" }"), &catalogue);
        assert!(matches!(unkeyed, Err(RegistryError::NoCredential(_))));
        let private = unit(&format!(
            "oauth = {{ assertion_key = {{ {jwk}, d = \"AA\" }} }}"
        ));
        assert!(matches!(
            Registry::parse(&private, &catalogue),
            Err(RegistryError::AssertionKey { .. })
        ));
    }

    #[test]
    fn a_gateways_urls_are_part_of_what_is_registered() {
        let catalogue = Catalogue::parse(CLASSES).unwrap();
        let digest = |urls: &str| {
            let text = format!(
                "[[gateway]]\nname = \"g\"\ncertificate_uri = \"spiffe://g\"\npublic_urls = [{urls}]\n"
            );
            Registry::parse(&text, &catalogue).unwrap().digest()
        };
        assert_ne!(digest(""), digest("\"https://api.city.example\""));
        assert_eq!(
            digest("\"https://api.city.example/\""),
            digest("\"https://API.city.example\"")
        );
    }

    #[test]
    fn one_key_and_one_certificate_subject_have_one_unit() {
        let catalogue = Catalogue::parse(CLASSES).unwrap();
        let unit = |name: &str, line: &str| {
            format!(
                "[[unit]]\nname = \"{name}\"\ntitle_zh = \"\"\ntitle_en = \"\"\nclearance = \"public\"\n{line}\n"
            )
        };
        let jwk = r#"signing_jwk = { kty = "OKP", crv = "Ed25519", kid = "a", x = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs" }"#;
        for line in [
            "signing_key = \"a\"",
            jwk,
            "certificate_subject = \"CN=a,O=b\"",
        ] {
            let alone = Registry::parse(&unit("one", line), &catalogue);
            assert!(alone.is_ok(), "{line}: {:?}", alone.err());
            let both = unit("one", line) + &unit("two", line);
            let twice = Registry::parse(&both, &catalogue);
            assert!(matches!(twice, Err(RegistryError::Twice(_))), "{line}");
        }
        // A key of the key service and a registered one share one space of names.
        let both = unit("one", "signing_key = \"a\"") + &unit("two", jwk);
        assert!(matches!(
            Registry::parse(&both, &catalogue),
            Err(RegistryError::Twice(_))
        ));
        let spelled = unit("one", "certificate_subject = \"CN=a\"")
            + &unit("two", "certificate_subject = 'cn=\\61'");
        assert!(matches!(
            Registry::parse(&spelled, &catalogue),
            Err(RegistryError::Twice(_))
        ));
        let registry = Registry::parse(&unit("one", jwk), &catalogue).unwrap();
        let (found, key) = registry.signing_key("a").unwrap();
        assert_eq!((found.name.as_str(), key.keyid.as_str()), ("one", "a"));
        for (line, field) in [
            ("signing_key = \"A\"", "signing_key"),
            ("signing_jwk = {}", "signing_jwk"),
        ] {
            match Registry::parse(&unit("one", line), &catalogue) {
                Err(RegistryError::SigningKey { field: found, .. }) => assert_eq!(found, field),
                other => panic!("{line}: {:?}", other.err()),
            }
        }
        let none = Registry::parse(&unit("one", ""), &catalogue);
        assert!(matches!(none, Err(RegistryError::NoCredential(_))));
    }
}
