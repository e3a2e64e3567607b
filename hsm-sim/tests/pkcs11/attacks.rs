//! Attacks through the API itself, each refused: A1 to A5 of Bortolozzo and others ("Tookan", CCS 2010)
//! after Clulow (CHES 2003), and the ways around the first rules.
#![expect(clippy::unwrap_used, reason = "test fixtures")]

use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::room::{self, Room, aes, refusal};

fn key_with(
    session: &Session,
    flags: &[Attribute],
) -> Result<ObjectHandle, cryptoki::error::Error> {
    let mut template = vec![Attribute::ValueLen(32.into())];
    template.extend_from_slice(flags);
    session.generate_key(&aes(), &template)
}

/// A key that may leave: what an attacker wants to read.
fn victim(session: &Session) -> ObjectHandle {
    key_with(
        session,
        &[Attribute::Extractable(true), Attribute::Encrypt(true)],
    )
    .unwrap()
}

fn arriving(flags: &[Attribute]) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
    ];
    template.extend_from_slice(flags);
    template
}

#[test]
fn a1_no_key_both_wraps_and_decrypts() {
    let room = Room::with_token();
    let session = room.user_session();
    let both = [Attribute::Wrap(true), Attribute::Decrypt(true)];
    assert_eq!(
        refusal(key_with(&session, &both)),
        RvError::TemplateInconsistent
    );
    let wrapping = key_with(&session, &[Attribute::Wrap(true)]).unwrap();
    let refused = session.update_attributes(wrapping, &[Attribute::Decrypt(true)]);
    assert_eq!(refusal(refused), RvError::AttributeReadOnly);
    let refused = session.copy_object(wrapping, &[Attribute::Decrypt(true)]);
    assert_eq!(refusal(refused), RvError::AttributeReadOnly);

    let target = victim(&session);
    let wrapped = session
        .wrap_key(&Mechanism::AesKeyWrap, wrapping, target)
        .unwrap();
    let refused = session.decrypt(&Mechanism::AesCbcPad([0; 16]), wrapping, &wrapped);
    assert_eq!(refusal(refused), RvError::KeyFunctionNotPermitted);
}

#[test]
fn a1_by_way_of_two_copies_of_one_key_is_refused_too() {
    let room = Room::with_token();
    let session = room.user_session();
    // A wrapping key that may leave would come back as one that decrypts.
    let leaving = [Attribute::Wrap(true), Attribute::Extractable(true)];
    assert_eq!(
        refusal(key_with(&session, &leaving)),
        RvError::TemplateInconsistent
    );
    // A key that decrypts and may leave would come back as one that wraps.
    let guard = [Attribute::Wrap(true), Attribute::Unwrap(true)];
    let guard = key_with(&session, &guard).unwrap();
    let reader = [Attribute::Decrypt(true), Attribute::Extractable(true)];
    let reader = key_with(&session, &reader).unwrap();
    let wrapped = session
        .wrap_key(&Mechanism::AesKeyWrapPad, guard, reader)
        .unwrap();
    let as_wrapping = arriving(&[Attribute::Wrap(true)]);
    let refused = session.unwrap_key(&Mechanism::AesKeyWrapPad, guard, &wrapped, &as_wrapping);
    assert_eq!(refusal(refused), RvError::TemplateInconsistent);
}

#[test]
fn a1_with_a_known_key_brought_in_or_planted_is_refused() {
    let room = Room::with_token();
    let session = room.user_session();
    let mut known = room::imported_aes(&[7; 32]);
    known.push(Attribute::Wrap(true));
    assert_eq!(
        refusal(session.create_object(&known)),
        RvError::TemplateInconsistent
    );
    let planting = [Attribute::Unwrap(true), Attribute::Encrypt(true)];
    assert_eq!(
        refusal(key_with(&session, &planting)),
        RvError::TemplateInconsistent
    );
}

#[test]
fn a2_no_pair_both_wraps_and_decrypts() {
    let room = Room::with_token();
    let session = room.user_session();
    let bits = Attribute::ModulusBits(2048.into());
    for (open, closed) in [
        (Attribute::Wrap(true), Attribute::Decrypt(true)),
        (Attribute::Encrypt(true), Attribute::Unwrap(true)),
    ] {
        let refused = session.generate_key_pair(
            &Mechanism::RsaPkcsKeyPairGen,
            &[bits.clone(), open],
            &[closed],
        );
        assert_eq!(refusal(refused), RvError::TemplateInconsistent);
    }
}

#[test]
fn a3_a_sensitive_value_is_never_read() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = victim(&session);
    let read = session
        .get_attributes(key, &[AttributeType::Value])
        .unwrap();
    assert!(read.is_empty());
}

#[test]
fn a4_a_key_that_may_not_leave_is_not_read_and_not_wrapped() {
    let room = Room::with_token();
    let session = room.user_session();
    let kept = key_with(&session, &[Attribute::Sensitive(false)]).unwrap();
    let read = session
        .get_attributes(kept, &[AttributeType::Value])
        .unwrap();
    assert!(read.is_empty());
    let wrapping = key_with(&session, &[Attribute::Wrap(true)]).unwrap();
    let refused = session.wrap_key(&Mechanism::AesKeyWrap, wrapping, kept);
    assert_eq!(refusal(refused), RvError::KeyUnextractable);
}

#[test]
fn a5_neither_a_change_nor_a_copy_bares_a_key() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = key_with(&session, &[]).unwrap();
    for weaker in [Attribute::Sensitive(false), Attribute::Extractable(true)] {
        let refused = session.update_attributes(key, std::slice::from_ref(&weaker));
        assert_eq!(refusal(refused), RvError::AttributeReadOnly);
        let refused = session.copy_object(key, &[weaker]);
        assert_eq!(refusal(refused), RvError::AttributeReadOnly);
    }
}

#[test]
fn a5_an_unwrapped_key_is_hidden_and_stays() {
    let room = Room::with_token();
    let session = room.user_session();
    let guard = [Attribute::Wrap(true), Attribute::Unwrap(true)];
    let guard = key_with(&session, &guard).unwrap();
    let wrapped = session
        .wrap_key(&Mechanism::AesKeyWrap, guard, victim(&session))
        .unwrap();
    let unwrap = |flags: &[Attribute]| {
        session.unwrap_key(&Mechanism::AesKeyWrap, guard, &wrapped, &arriving(flags))
    };
    for weaker in [Attribute::Sensitive(false), Attribute::Extractable(true)] {
        assert_eq!(refusal(unwrap(&[weaker])), RvError::TemplateInconsistent);
    }
    let key = unwrap(&[]).unwrap();
    let asked = [
        AttributeType::Sensitive,
        AttributeType::Extractable,
        AttributeType::AlwaysSensitive,
        AttributeType::NeverExtractable,
        AttributeType::Local,
        AttributeType::Value,
    ];
    let known = [
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::AlwaysSensitive(false),
        Attribute::NeverExtractable(false),
        Attribute::Local(false),
    ];
    assert_eq!(session.get_attributes(key, &asked).unwrap(), known);
}

#[test]
fn cbc_does_not_wrap_since_it_can_be_asked_byte_by_byte() {
    let room = Room::with_token();
    let session = room.user_session();
    let guard = key_with(&session, &[Attribute::Wrap(true)]).unwrap();
    let refused = session.wrap_key(&Mechanism::AesCbcPad([0; 16]), guard, victim(&session));
    assert_eq!(refusal(refused), RvError::MechanismInvalid);
}
