//! Access tokens: JWTs of RFC 9068, each verified with a key of the issuer that it names.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Unproven;
use super::issuer::Issuer;
use super::jws::{Jws, hash_of_text};
use super::verified::{Bound, Claimed};
use crate::model::Timestamp;

/// Seconds by which others' clocks may differ from ours.
pub(super) const LEEWAY_SECONDS: u64 = 30;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: u64,
    #[serde(default)]
    nbf: u64,
    #[serde(default)]
    iat: u64,
    cnf: Option<Confirmation>,
    act: Option<Actor>,
}

/// RFC 7519 section 4.1.3.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    pub(super) fn names(&self, expected: &str) -> bool {
        match self {
            Self::One(name) => name == expected,
            Self::Several(names) => names.iter().any(|name| name == expected),
        }
    }
}

/// RFC 7800 section 3.1: what RFC 8705 and RFC 9449 put there. Others can't be checked here.
#[derive(Deserialize)]
struct Confirmation {
    #[serde(rename = "x5t#S256")]
    certificate: Option<String>,
    jkt: Option<String>,
    jwk: Option<IgnoredAny>,
    jwe: Option<IgnoredAny>,
}

/// RFC 8693 section 4.1.
#[derive(Deserialize)]
struct Actor {
    sub: String,
}

/// What a token with a valid signature says. It must carry `iss`, `aud`, `exp`, `sub`, and a `kid`.
pub(super) fn claimed(
    token: &str,
    issuers: &[Issuer],
    monotonic: std::time::Duration,
) -> Result<Claimed, Unproven> {
    let jws = Jws::parse(token).map_err(|_| Unproven::InvalidToken)?;
    // RFC 9068 section 2.1: an access token says so; an ID token of the same issuer is refused. A key that a
    // token brings itself proves nothing.
    if !jws.is_typed("at+jwt") || jws.jwk.is_some() {
        return Err(Unproven::InvalidToken);
    }
    let kid = jws.kid.as_deref().ok_or(Unproven::InvalidToken)?;
    let claims: Claims = jws.claims().map_err(|_| Unproven::InvalidToken)?;
    let place = issuers.iter().position(|issuer| issuer.name == claims.iss);
    let (place, issuer) = place
        .and_then(|place| Some((u16::try_from(place).ok()?, issuers.get(place)?)))
        .ok_or(Unproven::InvalidToken)?;
    if !claims.aud.names(&issuer.audience) {
        return Err(Unproven::InvalidToken);
    }
    let (keys, epoch) = issuer.keys(monotonic)?;
    let Some(key) = keys.key(kid) else {
        return Err(if issuer.can_be_asked() {
            Unproven::UnknownKey { issuer: place }
        } else {
            Unproven::InvalidToken
        });
    };
    if !jws.is_signed_with(key) {
        return Err(Unproven::InvalidToken);
    }
    Ok(Claimed {
        subject: claims.sub.into(),
        issuer: place,
        epoch,
        bound: bound(claims.cnf)?,
        actor: claims.act.map(|actor| actor.sub.into()),
        begins: claims.nbf.max(claims.iat).saturating_sub(LEEWAY_SECONDS),
        ends: claims.exp.saturating_add(LEEWAY_SECONDS),
    })
}

/// A token that is bound to something that can't be checked is no bearer token because of that.
fn bound(confirmation: Option<Confirmation>) -> Result<Bound, Unproven> {
    let Some(confirmation) = confirmation else {
        return Ok(Bound::default());
    };
    let hash = |text: Option<String>| {
        let read = |text: String| hash_of_text(&text).ok_or(Unproven::InvalidToken);
        text.map(read).transpose()
    };
    let bound = Bound {
        certificate: hash(confirmation.certificate)?,
        key: hash(confirmation.jkt)?,
    };
    if confirmation.jwk.is_some() || confirmation.jwe.is_some() || bound.is_nothing() {
        return Err(Unproven::InvalidToken);
    }
    Ok(bound)
}

/// Whether a token counts at this time, by the vault's own clock.
pub(super) fn in_time(claimed: &Claimed, now: Timestamp) -> Result<(), Unproven> {
    if (claimed.begins..claimed.ends).contains(&now.seconds()) {
        Ok(())
    } else {
        Err(Unproven::ExpiredToken)
    }
}
