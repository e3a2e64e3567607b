//! One running operation of a session: it gathers input and yields its result at once at the end,
//! so that no plaintext leaves before its tag is checked. It needs no lock while it works.

use std::mem;

use cryptoki_sys as ck;
use cryptoki_sys::CK_ATTRIBUTE_TYPE;
use zeroize::Zeroizing;

use super::crypto::{self, Hash, SIGNATURE_BYTES, TAG_BYTES};
use super::mechanism::{Gcm, Mechanism};
use super::object::Object;
use crate::error::{Error, Result};

/// Bytes that one operation takes in.
const INPUT_BYTES_MAX: usize = 64 << 20;

/// What a session can be doing; one operation of each kind at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Encrypt,
    Decrypt,
    Sign,
    Verify,
    Digest,
}

enum Algorithm {
    Gcm(Gcm),
    Hmac(Hash),
    Eddsa,
    Digest(Hash),
}

/// A begun operation with its key.
pub(crate) struct Operation {
    kind: Kind,
    algorithm: Algorithm,
    key: Zeroizing<Vec<u8>>,
    input: Zeroizing<Vec<u8>>,
    is_multipart: bool,
}

impl Kind {
    /// The key's flag that permits this.
    fn permission(self) -> Option<CK_ATTRIBUTE_TYPE> {
        match self {
            Self::Encrypt => Some(ck::CKA_ENCRYPT),
            Self::Decrypt => Some(ck::CKA_DECRYPT),
            Self::Sign => Some(ck::CKA_SIGN),
            Self::Verify => Some(ck::CKA_VERIFY),
            Self::Digest => None,
        }
    }
}

impl Operation {
    /// Begins hashing.
    pub(crate) fn digest(mechanism: &Mechanism) -> Result<Self> {
        match mechanism {
            Mechanism::Digest(hash) => Ok(Self::new(
                Kind::Digest,
                Algorithm::Digest(*hash),
                Vec::new(),
            )),
            _ => Err(Error::MechanismInvalid),
        }
    }

    /// Begins what needs a key, if mechanism, key type and permission fit.
    pub(crate) fn keyed(kind: Kind, mechanism: Mechanism, key: &Object) -> Result<Self> {
        let mechanism_type = mechanism.kind();
        let algorithm = algorithm(kind, mechanism)?;
        if !fits(&algorithm, kind, key) {
            return Err(Error::KeyTypeInconsistent);
        }
        if !kind.permission().is_some_and(|flag| key.is_set(flag)) {
            return Err(Error::KeyFunctionNotPermitted);
        }
        if !key.allows(mechanism_type) {
            return Err(Error::MechanismInvalid);
        }
        let secret = key_bytes(key).ok_or(Error::KeyHandleInvalid)?;
        Ok(Self::new(kind, algorithm, secret))
    }

