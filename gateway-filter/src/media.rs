//! Owns what headers say about a body: whether it is JSON that the filter can read, which of them
//! a rewritten body makes untrue, and which would ask for a body that can't be read.

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

/// They ask for a compressed or partial answer, which the filter could not read.
pub(crate) const HIDING_THE_ANSWER: [HeaderName; 3] = [ACCEPT_ENCODING, RANGE, IF_RANGE];

/// What the headers say about a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/json` or `…+json`, UTF-8, not compressed.
    Json,
    /// Compressed or otherwise encoded.
    Encoded,
    /// Anything else, a repeated or a missing content-type too.
    Other,
}

impl Media {
    /// Reads `content-type` and `content-encoding`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let identity = headers.get_all(CONTENT_ENCODING).iter().all(|encoding| {
            encoding
                .as_bytes()
                .trim_ascii()
                .eq_ignore_ascii_case(b"identity")
        });
        if !identity {
            return Self::Encoded;
        }
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        match (types.next().map(http::HeaderValue::to_str), types.next()) {
            (Some(Ok(only)), None) if is_json(only) => Self::Json,
            _ => Self::Other,
        }
    }
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let json = essence == "application/json"
        || essence
            .split_once('/')
            .is_some_and(|(_, subtype)| subtype.ends_with("+json"));
    json && parts.all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let utf8 = value.trim_matches('"').eq_ignore_ascii_case("utf-8");
        !name.trim().eq_ignore_ascii_case("charset") || utf8
    })
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

    #[test]
    fn json_is_told_by_its_type() {
        for json in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/problem+json",
            "application/json; profile=x",
        ] {
            assert_eq!(media(&[("content-type", json)]), Media::Json, "{json}");
        }
        for other in [
            "text/plain",
            "application/json; charset=utf-16",
            "application/jsonp",
            "json",
        ] {
            assert_eq!(media(&[("content-type", other)]), Media::Other, "{other}");
        }
        assert_eq!(media(&[]), Media::Other);
    }

    #[test]
    fn a_repeated_type_is_no_json() {
        let json = ("content-type", "application/json");
        assert_eq!(media(&[json, json]), Media::Other);
    }

    #[test]
    fn an_encoded_body_is_no_json() {
        let json = ("content-type", "application/json");
        assert_eq!(
            media(&[json, ("content-encoding", "identity")]),
            Media::Json
        );
        assert_eq!(media(&[json, ("content-encoding", "gzip")]), Media::Encoded);
        let twice = [
            json,
            ("content-encoding", "identity"),
            ("content-encoding", "br"),
        ];
        assert_eq!(media(&twice), Media::Encoded);
    }
}
