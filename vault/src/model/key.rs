//! Keys of the key service as the vault speaks of them: names, states, tags, contexts, records.
//!
//! States and their words are those of NIST SP 800-57 part 1 rev. 5, section 7.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kms::{Binding, KeyId, KeyKind};

use super::clock::Timestamp;
use super::name::{InvalidName, KeyAlias};

/// The owner of the vault's own keys. No unit can have this name: see [`KeyRecord::is_own`].
pub const VAULT: &str = "vault:own";

/// How a caller names a key.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum KeyRef {
    /// By its id, which never changes and is never used again.
    Id(KeyId),
    /// By an alias, which may be moved to another key.
    Alias(KeyAlias),
}

impl KeyRef {
    /// Reads an id (a UUID, or a name with a dot as the vault's own keys have) or an alias.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let alias = KeyAlias::parse(text)?;
        let own = text.split_once('.').is_some_and(|(kind, _)| {
            matches!(kind, "value" | "fingerprint" | "index" | "pseudonym")
        });
        match KeyId::parse(text) {
            Ok(id) if own || is_uuid(text) => Ok(Self::Id(id)),
            _ => Ok(Self::Alias(alias)),
        }
    }
}

/// `8-4-4-4-12` lower-case hexadecimal digits (RFC 9562 section 4). An alias may not look so.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    lengths == [8, 4, 4, 4, 12] && groups.concat().bytes().all(digit)
}

macro_rules! state_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name { $($(#[$item])* $variant,)+ }

        impl $name {
            /// The word that is stored and shown.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The state of a stored word.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

state_words! {
    /// What a key as a whole may be used for.
    KeyState {
        /// It waits for its material to be imported. It does nothing.
        PreActivation = "pre-activation",
        /// It protects and opens.
        Active = "active",
        /// Switched off by a person. It does nothing until it is switched on.
        Suspended = "suspended",
        /// It will be destroyed when its waiting period ends. It does nothing; that can be called off.
        Deactivated = "deactivated",
        /// Its material is gone for good. Its record stays.
        Destroyed = "destroyed",
    }
}

state_words! {
    /// What one version may be used for.
    VersionState {
        /// The current one: it protects and opens.
        Active = "active",
        /// An older one: it opens and verifies.
        Deactivated = "deactivated",
        /// Known to others, or feared to be: it opens and verifies, so that what it protects can move.
        Compromised = "compromised",
        /// Its material is gone for good.
        Destroyed = "destroyed",
    }
}

/// Where a key's material comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyOrigin {
    /// Made here, from the system's and the HSM's random numbers.
    Vault,
    /// Brought in by its owner.
    External,
}

impl KeyOrigin {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::External => "external",
        }
    }

    /// The origin of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Vault, Self::External]
            .into_iter()
            .find(|origin| origin.as_str() == word)
    }
}

/// Why a key's description, tag, alias or context was refused. It does not repeat what was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeyWord {
    /// A tag is too long, too many, or has forbidden characters.
    #[error(
        "a key has at most 50 tags; a tag's name is 1 to 128 bytes without `=` and control characters, its value at most 256 bytes"
    )]
    Tag,
    /// A description is too long, or has control characters.
    #[error("a description is at most 1024 bytes, without control characters")]
    Description,
    /// A context is too large.
    #[error("a context has at most 64 pairs and 8192 bytes in all, and no empty name")]
    Context,
    /// An alias looks like a key id.
    #[error("an alias must not look like a key id")]
    Alias,
}

/// Labels of a key: names and values. Policies may decide on them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    const COUNT_MAX: usize = 50;
    const NAME_BYTES_MAX: usize = 128;
    const VALUE_BYTES_MAX: usize = 256;

    /// Checks names and values: at most 50 tags of at most 128 and 256 bytes.
    pub fn parse(tags: BTreeMap<String, String>) -> Result<Self, InvalidKeyWord> {
        let plain = |text: &str| !text.chars().any(char::is_control);
        let fits = |(name, value): (&String, &String)| {
            let named = !name.is_empty() && name.len() <= Self::NAME_BYTES_MAX;
            named
                && !name.contains('=')
                && value.len() <= Self::VALUE_BYTES_MAX
                && plain(name)
                && plain(value)
        };
        if tags.len() <= Self::COUNT_MAX && tags.iter().all(fits) {
            Ok(Self(tags))
        } else {
            Err(InvalidKeyWord::Tag)
        }
    }

    /// Names and values, by name.
    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// What a key is for, in a person's words: at most 1,024 bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Description(String);

impl Description {
    const BYTES_MAX: usize = 1024;

