//! A request or a response as its signature sees it: where the values of covered components come from.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, Method, StatusCode};
use sfv::{BareItem, FieldType, Item};

use super::component::{Component, Form, Source};
use super::fault::SignatureFault;
use super::structured::{self, trimmed};

/// A message to be signed or verified.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    start: Start<'a>,
    headers: &'a HeaderMap,
    /// The request that it answers.
    request: Option<Box<Message<'a>>>,
}

#[derive(Clone, Debug)]
enum Start<'a> {
    Request(Target<'a>),
    Response(StatusCode),
}

#[derive(Clone, Debug)]
struct Target<'a> {
    method: &'a Method,
    scheme: &'a str,
    /// Normalised: lower case, without the scheme's own port (RFC 9421 section 2.2.3).
    authority: String,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Message<'a> {
    /// A request: its scheme in lower case, its authority (`host:port`, the `Host` field or `:authority`), and its
    /// path with the query, as they stood on the wire.
    pub fn request(
        method: &'a Method,
        scheme: &'a str,
        authority: &str,
        path_and_query: &'a str,
        headers: &'a HeaderMap,
    ) -> Result<Self, SignatureFault> {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        Ok(Self {
            start: Start::Request(Target {
                method,
                scheme,
                authority: normal_authority(scheme, authority)?,
                // Section 2.2.6: an empty path is a slash.
                path: if path.is_empty() { "/" } else { path },
                query,
            }),
            headers,
            request: None,
        })
    }

    /// A response.
    pub fn response(status: StatusCode, headers: &'a HeaderMap) -> Self {
        Self {
            start: Start::Response(status),
            headers,
            request: None,
        }
    }

    /// The same response to this request, of which it may cover something (RFC 9421 section 2.4).
    #[must_use]
    pub fn answering(self, request: Self) -> Self {
        Self {
            request: Some(Box::new(request)),
            ..self
        }
    }

    /// The request's authority in its normal form; `None` of a response.
    pub fn authority(&self) -> Option<&str> {
        match &self.start {
            Start::Request(target) => Some(&target.authority),
            Start::Response(_) => None,
        }
    }

    /// The fields of the message.
    pub fn headers(&self) -> &HeaderMap {
        self.headers
    }

    /// The signature base (RFC 9421 section 2.5) of these components and this value of `@signature-params`.
    pub(super) fn base(
        &self,
        components: &[Component],
        parameters: &str,
    ) -> Result<String, SignatureFault> {
        let mut base = String::with_capacity(512);
        for component in components {
            let value = self.value(&component.source)?;
            base.push_str(&component.identifier);
            base.push_str(": ");
            base.push_str(&value);
            base.push('\n');
        }
        base.push_str("\"@signature-params\": ");
        base.push_str(parameters);
        // Section 2.5: ASCII, a line for each component. Neither fields nor targets can hold a line feed.
        let plain = |byte: u8| byte == b'\n' || byte == b'\t' || (b' '..=b'~').contains(&byte);
        if !base.bytes().all(plain) || base.matches('\n').count() != components.len() {
            return Err(SignatureFault::Characters);
        }
        Ok(base)
    }

    fn value(&self, source: &Source) -> Result<String, SignatureFault> {
        let target = match (source, &self.start) {
            (Source::OfRequest(source), Start::Response(_)) => {
                let request = self.request.as_ref().ok_or(SignatureFault::Component)?;
                return request.value(source);
            }
            (Source::OfRequest(_), Start::Request(_)) => return Err(SignatureFault::Component),
            (Source::Field(name, form), _) => return self.field(name, form),
            (Source::Status, Start::Response(status)) => return Ok(status.as_str().to_owned()),
            (Source::Status, Start::Request(_)) | (_, Start::Response(_)) => {
                return Err(SignatureFault::Component);
            }
            (_, Start::Request(target)) => target,
        };
        Ok(match source {
            Source::Method => target.method.as_str().to_owned(),
            Source::TargetUri => {
                let (scheme, authority) = (target.scheme, &target.authority);
                format!("{scheme}://{authority}{}", target.request_target())
            }
            Source::Authority => target.authority.clone(),
            Source::Scheme => target.scheme.to_owned(),
            Source::RequestTarget => target.request_target(),
            Source::Path => target.path.to_owned(),
            // Section 2.2.7: a query that is absent is as one that is empty.
            Source::Query => format!("?{}", target.query.unwrap_or_default()),
            Source::QueryParam(name) => target.parameter(name)?,
            Source::Status | Source::Field(..) | Source::OfRequest(_) => {
                return Err(SignatureFault::Component);
            }
        })
    }

    fn field(&self, name: &HeaderName, form: &Form) -> Result<String, SignatureFault> {
        let mut lines = self.headers.get_all(name).iter().peekable();
        if lines.peek().is_none() {
            return Err(SignatureFault::Absent);
        }
        if *form == Form::Bytes {
            let line = |bytes: &[u8]| {
                let item = Item::new(BareItem::ByteSequence(bytes.trim_ascii().to_vec()));
                item.serialize()
            };
            let lines: Vec<String> = lines.map(|value| line(value.as_bytes())).collect();
            return Ok(lines.join(", "));
        }
        let lines: Result<Vec<&str>, _> = lines.map(|line| line.to_str().map(trimmed)).collect();
        let value = lines.map_err(|_| SignatureFault::Characters)?.join(", ");
        match form {
            Form::Plain | Form::Bytes => Ok(value),
            Form::Strict => {
                let read = structured::dictionary(&value).ok_or(SignatureFault::Absent)?;
                Ok(read.serialize().unwrap_or_default())
            }
            Form::Member(key) => {
                let read = structured::dictionary(&value).ok_or(SignatureFault::Absent)?;
                let member = read.get(key.as_str()).ok_or(SignatureFault::Absent)?;
                Ok(structured::written(member))
            }
        }
    }
}

