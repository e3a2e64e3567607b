//! The algorithms, on `RustCrypto`: AES-GCM, HMAC, SHA-2, Ed25519 and the system's randomness.
//! Functions take keys as bytes and give back bytes; whoever calls wipes them.

use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::aes::Aes192;
use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm, KeyInit};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Bytes of a GCM tag.
pub(crate) const TAG_BYTES: usize = 16;
/// Bytes of a GCM IV.
pub(crate) const IV_BYTES: usize = 12;
/// Bytes of an Ed25519 signature.
pub(crate) const SIGNATURE_BYTES: usize = 64;

/// A hash of the SHA-2 family.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) const fn length_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// Fills `bytes` from the operating system.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<()> {
    SysRng.try_fill_bytes(bytes).map_err(|_| Error::NoRandom)
}

/// Draws a secret of `N` bytes.
pub(crate) fn random_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    fill_random(&mut *bytes)?;
    Ok(bytes)
}

/// AES-GCM: ciphertext with the 128-bit tag at its end.
pub(crate) fn gcm_seal(
    key: &[u8],
    iv: &[u8; IV_BYTES],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>> {
    let payload = Payload {
        msg: plaintext,
        aad,
    };
    match key.len() {
        16 => cipher::<Aes128Gcm>(key)?.encrypt(iv.into(), payload),
        24 => cipher::<AesGcm<Aes192, U12>>(key)?.encrypt(iv.into(), payload),
        _ => cipher::<Aes256Gcm>(key)?.encrypt(iv.into(), payload),
    }
    .map_err(|_| Error::InputLength)
}

/// The plaintext, or [`Error::CiphertextInvalid`] for whatever was altered.
pub(crate) fn gcm_open(
    key: &[u8],
    iv: &[u8; IV_BYTES],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let payload = Payload {
        msg: ciphertext,
        aad,
    };
    match key.len() {
        16 => cipher::<Aes128Gcm>(key)?.decrypt(iv.into(), payload),
        24 => cipher::<AesGcm<Aes192, U12>>(key)?.decrypt(iv.into(), payload),
        _ => cipher::<Aes256Gcm>(key)?.decrypt(iv.into(), payload),
    }
    .map(Zeroizing::new)
    .map_err(|_| Error::CiphertextInvalid)
}

fn cipher<C: KeyInit>(key: &[u8]) -> Result<C> {
    C::new_from_slice(key).map_err(|_| Error::KeySizeRange)
}

/// The hash of `message`.
pub(crate) fn digest(hash: Hash, message: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => Sha256::digest(message).to_vec(),
        Hash::Sha384 => Sha384::digest(message).to_vec(),
        Hash::Sha512 => Sha512::digest(message).to_vec(),
    }
}

/// The HMAC of `message`.
pub(crate) fn hmac(hash: Hash, key: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    match hash {
        Hash::Sha256 => mac::<Hmac<Sha256>>(key, message),
        Hash::Sha384 => mac::<Hmac<Sha384>>(key, message),
        Hash::Sha512 => mac::<Hmac<Sha512>>(key, message),
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    let mac = <M as KeyInit>::new_from_slice(key).map_err(|_| Error::KeySizeRange)?;
    Ok(mac.chain_update(message).finalize().into_bytes().to_vec())
}

/// Whether two tags are equal, in a time that tells nothing.
pub(crate) fn is_same_tag(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// The public key of an Ed25519 seed.
pub(crate) fn ed25519_point(seed: &[u8]) -> Result<[u8; 32]> {
    Ok(signing_key(seed)?.verifying_key().to_bytes())
}

/// A pure Ed25519 signature (RFC 8032 §5.1.6).
pub(crate) fn ed25519_sign(seed: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    Ok(signing_key(seed)?.sign(message).to_bytes().to_vec())
}

/// Checks a signature, refusing weak keys and second spellings.
pub(crate) fn ed25519_verify(point: &[u8], message: &[u8], signature: &[u8]) -> Result<()> {
    let signature = Signature::from_slice(signature).map_err(|_| Error::SignatureLength)?;
    verifying_key(point)?
        .verify_strict(message, &signature)
        .map_err(|_| Error::SignatureInvalid)
}

/// Refuses 32 bytes that are no point of the curve.
pub(crate) fn check_point(point: &[u8]) -> Result<()> {
    verifying_key(point)
        .map(drop)
        .map_err(|_| Error::AttributeValueInvalid)
}

fn verifying_key(point: &[u8]) -> Result<VerifyingKey> {
    let point: &[u8; 32] = point.try_into().map_err(|_| Error::KeySizeRange)?;
    VerifyingKey::from_bytes(point).map_err(|_| Error::KeySizeRange)
}

fn signing_key(seed: &[u8]) -> Result<SigningKey> {
    let seed: &[u8; 32] = seed.try_into().map_err(|_| Error::KeySizeRange)?;
    Ok(SigningKey::from_bytes(seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::hex;

    /// RFC 4231, test case 2.
    #[test]
    fn hmac_agrees_with_rfc_4231() {
        let tag = hmac(Hash::Sha256, b"Jefe", b"what do ya want for nothing?").unwrap();
        let known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(*hex::encode(&tag), known);
    }

    /// The GCM specification (`McGrew`, Viega), test case 14.
    #[test]
    fn gcm_agrees_with_its_specification() {
        let sealed = gcm_seal(&[0; 32], &[0; 12], &[], &[0; 16]).unwrap();
        let known = "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919";
        assert_eq!(*hex::encode(&sealed), known);
    }

    /// RFC 8032 §7.1, test 1.
    #[test]
    fn ed25519_agrees_with_rfc_8032() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let point = ed25519_point(&hex::decode(seed).unwrap()).unwrap();
        let known = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(*hex::encode(&point), known);
    }
}
