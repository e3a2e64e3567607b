//! A recipient's public key as a JWK (RFC 7517, 7518 section 6.2, 8037), strictly read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::agreement::{Point, agree_anew};
use super::members::{Member, Members};
use super::{ALGORITHM, JwkError, KEY_TEXT_BYTES_MAX, KID_BYTES_MAX};
use crate::primitives;

/// Whom messages are sealed to: a point of P-256 or X25519, and the name of its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecipientKey {
    pub(super) point: Point,
    pub(super) kid: String,
}

impl RecipientKey {
    /// Reads a public JWK. Its `kid`, or without one its RFC 7638 thumbprint, names it in every message.
    ///
    /// Refused are private keys, other curves, points that are not on the curve or of small order, a
    /// `use`, `alg` or `key_ops` for something else, members that stand twice, and more than 4,096 bytes.
    pub fn from_jwk(text: &str) -> Result<Self, JwkError> {
        if text.contains("PRIVATE KEY-----") {
            return Err(JwkError::Private);
        }
        let members = read(text)?;
        if members.has("d") || members.has("k") {
            return Err(JwkError::Private);
        }
        Self::from_members(&members)
    }

    /// The same of members that may be a private key's: the private part is not looked at.
    pub(super) fn from_members(members: &Members) -> Result<Self, JwkError> {
        let point = point(members)?;
        usable(members)?;
        let kid = match members.get("kid") {
            None => thumbprint(&point),
            Some(Member::Text(kid)) if (1..=KID_BYTES_MAX).contains(&kid.len()) => kid.to_string(),
            Some(_) => return Err(JwkError::Kid),
        };
        Ok(Self { point, kid })
    }

    pub(super) fn of_point(point: Point) -> Self {
        let kid = thumbprint(&point);
        Self { point, kid }
    }

    /// The name that every message to it carries.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its RFC 7638 SHA-256 thumbprint, in base64url.
    pub fn thumbprint(&self) -> String {
        thumbprint(&self.point)
    }

    /// The key as a JWK on one line, with `use`, `alg` and `kid`.
    pub fn jwk(&self) -> String {
        let members = members_of(&self.point);
        let kid = serde_json::Value::from(self.kid.as_str());
        format!(r#"{{{members},"use":"enc","alg":"{ALGORITHM}","kid":{kid}}}"#)
    }
}

/// A bounded text's members.
pub(super) fn read(text: &str) -> Result<Members, JwkError> {
    if text.len() > KEY_TEXT_BYTES_MAX {
        return Err(JwkError::Form);
    }
    Members::parse(text.as_bytes()).ok_or(JwkError::Form)
}

/// The point of a JWK, or of a header's `epk`, which is on its curve.
pub(super) fn point(members: &Members) -> Result<Point, JwkError> {
    let coordinate = |name: &str| bytes_32(members.text(name)).ok_or(JwkError::Point);
    let point = match (members.text("kty"), members.text("crv")) {
        (Some("EC"), Some("P-256")) => {
            let mut point = [4; 65];
            point[1..33].copy_from_slice(&coordinate("x")?);
            point[33..].copy_from_slice(&coordinate("y")?);
            p256::PublicKey::from_sec1_bytes(&point).map_err(|_| JwkError::Point)?;
            Point::P256(point)
        }
        (Some("OKP"), Some("X25519")) if members.has("y") => return Err(JwkError::Point),
        (Some("OKP"), Some("X25519")) => Point::X25519(coordinate("x")?),
        _ => return Err(JwkError::Curve),
    };
    // A point of small order agrees with nobody: every secret with it is zero (RFC 7748 section 6.1).
    agree_anew(&point, |_| ()).map_err(|_| JwkError::Point)?;
    Ok(point)
}

fn usable(members: &Members) -> Result<(), JwkError> {
    let is = |name: &str, expected: &str| {
        !members.has(name) || members.text(name).is_some_and(|text| text == expected)
    };
    let derives = |text: &String| matches!(text.as_str(), "deriveKey" | "deriveBits");
    // A recipient's public key may say what its private half does, or nothing (RFC 7517 section 4.3).
    let operations = match members.get("key_ops") {
        None => true,
        Some(Member::Texts(texts)) => texts.iter().all(derives),
        Some(_) => false,
    };
    if is("use", "enc") && is("alg", ALGORITHM) && operations {
        Ok(())
    } else {
        Err(JwkError::Usage)
    }
}

/// 32 bytes in their one spelling: base64url without padding, no bit too many.
pub(super) fn bytes_32(text: Option<&str>) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text?).ok()?.try_into().ok()
}

/// What makes the key, in the order of RFC 7638 section 3.2: that of the alphabet.
pub(super) fn members_of(point: &Point) -> String {
    match point {
        Point::P256(point) => {
            let (x, y) = point.split_at(1).1.split_at(32);
            let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
            format!(r#""crv":"P-256","kty":"EC","x":"{x}","y":"{y}""#)
        }
        Point::X25519(point) => {
            let x = URL_SAFE_NO_PAD.encode(point);
            format!(r#""crv":"X25519","kty":"OKP","x":"{x}""#)
        }
    }
}

fn thumbprint(point: &Point) -> String {
    let members = format!("{{{}}}", members_of(point));
    URL_SAFE_NO_PAD.encode(primitives::sha256(members.as_bytes()))
}
