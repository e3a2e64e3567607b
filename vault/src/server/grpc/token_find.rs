//! gRPC: acts that find their tokens themselves (purge, search, reindex), and legal holds.

use api::v1::purge_tokens_request::Age as AgeMessage;
use api::v1::{
    HoldList, HoldRequest, LegalHold, ListHoldsRequest, ListHoldsResponse, PurgeTokensRequest,
    PurgeTokensResponse, ReindexTokensRequest, ReindexTokensResponse, SearchRequest,
    SearchResponse, TokensResponse,
};

use super::tokens::{Answer, Call, done, failed, scope};
use crate::commit::Sequenced;
use crate::engine::token::{PurgeStep, TokenFault};
use crate::model::{ClassName, Matter, Plaintext, Timestamp, TokenText};
use crate::policy::token_act;
use crate::server::corridor::tokens::{on_all, on_class, on_tokens};
use crate::server::token_words::{HeldBy, age};
use crate::store::Hold;

pub(super) async fn purge_tokens(
    call: Call<'_>,
    message: PurgeTokensRequest,
) -> Answer<PurgeTokensResponse> {
    let Call { vault, ticket } = call;
    ticket.because(message.reason)?;
    let scope = scope(&message.domain, &message.purpose)?;
    let class = message.class.as_deref().map(ClassName::parse).transpose()?;
    let (created, expired) = match message.age {
        Some(AgeMessage::CreatedBeforeUs(us)) => (Some(Timestamp(us)), None),
        Some(AgeMessage::ExpiredBeforeUs(us)) => (None, Some(Timestamp(us))),
        None => (None, None),
    };
    let proof = match &class {
        Some(class) => on_class::<token_act::Purge>(vault, ticket, &scope, class).await?,
        None => on_tokens::<token_act::Purge>(vault, ticket, &scope).await?,
    };
    let step = PurgeStep {
        class,
        age: age(created, expired)?,
        dry_run: message.dry_run,
        place: message.place,
        limit: message.limit,
    };
    let purging = vault.engine.purge_tokens(proof, step, ticket.request());
    let (purged, entry) = purging.await?;
    Ok(PurgeTokensResponse {
        matching: purged.matching,
        held: purged.held,
        purged: purged.purged,
        next: purged.next,
        entry: entry.seq(),
    })
}

/// A list that is empty is none: protobuf does not tell the two apart.
fn stated(tokens: Vec<String>) -> Option<Vec<String>> {
    (!tokens.is_empty()).then_some(tokens)
}

fn recorded(entry: Sequenced) -> TokensResponse {
    TokensResponse {
        items: Vec::new(),
        entry: entry.seq(),
    }
}

pub(super) async fn place_hold(call: Call<'_>, message: HoldRequest) -> Answer<TokensResponse> {
    let Call { vault, ticket } = call;
    ticket.because(message.reason)?;
    let scope = scope(&message.domain, &message.purpose)?;
    let matter = Matter::parse(&message.matter)?;
    let (engine, request) = (&vault.engine, ticket.request());
    match HeldBy::read(stated(message.tokens), message.subject)? {
        HeldBy::Tokens(tokens) => {
            let proof = on_tokens::<token_act::Hold>(vault, ticket, &scope).await?;
            Ok(done(
                engine.hold_tokens(proof, tokens, matter, request).await?,
            ))
        }
        HeldBy::Subject(subject) => {
            let proof = on_all::<token_act::Hold>(vault, ticket, &scope).await?;
            let held = engine.hold_subject(proof, subject, matter, request);
            Ok(recorded(held.await?))
        }
    }
}

pub(super) async fn lift_hold(call: Call<'_>, message: HoldRequest) -> Answer<TokensResponse> {
    let Call { vault, ticket } = call;
    ticket.because(message.reason)?;
    let scope = scope(&message.domain, &message.purpose)?;
    let matter = Matter::parse(&message.matter)?;
    let (engine, request) = (&vault.engine, ticket.request());
    match HeldBy::read(stated(message.tokens), message.subject)? {
        HeldBy::Tokens(tokens) => {
            let proof = on_tokens::<token_act::Release>(vault, ticket, &scope).await?;
            let released = engine.release_tokens(proof, tokens, matter, request);
            Ok(done(released.await?))
        }
        HeldBy::Subject(subject) => {
            let proof = on_all::<token_act::Release>(vault, ticket, &scope).await?;
            let released = engine.release_subject(proof, subject, matter, request);
            Ok(recorded(released.await?))
        }
    }
}

pub(super) async fn list_holds(
    call: Call<'_>,
    message: ListHoldsRequest,
) -> Answer<ListHoldsResponse> {
    let Call { vault, ticket } = call;
    let scope = scope(&message.domain, &message.purpose)?;
    let (engine, request) = (&vault.engine, ticket.request());
    let (items, entry) = match HeldBy::read(stated(message.tokens), message.subject)? {
        HeldBy::Tokens(tokens) => {
            let proof = on_tokens::<token_act::ListHolds>(vault, ticket, &scope).await?;
            let acted = engine.holds_on_tokens(proof, tokens, request).await?;
            (acted.items, acted.entry)
        }
        HeldBy::Subject(subject) => {
            let proof = on_all::<token_act::ListHolds>(vault, ticket, &scope).await?;
            let (holds, entry) = engine.holds_on_subject(proof, subject, request).await?;
            (vec![Ok(holds)], entry)
        }
    };
    Ok(ListHoldsResponse {
        items: items.into_iter().map(listed).collect(),
        entry: entry.seq(),
    })
}

fn listed(item: Result<Vec<Hold>, TokenFault>) -> HoldList {
    let one = |hold: Hold| LegalHold {
        matter: hold.matter.to_string(),
        placed_at_us: hold.placed.0,
    };
    match item {
        Ok(holds) => HoldList {
            error: None,
            holds: holds.into_iter().map(one).collect(),
        },
        Err(fault) => HoldList {
            error: Some(failed(fault)),
            holds: Vec::new(),
        },
    }
}

pub(super) async fn search(call: Call<'_>, message: SearchRequest) -> Answer<SearchResponse> {
    let Call { vault, ticket } = call;
    let value = Plaintext::new(message.value);
    let scope = scope(&message.domain, &message.purpose)?;
    let class = ClassName::parse(&message.class)?;
    let proof = on_class::<token_act::Search>(vault, ticket, &scope, &class).await?;
    let found = vault.engine.search(proof, class, value, ticket.request());
    let found = found.await?;
    let text = |token: &TokenText| token.expose().to_owned();
    Ok(SearchResponse {
        tokens: found.tokens.iter().map(text).collect(),
        more: found.more,
        entry: found.entry.seq(),
    })
}

pub(super) async fn reindex_tokens(
    call: Call<'_>,
    message: ReindexTokensRequest,
) -> Answer<ReindexTokensResponse> {
    let Call { vault, ticket } = call;
    ticket.because(message.reason)?;
    let scope = scope(&message.domain, &message.purpose)?;
    let class = ClassName::parse(&message.class)?;
    let proof = on_class::<token_act::Reindex>(vault, ticket, &scope, &class).await?;
    let place = (message.place, message.limit);
    let indexing = vault
        .engine
        .reindex_tokens(proof, class, place, ticket.request());
    let (progress, entry) = indexing.await?;
    Ok(ReindexTokensResponse {
        moved: progress.moved,
        remaining: progress.remaining,
        next: progress.next,
        entry: entry.seq(),
    })
}
