//! Keys on their way out and in under another key: the module's doors to wrap and unwrap.

use cryptoki_sys as ck;
use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SESSION_HANDLE};
use zeroize::Zeroizing;

use super::attributes::Attributes;
use super::block::{self, Padding, Wrapping};
use super::mechanism::{Mechanism, Method};
use super::modular::{self, OaepParams};
use super::module::Module;
use super::object::Object;
use super::template::{self, Origin};
use super::{crypto, keys, material, rules};
use crate::error::{Error, Result};

impl Module {
    /// The target under the wrapping key.
    pub(crate) fn wrap_key(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: &Mechanism,
        wrapping: CK_OBJECT_HANDLE,
        target: CK_OBJECT_HANDLE,
    ) -> Result<Vec<u8>> {
        self.session(session)?;
        self.check_wraps(mechanism)?;
        let target = self.key(session, target, Error::KeyHandleInvalid)?.clone();
        let wrapping = self.key(session, wrapping, Error::WrappingKeyHandle)?;
        let is_public = ck::CKO_PUBLIC_KEY;
        check_use(
            wrapping,
            mechanism,
            is_public,
            ck::CKA_WRAP,
            Error::WrappingKeyType,
        )?;
        rules::check_wrap(wrapping, &target)?;
        let key = material::of(wrapping)?;
        seal(&mechanism.method, &key, &material::to_wrap(&target)?)
    }

    /// A new key of what another token, or this one, wrapped.
    pub(crate) fn unwrap_key(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: &Mechanism,
        unwrapping: CK_OBJECT_HANDLE,
        wrapped: &[u8],
        template: &Attributes,
    ) -> Result<CK_OBJECT_HANDLE> {
        self.session(session)?;
        self.check_wraps(mechanism)?;
        let guard = self.profile.guard();
        let door = self.key(session, unwrapping, Error::UnwrappingKeyHandle)?;
        let half = ck::CKO_PRIVATE_KEY;
        check_use(
            door,
            mechanism,
            half,
            ck::CKA_UNWRAP,
            Error::UnwrappingKeyType,
        )?;
        let template = rules::admitted(template, door, ck::CKA_UNWRAP_TEMPLATE, guard)?;
        let bytes = open(&mechanism.method, &material::of(door)?, wrapped)?;
        let key = admit(&template, &bytes)?;
        rules::check(&key, &self.profile)?;
        self.keep_one(session, key)
    }

    /// A visible key, or the error that names its part in the call.
    pub(super) fn key(
        &mut self,
        session: CK_SESSION_HANDLE,
        key: CK_OBJECT_HANDLE,
        absent: Error,
    ) -> Result<&Object> {
        match self.object(session, key) {
            Err(Error::ObjectHandleInvalid) => Err(absent),
            Ok(found) if found.key_type().is_none() => Err(absent),
            found => found,
        }
    }

    /// Whoever may alter a ciphertext and ask again reads CBC: the strict profile does not wrap so.
    fn check_wraps(&self, mechanism: &Mechanism) -> Result<()> {
        self.check_listed(mechanism.kind)?;
        match mechanism.method {
            Method::KeyWrap(_) | Method::Oaep(_) | Method::RsaAesKeyWrap { .. } => Ok(()),
            Method::Cbc(_, Padding::Pkcs7) | Method::Pkcs1(None) if !self.profile.is_strict => {
                Ok(())
            }
            _ => Err(Error::MechanismInvalid),
        }
    }
}

/// Whether the key is of the mechanism's kind and may be used so.
fn check_use(
    key: &Object,
    mechanism: &Mechanism,
    half: ck::CK_OBJECT_CLASS,
    permission: ck::CK_ATTRIBUTE_TYPE,
    mismatch: Error,
) -> Result<()> {
    let wanted = match mechanism.method {
        Method::KeyWrap(_) | Method::Cbc(..) => (ck::CKO_SECRET_KEY, ck::CKK_AES),
        _ => (half, ck::CKK_RSA),
    };
    if (key.class(), key.key_type()) != (Some(wanted.0), Some(wanted.1)) {
        return Err(mismatch);
    }
    if !key.is_set(permission) {
        return Err(Error::KeyFunctionNotPermitted);
    }
    if key.allows(mechanism.kind) {
        Ok(())
    } else {
        Err(Error::MechanismInvalid)
    }
}

