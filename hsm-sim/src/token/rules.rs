//! The rules against attacks through the API itself (Clulow, CHES 2003; Bortolozzo and others, "Tookan",
//! CCS 2010): what no key may be at once, and what may wrap and be unwrapped.

use cryptoki_sys as ck;
use cryptoki_sys::CK_ATTRIBUTE_TYPE;

use super::attributes::Attributes;
use super::object::Object;
use super::profile::{Profile, Roles};
use crate::error::{Error, Result};

/// How a key that another lets in is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// As its template says.
    AsAsked,
    /// Hidden and not to leave, unless the other key's template says otherwise.
    Hidden,
}

/// Refuses a new key that would let others out.
pub(super) fn check(key: &Object, profile: &Profile) -> Result<()> {
    check_roles([key, key], profile)?;
    check_origin(key, profile)
}

/// The roles between the halves of a pair (attack A2).
pub(super) fn check_pair([public, private]: &[Object; 2], profile: &Profile) -> Result<()> {
    check_roles([public, private], profile)
}

/// What wraps and also decrypts reads out any key (attack A1); what encrypts and also unwraps plants
/// a known one. Only the profile of a module that permits this does.
fn check_roles([open, closed]: [&Object; 2], profile: &Profile) -> Result<()> {
    let reads_out = open.is_set(ck::CKA_WRAP) && closed.is_set(ck::CKA_DECRYPT);
    let plants = open.is_set(ck::CKA_ENCRYPT) && closed.is_set(ck::CKA_UNWRAP);
    if profile.roles == Roles::Apart && (reads_out || plants) {
        return Err(Error::TemplateInconsistent);
    }
    Ok(())
}

/// What wraps was made here and stays here, or the SO trusts it. Else a caller brings in a key whose
/// value it knows, or takes a wrapping key out and in again as one that decrypts.
fn check_origin(key: &Object, profile: &Profile) -> Result<()> {
    let is_foreign = !key.is_set(ck::CKA_LOCAL) || key.is_set(ck::CKA_EXTRACTABLE);
    let wraps = key.is_set(ck::CKA_WRAP) && !key.is_set(ck::CKA_TRUSTED);
    if profile.is_strict && wraps && is_foreign {
        return Err(Error::TemplateInconsistent);
    }
    Ok(())
}

/// Whether one key may leave under the other.
pub(super) fn check_wrap(wrapping: &Object, target: &Object) -> Result<()> {
    let is_secret = matches!(
        target.class(),
        Some(ck::CKO_SECRET_KEY | ck::CKO_PRIVATE_KEY)
    );
    if !is_secret {
        return Err(Error::KeyNotWrappable);
    }
    if !target.is_set(ck::CKA_EXTRACTABLE) {
        return Err(Error::KeyUnextractable);
    }
    let is_distrusted =
        target.is_set(ck::CKA_WRAP_WITH_TRUSTED) && !wrapping.is_set(ck::CKA_TRUSTED);
    let wanted = wrapping.template(ck::CKA_WRAP_TEMPLATE).unwrap_or_default();
    let fits = |(kind, bytes): (CK_ATTRIBUTE_TYPE, &[u8])| target.inner(kind) == Some(bytes);
    if is_distrusted || !wanted.iter().all(fits) {
        return Err(Error::KeyNotWrappable);
    }
    Ok(())
}

/// The template of a key that another key lets in: the caller's, bound by what the other demands.
pub(super) fn admitted(
    asked: &Attributes,
    door: &Object,
    demands: CK_ATTRIBUTE_TYPE,
    guard: Guard,
) -> Result<Attributes> {
    let demanded = door.template(demands).unwrap_or_default();
    let mut template = asked.clone();
    for (kind, bytes) in demanded.iter() {
        if asked.bytes(kind).is_some_and(|given| given != bytes) {
            return Err(Error::TemplateInconsistent);
        }
        template.put(kind, bytes);
    }
    let is_bared = template.bytes(ck::CKA_SENSITIVE) == Some(&[ck::CK_FALSE])
        && demanded.bytes(ck::CKA_SENSITIVE).is_none();
    let is_let_out =
        template.is_set(ck::CKA_EXTRACTABLE) && demanded.bytes(ck::CKA_EXTRACTABLE).is_none();
    if guard == Guard::Hidden && (is_bared || is_let_out) {
        return Err(Error::TemplateInconsistent);
    }
    Ok(template)
}
