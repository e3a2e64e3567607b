//! The corridor's part for sealed answers and tickets: what fails for itself is an entry before it is an answer.

use ledger::{Operation, Outcome};

use super::{Ticket, denied};
use crate::engine::{DeliveryFault, EngineError, IssuedTicket, Refusal, Revelation, TicketWish};
use crate::identity::Caller;
use crate::model::{Delivery, DomainName, GatewayName, Purpose, TicketText, TokenText, UnitName};
use crate::policy::{DetokenizeScope, TicketScope};
use crate::server::Vault;
use crate::server::problem::Problem;

/// Whom a request was by, and what it was for as far as that is known.
pub(super) struct Asked {
    operation: Operation,
    unit: UnitName,
    gateway: Option<GatewayName>,
    scope: Option<(DomainName, Purpose)>,
}

impl Asked {
    pub(super) fn by(caller: &Caller, operation: Operation) -> Self {
        Self {
            operation,
            unit: caller.unit().name.clone(),
            gateway: caller.gateway().map(|gateway| gateway.name.clone()),
            scope: None,
        }
    }

    pub(super) fn of(self, domain: &DomainName, purpose: &Purpose) -> Self {
        Self {
            scope: Some((domain.clone(), purpose.clone())),
            ..self
        }
    }
}

/// An act that was permitted ends. Where its delivery failed, the ledger says so first.
pub(super) async fn delivered<T>(
    vault: &Vault,
    ticket: &Ticket,
    asked: &Asked,
    result: Result<T, EngineError>,
) -> Result<T, Problem> {
    match result {
        Err(EngineError::Delivery(fault)) => Err(recorded(vault, ticket, asked, fault).await?),
        result => Ok(result?),
    }
}

async fn recorded(
    vault: &Vault,
    ticket: &Ticket,
    asked: &Asked,
    fault: DeliveryFault,
) -> Result<Problem, Problem> {
    let problem = Problem::from(fault);
    let refusal = Refusal {
        operation: asked.operation,
        reason: problem.code,
        request: ticket.request,
        unit: Some(&asked.unit),
        gateway: asked.gateway.as_ref(),
        domain: asked.scope.as_ref().map(|(domain, _)| domain),
        purpose: asked.scope.as_ref().map(|(_, purpose)| purpose),
        policy: Some(vault.policies.digest()),
        key: None,
        outcome: match fault {
            DeliveryFault::TicketUnknown => Outcome::Denied,
            DeliveryFault::KeyMissing
            | DeliveryFault::TicketUnit
            | DeliveryFault::TicketSeconds { .. } => Outcome::Error,
        },
    };
    vault.engine.refuse(refusal).await?;
    Ok(problem)
}

/// From decoded tokens to a ticket for another unit.
pub(in crate::server) async fn issue_ticket(
    vault: &Vault,
    ticket: &Ticket,
    (domain, purpose): (DomainName, Purpose),
    tokens: Vec<TokenText>,
    wish: TicketWish,
) -> Result<IssuedTicket, Problem> {
    let scope = TicketScope {
        domain: &domain,
        purpose: &purpose,
    };
    let operation = Operation::TicketIssue;
    let proof = match vault.policies.authorize_ticket(ticket.take()?, scope) {
        Ok(proof) => proof,
        Err(refused) => {
            let denied = denied(vault, ticket, &refused, &domain, Some(&purpose), operation);
            return Err(denied.await?);
        }
    };
    // Only who may make tickets is told which names are units'.
    if !vault.identity.knows_unit(&wish.unit) {
        let asked = Asked::by(proof.admitted().caller(), operation).of(&domain, &purpose);
        return Err(recorded(vault, ticket, &asked, DeliveryFault::TicketUnit).await?);
    }
    let issuing = vault
        .engine
        .issue_ticket(proof, tokens, wish, ticket.request);
    Ok(issuing.await?)
}

/// From a ticket's text to the views that the redeeming unit has a right to.
pub(in crate::server) async fn redeem(
    vault: &Vault,
    ticket: &Ticket,
    text: TicketText,
    delivery: Delivery,
) -> Result<Revelation, Problem> {
    let admitted = ticket.take()?;
    let operation = Operation::TicketRedeem;
    let asked = Asked::by(admitted.caller(), operation);
    let finding = vault.engine.find_ticket(text, &asked.unit).await;
    let found = delivered(vault, ticket, &asked, finding).await?;
    let (domain, purpose) = (found.domain().clone(), found.purpose().clone());
    let scope = DetokenizeScope {
        domain: &domain,
        purpose: &purpose,
        delivery,
    };
    let proof = match vault.policies.authorize_detokenize(admitted, scope) {
        Ok(proof) => proof,
        Err(refused) => {
            let denied = denied(vault, ticket, &refused, &domain, Some(&purpose), operation);
            return Err(denied.await?);
        }
    };
    let asked = asked.of(&domain, &purpose);
    let redeeming = vault.engine.redeem(proof, found, ticket.request).await;
    delivered(vault, ticket, &asked, redeeming).await
}
