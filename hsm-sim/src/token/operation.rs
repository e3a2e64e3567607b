//! One running operation of a session: it gathers input and yields its result at once at the end,
//! so that no plaintext leaves before its tag is checked. It needs no lock while it works.

use std::mem;

use cryptoki_sys as ck;
use cryptoki_sys::CK_ATTRIBUTE_TYPE;
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::hash::Hash;
use super::material;
use super::mechanism::{Mechanism, Method};
use super::object::Object;
use super::profile::Profile;
use super::{crypto, modular};
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

/// A begun operation with its key.
pub(crate) struct Operation {
    kind: Kind,
    algorithm: Algorithm,
    key: Zeroizing<Vec<u8>>,
    /// Bytes of an RSA key's modulus, else 0.
    modulus_bytes: usize,
    input: Zeroizing<Vec<u8>>,
    is_multipart: bool,
    /// The key asks for a login of its own, which has not come yet.
    awaits_login: bool,
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
        match mechanism.method {
            Method::Digest(hash) => Ok(Self {
                kind: Kind::Digest,
                algorithm: Algorithm::Digest(hash),
                key: Zeroizing::default(),
                modulus_bytes: 0,
                input: Zeroizing::default(),
                is_multipart: false,
                awaits_login: false,
            }),
            _ => Err(Error::MechanismInvalid),
        }
    }

    /// Begins what needs a key, if mechanism, key type and permission fit.
    pub(crate) fn keyed(
        kind: Kind,
        mechanism: Mechanism,
        key: &Object,
        profile: &Profile,
    ) -> Result<Self> {
        let number = mechanism.kind;
        let algorithm = Algorithm::new(kind, mechanism.method, key, profile)?;
        if !kind.permission().is_some_and(|flag| key.is_set(flag)) {
            return Err(Error::KeyFunctionNotPermitted);
        }
        if !key.allows(number) {
            return Err(Error::MechanismInvalid);
        }
        Ok(Self {
            kind,
            algorithm,
            key: material::of(key)?,
            modulus_bytes: material::modulus_bytes(key),
            input: Zeroizing::default(),
            is_multipart: false,
            awaits_login: key.is_set(ck::CKA_ALWAYS_AUTHENTICATE),
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn is_multipart(&self) -> bool {
        self.is_multipart
    }

    pub(crate) fn awaits_login(&self) -> bool {
        self.awaits_login
    }

    pub(crate) fn log_in(&mut self) {
        self.awaits_login = false;
    }

    /// The IV that the token made and the caller must learn through its parameter.
    pub(crate) fn made_iv(&self) -> Option<Vec<u8>> {
        self.algorithm.made_iv()
    }

    /// Whether [`Operation::result_bytes`] is only a bound, since padding hides the length.
    pub(crate) fn hides_length(&self) -> bool {
        self.kind == Kind::Decrypt && self.algorithm.is_padded()
    }

    /// Bytes that the result has, or has at most, after `more` further bytes of input.
    pub(crate) fn result_bytes(&self, more: usize) -> Result<usize> {
        let input = self.input.len().saturating_add(more);
        self.algorithm
            .result_bytes(self.kind, input, self.modulus_bytes)
    }

    /// Bytes that a part of `more` bytes yields at once.
    pub(crate) fn early_bytes(&self, more: usize) -> usize {
        let input = self.input.len().saturating_add(more);
        self.algorithm.early_bytes(self.kind, input)
    }

    /// Takes a part of the input; yields what needs no more of it.
    pub(crate) fn update(&mut self, part: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.is_multipart = true;
        self.append(part)?;
        let early = self.early_bytes(0);
        if early == 0 {
            return Ok(Zeroizing::default());
        }
        let rest = Zeroizing::new(self.input.split_off(early));
        let blocks = mem::replace(&mut self.input, rest);
        self.algorithm.pass(self.kind, &self.key, &blocks)
    }

    /// The result over all input and this last part. The input stays as it was before the part.
    pub(crate) fn finish(&mut self, last: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let before = self.input.len();
        self.append(last)?;
        let result = self.compute();
        self.input.truncate(before);
        result
    }

    fn compute(&self) -> Result<Zeroizing<Vec<u8>>> {
        if self.kind == Kind::Decrypt {
            let is_rsa = self.modulus_bytes > 0;
            if is_rsa && self.input.len() != self.modulus_bytes {
                return Err(Error::CiphertextLength);
            }
            return self.algorithm.open(&self.key, &self.input);
        }
        let yielded = match self.kind {
            Kind::Encrypt => self.algorithm.seal(&self.key, &self.input),
            _ => self.algorithm.sign(&self.key, &self.input),
        };
        yielded.map(Zeroizing::new)
    }

    /// Checks a signature over all input and this last part.
    pub(crate) fn verify(mut self, last: &[u8], signature: &[u8]) -> Result<()> {
        self.append(last)?;
        if signature.len() != self.result_bytes(0)? {
            return Err(Error::SignatureLength);
        }
        let (key, input) = (&self.key, &self.input);
        match &self.algorithm {
            Algorithm::Curve(curve, hash) => curve.verify(key, &hashed(*hash, input), signature),
            Algorithm::Pss(hash, params) => {
                modular::pss_verify(key, *params, &hashed(*hash, input), signature)
            }
            Algorithm::Pkcs1(hash) => {
                modular::pkcs1_verify(key, *hash, &hashed(*hash, input), signature)
            }
            _ if crypto::is_same_tag(&self.compute()?, signature) => Ok(()),
            _ => Err(Error::SignatureInvalid),
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

/// What is signed: the hash of the input, or the input itself.
pub(super) fn hashed(hash: Option<Hash>, input: &[u8]) -> Vec<u8> {
    match hash {
        Some(hash) => super::hash::digest(hash, input),
        None => input.to_vec(),
    }
}
