//! Several upstreams, their health, HTTP/2 to them, and units who go away.

use bytes::Bytes;
use gateway_filter::Refusal;
use http::Response;
use http_body_util::Full;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::running::*;
use crate::city::{MemoryVault, SETTINGS, Upstream};

async fn proxy_of(vault: &MemoryVault, lines: &str) -> Running {
    let text = SETTINGS
        .replace("LIMITS", "")
        .replace("EXTPROC", "")
        .replace("PROXY", lines)
        .replace("VAULT", "1");
    settled(vault, &text, std::path::Path::new("")).await
}

async fn gone() -> std::net::SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    socket.local_addr().unwrap()
}

#[tokio::test]
async fn requests_take_turns_and_go_to_another_upstream_where_one_is_away() {
    let (one, other, away) = (Upstream::echo().await, Upstream::echo().await, gone().await);
    let lines = format!(
        "upstream = [\"http://{}\", \"http://{away}\", \"http://{}\"]",
        one.address, other.address
    );
    let running = proxy_of(&MemoryVault::default(), &lines).await;
    for _ in 0..6 {
        let answer = send(&running, PAY, &UNIT, BODY).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, BODY));
    }
    assert!(one.requests() >= 2 && other.requests() >= 2);
    assert_eq!(one.requests() + other.requests(), 6);
}

#[tokio::test]
async fn an_upstream_that_says_it_is_ill_gets_no_requests_while_another_is_well() {
    let ill = Upstream::start(|seen| {
        let status = match seen.head.uri.path() {
            "/healthz" => 503,
            _ => 200,
        };
        let response = Response::builder().status(status);
        response.body(Full::<Bytes>::default()).unwrap()
    })
    .await;
    let well = Upstream::echo().await;
    let lines = format!(
        "upstream = [\"http://{}\", \"http://{}\"]\nhealth_path = \"/healthz\"\n\
         health_interval_ms = 20",
        ill.address, well.address
    );
    let running = proxy_of(&MemoryVault::default(), &lines).await;
    while ill.requests() == 0 {
        tokio::task::yield_now().await;
    }
    while well.requests() == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..4 {
        assert_eq!(send(&running, PAY, &UNIT, BODY).await.body, BODY);
    }
    let asked = ill.seen.lock().unwrap();
    assert!(asked.iter().all(|seen| seen.head.uri == "/healthz"));
}

#[tokio::test]
async fn an_upstream_may_speak_http2_without_tls() {
    let upstream = Upstream::echo().await;
    let lines = format!(
        "upstream = \"http://{}\"\nupstream_protocol = \"http2\"",
        upstream.address
    );
    let running = proxy_of(&MemoryVault::default(), &lines).await;
    for _ in 0..3 {
        assert_eq!(send(&running, PAY, &UNIT, BODY).await.body, BODY);
    }
    let seen = upstream.seen.lock().unwrap();
    let own = running.address.to_string();
    assert!(seen.iter().all(|seen| {
        seen.head.version == http::Version::HTTP_2
            && seen.head.uri.authority().map(ToString::to_string) == Some(own.clone())
    }));
}

#[tokio::test]
async fn a_connection_that_the_upstream_closed_is_replaced() {
    let upstream = Upstream::start(|seen| {
        Response::builder()
            .header("connection", "close")
            .header("content-type", "application/json")
            .body(Full::new(seen.body.clone()))
            .unwrap()
    })
    .await;
    let lines = format!("upstream = \"http://{}\"", upstream.address);
    let running = proxy_of(&MemoryVault::default(), &lines).await;
    for _ in 0..5 {
        assert_eq!(send(&running, PAY, &UNIT, BODY).await.body, BODY);
    }
    assert_eq!(upstream.requests(), 5);
}

#[tokio::test]
async fn a_unit_that_goes_away_leaves_nothing_under_way() {
    let upstream = Upstream::echo().await;
    let vault = MemoryVault {
        stuck: true,
        ..MemoryVault::default()
    };
    let running = proxy_of(
        &vault,
        &format!("upstream = \"http://{}\"", upstream.address),
    )
    .await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let request = format!(
        "POST /payments/card HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         authorization: Bearer unit\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    while vault.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    let metrics = running.live.metrics().clone();
    assert!(metrics.page().contains("jinku_filter_messages_under_way 1"));
    drop(stream);
    let line = "route=\"payments\",outcome=\"abandoned\"} 1";
    while !metrics.page().contains(line) {
        tokio::task::yield_now().await;
    }
    let page = metrics.page();
    assert!(page.contains("jinku_filter_messages_under_way 0"), "{page}");
    assert!(page.contains("jinku_filter_held_bytes 0"), "{page}");
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn a_denial_in_the_middle_of_an_array_keeps_all_of_it_here() {
    let upstream = Upstream::echo().await;
    let running = running(&MemoryVault::default(), upstream.address).await;
    let body = r#"{"items":[{"pan":"one"},{"pan":"denied"},{"pan":"three"}]}"#;
    let answer = send(&running, PAY, &UNIT, body).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (403, "denied")
    );
    assert!(!answer.body.contains("one"));
    let page = running.live.metrics().page();
    assert!(
        page.contains("route=\"payments\",outcome=\"denied\"} 1"),
        "{page}"
    );
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn an_upstream_that_resets_before_its_answer_is_a_gateway_error_and_not_asked_again() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let connections = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let mut request = [0; 4096];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
            // The kernel answers with a reset where something was left unread; else with an end.
            drop(stream);
        }
    });
    let running = running(&MemoryVault::default(), address).await;
    let answer = send(&running, PAY, &UNIT, BODY).await;
    assert_eq!(answer.code(), "upstream-unreachable");
    // It may have acted on what it read.
    assert_eq!(connections.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_busy_vaults_patience_reaches_the_unit() {
    let upstream = Upstream::echo().await;
    let vault = MemoryVault::refusing(gateway_filter::VaultError::Busy(Refusal {
        code: Some("overloaded".to_owned()),
        retry_after: Some(std::time::Duration::from_secs(9)),
        ..Refusal::default()
    }));
    let running = running(&vault, upstream.address).await;
    let answer = send(&running, PAY, &UNIT, BODY).await;
    assert_eq!(answer.status.as_u16(), 503);
    assert_eq!(answer.headers["retry-after"], "9");
    assert_eq!(answer.code(), "overloaded");
    let page = running.live.metrics().page();
    assert!(
        page.contains("route=\"payments\",outcome=\"vault-busy\"} 1"),
        "{page}"
    );
    assert_eq!(upstream.requests(), 0);
}
