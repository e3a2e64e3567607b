//! The main job through the real Envoy: `jinku-filter ext-proc` beside it, the same routes file.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tests::{
    House, Program, Reply, Upstream, envoy, free_port, has_entry, post_to, sample, workspace,
};

const JSON: &str = "content-type: application/json";
const KINDS: [&str; 3] = ["parking-fee", "medical-fee", "tax"];

/// Keys whose strings the sample routes select, and the parents of a `name` that is a person's.
const SELECTED: [&str; 11] = [
    "national_id",
    "mobile",
    "email",
    "address",
    "pan",
    "bank_account",
    "medical_record_no",
    "diagnosis",
    "case_note",
    "plate_no",
    "name",
];
const PERSONS: [&str; 3] = ["payer", "patient", "household"];

/// A city's gateway: Envoy, the filter beside it, the vault, an upstream.
struct City {
    house: House,
    upstream: Upstream,
    processor: Option<Program>,
    url: String,
    _envoy: Program,
}

impl City {
    fn open() -> Self {
        let house = House::open();
        let upstream = Upstream::start(house.upstream_port());
        let (processor, address) = house.filter("ext-proc", "filter.toml", "ext-proc");
        let port = address.rsplit(':').next().unwrap();
        let (envoy, url) = start_envoy(&house, port);
        Self {
            house,
            upstream,
            processor: Some(processor),
            url,
            _envoy: envoy,
        }
    }

    fn bearer(&self, unit: &str) -> String {
        format!("authorization: Bearer {}", self.house.access_token(unit))
    }

    fn submit(&self, kind: &str, more: &[&str], body: &[u8]) -> Reply {
        let arguments = [&["--header", JSON], more].concat();
        post_to(&format!("{}/payments/{kind}", self.url), &arguments, body)
    }

    fn read(&self, unit: &str, purpose: &str) -> Reply {
        let (bearer, purpose) = (self.bearer(unit), format!("jinku-purpose: {purpose}"));
        let arguments = ["--header", &bearer, "--header", &purpose];
        House::curl_plain(&format!("{}/payments/7", self.url), &arguments)
    }
}

/// The example configuration with its ports, run by the real Envoy.
fn start_envoy(house: &House, processor_port: &str) -> (Program, String) {
    let (listen, admin) = (free_port(), free_port());
    let example = std::fs::read_to_string(workspace().join("gateway-filter/examples/envoy.yaml"));
    let yaml = example
        .unwrap()
        .replace("@LISTEN_PORT@", &listen.to_string())
        .replace("@ADMIN_PORT@", &admin.to_string())
        .replace("@EXT_PROC_PORT@", processor_port)
        .replace("@UPSTREAM_PORT@", &house.upstream_port().to_string());
    let file = house.directory().join("envoy.yaml");
    std::fs::write(&file, yaml).unwrap();
    let log = house.directory().join("envoy.log");
    let mut command = Command::new(envoy());
    command
        .args(["--concurrency", "1", "--use-dynamic-base-id", "-c"])
        .arg(file);
    let mut program = Program::start(&mut command, &log);
    program.wait_for(|| says(&log, "all dependencies initialized. starting workers"));
    (program, format!("http://127.0.0.1:{listen}"))
}

fn says(log: &Path, words: &str) -> bool {
    std::fs::read_to_string(log).is_ok_and(|text| text.contains(words))
}

/// Every string that the routes select, in the document's order.
fn selected(document: &Value) -> Vec<String> {
    fn walk(way: &[&str], value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    walk(&[way, &[name]].concat(), field, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(way, item, found)),
            Value::String(text) => {
                let owner = way.len().checked_sub(2).map_or("", |place| way[place]);
                let name = way.last().copied().unwrap_or_default();
                if SELECTED.contains(&name) && (name != "name" || PERSONS.contains(&owner)) {
                    found.push(text.clone());
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&[], document, &mut found);
    found
}

/// The string literal that starts at a quote: its length in bytes, quotes included.
fn literal(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, next)| {
        let quote = *next == '"' && !escaped;
        escaped = *next == '\\' && !escaped;
        quote
    });
    end.unwrap().0 + 1
}

