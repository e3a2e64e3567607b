//! Owns the hygiene of heads: what belongs to one connection stays on it.

use http::HeaderMap;
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderName, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// Of one connection only (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("http2-settings"),
];

/// Never of one connection, whatever the sender lists: the filter set the first two itself, and by the
/// others the body was read. Whoever gets it must read it in the same way.
const END_TO_END: [HeaderName; 4] = [HOST, CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING];

/// Takes away what belongs to the connection the message came on.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| !END_TO_END.contains(name))
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_the_connection_names_stays_on_it() {
        let mut kept = headers(&[
            ("connection", "close, X-Hop"),
            (
                "connection",
                "host, content-length, Content-Type, content-encoding",
            ),
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
            ("content-length", "7"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("keep-alive", "timeout=5"),
            ("host", "a"),
            ("x-kept", "2"),
        ]);
        strip_hop_by_hop(&mut kept);
        let expected = headers(&[
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
            ("content-length", "7"),
            ("host", "a"),
            ("x-kept", "2"),
        ]);
        assert_eq!(kept, expected);
    }
}
