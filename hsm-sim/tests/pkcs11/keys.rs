//! Keys: what they do, what they refuse, and what never comes out.

use cryptoki::error::RvError;
use cryptoki::mechanism::aead::{GcmMessageParams, GeneratorFunction};
use cryptoki::mechanism::{Mechanism, MechanismType, MessageParam};
use cryptoki::object::{Attribute, AttributeType};
use ed25519_dalek::{Signature, VerifyingKey};

use crate::room::{self, Room, aes, ed25519, edwards, gcm, open_gcm, refusal, seal_gcm};

#[test]
fn a_key_generated_inside_seals_and_opens_but_is_never_read() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();

    let sealed = seal_gcm(&session, key, b"aad", b"plaintext").unwrap();
    assert_eq!(sealed.len(), 9 + 16);
    assert_eq!(
        open_gcm(&session, key, b"aad", &sealed).unwrap(),
        b"plaintext"
    );

    let asked = [AttributeType::Value, AttributeType::Sensitive];
    let readable = session.get_attributes(key, &asked).unwrap();
    assert_eq!(readable, [Attribute::Sensitive(true)]);
    let marks = [
        AttributeType::AlwaysSensitive,
        AttributeType::NeverExtractable,
        AttributeType::Local,
        AttributeType::Extractable,
    ];
    let known = [
        Attribute::AlwaysSensitive(true),
        Attribute::NeverExtractable(true),
        Attribute::Local(true),
        Attribute::Extractable(false),
    ];
    assert_eq!(session.get_attributes(key, &marks).unwrap(), known);
}

#[test]
fn an_altered_ciphertext_tag_or_aad_is_refused() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    let sealed = seal_gcm(&session, key, b"aad", b"plaintext").unwrap();

    for place in [0, sealed.len() - 1] {
        let mut altered = sealed.clone();
        altered[place] ^= 1;
        let refused = open_gcm(&session, key, b"aad", &altered);
        assert_eq!(refusal(refused), RvError::EncryptedDataInvalid);
    }
    let refused = open_gcm(&session, key, b"other", &sealed);
    assert_eq!(refusal(refused), RvError::EncryptedDataInvalid);
    let refused = open_gcm(&session, key, b"aad", &sealed[..15]);
    assert_eq!(refusal(refused), RvError::EncryptedDataLenRange);
    assert!(open_gcm(&session, key, b"aad", &sealed).is_ok());
}

#[test]
fn parts_give_the_same_ciphertext_as_one_call() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    let whole = seal_gcm(&session, key, b"aad", b"plaintext").unwrap();

    let mut iv = room::IV;
    session.encrypt_init(&gcm(&mut iv, b"aad"), key).unwrap();
    let mut parts = session.encrypt_update(b"plain").unwrap();
    parts.extend(session.encrypt_update(b"text").unwrap());
    parts.extend(session.encrypt_final().unwrap());
    assert_eq!(parts, whole);

    let mut iv = room::IV;
    session.decrypt_init(&gcm(&mut iv, b"aad"), key).unwrap();
    assert!(session.decrypt_update(&whole[..20]).unwrap().is_empty());
    session.decrypt_update(&whole[20..]).unwrap();
    assert_eq!(session.decrypt_final().unwrap(), b"plaintext");
}

#[test]
fn an_ed25519_signature_is_checked_by_another_implementation() {
    let room = Room::with_token();
    let session = room.user_session();
    let (public, private) = room::signing_pair(&session, room::ED25519_OID);
    let signature = session.sign(&ed25519(), private, b"message").unwrap();

    let found = session
        .get_attributes(public, &[AttributeType::EcPoint])
        .unwrap();
    let [Attribute::EcPoint(point)] = found.as_slice() else {
        panic!("no point")
    };
    let point: [u8; 32] = point.strip_prefix(&[4, 32]).unwrap().try_into().unwrap();
    let key = VerifyingKey::from_bytes(&point).unwrap();
    key.verify_strict(b"message", &Signature::from_slice(&signature).unwrap())
        .unwrap();

    session
        .verify(&ed25519(), public, b"message", &signature)
        .unwrap();
    let refused = session.verify(&ed25519(), public, b"massage", &signature);
    assert_eq!(refusal(refused), RvError::SignatureInvalid);
    room::signing_pair(&session, b"\x13\x0cedwards25519");
    let curve = [Attribute::EcParams(vec![0x06, 0x03, 0x2b, 0x65, 0x71])];
    let refused = session.generate_key_pair(&edwards(), &curve, &[]);
    assert_eq!(refusal(refused), RvError::CurveNotSupported);
}

