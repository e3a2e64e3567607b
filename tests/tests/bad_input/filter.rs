//! The gateway filter: a problem for the sender, and nothing for the upstream.

use tests::{House, Upstream, has_entry, post_to, sample};

use super::{ID, NAME, TAX, WRONG_ID, expect_problem};

const JSON: &str = "content-type: application/json";

fn bearer(house: &House, unit: &str) -> String {
    format!("authorization: Bearer {}", house.access_token(unit))
}

/// What is sent, with which content type, and the problem that it is.
type Row = (&'static str, &'static str, Vec<u8>, u16, &'static str);

fn bodies() -> Vec<Row> {
    let row = |what, body: &str, status, code| (what, JSON, body.as_bytes().to_vec(), status, code);
    let person = |id: &str| format!(r#"{{"payer":{{"name":"{NAME}","national_id":"{id}"}}}}"#);
    let deep = |depth: usize| {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"payer":{{"name":"{NAME}"}},"x":{nested}}}"#)
    };
    let fields = vec![format!(r#"{{"mobile":"0912{NAME}"}}"#); 257].join(",");
    // Just over: a sender that is refused while it still sends may miss the answer.
    let large = format!("{}{}", person(ID), " ".repeat(1_048_577 - person(ID).len()));
    let invalid = [&br#"{"national_id":""#[..], b"\xff\xfe\"}"].concat();
    let many = format!("[{}1]", "1,".repeat(70_000));
    vec![
        row("not JSON", &format!("name={NAME}"), 400, "json-invalid"),
        row("cut off", &person(ID)[..30], 400, "json-invalid"),
        row(
            "two documents",
            &format!("{}{{}}", person(ID)),
            400,
            "json-invalid",
        ),
        row(
            "a lone surrogate",
            r#"{"national_id":"\ud800"}"#,
            400,
            "json-invalid",
        ),
        ("invalid UTF-8", JSON, invalid, 400, "body-not-utf8"),
        row("nested", &deep(64), 400, "body-too-deep"),
        row("nested a lot", &deep(100_000), 400, "body-too-deep"),
        row(
            "a key twice",
            &format!(r#"{{"national_id":"{ID}","national_id":"x"}}"#),
            400,
            "json-duplicate-key",
        ),
        row(
            "a key twice, once escaped",
            &format!(r#"{{"x":1,"national_id":"{ID}","national\u005fid":"x"}}"#),
            400,
            "json-duplicate-key",
        ),
        row(
            "a key twice where nobody looks",
            &format!(r#"{{"national_id":"{ID}","x":{{"a":1,"\u0061":2}}}}"#),
            400,
            "json-duplicate-key",
        ),
        row(
            "a number where a string belongs",
            r#"{"national_id":456788}"#,
            422,
            "field-not-a-string",
        ),
        row(
            "an object where a string belongs",
            &format!(r#"{{"national_id":{{"id":"{ID}"}}}}"#),
            422,
            "field-not-a-string",
        ),
        row(
            "too many fields",
            &format!("[{fields}]"),
            413,
            "fields-exceeded",
        ),
        row("too many values", &many, 413, "body-nodes-exceeded"),
        row("over the limit", &large, 413, "body-too-large"),
        row(
            "a wrong check digit",
            &person(WRONG_ID),
            422,
            "value-invalid",
        ),
        row("an empty value", &person(""), 422, "value-invalid"),
        (
            "another content type",
            "content-type: text/plain",
            person(ID).into_bytes(),
            415,
            "media-type-unsupported",
        ),
        (
            "another charset",
            "content-type: application/json; charset=big5",
            person(ID).into_bytes(),
            415,
            "media-type-unsupported",
        ),
        (
            "no content type",
            "content-type;",
            person(ID).into_bytes(),
            415,
            "media-type-unsupported",
        ),
        (
            "compressed in a way that nobody reads here",
            "content-type: application/json\ncontent-encoding: compress",
            person(ID).into_bytes(),
            415,
            "content-encoding-unsupported",
        ),
        (
            "not compressed as it says",
            "content-type: application/json\ncontent-encoding: gzip",
            person(ID).into_bytes(),
            400,
            "content-coding-invalid",
        ),
    ]
}

#[test]
fn a_refused_body_stores_nothing_and_never_reaches_the_upstream() {
    let mut house = House::open();
    let upstream = Upstream::start(house.upstream_port());
    let proxy = house.proxy();
    let bearer = bearer(&house, "service-counter");
    let url = format!("{}/payments/parking-fee", house.gateway_url());
    for (what, kind, body, status, code) in bodies() {
        let mut headers = vec!["--header", &bearer];
        headers.extend(kind.lines().flat_map(|line| ["--header", line]));
        let reply = post_to(&url, &headers, &body);
        expect_problem(what, &reply, status, code);
        headers.extend(["--header", "transfer-encoding: chunked"]);
        expect_problem(what, &post_to(&url, &headers, &body), status, code);
        assert_eq!(house.rows(), 0, "{what}: something was stored");
        assert!(upstream.seen().is_empty(), "{what}: the upstream got it");
    }
    let good = post_to(
        &url,
        &["--header", JSON, "--header", &bearer],
        sample("parking-fee").as_bytes(),
    );
    assert_eq!(good.status, 200, "{good:?}");
    assert_eq!(upstream.seen().len(), 1);
    assert!(!upstream.last().text().contains(ID));
    assert_eq!(upstream.last().header("authorization"), Vec::<&str>::new());
    drop(proxy);
    let entries = house.audited();
    let through = [
        ("operation", "tokenize"),
        ("outcome", "ok"),
        ("unit", "service-counter"),
        ("gateway", "city-gateway"),
    ];
    assert!(has_entry(&entries, &through));
}

#[test]
fn a_refused_request_never_reaches_the_upstream() {
    let mut house = House::open();
    let upstream = Upstream::start(house.upstream_port());
    let proxy = house.proxy();
    let gateway = house.gateway_url();
    let tax = bearer(&house, "tax-bureau");
    let library = bearer(&house, "public-library");
    let get = |path: &str, more: &[&str]| {
        House::curl_plain(
            &format!("{gateway}{path}"),
            &[&["--header", &tax], more].concat(),
        )
    };
    expect_problem(
        "an unknown path",
        &get("/elsewhere", &[]),
        404,
        "route-unmatched",
    );
    let delete = get("/payments/tax", &["--request", "DELETE"]);
    expect_problem("a wrong method", &delete, 404, "route-unmatched");
    for path in [
        "/payments//tax",
        "/payments/%2e%2e/tax",
        "/payments%2Ftax",
        "/x/../payments/tax",
        "/payments/%5ctax",
    ] {
        let reply = get(path, &["--path-as-is"]);
        expect_problem(path, &reply, 400, "path-ambiguous");
    }
    expect_problem(
        "no purpose",
        &get("/payments/tax", &[]),
        400,
        "purpose-missing",
    );
    let twice = [
        "--header",
        "jinku-purpose: tax-assessment",
        "--header",
        "jinku-purpose: x",
    ];
    expect_problem(
        "two purposes",
        &get("/payments/tax", &twice),
        400,
        "header-repeated",
    );
    let denied = post_to(
        &format!("{gateway}/payments/tax"),
        &["--header", JSON, "--header", &library],
        sample("tax").as_bytes(),
    );
    expect_problem("a unit that may not", &denied, 403, "not-permitted");
    assert!(upstream.seen().is_empty());
    assert_eq!(house.rows(), 0);
    drop(proxy);
    let facts = [
        ("operation", "tokenize"),
        ("outcome", "denied"),
        ("unit", "public-library"),
        ("gateway", "city-gateway"),
        ("reason", "not-permitted"),
    ];
    assert!(has_entry(&house.audited(), &facts));
}

#[test]
fn a_route_of_an_unknown_class_or_domain_refuses() {
    let house = House::open();
    let upstream = Upstream::start(house.upstream_port());
    let tax = bearer(&house, "tax-bureau");
    let routes = std::fs::read_to_string(house.directory().join("filter.toml")).unwrap();
    let rows = [
        (
            r#"class = "name""#,
            r#"class = "no-such-class""#,
            "class-unknown",
        ),
        (
            r#"domain = "city""#,
            r#"domain = "nowhere""#,
            "domain-unknown",
        ),
    ];
    for (from, to, code) in rows {
        std::fs::write(house.directory().join("odd.toml"), routes.replace(from, to)).unwrap();
        let (_proxy, address) = house.filter("proxy", "odd.toml", "odd");
        let body = format!(r#"{{"payer":{{"name":"{NAME}"}}}}"#);
        let url = format!("http://{address}/payments/tax");
        let reply = post_to(&url, &["--header", JSON, "--header", &tax], body.as_bytes());
        expect_problem(code, &reply, 422, code);
    }
    assert!(upstream.seen().is_empty());
    assert_eq!(house.rows(), 0);
}

#[test]
fn a_vault_that_is_away_closes_the_gateway() {
    let mut house = House::open();
    let upstream = Upstream::start(house.upstream_port());
    let _proxy = house.proxy();
    let tax = bearer(&house, "tax-bureau");
    house.kill();
    let url = format!("{}/payments/tax", house.gateway_url());
    let reply = post_to(
        &url,
        &["--header", JSON, "--header", &tax],
        sample("tax").as_bytes(),
    );
    expect_problem("away", &reply, 503, "vault-unavailable");
    assert!(upstream.seen().is_empty());
    house.serve();
    let reply = post_to(
        &url,
        &["--header", JSON, "--header", &tax],
        sample("tax").as_bytes(),
    );
    assert_eq!(reply.status, 200, "{reply:?}");
    house.kill();
    // The upstream may be asked for tokens; the unit gets no answer that nobody checked.
    let purpose = format!("jinku-purpose: {TAX}");
    let reply = House::curl_plain(&url, &["--header", &tax, "--header", &purpose]);
    expect_problem("away on the way back", &reply, 503, "vault-unavailable");
}
