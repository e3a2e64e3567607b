//! The load of `benches/gateway.sh` and `benches/memory.sh` that `wrk` can't give: the filter's own calls straight
//! to the vault, and so many requests and no more.
//!
//! `bench_load vault FILTER.TOML UNIT CONNECTIONS SECONDS`: tokenize calls of five values under names of their own, as the
//! filter makes them, each connection busy with one call after the other. Prints `RESULT calls-a-second p50-us p99-us failed`.
//!
//! `bench_load http ADDRESS TARGET FILE COUNT`: POSTs the file so often over 16 connections. Prints how many of the
//! answers were not 200.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use api::v1::{TokenizeItem, TokenizeRequest};
use api::{Client, ClientSettings, UnitProof};
use bytes::Bytes;
use gateway_filter::Settings;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const CONNECTIONS: usize = 16;
/// How long the vault knows a call's name: as the filter asks for.
const NAME_SECONDS: u32 = 15;
/// What `benches/gateway.sh` puts into its bodies.
const VALUES: [(&str, &str); 5] = [
    ("national-id", "A123456789"),
    ("name", "王測試"),
    ("mobile", "0900000789"),
    ("email", "wang@example.net"),
    ("address", "範例縣虛構鄉測試村1鄰樣本路100號"),
];

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["vault", settings, unit, connections, seconds] => {
            let time = Duration::from_secs(seconds.parse()?);
            vault(Path::new(settings), unit, connections.parse()?, time).await
        }
        ["http", address, target, file, count] => {
            let body = Bytes::from(std::fs::read(file)?);
            let failed = http(address.parse()?, target, body, count.parse()?).await?;
            Ok(writeln!(std::io::stdout(), "{failed}")?)
        }
        _ => Err("usage: see the head of bench_load.rs".into()),
    }
}

async fn vault(
    settings: &Path,
    unit: &str,
    connections: usize,
    time: Duration,
) -> Result<(), Failure> {
    let settings = Settings::load(settings)?.vault;
    let identity_pem = match &settings.identity {
        Some((certificate, key)) => Some((std::fs::read(certificate)?, std::fs::read(key)?)),
        None => None,
    };
    let reached = ClientSettings {
        url: settings.url.clone(),
        ca_pem: std::fs::read(&settings.ca)?,
        identity_pem,
        timeout: settings.timeout,
    };
    let proof = UnitProof::authorization(format!("Bearer {unit}").as_bytes())?;
    let until = Instant::now() + time;
    let mut callers = tokio::task::JoinSet::new();
    // The vault knows the names of earlier runs still.
    let run: u64 = rand::random();
    for connection in 0..connections {
        let (client, proof) = (Client::new(&reached)?, proof.clone());
        callers.spawn(async move {
            let (mut times, mut failed) = (Vec::new(), 0_usize);
            while Instant::now() < until {
                let name = format!("bench-{run:x}-{connection}-{}", times.len());
                let began = Instant::now();
                let answer = client.tokenize(five(name), Some(&proof)).await;
                times.push(began.elapsed());
                failed += usize::from(answer.is_err());
            }
            (times, failed)
        });
    }
    let (mut times, mut failed) = (Vec::new(), 0);
    for (some, lost) in callers.join_all().await {
        times.extend(some);
        failed += lost;
    }
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .map_or(0, Duration::as_micros)
    };
    let rate = times.len() as u128 * 1_000 / time.as_millis();
    let (half, most) = (at(50), at(99));
    let mut out = std::io::stdout();
    Ok(writeln!(out, "RESULT {rate} {half} {most} {failed}")?)
}

fn five(name: String) -> TokenizeRequest {
    let item = |(class, value): (&str, &str)| TokenizeItem {
        class: class.to_owned(),
        value: value.to_owned(),
        ..TokenizeItem::default()
    };
    TokenizeRequest {
        domain: "city".to_owned(),
        items: VALUES.map(item).into(),
        idempotency_key: name,
        idempotency_seconds: NAME_SECONDS,
    }
}

async fn http(
    address: SocketAddr,
    target: &str,
    body: Bytes,
    count: usize,
) -> Result<usize, Failure> {
    let left = Arc::new(AtomicUsize::new(count));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (left, body, target) = (left.clone(), body.clone(), target.to_owned());
        senders.spawn(async move { send(address, &target, &body, &left).await });
    }
    let mut failed = 0;
    for sent in senders.join_all().await {
        failed += sent?;
    }
    Ok(failed)
}

/// One connection's part, until none is left; how many were not answered with 200.
async fn send(
    address: SocketAddr,
    target: &str,
    body: &Bytes,
    left: &AtomicUsize,
) -> Result<usize, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let one_less = |count: usize| count.checked_sub(1);
    let mut failed = 0;
    while left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
        .is_ok()
    {
        let request = Request::post(target)
            .header("host", "bench")
            .header("content-type", "application/json")
            .header("authorization", "Bearer bench")
            .body(Full::new(body.clone()))?;
        sender.ready().await?;
        let mut answer = sender.send_request(request).await?;
        failed += usize::from(answer.status() != StatusCode::OK);
        while let Some(part) = answer.body_mut().frame().await {
            part?;
        }
    }
    Ok(failed)
}
