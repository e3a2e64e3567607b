//! Issuers' keys from their `jwks_uri`: at the start, again after each interval, and when a token names a key that
//! is not known. What can't be fetched changes nothing; keys that were not seen for too long count no more.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::server::{Target, Vault};

/// Largest key set that is read, in bytes.
const KEY_SET_BYTES_MAX: usize = 256 * 1024;

/// An issuer's name and where its keys are.
pub struct FetchedIssuer {
    /// Its `iss`.
    pub issuer: String,
    /// Its `jwks_uri`.
    pub target: Target,
    /// Time between two fetches that nobody wished.
    pub refresh: Duration,
    /// Time between two fetches at least.
    pub cool_down: Duration,
}

/// Fetches an issuer's keys once, and says whether they are had.
async fn fetch_keys(vault: &Vault, source: &FetchedIssuer) -> bool {
    let Some(issuer) = vault.identity.issuer(&source.issuer) else {
        return false;
    };
    issuer.fetch_begins(vault.identity.monotonic());
    let fetched = source.target.get(KEY_SET_BYTES_MAX).await;
    let installed = match fetched {
        Ok(jwks) => {
            let jwks = String::from_utf8(jwks).unwrap_or_default();
            let installed = issuer.install(&jwks, vault.identity.monotonic());
            installed.map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    issuer.fetch_ended();
    match installed {
        Ok(true) => tracing::info!(issuer = source.issuer, "the issuer's keys are new"),
        Ok(false) => {}
        Err(cause) => {
            tracing::warn!(
                issuer = source.issuer,
                cause,
                "the issuer's keys can't be fetched"
            );
            return false;
        }
    }
    true
}

/// Keeps an issuer's keys up to date, for as long as the vault runs. Says that the first fetch has ended.
pub async fn keep_keys(vault: Arc<Vault>, source: FetchedIssuer, first: oneshot::Sender<()>) {
    let Some(issuer) = vault.identity.issuer(&source.issuer) else {
        return;
    };
    let mut had = fetch_keys(&vault, &source).await;
    // Who waits for it may have gone.
    let _ = first.send(());
    loop {
        // After a failure sooner, and never sooner than the cool-down has it.
        let pause = if had {
            source.refresh
        } else {
            source.cool_down.min(source.refresh)
        };
        // The timeout is the interval: what came first does not matter.
        let _ = tokio::time::timeout(pause, issuer.wished()).await;
        had = fetch_keys(&vault, &source).await;
    }
}
