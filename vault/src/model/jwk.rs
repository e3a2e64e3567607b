//! Public keys that verify signatures of JWTs: read from JWKs (RFC 7517), each bound to what it may verify.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kms::{KeyKind, PublicKey};
use ring::digest::{SHA256, digest};
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Longest JWK that is read, in bytes.
const JWK_BYTES_MAX: usize = 8 * 1024;
/// Longest name of a key, in bytes.
const KID_BYTES_MAX: usize = 256;
/// Shortest and longest RSA modulus, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;

/// A signature algorithm of JWTs that counts here. None is symmetric, and `none` is none of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JwsAlgorithm {
    /// Ed25519 (RFC 8037; RFC 9864 calls it `Ed25519`).
    EdDsa,
    /// ECDSA over P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3).
    Rs256,
    /// RSASSA-PSS with SHA-256 (RFC 7518 section 3.5).
    Ps256,
}

impl JwsAlgorithm {
    /// All of them, as a challenge or a discovery document names them.
    pub const NAMES: [&'static str; 4] = ["EdDSA", "ES256", "RS256", "PS256"];

    /// The algorithm of a header's `alg`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            _ => None,
        }
    }
}

/// Why a JWK can't verify anything here. It holds nothing of the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyingKeyFault {
    /// Not a JWK, too long, or a member stands twice.
    #[error("it is not a JWK (RFC 7517) of at most 8192 bytes")]
    Form,
    /// It holds a private or symmetric key.
    #[error("it holds a private or symmetric key: give the public half only, and replace this key")]
    Private,
    /// Its type or curve is not one that counts.
    #[error("it is neither Ed25519 nor P-256 nor RSA of 2048 to 4096 bits")]
    Kind,
    /// Its `alg`, `use` or `key_ops` is for something else.
    #[error("its `alg`, `use` or `key_ops` is not for verifying EdDSA, ES256, RS256 or PS256")]
    Usage,
}

/// A public key that verifies.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    kid: Option<String>,
    /// What it is bound to; RSA keys without an `alg` are not, until someone binds them.
    algorithm: Option<JwsAlgorithm>,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    Point(PublicKey),
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

#[derive(Deserialize)]
struct RawJwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    d: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
}

impl VerifyingKey {
    /// Reads a public JWK of at most 8,192 bytes. Members that it does not know are ignored (RFC 7517 section 4).
    pub fn from_jwk(text: &str) -> Result<Self, VerifyingKeyFault> {
        if text.len() > JWK_BYTES_MAX {
            return Err(VerifyingKeyFault::Form);
        }
        let raw: RawJwk = serde_json::from_str(text).map_err(|_| VerifyingKeyFault::Form)?;
        if raw.d.is_some() || raw.k.is_some() || raw.p.is_some() || raw.q.is_some() {
            return Err(VerifyingKeyFault::Private);
        }
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        let for_signatures = raw.purpose.as_deref().is_none_or(|word| word == "sig");
        if !for_signatures || !raw.key_ops.as_ref().is_none_or(verifies) {
            return Err(VerifyingKeyFault::Usage);
        }
        let material = material(&raw)?;
        let declared = match raw.alg.as_deref() {
            None => None,
            Some(word) => Some(JwsAlgorithm::parse(word).ok_or(VerifyingKeyFault::Usage)?),
        };
        let kid = raw.kid.filter(|kid| kid.len() <= KID_BYTES_MAX);
        let unbound = Self {
            kid,
            algorithm: None,
            material,
        };
        match declared {
            Some(algorithm) if !unbound.serves(algorithm) => Err(VerifyingKeyFault::Usage),
            _ => Ok(Self {
                algorithm: declared,
                ..unbound
            }),
        }
    }

    /// Its `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Bound to one algorithm whatever a token's header says: an RSA key that names none counts for RS256.
    #[must_use]
    pub fn bound(mut self) -> Self {
        if self.algorithm.is_none() && matches!(self.material, Material::Rsa { .. }) {
            self.algorithm = Some(JwsAlgorithm::Rs256);
        }
        self
    }

    /// Whether it verifies signatures of this algorithm.
    pub fn serves(&self, algorithm: JwsAlgorithm) -> bool {
        let kind = match (&self.material, algorithm) {
            (Material::Point(key), JwsAlgorithm::EdDsa) => key.kind() == KeyKind::Ed25519,
            (Material::Point(key), JwsAlgorithm::Es256) => key.kind() == KeyKind::EcdsaP256,
            (Material::Rsa { .. }, JwsAlgorithm::Rs256 | JwsAlgorithm::Ps256) => true,
            _ => false,
        };
        kind && self.algorithm.is_none_or(|bound| bound == algorithm)
    }

    /// Whether the signature is the message's, by this algorithm.
    pub fn verifies(&self, algorithm: JwsAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.serves(algorithm) {
            return false;
        }
        match &self.material {
            Material::Point(key) => key.verify(message, signature).is_ok(),
            Material::Rsa { n, e } => {
                let scheme = match algorithm {
                    JwsAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    _ => &RSA_PKCS1_2048_8192_SHA256,
                };
                let key = RsaPublicKeyComponents { n, e };
                key.verify(scheme, message, signature).is_ok()
            }
        }
    }

    /// SHA-256 of its required members (RFC 7638 section 3).
    pub fn thumbprint(&self) -> [u8; 32] {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let members = match &self.material {
            Material::Point(key) => match (key.kind(), key.bytes()) {
                (KeyKind::EcdsaP256, [_, point @ ..]) => {
                    let (x, y) = point.split_at(32);
                    let (x, y) = (text(x), text(y));
                    format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
                }
                (_, point) => {
                    format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(point))
                }
            },
            Material::Rsa { n, e } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n))
            }
        };
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest(&SHA256, members.as_bytes()).as_ref());
        thumbprint
    }
}

