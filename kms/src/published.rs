//! Published vectors (C2SP Wycheproof) over this crate's own doors; `tests/vectors.rs` has them for what is behind.

use aes_kw::{AesKw, KeyInit};
use ring::hmac::{Algorithm, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use wycheproof::{aead, ecdsa, eddsa, hkdf, keywrap, mac};

use crate::hsm::unwrap_kwp;
use crate::{KeyKind, PublicKey, constant_time_eq, primitives, signature_from_der};

#[test]
fn aes_256_gcm() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let mut cases = 0;
    for group in set
        .test_groups
        .iter()
        .filter(|group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128))
    {
        for test in &group.tests {
            let key: &[u8; 32] = test.key.as_ref().try_into().unwrap();
            let nonce: [u8; 12] = test.nonce.as_ref().try_into().unwrap();
            let valid = !test.result.must_fail();
            let mut opened = [test.ct.as_ref(), test.tag.as_ref()].concat();
            let mut shifted = [&[7; 81], opened.as_slice()].concat();
            let gcm = primitives::GcmKey::new(key).unwrap();
            let opens = gcm.open(nonce, &test.aad, &mut opened, 0).is_ok();
            assert_eq!(opens, valid, "case {}", test.tc_id);
            let opens = gcm.open(nonce, &test.aad, &mut shifted, 81).is_ok();
            assert_eq!(opens, valid, "case {}", test.tc_id);
            if valid {
                assert_eq!(shifted, opened, "case {}", test.tc_id);
                assert_eq!(opened, test.pt.as_ref(), "case {}", test.tc_id);
                gcm.seal(nonce, &test.aad, &mut opened, 0).unwrap();
                assert_eq!(opened, [test.ct.as_ref(), test.tag.as_ref()].concat());
            }
            cases += 1;
        }
    }
    assert!(cases > 50, "only {cases} cases");
}

#[test]
fn hmac_with_each_hash() {
    for (name, algorithm, bits) in [
        (mac::TestName::HmacSha256, HMAC_SHA256, 256),
        (mac::TestName::HmacSha384, HMAC_SHA384, 384),
        (mac::TestName::HmacSha512, HMAC_SHA512, 512),
    ] {
        let cases = hmac(name, algorithm, bits);
        assert!(cases > 50, "only {cases} cases of {bits} bits");
    }
}

fn hmac(name: mac::TestName, algorithm: Algorithm, bits: usize) -> usize {
    let set = mac::TestSet::load(name).unwrap();
    let groups = set
        .test_groups
        .iter()
        .filter(|group| group.tag_size == bits);
    let mut cases = 0;
    for test in groups.flat_map(|group| &group.tests) {
        let key = primitives::HmacState::new(algorithm, &test.key).unwrap();
        let tag = key.value().unwrap().tag(&test.msg);
        let holds = constant_time_eq(tag.as_ref(), &test.tag);
        assert_eq!(holds, !test.result.must_fail(), "case {}", test.tc_id);
        cases += 1;
    }
    cases
}

#[test]
fn hkdf_sha_256_with_an_empty_salt() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let mut cases = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        // A shorter or longer output begins alike (RFC 5869 section 2.3).
        if !test.salt.is_empty() || test.result.must_fail() {
            continue;
        }
        let mut out = [0; 32];
        primitives::hkdf_sha256(&test.ikm, &test.info, &mut out).unwrap();
        let length = test.okm.len().min(32);
        assert_eq!(out[..length], test.okm[..length], "case {}", test.tc_id);
        cases += 1;
    }
    assert!(cases > 10, "only {cases} cases");
}

#[test]
fn ecdsa_p256_in_both_forms() {
    let fixed = ecdsa::TestName::EcdsaSecp256r1Sha256P1363;
    let cases = ecdsa_p256(fixed, |signature| Some(signature.to_vec()));
    assert!(cases > 200, "only {cases} cases");
    let der = ecdsa::TestName::EcdsaSecp256r1Sha256;
    let cases = ecdsa_p256(der, |signature| signature_from_der(signature).ok());
    assert!(cases > 300, "only {cases} cases");
}

