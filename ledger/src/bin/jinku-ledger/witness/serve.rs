//! The wire: HTTP/1.1, with TLS 1.3 if wished, bounded in bytes, time and connections.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path as Segment, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use ledger::witness::{ADD_CHECKPOINT_BYTES_MAX, Refused};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::desk::{Declined, Desk};
use super::settings::Settings;
use crate::screen::Screen;

/// More are closed without an answer.
const CONNECTIONS_MAX: usize = 256;
/// A TLS handshake; a request's head; a request's body; what is in flight at the end.
const TIME_MAX: Duration = Duration::from_secs(10);
/// C2SP tlog-witness.
const SIZE_MEDIA: &str = "text/x.tlog.size";
const TEXT_MEDIA: &str = "text/plain; charset=utf-8";

/// Serves until the process is told to stop.
pub(super) async fn serve(
    settings: Settings,
    desk: Desk,
    address_file: Option<&Path>,
) -> anyhow::Result<()> {
    let tls = settings
        .tls
        .as_ref()
        .map(|(chain, key)| acceptor(chain, key));
    let tls = tls.transpose()?;
    let socket = TcpListener::bind(settings.listen).await;
    let socket = socket.with_context(|| format!("`{}` can't be bound", settings.listen))?;
    let address = socket.local_addr()?;
    let stop = stopped()?;
    if let Some(file) = address_file {
        // Whole or absent: who waits for the file must not read half of it.
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, address.to_string())?;
        std::fs::rename(&fresh, file)?;
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    Screen::remark(&format!("listening on {scheme}://{address}"));
    let router = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{log}/checkpoint", get(cosigned_last))
        .with_state(Arc::new(desk));
    accept(socket, tls, router, stop).await;
    Ok(())
}

async fn accept(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: impl Future<Output = ()>,
) {
    let drain = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = socket.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // The process is out of descriptors: wait for one, and don't spin.
            tokio::time::sleep(TIME_MAX / 100).await;
            continue;
        };
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
            continue;
        };
        let (tls, router, watcher) = (tls.clone(), router.clone(), drain.watcher());
        tokio::spawn(async move {
            secured(stream, tls, router, watcher).await;
            drop(permit);
        });
    }
    drop(socket);
    // What takes longer is cut: it was not answered, and may be asked again.
    let _ = tokio::time::timeout(TIME_MAX, drain.shutdown()).await;
}

async fn secured(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, watcher: Watcher) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return connection(stream, router, watcher).await;
    };
    if let Ok(Ok(stream)) = tokio::time::timeout(TIME_MAX, tls.accept(stream)).await {
        connection(stream, router, watcher).await;
    }
}

async fn connection<S>(stream: S, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // One version only: to tell two apart, the builder waits for a first byte without a limit.
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(TIME_MAX)
        .max_buf_size(16 * 1024);
    let service = TowerToHyperService::new(router);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    // A peer that went away, or spoke something else, is nobody's news.
    let _ = watcher.watch(serving.into_owned()).await;
}

/// `POST /add-checkpoint`
async fn add_checkpoint(State(desk): State<Arc<Desk>>, request: Request<Body>) -> Response {
    let body = to_bytes(request.into_body(), ADD_CHECKPOINT_BYTES_MAX);
    let body = match tokio::time::timeout(TIME_MAX, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return refused(Refused::Malformed("too long, or cut short")),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let Ok(body) = String::from_utf8(body.into()) else {
        return refused(Refused::Malformed("not UTF-8"));
    };
    let answer = tokio::task::spawn_blocking(move || desk.add_checkpoint(&body)).await;
    match answer {
        Ok(Ok(line)) => ([(CONTENT_TYPE, TEXT_MEDIA)], format!("{line}\n")).into_response(),
        Ok(Err(Declined::Refused(why))) => refused(why),
        Ok(Err(Declined::Failed(why))) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// `GET /<hash of the origin>/checkpoint`: for monitors, who compare what witnesses see.
async fn cosigned_last(State(desk): State<Arc<Desk>>, Segment(log): Segment<String>) -> Response {
    // The lock may be held for as long as a disk takes.
    let note = tokio::task::spawn_blocking(move || desk.cosigned_last(&log)).await;
    match note {
        Ok(Some(note)) => ([(CONTENT_TYPE, TEXT_MEDIA)], note).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn refused(why: Refused) -> Response {
    let status = StatusCode::from_u16(why.status()).unwrap_or(StatusCode::BAD_REQUEST);
    match why.size() {
        Some(size) => (status, [(CONTENT_TYPE, SIZE_MEDIA)], format!("{size}\n")).into_response(),
        None => (status, [(CONTENT_TYPE, TEXT_MEDIA)], format!("{why}\n")).into_response(),
    }
}

/// An interrupt or a termination signal.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn acceptor(chain: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("`{}` is no PEM file of certificates", chain.display()))?;
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("`{}` is no PEM file of a private key", key.display()))?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
