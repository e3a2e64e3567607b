//! What a change of a unit widens. Whatever is not known to narrow does: so a key that is added to units later
//! takes a second person until it is named here.

use std::collections::BTreeSet;
use std::fmt;

use ipnet::IpNet;
use jiff::Timestamp as Instant;
use serde_json::{Map, Value};

use super::written::RawUnit;
use super::{Standing, UnitDocument};
use crate::model::class::Catalogue;
use crate::model::name::Compartment;

/// A key of a unit's document.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct UnitKey(String);

impl UnitKey {
    /// The one that says whether a unit may act.
    pub fn standing() -> BTreeSet<Self> {
        BTreeSet::from([Self("standing".to_owned())])
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a change of a unit needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Need {
    /// Nothing: nothing differs.
    Nothing,
    /// It can be done at once; these keys differ, and none of them widens.
    Nobody(BTreeSet<UnitKey>),
    /// A second person: these keys widen.
    SecondPerson(BTreeSet<UnitKey>),
}

impl UnitDocument {
    /// What it takes to put this in another one's place. `telling` are groups and compartments that a policy
    /// forbids something by: losing one may permit more.
    pub fn need(
        &self,
        before: &Self,
        catalogue: &Catalogue,
        telling: impl Fn(&str) -> bool,
    ) -> Need {
        let (new, old) = (self.keys(), before.keys());
        let all: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
        let differs = all.into_iter().filter(|key| new.get(*key) != old.get(*key));
        let differs: BTreeSet<UnitKey> = differs.map(|key| UnitKey(key.clone())).collect();
        if differs.is_empty() {
            return Need::Nothing;
        }
        let (Some(new), Some(old)) = (self.raw(), before.raw()) else {
            return Need::SecondPerson(differs);
        };
        let widening = |key: &&UnitKey| !narrows(key.as_str(), &new, &old, catalogue, &telling);
        let widens: BTreeSet<UnitKey> = differs.iter().filter(widening).cloned().collect();
        if widens.is_empty() {
            Need::Nobody(differs)
        } else {
            Need::SecondPerson(widens)
        }
    }

    fn keys(&self) -> Map<String, Value> {
        serde_json::from_str(self.as_str()).unwrap_or_default()
    }
}

/// Whether a key's new value permits nothing that its old one did not.
fn narrows(
    key: &str,
    new: &RawUnit,
    old: &RawUnit,
    catalogue: &Catalogue,
    telling: &impl Fn(&str) -> bool,
) -> bool {
    match key {
        // For people only.
        "title_zh" | "title_en" | "contact" => true,
        "clearance" => {
            let (new, old) = (&new.clearance, &old.clearance);
            matches!((catalogue.level(new), catalogue.level(old)), (Some(new), Some(old)) if new <= old)
        }
        "compartments" => fewer(
            &new.compartments.iter().map(Compartment::as_str).collect(),
            &old.compartments.iter().map(Compartment::as_str).collect(),
            telling,
        ),
        "groups" => fewer(
            &new.groups.iter().map(String::as_str).collect(),
            &old.groups.iter().map(String::as_str).collect(),
            telling,
        ),
        "standing" => new.standing != Standing::Active,
        "certificate_uri" => new.certificate_uri.is_none(),
        "certificate_subject" => new.certificate_subject.is_none(),
        "token_subject" => new.token_subject.is_none(),
        "signing_key" => new.signing_key.is_none(),
        "signing_jwk" => new.signing_jwk.is_none(),
        "public_key" => new.public_key.is_none(),
        "oauth" => new.oauth.narrows(&old.oauth),
        "requests_per_second" => new.requests_per_second <= old.requests_per_second,
        "networks" => within(&new.networks, &old.networks),
        "valid_from" => later(new.valid_from.as_deref(), old.valid_from.as_deref()),
        "valid_until" => {
            later(old.valid_until.as_deref(), new.valid_until.as_deref())
                && new.valid_until.is_some()
        }
        _ => false,
    }
}

fn fewer(new: &BTreeSet<&str>, old: &BTreeSet<&str>, telling: impl Fn(&str) -> bool) -> bool {
    new.is_subset(old) && !old.difference(new).any(|lost| telling(lost))
}

/// No network at all means any.
fn within(new: &[IpNet], old: &[IpNet]) -> bool {
    let inside = |net: &IpNet| old.iter().any(|known| known.contains(net));
    !new.is_empty() && (old.is_empty() || new.iter().all(inside))
}

/// Whether the first is at the second's instant or after it. Without a second one, anything is.
fn later(first: Option<&str>, second: Option<&str>) -> bool {
    let instant = |text: &str| text.parse::<Instant>().ok();
    match (first.map(instant), second.map(instant)) {
        (_, None) => true,
        (Some(Some(first)), Some(Some(second))) => first >= second,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CLASSES: &str = include_str!("../../../../policies/classes.toml");
    const BEFORE: &str = r#"{"name":"one","title_zh":"","title_en":"","clearance":"confidential",
        "compartments":["tax","health"],"groups":["city","revenue"],"certificate_uri":"spiffe://a/one",
        "token_subject":"one","requests_per_second":10,"networks":["10.0.0.0/8"],
        "valid_from":"2026-01-01T00:00:00Z","valid_until":"2027-01-01T00:00:00Z"}"#;

    /// The same document with one key set, or taken out.
    fn with(key: &str, value: Value) -> UnitDocument {
        let mut keys: Map<String, Value> = serde_json::from_str(BEFORE).unwrap();
        if value.is_null() {
            keys.remove(key);
        } else {
            keys.insert(key.to_owned(), value);
        }
        UnitDocument::parse(&Value::from(keys).to_string()).unwrap()
    }

    fn widens(key: &str, value: Value) -> bool {
        let catalogue = Catalogue::parse(CLASSES).unwrap();
        let before = UnitDocument::parse(BEFORE).unwrap();
        let need = with(key, value).need(&before, &catalogue, |word| word == "revenue");
        match need {
            Need::SecondPerson(keys) => {
                assert_eq!(keys, BTreeSet::from([UnitKey(key.to_owned())]));
                true
            }
            Need::Nobody(keys) => {
                assert_eq!(keys, BTreeSet::from([UnitKey(key.to_owned())]));
                false
            }
            Need::Nothing => panic!("nothing differs"),
        }
    }

    #[test]
    fn whatever_widens_takes_a_second_person() {
        for (key, value) in [
            ("clearance", "restricted".into()),
            ("clearance", "no level".into()),
            ("compartments", vec!["tax", "health", "payment"].into()),
            ("compartments", vec!["payment"].into()),
            ("groups", vec!["city", "revenue", "care"].into()),
            // A policy forbids something to this group: without it, the unit may do more.
            ("groups", vec!["city"].into()),
            ("certificate_uri", "spiffe://a/two".into()),
            ("token_subject", "two".into()),
            ("certificate_subject", "CN=one".into()),
            ("signing_key", "one-signs".into()),
            (
                "signing_jwk",
                json!({ "kty": "OKP", "crv": "Ed25519", "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs" }),
            ),
            ("oauth", json!({ "assertion_key": { "kty": "OKP" } })),
            ("public_key", "{}".into()),
            ("requests_per_second", 11.into()),
            ("networks", Value::Null),
            ("networks", vec!["10.1.0.0/16", "11.0.0.0/8"].into()),
            ("networks", vec!["0.0.0.0/0"].into()),
            ("valid_from", Value::Null),
            ("valid_from", "2025-12-31T23:59:59Z".into()),
            ("valid_until", Value::Null),
            ("valid_until", "2027-01-01T00:00:01Z".into()),
            ("limits", json!({ "quota": { "day": 1 } })),
        ] {
            assert!(widens(key, value.clone()), "{key} = {value}");
        }
    }

    #[test]
    fn what_narrows_and_what_is_for_people_is_done_at_once() {
        for (key, value) in [
            ("clearance", "internal".into()),
            ("compartments", vec!["tax"].into()),
            ("compartments", Value::Null),
            ("groups", vec!["revenue"].into()),
            ("certificate_uri", Value::Null),
            ("token_subject", Value::Null),
            ("requests_per_second", 1.into()),
            ("networks", vec!["10.1.0.0/16", "10.2.0.1/32"].into()),
            ("valid_from", "2026-01-01T08:00:01+08:00".into()),
            ("valid_until", "2026-06-01T00:00:00Z".into()),
            ("standing", "suspended".into()),
            ("title_en", "another".into()),
            ("contact", "somebody".into()),
            ("oauth", json!({ "bearer": "refused" })),
        ] {
            assert!(!widens(key, value.clone()), "{key} = {value}");
        }
    }

    #[test]
    fn a_credential_that_goes_narrows_and_one_that_comes_instead_widens() {
        let catalogue = Catalogue::parse(CLASSES).unwrap();
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs" });
        let refused = json!({ "bearer": "refused" });
        let keyed = |bearer: &str, key: &Value| json!({ "bearer": bearer, "assertion_key": key });
        let other = json!({ "kty": "EC" });
        for (key, before, after, widens) in [
            ("certificate_subject", json!("CN=a"), Value::Null, false),
            ("certificate_subject", json!("CN=a"), json!("CN=b"), true),
            ("signing_key", json!("a"), Value::Null, false),
            ("signing_key", json!("a"), json!("b"), true),
            ("signing_jwk", jwk.clone(), Value::Null, false),
            ("signing_jwk", jwk.clone(), other.clone(), true),
            ("oauth", refused.clone(), Value::Null, true),
            ("oauth", keyed("allowed", &jwk), refused.clone(), false),
            ("oauth", keyed("allowed", &jwk), Value::Null, false),
            (
                "oauth",
                keyed("allowed", &jwk),
                keyed("refused", &jwk),
                false,
            ),
            (
                "oauth",
                keyed("refused", &jwk),
                keyed("allowed", &jwk),
                true,
            ),
            (
                "oauth",
                keyed("refused", &jwk),
                keyed("refused", &other),
                true,
            ),
            ("oauth", refused.clone(), keyed("refused", &jwk), true),
        ] {
            let told = format!("{key}: {before} -> {after}");
            let need = with(key, after).need(&with(key, before), &catalogue, |_| false);
            let keys = BTreeSet::from([UnitKey(key.to_owned())]);
            let expected = if widens {
                Need::SecondPerson(keys)
            } else {
                Need::Nobody(keys)
            };
            assert_eq!(need, expected, "{told}");
        }
    }

    #[test]
    fn a_document_equals_itself_however_it_is_spelled() {
        let catalogue = Catalogue::parse(CLASSES).unwrap();
        let before = UnitDocument::parse(BEFORE).unwrap();
        let keys: Map<String, Value> = serde_json::from_str(BEFORE).unwrap();
        let mut turned: Vec<_> = keys.into_iter().collect();
        turned.reverse();
        let turned = turned
            .iter()
            .map(|(key, value)| format!("{key:?} : {value}"));
        let turned = format!(" {{ {} }} ", turned.collect::<Vec<_>>().join(" , "));
        let again = UnitDocument::parse(&turned).unwrap();
        assert_eq!(again, before);
        assert_eq!(again.need(&before, &catalogue, |_| true), Need::Nothing);
    }

    // Guards the table above: a key that is added to units and forgotten here asks for a second person.
    #[test]
    fn a_key_that_is_not_known_to_narrow_widens() {
        let catalogue = Catalogue::parse(CLASSES).unwrap();
        let raw = UnitDocument::parse(BEFORE).unwrap().raw().unwrap();
        let again = UnitDocument::parse(BEFORE).unwrap().raw().unwrap();
        assert!(!narrows("a-later-key", &raw, &again, &catalogue, &|_| {
            false
        }));
    }
}
