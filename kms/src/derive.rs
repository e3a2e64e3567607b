//! Every derivation of a key version's material, on one screen.
//!
//! ```text
//! vault's own AES-256 version   encryption key = HKDF-SHA-256(key, salt = "", info = "jinku/v1 xaes-256-gcm key")
//!                               commitment key = HKDF-SHA-256(key, salt = "", info = "jinku/v1 commitment key")
//! key service's AES-256 version the same with "jinku/v1 cipher xaes-256-gcm key", "jinku/v1 cipher commitment key"
//! vault's own HMAC version      mac key        = HKDF-SHA-256(key, salt = "", info = "jinku/v1 hmac-sha-256 key")
//! key service's HMAC version    the material as it is, so that imported keys make the tags they made elsewhere
//! recovery                      key = HKDF-SHA-256(secret, salt = "", info = "jinku/v1 recovery root" | "… pin" | "… commitment"),
//!                               of the first two the pair with "jinku/v1 recovery xaes-256-gcm key", "… commitment key"
//! bearer                        key = HKDF-SHA-256(secret, salt = "", info = "jinku/v1 bearer"), of it the pair with
//!                               "jinku/v1 bearer xaes-256-gcm key", "… commitment key"
//! a message's commitment        HMAC-SHA-256(commitment key, head | first half of the nonce)
//! a row's inner layer           key = HMAC-SHA-256(shred key, context of the row)
//! ```
//! RFC 5869; NIST SP 800-56C rev. 2. One purpose per derived key.

use zeroize::Zeroizing;

use crate::error::Error;
use crate::locked::KEY_BYTES;
use crate::primitives;

const MAC: &[u8] = b"jinku/v1 hmac-sha-256 key";

/// Which pair of keys seals.
#[derive(Clone, Copy)]
pub(crate) enum Sealing {
    /// The vault's own values.
    Values,
    /// What users of the key service bring.
    Ciphertexts,
    /// What a recovery file holds.
    Recovery,
    /// What a bearer's secret is needed for.
    Bearer,
}

/// What a split secret becomes.
#[derive(Clone, Copy)]
pub(crate) enum Recovered {
    /// The key that seals the root key.
    Root,
    /// The key that seals the HSM's PIN.
    Pin,
    /// What the recovery file says of the secret.
    Commitment,
}

impl Recovered {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Root => "jinku/v1 recovery root",
            Self::Pin => "jinku/v1 recovery pin",
            Self::Commitment => "jinku/v1 recovery commitment",
        }
    }
}

/// One derivation of a split secret.
pub(crate) fn recovered(
    secret: &[u8],
    what: Recovered,
) -> Result<Zeroizing<[u8; KEY_BYTES]>, Error> {
    expanded(secret, what.label().as_bytes())
}

/// What a bearer's secret becomes.
pub(crate) fn bearer(secret: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, Error> {
    expanded(secret, b"jinku/v1 bearer")
}

/// Encryption key and commitment key of an AES-256 version.
pub(crate) fn sealing(
    key: &[u8; KEY_BYTES],
    purpose: Sealing,
) -> Result<[Zeroizing<[u8; KEY_BYTES]>; 2], Error> {
    let [encryption, commitment] = match purpose {
        Sealing::Values => ["jinku/v1 xaes-256-gcm key", "jinku/v1 commitment key"],
        Sealing::Ciphertexts => [
            "jinku/v1 cipher xaes-256-gcm key",
            "jinku/v1 cipher commitment key",
        ],
        Sealing::Recovery => [
            "jinku/v1 recovery xaes-256-gcm key",
            "jinku/v1 recovery commitment key",
        ],
        Sealing::Bearer => [
            "jinku/v1 bearer xaes-256-gcm key",
            "jinku/v1 bearer commitment key",
        ],
    };
    Ok([
        expanded(key, encryption.as_bytes())?,
        expanded(key, commitment.as_bytes())?,
    ])
}

/// The MAC key of the vault's own HMAC version.
pub(crate) fn mac(key: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, Error> {
    expanded(key, MAC)
}

fn expanded(key: &[u8], label: &'static [u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, Error> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    primitives::hkdf_sha256(key, label, &mut bytes)?;
    Ok(bytes)
}
