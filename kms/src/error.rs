//! What can go wrong, by what the caller can do about it. No message holds a key, a PIN or a value.

use std::path::PathBuf;

use crate::key::KeyKind;
use crate::shares::ShareError;

/// Why a key could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A ciphertext, tag or wrapped key does not open: altered, another key, or another context.
    /// One answer for all of them.
    #[error("it does not open: altered, under another key, or in another context")]
    Unopened,
    /// A key id is not in its one spelling.
    #[error(
        "a key id must be 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a letter or digit"
    )]
    KeyId,
    /// A key of the service names itself in its messages by 16 bytes, and this id is not a UUID.
    #[error(
        "the key's id is not a lower-case uuid, which its ciphertexts would name: make a new key"
    )]
    NotUuid,
    /// No kind of key has this word.
    #[error(
        "the kind of a key must be one of aes-256, hmac-sha-256, hmac-sha-384, hmac-sha-512, ed25519, ecdsa-p256, jwe-dir and jwe-a256kw"
    )]
    Kind,
    /// Key material has another length than its kind has.
    #[error("a key of kind {kind} has {bytes_min} to {bytes_max} bytes")]
    MaterialLength {
        /// The kind.
        kind: KeyKind,
        /// The least.
        bytes_min: usize,
        /// The most.
        bytes_max: usize,
    },
    /// Key material is one byte, repeated: nobody drew it.
    #[error("the key material is one byte repeated: it was not drawn at random")]
    MaterialWeak,
    /// A private scalar is zero or not below the group's order (FIPS 186-5 section 6.2.1).
    #[error("the key material is no private key of its curve: it is out of range")]
    MaterialRange,
    /// Bytes that should be a public key are none of that kind.
    #[error("the bytes are no public key of that kind")]
    PublicKey,
    /// Bytes that should be an ECDSA signature in ASN.1 DER are not, or not in their one spelling.
    #[error("the bytes are no ecdsa signature in strict asn.1 der")]
    SignatureForm,
    /// A key made for one thing was used for another.
    #[error("the key was made for another usage")]
    Usage,
    /// The plaintext is longer than one message may be.
    #[error("the plaintext is longer than {bytes_max} bytes")]
    TooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// No memory for a key.
    #[error("no memory could be had for a key: check the process's memory limits")]
    Memory,
    /// The system's random numbers failed.
    #[error("the system's random numbers failed")]
    Random,
    /// A share or a recovery file is not what it must be.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// The HSM refused or failed.
    #[error(transparent)]
    Hsm(#[from] HsmError),
}

impl Error {
    /// Whether the HSM is away: trying again later may help.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Hsm(error) if error.is_outage())
    }
}

/// Whether the HSM is away: trying again later may help.
pub fn is_outage(error: &Error) -> bool {
    error.is_outage()
}

/// Why the HSM did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HsmError {
    /// The module can't be loaded.
    #[error("the PKCS#11 module `{module}` can't be loaded: check `hsm.module`")]
    Module {
        /// Its path.
        module: PathBuf,
    },
    /// No token has the label.
    #[error(
        "no initialised token is labelled `{label}` in `{module}`: check `hsm.token_label` and the module's own settings"
    )]
    NoToken {
        /// The label.
        label: String,
        /// The module's path.
        module: PathBuf,
    },
    /// A token has the label already.
    #[error("a token is labelled `{label}` already: choose another label")]
    TokenExists {
        /// The label.
        label: String,
    },
    /// No slot is free for a new token.
    #[error("no slot holds a token that is not initialised yet")]
    NoFreeSlot,
    /// The PIN is wrong. Tries are limited: don't repeat it.
    #[error("the HSM refused the PIN: check `hsm.pin_file` before the next try, tries are limited")]
    WrongPin,
    /// The PIN is locked.
    #[error("the HSM's PIN is locked: the security officer must set a new one")]
    PinLocked,
    /// The object is not there.
    #[error("the HSM has no key labelled `{label}`")]
    NoKey {
        /// The label.
        label: String,
    },
    /// Several objects have the label.
    #[error("the HSM has more than one key labelled `{label}`: labels must be unique")]
    AmbiguousKey {
        /// The label.
        label: String,
    },
    /// The object does not look as it must.
    #[error("the HSM's key `{label}` is not of the expected kind")]
    KeyKind {
        /// The label.
        label: String,
    },
    /// A key has the label already.
    #[error("the HSM has a key labelled `{label}` already: choose another label")]
    KeyExists {
        /// The label.
        label: String,
    },
    /// The HSM did not return an IV as `hsm.gcm_iv` says it would.
    #[error(
        "the HSM returned no IV in the way that `hsm.gcm_iv` names: see its vendor's notes on AES-GCM"
    )]
    GcmIv,
    /// The HSM is away, busy or in trouble: the same call may work later.
    #[error(
        "the HSM is unavailable, it answered {code} to {function}: see that it is reachable, and try again"
    )]
    Unavailable {
        /// `CKR_…`, or the binding's word.
        code: String,
        /// The function that was called.
        function: &'static str,
    },
    /// The HSM reports an error of its device (`CKR_DEVICE_ERROR`), as it does after tampering.
    #[error(
        "the HSM reports an error of its device to {function}: it may have been tampered with and have erased its keys, look at the HSM itself"
    )]
    Tampered {
        /// The function that was called.
        function: &'static str,
    },
    /// The HSM does not decrypt RSA-OAEP with SHA-256.
    #[error(
        "the HSM does not know RSA-OAEP with SHA-256, so nothing can be imported through it: use another module"
    )]
    NoOaepSha256,
    /// Another length than is taken.
    #[error("an import key has 2048, 3072 or 4096 bits")]
    ImportKeyBits,
    /// No memory for the PIN can be mapped.
    #[error("no memory can be mapped for the HSM's PIN: raise the limits of this process")]
    Memory,
    /// The token has no room for another object.
    #[error("the HSM's token is full: remove what it no longer needs")]
    TokenFull,
    /// Something else; the name is PKCS#11's.
    #[error("the HSM answered {code} to {function}")]
    Refused {
        /// `CKR_…`, or the binding's word.
        code: String,
        /// The function that was called.
        function: &'static str,
    },
}

impl HsmError {
    /// Whether it is away: trying again later may help.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Tampered { .. })
    }
}
