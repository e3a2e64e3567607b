//! The reverse proxy front: HTTP/1.1 and HTTP/2 in and out, plain or in TLS.
//! Owns connections and their end; the way of a message is `carry`'s, the choice of upstream `upstreams`'s.

mod body;
mod hop;
mod tls;
mod upstreams;
mod wire;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use api::Opening;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::carry::Carrier;
use crate::error::{FilterError, UpstreamError};
use crate::filter::Vault;
use crate::listen::{Listener, Shutdown};
use crate::live::Live;
use crate::metrics::Front;
use crate::settings::ProxySettings;
use body::Carried;
use tls::Tls;
pub use tls::TlsError;
use upstreams::Upstreams;

/// Most bytes of a request's head.
const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// Most HTTP/2 requests of one connection at once.
const STREAMS_MAX: u32 = 128;
/// How long to wait when the system has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A proxy that is ready to serve: its TLS material is read.
pub struct Proxy<V> {
    carrier: Carrier<V>,
    upstreams: Upstreams,
    tls: Arc<Tls>,
    settings: ProxySettings,
}

impl<V: Vault> Proxy<V> {
    /// Reads the TLS material of both sides.
    pub fn open(live: Arc<Live<V>>, settings: ProxySettings) -> Result<Self, TlsError> {
        let tls = Arc::new(Tls::load(&settings)?);
        Ok(Self {
            carrier: Carrier {
                live,
                front: Front::Proxy,
                body_timeout: settings.body_timeout,
            },
            upstreams: Upstreams::new(&settings, &tls),
            tls,
            settings,
        })
    }

    /// Serves until the shutdown has begun and the requests under way are answered.
    pub async fn serve(self, listener: Listener, shutdown: Shutdown) {
        let proxy = Arc::new(self);
        let tending = tokio::spawn(tend(proxy.clone()));
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
            tokio::spawn(connection(proxy.clone(), stream, connections.watcher()));
        }
        drop(listener);
        let drained =
            tokio::time::timeout(proxy.settings.drain_timeout, connections.shutdown()).await;
        if drained.is_err() {
            tracing::warn!("requests still under way were cut off");
        }
        tending.abort();
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Carried> {
        let answer = self.carrier.carry(request, |request| self.hand_on(request));
        let (mut head, body) = Response::into_parts(answer.await);
        let names = head.extensions.remove();
        Response::from_parts(head, Carried::without(body, names))
    }

    /// The request to an upstream, and its answer, both without what belongs to a connection.
    async fn hand_on(&self, request: Request<Carried>) -> Result<Response<Incoming>, FilterError> {
        let (mut head, body) = request.into_parts();
        let body = Carried::without(body, head.extensions.remove());
        hop::strip_hop_by_hop(&mut head.headers);
        head.uri = target(&head.uri, &head.headers, self.scheme())?;
        let request = Request::from_parts(head, body);
        let mut answer = self.upstreams.send(request).await?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(UpstreamError::Upgrade.into());
        }
        hop::strip_hop_by_hop(answer.headers_mut());
        Ok(answer)
    }

    fn scheme(&self) -> &str {
        let first = self.settings.upstreams.first();
        first.and_then(Uri::scheme_str).unwrap_or("http")
    }
}

/// The same path and query, at the authority that the unit names.
fn target(from: &Uri, headers: &http::HeaderMap, scheme: &str) -> Result<Uri, FilterError> {
    let path: &PathAndQuery = from.path_and_query().ok_or(FilterError::PathAmbiguous)?;
    let host = headers
        .get(http::header::HOST)
        .filter(|host| !host.as_bytes().contains(&b'@'))
        .ok_or(FilterError::HeaderInvalid("host"))?;
    Uri::builder()
        .scheme(scheme)
        .authority(host.as_bytes())
        .path_and_query(path.clone())
        .build()
        .map_err(|_| FilterError::HeaderInvalid("host"))
}

/// Watches the upstreams' health, and reads the TLS files again when the settings were.
async fn tend<V: Vault>(proxy: Arc<Proxy<V>>) {
    let mut changes = proxy.carrier.live.changes();
    let reloading = async {
        while changes.changed().await.is_ok() {
            proxy.tls.reload();
        }
    };
    match &proxy.settings.health_path {
        None => reloading.await,
        Some(path) => {
            let watching = proxy.upstreams.watch(path, proxy.settings.health_interval);
            tokio::join!(watching, reloading);
        }
    }
}

async fn connection<V: Vault>(proxy: Arc<Proxy<V>>, stream: TcpStream, watcher: Watcher) {
    let within = proxy.settings.header_timeout;
    let Some(tls) = proxy.tls.door() else {
        return speak(proxy, Opening::new(stream, within), watcher).await;
    };
    let handshake = TlsAcceptor::from(tls).accept(stream);
    let handshake = tokio::time::timeout(within, handshake);
    if let Ok(Ok(stream)) = handshake.await {
        speak(proxy, Opening::new(stream, within), watcher).await;
    } else {
        tracing::debug!("a TLS handshake failed");
    }
}

async fn speak<V: Vault, S>(proxy: Arc<Proxy<V>>, stream: Opening<S>, watcher: Watcher)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let server = server(&proxy.settings);
    let heard = stream.heard();
    let service = service_fn(move |request: Request<Incoming>| {
        heard.now();
        let proxy = proxy.clone();
        async move { Ok::<_, Infallible>(proxy.answer(request).await) }
    });
    let connection = server
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    if watcher.watch(connection).await.is_err() {
        tracing::debug!("a connection ended early");
    }
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
