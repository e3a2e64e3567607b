//! gRPC: the reasons that were given for acts, which entries commit to: reading and erasing them.

use api::v1::{DetailRequest, EraseDetailResponse, ReadDetailResponse};

use super::tokens::{Answer, Call};
use crate::model::DomainName;
use crate::policy::token_act;
use crate::server::corridor::tokens::on_details;
use crate::server::rest;

pub(super) async fn read_detail(
    call: Call<'_>,
    message: DetailRequest,
) -> Answer<ReadDetailResponse> {
    let Call { vault, ticket } = call;
    let domain = domain(&message.domain)?;
    let whose = (domain.as_ref(), &rest::purpose(&message.purpose)?);
    let proof = on_details::<token_act::ReadDetail>(vault, ticket, whose).await?;
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
    let domain = domain(&message.domain)?;
    let whose = (domain.as_ref(), &rest::purpose(&message.purpose)?);
    let proof = on_details::<token_act::EraseDetail>(vault, ticket, whose).await?;
    let erasing = vault
        .engine
        .erase_detail(proof, message.of, ticket.request());
    let entry = erasing.await?.seq();
    Ok(EraseDetailResponse { entry })
}

/// Empty: in no domain's affairs.
fn domain(name: &str) -> Answer<Option<DomainName>> {
    match name {
        "" => Ok(None),
        name => Ok(Some(DomainName::parse(name)?)),
    }
}
