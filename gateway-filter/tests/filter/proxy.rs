//! The reverse proxy over real sockets: a client, the proxy, an upstream that remembers.

pub(crate) mod nginx;
pub(crate) mod running;
mod shapes;
pub(crate) mod tls;
mod upstreams;

use std::time::Duration;

use bytes::Bytes;
use gateway_filter::{Refusal, VaultError};
use http::{Request, Response, Version};
use http_body_util::Full;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::city::{MemoryVault, Upstream};

use running::*;

#[tokio::test]
async fn the_upstream_sees_tokens_and_the_unit_its_values() {
    let vault = MemoryVault::default();
    let upstream = Upstream::echo().await;
    let running = running(&vault, upstream.address).await;
    let mut lines = UNIT.to_vec();
    lines.extend([
        ("content-digest", "sha-256=:AAAA:"),
        ("accept-encoding", "gzip"),
        ("range", "bytes=0-1"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("x-kept", "2"),
        ("jinku-purpose", "audit"),
    ]);
    let answer = send(&running, PAY, &lines, BODY).await;

    assert_eq!(
        upstream.last_body(),
        r#"{ "payer" : {"national_id":"tok-national-id-0"}}"#
    );
    let length = upstream.last_body().len().to_string();
    assert_eq!(upstream.last_header("content-length"), Some(length));
    // The unit's proof opens the vault: it ends here.
    assert_eq!(upstream.last_header("authorization"), None);
    assert_eq!(
        upstream.last_header("host"),
        Some(running.address.to_string())
    );
    assert_eq!(upstream.last_header("x-kept").as_deref(), Some("2"));
    for gone in [
        "content-digest",
        "accept-encoding",
        "range",
        "x-hop",
        "connection",
    ] {
        assert_eq!(upstream.last_header(gone), None, "{gone}");
    }
    assert_eq!(
        upstream.seen.lock().unwrap()[0].head.uri,
        "/payments/card?q=1"
    );

    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, BODY));
    assert_eq!(answer.headers["content-length"], BODY.len().to_string());
    assert_eq!(answer.headers["x-kept"], "1");
    assert!(!answer.headers.contains_key("etag"));
    assert!(!answer.headers.contains_key("content-digest"));
}

#[tokio::test]
async fn http2_without_tls_is_served_too() {
    let vault = MemoryVault::default();
    let upstream = Upstream::echo().await;
    let running = running(&vault, upstream.address).await;
    let request = Request::post(format!("http://{}/payments/card", running.address))
        .header("content-type", "application/json")
        .header("authorization", "Bearer unit")
        .body(Full::new(Bytes::from_static(BODY.as_bytes())))
        .unwrap();
    let answer = read(client(Version::HTTP_2).request(request).await.unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, BODY));
    assert_eq!(
        upstream.last_header("host"),
        Some(running.address.to_string())
    );
}

