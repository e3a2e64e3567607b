//! Owns what headers say about a body: its format and coding, which headers a rewritten body makes
//! untrue, and which would ask for a body that can't be read.

use http::HeaderMap;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, IF_RANGE,
    RANGE,
};

/// Untrue once the body is another; a digest of the first body would even tell about its values, and a
/// signature covers one.
pub(crate) const OF_THE_FIRST_BODY: [HeaderName; 8] = [
    ETAG,
    CONTENT_LENGTH,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("signature"),
    HeaderName::from_static("signature-input"),
];

/// What tells about a body, without its length: untrue in the head or the trailers of a body that is, or
/// with another request would be, another.
pub(crate) fn digests() -> impl Iterator<Item = HeaderName> {
    (OF_THE_FIRST_BODY.into_iter()).filter(|name| *name != CONTENT_LENGTH)
}

/// They ask for a compressed or partial answer: the one costs, the other can't be read.
pub(crate) const HIDING_THE_ANSWER: [HeaderName; 3] = [ACCEPT_ENCODING, RANGE, IF_RANGE];

/// Longest boundary (RFC 2046 §5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// What the headers say about a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// Its format.
    pub format: Format,
    /// Its content coding.
    pub coding: Coding,
}

/// A body's format, always UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/json` or `…+json`.
    Json,
    /// `application/jsonl`, `application/x-ndjson` and their like: a JSON document a line.
    JsonLines,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `text/csv` (RFC 4180).
    Csv {
        /// The type says `header=present` or `header=absent`; `None` where it says nothing. Only the second
        /// counts: columns can't be named then.
        header: Option<bool>,
    },
    /// `multipart/form-data` (RFC 7578).
    Multipart(Boundary),
    /// `application/xml`, `text/xml` or `…+xml`.
    Xml,
    /// Anything else, a repeated or a missing content-type too.
    Other,
}

/// A body's content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// None.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950, which HTTP calls `deflate`.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// Another one, or several.
    Unknown,
}

/// A multipart body's boundary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Boundary {
    bytes: [u8; BOUNDARY_BYTES_MAX],
    length: usize,
}

impl std::fmt::Debug for Boundary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Boundary")
    }
}

impl Boundary {
    /// `None` where RFC 2046 §5.1.1 does not allow it.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=BOUNDARY_BYTES_MAX).contains(&text.len())
            && !text.ends_with(' ')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte));
        let mut bytes = [0; BOUNDARY_BYTES_MAX];
        bytes
            .get_mut(..text.len())
            .filter(|_| fits)?
            .copy_from_slice(text.as_bytes());
        Some(Self {
            bytes,
            length: text.len(),
        })
    }

    /// `--` and the boundary.
    pub(crate) fn delimiter(&self) -> Vec<u8> {
        [b"--".as_slice(), &self.bytes[..self.length]].concat()
    }
}

impl Media {
    /// Plain JSON.
    pub const JSON: Self = Self {
        format: Format::Json,
        coding: Coding::Identity,
    };

    /// As a `content-type` says it, without a coding.
    pub fn of_type(content_type: &str) -> Self {
        Self {
            format: format(content_type),
            coding: Coding::Identity,
        }
    }

    /// Reads `content-type` and `content-encoding`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let format = match (types.next().map(http::HeaderValue::to_str), types.next()) {
            (Some(Ok(only)), None) => format(only),
            _ => Format::Other,
        };
        Self {
            format,
            coding: coding(headers),
        }
    }
}

fn coding(headers: &HeaderMap) -> Coding {
    let mut named = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
    let (Some(only), more) = (named.next(), named.next()) else {
        return Coding::Identity;
    };
    let is = |name: &str| more.is_none() && only.eq_ignore_ascii_case(name.as_bytes());
    match () {
        () if is("gzip") || is("x-gzip") => Coding::Gzip,
        () if is("deflate") => Coding::Deflate,
        () if is("br") => Coding::Brotli,
        () if is("zstd") => Coding::Zstd,
        () => Coding::Unknown,
    }
}

fn format(content_type: &str) -> Format {
    let Some((essence, parameters)) = parsed(content_type) else {
        return Format::Other;
    };
    let of = |name: &str| {
        let mut named = parameters.iter().filter(|(found, _)| found == name);
        named.next().map(|(_, value)| value.as_str())
    };
    let charset = of("charset");
    if !charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8")) {
        return Format::Other;
    }
    match essence.as_str() {
        "application/json" => Format::Json,
        "application/jsonl"
        | "application/jsonlines"
        | "application/x-jsonlines"
        | "application/x-ndjson"
        | "application/ndjson" => Format::JsonLines,
        "application/x-www-form-urlencoded" => Format::Form,
        "text/csv" => match of("header") {
            None => Format::Csv { header: None },
            Some("present") => Format::Csv { header: Some(true) },
            Some("absent") => Format::Csv {
                header: Some(false),
            },
            Some(_) => Format::Other,
        },
        // Some servers look for `boundary=` anywhere in the line.
        "multipart/form-data" => of("boundary")
            .filter(|_| {
                let known = |name: &str| ["boundary", "charset"].contains(&name);
                parameters.iter().all(|(name, _)| known(name))
            })
            .and_then(Boundary::new)
            .map_or(Format::Other, Format::Multipart),
        "application/xml" | "text/xml" => Format::Xml,
        other => match other.split_once('/') {
            Some((_, subtype)) if subtype.ends_with("+json") => Format::Json,
            Some((_, subtype)) if subtype.ends_with("+xml") => Format::Xml,
            _ => Format::Other,
        },
    }
}

