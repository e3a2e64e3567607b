//! The registry as it changes while the vault runs: whoever asks has one whole state of it.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Registration, Registry, RegistryError, Standing, Unit};

/// The registry that is in force. A clone of what it gives stays as it is, whatever is put in force later.
#[derive(Debug, Default)]
pub struct Units {
    live: RwLock<Arc<Registry>>,
}

impl Units {
    /// With this registry in force.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            live: RwLock::new(registry),
        }
    }

    /// The one in force now.
    pub fn now(&self) -> Arc<Registry> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another one in force: whoever asks from here on has it.
    pub fn put_in_force(&self, registry: Arc<Registry>) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = registry;
    }
}

impl Registry {
    /// The same with these units beside those that it has. None of them may be one of the file's.
    pub fn beside(
        mut self,
        registered: impl IntoIterator<Item = Arc<Unit>>,
    ) -> Result<Self, RegistryError> {
        for unit in registered {
            self.add_unit(unit)?;
        }
        self.sum_up();
        Ok(self)
    }

    /// The same with this unit, in place of the one of its name if there is one.
    pub fn with(&self, unit: Arc<Unit>) -> Result<Self, RegistryError> {
        let mut registry = self.clone();
        if let Some(before) = registry.units.get(&unit.name).cloned() {
            if before.registration == Registration::File {
                return Err(RegistryError::InBoth(unit.name.clone()));
            }
            registry.units.remove(&before.name);
            // A retired unit's credentials may be another's by now.
            registry.credentials.release(&before);
        }
        registry.add_unit(unit)?;
        registry.sum_up();
        Ok(registry)
    }

    /// The units that are registered, not the file's.
    pub fn registered(&self) -> impl Iterator<Item = &Arc<Unit>> {
        let registered = |unit: &&Arc<Unit>| unit.registration != Registration::File;
        self.units().filter(registered)
    }

    /// SHA-256 over everything that is registered here: equal where nothing differs.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    pub(super) fn sum_up(&mut self) {
        let mut sum = ring::digest::Context::new(&ring::digest::SHA256);
        for unit in self.units.values() {
            sum.update(&unit.document.digest());
        }
        for gateway in self.gateways.values() {
            enter(&mut sum, gateway.name.as_str());
            enter(&mut sum, &gateway.certificate_uri);
            sum.update(&[u8::from(gateway.standing == Standing::Active)]);
            sum.update(&(gateway.public_urls.len() as u64).to_be_bytes());
            for url in &gateway.public_urls {
                enter(&mut sum, url.as_str());
            }
        }
        self.digest.copy_from_slice(sum.finish().as_ref());
    }
}

/// No two lists of texts are entered alike.
fn enter(sum: &mut ring::digest::Context, text: &str) {
    sum.update(&(text.len() as u64).to_be_bytes());
    sum.update(text.as_bytes());
}
