//! A unit's registration as a document: one spelling, which is digested, kept, shown, exported and imported.

use std::fmt;
use std::sync::Arc;

use ring::digest::{SHA256, digest};

use super::written::{RawRegistry, RawUnit};
use super::{Registry, RegistryError, Standing, Unit};
use crate::model::class::Catalogue;
use crate::model::name::UnitName;

/// Longest title, contact or group, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 256;
/// Longest registration of one unit, in bytes of JSON.
pub(super) const DOCUMENT_BYTES_MAX: usize = 16 * 1024;

/// Where a unit's registration comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Registration {
    /// `units.toml`.
    File,
    /// The vault's own table, and how often it was changed there: 1 and up.
    Revision(u64),
}

impl Registration {
    /// Its revision; 0 for one of the file.
    pub fn revision(self) -> u64 {
        match self {
            Self::File => 0,
            Self::Revision(revision) => revision,
        }
    }
}

/// A text of a unit that people are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnitText {
    /// Its name in Chinese.
    TitleZh,
    /// Its name in English.
    TitleEn,
    /// Whom to ask.
    Contact,
    /// A group's name.
    Groups,
}

impl fmt::Display for UnitText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TitleZh => "title_zh",
            Self::TitleEn => "title_en",
            Self::Contact => "contact",
            Self::Groups => "groups",
        })
    }
}

/// Why a text is no unit's document. It does not repeat the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentFault {
    /// It is too long.
    #[error("a unit's document has at most {DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
    /// It is not of the shape of a `[[unit]]` in `units.toml`.
    #[error(
        "the document is not of the shape of a `[[unit]]` of units.toml: look at line {line}, column {column}"
    )]
    Shape {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

/// A unit's registration in its one spelling: JSON, keys in the order of the struct, and none without a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnitDocument {
    text: Arc<str>,
    digest: [u8; 32],
}

impl UnitDocument {
    /// Reads a JSON object of the shape of a `[[unit]]`, whatever its order and white space.
    pub fn parse(text: &str) -> Result<Self, DocumentFault> {
        if text.len() > DOCUMENT_BYTES_MAX {
            return Err(DocumentFault::TooLong);
        }
        let fault = |line, column| DocumentFault::Shape { line, column };
        // A struct can be read from an array too: a document has one shape.
        if !text.trim_start().starts_with('{') {
            return Err(fault(1, 1));
        }
        let raw: Result<RawUnit, _> = serde_json::from_str(text);
        raw.map(|raw| Self::of(&raw))
            .map_err(|error| fault(error.line(), error.column()))
    }

    /// One that was written by [`Self::as_str`], maybe of an earlier build: its bytes stay as they are.
    pub fn kept(text: &str) -> Result<Self, DocumentFault> {
        Self::parse(text).map(|_| Self::spelled(text))
    }

    /// The documents of a `units.toml`, in its order. Nothing of them is checked but their shape.
    pub fn of_file(text: &str) -> Result<Vec<Self>, toml::de::Error> {
        let raw: RawRegistry = toml::from_str(text)?;
        Ok(raw.unit.iter().map(Self::of).collect())
    }

    /// Documents as a `units.toml` that [`Registry::parse`] reads.
    pub fn to_file(documents: &[Self]) -> Result<String, toml::ser::Error> {
        #[derive(serde::Serialize)]
        struct File {
            unit: Vec<RawUnit>,
        }
        let unit = documents.iter().filter_map(Self::raw).collect();
        toml::to_string(&File { unit })
    }

    pub(super) fn of(raw: &RawUnit) -> Self {
        // Texts, numbers, lists and maps with text keys: `serde_json` writes them all.
        Self::spelled(&serde_json::to_string(raw).unwrap_or_default())
    }

    fn spelled(text: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Self {
            text: text.into(),
            digest: bytes,
        }
    }

    pub(super) fn raw(&self) -> Option<RawUnit> {
        serde_json::from_str(&self.text).ok()
    }

    /// The JSON.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The unit's name.
    pub fn name(&self) -> Option<UnitName> {
        self.raw().map(|raw| raw.name)
    }

