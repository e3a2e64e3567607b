//! The opaque format: `jk1_`, 26 characters for 128 random bits, 4 check characters.
//!
//! Self-identifying: a scanner of logs or leaks finds one and knows a typing error from a token.

use rand::TryCryptoRng;
use ring::digest;
use zeroize::Zeroizing;

use super::{TokenError, draw};
use crate::model::TokenText;

const PREFIX: &str = "jk1_";
/// Characters of 128 bits at 5 bits each; the last holds 3 bits.
pub(super) const BODY_CHARS: usize = 26;
/// 20 bits: a wrong text passes once in a million.
pub(super) const CHECK_CHARS: usize = 4;

/// Crockford's base 32 in lower case: no `i`, `l`, `o`, `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Which bytes are of the alphabet: every token presented is looked at, character by character.
const OF_ALPHABET: [bool; 256] = {
    let mut known = [false; 256];
    let mut at = 0;
    while at < ALPHABET.len() {
        known[ALPHABET[at] as usize] = true;
        at += 1;
    }
    known
};

/// Draws a token.
pub(super) fn draw<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<TokenText, TokenError> {
    let mut text = String::with_capacity(PREFIX.len() + BODY_CHARS + CHECK_CHARS);
    text.push_str(PREFIX);
    push_body(&mut text, rng)?;
    let check = check_of(&text);
    text.extend(check.map(char::from));
    Ok(TokenText::new(text))
}

/// Whether `text` is a token of this format.
pub(super) fn is_one(text: &str) -> bool {
    let Some(body) = text.strip_prefix(PREFIX) else {
        return false;
    };
    let Some((body, check)) = body.split_at_checked(BODY_CHARS) else {
        return false;
    };
    is_body(body) && check.as_bytes() == check_of(&text[..PREFIX.len() + BODY_CHARS])
}

/// Whether `text` begins as a token of this format and is none.
pub(super) fn is_broken(text: &str) -> bool {
    text.starts_with(PREFIX) && !is_one(text)
}

/// Appends 128 random bits as 26 characters.
pub(super) fn push_body<R: TryCryptoRng + ?Sized>(
    text: &mut String,
    rng: &mut R,
) -> Result<(), TokenError> {
    let mut bits = Zeroizing::new([0; 16]);
    draw::fill(&mut *bits, rng)?;
    let mut rest = u128::from_be_bytes(*bits);
    for _ in 0..BODY_CHARS {
        text.push(character(rest >> 123));
        rest <<= 5;
    }
    Ok(())
}

/// Whether `text` is what [`push_body`] writes. The last character has two unused bits, always 0.
pub(super) fn is_body(text: &str) -> bool {
    text.len() == BODY_CHARS
        && text.bytes().all(|byte| OF_ALPHABET[usize::from(byte)])
        && text
            .bytes()
            .last()
            .is_some_and(|last| ALPHABET.iter().step_by(4).any(|&c| c == last))
}

pub(super) fn check_of(text: &str) -> [u8; CHECK_CHARS] {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let mut check = [0; CHECK_CHARS];
    for (place, &byte) in check.iter_mut().zip(hash.as_ref()) {
        // The low five bits of a byte: 256 is a multiple of 32, so each is as likely as another.
        *place = ALPHABET[usize::from(byte & 31)];
    }
    check
}

fn character(five_bits: u128) -> char {
    usize::try_from(five_bits & 31).map_or('0', |place| char::from(ALPHABET[place]))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn token() -> String {
        draw(&mut StdRng::seed_from_u64(1))
            .unwrap()
            .expose()
            .to_owned()
    }

    #[test]
    fn a_token_knows_itself() {
        let token = token();
        assert_eq!(token.len(), 34);
        assert!(is_one(&token));
    }

    #[test]
    fn one_wrong_character_is_seen() {
        let token = token();
        for place in 0..token.len() {
            for &other in ALPHABET {
                let mut wrong = token.clone().into_bytes();
                wrong[place] = other;
                let wrong = String::from_utf8(wrong).unwrap();
                assert!(wrong == token || !is_one(&wrong), "{place}");
            }
        }
    }

    #[test]
    fn other_texts_are_not_tokens() {
        let token = token();
        assert!(!is_one(&token.to_uppercase()));
        assert!(!is_one(&token[..33]));
        assert!(!is_one(&format!("{token}0")));
        assert!(!is_one(&format!(" {token}")));
        for text in ["", "jk1_", "jk1_王", "jk1_0123456789012345678901234王"] {
            assert!(!is_one(text), "{text}");
        }
        // Right check characters don't make up for a second spelling of the same bits.
        for body in ["0000000000000000000000000l", "00000000000000000000000001"] {
            let text = format!("{PREFIX}{body}");
            let check = String::from_utf8(check_of(&text).to_vec()).unwrap();
            assert!(!is_one(&format!("{text}{check}")), "{text}");
        }
    }

    #[test]
    fn all_128_bits_are_written() {
        let mut text = String::new();
        push_body(&mut text, &mut StdRng::seed_from_u64(3)).unwrap();
        let mut drawn = [0; 16];
        draw::fill(&mut drawn, &mut StdRng::seed_from_u64(3)).unwrap();
        // Read back by another way: digit by digit in base 32; the two unused bits fall off.
        let read = text.bytes().fold((0_u128, 0_u32), |(high, bits), byte| {
            let five = ALPHABET.iter().position(|&c| c == byte).unwrap() as u128;
            if bits == 125 {
                ((high << 3) | (five >> 2), 128)
            } else {
                ((high << 5) | five, bits + 5)
            }
        });
        assert_eq!(read, (u128::from_be_bytes(drawn), 128));
        assert!(is_body(&text));
    }

    #[test]
    fn a_body_has_one_spelling() {
        assert!(is_body("00000000000000000000000000"));
        assert!(!is_body("00000000000000000000000001"));
        assert!(is_body("00000000000000000000000004"));
        assert!(!is_body("0000000000000000000000000l"));
    }
}
