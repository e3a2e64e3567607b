//! The corridor's part for keys: from a key's name to a proof, or to a refusal that is recorded.

use std::sync::Arc;

use super::Ticket;
use super::act::{Asked, decided};
use crate::model::{KeyRecord, KeyRef, Purpose};
use crate::policy::key_act::{KeyAct, Move, ReEncryptTo};
use crate::policy::{Authorized, OnKey, OnKeys};
use crate::server::Vault;
use crate::server::problem::Problem;

/// May the caller do `A` to the key of this name?
pub(in crate::server) async fn on_key<A: KeyAct>(
    vault: &Vault,
    ticket: &Ticket,
    key: &KeyRef,
    purpose: Option<Purpose>,
) -> Result<Authorized<OnKey<A>>, Problem> {
    let record = vault.engine.find_key(key).await?;
    let admitted = ticket.take()?;
    let asked = asked::<A>(record.as_deref(), purpose.as_ref());
    let decision = match record {
        Some(record) => vault.policies.authorize_on_key(admitted, record, purpose),
        None => Err(vault.policies.refuse_unknown_key(admitted)),
    };
    decided(vault, ticket, asked, decision).await
}

/// May the caller do `A` to a key that stands nowhere yet? The record is made for its unit.
pub(in crate::server) async fn on_wished_key<A: KeyAct>(
    vault: &Vault,
    ticket: &Ticket,
    wish: impl FnOnce(&str) -> Result<KeyRecord, Problem>,
) -> Result<Authorized<OnKey<A>>, Problem> {
    let admitted = ticket.take()?;
    let record = wish(admitted.caller().unit().name.as_str())?;
    let asked = asked::<A>(Some(&record), None);
    let record = Arc::new(record);
    let decision = vault.policies.authorize_on_key(admitted, record, None);
    decided(vault, ticket, asked, decision).await
}

/// May the caller do `A` to the key service?
pub(in crate::server) async fn on_keys<A: KeyAct>(
    vault: &Vault,
    ticket: &Ticket,
) -> Result<Authorized<OnKeys<A>>, Problem> {
    let decision = vault.policies.authorize_on_keys(ticket.take()?);
    decided(vault, ticket, asked::<A>(None, None), decision).await
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
    let asked = asked::<ReEncryptTo>(to.as_deref(), purpose.as_ref());
    let decision = match (from, to) {
        (Some(from), Some(to)) => vault.policies.authorize_move(admitted, from, to, purpose),
        _ => Err(vault.policies.refuse_unknown_key(admitted)),
    };
    decided(vault, ticket, asked, decision).await
}

fn asked<A: KeyAct>(key: Option<&KeyRecord>, purpose: Option<&Purpose>) -> Asked {
    Asked::new(A::OPERATION)
        .on_key(key.map(|record| record.id.clone()))
        .for_purpose(purpose)
}
