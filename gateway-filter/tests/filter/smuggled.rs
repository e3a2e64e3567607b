//! Requests that are written so that one reader sees another request within them: through the proxy and through
//! Envoy with the processor, before nginx. Whatever becomes of the first one, nginx never reads the second one,
//! and never a value.

mod frames;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::city::{MemoryVault, Upstream};
use crate::envoy::{self, Plan};
use crate::proxy::nginx;
use crate::proxy::running::{BODY, running};

/// How a shape ends through the proxy, which reads HTTP by hyper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It has one reading, in which the body is whole: 200.
    Once,
    /// Its head can't be read: 400, by hyper itself.
    Refused,
    /// Its body can't be read: 400, a problem.
    Broken,
}

/// What the hidden request holds, and the first one's body.
const VALUE: &str = "A123456789";
const TOKENS: &str = r#"{ "payer" : {"national_id":"tok-national-id-0"}}"#;

/// What another reader would take for a request of its own. A reader that takes it for the next one asks the filter,
/// which has no such route.
fn hidden() -> String {
    let length = BODY.len();
    format!(
        "POST /hidden HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{BODY}"
    )
}

/// A shape's name, what stands behind the first headers, and how it ends.
type Shape = (&'static str, String, End);

fn chunked(size: &str, end: &str) -> String {
    format!("{size}\r\n{BODY}{end}0\r\n\r\n{}", hidden())
}

fn lengths() -> Vec<Shape> {
    let (n, next) = (BODY.len(), hidden());
    let of_length = |lines: &str| format!("{lines}\r\n\r\n{BODY}{next}");
    let longer = n + next.len();
    vec![
        (
            "the plain shape",
            of_length(&format!("content-length: {n}")),
            End::Once,
        ),
        (
            "two lengths, the longer one last",
            of_length(&format!("content-length: {n}\r\ncontent-length: {longer}")),
            End::Refused,
        ),
        (
            "two lengths, the longer one first",
            of_length(&format!("content-length: {longer}\r\ncontent-length: {n}")),
            End::Refused,
        ),
        (
            "a list of two lengths",
            of_length(&format!("content-length: {n}, {longer}")),
            End::Refused,
        ),
        (
            "a signed length",
            of_length(&format!("content-length: +{n}")),
            End::Refused,
        ),
        (
            "a hexadecimal length",
            of_length(&format!("content-length: 0x{n:x}")),
            End::Refused,
        ),
        (
            "a negative length",
            of_length("content-length: -1"),
            End::Refused,
        ),
        (
            "a length that overflows",
            of_length("content-length: 18446744073709551664"),
            End::Refused,
        ),
    ]
}

/// Lengths that one reader sees, and another does not.
fn hidden_lengths() -> Vec<Shape> {
    let (n, next) = (BODY.len(), hidden());
    let of_length = |lines: &str| format!("{lines}\r\n\r\n{BODY}{next}");
    let longer = n + next.len();
    vec![
        (
            "a folded length",
            of_length(&format!("content-length:\r\n {n}")),
            End::Refused,
        ),
        (
            "a length behind a folded line",
            of_length(&format!(
                "x-a: 1\r\n\tcontent-length: {longer}\r\ncontent-length: {n}"
            )),
            End::Refused,
        ),
        (
            "a length behind a bare carriage return",
            of_length(&format!(
                "x-a: 1\rcontent-length: {longer}\r\ncontent-length: {n}"
            )),
            End::Refused,
        ),
        (
            "a length behind a NUL",
            of_length(&format!("x-a: 1\0\r\ncontent-length: {n}")),
            End::Refused,
        ),
        (
            "a length with a blank before its colon",
            of_length(&format!("content-length : {longer}\r\ncontent-length: {n}")),
            End::Refused,
        ),
        (
            "a length that the connection is to keep",
            of_length(&format!(
                "connection: content-length, host\r\ncontent-length: {n}"
            )),
            End::Once,
        ),
        (
            "garbage behind the body",
            format!("content-length: {n}\r\n\r\n{BODY}\0\0garbage\r\n\r\n"),
            End::Once,
        ),
    ]
}

fn codings() -> Vec<Shape> {
    let size = format!("{:x}", BODY.len());
    let of = |lines: &str| format!("{lines}\r\n\r\n{}", chunked(&size, "\r\n"));
    vec![
        ("chunked", of("transfer-encoding: chunked"), End::Once),
        (
            "a length and chunked",
            of("content-length: 4\r\ntransfer-encoding: chunked"),
            End::Once,
        ),
        (
            "chunked and a length",
            of("transfer-encoding: chunked\r\ncontent-length: 0"),
            End::Once,
        ),
        (
            "chunked and two lengths",
            of("content-length: 0\r\ntransfer-encoding: chunked\r\ncontent-length: 5"),
            End::Once,
        ),
        (
            "another coding's name",
            of("transfer-encoding: xchunked"),
            End::Refused,
        ),
        (
            "another coding behind it",
            of("transfer-encoding: chunked, identity"),
            End::Refused,
        ),
        (
            "another coding in a line of its own",
            of("transfer-encoding: chunked\r\ntransfer-encoding: cow"),
            End::Refused,
        ),
        (
            "a quoted coding",
            of("transfer-encoding: \"chunked\""),
            End::Refused,
        ),
        (
            "a coding behind a bare carriage return",
            of("x-a: 1\rtransfer-encoding: chunked\r\ncontent-length: 0"),
            End::Refused,
        ),
        (
            "a folded coding",
            of("transfer-encoding:\r\n chunked\r\ncontent-length: 0"),
            End::Refused,
        ),
        (
            "a coding with a blank before its colon",
            of("transfer-encoding : chunked\r\ncontent-length: 0"),
            End::Refused,
        ),
        (
            "a coding behind a bare line feed",
            of("x-a: 1\ntransfer-encoding: chunked\r\ncontent-length: 0"),
            End::Once,
        ),
        (
            "chunked under HTTP/1.1 that the connection is to keep",
            of("connection: transfer-encoding\r\ntransfer-encoding: chunked"),
            End::Once,
        ),
    ]
}

fn sizes() -> Vec<Shape> {
    let n = BODY.len();
    let of =
        |size: &str, end: &str| format!("transfer-encoding: chunked\r\n\r\n{}", chunked(size, end));
    vec![
        ("an extension", of(&format!("{n:x};a=b"), "\r\n"), End::Once),
        (
            "a quoted extension",
            of(&format!("{n:x};a=\"0\""), "\r\n"),
            End::Once,
        ),
        (
            "a line feed in an extension",
            of(&format!("{n:x};a\n0"), "\r\n"),
            End::Broken,
        ),
        (
            "a long extension",
            of(&format!("{n:x};{}", "a".repeat(40_000)), "\r\n"),
            End::Broken,
        ),
        (
            "a size with zeros before it",
            of(&format!("000{n:x}"), "\r\n"),
            End::Once,
        ),
        (
            "a size with 0x before it",
            of(&format!("0x{n:x}"), "\r\n"),
            End::Broken,
        ),
        ("a signed size", of(&format!("+{n:x}"), "\r\n"), End::Broken),
        (
            "a negative size",
            of(&format!("-{n:x}"), "\r\n"),
            End::Broken,
        ),
        (
            "a size that overflows",
            of(&format!("10000000000000{n:03x}0000"), "\r\n"),
            End::Broken,
        ),
        ("a size of nonsense", of("zz", "\r\n"), End::Broken),
        ("no size", of("", "\r\n"), End::Broken),
        (
            "a size that is too short",
            of(&format!("{:x}", n - 1), "\r\n"),
            End::Broken,
        ),
        (
            "a size that is too long",
            of(&format!("{:x}", n + 1), "\r\n"),
            End::Broken,
        ),
    ]
}

fn chunk_ends() -> Vec<Shape> {
    let n = BODY.len();
    let of =
        |size: &str, end: &str| format!("transfer-encoding: chunked\r\n\r\n{}", chunked(size, end));
    let trailers = format!(
        "transfer-encoding: chunked\r\n\r\n{n:x}\r\n{BODY}\r\n0\r\ncontent-length: 4\r\n\
         transfer-encoding: identity\r\nx-name: {VALUE}\r\n\r\n{}",
        hidden()
    );
    vec![
        (
            "a bare line feed behind the chunk",
            of(&format!("{n:x}"), "\n"),
            End::Broken,
        ),
        (
            "nothing behind the chunk",
            of(&format!("{n:x}"), ""),
            End::Broken,
        ),
        (
            "a bare line feed behind the size",
            format!(
                "transfer-encoding: chunked\r\n\r\n{n:x}\n{BODY}\r\n0\r\n\r\n{}",
                hidden()
            ),
            End::Broken,
        ),
        (
            "framing and a value among the trailers",
            trailers,
            End::Once,
        ),
    ]
}

fn shapes() -> Vec<Shape> {
    let lengths = [lengths(), hidden_lengths()].concat();
    [lengths, codings(), sizes(), chunk_ends()].concat()
}

/// All that comes back, until the other side closes.
async fn said(address: SocketAddr, (name, rest, _): &Shape) -> String {
    let head = "POST /payments/card HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                authorization: Bearer unit\r\n";
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Whoever refuses it early may not read all of it.
    let _ = stream.write_all(format!("{head}{rest}").as_bytes()).await;
    let mut said = Vec::new();
    let reading = stream.read_to_end(&mut said);
    let read = tokio::time::timeout(Duration::from_secs(20), reading).await;
    assert!(read.is_ok(), "{name}: neither an answer nor an end");
    String::from_utf8_lossy(&said).into_owned()
}

/// Bodies of no value went on, and as many requests as were answered by the upstream. nginx read no other.
async fn nothing_went_past(once: usize, echo: &Upstream, (mut nginx, home): (Child, &Path)) {
    for seen in echo.seen.lock().unwrap().iter() {
        assert_eq!(seen.head.uri, "/payments/card");
        // Envoy takes a bare line feed for a part of a value, or for the end of a chunk: it, the filter and nginx
        // read a body of no bytes then, or one with a carriage return behind it.
        let body = seen.body.trim_ascii_end();
        assert!(body.is_empty() || body == TOKENS.as_bytes(), "{body:?}");
        let headers = format!("{:?} {:?}", seen.head.headers, seen.trailers);
        assert!(!headers.contains(VALUE), "{headers}");
    }
    assert_eq!(echo.requests(), once);
    let id = nginx.id().unwrap().to_string();
    let told = Command::new("kill").args(["-QUIT", &id]).status().await;
    assert!(told.unwrap().success());
    nginx.wait().await.unwrap();
    let read = std::fs::read_to_string(home.join("seen.log")).unwrap();
    assert_eq!(read, "POST /payments/card HTTP/1.1\n".repeat(once));
}

#[tokio::test]
async fn nginx_behind_the_proxy_reads_what_was_rewritten_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let echo = Upstream::echo().await;
    let (nginx, address) = nginx::plain(folder.path(), echo.address).await;
    let running = running(&MemoryVault::default(), address).await;
    let mut once = 0;
    for shape in shapes() {
        let (name, _, end) = &shape;
        let said = said(running.address, &shape).await;
        let (status, problem) = match end {
            End::Once => ("HTTP/1.1 200", false),
            End::Refused => ("HTTP/1.1 400", false),
            End::Broken => ("HTTP/1.1 400", true),
        };
        assert!(said.starts_with(status), "{name}: {said}");
        assert_eq!(
            said.contains("\"code\":\"body-broken\""),
            problem,
            "{name}: {said}"
        );
        once += usize::from(*end == End::Once);
        assert_eq!(echo.requests(), once, "{name}");
        assert_eq!(echo.last_body(), TOKENS, "{name}");
        // The second request has no answer, or the filter's own: it is none of its routes.
        let second = said.matches("HTTP/1.1 ").nth(1).is_some();
        let own = said.contains("\"code\":\"route-unmatched\"") || said.contains("HTTP/1.1 400");
        assert!(!second || own, "{name}: {said}");
    }
    nothing_went_past(once, &echo, (nginx, folder.path())).await;
}

