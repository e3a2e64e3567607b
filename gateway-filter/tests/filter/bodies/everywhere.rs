//! What no kind of body may hold or be, in each kind of body: bytes that are no UTF-8, bodies of another kind than
//! they say, codings that explode, and more fields than a rule may select.

use std::io::Write as _;

use bytes::Bytes;
use gateway_filter::{Filter, Media, Problem, RequestHead, Settings};
use http::Method;

use super::{BOUNDARY, SETTINGS, asked, headers};
use crate::city::MemoryVault;

/// A kind of body: its type, a body whose field `id` has these values, and the code of what can't be read in it.
struct Kind {
    content_type: &'static str,
    body: fn(&[&[u8]]) -> Vec<u8>,
    invalid: &'static str,
    not_utf8: &'static str,
}

const KINDS: [Kind; 6] = [
    Kind {
        content_type: "application/json",
        body: |values| {
            let objects = values
                .iter()
                .map(|value| framed("{\"id\":\"", value, "\"}"));
            let objects = objects.collect::<Vec<_>>().join(&b","[..]);
            framed("[", &objects, "]")
        },
        invalid: "json-invalid",
        not_utf8: "body-not-utf8",
    },
    Kind {
        content_type: "application/x-ndjson",
        body: |values| each(values, |value| framed("{\"id\":\"", value, "\"}\n")),
        invalid: "json-invalid",
        not_utf8: "body-not-utf8",
    },
    Kind {
        content_type: "application/x-www-form-urlencoded",
        body: |values| {
            let pairs = values.iter().map(|value| {
                let escaped = value.iter().map(|byte| match byte {
                    plain if plain.is_ascii_alphanumeric() => char::from(*plain).to_string(),
                    other => format!("%{other:02X}"),
                });
                format!("id={}", escaped.collect::<String>())
            });
            pairs.collect::<Vec<_>>().join("&").into_bytes()
        },
        invalid: "form-invalid",
        not_utf8: "form-invalid",
    },
    Kind {
        content_type: "text/csv",
        body: |values| {
            let rows = each(values, |value| framed("Li,", value, "\n"));
            framed("name,id\n", &rows, "")
        },
        invalid: "csv-invalid",
        not_utf8: "csv-invalid",
    },
    Kind {
        content_type: "application/xml",
        body: |values| {
            let elements = each(values, |value| framed("<id>", value, "</id>"));
            framed("<a>", &elements, "</a>")
        },
        invalid: "xml-invalid",
        not_utf8: "xml-invalid",
    },
    Kind {
        content_type: BOUNDARY,
        body: |values| {
            let head = "--b1\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n";
            let parts = each(values, |value| framed(head, value, "\r\n"));
            framed("", &parts, "--b1--")
        },
        invalid: "multipart-invalid",
        not_utf8: "multipart-invalid",
    },
];

fn framed(before: &str, value: &[u8], after: &str) -> Vec<u8> {
    [before.as_bytes(), value, after.as_bytes()].concat()
}

fn each(values: &[&[u8]], one: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    values.iter().flat_map(|value| one(value)).collect()
}

