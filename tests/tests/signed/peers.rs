//! Clients that nobody here wrote sign and send: PyPI's and npm's `http-message-signatures`, OpenSSL keys, `curl`.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{House, binary, has_entry};

use super::{HEALTH, TAX, TOKENIZE, body, brought, registered};

/// Signs with PyPI's library, and sends with Python's own HTTPS client. Prints status and code for each attempt.
const PYTHON: &str = r#"
import datetime, http.client, json, secrets, ssl, sys
from types import SimpleNamespace
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms
port, ca, keyid, key_file, alg, body_file = sys.argv[1:]
body, key = open(body_file, "rb").read(), open(key_file, "rb").read()
if alg == "ed25519":
    key = load_pem_private_key(key, None)
class Keys(HTTPSignatureKeyResolver):
    def resolve_private_key(self, key_id): return key
    def resolve_public_key(self, key_id): return key
algorithm = {"ed25519": algorithms.ED25519, "hmac-sha256": algorithms.HMAC_SHA256}[alg]
signer = HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=Keys())
context = ssl.create_default_context(cafile=ca)
def send(message, sent=body):
    connection = http.client.HTTPSConnection("localhost", int(port), context=context, timeout=20)
    connection.request(message.method, message.path, sent, dict(message.headers.items()))
    answer = connection.getresponse()
    text = answer.read()
    print(answer.status, json.loads(text).get("code"))
def signed(path="/v1/tokenize", nonce=None, offset=0, life=60, **more):
    message = SimpleNamespace(method="POST", path=path, url=f"https://localhost:{port}{path}",
                              headers={"Content-Type": "application/json"})
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)
    more.setdefault("covered_component_ids", ("@method", "@target-uri", "content-type"))
    signer.sign(message, key_id=keyid, created=now, expires=now + datetime.timedelta(seconds=life),
                nonce=secrets.token_urlsafe(16) if nonce is None else nonce, body=body, **more)
    return message
good = signed()
send(good)                                                                        # 200
send(good)                                                                        # replayed
send(signed(covered_component_ids=("@path", "@query", "@authority", "@method", "content-type"), label="x"))  # 200
send(signed(include_alg=False))                                                   # 200
send(signed(), body + b" ")                                                       # another body
send(signed(covered_component_ids=("@method", "@authority", "content-type")))     # coverage
send(signed(offset=-600))                                                         # expired
send(signed(offset=600))                                                          # early
moved = signed("/v1/detokenize")
moved.path = "/v1/tokenize"
send(moved)                                                                       # another path
two = signed()
signer.sign(two, key_id=keyid, label="two", append_if_signature_exists=True, use_existing_digest=True)
send(two)                                                                         # several
"#;

/// The same with npm's library and Node's own HTTPS client.
const NODE: &str = r"
const [port, ca, keyid, keyFile, alg, bodyFile] = process.argv.slice(2);
const fs = require('node:fs'), https = require('node:https'), crypto = require('node:crypto');
const { httpbis, createSigner } = require('http-message-signatures');
const body = fs.readFileSync(bodyFile);
const agent = new https.Agent({ ca: fs.readFileSync(ca), keepAlive: true });
const key = alg === 'ed25519' ? crypto.createPrivateKey(fs.readFileSync(keyFile)) : fs.readFileSync(keyFile);
const send = (message, sent = body) => new Promise((done, failed) => {
  const request = https.request(message.url, { method: message.method, headers: message.headers, agent }, (answer) => {
    let text = '';
    answer.on('data', (part) => { text += part; });
    answer.on('end', () => { console.log(answer.statusCode, JSON.parse(text).code ?? 'None'); done(); });
  });
  request.on('error', failed);
  request.end(sent);
});
const signed = ({ path = '/v1/tokenize', fields, offset = 0, digest = 'sha-512', params } = {}) => {
  const hash = crypto.createHash(digest.replace('-', '')).update(body).digest('base64');
  const now = Date.now() + offset * 1000;
  return httpbis.signMessage({
    key: createSigner(key, alg, keyid),
    fields: fields ?? ['@method', '@target-uri', 'content-type', 'content-digest'],
    params: params ?? ['nonce', 'expires', 'keyid', 'created', 'alg'],
    paramValues: { created: new Date(now), expires: new Date(now + 60000), nonce: crypto.randomUUID() },
  }, {
    method: 'POST', url: `https://localhost:${port}${path}`,
    headers: { 'content-type': 'application/json', 'content-digest': `${digest}=:${hash}:` },
  });
};
(async () => {
  const good = await signed();
  await send(good);
  await send(good);
  await send(await signed({ fields: ['@path', '@query', '@authority', '@method', 'content-digest', 'content-type'], digest: 'sha-256' }));
  await send(await signed({ params: ['keyid', 'created', 'nonce', 'expires'] }));
  await send(await signed(), Buffer.concat([body, Buffer.from(' ')]));
  await send(await signed({ fields: ['@method', '@authority', 'content-type', 'content-digest'] }));
  await send(await signed({ offset: -600 }));
  await send(await signed({ offset: 600 }));
  const moved = await signed({ path: '/v1/detokenize' });
  moved.url = `https://localhost:${port}/v1/tokenize`;
  await send(moved);
  await send(await signed({ params: ['keyid', 'created', 'expires'] }));
  agent.destroy();
})().catch((error) => { console.error(error); process.exit(1); });
";

