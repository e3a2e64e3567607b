//! Tokens that stand over gRPC: from a message to an act, and from its outcome to a message.

use std::sync::Arc;

use api::v1::tokens_server::Tokens as Contract;
use api::v1::{
    DescribeTokensResponse, DescribedToken, DetailRequest, EraseDetailResponse, EraseTokensRequest,
    EraseTokensResponse, HoldRequest, ItemError, ListHoldsRequest, ListHoldsResponse,
    MoveTokensRequest, PurgeTokensRequest, PurgeTokensResponse, ReadDetailResponse,
    ReindexTokensRequest, ReindexTokensResponse, ReplaceTokensRequest, ReplaceTokensResponse,
    ReplacedToken, SearchRequest, SearchResponse, TokenDescription, TokenDone, TokensRequest,
    TokensResponse,
};
use tonic::{Request, Response, Status};

use super::ticket;
use super::token_detail::{erase_detail, read_detail};
use super::token_erase::erase_tokens;
use super::token_find::{lift_hold, list_holds, place_hold, purge_tokens, reindex_tokens, search};
use crate::engine::token::{Acted, Description, Replacement, TokenFault};
use crate::model::{ClassName, DomainName, IdempotencyKey, Once, TokenText};
use crate::policy::token_act;
use crate::server::corridor::tokens::{Scope, on_class, on_tokens};
use crate::server::corridor::{self, Ticket};
use crate::server::problem::Problem;
use crate::server::token_words::pseudonym;
use crate::server::{Vault, rest};

/// The contract's service of tokens that stand.
pub(in crate::server) struct GrpcTokens {
    vault: Arc<Vault>,
}

impl GrpcTokens {
    pub(in crate::server) fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }
}

/// One call about tokens.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) vault: &'a Vault,
    pub(super) ticket: &'a Ticket,
}

pub(super) type Answer<T> = Result<T, Problem>;

/// Each call of the contract, and the function that answers it. What failed by itself is an entry first.
macro_rules! contract {
    ($($call:ident($request:ident) -> $response:ident;)+) => {
        #[tonic::async_trait]
        impl Contract for GrpcTokens {
            $(async fn $call(
                &self,
                request: Request<$request>,
            ) -> Result<Response<$response>, Status> {
                let ticket = ticket(&request)?;
                let call = Call { vault: &self.vault, ticket: &ticket };
                let answer = $call(call, request.into_inner()).await;
                let closed = corridor::closed(call.vault, call.ticket, answer).await;
                closed.map(Response::new).map_err(|problem| problem.status())
            })+
        }
    };
}

contract! {
    describe_tokens(TokensRequest) -> DescribeTokensResponse;
    disable_tokens(TokensRequest) -> TokensResponse;
    enable_tokens(TokensRequest) -> TokensResponse;
    replace_tokens(ReplaceTokensRequest) -> ReplaceTokensResponse;
    move_tokens(MoveTokensRequest) -> TokensResponse;
    purge_tokens(PurgeTokensRequest) -> PurgeTokensResponse;
    erase_tokens(EraseTokensRequest) -> EraseTokensResponse;
    place_hold(HoldRequest) -> TokensResponse;
    lift_hold(HoldRequest) -> TokensResponse;
    list_holds(ListHoldsRequest) -> ListHoldsResponse;
    search(SearchRequest) -> SearchResponse;
    reindex_tokens(ReindexTokensRequest) -> ReindexTokensResponse;
    read_detail(DetailRequest) -> ReadDetailResponse;
    erase_detail(DetailRequest) -> EraseDetailResponse;
}

pub(super) fn scope(domain: &str, purpose: &str) -> Answer<Scope> {
    let (domain, purpose) = (DomainName::parse(domain)?, rest::purpose(purpose)?);
    Ok(Scope::new(domain, purpose))
}

fn tokens(texts: Vec<String>) -> Vec<TokenText> {
    texts.into_iter().map(TokenText::new).collect()
}

pub(super) fn failed(fault: TokenFault) -> ItemError {
    ItemError {
        code: fault.code().to_owned(),
        detail: fault.to_string(),
    }
}

