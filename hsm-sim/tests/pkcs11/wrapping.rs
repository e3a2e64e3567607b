//! Keys under keys: wrapping, unwrapping, templates within templates, trust.
#![expect(clippy::unwrap_used, reason = "test fixtures")]

use cryptoki_sys as ck;

use crate::raw::{Raw, Template, oaep_sha256, plain, with};
use crate::room::{self, Room, aes, open_gcm, seal_gcm};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

const SECRET: (ck::CK_ATTRIBUTE_TYPE, ck::CK_ULONG) = (ck::CKA_CLASS, ck::CKO_SECRET_KEY);

fn guard() -> Template {
    Template::default()
        .number(ck::CKA_VALUE_LEN, 32)
        .set(ck::CKA_WRAP)
        .set(ck::CKA_UNWRAP)
}

fn arriving(key_type: ck::CK_KEY_TYPE) -> Template {
    Template::default()
        .number(SECRET.0, SECRET.1)
        .number(ck::CKA_KEY_TYPE, key_type)
}

/// A data key that may leave, and something sealed under it.
fn travelling(session: &Session) -> (ObjectHandle, Vec<u8>) {
    let mut template = room::sealing_key("data");
    template.push(Attribute::Extractable(true));
    let key = session.generate_key(&aes(), &template).unwrap();
    let sealed = seal_gcm(session, key, b"", b"plaintext").unwrap();
    (key, sealed)
}

/// Handles of objects by their number.
fn find(session: &Session, number: ck::CK_OBJECT_HANDLE) -> ObjectHandle {
    let all = session.find_objects(&[]).unwrap();
    all.into_iter()
        .find(|object| object.handle() == number)
        .unwrap()
}

#[test]
fn a_key_leaves_and_returns_under_each_mechanism() {
    let room = Room::with_token();
    let (session, raw) = (room.user_session(), Raw::load());
    let guard = raw
        .generate(&session, ck::CKM_AES_KEY_GEN, guard())
        .unwrap();
    let (key, sealed) = travelling(&session);
    for kind in [
        ck::CKM_AES_KEY_WRAP,
        ck::CKM_AES_KEY_WRAP_PAD,
        ck::CKM_AES_KEY_WRAP_KWP,
    ] {
        let mut wrapped = raw
            .wrap(&session, plain(kind), guard, key.handle())
            .unwrap();
        assert_eq!(wrapped.len(), 40);
        let template = || arriving(ck::CKK_AES).set(ck::CKA_DECRYPT);
        let back = raw
            .unwrap(&session, plain(kind), guard, &wrapped, template())
            .unwrap();
        let opened = open_gcm(&session, find(&session, back), b"", &sealed);
        assert_eq!(opened.unwrap(), b"plaintext");
        wrapped[20] ^= 1;
        let refused = raw.unwrap(&session, plain(kind), guard, &wrapped, template());
        assert_eq!(refused, Err(ck::CKR_WRAPPED_KEY_INVALID));
    }
}

#[test]
fn padding_lets_any_length_pass_and_plain_wrapping_does_not() {
    let room = Room::with_token();
    let (session, raw) = (room.user_session(), Raw::load());
    let guard = raw
        .generate(&session, ck::CKM_AES_KEY_GEN, guard())
        .unwrap();
    let odd = Template::default()
        .number(ck::CKA_VALUE_LEN, 21)
        .set(ck::CKA_EXTRACTABLE);
    let odd = raw
        .generate(&session, ck::CKM_GENERIC_SECRET_KEY_GEN, odd)
        .unwrap();
    let refused = raw.wrap(&session, plain(ck::CKM_AES_KEY_WRAP), guard, odd);
    assert_eq!(refused, Err(ck::CKR_KEY_SIZE_RANGE));
    let padded = raw
        .wrap(&session, plain(ck::CKM_AES_KEY_WRAP_KWP), guard, odd)
        .unwrap();
    assert_eq!(padded.len(), 32);
    let back = raw.unwrap(
        &session,
        plain(ck::CKM_AES_KEY_WRAP_KWP),
        guard,
        &padded,
        arriving(ck::CKK_GENERIC_SECRET),
    );
    let length = raw.read(&session, back.unwrap(), ck::CKA_VALUE_LEN);
    assert_eq!(length.unwrap(), 21_u64.to_ne_bytes());
    // 21 bytes are no AES key, whatever the template calls them.
    let refused = raw.unwrap(
        &session,
        plain(ck::CKM_AES_KEY_WRAP_KWP),
        guard,
        &padded,
        arriving(ck::CKK_AES),
    );
    assert_eq!(refused, Err(ck::CKR_WRAPPED_KEY_INVALID));
}