fn ecdsa_p256(name: ecdsa::TestName, fixed: impl Fn(&[u8]) -> Option<Vec<u8>>) -> usize {
    let set = ecdsa::TestSet::load(name).unwrap();
    let mut cases = 0;
    for group in &set.test_groups {
        let key = PublicKey::from_parts(KeyKind::EcdsaP256, &group.key.key).unwrap();
        assert_eq!(key.spki_der(), group.der.as_ref());
        assert_eq!(key.pem().trim(), group.pem.trim());
        for test in &group.tests {
            let digest = primitives::sha256(&test.msg);
            let holds = fixed(&test.sig).is_some_and(|signature| {
                let message = key.verify(&test.msg, &signature).is_ok();
                let hashed = key.verify_digest(&digest, &signature).is_ok();
                assert_eq!(
                    message, hashed,
                    "case {}: ring or p256 is wrong",
                    test.tc_id
                );
                message
            });
            assert_eq!(holds, !test.result.must_fail(), "case {}", test.tc_id);
            cases += 1;
        }
    }
    cases
}

#[test]
fn ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut cases = 0;
    for group in &set.test_groups {
        let key = PublicKey::from_parts(KeyKind::Ed25519, &group.key.pk).unwrap();
        assert_eq!(key.spki_der(), group.der.as_ref());
        assert_eq!(key.pem().trim(), group.pem.trim());
        for test in &group.tests {
            let holds = key.verify(&test.msg, &test.sig).is_ok();
            assert_eq!(holds, !test.result.must_fail(), "case {}", test.tc_id);
            cases += 1;
        }
    }
    assert!(cases > 100, "only {cases} cases");
}

#[test]
fn aes_kwp_for_imports_and_kw_beside_it() {
    let set = keywrap::TestSet::load(keywrap::TestName::AesKeyWrapWithPadding).unwrap();
    let mut cases = 0;
    for group in set.test_groups.iter().filter(|group| group.key_size == 256) {
        for test in &group.tests {
            let key: &[u8; 32] = test.key.as_ref().try_into().unwrap();
            let opened = unwrap_kwp(key, &test.ct);
            // What is longer than any key is refused before it is opened.
            let valid = !test.result.must_fail() && test.pt.len() <= 128;
            assert_eq!(opened.is_ok(), valid, "case {}", test.tc_id);
            if let Ok(opened) = opened {
                assert_eq!(opened.expose(), test.pt.as_ref(), "case {}", test.tc_id);
            }
            cases += 1;
        }
    }
    assert!(cases > 50, "only {cases} cases");

    // KW is used nowhere here. Below two blocks (SP 800-38F section 5.3.1) the crate has its own mind.
    let set = keywrap::TestSet::load(keywrap::TestName::AesKeyWrap).unwrap();
    for group in set.test_groups.iter().filter(|group| group.key_size == 256) {
        for test in group.tests.iter().filter(|test| test.ct.len() >= 24) {
            let key: &[u8; 32] = test.key.as_ref().try_into().unwrap();
            let mut buffer = vec![0; test.ct.len()];
            let opened = AesKw::<aes::Aes256>::new(key.into())
                .unwrap_key(&test.ct, &mut buffer)
                .map(<[u8]>::to_vec);
            let expected = (!test.result.must_fail()).then(|| test.pt.to_vec());
            assert_eq!(opened.ok(), expected, "case {}", test.tc_id);
        }
    }
}

/// RFC 8037 appendix A.1 to A.3: the key of RFC 8032's second test, as a JWK, and its thumbprint.
#[test]
fn a_public_key_as_jwk() {
    const POINT: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07,
        0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07,
        0x51, 0x1a,
    ];
    let key = PublicKey::from_parts(KeyKind::Ed25519, &POINT).unwrap();
    assert_eq!(
        key.thumbprint(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
    assert_eq!(
        key.jwk(),
        r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","alg":"EdDSA","use":"sig","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}"#
    );
    let named = key.jwk_named("a\"},{\\\n");
    assert!(named.ends_with(r#""kid":"a},{"}"#), "{named}");
}
