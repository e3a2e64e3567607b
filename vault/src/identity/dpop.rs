//! Proofs of possession (RFC 9449): a JWT made for one request, by the key that an access token is bound to.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::Unproven;
use super::access::LEEWAY_SECONDS;
use super::jws::{Jws, sha256};
use crate::model::{Gateway, PublicUrl, Timestamp};

/// How proofs are judged.
#[derive(Clone, Debug)]
pub struct DpopTerms {
    /// Where units reach this vault.
    pub public_urls: Vec<PublicUrl>,
    /// A proof counts for so long after it was made.
    pub window: Duration,
}

impl Default for DpopTerms {
    fn default() -> Self {
        Self {
            public_urls: Vec::new(),
            window: Duration::from_mins(1),
        }
    }
}

/// The request that a proof was made for.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Its `DPoP` header, if it has one.
    pub proof: Option<&'a str>,
    /// Its method.
    pub method: &'a str,
    /// Its path, without the query.
    pub path: &'a str,
}

/// What may be used once: to be spent before anything is done for whoever showed it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OneUse {
    /// SHA-256 of who made it and of what it is called. It tells neither.
    pub id: [u8; 32],
    /// From this instant on it would be refused for its age.
    pub expires: Timestamp,
}

impl OneUse {
    /// Of something called `name`, made by whoever `maker` stands for.
    pub(super) fn new(maker: &[u8; 32], name: &str, ends_seconds: u64) -> Self {
        // The clock may be set back a little: what was used is remembered longer than it counts.
        let expires = ends_seconds.saturating_add(2 * LEEWAY_SECONDS);
        Self {
            id: sha256(&[maker, name.as_bytes()].concat()),
            expires: Timestamp(expires.saturating_mul(1_000_000)),
        }
    }
}

/// A proof whose signature, request and time are right. It is not spent yet.
pub(super) struct Possessed {
    /// Thumbprint of the key.
    pub(super) key: [u8; 32],
    pub(super) once: OneUse,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: u64,
    ath: Option<String>,
}

impl DpopTerms {
    /// Judges a proof (RFC 9449 section 4.3). `token` is the access token that comes with it; at the token
    /// endpoint there is none yet. One that a gateway carries was made for a place at that gateway.
    pub(super) fn judge(
        &self,
        asked: Asked<'_>,
        gateway: Option<&Gateway>,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<Possessed, Unproven> {
        let text = asked.proof.ok_or(Unproven::ProofMissing)?;
        let jws = Jws::parse(text).map_err(|_| Unproven::ProofInvalid)?;
        let key = jws.jwk.as_ref().ok_or(Unproven::ProofInvalid)?;
        if !jws.is_typed("dpop+jwt") || !jws.is_signed_with(key) {
            return Err(Unproven::ProofInvalid);
        }
        let claims: Claims = jws.claims().map_err(|_| Unproven::ProofInvalid)?;
        let ath = token.map(|token| URL_SAFE_NO_PAD.encode(sha256(token.as_bytes())));
        let window = self.window.as_secs();
        let (now, iat) = (now.seconds(), claims.iat);
        let timely = iat <= now + LEEWAY_SECONDS && now <= iat.saturating_add(window);
        if !self.is_for(asked, gateway, &claims) || claims.ath != ath || !timely {
            return Err(Unproven::ProofInvalid);
        }
        if claims.jti.is_empty() {
            return Err(Unproven::ProofInvalid);
        }
        let key = key.thumbprint();
        Ok(Possessed {
            key,
            once: OneUse::new(&key, &claims.jti, iat.saturating_add(window)),
        })
    }

    /// A gateway rewrites requests: which of its places a carried one was sent to, only it knows. So the proof
    /// says that the unit called this gateway, once; what was asked of it, the gateway answers for.
    fn is_for(&self, asked: Asked<'_>, gateway: Option<&Gateway>, claims: &Claims) -> bool {
        if let Some(gateway) = gateway {
            let mut urls = gateway.public_urls.iter();
            return urls.any(|url| url.covers(&claims.htu));
        }
        let mut urls = self.public_urls.iter();
        claims.htm == asked.method && urls.any(|url| url.is_at(asked.path, &claims.htu))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 9449 section 7.1, figure 14, with the access token of its figure 12.
    const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    const MADE: u64 = 1_562_262_618;

    fn terms() -> DpopTerms {
        DpopTerms {
            public_urls: vec![PublicUrl::parse("https://resource.example.org").unwrap()],
            ..DpopTerms::default()
        }
    }

    fn judged(asked: Asked<'_>, token: &str, seconds: u64) -> Result<Possessed, Unproven> {
        let now = Timestamp(seconds * 1_000_000);
        terms().judge(asked, None, Some(token), now)
    }

    const ASKED: Asked<'static> = Asked {
        proof: Some(PROOF),
        method: "GET",
        path: "/protectedresource",
    };

    #[test]
    fn the_rfcs_proof_is_one_for_its_request_token_and_time() {
        let possessed = judged(ASKED, TOKEN, MADE).ok().unwrap();
        let key = URL_SAFE_NO_PAD.encode(possessed.key);
        assert_eq!(key, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        let post = Asked {
            method: "POST",
            ..ASKED
        };
        let elsewhere = Asked {
            path: "/protected",
            ..ASKED
        };
        let none = Asked {
            proof: None,
            ..ASKED
        };
        for (asked, token, seconds, expected) in [
            (ASKED, TOKEN, MADE + 60, None),
            (ASKED, TOKEN, MADE - 30, None),
            (ASKED, TOKEN, MADE + 61, Some(Unproven::ProofInvalid)),
            (ASKED, TOKEN, MADE - 31, Some(Unproven::ProofInvalid)),
            (ASKED, "another", MADE, Some(Unproven::ProofInvalid)),
            (post, TOKEN, MADE, Some(Unproven::ProofInvalid)),
            (elsewhere, TOKEN, MADE, Some(Unproven::ProofInvalid)),
            (none, TOKEN, MADE, Some(Unproven::ProofMissing)),
        ] {
            assert_eq!(judged(asked, token, seconds).err(), expected, "{seconds}");
        }
    }

    #[test]
    fn a_proof_is_known_again_whatever_its_time() {
        let first = judged(ASKED, TOKEN, MADE).ok().unwrap().once;
        let later = judged(ASKED, TOKEN, MADE + 20).ok().unwrap().once;
        assert_eq!(first, later);
        assert!(first.expires > Timestamp((MADE + 60) * 1_000_000));
    }

    #[test]
    fn a_carried_proof_was_made_for_a_place_of_its_gateway() {
        let gateway = |url: &str| Gateway {
            name: crate::model::GatewayName::parse("gate").unwrap(),
            certificate_uri: String::new(),
            standing: crate::model::Standing::Active,
            public_urls: vec![PublicUrl::parse(url).unwrap()],
        };
        let carried = Asked {
            proof: Some(PROOF),
            method: "POST",
            path: "/jinku.v1.Vault/Tokenize",
        };
        let now = Timestamp(MADE * 1_000_000);
        for (url, expected) in [
            ("https://resource.example.org", true),
            ("https://resource.example.org/protectedresource", true),
            ("https://resource.example.org/protected", false),
            ("https://other.example.org", false),
        ] {
            let gateway = gateway(url);
            let judged = terms().judge(carried, Some(&gateway), Some(TOKEN), now);
            assert_eq!(judged.is_ok(), expected, "{url}");
        }
    }
}
