//! Owns the reading of an XML body: one strict pass (XML 1.0 with namespaces, UTF-8) that follows the
//! rules' paths. No DTD, so no entities but the five: nothing can grow or reach outside.

mod leaves;
mod markup;
mod names;
mod path;
mod text;

use std::borrow::Cow;

pub(crate) use leaves::leaves;
pub use path::XmlPathError;
pub(crate) use path::{XmlPath, XmlRule};
pub(crate) use text::is_char;

use super::keep;
use crate::field::{Field, Spelling};
use crate::scan::{Bounds, Fault, ScanError};
use markup::{Markup, StartTag};
use names::Scopes;
use path::{Progress, Step};

/// What is wrong with an XML body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlFault {
    /// Not UTF-8, or it says that it is something else.
    #[error("the XML body is not UTF-8")]
    NotUtf8,
    /// A character that XML 1.0 does not know.
    #[error("a character that XML does not allow")]
    Character,
    /// The document ends too early.
    #[error("the XML document ends too early")]
    Truncated,
    /// Text or a second element after the root.
    #[error("something follows the XML document")]
    Trailing,
    /// No element where the root should be.
    #[error("expected an XML element")]
    Element,
    /// A document type declaration.
    #[error("a DOCTYPE is not taken: no DTD, no entities")]
    Doctype,
    /// A reference to an entity other than the five of XML.
    #[error("an entity that XML itself does not have")]
    Entity,
    /// Not a name.
    #[error("expected an XML name")]
    Name,
    /// A tag that does not follow the grammar.
    #[error("a tag is not well-formed")]
    Tag,
    /// One attribute twice, however its prefix is spelled.
    #[error("an element has the same attribute twice")]
    DuplicateAttribute,
    /// An end tag for another element.
    #[error("an end tag does not fit its start tag")]
    EndTag,
    /// A prefix that no namespace declaration binds, or a wrong declaration.
    #[error("a namespace prefix is not declared, or declared in a way that is not allowed")]
    Namespace,
    /// A comment, instruction or `]]>` that XML does not allow there.
    #[error("a comment, instruction or CDATA section is not well-formed")]
    Section,
    /// More attributes and declarations than are looked through.
    #[error("an element has more than 256 attributes, the namespace declarations in scope counted")]
    TooManyNames,
    /// A selected element that holds more than text.
    #[error("the element at {path} must hold text alone: no elements, comments or instructions")]
    NotText {
        /// The rule's path, as the settings spell it.
        path: String,
    },
}

pub(super) fn select<'a>(
    body: &'a [u8],
    rules: &[XmlRule],
    bounds: &Bounds,
) -> Result<Vec<Field<'a>>, ScanError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| ScanError::at(body, error.valid_up_to(), Fault::Xml(XmlFault::NotUtf8)))?;
    let mut reader = Reader {
        markup: Markup::new(text),
        scopes: Scopes::default(),
        rules,
        bounds,
        nodes: 0,
        open: Vec::new(),
        fields: Vec::new(),
    };
    reader
        .document()
        .map_err(|fault| ScanError::at(body, reader.markup.at, fault))?;
    let mut kept = Vec::new();
    // Elements were taken when they ended, after what is in them.
    reader.fields.sort_by_key(|taken| {
        if taken.whole {
            taken.field.extent.start
        } else {
            taken.field.span.start
        }
    });
    let mut dropped_to = 0;
    for taken in reader.fields {
        // What lies in an element that is dropped goes with it.
        if taken.field.span.start < dropped_to {
            continue;
        }
        if taken.whole {
            dropped_to = taken.field.extent.end;
        }
        keep(&mut kept, taken.field, body, bounds)?;
    }
    Ok(kept)
}

struct Reader<'a, 'r> {
    markup: Markup<'a>,
    scopes: Scopes<'a>,
    rules: &'r [XmlRule],
    bounds: &'r Bounds,
    nodes: usize,
    open: Vec<Open<'a>>,
    fields: Vec<Taken<'a>>,
}

struct Taken<'a> {
    field: Field<'a>,
    /// It goes with everything in it.
    whole: bool,
}

/// An element whose end is to come.
struct Open<'a> {
    name: &'a str,
    progress: Vec<Progress>,
    /// The rule that selects it.
    rule: Option<usize>,
    /// Where its start tag begins, and its content.
    start: usize,
    content: usize,
    /// Its text so far.
    text: String,
    text_alone: bool,
}

