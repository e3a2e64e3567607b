//! Upstreams that sign their answers, with PyPI's library on Python's own server: the gateway hands on what holds, and
//! of nothing else a byte. Their public keys stand in files, one as a JWK that Node wrote.

use std::net::TcpStream;
use std::process::Command;

use serde_json::json;
use tests::{Form, House, Program, Reply, plugged, workspace};

use super::city::{libraries, openssl, printed};

const ROUTES: &str = r#"
[[signing_key]]
name = "upstream-ed"
alg = "ed25519"
public_key = "upstream-ed.pem"
[[signing_key]]
name = "upstream-ec"
alg = "ecdsa-p256-sha256"
public_key = "upstream-ec.jwk"

[[route]]
name = "answers"
path = "/answers/{how}"
domain = "city"
[[route.verify]]
on = "response"
keys = ["upstream-ed", "upstream-ec"]

[[route]]
name = "bound"
path = "/bound/{how}"
domain = "city"
[[route.request]]
header = "x-name"
class = "name"
action = "tokenize"
[[route.verify]]
on = "response"
keys = ["upstream-ed"]
scheme = "http"
covered = ["@status", "content-type", "content-digest", '"@method";req', '"@target-uri";req', '"x-name";req']

[vault]
"#;

/// Answers as the path's last segment says, signed before it is altered.
const SERVER: &str = r#"
import datetime, json, secrets, sys
told = json.load(open(sys.argv[1]))
sys.path.insert(0, told["libraries"])
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms
pairs = {name: load_pem_private_key(open(file, "rb").read(), None) for name, file in told["pairs"].items()}
class Keys(HTTPSignatureKeyResolver):
    def resolve_private_key(self, key_id): return pairs[key_id]
    def resolve_public_key(self, key_id): raise KeyError(key_id)
