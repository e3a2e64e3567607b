//! Curves, agreement and derivation.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test fixtures")]

use cryptoki::error::RvError;
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::mechanism::hkdf::{HkdfParams, HkdfSalt};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};

use crate::room::{self, Room, pin, refusal};
use cryptoki::session::UserType;

fn pair(session: &Session, private: &[Attribute]) -> (ObjectHandle, ObjectHandle) {
    let public = [
        Attribute::EcParams(room::P256_OID.to_vec()),
        Attribute::Verify(true),
    ];
    session
        .generate_key_pair(&Mechanism::EccKeyPairGen, &public, private)
        .unwrap()
}

/// The bare point of a public key.
fn point(session: &Session, public: ObjectHandle) -> Vec<u8> {
    let found = session
        .get_attributes(public, &[AttributeType::EcPoint])
        .unwrap();
    let [Attribute::EcPoint(encoded)] = found.as_slice() else {
        panic!("no point")
    };
    encoded.strip_prefix(&[4, 65]).unwrap().to_vec()
}

#[test]
fn an_ecdsa_signature_is_checked_by_another_implementation() {
    let room = Room::with_token();
    let session = room.user_session();
    let (public, private) = pair(&session, &[Attribute::Sign(true)]);
    let signature = session
        .sign(&Mechanism::EcdsaSha256, private, b"message")
        .unwrap();
    assert_eq!(signature.len(), 64);
    let key = VerifyingKey::from_sec1_bytes(&point(&session, public)).unwrap();
    let parsed = Signature::from_slice(&signature).unwrap();
    key.verify(b"message", &parsed).unwrap();

    // The digest made outside gives the same thing.
    let digest = session.digest(&Mechanism::Sha256, b"message").unwrap();
    session
        .verify(&Mechanism::Ecdsa, public, &digest, &signature)
        .unwrap();
    let refused = session.verify(&Mechanism::EcdsaSha384, public, b"message", &signature);
    assert_eq!(refusal(refused), RvError::SignatureInvalid);
}

#[test]
fn two_parties_agree_on_a_key() {
    let room = Room::with_token();
    let session = room.user_session();
    let derives = [Attribute::Derive(true)];
    let (one, two) = (pair(&session, &derives), pair(&session, &derives));
    let shared = |private, public| {
        let point = point(&session, public);
        let template = [
            Attribute::KeyType(KeyType::GENERIC_SECRET),
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::ValueLen(32.into()),
            Attribute::Sign(true),
        ];
        let kdf = EcKdf::sha256(b"shared");
        let mechanism = Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(kdf, &point));
        let key = session.derive_key(&mechanism, private, &template).unwrap();
        session.sign(&room::hmac(), key, b"message").unwrap()
    };
    assert_eq!(shared(one.1, two.0), shared(two.1, one.0));

    let off = [4; 65];
    let mechanism = Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), &off));
    let refused = session.derive_key(&mechanism, one.1, &[]);
    assert_eq!(refusal(refused), RvError::MechanismParamInvalid);
}

#[test]
fn what_comes_of_a_hidden_key_is_hidden() {
    let room = Room::with_token();
    let session = room.user_session();
    let template = [Attribute::ValueLen(32.into()), Attribute::Derive(true)];
    let parent = session.generate_key(&room::generic(), &template).unwrap();
    let params = || HkdfParams::new(MechanismType::SHA256, Some(HkdfSalt::Null), Some(b"label"));
    let derive = |flags: &[Attribute]| {
        let mut template = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(32.into()),
        ];
        template.extend_from_slice(flags);
        session.derive_key(&Mechanism::HkdfDerive(params()), parent, &template)
    };
    for weaker in [Attribute::Sensitive(false), Attribute::Extractable(true)] {
        assert_eq!(refusal(derive(&[weaker])), RvError::TemplateInconsistent);
    }
    let key = derive(&[]).unwrap();
    let asked = [
        AttributeType::AlwaysSensitive,
        AttributeType::NeverExtractable,
        AttributeType::Local,
    ];
    let known = [
        Attribute::AlwaysSensitive(true),
        Attribute::NeverExtractable(true),
        Attribute::Local(false),
    ];
    assert_eq!(session.get_attributes(key, &asked).unwrap(), known);
}

#[test]
fn a_key_that_always_asks_for_a_login_waits_for_it() {
    let room = Room::with_token();
    let session = room.user_session();
    let template = [Attribute::Sign(true), Attribute::AlwaysAuthenticate(true)];
    let (public, private) = pair(&session, &template);
    let mechanism = Mechanism::EcdsaSha256;
    let early = session.sign(&mechanism, private, b"message");
    assert_eq!(refusal(early), RvError::UserNotLoggedIn);

    session.sign_init(&mechanism, private).unwrap();
    let wrong = session.login(UserType::ContextSpecific, Some(&pin("wrong-pin")));
    assert_eq!(refusal(wrong), RvError::PinIncorrect);
    session
        .login(UserType::ContextSpecific, Some(&pin(room::USER_PIN)))
        .unwrap();
    session.sign_update(b"message").unwrap();
    let signature = session.sign_final().unwrap();
    session
        .verify(&mechanism, public, b"message", &signature)
        .unwrap();
    // The login was for one operation.
    let again = session.sign(&mechanism, private, b"message");
    assert_eq!(refusal(again), RvError::UserNotLoggedIn);
    let idle = session.login(UserType::ContextSpecific, Some(&pin(room::USER_PIN)));
    assert_eq!(refusal(idle), RvError::OperationNotInitialized);
}