fn material(raw: &RawJwk) -> Result<Material, VerifyingKeyFault> {
    let bytes = |member: &Option<String>| {
        let text = member.as_ref().ok_or(VerifyingKeyFault::Form)?;
        let bytes = URL_SAFE_NO_PAD.decode(text);
        bytes.map_err(|_| VerifyingKeyFault::Form)
    };
    let point = |kind, bytes: &[u8]| {
        let key = PublicKey::from_parts(kind, bytes);
        key.map(Material::Point)
            .map_err(|_| VerifyingKeyFault::Kind)
    };
    match (raw.kty.as_str(), raw.crv.as_deref()) {
        ("OKP", Some("Ed25519")) => point(KeyKind::Ed25519, &bytes(&raw.x)?),
        ("EC", Some("P-256")) => {
            let (x, y) = (bytes(&raw.x)?, bytes(&raw.y)?);
            if x.len() != 32 || y.len() != 32 {
                return Err(VerifyingKeyFault::Kind);
            }
            point(KeyKind::EcdsaP256, &[&[4], &x[..], &y[..]].concat())
        }
        ("RSA", None) => {
            let (n, e) = (bytes(&raw.n)?, bytes(&raw.e)?);
            // RFC 7518 section 6.3.1.1: as few octets as it takes.
            let leading = n.first().map_or(0, |byte| byte.leading_zeros() as usize);
            let bits = (n.len() * 8).saturating_sub(leading);
            let short = |number: &[u8]| number.first().is_some_and(|byte| *byte != 0);
            if !RSA_BITS.contains(&bits) || !short(&n) || !short(&e) {
                return Err(VerifyingKeyFault::Kind);
            }
            Ok(Material::Rsa { n, e })
        }
        _ => Err(VerifyingKeyFault::Kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7638 section 3.1.
    const RSA: &str = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
    // RFC 8037 appendix A.2.
    const ED: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    // RFC 9449 section 4.1.
    const EC: &str = r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#;

    fn thumbprint(jwk: &str) -> String {
        URL_SAFE_NO_PAD.encode(VerifyingKey::from_jwk(jwk).unwrap().thumbprint())
    }

    #[test]
    fn thumbprints_are_those_of_the_rfcs() {
        assert_eq!(
            thumbprint(RSA),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        assert_eq!(
            thumbprint(ED),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
        assert_eq!(
            thumbprint(EC),
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
        );
    }

    // RFC 8037 appendix A.4.
    #[test]
    fn the_rfcs_signature_is_verified_and_an_altered_one_is_not() {
        let key = VerifyingKey::from_jwk(ED).unwrap();
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = URL_SAFE_NO_PAD
            .decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
            .unwrap();
        assert!(key.verifies(JwsAlgorithm::EdDsa, message, &signature));
        assert!(!key.verifies(JwsAlgorithm::Es256, message, &signature));
        assert!(!key.verifies(JwsAlgorithm::EdDsa, &message[1..], &signature));
    }

    #[test]
    fn a_key_serves_the_algorithm_it_is_bound_to_and_no_other() {
        let bound = VerifyingKey::from_jwk(RSA).unwrap();
        assert!(bound.serves(JwsAlgorithm::Rs256));
        assert!(!bound.serves(JwsAlgorithm::Ps256));
        let free = VerifyingKey::from_jwk(&RSA.replace(r#""alg":"RS256","#, "")).unwrap();
        assert!(free.serves(JwsAlgorithm::Ps256) && free.serves(JwsAlgorithm::Rs256));
        assert!(!free.bound().serves(JwsAlgorithm::Ps256));
    }

    #[test]
    fn keys_that_are_not_for_verifying_are_refused_by_their_cause() {
        let with = |jwk: &str, more: &str| jwk.replacen('{', &format!("{{{more},"), 1);
        for (jwk, fault) in [
            (with(ED, r#""d":"AA""#), VerifyingKeyFault::Private),
            (
                r#"{"kty":"oct","k":"AAAA"}"#.to_owned(),
                VerifyingKeyFault::Private,
            ),
            (with(ED, r#""use":"enc""#), VerifyingKeyFault::Usage),
            (with(ED, r#""key_ops":["sign"]"#), VerifyingKeyFault::Usage),
            (with(ED, r#""alg":"ES256""#), VerifyingKeyFault::Usage),
            (with(ED, r#""alg":"HS256""#), VerifyingKeyFault::Usage),
            (with(EC, r#""alg":"none""#), VerifyingKeyFault::Usage),
            (ED.replace("Ed25519", "X25519"), VerifyingKeyFault::Kind),
            (EC.replace("l8tF", "l8tG"), VerifyingKeyFault::Kind),
            (RSA.replace("0vx7", "AAx7"), VerifyingKeyFault::Kind),
            (RSA.replace("AQAB", "AAEAAQ"), VerifyingKeyFault::Kind),
            (
                r#"{"kty":"RSA","n":"u1SU1LfVLPHCozMxH2Mo","e":"AQAB"}"#.to_owned(),
                VerifyingKeyFault::Kind,
            ),
            (with(ED, r#""kty":"OKP""#), VerifyingKeyFault::Form),
            (ED.replace("11qY", "11q="), VerifyingKeyFault::Form),
            ("[]".to_owned(), VerifyingKeyFault::Form),
            (
                with(ED, &format!(r#""z":"{}""#, "z".repeat(9_000))),
                VerifyingKeyFault::Form,
            ),
        ] {
            assert_eq!(VerifyingKey::from_jwk(&jwk).err(), Some(fault), "{jwk}");
        }
    }
}
