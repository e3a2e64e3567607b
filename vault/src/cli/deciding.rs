//! Which policy set decides when a vault starts: the one in the directory, or the one that was approved last.

use std::path::PathBuf;
use std::sync::Arc;

use crate::commit::Committer;
use crate::config::{Activation, Config};
use crate::engine::policy::PolicyMark;
use crate::engine::{Engine, KeyError, Keys};
use crate::model::{Catalogue, Clock, Units};
use crate::policy::{Policies, PolicyError};
use crate::store::{Reader, Shreds};

/// The directory's set, or what is needed to find the approved one.
pub(super) struct Deciding {
    directory: PathBuf,
    catalogue: Arc<Catalogue>,
    /// What policies stand on.
    texts: Vec<String>,
    /// Over which they decide.
    units: Arc<Units>,
    read: Option<Policies>,
}

impl Deciding {
    /// Without the rule of two the directory is read now: files that can't be used end a start before the HSM is
    /// asked for anything.
    pub(super) fn of(
        config: &Config,
        catalogue: &Arc<Catalogue>,
        texts: Vec<String>,
        units: &Arc<Units>,
    ) -> Result<Self, PolicyError> {
        let mut deciding = Self {
            directory: config.policy.directory.clone(),
            catalogue: Arc::clone(catalogue),
            texts,
            units: Arc::clone(units),
            read: None,
        };
        if config.policy.activation == Activation::Reload {
            deciding.read = Some(deciding.at_hand()?);
        }
        Ok(deciding)
    }

    /// What marks approved sets, where the rule of two holds.
    pub(super) async fn mark(
        &self,
        envelope: &kms::Envelope,
        stores: (&Reader, &Shreds),
        committer: &Committer,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<PolicyMark>, KeyError> {
        if self.read.is_some() {
            return Ok(None);
        }
        let mark = Keys::policy_mark(envelope, stores, committer, clock);
        mark.await.map(Some)
    }

    /// The set that was approved last, whatever lies in the directory; the first one is taken as it lies there.
    pub(super) async fn policies(self, engine: &Arc<Engine>) -> anyhow::Result<Arc<Policies>> {
        if let Some(policies) = self.read {
            return Ok(Arc::new(policies));
        }
        let Some(texts) = engine.approved_policy().await? else {
            let policies = self.at_hand()?;
            let entry = engine.adopt_policy(&policies).await?.seq();
            tracing::info!(entry, "the first policy set is taken without an approval");
            return Ok(Arc::new(policies));
        };
        let policies = Policies::of(texts, &self.directory, self.catalogue, self.texts)?;
        let policies = policies.over(self.units);
        match policies.at_hand() {
            Ok(texts) if texts.digest() == policies.set_digest() => {}
            Ok(_) => tracing::warn!(
                "the policy directory holds another set than the one that was approved: propose it"
            ),
            Err(error) => tracing::warn!(%error, "the approved policy set decides"),
        }
        Ok(Arc::new(policies))
    }

    fn at_hand(&self) -> Result<Policies, PolicyError> {
        let catalogue = Arc::clone(&self.catalogue);
        let policies = Policies::load(&self.directory, catalogue, self.texts.clone())?;
        Ok(policies.over(Arc::clone(&self.units)))
    }
}
