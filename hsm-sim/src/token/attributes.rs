//! Attributes as raw bytes, with the shape each type must have. Values are wiped when dropped.

use std::collections::BTreeMap;

use cryptoki_sys as ck;
use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_BBOOL, CK_ULONG};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::hex;
use crate::error::{Error, Result};

/// One attribute's bytes, as PKCS#11 lays them out in memory.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Value(#[serde(with = "hex")] Zeroizing<Vec<u8>>);

/// The attributes of an object or of a template.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Attributes(BTreeMap<CK_ATTRIBUTE_TYPE, Value>);

#[derive(Clone, Copy)]
enum Shape {
    Flag,
    Number,
    Numbers,
    Date,
    Bytes,
    /// A template within the template, kept as JSON of its attributes.
    Nested,
}

impl Attributes {
    /// A caller's template: known types, right shapes, nothing twice.
    pub(crate) fn from_template(pairs: Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)>) -> Result<Self> {
        let mut attributes = Self::default();
        for (kind, bytes) in pairs {
            let bytes = Zeroizing::new(bytes);
            check_shape(kind, &bytes)?;
            if attributes.0.insert(kind, Value(bytes)).is_some() {
                return Err(Error::TemplateInconsistent);
            }
        }
        Ok(attributes)
    }

    pub(crate) fn bytes(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        self.0.get(&kind).map(|value| value.0.as_slice())
    }

    /// True only if the attribute is there and true.
    pub(crate) fn is_set(&self, kind: CK_ATTRIBUTE_TYPE) -> bool {
        self.bytes(kind) == Some(&[ck::CK_TRUE])
    }

    pub(crate) fn number(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<CK_ULONG> {
        self.bytes(kind)
            .and_then(|bytes| bytes.try_into().ok())
            .map(CK_ULONG::from_ne_bytes)
    }

    pub(crate) fn put(&mut self, kind: CK_ATTRIBUTE_TYPE, bytes: &[u8]) {
        self.0.insert(kind, Value(Zeroizing::new(bytes.to_vec())));
    }

    pub(crate) fn put_flag(&mut self, kind: CK_ATTRIBUTE_TYPE, value: CK_BBOOL) {
        self.put(kind, &[value]);
    }

    pub(crate) fn put_number(&mut self, kind: CK_ATTRIBUTE_TYPE, value: CK_ULONG) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// Sets a flag that the template left open.
    pub(crate) fn put_flag_if_absent(&mut self, kind: CK_ATTRIBUTE_TYPE, value: CK_BBOOL) {
        if self.bytes(kind).is_none() {
            self.put_flag(kind, value);
        }
    }

    /// The template within a template, from the form in which an object keeps it.
    pub(crate) fn from_nested(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The form in which an object keeps a template within.
    pub(crate) fn to_nested(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|_| Error::TemplateInconsistent)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (CK_ATTRIBUTE_TYPE, &[u8])> {
        self.0
            .iter()
            .map(|(kind, value)| (*kind, value.0.as_slice()))
    }
}

fn check_shape(kind: CK_ATTRIBUTE_TYPE, bytes: &[u8]) -> Result<()> {
    let fits = match shape(kind).ok_or(Error::AttributeTypeInvalid)? {
        Shape::Flag => matches!(bytes, [ck::CK_FALSE | ck::CK_TRUE]),
        Shape::Number => bytes.len() == size_of::<CK_ULONG>(),
        Shape::Numbers => bytes.len().is_multiple_of(size_of::<CK_ULONG>()),
        Shape::Date => bytes.is_empty() || is_date(bytes),
        Shape::Bytes => true,
        Shape::Nested => Attributes::from_nested(bytes).is_some(),
    };
    if fits {
        Ok(())
    } else {
        Err(Error::AttributeValueInvalid)
    }
}

/// Whether the attribute is a template of its own.
pub(crate) fn is_nested(kind: CK_ATTRIBUTE_TYPE) -> bool {
    matches!(shape(kind), Some(Shape::Nested))
}

/// Eight digits: year, month, day (PKCS#11 §3.2, `CK_DATE`).
fn is_date(bytes: &[u8]) -> bool {
    let number = |part: &[u8]| std::str::from_utf8(part).ok()?.parse::<u16>().ok();
    bytes.len() == 8
        && bytes.iter().all(u8::is_ascii_digit)
        && number(&bytes[4..6]).is_some_and(|month| (1..=12).contains(&month))
        && number(&bytes[6..]).is_some_and(|day| (1..=31).contains(&day))
}

fn shape(kind: CK_ATTRIBUTE_TYPE) -> Option<Shape> {
    Some(match kind {
        ck::CKA_TOKEN
        | ck::CKA_PRIVATE
        | ck::CKA_MODIFIABLE
        | ck::CKA_COPYABLE
        | ck::CKA_DESTROYABLE
        | ck::CKA_SENSITIVE
        | ck::CKA_EXTRACTABLE
        | ck::CKA_ALWAYS_SENSITIVE
        | ck::CKA_NEVER_EXTRACTABLE
        | ck::CKA_LOCAL
        | ck::CKA_ENCRYPT
        | ck::CKA_DECRYPT
        | ck::CKA_SIGN
        | ck::CKA_SIGN_RECOVER
        | ck::CKA_VERIFY
        | ck::CKA_VERIFY_RECOVER
        | ck::CKA_WRAP
        | ck::CKA_UNWRAP
        | ck::CKA_DERIVE
        | ck::CKA_TRUSTED
        | ck::CKA_WRAP_WITH_TRUSTED
        | ck::CKA_ALWAYS_AUTHENTICATE => Shape::Flag,
        ck::CKA_CLASS
        | ck::CKA_KEY_TYPE
        | ck::CKA_VALUE_LEN
        | ck::CKA_MODULUS_BITS
        | ck::CKA_CERTIFICATE_TYPE
        | ck::CKA_CERTIFICATE_CATEGORY
        | ck::CKA_JAVA_MIDP_SECURITY_DOMAIN
        | ck::CKA_NAME_HASH_ALGORITHM
        | ck::CKA_KEY_GEN_MECHANISM => Shape::Number,
        ck::CKA_WRAP_TEMPLATE | ck::CKA_UNWRAP_TEMPLATE | ck::CKA_DERIVE_TEMPLATE => Shape::Nested,
        ck::CKA_ALLOWED_MECHANISMS => Shape::Numbers,
        ck::CKA_START_DATE | ck::CKA_END_DATE => Shape::Date,
        ck::CKA_LABEL
        | ck::CKA_ID
        | ck::CKA_VALUE
        | ck::CKA_EC_PARAMS
        | ck::CKA_EC_POINT
        | ck::CKA_APPLICATION
        | ck::CKA_OBJECT_ID
        | ck::CKA_SUBJECT
        | ck::CKA_MODULUS
        | ck::CKA_PUBLIC_EXPONENT
        | ck::CKA_PRIVATE_EXPONENT
        | ck::CKA_PRIME_1
        | ck::CKA_PRIME_2
        | ck::CKA_EXPONENT_1
        | ck::CKA_EXPONENT_2
        | ck::CKA_COEFFICIENT
        | ck::CKA_CHECK_VALUE
        | ck::CKA_ISSUER
        | ck::CKA_SERIAL_NUMBER
        | ck::CKA_URL
        | ck::CKA_PUBLIC_KEY_INFO
        | ck::CKA_HASH_OF_SUBJECT_PUBLIC_KEY
        | ck::CKA_HASH_OF_ISSUER_PUBLIC_KEY
        | ck::CKA_UNIQUE_ID => Shape::Bytes,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_that_is_neither_true_nor_false_is_refused() {
        let template = vec![(ck::CKA_TOKEN, vec![2])];
        assert_eq!(
            Attributes::from_template(template).err(),
            Some(Error::AttributeValueInvalid)
        );
    }

    #[test]
    fn an_attribute_given_twice_is_refused() {
        let template = vec![(ck::CKA_TOKEN, vec![1]), (ck::CKA_TOKEN, vec![1])];
        assert_eq!(
            Attributes::from_template(template).err(),
            Some(Error::TemplateInconsistent)
        );
    }
}