first = {}
class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *words): pass
    def signed(self, how, body):
        headers = {"Content-Type": "application/json"}
        if how == "unsigned":
            return headers
        key = {"ec": "upstream-ec", "stranger": "stranger"}.get(how, "upstream-ed")
        algorithm = algorithms.ECDSA_P256_SHA256 if key == "upstream-ec" else algorithms.ED25519
        covered = {"less": ("content-type",), "untyped": ("@status",)}.get(how, ("@status", "content-type"))
        offset = {"old": -600, "early": 600}.get(how, 0)
        life = 3600 if how == "long" else 60
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)
        signer = HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=Keys())
        host = "another.example" if how == "misdirected" else self.headers["Host"]
        path = "/bound/other" if how == "misbound" else self.path
        asked = SimpleNamespace(method=self.command, url=f"http://{host}{path}", headers=dict(self.headers.items()))
        if self.path.startswith("/bound/") and how != "unbound":
            covered += ('"@method";req', '"@target-uri";req', '"x-name";req')
        signer.sign(SimpleNamespace(status_code=200, headers=headers, request=asked), key_id=key, created=now,
                    expires=now + datetime.timedelta(seconds=life), nonce=secrets.token_urlsafe(16),
                    covered_component_ids=covered, body=body)
        return headers
    def do_GET(self):
        how = self.path.rsplit("/", 1)[1]
        body = json.dumps({"kept": how}).encode()
        headers = self.signed(how, body)
        if how == "again":
            headers = first.setdefault(how, headers)
        if how == "altered":
            body = body.replace(b"altered", b"changed")
        if how == "redigested":
            body = body.replace(b"redigested", b"redirected")
            other = self.signed("good", body)
            headers["Content-Digest"] = other["Content-Digest"]
        if how == "retyped":
            headers["Content-Type"] = "text/plain"
        self.send_response(201 if how == "status" else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
ThreadingHTTPServer(("127.0.0.1", told["port"]), Answer).serve_forever()
"#;

/// Writes a PEM file's key as JWK.
const JWK: &str = "const [pem, jwk] = process.argv.slice(2); const fs = require('node:fs');\
    const key = require('node:crypto').createPublicKey(fs.readFileSync(pem));\
    fs.writeFileSync(jwk, JSON.stringify(key.export({ format: 'jwk' })));";

struct City {
    house: House,
    url: String,
    _programs: Vec<Program>,
}

impl City {
    fn open(form: Form) -> Self {
        let mut house = House::install();
        let at = |name: &str| house.directory().join(name).display().to_string();
        let curve = ["-pkeyopt", "ec_paramgen_curve:P-256"];
        for (name, algorithm, more) in [
            ("upstream-ed", "ed25519", &[][..]),
            ("upstream-ec", "EC", &curve[..]),
            ("stranger", "ed25519", &[][..]),
        ] {
            let (pair, public) = (at(&format!("{name}-pair.pem")), at(&format!("{name}.pem")));
            let new = ["genpkey", "-algorithm", algorithm, "-out", &pair];
            openssl(&[&new[..], more].concat());
            openssl(&["pkey", "-in", &pair, "-pubout", "-out", &public]);
        }
        std::fs::write(at("jwk.js"), JWK).unwrap();
        let mut node = Command::new("node");
        node.args([at("jwk.js"), at("upstream-ec.pem"), at("upstream-ec.jwk")]);
        printed(&mut node);
        let pair = |name: &str| at(&format!("{name}-pair.pem"));
        let told = json!({
            "libraries": libraries().join("python"),
            "port": house.upstream_port(),
            "pairs": {
                "upstream-ed": pair("upstream-ed"),
                "upstream-ec": pair("upstream-ec"),
                "stranger": pair("stranger"),
            },
        });
        std::fs::write(at("told.json"), told.to_string()).unwrap();
        let mut python = Command::new("python3");
        python
            .current_dir(workspace())
            .args(["-W", "ignore", "-c", SERVER, &at("told.json")]);
        house.edit("filter.toml", "[vault]\n", ROUTES);
        house.serve();
        let log = house.directory().join("upstream.log");
        let mut upstream = Program::start(&mut python, &log);
        let port = house.upstream_port();
        upstream.wait_for(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        let (mut programs, url) = plugged(form, &house);
        programs.push(upstream);
        Self {
            house,
            url,
            _programs: programs,
        }
    }

    /// An answer with its head.
    fn ask(&self, how: &str) -> Reply {
        let bearer = self.house.access_token("service-counter");
        let bearer = format!("authorization: Bearer {bearer}");
        let url = format!("{}{how}", self.url);
        let name = ["--header", "x-name: Wang"];
        House::curl_plain(
            &url,
            &[&["--include", "--header", &bearer][..], &name].concat(),
        )
    }
}

fn answers_are_held_against_their_signatures(form: Form) {
    let city = City::open(form);
    for path in [
        "/answers/good",
        "/answers/ec",
        "/answers/again",
        "/bound/good",
    ] {
        let reply = city.ask(path);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        let how = path.rsplit('/').next().unwrap();
        let kept = format!("{{\"kept\": \"{how}\"}}");
        assert!(reply.body.ends_with(&kept), "{reply:?}");
        // It has done its work here; what it covers stays.
        let head = reply.body.to_ascii_lowercase();
        assert!(!head.contains("\nsignature"), "{reply:?}");
        assert!(head.contains("\ncontent-digest: sha-256=:"), "{reply:?}");
    }
    for path in [
        "/answers/again",
        "/answers/altered",
        "/answers/redigested",
        "/answers/retyped",
        "/answers/status",
        "/answers/unsigned",
        "/answers/less",
        "/answers/untyped",
        "/answers/stranger",
        "/answers/old",
        "/answers/early",
        "/answers/long",
        "/bound/unbound",
        "/bound/misbound",
        "/bound/misdirected",
    ] {
        let reply = city.ask(path);
        assert_eq!(reply.status, 502, "{path}: {reply:?}");
        let told = "\"code\":\"upstream-signature-invalid\"";
        assert!(reply.body.contains(told), "{path}: {reply:?}");
        assert!(!reply.body.contains("kept"), "{path}: {reply:?}");
    }
    assert_eq!(city.ask("/answers/good").status, 200);
}

#[test]
fn through_the_proxy() {
    answers_are_held_against_their_signatures(Form::Proxy);
}

#[test]
fn through_envoy_and_its_external_processor() {
    answers_are_held_against_their_signatures(Form::Buffered);
}

#[test]
fn through_envoy_in_parts() {
    answers_are_held_against_their_signatures(Form::Duplex);
}

#[test]
fn within_envoy() {
    answers_are_held_against_their_signatures(Form::Module);
}
