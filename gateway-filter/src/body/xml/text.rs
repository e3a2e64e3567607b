//! Owns characters and references (XML 1.0 §2.2, §2.4, §3.3.3, §4.1): the five entities of XML and
//! characters by number, nothing else.

use std::borrow::Cow;

use super::XmlFault;

/// XML 1.0 §2.2.
pub(crate) fn is_char(next: char) -> bool {
    matches!(next, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}'
        | '\u{10000}'..='\u{10FFFF}')
}

/// Text between tags.
pub(super) fn character_data(raw: &str) -> Result<Cow<'_, str>, XmlFault> {
    if raw.contains("]]>") {
        return Err(XmlFault::Section);
    }
    resolved(raw, |line_end| line_end)
}

/// Between an attribute's quotes; white space becomes spaces (§3.3.3).
pub(super) fn attribute_text(raw: &str) -> Result<Cow<'_, str>, XmlFault> {
    if raw.contains('<') {
        return Err(XmlFault::Tag);
    }
    resolved(raw, |_| ' ')
}

/// `blank` says what a raw tab or line end becomes.
fn resolved(raw: &str, blank: impl Fn(char) -> char) -> Result<Cow<'_, str>, XmlFault> {
    if !raw.chars().all(is_char) {
        return Err(XmlFault::Character);
    }
    if !raw.contains(['&', '\r', '\n', '\t']) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.char_indices().peekable();
    while let Some((at, next)) = chars.next() {
        match next {
            '&' => {
                let rest = &raw[at + 1..];
                let length = rest.find(';').ok_or(XmlFault::Entity)?;
                text.push(reference(&rest[..length])?);
                while chars
                    .next_if(|(place, _)| *place <= at + 1 + length)
                    .is_some()
                {}
            }
            '\r' => {
                // §2.11: both spellings of a line end are one character.
                chars.next_if(|(_, next)| *next == '\n');
                text.push(blank('\n'));
            }
            '\n' | '\t' => text.push(blank(next)),
            plain => text.push(plain),
        }
    }
    Ok(Cow::Owned(text))
}

fn reference(name: &str) -> Result<char, XmlFault> {
    let number = |digits: &str, radix: u32| {
        let plain = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
        plain
            .then(|| u32::from_str_radix(digits, radix).ok())
            .flatten()
            .and_then(char::from_u32)
            .filter(|next| is_char(*next))
            .ok_or(XmlFault::Character)
    };
    match name {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        other => match other.strip_prefix("#x") {
            Some(digits) => number(digits, 16),
            None => number(other.strip_prefix('#').ok_or(XmlFault::Entity)?, 10),
        },
    }
}
