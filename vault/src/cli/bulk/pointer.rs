//! JSON pointers (RFC 6901): which strings of a line are replaced, and where they lie in its bytes.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Deepest pointer, in reference tokens.
const DEPTH_MAX: usize = 32;

/// One pointer, its escapes resolved.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Pointer {
    tokens: Vec<String>,
}

/// What a pointer finds in a document.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Pointed {
    /// A string: where it lies, quotes and all, and what it says.
    Text(Range<usize>, String),
    /// Nothing, or `null`.
    Nothing,
}

/// Why a line gives no answer. It never holds the line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the line is not one JSON document")]
    NotJson {
        /// Column in the line, from 1, in bytes.
        column: usize,
    },
    #[error("a name stands twice in an object on the way: readers disagree which one counts")]
    DuplicateName,
    #[error("what stands there is no string")]
    NotText,
    #[error("the string holds half of a surrogate pair, which is no text")]
    Surrogate,
}

impl Fault {
    /// The stable code.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::NotJson { .. } => "not-json",
            Self::DuplicateName => "duplicate-name",
            Self::NotText => "not-a-string",
            Self::Surrogate => "not-text",
        }
    }
}

impl Pointer {
    /// Reads `/a/b~1c/0`; the empty pointer is the whole document.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let tokens: Option<Vec<_>> = match text.strip_prefix('/') {
            None if text.is_empty() => Some(Vec::new()),
            None => None,
            Some(rest) => rest.split('/').map(unescaped).collect(),
        };
        let tokens = tokens.filter(|tokens| tokens.len() <= DEPTH_MAX)?;
        Some(Self { tokens })
    }

    /// Looks into a document that [`check`] found sound.
    pub(super) fn find(&self, document: &str) -> Result<Pointed, Fault> {
        let mut here: &RawValue = parsed(document)?;
        for token in &self.tokens {
            let next = match here.get().as_bytes().first() {
                Some(b'{') => member(here, token)?,
                Some(b'[') => element(here, token)?,
                _ => None,
            };
            let Some(next) = next else {
                return Ok(Pointed::Nothing);
            };
            here = next;
        }
        match here.get().as_bytes().first() {
            Some(b'n') => Ok(Pointed::Nothing),
            Some(b'"') => {
                let text = serde_json::from_str(here.get()).map_err(|_| Fault::Surrogate)?;
                // A raw value is a part of the text that it was read from.
                let start = here.get().as_ptr() as usize - document.as_ptr() as usize;
                Ok(Pointed::Text(start..start + here.get().len(), text))
            }
            _ => Err(Fault::NotText),
        }
    }
}

/// Whether a text is one JSON document (RFC 8259).
pub(super) fn check(document: &str) -> Result<(), Fault> {
    parsed::<&RawValue>(document).map(drop)
}

/// RFC 6901 section 4: `~1` is `/`, and `~0` is `~`.
fn unescaped(token: &str) -> Option<String> {
    let mut plain = String::with_capacity(token.len());
    let mut characters = token.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '~' => match characters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

fn parsed<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::NotJson {
        column: error.column(),
    })
}

fn member<'a>(object: &'a RawValue, name: &str) -> Result<Option<&'a RawValue>, Fault> {
    let mut reader = serde_json::Deserializer::from_str(object.get());
    let members = reader.deserialize_map(Members);
    // The document was sound: a name that is none is half of a surrogate pair.
    let members = members.map_err(|_| Fault::Surrogate)?;
    let mut seen = HashSet::with_capacity(members.len());
    let mut found = None;
    for (key, value) in &members {
        if !seen.insert(key) {
            return Err(Fault::DuplicateName);
        }
        if key == name {
            found = Some(*value);
        }
    }
    Ok(found)
}

fn element<'a>(array: &'a RawValue, index: &str) -> Result<Option<&'a RawValue>, Fault> {
    let canonical = index == "0" || !index.starts_with('0');
    let digits = index.bytes().all(|b| b.is_ascii_digit());
    let Some(index) = index.parse::<usize>().ok().filter(|_| canonical && digits) else {
        return Ok(None);
    };
    let elements: Vec<&RawValue> = parsed(array.get())?;
    Ok(elements.get(index).copied())
}

