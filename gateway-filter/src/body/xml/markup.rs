//! Owns the grammar of tags and sections (XML 1.0 §2.4 to §3.1), walked over a text that is UTF-8.

use std::borrow::Cow;
use std::ops::Range;

use super::XmlFault;
use super::names::{is_name, is_name_start};
use super::text::{attribute_text, character_data, is_char};

/// A place in a document.
pub(super) struct Markup<'a> {
    text: &'a str,
    pub(super) at: usize,
}

pub(super) struct StartTag<'a> {
    pub(super) name: &'a str,
    pub(super) attributes: Vec<Attribute<'a>>,
    pub(super) is_empty: bool,
}

pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    /// Between the quotes.
    pub(super) value: Range<usize>,
    /// With the white space before it.
    pub(super) extent: Range<usize>,
    pub(super) text: Cow<'a, str>,
}

impl<'a> Markup<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Self { text, at }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn starts_with(&self, wanted: &str) -> bool {
        self.rest().starts_with(wanted)
    }

    pub(super) fn eat(&mut self, wanted: &str) -> bool {
        let found = self.starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// A start tag, rather than a section.
    pub(super) fn is_tag(&self) -> bool {
        let mut chars = self.rest().chars();
        chars.next() == Some('<') && chars.next().is_some_and(is_name_start)
    }

    fn skip_blank(&mut self) -> bool {
        let rest = self.rest();
        let kept = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.at += rest.len() - kept.len();
        rest.len() != kept.len()
    }

    /// `<?xml version="1.0" encoding="UTF-8"?>`, if it is there.
    pub(super) fn declaration(&mut self) -> Result<(), XmlFault> {
        let declared = self
            .rest()
            .strip_prefix("<?xml")
            .is_some_and(|after| after.starts_with([' ', '\t', '\r', '\n']));
        if !declared {
            return Ok(());
        }
        let length = self.rest().find("?>").ok_or(XmlFault::Truncated)?;
        let mut inner = Markup::new(&self.rest()[5..length]);
        let mut names = Vec::new();
        while inner.skip_blank() && !inner.is_at_end() {
            let name = inner.name()?;
            let (value, _) = inner.quoted()?;
            let value = &inner.text[value];
            let fits = match name {
                "version" => value == "1.0",
                "encoding" => value.eq_ignore_ascii_case("utf-8"),
                "standalone" => matches!(value, "yes" | "no"),
                _ => return Err(XmlFault::Section),
            };
            if !fits {
                return Err(XmlFault::NotUtf8);
            }
            names.push(name);
        }
        let ordered = matches!(
            names.as_slice(),
            ["version"]
                | ["version", "encoding" | "standalone"]
                | ["version", "encoding", "standalone"]
        );
        if !inner.is_at_end() || !ordered {
            return Err(XmlFault::Section);
        }
        self.at += length + 2;
        Ok(())
    }

    /// White space, comments and instructions, outside the root.
    pub(super) fn outside(&mut self) -> Result<(), XmlFault> {
        loop {
            self.skip_blank();
            if self.starts_with("<!--") || self.starts_with("<?") {
                self.section()?;
            } else if self.starts_with("<!") {
                return Err(XmlFault::Doctype);
            } else {
                return Ok(());
            }
        }
    }

    /// A comment or an instruction.
    pub(super) fn section(&mut self) -> Result<(), XmlFault> {
        let inner = if self.eat("<!--") {
            let inner = self.until("-->")?;
            if inner.contains("--") || inner.ends_with('-') {
                return Err(XmlFault::Section);
            }
            inner
        } else {
            self.at += 2;
            let target = self.name()?;
            let spaced = self.skip_blank();
            let inner = self.until("?>")?;
            if target.eq_ignore_ascii_case("xml") || !(spaced || inner.is_empty()) {
                return Err(XmlFault::Section);
            }
            inner
        };
        if inner.chars().all(is_char) {
            Ok(())
        } else {
            Err(XmlFault::Character)
        }
    }

    fn until(&mut self, end: &str) -> Result<&'a str, XmlFault> {
        let length = self.rest().find(end).ok_or(XmlFault::Truncated)?;
        let inner = &self.rest()[..length];
        self.at += length + end.len();
        Ok(inner)
    }

    /// Text up to the next markup, or a CDATA section; references resolved.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, XmlFault> {
        if self.eat("<![CDATA[") {
            let inner = self.until("]]>")?;
            if !inner.chars().all(is_char) {
                return Err(XmlFault::Character);
            }
            return Ok(if inner.contains('\r') {
                Cow::Owned(inner.replace("\r\n", "\n").replace('\r', "\n"))
            } else {
                Cow::Borrowed(inner)
            });
        }
        let rest = self.rest();
        let length = rest.find('<').ok_or(XmlFault::Truncated)?;
        let text = character_data(&rest[..length])?;
        self.at += length;
        Ok(text)
    }

    pub(super) fn start_tag(&mut self) -> Result<StartTag<'a>, XmlFault> {
        if self.starts_with("<!") {
            return Err(XmlFault::Doctype);
        }
        self.at += 1;
        let name = self.name()?;
        let mut attributes = Vec::new();
        loop {
            let before = self.at;
            let spaced = self.skip_blank();
            let is_empty = self.eat("/>");
            if is_empty || self.eat(">") {
                return Ok(StartTag {
                    name,
                    attributes,
                    is_empty,
                });
            }
            if self.is_at_end() {
                return Err(XmlFault::Truncated);
            }
            if !spaced {
                return Err(XmlFault::Tag);
            }
            let name = self.name()?;
            let (value, raw) = self.quoted()?;
            attributes.push(Attribute {
                name,
                value,
                extent: before..self.at,
                text: attribute_text(raw)?,
            });
        }
    }

    /// The rest of an end tag; yields its name.
    pub(super) fn end_tag(&mut self) -> Result<&'a str, XmlFault> {
        let name = self.name()?;
        self.skip_blank();
        if self.eat(">") {
            Ok(name)
        } else {
            Err(XmlFault::Tag)
        }
    }

    fn name(&mut self) -> Result<&'a str, XmlFault> {
        let rest = self.rest();
        if !rest.chars().next().is_some_and(is_name_start) {
            return Err(XmlFault::Name);
        }
        let length = rest.find(|next| !is_name(next)).unwrap_or(rest.len());
        self.at += length;
        Ok(&rest[..length])
    }

    /// `= "…"`: where the value is, and it.
    fn quoted(&mut self) -> Result<(Range<usize>, &'a str), XmlFault> {
        self.skip_blank();
        if !self.eat("=") {
            return Err(XmlFault::Tag);
        }
        self.skip_blank();
        let quote = if self.eat("\"") {
            "\""
        } else if self.eat("'") {
            "'"
        } else {
            return Err(XmlFault::Tag);
        };
        let start = self.at;
        let inner = self.until(quote)?;
        Ok((start..start + inner.len(), inner))
    }
}
