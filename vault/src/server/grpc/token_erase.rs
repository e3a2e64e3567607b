//! Erasure over gRPC.

use api::v1::{EraseTokensRequest, EraseTokensResponse, ErasedItem as ItemMessage};

use super::tokens::{Answer, Call, scope};
use crate::engine::token::ErasedItem;
use crate::policy::token_act;
use crate::server::corridor::tokens::on_tokens;
use crate::server::rest;

pub(super) async fn erase_tokens(
    call: Call<'_>,
    message: EraseTokensRequest,
) -> Answer<EraseTokensResponse> {
    call.ticket.because(message.reason)?;
    let scope = scope(&message.domain, &message.purpose)?;
    // An empty list and none are one message: with a subject it is none.
    let none = message.tokens.is_empty() && message.subject.is_some();
    let what = rest::erase::erasing((!none).then_some(message.tokens), message.subject)?;
    let proof = on_tokens::<token_act::Erase>(call.vault, call.ticket, &scope).await?;
    let erasure = call.vault.engine.erase(proof, what, call.ticket.request());
    let erasure = erasure.await?;
    let items = erasure.items.iter().map(|item| i32::from(word(*item)));
    Ok(EraseTokensResponse {
        items: items.collect(),
        erased: erasure.erased,
        unlinked: erasure.unlinked,
        entry: erasure.entry.seq(),
        certificate: erasure.certificate,
    })
}

fn word(item: ErasedItem) -> ItemMessage {
    match item {
        ErasedItem::Erased => ItemMessage::Erased,
        ErasedItem::Held => ItemMessage::Held,
        ErasedItem::NotAvailable => ItemMessage::NotAvailable,
    }
}
