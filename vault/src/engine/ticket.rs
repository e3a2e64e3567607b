//! Tickets: what one unit may see, another named unit gets, once, on a channel of its own.
//!
//! Making one opens nothing. Redeeming one is a detokenize by the redeeming unit, under its own rights.

use std::sync::Arc;
use std::time::Duration;

use ledger::{ItemView, Operation};
use rand::rngs::SysRng;

use super::detokenize::{NO_CLASS, Opened, none_too_long};
use super::guard::Passage;
use super::{ATTEMPTS_MAX, DeliveryFault, Engine, EngineError, Revelation, caller_facts};
use crate::commit::{NotDurable, Record, Sequenced, Withheld};
use crate::model::{DomainName, Purpose, RequestId, TicketText, Timestamp, TokenText, UnitName};
use crate::policy::{Authorized, Detokenize, IssueTicket};
use crate::seal::ticket::{TicketTerms, close_tokens, open_tokens, ticket_hash};
use crate::store::{Change, SealedValue, TicketHash, TicketRow, TicketWrite};
use crate::token;

/// Most expired tickets of one step.
const EXPIRED_ROWS_MAX: u32 = 1_000;

/// What a ticket is asked for.
pub struct TicketWish {
    /// Who may redeem it.
    pub unit: UnitName,
    /// For how long.
    pub life: Duration,
}

/// A ticket, on its way to the unit that asked.
pub struct IssuedTicket {
    /// Its text.
    pub ticket: TicketText,
    /// First instant at which it counts no longer.
    pub expires: Timestamp,
    /// The entry that records it.
    pub entry: Sequenced,
}

/// A ticket that stands, with its text.
pub struct FoundTicket {
    text: TicketText,
    row: TicketRow,
}

impl FoundTicket {
    /// Namespace of its tokens.
    pub fn domain(&self) -> &DomainName {
        &self.row.domain
    }

    /// What its values are for.
    pub fn purpose(&self) -> &Purpose {
        &self.row.purpose
    }
}

impl Engine {
    /// Makes a ticket for these tokens. Nothing is looked up or opened: whether they stand shows at the redeeming.
    pub async fn issue_ticket(
        self: &Arc<Self>,
        proof: Authorized<IssueTicket>,
        tokens: Vec<TokenText>,
        wish: TicketWish,
        request: RequestId,
    ) -> Result<IssuedTicket, EngineError> {
        self.batch_size(tokens.len())?;
        none_too_long(&tokens)?;
        // A ticket is no way around the limit of what needs a grant.
        self.within_ungranted(tokens.len())?;
        let life_us = u64::try_from(wish.life.as_micros()).unwrap_or(u64::MAX);
        let terms = TicketTerms {
            unit: wish.unit,
            domain: proof.grant().domain().clone(),
            purpose: proof.grant().purpose().clone(),
            expires: Timestamp(self.clock.now().0.saturating_add(life_us)),
        };
        let (expires, engine) = (terms.expires, Arc::clone(self));
        let making = tokio::task::spawn_blocking(move || {
            let made = engine.made_ticket(&proof, terms, &tokens, request);
            made.map(|made| (made, proof))
        });
        let ((record, ticket), _proof) = making.await.map_err(|_| EngineError::Keys)??;
        let (ticket, entry) = self.committer.record(record, ticket).await?;
        Ok(IssuedTicket {
            ticket,
            expires,
            entry,
        })
    }

    fn made_ticket(
        &self,
        proof: &Authorized<IssueTicket>,
        terms: TicketTerms,
        tokens: &[TokenText],
        request: RequestId,
    ) -> Result<(Record, Withheld<TicketText>), EngineError> {
        let keys = self.domain_keys(&terms.domain)?;
        let item = |token: &TokenText| {
            (
                self.item(keys.fingerprint(token), NO_CLASS, ItemView::NotAvailable),
                1,
            )
        };
        let ticket = token::draw_ticket(&mut SysRng).map_err(|_| EngineError::Keys)?;
        let hash: TicketHash = ticket.column(|text| Ok::<_, EngineError>(ticket_hash(text)))?;
        let sealed: SealedValue =
            ticket.column(|text| close_tokens(&keys.values(), text, &terms, tokens))?;
        let mut facts = caller_facts(Operation::TicketIssue, proof, request);
        facts.domain = Some(terms.domain.to_string());
        facts.purpose = Some(terms.purpose.to_string());
        // The one place for a second unit's name.
        facts.reason = Some(format!("for {}", terms.unit));
        let change = Change {
            tickets: vec![TicketWrite::Add(terms.row(hash, sealed))],
            ..Change::none()
        };
        Ok((
            Record::batch(change, facts, tokens.iter().map(item))?,
            ticket,
        ))
    }

