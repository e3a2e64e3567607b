//! A city with partners: keys in the vault, routes that demand and make signatures, and the filter in each form.

use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tests::{Form, House, Program, Reply, Upstream, plugged, post_to, sample, wrapped};

const KEEPER: &str = "key-office";
/// As whom the filter uses keys: those that are tagged `group=settlement`.
const SIGNER: &str = "treasury";
const JSON: &str = "content-type: application/json";
/// Texts, so that scripts can be told of them.
pub(super) const CODE_SECRET: &str = "a shared secret for codes, long enough";
const PARTNER_SECRET: &str = "a shared secret of the partner, long enough";
const CITY_SECRET: &str = "a shared secret of the city, long enough";

const ROUTES: &str = r#"
[[signing_key]]
name = "partner-ed"
alg = "ed25519"
public_key = "partner.pem"
[[signing_key]]
name = "partner-mac"
alg = "hmac-sha256"
vault_key = "partner-mac"
[[signing_key]]
name = "city-ed"
alg = "ed25519"
vault_key = "city-ed"
[[signing_key]]
name = "city-mac"
alg = "hmac-sha256"
vault_key = "city-mac"
[[signing_key]]
name = "codes"
alg = "hmac-sha256"
vault_key = "codes"
[[signing_key]]
name = "misfit"
alg = "hmac-sha256"
vault_key = "long-mac"
[[signing_key]]
name = "misspelt"
alg = "hmac-sha256"
vault_key = "codse"

[[sign_code]]
name = "raw"
profile = "raw-body"
header = "digest"
[[sign_code]]
name = "sorted"
profile = "sorted-parameters"
parameter = "sign"
encoding = "hex-upper"
timestamp = { parameter = "timestamp" }

[[route]]
name = "signed"
method = "POST"
path = "/signed/{kind}"
domain = "city"
receipt = ["request", "response"]
[[route.request]]
field = "$..national_id"
class = "national-id"
action = "tokenize"
[[route.verify]]
keys = ["partner-ed", "partner-mac"]
[[route.sign]]
key = "city-ed"
[[route.sign]]
on = "response"
key = "city-mac"

[[route]]
name = "coded"
path = "/coded"
domain = "city"
[[route.verify]]
sign_code = "raw"
keys = ["codes"]
[[route.sign]]
sign_code = "sorted"
key = "codes"

[[route]]
name = "misfit"
path = "/misfit"
domain = "city"
[[route.sign]]
key = "misfit"
[[route]]
name = "misspelt"
path = "/misspelt"
domain = "city"
[[route.sign]]
key = "misspelt"
[[route]]
name = "misspelt-check"
path = "/misspelt-check"
domain = "city"
[[route.verify]]
sign_code = "raw"
keys = ["misspelt"]

[vault]
"#;

pub(super) struct City {
    house: House,
    upstream: Upstream,
    port: u16,
    _running: Vec<Program>,
}

/// Where `tests/run.sh` has put the libraries.
pub(super) fn libraries() -> PathBuf {
    let home = std::env::var_os("JINKU_TEST_SIGNATURE_PEERS");
    home.expect("JINKU_TEST_SIGNATURE_PEERS names no libraries: run `bash tests/run.sh`, which provides them")
        .into()
}

impl City {
    pub(super) fn open(form: Form) -> Self {
        let mut house = House::install();
        let at = |name: &str| house.directory().join(name).display().to_string();
        openssl(&["genpkey", "-algorithm", "ed25519", "-out", &at("pair.pem")]);
        openssl(&[
            "pkey",
            "-in",
            &at("pair.pem"),
            "-pubout",
            "-out",
            &at("partner.pem"),
        ]);
        for (file, secret) in [("shared", PARTNER_SECRET), ("city", CITY_SECRET)] {
            std::fs::write(at(file), secret).unwrap();
        }
        house.edit("filter.toml", "[vault]\n", ROUTES);
        let keys = format!(
            "log_origin = \"jinku.example/development/node-1\"\n\n[vault.keys]\ncertificate = \"tls/{SIGNER}.pem\"\nkey = \"tls/{SIGNER}-key.pem\"\n\n[proxy]\nlisten"
        );
        house.edit("filter.toml", "\n[proxy]\nlisten", &keys);
        house.serve();
        new_key(&house, "ed25519", "city-ed", None);
        new_key(&house, "hmac-sha-512", "long-mac", None);
        for (alias, secret) in [
            ("partner-mac", PARTNER_SECRET),
            ("city-mac", CITY_SECRET),
            ("codes", CODE_SECRET),
        ] {
            new_key(&house, "hmac-sha-256", alias, Some(secret));
        }
        let upstream = Upstream::start(house.upstream_port());
        let (running, url) = plugged(form, &house);
        let port = url.rsplit(':').next().unwrap().parse().unwrap();
        Self {
            house,
            upstream,
            port,
            _running: running,
        }
    }

