//! A message within a host that holds it, as Envoy's module has it: heads, trailers, and the bound on memory. The
//! workspace's `tests/tests/envoy_module.rs` runs the module itself.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use gateway_filter::{
    BodyAnswer, Embedded, Filter, Follows, HeadAnswer, Live, Problem, RequestHead, Settings, Side,
    VaultError,
};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::city::{MemoryVault, filter, jwe};

const UNIT: (&str, &str) = ("authorization", "Bearer unit");
const JSON: (&str, &str) = ("content-type", "application/json");

fn lines(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    headers
}

type Message = Embedded<MemoryVault>;

async fn begun(
    live: &Arc<Live<MemoryVault>>,
    (method, path): (Method, &str),
    more: &[(&str, &str)],
) -> Result<(Message, HeadAnswer), Problem> {
    let headers = lines(&[&[UNIT], more].concat());
    let head = RequestHead {
        host: "api.example.tw",
        method: &method,
        path,
        headers: &headers,
    };
    Embedded::begin(live, &head, Follows::Body).await
}

async fn message(live: &Arc<Live<MemoryVault>>, method: Method, path: &str) -> Message {
    begun(live, (method, path), &[JSON]).await.ok().unwrap().0
}

fn live(vault: &MemoryVault, limits: &str) -> Arc<Live<MemoryVault>> {
    Arc::new(Live::from(Arc::new(filter(vault, limits))))
}

fn code<T>(outcome: Result<T, Problem>) -> (u16, String) {
    let problem = outcome.err().unwrap();
    (problem.status.as_u16(), problem.code.into_owned())
}

fn long(bytes: usize) -> Vec<u8> {
    let filling = "x".repeat(bytes);
    let text = format!(r#"{{"payer":{{"national_id":"A1"}},"filling":"{filling}"}}"#);
    // What is allocated counts: no more than it is.
    text.into_bytes().into_boxed_slice().into_vec()
}

#[tokio::test]
async fn heads_and_trailers_of_answers_are_ruled() {
    let vault = MemoryVault::default();
    let live = live(&vault, "");
    let mut registry = message(&live, Method::GET, "/registry/7").await;
    let answer = lines(&[
        ("x-name", "Wang"),
        ("x-kept", "1"),
        ("jinku-receipt", "forged"),
    ]);
    let ruled = registry
        .response_head(StatusCode::OK, &answer, Follows::Body)
        .await;
    let ruled = ruled.ok().unwrap();
    assert_eq!(ruled.bytes_max, None);
    let mut gone_on = answer.clone();
    ruled.head.apply(&mut gone_on);
    assert_eq!(gone_on, lines(&[("x-name", "tok-name-0"), ("x-kept", "1")]));
    let sent = lines(&[("x-name", "Wang"), ("x_name", "Wang"), ("x-late", "1")]);
    let without = registry.ruled_trailers(Side::Response, sent.keys());
    assert_eq!(without, ["x-name", "x_name"]);
    assert_eq!(registry.ruled_trailers(Side::Request, sent.keys()), [""; 0]);
    // No rule of its reads a body: what it tells of one stays.
    assert!(registry.bodiless_head().without.is_empty());

    let mut accounts = message(&live, Method::GET, "/accounts/7").await;
    let two = lines(&[("x_account", "t1")]);
    let refused = accounts
        .response_head(StatusCode::OK, &two, Follows::Body)
        .await;
    assert_eq!(code(refused), (502, "upstream-header-invalid".to_owned()));
    let without = accounts.bodiless_head().without;
    assert!(without.contains(&HeaderName::from_static("content-digest")));

    *vault.refusal.lock().unwrap() = Some(VaultError::Unavailable);
    let mut registry = message(&live, Method::GET, "/registry/7").await;
    let refused = registry
        .response_head(StatusCode::OK, &answer, Follows::Nothing)
        .await;
    assert_eq!(code(refused), (503, "vault-unavailable".to_owned()));
}

#[tokio::test]
async fn a_body_and_what_it_becomes_count_until_the_host_has_them() {
    let live = live(&MemoryVault::default(), "held_bytes_max = 3300");
    let pay = async || {
        let mut message = message(&live, Method::POST, "/payments/card").await;
        message.request_body(long(1_400)).await
    };
    let first: BodyAnswer = pay().await.ok().unwrap();
    assert!(first.body.is_some());
    assert_eq!(code(pay().await), (503, "overloaded".to_owned()));
    drop(first);
    assert!(pay().await.is_ok());
    assert!(
        live.metrics()
            .page()
            .contains("jinku_filter_held_bytes 0\n")
    );
}

#[tokio::test]
async fn what_a_jwe_holds_and_what_becomes_one_count_too() {
    const ROUTES: &str = "[[route]]\nname = \"out\"\npath = \"/out\"\ndomain = \"city\"\n\
        [route.request_payload]\naction = \"encrypt\"\nkey = \"bank\"\n\
        [[route]]\nname = \"in\"\npath = \"/in\"\ndomain = \"city\"\n\
        [route.request_payload]\naction = \"decrypt\"\nkey = \"bank\"\n\
        content_types = [\"application/json\"]\n";
    let live = |bytes: usize| {
        let text = format!(
            "[vault]\nurl = \"https://127.0.0.1:1\"\nca = \"ca.pem\"\n\
             [limits]\nheld_bytes_max = {bytes}\n{ROUTES}"
        );
        let rules = Settings::parse(&text, Path::new("")).unwrap().rules;
        let filter = Filter::new(rules, MemoryVault::default());
        Arc::new(Live::from(Arc::new(filter)))
    };
    let sent = async |bytes: usize, path: &str, more: &[(&str, &str)], body: &[u8]| {
        let live = live(bytes);
        let begun = begun(&live, (Method::POST, path), more).await;
        let mut message = begun.ok().unwrap().0;
        message.request_body(body.to_vec()).await
    };
    let plain = long(1_000);
    let cty = "application/json";
    let sealed = jwe("bank", cty, &plain).into_bytes();
    let both = plain.len() + sealed.len();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&sealed).unwrap();
    let packed = encoder.finish().unwrap();
    let (jose, gzip) = (
        ("content-type", "application/jose"),
        ("content-encoding", "gzip"),
    );
    for (path, more, body, taken) in [
        ("/out", &[JSON][..], &plain, both),
        ("/in", &[jose][..], &sealed, both),
        // Decoded, it is over the bound by itself; what it holds would not be.
        ("/in", &[jose, gzip][..], &packed, sealed.len()),
    ] {
        let outcome = sent(taken - 1, path, more, body).await;
        assert_eq!(code(outcome), (503, "overloaded".to_owned()), "{path}");
        let roomy = sent(2 * both, path, more, body).await;
        assert!(roomy.is_ok(), "{path}");
    }
}