    /// The ticket of this text, if it stands and names the unit.
    pub async fn find_ticket(
        self: &Arc<Self>,
        text: TicketText,
        unit: &UnitName,
    ) -> Result<FoundTicket, EngineError> {
        let (engine, unit) = (Arc::clone(self), unit.clone());
        let finding = tokio::task::spawn_blocking(move || {
            if !token::is_ticket(text.expose()) {
                return Ok(None);
            }
            let (hash, now) = (ticket_hash(&text), engine.clock.now());
            let row = engine.reader.ticket(hash, &unit, now)?;
            Ok::<_, EngineError>(row.map(|row| FoundTicket { text, row }))
        });
        let found = finding.await.map_err(|_| EngineError::Keys)??;
        found.ok_or(DeliveryFault::TicketUnknown.into())
    }

    /// Gives the values that a ticket stands for, and uses it up with their entry. The proof is the redeeming unit's.
    pub async fn redeem(
        self: &Arc<Self>,
        proof: Authorized<Detokenize>,
        found: FoundTicket,
        request: RequestId,
    ) -> Result<Revelation, EngineError> {
        let (proof, found) = (Arc::new(proof), Arc::new(found));
        for _ in 0..ATTEMPTS_MAX {
            let (engine, held, ticket) = (Arc::clone(self), Arc::clone(&proof), Arc::clone(&found));
            let opening =
                tokio::task::spawn_blocking(move || engine.opened_ticket(&held, &ticket, request));
            let opened = opening.await.map_err(|_| EngineError::Keys)??;
            let (record, items, passed) = match opened {
                Ok(opened) => opened,
                Err(held) => {
                    let asked = (Operation::TicketRedeem, None);
                    return Err(self.held_back(&proof, held, asked, request).await);
                }
            };
            match self.record_shown(record, items, passed).await {
                Ok((items, entry)) => return Ok(Revelation { items, entry }),
                // Another took the ticket, which the next look shows, or changed a row of its tokens.
                Err(NotDurable::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(NotDurable::Conflict.into())
    }

    fn opened_ticket(
        &self,
        proof: &Authorized<Detokenize>,
        FoundTicket { text, row }: &FoundTicket,
        request: RequestId,
    ) -> Result<Opened, EngineError> {
        let (grant, unit) = (proof.grant(), &proof.admitted().caller().unit().name);
        let now = self.clock.now();
        let stands = self.reader.ticket(row.hash, unit, now)?.is_some();
        if !stands || grant.domain() != &row.domain || grant.purpose() != &row.purpose {
            return Err(DeliveryFault::TicketUnknown.into());
        }
        let keys = self.domain_keys(&row.domain)?.values();
        let tokens = open_tokens(&keys, text, row).map_err(|error| {
            tracing::error!(%error, "a ticket does not open: the database was altered");
            DeliveryFault::TicketUnknown
        })?;
        // What a ticket shows counts among the budgets of the unit that redeems it.
        let opened = self.delivered(proof, &tokens, &Passage::Budget, request)?;
        Ok(opened.map(|(record, items, passed)| {
            let taken = TicketWrite::Take(row.hash);
            let record = record.by_ticket(Operation::TicketRedeem, taken);
            (record, items, passed)
        }))
    }

    /// Lets expired tickets go, up to 1,000 of them; whether there were any. They are an entry together: an
    /// auditor sees that some were never redeemed.
    pub async fn expire_tickets(self: &Arc<Self>) -> Result<bool, EngineError> {
        let (engine, now) = (Arc::clone(self), self.clock.now());
        let looking = tokio::task::spawn_blocking(move || engine.reader.has_expired_ticket(now));
        if !looking.await.map_err(|_| EngineError::Keys)?? {
            return Ok(false);
        }
        let mut facts = ledger::Facts::new(Operation::TicketRedeem, ledger::Outcome::Error);
        facts.reason = Some("ticket-expired".to_owned());
        let change = Change {
            tickets: vec![TicketWrite::Expire(now, EXPIRED_ROWS_MAX)],
            ..Change::none()
        };
        let record = Record::single(change, facts);
        self.committer.record(record, Withheld::nothing()).await?;
        Ok(true)
    }
}
