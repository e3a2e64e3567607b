//! `POST /v1/detokenize` and `POST /v1/redeem`: values, sealed values, or a ticket for another unit.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::keys::instant;
use super::{answer, decode, named_grant, purpose};
use crate::engine::{Revealed, Revelation};
use crate::model::{Delivery, DomainName, TicketText, TokenText};
use crate::server::Vault;
use crate::server::corridor::{self, Ticket};
use crate::server::delivery_words::{self, DeliveryWish, Said};
use crate::server::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DetokenizeBody {
    domain: String,
    #[serde(default)]
    purpose: String,
    tokens: Vec<String>,
    #[serde(default)]
    delivery: String,
    #[serde(default)]
    ticket_for: String,
    ticket_ttl_seconds: Option<u64>,
    #[serde(default)]
    grant: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedeemBody {
    ticket: String,
    #[serde(default)]
    delivery: String,
}

#[derive(Serialize)]
struct ItemsBody<'a> {
    items: Vec<RevealedBody<'a>>,
    /// Said where it is not the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'static str>,
    entry: u64,
}

#[derive(Serialize)]
struct TicketBody<'a> {
    ticket: &'a str,
    expires_at: String,
    delivery: &'static str,
    entry: u64,
}

#[derive(Serialize)]
struct RevealedBody<'a> {
    view: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

/// `POST /v1/detokenize`
pub(in crate::server) async fn detokenize(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    request: Request,
) -> Response {
    answer(
        ticket.request(),
        detokenized(&vault, &ticket, request).await,
    )
}

async fn detokenized(
    vault: &Vault,
    ticket: &Ticket,
    request: Request,
) -> Result<Response, Problem> {
    let body: DetokenizeBody = decode(request, vault.limits.body_bytes_max).await?;
    let scope = (DomainName::parse(&body.domain)?, purpose(&body.purpose)?);
    let said = Said {
        delivery: &body.delivery,
        ticket_for: &body.ticket_for,
        ticket_ttl_seconds: body.ticket_ttl_seconds,
    };
    let wish = said.wish(vault.limits.ticket_life_max)?;
    let grant = named_grant(&body.grant)?;
    let tokens = body.tokens.into_iter().map(TokenText::new).collect();
    match wish {
        DeliveryWish::Shown(delivery) => {
            let way = (delivery, grant);
            let revelation = corridor::detokenize(vault, ticket, scope, tokens, way).await?;
            Ok(shown(&revelation, delivery))
        }
        DeliveryWish::Ticket(_) if grant.is_some() => Err(Problem::grant_with_ticket()),
        DeliveryWish::Ticket(wish) => {
            let issued = corridor::issue_ticket(vault, ticket, scope, tokens, wish).await?;
            Ok(Json(TicketBody {
                ticket: issued.ticket.expose(),
                expires_at: instant(issued.expires),
                delivery: "ticket",
                entry: issued.entry.seq(),
            })
            .into_response())
        }
    }
}

/// `POST /v1/redeem`
pub(in crate::server) async fn redeem(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    request: Request,
) -> Response {
    answer(ticket.request(), redeemed(&vault, &ticket, request).await)
}

async fn redeemed(vault: &Vault, ticket: &Ticket, request: Request) -> Result<Response, Problem> {
    let body: RedeemBody = decode(request, vault.limits.body_bytes_max).await?;
    let text = TicketText::new(body.ticket);
    let delivery = delivery_words::redeemed(&body.delivery)?;
    let revelation = corridor::redeem(vault, ticket, text, delivery).await?;
    Ok(shown(&revelation, delivery))
}

fn shown(revelation: &Revelation, delivery: Delivery) -> Response {
    let delivery = match delivery {
        Delivery::Inline => None,
        Delivery::Sealed => Some(delivery.as_str()),
    };
    Json(ItemsBody {
        items: revelation.items.iter().map(revealed).collect(),
        delivery,
        entry: revelation.entry.seq(),
    })
    .into_response()
}

fn revealed(item: &Revealed) -> RevealedBody<'_> {
    match item {
        Revealed::Shown(shown) => RevealedBody {
            view: shown.view.as_str(),
            class: Some(shown.class.as_str()),
            value: Some(shown.value.expose()),
        },
        Revealed::NotAvailable => RevealedBody {
            view: "not-available",
            class: None,
            value: None,
        },
    }
}
