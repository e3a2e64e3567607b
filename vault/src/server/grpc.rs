//! The gRPC face: the `api` crate's contract over the same corridor.

mod contract;
mod guard;
mod key_jwe;
mod key_life;
mod key_use;
mod keys;
mod policy;
mod token_detail;
mod token_erase;
mod token_find;
mod tokens;
mod units;

use std::sync::Arc;

use api::v1::vault_server::Vault as Contract;
use api::v1::{
    Delivery as DeliveryMessage, DetokenizeRequest, DetokenizeResponse, ReceiptRequest,
    ReceiptResponse, RedeemRequest, Revealed as RevealedMessage, TokenizeRequest, TokenizeResponse,
    View as ViewMessage,
};
use tonic::{Request, Response, Status};

use super::corridor::{self, Ticket};
use super::delivery_words::{self, DeliveryWish, Said};
use super::problem::Problem;
use super::{Vault, rest};
use crate::engine::{Revealed, Revelation, TokenizeItem, Wish};
use crate::model::{
    ClassName, Delivery, DomainName, IdempotencyKey, Once, Plaintext, Subject, TicketText,
    TokenText, View,
};

pub(super) use guard::GrpcGuard;
pub(super) use keys::GrpcKeys;
pub(super) use policy::GrpcPolicy;
pub(super) use tokens::GrpcTokens;
pub(super) use units::GrpcUnits;

/// The contract's service of tokens.
pub(super) struct Grpc {
    vault: Arc<Vault>,
}

impl Grpc {
    pub(super) fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }

    async fn tokenized(
        &self,
        ticket: &Ticket,
        message: TokenizeRequest,
    ) -> Result<TokenizeResponse, Problem> {
        let domain = DomainName::parse(&message.domain)?;
        let once = match message.idempotency_key.as_str() {
            "" => None,
            key => Some(Once::needed_for(
                IdempotencyKey::parse(key)?,
                message.idempotency_seconds,
                self.vault.limits.idempotency,
            )),
        };
        let item = |item: api::v1::TokenizeItem| {
            let value = Plaintext::new(item.value);
            let subject = item.subject.map(Subject::parse).transpose();
            Ok(TokenizeItem {
                class: ClassName::parse(&item.class)?,
                value,
                wish: Wish {
                    subject: subject?,
                    ttl_seconds: item.ttl_seconds,
                    uses: item.uses,
                },
            })
        };
        let items = message
            .items
            .into_iter()
            .map(item)
            .collect::<Result<_, Problem>>()?;
        let issued = corridor::tokenize(&self.vault, ticket, domain, items, once).await?;
        let tokens = issued
            .tokens
            .iter()
            .map(|token| token.expose().to_owned())
            .collect();
        Ok(TokenizeResponse {
            tokens,
            entry: issued.seq(),
        })
    }

    async fn detokenized(
        &self,
        ticket: &Ticket,
        message: DetokenizeRequest,
    ) -> Result<DetokenizeResponse, Problem> {
        let domain = DomainName::parse(&message.domain)?;
        let purpose = rest::purpose(&message.purpose)?;
        let said = Said {
            delivery: delivery_word(message.delivery),
            ticket_for: &message.ticket_for,
            ticket_ttl_seconds: message.ticket_ttl_seconds,
        };
        let wish = said.wish(self.vault.limits.ticket_life_max)?;
        let grant = rest::named_grant(&message.grant)?;
        let scope = (domain, purpose);
        let tokens = message.tokens.into_iter().map(TokenText::new).collect();
        match wish {
            DeliveryWish::Shown(delivery) => {
                let way = (delivery, grant);
                let revelation =
                    corridor::detokenize(&self.vault, ticket, scope, tokens, way).await?;
                Ok(shown(&revelation, delivery))
            }
            DeliveryWish::Ticket(_) if grant.is_some() => Err(Problem::grant_with_ticket()),
            DeliveryWish::Ticket(wish) => {
                let issued =
                    corridor::issue_ticket(&self.vault, ticket, scope, tokens, wish).await?;
                Ok(DetokenizeResponse {
                    entry: issued.entry.seq(),
                    delivery: DeliveryMessage::Ticket.into(),
                    ticket: issued.ticket.expose().to_owned(),
                    ticket_expires_at_us: issued.expires.0,
                    ..DetokenizeResponse::default()
                })
            }
        }
    }

    async fn redeemed(
        &self,
        ticket: &Ticket,
        message: RedeemRequest,
    ) -> Result<DetokenizeResponse, Problem> {
        let delivery = delivery_words::redeemed(delivery_word(message.delivery))?;
        let text = TicketText::new(message.ticket);
        let revelation = corridor::redeem(&self.vault, ticket, text, delivery).await?;
        Ok(shown(&revelation, delivery))
    }
}

