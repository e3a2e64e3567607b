//! Sealing's rules, seen from inside.

use std::collections::HashSet;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Payload};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;

use super::{DRAWN_BYTES, Head, PREFIX_MESSAGES, SealingKey, after, halves};
use crate::derive::{self, Sealing};
use crate::{Binding, Error, SecretBytes, xaes};

/// As long as a cipher's, so that roomy bytes have room for it.
const HEAD: [u8; 25] = *b"a head of twenty-five B..";
const NONCE: usize = HEAD.len();
const START: usize = HEAD.len() + DRAWN_BYTES;

fn key(byte: u8) -> SealingKey {
    SealingKey::new(&[byte; 32], Sealing::Values, Head::new(HEAD)).unwrap()
}

fn context() -> Binding {
    Binding::new("test")
}

fn prefix_of(sealed: &[u8]) -> &[u8] {
    &sealed[NONCE..NONCE + 12]
}

#[test]
fn a_wrong_commitment_is_refused_although_the_ciphertext_would_open() {
    // Sealed by hand over an altered commitment, so that GCM itself would accept it.
    let by_hand = |flip: u8, opener: &SealingKey| {
        let key = key(9);
        let mut sealed = key.seal(&context(), b"").unwrap()[..START].to_vec();
        sealed[START - 1] ^= flip;
        let (prefix, rest) = halves(sealed[NONCE..NONCE + 24].try_into().unwrap());
        sealed.extend_from_slice(b"value");
        let (bytes, mask) = (key.keys.part::<0, 32>(), key.keys.part::<32, 16>());
        let gcm = xaes::derived(bytes, mask, &prefix).unwrap();
        gcm.seal(rest, context().as_bytes(), &mut sealed, START)
            .unwrap();
        // The maker knows the derived key by now, another opener does not.
        let opened = key.open(&context(), &sealed);
        let elsewhere = opener.open(&context(), &sealed);
        assert_eq!(opened.is_ok(), elsewhere.is_ok());
        elsewhere
    };
    assert_eq!(by_hand(0, &key(9)).unwrap().expose(), b"value");
    assert!(matches!(by_hand(1, &key(9)), Err(Error::Unopened)));
}

#[test]
fn the_two_purposes_of_one_key_do_not_open_each_others_messages() {
    let ciphertexts = SealingKey::new(&[9; 32], Sealing::Ciphertexts, Head::new(HEAD)).unwrap();
    let sealed = key(9).seal(&context(), b"value").unwrap();
    assert!(ciphertexts.open(&context(), &sealed).is_err());
}

#[test]
fn a_prefix_is_given_up_after_its_messages_and_no_nonce_comes_twice() {
    let key = key(9);
    let mut nonces = HashSet::new();
    let mut prefixes = HashSet::new();
    let mut left = PREFIX_MESSAGES + 10;
    while left > 0 {
        let mut run = key.run(1_000).unwrap();
        assert!(run.left() <= 1_000);
        while run.left() > 0 && left > 0 {
            let sealed = run.seal(&context(), b"").unwrap();
            assert!(
                nonces.insert(sealed[NONCE..NONCE + 24].to_vec()),
                "a nonce came again"
            );
            prefixes.insert(prefix_of(&sealed).to_vec());
            left -= 1;
        }
        if run.left() == 0 {
            assert!(matches!(run.seal(&context(), b""), Err(Error::Random)));
        }
    }
    assert_eq!(prefixes.len(), 2);
}

#[test]
fn two_opened_keys_of_one_material_share_no_prefix_and_open_each_others_messages() {
    let (one, two) = (key(9), key(9));
    let (from_one, from_two) = (
        one.seal(&context(), b"one").unwrap(),
        two.seal(&context(), b"two").unwrap(),
    );
    assert_ne!(prefix_of(&from_one), prefix_of(&from_two));
    assert_eq!(two.open(&context(), &from_one).unwrap().expose(), b"one");
    assert_eq!(one.open(&context(), &from_two).unwrap().expose(), b"two");
}

