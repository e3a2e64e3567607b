//! gRPC: the reasons that were given for acts, which entries commit to: reading and erasing them.

use api::v1::{DetailRequest, EraseDetailResponse, ReadDetailResponse};

use super::tokens::{Answer, Call, scope};
use crate::policy::token_act;
use crate::server::corridor::tokens::on_all;

pub(super) async fn read_detail(
    call: Call<'_>,
    message: DetailRequest,
) -> Answer<ReadDetailResponse> {
    let Call { vault, ticket } = call;
    let scope = scope(&message.domain, &message.purpose)?;
    let proof = on_all::<token_act::ReadDetail>(vault, ticket, &scope).await?;
    let reading = vault
        .engine
        .read_detail(proof, message.of, ticket.request());
    let (detail, entry) = reading.await?;
    Ok(ReadDetailResponse {
        detail,
        entry: entry.seq(),
    })
}

pub(super) async fn erase_detail(
    call: Call<'_>,
    message: DetailRequest,
) -> Answer<EraseDetailResponse> {
    let Call { vault, ticket } = call;
    let scope = scope(&message.domain, &message.purpose)?;
    let proof = on_all::<token_act::EraseDetail>(vault, ticket, &scope).await?;
    let erasing = vault
        .engine
        .erase_detail(proof, message.of, ticket.request());
    let entry = erasing.await?.seq();
    Ok(EraseDetailResponse { entry })
}
