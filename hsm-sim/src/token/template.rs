//! From a caller's template to a complete object: what each class may and must have, the defaults,
//! and the honest marks of where a key comes from (`LOCAL`, `ALWAYS_SENSITIVE`…).

use cryptoki_sys as ck;
use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_KEY_TYPE, CK_MECHANISM_TYPE, CK_OBJECT_CLASS};

use super::attributes::Attributes;
use super::object::Object;
use crate::error::{Error, Result};

/// DER of the OID 1.3.101.112 (RFC 8410 §3).
const ED25519_OID: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// DER of the `PrintableString` "edwards25519" (PKCS#11 v3.0 §2.3.10).
const ED25519_NAME: &[u8] = b"\x13\x0cedwards25519";

/// Where a key's value comes from.
#[derive(Clone, Copy)]
pub(crate) enum Origin {
    Generated(CK_MECHANISM_TYPE),
    Imported,
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
];
const SECRET: &[CK_ATTRIBUTE_TYPE] = &[
    ck::CKA_SENSITIVE,
    ck::CKA_EXTRACTABLE,
    ck::CKA_WRAP_WITH_TRUSTED,
    ck::CKA_VALUE,
    ck::CKA_DECRYPT,
    ck::CKA_SIGN,
    ck::CKA_UNWRAP,
];
const OPEN: &[CK_ATTRIBUTE_TYPE] = &[ck::CKA_ENCRYPT, ck::CKA_VERIFY, ck::CKA_WRAP];

/// A secret key with its value. `VALUE_LEN` of the template was already used.
pub(crate) fn secret_key(
    template: &Attributes,
    key_type: CK_KEY_TYPE,
    value: &[u8],
    origin: Origin,
) -> Result<Object> {
    let allowed = [STORAGE, KEY, SECRET, OPEN, &[ck::CKA_VALUE_LEN]].concat();
    let mut key = start(template, &allowed, ck::CKO_SECRET_KEY, Some(key_type))?;
    complete_key(&mut key, &[SECRET, OPEN].concat());
    key.put(ck::CKA_VALUE, value);
    put_length(&mut key, value);
    mark_origin(&mut key, origin);
    mark_secrecy(&mut key, origin);
    check_roles(&key)?;
    sheltered(key)
}

/// An Ed25519 private key with its 32-byte seed.
pub(crate) fn private_key(template: &Attributes, seed: &[u8], origin: Origin) -> Result<Object> {
    let more = [ck::CKA_EC_PARAMS, ck::CKA_SUBJECT, ck::CKA_SIGN_RECOVER];
    let allowed = [STORAGE, KEY, SECRET, &more, &[ck::CKA_ALWAYS_AUTHENTICATE]].concat();
    let mut key = start(
        template,
        &allowed,
        ck::CKO_PRIVATE_KEY,
        Some(ck::CKK_EC_EDWARDS),
    )?;
    if key.is_set(ck::CKA_ALWAYS_AUTHENTICATE) {
        return Err(Error::TemplateInconsistent);
    }
    complete_key(&mut key, SECRET);
    key.put_flag(ck::CKA_ALWAYS_AUTHENTICATE, ck::CK_FALSE);
    key.put(ck::CKA_VALUE, seed);
    mark_origin(&mut key, origin);
    mark_secrecy(&mut key, origin);
    sheltered(key)
}

/// An Ed25519 public key; `point` is the raw 32 bytes.
pub(crate) fn public_key(template: &Attributes, point: &[u8], origin: Origin) -> Result<Object> {
    let more = [
        ck::CKA_EC_PARAMS,
        ck::CKA_EC_POINT,
        ck::CKA_SUBJECT,
        ck::CKA_VERIFY_RECOVER,
    ];
    let allowed = [STORAGE, KEY, OPEN, &more].concat();
    let mut key = start(
        template,
        &allowed,
        ck::CKO_PUBLIC_KEY,
        Some(ck::CKK_EC_EDWARDS),
    )?;
    key.put_flag_if_absent(ck::CKA_PRIVATE, ck::CK_FALSE);
    complete_key(&mut key, OPEN);
    key.put(ck::CKA_EC_POINT, &[&[0x04, 0x20], point].concat());
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

/// Refuses any curve but Ed25519.
pub(crate) fn check_curve(template: &Attributes) -> Result<()> {
    match template.bytes(ck::CKA_EC_PARAMS) {
        None => Err(Error::TemplateIncomplete),
        Some(ED25519_OID | ED25519_NAME) => Ok(()),
        Some(_) => Err(Error::CurveNotSupported),
    }
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
    if template.is_set(ck::CKA_TRUSTED) {
        return Err(Error::AttributeReadOnly);
    }
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
    for kind in flags.iter().filter(|kind| **kind != ck::CKA_VALUE) {
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

fn mark_origin(object: &mut Attributes, origin: Origin) {
    let (is_local, mechanism) = match origin {
        Origin::Generated(mechanism) => (true, mechanism),
        Origin::Imported => (false, ck::CK_UNAVAILABLE_INFORMATION),
    };
    object.put_flag(ck::CKA_LOCAL, is_local.into());
    object.put_number(ck::CKA_KEY_GEN_MECHANISM, mechanism);
}

fn mark_secrecy(object: &mut Attributes, origin: Origin) {
    let is_ours = matches!(origin, Origin::Generated(_));
    let is_sensitive = object.is_set(ck::CKA_SENSITIVE);
    let is_extractable = object.is_set(ck::CKA_EXTRACTABLE);
    object.put_flag(ck::CKA_ALWAYS_SENSITIVE, (is_ours && is_sensitive).into());
    object.put_flag(
        ck::CKA_NEVER_EXTRACTABLE,
        (is_ours && !is_extractable).into(),
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

/// A key that both wraps and decrypts reads out any other key (Clulow; Tookan attack A1).
fn check_roles(key: &Attributes) -> Result<()> {
    let reads_out = key.is_set(ck::CKA_WRAP) && key.is_set(ck::CKA_DECRYPT);
    let plants = key.is_set(ck::CKA_UNWRAP) && key.is_set(ck::CKA_ENCRYPT);
    if reads_out || plants {
        Err(Error::TemplateInconsistent)
    } else {
        Ok(())
    }
}