#[test]
fn a_customer_brings_a_key_under_an_rsa_key() {
    let room = Room::with_token();
    let (session, raw) = (room.user_session(), Raw::load());
    let public = [Attribute::ModulusBits(2048.into()), Attribute::Wrap(true)];
    let (public, private) = session
        .generate_key_pair(
            &Mechanism::RsaPkcsKeyPairGen,
            &public,
            &[Attribute::Unwrap(true)],
        )
        .unwrap();
    let (key, sealed) = travelling(&session);
    let template = || arriving(ck::CKK_AES).set(ck::CKA_DECRYPT);

    let mut oaep = oaep_sha256();
    let mut both = ck::CK_RSA_AES_KEY_WRAP_PARAMS {
        ulAESKeyBits: 256,
        pOAEPParams: &raw mut oaep,
    };
    let mut alone = oaep_sha256();
    let mechanisms = [
        (with(ck::CKM_RSA_AES_KEY_WRAP, &mut both), 256 + 40),
        (with(ck::CKM_RSA_PKCS_OAEP, &mut alone), 256),
    ];
    for (mechanism, length) in mechanisms {
        let wrapped = raw
            .wrap(&session, mechanism, public.handle(), key.handle())
            .unwrap();
        assert_eq!(wrapped.len(), length);
        let back = raw
            .unwrap(&session, mechanism, private.handle(), &wrapped, template())
            .unwrap();
        let opened = open_gcm(&session, find(&session, back), b"", &sealed);
        assert_eq!(opened.unwrap(), b"plaintext");
        let refused = raw.unwrap(
            &session,
            mechanism,
            private.handle(),
            &wrapped[..length - 1],
            template(),
        );
        assert!(matches!(
            refused,
            Err(ck::CKR_WRAPPED_KEY_INVALID | ck::CKR_WRAPPED_KEY_LEN_RANGE)
        ));
    }
}

#[test]
fn a_private_key_travels_as_pkcs8() {
    let room = Room::with_token();
    let (session, raw) = (room.user_session(), Raw::load());
    let guard = raw
        .generate(&session, ck::CKM_AES_KEY_GEN, guard())
        .unwrap();
    let (mechanism, params) = (Mechanism::EccKeyPairGen, room::P256_OID.to_vec());
    let public = [Attribute::EcParams(params), Attribute::Verify(true)];
    let private = [Attribute::Sign(true), Attribute::Extractable(true)];
    let (public, private) = session
        .generate_key_pair(&mechanism, &public, &private)
        .unwrap();
    let kwp = plain(ck::CKM_AES_KEY_WRAP_KWP);
    let wrapped = raw.wrap(&session, kwp, guard, private.handle()).unwrap();
    let template = |key_type| {
        Template::default()
            .number(ck::CKA_CLASS, ck::CKO_PRIVATE_KEY)
            .number(ck::CKA_KEY_TYPE, key_type)
            .set(ck::CKA_SIGN)
    };
    let back = raw
        .unwrap(&session, kwp, guard, &wrapped, template(ck::CKK_EC))
        .unwrap();
    let signature = session
        .sign(&Mechanism::EcdsaSha256, find(&session, back), b"message")
        .unwrap();
    session
        .verify(&Mechanism::EcdsaSha256, public, b"message", &signature)
        .unwrap();
    let refused = raw.unwrap(&session, kwp, guard, &wrapped, template(ck::CKK_RSA));
    assert_eq!(refused, Err(ck::CKR_WRAPPED_KEY_INVALID));
}

#[test]
fn what_the_unwrapping_key_demands_its_keys_get() {
    let room = Room::with_token();
    let (session, raw) = (room.user_session(), Raw::load());
    let demand = Template::default()
        .set(ck::CKA_DECRYPT)
        .set(ck::CKA_EXTRACTABLE);
    let guard = guard().template(ck::CKA_UNWRAP_TEMPLATE, demand);
    let guard = raw.generate(&session, ck::CKM_AES_KEY_GEN, guard).unwrap();
    let (key, _) = travelling(&session);
    let kwp = plain(ck::CKM_AES_KEY_WRAP_KWP);
    let wrapped = raw.wrap(&session, kwp, guard, key.handle()).unwrap();

    let back = raw
        .unwrap(&session, kwp, guard, &wrapped, arriving(ck::CKK_AES))
        .unwrap();
    for kind in [ck::CKA_DECRYPT, ck::CKA_EXTRACTABLE, ck::CKA_SENSITIVE] {
        assert_eq!(raw.read(&session, back, kind).unwrap(), [1]);
    }
    let against = arriving(ck::CKK_AES).bytes(ck::CKA_DECRYPT, &[ck::CK_FALSE]);
    let refused = raw.unwrap(&session, kwp, guard, &wrapped, against);
    assert_eq!(refused, Err(ck::CKR_TEMPLATE_INCONSISTENT));
}