/// An object's members as they stand, doubled names too.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Name(key), value)) = map.next_entry()? {
            members.push((key, value));
        }
        Ok(members)
    }
}

/// A name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn pointer(text: &str) -> Pointer {
        Pointer::parse(text).unwrap()
    }

    #[test]
    fn a_pointer_finds_the_bytes_of_its_string() {
        let line = r#" { "a" : [ 1.0e2, { "b/~": "x\u91d1\"y" , "c":null} ] } "#;
        let found = pointer("/a/1/b~1~0").find(line).unwrap();
        let Pointed::Text(span, text) = found else {
            panic!("nothing was found")
        };
        assert_eq!(&line[span], r#""x\u91d1"y""#.replace("\"y", "\\\"y"));
        assert_eq!(text, "x金\"y");
        for nothing in [
            "/a/1/c",
            "/a/2",
            "/a/01",
            "/a/-",
            "/a/+1",
            "/b",
            "/a/1/b~1~0/x",
        ] {
            assert_eq!(
                pointer(nothing).find(line),
                Ok(Pointed::Nothing),
                "{nothing}"
            );
        }
        assert_eq!(pointer("/a/0").find(line), Err(Fault::NotText));
        assert_eq!(
            pointer("").find(" \"x\""),
            Ok(Pointed::Text(1..4, "x".to_owned()))
        );
    }

    #[test]
    fn what_readers_could_see_otherwise_is_refused() {
        let twice = r#"{"a":"1","\u0061":"2"}"#;
        assert_eq!(pointer("/a").find(twice), Err(Fault::DuplicateName));
        assert_eq!(
            pointer("/a").find(r#"{"a":"\ud800"}"#),
            Err(Fault::Surrogate)
        );
        for wrong in [
            r#"{"a":1,}"#,
            "{'a':1}",
            r#"{"a":1} {"#,
            "",
            "nul",
            r#"{"a":01}"#,
        ] {
            assert!(
                matches!(check(wrong), Err(Fault::NotJson { .. })),
                "{wrong}"
            );
        }
        for wrong in ["a", "/~", "/~2", "#/a"] {
            assert_eq!(Pointer::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Pointer::parse(&"/a".repeat(DEPTH_MAX + 1)), None);
    }

    /// Documents with strings in them, and whether they are written with white space.
    fn documents() -> impl Strategy<Value = (Value, bool)> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::String),
        ];
        let tree = leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::btree_map("[a-c/~é]{0,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        (tree, any::<bool>())
    }

    /// Every place of a document, as a pointer.
    fn places(value: &Value, path: &str, out: &mut Vec<String>) {
        out.push(path.to_owned());
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    places(item, &format!("{path}/{index}"), out);
                }
            }
            Value::Object(members) => {
                for (name, item) in members {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    places(item, &format!("{path}/{name}"), out);
                }
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn a_string_put_back_in_its_place_leaves_the_document((value, pretty) in documents()) {
            let text = if pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            let mut all = Vec::new();
            places(&value, "", &mut all);
            for place in all {
                // serde_json's own pointer is the oracle.
                match (value.pointer(&place), pointer(&place).find(&text)) {
                    (Some(Value::String(said)), Ok(Pointed::Text(span, found))) => {
                        prop_assert_eq!(said, &found);
                        let again = [&text[..span.start], &serde_json::to_string(&found).unwrap(), &text[span.end..]];
                        prop_assert_eq!(again.concat(), text.clone());
                    }
                    (Some(Value::Null), Ok(Pointed::Nothing)) | (Some(_), Err(Fault::NotText)) => {}
                    (found, pointed) => prop_assert!(false, "{place}: {found:?} {pointed:?}"),
                }
            }
        }

        #[test]
        fn whatever_comes_is_read_or_refused(text in ".{0,40}") {
            let _ = check(&text).and_then(|()| pointer("/a").find(&text).map(drop));
        }
    }
}
