//! The bound on bodies in memory: as they came, decoded, rewritten, and until whoever gets them has them.

use std::io::Write as _;

use bytes::Bytes;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Reply;
use http::{Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Status;

use crate::city::{MemoryVault, Upstream};
use crate::ext_proc::talk::{
    self, Rest, Talk, answer_head, opening, processor, refused, request_body,
};
use crate::proxy::running::{Running, UNIT, client, read, start};

fn held(running: &Running) -> usize {
    let page = running.live.metrics().page();
    let line = page
        .lines()
        .find(|line| line.starts_with("jinku_filter_held_bytes "));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn long(bytes: usize) -> String {
    // Numbers that compress to about the half.
    let numbers = (0..).map(|n: u64| n.wrapping_mul(6_364_136_223_846_793_005) % 10);
    let filling: String = numbers.take(bytes).map(|n| n.to_string()).collect();
    format!(r#"{{"payer":{{"national_id":"A1"}},"filling":"{filling}"}}"#)
}

#[tokio::test]
async fn what_a_compressed_body_becomes_counts() {
    let upstream = Upstream::start(|_| Response::new(Full::default())).await;
    let limits = "body_bytes_max = 1000000\nheld_bytes_max = 400000";
    let vault = MemoryVault::default();
    let running = start(&vault, upstream.address, limits, "").await;
    let pay = async |bytes: usize| {
        let request = Request::post(format!("http://{}/payments/card", running.address))
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .header("authorization", "Bearer unit")
            .body(Full::new(Bytes::from(gzip(&long(bytes)))))
            .unwrap();
        let answer = client(http::Version::HTTP_11)
            .request(request)
            .await
            .unwrap();
        (answer.status().as_u16(), read_code(answer).await)
    };
    let overloaded = Some("overloaded".to_owned());
    // Decoded, it is over the bound; then decoded and rewritten together are.
    for bytes in [400_000, 200_000] {
        assert_eq!(pay(bytes).await, (503, overloaded.clone()), "{bytes}");
    }
    assert_eq!((upstream.requests(), held(&running)), (0, 0));
    assert_eq!(pay(100_000).await, (200, None));
    assert_eq!(held(&running), 0);
}

async fn read_code(answer: Response<hyper::body::Incoming>) -> Option<String> {
    let problem = answer.headers().contains_key("content-type");
    if problem {
        Some(read(answer).await.code())
    } else {
        None
    }
}

#[tokio::test]
async fn an_answer_counts_until_its_client_has_it() {
    const BYTES: usize = 16 << 20;
    let upstream = Upstream::start(|_| {
        let filling = "x".repeat(BYTES);
        let body = format!(r#"{{"national_id":"t1","filling":"{filling}"}}"#);
        let answer = Response::builder().header("content-type", "application/json");
        answer.body(Full::from(body)).unwrap()
    })
    .await;
    let vault = MemoryVault::default();
    vault.keep("t1", "A1");
    let limits = "body_bytes_max = 20000000\nheld_bytes_max = 80000000";
    let running = start(&vault, upstream.address, limits, "").await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let request = "GET /people/7 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer unit\r\n\
                   jinku-purpose: audit\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = vec![0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(first, b"HTTP/1.1 200");
    // The sockets' buffers hold a part of it; the rest waits here.
    assert!(held(&running) > BYTES, "{}", held(&running));
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() > BYTES);
    let gone = async {
        while held(&running) > 0 {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(10), gone).await;
    assert!(waited.is_ok(), "{}", held(&running));
}

const MODES: [BodySendMode; 2] = [BodySendMode::Buffered, BodySendMode::FullDuplexStreamed];

/// A unit that sends a token, and the first answer to its body.
async fn disclosing(
    processor: &talk::Running,
    mode: BodySendMode,
    token: &str,
) -> (Talk, Result<Reply, Status>) {
    let mut talk = processor.talk().await.unwrap();
    let json = [("content-type", "application/json")];
    let head = talk::request("POST", "/disclose", &json, Rest::Body);
    let head = opening(head, mode, mode);
    if mode == BodySendMode::Buffered {
        talk.send(head).await.unwrap();
    } else {
        // It waits for its body.
        talk.messages.send(head).await.unwrap();
    }
    let body = format!(r#"{{"id":"{token}"}}"#);
    let reply = talk.say(request_body(&body)).await;
    (talk, reply)
}

/// It went on, as far as it goes in this mode.
async fn goes_on(mode: BodySendMode, (talk, reply): &mut (Talk, Result<Reply, Status>)) {
    let mut reply = reply.clone().unwrap();
    if mode != BodySendMode::Buffered {
        assert!(matches!(reply, Reply::RequestHeaders(_)), "{reply:?}");
        let next = talk.answers.message().await.unwrap();
        reply = next.unwrap().response.unwrap();
    }
    assert!(matches!(reply, Reply::RequestBody(_)), "{reply:?}");
}

#[tokio::test]
async fn what_the_gateway_shows_counts_whole_and_in_parts() {
    let vault = MemoryVault::default();
    let token = "t".repeat(1_400);
    vault.keep(&token, "A1");
    for mode in MODES {
        // What it becomes would have room; it alone too.
        let tight = processor(&vault, "held_bytes_max = 2000").await;
        let (_, reply) = disclosing(&tight, mode, &token).await;
        assert_eq!(refused(reply), (503, "overloaded".to_owned()), "{mode:?}");
        let roomy = processor(&vault, "held_bytes_max = 3300").await;
        goes_on(mode, &mut disclosing(&roomy, mode, &token).await).await;
    }
}

#[tokio::test]
async fn an_answer_to_the_gateway_counts_until_its_next_word() {
    let vault = MemoryVault::default();
    vault.keep("t1", &"v".repeat(1_400));
    for mode in MODES {
        let processor = processor(&vault, "held_bytes_max = 3300").await;
        let mut first = disclosing(&processor, mode, "t1").await;
        goes_on(mode, &mut first).await;
        let (_, second) = disclosing(&processor, mode, "t1").await;
        assert_eq!(refused(second), (503, "overloaded".to_owned()), "{mode:?}");
        let word = first.0.say(answer_head()).await.unwrap();
        assert!(matches!(word, Reply::ResponseHeaders(_)), "{mode:?}");
        goes_on(mode, &mut disclosing(&processor, mode, "t1").await).await;
    }
}

#[tokio::test]
async fn whoever_hangs_up_gives_the_memory_back() {
    let upstream = Upstream::echo().await;
    let vault = MemoryVault {
        stuck: true,
        ..MemoryVault::default()
    };
    let running = start(&vault, upstream.address, "", "").await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let body = long(1_000);
    let lines = UNIT.map(|(name, value)| format!("{name}: {value}\r\n"));
    let request = format!(
        "POST /payments/card HTTP/1.1\r\nhost: a\r\n{}content-length: {}\r\n\r\n{body}",
        lines.concat(),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let until = async |wanted: fn(usize) -> bool| {
        let there = async {
            while !wanted(held(&running)) {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(10), there).await;
        assert!(waited.is_ok(), "{}", held(&running));
    };
    until(|held| held > 1_000).await;
    drop(stream);
    until(|held| held == 0).await;
}
