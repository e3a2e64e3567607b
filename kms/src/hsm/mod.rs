//! The HSM: a root key that wraps, a key that signs, random numbers. Reached by PKCS#11 alone.

mod session;
mod template;

use std::path::{Path, PathBuf};

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType};

use crate::error::{Error, HsmError};
use crate::secret::{Pin, SecretBytes};
use session::{Sessions, refused};

/// Which HSM, and how it is opened.
pub struct HsmSettings {
    /// The PKCS#11 module's path.
    pub module: PathBuf,
    /// The token's label.
    pub token_label: String,
    /// The user PIN.
    pub pin: Pin,
}

/// An open HSM. A lost session is opened again, once a call.
pub struct Hsm {
    sessions: Sessions,
}

/// A root key: AES-256, never extractable. It is looked up by its label for each use.
pub struct RootKey {
    label: String,
}

impl RootKey {
    pub(crate) fn label(&self) -> &str {
        &self.label
    }
}

/// A signing key: Ed25519, never extractable.
pub struct Signer {
    label: String,
    public: [u8; 32],
}

impl Signer {
    /// The public half (RFC 8032 section 5.1.5).
    pub fn public_key(&self) -> [u8; 32] {
        self.public
    }
}

impl Hsm {
    /// Loads the module, finds the token, and logs in.
    pub fn open(settings: &HsmSettings) -> Result<Self, HsmError> {
        let sessions = Sessions::open(settings)?;
        Ok(Self { sessions })
    }

    /// Initialises the first free token of a module, and sets its PINs.
    pub fn initialize_token(
        module: &Path,
        label: &str,
        so_pin: &Pin,
        pin: &Pin,
    ) -> Result<(), HsmError> {
        session::initialize_token(module, label, so_pin, pin)
    }

    /// The root key with this label, if there is one.
    pub fn root(&self, label: &str) -> Result<Option<RootKey>, HsmError> {
        let found = self
            .sessions
            .with(|session| session.find(&template::root(label), label))?;
        Ok(found.map(|_| RootKey {
            label: label.to_owned(),
        }))
    }

    /// Makes a root key inside the HSM.
    pub fn generate_root(&self, label: &str) -> Result<RootKey, HsmError> {
        self.sessions.with(|session| {
            let made = session
                .raw()
                .generate_key(&Mechanism::AesKeyGen, &template::new_root(label));
            made.map(drop)
                .map_err(|error| refused("C_GenerateKey", &error))
        })?;
        Ok(RootKey {
            label: label.to_owned(),
        })
    }

    /// The signing key with this label, if there is one.
    pub fn signer(&self, label: &str) -> Result<Option<Signer>, HsmError> {
        let public = self.sessions.with(|session| {
            let Some(handle) = session.find(&template::verifying(label), label)? else {
                return Ok(None);
            };
            session
                .find(&template::signing(label), label)?
                .ok_or_else(|| HsmError::NoKey {
                    label: label.to_owned(),
                })?;
            let attributes = session
                .raw()
                .get_attributes(handle, &[AttributeType::EcPoint])
                .map_err(|error| refused("C_GetAttributeValue", &error))?;
            match attributes.as_slice() {
                [Attribute::EcPoint(point)] => Ok(Some(point.clone())),
                _ => Err(HsmError::KeyKind {
                    label: label.to_owned(),
                }),
            }
        })?;
        let signer = |point: Vec<u8>| {
            let public = ed25519_point(&point).ok_or_else(|| HsmError::KeyKind {
                label: label.to_owned(),
            })?;
            Ok(Signer {
                label: label.to_owned(),
                public,
            })
        };
        public.map(signer).transpose()
    }

    /// Makes a signing key inside the HSM.
    pub fn generate_signer(&self, label: &str) -> Result<Signer, HsmError> {
        self.sessions.with(|session| {
            let made = session.raw().generate_key_pair(
                &Mechanism::EccEdwardsKeyPairGen,
                &template::new_verifying(label),
                &template::new_signing(label),
            );
            made.map(drop)
                .map_err(|error| refused("C_GenerateKeyPair", &error))
        })?;
        self.signer(label)?.ok_or_else(|| HsmError::NoKey {
            label: label.to_owned(),
        })
    }

    /// Signs with Ed25519 (RFC 8032).
    pub fn sign(&self, signer: &Signer, message: &[u8]) -> Result<[u8; 64], HsmError> {
        let params = EddsaParams::new(EddsaSignatureScheme::Pure);
        let signature = self.sessions.with(|session| {
            let key = session.known(&template::signing(&signer.label), &signer.label)?;
            session
                .raw()
                .sign(&Mechanism::Eddsa(params), key, message)
                .map_err(|error| refused("C_Sign", &error))
        })?;
        signature.try_into().map_err(|_| HsmError::KeyKind {
            label: signer.label.clone(),
        })
    }

    /// Fills `out` with the HSM's random numbers.
    pub fn random(&self, out: &mut [u8]) -> Result<(), HsmError> {
        self.sessions.with(|session| {
            let filled = session.raw().generate_random_slice(out);
            filled.map_err(|error| refused("C_GenerateRandom", &error))
        })
    }

    /// Whether the HSM answers and the session is logged in.
    pub fn alive(&self) -> Result<(), HsmError> {
        self.random(&mut [0])
    }

    pub(crate) fn encrypt(
        &self,
        root: &RootKey,
        mut iv: [u8; 12],
        aad: &[u8],
        key: &[u8],
    ) -> Result<Vec<u8>, Error> {
        Ok(self.sessions.with(|session| {
            let handle = session.known(&template::root(&root.label), &root.label)?;
            let params = gcm(&mut iv, aad)?;
            session
                .raw()
                .encrypt(&Mechanism::AesGcm(params), handle, key)
                .map_err(|error| refused("C_Encrypt", &error))
        })?)
    }

    /// An answer of the HSM that says "altered" is [`Error::Unopened`]; an outage is not.
    pub(crate) fn decrypt(
        &self,
        root: &RootKey,
        mut iv: [u8; 12],
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<SecretBytes, Error> {
        let opened = self.sessions.with(|session| {
            let handle = session.known(&template::root(&root.label), &root.label)?;
            let params = gcm(&mut iv, aad)?;
            match session
                .raw()
                .decrypt(&Mechanism::AesGcm(params), handle, ciphertext)
            {
                Ok(bytes) => Ok(Some(SecretBytes::new(bytes))),
                Err(error) if session::is_altered(&error) => Ok(None),
                Err(error) => Err(refused("C_Decrypt", &error)),
            }
        })?;
        opened.ok_or(Error::Unopened)
    }
}

fn gcm<'a>(iv: &'a mut [u8; 12], aad: &'a [u8]) -> Result<GcmParams<'a>, HsmError> {
    const TAG_BITS: u64 = 128;
    GcmParams::new(iv, aad, TAG_BITS.into()).map_err(|error| refused("CK_GCM_PARAMS", &error))
}

/// `CKA_EC_POINT`: a DER OCTET STRING around the 32 bytes (PKCS#11 v3.0 section 2.3.10); some
/// tokens give the bytes bare.
fn ed25519_point(point: &[u8]) -> Option<[u8; 32]> {
    let bare = match point {
        [0x04, 0x20, rest @ ..] if rest.len() == 32 => rest,
        bare => bare,
    };
    bare.try_into().ok()
}
