//! From a caller's template to a complete object: what each class may and must have, the defaults,
//! and the honest marks of where a key comes from (`LOCAL`, `ALWAYS_SENSITIVE`…).

use cryptoki_sys as ck;
use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_KEY_TYPE, CK_MECHANISM_TYPE, CK_OBJECT_CLASS};

use super::attributes::{self, Attributes};
use super::material;
use super::object::Object;
use crate::error::{Error, Result};

/// Where a key's value comes from.
#[derive(Clone, Copy)]
pub(crate) enum Origin {
    Generated(CK_MECHANISM_TYPE),
    /// From outside, in the clear or wrapped.
    Imported,
    /// Of a key that was always sensitive, and never extractable, or not.
    Derived {
        always_sensitive: bool,
        never_extractable: bool,
    },
}

const STORAGE: &[CK_ATTRIBUTE_TYPE] = &[
    ck::CKA_CLASS,
    ck::CKA_TOKEN,
    ck::CKA_PRIVATE,
    ck::CKA_MODIFIABLE,
    ck::CKA_COPYABLE,
    ck::CKA_DESTROYABLE,
    ck::CKA_LABEL,
];
const KEY: &[CK_ATTRIBUTE_TYPE] = &[
    ck::CKA_KEY_TYPE,
    ck::CKA_ID,
    ck::CKA_START_DATE,
    ck::CKA_END_DATE,
    ck::CKA_DERIVE,
    ck::CKA_TRUSTED,
    ck::CKA_ALLOWED_MECHANISMS,
    ck::CKA_DERIVE_TEMPLATE,
];
const SECRET: &[CK_ATTRIBUTE_TYPE] = &[
    ck::CKA_SENSITIVE,
    ck::CKA_EXTRACTABLE,
    ck::CKA_WRAP_WITH_TRUSTED,
    ck::CKA_VALUE,
    ck::CKA_DECRYPT,
    ck::CKA_SIGN,
    ck::CKA_UNWRAP,
    ck::CKA_UNWRAP_TEMPLATE,
];
const CERTIFICATE: &[CK_ATTRIBUTE_TYPE] = &[
    ck::CKA_CERTIFICATE_TYPE,
    ck::CKA_CERTIFICATE_CATEGORY,
    ck::CKA_CHECK_VALUE,
    ck::CKA_START_DATE,
    ck::CKA_END_DATE,
    ck::CKA_PUBLIC_KEY_INFO,
    ck::CKA_SUBJECT,
    ck::CKA_ID,
    ck::CKA_ISSUER,
    ck::CKA_SERIAL_NUMBER,
    ck::CKA_VALUE,
    ck::CKA_URL,
    ck::CKA_HASH_OF_SUBJECT_PUBLIC_KEY,
    ck::CKA_HASH_OF_ISSUER_PUBLIC_KEY,
    ck::CKA_JAVA_MIDP_SECURITY_DOMAIN,
    ck::CKA_NAME_HASH_ALGORITHM,
];
const OPEN: &[CK_ATTRIBUTE_TYPE] = &[
    ck::CKA_ENCRYPT,
    ck::CKA_VERIFY,
    ck::CKA_WRAP,
    ck::CKA_WRAP_TEMPLATE,
];

/// A secret key with its value. `VALUE_LEN` of the template was already used.
pub(crate) fn secret_key(
    template: &Attributes,
    key_type: CK_KEY_TYPE,
    value: &[u8],
    origin: Origin,
) -> Result<Object> {
    let more = [ck::CKA_VALUE_LEN, ck::CKA_CHECK_VALUE];
    let allowed = [STORAGE, KEY, SECRET, OPEN, &more].concat();
    let mut key = start(template, &allowed, ck::CKO_SECRET_KEY, Some(key_type))?;
    complete_key(&mut key, &[SECRET, OPEN].concat());
    key.put(ck::CKA_VALUE, value);
    put_length(&mut key, value);
    put_check_value(&mut key, key_type, value)?;
    mark_origin(&mut key, origin);
    mark_secrecy(&mut key, origin);
    sheltered(key)
}

/// A private key of these parts: the token's own, whatever the template says of them.
pub(crate) fn private_key(
    template: &Attributes,
    key_type: CK_KEY_TYPE,
    parts: &Attributes,
    origin: Origin,
) -> Result<Object> {
    let more = [ck::CKA_SUBJECT, ck::CKA_SIGN_RECOVER];
    let own: Vec<_> = parts.iter().map(|(kind, _)| kind).collect();
    let always = [ck::CKA_ALWAYS_AUTHENTICATE];
    let allowed = [STORAGE, KEY, SECRET, &more, &always, &own].concat();
    let mut key = start(template, &allowed, ck::CKO_PRIVATE_KEY, Some(key_type))?;
    // A public object could be used by whoever cannot log in.
    if key.is_set(ck::CKA_ALWAYS_AUTHENTICATE)
        && key.bytes(ck::CKA_PRIVATE) == Some(&[ck::CK_FALSE])
    {
        return Err(Error::TemplateInconsistent);
    }
    complete_key(&mut key, SECRET);
    key.put_flag_if_absent(ck::CKA_ALWAYS_AUTHENTICATE, ck::CK_FALSE);
    put_empty_if_absent(&mut key, ck::CKA_SUBJECT);
    put_parts(&mut key, parts);
    mark_origin(&mut key, origin);
    mark_secrecy(&mut key, origin);
    sheltered(key)
}

