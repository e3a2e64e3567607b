//! JSON objects in which no member stands twice: a parser that keeps the last would read another key or
//! header than the one that was checked (RFC 7515 section 4, RFC 7517 section 4).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// One object's members.
pub(super) struct Members(BTreeMap<String, Member>);

/// What a member holds. Texts may be a private key's.
pub(super) enum Member {
    Text(Zeroizing<String>),
    Texts(Vec<String>),
    Object(Members),
    Other,
}

impl Members {
    /// Reads a whole text. Nesting is bounded by the parser's own limit.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        match serde_json::from_slice(text).ok()? {
            Member::Object(members) => Some(members),
            Member::Text(_) | Member::Texts(_) | Member::Other => None,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Member> {
        self.0.get(name)
    }

    /// The member's text; `None` where it is absent or none.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Member::Text(text) => Some(text),
            Member::Texts(_) | Member::Object(_) | Member::Other => None,
        }
    }

    pub(super) fn object(&self, name: &str) -> Option<&Self> {
        match self.get(name)? {
            Member::Object(members) => Some(members),
            Member::Text(_) | Member::Texts(_) | Member::Other => None,
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(EachOnce)
    }
}

struct EachOnce;

impl<'de> Visitor<'de> for EachOnce {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Member, E> {
        Ok(Member::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Member, A::Error> {
        let mut texts = Vec::new();
        while let Some(item) = items.next_element::<Member>()? {
            let Member::Text(text) = item else {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Member::Other);
            };
            texts.push(text.to_string());
        }
        Ok(Member::Texts(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Member>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Member::Object(Members(members)))
    }
}
