//! An identity provider on loopback: Python makes its keys and tokens, and serves its key set.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tests::{House, Program, free_port, now, python, run_python};

const TOKENS: &str = include_str!("tokens.py");
const SERVER: &str = include_str!("jwks_server.py");
/// `iss` of its tokens.
pub(super) const ISSUER: &str = "https://idp.example";
/// `aud` of its tokens for the vault.
pub(super) const AUDIENCE: &str = "https://vault.jinku.example";

/// Its keys, and its server while that runs.
pub(super) struct Desk {
    folder: tempfile::TempDir,
    port: u16,
    pub(super) keys: Value,
    pub(super) thumbprints: Value,
    jwks: Value,
    server: Option<Program>,
}

impl Desk {
    /// With keys of these names: `ed…`, `ec…`, `rs…` or `ps…`.
    pub(super) fn open(names: &[&str]) -> Self {
        let made = run_python(TOKENS, &json!({ "generate": names }));
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            keys: made["keys"].clone(),
            thumbprints: made["thumbprints"].clone(),
            jwks: made["jwks"].clone(),
            server: None,
        };
        desk.publish(names);
        desk
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The keys of these names are those that count.
    pub(super) fn publish(&self, names: &[&str]) {
        let keys = self.jwks["keys"].as_array().unwrap().iter();
        let keys: Vec<_> = keys
            .filter(|key| names.contains(&key["kid"].as_str().unwrap()))
            .collect();
        self.publish_text(&json!({ "keys": keys }).to_string());
    }

    pub(super) fn publish_text(&self, text: &str) {
        let fresh = self.at("jwks.new");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, self.at("jwks.json")).unwrap();
    }

    /// What the server answers from now on.
    pub(super) fn answers(&self, status: u16) {
        std::fs::write(self.at("status"), status.to_string()).unwrap();
    }

    /// The public half of a key, as its set has it.
    pub(super) fn public(&self, name: &str) -> &Value {
        let keys = self.jwks["keys"].as_array().unwrap();
        keys.iter().find(|key| key["kid"] == name).unwrap()
    }

    pub(super) fn serve(&mut self) {
        let _ = std::fs::remove_file(self.at("port"));
        let mut command = Command::new(python());
        command
            .args(["-c", SERVER])
            .arg(self.folder.path())
            .arg(self.port.to_string());
        let mut server = Program::start(&mut command, &self.at("server.log"));
        let port = self.at("port");
        server.wait_for(|| port.exists());
        self.server = Some(server);
    }

    pub(super) fn stop(&mut self) {
        self.server.take().unwrap().kill();
    }

    /// How many requests the server had.
    pub(super) fn requests(&self) -> usize {
        let log = std::fs::read_to_string(self.at("requests"));
        log.unwrap_or_default().lines().count()
    }

    /// A house that believes this issuer, and serves; `more` is of its `[[issuer]]`.
    pub(super) fn house(&self, more: &str) -> House {
        let mut house = House::install();
        self.believed_by(&house, more);
        house.serve();
        house
    }

    /// Writes the issuer into a house's settings.
    pub(super) fn believed_by(&self, house: &House, more: &str) {
        let uri = format!("http://127.0.0.1:{}/jwks", self.port);
        let issuer = format!(
            "[[issuer]]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\njwks_uri = \"{uri}\"\n{more}\n\n\
             [ledger]\n"
        );
        house.edit("jinku.toml", "[ledger]\n", &issuer);
    }

    /// What Python makes of these wishes, in their order.
    pub(super) fn made(&self, wanted: &[Value]) -> Vec<String> {
        let made = run_python(TOKENS, &json!({ "keys": self.keys, "wanted": wanted }));
        let text = |made: &Value| made.as_str().unwrap().to_owned();
        made["made"].as_array().unwrap().iter().map(text).collect()
    }

    pub(super) fn one(&self, wish: Value) -> String {
        self.made(&[wish]).remove(0)
    }

    /// A token that `pyjwt` makes with this key, with these claims more.
    pub(super) fn token(&self, key: &str, more: Value) -> String {
        self.one(wish("pyjwt", key, json!({}), more))
    }

    /// A DPoP proof that `pyjwt` makes with this key.
    pub(super) fn proof(&self, key: &str, claims: Value, token: Option<&str>) -> String {
        self.one(proof(key, claims, token))
    }
}

/// The algorithm of a key by its name.
pub(super) fn algorithm(key: &str) -> &'static str {
    match &key[..2] {
        "ed" => "EdDSA",
        "ec" => "ES256",
        "rs" => "RS256",
        _ => "PS256",
    }
}

/// A valid token of a library, with other fields of its header and claims; `null` removes one.
pub(super) fn wish(by: &str, key: &str, header: Value, claims: Value) -> Value {
    let now = now();
    let mut wish = json!({
        "by": by, "key": key,
        "header": { "alg": algorithm(key), "typ": "at+jwt", "kid": key },
        "claims": {
            "iss": ISSUER, "aud": AUDIENCE, "sub": super::UNIT, "client_id": super::UNIT,
            "iat": now, "exp": now + 600, "jti": "made",
        },
    });
    merge(&mut wish["header"], header);
    merge(&mut wish["claims"], claims);
    wish
}

/// A DPoP proof for a request, with these claims; for a token, where there is one.
pub(super) fn proof(key: &str, claims: Value, token: Option<&str>) -> Value {
    let mut wish = json!({
        "by": "pyjwt", "key": key, "own_jwk": true, "token": token,
        "header": { "alg": algorithm(key), "typ": "dpop+jwt" },
        "claims": { "iat": now(), "htm": "POST", "jti": unique() },
    });
    merge(&mut wish["claims"], claims);
    wish
}

/// A name that was never used.
pub(super) fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!(
        "{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

pub(super) fn merge(into: &mut Value, more: Value) {
    let fields = into.as_object_mut().unwrap();
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
}
