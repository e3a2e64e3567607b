//! Where callers reach a vault or a gateway: what a DPoP proof's `htu` (RFC 9449 section 4.2) is compared with.

use serde::Deserialize;

/// A base URL, normalised after RFC 3986 section 6.2: scheme and host in lower case, no default port, no
/// slash at its end, neither query nor fragment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct PublicUrl(String);

/// A text is no URL that callers could use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a public URL is `https://HOST[:PORT][/PATH]`, or `http://` on loopback, without query and fragment"
)]
pub struct InvalidUrl;

impl PublicUrl {
    /// Reads a URL. Query and fragment are refused.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        if text.contains(['?', '#']) {
            return Err(InvalidUrl);
        }
        normal(text).map(|url| Self(url.trim_end_matches('/').to_owned()))
    }

    /// Whether `htu` is this URL with `path` behind it. Its query and fragment are ignored.
    pub fn is_at(&self, path: &str, htu: &str) -> bool {
        normal(htu).is_ok_and(|htu| htu.strip_prefix(self.0.as_str()) == Some(path))
    }

    /// Whether `htu` is this URL or lies below it. Its query and fragment are ignored.
    pub fn covers(&self, htu: &str) -> bool {
        let below = |htu: String| {
            let rest = htu.strip_prefix(self.0.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        // A path that climbs is not compared with anything.
        !htu.contains("/..") && normal(htu).is_ok_and(below)
    }

    /// The URL, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = InvalidUrl;

    fn try_from(text: String) -> Result<Self, InvalidUrl> {
        Self::parse(&text)
    }
}

/// `scheme://host[:port]/path`, without query and fragment.
fn normal(text: &str) -> Result<String, InvalidUrl> {
    let uri: http::Uri = text.parse().map_err(|_| InvalidUrl)?;
    let authority = uri.authority().ok_or(InvalidUrl)?;
    let host = authority.host().to_ascii_lowercase();
    let default = match uri.scheme_str() {
        Some("https") => 443,
        Some("http") if is_loopback(&host) => 80,
        _ => return Err(InvalidUrl),
    };
    if authority.as_str().contains('@') {
        return Err(InvalidUrl);
    }
    let port = match authority.port_u16() {
        Some(port) if port != default => format!(":{port}"),
        _ => String::new(),
    };
    let scheme = if default == 443 { "https" } else { "http" };
    Ok(format!("{scheme}://{host}{port}{}", uri.path()))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_compared_in_their_normal_form() {
        let vault = PublicUrl::parse("https://Vault.City.example:443/").unwrap();
        assert_eq!(vault.as_str(), "https://vault.city.example");
        for (htu, expected) in [
            ("https://vault.city.example/v1/tokenize", true),
            ("HTTPS://VAULT.city.example:443/v1/tokenize?x=1#y", true),
            ("https://vault.city.example:8443/v1/tokenize", false),
            ("https://vault.city.example/v1/tokenize/", false),
            ("https://vault.city.example/V1/tokenize", false),
            ("https://vault.city.example.evil.test/v1/tokenize", false),
            ("https://user@vault.city.example/v1/tokenize", false),
            ("http://vault.city.example/v1/tokenize", false),
            ("/v1/tokenize", false),
            ("", false),
        ] {
            assert_eq!(vault.is_at("/v1/tokenize", htu), expected, "{htu}");
        }
    }

    #[test]
    fn a_gateways_url_covers_what_lies_below_it() {
        let api = PublicUrl::parse("https://api.city.example/open").unwrap();
        for (htu, expected) in [
            ("https://api.city.example/open/payments", true),
            ("https://api.city.example/open", true),
            ("https://api.city.example/opened", false),
            ("https://api.city.example/", false),
            ("https://api.city.example/open/../secret", false),
        ] {
            assert_eq!(api.covers(htu), expected, "{htu}");
        }
        let bare = PublicUrl::parse("https://api.city.example").unwrap();
        assert!(bare.covers("https://api.city.example/x"));
        assert!(bare.covers("https://api.city.example"));
        assert!(!bare.covers("https://api.city.example.evil.test/x"));
    }

    #[test]
    fn what_callers_can_t_use_is_refused() {
        for bad in [
            "http://city.example",
            "ftp://x",
            "https://",
            "https://a/?x",
            "a",
            "https://u@a",
        ] {
            assert_eq!(PublicUrl::parse(bad), Err(InvalidUrl), "{bad}");
        }
        assert!(PublicUrl::parse("http://127.0.0.1:8443").is_ok());
    }
}
