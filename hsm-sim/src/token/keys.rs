//! Making keys: generation inside the token, and import of given values. Drawing a key pair takes
//! long, so it works without the module and thus outside its lock.

use cryptoki_sys as ck;
use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_KEY_TYPE, CK_OBJECT_HANDLE, CK_SESSION_HANDLE};
use zeroize::Zeroizing;

use super::attributes::Attributes;
use super::elliptic::{self, Curve};
use super::family::FAMILIES;
use super::mechanism::{Mechanism, Method};
use super::module::Module;
use super::object::Object;
use super::template::{self, Origin};
use super::{crypto, material, modular, rules};
use crate::error::{Error, Result};

/// Bytes of a generic secret.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=512;

/// The public exponent of an RSA pair whose template names none: 65537.
const EXPONENT: &[u8] = &[1, 0, 1];

/// Public and private key, in this order.
pub(crate) type Pair = [Object; 2];

impl Module {
    pub(crate) fn generate_key(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: &Mechanism,
        template: &Attributes,
    ) -> Result<CK_OBJECT_HANDLE> {
        self.session(session)?;
        self.check_listed(mechanism.kind)?;
        if template.bytes(ck::CKA_VALUE).is_some() {
            return Err(Error::TemplateInconsistent);
        }
        let (key_type, usual) = match mechanism.method {
            Method::AesKeyGen => (ck::CKK_AES, None),
            Method::GenericKeyGen => (generic_type(template)?, None),
            Method::HkdfKeyGen => (ck::CKK_HKDF, None),
            Method::HmacKeyGen(hash) => {
                let family = FAMILIES.iter().find(|family| family.hash == hash);
                let key_type = family.ok_or(Error::General)?.key_type;
                (key_type, Some(hash.length_bytes()))
            }
            _ => return Err(Error::MechanismInvalid),
        };
        let asked = template.number(ck::CKA_VALUE_LEN).map(usize::try_from);
        let asked = asked.transpose().map_err(|_| Error::KeySizeRange)?;
        let length = asked.or(usual).ok_or(Error::TemplateIncomplete)?;
        check_length(key_type, length)?;
        let mut value = Zeroizing::new(vec![0; length]);
        crypto::fill_random(&mut value)?;
        let origin = Origin::Generated(mechanism.kind);
        let key = template::secret_key(template, key_type, &value, origin)?;
        rules::check(&key, &self.profile)?;
        self.keep_one(session, key)
    }

    /// Refuses what [`draw_pair`] need not begin.
    pub(crate) fn check_pair_generation(
        &mut self,
        session: CK_SESSION_HANDLE,
        mechanism: &Mechanism,
    ) -> Result<()> {
        self.session(session)?;
        self.check_listed(mechanism.kind)
    }

    /// Keeps a drawn pair.
    pub(crate) fn keep_pair(
        &mut self,
        session: CK_SESSION_HANDLE,
        pair: Pair,
    ) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        for key in &pair {
            rules::check(key, &self.profile)?;
        }
        rules::check_pair(&pair, &self.profile)?;
        let handles: [_; 2] = self
            .keep(session, pair.into())?
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
            ck::CKO_CERTIFICATE => template::certificate(template)?,
            ck::CKO_DATA => template::stored_bytes(template)?,
            _ => return Err(Error::AttributeValueInvalid),
        };
        rules::check(&object, &self.profile)?;
        self.keep_one(session, object)
    }
}

/// Draws a key pair.
pub(crate) fn draw_pair(
    mechanism: &Mechanism,
    public: &Attributes,
    private: &Attributes,
) -> Result<Pair> {
    let key_type = match mechanism.method {
        Method::EdwardsPairGen => ck::CKK_EC_EDWARDS,
        Method::CurvePairGen => ck::CKK_EC,
        Method::RsaPairGen => ck::CKK_RSA,
        _ => return Err(Error::MechanismInvalid),
    };
    let (open, secret) = match key_type {
        ck::CKK_RSA => draw_rsa(public, private)?,
        _ => draw_curve(key_type, public, private)?,
    };
    let origin = Origin::Generated(mechanism.kind);
    let public = template::public_key(public, key_type, &open, origin)?;
    let private = template::private_key(private, key_type, &secret, origin)?;
    Ok([public, private])
}

fn draw_curve(
    key_type: CK_KEY_TYPE,
    public: &Attributes,
    private: &Attributes,
) -> Result<(Attributes, Attributes)> {
    let params = public
        .bytes(ck::CKA_EC_PARAMS)
        .ok_or(Error::TemplateIncomplete)?;
    let curve = curve_of(key_type, params)?;
    let given = [public.bytes(ck::CKA_EC_POINT), private.bytes(ck::CKA_VALUE)];
    if given.iter().any(Option::is_some) {
        return Err(Error::TemplateInconsistent);
    }
    let (scalar, point) = curve.generate()?;
    Ok((
        material::curve_public(params, &point),
        material::curve_private(params, &scalar),
    ))
}

