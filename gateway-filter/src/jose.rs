//! Owns what a route says of JWEs (RFC 7516): under which of the vault's keys a field or a whole payload is
//! encrypted or opened, and how a payload's media type goes with it, in `cty`. The filter holds no keys: the
//! vault makes and opens them.

use api::v1::ItemError;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::error::{FilterError, Refusal, Side, VaultError};
use crate::media::essence;

/// The media type of a payload that is a JWE in compact serialization (RFC 7515 section 9.2.1).
pub(crate) const JOSE: &str = "application/jose";
/// Longest media type that goes with a payload, in bytes: the vault's own limit of `cty`.
const TYPE_BYTES_MAX: usize = 256;

/// A key of the vault, by its id or alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JweKey {
    pub(crate) name: String,
    /// What its JWEs must be of; the vault refuses a key of another kind. Empty: whatever the key is for.
    pub(crate) alg: &'static str,
}

/// What becomes of a whole payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) key: JweKey,
    pub(crate) act: PayloadAct,
}

/// Which way a payload goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PayloadAct {
    /// It becomes a JWE, after the fields were taken from it.
    Encrypt,
    /// It comes out of a JWE, before the fields are taken from it.
    Decrypt {
        /// What may come out, as types without parameters.
        content_types: Vec<String>,
    },
}

/// What is wrong with a JWE, or with what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JweFault {
    /// One answer for all: altered, under another key or version, of another suite, or none at all.
    #[error("the jwe does not open: altered, under another key, or none that this route takes")]
    Unopened,
    /// A payload of another type than the route opens, or a payload in a field's place.
    #[error("the jwe's `cty` is none that may come out here")]
    Type,
    /// A field that is no text.
    #[error("what the jwe holds is no text of utf-8")]
    NotText,
    /// More than the vault encrypts at once.
    #[error(
        "it is longer than the vault takes: see its `keys.item_bytes_max` and `limits.body_bytes_max`"
    )]
    TooLong,
}

impl Payload {
    /// For people: `encrypt payload with KEY`.
    pub(crate) fn describe(&self) -> String {
        let name = &self.key.name;
        match self.act {
            PayloadAct::Encrypt => format!("encrypt payload with {name}"),
            PayloadAct::Decrypt { .. } => format!("decrypt payload with {name}"),
        }
    }
}

/// The one type that a head states, if it may go with a payload.
pub(crate) fn stated_type(headers: &HeaderMap) -> Option<String> {
    let mut lines = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (lines.next(), lines.next()) else {
        return None;
    };
    let text = only.to_str().ok()?.trim();
    (text.len() <= TYPE_BYTES_MAX && essence(text).is_some()).then(|| text.to_owned())
}

/// Whether it is the type of a JWE.
pub(crate) fn is_jose(content_type: Option<&str>) -> bool {
    content_type.and_then(essence).as_deref() == Some(JOSE)
}

/// The content-type of what came out, if the route lets it out.
pub(crate) fn opened_type(cty: Option<&str>, allowed: &[String]) -> Option<(String, HeaderValue)> {
    let cty = cty.filter(|cty| cty.len() <= TYPE_BYTES_MAX)?;
    // RFC 7515 section 4.1.10: `application/` is left out where nothing else has a slash.
    let full = if cty.contains('/') {
        cty.to_owned()
    } else {
        format!("application/{cty}")
    };
    let kind = essence(&full).filter(|kind| allowed.contains(kind));
    let value = HeaderValue::from_str(&full)
        .ok()
        .filter(|_| kind.is_some())?;
    Some((full, value))
}

/// Whether the vault's word is a JWE in compact serialization, and nothing of a value can stand in it.
pub(crate) fn is_compact(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.bytes().all(plain) && text.bytes().filter(|byte| *byte == b'.').count() == 4
}

/// Why one item was not done.
pub(crate) fn item_fault(side: Side, error: &ItemError) -> FilterError {
    let own = || Refusal {
        code: Some(error.code.clone()),
        detail: Some(error.detail.clone()),
        retry_after: None,
    };
    match error.code.as_str() {
        "unopened" | "key-version" | "item-input" => FilterError::Jwe(side, JweFault::Unopened),
        "item-too-long" => FilterError::Jwe(side, JweFault::TooLong),
        "hsm-unavailable" => VaultError::Busy(own()).into(),
        _ => VaultError::Failed.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_route_names_comes_out() {
        let allowed = ["application/json".to_owned(), "text/csv".to_owned()];
        let comes = |cty| opened_type(cty, &allowed).map(|(full, _)| full);
        assert_eq!(comes(Some("json")).as_deref(), Some("application/json"));
        assert_eq!(
            comes(Some("Application/JSON; charset=utf-8")).as_deref(),
            Some("Application/JSON; charset=utf-8")
        );
        assert_eq!(
            comes(Some("text/csv; header=absent")).as_deref(),
            Some("text/csv; header=absent")
        );
        for cty in [
            None,
            Some(""),
            Some("xml"),
            Some("text/html"),
            Some("application/json\r\nx: y"),
            Some("application/json, text/html"),
            Some("application/jsonp"),
            Some("application /json"),
        ] {
            assert_eq!(comes(cty), None, "{cty:?}");
        }
    }

    #[test]
    fn a_jwe_is_told_by_its_one_type() {
        for jose in ["application/jose", "Application/JOSE; x=1"] {
            assert!(is_jose(Some(jose)), "{jose}");
        }
        for other in [
            None,
            Some("application/json"),
            Some("application/jose, a/b"),
            Some("application/jose+json"),
        ] {
            assert!(!is_jose(other), "{other:?}");
        }
    }

    #[test]
    fn a_word_that_is_no_message_is_none() {
        assert!(is_compact("e30..A.-_.A"));
        for other in ["", "a.b.c.d", "a.b.c.d.e.f", "a.b.c.d.A123\"", "王.b.c.d.e"] {
            assert!(!is_compact(other), "{other}");
        }
    }
}
