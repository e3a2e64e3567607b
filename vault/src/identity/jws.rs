//! The compact serialisation of a JWS (RFC 7515 section 7.1), strictly read: nothing of it is believed here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use crate::model::{JwsAlgorithm, VerifyingKey};

/// Longest token, proof or assertion that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// What is presented is not a JWS that is looked at here.
pub(super) struct Malformed;

/// A signed text, taken apart. Its signature is not checked yet.
pub(super) struct Jws<'a> {
    pub(super) algorithm: JwsAlgorithm,
    pub(super) kid: Option<String>,
    /// The key that the text brings itself: for proofs of possession only.
    pub(super) jwk: Option<VerifyingKey>,
    typ: Option<String>,
    payload: Vec<u8>,
    signed: &'a [u8],
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    jwk: Option<Box<RawValue>>,
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
    jku: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
    x5c: Option<IgnoredAny>,
}

impl<'a> Jws<'a> {
    /// Takes a text of at most 8 KiB apart. Members that stand twice, algorithms that do not count, extensions
    /// that must be understood (`crit`), and keys that are to be fetched or believed from the header are refused.
    pub(super) fn parse(text: &'a str) -> Result<Self, Malformed> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Malformed)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed);
        let payload = decoded(payload)?;
        let signature = decoded(signature)?;
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| Malformed)?;
        let elsewhere = header.jku.is_some() || header.x5u.is_some() || header.x5c.is_some();
        if elsewhere || header.crit.is_some() || header.b64.is_some() {
            return Err(Malformed);
        }
        let jwk = header
            .jwk
            .as_ref()
            .map(|jwk| VerifyingKey::from_jwk(jwk.get()));
        Ok(Self {
            algorithm: JwsAlgorithm::parse(&header.alg).ok_or(Malformed)?,
            kid: header.kid,
            jwk: jwk.transpose().map_err(|_| Malformed)?,
            typ: header.typ,
            payload,
            signed: signed.as_bytes(),
            signature,
        })
    }

    /// Whether it says that it is of this type; `application/` may be left out (RFC 7515 section 4.1.9).
    pub(super) fn is_typed(&self, expected: &str) -> bool {
        let Some(typ) = self.typ.as_deref() else {
            return false;
        };
        let prefixed = typ
            .get(..12)
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case("application/"));
        let short = if prefixed { &typ[12..] } else { typ };
        short.eq_ignore_ascii_case(expected)
    }

    /// Its `typ`, where there is one.
    pub(super) fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// What it claims. Not to be believed before [`Jws::is_signed_with`].
    pub(super) fn claims<T: DeserializeOwned>(&self) -> Result<T, Malformed> {
        serde_json::from_slice(&self.payload).map_err(|_| Malformed)
    }

    /// Whether the key signed it, by the algorithm that it names.
    pub(super) fn is_signed_with(&self, key: &VerifyingKey) -> bool {
        key.verifies(self.algorithm, self.signed, &self.signature)
    }
}

/// SHA-256 of a text.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    hash
}

/// The 32 bytes of a base64url text without padding.
pub(super) fn hash_of_text(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(header: &str, payload: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(header), part(payload), part("signature"))
    }

    #[test]
    fn headers_that_ask_for_more_than_is_done_are_refused() {
        assert!(Jws::parse(&text(r#"{"alg":"EdDSA","kid":"a","x":1}"#, "{}")).is_ok());
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256"}"#,
            r#"{"alg":"ES384"}"#,
            r#"{"typ":"at+jwt"}"#,
            r#"{"alg":"EdDSA","alg":"EdDSA"}"#,
            r#"{"alg":"EdDSA","kid":"a","kid":"b"}"#,
            r#"{"alg":"EdDSA","crit":["x"],"x":1}"#,
            r#"{"alg":"EdDSA","crit":[]}"#,
            r#"{"alg":"EdDSA","b64":false}"#,
            r#"{"alg":"EdDSA","jku":"https://evil.test/jwks"}"#,
            r#"{"alg":"EdDSA","x5u":"https://evil.test/x"}"#,
            r#"{"alg":"EdDSA","x5c":["AAAA"]}"#,
            r#"{"alg":"EdDSA","jwk":{"kty":"oct","k":"AAAA"}}"#,
            "[]",
            "",
        ] {
            assert!(Jws::parse(&text(header, "{}")).is_err(), "{header}");
        }
    }

    #[test]
    fn a_text_has_three_parts_in_one_spelling() {
        let good = text(r#"{"alg":"EdDSA"}"#, "{}");
        for bad in [
            format!("{good}."),
            format!("{good}="),
            format!(".{good}"),
            good.replacen('.', "", 1),
            good.replace('.', ".."),
            good[1..].to_owned(),
            format!("{good}{}", "a".repeat(TEXT_BYTES_MAX)),
        ] {
            assert!(Jws::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_type_may_leave_its_prefix_out() {
        for (typ, expected) in [
            ("at+jwt", true),
            ("application/at+jwt", true),
            ("Application/AT+JWT", true),
            ("JWT", false),
            ("application/", false),
        ] {
            let text = text(&format!(r#"{{"alg":"EdDSA","typ":"{typ}"}}"#), "{}");
            let jws = Jws::parse(&text).map_err(|_| ()).unwrap();
            assert_eq!(jws.is_typed("at+jwt"), expected, "{typ}");
        }
    }
}
