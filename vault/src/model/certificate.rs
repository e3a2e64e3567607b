//! Subjects of certificates as text (RFC 4514), in one spelling, so that two are equal or they are not.
//!
//! Written most specific first, as RFC 4514 has it: `CN=tax,OU=revenue,O=City,C=TW`.

use std::fmt::{self, Write as _};

/// Names of attribute types (RFC 4514 section 3). Others are written as their numbers, and their values in
/// hexadecimal.
const TYPES: [(&str, &str); 9] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
];
/// Longest subject, in bytes.
const SUBJECT_BYTES_MAX: usize = 1_024;

/// A certificate's subject, in the one spelling that is compared.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CertificateSubject(String);

/// Why a text is no subject.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a certificate's subject is written as RFC 4514 has it, most specific first and without spaces between: `CN=tax,O=City,C=TW`; \
     types are CN, L, ST, O, OU, C, STREET, DC, UID, or numbers with a value such as #0C03414243"
)]
pub struct InvalidCertificateSubject;

/// One attribute of a name: its type's number, and its value.
pub struct Attribute {
    /// The type, as numbers with dots.
    pub number: String,
    /// The value.
    pub value: AttributeValue,
}

/// One attribute's value.
#[derive(Debug, Eq, PartialEq)]
pub enum AttributeValue {
    /// A text, of a type that has a name here.
    Text(String),
    /// The value's DER, of any other type.
    Der(Vec<u8>),
}

impl Attribute {
    /// Whether a type's values are texts here.
    pub fn is_text(number: &str) -> bool {
        TYPES.iter().any(|(_, known)| *known == number)
    }
}

impl CertificateSubject {
    /// From a certificate's names, most specific first. `None` where it names nobody, or takes over 1,024 bytes.
    pub fn of(names: &[Vec<Attribute>]) -> Option<Self> {
        let names: Vec<String> = names.iter().map(|name| joined(name)).collect();
        let text = names.join(",");
        let whole = !text.is_empty() && names.iter().all(|name| !name.is_empty());
        (whole && text.len() <= SUBJECT_BYTES_MAX).then_some(Self(text))
    }

    /// Reads what a person wrote; escapes that are not needed are taken out.
    pub fn parse(text: &str) -> Result<Self, InvalidCertificateSubject> {
        let mut rest = text;
        let mut names = Vec::new();
        let mut name = Vec::new();
        loop {
            let (kind, after) = rest.split_once('=').ok_or(InvalidCertificateSubject)?;
            let number = number(kind).ok_or(InvalidCertificateSubject)?;
            let read = if Attribute::is_text(&number) {
                text_value
            } else {
                der_value
            };
            let (value, end) = read(after)?;
            name.push(Attribute { number, value });
            let mut left = end.chars();
            let between = left.next();
            if between != Some('+') {
                names.push(std::mem::take(&mut name));
            }
            if between.is_none() {
                break;
            }
            rest = left.as_str();
        }
        Self::of(&names).ok_or(InvalidCertificateSubject)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertificateSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The attributes of one name; of several, their order says nothing.
fn joined(name: &[Attribute]) -> String {
    let mut attributes: Vec<String> = name.iter().map(written).collect();
    attributes.sort();
    attributes.join("+")
}

fn written(attribute: &Attribute) -> String {
    let known = TYPES.iter().find(|(_, number)| *number == attribute.number);
    let kind = known.map_or(attribute.number.as_str(), |(name, _)| name);
    match &attribute.value {
        AttributeValue::Text(text) => format!("{kind}={}", escaped(text)),
        AttributeValue::Der(der) => {
            let mut text = format!("{kind}=#");
            for byte in der {
                // Writing into a text never fails.
                let _ = write!(text, "{byte:02X}");
            }
            text
        }
    }
}

/// RFC 4514 section 2.4: what must be escaped is, by a backslash or in hexadecimal, and nothing else.
fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(text.len());
    for (place, char) in text.chars().enumerate() {
        let at_an_end = char == ' ' && (place == 0 || place == last) || char == '#' && place == 0;
        if at_an_end || matches!(char, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            out.push('\\');
            out.push(char);
        } else if char.is_ascii_control() {
            // Writing into a text never fails.
            let _ = write!(out, "\\{:02X}", u32::from(char));
        } else {
            out.push(char);
        }
    }
    out
}

/// A type's number, from its name or number.
fn number(kind: &str) -> Option<String> {
    let named = TYPES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(kind));
    if let Some((_, number)) = named {
        return Some((*number).to_owned());
    }
    let part = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits && (part == "0" || !part.starts_with('0'))
    };
    (kind.contains('.') && kind.split('.').all(part)).then(|| kind.to_owned())
}

type Value<'a> = Result<(AttributeValue, &'a str), InvalidCertificateSubject>;

