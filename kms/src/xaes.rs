//! XAES-256-GCM (C2SP XAES-256-GCM.md): AES-256-GCM under a key derived from half of a 192-bit nonce.
//!
//! The derivation is NIST SP 800-108r1 in counter mode with CMAC-AES-256, the rest SP 800-38D.

use aes::Aes256Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use crate::primitives::GcmKey;

/// Bytes of a nonce: half of it derives, half of it is GCM's.
pub(crate) const NONCE_BYTES: usize = 2 * HALF_BYTES;
pub(crate) const HALF_BYTES: usize = 12;

pub(crate) type Half = [u8; HALF_BYTES];
pub(crate) type Block = [u8; 16];

/// The key of GCM for every nonce that begins with `prefix`; the rest of the nonce is GCM's.
///
/// `mask` is [`mask`] of the same key. The caller scrubs the stack.
pub(crate) fn derived(key: &[u8; 32], mask: &Block, prefix: &Half) -> Result<GcmKey, Error> {
    GcmKey::new(&derived_bytes(key, mask, prefix))
}

/// CMAC's subkey K1 (NIST SP 800-38B section 6.1): the same for every message of a key.
pub(crate) fn mask(key: &[u8; 32]) -> Block {
    let mut block = [0; 16].into();
    Aes256Enc::new(key.into()).encrypt_block(&mut block);
    doubled(block.into())
}

/// That key's bytes.
pub(crate) fn derived_bytes(key: &[u8; 32], mask: &Block, prefix: &Half) -> Zeroizing<[u8; 32]> {
    // SP 800-108 input: counter, label "X", zero, context; one whole block, so CMAC is one call.
    let mut halves = [1, 2].map(|counter| {
        let mut block = [0; 16];
        block[..4].copy_from_slice(&[0, counter, b'X', 0]);
        block[4..].copy_from_slice(prefix);
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
    derived
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

    use super::{derived, mask};

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
            let (key, prefix, rest) = ([byte; 32], b"ABCDEFGHIJKL", *b"MNOPQRSTUVWX");
            let gcm = derived(&key, &mask(&key), prefix).unwrap();
            let mut message = b"XAES-256-GCM".to_vec();
            gcm.seal(rest, aad, &mut message, 0).unwrap();
            assert_eq!(hex(&message), expected);
            gcm.open(rest, aad, &mut message, 0).unwrap();
            assert_eq!(message, b"XAES-256-GCM");
        }
    }
}