    /// Whether it is a retired unit's.
    pub fn is_retired(&self) -> bool {
        self.raw()
            .is_some_and(|raw| raw.standing == Standing::Retired)
    }

    /// The same with another standing.
    #[must_use]
    pub fn standing(&self, standing: Standing) -> Self {
        match self.raw() {
            Some(raw) => Self::of(&RawUnit { standing, ..raw }),
            None => self.clone(),
        }
    }

    /// SHA-256 of it.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

impl Unit {
    /// From a document that was or is to be registered, checked as those of the file are.
    pub fn registered(
        document: &UnitDocument,
        revision: u64,
        catalogue: &Catalogue,
    ) -> Result<Self, RegistryError> {
        let raw = document.raw().ok_or(RegistryError::Document)?;
        Self::meant(raw, Registration::Revision(revision), catalogue)
    }
}

impl Registry {
    /// How many units there are.
    pub fn count(&self) -> usize {
        self.units.len()
    }
}

impl RawUnit {
    /// What people are shown is bounded, and has no control characters.
    pub(super) fn texts(&self) -> Result<(), RegistryError> {
        let fits = |text: &str| text.len() <= TEXT_BYTES_MAX && !text.contains(char::is_control);
        let groups = self.groups.iter().map(|group| (UnitText::Groups, group));
        let contact = self.contact.iter().map(|text| (UnitText::Contact, text));
        let titles = [
            (UnitText::TitleZh, &self.title_zh),
            (UnitText::TitleEn, &self.title_en),
        ];
        let mut texts = titles.into_iter().chain(contact).chain(groups);
        match texts.find(|(_, text)| !fits(text)) {
            None => Ok(()),
            Some((key, _)) => Err(RegistryError::Text {
                unit: self.name.clone(),
                key,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::collection::btree_set;
    use proptest::option::of;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::model::{CertificateSubject, Units};

    const CLASSES: &str = include_str!("../../../../policies/classes.toml");
    const KEY: &str = "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08";
    /// RFC 8037 appendix A.2.
    const ED25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn catalogue() -> Catalogue {
        Catalogue::parse(CLASSES).unwrap()
    }

    /// A unit's document with these keys beside the least.
    fn document(name: &str, keys: &Value) -> UnitDocument {
        let mut all = Map::new();
        for (key, value) in [
            ("name", name),
            ("title_zh", ""),
            ("title_en", ""),
            ("clearance", "public"),
            ("token_subject", name),
        ] {
            all.insert(key.to_owned(), value.into());
        }
        all.extend(keys.as_object().unwrap().clone());
        UnitDocument::parse(&Value::from(all).to_string()).unwrap()
    }

    fn unit(document: &UnitDocument) -> Arc<Unit> {
        Arc::new(Unit::registered(document, 1, &catalogue()).unwrap())
    }

    proptest! {
        // What is exported here and imported elsewhere is the same document, whatever people wrote.
        #[test]
        fn a_file_gives_back_the_documents_that_it_was_made_of(
            titles in ("\\PC{0,30}", "\\PC{0,30}"),
            contact in of("\\PC{0,30}"),
            groups in btree_set("[ -~]{0,12}", 0..4),
            compartments in btree_set("[a-z]{1,8}", 0..4),
            network in of((any::<[u8; 4]>(), 0_u8..=32)),
            key in of(any::<bool>()),
            rate in 1_u32..,
            suspended in any::<bool>(),
            until in of("20[0-9]{2}-01-01T00:00:00Z"),
            proofs in any::<[bool; 4]>(),
            limits in of((of(1_u32..), of(1_u64..1 << 60), any::<[bool; 3]>())),
        ) {
            let mut keys = json!({
                "title_zh": titles.0, "title_en": titles.1, "groups": groups, "compartments": compartments,
                "requests_per_second": rate, "standing": if suspended { "suspended" } else { "active" },
            });
            let jwk = json!({ "kty": "OKP", "crv": "X25519", "x": KEY });
            let ed25519 = json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519 });
            let [subject, kept, registered, tokens] = proofs;
            for (name, value) in [
                ("certificate_subject", subject.then(|| "CN=one,O=City,C=TW".into())),
                ("signing_key", kept.then(|| "one-signs".into())),
                ("signing_jwk", registered.then(|| ed25519.clone())),
                ("oauth", tokens.then(|| json!({ "bearer": "refused", "assertion_key": ed25519 }))),
                ("contact", contact.map(Value::from)),
                ("valid_until", until.map(Value::from)),
                ("networks", network.map(|(ip, length)| {
                    json!([format!("{}/{length}", std::net::Ipv4Addr::from(ip))])
                })),
                ("limits", limits.map(|(burst, day, [open, hours, group])| {
                    let mut limits = json!({ "priority": if open { "normal" } else { "low" } });
                    for (name, value) in [
                        ("burst", burst.map(Value::from)),
                        ("quota", day.map(|day| json!({ "day": day }))),
                        ("routes", open.then(|| json!(["units", "keys"]))),
                        ("hours", hours.then(|| json!({
                            "weekly": [{ "days": "mon-fri", "from": "08:00", "to": "24:00" }], "holidays": "tw",
                        }))),
                        ("group", group.then(|| json!({ "keys": { "quota": { "month": 3 } } }))),
                    ] {
                        if let Some(value) = value {
                            limits[name] = value;
                        }
                    }
                    limits
                })),
                ("public_key", key.map(|text| if text { jwk.to_string().into() } else { jwk.clone() })),
            ] {
                if let Some(value) = value {
                    keys[name] = value;
                }
            }
            let documents = [document("one", &keys), document("two", &json!({}))];
            let text = UnitDocument::to_file(&documents).unwrap();
            let again = UnitDocument::of_file(&text).unwrap();
            prop_assert_eq!(&again[..], &documents[..]);
            let registry = Registry::parse(&text, &catalogue()).unwrap();
            let read: Vec<_> = registry.units().map(|unit| unit.document.clone()).collect();
            prop_assert_eq!(&read[..], &documents[..]);
            prop_assert_eq!(UnitDocument::kept(documents[0].as_str()).unwrap(), documents[0].clone());
        }

        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,200}") {
            let _ = UnitDocument::parse(&text);
        }
    }

