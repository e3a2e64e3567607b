//! TLS on both sides of the proxy, HTTP/2 and HTTP/1.1 within it, and certificates that change while it
//! runs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{CertificateParams, CertifiedIssuer, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::running::*;
use crate::city::{MemoryVault, SETTINGS, filter};

/// An authority in `ca.pem`, and what it signed.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let mut about = CertificateParams::new(Vec::<String>::new()).unwrap();
        about.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(about, key).unwrap();
        std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
        Self(authority)
    }

    /// A certificate for loopback in `NAME.pem` with its key; gives its DER.
    pub(crate) fn sign(&self, folder: &Path, name: &str) -> Vec<u8> {
        let about = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer: &Issuer<'_, KeyPair> = &self.0;
        let signed = about.signed_by(&key, issuer).unwrap();
        std::fs::write(folder.join(format!("{name}-key.pem")), key.serialize_pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), signed.pem()).unwrap();
        signed.der().to_vec()
    }
}

pub(crate) fn text(upstream: SocketAddr, proxy: &str) -> String {
    SETTINGS
        .replace("LIMITS", "")
        .replace("EXTPROC", "")
        .replace("PROXY", &proxy.replace("UPSTREAM", &upstream.to_string()))
        .replace("VAULT", "1")
}

pub(crate) const DOOR: &str = "upstream = \"http://UPSTREAM\"\n\
                    tls = { certificate = \"door.pem\", key = \"door-key.pem\" }";

fn roots(folder: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap())
        .unwrap();
    roots
}

/// A TLS connection to the proxy as a unit makes it, and the certificate that it saw.
pub(crate) async fn connect(
    address: SocketAddr,
    folder: &Path,
    protocol: &[u8],
) -> (tokio_rustls::client::TlsStream<TcpStream>, Vec<u8>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(folder))
        .with_no_client_auth();
    tls.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connector = TlsConnector::from(Arc::new(tls));
    let stream = connector.connect(name, stream).await.unwrap();
    let session = stream.get_ref().1;
    assert_eq!(session.alpn_protocol(), Some(protocol));
    let seen = session.peer_certificates().unwrap()[0].to_vec();
    (stream, seen)
}

fn payment(host: &str, version: Version) -> Request<Full<Bytes>> {
    Request::post(format!("https://{host}/payments/card"))
        .version(version)
        .header("host", host)
        .header("content-type", "application/json")
        .header("authorization", "Bearer unit")
        .body(Full::new(Bytes::from_static(BODY.as_bytes())))
        .unwrap()
}

#[tokio::test]
async fn units_come_in_tls_with_either_http() {
    let folder = tempfile::tempdir().unwrap();
    Authority::in_folder(folder.path()).sign(folder.path(), "door");
    let upstream = crate::city::Upstream::echo().await;
    let text = text(upstream.address, DOOR);
    let running = settled(&MemoryVault::default(), &text, folder.path()).await;

    let (stream, _) = connect(running.address, folder.path(), b"h2").await;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let answer = sender
        .send_request(payment("city.example", Version::HTTP_2))
        .await
        .unwrap();
    let answer = read(answer).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, BODY));
    let host = upstream.last_header("host");
    assert_eq!(host.as_deref(), Some("city.example"));

    let (stream, _) = connect(running.address, folder.path(), b"http/1.1").await;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = payment("city.example", Version::HTTP_11);
    *request.uri_mut() = "/payments/card".parse().unwrap();
    let answer = read(sender.send_request(request).await.unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, BODY));
}

#[tokio::test]
async fn a_new_certificate_is_taken_while_it_runs_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::in_folder(folder.path());
    let first = authority.sign(folder.path(), "door");
    let upstream = crate::city::Upstream::echo().await;
    let vault = MemoryVault::default();
    let running = settled(&vault, &text(upstream.address, DOOR), folder.path()).await;
    let seen = async || connect(running.address, folder.path(), b"h2").await.1;
    assert_eq!(seen().await, first);

    let second = authority.sign(folder.path(), "door");
    running.live.replace(Arc::new(filter(&vault, "")));
    while seen().await != second {
        tokio::task::yield_now().await;
    }
    std::fs::write(folder.path().join("door.pem"), "no certificate").unwrap();
    running.live.replace(Arc::new(filter(&vault, "")));
    for _ in 0..5 {
        assert_eq!(seen().await, second);
    }
}

