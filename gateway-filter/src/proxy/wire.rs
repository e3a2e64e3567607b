//! Owns connections to one upstream: a pool of HTTP/1.1, or one HTTP/2 connection that all share.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Request, Response, Uri, Version};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::body::Carried;
use super::tls::Tls;
use crate::settings::UpstreamProtocol;

/// Most idle connections kept to one upstream.
const IDLE_MAX: usize = 64;
/// How often an HTTP/2 connection is asked whether it still lives.
const PING_EVERY: Duration = Duration::from_secs(20);

/// Both ends of a connection, plain or in TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Connection = TokioIo<Box<dyn Stream>>;

/// One upstream and its connections.
pub(super) struct Wire {
    address: Uri,
    tls: Arc<Tls>,
    protocol: UpstreamProtocol,
    connect_timeout: Duration,
    idle_timeout: Duration,
    idle: std::sync::Mutex<Vec<(http1::SendRequest<Carried>, Instant)>>,
    shared: Mutex<Option<http2::SendRequest<Carried>>>,
}

/// Why no answer came.
pub(super) enum WireError {
    /// No connection could be made: the request is as it was.
    Unsent(Box<Request<Carried>>),
    /// The connection was lost, or spoke no HTTP.
    Lost,
}

impl Wire {
    pub(super) fn new(
        address: Uri,
        tls: Arc<Tls>,
        protocol: UpstreamProtocol,
        (connect_timeout, idle_timeout): (Duration, Duration),
    ) -> Self {
        Self {
            address,
            tls,
            protocol,
            connect_timeout,
            idle_timeout,
            idle: std::sync::Mutex::default(),
            shared: Mutex::default(),
        }
    }

    pub(super) fn address(&self) -> &Uri {
        &self.address
    }

    /// Sends the request over a connection that is there, else over a new one.
    pub(super) async fn send(
        self: &Arc<Self>,
        request: Request<Carried>,
    ) -> Result<Response<Incoming>, WireError> {
        match self.protocol {
            UpstreamProtocol::Http1 => self.send_http1(request).await,
            UpstreamProtocol::Http2 => self.send_http2(request).await,
        }
    }

    async fn send_http1(
        self: &Arc<Self>,
        mut request: Request<Carried>,
    ) -> Result<Response<Incoming>, WireError> {
        let whole_target = request.uri().clone();
        *request.version_mut() = Version::HTTP_11;
        // HTTP/1.1 names the authority in `host` alone (RFC 9112 §3.2.1).
        let path = whole_target.path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
        // One from the pool may be closed before it takes the request; a new one never is.
        while let Some(sender) = self.kept() {
            match self.send_over(sender, request).await {
                Ok(answer) => return Ok(answer),
                Err(Some(unsent)) => request = unsent,
                Err(None) => return Err(WireError::Lost),
            }
        }
        let Some(sender) = self.connect_http1().await else {
            *request.uri_mut() = whole_target;
            return Err(WireError::Unsent(Box::new(request)));
        };
        self.send_over(sender, request)
            .await
            .map_err(|_| WireError::Lost)
    }

    /// The answer, or the request where the connection did not take it.
    async fn send_over(
        self: &Arc<Self>,
        mut sender: http1::SendRequest<Carried>,
        request: Request<Carried>,
    ) -> Result<Response<Incoming>, Option<Request<Carried>>> {
        let answer = sender
            .try_send_request(request)
            .await
            .map_err(|mut error| error.take_message())?;
        self.keep_when_read(sender, &answer);
        Ok(answer)
    }

    async fn send_http2(
        &self,
        mut request: Request<Carried>,
    ) -> Result<Response<Incoming>, WireError> {
        *request.version_mut() = Version::HTTP_2;
        // Here the authority stands in the target (RFC 9113 §8.3.1).
        let host = request.headers_mut().remove(HOST);
        let Some(mut sender) = self.shared().await else {
            host.and_then(|host| request.headers_mut().insert(HOST, host));
            return Err(WireError::Unsent(Box::new(request)));
        };
        sender
            .send_request(request)
            .await
            .map_err(|_| WireError::Lost)
    }

    /// A connection that is idle, not older than the time for it, and open.
    fn kept(&self) -> Option<http1::SendRequest<Carried>> {
        let mut idle = self.idle.lock().ok()?;
        while let Some((sender, since)) = idle.pop() {
            if sender.is_ready() && since.elapsed() < self.idle_timeout {
                return Some(sender);
            }
        }
        None
    }

    /// Once the answer is read, the connection is ready for the next request.
    fn keep_when_read(
        self: &Arc<Self>,
        mut sender: http1::SendRequest<Carried>,
        answer: &Response<Incoming>,
    ) {
        let wire = self.clone();
        if answer.body().is_end_stream() && sender.is_ready() {
            wire.keep(sender);
            return;
        }
        tokio::spawn(async move {
            if sender.ready().await.is_ok() {
                wire.keep(sender);
            }
        });
    }

    fn keep(&self, sender: http1::SendRequest<Carried>) {
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < IDLE_MAX
        {
            idle.push((sender, Instant::now()));
        }
    }

    async fn connect_http1(&self) -> Option<http1::SendRequest<Carried>> {
        let handshake = async {
            let stream = self.connect(b"http/1.1").await?;
            let (sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
            tokio::spawn(async move {
                if connection.await.is_err() {
                    tracing::debug!("a connection to an upstream ended early");
                }
            });
            Ok::<_, io::Error>(sender)
        };
        self.within(handshake).await
    }

    /// The one HTTP/2 connection, made anew where it is gone.
    async fn shared(&self) -> Option<http2::SendRequest<Carried>> {
        let mut shared = self.shared.lock().await;
        if let Some(sender) = shared.as_ref().filter(|sender| !sender.is_closed()) {
            return Some(sender.clone());
        }
        let handshake = async {
            let stream = self.connect(b"h2").await?;
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(PING_EVERY)
                .keep_alive_while_idle(true)
                .handshake(stream)
                .await
                .map_err(io::Error::other)?;
            tokio::spawn(async move {
                if connection.await.is_err() {
                    tracing::debug!("a connection to an upstream ended early");
                }
            });
            Ok::<_, io::Error>(sender)
        };
        let sender = self.within(handshake).await?;
        *shared = Some(sender.clone());
        Some(sender)
    }

    async fn within<T>(&self, connecting: impl Future<Output = io::Result<T>>) -> Option<T> {
        let connected = tokio::time::timeout(self.connect_timeout, connecting).await;
        match connected {
            Ok(Ok(connected)) => Some(connected),
            Ok(Err(error)) => {
                tracing::debug!(upstream = %self.address, "no connection: {error}");
                None
            }
            Err(_) => None,
        }
    }

    async fn connect(&self, protocol: &[u8]) -> io::Result<Connection> {
        let host = self.address.host().unwrap_or_default();
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let plain = self.address.scheme_str() != Some("https");
        let port = self
            .address
            .port_u16()
            .unwrap_or(if plain { 80 } else { 443 });
        let stream = TcpStream::connect((name, port)).await?;
        stream.set_nodelay(true)?;
        if plain {
            return Ok(TokioIo::new(Box::new(stream)));
        }
        let tls = self
            .tls
            .upstream()
            .ok_or_else(|| io::Error::other("no [proxy.upstream_tls]"))?;
        let mut tls = (*tls).clone();
        tls.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::new(tls))
            .connect(name, stream)
            .await?;
        Ok(TokioIo::new(Box::new(stream)))
    }
}

/// A body that holds nothing.
pub(super) fn nothing() -> Carried {
    Bytes::new().into()
}
