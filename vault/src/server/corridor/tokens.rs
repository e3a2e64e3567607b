//! The corridor's part for tokens that stand: from a domain and a purpose to a proof, or to a refusal that is
//! recorded.

use ledger::Outcome;

use super::Ticket;
use super::act::{Asked, decided};
use crate::model::{ClassName, DomainName, Purpose};
use crate::policy::token_act::TokenAct;
use crate::policy::{Authorized, Denied, OnDetails, OnTokens, TokensScope};
use crate::server::Vault;
use crate::server::problem::Problem;

/// Where an act on tokens is done, and why.
pub(in crate::server) struct Scope {
    pub(in crate::server) domain: DomainName,
    pub(in crate::server) purpose: Purpose,
}

impl Scope {
    pub(in crate::server) fn new(domain: DomainName, purpose: Purpose) -> Self {
        Self { domain, purpose }
    }
}

/// On tokens of which classes may the caller do `A`? On none is a refusal.
pub(in crate::server) async fn on_tokens<A: TokenAct>(
    vault: &Vault,
    ticket: &Ticket,
    scope: &Scope,
) -> Result<Authorized<OnTokens<A>>, Problem> {
    let admitted = ticket.take()?;
    let Scope { domain, purpose } = scope;
    let scope = TokensScope { domain, purpose };
    let decision = vault.policies.authorize_on_tokens(admitted, scope);
    let asked = Asked::new(A::OPERATION).in_domain(domain);
    decided(vault, ticket, asked.for_purpose(Some(purpose)), decision).await
}

/// The same, for an act on one class: it must be among those that the proof covers.
pub(in crate::server) async fn on_class<A: TokenAct>(
    vault: &Vault,
    ticket: &Ticket,
    scope: &Scope,
    class: &ClassName,
) -> Result<Authorized<OnTokens<A>>, Problem> {
    let proof = on_tokens::<A>(vault, ticket, scope).await?;
    if proof.grant().covers(class) {
        return Ok(proof);
    }
    Err(not_covered())
}

/// The same, for an act on whatever classes there are: the proof must cover every class of the domain.
pub(in crate::server) async fn on_all<A: TokenAct>(
    vault: &Vault,
    ticket: &Ticket,
    scope: &Scope,
) -> Result<Authorized<OnTokens<A>>, Problem> {
    let proof = on_tokens::<A>(vault, ticket, scope).await?;
    if proof.grant().covers_all() {
        return Ok(proof);
    }
    Err(not_covered())
}

/// May the caller do `A` to reasons that were given in this domain's affairs, or in none's?
pub(in crate::server) async fn on_details<A: TokenAct>(
    vault: &Vault,
    ticket: &Ticket,
    (domain, purpose): (Option<&DomainName>, &Purpose),
) -> Result<Authorized<OnDetails<A>>, Problem> {
    let admitted = ticket.take()?;
    let policies = &vault.policies;
    let decision = policies.authorize_on_details(admitted, (domain, purpose));
    let asked = Asked::new(A::OPERATION).for_purpose(Some(purpose));
    let asked = match domain {
        Some(domain) => asked.in_domain(domain),
        None => asked,
    };
    decided(vault, ticket, asked, decision).await
}

/// A class that is not there is refused as one that is not permitted: which there are is no caller's to probe.
fn not_covered() -> Problem {
    Problem::from(Denied::NotPermitted).entered_as(Outcome::Denied)
}