    pub(super) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    pub(super) fn audited(self) -> Vec<Value> {
        let mut house = self.house;
        house.audited()
    }

    /// What a partner's script prints, by lines.
    pub(super) fn partner(&self, script: &str) -> Vec<String> {
        let at = |name: &str| self.house.directory().join(name);
        let bearer = format!("Bearer {}", self.house.access_token("service-counter"));
        let told = json!({
            "libraries": libraries().join("python"),
            "port": self.port,
            "pair": at("pair.pem"),
            "shared": at("shared"),
            "city": at("city"),
            "body": sample("tax"),
            "bearer": bearer,
        });
        std::fs::write(at("told.json"), told.to_string()).unwrap();
        let mut command = Command::new("python3");
        command
            .args(["-W", "ignore", "-c", script])
            .arg(at("told.json"));
        let lines = printed(&mut command);
        lines.lines().map(str::to_owned).collect()
    }

    /// What a script of Node prints.
    pub(super) fn node(&self, script: &str, told: &Value) -> String {
        let at = |name: &str| self.house.directory().join(name);
        std::fs::write(at("script.js"), script).unwrap();
        std::fs::write(at("told.json"), told.to_string()).unwrap();
        let mut command = Command::new("node");
        command
            .env("NODE_PATH", libraries().join("node_modules"))
            .args([at("script.js"), at("told.json")]);
        printed(&mut command).trim().to_owned()
    }

    pub(super) fn public_pem(&self, key: &str) -> String {
        let reply = self
            .house
            .curl(Some(KEEPER), &format!("/v1/keys/{key}/public"), &[]);
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()["pem"].as_str().unwrap().to_owned()
    }

    /// A request with a code of the raw profile.
    pub(super) fn coded(&self, method: &str, path: &str, body: Option<&str>, code: &str) -> Reply {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let digest = format!("digest: {code}");
        let form = "content-type: application/x-www-form-urlencoded";
        let arguments = ["--request", method, "--header", &digest, "--header", form];
        match body {
            Some(body) => post_to(&url, &arguments, body.as_bytes()),
            None => House::curl_plain(&url, &arguments),
        }
    }
}

fn new_key(house: &House, kind: &str, alias: &str, secret: Option<&str>) {
    let ask = |path: &str, body: &Value| {
        let body = body.to_string();
        let reply = house.post(Some(KEEPER), path, &["--header", JSON], body.as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    };
    let origin = if secret.is_some() {
        "external"
    } else {
        "generated"
    };
    let mut wish = json!({ "kind": kind, "alias": alias, "tags": { "group": "settlement" } });
    if secret.is_some() {
        wish["origin"] = origin.into();
    }
    ask("/v1/keys", &wish);
    if let Some(secret) = secret {
        let given = ask(&format!("/v1/keys/{alias}/import-parameters"), &json!({}));
        let wrapped = wrapped(given["public_key"].as_str().unwrap(), secret.as_bytes());
        let body = json!({ "ticket": given["ticket"], "wrapped": STANDARD.encode(wrapped) });
        ask(&format!("/v1/keys/{alias}/import"), &body);
    }
}

pub(super) fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output();
    let output = output.expect("`openssl` is missing: install Debian's package openssl");
    assert!(output.status.success());
}

pub(super) fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}
