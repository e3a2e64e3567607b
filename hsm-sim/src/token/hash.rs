//! Hashes and what is built of them alone: digests, HMAC, HKDF (RFC 5869), the derivation function of
//! ANSI X9.63, and the counter mode of SP 800-108.

use aes_gcm::KeyInit;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Digest;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A hash. SHA-1 is there to hash, for OAEP and for check values; no signature is made with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha3_224,
    Sha3_256,
    Sha3_384,
    Sha3_512,
}

/// Evaluates an expression with a hash as the type that implements it.
macro_rules! with_hash {
    ($hash:expr, $type:ident => $act:expr) => {
        match $hash {
            $crate::token::hash::Hash::Sha1 => {
                type $type = sha1::Sha1;
                $act
            }
            $crate::token::hash::Hash::Sha224 => {
                type $type = sha2::Sha224;
                $act
            }
            $crate::token::hash::Hash::Sha256 => {
                type $type = sha2::Sha256;
                $act
            }
            $crate::token::hash::Hash::Sha384 => {
                type $type = sha2::Sha384;
                $act
            }
            $crate::token::hash::Hash::Sha512 => {
                type $type = sha2::Sha512;
                $act
            }
            $crate::token::hash::Hash::Sha3_224 => {
                type $type = sha3::Sha3_224;
                $act
            }
            $crate::token::hash::Hash::Sha3_256 => {
                type $type = sha3::Sha3_256;
                $act
            }
            $crate::token::hash::Hash::Sha3_384 => {
                type $type = sha3::Sha3_384;
                $act
            }
            $crate::token::hash::Hash::Sha3_512 => {
                type $type = sha3::Sha3_512;
                $act
            }
        }
    };
}
pub(crate) use with_hash;

/// The same for SHA-1 and SHA-2 alone: OAEP takes two hashes, and all pairs would be too many.
macro_rules! with_sha2 {
    ($hash:expr, $type:ident => $act:expr) => {
        match $hash {
            $crate::token::hash::Hash::Sha1 => {
                type $type = sha1::Sha1;
                $act
            }
            $crate::token::hash::Hash::Sha224 => {
                type $type = sha2::Sha224;
                $act
            }
            $crate::token::hash::Hash::Sha256 => {
                type $type = sha2::Sha256;
                $act
            }
            $crate::token::hash::Hash::Sha384 => {
                type $type = sha2::Sha384;
                $act
            }
            $crate::token::hash::Hash::Sha512 => {
                type $type = sha2::Sha512;
                $act
            }
            _ => return Err($crate::error::Error::MechanismParamInvalid),
        }
    };
}
pub(crate) use with_sha2;

impl Hash {
    pub(crate) const fn length_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 | Self::Sha3_224 => 28,
            Self::Sha256 | Self::Sha3_256 => 32,
            Self::Sha384 | Self::Sha3_384 => 48,
            Self::Sha512 | Self::Sha3_512 => 64,
        }
    }
}

/// The hash of `message`.
pub(crate) fn digest(hash: Hash, message: &[u8]) -> Vec<u8> {
    with_hash!(hash, D => D::digest(message).to_vec())
}

/// The HMAC of `message`.
pub(crate) fn hmac(hash: Hash, key: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    with_hash!(hash, D => mac::<Hmac<D>>(key, message))
}

/// The tag of a message authentication code.
pub(super) fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    let mac = <M as KeyInit>::new_from_slice(key).map_err(|_| Error::KeySizeRange)?;
    Ok(mac.chain_update(message).finalize().into_bytes().to_vec())
}

/// HKDF's first half (RFC 5869 §2.2). No salt is a salt of zeros.
pub(crate) fn hkdf_extract(hash: Hash, salt: &[u8], secret: &[u8]) -> Zeroizing<Vec<u8>> {
    with_hash!(hash, D => Zeroizing::new(Hkdf::<D>::extract(Some(salt), secret).0.to_vec()))
}

/// HKDF's second half (RFC 5869 §2.3): at most 255 hashes' lengths.
pub(crate) fn hkdf_expand(
    hash: Hash,
    secret: &[u8],
    label: &[u8],
    length_bytes: usize,
) -> Result<Zeroizing<Vec<u8>>> {
    if length_bytes > 255 * hash.length_bytes() {
        return Err(Error::KeySizeRange);
    }
    let mut derived = Zeroizing::new(vec![0; length_bytes]);
    with_hash!(hash, D => Hkdf::<D>::from_prk(secret)
        .map_err(|_| Error::KeySizeRange)?
        .expand(label, &mut derived)
        .map_err(|_| Error::KeySizeRange)?);
    Ok(derived)
}

