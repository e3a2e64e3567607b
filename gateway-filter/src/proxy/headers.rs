//! Owns the hygiene of heads: what belongs to one connection stays on it, and one host counts.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Uri};

use crate::error::FilterError;

/// Of one connection only (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authorization"),
];

/// Takes away what belongs to the connection the message came on.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // These two end at the filter, which set them itself, whatever the sender lists.
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Takes away all of `names`.
pub(super) fn strip(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}

/// The authority a request names: `:authority` or an absolute target, else its one `Host`.
pub(super) fn host(target: &Uri, headers: &HeaderMap) -> Result<HeaderValue, FilterError> {
    let mut lines = headers.get_all(HOST).iter();
    let (first, second) = (lines.next(), lines.next());
    if second.is_some() {
        return Err(FilterError::HeaderRepeated("host"));
    }
    if let Some(authority) = target.authority() {
        return HeaderValue::from_str(authority.as_str())
            .map_err(|_| FilterError::HeaderInvalid("host"));
    }
    first.cloned().ok_or(FilterError::HeaderInvalid("host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_the_connection_names_stays_on_it() {
        let mut kept = headers(&[
            ("connection", "close, X-Hop"),
            ("connection", "host"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("keep-alive", "timeout=5"),
            ("host", "a"),
            ("x-kept", "2"),
        ]);
        strip_hop_by_hop(&mut kept);
        assert_eq!(kept, headers(&[("host", "a"), ("x-kept", "2")]));
    }

    #[test]
    fn the_host_is_the_targets_else_the_only_header() {
        let plain: Uri = "/a".parse().unwrap();
        let absolute: Uri = "http://b:1/a".parse().unwrap();
        assert_eq!(host(&plain, &headers(&[("host", "a")])).unwrap(), "a");
        assert_eq!(host(&absolute, &headers(&[("host", "a")])).unwrap(), "b:1");
        assert_eq!(
            host(&plain, &headers(&[])),
            Err(FilterError::HeaderInvalid("host"))
        );
        let twice = headers(&[("host", "a"), ("host", "b")]);
        assert_eq!(
            host(&plain, &twice),
            Err(FilterError::HeaderRepeated("host"))
        );
    }
}
