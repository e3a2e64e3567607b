//! Connections that say nothing, or not enough, over real sockets: each ends in the stated time, and none that
//! spoke does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use gateway_filter::{Listener, Shutdown, ext_proc};
use http::Request;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::city::{MemoryVault, Upstream, filter, settings_with};
use crate::ext_proc::talk::{opening, payment, request_body, said};
use crate::proxy::running::{BODY, read, settled, start};
use crate::proxy::tls::{self, Authority, DOOR};

const LIMIT: Duration = Duration::from_millis(400);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An empty SETTINGS frame (RFC 9113 section 6.5).
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// The beginnings of connections that never come to a request.
fn beginnings() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        b"P".to_vec(),
        PREFACE[..10].to_vec(),
        PREFACE.to_vec(),
        [PREFACE, SETTINGS].concat(),
        b"POST /payments/card HTTP/1.1\r\nhost: a".to_vec(),
    ]
}

/// Until the other side ends the connection.
async fn ended(mut stream: impl AsyncRead + Unpin) {
    let mut said = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut said).await;
}

/// Opens many connections that come to nothing, and waits until all are gone.
async fn all_end_in_time(address: SocketAddr) {
    let mut open = Vec::new();
    for beginning in beginnings().iter().cycle().take(60) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        open.push(stream);
    }
    let began = Instant::now();
    let mut ends = tokio::task::JoinSet::new();
    for stream in open {
        ends.spawn(ended(stream));
    }
    let all = tokio::time::timeout(Duration::from_secs(10), ends.join_all());
    assert!(
        all.await.is_ok(),
        "a connection that says nothing is still open"
    );
    assert!(began.elapsed() < LIMIT * 5, "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_proxy_cuts_off_who_says_nothing_and_nobody_else() {
    let upstream = Upstream::echo().await;
    let vault = MemoryVault::default();
    let limit = format!("header_timeout_ms = {}", LIMIT.as_millis());
    let running = start(&vault, upstream.address, "", &limit).await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    let executor = TokioExecutor::new();
    let shaken = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.unwrap();
    tokio::spawn(connection);
    let mut pay = async || {
        let request = Request::post(format!("http://{}/payments/card", running.address))
            .header("content-type", "application/json")
            .header("authorization", "Bearer unit")
            .body(Full::new(Bytes::from_static(BODY.as_bytes())))
            .unwrap();
        read(sender.send_request(request).await.unwrap()).await
    };
    assert_eq!(pay().await.body, BODY);
    all_end_in_time(running.address).await;
    // The same connection, which is older than the limit.
    assert_eq!(pay().await.body, BODY);
}

#[tokio::test]
async fn the_processor_cuts_off_who_says_nothing_and_nobody_else() {
    let vault = MemoryVault::default();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let address = listener.address();
    let (_shutdown, begun) = Shutdown::channel();
    let limit = format!("header_timeout_ms = {}", LIMIT.as_millis());
    tokio::spawn(ext_proc::serve(
        listener,
        Arc::new(Arc::new(filter(&vault, "")).into()),
        settings_with("", &limit, "").ext_proc,
        begun,
    ));
    let mut client = ExternalProcessorClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let (messages, stream) = mpsc::channel(1);
    let whole = BodySendMode::Buffered;
    let opening = opening(payment(), whole, whole);
    messages.send(opening).await.unwrap();
    let stream = client.process(ReceiverStream::new(stream)).await.unwrap();
    let mut answers = stream.into_inner();
    assert!(answers.message().await.unwrap().is_some());
    all_end_in_time(address).await;
    // The same stream, on a connection that is older than the limit.
    messages.send(said(request_body(BODY))).await.unwrap();
    assert!(answers.message().await.unwrap().is_some());
}

#[tokio::test]
async fn the_proxys_door_cuts_off_who_shakes_no_hand_or_says_nothing_then() {
    let folder = tempfile::tempdir().unwrap();
    Authority::in_folder(folder.path()).sign(folder.path(), "door");
    let upstream = Upstream::echo().await;
    let door = format!("{DOOR}\nheader_timeout_ms = {}", LIMIT.as_millis());
    let text = tls::text(upstream.address, &door);
    let running = settled(&MemoryVault::default(), &text, folder.path()).await;
    let mut ends = tokio::task::JoinSet::new();
    // Nothing, and the beginning of a handshake (RFC 8446 section 5.1).
    for beginning in [&[][..], &[22, 3, 1, 2, 0, 1]] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        ends.spawn(ended(stream));
    }
    for (protocol, said) in [
        (&b"h2"[..], &PREFACE[..10]),
        (&b"http/1.1"[..], &b"GET / HTTP"[..]),
    ] {
        let (mut stream, _) = tls::connect(running.address, folder.path(), protocol).await;
        stream.write_all(said).await.unwrap();
        stream.flush().await.unwrap();
        ends.spawn(ended(stream));
    }
    let began = Instant::now();
    let all = tokio::time::timeout(Duration::from_secs(10), ends.join_all());
    assert!(
        all.await.is_ok(),
        "a connection that says nothing is still open"
    );
    assert!(began.elapsed() < LIMIT * 5, "{:?}", began.elapsed());
}
