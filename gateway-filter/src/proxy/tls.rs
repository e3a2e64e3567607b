//! Owns the proxy's TLS: files to configurations, and the present one, which a reload replaces. One
//! that can't be read changes nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::{ProxySettings, TlsSettings, UpstreamTlsSettings};

/// Why TLS material can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file is missing, or no PEM of its kind.
    #[error("{}: no readable PEM file of its kind; check [proxy.tls] and [proxy.upstream_tls]", .0.display())]
    Pem(PathBuf),
    /// The material does not fit together.
    #[error("the TLS material can't be used: check that the key is the certificate's")]
    Material(#[from] rustls::Error),
    /// No authority in a file that must hold one.
    #[error("{}: no usable authority in it", .0.display())]
    Authorities(PathBuf),
}

/// The proxy's two sides as they are now; `None` speaks plainly.
pub(super) struct Tls {
    present: RwLock<Sides>,
    door: Option<TlsSettings>,
    upstream: Option<UpstreamTlsSettings>,
}

#[derive(Clone)]
struct Sides {
    door: Option<Arc<ServerConfig>>,
    upstream: Option<Arc<ClientConfig>>,
}

impl Tls {
    pub(super) fn load(settings: &ProxySettings) -> Result<Self, TlsError> {
        let (door, upstream) = (settings.tls.clone(), settings.upstream_tls.clone());
        let present = RwLock::new(Sides::read(door.as_ref(), upstream.as_ref())?);
        Ok(Self {
            present,
            door,
            upstream,
        })
    }

    /// Reads the files again; the last good ones stay where they can't be used.
    pub(super) fn reload(&self) {
        match Sides::read(self.door.as_ref(), self.upstream.as_ref()) {
            Ok(fresh) => {
                *self.present.write().unwrap_or_else(PoisonError::into_inner) = fresh;
            }
            Err(error) => tracing::error!("the TLS material stays as it was: {error}"),
        }
    }

    pub(super) fn door(&self) -> Option<Arc<ServerConfig>> {
        self.sides().door
    }

    pub(super) fn upstream(&self) -> Option<Arc<ClientConfig>> {
        self.sides().upstream
    }

    fn sides(&self) -> Sides {
        self.present
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Sides {
    fn read(
        door: Option<&TlsSettings>,
        upstream: Option<&UpstreamTlsSettings>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Self {
            door: door
                .map(|files| server(files, provider.clone()).map(Arc::new))
                .transpose()?,
            upstream: upstream
                .map(|files| client(files, provider).map(Arc::new))
                .transpose()?,
        })
    }
}

fn server(files: &TlsSettings, provider: Arc<CryptoProvider>) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let roots = Arc::new(authorities(file)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                .build()
                .map_err(|_| TlsError::Authorities(file.clone()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut tls = builder.with_single_cert(chain(&files.certificate)?, key(&files.key)?)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

fn client(
    files: &UpstreamTlsSettings,
    provider: Arc<CryptoProvider>,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities(&files.ca)?);
    Ok(match &files.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, own)) => {
            builder.with_client_auth_cert(chain(certificate)?, key(own)?)?
        }
    })
}

fn authorities(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(file)? {
        roots
            .add(certificate)
            .map_err(|_| TlsError::Authorities(file.to_owned()))?;
    }
    Ok(roots)
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| TlsError::Pem(file.to_owned()))
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|_| TlsError::Pem(file.to_owned()))
}
