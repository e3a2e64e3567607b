//! Signed requests (RFC 9421) made by hand, right and wrong.

use api::signature::{ContentDigest, Draft, Message};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ring::{digest, hmac};

use crate::{House, Reply, now};

/// A key that requests are signed with, and what the vault knows it by.
pub struct Signer {
    /// What its signatures name.
    pub keyid: String,
    key: Key,
}

enum Key {
    Hmac(Vec<u8>),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    /// A new Ed25519 pair, and its public half as a JWK table for `units.toml`.
    pub fn ed25519(keyid: &str) -> (Self, String) {
        let signer = Self::seeded(keyid, &rand::random());
        let Key::Ed25519(pair) = &signer.key else {
            panic!("no pair")
        };
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let jwk = format!(r#"{{ kty = "OKP", crv = "Ed25519", kid = "{keyid}", x = "{x}" }}"#);
        (signer, jwk)
    }

    /// The Ed25519 pair of a seed.
    pub fn seeded(keyid: &str, seed: &[u8; 32]) -> Self {
        Self {
            keyid: keyid.to_owned(),
            key: Key::Ed25519(Ed25519KeyPair::from_seed_unchecked(seed).unwrap()),
        }
    }

    /// A shared secret.
    pub fn hmac(keyid: &str, secret: &[u8]) -> Self {
        Self {
            keyid: keyid.to_owned(),
            key: Key::Hmac(secret.to_vec()),
        }
    }

    /// An HMAC whose secret is this pair's public half: what a verifier that trusts `alg` would believe.
    pub fn confused(&self) -> Self {
        let Key::Ed25519(pair) = &self.key else {
            panic!("no pair")
        };
        Self::hmac(&self.keyid, pair.public_key().as_ref())
    }

    fn sign(&self, base: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::Hmac(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, base).as_ref().to_vec()
            }
            Key::Ed25519(pair) => pair.sign(base).as_ref().to_vec(),
        }
    }
}

/// A request to be signed; what is altered here is signed so.
#[derive(Clone)]
pub struct Unsigned {
    /// Its method.
    pub method: Method,
    /// The host that it is signed for.
    pub authority: String,
    /// Path and query.
    pub target: String,
    /// Fields beside the signature's own.
    pub fields: Vec<(String, String)>,
    /// What is covered.
    pub covered: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// When it ends.
    pub expires: u64,
    /// What makes it one of a kind.
    pub nonce: String,
    /// What it says of its algorithm.
    pub alg: Option<String>,
}

impl Unsigned {
    /// A JSON body posted to a path of the house's vault, with all that must be covered.
    pub fn post(house: &House, target: &str, body: &[u8]) -> Self {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
        let field = |name: &str, value: String| (name.to_owned(), value);
        let covered = ["@method", "@target-uri", "content-type", "content-digest"];
        Self {
            method: Method::POST,
            authority: format!("localhost:{}", house.port()),
            target: target.to_owned(),
            fields: vec![
                field("content-type", "application/json".to_owned()),
                field("content-digest", ContentDigest::of_sha256(&sha256)),
            ],
            covered: covered.map(str::to_owned).to_vec(),
            created: now(),
            expires: now() + 60,
            nonce: URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()),
            alg: None,
        }
    }

    /// Covering something else.
    pub fn covering(mut self, covered: &[&str]) -> Self {
        self.covered = covered.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// With another value of a field, or with one more field.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// All of its fields, a line each, as `curl` takes them.
    pub fn signed(&self, signer: &Signer) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.fields {
            let name = HeaderName::try_from(name.as_str()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let message = Message::request(
            &self.method,
            "https",
            &self.authority,
            &self.target,
            &headers,
        );
        let covered: Vec<&str> = self.covered.iter().map(String::as_str).collect();
        let mut draft = Draft::covering(&covered)
            .created(self.created)
            .expires(self.expires)
            .nonce(&self.nonce)
            .keyid(&signer.keyid);
        if let Some(alg) = &self.alg {
            draft = draft.alg(alg);
        }
        let made = draft.signed(&message.unwrap(), |base| signer.sign(base));
        let made = made.unwrap();
        let mut lines: Vec<String> = self
            .fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        lines.push(format!("signature-input: {}", made.input));
        lines.push(format!("signature: {}", made.signature));
        lines
    }
}

impl House {
    /// Sends header lines and a body as they are, with the certificate of a unit or gateway, or with none.
    pub fn send(&self, name: Option<&str>, target: &str, lines: &[String], body: &[u8]) -> Reply {
        let headers = lines.iter().flat_map(|line| ["--header", line.as_str()]);
        let arguments: Vec<&str> = headers.collect();
        self.post(name, target, &arguments, body)
    }
}
