//! Keys made of other keys: the module's door to derive, by agreement on a curve or by HKDF.

use cryptoki_sys as ck;
use cryptoki_sys::{CK_KEY_TYPE, CK_OBJECT_HANDLE, CK_SESSION_HANDLE};
use zeroize::Zeroizing;

use super::attributes::Attributes;
use super::block::{self, BLOCK_BYTES, Padding};
use super::elliptic;
use super::mechanism::{Agreement, HkdfParams, Mechanism, Method, Salt};
use super::module::Module;
use super::object::Object;
use super::rules::{self, Guard};
use super::template::{self, Origin};
use super::{hash, keys, material};
use crate::error::{Error, Result};

impl Module {
    pub(crate) fn derive_key(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: &Mechanism,
        origin: CK_OBJECT_HANDLE,
        template: &Attributes,
    ) -> Result<CK_OBJECT_HANDLE> {
        self.session(session)?;
        self.check_listed(mechanism.kind)?;
        let parent = self.key(session, origin, Error::KeyHandleInvalid)?.clone();
        check_parent(&parent, mechanism)?;
        let demands = ck::CKA_DERIVE_TEMPLATE;
        let guard = if is_hidden(&parent) {
            self.profile.guard()
        } else {
            Guard::AsAsked
        };
        let template = rules::admitted(template, &parent, demands, guard)?;
        if template.bytes(ck::CKA_VALUE).is_some() {
            return Err(Error::TemplateInconsistent);
        }
        let (key_type, asked) = shape(&template)?;
        let derived = match &mechanism.method {
            Method::Agree(agreement) => agree(&parent, agreement, asked)?,
            Method::Hkdf(params) => {
                let salt = self.salt(session, params)?;
                hkdf(&parent, params, &salt, asked)?
            }
            Method::Counter(hash, pieces) => {
                let length = asked.ok_or(Error::TemplateIncomplete)?;
                let key = material::of(&parent)?;
                let prf = |input: &[u8]| match hash {
                    Some(hash) => hash::hmac(*hash, &key, input),
                    None => block::cmac(&key, input),
                };
                // A key is at most 512 bytes; more rounds would be for nothing.
                keys::check_length(key_type, length).map_err(|_| Error::KeySizeRange)?;
                hash::counter_mode(prf, pieces, length)?
            }
            Method::Encrypted(iv, given) => encrypted(&parent, iv.as_ref(), given, asked)?,
            _ => return Err(Error::MechanismInvalid),
        };
        keys::check_length(key_type, derived.len()).map_err(|_| Error::KeySizeRange)?;
        let origin = Origin::Derived {
            always_sensitive: parent.is_set(ck::CKA_ALWAYS_SENSITIVE),
            never_extractable: parent.is_set(ck::CKA_NEVER_EXTRACTABLE),
        };
        let key = template::secret_key(&template, key_type, &derived, origin)?;
        rules::check(&key, &self.profile)?;
        self.keep_one(session, key)
    }

    fn salt(&mut self, session: CK_SESSION_HANDLE, params: &HkdfParams) -> Result<Vec<u8>> {
        match &params.extracts {
            None | Some(Salt::None) => Ok(Vec::new()),
            Some(Salt::Bytes(bytes)) => Ok(bytes.clone()),
            Some(Salt::Key(salt)) => {
                let key = self.key(session, *salt, Error::KeyHandleInvalid)?;
                let value = key.inner(ck::CKA_VALUE).ok_or(Error::KeyHandleInvalid)?;
                Ok(value.to_vec())
            }
        }
    }
}