/// A public key of these parts.
pub(crate) fn public_key(
    template: &Attributes,
    key_type: CK_KEY_TYPE,
    parts: &Attributes,
    origin: Origin,
) -> Result<Object> {
    let more = [ck::CKA_SUBJECT, ck::CKA_VERIFY_RECOVER];
    let own: Vec<_> = parts.iter().map(|(kind, _)| kind).collect();
    let allowed = [STORAGE, KEY, OPEN, &more, &own].concat();
    let mut key = start(template, &allowed, ck::CKO_PUBLIC_KEY, Some(key_type))?;
    key.put_flag_if_absent(ck::CKA_PRIVATE, ck::CK_FALSE);
    complete_key(&mut key, OPEN);
    put_empty_if_absent(&mut key, ck::CKA_SUBJECT);
    put_parts(&mut key, parts);
    mark_origin(&mut key, origin);
    Ok(Object::new(key))
}

/// Stored bytes of the application (`CKO_DATA`).
pub(crate) fn stored_bytes(template: &Attributes) -> Result<Object> {
    let more = [ck::CKA_APPLICATION, ck::CKA_OBJECT_ID, ck::CKA_VALUE];
    let mut object = start(template, &[STORAGE, &more].concat(), ck::CKO_DATA, None)?;
    object.put_flag_if_absent(ck::CKA_PRIVATE, ck::CK_TRUE);
    for kind in more {
        put_empty_if_absent(&mut object, kind);
    }
    complete_storage(&mut object);
    Ok(Object::new(object))
}

/// An X.509 certificate as the application gives it: nothing of it is looked at (PKCS#11 §4.6.3).
pub(crate) fn certificate(template: &Attributes) -> Result<Object> {
    let allowed = [STORAGE, CERTIFICATE, &[ck::CKA_TRUSTED]].concat();
    let mut object = start(template, &allowed, ck::CKO_CERTIFICATE, None)?;
    match template.number(ck::CKA_CERTIFICATE_TYPE) {
        None => return Err(Error::TemplateIncomplete),
        Some(ck::CKC_X_509) => {}
        Some(_) => return Err(Error::AttributeValueInvalid),
    }
    let has = |kind| template.bytes(kind).is_some_and(|bytes| !bytes.is_empty());
    if template.bytes(ck::CKA_SUBJECT).is_none() || !(has(ck::CKA_VALUE) || has(ck::CKA_URL)) {
        return Err(Error::TemplateIncomplete);
    }
    object.put_flag_if_absent(ck::CKA_PRIVATE, ck::CK_FALSE);
    object.put_flag_if_absent(ck::CKA_TRUSTED, ck::CK_FALSE);
    for kind in CERTIFICATE {
        let is_number = matches!(
            *kind,
            ck::CKA_CERTIFICATE_CATEGORY
                | ck::CKA_JAVA_MIDP_SECURITY_DOMAIN
                | ck::CKA_NAME_HASH_ALGORITHM
        );
        if !is_number {
            put_empty_if_absent(&mut object, *kind);
        }
    }
    if object.number(ck::CKA_CERTIFICATE_CATEGORY).is_none() {
        object.put_number(ck::CKA_CERTIFICATE_CATEGORY, 0);
    }
    complete_storage(&mut object);
    Ok(Object::new(object))
}

fn start(
    template: &Attributes,
    allowed: &[CK_ATTRIBUTE_TYPE],
    class: CK_OBJECT_CLASS,
    key_type: Option<CK_KEY_TYPE>,
) -> Result<Attributes> {
    for (kind, _) in template.iter() {
        if !allowed.contains(&kind) {
            return Err(refusal_of(kind));
        }
    }
    check_dates(template)?;
    let mut object = template.clone();
    put_fixed(&mut object, ck::CKA_CLASS, class)?;
    if let Some(key_type) = key_type {
        put_fixed(&mut object, ck::CKA_KEY_TYPE, key_type)?;
    }
    Ok(object)
}

fn refusal_of(kind: CK_ATTRIBUTE_TYPE) -> Error {
    match kind {
        ck::CKA_LOCAL
        | ck::CKA_ALWAYS_SENSITIVE
        | ck::CKA_NEVER_EXTRACTABLE
        | ck::CKA_KEY_GEN_MECHANISM
        | ck::CKA_UNIQUE_ID => Error::AttributeReadOnly,
        _ => Error::TemplateInconsistent,
    }
}

