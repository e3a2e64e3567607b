//! Owns `multipart/form-data` (RFC 7578): parts between boundaries, each with its name. Strict where
//! servers differ: nothing before the first boundary or after the last, CRLF only, one reading of a name.

use std::borrow::Cow;
use std::ops::Range;

use super::{Named, keep, rule};
use crate::field::{Field, Spelling};
use crate::media::{self, BLANKS, Boundary};
use crate::scan::{Bounds, Fault, ScanError};

/// Most bytes of a part's headers.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// What is wrong with a multipart body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MultipartFault {
    /// It does not start with its boundary.
    #[error("the multipart body does not start with its boundary")]
    Start,
    /// The last boundary is missing.
    #[error("the multipart body does not end with its boundary")]
    End,
    /// Bytes after the last boundary.
    #[error("something follows the last boundary of the multipart body")]
    Trailing,
    /// The boundary's text elsewhere than on a line of its own.
    #[error("the boundary stands within a part, or its line holds more than the boundary")]
    Boundary,
    /// A part's header that can't be read.
    #[error(
        "a part's headers can't be read: `name: value` and CRLF, nothing folded, at most 8 KiB"
    )]
    Header,
    /// No `content-disposition: form-data; name="…"`, or two.
    #[error("a part needs one `content-disposition: form-data` with one plain `name`")]
    Disposition,
    /// A part encoded within itself.
    #[error("a part's content-transfer-encoding must be 7bit, 8bit or binary")]
    Encoding,
    /// A charset other than UTF-8.
    #[error("a part's charset must be UTF-8")]
    Charset,
    /// A selected part that is not text.
    #[error("a selected part is not UTF-8")]
    NotUtf8,
}

pub(super) fn select<'a>(
    body: &'a [u8],
    rules: &[Named],
    boundary: &Boundary,
    bounds: &Bounds,
) -> Result<Vec<Field<'a>>, ScanError> {
    let mut fields = Vec::new();
    for part in read(body, boundary, bounds)? {
        let Some(rule) = rule(rules, &part.name) else {
            continue;
        };
        let text = std::str::from_utf8(&body[part.content.clone()]).map_err(|_| {
            let fault = Fault::Multipart(MultipartFault::NotUtf8);
            ScanError::at(body, part.extent.start, fault)
        })?;
        let field = Field {
            rule,
            span: part.content,
            extent: part.extent,
            value: Cow::Borrowed(text),
            spelling: Spelling::Part(*boundary),
        };
        keep(&mut fields, field, body, bounds)?;
    }
    Ok(fields)
}

/// One part of a body.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) content: Range<usize>,
    /// From its boundary to before the next one.
    extent: Range<usize>,
}

/// All parts, each with its name.
pub(crate) fn read(
    body: &[u8],
    boundary: &Boundary,
    bounds: &Bounds,
) -> Result<Vec<Part>, ScanError> {
    let delimiter = boundary.delimiter();
    let extents = parts(body, &delimiter, bounds)?;
    let part = |extent: Range<usize>| {
        let fault = |fault| ScanError::at(body, extent.start, Fault::Multipart(fault));
        let after_line = extent.start + delimiter.len() + 2;
        // The CRLF before the next boundary belongs to it, and to no head.
        let end = extent.end - 2;
        let head = head(&body[after_line..end]).map_err(fault)?;
        let content = after_line + head.bytes..end;
        if head.name == "_charset_" && !body[content.clone()].eq_ignore_ascii_case(b"utf-8") {
            return Err(fault(MultipartFault::Charset));
        }
        Ok(Part {
            name: head.name,
            content,
            extent,
        })
    };
    extents.into_iter().map(part).collect()
}

