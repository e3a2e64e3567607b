//! XAES-256-GCM (C2SP XAES-256-GCM.md): AES-256-GCM under a key derived for each 192-bit random nonce.
//!
//! The derivation is NIST SP 800-108r1 in counter mode with CMAC-AES-256, the rest SP 800-38D.

use aes::Aes256Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use crate::primitives;

/// Bytes of a nonce.
pub(crate) const NONCE_BYTES: usize = 24;

pub(crate) type Block = [u8; 16];

/// Seals what stands in `message` from `start` on, under a nonce that must be random and new.
///
/// `mask` is [`mask`] of the same key. The caller scrubs the stack.
pub(crate) fn seal(
    key: &[u8; 32],
    mask: &Block,
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    message: &mut Vec<u8>,
    start: usize,
) -> Result<(), Error> {
    let (derived, rest) = derived(key, mask, nonce);
    primitives::gcm_seal(&derived, rest, aad, message, start)
}

/// Opens in place.
pub(crate) fn open(
    key: &[u8; 32],
    mask: &Block,
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    sealed: &mut Vec<u8>,
) -> Result<(), Error> {
    let (derived, rest) = derived(key, mask, nonce);
    primitives::gcm_open(&derived, rest, aad, sealed)
}

/// CMAC's subkey K1 (NIST SP 800-38B section 6.1): the same for every message of a key.
pub(crate) fn mask(key: &[u8; 32]) -> Block {
    let mut block = [0; 16].into();
    Aes256Enc::new(key.into()).encrypt_block(&mut block);
    doubled(block.into())
}

/// The message's own key, and the part of the nonce that GCM takes.
fn derived(
    key: &[u8; 32],
    mask: &Block,
    nonce: &[u8; NONCE_BYTES],
) -> (Zeroizing<[u8; 32]>, [u8; 12]) {
    let [first, rest] = {
        let (left, right) = nonce.split_at(12);
        [left, right].map(|half| {
            let mut bytes = [0; 12];
            bytes.copy_from_slice(half);
            bytes
        })
    };
    // SP 800-108 input: counter, label "X", zero, context; one whole block, so CMAC is one call.
    let mut halves = [1, 2].map(|counter| {
        let mut block = [0; 16];
        block[..4].copy_from_slice(&[0, counter, b'X', 0]);
        block[4..].copy_from_slice(&first);
        (u128::from_ne_bytes(block) ^ u128::from_ne_bytes(*mask))
            .to_ne_bytes()
            .into()
    });
    Aes256Enc::new(key.into()).encrypt_blocks(&mut halves);
    let mut derived = Zeroizing::new([0; 32]);
    for (half, block) in derived.chunks_exact_mut(16).zip(&mut halves) {
        half.copy_from_slice(block);
        block.as_mut_slice().zeroize();
    }
    (derived, rest)
}

/// Doubling in GF(2^128) (NIST SP 800-38B section 6.1), without a branch on the secret.
fn doubled(block: Block) -> Block {
    let number = u128::from_be_bytes(block);
    let carry = (number >> 127) * 0x87;
    ((number << 1) ^ carry).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::{mask, open, seal};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    /// C2SP XAES-256-GCM.md, "Test vectors".
    const VECTORS: [(u8, &[u8], &str); 2] = [
        (
            1,
            b"",
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
        ),
        (
            3,
            b"c2sp.org/XAES-256-GCM",
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
        ),
    ];

    #[test]
    fn the_published_vectors_hold() {
        for (byte, aad, expected) in VECTORS {
            let (key, nonce) = ([byte; 32], b"ABCDEFGHIJKLMNOPQRSTUVWX");
            let mut message = b"XAES-256-GCM".to_vec();
            seal(&key, &mask(&key), nonce, aad, &mut message, 0).unwrap();
            assert_eq!(hex(&message), expected);
            open(&key, &mask(&key), nonce, aad, &mut message).unwrap();
            assert_eq!(message, b"XAES-256-GCM");
        }
    }
}
