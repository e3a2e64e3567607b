//! Client assertions (RFC 7523 section 3): how a unit asks for access tokens with its registered key.

use serde::Deserialize;

use super::access::{Audience, LEEWAY_SECONDS};
use super::dpop::OneUse;
use super::jws::{Jws, sha256};
use super::possession::Proven;
use super::{Caller, Identity, Proof, Unidentified, Unproven};
use crate::model::UnitName;

/// An assertion ends at most so many seconds after now: it is made for one request.
const LIFE_SECONDS_MAX: u64 = 300;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: u64,
    #[serde(default)]
    nbf: u64,
    jti: String,
}

impl Identity {
    /// The unit that made the assertion for one of `audiences`. It counts once.
    pub fn asserted(&self, assertion: &str, audiences: &[&str]) -> Result<Proven, Unidentified> {
        let nobody = |_| Unidentified::nobody(Unproven::InvalidAssertion);
        let jws = Jws::parse(assertion).map_err(nobody)?;
        let claims: Claims = jws.claims().map_err(nobody)?;
        let named = UnitName::parse(&claims.sub).ok();
        let unit = named.and_then(|name| self.units.now().unit(&name).cloned());
        let key = unit
            .as_ref()
            .and_then(|unit| unit.oauth.assertion_key.as_ref());
        // RFC 8725 section 3.11: what says that it is something else is nothing of this.
        let typed = jws.typ().is_none() || jws.is_typed("jwt") || jws.is_typed(TYP);
        let signed = key.is_some_and(|key| jws.is_signed_with(key));
        let (Some(unit), true, true, None) = (unit, typed, signed, jws.jwk.as_ref()) else {
            return Err(Unidentified::nobody(Unproven::InvalidAssertion));
        };
        let now = self.clock.now().seconds();
        let addressed = audiences.iter().any(|name| claims.aud.names(name));
        let timely = now < claims.exp.saturating_add(LEEWAY_SECONDS)
            && claims.exp <= now + LIFE_SECONDS_MAX + LEEWAY_SECONDS
            && claims.nbf <= now + LEEWAY_SECONDS;
        if claims.iss != claims.sub || !addressed || !timely || claims.jti.is_empty() {
            return Err(Unidentified {
                unit: Some(unit.name.clone()),
                ..Unidentified::nobody(Unproven::InvalidAssertion)
            });
        }
        let maker = sha256(format!("assertion:{}", unit.name).as_bytes());
        let once = OneUse::new(&maker, &claims.jti, claims.exp);
        Proven::once(Caller::alone(unit, Proof::AccessToken), once).standing()
    }
}

/// What `draft-ietf-oauth-rfc7523bis` types an assertion with.
const TYP: &str = "client-authentication+jwt";