/// The document with its selected literals cut out: each by the value it spells, in order.
fn outside(text: &str, values: &[String]) -> String {
    let (mut rest, mut kept) = (text, String::new());
    let mut values = values.iter().peekable();
    while let Some(start) = rest.find('"') {
        let (before, from) = rest.split_at(start);
        let (spelt, after) = from.split_at(literal(from));
        let value: String = serde_json::from_str(spelt).unwrap();
        kept.push_str(before);
        let is_key = after.trim_start().starts_with(':');
        if !is_key && values.peek() == Some(&&value) {
            values.next();
            kept.push('\u{fffc}');
        } else {
            kept.push_str(spelt);
        }
        rest = after;
    }
    assert!(values.next().is_none(), "a selected value was not found");
    kept + rest
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn only_tokens_reach_the_upstream_and_each_unit_sees_its_view() {
    let mut city = City::open();
    let bearer = city.bearer("service-counter");
    for kind in KINDS {
        let body = sample(kind);
        let reply = city.submit(kind, &["--header", &bearer], body.as_bytes());
        assert_eq!(reply.status, 200, "{reply:?}");
        let seen = city.upstream.last();
        let (before, after) = (selected(&parsed(&body)), selected(&parsed(seen.text())));
        assert!(before.len() >= 7, "{before:?}");
        assert_eq!(before.len(), after.len());
        for (value, token) in before.iter().zip(&after) {
            assert_ne!(value, token);
            assert!(
                !seen.text().contains(value.as_str()),
                "{kind}: {value} went on"
            );
        }
        assert_eq!(
            outside(&body, &before),
            outside(seen.text(), &after),
            "{kind}"
        );
        assert_eq!(seen.header("content-length"), [seen.body.len().to_string()]);
        assert_eq!(seen.target, format!("POST /payments/{kind}"));
        // The unit's proof is for the vault: it ends at the filter.
        assert_eq!(seen.header("authorization"), Vec::<&str>::new());

        let plain = parsed(&city.read("tax-bureau", "tax-assessment").body);
        assert_eq!(plain["payer"], parsed(&body)["payer"], "{kind}");
        let masked = parsed(&city.read("parking-office", "parking-enforcement").body);
        let id = parsed(&body)["payer"]["national_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let shown = masked["payer"]["national_id"].as_str().unwrap();
        assert_eq!(shown, format!("{}******{}", &id[..1], &id[7..]), "{kind}");
        let library = city.read("public-library", "tax-assessment");
        assert_eq!(
            (library.status, library.body.as_bytes()),
            (200, &seen.body[..]),
            "{kind}"
        );
    }
    city.processor = None;
    let entries = city.house.audited();
    let facts = [
        ("gateway", "city-gateway"),
        ("outcome", "ok"),
        ("operation", "detokenize"),
        ("unit", "tax-bureau"),
    ];
    assert!(has_entry(&entries, &facts));
    let facts = [
        ("gateway", "city-gateway"),
        ("outcome", "denied"),
        ("reason", "not-permitted"),
        ("unit", "public-library"),
    ];
    assert!(has_entry(&entries, &facts));
}

#[test]
fn a_refused_request_never_reaches_the_upstream() {
    let city = City::open();
    let body = sample("tax");
    let good = city.bearer("service-counter");
    let expect = |reply: &Reply, status: u16, code: &str| {
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (status, code),
            "{reply:?}"
        );
        assert!(!reply.body.contains("F120000002") && !reply.body.contains("陳樣本"));
    };
    expect(
        &city.submit("tax", &[], body.as_bytes()),
        401,
        "gateway-alone",
    );
    let wrong = format!("{good}x");
    expect(
        &city.submit("tax", &["--header", &wrong], body.as_bytes()),
        401,
        "token-invalid",
    );
    let library = city.bearer("public-library");
    expect(
        &city.submit("tax", &["--header", &library], body.as_bytes()),
        403,
        "not-permitted",
    );
    let header = ["--header", good.as_str()];
    let odd = body.replace("F120000002", "F120000003");
    expect(
        &city.submit("tax", &header, odd.as_bytes()),
        422,
        "value-invalid",
    );
    expect(
        &city.submit("tax", &header, &body.as_bytes()[..99]),
        400,
        "json-invalid",
    );
    let twice = body.replacen('{', "{\"\\u006bind\":1,", 1);
    expect(
        &city.submit("tax", &header, twice.as_bytes()),
        400,
        "json-duplicate-key",
    );
    let large = body.replacen('{', &format!("{{{}", " ".repeat(1_048_577)), 1);
    expect(
        &city.submit("tax", &header, large.as_bytes()),
        413,
        "body-too-large",
    );
    let chunked = [&header[..], &["--header", "transfer-encoding: chunked"]].concat();
    let reply = city.submit("tax", &chunked, large.as_bytes());
    assert_eq!(reply.status, 413, "Envoy's own answer: {reply:?}");
    assert_eq!(city.upstream.seen().len(), 0);
    assert_eq!(city.house.rows(), 0);
    assert_eq!(city.submit("tax", &header, body.as_bytes()).status, 200);
}

#[test]
fn a_vault_or_processor_that_is_away_closes_the_gateway() {
    let mut city = City::open();
    let body = sample("parking-fee");
    let bearer = city.bearer("service-counter");
    let header = ["--header", bearer.as_str()];
    assert_eq!(
        city.submit("parking-fee", &header, body.as_bytes()).status,
        200
    );
    assert_eq!(city.upstream.seen().len(), 1);

    city.house.kill();
    let reply = city.submit("parking-fee", &header, body.as_bytes());
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (503, "vault-unavailable")
    );
    city.house.serve();
    assert_eq!(
        city.submit("parking-fee", &header, body.as_bytes()).status,
        200
    );
    assert_eq!(city.upstream.seen().len(), 2);

    city.processor.take().unwrap().kill();
    for _ in 0..3 {
        let reply = city.submit("parking-fee", &header, body.as_bytes());
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(!reply.body.contains("A123456789"));
    }
    assert_eq!(city.upstream.seen().len(), 2);
}
