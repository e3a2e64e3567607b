//! The published set of Chinese characters that tokens are drawn from, and its check character.
//!
//! `zh_set.txt`: 2,048 characters (11 bits each) of Big5's second level, so that the systems of
//! Taiwan can show them; none in everyday use in China (GB 2312) or Japan (JIS X 0208, level 1),
//! none a surname or usual in names. In the order of Unicode, 64 a line. A published set: it stays.

use rand::TryCryptoRng;

use super::{TokenError, draw};

/// Characters of the set.
pub(super) const COUNT: usize = 2_048;

const FILE: &str = include_str!("zh_set.txt");
const LINE_CHARACTERS: usize = 64;
/// All are of U+0800 to U+FFFF: three bytes each.
const CHARACTER_BYTES: usize = 3;
const LINE_BYTES: usize = LINE_CHARACTERS * CHARACTER_BYTES + 1;

/// The character at a place, from 0. Beyond the set, `None`.
pub(super) fn character(place: usize) -> Option<char> {
    if place >= COUNT {
        return None;
    }
    let line = place / LINE_CHARACTERS;
    let start = line * LINE_BYTES + place % LINE_CHARACTERS * CHARACTER_BYTES;
    FILE.get(start..start + CHARACTER_BYTES)?.chars().next()
}

/// The place of a character in the set, if it stands in it.
pub(super) fn place(wanted: char) -> Option<usize> {
    let (mut low, mut high) = (0, COUNT);
    while low < high {
        let middle = low.midpoint(high);
        let found = character(middle)?;
        match found.cmp(&wanted) {
            std::cmp::Ordering::Equal => return Some(middle),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

/// One character of the set.
pub(super) fn draw<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<char, TokenError> {
    let mut bytes = [0; 2];
    draw::fill(&mut bytes, rng)?;
    // 65,536 is a multiple of 2,048: the low 11 bits are uniform.
    character(usize::from(u16::from_be_bytes(bytes)) % COUNT).ok_or(TokenError::NoRandomness)
}

/// The check character of a text of the set; `None` if another character stands in it.
///
/// Odd weights are invertible modulo 2,048: every single wrong character is seen.
pub(super) fn check(text: &str) -> Option<char> {
    let mut sum = 0;
    for (at, found) in text.chars().enumerate() {
        sum = (sum + (2 * at + 3) * place(found)?) % COUNT;
    }
    character(sum)
}

/// Whether all of `text` is of the set.
pub(super) fn is_written_in(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| place(character).is_some())
}

/// Whether `text` is of the set, and its last character checks those before.
pub(super) fn is_checked(text: &str) -> bool {
    text.char_indices()
        .next_back()
        .is_some_and(|(at, last)| at > 0 && check(&text[..at]) == Some(last))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use ring::digest;
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;

    #[test]
    fn the_set_is_the_one_that_was_published() {
        let hash = digest::digest(&digest::SHA256, FILE.as_bytes());
        let mut hex = String::new();
        for byte in hash.as_ref() {
            write!(hex, "{byte:02x}").unwrap();
        }
        assert_eq!(
            hex,
            "0ff5af45064157b7a79b03bd723ecc7ea937623c41bce43ae9b8a77a833563f4"
        );
        let all: Vec<char> = (0..COUNT).map(|place| character(place).unwrap()).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), COUNT);
        assert!(all.is_sorted());
        assert_eq!(FILE.chars().filter(|&c| c != '\n').collect::<Vec<_>>(), all);
        assert_eq!(character(COUNT), None);
    }

    #[test]
    fn the_set_survives_every_normal_form_and_holds_no_common_character() {
        for place in 0..COUNT {
            let found = character(place).unwrap();
            assert!(('\u{4e00}'..='\u{9fff}').contains(&found), "{found}");
            assert!(
                found.nfkc().eq([found]) && found.nfkd().eq([found]),
                "{found}"
            );
        }
        for common in "王測試陳林黃張李吳劉蔡楊台臺北市區路號的一是在不了有和人這".chars()
        {
            assert_eq!(place(common), None, "{common}");
        }
    }

    #[test]
    fn places_and_characters_are_each_others_inverse() {
        for at in 0..COUNT {
            assert_eq!(place(character(at).unwrap()), Some(at));
        }
        for other in ['a', '0', '\n', '\u{4e00}', '\u{9fff}', '\u{20000}'] {
            assert_eq!(place(other), None, "{other:?}");
        }
    }

    #[test]
    fn one_wrong_character_is_seen_wherever_it_stands() {
        let right: String = [5, 700, 2_047, 1_024]
            .map(|at| character(at).unwrap())
            .iter()
            .collect();
        let right = format!("{right}{}", check(&right).unwrap());
        assert!(is_checked(&right));
        for at in 0..5 {
            for other in 0..COUNT {
                let mut wrong: Vec<char> = right.chars().collect();
                if wrong[at] != character(other).unwrap() {
                    wrong[at] = character(other).unwrap();
                    assert!(
                        !is_checked(&wrong.iter().collect::<String>()),
                        "{at} {other}"
                    );
                }
            }
        }
        assert!(!is_checked("") && !is_checked("王") && !is_checked("王測試"));
    }
}