#[tokio::test]
async fn who_must_prove_himself_and_does_not_is_not_let_in() {
    let folder = tempfile::tempdir().unwrap();
    Authority::in_folder(folder.path()).sign(folder.path(), "door");
    let upstream = crate::city::Upstream::echo().await;
    let proxy = DOOR.replace("key.pem\"", "key.pem\", client_ca = \"ca.pem\"");
    let text = text(upstream.address, &proxy);
    let running = settled(&MemoryVault::default(), &text, folder.path()).await;
    let (stream, _) = connect(running.address, folder.path(), b"http/1.1").await;
    // In TLS 1.3 the refusal comes with the first answer.
    let handshake = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.unwrap();
    tokio::spawn(connection);
    let mut request = payment("city.example", Version::HTTP_11);
    *request.uri_mut() = "/payments/card".parse().unwrap();
    assert!(sender.send_request(request).await.is_err());
    assert_eq!(upstream.requests(), 0);
}

/// An upstream in TLS that gives back what it is sent; it speaks what it is asked for.
async fn secure_upstream(folder: &Path) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_file(folder.join("upstream-key.pem")).unwrap();
    let chain = CertificateDer::from_pem_file(folder.join("upstream.pem")).unwrap();
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = hyper::service::service_fn(async |request: Request<_>| {
                    let (head, body): (_, hyper::body::Incoming) = request.into_parts();
                    let whole = body.collect().await?.to_bytes();
                    let authority = head.uri.authority().map(ToString::to_string);
                    Ok::<_, hyper::Error>(
                        http::Response::builder()
                            .header("content-type", "application/json")
                            .header("x-version", format!("{:?}", head.version))
                            .header("x-authority", authority.unwrap_or_default())
                            .body(Full::new(whole))
                            .unwrap(),
                    )
                });
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn upstreams_are_spoken_to_in_tls_with_either_http() {
    let folder = tempfile::tempdir().unwrap();
    Authority::in_folder(folder.path()).sign(folder.path(), "upstream");
    let upstream = secure_upstream(folder.path()).await;
    for (protocol, version) in [("http1", "HTTP/1.1"), ("http2", "HTTP/2.0")] {
        let proxy = format!(
            "upstream = \"https://UPSTREAM\"\nupstream_protocol = \"{protocol}\"\n\
             upstream_tls = {{ ca = \"ca.pem\" }}"
        );
        let text = text(upstream, &proxy);
        let running = settled(&MemoryVault::default(), &text, folder.path()).await;
        for _ in 0..2 {
            let answer = send(&running, PAY, &UNIT, BODY).await;
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, BODY));
            assert_eq!(answer.headers["x-version"], version);
        }
        if protocol == "http2" {
            let answer = send(&running, PAY, &UNIT, BODY).await;
            let own = running.address.to_string();
            assert_eq!(answer.headers["x-authority"], own);
        }
    }
}

#[tokio::test]
async fn an_upstream_of_another_authority_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    Authority::in_folder(folder.path()).sign(folder.path(), "upstream");
    let upstream = secure_upstream(folder.path()).await;
    // Another authority of the same file name.
    Authority::in_folder(folder.path());
    let proxy = "upstream = \"https://UPSTREAM\"\nupstream_tls = { ca = \"ca.pem\" }";
    let text = text(upstream, proxy);
    let running = settled(&MemoryVault::default(), &text, folder.path()).await;
    let answer = send(&running, PAY, &UNIT, BODY).await;
    assert_eq!(answer.code(), "upstream-unreachable");
}