fn shown(revelation: &Revelation, delivery: Delivery) -> DetokenizeResponse {
    let delivery = match delivery {
        Delivery::Inline => DeliveryMessage::Inline,
        Delivery::Sealed => DeliveryMessage::Sealed,
    };
    DetokenizeResponse {
        items: revelation.items.iter().map(revealed).collect(),
        entry: revelation.entry.seq(),
        delivery: delivery.into(),
        ..DetokenizeResponse::default()
    }
}

/// The word of the REST face; of numbers that the contract does not know, one that nobody knows.
fn delivery_word(number: i32) -> &'static str {
    match DeliveryMessage::try_from(number) {
        Ok(DeliveryMessage::Unspecified) => "",
        Ok(DeliveryMessage::Inline) => "inline",
        Ok(DeliveryMessage::Sealed) => "sealed",
        Ok(DeliveryMessage::Ticket) => "ticket",
        Err(_) => "unknown",
    }
}

#[tonic::async_trait]
impl Contract for Grpc {
    async fn tokenize(
        &self,
        request: Request<TokenizeRequest>,
    ) -> Result<Response<TokenizeResponse>, Status> {
        let ticket = ticket(&request)?;
        let answer = self.tokenized(&ticket, request.into_inner()).await;
        answer
            .map(Response::new)
            .map_err(|problem| problem.status())
    }

    async fn detokenize(
        &self,
        request: Request<DetokenizeRequest>,
    ) -> Result<Response<DetokenizeResponse>, Status> {
        let ticket = ticket(&request)?;
        let answer = self.detokenized(&ticket, request.into_inner()).await;
        answer
            .map(Response::new)
            .map_err(|problem| problem.status())
    }

    async fn redeem(
        &self,
        request: Request<RedeemRequest>,
    ) -> Result<Response<DetokenizeResponse>, Status> {
        let ticket = ticket(&request)?;
        let answer = self.redeemed(&ticket, request.into_inner()).await;
        answer
            .map(Response::new)
            .map_err(|problem| problem.status())
    }

    async fn receipt(
        &self,
        request: Request<ReceiptRequest>,
    ) -> Result<Response<ReceiptResponse>, Status> {
        let ticket = ticket(&request)?;
        let entry = request.into_inner().entry;
        let text = corridor::receipt(&self.vault, &ticket, entry).await;
        text.map(|text| Response::new(ReceiptResponse { text }))
            .map_err(|problem| problem.status())
    }
}

fn ticket<T>(request: &Request<T>) -> Result<Ticket, Status> {
    let ticket = request.extensions().get::<Ticket>();
    ticket.cloned().ok_or_else(|| Problem::no_ticket().status())
}

fn revealed(item: &Revealed) -> RevealedMessage {
    let Revealed::Shown(shown) = item else {
        let view = ViewMessage::NotAvailable.into();
        return RevealedMessage {
            view,
            value: String::new(),
            class: String::new(),
        };
    };
    let view = match shown.view {
        View::Plain => ViewMessage::Plain,
        View::Masked => ViewMessage::Masked,
        View::Token => ViewMessage::Token,
    };
    RevealedMessage {
        view: view.into(),
        value: shown.value.expose().to_owned(),
        class: shown.class.to_string(),
    }
}
