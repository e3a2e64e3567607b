//! What the HSM's keys must be, as PKCS#11 attributes.

use cryptoki::object::{Attribute, KeyType, ObjectClass};

/// Curve OID 1.3.101.112 (RFC 8410), DER.
const ED25519: [u8; 5] = [0x06, 0x03, 0x2B, 0x65, 0x70];

fn labelled(class: ObjectClass, kind: KeyType, label: &str) -> Vec<Attribute> {
    vec![
        Attribute::Class(class),
        Attribute::KeyType(kind),
        Attribute::Token(true),
        Attribute::Label(label.as_bytes().to_vec()),
    ]
}

/// Finds a root key.
pub(super) fn root(label: &str) -> Vec<Attribute> {
    labelled(ObjectClass::SECRET_KEY, KeyType::AES, label)
}

/// Finds the half that signs.
pub(super) fn signing(label: &str) -> Vec<Attribute> {
    labelled(ObjectClass::PRIVATE_KEY, KeyType::EC_EDWARDS, label)
}

/// Finds the half that verifies.
pub(super) fn verifying(label: &str) -> Vec<Attribute> {
    labelled(ObjectClass::PUBLIC_KEY, KeyType::EC_EDWARDS, label)
}

/// Finds the half that wraps what is imported.
pub(super) fn wrapping(label: &str) -> Vec<Attribute> {
    labelled(ObjectClass::PUBLIC_KEY, KeyType::RSA, label)
}

/// Finds the half that unwraps it.
pub(super) fn unwrapping(label: &str) -> Vec<Attribute> {
    labelled(ObjectClass::PRIVATE_KEY, KeyType::RSA, label)
}

/// A new half that wraps: public.
pub(super) fn new_wrapping(label: &str, bits: u64) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Encrypt(true),
        Attribute::Verify(false),
        Attribute::Wrap(false),
        Attribute::ModulusBits(bits.into()),
        Attribute::PublicExponent(vec![1, 0, 1]),
        Attribute::Label(label.as_bytes().to_vec()),
    ]
}

/// A new half that unwraps: it decrypts, and nothing else, so that it neither signs nor leaves keys behind.
pub(super) fn new_unwrapping(label: &str) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Decrypt(true),
        Attribute::Sign(false),
        Attribute::Unwrap(false),
        Attribute::Label(label.as_bytes().to_vec()),
    ]
}

/// A new root key, made in the HSM.
pub(super) fn new_root(label: &str) -> Vec<Attribute> {
    let mut template = root_rights(label);
    template.push(Attribute::ValueLen(32.into()));
    template
}

/// A root key that is known outside, for now. The caller wipes it.
pub(super) fn known_root(label: &str, key: &[u8]) -> Vec<Attribute> {
    let mut template = root_rights(label);
    template.extend([
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Value(key.to_vec()),
    ]);
    template
}

/// It never leaves the HSM, and neither wraps nor signs.
fn root_rights(label: &str) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Modifiable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Label(label.as_bytes().to_vec()),
    ]
}

/// A new signing half: it never leaves the HSM.
pub(super) fn new_signing(label: &str) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(label.as_bytes().to_vec()),
    ]
}

/// Its public half.
pub(super) fn new_verifying(label: &str) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::EcParams(ED25519.to_vec()),
        Attribute::Label(label.as_bytes().to_vec()),
    ]
}
