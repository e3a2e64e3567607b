//! REST: acts on tokens that stand. `POST /v1/tokens/{act}`.

use std::sync::Arc;

use axum::extract::{Extension, Path, Request, State};
use axum::response::Response;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::keys::instant;
use super::{answer, decode, detail, erase, idempotency_key, purpose, to_json, token_find};
use crate::engine::token::{Acted, Description, Replacement, TokenFault};
use crate::model::{ClassName, DomainName, Once, TokenText};
use crate::policy::token_act;
use crate::server::Vault;
use crate::server::corridor::tokens::{Scope, on_class, on_tokens};
use crate::server::corridor::{self, Ticket};
use crate::server::problem::Problem;
use crate::server::token_words::pseudonym;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensBody {
    domain: String,
    #[serde(default)]
    purpose: String,
    tokens: Vec<String>,
    reason: Option<String>,
}

impl TokensBody {
    fn read(self, ticket: &Ticket) -> Result<(Scope, Vec<TokenText>), Problem> {
        ticket.because(self.reason)?;
        let tokens = self.tokens.into_iter().map(TokenText::new).collect();
        Ok((scope(&self.domain, &self.purpose)?, tokens))
    }
}

pub(super) fn scope(domain: &str, why: &str) -> Result<Scope, Problem> {
    Ok(Scope::new(DomainName::parse(domain)?, purpose(why)?))
}

/// One request about tokens.
pub(super) struct Call<'a> {
    pub(super) vault: &'a Vault,
    pub(super) ticket: &'a Ticket,
    request: Request,
}

impl<'a> Call<'a> {
    /// The body, and what remains.
    pub(super) async fn read<T: DeserializeOwned>(
        self,
    ) -> Result<(&'a Vault, &'a Ticket, T), Problem> {
        let body = decode(self.request, self.vault.limits.body_bytes_max).await?;
        Ok((self.vault, self.ticket, body))
    }
}

#[derive(Serialize)]
struct Items<T> {
    items: Vec<Answer<T>>,
    entry: u64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer<T> {
    Done(T),
    Refused { error: Refused },
}

#[derive(Serialize)]
struct Refused {
    code: &'static str,
    detail: String,
}

pub(super) fn items<T, B: Serialize>(
    acted: Acted<T>,
    body: impl Fn(T) -> B,
) -> Result<Response, Problem> {
    let one = |item: Result<T, TokenFault>| match item {
        Ok(item) => Answer::Done(body(item)),
        Err(fault) => Answer::Refused {
            error: Refused {
                code: fault.code(),
                detail: fault.to_string(),
            },
        },
    };
    to_json(&Items {
        entry: acted.seq(),
        items: acted.items.into_iter().map(one).collect(),
    })
}

#[derive(Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any may go with any"
)]
struct DescriptionBody {
    class: String,
    format: &'static str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uses_left: Option<u32>,
    disabled: bool,
    serves: bool,
    held: bool,
    has_subjects: bool,
    repeatable: bool,
    bound: bool,
    searchable: bool,
    key_version: u32,
    pseudonyms: Vec<String>,
}

fn description(token: &Description) -> DescriptionBody {
    DescriptionBody {
        class: token.class.to_string(),
        format: token.format,
        created_at: instant(token.created),
        expires_at: token.life.expires.map(instant),
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

/// `POST /v1/tokens/{act}`
pub(in crate::server) async fn act(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path(act): Path<String>,
    request: Request,
) -> Response {
    let acted = acted(&vault, &ticket, &act, request).await;
    answer(
        ticket.request(),
        corridor::closed(&vault, &ticket, acted).await,
    )
}

async fn acted(
    vault: &Vault,
    ticket: &Ticket,
    act: &str,
    request: Request,
) -> Result<Response, Problem> {
    let call = Call {
        vault,
        ticket,
        request,
    };
    match act {
        "describe" => described(call).await,
        "disable" => disabled(call).await,
        "enable" => enabled(call).await,
        "replace" => replaced(call).await,
        "move" => moved(call).await,
        "purge" => token_find::purged(call).await,
        "erase" => erase::erased(call).await,
        "hold" => token_find::held(call).await,
        "release" => token_find::released(call).await,
        "holds" => token_find::holds(call).await,
        "search" => token_find::searched(call).await,
        "reindex" => token_find::reindexed(call).await,
        "detail" => detail::read(call).await,
        "erase-detail" => detail::erased(call).await,
        _ => Err(Problem::no_such_path()),
    }
}

async fn described(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<TokensBody>().await?;
    let (scope, tokens) = body.read(ticket)?;
    let proof = on_tokens::<token_act::Describe>(vault, ticket, &scope).await?;
    let described = vault
        .engine
        .describe_tokens(proof, tokens, ticket.request());
    items(described.await?, |token| description(&token))
}

/// An item that was done has nothing to say.
#[derive(Serialize)]
pub(super) struct Done {}

pub(super) fn done((): ()) -> Done {
    Done {}
}

async fn disabled(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<TokensBody>().await?;
    let (scope, tokens) = body.read(ticket)?;
    let proof = on_tokens::<token_act::Disable>(vault, ticket, &scope).await?;
    let disabled = vault.engine.disable_tokens(proof, tokens, ticket.request());
    items(disabled.await?, done)
}

async fn enabled(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<TokensBody>().await?;
    let (scope, tokens) = body.read(ticket)?;
    let proof = on_tokens::<token_act::Enable>(vault, ticket, &scope).await?;
    let enabled = vault.engine.enable_tokens(proof, tokens, ticket.request());
    items(enabled.await?, done)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplaceBody {
    domain: String,
    #[serde(default)]
    purpose: String,
    tokens: Vec<String>,
    to_class: Option<String>,
    ttl_seconds: Option<u64>,
    uses: Option<u32>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct NewToken {
    token: String,
}

async fn replaced(call: Call<'_>) -> Result<Response, Problem> {
    let key = idempotency_key(call.request.headers())?;
    let (vault, ticket, body) = call.read::<ReplaceBody>().await?;
    ticket.because(body.reason)?;
    let scope = scope(&body.domain, &body.purpose)?;
    let tokens = body.tokens.into_iter().map(TokenText::new).collect();
    let to_class = body.to_class.as_deref().map(ClassName::parse).transpose()?;
    let proof = match &to_class {
        Some(class) => on_class::<token_act::Replace>(vault, ticket, &scope, class).await?,
        None => on_tokens::<token_act::Replace>(vault, ticket, &scope).await?,
    };
    let wish = Replacement {
        to_class,
        ttl_seconds: body.ttl_seconds,
        uses: body.uses,
    };
    let keep = vault.limits.idempotency;
    let wish = (wish, key.map(|key| Once { key, keep }));
    let request = ticket.request();
    let replaced = vault.engine.replace_tokens(proof, tokens, wish, request);
    items(replaced.await?, |token: TokenText| NewToken {
        token: token.expose().to_owned(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveBody {
    domain: String,
    #[serde(default)]
    purpose: String,
    tokens: Vec<String>,
    to_class: String,
    reason: Option<String>,
}

async fn moved(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<MoveBody>().await?;
    ticket.because(body.reason)?;
    let scope = scope(&body.domain, &body.purpose)?;
    let class = ClassName::parse(&body.to_class)?;
    let tokens = body.tokens.into_iter().map(TokenText::new).collect();
    let proof = on_class::<token_act::Move>(vault, ticket, &scope, &class).await?;
    let moved = vault
        .engine
        .move_tokens(proof, tokens, class, ticket.request());
    items(moved.await?, done)
}
