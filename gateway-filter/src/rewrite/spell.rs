//! Owns the spelling of a text in its place: escapes where there are some, a refusal where the place
//! can't hold it. Whatever is written here reads back as the text.

use crate::field::Spelling;

/// Why a text can't stand in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpellFault {
    /// A number's place.
    #[error(
        "a number must take the number's place: give the class digits, or set `numbers = \"text\"`"
    )]
    Number,
    /// The boundary of the multipart body is in the text.
    #[error("the text holds the multipart body's boundary")]
    Boundary,
    /// A character that XML, CSV or a header can't hold.
    #[error("the text holds a character that its place can't hold")]
    Character,
    /// Two fields in one place.
    #[error("two fields overlap")]
    Overlap,
}

/// Writes the text as its place wants it.
pub(crate) fn spell(text: &str, spelling: Spelling, out: &mut Vec<u8>) -> Result<(), SpellFault> {
    match spelling {
        Spelling::JsonText => json_text(text, out),
        Spelling::JsonNumber => {
            if !is_json_number(text) {
                return Err(SpellFault::Number);
            }
            out.extend_from_slice(text.as_bytes());
        }
        Spelling::Form | Spelling::Address => percent(text, spelling, out),
        Spelling::Csv { quoted: true } => csv_quoted(text, out)?,
        Spelling::Csv { quoted: false } => csv(text, out)?,
        Spelling::Part(boundary) => {
            if memchr::memmem::find(text.as_bytes(), &boundary.delimiter()).is_some() {
                return Err(SpellFault::Boundary);
            }
            out.extend_from_slice(text.as_bytes());
        }
        Spelling::XmlText | Spelling::XmlAttribute => xml(text, spelling, out)?,
        Spelling::Header => {
            let fits = |next: char| next == ' ' || next.is_ascii_graphic();
            if !text.chars().all(fits) || text.trim() != text {
                return Err(SpellFault::Character);
            }
            out.extend_from_slice(text.as_bytes());
        }
    }
    Ok(())
}

/// RFC 8259 §7: quotes, backslashes and control characters are escaped.
fn json_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F))
    {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            control @ 0..=0x1F => {
                out.extend_from_slice(b"\\u00");
                out.push(hex(control >> 4).to_ascii_lowercase());
                out.push(hex(control & 0xF).to_ascii_lowercase());
            }
            quoted => out.extend_from_slice(&[b'\\', quoted]),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn hex(digit: u8) -> u8 {
    match digit {
        0..=9 => b'0' + digit,
        _ => b'A' + (digit - 10),
    }
}

/// RFC 8259 §6.
fn is_json_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

/// Everything but unreserved characters (RFC 3986 §2.3) is encoded.
fn percent(text: &str, spelling: Spelling, out: &mut Vec<u8>) {
    let plus = spelling == Spelling::Form;
    for byte in text.bytes() {
        match byte {
            b' ' if plus => out.push(b'+'),
            plain if plain.is_ascii_alphanumeric() || b"-._".contains(&plain) => out.push(plain),
            // WHATWG URL §5.2 leaves `*` and encodes `~`, RFC 3986 the other way round.
            b'*' if plus => out.push(b'*'),
            b'~' if !plus => out.push(b'~'),
            other => out.extend_from_slice(&[b'%', hex(other >> 4), hex(other & 0xF)]),
        }
    }
}

/// In quotes only where it needs them.
fn csv(text: &str, out: &mut Vec<u8>) -> Result<(), SpellFault> {
    if text.contains([',', '"', '\r', '\n', '\0']) || text.trim() != text {
        return csv_quoted(text, out);
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn csv_quoted(text: &str, out: &mut Vec<u8>) -> Result<(), SpellFault> {
    // Some readers take a backslash before a quote for an escape.
    if text.contains('\0') || text.contains("\\\"") || text.ends_with('\\') {
        return Err(SpellFault::Character);
    }
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
    Ok(())
}

/// References where a parser would read something else, white space of attributes among them.
fn xml(text: &str, spelling: Spelling, out: &mut Vec<u8>) -> Result<(), SpellFault> {
    let attribute = spelling == Spelling::XmlAttribute;
    for next in text.chars() {
        let reference = match next {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '\r' => "&#13;",
            '"' if attribute => "&quot;",
            '\'' if attribute => "&apos;",
            '\t' if attribute => "&#9;",
            '\n' if attribute => "&#10;",
            plain if crate::body::xml::is_char(plain) => {
                out.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return Err(SpellFault::Character),
        };
        out.extend_from_slice(reference.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::Boundary;

    fn spelled(text: &str, spelling: Spelling) -> Result<String, SpellFault> {
        let mut out = Vec::new();
        spell(text, spelling, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    proptest! {
        #[test]
        fn a_json_literal_reads_back_as_its_text(text in any::<String>()) {
            let literal = spelled(&text, Spelling::JsonText).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text);
        }

        #[test]
        fn a_number_is_one_where_serde_json_takes_it(text in "[-+0-9.eE]{0,8}|-?[0-9]{1,30}") {
            let oracle = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            prop_assert_eq!(spelled(&text, Spelling::JsonNumber).is_ok(), oracle);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(
            spelled("a\"\\\n\u{1}\u{1f}\u{7f}金", Spelling::JsonText).unwrap(),
            "\"a\\\"\\\\\\u000a\\u0001\\u001f\u{7f}金\""
        );
    }

    #[test]
    fn every_place_spells_what_would_end_it() {
        let form = spelled("a b&c=é*~", Spelling::Form).unwrap();
        assert_eq!(form, "a+b%26c%3D%C3%A9*%7E");
        let address = spelled("a b/?*~", Spelling::Address).unwrap();
        assert_eq!(address, "a%20b%2F%3F%2A~");
        let csv = |text, quoted| spelled(text, Spelling::Csv { quoted }).unwrap();
        assert_eq!(csv("a", false), "a");
        assert_eq!(csv("a", true), "\"a\"");
        assert_eq!(csv("a,\"b", false), "\"a,\"\"b\"");
        assert_eq!(
            spelled("<&>\"", Spelling::XmlText).unwrap(),
            "&lt;&amp;&gt;\""
        );
        let attribute = spelled("\"'\n", Spelling::XmlAttribute).unwrap();
        assert_eq!(attribute, "&quot;&apos;&#10;");
    }

    #[test]
    fn a_place_refuses_what_it_cannot_hold() {
        let boundary = Spelling::Part(Boundary::new("b1").unwrap());
        assert_eq!(spelled("x--b1y", boundary), Err(SpellFault::Boundary));
        assert_eq!(spelled("x--b", boundary).unwrap(), "x--b");
        for (text, spelling) in [
            ("\u{1}", Spelling::XmlText),
            ("\0", Spelling::Csv { quoted: true }),
            ("a\\", Spelling::Csv { quoted: true }),
            ("a,b\\", Spelling::Csv { quoted: false }),
            ("a\\\"b", Spelling::Csv { quoted: false }),
            ("a\r\nx: y", Spelling::Header),
            (" a", Spelling::Header),
        ] {
            assert_eq!(spelled(text, spelling), Err(SpellFault::Character));
        }
        assert_eq!(spelled("07", Spelling::JsonNumber), Err(SpellFault::Number));
    }
}
