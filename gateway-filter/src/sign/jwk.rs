//! Owns partners' public keys as JWKs (RFC 7517): one key in JSON, on a curve (RFC 8037, RFC 7518 section 6.2).
//! Yields the key's bytes as `ring` takes them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::key::Algorithm;
use super::public_key::PublicKeyFault;

/// What counts of a key; what else stands in it is not looked at (RFC 7517 section 4).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
}

/// What a key of an algorithm has to say of itself.
struct Kind {
    kty: &'static str,
    crv: &'static str,
    /// What `alg` may be, where it is there (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864 section 2.2).
    algs: &'static [&'static str],
    coordinate_bytes: usize,
}

/// Whether a file's text is meant as a JWK.
pub(super) fn is_meant(text: &[u8]) -> bool {
    text.trim_ascii_start().first() == Some(&b'{')
}

/// The key's bytes: an Edwards point, or an uncompressed one (SEC 1 section 2.3.3).
pub(super) fn read(algorithm: Algorithm, text: &[u8]) -> Result<Vec<u8>, PublicKeyFault> {
    let jwk: Jwk = serde_json::from_slice(text).map_err(|_| PublicKeyFault::Jwk)?;
    if jwk.d.is_some() || jwk.k.is_some() {
        return Err(PublicKeyFault::Secret);
    }
    let kind = Kind::of(algorithm).ok_or(PublicKeyFault::Kind)?;
    let of_curve = jwk.kty == kind.kty && jwk.crv.as_deref() == Some(kind.crv);
    let of_alg = (jwk.alg.as_deref()).is_none_or(|alg| kind.algs.contains(&alg));
    if !of_curve || !of_alg {
        return Err(PublicKeyFault::Kind);
    }
    let signs = jwk
        .purpose
        .as_deref()
        .is_none_or(|purpose| purpose == "sig");
    let verifies = (jwk.key_ops.as_ref()).is_none_or(|all| all.iter().any(|one| one == "verify"));
    if !signs || !verifies {
        return Err(PublicKeyFault::Use);
    }
    let coordinate = |text: Option<&String>| {
        let bytes = URL_SAFE_NO_PAD.decode(text?).ok()?;
        (bytes.len() == kind.coordinate_bytes).then_some(bytes)
    };
    let x = coordinate(jwk.x.as_ref()).ok_or(PublicKeyFault::Jwk)?;
    if kind.kty == "OKP" {
        return Ok(x);
    }
    let y = coordinate(jwk.y.as_ref()).ok_or(PublicKeyFault::Jwk)?;
    Ok([&[0x04], x.as_slice(), &y].concat())
}