impl<'a> Reader<'a, '_> {
    fn document(&mut self) -> Result<(), Fault> {
        self.markup.declaration().map_err(Fault::Xml)?;
        self.markup.outside().map_err(Fault::Xml)?;
        if !self.markup.is_tag() {
            return Err(Fault::Xml(XmlFault::Element));
        }
        self.start_tag()?;
        while !self.open.is_empty() {
            self.content()?;
        }
        self.markup.outside().map_err(Fault::Xml)?;
        if self.markup.is_at_end() {
            Ok(())
        } else {
            Err(Fault::Xml(XmlFault::Trailing))
        }
    }

    /// One piece of an element's content.
    fn content(&mut self) -> Result<(), Fault> {
        if self.markup.eat("</") {
            return self.end_tag();
        }
        let is_section = self.markup.starts_with("<!--") || self.markup.starts_with("<?");
        if is_section {
            self.markup.section().map_err(Fault::Xml)?;
            self.mark_mixed();
            return Ok(());
        }
        if self.markup.starts_with("<![CDATA[") || !self.markup.starts_with("<") {
            let piece = self.markup.text().map_err(Fault::Xml)?;
            if let Some(open) = self.open.last_mut() {
                open.text.push_str(&piece);
            }
            return Ok(());
        }
        self.mark_mixed();
        self.start_tag()
    }

    fn mark_mixed(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.text_alone = false;
            open.text.clear();
        }
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > self.bounds.nodes_max {
            return Err(Fault::TooManyNodes {
                nodes_max: self.bounds.nodes_max,
            });
        }
        Ok(())
    }

    fn start_tag(&mut self) -> Result<(), Fault> {
        self.count()?;
        if self.open.len() == self.bounds.depth_max {
            return Err(Fault::TooDeep {
                depth_max: self.bounds.depth_max,
            });
        }
        let start = self.markup.at;
        let tag = self.markup.start_tag().map_err(Fault::Xml)?;
        self.scopes.enter(&tag).map_err(Fault::Xml)?;
        let (namespace, local) = self.scopes.element(tag.name).map_err(Fault::Xml)?;
        let step = Step::Element { namespace, local };
        let progress: Vec<Progress> = match self.open.last() {
            Some(parent) => (self.rules.iter().zip(&parent.progress))
                .map(|(rule, from)| rule.path.step(*from, step))
                .collect(),
            None => (self.rules.iter())
                .map(|rule| rule.path.step(Progress::ROOT, step))
                .collect(),
        };
        let rule = selected(self.rules, &progress);
        self.attributes(&tag, &progress)?;
        let open = Open {
            name: tag.name,
            progress,
            rule,
            start,
            content: self.markup.at,
            text: String::new(),
            text_alone: true,
        };
        if tag.is_empty {
            self.scopes.leave();
            return self.close(open, None);
        }
        self.open.push(open);
        Ok(())
    }

    fn attributes(&mut self, tag: &StartTag<'a>, progress: &[Progress]) -> Result<(), Fault> {
        for attribute in &tag.attributes {
            self.count()?;
            let Some((namespace, local)) = self.scopes.attribute(attribute).map_err(Fault::Xml)?
            else {
                continue;
            };
            let step = Step::Attribute { namespace, local };
            let found: Vec<Progress> = (self.rules.iter().zip(progress))
                .map(|(rule, from)| rule.path.step(*from, step))
                .collect();
            if let Some(rule) = selected(self.rules, &found) {
                let field = Field {
                    rule: self.rules[rule].rule,
                    span: attribute.value.clone(),
                    extent: attribute.extent.clone(),
                    value: attribute.text.clone(),
                    spelling: Spelling::XmlAttribute,
                };
                let whole = self.rules[rule].takes_all;
                self.fields.push(Taken { field, whole });
            }
        }
        Ok(())
    }

    fn end_tag(&mut self) -> Result<(), Fault> {
        let content_end = self.markup.at - 2;
        let name = self.markup.end_tag().map_err(Fault::Xml)?;
        let open = self
            .open
            .pop()
            .filter(|open| open.name == name)
            .ok_or(Fault::Xml(XmlFault::EndTag))?;
        self.scopes.leave();
        self.close(open, Some(content_end))
    }

    /// An element that is whole; `end_tag` is where its end tag begins, if it has one.
    fn close(&mut self, open: Open<'a>, end_tag: Option<usize>) -> Result<(), Fault> {
        let Some(rule) = open.rule else {
            return Ok(());
        };
        let rule = &self.rules[rule];
        if !open.text_alone && !rule.takes_all {
            return Err(Fault::Xml(XmlFault::NotText {
                path: rule.path.as_str().to_owned(),
            }));
        }
        if end_tag.is_none() && !rule.takes_all {
            return Ok(());
        }
        let value = if rule.takes_all {
            // It goes whole, whatever is in it.
            Cow::Borrowed("-")
        } else {
            Cow::Owned(open.text)
        };
        let field = Field {
            rule: rule.rule,
            span: open.content..end_tag.unwrap_or(open.content),
            extent: open.start..self.markup.at,
            value,
            spelling: Spelling::XmlText,
        };
        let whole = rule.takes_all;
        self.fields.push(Taken { field, whole });
        Ok(())
    }
}

fn selected(rules: &[XmlRule], progress: &[Progress]) -> Option<usize> {
    rules
        .iter()
        .zip(progress)
        .position(|(rule, at)| rule.path.selects(*at))
}
