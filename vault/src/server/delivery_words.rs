//! How values are asked to leave, in the words that both faces read.

use std::time::Duration;

use super::problem::Problem;
use crate::engine::{DeliveryFault, TicketWish};
use crate::model::{Delivery, UnitName};

/// What is asked for in place of, or as, an answer.
pub(super) enum DeliveryWish {
    /// Values.
    Shown(Delivery),
    /// A ticket for another unit.
    Ticket(TicketWish),
}

/// What a request says of its delivery. Empty and `None` are what was not said.
pub(super) struct Said<'a> {
    pub(super) delivery: &'a str,
    pub(super) ticket_for: &'a str,
    pub(super) ticket_ttl_seconds: Option<u64>,
}

impl Said<'_> {
    /// Its meaning, or a clear word of what is wrong with it.
    pub(super) fn wish(&self, ticket_life_max: Duration) -> Result<DeliveryWish, Problem> {
        let of_ticket = !self.ticket_for.is_empty() || self.ticket_ttl_seconds.is_some();
        match (self.delivery, of_ticket) {
            ("ticket", _) => Ok(DeliveryWish::Ticket(self.ticket(ticket_life_max)?)),
            (_, true) => Err(Problem::unfit(
                "delivery-unknown",
                "`ticket_for` and `ticket_ttl_seconds` go with `delivery` ticket only",
            )),
            ("", false) => Ok(DeliveryWish::Shown(Delivery::Inline)),
            (word, false) => Delivery::parse(word)
                .map(DeliveryWish::Shown)
                .ok_or_else(|| {
                    Problem::unfit(
                        "delivery-unknown",
                        "`delivery` is one of inline, sealed and ticket",
                    )
                }),
        }
    }

    fn ticket(&self, life_max: Duration) -> Result<TicketWish, Problem> {
        if self.ticket_for.is_empty() {
            let detail = "name in `ticket_for` the unit that shall redeem the ticket";
            return Err(Problem::unfit("ticket-for-missing", detail));
        }
        let seconds_max = life_max.as_secs();
        let seconds = self.ticket_ttl_seconds.unwrap_or(seconds_max);
        if !(1..=seconds_max).contains(&seconds) {
            return Err(Problem::from(DeliveryFault::TicketSeconds { seconds_max }));
        }
        Ok(TicketWish {
            unit: UnitName::parse(self.ticket_for)?,
            life: Duration::from_secs(seconds),
        })
    }
}

/// How a redeemed ticket's values leave.
pub(super) fn redeemed(word: &str) -> Result<Delivery, Problem> {
    if word.is_empty() {
        return Ok(Delivery::Inline);
    }
    Delivery::parse(word).ok_or_else(|| {
        Problem::unfit(
            "delivery-unknown",
            "`delivery` of a redeemed ticket is one of inline and sealed",
        )
    })
}