fn seal(method: &Method, key: &[u8], target: &[u8]) -> Result<Vec<u8>> {
    match method {
        Method::KeyWrap(wrapping) => block::wrap(*wrapping, key, target),
        Method::Cbc(iv, padding) => block::cbc_seal(key, iv, *padding, target),
        Method::Pkcs1(_) => modular::pkcs1_seal(key, target),
        Method::Oaep(params) => modular::oaep_seal(key, params, target),
        Method::RsaAesKeyWrap { aes_bytes, oaep } => {
            let mut passing = Zeroizing::new(vec![0; *aes_bytes]);
            crypto::fill_random(&mut passing)?;
            let head = modular::oaep_seal(key, oaep, &passing)?;
            let tail = block::wrap(Wrapping::Padded, &passing, target)?;
            Ok([head, tail].concat())
        }
        _ => Err(Error::MechanismInvalid),
    }
    .map_err(|error| match error {
        Error::InputLength => Error::KeySizeRange,
        other => other,
    })
}

/// The bytes inside. Whatever was wrong with them is one error: a second would be an oracle.
fn open(method: &Method, key: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    match method {
        Method::KeyWrap(wrapping) => block::unwrap(*wrapping, key, wrapped),
        Method::Cbc(iv, padding) => block::cbc_open(key, iv, *padding, wrapped),
        Method::Pkcs1(_) => modular::pkcs1_open(key, wrapped),
        Method::Oaep(params) => modular::oaep_open(key, params, wrapped),
        Method::RsaAesKeyWrap { aes_bytes, oaep } => open_in_two(key, *aes_bytes, oaep, wrapped),
        _ => return Err(Error::MechanismInvalid),
    }
    .map_err(|error| match error {
        Error::CiphertextLength => Error::WrappedKeyLength,
        _ => Error::WrappedKeyInvalid,
    })
}

fn open_in_two(
    key: &[u8],
    aes_bytes: usize,
    oaep: &OaepParams,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let head = modular::key_bytes(key).filter(|head| *head < wrapped.len());
    let (head, tail) = wrapped.split_at(head.ok_or(Error::CiphertextLength)?);
    let passing = modular::oaep_open(key, oaep, head)?;
    if passing.len() != aes_bytes {
        return Err(Error::CiphertextInvalid);
    }
    block::unwrap(Wrapping::Padded, &passing, tail)
}

/// The key that the template says the bytes are.
fn admit(template: &Attributes, bytes: &[u8]) -> Result<Object> {
    let number = |kind| template.number(kind).ok_or(Error::TemplateIncomplete);
    let (class, key_type) = (number(ck::CKA_CLASS)?, number(ck::CKA_KEY_TYPE)?);
    match class {
        ck::CKO_SECRET_KEY if keys::is_secret_type(key_type) => {
            let asked = template.number(ck::CKA_VALUE_LEN);
            if asked.is_some_and(|asked| usize::try_from(asked) != Ok(bytes.len())) {
                return Err(Error::TemplateInconsistent);
            }
            if template.bytes(ck::CKA_VALUE).is_some() {
                return Err(Error::TemplateInconsistent);
            }
            keys::check_length(key_type, bytes.len()).map_err(|_| Error::WrappedKeyInvalid)?;
            template::secret_key(template, key_type, bytes, Origin::Imported)
        }
        ck::CKO_PRIVATE_KEY => {
            let parts = material::from_pkcs8(key_type, bytes)?;
            template::private_key(template, key_type, &parts, Origin::Imported)
        }
        _ => Err(Error::TemplateInconsistent),
    }
}
