//! RSA keys: their signatures and ciphertexts, and that a long generation stops nobody.
#![expect(clippy::unwrap_used, reason = "test fixtures")]

use cryptoki::error::RvError;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;

use crate::room::{self, Room, refusal};

fn pair(
    session: &Session,
    public: &[Attribute],
    private: &[Attribute],
) -> (ObjectHandle, ObjectHandle) {
    let mut template = vec![Attribute::ModulusBits(2048.into())];
    template.extend_from_slice(public);
    session
        .generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &template, private)
        .unwrap()
}

fn pss() -> Mechanism<'static> {
    Mechanism::Sha256RsaPkcsPss(PkcsPssParams {
        hash_alg: MechanismType::SHA256,
        mgf: PkcsMgfType::MGF1_SHA256,
        s_len: 32.into(),
    })
}

#[test]
fn a_pair_signs_and_its_numbers_stay_inside() {
    let room = Room::with_token();
    let session = room.user_session();
    let (public, private) = pair(
        &session,
        &[Attribute::Verify(true)],
        &[Attribute::Sign(true)],
    );
    for mechanism in [pss(), Mechanism::Sha256RsaPkcs] {
        let signature = session.sign(&mechanism, private, b"message").unwrap();
        assert_eq!(signature.len(), 256);
        session
            .verify(&mechanism, public, b"message", &signature)
            .unwrap();
        let refused = session.verify(&mechanism, public, b"massage", &signature);
        assert_eq!(refusal(refused), RvError::SignatureInvalid);
    }
    let secret = [
        AttributeType::PrivateExponent,
        AttributeType::Prime1,
        AttributeType::Coefficient,
    ];
    assert!(session.get_attributes(private, &secret).unwrap().is_empty());
    let open = session.get_attributes(public, &[AttributeType::PublicExponent]);
    assert_eq!(open.unwrap(), [Attribute::PublicExponent(vec![1, 0, 1])]);
}

#[test]
fn what_is_sealed_for_a_pair_opens_and_a_changed_byte_does_not() {
    let room = Room::with_token();
    let session = room.user_session();
    let (public, private) = pair(
        &session,
        &[Attribute::Encrypt(true)],
        &[Attribute::Decrypt(true)],
    );
    let oaep = |hash, mask| {
        let source = PkcsOaepSource::data_specified(b"label");
        Mechanism::RsaPkcsOaep(PkcsOaepParams::new(hash, mask, source))
    };
    for mechanism in [
        oaep(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
        oaep(MechanismType::SHA512, PkcsMgfType::MGF1_SHA1),
    ] {
        let mut sealed = session.encrypt(&mechanism, public, b"plaintext").unwrap();
        let opened = session.decrypt(&mechanism, private, &sealed).unwrap();
        assert_eq!(opened, b"plaintext");
        sealed[100] ^= 1;
        let refused = session.decrypt(&mechanism, private, &sealed);
        assert_eq!(refusal(refused), RvError::EncryptedDataInvalid);
        let refused = session.decrypt(&mechanism, private, &sealed[1..]);
        assert_eq!(refusal(refused), RvError::EncryptedDataLenRange);
    }
}

#[test]
fn sizes_that_are_too_small_or_too_large_are_refused() {
    let room = Room::with_token();
    let session = room.user_session();
    for bits in [1024, 8192] {
        let public = [Attribute::ModulusBits(bits.into())];
        let refused = session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &[]);
        assert_eq!(refusal(refused), RvError::AttributeValueInvalid);
    }
}

#[test]
fn a_pair_is_drawn_while_other_threads_work() {
    let room = Room::with_token();
    let login = room.user_session();
    let key = login
        .generate_key(&room::generic(), &room::mac_key())
        .unwrap();
    let drawing = room.module().open_rw_session(room.slot()).unwrap();
    let slow = || {
        pair(&drawing, &[], &[]);
    };
    let work = move || drop(login.sign(&room::hmac(), key, b"message").unwrap());
    assert!(room::works_meanwhile(5, slow, work));
}
