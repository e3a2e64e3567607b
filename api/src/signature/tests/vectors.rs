//! RFC 9421's appendix B.2 and its examples of sections 2.1 and 2.2: each base as printed, and the signatures of the
//! algorithms that count here.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, StatusCode};
use ring::{hmac, signature};

use super::headers;
use crate::signature::{Message, SignatureFault, signatures};

const DIGEST: &str = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
const ANSWER_DIGEST: &str = "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:";
/// Section B.1.5.
const SHARED: &str =
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
/// Section B.1.4.
const ED25519: &str = "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs";

/// The request of section B.2, with a signature.
fn request(input: &str, value: &str) -> HeaderMap {
    headers(&[
        ("host", "example.com"),
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("content-type", "application/json"),
        ("content-digest", DIGEST),
        ("content-length", "18"),
        ("signature-input", input),
        ("signature", value),
    ])
}

/// Its base, which must be as printed, and the signature.
fn base_of(fields: &HeaderMap, lines: &[&str]) -> (String, Vec<u8>) {
    let message = Message::request(
        &Method::POST,
        "https",
        "example.com",
        "/foo?param=Value&Pet=dog",
        fields,
    );
    let signed = signatures(fields).unwrap().remove(0);
    let base = signed.base(&message.unwrap()).unwrap();
    assert_eq!(base, lines.join("\n"));
    (base, signed.signature().to_vec())
}

#[test]
fn b_2_1_minimal() {
    let written =
        r#"();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#;
    let fields = request(&format!("sig-b21={written}"), "sig-b21=:AA==:");
    base_of(&fields, &[&format!("\"@signature-params\": {written}")]);
}

#[test]
fn b_2_2_selective() {
    let written = r#"("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example""#;
    let fields = request(&format!("sig-b22={written}"), "sig-b22=:AA==:");
    base_of(
        &fields,
        &[
            r#""@authority": example.com"#,
            &format!("\"content-digest\": {DIGEST}"),
            r#""@query-param";name="Pet": dog"#,
            &format!("\"@signature-params\": {written}"),
        ],
    );
}

#[test]
fn b_2_3_full() {
    let written = r#"("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#;
    let fields = request(&format!("sig-b23={written}"), "sig-b23=:AA==:");
    base_of(
        &fields,
        &[
            r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
            r#""@method": POST"#,
            r#""@path": /foo"#,
            r#""@query": ?param=Value&Pet=dog"#,
            r#""@authority": example.com"#,
            r#""content-type": application/json"#,
            &format!("\"content-digest\": {DIGEST}"),
            r#""content-length": 18"#,
            &format!("\"@signature-params\": {written}"),
        ],
    );
}

#[test]
fn b_2_4_a_response() {
    let written = r#"("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256""#;
    let fields = headers(&[
        ("content-type", "application/json"),
        ("content-digest", ANSWER_DIGEST),
        ("content-length", "23"),
        ("signature-input", &format!("sig-b24={written}")),
        ("signature", "sig-b24=:AA==:"),
    ]);
    let message = Message::response(StatusCode::OK, &fields);
    let base = signatures(&fields).unwrap().remove(0).base(&message);
    let lines = [
        r#""@status": 200"#,
        r#""content-type": application/json"#,
        &format!("\"content-digest\": {ANSWER_DIGEST}"),
        r#""content-length": 23"#,
        &format!("\"@signature-params\": {written}"),
    ];
    assert_eq!(base.unwrap(), lines.join("\n"));
}

#[test]
fn b_2_5_hmac_sha256() {
    let written =
        r#"("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#;
    let value = "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:";
    let (base, tag) = base_of(
        &request(&format!("sig-b25={written}"), value),
        &[
            r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
            r#""@authority": example.com"#,
            r#""content-type": application/json"#,
            &format!("\"@signature-params\": {written}"),
        ],
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(SHARED).unwrap());
    hmac::verify(&key, base.as_bytes(), &tag).unwrap();
}