#[tokio::test]
async fn a_refused_request_never_reaches_the_upstream() {
    let upstream = Upstream::echo().await;
    let vault = MemoryVault::default();
    let running = running(&vault, upstream.address).await;
    let refused = async |target, lines: &[(&str, &str)], body: &str| {
        let answer = send(&running, target, lines, body).await;
        (answer.status.as_u16(), answer.code())
    };
    let large = " ".repeat(2001);
    for (target, lines, body, status, code) in [
        (("GET", "/nowhere"), &UNIT[..], "", 404, "route-unmatched"),
        (
            ("POST", "/payments//x"),
            &UNIT[..],
            BODY,
            400,
            "path-ambiguous",
        ),
        (("GET", "/people/7"), &UNIT[..], "", 400, "purpose-missing"),
        (PAY, &UNIT[1..], BODY, 415, "media-type-unsupported"),
        (PAY, &UNIT[..], "{", 400, "json-invalid"),
        (
            PAY,
            &UNIT[..],
            r#"{"a":1,"\u0061":2}"#,
            400,
            "json-duplicate-key",
        ),
        (PAY, &UNIT[..], large.as_str(), 413, "body-too-large"),
        (PAY, &UNIT[..1], BODY, 401, "unauthenticated"),
    ] {
        assert_eq!(
            refused(target, lines, body).await,
            (status, code.to_owned())
        );
    }
    *vault.refusal.lock().unwrap() = Some(VaultError::Unavailable);
    let answer = send(&running, PAY, &UNIT, BODY).await;
    assert_eq!(answer.code(), "vault-unavailable");
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn a_body_of_unknown_length_stops_at_the_limit() {
    let vault = MemoryVault::default();
    let upstream = Upstream::echo().await;
    let running = running(&vault, upstream.address).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = "POST /payments/card HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let chunk = format!("3e8\r\n{}\r\n", " ".repeat(1000));
    // Two chunks fit, the third does not; the body never ends.
    stream
        .write_all(format!("{head}{chunk}{chunk}{chunk}").as_bytes())
        .await
        .unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn two_lengths_two_hosts_and_no_host_are_refused() {
    let vault = MemoryVault::default();
    let upstream = Upstream::echo().await;
    let running = running(&vault, upstream.address).await;
    for head in [
        "host: a\r\nhost: b\r\n",
        "",
        "host: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n",
        "host: a\r\ntransfer-encoding: chunked, identity\r\n",
    ] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let request = format!("POST /payments/card HTTP/1.1\r\n{head}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 400", "{head:?}");
    }
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn what_no_rule_names_streams_through_as_it_is() {
    let vault = MemoryVault::default();
    let upstream = Upstream::start(|_| {
        Response::builder()
            .status(302)
            .header("location", "/x")
            .body(Full::default())
            .unwrap()
    })
    .await;
    let running = start(&vault, upstream.address, "unmatched = \"pass\"", "").await;
    let large = "x".repeat(100_000);
    let answer = send(
        &running,
        ("PUT", "/files/1"),
        &[("accept-encoding", "br")],
        &large,
    )
    .await;
    assert_eq!(answer.status.as_u16(), 302);
    assert_eq!(upstream.last_body(), large);
    assert_eq!(
        upstream.last_header("accept-encoding").as_deref(),
        Some("br")
    );
    assert_eq!(upstream.requests(), 1);
}

async fn answered(
    vault: &MemoryVault,
    target: (&str, &str),
    content_type: &'static str,
    body: &'static str,
) -> Answer {
    let upstream = Upstream::start(move |_| {
        let response = Response::builder().header("content-type", content_type);
        response
            .header("etag", "\"1\"")
            .body(Full::from(body))
            .unwrap()
    })
    .await;
    let running = running(vault, upstream.address).await;
    let lines = [("authorization", "Bearer unit"), ("jinku-purpose", "audit")];
    send(&running, target, &lines, "").await
}

#[tokio::test]
async fn an_answer_is_rewritten_kept_or_refused() {
    let vault = MemoryVault::default();
    vault.keep("t1", "A1");
    let person = ("GET", "/people/7");
    let json = "application/json";
    let answer = answered(&vault, person, json, r#"{"national_id":"t1"}"#).await;
    assert_eq!(answer.body, r#"{"national_id":"A1"}"#);
    let answer = answered(&vault, person, "text/plain", "t1").await;
    assert_eq!(
        (answer.body.as_str(), &answer.headers["etag"]),
        ("t1", &"\"1\"".parse().unwrap())
    );
    let answer = answered(&vault, person, json, "{").await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (502, "upstream-json-invalid")
    );
    let import = ("GET", "/import");
    let long = concat!(
        r#"{"name":"Li","x":"01234567890123456789012345678901234567890123456789"#,
        r#"01234567890123456789012345678901234"}"#
    );
    let answer = answered(&vault, import, json, long).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (502, "upstream-body-too-large")
    );
    let answer = answered(&vault, import, "text/plain", "Li").await;
    assert_eq!(answer.code(), "upstream-media-type-unsupported");
    assert!(!answer.body.contains("Li"));

    let denied = MemoryVault::refusing(VaultError::Denied(Refusal::default()));
    let answer = answered(&denied, person, json, r#"{"national_id":"t1"}"#).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str()),
        (200, r#"{"national_id":"t1"}"#)
    );
    assert_eq!(answer.headers["etag"], "\"1\"");
    let away = MemoryVault::refusing(VaultError::DeadlineExceeded);
    let answer = answered(&away, person, json, r#"{"national_id":"t1"}"#).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (504, "vault-timeout")
    );
}

#[tokio::test]
async fn a_head_request_has_no_body_to_read() {
    let vault = MemoryVault::default();
    let answer = answered(
        &vault,
        ("HEAD", "/import"),
        "application/json",
        "{\"name\":1}",
    )
    .await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
    assert_eq!(vault.calls(), []);
}

#[tokio::test]
async fn an_upstream_that_is_away_breaks_off_or_is_silent_is_a_gateway_error() {
    let vault = MemoryVault::default();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let slow = start(&vault, address, "", "upstream_timeout_ms = 100").await;
    let answer = send(&slow, PAY, &UNIT, BODY).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (504, "upstream-timeout")
    );

    drop(socket);
    let answer = send(&slow, PAY, &UNIT, BODY).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (502, "upstream-unreachable")
    );

    let broken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = broken.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = broken.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
        let part = format!("{head}content-length: 50\r\n\r\n{{\"national_id\":");
        stream.write_all(part.as_bytes()).await.unwrap();
    });
    let running = running(&vault, address).await;
    let answer = send(&running, PAY, &UNIT, BODY).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (502, "upstream-body-broken")
    );
}

