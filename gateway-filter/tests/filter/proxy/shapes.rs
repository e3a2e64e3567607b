//! Shapes of HTTP/1.1 that two readers read differently: refused, or made one before they go on.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::running::*;
use crate::city::{MemoryVault, Upstream};

/// All that comes back for these bytes, until the proxy closes.
async fn answers(address: std::net::SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    let _ = stream.read_to_end(&mut answers).await;
    String::from_utf8_lossy(&answers).into_owned()
}

const HEAD: &str = "POST /payments/card HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                    authorization: Bearer unit\r\n";

#[tokio::test]
async fn ambiguous_framing_is_refused() {
    let upstream = Upstream::echo().await;
    let running = running(&MemoryVault::default(), upstream.address).await;
    for (name, rest) in [
        (
            "two lengths",
            "content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        ),
        ("a list of lengths", "content-length: 2, 3\r\n\r\n{}"),
        ("a signed length", "content-length: +2\r\n\r\n{}"),
        ("a length with a letter", "content-length: 2a\r\n\r\n{}"),
        (
            "a folded line",
            "x-a: 1\r\n folded: 2\r\ncontent-length: 2\r\n\r\n{}",
        ),
        ("a space before the colon", "content-length : 2\r\n\r\n{}"),
        (
            "chunked and then another",
            "transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        ),
        (
            "an unknown coding",
            "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "a bare line feed in a name",
            "x\na: 1\r\ncontent-length: 2\r\n\r\n{}",
        ),
        ("a NUL in a value", "x-a: \0\r\ncontent-length: 2\r\n\r\n{}"),
        (
            "a chunk length of nonsense",
            "transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        ),
        (
            "a chunk length that overflows",
            "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        ),
        (
            "a chunk without its end",
            "transfer-encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n",
        ),
    ] {
        let answer = answers(running.address, &format!("{HEAD}{rest}")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{name}: {answer}");
    }
    let old =
        "POST /payments/card HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let answer = answers(running.address, old).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn chunked_with_a_length_has_one_meaning_and_ends_the_connection() {
    let upstream = Upstream::echo().await;
    let running = running(&MemoryVault::default(), upstream.address).await;
    let hidden = "GET /import HTTP/1.1\r\nhost: a\r\n\r\n";
    for order in [
        "content-length: 6\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 6\r\n",
    ] {
        let before = upstream.requests();
        // What follows the last chunk would be another request to a reader of the length.
        let request = format!("{HEAD}{order}\r\n2\r\n{{}}\r\n0\r\n\r\n{hidden}");
        let answer = answers(running.address, &request).await;
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        // RFC 9112 §6.1: chunked counts, the length goes, and so does the connection.
        assert_eq!(upstream.requests(), before + 1);
        assert_eq!(upstream.last_body(), "{}");
        assert_eq!(upstream.last_header("transfer-encoding"), None);
        assert_eq!(upstream.last_header("content-length").as_deref(), Some("2"));
    }
}

#[tokio::test]
async fn a_body_that_is_shorter_than_its_length_does_not_go_on() {
    let upstream = Upstream::echo().await;
    let running = running(&MemoryVault::default(), upstream.address).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let request = format!("{HEAD}content-length: 50\r\n\r\n{BODY}");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"));
    let page = running.live.metrics().page();
    assert!(!page.contains("outcome=\"passed\""), "{page}");
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn a_change_of_protocol_and_a_tunnel_are_refused() {
    let upstream = Upstream::echo().await;
    let running = start(
        &MemoryVault::default(),
        upstream.address,
        "unmatched = \"pass\"",
        "",
    )
    .await;
    let tunnel = "CONNECT other:443 HTTP/1.1\r\nhost: other:443\r\n\r\n";
    let answer = answers(running.address, tunnel).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let upgrade = "GET /import HTTP/1.1\r\nhost: a\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\
                   http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    let answer = answers(running.address, upgrade).await;
    assert!(!answer.starts_with("HTTP/1.1 101"), "{answer}");
    if upstream.requests() > 0 {
        for gone in ["upgrade", "connection", "http2-settings"] {
            assert_eq!(upstream.last_header(gone), None, "{gone}");
        }
    }
}
