//! Uniform draws from small sets, by rejection: no modulo bias.

use rand::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use super::TokenError;

/// Draws before a source counts as stuck. A sound one is refused 64 times once in 10^60 draws at the
/// least fair of our sets, where 22 draws of 100 are refused (business numbers: 10^42).
pub(super) const TRIES_MAX: usize = 64;

/// The decimal digits, as text.
pub(super) const DIGITS: &[u8; 10] = b"0123456789";

/// One of `choices`, each with the same probability. 1 to 256 choices.
pub(super) fn one_of<R: TryCryptoRng + ?Sized>(
    choices: &[u8],
    rng: &mut R,
) -> Result<u8, TokenError> {
    // INVARIANT 4: bytes beyond the largest multiple of the count would favour the first choices.
    let fair = 256_usize
        .checked_rem(choices.len())
        .map_or(0, |unfair| 256 - unfair);
    for _ in 0..TRIES_MAX {
        let mut byte = [0];
        fill(&mut byte, rng)?;
        let drawn = usize::from(byte[0]);
        if drawn < fair {
            return Ok(choices[drawn % choices.len()]);
        }
    }
    Err(TokenError::NoRandomness)
}

const POOL_BYTES: usize = 64;

/// A source read in blocks: one call of the operating system for a token, not one for each character.
pub(super) struct Pool<'a, R: ?Sized> {
    source: &'a mut R,
    bytes: Zeroizing<[u8; POOL_BYTES]>,
    left: usize,
}

impl<'a, R: TryCryptoRng + ?Sized> Pool<'a, R> {
    /// Reads from `source` when the first byte is asked for.
    pub(super) fn new(source: &'a mut R) -> Self {
        Self {
            source,
            bytes: Zeroizing::new([0; POOL_BYTES]),
            left: 0,
        }
    }
}

impl<R: TryCryptoRng + ?Sized> TryRng for Pool<'_, R> {
    type Error = R::Error;

    fn try_next_u32(&mut self) -> Result<u32, R::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, R::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, wanted: &mut [u8]) -> Result<(), R::Error> {
        for byte in wanted {
            if self.left == 0 {
                self.source.try_fill_bytes(&mut *self.bytes)?;
                self.left = POOL_BYTES;
            }
            // INVARIANT 4: a byte is given out once.
            self.left -= 1;
            *byte = self.bytes[self.left];
        }
        Ok(())
    }
}

impl<R: TryCryptoRng + ?Sized> TryCryptoRng for Pool<'_, R> {}

/// Fills `bytes` with random bits.
pub(super) fn fill<R: TryCryptoRng + ?Sized>(
    bytes: &mut [u8],
    rng: &mut R,
) -> Result<(), TokenError> {
    rng.try_fill_bytes(bytes)
        .map_err(|_| TokenError::NoRandomness)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::token::tests::chi_square;

    #[test]
    fn every_choice_comes_equally_often() {
        let mut rng = StdRng::seed_from_u64(20_260_101);
        let mut counts = [0; 10];
        for _ in 0..400_000 {
            counts[usize::from(one_of(DIGITS, &mut rng).unwrap() - b'0')] += 1;
        }
        // Nine degrees of freedom: beyond 33.7 once in 10,000 seeds. Modulo bias gives about 150.
        assert!(chi_square(&counts) < 33.7, "{counts:?}");
    }

    /// A source that repeats one byte, or fails.
    struct Stuck(Option<u8>);

    impl TryRng for Stuck {
        type Error = rand::rngs::SysError;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            unreachable!("draws take bytes")
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            unreachable!("draws take bytes")
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(self.0.ok_or(rand::rngs::SysError::UNSUPPORTED)?);
            Ok(())
        }
    }

    impl TryCryptoRng for Stuck {}

    #[test]
    fn a_stuck_or_failing_source_is_an_error() {
        assert_eq!(
            one_of(DIGITS, &mut Stuck(Some(255))),
            Err(TokenError::NoRandomness)
        );
        assert_eq!(
            one_of(DIGITS, &mut Stuck(None)),
            Err(TokenError::NoRandomness)
        );
        assert_eq!(one_of(DIGITS, &mut Stuck(Some(249))), Ok(b'9'));
    }

    #[test]
    fn a_pool_gives_each_byte_of_its_source_once() {
        let mut source = StdRng::seed_from_u64(9);
        let mut given = [0; 3 * POOL_BYTES];
        let mut pool = Pool::new(&mut source);
        for part in given.chunks_mut(7) {
            fill(part, &mut pool).unwrap();
        }
        let mut read = [0; 3 * POOL_BYTES];
        let mut source = StdRng::seed_from_u64(9);
        for block in read.chunks_mut(POOL_BYTES) {
            fill(block, &mut source).unwrap();
            block.reverse();
        }
        assert_eq!(given, read);
        let refused = fill(&mut [0], &mut Pool::new(&mut Stuck(None)));
        assert_eq!(refused, Err(TokenError::NoRandomness));
    }
}