#[test]
fn an_hmac_is_made_and_checked() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&room::generic(), &room::mac_key())
        .unwrap();
    let tag = session.sign(&room::hmac(), key, b"message").unwrap();
    assert_eq!(tag.len(), 32);
    session
        .verify(&room::hmac(), key, b"message", &tag)
        .unwrap();
    let refused = session.verify(&room::hmac(), key, b"massage", &tag);
    assert_eq!(refusal(refused), RvError::SignatureInvalid);
    let refused = session.verify(&room::hmac(), key, b"message", &tag[..31]);
    assert_eq!(refusal(refused), RvError::SignatureLenRange);
}

#[test]
fn a_key_does_only_what_its_type_and_flags_permit() {
    let room = Room::with_token();
    let session = room.user_session();
    let (_, private) = room::signing_pair(&session, room::ED25519_OID);
    let mac = session
        .generate_key(&room::generic(), &room::mac_key())
        .unwrap();
    let idle = session
        .generate_key(&aes(), &[Attribute::ValueLen(32.into())])
        .unwrap();

    let refused = seal_gcm(&session, mac, b"", b"x");
    assert_eq!(refusal(refused), RvError::KeyTypeInconsistent);
    let refused = session.sign(&room::hmac(), private, b"x");
    assert_eq!(refusal(refused), RvError::KeyTypeInconsistent);
    let refused = seal_gcm(&session, idle, b"", b"x");
    assert_eq!(refusal(refused), RvError::KeyFunctionNotPermitted);
    let refused = session.generate_key(&aes(), &[Attribute::ValueLen(17.into())]);
    assert_eq!(refusal(refused), RvError::AttributeValueInvalid);
}

#[test]
fn nothing_makes_a_key_weaker() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    let weaker = [
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
        Attribute::Private(false),
        Attribute::AlwaysSensitive(false),
        Attribute::Value(vec![0; 32]),
        Attribute::Wrap(true),
    ];
    for change in weaker {
        let refused = session.update_attributes(key, &[change]);
        assert_eq!(refusal(refused), RvError::AttributeReadOnly);
    }
    session
        .update_attributes(key, &[Attribute::Label(b"renamed".to_vec())])
        .unwrap();
    session
        .update_attributes(key, &[Attribute::Decrypt(false)])
        .unwrap();
    let sealed = seal_gcm(&session, key, b"", b"x").unwrap();
    let refused = open_gcm(&session, key, b"", &sealed);
    assert_eq!(refusal(refused), RvError::KeyFunctionNotPermitted);
}

#[test]
fn a_search_is_no_oracle_for_a_sensitive_value() {
    let room = Room::with_token();
    let session = room.user_session();
    let mut template = room::sealing_key("known");
    template.extend(room::imported_aes(&[7; 32]));
    let key = session.create_object(&template).unwrap();
    assert!(
        session
            .find_objects(&[Attribute::Value(vec![7; 32])])
            .unwrap()
            .is_empty()
    );
    let marks = [AttributeType::Local, AttributeType::AlwaysSensitive];
    let known = [Attribute::Local(false), Attribute::AlwaysSensitive(false)];
    assert_eq!(session.get_attributes(key, &marks).unwrap(), known);
}

#[test]
fn a_stored_secret_must_be_private_and_forged_marks_are_refused() {
    let room = Room::with_token();
    let session = room.user_session();
    let mut bare = room::sealing_key("k");
    bare.push(Attribute::Private(false));
    let refused = session.generate_key(&aes(), &bare);
    assert_eq!(refusal(refused), RvError::TemplateInconsistent);
    let mut forged = room::sealing_key("k");
    forged.push(Attribute::AlwaysSensitive(true));
    let refused = session.generate_key(&aes(), &forged);
    assert_eq!(refusal(refused), RvError::AttributeReadOnly);
    let mut attack = room::sealing_key("k");
    attack.push(Attribute::Wrap(true));
    let refused = session.generate_key(&aes(), &attack);
    assert_eq!(refusal(refused), RvError::TemplateInconsistent);
}

#[test]
fn a_key_bound_to_mechanisms_refuses_others() {
    let room = Room::with_token();
    let session = room.user_session();
    let mut template = room::mac_key();
    template.push(Attribute::AllowedMechanisms(vec![
        MechanismType::SHA384_HMAC,
    ]));
    let key = session.generate_key(&room::generic(), &template).unwrap();
    let refused = session.sign(&room::hmac(), key, b"message");
    assert_eq!(refusal(refused), RvError::MechanismInvalid);
    assert_eq!(
        session
            .sign(&Mechanism::Sha384Hmac, key, b"message")
            .unwrap()
            .len(),
        48
    );
}

