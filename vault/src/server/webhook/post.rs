//! One HTTP/1.1 request to one place: TLS unless it is loopback, no redirect followed, nothing read but
//! the answer's head, all of it within a time.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, RETRY_AFTER, USER_AGENT};
use http::response::Parts;
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Longest head of an answer, in bytes. Its body is not read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Why a request was not answered with success, or a place can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The URL is none that alerts may go to.
    #[error("the URL must be `https://…`, or `http://…` to loopback, without user and fragment")]
    Url,
    /// The authorities can't be read.
    #[error("`{0}` holds no usable certificate authority")]
    Authorities(String),
    /// The name has no address, or, without TLS, one that is not loopback.
    #[error("the host has no address that may be used")]
    Address,
    /// The connection or its TLS failed.
    #[error("the host can't be reached: {0}")]
    Unreachable(std::io::Error),
    /// It does not speak HTTP/1.1, or its answer is too long.
    #[error("the host does not answer as HTTP/1.1 has it")]
    Garbled,
    /// It took too long.
    #[error("the host did not answer in time")]
    Timeout,
    /// It answered with something else than success. Redirects are not followed.
    #[error("the host answered {status}")]
    Status {
        /// The status code.
        status: u16,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
}

impl WebhookError {
    /// When the receiver wants to be asked again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// A place, and how it is reached.
pub struct Target {
    authority: String,
    host: String,
    port: u16,
    path: String,
    /// `None` on loopback.
    tls: Option<TlsConnector>,
    timeout: Duration,
}

impl Target {
    /// Reads a URL. `ca` is a PEM file of the authorities that may sign the host's certificate; there is
    /// no list that is trusted without being named.
    pub fn parse(url: &str, ca: Option<&Path>, timeout: Duration) -> Result<Self, WebhookError> {
        let uri: Uri = url.parse().map_err(|_| WebhookError::Url)?;
        let authority = uri.authority().ok_or(WebhookError::Url)?;
        if authority.as_str().contains('@') || url.contains('#') {
            return Err(WebhookError::Url);
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let (tls, port) = match (uri.scheme_str(), ca) {
            (Some("https"), Some(ca)) => (Some(connector(ca)?), 443),
            (Some("https"), None) => return Err(WebhookError::Authorities("ca".to_owned())),
            (Some("http"), _) if is_loopback(&host) => (None, 80),
            _ => return Err(WebhookError::Url),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            authority: authority.to_string(),
            port: authority.port_u16().unwrap_or(port),
            path: path.to_owned(),
            host,
            tls,
            timeout,
        })
    }

