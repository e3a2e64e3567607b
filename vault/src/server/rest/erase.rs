//! REST: erasure, by tokens or by data subject.

use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::to_json;
use super::tokens::{Call, scope};
use crate::engine::token::{ErasedItem, Erasing};
use crate::model::{Subject, TokenText};
use crate::policy::token_act;
use crate::server::corridor::tokens::on_tokens;
use crate::server::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EraseBody {
    domain: String,
    #[serde(default)]
    purpose: String,
    tokens: Option<Vec<String>>,
    subject: Option<String>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct ErasureBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Vec<&'static str>>,
    erased: u64,
    unlinked: u64,
    entry: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

pub(super) async fn erased(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<EraseBody>().await?;
    ticket.because(body.reason)?;
    let scope = scope(&body.domain, &body.purpose)?;
    let what = erasing(body.tokens, body.subject)?;
    let by_token = matches!(what, Erasing::Tokens(_));
    let proof = on_tokens::<token_act::Erase>(vault, ticket, &scope).await?;
    let erasure = vault.engine.erase(proof, what, ticket.request()).await?;
    let words = || erasure.items.iter().copied().map(ErasedItem::as_str);
    to_json(&ErasureBody {
        items: by_token.then(|| words().collect()),
        erased: erasure.erased,
        unlinked: erasure.unlinked,
        entry: erasure.entry.seq(),
        certificate: erasure.certificate,
    })
}

/// Tokens or a subject, on every face: one of them.
pub(in crate::server) fn erasing(
    tokens: Option<Vec<String>>,
    subject: Option<String>,
) -> Result<Erasing, Problem> {
    match (tokens, subject) {
        (Some(tokens), None) => {
            let tokens = tokens.into_iter().map(TokenText::new);
            Ok(Erasing::Tokens(tokens.collect()))
        }
        (None, Some(subject)) => Ok(Erasing::Subject(Subject::parse(subject)?)),
        (Some(_), Some(_)) | (None, None) => Err(Problem::invalid(
            "erase-what",
            "name what is to be erased: `tokens` or a `subject`, one of them",
        )),
    }
}
