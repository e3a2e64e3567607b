//! Who is believed by a signature: keys, clocks and hosts made here.

use std::sync::Arc;
use std::time::Duration;

use api::signature::{Body, Demands, Draft, Message, SignatureFault};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Method};
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::{KeyAnswer, RequestKeys, SignatureRules, SignedRequest};
use crate::identity::{
    Asked, Caller, DpopTerms, Identity, Issuer, Presented, Proof, Unproven, Use,
};
use crate::model::{Catalogue, Clock, KeyRef, PublicUrl, Registry, Timestamp};

const NOW: u64 = 1_800_000_000;
const SECRET: &[u8] = b"a secret of at least thirty-two bytes";
const REGISTRY: &str = r#"
[[unit]]
name = "tax"
title_zh = "稅"
title_en = "Tax"
clearance = "restricted"
token_subject = "tax-app"
signing_key = "tax-signs"
[[unit]]
name = "library"
title_zh = "圖"
title_en = "Library"
clearance = "restricted"
token_subject = "library-app"
[[unit]]
name = "closed"
title_zh = "關"
title_en = "Closed"
clearance = "restricted"
standing = "suspended"
signing_key = "closed-signs"
"#;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp(NOW * 1_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// A key service with one secret for all names, or one that is away.
struct Keys(Result<(), KeyAnswer>);