    /// Checks length and characters.
    pub fn parse(text: String) -> Result<Self, InvalidKeyWord> {
        if text.len() <= Self::BYTES_MAX && !text.chars().any(char::is_control) {
            Ok(Self(text))
        } else {
            Err(InvalidKeyWord::Description)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a ciphertext belongs to: pairs that are authenticated with it and not stored in it.
///
/// A ciphertext opens in exactly the context it was made in; the order of the pairs says nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    const PAIRS_MAX: usize = 64;
    const BYTES_MAX: usize = 8 * 1024;

    /// Checks the size: at most 64 pairs, 8 KiB in all.
    pub fn parse(pairs: BTreeMap<String, String>) -> Result<Self, InvalidKeyWord> {
        let bytes: usize = pairs
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let named = pairs.keys().all(|name| !name.is_empty());
        if pairs.len() <= Self::PAIRS_MAX && bytes <= Self::BYTES_MAX && named {
            Ok(Self(pairs))
        } else {
            Err(InvalidKeyWord::Context)
        }
    }

    /// The one injective encoding that ciphertexts are bound to.
    pub fn binding(&self) -> Binding {
        let start = Binding::new("jinku/v1 key context");
        self.0.iter().fold(start, |binding, (name, value)| {
            binding.field(name.as_bytes()).field(value.as_bytes())
        })
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A key without its material: what policies, people and use cases look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyRecord {
    /// Its id, never used again.
    pub id: KeyId,
    /// What it is, and with that the one thing it may do.
    pub kind: KeyKind,
    /// Whether it may do it.
    pub state: KeyState,
    /// The unit that made it, or [`VAULT`].
    pub owner: String,
    /// Where its material comes from.
    pub origin: KeyOrigin,
    /// Other names.
    pub aliases: BTreeSet<KeyAlias>,
    /// For people.
    pub description: Description,
    /// For policies and people.
    pub tags: Tags,
    /// The version that protects; 0 while there is none.
    pub current: u32,
    /// That version's state, as it was read with the record.
    pub current_state: Option<VersionState>,
    /// The lowest version that opens and verifies.
    pub open_from: u32,
    /// How often it gets a new version by itself.
    pub rotation: Option<Duration>,
    /// When that happens next.
    pub rotate_at: Option<Timestamp>,
    /// When it is destroyed, if that is scheduled.
    pub delete_at: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// Counts changes of this record. A change says which revision it saw.
    pub revision: u64,
}

impl KeyRecord {
    /// A key as it is wished for: active, and without a version. Its revision is 0 until it stands.
    pub fn wished(id: KeyId, kind: KeyKind, owner: String) -> Self {
        Self {
            id,
            kind,
            state: KeyState::Active,
            owner,
            origin: KeyOrigin::Vault,
            aliases: BTreeSet::new(),
            description: Description::default(),
            tags: Tags::default(),
            current: 0,
            current_state: None,
            open_from: 1,
            rotation: None,
            rotate_at: None,
            delete_at: None,
            created: Timestamp(0),
            revision: 0,
        }
    }

    /// When something of it is due: a rotation or its destruction, whichever comes first.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.rotate_at.into_iter().chain(self.delete_at).min()
    }

    /// Whether it is one of the vault's own keys, which no request uses.
    pub fn is_own(&self) -> bool {
        self.owner == VAULT
    }
}

/// One version of a key, as it is shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyVersion {
    /// From 1 on.
    pub number: u32,
    /// What it may be used for.
    pub state: VersionState,
    /// When it was made.
    pub created: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        list.iter().map(owned).collect()
    }

    #[test]
    fn an_id_and_an_alias_are_told_apart() {
        let id = "0189f7ea-6f2c-4bd1-8a2b-3c4d5e6f7a8b";
        assert!(matches!(KeyRef::parse(id), Ok(KeyRef::Id(_))));
        assert!(matches!(KeyRef::parse("value.city"), Ok(KeyRef::Id(_))));
        for alias in [
            "payments",
            "0189f7ea",
            "a.b",
            "0189f7ea-6f2c-4bd1-8a2b-3c4d5e6f7a8g",
        ] {
            assert!(
                matches!(KeyRef::parse(alias), Ok(KeyRef::Alias(_))),
                "{alias}"
            );
        }
        assert!(KeyRef::parse("Payments").is_err());
        assert!(KeyRef::parse("").is_err());
    }

    #[test]
    fn contexts_that_differ_bind_differently() {
        let binding = |list: &[(&str, &str)]| {
            EncryptionContext::parse(pairs(list))
                .unwrap()
                .binding()
                .as_bytes()
                .to_vec()
        };
        let all = [
            binding(&[]),
            binding(&[("a", "b")]),
            binding(&[("ab", "")]),
            binding(&[("a", "b"), ("c", "d")]),
            binding(&[("a", "bc"), ("d", "")]),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(all[place + 1..].iter().all(|other| other != one), "{place}");
        }
    }

    #[test]
    fn tags_and_contexts_stay_within_their_limits() {
        let long = "x".repeat(257);
        let control = pairs(&[("a", "b\n")]);
        for bad in [
            pairs(&[("", "x")]),
            pairs(&[("a=b", "x")]),
            pairs(&[("a", &long)]),
            control,
        ] {
            assert!(Tags::parse(bad).is_err());
        }
        let many: BTreeMap<_, _> = (0..51).map(|n| (n.to_string(), String::new())).collect();
        assert!(Tags::parse(many).is_err());
        let many: BTreeMap<_, _> = (0..65).map(|n| (n.to_string(), String::new())).collect();
        assert!(EncryptionContext::parse(many).is_err());
        assert!(EncryptionContext::parse(pairs(&[("a", &"x".repeat(8 * 1024))])).is_err());
        assert!(EncryptionContext::parse(pairs(&[("", "x")])).is_err());
    }
}
