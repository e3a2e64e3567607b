//! Components that a signature can cover (RFC 9421 sections 2.1 and 2.2), each in its one spelling.

use http::HeaderName;
use sfv::{BareItem, FieldType, Item};

use super::fault::SignatureFault;
use super::structured;

/// Fields known to be dictionaries, which `sf` may write anew.
const DICTIONARIES: [&str; 6] = [
    "content-digest",
    "repr-digest",
    "want-content-digest",
    "want-repr-digest",
    "priority",
    "signature-input",
];

/// A covered component: its identifier, and where its value comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Component {
    /// The identifier as the signature base has it, for example `"@query-param";name="id"`.
    pub(super) identifier: String,
    pub(super) source: Source,
}

/// Where a component's value comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Source {
    Method,
    TargetUri,
    Authority,
    Scheme,
    RequestTarget,
    Path,
    Query,
    /// One parameter of the query, by its encoded name.
    QueryParam(String),
    Status,
    Field(HeaderName, Form),
    /// The same of the request that a response answers (`req`, section 2.4).
    OfRequest(Box<Source>),
}

/// In which form a field is covered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// Its lines, joined.
    Plain,
    /// Written anew as the structured field that it is (`sf`).
    Strict,
    /// One member of a dictionary (`key`).
    Member(String),
    /// Each line as a byte sequence (`bs`).
    Bytes,
}

impl Component {
    /// From an identifier's text: a name alone, or an item as it stands in `Signature-Input`.
    pub(super) fn parse(text: &str) -> Result<Self, SignatureFault> {
        let quoted = if text.starts_with('"') {
            text.to_owned()
        } else {
            format!("\"{text}\"")
        };
        let item = structured::canonical_item(&quoted).ok_or(SignatureFault::Component)?;
        Self::of(&item)
    }

    /// From an item of the covered list.
    pub(super) fn of(item: &Item) -> Result<Self, SignatureFault> {
        let BareItem::String(name) = &item.bare_item else {
            return Err(SignatureFault::Component);
        };
        let (of_request, rest) = without_req(item).ok_or(SignatureFault::Component)?;
        let mut source = source(name.as_str(), &rest).ok_or(SignatureFault::Component)?;
        if of_request {
            if source == Source::Status {
                return Err(SignatureFault::Component);
            }
            source = Source::OfRequest(Box::new(source));
        }
        let identifier = item.serialize();
        Ok(Self { identifier, source })
    }

    /// Whether the whole of what this name means is covered: a field's one member is not the field.
    pub(super) fn is_whole(&self, name: &str) -> bool {
        match &self.source {
            Source::Field(field, Form::Plain | Form::Strict | Form::Bytes) => field == name,
            Source::Field(_, Form::Member(_)) | Source::QueryParam(_) | Source::OfRequest(_) => {
                false
            }
            _ => self.identifier.trim_matches('"') == name,
        }
    }
}

/// Whether a text names a component of the request that a response answers (`req`).
pub fn is_of_request(text: &str) -> bool {
    Component::parse(text).is_ok_and(|read| matches!(read.source, Source::OfRequest(_)))
}

/// Whether a text names a component as [`Draft::covering`](super::Draft::covering) takes it.
pub fn is_component(text: &str) -> bool {
    Component::parse(text).is_ok()
}

/// Whether an item has the flag `req`, and what it is without it. `None` where it is no flag.
fn without_req(item: &Item) -> Option<(bool, Item)> {
    let mut rest = item.clone();
    let found = rest.params.shift_remove("req");
    match found {
        None => Some((false, rest)),
        Some(BareItem::Boolean(true)) => Some((true, rest)),
        Some(_) => None,
    }
}

fn source(name: &str, item: &Item) -> Option<Source> {
    if !name.starts_with('@') {
        return field(name, item);
    }
    if name == "@query-param" {
        return match only_parameter(item)? {
            ("name", BareItem::String(name)) => Some(Source::QueryParam(name.as_str().to_owned())),
            _ => None,
        };
    }
    if !item.params.is_empty() {
        return None;
    }
    Some(match name {
        "@method" => Source::Method,
        "@target-uri" => Source::TargetUri,
        "@authority" => Source::Authority,
        "@scheme" => Source::Scheme,
        "@request-target" => Source::RequestTarget,
        "@path" => Source::Path,
        "@query" => Source::Query,
        "@status" => Source::Status,
        _ => return None,
    })
}

fn field(name: &str, item: &Item) -> Option<Source> {
    // Section 2.1: lower case, so that one field has one identifier.
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let form = if item.params.is_empty() {
        Form::Plain
    } else {
        match only_parameter(item)? {
            ("sf", BareItem::Boolean(true)) if DICTIONARIES.contains(&name) => Form::Strict,
            ("bs", BareItem::Boolean(true)) => Form::Bytes,
            ("key", BareItem::String(key)) => Form::Member(key.as_str().to_owned()),
            _ => return None,
        }
    };
    Some(Source::Field(HeaderName::try_from(name).ok()?, form))
}

/// The parameter of an item that has just one: no two of those known here go together.
fn only_parameter(item: &Item) -> Option<(&str, &BareItem)> {
    let mut parameters = item.params.iter();
    match (parameters.next(), parameters.next()) {
        (Some((name, value)), None) => Some((name.as_str(), value)),
        _ => None,
    }
}