async fn describe_tokens(call: Call<'_>, message: TokensRequest) -> Answer<DescribeTokensResponse> {
    call.ticket.because(message.reason)?;
    let scope = scope(&message.domain, &message.purpose)?;
    let proof = on_tokens::<token_act::Describe>(call.vault, call.ticket, &scope).await?;
    let (engine, request) = (&call.vault.engine, call.ticket.request());
    let described = engine.describe_tokens(proof, tokens(message.tokens), request);
    let described = described.await?;
    let item = |item: Result<Description, TokenFault>| match item {
        Ok(token) => DescribedToken {
            error: None,
            token: Some(description(&token)),
        },
        Err(fault) => DescribedToken {
            error: Some(failed(fault)),
            token: None,
        },
    };
    Ok(DescribeTokensResponse {
        items: described.items.into_iter().map(item).collect(),
        entry: described.entry.seq(),
    })
}

fn description(token: &Description) -> TokenDescription {
    TokenDescription {
        class: token.class.to_string(),
        format: token.format.to_owned(),
        created_at_us: token.created.0,
        expires_at_us: token.life.expires.map(|expires| expires.0),
        uses_left: token.life.uses_left,
        disabled: token.life.disabled,
        serves: token.serves,
        held: token.held,
        has_subjects: token.has_subjects,
        repeatable: token.repeatable,
        bound: token.bound,
        searchable: token.searchable,
        key_version: token.key_version,
        pseudonyms: token.pseudonyms.iter().map(pseudonym).collect(),
    }
}

pub(super) fn done(acted: Acted<()>) -> TokensResponse {
    let item = |item: Result<(), TokenFault>| TokenDone {
        error: item.err().map(failed),
    };
    TokensResponse {
        items: acted.items.into_iter().map(item).collect(),
        entry: acted.entry.seq(),
    }
}

async fn disable_tokens(call: Call<'_>, message: TokensRequest) -> Answer<TokensResponse> {
    call.ticket.because(message.reason)?;
    let scope = scope(&message.domain, &message.purpose)?;
    let proof = on_tokens::<token_act::Disable>(call.vault, call.ticket, &scope).await?;
    let (engine, request) = (&call.vault.engine, call.ticket.request());
    let disabled = engine.disable_tokens(proof, tokens(message.tokens), request);
    Ok(done(disabled.await?))
}

async fn enable_tokens(call: Call<'_>, message: TokensRequest) -> Answer<TokensResponse> {
    call.ticket.because(message.reason)?;
    let scope = scope(&message.domain, &message.purpose)?;
    let proof = on_tokens::<token_act::Enable>(call.vault, call.ticket, &scope).await?;
    let (engine, request) = (&call.vault.engine, call.ticket.request());
    let enabled = engine.enable_tokens(proof, tokens(message.tokens), request);
    Ok(done(enabled.await?))
}

async fn replace_tokens(
    call: Call<'_>,
    message: ReplaceTokensRequest,
) -> Answer<ReplaceTokensResponse> {
    let Call { vault, ticket } = call;
    ticket.because(message.reason)?;
    let scope = scope(&message.domain, &message.purpose)?;
    let once = match message.idempotency_key.as_str() {
        "" => None,
        key => Some(Once {
            key: IdempotencyKey::parse(key)?,
            keep: vault.limits.idempotency,
        }),
    };
    let to_class = message
        .to_class
        .as_deref()
        .map(ClassName::parse)
        .transpose()?;
    let proof = match &to_class {
        Some(class) => on_class::<token_act::Replace>(vault, ticket, &scope, class).await?,
        None => on_tokens::<token_act::Replace>(vault, ticket, &scope).await?,
    };
    let wish = Replacement {
        to_class,
        ttl_seconds: message.ttl_seconds,
        uses: message.uses,
    };
    let old = tokens(message.tokens);
    let wish = (wish, once);
    let replaced = vault
        .engine
        .replace_tokens(proof, old, wish, ticket.request());
    let replaced = replaced.await?;
    let item = |item: Result<TokenText, TokenFault>| match item {
        Ok(token) => ReplacedToken {
            error: None,
            token: token.expose().to_owned(),
        },
        Err(fault) => ReplacedToken {
            error: Some(failed(fault)),
            token: String::new(),
        },
    };
    Ok(ReplaceTokensResponse {
        entry: replaced.seq(),
        items: replaced.items.into_iter().map(item).collect(),
    })
}

async fn move_tokens(call: Call<'_>, message: MoveTokensRequest) -> Answer<TokensResponse> {
    call.ticket.because(message.reason)?;
    let scope = scope(&message.domain, &message.purpose)?;
    let class = ClassName::parse(&message.to_class)?;
    let proof = on_class::<token_act::Move>(call.vault, call.ticket, &scope, &class).await?;
    let (engine, request) = (&call.vault.engine, call.ticket.request());
    let moved = engine.move_tokens(proof, tokens(message.tokens), class, request);
    Ok(done(moved.await?))
}
