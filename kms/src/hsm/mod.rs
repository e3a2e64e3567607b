//! The HSM: a root key that wraps, a key that signs, random numbers. Reached by PKCS#11 alone.

mod codes;
mod gate;
mod gcm;
mod import;
mod module;
mod session;
mod template;

use std::path::{Path, PathBuf};

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, HsmError};
use crate::key::KeyKind;
use crate::material;
use crate::secret::{Pin, SecretBytes};
use codes::refused;
use module::Module;
use session::{Sessions, find, known};

pub use gcm::GcmIv;
#[cfg(test)]
pub(crate) use import::unwrap_kwp;
pub use import::{ImportKey, unwrap_import};

/// Sessions that are opened if nothing else is set.
const SESSIONS_MAX: usize = 4;

/// Which HSM, and how it is opened.
pub struct HsmSettings {
    /// The PKCS#11 module's path.
    pub module: PathBuf,
    /// The token's label.
    pub token_label: String,
    /// The user PIN.
    pub pin: Pin,
    /// Most sessions, and so calls at once. A slow call holds one of them.
    pub sessions_max: usize,
    /// Who makes the IVs of AES-GCM.
    pub gcm_iv: GcmIv,
}

impl HsmSettings {
    /// Four sessions; the caller makes the IVs.
    pub fn new(module: PathBuf, token_label: String, pin: Pin) -> Self {
        Self {
            module,
            token_label,
            pin,
            sessions_max: SESSIONS_MAX,
            gcm_iv: GcmIv::default(),
        }
    }
}

/// An open HSM. Lost sessions, logins and tokens are found again, within a call. A PIN that was refused
/// once is not sent again, for tries are limited: open the HSM anew.
pub struct Hsm {
    sessions: Sessions,
    gcm_iv: GcmIv,
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
        Ok(Self {
            sessions: Sessions::open(settings)?,
            gcm_iv: settings.gcm_iv,
        })
    }

    /// Initialises the first free token of a module, and sets its PINs.
    pub fn initialize_token(
        module: &Path,
        label: &str,
        so_pin: &Pin,
        pin: &Pin,
    ) -> Result<(), HsmError> {
        Module::load(module)?.initialize_token(label, so_pin, pin)
    }

    /// The root key with this label, if there is one.
    pub fn root(&self, label: &str) -> Result<Option<RootKey>, HsmError> {
        let found = self
            .sessions
            .with(|session| find(session, &template::root(label), label))?;
        Ok(found.map(|_| RootKey {
            label: label.to_owned(),
        }))
    }

    /// Makes a root key inside the HSM. The label must be free.
    pub fn generate_root(&self, label: &str) -> Result<RootKey, HsmError> {
        self.make_root(label, |session| {
            session
                .generate_key(&Mechanism::AesKeyGen, &template::new_root(label))
                .map_err(|error| refused("C_GenerateKey", &error))
        })
    }

    /// Puts a known root key into the HSM, as [`Hsm::generate_root`] would have made it: sensitive, never
    /// extractable, for encryption alone. For recovery; the label must be free, the key 32 bytes.
    pub fn install_root(&self, label: &str, key: &SecretBytes) -> Result<RootKey, Error> {
        material::check(KeyKind::Aes256, key.expose())?;
        Ok(self.make_root(label, |session| {
            let template = Zeroizing::new(Template(template::known_root(label, key.expose())));
            session
                .create_object(&template.0)
                .map_err(|error| refused("C_CreateObject", &error))
        })?)
    }

    /// `make` may be called again when the HSM was lost in between: what it had made then counts.
    fn make_root(
        &self,
        label: &str,
        make: impl Fn(&Session) -> Result<ObjectHandle, HsmError>,
    ) -> Result<RootKey, HsmError> {
        let mut tried = false;
        self.sessions.with(|session| {
            let found = find(session, &template::root(label), label)?;
            if found.is_some() {
                return if tried { Ok(()) } else { Err(exists(label)) };
            }
            tried = true;
            make(session).map(drop)
        })?;
        Ok(RootKey {
            label: label.to_owned(),
        })
    }

    /// The signing key with this label, if there is one.
    pub fn signer(&self, label: &str) -> Result<Option<Signer>, HsmError> {
        let public = self.sessions.with(|session| {
            let Some(handle) = find(session, &template::verifying(label), label)? else {
                return Ok(None);
            };
            find(session, &template::signing(label), label)?.ok_or_else(|| HsmError::NoKey {
                label: label.to_owned(),
            })?;
            let attributes = session
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
        let mut tried = false;
        self.sessions.with(|session| {
            if find(session, &template::signing(label), label)?.is_some() {
                return if tried { Ok(()) } else { Err(exists(label)) };
            }
            tried = true;
            let made = session.generate_key_pair(
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
            let key = known(session, &template::signing(&signer.label), &signer.label)?;
            session
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
            let filled = session.generate_random_slice(out);
            filled.map_err(|error| refused("C_GenerateRandom", &error))
        })
    }

    /// Whether the HSM answers and the session is logged in.
    pub fn alive(&self) -> Result<(), HsmError> {
        self.random(&mut [0])
    }

    /// Seals under the root key: `IV length u8 | IV | ciphertext | tag 16` (NIST SP 800-38D).
    pub(crate) fn seal(
        &self,
        root: &RootKey,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Error> {
        Ok(self.sessions.with(|session| {
            let key = known(session, &template::root(&root.label), &root.label)?;
            gcm::seal(session, key, self.gcm_iv, aad, plaintext)
        })?)
    }

    /// Opens what [`Hsm::seal`] made. An answer of the HSM that says "altered" is [`Error::Unopened`];
    /// an outage is not.
    pub(crate) fn unseal(
        &self,
        root: &RootKey,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<SecretBytes, Error> {
        let opened = self.sessions.with(|session| {
            let key = known(session, &template::root(&root.label), &root.label)?;
            gcm::unseal(session, key, self.gcm_iv, aad, sealed)
        })?;
        opened.ok_or(Error::Unopened)
    }
}

/// A template with a key in it, wiped.
struct Template(Vec<Attribute>);

impl Zeroize for Template {
    fn zeroize(&mut self) {
        for attribute in &mut self.0 {
            if let Attribute::Value(value) = attribute {
                value.as_mut_slice().zeroize();
            }
        }
    }
}

fn exists(label: &str) -> HsmError {
    HsmError::KeyExists {
        label: label.to_owned(),
    }
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
