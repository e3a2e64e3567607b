//! Owns what headers say about a body: its format and coding, which headers a rewritten body makes
//! untrue, and which would ask for a body that can't be read.

use http::HeaderMap;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, IF_RANGE,
    RANGE,
};

/// Untrue once the body is another; a digest of the first body would even tell about its values.
pub(crate) const OF_THE_FIRST_BODY: [HeaderName; 6] = [
    ETAG,
    CONTENT_LENGTH,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

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
        /// The type says `header=present` or `header=absent`; `None` where it says nothing.
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
    let single = |name: &str| {
        let mut found = parameters.iter().filter(|(found, _)| found == name);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some((_, value)), None) => Ok(Some(value.as_str())),
            (Some(_), Some(_)) => Err(()),
        }
    };
    let Ok(charset) = single("charset") else {
        return Format::Other;
    };
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
        "text/csv" => match single("header") {
            Ok(None) => Format::Csv { header: None },
            Ok(Some("present")) => Format::Csv { header: Some(true) },
            Ok(Some("absent")) => Format::Csv {
                header: Some(false),
            },
            _ => Format::Other,
        },
        "multipart/form-data" => single("boundary")
            .ok()
            .flatten()
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
    let (essence, mut rest) = content_type.split_once(';').unwrap_or((content_type, ""));
    let mut parameters = Vec::new();
    while !rest.trim().is_empty() {
        let (name, after) = rest.split_once('=').unwrap_or((rest, ""));
        let name = name.trim().to_ascii_lowercase();
        let value;
        if let Some(quoted) = after.strip_prefix('"') {
            let (inner, after) = quoted.split_once('"')?;
            if inner.contains('\\') {
                return None;
            }
            value = inner.to_owned();
            let after = after.trim_start();
            rest = match after.strip_prefix(';') {
                Some(more) => more,
                None if after.is_empty() => "",
                None => return None,
            };
        } else {
            let (plain, after) = after.split_once(';').unwrap_or((after, ""));
            value = plain.trim().to_owned();
            rest = after;
        }
        if name.contains('*') {
            return None;
        }
        parameters.push((name, value));
    }
    Some((essence.trim().to_ascii_lowercase(), parameters))
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
