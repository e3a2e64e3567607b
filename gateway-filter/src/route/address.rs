//! Owns hosts and paths: patterns of the settings, and the one way a request's path is read.
//! What a backend might read in another way is refused, or matched broadly: never missed.

use std::fmt;

/// Why a route's `host`, `method` or `path` can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateFault {
    /// Not a host pattern.
    #[error("`host` is a name without port, `*.name` or `*`")]
    Host,
    /// Not a method.
    #[error("`method` is an upper-case method such as POST, or `*`")]
    Method,
    /// Not a path template.
    #[error(
        "`path` starts with `/`; its segments are plain text or `{{name}}`, without `?`, `%`, `;`"
    )]
    Path,
}

/// A host pattern; ports don't matter.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Host {
    Any,
    Exact(String),
    /// `.example.tw`, with its dot.
    Below(String),
}

impl Host {
    pub(super) fn parse(text: &str) -> Result<Self, TemplateFault> {
        let plain = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-.[:]".contains(&byte))
                && without_port(name) == name
        };
        let lower = text.to_ascii_lowercase();
        match lower.strip_prefix('*') {
            Some("") => Ok(Self::Any),
            Some(below) if below.starts_with('.') && plain(&below[1..]) => {
                Ok(Self::Below(below.to_owned()))
            }
            None if plain(&lower) => Ok(Self::Exact(lower)),
            _ => Err(TemplateFault::Host),
        }
    }

    pub(super) fn takes(&self, host: &str) -> bool {
        let host = without_port(host)
            .trim_end_matches('.')
            .to_ascii_lowercase();
        match self {
            Self::Any => true,
            Self::Exact(name) => *name == host,
            Self::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(name) => f.write_str(name),
            Self::Below(suffix) => write!(f, "*{suffix}"),
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// A path template: `/payments/{kind}`.
#[derive(Debug)]
pub(super) struct Template {
    text: String,
    /// `None` takes any one segment.
    segments: Vec<Option<String>>,
    /// What the segments that take any are called, by their places.
    names: Vec<(String, usize)>,
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, TemplateFault> {
        if text.contains(['?', '#', '%', ';', '\\']) {
            return Err(TemplateFault::Path);
        }
        let clean = CleanPath::parse(text).ok_or(TemplateFault::Path)?;
        let names = (clean.segments.iter().enumerate())
            .filter_map(|(place, segment)| {
                let name = segment.strip_prefix('{')?.strip_suffix('}')?;
                Some((name.to_owned(), place))
            })
            .collect();
        let segments = clean
            .segments
            .into_iter()
            .map(segment)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.to_owned(),
            segments,
            names,
        })
    }

    /// Where the one segment of this name is, from 0.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        let mut found = self.names.iter().filter(|(found, _)| found == name);
        match (found.next(), found.next()) {
            (Some((_, place)), None) => Some(*place),
            _ => None,
        }
    }

    pub(super) fn takes(&self, path: &CleanPath) -> bool {
        self.segments.len() == path.segments.len()
            && self
                .segments
                .iter()
                .zip(&path.segments)
                .all(|(wanted, found)| wanted.as_ref().is_none_or(|wanted| wanted == found))
    }
}

fn segment(text: String) -> Result<Option<String>, TemplateFault> {
    match text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    {
        Some(name) if !name.is_empty() && !name.contains(['{', '}']) => Ok(None),
        None if !text.contains(['{', '}']) => Ok(Some(text)),
        _ => Err(TemplateFault::Path),
    }
}

/// Two templates are one where they take the same paths, whatever their segments are called.
impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.segments == other.segments
    }
}

impl Eq for Template {}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A request's path, read in the one way that all backends agree on.
///
/// Percent-encoding is resolved, path parameters (`;v=1`) and a last slash don't count. Empty and
/// dot segments, encoded or backward slashes and control characters make no path: backends
/// disagree about them, so one spelling could slip past the rules.
pub(crate) struct CleanPath {
    segments: Vec<String>,
}

impl CleanPath {
    pub(crate) fn parse(target: &str) -> Option<Self> {
        let path = target.split(['?']).next()?;
        let inner = path.strip_prefix('/')?;
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        if inner.is_empty() {
            return (path.len() == 1).then_some(Self {
                segments: Vec::new(),
            });
        }
        let segments = inner.split('/').map(clean_segment).collect::<Option<_>>()?;
        Some(Self { segments })
    }
}

/// A segment's text with its parameters; `None` where it can be read in two ways.
pub(crate) fn decoded_segment(raw: &str) -> Option<String> {
    clean_segment(raw)?;
    String::from_utf8(percent_decoded(raw)?).ok()
}

fn clean_segment(raw: &str) -> Option<String> {
    let decoded = String::from_utf8(percent_decoded(raw)?).ok()?;
    let named = decoded.split(';').next()?;
    let plain = !named.is_empty()
        && named != "."
        && named != ".."
        && !decoded
            .chars()
            .any(|next| next.is_control() || matches!(next, '/' | '\\' | '#'));
    plain.then(|| named.to_owned())
}

fn percent_decoded(raw: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(template: &str, path: &str) -> bool {
        let path = CleanPath::parse(path).expect(path);
        Template::parse(template).unwrap().takes(&path)
    }

    #[test]
    fn a_template_takes_every_spelling_of_its_paths() {
        for path in [
            "/payments/card",
            "/payments/card?x=/y",
            "/payments/card/",
            "/p%61yments/c%41",
            "/payments;v=1/card",
            "/payments/%E9%87%91",
        ] {
            assert!(takes("/payments/{kind}", path), "{path}");
        }
        for path in ["/payments", "/payments/a/b", "/Payments/card", "/"] {
            assert!(!takes("/payments/{kind}", path), "{path}");
        }
        assert!(takes("/", "/") && takes("/", "/?q") && !takes("/", "/a"));
    }

    #[test]
    fn a_path_with_two_readings_is_none() {
        for path in [
            "",
            "*",
            "payments",
            "//",
            "//a",
            "/a//b",
            "/a/../b",
            "/a/./b",
            "/a/%2e%2E/b",
            "/..;/a",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/%",
            "/%4",
            "/%zz",
            "/%ff",
            "/a//",
            "/a#b",
        ] {
            assert!(CleanPath::parse(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_template_that_can_match_nothing_is_refused() {
        for text in [
            "", "payments", "/a?b", "/a%20", "/{", "/{}", "/a{b}", "/{a}{b}", "/a//b", "/a;b",
        ] {
            assert_eq!(Template::parse(text), Err(TemplateFault::Path), "{text}");
        }
    }

    #[test]
    fn hosts_match_without_port_and_case() {
        let takes = |pattern: &str, host: &str| Host::parse(pattern).unwrap().takes(host);
        assert!(takes("*", "") && takes("api.example.tw", "API.example.tw:8443"));
        assert!(takes("api.example.tw", "api.example.tw."));
        assert!(takes("*.example.tw", "a.example.tw"));
        assert!(takes("[::1]", "[::1]:80") && takes("[::1]", "[::1]"));
        assert!(!takes("*.example.tw", "example.tw") && !takes("*.example.tw", "evilexample.tw"));
        assert!(!takes("api.example.tw", "api.example.tw.evil"));
        for wrong in ["", "a:80", "*a", "a b", "**", "a/b"] {
            assert_eq!(Host::parse(wrong), Err(TemplateFault::Host), "{wrong}");
        }
    }
}
