//! Words about keys as every face has them, read into what the use cases take.

use std::collections::BTreeMap;
use std::time::Duration;

use kms::{KeyId, KeyKind, PublicKey};
use serde::{Deserialize, Deserializer};

use super::object::Pairs;
use super::problem::Problem;
use crate::engine::key::{ItemFault, KeyChange, KeyFault, NewKey};
use crate::model::{
    Description, EncryptionContext, InvalidKeyWord, KeyAlias, KeyOrigin, KeyRecord, KeyRef,
    Purpose, Tags,
};

/// How material is wrapped to be imported: PKCS#11's `CKM_RSA_AES_KEY_WRAP` with SHA-256.
pub(super) const IMPORT_ALGORITHM: &str = "RSA-OAEP-SHA256+AES-KWP";

fn once<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<String, String>, D::Error> {
    Pairs::deserialize(input).map(|Pairs(pairs)| pairs)
}

fn once_if<'de, D: Deserializer<'de>>(
    input: D,
) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    let pairs = Option::<Pairs>::deserialize(input)?;
    Ok(pairs.map(|Pairs(pairs)| pairs))
}

/// A key that is wished for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKeyWords {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) origin: Option<String>,
    #[serde(default)]
    pub(super) alias: Option<String>,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default, deserialize_with = "once")]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) rotation_seconds: Option<u64>,
    /// Why it is made: for the ticket.
    #[serde(default)]
    pub(super) reason: Option<String>,
}

impl NewKeyWords {
    pub(super) fn read(self) -> Result<NewKey, Problem> {
        let origin = match self.origin.as_deref() {
            None => KeyOrigin::Vault,
            Some(word) => {
                KeyOrigin::parse(word).ok_or_else(|| range("origin", "`vault` or `external`"))?
            }
        };
        Ok(NewKey {
            kind: kind(&self.kind)?,
            origin,
            alias: self.alias.as_deref().map(alias).transpose()?,
            description: Description::parse(self.description).map_err(KeyFault::from)?,
            tags: Tags::parse(self.tags).map_err(KeyFault::from)?,
            rotation: self.rotation_seconds.map(Duration::from_secs),
        })
    }
}

/// What shall be changed of a key. What is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeWords {
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default, deserialize_with = "once_if")]
    pub(super) tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) aliases: Option<Vec<String>>,
    /// 0 for never.
    #[serde(default)]
    pub(super) rotation_seconds: Option<u64>,
    #[serde(default)]
    pub(super) open_from: Option<u32>,
    /// The key's revision that was read before: another one by now is refused.
    #[serde(default)]
    pub(super) revision: Option<u64>,
    /// Why it is changed: for the ticket.
    #[serde(default)]
    pub(super) reason: Option<String>,
}

impl ChangeWords {
    pub(super) fn read(self) -> Result<KeyChange, Problem> {
        let description = self.description.map(Description::parse).transpose();
        let tags = self.tags.map(Tags::parse).transpose();
        let aliases = self
            .aliases
            .map(|all| all.iter().map(|one| alias(one)).collect());
        let period = |seconds| {
            Some(seconds)
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs)
        };
        Ok(KeyChange {
            description: description.map_err(KeyFault::from)?,
            tags: tags.map_err(KeyFault::from)?,
            aliases: aliases.transpose()?,
            rotation: self.rotation_seconds.map(period),
            open_from: self.open_from,
            revision: self.revision,
        })
    }
}

fn kind(word: &str) -> Result<KeyKind, Problem> {
    let words: Vec<&str> = KeyKind::ALL.iter().map(|kind| kind.as_str()).collect();
    KeyKind::parse(word).map_err(|_| range("kind", &words.join(", ")))
}

/// An alias that can't be mistaken for an id.
fn alias(text: &str) -> Result<KeyAlias, Problem> {
    match KeyRef::parse(text)? {
        KeyRef::Alias(alias) => Ok(alias),
        KeyRef::Id(_) => Err(KeyFault::from(InvalidKeyWord::Alias).into()),
    }
}

fn range(name: &'static str, range: &str) -> Problem {
    KeyFault::Range {
        name,
        range: range.to_owned(),
    }
    .into()
}

pub(super) fn context(pairs: BTreeMap<String, String>) -> Result<EncryptionContext, Problem> {
    Ok(EncryptionContext::parse(pairs).map_err(KeyFault::from)?)
}

pub(super) fn stated(purpose: Option<&str>) -> Result<Option<Purpose>, Problem> {
    Ok(purpose.map(Purpose::parse).transpose()?)
}

/// The key that a ciphertext names. Nothing is proven by that: it opens, or it does not.
pub(super) fn key_of_ciphertext(ciphertext: &[u8]) -> Result<KeyRef, Problem> {
    match kms::ciphertext_key(ciphertext) {
        Ok((id, _)) => Ok(KeyRef::Id(id)),
        Err(_) => Err(ItemFault::Unopened.into()),
    }
}

pub(super) fn sha256(digest: Vec<u8>) -> Result<[u8; 32], Problem> {
    let wrong = |_| Problem::invalid("digest", "`digest` must be the 32 bytes of a SHA-256");
    digest.try_into().map_err(wrong)
}

/// What an answer says of the key that worked.
pub(super) fn named(record: &KeyRecord) -> (String, KeyKind) {
    (record.id.as_str().to_owned(), record.kind)
}

/// A public key as a JSON Web Key that says which key and version it is of.
pub(super) fn jwk(public: &PublicKey, key: &KeyId, version: u32) -> String {
    public.jwk_named(&kms::jwe::key_id(key, version))
}

/// The kind of key that a JWE's `alg` needs; none where the caller leaves it to the key.
pub(super) fn jwe_kind(alg: Option<&str>) -> Result<Option<KeyKind>, Problem> {
    match alg {
        None => Ok(None),
        Some("dir") => Ok(Some(KeyKind::JweDir)),
        Some("A256KW") => Ok(Some(KeyKind::JweA256Kw)),
        Some(_) => Err(range("alg", "`dir` or `A256KW`")),
    }
}

/// The key that a JWE names. Nothing is proven by that: it opens, or it does not.
pub(super) fn key_of_jwe(message: &str) -> Result<KeyRef, Problem> {
    match kms::jwe::named_key(message) {
        Ok((id, _)) => Ok(KeyRef::Id(id)),
        Err(_) => Err(ItemFault::Unopened.into()),
    }
}

/// The outcome of an act that has one item.
pub(super) fn only<T>(items: Vec<Result<T, ItemFault>>) -> Result<T, Problem> {
    let item = items.into_iter().next().ok_or_else(Problem::no_ticket)?;
    Ok(item?)
}