fn put_fixed(object: &mut Attributes, kind: CK_ATTRIBUTE_TYPE, value: u64) -> Result<()> {
    if object.number(kind).is_some_and(|asked| asked != value) {
        return Err(Error::TemplateInconsistent);
    }
    object.put_number(kind, value);
    Ok(())
}

fn complete_storage(object: &mut Attributes) {
    object.put_flag_if_absent(ck::CKA_TOKEN, ck::CK_FALSE);
    object.put_flag_if_absent(ck::CKA_PRIVATE, ck::CK_TRUE);
    object.put_flag_if_absent(ck::CKA_MODIFIABLE, ck::CK_TRUE);
    object.put_flag_if_absent(ck::CKA_COPYABLE, ck::CK_TRUE);
    object.put_flag_if_absent(ck::CKA_DESTROYABLE, ck::CK_TRUE);
    put_empty_if_absent(object, ck::CKA_LABEL);
}

/// The strict defaults: a key is sensitive, not extractable, and good for nothing unless asked.
fn complete_key(object: &mut Attributes, flags: &[CK_ATTRIBUTE_TYPE]) {
    complete_storage(object);
    for kind in [ck::CKA_ID, ck::CKA_START_DATE, ck::CKA_END_DATE] {
        put_empty_if_absent(object, kind);
    }
    object.put_flag_if_absent(ck::CKA_DERIVE, ck::CK_FALSE);
    object.put_flag_if_absent(ck::CKA_TRUSTED, ck::CK_FALSE);
    for kind in flags {
        if *kind == ck::CKA_VALUE || attributes::is_nested(*kind) {
            continue;
        }
        object.put_flag_if_absent(*kind, (*kind == ck::CKA_SENSITIVE).into());
    }
}

fn put_empty_if_absent(object: &mut Attributes, kind: CK_ATTRIBUTE_TYPE) {
    if object.bytes(kind).is_none() {
        object.put(kind, &[]);
    }
}

fn put_length(object: &mut Attributes, value: &[u8]) {
    object.put(ck::CKA_VALUE_LEN, &value.len().to_ne_bytes());
}

fn put_parts(object: &mut Attributes, parts: &Attributes) {
    for (kind, bytes) in parts.iter() {
        object.put(kind, bytes);
    }
}

/// The check value; one that the caller gives must be right, an empty one wants none.
fn put_check_value(key: &mut Attributes, key_type: CK_KEY_TYPE, value: &[u8]) -> Result<()> {
    let found = material::check_value(key_type, value)?;
    match key.bytes(ck::CKA_CHECK_VALUE) {
        Some([]) => {}
        Some(given) if given != found => return Err(Error::AttributeValueInvalid),
        _ => key.put(ck::CKA_CHECK_VALUE, &found),
    }
    Ok(())
}

/// A validity that ends before it starts is none.
fn check_dates(template: &Attributes) -> Result<()> {
    let date = |kind| template.bytes(kind).filter(|date| !date.is_empty());
    let is_reversed = date(ck::CKA_START_DATE)
        .zip(date(ck::CKA_END_DATE))
        .is_some_and(|(start, end)| start > end);
    if is_reversed {
        Err(Error::TemplateInconsistent)
    } else {
        Ok(())
    }
}

fn mark_origin(object: &mut Attributes, origin: Origin) {
    let (is_local, mechanism) = match origin {
        Origin::Generated(mechanism) => (true, mechanism),
        Origin::Imported | Origin::Derived { .. } => (false, ck::CK_UNAVAILABLE_INFORMATION),
    };
    object.put_flag(ck::CKA_LOCAL, is_local.into());
    object.put_number(ck::CKA_KEY_GEN_MECHANISM, mechanism);
}

fn mark_secrecy(object: &mut Attributes, origin: Origin) {
    let (was_sensitive, was_kept) = match origin {
        Origin::Generated(_) => (true, true),
        Origin::Imported => (false, false),
        Origin::Derived {
            always_sensitive,
            never_extractable,
        } => (always_sensitive, never_extractable),
    };
    let is_sensitive = object.is_set(ck::CKA_SENSITIVE);
    let is_extractable = object.is_set(ck::CKA_EXTRACTABLE);
    object.put_flag(
        ck::CKA_ALWAYS_SENSITIVE,
        (was_sensitive && is_sensitive).into(),
    );
    object.put_flag(
        ck::CKA_NEVER_EXTRACTABLE,
        (was_kept && !is_extractable).into(),
    );
}

/// A stored secret must be private.
fn sheltered(key: Attributes) -> Result<Object> {
    let key = Object::new(key);
    if key.is_bare() {
        Err(Error::TemplateInconsistent)
    } else {
        Ok(key)
    }
}
