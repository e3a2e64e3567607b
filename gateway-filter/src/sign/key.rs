//! Owns the keys of signatures by their names: which algorithm each has, and who holds it.

use super::public_key::PublicKey;

/// One key of the settings.
#[derive(Debug)]
pub(crate) struct Key {
    /// What RFC 9421 calls `keyid`.
    pub(crate) name: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) holder: Holder,
}

/// Who holds a key.
#[derive(Debug)]
pub(crate) enum Holder {
    /// The vault: it makes and checks.
    Vault {
        /// Id or alias.
        key: String,
        /// `None` for the current one.
        version: Option<u32>,
    },
    /// A partner, whose public half stands in a file: the filter checks.
    Public(PublicKey),
}

/// Algorithms, by the names of RFC 9421 section 6.2.2; the two longer MACs have none there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    HmacSha256,
    HmacSha384,
    HmacSha512,
    Ed25519,
    EcdsaP256Sha256,
    EcdsaP384Sha384,
    RsaPssSha512,
    RsaV15Sha256,
}

/// Kinds of the vault's keys that make and check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
    /// Ed25519.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, `r` and `s` of 32 bytes each.
    EcdsaP256,
}

/// What a key of the vault is to do with a message. It has no `Debug`: a message may hold values.
#[derive(Clone)]
pub struct KeyUse {
    /// Id or alias.
    pub key: String,
    /// `None` for the current one.
    pub version: Option<u32>,
    /// What kind the key has to be.
    pub kind: KeyKind,
    /// What is signed, whole.
    pub message: Vec<u8>,
}

impl Algorithm {
    const ALL: [Self; 8] = [
        Self::HmacSha256,
        Self::HmacSha384,
        Self::HmacSha512,
        Self::Ed25519,
        Self::EcdsaP256Sha256,
        Self::EcdsaP384Sha384,
        Self::RsaPssSha512,
        Self::RsaV15Sha256,
    ];

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == word)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
        }
    }

    /// Whether RFC 9421 section 3.3 has it.
    pub(crate) fn is_registered(self) -> bool {
        !matches!(self, Self::HmacSha384 | Self::HmacSha512)
    }

    /// Whether both sides hold the same secret.
    pub(crate) fn is_shared(self) -> bool {
        matches!(self, Self::HmacSha256 | Self::HmacSha384 | Self::HmacSha512)
    }

    /// The kind of the vault's keys that does it.
    pub(crate) fn kind(self) -> Option<KeyKind> {
        Some(match self {
            Self::HmacSha256 => KeyKind::HmacSha256,
            Self::HmacSha384 => KeyKind::HmacSha384,
            Self::HmacSha512 => KeyKind::HmacSha512,
            Self::Ed25519 => KeyKind::Ed25519,
            Self::EcdsaP256Sha256 => KeyKind::EcdsaP256,
            Self::EcdsaP384Sha384 | Self::RsaPssSha512 | Self::RsaV15Sha256 => return None,
        })
    }
}

impl KeyKind {
    /// As the key service calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha-256",
            Self::HmacSha384 => "hmac-sha-384",
            Self::HmacSha512 => "hmac-sha-512",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa-p256",
        }
    }

    /// Whether it makes codes, not signatures.
    pub fn is_mac(self) -> bool {
        match self {
            Self::HmacSha256 | Self::HmacSha384 | Self::HmacSha512 => true,
            Self::Ed25519 | Self::EcdsaP256 => false,
        }
    }
}

impl Key {
    /// What to ask the vault, where it holds the key.
    pub(crate) fn ask(&self, message: Vec<u8>) -> Option<KeyUse> {
        match (&self.holder, self.algorithm.kind()) {
            (Holder::Vault { key, version }, Some(kind)) => Some(KeyUse {
                key: key.clone(),
                version: *version,
                kind,
                message,
            }),
            _ => None,
        }
    }
}
