//! JWEs under keys that both sides have: made and opened by the vault and by PyPI's jwcrypto, by hand and through
//! gateways of every form.

#[path = "jwe/gateway.rs"]
mod gateway;
#[path = "jwe/keys.rs"]
mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tests::{House, Reply, run_python, wrapped};

/// Looks after keys, and may use none.
const KEEPER: &str = "key-office";
/// Uses the keys that are tagged `group=revenue`.
const REVENUE: &str = "tax-bureau";
const JSON: &str = "content-type: application/json";

/// A key that a partner has too.
struct Shared {
    id: String,
    alg: &'static str,
    material: [u8; 32],
}

impl Shared {
    /// Brings a partner's key in, under this alias.
    fn brought(house: &House, alg: &'static str, alias: &str) -> Self {
        let kind = match alg {
            "dir" => "jwe-dir",
            _ => "jwe-a256kw",
        };
        let body = json!({
            "kind": kind, "origin": "external", "alias": alias, "tags": { "group": "revenue" },
        });
        let made = done(&ask(house, KEEPER, "/v1/keys", &body));
        let id = made["key"]["id"].as_str().unwrap().to_owned();
        let mut key = Self {
            id,
            alg,
            material: [0; 32],
        };
        key.renewed(house);
        key
    }

    /// Other material, which is the next version.
    fn renewed(&mut self, house: &House) {
        self.material = rand::random();
        let given = done(&act(
            house,
            KEEPER,
            &self.id,
            "import-parameters",
            &json!({}),
        ));
        let wrapped = wrapped(given["public_key"].as_str().unwrap(), &self.material);
        let body = json!({ "ticket": given["ticket"], "wrapped": STANDARD.encode(wrapped) });
        done(&act(house, KEEPER, &self.id, "import", &body));
    }

    fn jwk(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.material)
    }

    fn header(&self, version: u32) -> Value {
        let kid = format!("{}:v{version}", self.id);
        json!({ "alg": self.alg, "enc": "A256GCM", "kid": kid })
    }

    /// The partner makes a message with this header.
    fn sealed(&self, header: &Value, plaintext: &str) -> String {
        let asked = json!({ "key": self.jwk(), "header": header, "plaintext": plaintext });
        let made = run_python(include_str!("jwe/peer.py"), &asked);
        made["jwe"].as_str().unwrap().to_owned()
    }

    /// The partner makes a message of the current version, of this type.
    fn sealed_as(&self, cty: &str, plaintext: &str) -> String {
        let mut header = self.header(1);
        header["cty"] = json!(cty);
        self.sealed(&header, plaintext)
    }

    /// The partner opens a message; its plaintext and header.
    fn opened(&self, jwe: &str) -> (String, Value) {
        let asked = json!({ "key": self.jwk(), "jwe": jwe });
        let opened = run_python(include_str!("jwe/peer.py"), &asked);
        let plaintext = opened["plaintext"].as_str().unwrap().to_owned();
        (plaintext, opened["header"].clone())
    }
}

fn ask(house: &House, unit: &str, path: &str, body: &Value) -> Reply {
    let body = body.to_string();
    house.post(Some(unit), path, &["--header", JSON], body.as_bytes())
}

fn act(house: &House, unit: &str, key: &str, act: &str, body: &Value) -> Reply {
    ask(house, unit, &format!("/v1/keys/{key}/{act}"), body)
}

#[track_caller]
fn done(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    let said = (reply.status, reply.code());
    assert_eq!(said, (status, code.to_owned()), "{}", reply.body);
}

/// What a header of a message says.
fn header_of(jwe: &str) -> Value {
    let header = jwe.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}
