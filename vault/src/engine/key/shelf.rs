//! Records and opened versions, cached within bounds. What changes leaves both caches at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kms::{
    CacheError, CacheHealth, CacheLimits, Envelope, Hsm, KeyCache, KeyId, OpenKey, WrappedKey,
};

use super::KeyFault;
use crate::engine::{Engine, EngineError};
use crate::model::{KeyRecord, KeyRef, VersionState};
use crate::store::{Reader, StoreError};

/// Records kept at once; beyond it the cache begins anew.
const RECORDS_MAX: usize = 16_384;

/// What the key service needs to know of its surroundings.
pub struct ShelfSettings {
    /// Bounds of the opened versions' cache.
    pub cache: CacheLimits,
    /// Label of the HSM's key that imports are wrapped under.
    pub import_label: String,
    /// How long a request can hold on to what it saw: no version is destroyed sooner after it was replaced.
    pub request_time_max: Duration,
    /// Shortest waiting period before a key is destroyed.
    pub deletion_wait_min: Duration,
    /// Longest plaintext or message of one item, in bytes.
    pub item_bytes_max: usize,
    /// The key that signs access tokens, where there is one: no request signs with it.
    pub token_key: Option<KeyRef>,
}

/// The key service's own state: everything here can be read from the store again.
pub struct KeyShelf {
    pub(super) envelope: Arc<Envelope>,
    pub(super) hsm: Arc<Hsm>,
    pub(super) settings: ShelfSettings,
    opened: KeyCache,
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    by_ref: HashMap<KeyRef, Arc<KeyRecord>>,
    /// Counts changes: what was read before one is not kept after it.
    changes: u64,
}

impl KeyShelf {
    /// Over this HSM and this root key.
    pub fn new(envelope: Arc<Envelope>, hsm: Arc<Hsm>, settings: ShelfSettings) -> Self {
        let opened = KeyCache::new(settings.cache, std::time::Instant::now);
        Self {
            envelope,
            hsm,
            settings,
            opened,
            records: Mutex::default(),
        }
    }

    /// A key's record, from the cache or the store.
    pub(super) fn record(
        &self,
        reader: &Reader,
        key: &KeyRef,
    ) -> Result<Option<Arc<KeyRecord>>, StoreError> {
        let changes = self.records().changes;
        let Some(record) = reader.key(key)?.map(Arc::new) else {
            return Ok(None);
        };
        let mut records = self.records();
        // A change that came in between has emptied the cache of what was read here.
        if records.changes == changes {
            if records.by_ref.len() >= RECORDS_MAX {
                records.by_ref.clear();
            }
            records.by_ref.insert(key.clone(), Arc::clone(&record));
        }
        Ok(Some(record))
    }

    pub(super) fn held_record(&self, key: &KeyRef) -> Option<Arc<KeyRecord>> {
        self.records().by_ref.get(key).cloned()
    }

    /// Forgets a key everywhere. To be called after each change of it is durable, before it is answered.
    pub(super) fn forget(&self, id: &KeyId) {
        let mut records = self.records();
        records.changes += 1;
        records.by_ref.retain(|_, record| record.id != *id);
        drop(records);
        self.opened.forget(id);
    }

    /// The opened version, if it is at hand: no HSM, no store.
    pub(super) fn held(&self, id: &KeyId, version: u32) -> Option<Arc<OpenKey>> {
        self.opened.at_hand(id, version)
    }

    /// Opens a version, through the HSM where it is not at hand. Blocks.
    pub(super) fn open(
        &self,
        reader: &Reader,
        record: &KeyRecord,
        version: u32,
    ) -> Result<Arc<OpenKey>, KeyFault> {
        let load = || -> Result<WrappedKey, KeyFault> {
            let row = reader.key_version(&record.id, version);
            let row = row
                .map_err(|_| KeyFault::Broken)?
                .ok_or(KeyFault::Version)?;
            match (row.state, row.wrapped) {
                (VersionState::Destroyed, _) | (_, None) => Err(KeyFault::Version),
                (_, Some(blob)) => Ok(WrappedKey::from_parts(
                    record.id.clone(),
                    version,
                    record.kind,
                    blob,
                )),
            }
        };
        let opened = self.opened.open(&self.envelope, &record.id, version, load);
        opened.map_err(|error| match error {
            CacheError::Load(fault) => fault,
            CacheError::Open(error) => error.into(),
            _ => KeyFault::Unavailable,
        })
    }

    /// Opened versions that nobody asked for in a long time leave. To be called now and then.
    pub fn sweep(&self) {
        self.opened.sweep();
    }

    /// Whether the HSM failed when a key was last asked of it.
    pub fn health(&self) -> CacheHealth {
        self.opened.health()
    }

    fn records(&self) -> std::sync::MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// The key of this name, as it stands now.
    pub async fn find_key(
        self: &Arc<Self>,
        key: &KeyRef,
    ) -> Result<Option<Arc<KeyRecord>>, EngineError> {
        if let Some(record) = self.shelf.held_record(key) {
            return Ok(Some(record));
        }
        let key = key.clone();
        self.blocking(move |engine| Ok(engine.shelf.record(&engine.reader, &key)?))
            .await
    }

    /// An opened version: at hand, or through the HSM on a thread that may wait.
    pub(super) async fn opened(
        self: &Arc<Self>,
        record: &Arc<KeyRecord>,
        version: u32,
    ) -> Result<Arc<OpenKey>, KeyFault> {
        if let Some(open) = self.shelf.held(&record.id, version) {
            return Ok(open);
        }
        let (engine, record) = (Arc::clone(self), Arc::clone(record));
        let opening = move || engine.shelf.open(&engine.reader, &record, version);
        let opened = tokio::task::spawn_blocking(opening).await;
        opened.unwrap_or(Err(KeyFault::Broken))
    }

    /// Runs what waits for the store or the HSM on a thread that may.
    pub(in crate::engine) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let engine = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&engine)).await;
        done.unwrap_or(Err(EngineError::Keys))
    }
}
