//! Comparing secrets in constant time.

use subtle::{Choice, ConstantTimeEq};

use crate::scrub::{FLAT, scrubbed};

/// Whether two byte strings are equal, in time that depends on their lengths only (invariant 12).
/// Word by word: `subtle` compares slices byte by byte.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    let words = a.chunks(8).zip(b.chunks(8));
    let equal = words.fold(Choice::from(1), |equal, (a, b)| {
        equal & word(a).ct_eq(&word(b))
    });
    a.len() == b.len() && equal.into()
}

/// The same for two secrets, and nothing of them stays: of what is compared, words pass over the stack.
pub(crate) fn same_secret(a: &[u8], b: &[u8]) -> bool {
    scrubbed::<FLAT, _>(|| constant_time_eq(a, b))
}

/// Up to eight bytes.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    u64::from_ne_bytes(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::constant_time_eq;

    #[test]
    fn one_flipped_bit_or_one_byte_more_is_unlike() {
        for length in 0..70 {
            let bytes = vec![0xA5; length];
            assert!(constant_time_eq(&bytes, &bytes));
            assert!(!constant_time_eq(&bytes, &vec![0xA5; length + 1]));
            assert!(!constant_time_eq(&vec![0; length], &vec![0; length + 1]));
            for bit in 0..8 * length {
                let mut other = bytes.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(!constant_time_eq(&bytes, &other), "bit {bit} of {length}");
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_equality(a: Vec<u8>, b: Vec<u8>) {
            prop_assert_eq!(constant_time_eq(&a, &b), a == b);
        }
    }
}
