//! Every kind of body: what is selected in it, and that every byte outside the fields stays.

mod everywhere;
mod refused;
mod spelling;

use std::path::Path;

use bytes::Bytes;
use gateway_filter::{Filter, FilterError, RequestHead, Rewriting, Settings};
use http::{HeaderMap, HeaderValue, Method};

use crate::city::{Call, MemoryVault};

/// One route with a rule for each kind; the class says which rule took a field.
const SETTINGS: &str = r#"
[vault]
url = "https://127.0.0.1:1"
ca = "ca.pem"
[limits]
body_bytes_max = 1000000
depth_max = 200
[[route]]
name = "intake"
method = "POST"
path = "/intake/{id}"
domain = "city"
namespaces = { c = "urn:city" }
[[route.request]]
field = "$..id"
class = "json"
action = "tokenize"
[[route.request]]
form = "id"
class = "form"
action = "tokenize"
[[route.request]]
csv = "id"
class = "csv"
action = "tokenize"
[[route.request]]
xml = "//id"
class = "xml"
action = "tokenize"
[[route.request]]
xml = "/c:city/c:person/@key"
class = "attribute"
action = "tokenize"
[[route.request]]
part = "id"
class = "part"
action = "tokenize"
[[route]]
name = "numbered"
path = "/numbered"
domain = "city"
[[route.request]]
csv = 2
class = "csv"
action = "tokenize"
[[route]]
name = "address"
path = "/people/{id}/notes/{note}"
domain = "city"
[[route.request]]
segment = "id"
class = "segment"
action = "tokenize"
[[route.request]]
query = "id"
class = "query"
action = "tokenize"
[[route.request]]
header = "x-id"
class = "header"
action = "tokenize"
[[route.request]]
header = "x-note"
action = "drop"
[[route]]
name = "hide"
path = "/hide"
domain = "city"
[[route.request]]
field = "$.id"
class = "json"
action = "tokenize"
[[route.request]]
field = "$.phone"
action = "mask"
mask = { keep_first = 2, keep_last = 2 }
[[route.request]]
field = "$.note"
action = "drop"
[[route.request]]
form = "note"
action = "drop"
[[route.request]]
csv = "note"
action = "drop"
[[route.request]]
xml = "//note"
action = "drop"
[[route.request]]
part = "note"
action = "drop"
[[route.response]]
field = "$.id"
action = "detokenize"
[[route.response]]
field = "$.phone"
action = "mask"
mask = { keep_last = 2, with = "x" }
"#;

pub(crate) const BOUNDARY: &str = "multipart/form-data; boundary=b1";

fn filter(vault: &MemoryVault) -> Filter<MemoryVault> {
    let settings = Settings::parse(SETTINGS, Path::new("")).unwrap();
    Filter::new(settings.rules, vault.clone())
}

