//! Owns the plan for one direction of a route: what its rules take, by the format in which they find
//! it, and what becomes of it.

use http::header::HeaderName;

use crate::body::Named;
use crate::body::address::Place;
use crate::body::csv::Column;
use crate::body::xml::XmlRule;
use crate::jose::{JweKey, Payload};
use crate::media::Format;
use crate::scan::Selection;

/// What happens to one direction of a message. Rules are named by their place in `acts`.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) acts: Vec<Act>,
    /// Each rule's place, as the settings spell it.
    pub(crate) places: Vec<String>,
    /// For JSON and JSON Lines.
    pub(crate) json: Vec<Selection>,
    pub(crate) form: Vec<Named>,
    pub(crate) csv: Vec<Column>,
    pub(crate) xml: Vec<XmlRule>,
    pub(crate) parts: Vec<Named>,
    pub(crate) query: Vec<Named>,
    pub(crate) segments: Vec<Place>,
    pub(crate) headers: Vec<(usize, HeaderName)>,
    /// What becomes of the body as a whole.
    pub(crate) payload: Option<Payload>,
}

/// What becomes of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// A value to a token.
    Tokenize { class: String },
    /// A token to what the vault grants.
    Detokenize,
    /// A value to a few of its characters, here, without the vault.
    Mask(Mask),
    /// It goes.
    Drop,
    /// A value to a JWE.
    Encrypt(JweKey),
    /// A JWE to its value.
    Decrypt(JweKey),
}

/// Which characters of a value stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mask {
    pub(crate) keep_first: usize,
    pub(crate) keep_last: usize,
    /// What stands for each of the others.
    pub(crate) with: char,
}

impl Mask {
    /// A value that is too short to hide anything of is hidden whole.
    pub(crate) fn of(&self, value: &str) -> String {
        let length = value.chars().count();
        let shown = self.keep_first + self.keep_last;
        let (first, last) = if shown < length {
            (self.keep_first, length - self.keep_last)
        } else {
            (0, length)
        };
        value
            .chars()
            .enumerate()
            .map(|(at, next)| {
                if at < first || at >= last {
                    next
                } else {
                    self.with
                }
            })
            .collect()
    }
}

impl Act {
    fn name(&self) -> &'static str {
        match self {
            Self::Tokenize { .. } => "tokenize",
            Self::Detokenize => "detokenize",
            Self::Mask(_) => "mask",
            Self::Drop => "drop",
            Self::Encrypt(_) => "encrypt",
            Self::Decrypt(_) => "decrypt",
        }
    }

    /// For people: `tokenize national-id`.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Tokenize { class } => format!("tokenize {class}"),
            Self::Detokenize | Self::Mask(_) | Self::Drop => self.name().to_owned(),
            Self::Encrypt(key) | Self::Decrypt(key) => format!("{} with {}", self.name(), key.name),
        }
    }

    /// Whether the value must not go on.
    fn hides(&self) -> bool {
        match self {
            // A JWE that can't be opened does not go on either: its receiver counts on what it holds.
            Self::Tokenize { .. }
            | Self::Mask(_)
            | Self::Drop
            | Self::Encrypt(_)
            | Self::Decrypt(_) => true,
            Self::Detokenize => false,
        }
    }
}

impl Plan {
    /// Whether the body is read: as a whole, or because a rule looks into it.
    pub(crate) fn reads_body(&self) -> bool {
        self.payload.is_some() || self.reads_fields()
    }

    /// Whether a rule looks into the body.
    pub(crate) fn reads_fields(&self) -> bool {
        [
            Format::Json,
            Format::Form,
            Format::Csv { header: None },
            Format::Xml,
        ]
        .into_iter()
        .any(|format| self.takes(format))
            || !self.parts.is_empty()
    }

    /// Whether a rule looks into the head.
    pub(crate) fn reads_head(&self) -> bool {
        !(self.query.is_empty() && self.segments.is_empty() && self.headers.is_empty())
    }

    /// Whether a rule looks into bodies of this format.
    pub(crate) fn takes(&self, format: Format) -> bool {
        match format {
            Format::Json | Format::JsonLines => !self.json.is_empty(),
            Format::Form => !self.form.is_empty(),
            Format::Csv { .. } => !self.csv.is_empty(),
            Format::Multipart(_) => !self.parts.is_empty(),
            Format::Xml => !self.xml.is_empty(),
            Format::Other => false,
        }
    }

    /// Whether there may be a value in the body that must not go on.
    pub(crate) fn hides_in_body(&self) -> bool {
        let in_head = |rule: usize| {
            self.headers.iter().any(|(of, _)| *of == rule)
                || self.query.iter().any(|pair| pair.rule == rule)
                || self.segments.iter().any(|segment| segment.rule == rule)
        };
        let mut acts = self.acts.iter().enumerate();
        self.payload.is_some() || acts.any(|(rule, act)| act.hides() && !in_head(rule))
    }

    /// Whether the unit has to say why.
    pub(crate) fn needs_purpose(&self) -> bool {
        self.acts.contains(&Act::Detokenize)
    }

    /// For people: `tokenize 2, mask 1`.
    pub(crate) fn describe(&self) -> String {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for act in &self.acts {
            match counts.iter_mut().find(|(name, _)| *name == act.name()) {
                Some((_, count)) => *count += 1,
                None => counts.push((act.name(), 1)),
            }
        }
        let counts: Vec<String> = counts
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .chain(self.payload.as_ref().map(Payload::describe))
            .collect();
        counts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_never_shows_a_value_whole() {
        let mask = Mask {
            keep_first: 1,
            keep_last: 3,
            with: '*',
        };
        assert_eq!(mask.of("A123456789"), "A******789");
        assert_eq!(mask.of("王小明先生"), "王*明先生");
        assert_eq!(mask.of("ABCD"), "****");
        assert_eq!(mask.of(""), "");
    }
}
