//! The corridor's part for the guard: from names to a proof, or to a refusal that is recorded.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Ticket, refusal};
use crate::engine::Refusal;
use crate::model::{ClassName, DomainName, GrantId, Purpose, UnitName};
use crate::policy::guard_act::GuardAct;
use crate::policy::{Authorized, Denied, OnClasses, OnGrant, OnUnit, Refused};
use crate::server::Vault;
use crate::server::problem::Problem;

/// May the caller do `A` to the unit of this name?
pub(in crate::server) async fn on_unit<A: GuardAct>(
    vault: &Vault,
    ticket: &Ticket,
    unit: &UnitName,
) -> Result<Authorized<OnUnit<A>>, Problem> {
    let admitted = ticket.take()?;
    let decided = match vault.identity.registry().unit(unit) {
        Some(unit) => vault.policies.authorize_on_unit(admitted, Arc::clone(unit)),
        None => Err(vault.policies.refuse_unknown(admitted, Denied::UnknownUnit)),
    };
    proven::<A, _>(vault, ticket, decided, (None, None)).await
}

/// May the caller do `A` to these classes of a domain?
pub(in crate::server) async fn on_classes<A: GuardAct>(
    vault: &Vault,
    ticket: &Ticket,
    domain: &DomainName,
    classes: BTreeSet<ClassName>,
    purpose: Option<&Purpose>,
) -> Result<Authorized<OnClasses<A>>, Problem> {
    let admitted = ticket.take()?;
    let decided =
        vault
            .policies
            .authorize_on_classes(admitted, domain.clone(), classes, purpose.cloned());
    proven::<A, _>(vault, ticket, decided, (Some(domain), purpose)).await
}

/// May the caller do `A` to the grant of this id?
pub(in crate::server) async fn on_grant<A: GuardAct>(
    vault: &Vault,
    ticket: &Ticket,
    id: GrantId,
) -> Result<Authorized<OnGrant<A>>, Problem> {
    let grant = vault.engine.find_grant(id).await?;
    let admitted = ticket.take()?;
    let decided = match grant {
        Some(grant) => vault.policies.authorize_on_grant(admitted, Arc::new(grant)),
        None => Err(vault
            .policies
            .refuse_unknown(admitted, Denied::UnknownGrant)),
    };
    proven::<A, _>(vault, ticket, decided, (None, None)).await
}

async fn proven<A: GuardAct, P>(
    vault: &Vault,
    ticket: &Ticket,
    decided: Result<P, Box<Refused>>,
    (domain, purpose): (Option<&DomainName>, Option<&Purpose>),
) -> Result<P, Problem> {
    let refused = match decided {
        Ok(proof) => return Ok(proof),
        Err(refused) => refused,
    };
    let problem = Problem::from(refused.denial);
    let refusal = Refusal {
        domain,
        purpose,
        policy: Some(refused.policy),
        ..refusal(
            A::OPERATION,
            &problem,
            ticket.request,
            refused.admitted.caller(),
        )
    };
    vault.engine.refuse(refusal).await?;
    Err(problem)
}
