//! Every derivation of a key version's 32 bytes, on one screen.
//!
//! ```text
//! encryption key = HKDF-SHA-256(key, salt = "", info = "jinku/v1 xaes-256-gcm key")
//! commitment key = HKDF-SHA-256(key, salt = "", info = "jinku/v1 commitment key")
//! mac key        = HKDF-SHA-256(key, salt = "", info = "jinku/v1 hmac-sha-256 key")
//! commitment     = HMAC-SHA-256(commitment key, nonce)
//! ```
//! RFC 5869; NIST SP 800-56C rev. 2. One purpose per derived key.

use zeroize::Zeroizing;

use crate::error::Error;
use crate::locked::{KEY_BYTES, Locked};
use crate::primitives;

const ENCRYPTION: &[u8] = b"jinku/v1 xaes-256-gcm key";
const COMMITMENT: &[u8] = b"jinku/v1 commitment key";
const MAC: &[u8] = b"jinku/v1 hmac-sha-256 key";

/// Encryption key and commitment key of an `encrypt` version.
pub(crate) fn encryption(key: &[u8; KEY_BYTES]) -> Result<(Locked, Locked), Error> {
    Ok((expanded(key, ENCRYPTION)?, expanded(key, COMMITMENT)?))
}

/// The MAC key of a `mac` version.
pub(crate) fn mac(key: &[u8; KEY_BYTES]) -> Result<Locked, Error> {
    expanded(key, MAC)
}

fn expanded(key: &[u8; KEY_BYTES], label: &'static [u8]) -> Result<Locked, Error> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    primitives::hkdf_sha256(key, label, &mut bytes)?;
    Locked::new(&bytes)
}