/// What both must be told, in the order of their attempts; the last differs.
const ANSWERS: [&str; 9] = [
    "200 None",
    "401 signature-replayed",
    "200 None",
    "200 None",
    "401 content-digest-mismatch",
    "401 signature-coverage",
    "401 signature-expired",
    "401 signature-early",
    "401 signature-invalid",
];

/// Where `tests/run.sh` has put the libraries.
fn libraries() -> PathBuf {
    let home = std::env::var_os("JINKU_TEST_SIGNATURE_PEERS");
    home.expect("JINKU_TEST_SIGNATURE_PEERS names no libraries: run `bash tests/run.sh`, which provides them")
        .into()
}

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output();
    let output = output.expect("`openssl` is missing: install Debian's package openssl");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// An installation where the revenue unit signs with a pair that OpenSSL made, the health bureau with a secret, running.
fn city() -> (House, PathBuf, PathBuf) {
    use base64::Engine as _;
    let mut house = House::install();
    let at = |name: &str| house.directory().join(name);
    let (pair, secret, sent) = (at("unit.pem"), at("secret"), at("body.json"));
    let pair_text = pair.display().to_string();
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", &pair_text]);
    let spki = openssl(&["pkey", "-in", &pair_text, "-pubout", "-outform", "DER"]);
    let x = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&spki[spki.len() - 32..]);
    let jwk =
        format!(r#"signing_jwk = '{{"kty":"OKP","crv":"Ed25519","kid":"tax-2026","x":"{x}"}}'"#);
    registered(&house, TAX, &jwk);
    registered(&house, HEALTH, "signing_key = \"health-signs\"");
    std::fs::write(&secret, rand_secret()).unwrap();
    std::fs::write(&sent, body()).unwrap();
    house.serve();
    brought(&house, "health-signs", &std::fs::read(&secret).unwrap());
    (house, pair, secret)
}

fn rand_secret() -> [u8; 40] {
    let mut secret = [0; 40];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut secret).unwrap();
    secret
}

fn said(
    mut command: Command,
    house: &House,
    (keyid, key, alg): (&str, &Path, &str),
) -> Vec<String> {
    let output = command
        .arg(house.port().to_string())
        .arg(house.tls_file("ca.pem"))
        .arg(keyid)
        .arg(key)
        .arg(alg)
        .arg(house.directory().join("body.json"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn answers(last: &str) -> Vec<String> {
    let mut all: Vec<String> = ANSWERS.map(str::to_owned).to_vec();
    all.push(last.to_owned());
    all
}

#[test]
fn the_python_package_is_believed_and_its_broken_requests_are_not() {
    let (mut house, pair, secret) = city();
    let python = || {
        let mut command = Command::new("python3");
        command
            .env("PYTHONPATH", libraries().join("python"))
            .args(["-c", PYTHON]);
        command
    };
    for key in [
        ("tax-2026", &pair, "ed25519"),
        ("health-signs", &secret, "hmac-sha256"),
    ] {
        let said = said(python(), &house, (key.0, key.1, key.2));
        assert_eq!(said, answers("401 signature-several"), "{}", key.2);
    }
    assert_eq!(house.rows(), 6);
    let entries = house.audited();
    for unit in [TAX, HEALTH] {
        let facts = [("operation", "tokenize"), ("outcome", "ok"), ("unit", unit)];
        assert!(has_entry(&entries, &facts), "{unit}");
    }
}

#[test]
fn the_npm_package_is_believed_and_its_broken_requests_are_not() {
    let (house, pair, secret) = city();
    let script = house.directory().join("client.js");
    std::fs::write(&script, NODE).unwrap();
    let node = || {
        let mut command = Command::new("node");
        command
            .env("NODE_PATH", libraries().join("node_modules"))
            .arg(&script);
        command
    };
    for key in [
        ("tax-2026", &pair, "ed25519"),
        ("health-signs", &secret, "hmac-sha256"),
    ] {
        let said = said(node(), &house, (key.0, key.1, key.2));
        assert_eq!(said, answers("401 signature-parameter"), "{}", key.2);
    }
    assert_eq!(house.rows(), 6);
}

#[test]
fn the_command_line_signs_for_curl() {
    let (house, pair, secret) = city();
    let url = format!("https://localhost:{}{TOKENIZE}", house.port());
    let keys = [
        [
            "--keyid",
            "tax-2026",
            "--ed25519-key",
            &pair.display().to_string(),
        ],
        [
            "--keyid",
            "health-signs",
            "--hmac-key",
            &secret.display().to_string(),
        ],
    ];
    for key in keys {
        let output = Command::new(binary("jinku"))
            .args(["sign-request", "--url", &url, "--idempotency-key", "one"])
            .arg("--body")
            .arg(house.directory().join("body.json"))
            .args(key)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let headers = house.directory().join("headers");
        std::fs::write(&headers, output.stdout).unwrap();
        let from = format!("@{}", headers.display());
        let reply = house.post(None, TOKENIZE, &["--header", &from], &body());
        super::done(&reply);
        let again = house.post(None, TOKENIZE, &["--header", &from], &body());
        super::refused("again", &again, 401, "signature-replayed");
    }
}
