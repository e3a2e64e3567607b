//! One object: who may see it, what may be read of it, and what of it may still change.

use std::collections::BTreeMap;

use cryptoki_sys as ck;
use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_KEY_TYPE, CK_MECHANISM_TYPE, CK_OBJECT_CLASS};
use serde::{Deserialize, Serialize};

use super::attributes::Attributes;
use super::material;
use super::pin::Role;
use crate::error::{Error, Result};

/// A token's objects by number; a token object's number is its handle.
pub(crate) type Objects = BTreeMap<u64, Object>;

/// A key or a piece of stored bytes, complete and consistent.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Object(Attributes);

/// Flags that may only go from true to false.
const ONLY_DOWN: [CK_ATTRIBUTE_TYPE; 11] = [
    ck::CKA_EXTRACTABLE,
    ck::CKA_ENCRYPT,
    ck::CKA_DECRYPT,
    ck::CKA_SIGN,
    ck::CKA_VERIFY,
    ck::CKA_WRAP,
    ck::CKA_UNWRAP,
    ck::CKA_DERIVE,
    ck::CKA_MODIFIABLE,
    ck::CKA_COPYABLE,
    ck::CKA_TRUSTED,
];

/// Flags that may only go from false to true.
const ONLY_UP: [CK_ATTRIBUTE_TYPE; 2] = [ck::CKA_SENSITIVE, ck::CKA_WRAP_WITH_TRUSTED];

/// Flags that a copy may choose for itself. It may not become more copyable.
const CHOSEN_BY_COPY: [CK_ATTRIBUTE_TYPE; 3] =
    [ck::CKA_TOKEN, ck::CKA_MODIFIABLE, ck::CKA_DESTROYABLE];

const FREE: [CK_ATTRIBUTE_TYPE; 7] = [
    ck::CKA_LABEL,
    ck::CKA_ID,
    ck::CKA_START_DATE,
    ck::CKA_END_DATE,
    ck::CKA_SUBJECT,
    ck::CKA_ISSUER,
    ck::CKA_SERIAL_NUMBER,
];

impl Object {
    /// Only [`super::template`] makes objects of callers' attributes.
    pub(super) fn new(attributes: Attributes) -> Self {
        Self(attributes)
    }

    pub(crate) fn class(&self) -> Option<CK_OBJECT_CLASS> {
        self.0.number(ck::CKA_CLASS)
    }

    pub(crate) fn key_type(&self) -> Option<CK_KEY_TYPE> {
        self.0.number(ck::CKA_KEY_TYPE)
    }

    pub(crate) fn is_set(&self, kind: CK_ATTRIBUTE_TYPE) -> bool {
        self.0.is_set(kind)
    }

    pub(crate) fn is_private(&self) -> bool {
        self.is_set(ck::CKA_PRIVATE)
    }

    pub(crate) fn is_token(&self) -> bool {
        self.is_set(ck::CKA_TOKEN)
    }

    /// Whether `CKA_ALLOWED_MECHANISMS`, if the key has it, names the mechanism.
    pub(crate) fn allows(&self, mechanism: CK_MECHANISM_TYPE) -> bool {
        let listed = self.inner(ck::CKA_ALLOWED_MECHANISMS);
        let named = mechanism.to_ne_bytes();
        listed.is_none_or(|listed| listed.chunks_exact(named.len()).any(|one| one == named))
    }

    /// An attribute for the token's own use, sensitive or not.
    pub(super) fn inner(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        self.0.bytes(kind)
    }