#[test]
fn one_operation_of_a_kind_runs_at_a_time_and_an_error_ends_it() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    let begin = || session.decrypt_init(&gcm(&mut room::IV.clone(), b""), key);
    begin().unwrap();
    assert_eq!(refusal(begin()), RvError::OperationActive);
    session.decrypt_update(&[0; 32]).unwrap();
    assert_eq!(
        refusal(session.decrypt_final()),
        RvError::EncryptedDataInvalid
    );
    assert_eq!(
        refusal(session.decrypt_final()),
        RvError::OperationNotInitialized
    );
    begin().unwrap();
    session.logout().unwrap();
    assert_eq!(
        refusal(session.decrypt_update(b"x")),
        RvError::OperationNotInitialized
    );
}

#[test]
fn a_digest_is_made_in_one_call_and_in_parts() {
    let room = Room::with_token();
    let session = room.module().open_ro_session(room.slot()).unwrap();
    let whole = session.digest(&Mechanism::Sha256, b"message").unwrap();
    session.digest_init(&Mechanism::Sha256).unwrap();
    session.digest_update(b"mess").unwrap();
    session.digest_update(b"age").unwrap();
    assert_eq!(session.digest_final().unwrap(), whole);
}

#[test]
fn a_copy_keeps_its_secret_and_its_limits() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    let sealed = seal_gcm(&session, key, b"", b"plaintext").unwrap();
    let passing = [Attribute::Token(false), Attribute::Label(b"copy".to_vec())];
    let copy = session.copy_object(key, &passing).unwrap();
    assert_eq!(
        open_gcm(&session, copy, b"", &sealed).unwrap(),
        b"plaintext"
    );
    for weaker in [Attribute::Sensitive(false), Attribute::Extractable(true)] {
        let refused = session.copy_object(key, &[weaker]);
        assert_eq!(refusal(refused), RvError::AttributeReadOnly);
    }
    session
        .update_attributes(key, &[Attribute::Copyable(false)])
        .unwrap();
    assert_eq!(
        refusal(session.copy_object(key, &[])),
        RvError::ActionProhibited
    );
}

#[test]
fn a_refused_call_ends_its_operation_but_too_little_room_does_not() {
    let room = Room::of_profile("softhsm");
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    let cbc = || Mechanism::AesCbcPad([1; 16]);
    let sealed = session.encrypt(&cbc(), key, &[7; 40]).unwrap();
    // Whole blocks come early, padding is held back until the end.
    session.decrypt_init(&cbc(), key).unwrap();
    let mut opened = session.decrypt_update(&sealed[..20]).unwrap();
    assert_eq!(opened.len(), 16);
    opened.extend(session.decrypt_update(&sealed[20..]).unwrap());
    assert_eq!(opened.len(), 32);
    opened.extend(session.decrypt_final().unwrap());
    assert_eq!(opened, [7; 40]);

    session.decrypt_init(&cbc(), key).unwrap();
    session.decrypt_update(&sealed[..20]).unwrap();
    let refused = session.decrypt_final();
    assert_eq!(refusal(refused), RvError::EncryptedDataLenRange);
    assert_eq!(
        refusal(session.decrypt_update(&sealed)),
        RvError::OperationNotInitialized
    );
}

#[test]
fn the_token_makes_the_iv_of_a_message_and_tells_it() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    let mut unused = room::IV;
    let mechanism = gcm(&mut unused, b"");
    session.message_encrypt_init(&mechanism, key).unwrap();
    session.message_decrypt_init(&mechanism, key).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let (mut iv, mut tag) = ([0xff_u8; 12], [0_u8; 16]);
        let generator = GeneratorFunction::GenerateRandom;
        let params = GcmMessageParams::new(&mut iv, 32.into(), generator, &mut tag).unwrap();
        let sealed = session
            .encrypt_message(&MessageParam::AesGcmMessage(params), b"aad", b"plaintext")
            .unwrap();
        assert_eq!(sealed.len(), 9);
        assert_eq!(iv[..4], [0xff; 4]);
        assert!(seen.insert(iv));

        let keep = GeneratorFunction::NoGenerate;
        let params = GcmMessageParams::new(&mut iv, 0.into(), keep, &mut tag).unwrap();
        let opened = session
            .decrypt_message(&MessageParam::AesGcmMessage(params), b"aad", &sealed)
            .unwrap();
        assert_eq!(opened, b"plaintext");
        tag[3] ^= 1;
        let params = GcmMessageParams::new(&mut iv, 0.into(), keep, &mut tag).unwrap();
        let refused =
            session.decrypt_message(&MessageParam::AesGcmMessage(params), b"aad", &sealed);
        assert_eq!(refusal(refused), RvError::EncryptedDataInvalid);
    }
    session.message_encrypt_final().unwrap();
    session.logout().unwrap();
    let refused = session.message_decrypt_final();
    assert_eq!(refusal(refused), RvError::OperationNotInitialized);
}
