//! `Signature-Input` and `Signature` (RFC 9421 section 4), read strictly.

use http::HeaderMap;
use sfv::{BareItem, InnerList, ListEntry};

use super::component::{Component, Source};
use super::fault::SignatureFault;
use super::message::Message;
use super::structured;

/// Most signatures of one message.
pub(super) const SIGNATURES_MAX: usize = 8;
/// Most components that one covers.
pub(super) const COMPONENTS_MAX: usize = 32;

/// One signature of a message, and what it says that it covers.
#[derive(Clone, Debug)]
pub struct Signed {
    label: String,
    pub(super) components: Vec<Component>,
    parameters: Parameters,
    /// `@signature-params`: covered list and parameters, in the order in which they were received.
    written: String,
    signature: Vec<u8>,
}

/// A signature's parameters (RFC 9421 section 2.3). Others are covered, and mean nothing here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Parameters {
    /// When it was made, in seconds since 1970.
    pub created: Option<i64>,
    /// When it stops counting, in seconds since 1970.
    pub expires: Option<i64>,
    /// What makes it one of a kind.
    pub nonce: Option<String>,
    /// The algorithm, by its registered name.
    pub alg: Option<String>,
    /// The key.
    pub keyid: Option<String>,
    /// The application that it was made for.
    pub tag: Option<String>,
}

/// Whether a message claims to be signed.
pub fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key("signature-input") || headers.contains_key("signature")
}

/// Every signature of a message. A message that has one field without the other is malformed.
pub fn signatures(headers: &HeaderMap) -> Result<Vec<Signed>, SignatureFault> {
    let field = |name| {
        let text = structured::combined(headers, name).ok_or(SignatureFault::Syntax)?;
        structured::canonical_dictionary(&text).ok_or(SignatureFault::Syntax)
    };
    let (inputs, mut values) = (field("signature-input")?, field("signature")?);
    if inputs.len() > SIGNATURES_MAX {
        return Err(SignatureFault::TooMany);
    }
    if inputs.len() != values.len() {
        return Err(SignatureFault::Labels);
    }
    let mut signed = Vec::with_capacity(inputs.len());
    for (label, input) in &inputs {
        let value = values
            .get_mut(label.as_str())
            .ok_or(SignatureFault::Labels)?;
        let ListEntry::InnerList(list) = input else {
            return Err(SignatureFault::Syntax);
        };
        signed.push(Signed::of(label.as_str(), list, value)?);
    }
    Ok(signed)
}

impl Signed {
    fn of(label: &str, list: &InnerList, value: &mut ListEntry) -> Result<Self, SignatureFault> {
        let signature = match value {
            ListEntry::Item(item) => match &mut item.bare_item {
                BareItem::ByteSequence(bytes) => std::mem::take(bytes),
                _ => return Err(SignatureFault::Syntax),
            },
            ListEntry::InnerList(_) => return Err(SignatureFault::Syntax),
        };
        if list.items.len() > COMPONENTS_MAX {
            return Err(SignatureFault::TooMany);
        }
        let components: Vec<Component> = list
            .items
            .iter()
            .map(Component::of)
            .collect::<Result<_, _>>()?;
        for (place, component) in components.iter().enumerate() {
            let before = components.iter().take(place);
            // Section 2: an identifier occurs once; here no source does, however it is spelled.
            if before
                .into_iter()
                .any(|other| other.source == component.source)
            {
                return Err(SignatureFault::Repeated);
            }
        }
        Ok(Self {
            label: label.to_owned(),
            components,
            parameters: Parameters::of(list)?,
            written: structured::written_list(list),
            signature,
        })
    }

    /// Its label, which says nothing.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Its parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The signature's bytes.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// What was signed (RFC 9421 section 2.5).
    pub fn base(&self, message: &Message<'_>) -> Result<String, SignatureFault> {
        message.base(&self.components, &self.written)
    }

    /// Whether something is covered of the request that a response answers (`req`).
    pub(super) fn is_of_response(&self) -> bool {
        let mut components = self.components.iter();
        components.any(|one| matches!(one.source, Source::OfRequest(_)))
    }

    /// Whether the whole of a component is covered, by its name: `@method`, `content-digest` …; or one that its
    /// identifier names: `"@method";req`.
    pub fn covers(&self, name: &str) -> bool {
        let mut components = self.components.iter();
        if name.starts_with('"') {
            let wanted = Component::parse(name);
            return wanted.is_ok_and(|wanted| components.any(|one| one.source == wanted.source));
        }
        components.any(|component| component.is_whole(name))
    }
}

impl Parameters {
    fn of(list: &InnerList) -> Result<Self, SignatureFault> {
        let mut read = Self::default();
        for (name, value) in &list.params {
            match name.as_str() {
                "created" => read.created = Some(integer("created", value)?),
                "expires" => read.expires = Some(integer("expires", value)?),
                "nonce" => read.nonce = Some(string("nonce", value)?),
                "alg" => read.alg = Some(string("alg", value)?),
                "keyid" => read.keyid = Some(string("keyid", value)?),
                "tag" => read.tag = Some(string("tag", value)?),
                _ => {}
            }
        }
        Ok(read)
    }
}

fn integer(name: &'static str, value: &BareItem) -> Result<i64, SignatureFault> {
    match value {
        BareItem::Integer(number) => Ok(i64::from(*number)),
        _ => Err(SignatureFault::Parameter(name)),
    }
}

fn string(name: &'static str, value: &BareItem) -> Result<String, SignatureFault> {
    match value {
        BareItem::String(text) => Ok(text.as_str().to_owned()),
        _ => Err(SignatureFault::Parameter(name)),
    }
}
