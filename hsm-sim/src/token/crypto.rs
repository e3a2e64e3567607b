//! The algorithms, on `RustCrypto`: AES-GCM, Ed25519 and the system's randomness; beside it hashes
//! (`hash.rs`), AES without GCM (`block.rs`), curves (`elliptic.rs`) and RSA (`modular.rs`).
//! Functions take keys as bytes and give back bytes; whoever calls wipes them.

use aes_gcm::KeyInit;
use aes_gcm::aead::{Aead, Payload};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rand::TryRng;
use rand::rngs::SysRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::faults;

/// Bytes of a whole GCM tag.
pub(crate) const TAG_BYTES: usize = 16;
/// Bytes of a GCM IV; the token also takes, and for one profile makes, [`LONG_IV_BYTES`].
pub(crate) const IV_BYTES: usize = 12;
/// Bytes of the longer GCM IV.
pub(crate) const LONG_IV_BYTES: usize = 16;

/// Evaluates an expression with the AES-GCM type of the key's and the IV's length.
macro_rules! with_gcm {
    ($key:expr, $iv:expr, $type:ident => $act:expr) => {
        match ($key.len(), $iv.len()) {
            (16, IV_BYTES) => with_gcm!(@of aes_gcm::aes::Aes128, U12, $type => $act),
            (24, IV_BYTES) => with_gcm!(@of aes_gcm::aes::Aes192, U12, $type => $act),
            (32, IV_BYTES) => with_gcm!(@of aes_gcm::aes::Aes256, U12, $type => $act),
            (16, LONG_IV_BYTES) => with_gcm!(@of aes_gcm::aes::Aes128, U16, $type => $act),
            (24, LONG_IV_BYTES) => with_gcm!(@of aes_gcm::aes::Aes192, U16, $type => $act),
            (32, LONG_IV_BYTES) => with_gcm!(@of aes_gcm::aes::Aes256, U16, $type => $act),
            (16 | 24 | 32, _) => return Err(Error::MechanismParamInvalid),
            _ => return Err(Error::KeySizeRange),
        }
    };
    (@of $cipher:ty, $nonce:ident, $type:ident => $act:expr) => {{
        type $type = aes_gcm::AesGcm<$cipher, aes_gcm::aead::consts::$nonce>;
        $act
    }};
}

/// The operating system's random source, unless it is out of order.
pub(super) fn random() -> Result<SysRng> {
    if faults::random_fails() {
        return Err(Error::NoRandom);
    }
    Ok(SysRng)
}

/// Fills `bytes` from the operating system.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<()> {
    random()?.try_fill_bytes(bytes).map_err(|_| Error::NoRandom)
}

/// Draws a secret of `N` bytes.
pub(crate) fn random_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    fill_random(&mut *bytes)?;
    Ok(bytes)
}

/// AES-GCM: ciphertext with the tag of `tag_bytes` at its end. The IV has 12 or 16 bytes.
pub(crate) fn gcm_seal(
    key: &[u8],
    iv: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    tag_bytes: usize,
) -> Result<Vec<u8>> {
    let payload = Payload {
        msg: plaintext,
        aad,
    };
    let mut sealed = with_gcm!(key, iv, C => cipher::<C>(key)?.encrypt(nonce(iv)?, payload))
        .map_err(|_| Error::InputLength)?;
    sealed.truncate(plaintext.len() + tag_bytes);
    Ok(sealed)
}

/// The plaintext, or [`Error::CiphertextInvalid`] for whatever was altered.
pub(crate) fn gcm_open(
    key: &[u8],
    iv: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
    tag_bytes: usize,
) -> Result<Zeroizing<Vec<u8>>> {
    let length = ciphertext.len().checked_sub(tag_bytes);
    let (bare, tag) = ciphertext.split_at(length.ok_or(Error::CiphertextLength)?);
    if tag_bytes == TAG_BYTES {
        let payload = Payload {
            msg: ciphertext,
            aad,
        };
        return with_gcm!(key, iv, C => cipher::<C>(key)?.decrypt(nonce(iv)?, payload))
            .map(Zeroizing::new)
            .map_err(|_| Error::CiphertextInvalid);
    }
    // A short tag: the key stream undoes itself, and sealing once more yields the tag to compare.
    let mut plaintext = Zeroizing::new(gcm_seal(key, iv, aad, bare, 0)?);
    let sealed = gcm_seal(key, iv, aad, &plaintext, tag_bytes)?;
    if is_same_tag(&sealed[bare.len()..], tag) {
        Ok(plaintext)
    } else {
        plaintext.clear();
        Err(Error::CiphertextInvalid)
    }
}

/// An IV in the type of its length.
fn nonce<'a, N>(iv: &'a [u8]) -> Result<&'a N>
where
    &'a N: TryFrom<&'a [u8]>,
{
    iv.try_into().map_err(|_| Error::MechanismParamInvalid)
}

fn cipher<C: KeyInit>(key: &[u8]) -> Result<C> {
    C::new_from_slice(key).map_err(|_| Error::KeySizeRange)
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

    /// The GCM specification (`McGrew`, Viega), test case 14.
    #[test]
    fn gcm_agrees_with_its_specification() {
        let sealed = gcm_seal(&[0; 32], &[0; 12], &[], &[0; 16], TAG_BYTES).unwrap();
        let known = "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919";
        assert_eq!(*hex::encode(&sealed), known);
    }

    #[test]
    fn a_short_tag_and_a_long_iv_open_again_and_notice_changes() {
        for (iv, tag_bytes) in [(&[7; 16][..], 16), (&[7; 12], 12), (&[7; 16], 13)] {
            let sealed = gcm_seal(&[1; 16], iv, b"aad", b"plaintext", tag_bytes).unwrap();
            assert_eq!(sealed.len(), 9 + tag_bytes);
            let opened = gcm_open(&[1; 16], iv, b"aad", &sealed, tag_bytes).unwrap();
            assert_eq!(*opened, b"plaintext");
            let mut altered = sealed.clone();
            altered[9] ^= 1;
            let refused = gcm_open(&[1; 16], iv, b"aad", &altered, tag_bytes);
            assert_eq!(refused.err(), Some(Error::CiphertextInvalid));
        }
        assert!(gcm_seal(&[1; 16], &[7; 11], b"", b"", 16).is_err());
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
