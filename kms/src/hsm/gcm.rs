//! AES-GCM in the HSM (NIST SP 800-38D), whoever makes the IV: the caller, or the HSM by its vendor's custom.

use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use super::codes::{is_altered, may_be_altered, refused};
use crate::error::HsmError;
use crate::secret::SecretBytes;

const IV_BYTES: usize = 12;
/// What Luna appends.
const APPENDED_IV_BYTES: usize = 16;
const TAG_BYTES: usize = 16;

/// Who makes the IV of AES-GCM in the HSM, and how it comes back. A setting of the vendor's, not a choice.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum GcmIv {
    /// The caller, of the HSM's random numbers: 12 bytes (SoftHSM2, Utimaco, Securosys).
    #[default]
    Caller,
    /// The HSM, into the caller's buffer of 12 zeros (AWS `CloudHSM`, `nShield`).
    ZeroBuffer,
    /// The HSM, which appends its 16 bytes to the tag (Luna in FIPS mode).
    Appended,
}

impl GcmIv {
    const ALL: [Self; 3] = [Self::Caller, Self::ZeroBuffer, Self::Appended];

    /// The word of the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::ZeroBuffer => "zero-buffer",
            Self::Appended => "appended",
        }
    }

    /// Reads the word of the settings.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == text)
    }
}

/// `IV length u8 | IV | ciphertext | tag`, whoever made the IV.
pub(super) fn seal(
    session: &Session,
    key: ObjectHandle,
    way: GcmIv,
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, HsmError> {
    let mut buffer = [0; IV_BYTES];
    let given = match way {
        GcmIv::Caller => {
            session
                .generate_random_slice(&mut buffer)
                .map_err(|error| refused("C_GenerateRandom", &error))?;
            buffer.as_mut_slice()
        }
        GcmIv::ZeroBuffer => buffer.as_mut_slice(),
        GcmIv::Appended => &mut [],
    };
    let mechanism = Mechanism::AesGcm(params(given, aad)?);
    let answer = session
        .encrypt(&mechanism, key, plaintext)
        .map_err(|error| match error {
            // The module wants another IV than the setting gives it.
            Pkcs11Error::Pkcs11(RvError::MechanismParamInvalid, _) => HsmError::GcmIv,
            error => refused("C_Encrypt", &error),
        })?;
    drop(mechanism);
    let sealed_bytes = plaintext.len() + TAG_BYTES;
    let (sealed, iv) = answer.split_at_checked(sealed_bytes).ok_or_else(odd)?;
    // Read after the call: an HSM that makes the IV itself has written it there by now.
    let iv = match way {
        GcmIv::Appended if iv.len() == APPENDED_IV_BYTES => iv,
        GcmIv::Caller | GcmIv::ZeroBuffer if iv.is_empty() && buffer != [0; IV_BYTES] => &buffer,
        _ => return Err(odd()),
    };
    let length = u8::try_from(iv.len()).map_err(|_| odd())?;
    Ok([&[length], iv, sealed].concat())
}

/// Opens what [`seal`] made; `None` if it was altered.
pub(super) fn unseal(
    session: &Session,
    key: ObjectHandle,
    way: GcmIv,
    aad: &[u8],
    sealed: &[u8],
) -> Result<Option<SecretBytes>, HsmError> {
    let Some((iv, ciphertext)) = parts(sealed) else {
        return Ok(None);
    };
    match decrypt(session, key, iv, aad, ciphertext)? {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_altered(&error) => Ok(None),
        Err(error) if may_be_altered(&error) && opens_its_own(session, key, way)? => Ok(None),
        Err(error) => Err(refused("C_Decrypt", &error)),
    }
}

fn decrypt(
    session: &Session,
    key: ObjectHandle,
    iv: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Result<SecretBytes, Pkcs11Error>, HsmError> {
    let mut iv = iv.to_vec();
    let mechanism = Mechanism::AesGcm(params(&mut iv, aad)?);
    let opened = session.decrypt(&mechanism, key, ciphertext);
    Ok(opened.map(SecretBytes::new))
}

/// Whether the HSM opens what it has just sealed: then it is well, and what it did not open was altered.
fn opens_its_own(session: &Session, key: ObjectHandle, way: GcmIv) -> Result<bool, HsmError> {
    const PROBE: &[u8] = b"jinku/v1 probe of the hsm";
    let sealed = seal(session, key, way, PROBE, PROBE)?;
    let Some((iv, ciphertext)) = parts(&sealed) else {
        return Ok(false);
    };
    Ok(decrypt(session, key, iv, PROBE, ciphertext)?.is_ok())
}

/// There is one spelling.
fn parts(sealed: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = sealed.split_first()?;
    let length = usize::from(*length);
    let (iv, ciphertext) = rest.split_at_checked(length)?;
    let known = length == IV_BYTES || length == APPENDED_IV_BYTES;
    (known && ciphertext.len() >= TAG_BYTES).then_some((iv, ciphertext))
}

fn params<'a>(iv: &'a mut [u8], aad: &'a [u8]) -> Result<GcmParams<'a>, HsmError> {
    const TAG_BITS: u64 = 128;
    GcmParams::new(iv, aad, TAG_BITS.into()).map_err(|error| refused("CK_GCM_PARAMS", &error))
}

fn odd() -> HsmError {
    HsmError::GcmIv
}