    fn new(kind: Kind, algorithm: Algorithm, key: Vec<u8>) -> Self {
        let (key, input) = (Zeroizing::new(key), Zeroizing::new(Vec::new()));
        Self {
            kind,
            algorithm,
            key,
            input,
            is_multipart: false,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn is_multipart(&self) -> bool {
        self.is_multipart
    }

    /// Bytes that the result has after `more` further bytes of input.
    pub(crate) fn result_bytes(&self, more: usize) -> Result<usize> {
        let input = self.input.len().saturating_add(more);
        Ok(match (&self.algorithm, self.kind) {
            (Algorithm::Gcm(_), Kind::Decrypt) => input
                .checked_sub(TAG_BYTES)
                .ok_or(Error::CiphertextLength)?,
            (Algorithm::Gcm(_), _) => input.saturating_add(TAG_BYTES),
            (Algorithm::Hmac(hash) | Algorithm::Digest(hash), _) => hash.length_bytes(),
            (Algorithm::Eddsa, _) => SIGNATURE_BYTES,
        })
    }

    /// Takes a part of the input.
    pub(crate) fn update(&mut self, part: &[u8]) -> Result<()> {
        self.is_multipart = true;
        self.append(part)
    }

    /// The result over all input and this last part.
    pub(crate) fn finish(mut self, last: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.append(last)?;
        let (key, input) = (&self.key, &self.input);
        match &self.algorithm {
            Algorithm::Gcm(gcm) if self.kind == Kind::Decrypt => {
                crypto::gcm_open(key, &gcm.iv, &gcm.aad, input)
            }
            Algorithm::Gcm(gcm) => {
                crypto::gcm_seal(key, &gcm.iv, &gcm.aad, input).map(Zeroizing::new)
            }
            Algorithm::Hmac(hash) => crypto::hmac(*hash, key, input).map(Zeroizing::new),
            Algorithm::Eddsa => crypto::ed25519_sign(key, input).map(Zeroizing::new),
            Algorithm::Digest(hash) => Ok(Zeroizing::new(crypto::digest(*hash, input))),
        }
    }

    /// Checks a signature over all input and this last part.
    pub(crate) fn verify(mut self, last: &[u8], signature: &[u8]) -> Result<()> {
        self.append(last)?;
        if signature.len() != self.result_bytes(0)? {
            return Err(Error::SignatureLength);
        }
        if let Algorithm::Eddsa = self.algorithm {
            return crypto::ed25519_verify(&self.key, &self.input, signature);
        }
        let tag = self.finish(&[])?;
        let is_same = crypto::is_same_tag(&tag, signature);
        if is_same {
            Ok(())
        } else {
            Err(Error::SignatureInvalid)
        }
    }

    /// Grows the input without leaving unwiped copies of it behind.
    fn append(&mut self, part: &[u8]) -> Result<()> {
        let length = self.input.len().saturating_add(part.len());
        if length > INPUT_BYTES_MAX {
            return Err(Error::InputLength);
        }
        if length > self.input.capacity() {
            let grown = Vec::with_capacity(length.next_power_of_two());
            let old = mem::replace(&mut self.input, Zeroizing::new(grown));
            self.input.extend_from_slice(&old);
        }
        self.input.extend_from_slice(part);
        Ok(())
    }
}

fn algorithm(kind: Kind, mechanism: Mechanism) -> Result<Algorithm> {
    Ok(match (kind, mechanism) {
        (Kind::Encrypt | Kind::Decrypt, Mechanism::Gcm(gcm)) => Algorithm::Gcm(gcm),
        (Kind::Sign | Kind::Verify, Mechanism::Hmac(hash)) => Algorithm::Hmac(hash),
        (Kind::Sign | Kind::Verify, Mechanism::Eddsa) => Algorithm::Eddsa,
        _ => return Err(Error::MechanismInvalid),
    })
}

fn fits(algorithm: &Algorithm, kind: Kind, key: &Object) -> bool {
    let (class, key_type) = match algorithm {
        Algorithm::Gcm(_) => (ck::CKO_SECRET_KEY, ck::CKK_AES),
        Algorithm::Hmac(_) => (ck::CKO_SECRET_KEY, ck::CKK_GENERIC_SECRET),
        Algorithm::Eddsa if kind == Kind::Sign => (ck::CKO_PRIVATE_KEY, ck::CKK_EC_EDWARDS),
        Algorithm::Eddsa => (ck::CKO_PUBLIC_KEY, ck::CKK_EC_EDWARDS),
        Algorithm::Digest(_) => return false,
    };
    key.class() == Some(class) && key.key_type() == Some(key_type)
}

/// A public key's point without its DER head; any other key's value.
fn key_bytes(key: &Object) -> Option<Vec<u8>> {
    match key.class() {
        Some(ck::CKO_PUBLIC_KEY) => key.inner(ck::CKA_EC_POINT)?.get(2..).map(<[u8]>::to_vec),
        _ => key.inner(ck::CKA_VALUE).map(<[u8]>::to_vec),
    }
}