/// Each part from its boundary to before the next one.
fn parts(body: &[u8], delimiter: &[u8], bounds: &Bounds) -> Result<Vec<Range<usize>>, ScanError> {
    let at = |place: usize, fault| ScanError::at(body, place, Fault::Multipart(fault));
    if !body.starts_with(delimiter) {
        return Err(at(0, MultipartFault::Start));
    }
    let mut parts = Vec::new();
    let mut start = 0;
    loop {
        let after = start + delimiter.len();
        match body.get(after..after + 2) {
            Some(b"\r\n") => {}
            Some(b"--") => {
                return match &body[after + 2..] {
                    b"" | b"\r\n" => Ok(parts),
                    _ => Err(at(after + 2, MultipartFault::Trailing)),
                };
            }
            Some(_) => return Err(at(after, MultipartFault::Boundary)),
            None => return Err(at(body.len(), MultipartFault::End)),
        }
        let length = memchr::memmem::find(&body[after + 2..], delimiter)
            .ok_or_else(|| at(body.len(), MultipartFault::End))?;
        let next = after + 2 + length;
        // Other line ends than CRLF would be a boundary to some servers and none to others.
        if length < 2 || &body[next - 2..next] != b"\r\n" {
            return Err(at(next, MultipartFault::Boundary));
        }
        if parts.len() == bounds.nodes_max {
            let nodes_max = bounds.nodes_max;
            return Err(ScanError::at(
                body,
                start,
                Fault::TooManyNodes { nodes_max },
            ));
        }
        parts.push(start..next);
        start = next;
    }
}

struct Head {
    name: String,
    /// Length with the empty line after it.
    bytes: usize,
}

fn head(part: &[u8]) -> Result<Head, MultipartFault> {
    let most = &part[..part.len().min(HEAD_BYTES_MAX)];
    let length = memchr::memmem::find(most, b"\r\n\r\n").ok_or(MultipartFault::Header)?;
    let text = std::str::from_utf8(&part[..length]).map_err(|_| MultipartFault::Header)?;
    let mut name = None;
    let mut seen = Vec::new();
    for line in text.split("\r\n") {
        let (header, value) = line.split_once(':').ok_or(MultipartFault::Header)?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if header.is_empty() || !header.bytes().all(token) || value.chars().any(control) {
            return Err(MultipartFault::Header);
        }
        let header = header.to_ascii_lowercase();
        let value = value.trim_matches(BLANKS);
        match header.as_str() {
            "content-disposition" => name = Some(disposition(value)?),
            "content-transfer-encoding" => {
                let plain = ["7bit", "8bit", "binary"];
                if !plain.iter().any(|name| value.eq_ignore_ascii_case(name)) {
                    return Err(MultipartFault::Encoding);
                }
            }
            "content-type" => {
                let lower = value.to_ascii_lowercase();
                let charset = lower.split_once("charset").map(|(_, rest)| rest);
                let utf8 = |rest: &str| rest.trim_matches([' ', '=', '"']) == "utf-8";
                if !charset.is_none_or(utf8) {
                    return Err(MultipartFault::Charset);
                }
            }
            _ => {}
        }
        if seen.contains(&header) {
            return Err(MultipartFault::Disposition);
        }
        seen.push(header);
    }
    Ok(Head {
        name: name.ok_or(MultipartFault::Disposition)?,
        bytes: length + 4,
    })
}

fn control(next: char) -> bool {
    next.is_control() && next != '\t'
}

/// The one `name` of `form-data; name="…"; filename="…"`.
fn disposition(value: &str) -> Result<String, MultipartFault> {
    let (kind, rest) = value.split_once(';').unwrap_or((value, ""));
    let kind = kind.trim_end_matches(BLANKS);
    if !kind.eq_ignore_ascii_case("form-data") {
        return Err(MultipartFault::Disposition);
    }
    media::parameters(rest)
        .and_then(|parameters| parameters.into_iter().find(|(key, _)| key == "name"))
        .map(|(_, name)| name)
        // Some servers take a backslash for an escape, others for itself.
        .filter(|name| !name.contains('\\'))
        .ok_or(MultipartFault::Disposition)
}