fn headers(content_type: &str, more: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_str(content_type).unwrap());
    headers.insert("authorization", HeaderValue::from_static("Bearer unit"));
    headers.insert("jinku-purpose", HeaderValue::from_static("audit"));
    for (name, value) in more {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

async fn send_bytes(
    vault: &MemoryVault,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Rewriting, FilterError> {
    let filter = filter(vault);
    let passage = filter.admit(&RequestHead {
        host: "a",
        method: &Method::POST,
        path,
        headers,
    })?;
    filter
        .request_body(&passage, Bytes::copy_from_slice(body))
        .await
}

async fn send(path: &str, content_type: &str, body: &str) -> Result<String, FilterError> {
    let vault = MemoryVault::default();
    let headers = headers(content_type, &[]);
    let outcome = send_bytes(&vault, path, &headers, body.as_bytes()).await?;
    Ok(String::from_utf8(outcome.into_bytes().to_vec()).unwrap())
}

/// The values that a vault was asked for tokens of, with their classes.
fn asked(vault: &MemoryVault) -> Vec<(String, String)> {
    vault
        .calls()
        .into_iter()
        .flat_map(|call| match call {
            Call::Tokenize { items, .. } => items,
            _ => Vec::new(),
        })
        .collect()
}

#[tokio::test]
async fn json_lines_are_documents_each() {
    let body = "{\"id\":\"1\"}\r\n\n [{\"id\":\"2\"}]\n{\"a\":{\"id\":\"3\"}}";
    let sent = send("/intake/x", "application/x-ndjson", body)
        .await
        .unwrap();
    let expected =
        "{\"id\":\"tok-json-0\"}\r\n\n [{\"id\":\"tok-json-1\"}]\n{\"a\":{\"id\":\"tok-json-2\"}}";
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_form_is_read_by_its_names() {
    let vault = MemoryVault::default();
    let headers = headers("application/x-www-form-urlencoded", &[]);
    let body = b"a=1&id=A+1%2B&&b&i%64=%E9%87%91&id=&ID=3";
    let sent = send_bytes(&vault, "/intake/x", &headers, body).await;
    let sent = sent.unwrap().into_bytes();
    assert_eq!(
        sent.as_ref(),
        b"a=1&id=tok-form-0&&b&i%64=tok-form-1&id=&ID=3".as_slice()
    );
    let item = |value: &str| ("form".to_owned(), value.to_owned());
    assert_eq!(asked(&vault), [item("A 1+"), item("金")]);
}

#[tokio::test]
async fn csv_is_read_by_its_columns() {
    let body = "\u{feff}name,\"id\"\r\nLi,\"A\"\"1\"\r\n\"a\nb\",2\n,\n";
    let sent = send("/intake/x", "text/csv", body).await.unwrap();
    let expected = "\u{feff}name,\"id\"\r\nLi,\"tok-csv-0\"\r\n\"a\nb\",tok-csv-1\n,\n";
    assert_eq!(sent, expected);
    let numbered = send("/numbered", "text/csv", "a,b\nc,d").await.unwrap();
    assert_eq!(numbered, "a,tok-csv-0\nc,tok-csv-1");
    let titled = send("/numbered", "text/csv; header=present", "a,b\nc,d").await;
    // The sender's word does not take the first row out of the rule.
    assert_eq!(titled.unwrap(), "a,tok-csv-0\nc,tok-csv-1");
}

#[tokio::test]
async fn a_multipart_body_is_read_by_its_parts() {
    let body = "--b1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n\
        --b1\r\ncontent-type: text/plain\r\ncontent-disposition: form-data; filename=\"f\"; name=id\r\n\r\nA\r\n1\r\n\
        --b1\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n\r\n--b1--\r\n";
    let sent = send("/intake/x", BOUNDARY, body).await.unwrap();
    assert_eq!(sent, body.replace("A\r\n1", "tok-part-0"));
}

#[tokio::test]
async fn xml_is_read_by_its_names_and_namespaces() {
    let body = "<?xml version=\"1.0\" encoding='utf-8'?><!-- x -->\n\
        <p:city xmlns:p=\"urn:city\" key='0'>\n<p:person p:key='1' key = \"A&amp;1\"><id>&lt;<![CDATA[<&]]></id>\
        <id/><id></id></p:person><person key=\"2\"><x:id xmlns:x='urn:x'>3</x:id></person></p:city>\n";
    let vault = MemoryVault::default();
    let headers = headers("application/xml", &[]);
    let sent = send_bytes(&vault, "/intake/x", &headers, body.as_bytes()).await;
    let sent = String::from_utf8(sent.unwrap().into_bytes().to_vec()).unwrap();
    let expected = body
        .replace("A&amp;1", "tok-attribute-0")
        .replace("&lt;<![CDATA[<&]]>", "tok-xml-1");
    assert_eq!(sent, expected);
    let item = |class: &str, value: &str| (class.to_owned(), value.to_owned());
    assert_eq!(
        asked(&vault),
        [item("attribute", "A&1"), item("xml", "<<&")]
    );
}

#[tokio::test]
async fn a_head_is_read_in_path_query_and_headers() {
    let vault = MemoryVault::default();
    let filter = filter(&vault);
    let headers = headers(
        "text/plain",
        &[("x-id", "1"), ("x-id", "2"), ("x-note", "n")],
    );
    let head = RequestHead {
        host: "a",
        method: &Method::GET,
        path: "/people/A%201/notes/7?x=1&id=%41+2&y",
        headers: &headers,
    };
    let passage = filter.admit(&head).unwrap();
    assert!(!passage.reads_request());
    let rewriting = filter.request_head(&passage, &head).await.unwrap();
    assert_eq!(
        rewriting.target.as_deref(),
        Some("/people/tok-segment-0/notes/7?x=1&id=tok-query-1&y")
    );
    let lines: Vec<(&str, Vec<&str>)> = rewriting
        .headers
        .iter()
        .map(|(name, values)| {
            let values = values.iter().map(|value| value.to_str().unwrap());
            (name.as_str(), values.collect())
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("x-id", vec!["tok-header-2", "tok-header-3"]),
            ("x-note", vec![])
        ]
    );
    assert_eq!(vault.calls().len(), 1);
}

#[tokio::test]
async fn a_header_that_some_servers_take_for_a_ruled_one_is_refused() {
    let vault = MemoryVault::default();
    let filter = filter(&vault);
    for (name, refused) in [("x_id", true), ("x_other", false)] {
        let headers = headers("text/plain", &[(name, "A1")]);
        let head = RequestHead {
            host: "a",
            method: &Method::GET,
            path: "/people/1/notes/7",
            headers: &headers,
        };
        let passage = filter.admit(&head).unwrap();
        let outcome = filter.request_head(&passage, &head).await;
        let invalid = matches!(outcome, Err(FilterError::HeaderInvalid(_)));
        assert_eq!(invalid, refused, "{name}");
    }
}

#[tokio::test]
async fn what_is_hidden_needs_no_vault_where_it_is_masked_or_dropped() {
    let vault = MemoryVault::default();
    let json = headers("application/json", &[]);
    let body = br#"{"phone":"0912345678", "note":{"x":[1]}, "z":1}"#;
    let sent = send_bytes(&vault, "/hide", &json, body).await.unwrap();
    assert_eq!(
        sent.into_bytes().as_ref(),
        br#"{"phone":"09******78",  "z":1}"#.as_slice()
    );
    assert_eq!(vault.calls(), []);
    let form = send(
        "/hide",
        "application/x-www-form-urlencoded",
        "a=1&note=2&b=3",
    );
    assert_eq!(form.await.unwrap(), "a=1&b=3");
    let csv = send("/hide", "text/csv", "a,note\n1,\"2\"\n3,4");
    assert_eq!(csv.await.unwrap(), "a,note\n1,\"\"\n3,");
    let xml = send("/hide", "text/xml", "<a><note x='1'><b/>t</note> <c/></a>");
    assert_eq!(xml.await.unwrap(), "<a> <c/></a>");
    let part = |name: &str| {
        format!("--b1\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\nx\r\n")
    };
    let body = format!("{}{}{}--b1--", part("a"), part("note"), part("c"));
    let sent = send("/hide", BOUNDARY, &body).await.unwrap();
    assert_eq!(sent, format!("{}{}--b1--", part("a"), part("c")));
}

#[tokio::test]
async fn an_answer_that_is_denied_keeps_its_tokens_and_is_masked() {
    use gateway_filter::{Media, Refusal, VaultError};
    let vault = MemoryVault::refusing(VaultError::Denied(Refusal::default()));
    let filter = filter(&vault);
    let headers = headers("application/json", &[]);
    let head = RequestHead {
        host: "a",
        method: &Method::GET,
        path: "/hide",
        headers: &headers,
    };
    let passage = filter.admit(&head).unwrap();
    let body = Bytes::from_static(br#"{"id":"t","phone":"0912"}"#);
    let answer = filter.response_body(&passage, Media::JSON, body).await;
    assert_eq!(
        answer.unwrap().into_bytes().as_ref(),
        br#"{"id":"t","phone":"xx12"}"#.as_slice()
    );
}
