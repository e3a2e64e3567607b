//! What an operation computes: the mechanism's method, bound to a fitting key and to the profile.

use cryptoki_sys as ck;
use cryptoki_sys::{CK_KEY_TYPE, CK_OBJECT_CLASS};
use zeroize::Zeroizing;

use super::block::{self, BLOCK_BYTES, Feedback, Padding, Way};
use super::crypto::{self, IV_BYTES, LONG_IV_BYTES, TAG_BYTES};
use super::elliptic::Curve;
use super::family;
use super::hash::{self, Hash};
use super::material;
use super::mechanism::{Gcm, Method};
use super::modular::{self, OaepParams, PssParams};
use super::object::Object;
use super::operation::{Kind, hashed};
use super::profile::{IvMaker, Profile};
use crate::error::{Error, Result};

/// An algorithm with its parameters.
pub(super) enum Algorithm {
    Gcm(GcmPlan),
    Ecb,
    Cbc([u8; BLOCK_BYTES], Padding),
    Ctr([u8; BLOCK_BYTES], u32),
    Feedback([u8; BLOCK_BYTES], Feedback),
    Oaep(OaepParams),
    Hmac(Hash, usize),
    Cmac(usize),
    /// ECDSA over the hash, or over the input if there is none; pure Ed25519.
    Curve(Curve, Option<Hash>),
    Pss(Option<Hash>, PssParams),
    Pkcs1(Option<Hash>),
    Digest(Hash),
}

/// AES-GCM, once it is settled whose IV it is.
pub(super) struct GcmPlan {
    iv: Vec<u8>,
    aad: Vec<u8>,
    tag_bytes: usize,
    maker: IvMaker,
}

impl Algorithm {
    /// The algorithm, if the mechanism can do this with this key.
    pub(super) fn new(kind: Kind, method: Method, key: &Object, profile: &Profile) -> Result<Self> {
        if !is_use_of(kind, &method) {
            return Err(Error::MechanismInvalid);
        }
        if !fits(kind, &method, key) {
            return Err(Error::KeyTypeInconsistent);
        }
        Ok(match method {
            Method::Gcm(gcm) => Self::Gcm(GcmPlan::new(kind, gcm, profile)?),
            Method::Ecb => Self::Ecb,
            Method::Cbc(iv, padding) => Self::Cbc(iv, padding),
            Method::Ctr(counter, bits) => Self::Ctr(counter, bits),
            Method::Feedback(iv, feedback) => Self::Feedback(iv, feedback),
            Method::Oaep(params) => Self::Oaep(params),
            Method::Hmac(hash, length) => Self::Hmac(hash, length),
            Method::Cmac(length) => Self::Cmac(length),
            Method::Eddsa => Self::Curve(Curve::Ed25519, None),
            Method::Ecdsa(hash) => Self::Curve(material::curve(key)?, hash),
            Method::Pss(hash, params) => Self::Pss(hash, params),
            Method::Pkcs1(hash) => Self::Pkcs1(hash),
            _ => return Err(Error::MechanismInvalid),
        })
    }

    /// Whether the plaintext may be shorter than its bound.
    pub(super) fn is_padded(&self) -> bool {
        matches!(
            self,
            Self::Oaep(_) | Self::Pkcs1(_) | Self::Cbc(_, Padding::Pkcs7)
        )
    }

    pub(super) fn made_iv(&self) -> Option<Vec<u8>> {
        match self {
            Self::Gcm(plan) if plan.maker == IvMaker::TokenOverZeros => Some(plan.iv.clone()),
            Self::Gcm(plan) if plan.maker == IvMaker::TokenOverAnything => Some(plan.iv.clone()),
            _ => None,
        }
    }

    pub(super) fn result_bytes(
        &self,
        kind: Kind,
        input: usize,
        modulus_bytes: usize,
    ) -> Result<usize> {
        let opens = kind == Kind::Decrypt;
        Ok(match self {
            Self::Gcm(plan) if opens => input
                .checked_sub(plan.tag_bytes)
                .ok_or(Error::CiphertextLength)?,
            Self::Gcm(plan) => input.saturating_add(plan.tag_bytes + plan.appended_bytes()),
            Self::Cbc(_, Padding::Pkcs7) if !opens => {
                (input / BLOCK_BYTES + 1).saturating_mul(BLOCK_BYTES)
            }
            Self::Ecb | Self::Cbc(..) | Self::Ctr(..) | Self::Feedback(..) => input,
            Self::Oaep(params) if opens => modular::oaep_bytes_max(params.hash, modulus_bytes),
            Self::Oaep(_) | Self::Pss(..) | Self::Pkcs1(_) => modulus_bytes,
            Self::Hmac(_, length) | Self::Cmac(length) => *length,
            Self::Curve(curve, _) => 2 * curve.scalar_bytes(),
            Self::Digest(hash) => hash.length_bytes(),
        })
    }

