//! Owns names and namespaces (Namespaces in XML 1.0): which prefix means what, where.

use super::XmlFault;
use super::markup::{Attribute, StartTag};

/// The namespace that `xml:` always means.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace of declarations, which nothing may be bound to.
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// Most attributes of one element, and most declarations of namespaces in scope: each name is looked
/// up among them.
const NAMES_MAX: usize = 256;

/// The declarations of all open elements, the innermost last.
#[derive(Default)]
pub(super) struct Scopes<'a> {
    bindings: Vec<(&'a str, String)>,
    /// How many bindings there were before each open element.
    marks: Vec<usize>,
}

impl<'a> Scopes<'a> {
    /// Takes an element's declarations, and refuses an attribute that comes twice.
    pub(super) fn enter(&mut self, tag: &StartTag<'a>) -> Result<(), XmlFault> {
        self.marks.push(self.bindings.len());
        if self.bindings.len() + tag.attributes.len() > NAMES_MAX {
            return Err(XmlFault::TooManyNames);
        }
        for attribute in &tag.attributes {
            let prefix = match attribute.name.split_once(':') {
                Some(("xmlns", prefix)) => prefix,
                None if attribute.name == "xmlns" => "",
                _ => continue,
            };
            let namespace = attribute.text.as_ref();
            let reserved = prefix == "xmlns"
                || namespace == XMLNS
                || ((prefix == "xml") != (namespace == XML))
                || (namespace.is_empty() && !prefix.is_empty());
            if reserved {
                return Err(XmlFault::Namespace);
            }
            self.bindings.push((prefix, namespace.to_owned()));
        }
        let mut names = Vec::with_capacity(tag.attributes.len());
        for attribute in &tag.attributes {
            let name = match self.attribute(attribute)? {
                Some((namespace, local)) => (namespace, local),
                None => (XMLNS, attribute.name),
            };
            names.push(name);
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(XmlFault::DuplicateAttribute);
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        if let Some(mark) = self.marks.pop() {
            self.bindings.truncate(mark);
        }
    }

    /// An element's namespace and local name.
    pub(super) fn element<'s>(&'s self, name: &'s str) -> Result<(&'s str, &'s str), XmlFault> {
        let (prefix, local) = split(name)?;
        Ok((self.meaning(prefix)?, local))
    }

    /// An attribute's namespace and local name; `None` of a declaration.
    pub(super) fn attribute<'s>(
        &'s self,
        attribute: &Attribute<'s>,
    ) -> Result<Option<(&'s str, &'s str)>, XmlFault> {
        let (prefix, local) = split(attribute.name)?;
        match prefix {
            "xmlns" => Ok(None),
            "" if local == "xmlns" => Ok(None),
            // The default namespace is not for attributes (§6.2).
            "" => Ok(Some(("", local))),
            prefix => Ok(Some((self.meaning(prefix)?, local))),
        }
    }

    fn meaning(&self, prefix: &str) -> Result<&str, XmlFault> {
        if prefix == "xml" {
            return Ok(XML);
        }
        let bound = self
            .bindings
            .iter()
            .rev()
            .find(|(bound, _)| *bound == prefix);
        match bound {
            Some((_, namespace)) => Ok(namespace),
            None if prefix.is_empty() => Ok(""),
            None => Err(XmlFault::Namespace),
        }
    }
}

/// Prefix (empty where there is none) and local name.
fn split(name: &str) -> Result<(&str, &str), XmlFault> {
    let (prefix, local) = match name.split_once(':') {
        Some((prefix, local)) if is_local(prefix) => (prefix, local),
        Some(_) => return Err(XmlFault::Name),
        None => ("", name),
    };
    if is_local(local) {
        Ok((prefix, local))
    } else {
        Err(XmlFault::Name)
    }
}

/// A name without a colon (`NCName`).
pub(super) fn is_local(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|first| first != ':' && is_name_start(first))
        && chars.all(|next| next != ':' && is_name(next))
}

/// XML 1.0 §2.3, `NameStartChar`.
pub(super) fn is_name_start(next: char) -> bool {
    matches!(next, ':' | 'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}'
        | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}'
        | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

/// XML 1.0 §2.3, `NameChar`.
pub(super) fn is_name(next: char) -> bool {
    is_name_start(next)
        || matches!(next, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}'
            | '\u{203F}'..='\u{2040}')
}
