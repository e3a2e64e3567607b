//! Owns what a running front works with: the filter as the settings say it now, and what outlives a
//! change of them. A message keeps the filter that it began with.

use std::sync::{Arc, PoisonError, RwLock};

use api::UnitProof;
use api::v1::{
    DecryptJweRequest, DecryptJweResult, DetokenizeRequest, EncryptJweRequest, EncryptJweResult,
    Revealed, TokenizeRequest,
};
use tokio::sync::{Semaphore, watch};

use crate::error::VaultError;
use crate::filter::{Filter, Recorded, Vault};
use crate::held::{Held, Store};
use crate::metrics::Metrics;
use crate::sign::KeyUse;

/// The present filter, its metrics, and its bounds over all messages.
///
/// The bounds (`in_flight_max`, `held_bytes_max`) are those of the first settings: a change needs a
/// restart.
pub struct Live<V> {
    present: RwLock<Arc<Filter<V>>>,
    metrics: Arc<Metrics>,
    slots: Arc<Semaphore>,
    store: Arc<Store>,
    generation: watch::Sender<u64>,
}

impl<V: Vault> Live<V> {
    /// Begins with this filter.
    pub fn new(filter: Arc<Filter<V>>, metrics: Arc<Metrics>) -> Self {
        let rules = filter.rules();
        Self {
            slots: Arc::new(Semaphore::new(rules.in_flight_max)),
            store: Arc::new(Store::new(rules.held_bytes_max, metrics.clone())),
            present: RwLock::new(filter),
            metrics,
            generation: watch::Sender::new(0),
        }
    }

    /// The filter as it is now.
    pub fn now(&self) -> Arc<Filter<V>> {
        self.present
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// From now on, messages begin with this filter.
    pub fn replace(&self, filter: Arc<Filter<V>>) {
        filter.follow(&self.now());
        *self.present.write().unwrap_or_else(PoisonError::into_inner) = filter;
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Places for messages under way.
    pub(crate) fn slots(&self) -> &Arc<Semaphore> {
        &self.slots
    }

    /// The memory for all bodies.
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// A share of memory for one body.
    pub(crate) fn share(&self) -> Held {
        self.store.share()
    }

    /// Tells of each replacement.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }
}

impl<V: Vault> From<Arc<Filter<V>>> for Live<V> {
    fn from(filter: Arc<Filter<V>>) -> Self {
        Self::new(filter, Arc::default())
    }
}

/// One vault may serve several filters.
impl<V: Vault> Vault for Arc<V> {
    async fn tokenize(
        &self,
        request: TokenizeRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Recorded<Vec<String>>, VaultError> {
        (**self).tokenize(request, proof).await
    }

    async fn detokenize(
        &self,
        request: DetokenizeRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Recorded<Vec<Revealed>>, VaultError> {
        (**self).detokenize(request, proof).await
    }

    async fn encrypt_jwe(
        &self,
        request: EncryptJweRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Vec<EncryptJweResult>, VaultError> {
        (**self).encrypt_jwe(request, proof).await
    }

    async fn decrypt_jwe(
        &self,
        request: DecryptJweRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Vec<DecryptJweResult>, VaultError> {
        (**self).decrypt_jwe(request, proof).await
    }

    async fn sign(&self, usage: KeyUse, proof: Option<&UnitProof>) -> Result<Vec<u8>, VaultError> {
        (**self).sign(usage, proof).await
    }

    async fn verify(
        &self,
        usage: KeyUse,
        signature: Vec<u8>,
        proof: Option<&UnitProof>,
    ) -> Result<bool, VaultError> {
        (**self).verify(usage, signature, proof).await
    }
}
