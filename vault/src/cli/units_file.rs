//! The file of units, read again while the vault runs. One that can't be used changes nothing.

use std::path::Path;
use std::sync::Arc;

use crate::config;
use crate::server::Vault;

/// Reads it, puts it in force, and says so in the log.
pub(super) async fn reread(vault: &Arc<Vault>, path: &Path) {
    let text = match config::read_units(path) {
        Ok(text) => text,
        Err(error) => return tracing::error!(%error, "the units stay as they were"),
    };
    match vault
        .engine
        .reread_units(text, vault.policies.digest())
        .await
    {
        Ok(Some(entry)) => {
            tracing::info!(
                entry = entry.seq(),
                "the units of units.toml are in force anew"
            );
        }
        Ok(None) => tracing::info!("units.toml says what it said before"),
        Err(error) => tracing::error!(%error, "the units stay as they were"),
    }
}
