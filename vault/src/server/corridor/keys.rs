//! The corridor's part for keys: from a key's name to a proof, or to a refusal that is recorded.

use std::sync::Arc;

use kms::KeyId;
use ledger::{Operation, Outcome};

use super::{Ticket, refusal};
use crate::admission::Admitted;
use crate::engine::Refusal;
use crate::model::{DomainName, GatewayName, KeyRecord, KeyRef, Purpose, UnitName};
use crate::policy::key_act::{KeyAct, Move, ReEncryptTo};
use crate::policy::{Authorized, OnKey, OnKeys, Refused};
use crate::server::Vault;
use crate::server::problem::Problem;

/// Whom an act on a key or on tokens is by, and what it is.
pub(in crate::server) struct ActBy {
    operation: Operation,
    unit: UnitName,
    gateway: Option<GatewayName>,
    key: Option<KeyId>,
    pub(super) domain: Option<DomainName>,
    pub(super) purpose: Option<Purpose>,
}

impl ActBy {
    pub(super) fn new(operation: Operation, admitted: &Admitted) -> Self {
        let caller = admitted.caller();
        Self {
            operation,
            unit: caller.unit().name.clone(),
            gateway: caller.gateway().map(|gateway| gateway.name.clone()),
            key: None,
            domain: None,
            purpose: None,
        }
    }

    fn of<A: KeyAct>(
        admitted: &Admitted,
        key: Option<&KeyRecord>,
        purpose: Option<&Purpose>,
    ) -> Self {
        Self {
            key: key.map(|record| record.id.clone()),
            purpose: purpose.cloned(),
            ..Self::new(A::OPERATION, admitted)
        }
    }
}

/// An act on a key or on tokens ends. One that was permitted and failed by itself is an entry before it is an answer.
pub(in crate::server) async fn closed<T>(
    vault: &Vault,
    ticket: &Ticket,
    result: Result<T, Problem>,
) -> Result<T, Problem> {
    let problem = match result {
        Err(problem) if problem.unrecorded => problem,
        result => return result,
    };
    if let Some(act) = ticket.act.get() {
        let refusal = Refusal {
            operation: act.operation,
            reason: problem.code,
            request: ticket.request,
            unit: Some(&act.unit),
            gateway: act.gateway.as_ref(),
            domain: act.domain.as_ref(),
            purpose: act.purpose.as_ref(),
            policy: Some(vault.policies.digest()),
            key: act.key.as_ref(),
            outcome: Outcome::Error,
        };
        vault.engine.refuse(refusal).await?;
    }
    Err(problem)
}

/// May the caller do `A` to the key of this name?
pub(in crate::server) async fn on_key<A: KeyAct>(
    vault: &Vault,
    ticket: &Ticket,
    key: &KeyRef,
    purpose: Option<Purpose>,
) -> Result<Authorized<OnKey<A>>, Problem> {
    let record = vault.engine.find_key(key).await?;
    let admitted = ticket.take()?;
    note::<A>(ticket, &admitted, record.as_deref(), purpose.as_ref());
    let decided = match record {
        Some(record) => vault
            .policies
            .authorize_on_key(admitted, record, purpose.clone()),
        None => Err(vault.policies.refuse_unknown_key(admitted)),
    };
    proven::<A, _>(vault, ticket, decided, purpose.as_ref()).await
}

/// May the caller do `A` to a key that stands nowhere yet? The record is made for its unit.
pub(in crate::server) async fn on_wished_key<A: KeyAct>(
    vault: &Vault,
    ticket: &Ticket,
    wish: impl FnOnce(&str) -> Result<KeyRecord, Problem>,
) -> Result<Authorized<OnKey<A>>, Problem> {
    let admitted = ticket.take()?;
    let record = wish(admitted.caller().unit().name.as_str())?;
    note::<A>(ticket, &admitted, Some(&record), None);
    let decided = vault
        .policies
        .authorize_on_key(admitted, Arc::new(record), None);
    proven::<A, _>(vault, ticket, decided, None).await
}

/// May the caller do `A` to the key service?
pub(in crate::server) async fn on_keys<A: KeyAct>(
    vault: &Vault,
    ticket: &Ticket,
) -> Result<Authorized<OnKeys<A>>, Problem> {
    let admitted = ticket.take()?;
    note::<A>(ticket, &admitted, None, None);
    let decided = vault.policies.authorize_on_keys(admitted);
    proven::<A, _>(vault, ticket, decided, None).await
}

/// May the caller move ciphertexts from one key to another?
pub(in crate::server) async fn on_move(
    vault: &Vault,
    ticket: &Ticket,
    (from, to): (&KeyRef, &KeyRef),
    purpose: Option<Purpose>,
) -> Result<Authorized<Move>, Problem> {
    let from = vault.engine.find_key(from).await?;
    let to = vault.engine.find_key(to).await?;
    let admitted = ticket.take()?;
    note::<ReEncryptTo>(ticket, &admitted, to.as_deref(), purpose.as_ref());
    let decided = match (from, to) {
        (Some(from), Some(to)) => {
            vault
                .policies
                .authorize_move(admitted, from, to, purpose.clone())
        }
        _ => Err(vault.policies.refuse_unknown_key(admitted)),
    };
    proven::<ReEncryptTo, _>(vault, ticket, decided, purpose.as_ref()).await
}

fn note<A: KeyAct>(
    ticket: &Ticket,
    admitted: &Admitted,
    key: Option<&KeyRecord>,
    purpose: Option<&Purpose>,
) {
    // A ticket serves once: nobody has written here before.
    let _ = ticket.act.set(ActBy::of::<A>(admitted, key, purpose));
}

async fn proven<A: KeyAct, P>(
    vault: &Vault,
    ticket: &Ticket,
    decided: Result<P, Box<Refused>>,
    purpose: Option<&Purpose>,
) -> Result<P, Problem> {
    let refused = match decided {
        Ok(proof) => return Ok(proof),
        Err(refused) => refused,
    };
    let problem = Problem::from(refused.denial);
    let caller = refused.admitted.caller();
    let key = ticket.act.get().and_then(|act| act.key.as_ref());
    let refusal = Refusal {
        purpose,
        policy: Some(refused.policy),
        key,
        ..refusal(A::OPERATION, &problem, ticket.request, caller)
    };
    vault.engine.refuse(refusal).await?;
    Err(problem)
}
