//! Bytes as lower-case hexadecimal digits, and back. Nothing else is accepted.

use zeroize::Zeroizing;

/// May hold a secret: wiped on drop, and long enough from the start.
pub(crate) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for digit in bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]) {
        text.push(char::from(if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        }));
    }
    text
}

pub(crate) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        bytes.push((value(*high)? << 4) | value(*low)?);
    }
    Some(bytes)
}

pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let bytes = decode(text)?;
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_decodes(bytes: Vec<u8>) {
            let text = super::encode(&bytes);
            let again = super::decode(&text).unwrap();
            prop_assert_eq!(&*again, &bytes);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["0", "0A", "0g", "0x00", " 00", "00\n"] {
            assert!(super::decode(text).is_none(), "{text:?}");
        }
    }
}