/// What becomes of a body; the problem's status and code where it does not go on. Then nothing came to the vault.
async fn sent(
    settings: &str,
    content_type: &str,
    coding: &[(&'static str, &str)],
    body: &[u8],
) -> Result<String, (u16, String)> {
    let vault = MemoryVault::default();
    let rules = Settings::parse(settings, std::path::Path::new("")).unwrap();
    let filter = Filter::new(rules.rules, vault.clone());
    let headers = headers(content_type, coding);
    let passage = filter.admit(&RequestHead {
        host: "a",
        method: &Method::POST,
        path: "/intake/x",
        headers: &headers,
    });
    let body = Bytes::copy_from_slice(body);
    match filter.request_body(&passage.unwrap(), body).await {
        Ok(rewriting) => {
            let bytes = rewriting.into_bytes();
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        Err(error) => {
            assert!(asked(&vault).is_empty(), "{content_type}");
            let problem = Problem::from(&error);
            Err((problem.status.as_u16(), problem.code.into_owned()))
        }
    }
}

fn refused(status: u16, code: &str) -> Result<String, (u16, String)> {
    Err((status, code.to_owned()))
}

#[tokio::test]
async fn a_good_body_of_each_kind_goes_on_without_its_values() {
    for kind in &KINDS {
        let body = (kind.body)(&[b"A1", "王".as_bytes()]);
        let gone = sent(SETTINGS, kind.content_type, &[], &body).await.unwrap();
        assert_eq!(gone.matches("tok-").count(), 2, "{gone}");
        assert!(!gone.contains("A1") && !gone.contains('王'), "{gone}");
    }
}

#[tokio::test]
async fn no_kind_takes_bytes_that_are_no_utf8() {
    for bytes in [
        // Overlong: `/` in two, three and four bytes, and NUL in two.
        &b"\xc0\xaf"[..],
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xc0\x80",
        // Surrogates: alone, and as a pair of three bytes each (CESU-8).
        b"\xed\xa0\x80",
        b"\xed\xb0\x80",
        b"\xed\xa0\xbd\xed\xb8\x80",
        // Beyond Unicode; a byte that continues nothing; one that nothing continues.
        b"\xf4\x90\x80\x80",
        b"\x80",
        b"\xe4\xb8",
        b"\xff\xfe",
    ] {
        let value = framed("A1", bytes, "2");
        for kind in &KINDS {
            let body = (kind.body)(&[&value]);
            let found = sent(SETTINGS, kind.content_type, &[], &body).await;
            let expected = refused(400, kind.not_utf8);
            assert_eq!(
                found,
                expected,
                "{}: {}",
                kind.content_type,
                bytes.escape_ascii()
            );
        }
    }
}

#[tokio::test]
async fn a_nul_stands_nowhere_but_within_a_value_that_goes() {
    const NAMED: &[u8] =
        b"--b1\r\nContent-Disposition: form-data; name=\"i\0d\"\r\n\r\nA\r\n--b1--";
    let rows: [(&str, &[u8], &str); 8] = [
        ("application/json", b"{\"id\":\"A\0\"}", "json-invalid"),
        ("application/json", b"{\"i\0d\":\"A\"}", "json-invalid"),
        (
            "application/x-ndjson",
            b"{\"id\":\"A\0\"}\n",
            "json-invalid",
        ),
        (
            "application/x-www-form-urlencoded",
            b"id=A\0",
            "form-invalid",
        ),
        (
            "application/x-www-form-urlencoded",
            b"i%00d=A",
            "form-invalid",
        ),
        ("text/csv", b"id\nA\0\n", "csv-invalid"),
        ("application/xml", b"<id>A\0</id>", "xml-invalid"),
        (BOUNDARY, NAMED, "multipart-invalid"),
    ];
    for (content_type, body, code) in rows {
        let found = sent(SETTINGS, content_type, &[], body).await;
        assert_eq!(found, refused(400, code), "{}", body.escape_ascii());
    }
    // Spelled so that it can stand there, it is a part of the value, which goes as a whole.
    for (content_type, body) in [
        ("application/json", "{\"id\":\"A\\u00001\"}"),
        ("application/x-www-form-urlencoded", "id=A%001"),
        (
            BOUNDARY,
            "--b1\r\nContent-Disposition: form-data; name=id\r\n\r\nA\u{0}1\r\n--b1--",
        ),
    ] {
        let gone = sent(SETTINGS, content_type, &[], body.as_bytes())
            .await
            .unwrap();
        assert!(gone.contains("tok-") && !gone.contains('A'), "{gone}");
    }
}

#[tokio::test]
async fn a_body_of_one_kind_that_says_another_never_goes_on_with_its_value() {
    for (said, other) in
        (0..KINDS.len()).flat_map(|one| (0..KINDS.len()).map(move |two| (one, two)))
    {
        let (said, other) = (&KINDS[said], &KINDS[other]);
        let body = (other.body)(&[b"A123456789"]);
        match sent(SETTINGS, said.content_type, &[], &body).await {
            // A line of JSON Lines is a document, and one document is a line.
            Ok(gone) => assert!(
                !gone.contains("A123456789"),
                "{}: {gone}",
                said.content_type
            ),
            Err((status, code)) => {
                let told = (400, said.invalid.to_owned());
                assert_eq!(
                    (status, code),
                    told,
                    "{} as {}",
                    other.content_type,
                    said.content_type
                );
            }
        }
    }
    for kind in &KINDS {
        let body = (kind.body)(&[b"A123456789"]);
        for unread in [
            "text/plain",
            "application/octet-stream",
            "application/json; charset=big5",
            "x",
        ] {
            let found = sent(SETTINGS, unread, &[], &body).await;
            assert_eq!(found, refused(415, "media-type-unsupported"), "{unread}");
        }
    }
}

fn packed(coding: &str, plain: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::best();
    match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut out = Vec::new();
            let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 4, 20);
            encoder.write_all(plain).unwrap();
            drop(encoder);
            out
        }
        _ => zstd::stream::encode_all(plain, 3).unwrap(),
    }
}

