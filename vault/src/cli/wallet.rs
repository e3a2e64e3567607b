//! Development credentials: an authority, certificates of everyone, and an access-token issuer.
//!
//! For demonstrations and tests. A real installation brings its own authority and issuer.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::model::{Clock, SystemClock};

/// `iss` of the development issuer.
pub(super) const ISSUER: &str = "https://issuer.jinku.example";
/// `aud` of its tokens for the vault.
pub(super) const AUDIENCE: &str = "https://vault.jinku.example";
/// Seconds a development token lives.
const TOKEN_SECONDS: u64 = 12 * 60 * 60;

/// A directory with development credentials.
pub(super) struct Wallet {
    directory: PathBuf,
}

impl Wallet {
    /// Makes an authority and an issuer in a new directory.
    pub(super) fn create(directory: &Path) -> anyhow::Result<(Self, Authority)> {
        fs::create_dir_all(directory.join("tls"))?;
        fs::create_dir_all(directory.join("issuer"))?;
        let wallet = Self {
            directory: directory.to_owned(),
        };
        let authority = Authority::create()?;
        wallet.write("tls/ca.pem", authority.certificate.as_bytes())?;
        wallet.create_issuer()?;
        Ok((wallet, authority))
    }

    /// Opens the one of an installation.
    pub(super) fn open(directory: &Path) -> anyhow::Result<Self> {
        if !directory.join("issuer/key.pk8").is_file() {
            bail!(
                "`{}` is no development installation: run `jinku init`",
                directory.display()
            );
        }
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// Writes a certificate and key for the vault itself.
    pub(super) fn server(&self, authority: &Authority) -> anyhow::Result<()> {
        let mut params =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue("vault", params, authority)
    }

    /// Writes a certificate and key whose one name is `uri`.
    pub(super) fn client(
        &self,
        name: &str,
        uri: &str,
        authority: &Authority,
    ) -> anyhow::Result<()> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(name, params, authority)
    }

    fn issue(
        &self,
        name: &str,
        mut params: CertificateParams,
        authority: &Authority,
    ) -> anyhow::Result<()> {
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority.issuer)?;
        self.write(&format!("tls/{name}.pem"), certificate.pem().as_bytes())?;
        self.write(
            &format!("tls/{name}-key.pem"),
            key.serialize_pem().as_bytes(),
        )
    }

    fn create_issuer(&self) -> anyhow::Result<()> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| anyhow::anyhow!("the system's random numbers failed"))?;
        self.write("issuer/key.pk8", document.as_ref())?;
        let x = URL_SAFE_NO_PAD.encode(self.issuer_key()?.public_key().as_ref());
        let jwks = serde_json::json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": "development-1", "x": x,
        }] });
        self.write("issuer/jwks.json", jwks.to_string().as_bytes())
    }

    fn issuer_key(&self) -> anyhow::Result<Ed25519KeyPair> {
        let document = fs::read(self.directory.join("issuer/key.pk8"))?;
        Ed25519KeyPair::from_pkcs8(&document)
            .map_err(|_| anyhow::anyhow!("the issuer's key file is damaged: run `jinku init` anew"))
    }

    /// An access token (RFC 9068) for a unit.
    pub(super) fn access_token(&self, subject: &str) -> anyhow::Result<String> {
        let now = SystemClock::new().now().seconds();
        let header = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"development-1"}"#;
        let claims = serde_json::json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "client_id": subject,
            "iat": now, "exp": now + TOKEN_SECONDS, "jti": format!("{subject}-{now}"),
        });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.issuer_key()?.sign(signed.as_bytes());
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Settings for a client that proves itself with the certificate `name`.
    pub(super) fn client_settings(
        &self,
        url: &str,
        name: Option<&str>,
    ) -> anyhow::Result<api::ClientSettings> {
        let tls = self.directory.join("tls");
        let read = |file: String| {
            fs::read(tls.join(&file)).with_context(|| format!("`tls/{file}` can't be read"))
        };
        let identity_pem = match name {
            Some(name) => Some((
                read(format!("{name}.pem"))?,
                read(format!("{name}-key.pem"))?,
            )),
            None => None,
        };
        Ok(api::ClientSettings {
            url: url.to_owned(),
            ca_pem: read("ca.pem".to_owned())?,
            identity_pem,
            timeout: std::time::Duration::from_secs(10),
        })
    }

    /// Writes a file that only its owner may read.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.directory.join(name);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("`{}` can't be written", path.display()))?;
        file.write_all(bytes)?;
        Ok(())
    }
}

/// A certificate authority that lives as long as the set-up: its key is not stored.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn create() -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Jinku development authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
        })
    }
}