#[tokio::test]
async fn a_slow_head_and_a_slow_body_are_cut_off() {
    let vault = MemoryVault::default();
    let upstream = Upstream::echo().await;
    let limits = "header_timeout_ms = 100\nbody_timeout_ms = 100";
    let running = start(&vault, upstream.address, "", limits).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream
        .write_all(b"POST /payments/card HTTP/1.1\r\nhost: a\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // The connection is closed, with or without a 408, long before hyper's own 30 seconds.
    let closed = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), closed)
        .await
        .unwrap()
        .unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"));

    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = "POST /payments/card HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    stream
        .write_all(format!("{head}content-length: 9\r\n\r\n{{").as_bytes())
        .await
        .unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn a_head_over_its_limit_is_refused() {
    let vault = MemoryVault::default();
    let upstream = Upstream::echo().await;
    let running = running(&vault, upstream.address).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = format!(
        "GET /import HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "x".repeat(70_000)
    );
    // The proxy may answer before it has read all: then the rest can't be written.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 431");
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn more_requests_than_allowed_are_told_to_wait() {
    let vault = MemoryVault::default();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let running = start(&vault, address, "in_flight_max = 1", "").await;
    let waiting = TcpStream::connect(running.address).await.unwrap();
    let (mut reader, mut writer) = waiting.into_split();
    writer
        .write_all(b"GET /import HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    // The first request holds its slot once it has reached the upstream.
    let (mut first, _) = silent.accept().await.unwrap();
    let answer = send(&running, ("GET", "/import"), &[], "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (503, "overloaded")
    );

    let mut request = [0; 1024];
    let _ = first.read(&mut request).await.unwrap();
    first
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
    let mut answer = vec![0; 12];
    reader.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 204");
}

#[tokio::test]
async fn a_shutdown_lets_the_request_under_way_finish() {
    let vault = MemoryVault::default();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = running(&vault, silent.local_addr().unwrap()).await;
    let mut unit = TcpStream::connect(running.address).await.unwrap();
    unit.write_all(b"GET /import HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let (mut upstream, _) = silent.accept().await.unwrap();
    running.shutdown.send(true).unwrap();
    let mut request = [0; 1024];
    let _ = upstream.read(&mut request).await.unwrap();
    upstream
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    unit.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    running.server.await.unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn the_upstream_sees_tokens_in_path_query_and_headers() {
    let vault = MemoryVault::default();
    let upstream = Upstream::echo().await;
    let running = running(&vault, upstream.address).await;
    let mut lines = UNIT.to_vec();
    lines.extend([("x-name", "Li"), ("x-kept", "1"), ("x-name", "Wang")]);
    let get = ("GET", "/notes/A123456789?a=1&pan=41");
    let answer = send(&running, get, &lines, "").await;
    assert_eq!(answer.status, 200);
    {
        let seen = upstream.seen.lock().unwrap();
        assert_eq!(
            seen[0].head.uri,
            "/notes/tok-national-id-0?a=1&pan=tok-pan-1"
        );
        let names: Vec<_> = seen[0].head.headers.get_all("x-name").iter().collect();
        assert_eq!(names, ["tok-name-2", "tok-name-3"]);
        assert_eq!(seen[0].head.headers["x-kept"], "1");
    }
    // A value that can't be read as one does not go on.
    let twice = ("GET", "/notes/A1;x=A123456789");
    let answer = send(&running, twice, &UNIT, "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (400, "path-ambiguous".to_owned())
    );
    assert_eq!(upstream.requests(), 1);
}