#[test]
fn many_threads_share_a_key_and_no_nonce_comes_twice() {
    let key = key(9);
    let sealed_by = |_| {
        let mut nonces = Vec::new();
        for messages in 1..60 {
            let mut run = key.run(messages).unwrap();
            while run.left() > 0 {
                let sealed = run.seal(&context(), b"").unwrap();
                nonces.push(sealed[NONCE..NONCE + 24].to_vec());
            }
        }
        nonces
    };
    let nonces: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| scope.spawn(move || sealed_by(number)))
            .collect();
        let nonces = threads.into_iter().map(|thread| thread.join().unwrap());
        nonces.flatten().collect()
    });
    let distinct: HashSet<_> = nonces.iter().collect();
    assert_eq!((distinct.len(), nonces.len()), (4 * 1_770, 4 * 1_770));
}

#[test]
fn a_message_opens_although_its_derived_key_was_pushed_out() {
    let keys: Vec<SealingKey> = (0..1_000).map(|_| key(9)).collect();
    let sealed: Vec<_> = { keys.iter() }
        .map(|key| key.seal(&context(), b"value").unwrap())
        .collect();
    for (key, sealed) in keys.iter().zip(&sealed) {
        assert_eq!(key.open(&context(), sealed).unwrap().expose(), b"value");
        let again = key.seal(&context(), b"again").unwrap();
        assert_eq!(prefix_of(&again), prefix_of(sealed));
        assert_eq!(key.open(&context(), &again).unwrap().expose(), b"again");
    }
}

// Invariant 12: as in a child of `fork`, whose kernel wiped the keys: it does not seal under zeros.
#[test]
fn a_key_whose_memory_was_wiped_neither_seals_nor_opens() {
    let sealed = key(9).seal(&context(), b"value").unwrap();
    let mut key = key(9);
    key.keys.wipe();
    assert!(matches!(key.seal(&context(), b"value"), Err(Error::Memory)));
    assert!(key.open(&context(), &sealed).is_err());
}

#[test]
fn counting_carries_and_goes_round() {
    assert_eq!(after([0; 12]), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(
        after([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, 0xFF])[9..],
        [2, 0, 0]
    );
    assert_eq!(after([0xFF; 12]), [0; 12]);
}

proptest! {
    /// By other implementations, from the format's description.
    #[test]
    fn a_message_is_what_the_format_says(material: [u8; 32], plaintext: Vec<u8>, field: Vec<u8>) {
        let key = SealingKey::new(&material, Sealing::Values, Head::new(HEAD)).unwrap();
        let context = Binding::new("test").field(&field);
        let sealed = key.seal(&context, &plaintext).unwrap();
        let [encryption, commitment] = derive::sealing(&material, Sealing::Values).unwrap();

        let (front, ciphertext) = sealed.split_at(START);
        let (head, rest) = front.split_at(NONCE);
        prop_assert_eq!(head, &HEAD);
        let (nonce, committed) = rest.split_at(24);
        let (prefix, rest) = nonce.split_at(12);
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&*commitment).unwrap();
        mac.update(&HEAD);
        mac.update(prefix);
        mac.verify_slice(committed).unwrap();
        let message_key = xaes::derived_bytes(
            &encryption,
            &xaes::mask(&encryption),
            prefix.try_into().unwrap(),
        );
        let payload = Payload { msg: ciphertext, aad: context.as_bytes() };
        let gcm = Aes256Gcm::new_from_slice(&*message_key).unwrap();
        let opened = gcm.decrypt(rest.try_into().unwrap(), payload).unwrap();
        prop_assert_eq!(opened, plaintext);
    }

    #[test]
    fn in_place_or_not_it_is_the_same(plaintext: Vec<u8>, field in proptest::collection::vec(any::<u8>(), 0..400)) {
        let key = key(9);
        let context = Binding::new("test").field(&field);
        let mut run = key.run(3).unwrap();
        let sealed = [
            run.seal(&context, &plaintext).unwrap(),
            run.seal_in_place(&context, SecretBytes::new(plaintext.clone())).unwrap(),
            run.seal_in_place(&context, SecretBytes::roomy(&plaintext)).unwrap(),
        ];
        for sealed in sealed {
            prop_assert_eq!(sealed.len(), START + plaintext.len() + 16);
            let opened = key.open(&context, &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext);
            let opened = key.open_in_place(&context, sealed.clone()).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext);
            let elsewhere = Binding::new("test").field(&field).number(1);
            prop_assert!(key.open_in_place(&elsewhere, sealed).is_err());
        }
    }
}
