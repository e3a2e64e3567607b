//! An issuer's public keys: a JWK set (RFC 7517 section 5), bounded and each key bound to one algorithm.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::jws::sha256;
use crate::model::VerifyingKey;

/// Most keys of a set.
const KEYS_MAX: usize = 64;

/// Why a set was refused. What stood before stands on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetFault {
    /// Not a JWK set.
    #[error("it is not a JWK set (RFC 7517)")]
    Syntax,
    /// A key of a file can't be used.
    #[error(
        "a key of it has no `kid`, or is none of EdDSA (Ed25519), ES256, RS256 and PS256 (2048 to 4096 bits)"
    )]
    Key,
    /// Two keys have one name: which is meant would be a token's choice.
    #[error("two keys of it have the same `kid`")]
    Twice,
    /// It is too long.
    #[error("it has more than {KEYS_MAX} keys")]
    TooMany,
    /// It has no key that could be used.
    #[error("it has no key that can be used: nobody could be proven")]
    Empty,
}

/// Keys by their names.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<(String, VerifyingKey)>,
    digest: [u8; 32],
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<Box<RawValue>>,
}

impl KeySet {
    /// A set that a person wrote down: all of its keys must be usable.
    pub(super) fn written(text: &str) -> Result<Self, KeySetFault> {
        Self::read(text, |_| Err(KeySetFault::Key))
    }

    /// A set that an issuer publishes: keys for other purposes are passed over (RFC 7517 section 5).
    pub(super) fn published(text: &str) -> Result<Self, KeySetFault> {
        Self::read(text, |_| Ok(()))
    }

    fn read(
        text: &str,
        unusable: impl Fn(&RawValue) -> Result<(), KeySetFault>,
    ) -> Result<Self, KeySetFault> {
        let set: RawSet = serde_json::from_str(text).map_err(|_| KeySetFault::Syntax)?;
        if set.keys.len() > KEYS_MAX {
            return Err(KeySetFault::TooMany);
        }
        let mut names = BTreeSet::new();
        let mut keys = Vec::new();
        for raw in &set.keys {
            let key = VerifyingKey::from_jwk(raw.get()).ok();
            let usable = key.and_then(|key| Some((key.kid()?.to_owned(), key.bound())));
            let Some((kid, key)) = usable else {
                unusable(raw)?;
                continue;
            };
            if !names.insert(kid.clone()) {
                return Err(KeySetFault::Twice);
            }
            keys.push((kid, key));
        }
        if keys.is_empty() {
            return Err(KeySetFault::Empty);
        }
        Ok(Self {
            keys,
            digest: sha256(text.as_bytes()),
        })
    }

    /// The key of this name. A name is compared, and nothing else is done with it.
    pub(super) fn key(&self, kid: &str) -> Option<&VerifyingKey> {
        let known = |(name, _): &&(String, VerifyingKey)| name == kid;
        self.keys.iter().find(known).map(|(_, key)| key)
    }

    /// Whether both were read of one text.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn set(keys: &[&str]) -> String {
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    }

    #[test]
    fn a_published_set_may_have_keys_for_others_and_a_written_one_may_not() {
        let encrypting = r#"{"kty":"EC","crv":"P-384","use":"enc","kid":"b"}"#;
        let mixed = set(&[ED, encrypting, r#"{"kty":"oct","k":"AA","kid":"c"}"#]);
        let published = KeySet::published(&mixed).unwrap();
        assert!(published.key("a").is_some());
        assert!(published.key("b").is_none() && published.key("c").is_none());
        assert_eq!(KeySet::written(&mixed).err(), Some(KeySetFault::Key));
        let unnamed = ED.replace(r#""kid":"a","#, "");
        assert_eq!(
            KeySet::written(&set(&[&unnamed])).err(),
            Some(KeySetFault::Key)
        );
        assert_eq!(
            KeySet::published(&set(&[&unnamed])).err(),
            Some(KeySetFault::Empty)
        );
    }

    #[test]
    fn sets_out_of_bounds_are_refused_whole() {
        for (text, fault) in [
            (set(&[ED, ED]), KeySetFault::Twice),
            (set(&[]), KeySetFault::Empty),
            (set(&vec![ED; KEYS_MAX + 1]), KeySetFault::TooMany),
            ("[]".to_owned(), KeySetFault::Syntax),
            (r#"{"keys":[],"keys":[]}"#.to_owned(), KeySetFault::Syntax),
            (String::new(), KeySetFault::Syntax),
        ] {
            assert_eq!(KeySet::published(&text).err(), Some(fault), "{text:.80}");
        }
    }

    // A name is never a path, a statement or a pattern.
    #[test]
    fn a_name_is_found_as_it_stands_and_not_otherwise() {
        let keys = KeySet::published(&set(&[ED])).unwrap();
        for kid in ["../a", "a/../a", "a ", "A", "", "a' or '1'='1", "%61", "*"] {
            assert!(keys.key(kid).is_none(), "{kid}");
        }
    }
}
