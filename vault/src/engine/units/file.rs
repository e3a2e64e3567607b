//! `units.toml` read anew while the vault runs. On any error what is in force stays.

use std::sync::{Arc, PoisonError};

use ledger::{Facts, Operation, Outcome};

use super::UnitFault;
use crate::commit::Sequenced;
use crate::engine::{Engine, EngineError};
use crate::model::{Registry, RegistryError};

impl Engine {
    /// Puts the units and gateways of this text in force, in place of the file's before; registered units stay as
    /// they are. Nothing happens where it says the same. `policy` is the digest of the set that decides.
    pub async fn reread_units(
        self: &Arc<Self>,
        text: String,
        policy: [u8; 32],
    ) -> Result<Option<Sequenced>, EngineError> {
        let turn = self.registrar.turn().await;
        let before = self.registrar.file();
        let read = self.blocking(move |engine| {
            let refused = |error: RegistryError| UnitFault::File(error.to_string());
            let file = Registry::parse(&text, &engine.catalogue).map_err(refused)?;
            let calendars = &engine.registrar.calendars;
            calendars.serve_all(&file).map_err(refused)?;
            let now = engine.units_now();
            let registered: Vec<_> = now.registered().cloned().collect();
            let whole = file.clone().beside(registered).map_err(refused)?;
            Ok((Arc::new(file), Arc::new(whole)))
        });
        let (file, whole) = read.await?;
        if file.digest() == before.digest() {
            return Ok(None);
        }
        let mut facts = Facts::new(Operation::UnitsReload, Outcome::Ok);
        facts.policy = Some(policy);
        facts.commitment = Some(file.digest());
        let entry = self.note_of_units(facts, Vec::new()).await?;
        *self
            .registrar
            .file
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = file;
        self.put_in_force(whole);
        drop(turn);
        Ok(Some(entry))
    }
}
