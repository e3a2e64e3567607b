//! The encodings of text files: what chosen fields say, and how new values are written.

use std::borrow::Cow;

use encoding_rs::{BIG5, EncoderResult};

/// How a CSV file's characters are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[value(name = "utf-8")]
    Utf8,
    /// Big5, as the WHATWG Encoding Standard reads it (code page 950, ETEN and HKSCS).
    Big5,
}

impl Encoding {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Big5 => "big5",
        }
    }

    /// Where bytes of a whole record are no text. Big5 is judged in chosen fields only: files hold
    /// characters of their users' own, and what is copied need not be read.
    pub(super) fn fault(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).err().map(|e| e.valid_up_to()),
            Self::Big5 => None,
        }
    }

    /// What a field's bytes say; nothing if they are no text of this encoding.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Big5 => {
                let text = BIG5.decode_without_bom_handling_and_without_replacement(bytes)?;
                // Some codes read alike: a value that would come back as others is none to take.
                (self.encode(&text)? == bytes).then_some(text)
            }
        }
    }

    /// A text's bytes; nothing if this encoding can't write it.
    pub(super) fn encode(self, text: &str) -> Option<Cow<'_, [u8]>> {
        if self == Self::Utf8 {
            return Some(Cow::Borrowed(text.as_bytes()));
        }
        let mut encoder = BIG5.new_encoder();
        let room = encoder.max_buffer_length_from_utf8_without_replacement(text.len())?;
        let mut bytes = Vec::with_capacity(room);
        match encoder.encode_from_utf8_to_vec_without_replacement(text, &mut bytes, true) {
            (EncoderResult::InputEmpty, _) => Some(Cow::Owned(bytes)),
            _ => None,
        }
    }

    /// Characters in some bytes, for a column number.
    pub(super) fn characters(self, bytes: &[u8]) -> u64 {
        let mut count = 0;
        let mut rest = bytes;
        while let Some((&first, tail)) = rest.split_first() {
            count += u64::from(self == Self::Big5 || first & 0xc0 != 0x80);
            // A lead byte of Big5 takes the next one with it.
            let pair = self == Self::Big5 && first >= 0x81;
            rest = tail.get(usize::from(pair)..).unwrap_or_default();
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big5_comes_back_as_it_was() {
        let bytes = b"\xa4\xfd\xa4p\xa9\xfa"; // 王小明
        assert_eq!(Encoding::Big5.decode(bytes).unwrap(), "王小明");
        assert_eq!(Encoding::Big5.encode("王小明").unwrap().as_ref(), bytes);
        assert_eq!(Encoding::Big5.characters(b"a\xa4\xfdb"), 3);
        assert_eq!(Encoding::Utf8.characters("a王b".as_bytes()), 3);
    }

    #[test]
    fn what_big5_cannot_say_is_refused() {
        assert!(Encoding::Big5.encode("😀").is_none());
        assert!(Encoding::Big5.decode(b"\xa4").is_none());
        // A character of the user's own (0xFA40 and up without HKSCS; 0x8E40 is user defined).
        assert!(Encoding::Big5.decode(b"\x80").is_none());
        // 0xA145 and 0xA14E are one character to readers: only the code that is written again is taken.
        let twins: Vec<_> = [b"\xa2\xcc", b"\xa4\x51"]
            .iter()
            .map(|code| Encoding::Big5.decode(*code).is_some())
            .collect();
        assert_eq!(twins, [false, true]);
    }

    #[test]
    fn what_is_no_utf_8_is_found() {
        assert_eq!(Encoding::Utf8.fault(b"ab\xa4\xfd"), Some(2));
        assert_eq!(Encoding::Utf8.fault("金".as_bytes()), None);
    }
}
