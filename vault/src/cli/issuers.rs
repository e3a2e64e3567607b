//! The issuers of a configuration, and the tasks that keep their keys.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::config::{self, Config, IssuerConfig, IssuerKeys};
use crate::identity::{Issuer, KeyTerms};
use crate::server::{FetchedIssuer, Vault, keep_keys, keep_own_keys};

/// The vault's own keys count for so long while they can't be looked at: the HSM may be away.
const OWN_KEY_TERMS: KeyTerms = KeyTerms {
    age_max: Duration::from_hours(1),
    cool_down: Duration::from_secs(1),
};

/// All whose tokens count, the vault itself among them where it issues some.
pub(super) fn issuers(config: &Config) -> anyhow::Result<Vec<Issuer>> {
    let mut issuers = Vec::new();
    for known in &config.issuers {
        let issuer = match &known.keys {
            IssuerKeys::File(file) => {
                Issuer::parse(&known.issuer, &known.audience, &config::read(file)?)?
            }
            IssuerKeys::Fetched { terms, .. } => {
                Issuer::fetched(&known.issuer, &known.audience, *terms)
            }
        };
        issuers.push(issuer.constrained(known.constraint));
    }
    let own = |terms: &crate::engine::TokenTerms| {
        Issuer::own(&terms.issuer, &terms.audience, OWN_KEY_TERMS)
    };
    issuers.extend(config.oauth.as_ref().map(own));
    Ok(issuers)
}

/// Fetches what is to be fetched, all at once, and goes on with it until the set is dropped. An issuer that does
/// not answer is no reason not to serve: its tokens are refused until it does.
pub(super) async fn keep(vault: &Arc<Vault>, issuers: Vec<IssuerConfig>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let mut firsts = Vec::new();
    for known in issuers {
        if let IssuerKeys::Fetched {
            target,
            refresh,
            terms,
        } = known.keys
        {
            let source = FetchedIssuer {
                issuer: known.issuer,
                target,
                refresh,
                cool_down: terms.cool_down,
            };
            let (ended, first) = oneshot::channel();
            tasks.spawn(keep_keys(Arc::clone(vault), source, ended));
            firsts.push(first);
        }
    }
    for first in firsts {
        // An error is a task that ended: its issuer's tokens are refused.
        let _ = first.await;
    }
    tasks.spawn(keep_own_keys(Arc::clone(vault)));
    tasks
}
