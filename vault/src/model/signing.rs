//! Keys that units sign their requests with (RFC 9421), as the registry names them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kms::{KeyKind, PublicKey};
use serde::Deserialize;

use super::key::KeyRef;

/// Largest public JWK, in bytes.
const JWK_BYTES_MAX: usize = 4_096;
/// Longest `keyid`, in bytes of visible ASCII.
const KEYID_BYTES_MAX: usize = 256;

/// A key of one unit, by the `keyid` that its signatures carry.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// What `keyid` must be, byte for byte.
    pub keyid: String,
    /// Where the key is.
    pub place: SigningPlace,
}

/// Where a unit's signing key is. The place decides the algorithm; no request does.
#[derive(Clone, Debug)]
pub enum SigningPlace {
    /// In the key service, of kind `hmac-sha-256` or `ed25519`.
    KeyService(KeyRef),
    /// With the unit; its public half, Ed25519, is in the registry.
    Registered(PublicKey),
}

/// Why a signing key can't be registered. It does not repeat what was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSigningKey {
    /// No id and no alias of a key.
    #[error("it must be the id or alias of a key of the key service")]
    Name,
    /// No JWK.
    #[error(
        "it must be a public JWK of Ed25519: `kty` is `OKP`, `crv` is `Ed25519`, `x` has 32 bytes"
    )]
    Jwk,
    /// The private half is there.
    #[error("it holds the private half `d`: register the public one only, and make a new pair")]
    Private,
    /// Its `kid` can't be a `keyid`.
    #[error("its `kid` must be 1 to 256 visible characters of ASCII")]
    Kid,
}

#[derive(Deserialize)]
struct RawJwk {
    kty: String,
    crv: String,
    x: String,
    kid: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

impl SigningKey {
    /// A key of the key service, by id or alias; that is the `keyid` too.
    pub fn kept(name: &str) -> Result<Self, InvalidSigningKey> {
        let key = KeyRef::parse(name).map_err(|_| InvalidSigningKey::Name)?;
        Ok(Self {
            keyid: name.to_owned(),
            place: SigningPlace::KeyService(key),
        })
    }

    /// A public JWK (RFC 8037). Its `keyid` is its `kid`, or else its thumbprint (RFC 7638).
    pub fn registered(jwk: &str) -> Result<Self, InvalidSigningKey> {
        if jwk.len() > JWK_BYTES_MAX {
            return Err(InvalidSigningKey::Jwk);
        }
        let raw: RawJwk = serde_json::from_str(jwk).map_err(|_| InvalidSigningKey::Jwk)?;
        if raw.d.is_some() {
            return Err(InvalidSigningKey::Private);
        }
        let point = URL_SAFE_NO_PAD.decode(&raw.x).ok();
        let point = point.filter(|_| raw.kty == "OKP" && raw.crv == "Ed25519");
        let point = point.ok_or(InvalidSigningKey::Jwk)?;
        let public =
            PublicKey::from_parts(KeyKind::Ed25519, &point).map_err(|_| InvalidSigningKey::Jwk)?;
        let keyid = raw.kid.unwrap_or_else(|| public.thumbprint());
        let visible = keyid.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
        if keyid.is_empty() || keyid.len() > KEYID_BYTES_MAX || !visible {
            return Err(InvalidSigningKey::Kid);
        }
        Ok(Self {
            keyid,
            place: SigningPlace::Registered(public),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9421 section B.1.4.
    const X: &str = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs";

    #[test]
    fn a_key_is_known_by_its_kid_or_its_thumbprint() {
        let named =
            format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"test-key-ed25519","x":"{X}"}}"#);
        assert_eq!(
            SigningKey::registered(&named).unwrap().keyid,
            "test-key-ed25519"
        );
        let bare = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","use":"sig"}}"#);
        // RFC 7638's thumbprint of this key, as others have computed it.
        let thumbprint = "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U";
        assert_eq!(SigningKey::registered(&bare).unwrap().keyid, thumbprint);
        assert!(SigningKey::kept("payments").is_ok());
    }

    #[test]
    fn what_can_t_verify_is_refused() {
        let jwk = |members: &str| SigningKey::registered(&format!("{{{members}}}")).err();
        let base = format!(r#""crv":"Ed25519","x":"{X}""#);
        for (members, expected) in [
            (
                format!(r#""kty":"OKP",{base},"d":"{X}""#),
                InvalidSigningKey::Private,
            ),
            (format!(r#""kty":"oct",{base}"#), InvalidSigningKey::Jwk),
            (
                format!(r#""kty":"OKP","crv":"X25519","x":"{X}""#),
                InvalidSigningKey::Jwk,
            ),
            (
                r#""kty":"OKP","crv":"Ed25519","x":"AAAA""#.to_owned(),
                InvalidSigningKey::Jwk,
            ),
            (
                format!(r#""kty":"OKP",{base},"kid":"""#),
                InvalidSigningKey::Kid,
            ),
            (
                format!(r#""kty":"OKP",{base},"kid":"a b""#),
                InvalidSigningKey::Kid,
            ),
            (String::new(), InvalidSigningKey::Jwk),
        ] {
            assert_eq!(jwk(&members), Some(expected), "{members}");
        }
        assert_eq!(
            SigningKey::kept("No Key").err(),
            Some(InvalidSigningKey::Name)
        );
    }
}