    // A document that was registered before there were limits keeps its digest.
    #[test]
    fn limits_that_say_nothing_are_not_written() {
        let before = document("one", &json!({}));
        assert!(!before.as_str().contains("limits"));
        for limits in [
            json!({}),
            json!({ "priority": "normal", "quota": {}, "group": {} }),
        ] {
            assert_eq!(document("one", &json!({ "limits": limits })), before);
        }
        let limited = document("one", &json!({ "limits": { "quota": { "day": 5 } } }));
        assert!(limited.as_str().contains(r#""limits":{"quota":{"day":5}}"#));
    }

    #[test]
    fn tokens_that_say_nothing_are_not_written() {
        let before = document("one", &json!({}));
        assert!(!before.as_str().contains("oauth"));
        for oauth in [json!({}), json!({ "bearer": "allowed" })] {
            assert_eq!(document("one", &json!({ "oauth": oauth })), before);
        }
        let bound = document("one", &json!({ "oauth": { "bearer": "refused" } }));
        assert!(bound.as_str().contains(r#""oauth":{"bearer":"refused"}"#));
    }

    #[test]
    fn ten_thousand_units_are_read_and_changed_in_well_under_a_second() {
        let all: Vec<_> = (0..10_000)
            .map(|number| {
                let uri = format!("spiffe://city/unit/{number}");
                document(
                    &format!("unit-{number}"),
                    &json!({ "certificate_uri": uri, "groups": ["city"] }),
                )
            })
            .collect();
        let catalogue = catalogue();
        let began = Instant::now();
        let read = all
            .iter()
            .map(|document| Unit::registered(document, 1, &catalogue).unwrap().into());
        let registry = Registry::default().beside(read).unwrap();
        let took = began.elapsed();
        // Without optimisation; with it about a tenth.
        assert!(took < Duration::from_secs(5), "{took:?}");
        let units = Units::new(registry.into());
        let before = units.now();
        let changed = before.with(unit(&document("unit-7", &json!({ "contact": "x" }))));
        units.put_in_force(changed.unwrap().into());
        let name = UnitName::parse("unit-7").unwrap();
        assert_eq!(
            units.now().unit(&name).unwrap().contact.as_deref(),
            Some("x")
        );
        // Whoever had the one before has it still, whole.
        assert_eq!(before.unit(&name).unwrap().contact, None);
        assert!(before.unit_by_uri("spiffe://city/unit/7").is_some());
        assert!(units.now().unit_by_uri("spiffe://city/unit/7").is_none());
        assert_ne!(units.now().digest(), before.digest());
    }

    #[test]
    fn credentials_belong_to_one_unit_and_a_retired_one_s_are_free() {
        let of = |name: &str, standing: &str| {
            let keys = json!({ "token_subject": "shared", "standing": standing });
            unit(&document(name, &keys))
        };
        let one = Registry::default().with(of("one", "active")).unwrap();
        assert!(matches!(
            one.with(of("two", "active")),
            Err(RegistryError::Twice(_))
        ));
        assert!(matches!(
            one.with(of("two", "suspended")),
            Err(RegistryError::Twice(_))
        ));
        let retired = one.with(of("one", "retired")).unwrap();
        let heir = retired.with(of("two", "active")).unwrap();
        assert_eq!(heir.unit_by_subject("shared").unwrap().name.as_str(), "two");
        // Another look at the retired one takes nothing from its heir.
        let again = heir.with(of("one", "retired")).unwrap();
        assert_eq!(
            again.unit_by_subject("shared").unwrap().name.as_str(),
            "two"
        );
    }

    // Each kind of credential is claimed, stays a suspended unit's own, and is let go with it.
    #[test]
    fn every_credential_has_one_holder_until_it_is_let_go() {
        type Find<'a> = &'a dyn Fn(&Registry) -> Option<Arc<Unit>>;
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "shared", "x": ED25519 });
        let subject = CertificateSubject::parse("CN=shared").unwrap();
        let by_uri = |of: &Registry| of.unit_by_uri("spiffe://shared").cloned();
        let by_subject = |of: &Registry| of.unit_by_certificate_subject(&subject).cloned();
        let by_key = |of: &Registry| of.signing_key("shared").map(|(unit, _)| Arc::clone(unit));
        let all: [(Value, Find<'_>); 4] = [
            (json!({ "certificate_uri": "spiffe://shared" }), &by_uri),
            (json!({ "certificate_subject": "cn=shared" }), &by_subject),
            (json!({ "signing_key": "shared" }), &by_key),
            (json!({ "signing_jwk": jwk }), &by_key),
        ];
        for (credential, find) in all {
            let of = |name: &str, standing: &str| {
                let mut keys = credential.clone();
                keys["standing"] = standing.into();
                unit(&document(name, &keys))
            };
            let holder = |of: &Registry| find(of).map(|unit| unit.name.to_string());
            let one = Registry::default().with(of("one", "active")).unwrap();
            assert_eq!(holder(&one).as_deref(), Some("one"), "{credential}");
            let suspended = one.with(of("one", "suspended")).unwrap();
            for registry in [&one, &suspended] {
                let twice = registry.with(of("two", "active"));
                assert!(
                    matches!(twice, Err(RegistryError::Twice(_))),
                    "{credential}"
                );
            }
            assert_eq!(find(&suspended).unwrap().standing, Standing::Suspended);
            let without = one.with(unit(&document("one", &json!({})))).unwrap();
            assert_eq!(holder(&without), None, "{credential}");
            let heir = one.with(of("one", "retired")).unwrap();
            let heir = heir.with(of("two", "active")).unwrap();
            let heir = heir.with(of("one", "retired")).unwrap();
            assert_eq!(holder(&heir).as_deref(), Some("two"), "{credential}");
        }
    }

    #[test]
    fn a_unit_of_the_file_is_not_registered_beside() {
        let text = UnitDocument::to_file(&[document("one", &json!({}))]).unwrap();
        let file = Registry::parse(&text, &catalogue()).unwrap();
        let other = unit(&document("one", &json!({ "token_subject": "another" })));
        assert!(matches!(
            file.with(Arc::clone(&other)),
            Err(RegistryError::InBoth(_))
        ));
        assert!(matches!(
            file.beside([other]),
            Err(RegistryError::InBoth(_))
        ));
    }
}
