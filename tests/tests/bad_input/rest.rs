//! REST: RFC 9457 problems with a stable code.

use serde_json::json;
use tests::{House, Reply, has_entry};

use super::{ID, NAME, TAX, WRONG_ID, expect_problem, token};

const UNIT: Option<&str> = Some("tax-bureau");
const JSON: &str = "content-type: application/json";

pub(super) fn post(house: &House, path: &str, body: &str) -> Reply {
    house.post(UNIT, path, &["--header", JSON], body.as_bytes())
}

fn items(class: &str, values: &[&str]) -> String {
    let item = |value: &&str| json!({ "class": class, "value": value });
    let items: Vec<_> = values.iter().map(item).collect();
    json!({ "domain": "city", "items": items }).to_string()
}

/// What is sent, and the problem that it is.
type Row = (&'static str, Vec<u8>, u16, &'static str);

fn bodies() -> Vec<Row> {
    let row = |what, body: &str, status, code| (what, body.as_bytes().to_vec(), status, code);
    let nested = format!(r#"{{"domain":{}"#, "[".repeat(100_000));
    let nested_items = format!(r#"{{"domain":"city","items":{}"#, "[".repeat(100_000));
    vec![
        row(
            "not JSON",
            &format!("{{\"domain\":{NAME}"),
            400,
            "body-not-json",
        ),
        row("nothing", "", 400, "body-not-json"),
        row(
            "cut off",
            &items("name", &[NAME])[..40],
            400,
            "body-not-json",
        ),
        row(
            "two documents",
            &format!("{} {{}}", items("name", &[NAME])),
            400,
            "body-not-json",
        ),
        row("nested", &nested, 400, "body-shape"),
        row("nested items", &nested_items, 400, "body-shape"),
        row(
            "a key twice",
            &format!(r#"{{"domain":"city","domain":"{NAME}","items":[]}}"#),
            400,
            "body-shape",
        ),
        row(
            "a key twice, once escaped",
            &format!(
                r#"{{"domain":"city","items":[{{"class":"name","value":"{NAME}","valu\u0065":"x"}}]}}"#
            ),
            400,
            "body-shape",
        ),
        row(
            "an unknown key",
            &format!(r#"{{"domain":"city","items":[],"{NAME}":1}}"#),
            400,
            "body-shape",
        ),
        row(
            "a number as value",
            r#"{"domain":"city","items":[{"class":"name","value":456788}]}"#,
            400,
            "body-shape",
        ),
        (
            "invalid UTF-8",
            [
                &br#"{"domain":"city","items":[{"class":"name","value":""#[..],
                b"\xff\xfe\"}]}",
            ]
            .concat(),
            400,
            "body-not-json",
        ),
        row(
            "a wrong check digit",
            &items("national-id", &[WRONG_ID]),
            422,
            "value-invalid",
        ),
        row(
            "a wrong check digit after right ones",
            &items("national-id", &[ID, "B123456780", WRONG_ID]),
            422,
            "value-invalid",
        ),
        row(
            "a card that is none",
            &items("pan", &["4111111111111112"]),
            422,
            "value-invalid",
        ),
        row(
            "a token as value",
            &items("email", &["x@token.invalid"]),
            422,
            "value-invalid",
        ),
        row(
            "an empty value",
            &items("name", &[""]),
            422,
            "value-invalid",
        ),
        row(
            "a long value",
            &items("name", &[&NAME.repeat(1_000)]),
            422,
            "value-too-long",
        ),
        row(
            "an unknown class",
            &items("no-such-class", &[NAME]),
            422,
            "class-unknown",
        ),
        row(
            "an impossible class",
            &items(NAME, &[NAME]),
            422,
            "class-invalid",
        ),
        row(
            "an unknown domain",
            &items("name", &[NAME]).replace("city", "nowhere"),
            422,
            "domain-unknown",
        ),
        row(
            "an impossible domain",
            &items("name", &[NAME]).replace("city", NAME),
            422,
            "domain-invalid",
        ),
        row(
            "a class of another domain",
            &items("diagnosis", &[NAME]).replace("city", "bank"),
            422,
            "class-unknown",
        ),
        row("an empty batch", &items("name", &[]), 422, "batch-empty"),
        row(
            "an over-long batch",
            &items("name", &[NAME; 1_001]),
            422,
            "batch-too-long",
        ),
    ]
}

#[test]
fn a_bad_tokenize_body_is_a_problem_and_stores_nothing() {
    let mut house = House::open();
    let kept = token(&house, "city", "name", NAME);
    let rows = house.rows();
    assert_eq!(rows, 1);
    for (what, body, status, code) in bodies() {
        let reply = house.post(UNIT, "/v1/tokenize", &["--header", JSON], &body);
        expect_problem(what, &reply, status, code);
        assert_eq!(house.rows(), rows, "{what}: something was stored");
    }
    // The place of the wrong item is told, its value is not.
    let reply = post(
        &house,
        "/v1/tokenize",
        &items("national-id", &[ID, WRONG_ID]),
    );
    assert_eq!(reply.json()["item"], 1);
    assert_eq!(house.rows(), rows);
    // Nothing of it harmed the vault.
    assert_eq!(
        post(&house, "/v1/tokenize", &items("name", &[NAME; 1_000])).status,
        200
    );
    assert_eq!(house.rows(), rows + 1_000);
    let entries = house.audited();
    for reason in ["class-unknown", "domain-unknown"] {
        let facts = [
            ("operation", "tokenize"),
            ("outcome", "denied"),
            ("unit", "tax-bureau"),
            ("reason", reason),
        ];
        assert!(has_entry(&entries, &facts), "no entry says {reason}");
    }
    drop(kept);
}

#[test]
fn a_request_that_is_too_large_or_of_another_kind_is_a_problem() {
    let mut house = House::install();
    house.edit(
        "jinku.toml",
        "[ledger]",
        "[limits]\nheader_bytes_max = 8192\n\n[ledger]",
    );
    house.serve();
    let good = items("name", &[NAME]);
    let send = |arguments: &[&str], body: &[u8]| house.post(UNIT, "/v1/tokenize", arguments, body);
    for kind in [
        "content-type: text/plain",
        "content-type: application/x-www-form-urlencoded",
        "content-type;",
        "content-type: application/jsonp",
    ] {
        expect_problem(
            kind,
            &send(&["--header", kind], good.as_bytes()),
            415,
            "media-type",
        );
    }
    let packed = send(
        &["--header", JSON, "--header", "content-encoding: gzip"],
        good.as_bytes(),
    );
    expect_problem("gzip", &packed, 415, "media-type");
    // Just over: a sender that is refused while it still sends may miss the answer.
    let fitting = [good.as_bytes(), &vec![b' '; 1_048_576 - good.len()]].concat();
    let large = [&fitting[..], b" "].concat();
    let chunked = ["--header", JSON, "--header", "transfer-encoding: chunked"];
    for arguments in [&["--header", JSON][..], &chunked] {
        expect_problem(
            "over the limit",
            &send(arguments, &large),
            413,
            "body-too-large",
        );
        assert_eq!(house.rows(), 0);
    }
    // In one TLS record, so that it was sent whole when it is refused.
    let long = format!("x-long: {}", "x".repeat(10_000));
    for version in ["--http1.1", "--http2"] {
        let arguments = ["--request", "POST", "--header", &long, version];
        let reply = house.curl(UNIT, "/v1/tokenize", &arguments);
        assert_eq!(reply.status, 431, "{version}: {reply:?}");
    }
    assert_eq!(house.rows(), 0);
    assert_eq!(send(&chunked, &fitting).status, 200);
    assert_eq!(
        send(
            &["--header", "content-type: Application/JSON; charset=utf-8"],
            good.as_bytes()
        )
        .status,
        200
    );
}

#[test]
fn a_body_has_one_spelling() {
    let house = House::open();
    let body = format!(r#"["city",[["name","{NAME}"]]]"#);
    let reply = post(&house, "/v1/tokenize", &body);
    expect_problem("an array", &reply, 400, "body-shape");
    assert_eq!(house.rows(), 0);
}

#[test]
fn an_unknown_path_and_a_wrong_method_are_problems() {
    let house = House::open();
    for path in [
        "/",
        "/v1",
        "/v1/tokenise",
        "/v1/tokenize/",
        "/v2/tokenize",
        "/jinku.v1.Other/Tokenize",
    ] {
        expect_problem(path, &post(&house, path, "{}"), 404, "path-unknown");
        expect_problem(path, &house.curl(None, path, &[]), 404, "path-unknown");
    }
    for path in ["/v1/tokenize", "/v1/detokenize"] {
        for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
            let reply = house.curl(UNIT, path, &["--request", method]);
            expect_problem(method, &reply, 405, "method");
        }
        assert_eq!(house.curl(None, path, &[]).status, 401);
    }
}

#[test]
fn a_bad_detokenize_body_is_a_problem() {
    let mut house = House::open();
    let token = token(&house, "city", "name", NAME);
    let body = |purpose: &str, tokens: &[&str]| {
        json!({ "domain": "city", "purpose": purpose, "tokens": tokens }).to_string()
    };
    let long = "x".repeat(257);
    let many = vec![token.as_str(); 1_001];
    let rows = [
        (
            "no purpose",
            json!({ "domain": "city", "tokens": [token] }).to_string(),
            400,
            "purpose-missing",
        ),
        (
            "an empty purpose",
            body("", &[&token]),
            400,
            "purpose-missing",
        ),
        (
            "an impossible purpose",
            body("Tax Assessment", &[&token]),
            422,
            "purpose-invalid",
        ),
        (
            "a purpose of nobody's",
            body("curiosity", &[&token]),
            403,
            "not-permitted",
        ),
        (
            "an unknown domain",
            body(TAX, &[&token]).replace("city", "nowhere"),
            422,
            "domain-unknown",
        ),
        ("an empty batch", body(TAX, &[]), 422, "batch-empty"),
        (
            "an over-long batch",
            body(TAX, &many),
            422,
            "batch-too-long",
        ),
        (
            "an over-long token",
            body(TAX, &[&token, &long]),
            422,
            "token-too-long",
        ),
        (
            "a class beside the token",
            body(TAX, &[&token]).replace("domain", "class"),
            400,
            "body-shape",
        ),
    ];
    for (what, body, status, code) in rows {
        let reply = post(&house, "/v1/detokenize", &body);
        expect_problem(what, &reply, status, code);
        assert!(!reply.body.contains(&token), "{what}: {reply:?}");
    }
    let good = post(&house, "/v1/detokenize", &body(TAX, &[&token]));
    assert_eq!(good.json()["items"][0]["value"], NAME);
    let entries = house.audited();
    let denied = [
        ("operation", "detokenize"),
        ("outcome", "denied"),
        ("unit", "tax-bureau"),
        ("domain", "city"),
        ("purpose", "curiosity"),
        ("reason", "not-permitted"),
    ];
    assert!(has_entry(&entries, &denied));
}

#[test]
fn a_token_of_another_domain_looks_absent() {
    let house = House::open();
    let ask = |domain: &str, token: &str| {
        let body = json!({ "domain": domain, "purpose": TAX, "tokens": [token] });
        let reply = post(&house, "/v1/detokenize", &body.to_string());
        assert_eq!(reply.status, 200, "{reply:?}");
        // Only the entry's number may differ.
        let mut answer = reply.json();
        assert!(answer["entry"].take().is_u64());
        answer.to_string()
    };
    let of_bank = token(&house, "bank", "national-id", ID);
    assert!(ask("bank", &of_bank).contains(ID));
    let absent = ask("city", "Z300000000");
    assert_eq!(
        absent,
        r#"{"items":[{"view":"not-available"}],"entry":null}"#
    );
    for stranger in [
        of_bank.as_str(),
        "",
        "x",
        ID,
        NAME,
        "tok_AAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert_eq!(ask("city", stranger), absent, "{stranger}");
    }
}
