//! Owns the list of all that a rule could take of a document, with the paths that select it: for proposals.

use std::borrow::Cow;

use super::markup::Markup;
use super::names::Scopes;
use super::{XmlFault, select};
use crate::scan::{Bounds, Fault, ScanError};

/// The text of an element that holds text alone, or an attribute's value.
pub(crate) struct Leaf<'a> {
    /// A path that selects it, and all that stand where it does. It takes any namespace where the document's
    /// names have one: prefixes are the document's own.
    pub(crate) path: String,
    /// Its name, without a prefix.
    pub(crate) name: String,
    pub(crate) text: Cow<'a, str>,
}

struct Open {
    path: String,
    name: String,
    text: String,
    text_alone: bool,
}

/// In the order in which they end.
pub(crate) fn leaves<'a>(body: &'a [u8], bounds: &Bounds) -> Result<Vec<Leaf<'a>>, ScanError> {
    // What the strict reader takes has an end for each start, so the walk has one too.
    select(body, &[], bounds)?;
    let text = std::str::from_utf8(body)
        .map_err(|error| ScanError::at(body, error.valid_up_to(), Fault::Xml(XmlFault::NotUtf8)))?;
    let mut walk = Walk {
        markup: Markup::new(text),
        scopes: Scopes::default(),
        open: Vec::new(),
        found: Vec::new(),
    };
    let walked = walk.document();
    walked.map_err(|fault| ScanError::at(body, walk.markup.at, Fault::Xml(fault)))?;
    Ok(walk.found)
}

struct Walk<'a> {
    markup: Markup<'a>,
    scopes: Scopes<'a>,
    open: Vec<Open>,
    found: Vec<Leaf<'a>>,
}

impl Walk<'_> {
    fn document(&mut self) -> Result<(), XmlFault> {
        self.markup.declaration()?;
        self.markup.outside()?;
        self.start_tag()?;
        while !self.open.is_empty() {
            if self.markup.eat("</") {
                self.end_tag()?;
            } else if self.markup.starts_with("<!--") || self.markup.starts_with("<?") {
                self.markup.section()?;
                self.mark_mixed();
            } else if self.markup.starts_with("<![CDATA[") || !self.markup.starts_with("<") {
                let piece = self.markup.text()?;
                if let Some(open) = self.open.last_mut() {
                    open.text.push_str(&piece);
                }
            } else {
                self.mark_mixed();
                self.start_tag()?;
            }
        }
        Ok(())
    }

    fn mark_mixed(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.text_alone = false;
        }
    }

    fn start_tag(&mut self) -> Result<(), XmlFault> {
        let tag = self.markup.start_tag()?;
        self.scopes.enter(&tag)?;
        let parent = self.open.last().map_or("", |open| &open.path);
        let (namespace, local) = self.scopes.element(tag.name)?;
        let path = format!("{parent}/{}", tested(namespace, local));
        let name = local.to_owned();
        for attribute in tag.attributes {
            if let Some((namespace, local)) = self.scopes.attribute(&attribute)? {
                self.found.push(Leaf {
                    path: format!("{path}/@{}", tested(namespace, local)),
                    name: local.to_owned(),
                    text: attribute.text.clone(),
                });
            }
        }
        if tag.is_empty {
            self.scopes.leave();
            return Ok(());
        }
        self.open.push(Open {
            path,
            name,
            text: String::new(),
            text_alone: true,
        });
        Ok(())
    }

    fn end_tag(&mut self) -> Result<(), XmlFault> {
        self.markup.end_tag()?;
        self.scopes.leave();
        if let Some(Open {
            path,
            name,
            text,
            text_alone: true,
        }) = self.open.pop()
        {
            let text = Cow::Owned(text);
            self.found.push(Leaf { path, name, text });
        }
        Ok(())
    }
}

/// A name's part of a path.
fn tested(namespace: &str, local: &str) -> String {
    let any = if namespace.is_empty() { "" } else { "*:" };
    format!("{any}{local}")
}
