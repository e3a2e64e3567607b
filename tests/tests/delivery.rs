//! How values leave: sealed to the unit's own key, past whoever carries them, or by a ticket that another unit
//! redeems once.

#[path = "delivery/sealed.rs"]
mod sealed;
#[path = "delivery/tickets.rs"]
mod tickets;

use api::v1::{Delivery, DetokenizeRequest};
use api::{Client, ClientError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kms::jwe::RecipientSecret;
use serde_json::Value;
use tests::{House, Reply, detokenize, refusal, tokenize};

/// A purpose of the tax bureau's.
const TAX: &str = "tax-assessment";
/// A name that nobody else has.
const NAME: &str = "王密封";

const JSON: &str = "content-type: application/json";

/// A unit's new private key of X25519, and of P-256, as PEM.
fn private_keys() -> [String; 2] {
    let pem = |der: &[u8]| {
        let text = STANDARD.encode(der);
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    };
    let head = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32];
    let random = kms::random_bytes(32).unwrap();
    let x25519 = [&head, random.expose()].concat();
    let p256 = ring::signature::EcdsaKeyPair::generate_pkcs8(
        &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        &ring::rand::SystemRandom::new(),
    );
    [pem(&x25519), pem(p256.unwrap().as_ref())]
}

/// A running installation where the tax bureau has a key of X25519, the treasury one of P-256, and the parking
/// office none. The treasury may see masked what is for taxes.
struct Sealing {
    house: House,
    bureau: RecipientSecret,
    treasury: RecipientSecret,
}

impl Sealing {
    fn open() -> Self {
        Self::open_with("")
    }

    fn open_with(more: &str) -> Self {
        let mut house = House::install();
        let [x25519, p256] = private_keys();
        for (unit, key, table) in [("tax-bureau", &x25519, false), ("treasury", &p256, true)] {
            let file = house.directory().join(format!("{unit}.key"));
            std::fs::write(&file, key).unwrap();
            let (done, jwk) = house.jinku(
                &["open-sealed", "--public", "--key", file.to_str().unwrap()],
                "",
            );
            assert!(done, "{jwk}");
            let written = if table {
                let jwk: toml::Table = serde_json::from_str(jwk.trim()).unwrap();
                format!("public_key = {}", toml::Value::Table(jwk))
            } else {
                format!("public_key = '{}'", jwk.trim())
            };
            let subject = format!("token_subject = \"{unit}\"\n");
            house.edit(
                "policies/units.toml",
                &subject,
                &format!("{subject}{written}\n"),
            );
        }
        std::fs::write(
            house.directory().join("policies/policies/90-tickets.cedar"),
            r#"@id("treasury-sees-masked") permit(
                principal == Jinku::Unit::"treasury", action == Jinku::Action::"DetokenizeMasked", resource)
            when { context.purpose == "tax-assessment" };"#,
        )
        .unwrap();
        house.edit(
            "jinku.toml",
            "\n[ledger]\n",
            &format!("\n{more}\n[ledger]\n"),
        );
        house.serve();
        let secret = |pem: &str| RecipientSecret::from_text(pem).unwrap();
        Self {
            bureau: secret(&x25519),
            treasury: secret(&p256),
            house,
        }
    }

    /// Tokens of values of one class, made by the tax bureau.
    async fn tokens(&self, class: &str, values: &[&str]) -> Vec<String> {
        let client = self.house.client(Some("tax-bureau"));
        let answer = client.tokenize(tokenize(class, values), None).await;
        answer.unwrap().tokens
    }
}

/// A request for sealed values.
fn sealed(tokens: &[String]) -> DetokenizeRequest {
    DetokenizeRequest {
        delivery: Delivery::Sealed.into(),
        ..detokenize(TAX, tokens)
    }
}

/// What a message holds, and what it says of itself.
#[track_caller]
fn opened(secret: &RecipientSecret, message: &str) -> (String, Value) {
    let Ok(opened) = secret.open(message) else {
        panic!("it does not open: {message}");
    };
    let value = String::from_utf8(opened.plaintext.expose().to_vec()).unwrap();
    (value, serde_json::from_str(&opened.header).unwrap())
}

/// Posts a body as a unit.
fn ask(house: &House, unit: &str, path: &str, body: &Value) -> Reply {
    let body = body.to_string();
    house.post(Some(unit), path, &["--header", JSON], body.as_bytes())
}

/// An answer must be this problem.
#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (status, code),
        "{}",
        reply.body
    );
}

/// The stable code of a call that must be refused.
#[track_caller]
fn code<T>(answer: Result<T, ClientError>) -> String {
    refusal(&answer.err().expect("it was answered")).1
}

/// The tax bureau's client.
fn bureau(house: &House) -> Client {
    house.client(Some("tax-bureau"))
}
