//! Owns what operators ask: `/live`, `/ready` (only while the vault says that it is ready) and `/metrics`,
//! on an address of their own.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::listen::{Listener, Shutdown};
use crate::metrics::Metrics;

/// Most connections at once: more wait in the system's queue.
const CONNECTIONS_MAX: usize = 64;
/// How long a request's head may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait when the system has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Prometheus's text format, as the page is written.
const PAGE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the vault is ready, asked when somebody asks.
pub trait Readiness: Send + Sync + 'static {
    /// Asks it now.
    fn is_ready(&self) -> impl Future<Output = bool> + Send;
}

impl<F, A> Readiness for F
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = bool> + Send,
{
    async fn is_ready(&self) -> bool {
        self().await
    }
}

/// Serves until the shutdown has begun; from then on it is gone, and so not ready.
pub async fn serve(
    listener: Listener,
    metrics: Arc<Metrics>,
    readiness: impl Readiness,
    shutdown: Shutdown,
) {
    let desk = Arc::new((metrics, readiness));
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut begun = std::pin::pin!(shutdown.begun());
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.socket.accept() => accepted,
            () = &mut begun => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let desk = desk.clone();
        tokio::spawn(async move {
            speak(stream, desk).await;
            drop(slot);
        });
    }
}

async fn speak<R: Readiness>(stream: TcpStream, desk: Arc<(Arc<Metrics>, R)>) {
    let service = service_fn(|request: Request<Incoming>| {
        let desk = desk.clone();
        async move {
            let (metrics, readiness) = &*desk;
            Ok::<_, Infallible>(answer(&request, metrics, readiness).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if connection.await.is_err() {
        tracing::debug!("a connection of monitoring ended early");
    }
}

async fn answer(
    request: &Request<Incoming>,
    metrics: &Metrics,
    readiness: &impl Readiness,
) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = said(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        refused
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/live" => said(StatusCode::OK, "live\n"),
        "/ready" if readiness.is_ready().await => said(StatusCode::OK, "ready\n"),
        "/ready" => said(
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: the vault does not answer, or says that it is not ready\n",
        ),
        "/metrics" => {
            let mut page = said(StatusCode::OK, metrics.page());
            page.headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static(PAGE));
            page
        }
        _ => said(
            StatusCode::NOT_FOUND,
            "there are /live, /ready and /metrics\n",
        ),
    }
}

fn said(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    let fresh = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, fresh);
    response
}
