//! Signatures and codes on a running gateway: real vault, real Envoy, and libraries that nobody here wrote on both
//! ends. The vault holds the keys; the filter uses them as a unit of its own.

#[path = "gateway_signing/city.rs"]
mod city;
#[path = "gateway_signing/upstream.rs"]
mod upstream;

use serde_json::{Value, json};
use tests::{Form, Seen, has_entry, run_python};

use city::City;

/// Signs with PyPI's library and sends with Python's own client. Verifies what comes back. Prints a line for each.
const PARTNER: &str = r#"
import datetime, http.client, json, secrets, sys
sys.path.insert(0, json.load(open(sys.argv[1]))["libraries"])
from types import SimpleNamespace
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
told = json.load(open(sys.argv[1]))
body, bearer = told["body"].encode(), told["bearer"]
pair = load_pem_private_key(open(told["pair"], "rb").read(), None)
shared, city = open(told["shared"], "rb").read(), open(told["city"], "rb").read()
class Keys(HTTPSignatureKeyResolver):
    def resolve_private_key(self, key_id): return {"partner-ed": pair, "partner-mac": shared, "nobody": shared}[key_id]
    def resolve_public_key(self, key_id): return {"city-mac": city}[key_id]
def send(message, sent=body):
    connection = http.client.HTTPConnection("127.0.0.1", told["port"], timeout=20)
    connection.request(message.method, message.path, sent, {**dict(message.headers.items()), "Host": "api.city.example"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        print(answer.status, json.loads(text).get("code"))
        return
    got = SimpleNamespace(status_code=200, headers=dict(answer.getheaders()))
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys())
    results = verifier.verify(got, body=text, require_components=("@status", "content-type", "content-digest"))
    print(200, results[0].parameters["keyid"], answer.getheader("jinku-receipt").split(";")[0])
def signed(path="/signed/tax", key="partner-ed", offset=0, life=60, **more):
    message = SimpleNamespace(method="POST", path=path, url=f"https://api.city.example{path}",
                              headers={"Content-Type": "application/json", "Authorization": bearer,
                                       "Jinku-Receipt": "tokenize;entry=1"})
    algorithm = algorithms.ED25519 if key == "partner-ed" else algorithms.HMAC_SHA256
    signer = HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=Keys())
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)
    more.setdefault("covered_component_ids", ("@method", "@target-uri", "content-type", "authorization"))
    signer.sign(message, key_id=key, created=now, expires=now + datetime.timedelta(seconds=life),
                nonce=secrets.token_urlsafe(16), body=body, **more)
    return message
good = signed()
send(good)
send(good)
send(signed(key="partner-mac"))
send(signed(key="nobody"))
send(signed(), body + b" ")
send(signed(covered_component_ids=("@method", "@authority", "content-type", "authorization")))
send(signed(offset=-600))
send(signed(offset=600))
send(signed(life=3600))
moved = signed("/signed/parking-fee")
moved.path = "/signed/tax"
send(moved)
without = signed()
del without.headers["Signature"], without.headers["Signature-Input"]
send(without)
"#;

/// Verifies what the upstream got with PyPI's library: the city's public key is a PEM text.
const UPSTREAM: &str = r#"
import json, sys
told = json.load(sys.stdin)
sys.path.insert(0, told["libraries"])
from types import SimpleNamespace
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
key = load_pem_public_key(told["pem"].encode())
class Keys(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id): return {"city-ed": key}[key_id]
    def resolve_private_key(self, key_id): raise KeyError(key_id)
method, path = told["target"].split(" ")
message = SimpleNamespace(method=method, url=f"https://api.city.example{path}", headers=dict(told["headers"]))
verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Keys())
results = verifier.verify(message, body=told["body"].encode(),
                          require_components=("@method", "@target-uri", "content-type", "content-digest"))
print(json.dumps([len(results), results[0].parameters["keyid"]]))
"#;

/// The same with npm's.
const NODE: &str = r"
const told = JSON.parse(require('node:fs').readFileSync(process.argv[2], 'utf8'));
const crypto = require('node:crypto');
const { httpbis, createVerifier } = require('http-message-signatures');
(async () => {
  const [method, path] = told.target.split(' ');
  const verified = await httpbis.verifyMessage({
    keyLookup: async ({ keyid }) => keyid === 'city-ed'
      ? { id: keyid, algs: ['ed25519'], verify: createVerifier(crypto.createPublicKey(told.pem), 'ed25519') } : null,
    requiredFields: ['@method', '@target-uri', 'content-type', 'content-digest'],
    requiredParams: ['created', 'expires', 'nonce', 'keyid', 'alg'],
  }, { method, url: `https://api.city.example${path}`, headers: Object.fromEntries(told.headers) });
  console.log(verified);
})().catch((error) => { console.error(error); process.exit(1); });
";

const TOLD: [&str; 11] = [
    "200 city-mac tokenize",
    "401 signature-invalid",
    "200 city-mac tokenize",
    "401 signature-invalid",
    "401 signature-invalid",
    "401 signature-coverage",
    "401 signature-expired",
    "401 signature-early",
    "401 signature-lifetime",
    "401 signature-invalid",
    "401 signature-missing",
];

fn told_of(seen: &Seen, city: &City) -> Value {
    json!({
        "libraries": city::libraries().join("python"),
        "pem": city.public_pem("city-ed"),
        "target": seen.target,
        "headers": seen.headers,
        "body": seen.text(),
    })
}

