//! Access tokens made by hand, right and wrong, signed with an installation's own issuer key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use vault::model::{Clock, SystemClock};

use crate::House;

/// A valid access token's parts, to be altered before they are signed.
#[derive(Clone)]
pub struct TokenParts {
    header: Value,
    claims: Value,
}

impl TokenParts {
    /// What the installation's issuer would say of a unit.
    pub fn of(unit: &str) -> Self {
        let now = now();
        Self {
            header: json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "development-1" }),
            claims: json!({
                "iss": "https://issuer.jinku.example", "aud": "https://vault.jinku.example",
                "sub": unit, "client_id": unit, "iat": now, "exp": now + 600, "jti": "forged",
            }),
        }
    }

    /// With another field of the header; `null` removes it.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }

    /// With another claim; `null` removes it.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    /// What a signature is made over.
    pub fn unsigned(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }

    /// The whole token.
    pub fn signed(&self, key: &Ed25519KeyPair) -> String {
        self.with_signature(key.sign(self.unsigned().as_bytes()).as_ref())
    }

    /// The whole token with any bytes as its signature.
    pub fn with_signature(&self, signature: &[u8]) -> String {
        format!("{}.{}", self.unsigned(), URL_SAFE_NO_PAD.encode(signature))
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    let fields = object.as_object_mut().unwrap();
    if value.is_null() {
        fields.remove(name);
    } else {
        fields.insert(name.to_owned(), value);
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemClock::new().now().seconds()
}

impl House {
    /// The key that the installation's issuer signs with.
    pub fn issuer_key(&self) -> Ed25519KeyPair {
        let document = std::fs::read(self.directory().join("issuer/key.pk8")).unwrap();
        Ed25519KeyPair::from_pkcs8(&document).unwrap()
    }
}