    /// A template that the object holds for others (`CKA_UNWRAP_TEMPLATE`…).
    pub(super) fn template(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<Attributes> {
        Attributes::from_nested(self.inner(kind)?)
    }

    /// Names the object for good (`CKA_UNIQUE_ID`).
    pub(super) fn name(&mut self, unique: &str) {
        self.0.put(ck::CKA_UNIQUE_ID, unique.as_bytes());
    }

    /// A copy of a trusted key is trusted only if the SO makes it.
    pub(super) fn distrust(&mut self) {
        self.0.put_flag(ck::CKA_TRUSTED, ck::CK_FALSE);
    }

    /// An attribute for a caller. What a sensitive or non-extractable key hides is refused.
    pub(crate) fn read(&self, kind: CK_ATTRIBUTE_TYPE) -> Result<&[u8]> {
        let is_secret_part = kind == ck::CKA_VALUE || material::RSA_SECRETS.contains(&kind);
        if is_secret_part && self.hides_value() {
            return Err(Error::AttributeSensitive);
        }
        self.0.bytes(kind).ok_or(Error::AttributeTypeInvalid)
    }

    /// Whether the object has all of the template's attributes. A hidden value never matches:
    /// a search would be an oracle for it.
    pub(crate) fn matches(&self, template: &[(CK_ATTRIBUTE_TYPE, Vec<u8>)]) -> bool {
        template
            .iter()
            .all(|(kind, bytes)| self.read(*kind) == Ok(bytes.as_slice()))
    }

    /// The object with the template's changes, or why they are refused. Only the SO says whom to
    /// trust.
    pub(crate) fn changed(&self, template: &Attributes, role: Option<Role>) -> Result<Self> {
        if !self.is_set(ck::CKA_MODIFIABLE) {
            return Err(Error::ActionProhibited);
        }
        let mut changed = self.clone();
        for (kind, bytes) in template.iter() {
            let trusts = kind == ck::CKA_TRUSTED && role == Some(Role::SecurityOfficer);
            if !(trusts && self.can_be_trusted()) {
                self.check_change(kind, bytes)?;
            }
            changed.0.put(kind, bytes);
        }
        Ok(changed)
    }

    /// A copy with the template's changes. What only a new object may choose is free once more:
    /// where it lives, and to be private.
    pub(crate) fn copied(&self, template: &Attributes) -> Result<Self> {
        if !self.is_set(ck::CKA_COPYABLE) {
            return Err(Error::ActionProhibited);
        }
        let mut copy = self.clone();
        for (kind, bytes) in template.iter() {
            let hides = kind == ck::CKA_PRIVATE && bytes == [ck::CK_TRUE];
            if !hides && !CHOSEN_BY_COPY.contains(&kind) {
                self.check_change(kind, bytes)?;
            }
            copy.0.put(kind, bytes);
        }
        if copy.is_bare() {
            Err(Error::TemplateInconsistent)
        } else {
            Ok(copy)
        }
    }

    /// Whether a secret would be stored unsealed: only private objects are sealed in the file.
    pub(super) fn is_bare(&self) -> bool {
        self.is_secret() && self.is_token() && !self.is_private()
    }

    fn can_be_trusted(&self) -> bool {
        self.key_type().is_some() || self.class() == Some(ck::CKO_CERTIFICATE)
    }

    fn is_secret(&self) -> bool {
        matches!(self.class(), Some(ck::CKO_SECRET_KEY | ck::CKO_PRIVATE_KEY))
    }

    /// Bytes of all attributes: what `C_GetObjectSize` tells.
    pub(crate) fn size_bytes(&self) -> usize {
        self.0
            .iter()
            .map(|(_, bytes)| size_of::<CK_ATTRIBUTE_TYPE>() + bytes.len())
            .sum()
    }

    fn check_change(&self, kind: CK_ATTRIBUTE_TYPE, bytes: &[u8]) -> Result<()> {
        let present = self.0.bytes(kind).ok_or(Error::AttributeTypeInvalid)?;
        let weakens_nothing = (ONLY_DOWN.contains(&kind) && bytes == [ck::CK_FALSE])
            || (ONLY_UP.contains(&kind) && bytes == [ck::CK_TRUE]);
        let is_flag = ONLY_DOWN.contains(&kind) || ONLY_UP.contains(&kind);
        let stays = is_flag && present == bytes;
        if FREE.contains(&kind) || stays || weakens_nothing {
            return Ok(());
        }
        Err(Error::AttributeReadOnly)
    }

    fn hides_value(&self) -> bool {
        self.is_secret() && (self.is_set(ck::CKA_SENSITIVE) || !self.is_set(ck::CKA_EXTRACTABLE))
    }
}