/// The whole story in one form of the filter.
fn partners_and_upstreams_verify(form: Form) {
    let city = City::open(form);
    assert_eq!(city.partner(PARTNER), TOLD);
    let seen = city.upstream().seen();
    assert_eq!(seen.len(), 2);
    for seen in &seen {
        let document: Value = serde_json::from_str(seen.text()).unwrap();
        assert_ne!(document["payer"]["national_id"], "F120000002");
        assert_eq!(seen.header("authorization"), Vec::<&str>::new());
        // One receipt, and not the one that the partner wrote.
        let receipts = seen.header("jinku-receipt");
        assert_eq!(receipts.len(), 1, "{receipts:?}");
        let (entry, origin) = receipts[0].split_once(";origin=").unwrap();
        assert_eq!(origin, "\"jinku.example/development/node-1\"");
        let entry: u64 = entry.split_once("entry=").unwrap().1.parse().unwrap();
        assert!(entry > 1);
        assert_eq!(seen.header("signature").len(), 1);
        let told = told_of(seen, &city);
        assert_eq!(run_python(UPSTREAM, &told), json!([1, "city-ed"]));
        assert_eq!(city.node(NODE, &told), "true");
    }
    // Each use of a key is an entry that names the filter's own unit.
    let entries = city.audited();
    for operation in ["mac", "sign", "mac-verify"] {
        let facts = [
            ("operation", operation),
            ("outcome", "ok"),
            ("unit", "treasury"),
        ];
        assert!(has_entry(&entries, &facts), "{operation}");
    }
}

#[test]
fn peers_verify_through_the_proxy() {
    partners_and_upstreams_verify(Form::Proxy);
}

#[test]
fn peers_verify_through_envoy_whose_bodies_come_whole() {
    partners_and_upstreams_verify(Form::Buffered);
}

#[test]
fn peers_verify_through_envoy_whose_bodies_come_in_parts() {
    partners_and_upstreams_verify(Form::Duplex);
}

#[test]
fn peers_verify_through_the_module_within_envoy() {
    partners_and_upstreams_verify(Form::Module);
}

/// Makes both codes by hand, with nothing but `hmac`; and says what the code of a form is.
const CODES: &str = r#"
import hashlib, hmac, json, sys
from urllib.parse import parse_qsl
told = json.load(sys.stdin)
secret = told["secret"].encode()
def code(text): return hmac.new(secret, text, hashlib.sha256).hexdigest()
if told["form"] is None:
    print(json.dumps(code(told["text"].encode())))
else:
    pairs = dict(parse_qsl(told["form"], strict_parsing=True, keep_blank_values=True))
    sent = pairs.pop("sign")
    text = "&".join(f"{name}={value}" for name, value in sorted(pairs.items()) if value)
    print(json.dumps([sent == code(text.encode()).upper(), "timestamp" in pairs]))
"#;

#[test]
fn codes_by_hand_are_taken_and_made() {
    for form in [Form::Proxy, Form::Buffered] {
        let city = City::open(form);
        let secret = city::CODE_SECRET;
        let code = |text: &str| {
            let made = run_python(
                CODES,
                &json!({ "secret": secret, "text": text, "form": null }),
            );
            made.as_str().unwrap().to_owned()
        };
        let body = "amount=5&who=%E7%8E%8B&empty=";
        let taken = city.coded("POST", "/coded", Some(body), &code(body));
        assert_eq!(taken.status, 200, "{taken:?}");
        let seen = city.upstream().last();
        assert!(seen.text().starts_with(body), "{}", seen.text());
        assert_eq!(seen.header("digest"), Vec::<&str>::new());
        let told = json!({ "secret": secret, "form": seen.text() });
        assert_eq!(run_python(CODES, &told), json!([true, true]));

        let query = "b=%32&a=1";
        let path = format!("/coded?{query}");
        assert_eq!(city.coded("GET", &path, None, &code(query)).status, 200);
        let seen = city.upstream().last();
        let (_, form) = seen.target.split_once('?').unwrap();
        let told = json!({ "secret": secret, "form": form });
        assert_eq!(run_python(CODES, &told), json!([true, true]));

        for (sent, code) in [
            (body, code("amount=6")),
            (body, code(body).to_uppercase()),
            (body, "00".to_owned()),
            ("amount=5", code(body)),
        ] {
            let refused = city.coded("POST", "/coded", Some(sent), &code);
            let found = (refused.status, refused.code());
            assert_eq!(found, (401, "signature-invalid".to_owned()));
        }
        assert_eq!(city.upstream().seen().len(), 2);
    }
}

#[test]
fn a_key_that_is_not_there_or_of_another_kind_is_no_illness_of_the_vault() {
    let city = City::open(Form::Proxy);
    let code = "00".repeat(32);
    // More often than failures may be in a row: other routes go on.
    for path in ["/misspelt", "/misspelt-check", "/misfit"] {
        for _ in 0..6 {
            let refused = city.coded("POST", path, Some("a=1"), &code);
            let found = (refused.status, refused.code());
            assert_eq!(found, (502, "vault-failed".to_owned()), "{path}");
        }
    }
    assert!(city.upstream().seen().is_empty());
    let told = json!({ "secret": city::CODE_SECRET, "text": "a=1", "form": null });
    let code = run_python(CODES, &told);
    let taken = city.coded("POST", "/coded", Some("a=1"), code.as_str().unwrap());
    assert_eq!(taken.status, 200, "{taken:?}");
}
