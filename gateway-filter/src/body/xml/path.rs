//! Owns the paths into XML: a small part of `XPath` 1.0's abbreviated syntax, which one pass can
//! follow. `/a/b`, `//b`, `/a/*`, `/a/@id`, `//@id`, with `prefix:` for a namespace, `*:` for any.

use std::collections::BTreeMap;

/// Most segments of one path: the automaton's states fit in 64 bits.
const SEGMENTS_MAX: usize = 63;

/// A path, and what a rule wants of what it selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct XmlRule {
    /// Position of the rule in its plan.
    pub(crate) rule: usize,
    pub(crate) path: XmlPath,
    /// Whatever the element holds: it is dropped.
    pub(crate) takes_all: bool,
}

/// One compiled path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct XmlPath {
    text: String,
    segments: Vec<Segment>,
}

/// Why a path into XML can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlPathError {
    /// Not of this form.
    #[error(
        "a path into XML is `/a/b`, `//b`, `*` for any name, `@name` at its end for an attribute"
    )]
    Syntax,
    /// A prefix without a namespace.
    #[error(
        "a prefix in the path is not in the route's `namespaces`; `*:name` takes any namespace"
    )]
    Prefix,
    /// Longer than the automaton.
    #[error("a path into XML has at most {SEGMENTS_MAX} segments")]
    TooLong,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment {
    /// `//`
    deep: bool,
    attribute: bool,
    namespace: NamespaceTest,
    /// `None` takes any name.
    local: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum NamespaceTest {
    Any,
    /// Empty: no namespace.
    Is(String),
}

/// The way from an element to a child or an attribute; an empty namespace is none.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'s> {
    Element { namespace: &'s str, local: &'s str },
    Attribute { namespace: &'s str, local: &'s str },
}

/// How much of a path one place has matched: bit `n` says that the first `n` segments led here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress(u64);

impl Progress {
    pub(super) const ROOT: Self = Self(1);
}

impl XmlPath {
    /// `namespaces` binds the prefixes of the path.
    pub(crate) fn parse(
        text: &str,
        namespaces: &BTreeMap<String, String>,
    ) -> Result<Self, XmlPathError> {
        let mut segments = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let after = rest.strip_prefix('/').ok_or(XmlPathError::Syntax)?;
            let deep = after.starts_with('/');
            let after = after.strip_prefix('/').unwrap_or(after);
            let end = after.find('/').unwrap_or(after.len());
            let (step, after) = after.split_at(end);
            if segments.len() == SEGMENTS_MAX {
                return Err(XmlPathError::TooLong);
            }
            let segment = Segment {
                deep,
                ..segment(step, namespaces)?
            };
            if segment.attribute && !after.is_empty() {
                return Err(XmlPathError::Syntax);
            }
            segments.push(segment);
            rest = after;
        }
        // An attribute of nothing: `/@id`.
        let first_attribute = segments
            .first()
            .is_none_or(|one| one.attribute && !one.deep);
        if first_attribute {
            return Err(XmlPathError::Syntax);
        }
        Ok(Self {
            text: text.to_owned(),
            segments,
        })
    }

    /// The path as the settings spell it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn selects_same_as(&self, other: &Self) -> bool {
        self.segments == other.segments
    }

    pub(super) fn step(&self, from: Progress, step: Step<'_>) -> Progress {
        let mut reached = 0;
        for (matched, segment) in self.segments.iter().enumerate() {
            if from.0 & (1 << matched) == 0 {
                continue;
            }
            if segment.deep && matches!(step, Step::Element { .. }) {
                reached |= 1 << matched;
            }
            if segment.takes(step) {
                reached |= 1 << (matched + 1);
            }
        }
        Progress(reached)
    }

    pub(super) fn selects(&self, at: Progress) -> bool {
        at.0 & (1 << self.segments.len()) != 0
    }
}

impl Segment {
    fn takes(&self, step: Step<'_>) -> bool {
        let (attribute, namespace, local) = match step {
            Step::Element { namespace, local } => (false, namespace, local),
            Step::Attribute { namespace, local } => (true, namespace, local),
        };
        self.attribute == attribute
            && self.local.as_ref().is_none_or(|wanted| wanted == local)
            && match &self.namespace {
                NamespaceTest::Any => true,
                NamespaceTest::Is(wanted) => wanted == namespace,
            }
    }
}

fn segment(step: &str, namespaces: &BTreeMap<String, String>) -> Result<Segment, XmlPathError> {
    let attribute = step.starts_with('@');
    let name = step.strip_prefix('@').unwrap_or(step);
    let (namespace, local) = match name.split_once(':') {
        Some(("*", local)) => (NamespaceTest::Any, local),
        Some((prefix, local)) => (
            NamespaceTest::Is(namespaces.get(prefix).ok_or(XmlPathError::Prefix)?.clone()),
            local,
        ),
        None if name == "*" => (NamespaceTest::Any, name),
        None => (NamespaceTest::Is(String::new()), name),
    };
    let local = match local {
        "*" => None,
        name if super::names::is_local(name) => Some(name.to_owned()),
        _ => return Err(XmlPathError::Syntax),
    };
    Ok(Segment {
        deep: false,
        attribute,
        namespace,
        local,
    })
}
