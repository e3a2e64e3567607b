//! The commitment to a key: HMAC-SHA-256 over a short message, from hash states that are made once a key.
//!
//! HMAC (RFC 2104) begins both hashes with a block that is the key's alone; the states after it stand
//! in `locked`, and a commitment costs two compressions instead of four.

use sha2::block_api::compress256;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a commitment.
pub(crate) const COMMITMENT_BYTES: usize = 32;

/// The hash's initial state (FIPS 180-4 section 5.3.3).
const INITIAL: [u32; 8] = [
    0x6A09_E667,
    0xBB67_AE85,
    0x3C6E_F372,
    0xA54F_F53A,
    0x510E_527F,
    0x9B05_688C,
    0x1F83_D9AB,
    0x5BE0_CD19,
];
const BLOCK_BYTES: usize = 64;
/// Most bytes that are committed to: what one block holds beside its padding.
pub(crate) const COMMITTED_BYTES_MAX: usize = BLOCK_BYTES - 1 - size_of::<u64>();

/// The states after the key's inner and outer block.
pub(crate) fn states(key: &[u8; 32]) -> [Zeroizing<[u8; 32]>; 2] {
    [0x36, 0x5C].map(|pad| {
        let mut block = [[pad; BLOCK_BYTES]];
        block[0]
            .iter_mut()
            .zip(key)
            .for_each(|(byte, key)| *byte ^= key);
        let mut state = INITIAL;
        compress256(&mut state, &block);
        block[0].as_mut_slice().zeroize();
        let bytes = Zeroizing::new(to_bytes(&state));
        state.as_mut_slice().zeroize();
        bytes
    })
}

/// HMAC-SHA-256(key, the first `length` bytes).
pub(crate) fn to(
    inner: &[u8; 32],
    outer: &[u8; 32],
    committed: &[u8; COMMITTED_BYTES_MAX],
    length: usize,
) -> [u8; COMMITMENT_BYTES] {
    let hash = finished(inner, committed.iter().take(length));
    finished(outer, &hash)
}

/// The hash of one block before and `rest`, at most [`COMMITTED_BYTES_MAX`] bytes, which leaves room for the
/// padding (FIPS 180-4 section 5.1.1).
fn finished<'bytes>(
    state: &[u8; 32],
    rest: impl IntoIterator<Item = &'bytes u8>,
) -> [u8; COMMITMENT_BYTES] {
    let mut block = [[0; BLOCK_BYTES]];
    let (room, length) = block[0].split_at_mut(COMMITTED_BYTES_MAX + 1);
    let mut filled = 0;
    for (place, byte) in room.iter_mut().zip(rest).take(COMMITTED_BYTES_MAX) {
        *place = *byte;
        filled += 1;
    }
    room[filled] = 0x80;
    let bits = 8 * (BLOCK_BYTES + filled) as u64;
    length.copy_from_slice(&bits.to_be_bytes());
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(state.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    compress256(&mut words, &block);
    to_bytes(&words)
}

fn to_bytes(words: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (four, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *four = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::COMMITTED_BYTES_MAX;

    proptest! {
        #[test]
        fn it_is_hmac_sha_256(key: [u8; 32], message: [[u8; 11]; 5], length in 0..=COMMITTED_BYTES_MAX) {
            let [inner, outer] = super::states(&key);
            let message: [u8; COMMITTED_BYTES_MAX] = message.concat().try_into().unwrap();
            let expected = crate::primitives::hmac_sha256(&key, &message[..length]);
            prop_assert_eq!(super::to(&inner, &outer, &message, length), expected);
        }
    }
}
