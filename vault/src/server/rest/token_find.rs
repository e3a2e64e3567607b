//! REST: acts that find their tokens themselves (purge, search, reindex), and legal holds.

use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::keys::instant;
use super::to_json;
use super::tokens::{Call, done, items, scope};
use crate::commit::Sequenced;
use crate::engine::token::PurgeStep;
use crate::model::{ClassName, Matter, Plaintext, TokenText};
use crate::policy::token_act;
use crate::server::corridor::tokens::{on_all, on_class, on_tokens};
use crate::server::problem::Problem;
use crate::server::token_words::{HeldBy, age, instant_of};
use crate::store::Hold;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PurgeBody {
    domain: String,
    #[serde(default)]
    purpose: String,
    class: Option<String>,
    created_before: Option<String>,
    expired_before: Option<String>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    place: i64,
    limit: u32,
    reason: Option<String>,
}

#[derive(Serialize)]
struct PurgedBody {
    matching: u64,
    held: u64,
    purged: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
    entry: u64,
}

pub(super) async fn purged(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<PurgeBody>().await?;
    ticket.because(body.reason)?;
    let scope = scope(&body.domain, &body.purpose)?;
    let class = body.class.as_deref().map(ClassName::parse).transpose()?;
    let created = body.created_before.as_deref().map(instant_of).transpose()?;
    let expired = body.expired_before.as_deref().map(instant_of).transpose()?;
    let proof = match &class {
        Some(class) => on_class::<token_act::Purge>(vault, ticket, &scope, class).await?,
        None => on_tokens::<token_act::Purge>(vault, ticket, &scope).await?,
    };
    let step = PurgeStep {
        class,
        age: age(created, expired)?,
        dry_run: body.dry_run,
        place: body.place,
        limit: body.limit,
    };
    let purging = vault.engine.purge_tokens(proof, step, ticket.request());
    let (purged, entry) = purging.await?;
    to_json(&PurgedBody {
        matching: purged.matching,
        held: purged.held,
        purged: purged.purged,
        next: purged.next,
        entry: entry.seq(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldBody {
    domain: String,
    #[serde(default)]
    purpose: String,
    matter: String,
    tokens: Option<Vec<String>>,
    subject: Option<String>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Recorded {
    entry: u64,
}

fn recorded(entry: Sequenced) -> Result<Response, Problem> {
    let entry = entry.seq();
    to_json(&Recorded { entry })
}

pub(super) async fn held(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<HoldBody>().await?;
    ticket.because(body.reason)?;
    let scope = scope(&body.domain, &body.purpose)?;
    let matter = Matter::parse(&body.matter)?;
    let (engine, request) = (&vault.engine, ticket.request());
    match HeldBy::read(body.tokens, body.subject)? {
        HeldBy::Tokens(tokens) => {
            let proof = on_tokens::<token_act::Hold>(vault, ticket, &scope).await?;
            let held = engine.hold_tokens(proof, tokens, matter, request);
            items(held.await?, done)
        }
        HeldBy::Subject(subject) => {
            let proof = on_all::<token_act::Hold>(vault, ticket, &scope).await?;
            let held = engine.hold_subject(proof, subject, matter, request);
            recorded(held.await?)
        }
    }
}

pub(super) async fn released(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<HoldBody>().await?;
    ticket.because(body.reason)?;
    let scope = scope(&body.domain, &body.purpose)?;
    let matter = Matter::parse(&body.matter)?;
    let (engine, request) = (&vault.engine, ticket.request());
    match HeldBy::read(body.tokens, body.subject)? {
        HeldBy::Tokens(tokens) => {
            let proof = on_tokens::<token_act::Release>(vault, ticket, &scope).await?;
            let released = engine.release_tokens(proof, tokens, matter, request);
            items(released.await?, done)
        }
        HeldBy::Subject(subject) => {
            let proof = on_all::<token_act::Release>(vault, ticket, &scope).await?;
            let released = engine.release_subject(proof, subject, matter, request);
            recorded(released.await?)
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldsBody {
    domain: String,
    #[serde(default)]
    purpose: String,
    tokens: Option<Vec<String>>,
    subject: Option<String>,
}

#[derive(Serialize)]
struct HoldList {
    holds: Vec<LegalHold>,
}

#[derive(Serialize)]
struct LegalHold {
    matter: String,
    placed_at: String,
}

#[derive(Serialize)]
struct SubjectHolds {
    #[serde(flatten)]
    list: HoldList,
    entry: u64,
}

fn listed(holds: Vec<Hold>) -> HoldList {
    let one = |hold: Hold| LegalHold {
        matter: hold.matter.to_string(),
        placed_at: instant(hold.placed),
    };
    HoldList {
        holds: holds.into_iter().map(one).collect(),
    }
}

pub(super) async fn holds(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<HoldsBody>().await?;
    let scope = scope(&body.domain, &body.purpose)?;
    let (engine, request) = (&vault.engine, ticket.request());
    match HeldBy::read(body.tokens, body.subject)? {
        HeldBy::Tokens(tokens) => {
            let proof = on_tokens::<token_act::ListHolds>(vault, ticket, &scope).await?;
            items(
                engine.holds_on_tokens(proof, tokens, request).await?,
                listed,
            )
        }
        HeldBy::Subject(subject) => {
            let proof = on_all::<token_act::ListHolds>(vault, ticket, &scope).await?;
            let (holds, entry) = engine.holds_on_subject(proof, subject, request).await?;
            to_json(&SubjectHolds {
                list: listed(holds),
                entry: entry.seq(),
            })
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchBody {
    domain: String,
    #[serde(default)]
    purpose: String,
    class: String,
    value: String,
}

#[derive(Serialize)]
struct FoundBody<'a> {
    tokens: Vec<&'a str>,
    more: bool,
    entry: u64,
}

pub(super) async fn searched(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<SearchBody>().await?;
    let value = Plaintext::new(body.value);
    let scope = scope(&body.domain, &body.purpose)?;
    let class = ClassName::parse(&body.class)?;
    let proof = on_class::<token_act::Search>(vault, ticket, &scope, &class).await?;
    let found = vault.engine.search(proof, class, value, ticket.request());
    let found = found.await?;
    to_json(&FoundBody {
        tokens: found.tokens.iter().map(TokenText::expose).collect(),
        more: found.more,
        entry: found.entry.seq(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReindexBody {
    domain: String,
    #[serde(default)]
    purpose: String,
    class: String,
    #[serde(default)]
    place: i64,
    limit: u32,
    reason: Option<String>,
}

#[derive(Serialize)]
struct ReindexedBody {
    moved: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
    entry: u64,
}

pub(super) async fn reindexed(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<ReindexBody>().await?;
    ticket.because(body.reason)?;
    let scope = scope(&body.domain, &body.purpose)?;
    let class = ClassName::parse(&body.class)?;
    let proof = on_class::<token_act::Reindex>(vault, ticket, &scope, &class).await?;
    let place = (body.place, body.limit);
    let indexing = vault
        .engine
        .reindex_tokens(proof, class, place, ticket.request());
    let (progress, entry) = indexing.await?;
    to_json(&ReindexedBody {
        moved: progress.moved,
        remaining: progress.remaining,
        next: progress.next,
        entry: entry.seq(),
    })
}