    /// Posts a JSON body. Any status of 200 to 299 is a success; everything else is not.
    pub(super) async fn post(
        &self,
        head: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<(), WebhookError> {
        let mut request = Request::post(&self.path)
            .header(HOST, &self.authority)
            .header(USER_AGENT, concat!("jinku/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in head {
            request = request.header(HeaderName::from_static(name), value);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| WebhookError::Url)?;
        let answer = tokio::time::timeout(self.timeout, self.answer(request)).await;
        answer.unwrap_or(Err(WebhookError::Timeout))
    }

    /// Posts text, and reads an answer of up to so many bytes, whatever its status.
    pub(in crate::server) async fn ask(
        &self,
        text: String,
        bytes_max: usize,
    ) -> Result<(u16, Vec<u8>), WebhookError> {
        self.send("text/plain; charset=utf-8", text.into(), bytes_max)
            .await
    }

    /// The same with a body of any type.
    pub(in crate::server) async fn send(
        &self,
        kind: &'static str,
        body: Vec<u8>,
        bytes_max: usize,
    ) -> Result<(u16, Vec<u8>), WebhookError> {
        let request = Request::post(&self.path)
            .header(HOST, &self.authority)
            .header(USER_AGENT, concat!("jinku/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, kind)
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| WebhookError::Url)?;
        let exchange = self.exchanged(request, bytes_max);
        let answer = tokio::time::timeout(self.timeout, exchange).await;
        let (head, body) = answer.unwrap_or(Err(WebhookError::Timeout))?;
        Ok((head.status.as_u16(), body))
    }

    /// Gets a body of at most `bytes_max` bytes. Any other status than 200 is a failure, a redirect too.
    pub(in crate::server) async fn get(&self, bytes_max: usize) -> Result<Vec<u8>, WebhookError> {
        let request = Request::get(&self.path)
            .header(HOST, &self.authority)
            .header(USER_AGENT, concat!("jinku/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json, application/jwk-set+json")
            .body(Full::new(Bytes::new()))
            .map_err(|_| WebhookError::Url)?;
        let exchange = self.exchanged(request, bytes_max);
        let answer = tokio::time::timeout(self.timeout, exchange).await;
        let (head, body) = answer.unwrap_or(Err(WebhookError::Timeout))?;
        if head.status.as_u16() != 200 {
            return Err(WebhookError::Status {
                status: head.status.as_u16(),
                retry_after: None,
            });
        }
        Ok(body)
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<(), WebhookError> {
        // Only the head is read.
        let (head, _) = self.exchanged(request, 0).await?;
        if head.status.is_success() {
            return Ok(());
        }
        let seconds = head.headers.get(RETRY_AFTER);
        let seconds = seconds.and_then(|text| text.to_str().ok()?.parse().ok());
        Err(WebhookError::Status {
            status: head.status.as_u16(),
            retry_after: seconds.map(Duration::from_secs),
        })
    }

    async fn exchanged(
        &self,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<(Parts, Vec<u8>), WebhookError> {
        let stream = self.connected().await?;
        match &self.tls {
            None => exchange(stream, request, bytes_max).await,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone());
                let name = name.map_err(|_| WebhookError::Url)?;
                let stream = tls.connect(name, stream).await;
                let stream = stream.map_err(WebhookError::Unreachable)?;
                exchange(stream, request, bytes_max).await
            }
        }
    }

    async fn connected(&self) -> Result<TcpStream, WebhookError> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        // Without TLS, a name that leads away from this machine is not followed.
        let may = |address: &SocketAddr| self.tls.is_some() || address.ip().is_loopback();
        let found: Vec<SocketAddr> = found
            .map_err(|_| WebhookError::Address)?
            .filter(may)
            .collect();
        let mut failure = WebhookError::Address;
        for address in found {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = WebhookError::Unreachable(error),
            }
        }
        Err(failure)
    }
}

/// The answer's head, and its body if it has at most so many bytes; with 0 the body is not read.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
    bytes_max: usize,
) -> Result<(Parts, Vec<u8>), WebhookError> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(ANSWER_BYTES_MAX);
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|_| WebhookError::Garbled)?;
    let answering = async move {
        let answer = sender.send_request(request).await;
        let (head, body) = answer.map_err(|_| WebhookError::Garbled)?.into_parts();
        if bytes_max == 0 {
            return Ok((head, Vec::new()));
        }
        let body = Limited::new(body, bytes_max).collect().await;
        let body = body.map_err(|_| WebhookError::Garbled)?.to_bytes();
        Ok((head, body.into()))
    };
    let mut answering = std::pin::pin!(answering);
    // The connection works for as long as it is waited for here, and ends with this function. One that the
    // host closed may have brought the answer before.
    tokio::select! {
        biased;
        answer = &mut answering => answer,
        _ = connection => answering.await,
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn connector(ca: &Path) -> Result<TlsConnector, WebhookError> {
    let unusable = || WebhookError::Authorities(ca.display().to_string());
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(ca).map_err(|_| unusable())?;
    for certificate in certificates {
        let certificate = certificate.map_err(|_| unusable())?;
        roots.add(certificate).map_err(|_| unusable())?;
    }
    if roots.is_empty() {
        return Err(unusable());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| unusable())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_go_to_https_and_to_loopback_only() {
        let parse = |url: &str| Target::parse(url, None, Duration::from_secs(1)).map(drop);
        for good in [
            "http://127.0.0.1:9000/hook?x=1",
            "http://[::1]:9000/",
            "http://localhost/",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://example.com/",
            "http://127.0.0.1.example.com/",
            "http://user@127.0.0.1/",
            "http://127.0.0.1/#part",
            "ftp://127.0.0.1/",
            "127.0.0.1:9000",
            "/hook",
            "",
        ] {
            assert!(matches!(parse(bad), Err(WebhookError::Url)), "{bad}");
        }
        let without = parse("https://example.com/");
        assert!(matches!(without, Err(WebhookError::Authorities(_))));
    }
}
