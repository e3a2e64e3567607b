//! `jinku sign-request`: the header lines that prove a unit by a signature over one request (RFC 9421), for `curl -H @-`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use api::signature::{ContentDigest, Draft, Message};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method, Uri};
use rand::TryRng;
use ring::signature::Ed25519KeyPair;
use ring::{digest, hmac};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::screen;
use crate::identity::{ED25519, HMAC_SHA256};
use crate::model::{Clock, SystemClock};

/// Lengths of an `hmac-sha-256` key of the key service, in bytes.
const HMAC_KEY_BYTES: std::ops::RangeInclusive<usize> = 32..=64;

/// Arguments of `jinku sign-request`.
#[derive(clap::Args)]
#[command(after_help = "Example:
  jinku sign-request --url https://localhost:8443/v1/tokenize --body body.json --keyid tax-2026 \\
    --ed25519-key tax.pem > headers
  curl --cacert tls/ca.pem -H @headers --data-binary @body.json https://localhost:8443/v1/tokenize")]
#[group(skip)]
pub(super) struct Options {
    /// The request's whole address.
    #[arg(long)]
    url: Uri,
    /// Its method; POST with a body, GET without.
    #[arg(long)]
    method: Option<Method>,
    /// The file with its body.
    #[arg(long)]
    body: Option<PathBuf>,
    /// What the body is.
    #[arg(long, default_value = "application/json")]
    content_type: String,
    /// Its `Idempotency-Key`, where it has one.
    #[arg(long)]
    idempotency_key: Option<String>,
    /// The key's name at the vault: `signing_key` of the unit, or the `kid` of its `signing_jwk`.
    #[arg(long)]
    keyid: String,
    /// The private key: Ed25519 in PKCS#8, PEM.
    #[arg(
        long,
        conflicts_with = "hmac_key",
        required_unless_present = "hmac_key"
    )]
    ed25519_key: Option<PathBuf>,
    /// The secret that was imported into the key service: the raw bytes.
    #[arg(long)]
    hmac_key: Option<PathBuf>,
    /// For how many seconds it counts.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    for line in lines(options)? {
        screen::line(&line);
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(options: &Options) -> anyhow::Result<Vec<String>> {
    let signer = Signer::open(options)?;
    let mut headers = HeaderMap::new();
    let mut covered = vec!["@method", "@target-uri"];
    let mut cover = |name: &'static str, value: String| -> anyhow::Result<()> {
        let value = HeaderValue::from_str(&value);
        let value = value.with_context(|| format!("`{name}` can't be a header's value"))?;
        headers.insert(HeaderName::from_static(name), value);
        covered.push(name);
        Ok(())
    };
    if let Some(body) = &options.body {
        let body = std::fs::read(body).with_context(|| unreadable(body))?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, &body).as_ref());
        cover("content-type", options.content_type.clone())?;
        cover("content-digest", ContentDigest::of_sha256(&sha256))?;
    }
    if let Some(key) = &options.idempotency_key {
        cover("idempotency-key", key.clone())?;
    }
    let made = {
        let method = options.method.clone().unwrap_or(match &options.body {
            Some(_) => Method::POST,
            None => Method::GET,
        });
        let message = message(options, &method, &headers)?;
        draft(options, &covered, signer.name())?.signed(&message, |base| signer.sign(base))?
    };
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", text(value)))
        .collect();
    lines.push(format!("signature-input: {}", made.input));
    lines.push(format!("signature: {}", made.signature));
    Ok(lines)
}

fn message<'a>(
    options: &'a Options,
    method: &'a Method,
    headers: &'a HeaderMap,
) -> anyhow::Result<Message<'a>> {
    let (scheme, authority) = (options.url.scheme_str(), options.url.authority());
    let (Some(scheme), Some(authority)) = (scheme, authority) else {
        bail!("`--url` must be a whole address such as https://localhost:8443/v1/tokenize");
    };
    let target = options
        .url
        .path_and_query()
        .map_or("/", |target| target.as_str());
    Ok(Message::request(
        method,
        scheme,
        authority.as_str(),
        target,
        headers,
    )?)
}

fn draft(options: &Options, covered: &[&str], alg: &str) -> anyhow::Result<Draft> {
    let mut nonce = [0; 18];
    rand::rngs::SysRng
        .try_fill_bytes(&mut nonce)
        .context("the system's random numbers failed")?;
    let now = SystemClock::new().now().seconds();
    Ok(Draft::covering(covered)
        .created(now)
        .expires(now.saturating_add(options.seconds))
        .nonce(&URL_SAFE_NO_PAD.encode(nonce))
        .keyid(&options.keyid)
        .alg(alg))
}

fn unreadable(path: &Path) -> String {
    format!("`{}` can't be read", path.display())
}

enum Signer {
    Hmac(hmac::Key),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn open(options: &Options) -> anyhow::Result<Self> {
        if let Some(path) = &options.ed25519_key {
            let key = PrivatePkcs8KeyDer::from_pem_file(path);
            let key = key.map_err(|_| {
                anyhow::anyhow!("`{}` is no private key in PKCS#8, PEM", path.display())
            })?;
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der());
            let pair =
                pair.map_err(|_| anyhow::anyhow!("`{}` is no Ed25519 key", path.display()))?;
            return Ok(Self::Ed25519(pair));
        }
        let path = options.hmac_key.as_deref().context("give a key")?;
        let secret = Zeroizing::new(std::fs::read(path).with_context(|| unreadable(path))?);
        if !HMAC_KEY_BYTES.contains(&secret.len()) {
            bail!(
                "`{}` must have 32 to 64 bytes, the raw secret",
                path.display()
            );
        }
        Ok(Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Hmac(_) => HMAC_SHA256,
            Self::Ed25519(_) => ED25519,
        }
    }

    fn sign(&self, base: &[u8]) -> Vec<u8> {
        match self {
            Self::Hmac(key) => hmac::sign(key, base).as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(base).as_ref().to_vec(),
        }
    }
}