fn draw_rsa(public: &Attributes, private: &Attributes) -> Result<(Attributes, Attributes)> {
    let bits = public
        .number(ck::CKA_MODULUS_BITS)
        .ok_or(Error::TemplateIncomplete)?;
    let given = material::RSA_SECRETS.iter().chain([&ck::CKA_MODULUS]);
    let is_given = |kind| public.bytes(kind).is_some() || private.bytes(kind).is_some();
    if given.copied().any(is_given) {
        return Err(Error::TemplateInconsistent);
    }
    let bits = usize::try_from(bits).map_err(|_| Error::KeySizeRange)?;
    let exponent = public.bytes(ck::CKA_PUBLIC_EXPONENT).unwrap_or(EXPONENT);
    let numbers = modular::generate(bits, exponent)?;
    Ok((
        material::rsa_public(&numbers.modulus, &numbers.public_exponent),
        material::rsa_private(&numbers),
    ))
}

/// The curve, if keys of this type may have it.
fn curve_of(key_type: CK_KEY_TYPE, params: &[u8]) -> Result<Curve> {
    let curve = Curve::of(params)?;
    if material::key_type_of(curve) == key_type {
        Ok(curve)
    } else {
        Err(Error::CurveNotSupported)
    }
}

/// Key types of secret keys.
pub(super) fn is_secret_type(key_type: CK_KEY_TYPE) -> bool {
    key_type == ck::CKK_AES || is_generic(key_type)
}

fn is_generic(key_type: CK_KEY_TYPE) -> bool {
    matches!(key_type, ck::CKK_GENERIC_SECRET | ck::CKK_HKDF)
        || FAMILIES.iter().any(|family| family.key_type == key_type)
}

/// A generic secret may be born as a key of an HMAC.
fn generic_type(template: &Attributes) -> Result<CK_KEY_TYPE> {
    let asked = template.number(ck::CKA_KEY_TYPE);
    let key_type = asked.unwrap_or(ck::CKK_GENERIC_SECRET);
    if is_generic(key_type) {
        Ok(key_type)
    } else {
        Err(Error::TemplateInconsistent)
    }
}

pub(super) fn check_length(key_type: CK_KEY_TYPE, length_bytes: usize) -> Result<()> {
    let fits = match key_type {
        ck::CKK_AES => matches!(length_bytes, 16 | 24 | 32),
        _ => is_generic(key_type) && SECRET_BYTES.contains(&length_bytes),
    };
    if fits {
        Ok(())
    } else {
        Err(Error::AttributeValueInvalid)
    }
}

fn import_secret(template: &Attributes) -> Result<Object> {
    let key_type = key_type(template)?;
    let value = template
        .bytes(ck::CKA_VALUE)
        .ok_or(Error::TemplateIncomplete)?;
    if !is_secret_type(key_type) {
        return Err(Error::TemplateInconsistent);
    }
    check_length(key_type, value.len())?;
    template::secret_key(template, key_type, value, Origin::Imported)
}

fn import_private(template: &Attributes) -> Result<Object> {
    let key_type = key_type(template)?;
    let parts = if key_type == ck::CKK_RSA {
        rsa_private_parts(template)?
    } else {
        let params = part(template, ck::CKA_EC_PARAMS)?;
        let scalar = part(template, ck::CKA_VALUE)?;
        curve_of(key_type, params)?.point_of(scalar)?;
        material::curve_private(params, scalar)
    };
    template::private_key(template, key_type, &parts, Origin::Imported)
}

fn rsa_private_parts(template: &Attributes) -> Result<Attributes> {
    let modulus = part(template, ck::CKA_MODULUS)?;
    let exponent = part(template, ck::CKA_PUBLIC_EXPONENT)?;
    let primes = [
        part(template, ck::CKA_PRIME_1)?,
        part(template, ck::CKA_PRIME_2)?,
    ];
    let parts = material::rsa_private(&modular::complete(modulus, exponent, primes)?);
    check_same(template, &parts)?;
    Ok(parts)
}

fn import_public(template: &Attributes) -> Result<Object> {
    let key_type = key_type(template)?;
    let parts = if key_type == ck::CKK_RSA {
        let modulus = part(template, ck::CKA_MODULUS)?;
        let exponent = part(template, ck::CKA_PUBLIC_EXPONENT)?;
        modular::public_der(modulus, exponent)?;
        material::rsa_public(modulus, exponent)
    } else {
        let params = part(template, ck::CKA_EC_PARAMS)?;
        let point = elliptic::bare_point(part(template, ck::CKA_EC_POINT)?);
        curve_of(key_type, params)?.check_point(point)?;
        material::curve_public(params, point)
    };
    template::public_key(template, key_type, &parts, Origin::Imported)
}

/// An attribute that an import must have.
fn part(template: &Attributes, kind: CK_ATTRIBUTE_TYPE) -> Result<&[u8]> {
    template.bytes(kind).ok_or(Error::TemplateIncomplete)
}

fn key_type(template: &Attributes) -> Result<CK_KEY_TYPE> {
    template
        .number(ck::CKA_KEY_TYPE)
        .ok_or(Error::TemplateIncomplete)
}

/// Refuses numbers that do not belong to the key.
fn check_same(template: &Attributes, parts: &Attributes) -> Result<()> {
    let number = |bytes: &[u8]| -> Vec<u8> {
        bytes
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect()
    };
    let is_same = |kind| match (template.bytes(kind), parts.bytes(kind)) {
        (Some(given), Some(found)) => number(given) == number(found),
        _ => true,
    };
    if material::RSA_SECRETS.into_iter().all(is_same) {
        Ok(())
    } else {
        Err(Error::AttributeValueInvalid)
    }
}
