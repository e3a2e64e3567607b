//! Access tokens: JWTs of RFC 9068, verified with `jsonwebtoken` over `ring`.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey, Validation};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;

use super::Unproven;
use super::verified::Claimed;
use crate::model::Timestamp;

/// Longest access token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Seconds by which issuers' clocks may differ from ours.
const LEEWAY_SECONDS: u64 = 30;

/// The algorithms that count. Each key is bound to one: no token can choose another for it.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::EdDSA, Algorithm::ES256];

/// An OAuth2 issuer whose access tokens count.
pub struct Issuer {
    name: String,
    audience: String,
    keys: Vec<(String, Algorithm, DecodingKey)>,
}

/// Why an issuer's keys were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// Not a JWK set (RFC 7517).
    #[error("the key set of issuer `{0}` is not a JWK set (RFC 7517)")]
    Syntax(String),
    /// A key has no `kid`, or an algorithm that does not count here.
    #[error("a key of issuer `{0}` has no `kid`, or is neither EdDSA (Ed25519) nor ES256")]
    Key(String),
    /// The set is empty: nobody could ever be proven.
    #[error("the key set of issuer `{0}` is empty")]
    Empty(String),
}

impl Issuer {
    /// From the issuer's name, our name as audience, and its JWK set as JSON.
    pub fn parse(issuer: &str, audience: &str, jwks: &str) -> Result<Self, IssuerError> {
        let set: JwkSet =
            serde_json::from_str(jwks).map_err(|_| IssuerError::Syntax(issuer.to_owned()))?;
        let mut keys = Vec::new();
        for jwk in &set.keys {
            let algorithm = jwk
                .common
                .key_algorithm
                .and_then(|known| known.to_string().parse::<Algorithm>().ok())
                .filter(|known| ALGORITHMS.contains(known));
            let key = DecodingKey::from_jwk(jwk).ok();
            match (jwk.common.key_id.clone(), algorithm, key) {
                (Some(kid), Some(algorithm), Some(key)) => keys.push((kid, algorithm, key)),
                _ => return Err(IssuerError::Key(issuer.to_owned())),
            }
        }
        if keys.is_empty() {
            return Err(IssuerError::Empty(issuer.to_owned()));
        }
        Ok(Self {
            name: issuer.to_owned(),
            audience: audience.to_owned(),
            keys,
        })
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    #[serde(default)]
    nbf: u64,
    #[serde(default)]
    iat: u64,
}

/// What a token with a valid signature says. It must carry `iss`, `aud`, `exp`, `sub`, and a known `kid`.
pub(super) fn claimed(token: &str, issuers: &[Issuer]) -> Result<Claimed, Unproven> {
    install_provider();
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Unproven::InvalidToken);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Unproven::InvalidToken)?;
    // RFC 9068 section 2.1: an access token says so; an ID token of the same issuer is refused.
    let typed = header.typ.as_deref().is_some_and(|typ| {
        typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
    });
    let kid = header.kid.filter(|_| typed).ok_or(Unproven::InvalidToken)?;
    let claims = issuers
        .iter()
        .flat_map(|issuer| issuer.keys.iter().map(move |key| (issuer, key)))
        .filter(|(_, (known, algorithm, _))| *known == kid && *algorithm == header.alg)
        .find_map(|(issuer, (_, algorithm, key))| claims(token, issuer, *algorithm, key))
        .ok_or(Unproven::InvalidToken)?;
    Ok(Claimed {
        subject: claims.sub.into(),
        begins: claims.nbf.max(claims.iat).saturating_sub(LEEWAY_SECONDS),
        ends: claims.exp.saturating_add(LEEWAY_SECONDS),
    })
}

/// Whether a token counts at this time, by the vault's own clock.
pub(super) fn in_time(claimed: &Claimed, now: Timestamp) -> Result<(), Unproven> {
    if (claimed.begins..claimed.ends).contains(&now.seconds()) {
        Ok(())
    } else {
        Err(Unproven::ExpiredToken)
    }
}

fn claims(token: &str, issuer: &Issuer, algorithm: Algorithm, key: &DecodingKey) -> Option<Claims> {
    let mut validation = Validation::new(algorithm);
    validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
    validation.set_issuer(&[&issuer.name]);
    validation.set_audience(&[&issuer.audience]);
    // Times are compared in `in_time`, with the vault's own clock.
    validation.validate_exp = false;
    jsonwebtoken::decode(token, key, &validation)
        .ok()
        .map(|decoded| decoded.claims)
}

// === ring behind jsonwebtoken's seam

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: no_signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only where another provider stands already, and then that one verifies.
        let _ = PROVIDER.install_default();
    });
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the seam's signature")]
fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(ErrorKind::InvalidAlgorithm.into())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the seam's signature")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let scheme: &'static dyn VerificationAlgorithm = match algorithm {
        Algorithm::EdDSA => &ED25519,
        Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED,
        _ => return Err(ErrorKind::InvalidAlgorithm.into()),
    };
    let DecodingKeyKind::SecretOrDer(bytes) = key.kind() else {
        return Err(ErrorKind::InvalidAlgorithm.into());
    };
    let key = UnparsedPublicKey::new(scheme, bytes.clone());
    Ok(Box::new(RingVerifier {
        algorithm: *algorithm,
        key,
    }))
}

struct RingVerifier {
    algorithm: Algorithm,
    key: UnparsedPublicKey<Vec<u8>>,
}

impl signature::Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.key
            .verify(message, signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