/// Envoy before this upstream.
fn before(plan: &Plan, upstream: SocketAddr) -> Plan {
    let port = upstream.port().to_string();
    Plan {
        yaml: plan.yaml.replace("@UPSTREAM_PORT@", &port),
        ..*plan
    }
}

#[tokio::test]
async fn nginx_behind_envoy_reads_what_was_rewritten_and_nothing_else() {
    for plan in [envoy::whole(), envoy::modes::in_parts()] {
        let folder = tempfile::tempdir().unwrap();
        let echo = Upstream::echo().await;
        let (nginx, address) = nginx::plain(folder.path(), echo.address).await;
        let city =
            envoy::planned(before(&plan, address), MemoryVault::default(), envoy::echo).await;
        let mut once = 0;
        for shape in shapes() {
            let name = shape.0;
            let said = said(city.address, &shape).await;
            let taken = said.starts_with("HTTP/1.1 200");
            // Envoy refuses more shapes than hyper does, and hangs up on some; others it reads, and makes them one
            // that has one reading. What it took is what went on, or the counts differ.
            let refused = said.is_empty() || said.starts_with("HTTP/1.1 4");
            assert!(taken || refused, "{name}: {said}");
            once += usize::from(taken);
            assert_eq!(echo.requests(), once, "{name}");
        }
        assert!(once >= 3, "only {once} shapes were taken at all");
        nothing_went_past(once, &echo, (nginx, folder.path())).await;
    }
}