impl Kind {
    /// `None` where keys of this algorithm come in PEM alone, or have no public half.
    fn of(algorithm: Algorithm) -> Option<Self> {
        let (kty, crv, algs, coordinate_bytes): (_, _, &[&str], _) = match algorithm {
            Algorithm::Ed25519 => ("OKP", "Ed25519", &["EdDSA", "Ed25519"], 32),
            Algorithm::EcdsaP256Sha256 => ("EC", "P-256", &["ES256"], 32),
            Algorithm::EcdsaP384Sha384 => ("EC", "P-384", &["ES384"], 48),
            Algorithm::RsaPssSha512
            | Algorithm::RsaV15Sha256
            | Algorithm::HmacSha256
            | Algorithm::HmacSha384
            | Algorithm::HmacSha512 => return None,
        };
        Some(Self {
            kty,
            crv,
            algs,
            coordinate_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _,
    };
    use serde_json::{Value, json};

    use super::super::public_key::PublicKey;
    use super::*;

    /// RFC 9421 appendix B.1.4 and B.1.3, their public halves.
    const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"test-key-ed25519","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}"#;
    const P256: &str = r#"{"kty":"EC","crv":"P-256","kid":"test-key-ecc-p256","x":"qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA","y":"Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"}"#;

    fn verifies(algorithm: Algorithm, jwk: &Value, signature: &[u8]) -> bool {
        let key = PublicKey::read(algorithm, jwk.to_string().as_bytes()).unwrap();
        assert!(!key.verifies(b"another message", signature));
        key.verifies(b"a message", signature)
    }

    #[test]
    fn signatures_of_each_curve_hold_under_their_jwks() {
        let (random, text) = (SystemRandom::new(), |bytes: &[u8]| {
            URL_SAFE_NO_PAD.encode(bytes)
        });
        let made = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap();
        let x = text(pair.public_key().as_ref());
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA", "use": "sig" });
        let signature = pair.sign(b"a message");
        assert!(verifies(Algorithm::Ed25519, &jwk, signature.as_ref()));
        for (algorithm, signing, crv, bytes) in [
            (
                Algorithm::EcdsaP256Sha256,
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                "P-256",
                32,
            ),
            (
                Algorithm::EcdsaP384Sha384,
                &ECDSA_P384_SHA384_FIXED_SIGNING,
                "P-384",
                48,
            ),
        ] {
            let made = EcdsaKeyPair::generate_pkcs8(signing, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(signing, made.as_ref(), &random).unwrap();
            let (x, y) = pair.public_key().as_ref()[1..].split_at(bytes);
            let (x, y) = (text(x), text(y));
            let jwk = json!({ "kty": "EC", "crv": crv, "x": x, "y": y, "key_ops": ["verify"] });
            let signature = pair.sign(&random, b"a message").unwrap();
            assert!(verifies(algorithm, &jwk, signature.as_ref()), "{crv}");
        }
    }

    #[test]
    fn what_is_no_public_key_of_the_algorithm_is_refused() {
        let fault = |algorithm, text: &str| PublicKey::read(algorithm, text.as_bytes()).err();
        assert_eq!(fault(Algorithm::Ed25519, ED25519), None);
        assert_eq!(fault(Algorithm::EcdsaP256Sha256, P256), None);
        let with = |text: &str, name: &str, value: Value| {
            let mut jwk: Value = serde_json::from_str(text).unwrap();
            jwk[name] = value;
            jwk.to_string()
        };
        let (ed, ec) = (Algorithm::Ed25519, Algorithm::EcdsaP256Sha256);
        for (algorithm, text, expected) in [
            (ec, ED25519.to_owned(), PublicKeyFault::Kind),
            (ed, P256.to_owned(), PublicKeyFault::Kind),
            (
                Algorithm::EcdsaP384Sha384,
                P256.to_owned(),
                PublicKeyFault::Kind,
            ),
            (
                Algorithm::RsaPssSha512,
                P256.to_owned(),
                PublicKeyFault::Kind,
            ),
            (
                Algorithm::HmacSha256,
                P256.to_owned(),
                PublicKeyFault::Shared,
            ),
            (
                ed,
                with(ED25519, "crv", json!("X25519")),
                PublicKeyFault::Kind,
            ),
            (
                ed,
                with(ED25519, "alg", json!("ES256")),
                PublicKeyFault::Kind,
            ),
            (ed, with(ED25519, "use", json!("enc")), PublicKeyFault::Use),
            (
                ed,
                with(ED25519, "key_ops", json!(["sign"])),
                PublicKeyFault::Use,
            ),
            (ed, with(ED25519, "d", json!("AA")), PublicKeyFault::Secret),
            (ec, with(P256, "d", json!("AA")), PublicKeyFault::Secret),
            (ed, with(ED25519, "x", json!("AA")), PublicKeyFault::Jwk),
            (ed, with(ED25519, "x", json!(7)), PublicKeyFault::Jwk),
            (ec, with(P256, "y", Value::Null), PublicKeyFault::Jwk),
            (
                ed,
                ED25519.replacen('{', "{\"x\":\"AA\",", 1),
                PublicKeyFault::Jwk,
            ),
            (ed, format!("{ED25519}{ED25519}"), PublicKeyFault::Jwk),
            (ed, format!("{{\"keys\":[{ED25519}]}}"), PublicKeyFault::Jwk),
            (ed, format!("[{ED25519}]"), PublicKeyFault::Pem),
        ] {
            assert_eq!(fault(algorithm, &text), Some(expected), "{text}");
        }
    }
}
