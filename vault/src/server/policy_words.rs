//! What both faces do with policy sets, and what they say of them.

use super::Vault;
use super::corridor::{self, Ticket};
use super::problem::Problem;
use crate::engine::policy::KeptSets;
use crate::model::{KeptSet, SetDigest};
use crate::policy::policy_act::{Approve, Propose, Read};

/// Puts the set in the vault's directory up.
pub(super) async fn propose(vault: &Vault, ticket: &Ticket) -> Result<(SetDigest, u64), Problem> {
    let proof = corridor::on_policies::<Propose>(vault, ticket, None).await?;
    let (engine, policies) = (&vault.engine, &vault.policies);
    let proposed = engine.propose_policy(policies, proof, ticket.request());
    let (digest, entry) = proposed.await?;
    Ok((digest, entry.seq()))
}

/// Approves the set of this digest.
pub(super) async fn approve(
    vault: &Vault,
    ticket: &Ticket,
    digest: &str,
) -> Result<(SetDigest, u64), Problem> {
    let digest = SetDigest::parse(digest)?;
    let proof = corridor::on_policies::<Approve>(vault, ticket, Some(digest)).await?;
    let (engine, policies) = (&vault.engine, &vault.policies);
    let approved = engine.approve_policy(policies, proof, digest, ticket.request());
    Ok((digest, approved.await?.seq()))
}

/// Which set decides, and which waits.
pub(super) struct Standing {
    /// The digest of the deciding set's own files.
    pub(super) deciding: String,
    /// What every entry carries: the same with classes, units, budgets and calendars.
    pub(super) policy: String,
    /// Whether a second unit must approve.
    pub(super) by_approval: bool,
    /// The set that waits.
    pub(super) waiting: Option<KeptSet>,
    /// The set that decides, as it was approved.
    pub(super) active: Option<KeptSet>,
}

pub(super) async fn standing(vault: &Vault, ticket: &Ticket) -> Result<Standing, Problem> {
    corridor::on_policies::<Read>(vault, ticket, None).await?;
    let by_approval = vault.engine.approves_policies();
    let KeptSets { active, waiting } = if by_approval {
        vault.engine.kept_policies().await?
    } else {
        KeptSets {
            active: None,
            waiting: None,
        }
    };
    Ok(Standing {
        deciding: SetDigest(vault.policies.set_digest()).to_string(),
        policy: SetDigest(vault.policies.digest()).to_string(),
        by_approval,
        waiting,
        active,
    })
}

/// Who put a set up, and who approved it: empty where nobody did.
pub(super) fn by(set: &KeptSet) -> (String, String) {
    let proposed = set.proposed_by.as_ref().map(ToString::to_string);
    let approved = set.approved.as_ref().map(|(unit, _)| unit.to_string());
    (proposed.unwrap_or_default(), approved.unwrap_or_default())
}
