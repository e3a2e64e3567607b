//! Owns the proxy's part of the settings: `[proxy]` with its two sides of TLS.

use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;

use super::raw::{RawProtocol, RawProxy, RawTls, RawUpstreamTls, RawUpstreams};
use super::{SettingsError, listen, timeout};

/// Most upstreams of one proxy.
const UPSTREAMS_MAX: usize = 64;

/// The reverse proxy's part.
#[derive(Debug)]
pub struct ProxySettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// `http://host:port` or `https://host:port`; any of them may answer any request.
    pub upstreams: Vec<Uri>,
    /// What the upstreams speak.
    pub upstream_protocol: UpstreamProtocol,
    /// TLS for those who come; absent, they speak plainly.
    pub tls: Option<TlsSettings>,
    /// TLS to upstreams, where they are `https`.
    pub upstream_tls: Option<UpstreamTlsSettings>,
    /// How long a TLS handshake, from its end a connection's first request, and a request's head may take.
    pub header_timeout: Duration,
    /// How long a body that is read may take to arrive, in each direction.
    pub body_timeout: Duration,
    /// How long connecting to the upstream may take.
    pub connect_timeout: Duration,
    /// How long the upstream may take until its answer's head.
    pub upstream_timeout: Duration,
    /// How long a connection to an upstream is kept while it is idle.
    pub idle_timeout: Duration,
    /// How long requests under way may take after the shutdown has begun.
    pub drain_timeout: Duration,
    /// What upstreams are asked to see whether they are well; absent, only lost connections tell.
    pub health_path: Option<PathAndQuery>,
    /// How often they are asked.
    pub health_interval: Duration,
}

/// What an upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2: by prior knowledge, or by ALPN over TLS.
    Http2,
}

/// The proxy's own certificate.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// PEM file of the chain, its own certificate first.
    pub certificate: PathBuf,
    /// PEM file of its private key.
    pub key: PathBuf,
    /// PEM file of the authorities that must have signed the certificates of those who come.
    pub client_ca: Option<PathBuf>,
}

/// How upstreams prove themselves, and the proxy to them.
#[derive(Debug, Clone)]
pub struct UpstreamTlsSettings {
    /// PEM file of the authorities that may sign upstreams' certificates.
    pub ca: PathBuf,
    /// PEM files of the proxy's certificate and key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl ProxySettings {
    /// The key files it names.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        if let Some(tls) = &self.tls {
            files.extend([tls.certificate.clone(), tls.key.clone()]);
            files.extend(tls.client_ca.clone());
        }
        if let Some(tls) = &self.upstream_tls {
            files.push(tls.ca.clone());
            let identity = tls.identity.iter();
            files
                .extend(identity.flat_map(|(certificate, key)| [certificate.clone(), key.clone()]));
        }
        files
    }
}

pub(super) fn proxy(raw: &RawProxy, folder: &FilePath) -> Result<ProxySettings, SettingsError> {
    let upstreams = upstreams(&raw.upstream)?;
    let secure = upstreams
        .iter()
        .any(|uri| uri.scheme_str() == Some("https"));
    if secure && raw.upstream_tls.is_none() {
        return Err(SettingsError::UpstreamTls);
    }
    Ok(ProxySettings {
        listen: listen("proxy.listen", &raw.listen)?,
        upstreams,
        upstream_protocol: match raw.upstream_protocol {
            RawProtocol::Http1 => UpstreamProtocol::Http1,
            RawProtocol::Http2 => UpstreamProtocol::Http2,
        },
        tls: raw.tls.as_ref().map(|raw| tls(raw, folder)),
        upstream_tls: raw
            .upstream_tls
            .as_ref()
            .map(|raw| upstream_tls(raw, folder))
            .transpose()?,
        header_timeout: timeout("proxy.header_timeout_ms", raw.header_timeout_ms)?,
        body_timeout: timeout("proxy.body_timeout_ms", raw.body_timeout_ms)?,
        connect_timeout: timeout("proxy.connect_timeout_ms", raw.connect_timeout_ms)?,
        upstream_timeout: timeout("proxy.upstream_timeout_ms", raw.upstream_timeout_ms)?,
        idle_timeout: timeout("proxy.idle_timeout_ms", raw.idle_timeout_ms)?,
        drain_timeout: timeout("proxy.drain_timeout_ms", raw.drain_timeout_ms)?,
        health_path: raw.health_path.as_deref().map(health_path).transpose()?,
        health_interval: timeout("proxy.health_interval_ms", raw.health_interval_ms)?,
    })
}

fn upstreams(raw: &RawUpstreams) -> Result<Vec<Uri>, SettingsError> {
    let texts = match raw {
        RawUpstreams::One(text) => std::slice::from_ref(text),
        RawUpstreams::Many(texts) => texts,
    };
    if !(1..=UPSTREAMS_MAX).contains(&texts.len()) {
        return Err(SettingsError::Upstream);
    }
    let upstreams: Vec<Uri> = texts
        .iter()
        .map(|text| upstream(text))
        .collect::<Result<_, _>>()?;
    let scheme = upstreams.first().and_then(Uri::scheme_str);
    if upstreams.iter().any(|uri| uri.scheme_str() != scheme) {
        return Err(SettingsError::Upstream);
    }
    Ok(upstreams)
}

fn upstream(text: &str) -> Result<Uri, SettingsError> {
    let upstream: Uri = text.parse().map_err(|_| SettingsError::Upstream)?;
    let plain = matches!(upstream.scheme_str(), Some("http" | "https"))
        && upstream
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'))
        && upstream
            .path_and_query()
            .is_none_or(|path| path.as_str() == "/");
    if plain {
        Ok(upstream)
    } else {
        Err(SettingsError::Upstream)
    }
}

fn tls(raw: &RawTls, folder: &FilePath) -> TlsSettings {
    TlsSettings {
        certificate: folder.join(&raw.certificate),
        key: folder.join(&raw.key),
        client_ca: raw.client_ca.as_ref().map(|file| folder.join(file)),
    }
}

fn upstream_tls(
    raw: &RawUpstreamTls,
    folder: &FilePath,
) -> Result<UpstreamTlsSettings, SettingsError> {
    let identity = match (&raw.certificate, &raw.key) {
        (Some(certificate), Some(key)) => Some((folder.join(certificate), folder.join(key))),
        (None, None) => None,
        _ => return Err(SettingsError::HalfUpstreamIdentity),
    };
    Ok(UpstreamTlsSettings {
        ca: folder.join(&raw.ca),
        identity,
    })
}

fn health_path(text: &str) -> Result<PathAndQuery, SettingsError> {
    text.parse()
        .ok()
        .filter(|_| text.starts_with('/'))
        .ok_or(SettingsError::HealthPath)
}