#[tokio::test]
async fn a_bomb_is_refused_in_each_coding_of_each_kind() {
    // Within the route's limit, and far beyond what so few bytes may become; then over the limit.
    let roomy = SETTINGS.replace("body_bytes_max = 1000000", "body_bytes_max = 100000000");
    for kind in &KINDS {
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let coded = [("content-encoding", coding)];
            let good = packed(coding, &(kind.body)(&[b"A1"]));
            let gone = sent(SETTINGS, kind.content_type, &coded, &good).await;
            assert!(gone.is_ok(), "{coding} {}", kind.content_type);
            let value = vec![b'9'; 2 << 20];
            let bomb = packed(coding, &(kind.body)(&[&value]));
            assert!(bomb.len() < 64 * 1024, "{coding}");
            for settings in [roomy.as_str(), SETTINGS] {
                let found = sent(settings, kind.content_type, &coded, &bomb).await;
                let expected = refused(413, "body-too-large");
                assert_eq!(found, expected, "{coding} {}", kind.content_type);
            }
        }
    }
}

/// Settings in which nothing but the number of fields stands in the way of a large body.
fn roomy() -> String {
    SETTINGS.replace(
        "body_bytes_max = 1000000",
        "body_bytes_max = 100000000\nnodes_max = 10000000",
    )
}

const MANY: usize = 100_000;

#[tokio::test]
async fn a_selector_that_matches_100_000_fields_is_refused_in_each_kind() {
    let values = vec![&b"A123456789"[..]; MANY];
    for kind in &KINDS {
        let body = (kind.body)(&values);
        let found = sent(&roomy(), kind.content_type, &[], &body).await;
        assert_eq!(
            found,
            refused(413, "fields-exceeded"),
            "{}",
            kind.content_type
        );
    }
    let array = format!("[{}\"A\"]", "\"A\",".repeat(MANY - 1));
    for selector in ["$[*]", "$..*", "$[?@ == 'A']"] {
        let settings = roomy().replace("\"$..id\"", &format!("\"{selector}\""));
        let found = sent(&settings, "application/json", &[], array.as_bytes()).await;
        assert_eq!(found, refused(413, "fields-exceeded"), "{selector}");
    }
}

#[tokio::test]
async fn an_answer_of_100_000_fields_does_not_reach_the_unit() {
    let settings = roomy().replace(
        "[[route.response]]\nfield = \"$.id\"",
        "[[route.response]]\nfield = \"$..id\"",
    );
    let vault = MemoryVault::default();
    let rules = Settings::parse(&settings, std::path::Path::new("")).unwrap();
    let filter = Filter::new(rules.rules, vault.clone());
    let headers = headers("application/json", &[]);
    let passage = filter.admit(&RequestHead {
        host: "a",
        method: &Method::POST,
        path: "/hide",
        headers: &headers,
    });
    let passage = passage.unwrap();
    assert!(passage.reads_response());
    let _ = passage.response_reading(&headers);
    let body = (KINDS[0].body)(&vec![&b"t1"[..]; MANY]);
    let outcome = filter
        .response_body(&passage, Media::JSON, body.into())
        .await;
    let problem = Problem::from(&outcome.err().unwrap());
    assert_eq!(
        (problem.status.as_u16(), &*problem.code),
        (502, "upstream-body-exceeds-limits")
    );
    assert_eq!(vault.calls(), []);
}

#[tokio::test]
async fn a_body_that_is_too_deep_is_refused_in_each_kind_that_nests() {
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(1_000), close.repeat(1_000));
    for (content_type, body) in [
        ("application/json", nested("[", "]")),
        ("application/json", nested("{\"id\":[", "]}")),
        (
            "application/x-ndjson",
            format!("{{\"id\":\"1\"}}\n{}\n", nested("[", "]")),
        ),
        ("application/xml", nested("<id>", "</id>")),
    ] {
        let found = sent(SETTINGS, content_type, &[], body.as_bytes()).await;
        assert_eq!(found, refused(400, "body-too-deep"), "{content_type}");
    }
}

#[tokio::test]
async fn multipart_without_end_is_refused_wherever_it_stops() {
    let kind = &KINDS[5];
    let whole = (kind.body)(&[b"A1", b"A2"]);
    assert!(sent(SETTINGS, kind.content_type, &[], &whole).await.is_ok());
    for end in 1..whole.len() {
        let found = sent(SETTINGS, kind.content_type, &[], &whole[..end]).await;
        assert_eq!(found, refused(400, "multipart-invalid"), "{end}");
    }
    let endless = each(&[&b"1"[..]; 200], |value| {
        framed(
            "--b1\r\nContent-Disposition: form-data; name=x\r\n\r\n",
            value,
            "\r\n",
        )
    });
    let found = sent(SETTINGS, kind.content_type, &[], &endless).await;
    assert_eq!(found, refused(400, "multipart-invalid"));
}