/// A text, and what follows it: nothing, or something that starts with `,` or `+`.
fn text_value(text: &str) -> Value<'_> {
    // An end that must be escaped and is not.
    if text.starts_with([' ', '#']) {
        return Err(InvalidCertificateSubject);
    }
    let (bytes, rest) = unescaped(text)?;
    let text = String::from_utf8(bytes).map_err(|_| InvalidCertificateSubject)?;
    Ok((AttributeValue::Text(text), rest))
}

/// A value in hexadecimal, and what follows it.
fn der_value(text: &str) -> Value<'_> {
    let (bytes, rest) = unescaped(text)?;
    let hex = bytes.strip_prefix(b"#").unwrap_or_default();
    let pairs = hex.chunks(2).map(|pair| match pair {
        [high, low] => hex_pair(*high, *low),
        _ => None,
    });
    match pairs.collect::<Option<Vec<u8>>>() {
        Some(der) if !der.is_empty() => Ok((AttributeValue::Der(der), rest)),
        _ => Err(InvalidCertificateSubject),
    }
}

fn unescaped(text: &str) -> Result<(Vec<u8>, &str), InvalidCertificateSubject> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    let mut ends_bare_space = false;
    while let Some(&byte) = bytes.get(at) {
        let escape = (byte, bytes.get(at + 1), bytes.get(at + 2));
        let (one, width) = match escape {
            (b',' | b'+', ..) => break,
            (b'\\', Some(&high), Some(&low)) if hex_pair(high, low).is_some() => {
                (hex_pair(high, low).unwrap_or_default(), 3)
            }
            (b'\\', Some(next), _) if next.is_ascii_punctuation() || *next == b' ' => (*next, 2),
            (b'\\' | b'"' | b';' | b'<' | b'>' | 0..=31 | 127, ..) => {
                return Err(InvalidCertificateSubject);
            }
            _ => (byte, 1),
        };
        ends_bare_space = width == 1 && one == b' ';
        out.push(one);
        at += width;
    }
    if ends_bare_space || out.is_empty() {
        return Err(InvalidCertificateSubject);
    }
    Ok((out, text.get(at..).ok_or(InvalidCertificateSubject)?))
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        let subject = CertificateSubject::parse(text).ok();
        subject.map(|subject| subject.as_str().to_owned())
    }

    #[test]
    fn each_subject_has_one_spelling() {
        for (text, expected) in [
            ("CN=tax,O=City,C=TW", "CN=tax,O=City,C=TW"),
            ("cn=tax,o=City", "CN=tax,O=City"),
            ("2.5.4.3=tax", "CN=tax"),
            (r"CN=\74ax", "CN=tax"),
            (r"CN=a\,b", r"CN=a\,b"),
            (r"CN=a\2Cb", r"CN=a\,b"),
            (r"CN=\E7\A8\85", "CN=稅"),
            ("CN=稅捐處", "CN=稅捐處"),
            ("CN=a b", "CN=a b"),
            (r"CN=\ a\ ", r"CN=\ a\ "),
            (r"CN=\#a#", r"CN=\#a#"),
            (r"CN=a\0Ab", r"CN=a\0Ab"),
            ("UID=1+CN=a,O=x", "CN=a+UID=1,O=x"),
            ("2.5.4.5=#1301ab,CN=a", "2.5.4.5=#1301AB,CN=a"),
            (r"CN=a\=b=c", "CN=a=b=c"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
            assert_eq!(read(expected).as_deref(), Some(expected), "{expected}");
        }
    }

    #[test]
    fn what_is_no_subject_is_refused() {
        for text in [
            "",
            "tax",
            "CN=",
            "CN=a,",
            "CN=a+",
            ",CN=a",
            "CN=a, O=b",
            "CN= a",
            "CN=a ",
            "CN=#a",
            "CN=a;O=b",
            "CN=\"a\"",
            "XX=a",
            "2.5.4.5=a",
            "2.5.4.5=#",
            "2.5.4.5=#1",
            "2.5.4.05=#01",
            "CN=a\nb",
            r"CN=a\",
            r"CN=\FF",
            "CN=a<b",
            &format!("CN={}", "a".repeat(1_100)),
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_texts_are_written_and_read_again(values in prop::collection::vec("\\PC{1,12}|[ #,+;<>=\"\\\\]{1,6}", 1..5)) {
            let name = |value: &String| vec![Attribute {
                number: "2.5.4.3".to_owned(),
                value: AttributeValue::Text(value.clone()),
            }];
            let names: Vec<_> = values.iter().map(name).collect();
            let subject = CertificateSubject::of(&names).unwrap();
            prop_assert_eq!(CertificateSubject::parse(subject.as_str()), Ok(subject));
        }

        #[test]
        fn nothing_that_is_written_makes_it_panic(text in "\\PC{0,60}") {
            let _ = CertificateSubject::parse(&text);
        }
    }
}