#[test]
fn a_wrapping_template_lets_out_only_what_fits_it() {
    let room = Room::with_token();
    let (session, raw) = (room.user_session(), Raw::load());
    let wanted = Template::default().bytes(ck::CKA_LABEL, b"data");
    let guard = guard().template(ck::CKA_WRAP_TEMPLATE, wanted);
    let guard = raw.generate(&session, ck::CKM_AES_KEY_GEN, guard).unwrap();
    let (key, _) = travelling(&session);
    let kwp = plain(ck::CKM_AES_KEY_WRAP_KWP);
    assert!(raw.wrap(&session, kwp, guard, key.handle()).is_ok());
    session
        .update_attributes(key, &[Attribute::Label(b"other".to_vec())])
        .unwrap();
    let refused = raw.wrap(&session, kwp, guard, key.handle());
    assert_eq!(refused, Err(ck::CKR_KEY_NOT_WRAPPABLE));
}

#[test]
fn only_a_trusted_key_wraps_what_asks_for_trust() {
    let room = Room::with_token();
    let raw = Raw::load();
    let trusted = || {
        guard()
            .set(ck::CKA_TRUSTED)
            .set(ck::CKA_TOKEN)
            .bytes(ck::CKA_LABEL, b"trusted")
    };
    let session = room.user_session();
    let refused = raw.generate(&session, ck::CKM_AES_KEY_GEN, trusted());
    assert_eq!(refused, Err(ck::CKR_ATTRIBUTE_READ_ONLY));
    drop(session);
    let session = room.so_session();
    raw.generate(&session, ck::CKM_AES_KEY_GEN, trusted())
        .unwrap();
    drop(session);

    let session = room.user_session();
    let label = Attribute::Label(b"trusted".to_vec());
    let trusted = session.find_objects(&[label]).unwrap()[0];
    let plain_guard = raw
        .generate(&session, ck::CKM_AES_KEY_GEN, guard())
        .unwrap();
    let (key, _) = travelling(&session);
    session
        .update_attributes(key, &[Attribute::WrapWithTrusted(true)])
        .unwrap();
    let kwp = plain(ck::CKM_AES_KEY_WRAP_KWP);
    let refused = raw.wrap(&session, kwp, plain_guard, key.handle());
    assert_eq!(refused, Err(ck::CKR_KEY_NOT_WRAPPABLE));
    assert!(
        raw.wrap(&session, kwp, trusted.handle(), key.handle())
            .is_ok()
    );
    let copy = session.copy_object(trusted, &[]).unwrap();
    let read = session.get_attributes(copy, &[AttributeType::Trusted]);
    assert_eq!(read.unwrap(), [Attribute::Trusted(false)]);
}

#[test]
fn every_object_has_a_name_of_its_own_and_a_secret_key_a_check_value() {
    let room = Room::with_token();
    let session = room.user_session();
    let mut template = room::imported_aes(&[0; 16]);
    template.push(Attribute::Label(b"known".to_vec()));
    let one = session.create_object(&template).unwrap();
    let two = session.create_object(&template).unwrap();
    let name = |object| session.get_attributes(object, &[AttributeType::UniqueId]);
    assert_ne!(name(one).unwrap(), name(two).unwrap());
    // FIPS 197: the first bytes of the zero block under the zero key.
    let check = session.get_attributes(one, &[AttributeType::CheckValue]);
    let known = vec![0x66, 0xe9, 0x4b];
    assert_eq!(check.unwrap(), [Attribute::CheckValue(known.clone())]);
    template.push(Attribute::CheckValue(known));
    assert!(session.create_object(&template).is_ok());
    template.pop();
    template.push(Attribute::CheckValue(vec![1, 2, 3]));
    assert!(session.create_object(&template).is_err());
    let class = [Attribute::Class(ObjectClass::SECRET_KEY)];
    assert_eq!(session.find_objects(&class).unwrap().len(), 3);
}
