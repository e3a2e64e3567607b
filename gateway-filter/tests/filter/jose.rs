//! JWEs: fields and whole payloads in both directions, over a vault in memory.

mod desk;
mod layered;
mod refused;

use std::path::Path;

use bytes::Bytes;
use gateway_filter::{
    Filter, FilterError, HeadRewriting, JweFault, Passage, Problem, Reading, RequestHead,
    Rewriting, Rules, Settings, Side,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::city::{Call, MemoryVault, jwe};

const VAULT: &str = "[vault]\nurl = \"https://127.0.0.1:1\"\nca = \"ca.pem\"\n";
const ROUTES: &str = r#"
[[route]]
name = "fields"
path = "/fields/{id}"
domain = "city"
purpose = "exchange"
[[route.request]]
field = "$.card"
action = "encrypt"
key = "bank"
alg = "A256KW"
[[route.request]]
field = "$.notes[*]"
action = "encrypt"
key = "bank"
alg = "A256KW"
[[route.request]]
field = "$.other"
action = "encrypt"
key = "other"
numbers = "text"
[[route.request]]
field = "$.in"
action = "decrypt"
key = "partner"
[[route.request]]
field = "$.payer"
action = "tokenize"
class = "name"
[[route.request]]
segment = "id"
action = "encrypt"
key = "bank"
[[route.request]]
header = "x-id"
action = "decrypt"
key = "partner"
[[route.request]]
form = "card"
action = "encrypt"
key = "bank"
[[route.response]]
field = "$.card"
action = "decrypt"
key = "bank"

[[route]]
name = "payload"
path = "/payload"
domain = "city"
[route.request_payload]
action = "encrypt"
key = "bank"
alg = "dir"
[[route.request]]
field = "$.payer"
action = "tokenize"
class = "name"
[route.response_payload]
action = "decrypt"
key = "bank"
content_types = ["application/json", "text/plain"]

[[route]]
name = "partner"
path = "/partner"
domain = "city"
[route.request_payload]
action = "decrypt"
key = "partner"
content_types = ["application/json", "text/plain"]
[[route.request]]
field = "$.payer"
action = "tokenize"
class = "name"
[route.response_payload]
action = "encrypt"
key = "partner"

[[route]]
name = "opaque"
path = "/opaque"
domain = "city"
[route.request_payload]
action = "encrypt"
key = "bank"
"#;
const PROOF: (&str, &str) = ("authorization", "Bearer unit");
const JSON: (&str, &str) = ("content-type", "application/json");
const JOSE: (&str, &str) = ("content-type", "application/jose");

fn rules() -> Rules {
    let text = format!("{VAULT}{ROUTES}");
    Settings::parse(&text, Path::new("")).unwrap().rules
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name: http::HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

struct House {
    vault: MemoryVault,
    filter: Filter<MemoryVault>,
}

impl House {
    fn new() -> Self {
        let vault = MemoryVault::default();
        let filter = Filter::new(rules(), vault.clone());
        Self { vault, filter }
    }

    fn admit(&self, path: &str, lines: &[(&str, &str)]) -> Passage {
        let all = [&[PROOF], lines].concat();
        let head = RequestHead {
            host: "api.example.tw",
            method: &Method::POST,
            path,
            headers: &headers(&all),
        };
        self.filter.admit(&head).unwrap()
    }

    async fn request(
        &self,
        path: &str,
        lines: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Result<Rewriting, FilterError> {
        let passage = self.admit(path, lines);
        self.filter
            .request_body(&passage, Bytes::from(body.into()))
            .await
    }

    async fn response(
        &self,
        path: &str,
        lines: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Result<Rewriting, FilterError> {
        let passage = self.admit(path, &[]);
        let Reading::Whole { media, .. } = passage.response_reading(&headers(lines)) else {
            panic!("it passes unread");
        };
        let body = Bytes::from(body.into());
        self.filter.response_body(&passage, media, body).await
    }
}

#[track_caller]
fn recast(outcome: Result<Rewriting, FilterError>) -> (String, HeadRewriting) {
    let Ok(Rewriting::Recast(body, head)) = outcome else {
        panic!("it goes on as the same kind of body, or not at all");
    };
    (String::from_utf8(body.to_vec()).unwrap(), head)
}

#[track_caller]
fn rewritten(outcome: Result<Rewriting, FilterError>) -> String {
    let Ok(Rewriting::Rewritten(body)) = outcome else {
        panic!("it is not rewritten");
    };
    String::from_utf8(body.to_vec()).unwrap()
}

/// What the head is with it.
fn applied(head: &HeadRewriting, lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = headers(lines);
    head.apply(&mut headers);
    headers
}

#[track_caller]
fn refused(outcome: Result<Rewriting, FilterError>, status: u16, code: &str) {
    let Err(error) = outcome else {
        panic!("it goes on");
    };
    let problem = Problem::from(&error);
    assert_eq!((problem.status.as_u16(), &*problem.code), (status, code));
}

#[tokio::test]
async fn fields_under_one_key_are_one_vault_call() {
    let house = House::new();
    let body = format!(
        r#"{{"card":"41","notes":["a","b"],"other":7,"in":"{}","payer":"x", "rest": 1E2}}"#,
        jwe("partner", "", b"\"in\""),
    );
    let came = rewritten(house.request("/fields/1", &[JSON], body).await);
    let [card, a, b] = [&b"41"[..], b"a", b"b"].map(|value| jwe("bank", "", value));
    let other = jwe("other", "", b"7");
    assert_eq!(
        came,
        format!(
            r#"{{"card":"{card}","notes":["{a}","{b}"],"other":"{other}","in":"\"in\"","payer":"tok-name-0", "rest": 1E2}}"#
        )
    );
    let calls = house.vault.calls();
    assert_eq!(calls.len(), 4);
    let item = |value: &str| (value.to_owned(), String::new());
    assert_eq!(
        calls[1],
        Call::EncryptJwe {
            key: "bank".to_owned(),
            alg: "A256KW".to_owned(),
            purpose: "exchange".to_owned(),
            items: vec![item("41"), item("a"), item("b")],
        }
    );
    let form = ("content-type", "application/x-www-form-urlencoded");
    let came = rewritten(house.request("/fields/1", &[form], "card=4+1&x=2").await);
    assert_eq!(came, format!("card={}&x=2", jwe("bank", "", b"4 1")));
}

#[tokio::test]
async fn fields_of_the_head_are_encrypted_and_opened_too() {
    let house = House::new();
    let id = jwe("partner", "", b"A1");
    let lines = [PROOF, ("x-id", id.as_str())];
    let head = RequestHead {
        host: "api.example.tw",
        method: &Method::GET,
        path: "/fields/17",
        headers: &headers(&lines),
    };
    let passage = house.filter.admit(&head).unwrap();
    let came = house
        .filter
        .request_head(&passage, &head)
        .await
        .ok()
        .unwrap();
    let path = format!("/fields/{}", jwe("bank", "", b"17"));
    assert_eq!(came.target.as_deref(), Some(path.as_str()));
    assert_eq!(applied(&came, &lines)["x-id"], "A1");
    let lines = [PROOF, ("x-id", "no jwe")];
    let head = RequestHead {
        headers: &headers(&lines),
        ..head
    };
    let refused = house.filter.request_head(&passage, &head).await.err();
    assert_eq!(
        refused,
        Some(FilterError::Jwe(Side::Request, JweFault::Unopened))
    );
}

#[tokio::test]
async fn a_payload_is_encrypted_after_its_fields_were_swapped() {
    let house = House::new();
    let json = ("content-type", "application/json; charset=utf-8");
    let lines = [
        json,
        ("content-digest", "sha-256=:AAAA:"),
        ("content-length", "13"),
        ("x-kept", "1"),
    ];
    let (body, head) = recast(house.request("/payload", &lines, r#"{"payer":"x"}"#).await);
    assert_eq!(
        body,
        jwe(
            "bank",
            "application/json; charset=utf-8",
            br#"{"payer":"tok-name-0"}"#
        )
    );
    let head = applied(&head, &lines);
    assert_eq!(head["content-type"], "application/jose");
    assert_eq!(head["x-kept"], "1");
    assert_eq!(head.len(), 2, "{head:?}");
    let calls = house.vault.calls();
    assert!(matches!(calls[0], Call::Tokenize { .. }));
    let [_, Call::EncryptJwe { alg, purpose, .. }] = calls.as_slice() else {
        panic!("{calls:?}");
    };
    assert_eq!((alg.as_str(), purpose.as_str()), ("dir", ""));
}

#[tokio::test]
async fn a_payload_is_opened_before_its_fields_are_swapped() {
    let house = House::new();
    for (cty, content_type) in [
        ("application/json", "application/json"),
        ("json", "application/json"),
        (
            "application/json; charset=utf-8",
            "application/json; charset=utf-8",
        ),
    ] {
        let sealed = jwe("partner", cty, br#"{"payer":"x"}"#);
        let (body, head) = recast(house.request("/partner", &[JOSE], sealed).await);
        assert_eq!(body, r#"{"payer":"tok-name-0"}"#);
        assert_eq!(applied(&head, &[JOSE])["content-type"], content_type);
    }
    let text = jwe("partner", "text/plain", "王".as_bytes());
    // The route looks for fields in JSON: a text that it lets out would pass it by.
    refused(
        house.request("/partner", &[JOSE], text).await,
        415,
        "jwe-type-unsupported",
    );
}

#[tokio::test]
async fn answers_are_encrypted_and_opened_as_well() {
    let house = House::new();
    let (body, head) = recast(house.response("/partner", &[JSON], r#"{"a":1}"#).await);
    assert_eq!(body, jwe("partner", "application/json", br#"{"a":1}"#));
    assert_eq!(applied(&head, &[JSON])["content-type"], "application/jose");
    let sealed = jwe("bank", "text/plain; charset=utf-8", "王".as_bytes());
    let (body, head) = recast(house.response("/payload", &[JOSE], sealed).await);
    assert_eq!(body, "王");
    assert_eq!(
        applied(&head, &[JOSE])["content-type"],
        "text/plain; charset=utf-8"
    );
    let card = format!(r#"{{"card":"{}"}}"#, jwe("bank", "", b"41"));
    let came = rewritten(house.response("/fields/1", &[JSON], card).await);
    assert_eq!(came, r#"{"card":"41"}"#);
}

#[tokio::test]
async fn what_is_encrypted_is_the_body_without_its_coding() {
    use std::io::Write as _;
    let gzipped = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let house = House::new();
    let gzip = ("content-encoding", "gzip");
    let (body, head) = recast(
        house
            .request("/payload", &[JSON, gzip], gzipped(br#"{"payer":"x"}"#))
            .await,
    );
    assert_eq!(
        body,
        jwe("bank", "application/json", br#"{"payer":"tok-name-0"}"#)
    );
    assert!(!applied(&head, &[JSON, gzip]).contains_key("content-encoding"));
    let sealed = jwe("partner", "json", br#"{"payer":"x"}"#);
    let came = house
        .request("/partner", &[JOSE, gzip], gzipped(sealed.as_bytes()))
        .await;
    assert_eq!(recast(came).0, r#"{"payer":"tok-name-0"}"#);
    let unknown = ("content-encoding", "compress");
    let came = house.request("/payload", &[JSON, unknown], "{}").await;
    refused(came, 415, "content-encoding-unsupported");
    let came = house.request("/payload", &[JSON, gzip], "{}").await;
    refused(came, 400, "content-coding-invalid");
}

#[tokio::test]
async fn a_payload_of_any_kind_is_encrypted_where_no_field_is_looked_for() {
    let house = House::new();
    let pdf = ("content-type", "application/pdf");
    let body = b"%PDF\xFF\x00".to_vec();
    let (sealed, _) = recast(house.request("/opaque", &[pdf], body.clone()).await);
    assert_eq!(sealed, jwe("bank", "application/pdf", &body));
    // Its type goes along: there must be one that can be read in one way.
    let two = [JSON, JSON];
    for lines in [
        &[][..],
        &two,
        &[("content-type", "pdf")],
        &[("content-type", "a/b, c/d")],
    ] {
        refused(
            house.request("/opaque", lines, "x").await,
            415,
            "media-type-unsupported",
        );
    }
    let none = house.request("/opaque", &[], "").await;
    assert!(matches!(none, Ok(Rewriting::Unchanged(_))));
    // Where a field is looked for, only what can be read.
    let came = house.request("/payload", &[pdf], "x").await;
    refused(came, 415, "media-type-unsupported");
}
