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

/// A new root key: it never leaves the HSM, and neither wraps nor signs.
pub(super) fn new_root(label: &str) -> Vec<Attribute> {
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
        Attribute::ValueLen(32.into()),
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
