//! The module's doors that make keys: generation inside the token, and import of given values.

use cryptoki_sys as ck;
use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SESSION_HANDLE};
use zeroize::Zeroizing;

use super::attributes::Attributes;
use super::crypto;
use super::mechanism::Mechanism;
use super::module::Module;
use super::object::Object;
use super::template::{self, Origin};
use crate::error::{Error, Result};

/// Bytes of a generic secret.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

impl Module {
    pub(crate) fn generate_key(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: &Mechanism,
        template: &Attributes,
    ) -> Result<CK_OBJECT_HANDLE> {
        self.session(session)?;
        let (key_type, origin) = match mechanism {
            Mechanism::AesKeyGen => (ck::CKK_AES, ck::CKM_AES_KEY_GEN),
            Mechanism::GenericKeyGen => (ck::CKK_GENERIC_SECRET, ck::CKM_GENERIC_SECRET_KEY_GEN),
            _ => return Err(Error::MechanismInvalid),
        };
        if template.bytes(ck::CKA_VALUE).is_some() {
            return Err(Error::TemplateInconsistent);
        }
        let length = template
            .number(ck::CKA_VALUE_LEN)
            .ok_or(Error::TemplateIncomplete)?;
        let length = usize::try_from(length).map_err(|_| Error::KeySizeRange)?;
        check_length(key_type, length).map_err(|_| Error::KeySizeRange)?;
        let mut value = Zeroizing::new(vec![0; length]);
        crypto::fill_random(&mut value)?;
        let key = template::secret_key(template, key_type, &value, Origin::Generated(origin))?;
        self.keep_one(session, key)
    }

    /// Public and private key, in this order.
    pub(crate) fn generate_key_pair(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: &Mechanism,
        public: &Attributes,
        private: &Attributes,
    ) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        self.session(session)?;
        if *mechanism != Mechanism::EdwardsPairGen {
            return Err(Error::MechanismInvalid);
        }
        template::check_curve(public)?;
        let given = [public.bytes(ck::CKA_EC_POINT), private.bytes(ck::CKA_VALUE)];
        if given.iter().any(Option::is_some) {
            return Err(Error::TemplateInconsistent);
        }
        let mut private = private.clone();
        if let Some(curve) = public.bytes(ck::CKA_EC_PARAMS) {
            private.put(ck::CKA_EC_PARAMS, curve);
        }
        let seed = crypto::random_bytes::<32>()?;
        let point = crypto::ed25519_point(&*seed)?;
        let origin = Origin::Generated(ck::CKM_EC_EDWARDS_KEY_PAIR_GEN);
        let public = template::public_key(public, &point, origin)?;
        let private = template::private_key(&private, &*seed, origin)?;
        let handles: [_; 2] = self
            .keep(session, vec![public, private])?
            .try_into()
            .map_err(|_| Error::General)?;
        Ok((handles[0], handles[1]))
    }

    /// Makes an object of the caller's own bytes.
    pub(crate) fn create_object(
        &mut self,
        session: CK_SESSION_HANDLE,
        template: &Attributes,
    ) -> Result<CK_OBJECT_HANDLE> {
        self.session(session)?;
        let class = template
            .number(ck::CKA_CLASS)
            .ok_or(Error::TemplateIncomplete)?;
        let object = match class {
            ck::CKO_SECRET_KEY => import_secret(template)?,
            ck::CKO_PRIVATE_KEY => import_private(template)?,
            ck::CKO_PUBLIC_KEY => import_public(template)?,
            ck::CKO_DATA => template::stored_bytes(template)?,
            _ => return Err(Error::AttributeValueInvalid),
        };
        self.keep_one(session, object)
    }
}

fn check_length(key_type: ck::CK_KEY_TYPE, length_bytes: usize) -> Result<()> {
    let fits = match key_type {
        ck::CKK_AES => matches!(length_bytes, 16 | 24 | 32),
        ck::CKK_GENERIC_SECRET => SECRET_BYTES.contains(&length_bytes),
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(Error::AttributeValueInvalid)
    }
}

fn import_secret(template: &Attributes) -> Result<Object> {
    let key_type = template
        .number(ck::CKA_KEY_TYPE)
        .ok_or(Error::TemplateIncomplete)?;
    let value = template
        .bytes(ck::CKA_VALUE)
        .ok_or(Error::TemplateIncomplete)?;
    if !matches!(key_type, ck::CKK_AES | ck::CKK_GENERIC_SECRET) {
        return Err(Error::TemplateInconsistent);
    }
    check_length(key_type, value.len())?;
    template::secret_key(template, key_type, value, Origin::Imported)
}

fn import_private(template: &Attributes) -> Result<Object> {
    template::check_curve(template)?;
    let seed = template
        .bytes(ck::CKA_VALUE)
        .ok_or(Error::TemplateIncomplete)?;
    if seed.len() != 32 {
        return Err(Error::AttributeValueInvalid);
    }
    template::private_key(template, seed, Origin::Imported)
}

fn import_public(template: &Attributes) -> Result<Object> {
    template::check_curve(template)?;
    let encoded = template
        .bytes(ck::CKA_EC_POINT)
        .ok_or(Error::TemplateIncomplete)?;
    // Both spellings are in use: the bare point, and the point in a DER OCTET STRING.
    let inner = encoded
        .strip_prefix(&[0x04, 0x20])
        .filter(|point| point.len() == 32);
    let point = inner.unwrap_or(encoded);
    crypto::check_point(point)?;
    template::public_key(template, point, Origin::Imported)
}
