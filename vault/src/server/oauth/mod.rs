//! The vault as an OAuth2 authorization server, for installations without an identity provider, and the issuers'
//! keys that it fetches.
//!
//! | file | owns |
//! | --- | --- |
//! | `token` | `POST /oauth/token`: client credentials (RFC 6749 section 4.4), token exchange (RFC 8693) |
//! | `asked`, `form` | what is asked for there |
//! | `refused` | why none is made |
//! | `published` | discovery (RFC 8414) and the vault's own keys |
//! | `issuer_keys` | issuers' keys, fetched again and again |

mod asked;
mod form;
mod issuer_keys;
mod published;
mod refused;
mod token;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;

pub(super) use published::{discovery, keys};
pub(super) use token::{method, token};

pub use issuer_keys::{FetchedIssuer, keep_keys};

use crate::engine::key::{KeyFault, TokenKeys};
use crate::engine::{EngineError, TokenTerms};
use crate::server::Vault;
use crate::server::corridor::TOKEN_PATH;

/// So often the vault looks at its own key: a version that was compromised verifies no longer than that.
const OWN_KEYS_PAUSE: Duration = Duration::from_secs(5);

/// A JWK set without keys.
const NO_KEYS: &str = r#"{"keys":[]}"#;
/// Bodies of strangers that are read at once: nobody is known before the form is.
const READING_MAX: usize = 256;

/// What the token endpoint stands on.
pub struct TokenEndpoint {
    terms: TokenTerms,
    /// The endpoint's own URL, as clients name it in assertions.
    url: String,
    keys: RwLock<Arc<str>>,
    /// The public halves in it, by what tokens name them by: none of them needs the HSM again.
    known: Mutex<BTreeMap<String, String>>,
    version: AtomicU32,
    /// Said once, not each time that it is looked at.
    fails: AtomicBool,
    /// Places for bodies that are being read.
    reading: Semaphore,
}

impl TokenEndpoint {
    /// From what its tokens say. `terms.issuer` is the URL that its paths lie below.
    pub fn new(terms: TokenTerms) -> Self {
        let url = format!("{}{TOKEN_PATH}", terms.issuer.trim_end_matches('/'));
        Self {
            terms,
            url,
            keys: RwLock::new(Arc::from(NO_KEYS)),
            known: Mutex::default(),
            version: AtomicU32::new(0),
            fails: AtomicBool::new(false),
            reading: Semaphore::new(READING_MAX),
        }
    }

    fn keys(&self) -> Arc<str> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The vault's own tokens are verified with what its key has now, as far as that was ever opened: what was decided of a
    /// version counts whether the HSM is there or not.
    async fn renew(&self, vault: &Vault) {
        let terms = &self.terms;
        let known = self.known().clone();
        let TokenKeys { keys, missing } = match vault.engine.token_keys(&terms.key, &known).await {
            Ok(found) => found,
            Err(error) => {
                self.told(Some(&error));
                // A key that was taken out of use verifies nothing from now on.
                if taken_out_of_use(&error) {
                    self.withdraw(vault);
                }
                return;
            }
        };
        let none = keys.is_empty().then_some(KeyFault::Compromised);
        self.told(missing.or(none).map(EngineError::from).as_ref());
        if keys.is_empty() {
            return self.withdraw(vault);
        }
        let Some(issuer) = vault.identity.issuer(&terms.issuer) else {
            return;
        };
        let set = keys.values().map(String::as_str).collect::<Vec<_>>();
        let jwks = format!(r#"{{"keys":[{}]}}"#, set.join(","));
        if let Err(error) = issuer.install(&jwks, vault.identity.monotonic()) {
            tracing::warn!(%error, "the key that signs access tokens can't be used");
            return;
        }
        *self.known() = keys;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = jwks.into();
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why not all of the key can be used: said once, until it can.
    fn told(&self, error: Option<&EngineError>) {
        let Some(error) = error else {
            return self.fails.store(false, Ordering::Release);
        };
        if !self.fails.swap(true, Ordering::AcqRel) {
            tracing::warn!(%error, "the key that signs access tokens can't be used, or a version of it");
        }
    }

    fn withdraw(&self, vault: &Vault) {
        if let Some(issuer) = vault.identity.issuer(&self.terms.issuer) {
            issuer.withdraw();
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::from(NO_KEYS);
    }

    /// A version that has just signed its first token is known before the token leaves.
    async fn signed_by(&self, vault: &Vault, version: u32) {
        if self.version.swap(version, Ordering::AcqRel) != version {
            self.renew(vault).await;
        }
    }
}

/// Whether a key is refused for what was decided about it, and not because it can't be had now.
fn taken_out_of_use(error: &EngineError) -> bool {
    use KeyFault::{Compromised, Own, State, Usage, Version};
    let EngineError::Key(fault) = error else {
        return false;
    };
    matches!(fault, State(_) | Version | Compromised | Usage(_) | Own)
}

/// Keeps the vault's own keys as they stand, for as long as it runs.
pub async fn keep_own_keys(vault: Arc<Vault>) {
    let Some(endpoint) = &vault.oauth else {
        return;
    };
    loop {
        endpoint.renew(&vault).await;
        tokio::time::sleep(OWN_KEYS_PAUSE).await;
    }
}
