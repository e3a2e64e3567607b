//! The corridor's part for sealed answers and tickets: what fails for itself is an entry before it is an answer.

use ledger::Operation;

use super::Ticket;
use super::act::{ActBy, Asked, closed, decided, delivered};
use crate::engine::{DeliveryFault, IssuedTicket, Revelation, TicketWish};
use crate::model::{Delivery, DomainName, Purpose, TicketText, TokenText};
use crate::policy::{DetokenizeScope, TicketScope};
use crate::server::Vault;
use crate::server::problem::Problem;

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
    let asked = Asked::new(Operation::TicketIssue).in_domain(&domain);
    let asked = asked.for_purpose(Some(&purpose));
    let decision = vault.policies.authorize_ticket(ticket.take()?, scope);
    let proof = decided(vault, ticket, asked, decision).await?;
    // Only who may make tickets is told which names are units'.
    if !vault.identity.knows_unit(&wish.unit) {
        return closed(vault, ticket, Err(DeliveryFault::TicketUnit.into())).await;
    }
    let issuing = vault
        .engine
        .issue_ticket(proof, tokens, wish, ticket.request);
    delivered(vault, ticket, issuing.await).await
}

/// From a ticket's text to the views that the redeeming unit has a right to.
pub(in crate::server) async fn redeem(
    vault: &Vault,
    ticket: &Ticket,
    text: TicketText,
    delivery: Delivery,
) -> Result<Revelation, Problem> {
    let admitted = ticket.take()?;
    let asked = Asked::new(Operation::TicketRedeem);
    let finding = vault
        .engine
        .find_ticket(text, &admitted.caller().unit().name);
    let found = match finding.await {
        Ok(found) => found,
        Err(error) => {
            // Before policy was asked: what the ticket is for, it says itself.
            ticket.note(ActBy::new(asked, &admitted, vault.policies.digest()));
            return delivered(vault, ticket, Err(error)).await;
        }
    };
    let (domain, purpose) = (found.domain().clone(), found.purpose().clone());
    let scope = DetokenizeScope {
        domain: &domain,
        purpose: &purpose,
        delivery,
    };
    let asked = asked.in_domain(&domain).for_purpose(Some(&purpose));
    let decision = vault.policies.authorize_detokenize(admitted, scope);
    let proof = decided(vault, ticket, asked, decision).await?;
    let redeeming = vault.engine.redeem(proof, found, ticket.request).await;
    delivered(vault, ticket, redeeming).await
}
