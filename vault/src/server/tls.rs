//! TLS material that is renewed while the vault runs: server certificate, client authorities, revocation lists.
//!
//! The files are looked at now and then, and on a hang-up. What fits together takes the place of what was there, whole;
//! what does not changes nothing, is logged, and readiness says so until it is put right.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ring::digest::{Context, SHA256};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use tokio::signal::unix::Signal;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::limits::{ListenConfig, OutdatedCrl};
use super::listen::ListenError;
use crate::model::Clock;

/// What is in use now.
pub(super) struct Material {
    pub(super) config: Arc<ServerConfig>,
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    /// Counts renewals.
    pub(super) generation: u64,
    /// First second at which a revocation list says no longer who is revoked.
    pub(super) lists_end: u64,
    /// First second at which the server's certificate counts no longer.
    server_ends: u64,
}

/// The TLS material of a listener, as it is renewed.
pub struct LiveTls {
    files: ListenConfig,
    clock: Arc<dyn Clock>,
    current: RwLock<Arc<Material>>,
    /// SHA-256 of the files that are in use.
    seen: Mutex<Vec<u8>>,
    trouble: Mutex<Option<String>>,
}

impl LiveTls {
    /// Reads the files for the first time.
    pub fn load(files: ListenConfig, clock: Arc<dyn Clock>) -> Result<Self, ListenError> {
        let seen = fingerprint(&files)?;
        let material = material(&files, 0)?;
        Ok(Self {
            files,
            clock,
            current: RwLock::new(Arc::new(material)),
            seen: Mutex::new(seen),
            trouble: Mutex::default(),
        })
    }

    pub(super) fn current(&self) -> Arc<Material> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.clock.now().seconds()
    }

    /// Looks at the files, and takes over what has changed. Blocks.
    pub fn look(&self) {
        let trouble = match self.renewed() {
            Ok(true) => {
                tracing::info!("new TLS material serves");
                None
            }
            Ok(false) => None,
            Err(error) => {
                tracing::error!(%error, "the TLS material stays as it was");
                Some(format!("the TLS material stays as it was: {error}"))
            }
        };
        let outdated = self.current().lists_end <= self.now();
        if outdated {
            tracing::warn!("a certificate revocation list is outdated");
        }
        let outdated = outdated.then(|| "a certificate revocation list is outdated".to_owned());
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble.or(outdated);
    }

    /// What keeps the newest files from being used.
    pub(super) fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone()
    }

    fn renewed(&self) -> Result<bool, ListenError> {
        // Looks come one at a time: of two, neither may overwrite what is newer.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let found = fingerprint(&self.files)?;
        if *seen == found {
            return Ok(false);
        }
        let material = material(&self.files, self.current().generation + 1)?;
        // One that has ended takes no valid one's place. Beside one that ended too, it still counts who is revoked.
        let now = self.now();
        if material.server_ends <= now && self.current().server_ends > now {
            return Err(ListenError::Ended);
        }
        // They may have been replaced one by one while they were read: what was read must be what was seen.
        if fingerprint(&self.files)? != found {
            return Err(ListenError::Changing);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(material);
        *seen = found;
        Ok(true)
    }
}

/// Looks at the files on each hang-up, and now and then.
pub async fn follow(tls: Arc<LiveTls>, mut hangups: Signal) {
    let mut rounds = tokio::time::interval(tls.files.reload_interval);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            heard = hangups.recv() => if heard.is_none() { return },
        }
        let tls = Arc::clone(&tls);
        // Waits for the disk. A look that panicked has been printed by its hook.
        let _ = tokio::task::spawn_blocking(move || tls.look()).await;
    }
}

fn material(files: &ListenConfig, generation: u64) -> Result<Material, ListenError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut authorities = rustls::RootCertStore::empty();
    for certificate in certificates(&files.client_ca)? {
        authorities.add(certificate)?;
    }
    let lists = lists(files)?;
    let lists_end = match files.crl_outdated {
        OutdatedCrl::Refuse => lists.iter().filter_map(ends).min().unwrap_or(u64::MAX),
        OutdatedCrl::Accept => u64::MAX,
    };
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(&provider))
            .allow_unauthenticated()
            .with_crls(lists);
    let verifier = match files.crl_outdated {
        OutdatedCrl::Refuse => verifier.enforce_revocation_expiration(),
        OutdatedCrl::Accept => verifier,
    };
    let verifier = verifier
        .build()
        .map_err(|_| ListenError::ClientAuthorities)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|_| pem(&files.key))?;
    let chain = certificates(&files.certificate)?;
    let server_ends = chain.first().and_then(|certificate| not_after(certificate));
    let server_ends = server_ends.ok_or_else(|| pem(&files.certificate))?;
    // rustls looks whether certificate and key belong together.
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::clone(&verifier))
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Material {
        config: Arc::new(config),
        verifier,
        generation,
        lists_end,
        server_ends,
    })
}

fn lists(files: &ListenConfig) -> Result<Vec<CertificateRevocationListDer<'static>>, ListenError> {
    let mut all = Vec::new();
    for path in &files.crl {
        let lists = CertificateRevocationListDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|_| pem(path))?;
        // A file without a list would revoke nobody, and look as if it did.
        if lists.is_empty() {
            return Err(pem(path));
        }
        all.extend(lists);
    }
    Ok(all)
}

/// A list's `nextUpdate`, in seconds since 1970.
fn ends(list: &CertificateRevocationListDer<'_>) -> Option<u64> {
    let (_, list) = CertificateRevocationList::from_der(list).ok()?;
    u64::try_from(list.next_update()?.timestamp()).ok()
}

/// First second at which a certificate counts no longer.
pub(super) fn not_after(certificate: &[u8]) -> Option<u64> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    // RFC 5280 section 4.1.2.5: the last second is included.
    u64::try_from(certificate.validity().not_after.timestamp())
        .ok()?
        .checked_add(1)
}

pub(super) fn unix_time(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn fingerprint(files: &ListenConfig) -> Result<Vec<u8>, ListenError> {
    let mut context = Context::new(&SHA256);
    let own = [&files.certificate, &files.key, &files.client_ca];
    for path in own.into_iter().chain(&files.crl) {
        let bytes = std::fs::read(path).map_err(|_| pem(path))?;
        context.update(&bytes.len().to_be_bytes());
        context.update(&bytes);
    }
    Ok(context.finish().as_ref().to_vec())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ListenError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|_| pem(path))
}

fn pem(path: &Path) -> ListenError {
    ListenError::Pem {
        path: path.display().to_string(),
    }
}
