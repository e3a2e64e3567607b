//! What rules take of the heads of answers: in the core, through the proxy, and through the tower layer.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Reply;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpBody, HttpTrailers};
use gateway_filter::{FilterError, FilterLayer, RequestHead, UpstreamError, VaultError};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tonic::Code;
use tower::{Layer as _, ServiceExt as _};

use crate::city::{Call, MemoryVault, Upstream, filter};
use crate::ext_proc::talk::{self, Rest, failed, opening, processor, said, whole};
use crate::proxy::running::{running, send, start};

const UNIT: [(&str, &str); 1] = [("authorization", "Bearer unit")];

fn lines(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// What becomes of an answer's headers on this path.
async fn ruled(
    vault: &MemoryVault,
    path: &str,
    answer: &[(&str, &str)],
) -> Result<HeaderMap, FilterError> {
    let (filter, unit) = (filter(vault, ""), lines(&UNIT));
    let head = RequestHead {
        host: "api.example.tw",
        method: &Method::GET,
        path,
        headers: &unit,
    };
    let passage = filter.admit(&head).unwrap();
    let mut headers = lines(answer);
    let rewriting = filter.response_head(&passage, &headers).await?;
    rewriting.apply(&mut headers);
    Ok(headers)
}

#[tokio::test]
async fn all_lines_of_a_ruled_header_are_one_call() {
    let vault = MemoryVault::default();
    vault.keep("t1", "A1");
    let answer = [
        ("x-account", "t1"),
        ("x-kept", "t1"),
        ("x-account", "unknown"),
        ("x-account", ""),
        ("x-debug", "A1"),
        ("x-debug", "A2"),
        ("x-phone", "0912345678"),
    ];
    let headers = ruled(&vault, "/accounts/7", &answer).await.unwrap();
    let expected = [
        ("x-kept", "t1"),
        ("x-account", "A1"),
        ("x-account", "unknown"),
        ("x-phone", "*******678"),
    ];
    assert_eq!(headers, lines(&expected));
    assert_eq!(
        vault.calls(),
        [Call::Detokenize {
            domain: "city".to_owned(),
            purpose: "audit".to_owned(),
            tokens: vec!["t1".to_owned(), "unknown".to_owned()],
            proven: true,
        }]
    );
    let named = ruled(&vault, "/registry/7", &[("x-name", "Wang")]).await;
    assert_eq!(named.unwrap(), lines(&[("x-name", "tok-name-0")]));
}

#[tokio::test]
async fn a_signature_of_a_head_that_is_another_now_does_not_go_on() {
    let vault = MemoryVault::default();
    let signed = [("signature-input", "a=()"), ("signature", "a=:AA==:")];
    let answer = [&signed[..], &[("x-name", "Wang")]].concat();
    let changed = ruled(&vault, "/registry/7", &answer).await;
    assert_eq!(changed.unwrap(), lines(&[("x-name", "tok-name-0")]));
    // It may be of the head as it is.
    for (path, answer) in [("/registry/7", &signed[..]), ("/import", &answer[..])] {
        let kept = ruled(&vault, path, answer).await;
        assert_eq!(kept.unwrap(), lines(answer));
    }
    let (filter, sent) = (filter(&vault, ""), [&UNIT[..], &signed].concat());
    for (path, stays) in [("/notes/A1", false), ("/import", true)] {
        let headers = lines(&sent);
        let head = RequestHead {
            host: "api.example.tw",
            method: &Method::GET,
            path,
            headers: &headers,
        };
        let passage = filter.admit(&head).unwrap();
        let rewriting = filter.request_head(&passage, &head).await.unwrap();
        let mut on = headers.clone();
        rewriting.apply(&mut on);
        for name in ["signature", "signature-input"] {
            assert_eq!(on.contains_key(name), stays, "{path} {name}");
        }
    }
}

#[tokio::test]
async fn a_head_that_no_rule_looks_into_asks_nobody() {
    let vault = MemoryVault::default();
    let answer = [("x-account", "t1"), ("x_name", "王")];
    let headers = ruled(&vault, "/import", &answer).await;
    assert_eq!(headers, Ok(lines(&answer)));
    assert_eq!(vault.calls(), []);
}

#[tokio::test]
async fn a_header_that_can_be_read_in_two_ways_is_the_upstreams_fault() {
    let vault = MemoryVault::default();
    let unreadable = Err(FilterError::Upstream(UpstreamError::HeaderInvalid));
    for line in [("x_name", "Wang"), ("x-name", "王")] {
        assert_eq!(ruled(&vault, "/registry/7", &[line]).await, unreadable);
    }
    *vault.refusal.lock().unwrap() = Some(VaultError::Unavailable);
    let away = ruled(&vault, "/registry/7", &[("x-name", "Wang")]).await;
    assert_eq!(away, Err(FilterError::Vault(VaultError::Unavailable)));
}

#[tokio::test]
async fn a_rule_of_the_head_says_nothing_of_bodies() {
    let vault = MemoryVault::default();
    let upstream = Upstream::start(|_| {
        let answer = Response::builder().header("content-type", "text/plain");
        let answer = answer.header("x-debug", "A1");
        answer.body(Full::from("no JSON")).unwrap()
    })
    .await;
    let running = running(&vault, upstream.address).await;
    // The body's own rule only gives back values: what it can't read goes on.
    let answer = send(&running, ("GET", "/accounts/7"), &UNIT, "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str()),
        (200, "no JSON")
    );
    assert!(!answer.headers.contains_key("x-debug"));
}

#[tokio::test]
async fn the_proxy_rules_on_answers_heads_or_gives_none() {
    let vault = MemoryVault::default();
    vault.keep("t1", "A1");
    let upstream = Upstream::start(|seen| {
        let answer = Response::builder()
            .header("content-type", "application/json")
            .header("x-account", "t1")
            .header("x-name", "Wang")
            .header("x-debug", "A1");
        let body = match seen.head.uri.path() {
            "/accounts/7" => r#"{"national_id":"t1"}"#,
            _ => "",
        };
        answer.body(Full::from(body)).unwrap()
    })
    .await;
    let running = running(&vault, upstream.address).await;
    let answer = send(&running, ("GET", "/accounts/7"), &UNIT, "").await;
    assert_eq!(answer.body, r#"{"national_id":"A1"}"#);
    assert_eq!(answer.headers["x-account"], "A1");
    assert_eq!(answer.headers["x-name"], "Wang");
    assert!(!answer.headers.contains_key("x-debug"));
    let answer = send(&running, ("GET", "/registry/7"), &UNIT, "").await;
    assert_eq!(answer.headers["x-name"], "tok-name-0");
    assert_eq!(answer.headers["x-account"], "t1");

    *vault.refusal.lock().unwrap() = Some(VaultError::Unavailable);
    let answer = send(&running, ("GET", "/registry/7"), &UNIT, "").await;
    assert_eq!(answer.code(), "vault-unavailable");
    assert!(!answer.headers.contains_key("x-name"));
}

#[tokio::test]
async fn the_layer_rules_on_answers_heads_or_gives_none() {
    let vault = MemoryVault::default();
    let answer = async || ([("x-name", "Wang")], Bytes::from_static(b"ok"));
    let router = Router::new().route("/registry/{id}", get(answer));
    let service = FilterLayer::new(Arc::new(filter(&vault, ""))).layer(router);
    let asked = || {
        let request = Request::get("/registry/7").header("host", "a");
        let request = request.header("authorization", "Bearer unit");
        service
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
    };
    let answer = asked().await.unwrap();
    assert_eq!(answer.headers()["x-name"], "tok-name-0");
    *vault.refusal.lock().unwrap() = Some(VaultError::Unavailable);
    let answer = asked().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    assert!(!answer.headers().contains_key("x-name"));
}

#[tokio::test]
async fn a_trailer_of_a_ruled_name_does_not_go_on_through_the_proxy() {
    let vault = MemoryVault::default();
    let upstream = Upstream::start(|_| Response::new(Full::default())).await;
    let http2 = "upstream_protocol = \"http2\"";
    let running = start(&vault, upstream.address, "", http2).await;
    let stream = tokio::net::TcpStream::connect(running.address).await;
    let stream = TokioIo::new(stream.unwrap());
    let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
    let (mut sender, connection) = shaken.unwrap();
    tokio::spawn(connection);
    let sent = lines(&[("x-name", "Wang"), ("x_name", "Wang"), ("x-late", "1")]);
    let body = Full::new(Bytes::from_static(b"no rule reads it"));
    let body = body.with_trailers(std::future::ready(Some(Ok(sent))));
    let request = Request::post(format!("http://{}/notes/A1", running.address))
        .header("authorization", "Bearer unit")
        .body(body)
        .unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
    let seen = upstream.seen.lock().unwrap();
    assert_eq!(seen[0].trailers, Some(lines(&[("x-late", "1")])));
}

#[tokio::test]
async fn a_trailer_of_a_ruled_name_does_not_go_on_through_the_processor() {
    let processor = processor(&MemoryVault::default(), "").await;
    let head = || talk::request("POST", "/notes/A1", &[], Rest::Body);
    let part = || HttpBody {
        end_of_stream: false,
        ..whole("no rule reads it")
    };
    let late = talk::head(&[("x_name", "Wang"), ("x-late", "1")], Rest::Body);
    let trailers = Message::RequestTrailers(HttpTrailers {
        trailers: late.headers,
    });
    let mut talk = processor.talk().await.unwrap();
    let streamed = BodySendMode::FullDuplexStreamed;
    talk.send(opening(head(), streamed, streamed))
        .await
        .unwrap();
    talk.say(Message::RequestBody(part())).await.unwrap();
    let Reply::RequestTrailers(reply) = talk.send(said(trailers)).await.unwrap() else {
        panic!()
    };
    assert_eq!(reply.header_mutation.unwrap().remove_headers, ["x_name"]);
    // Where bodies come whole, the gateway may send trailers past the filter.
    let mut talk = processor.talk().await.unwrap();
    talk.open(head()).await.unwrap();
    let reply = talk.say(Message::RequestBody(part())).await;
    assert_eq!(failed(reply), Code::FailedPrecondition);
}
