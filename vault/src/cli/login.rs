//! `jinku login`: an access token of the vault's own, for the client certificate that is shown. It is printed.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use api::ClientSettings;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::connection::Connection;
use super::screen;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Arguments of `jinku login`.
#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    code: Option<String>,
    #[serde(alias = "detail")]
    error_description: Option<String>,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let (settings, _) = options.connection.settings()?;
    let asking = ask(&settings);
    let answer = super::runtime()?
        .block_on(async { tokio::time::timeout(settings.timeout, asking).await })
        .context("the vault did not answer in time")??;
    let answer: Answer =
        serde_json::from_slice(&answer).map_err(|_| anyhow!("the vault's answer can't be read"))?;
    let Some(token) = answer.access_token.map(Zeroizing::new) else {
        let code = answer.code.unwrap_or_else(|| "refused".to_owned());
        bail!("{code}: {}", answer.error_description.unwrap_or_default());
    };
    screen::line(&token);
    Ok(ExitCode::SUCCESS)
}

async fn ask(settings: &ClientSettings) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let uri: Uri = settings
        .url
        .parse()
        .context("the vault's URL can't be read")?;
    let authority = uri.authority().context("the vault's URL names no host")?;
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((host.as_str(), authority.port_u16().unwrap_or(443)))
        .await
        .context("the vault can't be reached: check its address, and that it runs")?;
    let stream = connector(settings)?
        .connect(ServerName::try_from(host)?, stream)
        .await
        .context("the vault's TLS failed")?;
    let request = Request::post("/oauth/token")
        .header(HOST, authority.as_str())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from_static(
            b"grant_type=client_credentials",
        )))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let working = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await;
    let body = body.map_err(|_| anyhow!("the vault's answer can't be read"))?;
    working.abort();
    Ok(Zeroizing::new(body.to_bytes().to_vec()))
}

fn connector(settings: &ClientSettings) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&settings.ca_pem) {
        roots.add(certificate.context("the authorities' file is not PEM")?)?;
    }
    let Some((certificate, key)) = &settings.identity_pem else {
        bail!("a token is given for a client certificate: name --certificate and --key, or --unit");
    };
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.context("the certificate is not PEM")?;
    let key = PrivateKeyDer::from_pem_slice(key).context("the certificate's key is not PEM")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    Ok(TlsConnector::from(Arc::new(config)))
}
