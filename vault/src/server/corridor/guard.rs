//! The corridor's part for the guard: from names to a proof, or to a refusal that is recorded.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Ticket;
use super::act::{Asked, decided};
use crate::model::{ClassName, DomainName, GrantId, Purpose, UnitName};
use crate::policy::guard_act::GuardAct;
use crate::policy::{Authorized, Denied, OnClasses, OnGrant, OnUnit};
use crate::server::Vault;
use crate::server::problem::Problem;

/// May the caller do `A` to the unit of this name?
pub(in crate::server) async fn on_unit<A: GuardAct>(
    vault: &Vault,
    ticket: &Ticket,
    unit: &UnitName,
) -> Result<Authorized<OnUnit<A>>, Problem> {
    let admitted = ticket.take()?;
    let decision = match vault.identity.registry().unit(unit) {
        Some(unit) => vault.policies.authorize_on_unit(admitted, Arc::clone(unit)),
        // Who may not list units learns from no lock which there are.
        None => Err(vault
            .policies
            .refuse_unlisted(admitted, Denied::UnknownUnit)),
    };
    decided(vault, ticket, Asked::new(A::OPERATION), decision).await
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
    let decision =
        vault
            .policies
            .authorize_on_classes(admitted, domain.clone(), classes, purpose.cloned());
    let asked = Asked::new(A::OPERATION).in_domain(domain);
    decided(vault, ticket, asked.for_purpose(purpose), decision).await
}

/// May the caller do `A` to the grant of this id?
pub(in crate::server) async fn on_grant<A: GuardAct>(
    vault: &Vault,
    ticket: &Ticket,
    id: GrantId,
) -> Result<Authorized<OnGrant<A>>, Problem> {
    let grant = vault.engine.find_grant(id).await?;
    let admitted = ticket.take()?;
    let decision = match grant {
        Some(grant) => vault.policies.authorize_on_grant(admitted, Arc::new(grant)),
        None => Err(vault
            .policies
            .refuse_unknown(admitted, Denied::UnknownGrant)),
    };
    let asked = Asked::new(A::OPERATION).on_grant(id);
    decided(vault, ticket, asked, decision).await
}