impl Target<'_> {
    /// The origin form (RFC 9112 section 3.2.1); over HTTP/2, `:path`.
    fn request_target(&self) -> String {
        match self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.to_owned(),
        }
    }

    /// One parameter of the query, decoded as a form and encoded anew (section 2.2.8).
    fn parameter(&self, name: &str) -> Result<String, SignatureFault> {
        let pairs = self.query.unwrap_or_default().split('&');
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (recoded(name), recoded(value))
        };
        let mut found = pairs
            .filter(|text| !text.is_empty())
            .map(pair)
            .filter(|(known, _)| known == name);
        match (found.next(), found.next()) {
            // Section 2.2.8: of a name that comes twice, no parameter is covered.
            (Some((_, value)), None) => Ok(value),
            _ => Err(SignatureFault::Absent),
        }
    }
}

fn normal_authority(scheme: &str, authority: &str) -> Result<String, SignatureFault> {
    let parsed: http::uri::Authority = authority.parse().map_err(|_| SignatureFault::Target)?;
    if authority.contains('@') || parsed.host().is_empty() {
        return Err(SignatureFault::Target);
    }
    let host = parsed.host().to_ascii_lowercase();
    let own = match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    match parsed.port_u16() {
        Some(port) if Some(port) != own => Ok(format!("{host}:{port}")),
        // `host:` and ports that are no numbers are not told from a name's end.
        None if authority.len() != parsed.host().len() => Err(SignatureFault::Target),
        _ => Ok(host),
    }
}

/// Form decoding, then the percent-encode set of forms, with spaces as `%20`.
fn recoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| {
        bytes
            .get(at)
            .and_then(|byte| char::from(*byte).to_digit(16))
    };
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let (byte, width) = match (byte, digit(at + 1), digit(at + 2)) {
            (b'+', ..) => (b' ', 1),
            (b'%', Some(high), Some(low)) => (u8::try_from(high * 16 + low).unwrap_or(byte), 3),
            _ => (byte, 1),
        };
        at += width;
        if byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_') {
            out.push(char::from(byte));
        } else {
            // Writing into a text never fails.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
