//! Reasons that were given for acts, read and erased by those who may do so. That it was done is an entry.

use std::sync::Arc;

use ledger::Facts;

use super::TokenActFault;
use super::act::{Draft, told};
use crate::commit::{Record, Sequenced};
use crate::engine::{Engine, EngineError, caller_facts};
use crate::model::RequestId;
use crate::policy::token_act::{EraseDetail, ReadDetail, TokenAct};
use crate::policy::{Authorized, OnDetails};
use crate::store::{Change, DetailWrite};

/// What an entry about a detail calls the entry that commits to it.
const ENTRY: &str = "entry-";

impl Engine {
    /// The reason that was given for an act, as one JSON object for the auditor's tool. Reading it is an entry.
    pub async fn read_detail(
        self: &Arc<Self>,
        proof: Authorized<OnDetails<ReadDetail>>,
        of: u64,
        request: RequestId,
    ) -> Result<(String, Sequenced), EngineError> {
        let reading = move |engine: &Self| {
            let detail = engine.opened_reason(proof.grant().domain(), of)?;
            let record = Record::single(Change::none(), about(&proof, of, request));
            Ok((record, told(detail)))
        };
        let (record, detail) = self.blocking(reading).await?;
        // INVARIANT 1: it leaves when its entry is durable.
        Ok(self.committer.record(record, detail).await?)
    }

    /// Erases it for good. The act's entry stands as it is.
    pub async fn erase_detail(
        self: &Arc<Self>,
        proof: Authorized<OnDetails<EraseDetail>>,
        of: u64,
        request: RequestId,
    ) -> Result<Sequenced, EngineError> {
        let draft = move |engine: &Self| engine.draft_detail_erasure(&proof, of, request);
        let removed = self.carried_out(draft).await?.removed;
        if !removed.destroyed {
            return Err(TokenActFault::NotDestroyed.into());
        }
        Ok(removed.entry)
    }

    fn draft_detail_erasure(
        &self,
        proof: &Authorized<OnDetails<EraseDetail>>,
        of: u64,
        request: RequestId,
    ) -> Result<Draft<()>, EngineError> {
        let row = self.kept_reason(proof.grant().domain(), of)?;
        let shredding = self.shredding(vec![row.slot]);
        let mut change = Change::none();
        change.details.push(DetailWrite::Erase(of));
        change.token_writes.extend(shredding.write());
        Ok(Draft {
            record: Record::single(change, about(proof, of, request)),
            outcome: told(()),
            shredding,
            first: None,
        })
    }
}

/// What the entry says: whose reason it was.
fn about<A: TokenAct>(proof: &Authorized<OnDetails<A>>, of: u64, request: RequestId) -> Facts {
    let grant = proof.grant();
    let mut facts = caller_facts(A::OPERATION, proof, request);
    facts.domain = grant.domain().map(ToString::to_string);
    facts.purpose = Some(grant.purpose().to_string());
    facts.reason = Some(format!("{ENTRY}{of}"));
    facts
}

/// The entry whose detail an entry says was erased.
pub(in crate::engine) fn detail_told(facts: &Facts) -> Option<DetailWrite> {
    let erased = facts.operation == EraseDetail::OPERATION;
    let of = facts.reason.as_deref().filter(|_| erased)?;
    let of = of.strip_prefix(ENTRY)?.parse().ok()?;
    Some(DetailWrite::Forget(of))
}
