//! A running proxy, and a client that reads its answers.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use gateway_filter::{Filter, Listener, Live, Proxy, Shutdown};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::city::{MemoryVault, SETTINGS};

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) live: Arc<Live<MemoryVault>>,
    pub(crate) shutdown: watch::Sender<bool>,
    pub(crate) server: JoinHandle<()>,
}

pub(crate) async fn start(
    vault: &MemoryVault,
    upstream: SocketAddr,
    limits: &str,
    proxy: &str,
) -> Running {
    let own = limits.contains("body_bytes_max");
    let usual = if own { "" } else { "body_bytes_max = 2000" };
    let text = SETTINGS
        .replace("body_bytes_max = 2000", usual)
        .replace("EXTPROC", "")
        .replace("LIMITS", limits)
        .replace(
            "PROXY",
            &format!("upstream = \"http://{upstream}\"\n{proxy}"),
        )
        .replace("VAULT", "1");
    settled(vault, &text, std::path::Path::new("")).await
}

/// A proxy of these settings, whose files lie in `folder`.
pub(crate) async fn settled(vault: &MemoryVault, text: &str, folder: &std::path::Path) -> Running {
    let settings = gateway_filter::Settings::parse(text, folder).unwrap();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let address = listener.address();
    let (shutdown, begun) = Shutdown::channel();
    let filter = Arc::new(Filter::new(settings.rules, vault.clone()));
    let live: Arc<Live<MemoryVault>> = Arc::new(filter.into());
    let proxy = Proxy::open(live.clone(), settings.proxy.unwrap()).unwrap();
    let server = tokio::spawn(proxy.serve(listener, begun));
    Running {
        address,
        live,
        shutdown,
        server,
    }
}

pub(crate) async fn running(vault: &MemoryVault, upstream: SocketAddr) -> Running {
    start(vault, upstream, "", "").await
}

pub(crate) fn client(version: Version) -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .http2_only(version == Version::HTTP_2)
        .build_http()
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let document: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(document["status"], self.status.as_u16());
        document["code"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn read<B>(response: Response<B>) -> Answer
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer {
        status: head.status,
        headers: head.headers,
        body,
    }
}

pub(crate) async fn send(
    running: &Running,
    (method, path): (&str, &str),
    lines: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://{}{path}", running.address));
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
    read(
        client(Version::HTTP_11)
            .request(request.body(body).unwrap())
            .await
            .unwrap(),
    )
    .await
}

pub(crate) const PAY: (&str, &str) = ("POST", "/payments/card?q=1");
pub(crate) const UNIT: [(&str, &str); 2] = [
    ("content-type", "application/json"),
    ("authorization", "Bearer unit"),
];
pub(crate) const BODY: &str = r#"{ "payer" : {"national_id":"A123456789"}}"#;