fn check_parent(parent: &Object, mechanism: &Mechanism) -> Result<()> {
    let fits = match (&mechanism.method, parent.class(), parent.key_type()) {
        (Method::Agree(_), Some(ck::CKO_PRIVATE_KEY), key_type) => key_type == Some(ck::CKK_EC),
        (Method::Hkdf(_), Some(ck::CKO_SECRET_KEY), key_type) => {
            matches!(key_type, Some(ck::CKK_GENERIC_SECRET | ck::CKK_HKDF))
        }
        (Method::Encrypted(..) | Method::Counter(None, _), Some(ck::CKO_SECRET_KEY), key_type) => {
            key_type == Some(ck::CKK_AES)
        }
        (Method::Counter(Some(_), _), Some(ck::CKO_SECRET_KEY), key_type) => {
            key_type.is_some_and(|key_type| key_type != ck::CKK_AES)
        }
        (Method::Agree(_) | Method::Hkdf(_) | Method::Encrypted(..) | Method::Counter(..), ..) => {
            false
        }
        _ => return Err(Error::MechanismInvalid),
    };
    if !fits {
        return Err(Error::KeyTypeInconsistent);
    }
    if !parent.is_set(ck::CKA_DERIVE) {
        return Err(Error::KeyFunctionNotPermitted);
    }
    if parent.allows(mechanism.kind) {
        Ok(())
    } else {
        Err(Error::MechanismInvalid)
    }
}

fn is_hidden(parent: &Object) -> bool {
    parent.is_set(ck::CKA_SENSITIVE) || !parent.is_set(ck::CKA_EXTRACTABLE)
}

/// The key type and the bytes that the template asks for.
fn shape(template: &Attributes) -> Result<(CK_KEY_TYPE, Option<usize>)> {
    let class = template.number(ck::CKA_CLASS);
    let key_type = template.number(ck::CKA_KEY_TYPE);
    let key_type = key_type.unwrap_or(ck::CKK_GENERIC_SECRET);
    let is_secret = class.is_none_or(|class| class == ck::CKO_SECRET_KEY);
    if !is_secret || !keys::is_secret_type(key_type) {
        return Err(Error::TemplateInconsistent);
    }
    let asked = template.number(ck::CKA_VALUE_LEN);
    let asked = asked.map(usize::try_from).transpose();
    Ok((key_type, asked.map_err(|_| Error::KeySizeRange)?))
}

/// A bare secret is cut at its leading end (PKCS#11 §2.3.8); the derivation yields what is asked.
fn agree(
    parent: &Object,
    agreement: &Agreement,
    asked: Option<usize>,
) -> Result<Zeroizing<Vec<u8>>> {
    let curve = material::curve(parent)?;
    let point = elliptic::bare_point(&agreement.point);
    let secret = curve.agree(&material::of(parent)?, point)?;
    let length = asked.unwrap_or(secret.len());
    match agreement.hash {
        Some(hash) if length <= 512 => Ok(hash::x963(hash, &secret, &agreement.shared, length)),
        Some(_) => Err(Error::KeySizeRange),
        None => {
            let cut = secret.len().checked_sub(length);
            let kept = &secret[cut.ok_or(Error::KeySizeRange)?..];
            Ok(Zeroizing::new(kept.to_vec()))
        }
    }
}

/// Whole blocks only. Whoever may choose them learns what the key makes of them: legacy profiles alone.
fn encrypted(
    parent: &Object,
    iv: Option<&[u8; BLOCK_BYTES]>,
    given: &[u8],
    asked: Option<usize>,
) -> Result<Zeroizing<Vec<u8>>> {
    if given.is_empty() || !given.len().is_multiple_of(BLOCK_BYTES) {
        return Err(Error::MechanismParamInvalid);
    }
    let key = material::of(parent)?;
    let mut derived = Zeroizing::new(match iv {
        Some(iv) => block::cbc_seal(&key, iv, Padding::None, given)?,
        None => block::ecb_seal(&key, given)?,
    });
    let length = asked.unwrap_or(derived.len());
    if length > derived.len() {
        return Err(Error::KeySizeRange);
    }
    derived.truncate(length);
    Ok(derived)
}

fn hkdf(
    parent: &Object,
    params: &HkdfParams,
    salt: &[u8],
    asked: Option<usize>,
) -> Result<Zeroizing<Vec<u8>>> {
    let mut secret = material::of(parent)?;
    if params.extracts.is_some() {
        secret = hash::hkdf_extract(params.hash, salt, &secret);
    }
    match &params.expands {
        Some(label) => {
            let length = asked.unwrap_or(params.hash.length_bytes());
            hash::hkdf_expand(params.hash, &secret, label, length)
        }
        None if asked.is_none_or(|asked| asked == secret.len()) => Ok(secret),
        None => Err(Error::KeySizeRange),
    }
}
