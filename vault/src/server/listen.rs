//! Connections: TLS 1.3 with optional client certificates, bounded in number and time, drained at the end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use api::Opening;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::belief::Belief;
use super::corridor::Peer;
use super::limits::{Limits, ListenConfig};
use super::tls::LiveTls;
use super::{Vault, routes};
use crate::identity::ClientCertificate;
use crate::model::SystemClock;

/// Why the vault can't listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address can't be bound.
    #[error("`{address}` can't be bound: {cause}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
    /// A PEM file can't be read.
    #[error("`{path}` is not a readable PEM file of the expected kind")]
    Pem {
        /// The file.
        path: String,
    },
    /// The TLS material does not fit together.
    #[error("the TLS material can't be used: {0}")]
    Tls(#[from] rustls::Error),
    /// The client authorities can't be used.
    #[error("`listen.client_ca` holds no usable authority")]
    ClientAuthorities,
    /// The server's certificate has ended.
    #[error("the certificate of `listen.certificate` has expired")]
    Ended,
    /// The files changed while they were read.
    #[error("the TLS files are being replaced: they are read again at the next look")]
    Changing,
}

/// A bound address and its TLS settings.
pub struct Listener {
    socket: TcpListener,
    tls: Arc<LiveTls>,
}

impl Listener {
    /// Binds the address and reads the TLS material.
    pub async fn bind(config: &ListenConfig) -> Result<Self, ListenError> {
        let tls = LiveTls::load(config.clone(), Arc::new(SystemClock::new()))?;
        let tls = Arc::new(tls);
        let socket =
            TcpListener::bind(config.address)
                .await
                .map_err(|cause| ListenError::Bind {
                    address: config.address,
                    cause,
                })?;
        Ok(Self { socket, tls })
    }

    /// Its TLS material, to be looked after.
    pub fn tls(&self) -> &Arc<LiveTls> {
        &self.tls
    }

    /// The bound address, for port 0.
    pub fn address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    /// Serves until `stop` resolves, then lets the requests in flight finish.
    pub async fn serve(self, vault: Arc<Vault>, stop: impl Future<Output = ()>) {
        let router = routes::router(&vault, &self.tls);
        let limits = vault.limits;
        let drain = GracefulShutdown::new();
        let connections = Arc::new(Semaphore::new(limits.connections_max));
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.socket.accept() => accepted,
            };
            let Ok((stream, address)) = accepted else {
                // The process is out of descriptors: wait for one, and don't spin.
                tokio::time::sleep(limits.header_timeout / 50).await;
                continue;
            };
            let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
                continue;
            };
            let watcher = drain.watcher();
            let (tls, router) = (Arc::clone(&self.tls), router.clone());
            tokio::spawn(async move {
                connection(stream, address, tls, router, limits, watcher).await;
                drop(permit);
            });
        }
        drop(self.socket);
        if tokio::time::timeout(limits.request_timeout, drain.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("connections were cut: they outlived the drain");
        }
    }
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    tls: Arc<LiveTls>,
    router: Router,
    limits: Limits,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let _ = stream.set_nodelay(true);
    let material = tls.current();
    let acceptor = TlsAcceptor::from(Arc::clone(&material.config));
    let handshake = tokio::time::timeout(limits.header_timeout, acceptor.accept(stream));
    let Ok(Ok(stream)) = handshake.await else {
        tracing::debug!("a TLS handshake failed");
        return;
    };
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = chain.and_then(|chain| chain.first());
    let belief = chain.map(|chain| Belief::new(tls, &material, chain));
    let peer = Peer {
        address: address.ip(),
        certificate: certificate.map(|der| Arc::new(ClientCertificate::read(der))),
        belief: belief.map(Arc::new),
    };
    let stream = Opening::new(stream, limits.header_timeout);
    let heard = stream.heard();
    let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        heard.now();
        request.extensions_mut().insert(peer.clone());
        request.map(axum::body::Body::new)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(
            usize::try_from(limits.header_bytes_max)
                .unwrap_or(8 * 1024)
                .max(8 * 1024),
        );
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes_max)
        .max_concurrent_streams(256)
        .keep_alive_interval(Some(limits.request_timeout))
        .keep_alive_timeout(limits.header_timeout);
    let serving = builder
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .into_owned();
    if let Err(error) = watcher.watch(serving).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
