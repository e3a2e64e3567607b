//! The main job through the real Envoy: the example configuration, the same routes, and what happens
//! when a part is away. `tests/run.sh` provides the Envoy.

use std::process::Command;

use tests::{House, Program, Reply, Upstream, envoy, free_port, post_to, sample, workspace};

/// A city behind Envoy. `None` stands for a part that was taken away.
struct City {
    house: House,
    upstream: Upstream,
    filter: Option<Program>,
    url: String,
    _envoy: Program,
}

impl City {
    fn open() -> Self {
        let house = House::open();
        let upstream = Upstream::start(house.upstream_port());
        let (filter, address) = house.filter("ext-proc", "filter.toml", "ext-proc");
        let (port, admin) = (free_port(), free_port());
        let (_, filter_port) = address.rsplit_once(':').unwrap();
        let path = workspace().join("gateway-filter/examples/envoy.yaml");
        let settings = std::fs::read_to_string(path)
            .unwrap()
            .replace("@LISTEN_PORT@", &port.to_string())
            .replace("@ADMIN_PORT@", &admin.to_string())
            .replace("@EXT_PROC_PORT@", filter_port)
            .replace("@UPSTREAM_PORT@", &house.upstream_port().to_string());
        let file = house.directory().join("envoy.yaml");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new(envoy());
        command.arg("--config-path").arg(&file);
        command.args([
            "--concurrency",
            "1",
            "--use-dynamic-base-id",
            "--log-level",
            "warning",
        ]);
        let mut running = Program::start(&mut command, &house.directory().join("envoy.log"));
        running.wait_for(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        let url = format!("http://127.0.0.1:{port}");
        Self {
            house,
            upstream,
            filter: Some(filter),
            url,
            _envoy: running,
        }
    }

    fn post(&self, unit: &str, kind: &str, body: &str) -> Reply {
        let proof = format!("authorization: Bearer {}", self.house.access_token(unit));
        let headers = ["-H", "content-type: application/json", "-H", &proof];
        post_to(
            &format!("{}/payments/{kind}", self.url),
            &headers,
            body.as_bytes(),
        )
    }

    fn read(&self, unit: &str, purpose: &str) -> Reply {
        let proof = format!("authorization: Bearer {}", self.house.access_token(unit));
        let purpose = format!("jinku-purpose: {purpose}");
        let url = format!("{}/payments/tax", self.url);
        House::curl_plain(&url, &["-H", &proof, "-H", &purpose])
    }
}

/// A JSON text cut into string literals, quotes and all, and what stands between them.
fn literals(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut inside, mut escaped) = (Vec::new(), 0, false, false);
    for (place, byte) in text.bytes().enumerate() {
        if byte == b'"' && !escaped {
            let end = if inside { place + 1 } else { place };
            parts.push(&text[start..end]);
            (start, inside) = (end, !inside);
        }
        escaped = inside && byte == b'\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}

/// How many literals differ; everything between them, and all others, must be the same bytes.
#[track_caller]
fn swapped(sent: &str, arrived: &str) -> usize {
    let (sent, arrived) = (literals(sent), literals(arrived));
    assert_eq!(sent.len(), arrived.len(), "another shape arrived");
    let pairs = sent
        .iter()
        .zip(&arrived)
        .filter(|(sent, arrived)| sent != arrived);
    pairs
        .inspect(|(sent, arrived)| {
            let token = arrived.trim_matches('"');
            assert!(sent.starts_with('"'), "`{sent}` became `{arrived}`");
            assert!(vault::token::plausible(token), "`{arrived}` is no token");
        })
        .count()
}

#[test]
fn the_upstream_gets_tokens_and_each_unit_its_own_view() {
    let city = City::open();
    for (kind, values) in [("parking-fee", 8), ("medical-fee", 11), ("tax", 12)] {
        let record = sample(kind);
        let reply = city.post("service-counter", kind, &record);
        assert_eq!(reply.status, 200, "{kind}: {reply:?}");
        let seen = city.upstream.last();
        assert_eq!(swapped(&record, seen.text()), values, "{kind}");
        assert_eq!(seen.header("content-length"), [seen.body.len().to_string()]);
        assert!(
            seen.header("authorization").is_empty(),
            "the proof went on to the upstream"
        );
    }
    let tokens = city.upstream.last();
    let plain = city.read("tax-bureau", "tax-assessment");
    assert_eq!(plain.status, 200);
    assert!(
        plain.body.contains("F120000002") && plain.body.contains("陳樣本"),
        "{}",
        plain.body
    );
    let masked = city.read("parking-office", "parking-enforcement");
    assert!(masked.body.contains("F******002") && !masked.body.contains("F120000002"));
    let denied = city.read("public-library", "reader-registration");
    assert_eq!((denied.status, denied.body.as_str()), (200, tokens.text()));
}

#[test]
fn what_is_refused_never_reaches_the_upstream() {
    let mut city = City::open();
    let record = sample("tax");
    let url = format!("{}/payments/tax", city.url);
    let json = ["-H", "content-type: application/json"];
    let anonymous = post_to(&url, &json, record.as_bytes());
    assert_eq!(anonymous.status, 401, "{anonymous:?}");
    let forged = [&json[..], &["-H", "authorization: Bearer e30.e30.e30"]].concat();
    assert_eq!(post_to(&url, &forged, record.as_bytes()).status, 401);
    assert_eq!(city.post("public-library", "tax", &record).status, 403);
    let invalid = city.post(
        "service-counter",
        "tax",
        &record.replace("F120000002", "F120000003"),
    );
    assert_eq!(
        (invalid.status, invalid.code().as_str()),
        (422, "value-invalid")
    );
    assert_eq!(
        city.post("service-counter", "tax", "{\"a\":1,\"a\":2}")
            .status,
        400
    );
    let large = format!("{{\"padding\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    assert_eq!(city.post("service-counter", "tax", &large).status, 413);

    city.house.kill();
    let closed = city.post("service-counter", "tax", &record);
    assert!((500..600).contains(&closed.status), "{closed:?}");
    city.filter.take().unwrap().kill();
    let closed = city.post("service-counter", "tax", &record);
    assert!((500..600).contains(&closed.status), "{closed:?}");
    assert!(city.upstream.seen().is_empty(), "something went on");
}
