//! The reverse proxy front: HTTP/1.1 and h2c in, one upstream out over pooled HTTP/1.1.
//! Owns connections and their end; `exchange` moves one request, `headers` keeps the hygiene.

mod exchange;
mod headers;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::Semaphore;

use crate::filter::{Filter, Vault};
use crate::listen::{Listener, Shutdown};
use crate::settings::ProxySettings;
use exchange::{Body, Exchange};

/// How long requests under way may take after the shutdown has begun.
const DRAIN: Duration = Duration::from_secs(20);
/// Most bytes of a request's head.
const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// Most HTTP/2 requests of one connection at once.
const STREAMS_MAX: u32 = 128;
/// How long to wait when the system has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until the shutdown has begun and the requests under way are answered.
pub async fn serve<V: Vault>(
    listener: Listener,
    filter: Arc<Filter<V>>,
    settings: ProxySettings,
    shutdown: Shutdown,
) {
    let slots = Arc::new(Semaphore::new(filter.rules().in_flight_max));
    let client = client(&settings);
    let exchange = Arc::new(Exchange {
        filter,
        client,
        settings,
        slots,
    });
    let server = Arc::new(server(&exchange.settings));
    let connections = GracefulShutdown::new();
    let mut begun = std::pin::pin!(shutdown.begun());
    loop {
        let accepted = tokio::select! {
            accepted = listener.socket.accept() => accepted,
            () = &mut begun => break,
        };
        let Ok((stream, _)) = accepted else {
            tracing::warn!("a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Without it small answers wait for the peer's acknowledgement; failing is harmless.
        let _ = stream.set_nodelay(true);
        let exchange = exchange.clone();
        let service = service_fn(move |request: http::Request<Incoming>| {
            let exchange = exchange.clone();
            async move { Ok::<_, Infallible>(exchange.answer(request).await) }
        });
        let connection = server
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if connection.await.is_err() {
                tracing::debug!("a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests still under way were cut off");
    }
}

fn client(settings: &ProxySettings) -> Client<HttpConnector, Body> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(settings.connect_timeout));
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(connector)
}

fn server(settings: &ProxySettings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(HEAD_BYTES_MAX as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX);
    builder
}
