//! Bring your own key: material wrapped for an RSA key of the HSM, as the large clouds take it.
//!
//! ```text
//! wrapped = RSA-OAEP(SHA-256, MGF1 SHA-256, no label) of an ephemeral AES-256 key     as long as the modulus
//!         | AES-KWP (RFC 5649) of the material under it
//! ```
//! That is PKCS#11's `CKM_RSA_AES_KEY_WRAP` (v3.0 section 2.1.21). The private half never leaves the HSM.

use aes::Aes256;
use aes_kw::{AesKwp, KeyInit};
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType};
use zeroize::Zeroizing;

use super::codes::refused;
use super::session::{find, known};
use super::{Hsm, exists, template};
use crate::error::{Error, HsmError};
use crate::locked::SLOT_BYTES;
use crate::public;
use crate::scrub::{SHALLOW, scrubbed};
use crate::secret::SecretBytes;

/// The moduli that are taken, in bits (NIST SP 800-131A rev. 2; more than 4,096 makes an HSM slow).
const BITS: [u64; 3] = [2048, 3072, 4096];
/// RFC 5649: the length prefix is one half of a block.
const KWP_PREFIX_BYTES: usize = 8;

/// A key pair of the HSM under which others wrap what they bring. RSA; the private half never leaves.
pub struct ImportKey {
    label: String,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl ImportKey {
    /// The public half: `SubjectPublicKeyInfo` in DER (RFC 3279 section 2.3.1).
    pub fn spki_der(&self) -> Vec<u8> {
        /// `rsaEncryption` 1.2.840.113549.1.1.1 with NULL parameters.
        const ALGORITHM: [u8; 15] = [
            0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05,
            0x00,
        ];
        let numbers = [integer(&self.modulus), integer(&self.exponent)].concat();
        let key = der(0x30, &numbers);
        let bits = der(0x03, &[&[0], key.as_slice()].concat());
        der(0x30, &[&ALGORITHM, bits.as_slice()].concat())
    }

    /// The same in PEM (RFC 7468 section 13).
    pub fn pem(&self) -> String {
        public::pem(&self.spki_der())
    }

    /// The modulus's length, in bits.
    pub fn bits(&self) -> usize {
        8 * self.modulus.len()
    }
}

impl Hsm {
    /// The import key with this label, if there is one.
    pub fn import_key(&self, label: &str) -> Result<Option<ImportKey>, HsmError> {
        let wrong = || HsmError::KeyKind {
            label: label.to_owned(),
        };
        let found = self.sessions.with(|session| {
            let Some(handle) = find(session, &template::wrapping(label), label)? else {
                return Ok(None);
            };
            known(session, &template::unwrapping(label), label)?;
            let asked = [AttributeType::Modulus, AttributeType::PublicExponent];
            session
                .get_attributes(handle, &asked)
                .map(Some)
                .map_err(|error| refused("C_GetAttributeValue", &error))
        })?;
        let Some(attributes) = found else {
            return Ok(None);
        };
        let (mut modulus, mut exponent) = (None, None);
        for attribute in attributes {
            match attribute {
                Attribute::Modulus(bytes) => modulus = Some(unsigned(bytes)),
                Attribute::PublicExponent(bytes) => exponent = Some(unsigned(bytes)),
                _ => {}
            }
        }
        let (modulus, exponent) = (modulus.ok_or_else(wrong)?, exponent.ok_or_else(wrong)?);
        if !BITS.contains(&(8 * modulus.len() as u64)) {
            return Err(wrong());
        }
        Ok(Some(ImportKey {
            label: label.to_owned(),
            modulus,
            exponent,
        }))
    }

    /// Makes an import key of 2,048, 3,072 or 4,096 bits inside the HSM. The label must be free.
    pub fn generate_import_key(&self, label: &str, bits: u64) -> Result<ImportKey, HsmError> {
        if !BITS.contains(&bits) {
            return Err(HsmError::ImportKeyBits);
        }
        let mut tried = false;
        self.sessions.with(|session| {
            if find(session, &template::unwrapping(label), label)?.is_some() {
                return if tried { Ok(()) } else { Err(exists(label)) };
            }
            tried = true;
            session
                .generate_key_pair(
                    &Mechanism::RsaPkcsKeyPairGen,
                    &template::new_wrapping(label, bits),
                    &template::new_unwrapping(label),
                )
                .map(drop)
                .map_err(|error| refused("C_GenerateKeyPair", &error))
        })?;
        self.import_key(label)?.ok_or_else(|| HsmError::NoKey {
            label: label.to_owned(),
        })
    }