    /// Bytes of whole blocks among `input` that can be yielded before the end. Only the modes
    /// whose blocks no tag protects yield any; padding is seen in the last block alone.
    pub(super) fn early_bytes(&self, kind: Kind, input: usize) -> usize {
        let is_last_held = kind == Kind::Decrypt && matches!(self, Self::Cbc(_, Padding::Pkcs7));
        match self {
            Self::Ecb | Self::Cbc(..) => {
                let free = input.saturating_sub(usize::from(is_last_held));
                free / BLOCK_BYTES * BLOCK_BYTES
            }
            _ => 0,
        }
    }

    /// Yields whole blocks early, and goes on after them.
    pub(super) fn pass(
        &mut self,
        kind: Kind,
        key: &[u8],
        blocks: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let opens = kind == Kind::Decrypt;
        match self {
            Self::Ecb if opens => block::ecb_open(key, blocks),
            Self::Ecb => block::ecb_seal(key, blocks).map(Zeroizing::new),
            Self::Cbc(iv, _) => {
                let yielded = if opens {
                    block::cbc_open(key, iv, Padding::None, blocks)?
                } else {
                    Zeroizing::new(block::cbc_seal(key, iv, Padding::None, blocks)?)
                };
                let chained = if opens { blocks } else { &yielded };
                if let Some(last) = chained.last_chunk() {
                    *iv = *last;
                }
                Ok(yielded)
            }
            _ => Ok(Zeroizing::default()),
        }
    }

    pub(super) fn seal(&self, key: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Gcm(plan) => {
                let (iv, aad) = (&plan.iv, &plan.aad);
                let mut sealed = crypto::gcm_seal(key, iv, aad, plaintext, plan.tag_bytes)?;
                if plan.maker == IvMaker::TokenAppended {
                    sealed.extend_from_slice(iv);
                }
                Ok(sealed)
            }
            Self::Ecb => block::ecb_seal(key, plaintext),
            Self::Cbc(iv, padding) => block::cbc_seal(key, iv, *padding, plaintext),
            Self::Ctr(counter, bits) => block::ctr(key, counter, *bits, plaintext),
            Self::Feedback(iv, feedback) => block::feed(key, iv, *feedback, Way::Seal, plaintext),
            Self::Pkcs1(None) => modular::pkcs1_seal(key, plaintext),
            Self::Oaep(params) => modular::oaep_seal(key, params, plaintext),
            _ => Err(Error::MechanismInvalid),
        }
    }

    pub(super) fn open(&self, key: &[u8], ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        match self {
            Self::Gcm(plan) => {
                crypto::gcm_open(key, &plan.iv, &plan.aad, ciphertext, plan.tag_bytes)
            }
            Self::Ecb => block::ecb_open(key, ciphertext),
            Self::Cbc(iv, padding) => block::cbc_open(key, iv, *padding, ciphertext),
            Self::Ctr(counter, bits) => {
                block::ctr(key, counter, *bits, ciphertext).map(Zeroizing::new)
            }
            Self::Feedback(iv, feedback) => {
                block::feed(key, iv, *feedback, Way::Open, ciphertext).map(Zeroizing::new)
            }
            Self::Pkcs1(None) => modular::pkcs1_open(key, ciphertext),
            Self::Oaep(params) => modular::oaep_open(key, params, ciphertext),
            _ => Err(Error::MechanismInvalid),
        }
    }

    /// A signature, a tag or a digest.
    pub(super) fn sign(&self, key: &[u8], input: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Hmac(hash, length) => {
                let mut tag = hash::hmac(*hash, key, input)?;
                tag.truncate(*length);
                Ok(tag)
            }
            Self::Cmac(length) => {
                let mut tag = block::cmac(key, input)?;
                tag.truncate(*length);
                Ok(tag)
            }
            Self::Curve(curve, hash) => curve.sign(key, &hashed(*hash, input)),
            Self::Pss(hash, params) => modular::pss_sign(key, *params, &hashed(*hash, input)),
            Self::Pkcs1(hash) => modular::pkcs1_sign(key, *hash, &hashed(*hash, input)),
            Self::Digest(hash) => Ok(hash::digest(*hash, input)),
            _ => Err(Error::MechanismInvalid),
        }
    }
}

