//! What a real Envoy makes of each of the filter's ends, in both body modes: it must never let a body
//! pass that was not read.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

pub(crate) fn in_parts() -> Plan {
    Plan {
        yaml: include_str!("../../../examples/envoy-duplex.yaml").to_owned(),
        limits: "body_bytes_max = 1000000",
        ext_proc: "",
    }
}

fn by_route() -> Plan {
    Plan {
        yaml: include_str!("../../../examples/envoy-routes.yaml").to_owned(),
        limits: "",
        ext_proc: "",
    }
}

fn long(value: &str, bytes: usize) -> String {
    let filling = "x".repeat(bytes);
    format!(r#"{{"filling":"{filling}","payer":{{"national_id":"{value}"}}}}"#)
}

#[tokio::test]
async fn bodies_in_parts_are_rewritten_whole_in_both_directions() {
    let city = planned(in_parts(), MemoryVault::default(), echo).await;
    for (version, bytes) in [
        (Version::HTTP_11, 0),
        (Version::HTTP_11, 900_000),
        (Version::HTTP_2, 900_000),
    ] {
        let body = long("A123456789", bytes);
        let answer = city.send("POST", "/payments/card", &body, version).await;
        assert_eq!(answer.status.as_u16(), 200);
        assert!(answer.body == body, "{version:?} {bytes}");
        assert!(!answer.headers.contains_key("etag"));
        assert_eq!(city.upstream.last_body(), long("tok-national-id-0", bytes));
        // An exact length or none: Envoy takes it away here.
        assert_eq!(city.upstream.last_header("content-length"), None);
        assert_eq!(city.upstream.last_header("content-digest"), None);
        assert_eq!(city.upstream.last_header("authorization"), None);
    }
    // No body at all, and one that no rule reads.
    let answer = city.send("GET", "/import", "", Version::HTTP_11).await;
    assert_eq!(answer.status.as_u16(), 200);
}

#[tokio::test]
async fn trailers_after_a_body_in_parts_go_on_behind_it() {
    let mut plan = in_parts();
    plan.yaml = plan.yaml.replace(
        "codec_type: AUTO\n",
        "codec_type: AUTO\n          http_protocol_options: { enable_trailers: true }\n",
    );
    let city = planned(plan, MemoryVault::default(), echo).await;
    let body = format!(
        "{:x}\r\n{BODY}\r\n0\r\nx-late: 1\r\ncontent-digest: sha-256=:AA==:\r\n\r\n",
        BODY.len()
    );
    let lines = "transfer-encoding: chunked\r\ntrailer: x-late, content-digest\r\n";
    let answer = city.raw("/payments/card", lines, &body).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(city.upstream.last_body(), TOKENS);
}

#[tokio::test]
async fn a_refusal_of_a_body_in_parts_comes_before_anything_goes_on() {
    let city = planned(in_parts(), MemoryVault::default(), echo).await;
    for (body, status, code) in [
        (long("A\\ud800", 200_000), 400, "json-invalid"),
        (long("A1", 1_200_000), 413, "body-too-large"),
    ] {
        let answer = city.pay(&body).await;
        assert_eq!(answer.problem(), (status, code.to_owned()));
    }
    // Over the limit, but of unknown length.
    let size = 1_200_000;
    let chunked = format!("{size:x}\r\n{}\r\n0\r\n\r\n", " ".repeat(size));
    let answer = city
        .raw("/payments/card", "transfer-encoding: chunked\r\n", &chunked)
        .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    *city.vault.refusal.lock().unwrap() = Some(VaultError::Unavailable);
    let answer = city.pay(&long("A1", 200_000)).await;
    assert_eq!(answer.problem(), (503, "vault-unavailable".to_owned()));
    assert_eq!(city.upstream.requests(), 0);
}

#[tokio::test]
async fn an_answer_in_parts_that_cannot_be_read_is_refused_in_its_place() {
    let city = planned(in_parts(), MemoryVault::default(), |seen| {
        let body = match seen.head.uri.path() {
            "/people/broken" => "{".repeat(200_000),
            "/people/large" => " ".repeat(1_200_000),
            _ => r#"{"national_id":"t1"}"#.to_owned(),
        };
        Response::builder()
            .header("content-type", "application/json")
            .body(Full::from(body))
            .unwrap()
    })
    .await;
    city.vault.keep("t1", "A1");
    let look_up = async |name: &str| {
        city.send("GET", &format!("/people/{name}"), "", Version::HTTP_11)
            .await
    };
    assert_eq!(look_up("7").await.body, r#"{"national_id":"A1"}"#);
    assert_eq!(look_up("broken").await.problem().0, 502);
    assert_eq!(
        look_up("large").await.problem(),
        (502, "upstream-body-too-large".to_owned())
    );
}

/// A body that begins and does not end.
async fn unfinished(city: &City) -> TcpStream {
    let mut stream = TcpStream::connect(city.address).await.unwrap();
    let head = "POST /payments/card HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                authorization: Bearer unit\r\ncontent-length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn status_line(stream: &mut TcpStream) -> String {
    let mut status = vec![0; 12];
    stream.read_exact(&mut status).await.unwrap();
    String::from_utf8(status).unwrap()
}

#[tokio::test]
async fn a_body_in_parts_that_does_not_end_has_the_filters_own_time() {
    let plan = Plan {
        ext_proc: "body_timeout_ms = 300",
        ..in_parts()
    };
    let city = planned(plan, MemoryVault::default(), echo).await;
    let mut stream = unfinished(&city).await;
    assert_eq!(status_line(&mut stream).await, "HTTP/1.1 503");
    assert_eq!(city.upstream.requests(), 0);
}

#[tokio::test]
async fn bodies_in_parts_share_a_bound_of_memory() {
    let plan = Plan {
        limits: "body_bytes_max = 1000000\nheld_bytes_max = 500000",
        ..in_parts()
    };
    let city = planned(plan, MemoryVault::default(), echo).await;
    let answer = city.pay(&long("A1", 600_000)).await;
    assert_eq!(answer.problem(), (503, "overloaded".to_owned()));
    assert_eq!(city.upstream.requests(), 0);
    assert_eq!(city.pay(&long("A1", 100_000)).await.status.as_u16(), 200);
}

#[tokio::test]
async fn overload_closes_in_both_modes() {
    for plan in [whole(), in_parts()] {
        let plan = Plan {
            limits: "in_flight_max = 1",
            ..plan
        };
        let stuck = MemoryVault {
            stuck: true,
            ..MemoryVault::default()
        };
        let city = Arc::new(planned(plan, stuck, echo).await);
        let first = city.clone();
        let first = tokio::spawn(async move { first.pay(BODY).await.status });
        while city.vault.calls().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(city.pay(BODY).await.status.as_u16(), 503);
        first.abort();
        assert_eq!(city.upstream.requests(), 0);
    }
}

#[tokio::test]
async fn a_drain_that_ends_before_the_vault_answers_closes_in_both_modes() {
    for plan in [whole(), in_parts()] {
        let plan = Plan {
            ext_proc: "drain_timeout_ms = 200",
            ..plan
        };
        let stuck = MemoryVault {
            stuck: true,
            ..MemoryVault::default()
        };
        let city = Arc::new(planned(plan, stuck, echo).await);
        let under_way = city.clone();
        let under_way = tokio::spawn(async move { under_way.pay(BODY).await.status });
        while city.vault.calls().is_empty() {
            tokio::task::yield_now().await;
        }
        city.shutdown.send(true).unwrap();
        assert_eq!(under_way.await.unwrap().as_u16(), 503);
        assert_eq!(city.upstream.requests(), 0);
    }
}

#[tokio::test]
async fn a_panic_closes_a_body_in_parts_too() {
    let panicking = MemoryVault {
        panics: true,
        ..MemoryVault::default()
    };
    let city = planned(in_parts(), panicking, echo).await;
    assert_eq!(city.pay(BODY).await.status.as_u16(), 503);
    assert_eq!(city.upstream.requests(), 0);
}

#[tokio::test]
async fn a_mode_that_would_let_the_rest_of_a_body_pass_is_refused() {
    let mut plan = whole();
    plan.yaml = plan.yaml.replace(
        "request_body_mode: BUFFERED\n",
        "request_body_mode: BUFFERED_PARTIAL\n",
    );
    let city = planned(plan, MemoryVault::default(), echo).await;
    assert_eq!(city.pay(BODY).await.status.as_u16(), 503);
    assert_eq!(city.upstream.requests(), 0);
}

#[tokio::test]
async fn attributes_of_the_gateway_prove_nothing() {
    let mut plan = whole();
    plan.yaml = plan.yaml.replace(
        "failure_mode_allow: false\n",
        "failure_mode_allow: false\n              \
         request_attributes: [request.id, source.address, connection.mtls, \
         connection.uri_san_peer_certificate]\n",
    );
    let city = planned(plan, MemoryVault::default(), echo).await;
    assert_eq!(city.pay(BODY).await.status.as_u16(), 200);
    let mut stream = TcpStream::connect(city.address).await.unwrap();
    let length = BODY.len();
    let request = format!(
        "POST /payments/card HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         x-forwarded-client-cert: URI=spiffe://city/tax\r\ncontent-length: {length}\r\n\r\n{BODY}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    // Invariant 10: only the unit's own proof is one.
    assert_eq!(status_line(&mut stream).await, "HTTP/1.1 401");
    assert_eq!(city.upstream.requests(), 1);
}

#[tokio::test]
async fn a_route_shows_only_the_parts_it_needs() {
    let city = planned(by_route(), MemoryVault::default(), echo).await;
    city.vault.keep("t1", "A1");
    assert_eq!(city.pay(BODY).await.body, BODY);
    let answer = city
        .send("POST", "/disclose", r#"{"id":"t1"}"#, Version::HTTP_11)
        .await;
    assert_eq!(city.upstream.last_body(), r#"{"id":"A1"}"#);
    assert_eq!(answer.status.as_u16(), 200);
    let answer = city.send("GET", "/people/7", "", Version::HTTP_11).await;
    assert_eq!(answer.status.as_u16(), 200);
    let answer = city.send("GET", "/healthz", "", Version::HTTP_11).await;
    assert_eq!(answer.status.as_u16(), 200);
    // A route of Envoy's that hides the body which the filter's route reads.
    let mut plan = by_route();
    plan.yaml = plan.yaml.replace("/disclose", "/payments/card");
    plan.yaml = plan
        .yaml
        .replace("prefix: \"/payments\" }", "prefix: \"/elsewhere\" }");
    let city = planned(plan, MemoryVault::default(), echo).await;
    assert_eq!(city.pay(BODY).await.status.as_u16(), 503);
    assert_eq!(city.upstream.requests(), 0);
}