    /// `None` if it does not open.
    fn decrypt_oaep(
        &self,
        key: &ImportKey,
        sealed: &[u8],
    ) -> Result<Option<SecretBytes>, HsmError> {
        self.sessions.with(|session| {
            let handle = known(session, &template::unwrapping(&key.label), &key.label)?;
            let params = PkcsOaepParams::new(
                MechanismType::SHA256,
                PkcsMgfType::MGF1_SHA256,
                PkcsOaepSource::empty(),
            );
            match session.decrypt(&Mechanism::RsaPkcsOaep(params), handle, sealed) {
                Ok(bytes) => Ok(Some(SecretBytes::new(bytes))),
                Err(error) if is_unsupported(&error) => Err(HsmError::NoOaepSha256),
                Err(error) if is_padding(&error) => Ok(None),
                Err(error) => Err(refused("C_Decrypt", &error)),
            }
        })
    }
}

/// Opens what was wrapped for an import key. [`Error::Unopened`] whatever does not open: which part it
/// was would help whoever searches for the ephemeral key (Bleichenbacher, Manger).
pub fn unwrap_import(hsm: &Hsm, key: &ImportKey, wrapped: &[u8]) -> Result<SecretBytes, Error> {
    let (sealed, material) = wrapped
        .split_at_checked(key.modulus.len())
        .ok_or(Error::Unopened)?;
    let ephemeral = hsm.decrypt_oaep(key, sealed)?.ok_or(Error::Unopened)?;
    let ephemeral = ephemeral.expose().try_into().map_err(|_| Error::Unopened)?;
    scrubbed::<SHALLOW, _>(|| unwrap_kwp(ephemeral, material))
}

pub(crate) fn unwrap_kwp(key: &[u8; 32], wrapped: &[u8]) -> Result<SecretBytes, Error> {
    let bytes_max = SLOT_BYTES + KWP_PREFIX_BYTES;
    if wrapped.len() < 2 * KWP_PREFIX_BYTES || wrapped.len() > bytes_max {
        return Err(Error::Unopened);
    }
    let mut buffer = Zeroizing::new([0; SLOT_BYTES]);
    AesKwp::<Aes256>::new(key.into())
        .unwrap_key(wrapped, buffer.as_mut_slice())
        .map(|material| SecretBytes::new(material.to_vec()))
        .map_err(|_| Error::Unopened)
}

/// `SoftHSM2` 2.6.1 knows OAEP with SHA-1 alone, and says so in its own way.
fn is_unsupported(error: &Pkcs11Error) -> bool {
    matches!(
        error,
        Pkcs11Error::Pkcs11(
            RvError::MechanismInvalid
                | RvError::MechanismParamInvalid
                | RvError::ArgumentsBad
                | RvError::FunctionNotSupported,
            _
        )
    )
}

fn is_padding(error: &Pkcs11Error) -> bool {
    matches!(
        error,
        Pkcs11Error::Pkcs11(
            RvError::EncryptedDataInvalid
                | RvError::EncryptedDataLenRange
                | RvError::DataInvalid
                | RvError::DataLenRange
                | RvError::GeneralError
                | RvError::FunctionFailed,
            _
        )
    )
}

/// PKCS#11's big integers may begin with zeros.
fn unsigned(bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.into_iter().skip(zeros).collect()
}

/// A positive DER INTEGER: what would read as negative begins with a zero.
fn integer(unsigned: &[u8]) -> Vec<u8> {
    let sign: &[u8] = match unsigned.first() {
        Some(0x80..) | None => &[0],
        Some(_) => &[],
    };
    der(0x02, &[sign, unsigned].concat())
}

/// A DER element of less than 64 KiB (X.690 section 8.1.3).
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [_, _, _, _, _, _, high, low] = (contents.len() as u64).to_be_bytes();
    let length: &[u8] = match contents.len() {
        0..0x80 => &[low],
        0x80..0x100 => &[0x81, low],
        _ => &[0x82, high, low],
    };
    [&[tag], length, contents].concat()
}

#[cfg(test)]
mod tests {
    use aes_kw::{AesKwp, KeyInit};
    use p256::pkcs8::SubjectPublicKeyInfoRef;

    use super::{ImportKey, unwrap_kwp};
    use crate::Error;

    #[test]
    fn the_public_half_is_strict_der() {
        for bytes in [256, 384, 512] {
            for first in [0x7F, 0x80, 0xFF] {
                let mut modulus = vec![0x5A; bytes];
                modulus[0] = first;
                let key = ImportKey {
                    label: "import".to_owned(),
                    modulus,
                    exponent: vec![1, 0, 1],
                };
                let spki = key.spki_der();
                let read = SubjectPublicKeyInfoRef::try_from(spki.as_slice()).unwrap();
                assert_eq!(read.algorithm.oid.to_string(), "1.2.840.113549.1.1.1");
                assert_eq!(key.bits(), 8 * bytes);
            }
        }
    }

    #[test]
    fn wrapped_material_opens_whole_and_in_no_other_form() {
        let key = [7; 32];
        for length in [32, 33, 48, 64, 127, 128] {
            let material: Vec<u8> = (0..length).collect();
            let mut buffer = [0; 144];
            let kwp = AesKwp::<aes::Aes256>::new(&key.into());
            let wrapped = kwp.wrap_key(&material, &mut buffer).unwrap().to_vec();
            assert_eq!(unwrap_kwp(&key, &wrapped).unwrap().expose(), material);
            for place in 0..wrapped.len() {
                let mut altered = wrapped.clone();
                altered[place] ^= 1;
                assert!(matches!(unwrap_kwp(&key, &altered), Err(Error::Unopened)));
            }
            for length in 0..wrapped.len() {
                assert!(unwrap_kwp(&key, &wrapped[..length]).is_err(), "{length}");
            }
        }
        assert!(unwrap_kwp(&key, &[0; 4096]).is_err());
    }
}
