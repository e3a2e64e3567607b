//! Whether a client certificate still counts, while its connection stands: it ends, it is revoked, its authority goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls_pki_types::CertificateDer;

use super::tls::{LiveTls, Material, not_after, unix_time};
use crate::identity::Unproven;

/// A connection's certificate, and under which material it was last believed.
pub(super) struct Belief {
    tls: Arc<LiveTls>,
    chain: Vec<CertificateDer<'static>>,
    /// First second at which a certificate of the chain has ended.
    ends: u64,
    generation: AtomicU64,
}

impl Belief {
    /// Of a chain that a handshake under this material has accepted.
    pub(super) fn new(
        tls: Arc<LiveTls>,
        material: &Material,
        chain: &[CertificateDer<'_>],
    ) -> Self {
        let chain: Vec<CertificateDer<'static>> =
            chain.iter().map(|one| one.clone().into_owned()).collect();
        // What can't be read counts for no time at all.
        let ends = chain.iter().map(|one| not_after(one).unwrap_or(0)).min();
        Self {
            tls,
            ends: ends.unwrap_or(0),
            chain,
            generation: AtomicU64::new(material.generation),
        }
    }

    /// Whether it counts at this moment. While nothing was renewed that is two comparisons; after a renewal the chain
    /// is verified once again.
    pub(super) fn stands(&self) -> Result<(), Unproven> {
        let now = self.tls.now();
        if self.ends <= now {
            return Err(Unproven::CertificateExpired);
        }
        let material = self.tls.current();
        let known = self.generation.load(Ordering::Relaxed) == material.generation;
        if known && now < material.lists_end {
            return Ok(());
        }
        let (own, others) = self
            .chain
            .split_first()
            .ok_or(Unproven::CertificateRevoked)?;
        material
            .verifier
            .verify_client_cert(own, others, unix_time(now))
            .map_err(|_| Unproven::CertificateRevoked)?;
        self.generation
            .store(material.generation, Ordering::Relaxed);
        Ok(())
    }
}