impl RequestKeys for Keys {
    async fn verify(
        &self,
        _key: &KeyRef,
        _alg: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyAnswer> {
        self.0?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
        hmac::verify(&key, message, signature).map_err(|_| KeyAnswer::Wrong)
    }
}

fn identity() -> Identity {
    believing(Vec::new())
}

fn believing(issuers: Vec<Issuer>) -> Identity {
    let catalogue = Catalogue::parse("levels = ['restricted']\nclass = []\ndomain = []").unwrap();
    let registry = Arc::new(Registry::parse(REGISTRY, &catalogue).unwrap());
    let rules = Some(SignatureRules {
        authorities: vec!["vault.test".to_owned(), "vault.test:8443".to_owned()],
        demands: Demands {
            lifetime_seconds_max: 300,
            skew_seconds: 30,
        },
        nonces_per_unit_max: 10,
        floor_seconds: 0,
    });
    let dpop = DpopTerms {
        public_urls: vec![PublicUrl::parse("https://vault.test").unwrap()],
        ..DpopTerms::default()
    };
    let identity = Identity::new(registry, issuers, Arc::new(Fixed));
    identity.possessing(dpop).signed_by(rules)
}

/// A request to a host, signed under a name.
fn signed(authority: &str, keyid: &str) -> HeaderMap {
    let headers = HeaderMap::new();
    let message = Message::request(&Method::GET, "https", authority, "/v1/keys", &headers).unwrap();
    let draft = Draft::covering(&["@method", "@target-uri"])
        .created(NOW)
        .expires(NOW + 60)
        .nonce("n")
        .keyid(keyid);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let sign = |base: &[u8]| hmac::sign(&key, base).as_ref().to_vec();
    let made = draft.signed(&message, sign).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(
        "signature-input",
        HeaderValue::from_str(&made.input).unwrap(),
    );
    headers.insert("signature", HeaderValue::from_str(&made.signature).unwrap());
    headers
}

async fn who(
    identity: &Identity,
    authority: &str,
    headers: &HeaderMap,
    (body, keys): (Body, Keys),
) -> Result<(Caller, super::Witness), Unproven> {
    let message = Message::request(&Method::GET, "https", authority, "/v1/keys", headers);
    let request = SignedRequest {
        message: message.unwrap(),
        body,
    };
    let presented = Presented {
        certificate: None,
        authorization: None,
    };
    let found = identity
        .prove_signed(&presented, None, &request, &keys)
        .await;
    let believed = found.and_then(|(proven, witness)| {
        let caller = proven.believed(Use::First)?;
        Ok((caller, witness))
    });
    believed.map_err(|unidentified| unidentified.reason)
}

const HERE: Keys = Keys(Ok(()));

#[tokio::test]
async fn a_signature_under_a_registered_key_is_its_units_proof() {
    let identity = identity();
    let headers = signed("vault.test", "tax-signs");
    let (caller, witness) = who(&identity, "Vault.Test:443", &headers, (Body::Absent, HERE))
        .await
        .unwrap();
    assert_eq!(caller.unit().name.as_str(), "tax");
    assert_eq!(
        (caller.proof(), caller.proof().as_str()),
        (Proof::SignedRequest, "signed-request")
    );
    assert_eq!(witness.nonce, "n");
    // Its end, and the clocks' difference twice.
    assert_eq!(
        witness.remember_until,
        Timestamp((NOW + 60 + 60) * 1_000_000)
    );
    assert!(witness.digest.is_none());
}

#[tokio::test]
async fn what_proves_nobody_is_told_apart_for_the_log_only_where_that_tells_nothing() {
    let identity = identity();
    let headers = |authority: &str, keyid: &str| signed(authority, keyid);
    let good = headers("vault.test", "tax-signs");
    let refused = async |authority: &str, headers: &HeaderMap, way: (Body, Keys)| {
        who(&identity, authority, headers, way).await.err()
    };
    let unknown = headers("vault.test", "unknown");
    assert_eq!(
        refused("vault.test", &unknown, (Body::Absent, HERE)).await,
        Some(Unproven::WrongSignature)
    );
    let other = headers("vault.test:8443", "tax-signs");
    assert_eq!(
        refused("vault.test", &other, (Body::Absent, HERE)).await,
        Some(Unproven::WrongSignature)
    );
    assert_eq!(
        refused("other.test", &good, (Body::Absent, HERE)).await,
        Some(Unproven::SignedElsewhere)
    );
    let away = Keys(Err(KeyAnswer::Away));
    assert_eq!(
        refused("vault.test", &good, (Body::Absent, away)).await,
        Some(Unproven::SigningKeyAway)
    );
    let wrong = Keys(Err(KeyAnswer::Wrong));
    assert_eq!(
        refused("vault.test", &good, (Body::Absent, wrong)).await,
        Some(Unproven::WrongSignature)
    );
    let closed = headers("vault.test", "closed-signs");
    assert_eq!(
        refused("vault.test", &closed, (Body::Absent, HERE)).await,
        Some(Unproven::Suspended)
    );
    let uncovered = Unproven::Signature(SignatureFault::Uncovered("content-digest"));
    assert_eq!(
        refused("vault.test", &good, (Body::Follows, HERE)).await,
        Some(uncovered)
    );
    let off = self::identity().signed_by(None);
    let found = who(&off, "vault.test", &good, (Body::Absent, HERE))
        .await
        .err();
    assert_eq!(found, Some(Unproven::SignaturesOff));
}

/// An issuer whose tokens are bound to a DPoP key: one pair is both.
struct Desk(Ed25519KeyPair);

impl Desk {
    fn open() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    /// Its public key, as RFC 7638 hashes it.
    fn jwk(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref());
        format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)
    }

    fn issuer(&self) -> Issuer {
        let named = self.jwk().replace('{', r#"{"alg":"EdDSA","kid":"k1","#);
        let jwks = format!(r#"{{"keys":[{named}]}}"#);
        Issuer::parse("https://issuer.test", "https://vault.test", &jwks).unwrap()
    }

    fn signed(&self, header: &str, claims: &str) -> String {
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        let signed = format!("{header}.{claims}");
        let signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn token(&self, subject: &str) -> String {
        let jkt = hashed(&self.jwk());
        let (begin, end) = (NOW - 10, NOW + 600);
        let claims = format!(
            r#"{{"iss":"https://issuer.test","aud":"https://vault.test","sub":"{subject}","iat":{begin},"exp":{end},"cnf":{{"jkt":"{jkt}"}}}}"#
        );
        self.signed(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k1"}"#, &claims)
    }

    fn proof(&self, token: &str) -> String {
        let header = format!(r#"{{"alg":"EdDSA","typ":"dpop+jwt","jwk":{}}}"#, self.jwk());
        let ath = hashed(token);
        let claims = format!(
            r#"{{"jti":"a","htm":"GET","htu":"https://vault.test/v1/keys","iat":{NOW},"ath":"{ath}"}}"#
        );
        self.signed(&header, &claims)
    }
}

fn hashed(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

#[tokio::test]
async fn a_token_beside_a_signature_names_the_same_unit_and_its_proof_is_spent() {
    let desk = Desk::open();
    let identity = believing(vec![desk.issuer()]);
    let headers = signed("vault.test", "tax-signs");
    let message = Message::request(&Method::GET, "https", "vault.test", "/v1/keys", &headers);
    let request = SignedRequest {
        message: message.unwrap(),
        body: Body::Absent,
    };
    let beside = async |scheme: &str, token: &str, proof: Option<&str>| {
        let authorization = format!("{scheme} {token}");
        let presented = Presented {
            certificate: None,
            authorization: Some(&authorization),
        };
        let asked = Asked {
            proof,
            method: "GET",
            path: "/v1/keys",
        };
        let found = identity
            .prove_signed(&presented, Some(asked), &request, &HERE)
            .await;
        found
            .map(|(proven, _)| proven)
            .map_err(|unidentified| unidentified.reason)
    };
    let own = desk.token("tax-app");
    let proof = desk.proof(&own);
    let proven = beside("DPoP", &own, Some(&proof)).await.ok().unwrap();
    assert!(proven.to_spend().is_some());
    let caller = proven.believed(Use::First).unwrap();
    assert_eq!(caller.unit().name.as_str(), "tax");
    assert_eq!(caller.proof(), Proof::SignedRequest);
    let proven = beside("DPoP", &own, Some(&proof)).await.ok().unwrap();
    let replayed = proven.believed(Use::Again).err().unwrap();
    assert_eq!(replayed.reason, Unproven::ProofReplayed);

    let other = desk.token("library-app");
    let others = desk.proof(&other);
    for (scheme, token, proof, reason) in [
        ("DPoP", &own, None, Unproven::ProofMissing),
        ("DPoP", &own, Some(&others), Unproven::ProofInvalid),
        ("Bearer", &own, Some(&proof), Unproven::ProofMissing),
        ("DPoP", &other, Some(&others), Unproven::Contradiction),
    ] {
        let found = beside(scheme, token, proof.map(String::as_str)).await;
        assert_eq!(found.err(), Some(reason), "{scheme}");
    }
}
