//! Owns the parameters of a message that a code covers: read in one way only or refused, sorted, joined; and new
//! ones put in among them.

use http::Method;

use super::fault::{ParametersFault, SigningFault};
use super::{Seen, Start};
use crate::body::form;
use crate::field::Spelling;
use crate::media::{Coding, Format};
use crate::rewrite::spell;
use crate::scan::Bounds;
use crate::scan::tape::{Kind, ROOT, Tape};

/// Which bytes of a message a code is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Body,
    /// Without its `?`.
    Query,
    /// The query of a request whose method has no body (GET, HEAD, DELETE), else the body.
    BodyOrQuery,
}

/// How sorted parameters become one text.
#[derive(Debug)]
pub(crate) struct Sorted {
    /// Between two.
    pub(crate) pair_joiner: String,
    /// Between name and value.
    pub(crate) value_joiner: String,
    pub(crate) empty: Empty,
    pub(crate) values: Values,
}

/// What of a parameter without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empty {
    Skip,
    Keep,
}

/// How names and values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// Decoded, as they are; what holds a joiner is refused.
    Plain,
    /// Percent-encoded, all but letters, digits, `-`, `.`, `_` and `~` (RFC 3986 section 2.3).
    Percent,
}

/// Name and value, decoded.
pub(crate) type Pair = (String, String);

/// Where the bytes are in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Body,
    Query,
}

impl Source {
    pub(crate) fn room(self, start: Start<'_>) -> Room {
        let bodiless = match start {
            Start::Request { method, .. } => {
                [Method::GET, Method::HEAD, Method::DELETE].contains(method)
            }
            Start::Response(_) => false,
        };
        match self {
            Self::Query => Room::Query,
            Self::BodyOrQuery if bodiless => Room::Query,
            Self::Body | Self::BodyOrQuery => Room::Body,
        }
    }
}

/// The query without its `?`.
pub(crate) fn query(start: Start<'_>) -> &str {
    match start {
        Start::Request { target, .. } => target.split_once('?').map_or("", |(_, query)| query),
        Start::Response(_) => "",
    }
}

/// The parameters in their order of arrival.
pub(crate) fn pairs(
    room: Room,
    seen: &Seen<'_>,
    bounds: &Bounds,
) -> Result<Vec<Pair>, ParametersFault> {
    let pairs = match room {
        Room::Query => form_pairs(query(seen.start).as_bytes(), Spelling::Address, bounds)?,
        Room::Body if seen.bytes().is_empty() => Vec::new(),
        Room::Body => match (seen.media.format, seen.media.coding) {
            (Format::Form, Coding::Identity) => form_pairs(seen.bytes(), Spelling::Form, bounds)?,
            (Format::Json, Coding::Identity) => members(seen.bytes(), bounds)?,
            _ => return Err(ParametersFault::Unreadable),
        },
    };
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two[0] == two[1]) {
        return Err(ParametersFault::Repeated);
    }
    Ok(pairs)
}

fn form_pairs(
    text: &[u8],
    spelling: Spelling,
    bounds: &Bounds,
) -> Result<Vec<Pair>, ParametersFault> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    let counted = |name: &str| {
        names.push(name.to_owned());
        Some(names.len() - 1)
    };
    let fields = form::pairs(text, 0..text.len(), counted, spelling, bounds)
        .map_err(|_| ParametersFault::Unreadable)?;
    let mut pairs: Vec<Pair> = names
        .into_iter()
        .map(|name| (name, String::new()))
        .collect();
    for field in fields {
        if let Some((_, value)) = pairs.get_mut(field.rule) {
            *value = field.value.into_owned();
        }
    }
    Ok(pairs)
}

/// Members of a JSON object; numbers and words as they are written, `null` as nothing.
fn members(text: &[u8], bounds: &Bounds) -> Result<Vec<Pair>, ParametersFault> {
    let tape = Tape::read(text, bounds).map_err(|_| ParametersFault::Unreadable)?;
    if tape.kind(ROOT) != Kind::Object {
        return Err(ParametersFault::Unreadable);
    }
    let mut pairs = Vec::new();
    for child in tape.children(ROOT) {
        let name = child
            .key
            .map_or_else(String::new, |key| tape.text(key).into_owned());
        let value = match tape.kind(child.node) {
            Kind::Array | Kind::Object => return Err(ParametersFault::Nested),
            Kind::Null => String::new(),
            Kind::True | Kind::False | Kind::Number | Kind::Text { .. } | Kind::Key { .. } => {
                tape.text(child.node).into_owned()
            }
        };
        pairs.push((name, value));
    }
    Ok(pairs)
}

impl Sorted {
    /// One text of the parameters, without that of this name: by their names' bytes.
    pub(crate) fn text(
        &self,
        mut pairs: Vec<Pair>,
        without: Option<&str>,
    ) -> Result<String, ParametersFault> {
        pairs.retain(|(name, value)| {
            let empty = value.is_empty() && self.empty == Empty::Skip;
            Some(name.as_str()) != without && !empty
        });
        pairs.sort();
        let mut text = String::new();
        for (at, (name, value)) in pairs.iter().enumerate() {
            if at > 0 {
                text.push_str(&self.pair_joiner);
            }
            match self.values {
                Values::Percent => {
                    percent(name, &mut text);
                    text.push_str(&self.value_joiner);
                    percent(value, &mut text);
                }
                Values::Plain => {
                    if self.is_ambiguous(name, value) {
                        return Err(ParametersFault::Joiner);
                    }
                    text.push_str(name);
                    text.push_str(&self.value_joiner);
                    text.push_str(value);
                }
            }
        }
        Ok(text)
    }

    /// Joiners are never empty here: the settings see to it.
    fn is_ambiguous(&self, name: &str, value: &str) -> bool {
        name.contains(&self.value_joiner)
            || name.contains(&self.pair_joiner)
            || value.contains(&self.pair_joiner)
    }
}

fn percent(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble & 0xF)]);
            out.extend(['%', digit(byte >> 4), digit(byte)]);
        }
    }
}

/// A query with one more parameter at its end: the whole target.
pub(crate) fn target_with(target: &str, name: &str, value: &str) -> String {
    let joiner = match target.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    let mut text = format!("{target}{joiner}");
    percent(name, &mut text);
    text.push('=');
    percent(value, &mut text);
    text
}

/// A body with one more parameter at its end.
pub(crate) fn body_with(
    format: Format,
    body: &[u8],
    (name, value): (&str, &str),
) -> Result<Vec<u8>, SigningFault> {
    let mut text = body.to_vec();
    let mut added = String::new();
    match format {
        Format::Form => {
            added.push_str(if body.is_empty() { "" } else { "&" });
            percent(name, &mut added);
            added.push('=');
            percent(value, &mut added);
            text.extend_from_slice(added.as_bytes());
        }
        Format::Json => {
            // It was read as one object: its last brace ends it.
            let end = body.iter().rposition(|byte| *byte == b'}');
            let end = end.ok_or(SigningFault::Unplaced)?;
            let last = text[..end].trim_ascii_end().last();
            let mut member = if last == Some(&b'{') {
                Vec::new()
            } else {
                vec![b',']
            };
            let spelled = |word: &str, member: &mut Vec<u8>| {
                spell(word, Spelling::JsonText, member).map_err(|_| SigningFault::Unplaced)
            };
            spelled(name, &mut member)?;
            member.push(b':');
            spelled(value, &mut member)?;
            text.splice(end..end, member);
        }
        _ => return Err(SigningFault::Unplaced),
    }
    Ok(text)
}