/// The key derivation function of ANSI X9.63 (SEC 1 §3.6.1).
pub(crate) fn x963(
    hash: Hash,
    secret: &[u8],
    shared: &[u8],
    length_bytes: usize,
) -> Zeroizing<Vec<u8>> {
    let mut derived = Zeroizing::new(Vec::with_capacity(length_bytes + hash.length_bytes()));
    for counter in 1_u32.. {
        if derived.len() >= length_bytes {
            break;
        }
        let input = Zeroizing::new([secret, &counter.to_be_bytes(), shared].concat());
        derived.extend_from_slice(&Zeroizing::new(digest(hash, &input)));
    }
    derived.truncate(length_bytes);
    derived
}

/// A piece of the input of each round of SP 800-108.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The round, from one.
    Round(Number),
    /// The bits of all that is derived.
    Length(Number),
    Bytes(Vec<u8>),
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) bytes: usize,
    pub(crate) order: Order,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Big,
    Little,
}

impl Number {
    fn write(self, value: u64) -> Vec<u8> {
        match self.order {
            Order::Big => value.to_be_bytes()[8 - self.bytes..].to_vec(),
            Order::Little => value.to_le_bytes()[..self.bytes].to_vec(),
        }
    }
}

/// The counter mode of SP 800-108r1 §4.1 over a pseudo-random function of the key.
pub(crate) fn counter_mode(
    prf: impl Fn(&[u8]) -> Result<Vec<u8>>,
    pieces: &[Piece],
    length_bytes: usize,
) -> Result<Zeroizing<Vec<u8>>> {
    let mut derived = Zeroizing::new(Vec::new());
    for round in 1_u64.. {
        if derived.len() >= length_bytes {
            break;
        }
        let mut input = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Round(number) if round >> (8 * number.bytes) != 0 => {
                    return Err(Error::KeySizeRange);
                }
                Piece::Round(number) => input.extend(number.write(round)),
                Piece::Length(number) => input.extend(number.write(8 * length_bytes as u64)),
                Piece::Bytes(bytes) => input.extend_from_slice(bytes),
            }
        }
        derived.extend_from_slice(&Zeroizing::new(prf(&input)?));
    }
    derived.truncate(length_bytes);
    Ok(derived)
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

    /// RFC 5869, test case 1.
    #[test]
    fn hkdf_agrees_with_rfc_5869() {
        let salt: Vec<u8> = (0..=12).collect();
        let label: Vec<u8> = (0xf0..=0xf9).collect();
        let secret = hkdf_extract(Hash::Sha256, &salt, &[0x0b; 22]);
        let derived = hkdf_expand(Hash::Sha256, &secret, &label, 42).unwrap();
        let known = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf\
                     34007208d5b887185865";
        assert_eq!(*hex::encode(&derived), known);
        assert!(hkdf_expand(Hash::Sha256, &secret, &label, 255 * 32 + 1).is_err());
    }

    /// ANSI X9.63 test vector of NIST's CAVP: SHA-256, no shared bytes, 128 bits.
    #[test]
    fn x963_agrees_with_nist() {
        let secret = "96c05619d56c328ab95fe84b18264b08725b85e33fd34f08";
        let derived = x963(Hash::Sha256, &hex::decode(secret).unwrap(), &[], 16);
        assert_eq!(*hex::encode(&derived), "443024c3dae66b95e6f5670601558f71");
    }

    /// SP 800-108r1 §4.1, step by step.
    #[test]
    fn counter_mode_agrees_with_its_definition() {
        let key = [0x0b; 32];
        let pieces = [
            Piece::Round(Number {
                bytes: 1,
                order: Order::Big,
            }),
            Piece::Bytes(b"label".to_vec()),
            Piece::Length(Number {
                bytes: 4,
                order: Order::Big,
            }),
        ];
        let prf = |input: &[u8]| hmac(Hash::Sha256, &key, input);
        let derived = counter_mode(prf, &pieces, 40).unwrap();
        let one = prf(b"\x01label\x00\x00\x01\x40").unwrap();
        let two = prf(b"\x02label\x00\x00\x01\x40").unwrap();
        assert_eq!(*derived, [one, two].concat()[..40]);
        assert!(counter_mode(prf, &pieces, 256 * 32).is_err());
    }
}
