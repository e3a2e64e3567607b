//! The corridor's part for tokens that stand: from a domain and a purpose to a proof, or to a refusal that is
//! recorded.

use ledger::Outcome;

use super::keys::ActBy;
use super::{Ticket, denied, refusal};
use crate::engine::Refusal;
use crate::model::{ClassName, DomainName, Purpose};
use crate::policy::token_act::TokenAct;
use crate::policy::{Authorized, Denied, OnTokens, TokensScope};
use crate::server::Vault;
use crate::server::problem::Problem;

/// Where an act on tokens is done, and why.
pub(in crate::server) struct Scope {
    pub(in crate::server) domain: DomainName,
    pub(in crate::server) purpose: Purpose,
}

/// On tokens of which classes may the caller do `A`? On none is a refusal.
pub(in crate::server) async fn on_tokens<A: TokenAct>(
    vault: &Vault,
    ticket: &Ticket,
    scope: &Scope,
) -> Result<Authorized<OnTokens<A>>, Problem> {
    let admitted = ticket.take()?;
    let mut act = ActBy::new(A::OPERATION, &admitted);
    act.domain = Some(scope.domain.clone());
    act.purpose = Some(scope.purpose.clone());
    // A ticket serves once: nobody has written here before.
    let _ = ticket.act.set(act);
    let Scope { domain, purpose } = scope;
    let asked = TokensScope { domain, purpose };
    match vault.policies.authorize_on_tokens(admitted, asked) {
        Ok(proof) => Ok(proof),
        Err(refused) => {
            let purpose = Some(purpose);
            Err(denied(vault, ticket, &refused, domain, purpose, A::OPERATION).await?)
        }
    }
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
    Err(not_covered(vault, ticket, scope, &proof).await?)
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
    Err(not_covered(vault, ticket, scope, &proof).await?)
}

/// A class that is not there is refused as one that is not permitted: which there are is no caller's to probe.
async fn not_covered<A: TokenAct>(
    vault: &Vault,
    ticket: &Ticket,
    scope: &Scope,
    proof: &Authorized<OnTokens<A>>,
) -> Result<Problem, Problem> {
    let problem = Problem::from(Denied::NotPermitted);
    let caller = proof.admitted().caller();
    let refusal = Refusal {
        domain: Some(&scope.domain),
        purpose: Some(&scope.purpose),
        policy: Some(proof.policy()),
        outcome: Outcome::Denied,
        ..refusal(A::OPERATION, &problem, ticket.request(), caller)
    };
    vault.engine.refuse(refusal).await?;
    Ok(problem)
}