#[test]
fn b_2_6_ed25519() {
    let written = r#"("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#;
    let value = "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";
    let (base, made) = base_of(
        &request(&format!("sig-b26={written}"), value),
        &[
            r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
            r#""@method": POST"#,
            r#""@path": /foo"#,
            r#""@authority": example.com"#,
            r#""content-type": application/json"#,
            r#""content-length": 18"#,
            &format!("\"@signature-params\": {written}"),
        ],
    );
    let key = URL_SAFE_NO_PAD.decode(ED25519).unwrap();
    let key = signature::UnparsedPublicKey::new(&signature::ED25519, key);
    key.verify(base.as_bytes(), &made).unwrap();
}

/// One component's line, of a request for this target.
fn line(target: &str, fields: &[(&str, &str)], identifier: &str) -> Result<String, SignatureFault> {
    let input = format!("s=({identifier})");
    let signature = [
        ("signature-input", input.as_str()),
        ("signature", "s=:AA==:"),
    ];
    let fields = headers(&[fields, &signature[..]].concat());
    let message = Message::request(
        &Method::POST,
        "https",
        "www.Example.com:443",
        target,
        &fields,
    )?;
    let base = signatures(&fields)?.remove(0).base(&message)?;
    let (first, _) = base.split_once('\n').unwrap();
    Ok(first.to_owned())
}

#[test]
fn section_2_1_fields() {
    let fields = [
        ("x-ows-header", "  Leading and trailing whitespace.   "),
        ("cache-control", "max-age=60"),
        ("cache-control", "   must-revalidate"),
        ("example-dict", " a=1,    b=2;x=1;y=2,   c=(a   b   c),   d"),
        ("x-empty-header", ""),
        ("example-header", "value, with, lots"),
        ("example-header", "of, commas"),
        ("priority", "u=1,   i"),
    ];
    for (identifier, value) in [
        (r#""x-ows-header""#, "Leading and trailing whitespace."),
        (r#""cache-control""#, "max-age=60, must-revalidate"),
        (
            r#""example-dict""#,
            "a=1,    b=2;x=1;y=2,   c=(a   b   c),   d",
        ),
        (r#""x-empty-header""#, ""),
        (r#""example-dict";key="a""#, "1"),
        (r#""example-dict";key="b""#, "2;x=1;y=2"),
        (r#""example-dict";key="c""#, "(a b c)"),
        (r#""example-dict";key="d""#, "?1"),
        (
            r#""example-header";bs"#,
            ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:",
        ),
        (r#""priority";sf"#, "u=1, i"),
    ] {
        let expected = format!("{identifier}: {value}");
        assert_eq!(line("/", &fields, identifier), Ok(expected));
    }
}

#[test]
fn section_2_2_derived_components() {
    let target = "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&qux=";
    for (identifier, value) in [
        (
            r#""@query-param";name="var""#,
            "this%20is%20a%20big%0Amultiline%20value",
        ),
        (r#""@query-param";name="bar""#, "with%20plus%20whitespace"),
        (r#""@query-param";name="fa%C3%A7ade%22%3A%20""#, "something"),
        (r#""@query-param";name="qux""#, ""),
        (r#""@path""#, "/parameters"),
        (r#""@scheme""#, "https"),
        (r#""@authority""#, "www.example.com"),
    ] {
        let expected = format!("{identifier}: {value}");
        assert_eq!(line(target, &[], identifier), Ok(expected));
    }
    let target = "/path?param=value&foo=bar&baz=batman";
    let whole = format!("\"@target-uri\": https://www.example.com{target}");
    assert_eq!(line(target, &[], r#""@target-uri""#), Ok(whole));
    let origin = format!("\"@request-target\": {target}");
    assert_eq!(line(target, &[], r#""@request-target""#), Ok(origin));
    assert_eq!(
        line("/path", &[], r#""@query""#),
        Ok("\"@query\": ?".to_owned())
    );
    assert_eq!(line("", &[], r#""@path""#), Ok("\"@path\": /".to_owned()));
}