/// Type and parameters (RFC 9110 §8.3.1); `None` where they can be read in two ways.
fn parsed(content_type: &str) -> Option<(String, Vec<(String, String)>)> {
    let (essence, rest) = content_type.split_once(';').unwrap_or((content_type, ""));
    let essence = essence.trim_matches(BLANKS).to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/')?;
    let parameters = parameters(rest)?;
    let plain = is_token(kind) && is_token(subtype);
    let escaped = parameters.iter().any(|(_, value)| value.contains('\\'));
    (plain && !escaped).then_some((essence, parameters))
}

/// The type without its parameters, in lower case; `None` where it can be read in two ways.
pub(crate) fn essence(content_type: &str) -> Option<String> {
    parsed(content_type).map(|(essence, _)| essence)
}

/// Optional white space (RFC 9110 §5.6.3).
pub(crate) const BLANKS: [char; 2] = [' ', '\t'];

/// `name=value` and `name="value"` between `;` (RFC 9110 §5.6.6), names in lower case and each once.
/// `None` where servers read otherwise: a name or a bare value that is no token, an escaped quote,
/// `name*=`.
pub(crate) fn parameters(mut rest: &str) -> Option<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start_matches(BLANKS);
        if rest.is_empty() {
            return Some(found);
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted
                .split_once('"')
                .filter(|(text, _)| !text.ends_with('\\'))?,
            None => Some(after.split_at(after.find(';').unwrap_or(after.len())))
                .filter(|(text, _)| is_token(text))?,
        };
        let name = name.to_ascii_lowercase();
        if !is_token(&name) || name.contains('*') || found.iter().any(|(seen, _)| *seen == name) {
            return None;
        }
        found.push((name, value.to_owned()));
        let after = after.trim_start_matches(BLANKS);
        rest = after
            .strip_prefix(';')
            .or_else(|| after.is_empty().then_some(""))?;
    }
}

/// A token (RFC 9110 §5.6.2), without `'`, which PHP takes for a quote.
pub(crate) fn is_token(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(lines: &[(&'static str, &'static str)]) -> Media {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        Media::of(&headers)
    }

    fn format_of(content_type: &'static str) -> Format {
        media(&[("content-type", content_type)]).format
    }

    #[test]
    fn a_format_is_told_by_its_type() {
        for json in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/problem+json",
            "application/json; profile=x",
        ] {
            assert_eq!(format_of(json), Format::Json, "{json}");
        }
        for other in [
            "text/plain",
            "application/json; charset=utf-16",
            "application/json; charset=utf-8; charset=utf-16",
            "application/json; charset*=utf-8''utf-16",
            "application/json; a=\"b\"c",
            "application/jsonp",
            "json",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=a; boundary=b",
            "multipart/form-data; boundary=a; x; boundary=b",
            "multipart/form-data; boundary=a,b",
            "multipart/form-data; boundary=a b",
            "multipart/form-data; boundary='a'",
            "multipart/form-data; x-boundary=a; boundary=b",
            "multipart/form-data; x=\"boundary=a\"; boundary=b",
            "multipart/form-data; boundary= a",
            "multipart/form-data; boundary =a",
            "application/json; x; charset=utf-7",
            "application/json; charset=utf-8,utf-7",
            "application/json; charset =utf-7",
            "text/plain, application/x+json",
            "text/csv; header=present,absent",
            "multipart/form-data; boundary=\"a\\b\"",
            "text/csv; header=maybe",
        ] {
            assert_eq!(format_of(other), Format::Other, "{other}");
        }
        assert_eq!(media(&[]).format, Format::Other);
        assert_eq!(format_of("application/x-ndjson"), Format::JsonLines);
        assert_eq!(format_of("application/x-www-form-urlencoded"), Format::Form);
        assert_eq!(format_of("text/xml; charset=utf-8"), Format::Xml);
        assert_eq!(format_of("application/soap+xml"), Format::Xml);
        assert_eq!(
            format_of("text/csv; header=absent"),
            Format::Csv {
                header: Some(false)
            }
        );
        let boundary = Boundary::new("a b;c");
        assert_eq!(boundary, None);
        let boundary = Boundary::new("----x=1").unwrap();
        assert_eq!(
            format_of("multipart/form-data; boundary=\"----x=1\""),
            Format::Multipart(boundary)
        );
        assert_eq!(boundary.delimiter(), b"------x=1");
    }

    #[test]
    fn a_repeated_type_is_none() {
        let json = ("content-type", "application/json");
        assert_eq!(media(&[json, json]).format, Format::Other);
    }

    #[test]
    fn one_known_coding_is_told_from_all_others() {
        let coding = |lines: &[&'static str]| {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| ("content-encoding", *line))
                .collect();
            media(&lines).coding
        };
        assert_eq!(coding(&[]), Coding::Identity);
        assert_eq!(coding(&["identity", " , Identity"]), Coding::Identity);
        assert_eq!(coding(&["GZIP"]), Coding::Gzip);
        assert_eq!(coding(&["identity", "br"]), Coding::Brotli);
        assert_eq!(coding(&["deflate"]), Coding::Deflate);
        assert_eq!(coding(&["zstd"]), Coding::Zstd);
        for unknown in [&["compress"][..], &["gzip, br"], &["gzip", "gzip"], &["x"]] {
            assert_eq!(coding(unknown), Coding::Unknown, "{unknown:?}");
        }
    }
}
