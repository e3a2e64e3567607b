//! Uniform draws from small sets, by rejection: no modulo bias.

use rand::TryCryptoRng;

use super::TokenError;

/// Draws before a source counts as stuck. A sound one is refused 64 times once in 10^60 draws.
const TRIES_MAX: usize = 64;

/// The decimal digits, as text.
pub(super) const DIGITS: &[u8; 10] = b"0123456789";

/// One of `choices`, each with the same probability.
pub(super) fn one_of<R: TryCryptoRng + ?Sized, const N: usize>(
    choices: &[u8; N],
    rng: &mut R,
) -> Result<u8, TokenError> {
    const { assert!(N > 0 && N <= 256) };
    // INVARIANT 4: bytes beyond the largest multiple of N would favour the first choices.
    let fair = 256 - 256 % N;
    for _ in 0..TRIES_MAX {
        let mut byte = [0];
        fill(&mut byte, rng)?;
        let drawn = usize::from(byte[0]);
        if drawn < fair {
            return Ok(choices[drawn % N]);
        }
    }
    Err(TokenError::NoRandomness)
}

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
    use rand::rngs::StdRng;
    use rand::{SeedableRng, TryRng};

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
}