impl GcmPlan {
    fn new(kind: Kind, gcm: Gcm, profile: &Profile) -> Result<Self> {
        let tag_bytes = tag_bytes(gcm.tag_bits, profile)?;
        let is_ours = kind == Kind::Encrypt;
        let maker = if is_ours {
            profile.iv_maker
        } else {
            IvMaker::Caller
        };
        let is_right = match maker {
            IvMaker::Caller if profile.is_strict => gcm.iv.len() == IV_BYTES,
            IvMaker::Caller => matches!(gcm.iv.len(), IV_BYTES | LONG_IV_BYTES),
            IvMaker::TokenOverZeros => gcm.iv == [0; IV_BYTES],
            IvMaker::TokenOverAnything => gcm.iv.len() == IV_BYTES,
            IvMaker::TokenAppended => gcm.iv.is_empty(),
        };
        if !is_right {
            return Err(Error::MechanismParamInvalid);
        }
        let iv = match maker {
            IvMaker::Caller => gcm.iv,
            IvMaker::TokenAppended => crypto::random_bytes::<LONG_IV_BYTES>()?.to_vec(),
            _ => crypto::random_bytes::<IV_BYTES>()?.to_vec(),
        };
        Ok(Self {
            iv,
            aad: gcm.aad,
            tag_bytes,
            maker,
        })
    }

    fn appended_bytes(&self) -> usize {
        match self.maker {
            IvMaker::TokenAppended => self.iv.len(),
            _ => 0,
        }
    }
}

/// Whole tags in the strict profile; elsewhere SP 800-38D §5.2.1.2 from 96 bits on.
fn tag_bytes(tag_bits: ck::CK_ULONG, profile: &Profile) -> Result<usize> {
    let tag_bytes = match tag_bits {
        128 => TAG_BYTES,
        120 => 15,
        112 => 14,
        104 => 13,
        96 => 12,
        _ => return Err(Error::MechanismParamInvalid),
    };
    if profile.is_strict && tag_bytes != TAG_BYTES {
        return Err(Error::MechanismParamInvalid);
    }
    Ok(tag_bytes)
}

fn is_use_of(kind: Kind, method: &Method) -> bool {
    match kind {
        Kind::Encrypt | Kind::Decrypt => matches!(
            method,
            Method::Gcm(_)
                | Method::Ecb
                | Method::Cbc(..)
                | Method::Ctr(..)
                | Method::Oaep(_)
                | Method::Feedback(..)
                | Method::Pkcs1(None)
        ),
        Kind::Sign | Kind::Verify => matches!(
            method,
            Method::Hmac(..)
                | Method::Cmac(_)
                | Method::Eddsa
                | Method::Ecdsa(_)
                | Method::Pss(..)
                | Method::Pkcs1(_)
        ),
        Kind::Digest => false,
    }
}

fn fits(kind: Kind, method: &Method, key: &Object) -> bool {
    let secret = (ck::CKO_SECRET_KEY, ck::CKK_AES);
    let half = match kind {
        Kind::Decrypt | Kind::Sign => ck::CKO_PRIVATE_KEY,
        _ => ck::CKO_PUBLIC_KEY,
    };
    let (class, key_type): (CK_OBJECT_CLASS, CK_KEY_TYPE) = match method {
        Method::Gcm(_)
        | Method::Ecb
        | Method::Cbc(..)
        | Method::Ctr(..)
        | Method::Feedback(..)
        | Method::Cmac(_) => secret,
        Method::Hmac(hash, _) => (ck::CKO_SECRET_KEY, hmac_type(*hash, key)),
        Method::Eddsa => (half, ck::CKK_EC_EDWARDS),
        Method::Ecdsa(_) => (half, ck::CKK_EC),
        _ => (half, ck::CKK_RSA),
    };
    key.class() == Some(class) && key.key_type() == Some(key_type)
}

/// The key's type, if it is the one that names just this HMAC; else the one of any secret.
fn hmac_type(hash: Hash, key: &Object) -> CK_KEY_TYPE {
    let own = key.key_type().unwrap_or(ck::CKK_GENERIC_SECRET);
    match family::hash_by(|family| family.key_type, own) {
        Some(named) if named == hash => own,
        _ => ck::CKK_GENERIC_SECRET,
    }
}
