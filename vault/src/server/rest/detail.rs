//! REST: the reasons that were given for acts, which entries commit to: reading and erasing them.

use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::tokens::Call;
use super::{purpose, to_json};
use crate::model::DomainName;
use crate::policy::token_act;
use crate::server::corridor::tokens::on_details;
use crate::server::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DetailBody {
    /// In whose affairs it was given; absent for acts on keys, units and policies.
    domain: Option<String>,
    #[serde(default)]
    purpose: String,
    /// The entry that commits to it.
    of: u64,
}

#[derive(Serialize)]
struct OpenedBody {
    /// As `jinku-ledger record --detail` reads it.
    detail: String,
    entry: u64,
}

#[derive(Serialize)]
struct ErasedBody {
    entry: u64,
}

pub(super) async fn read(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<DetailBody>().await?;
    let domain = body.domain.as_deref().map(DomainName::parse).transpose()?;
    let whose = (domain.as_ref(), &purpose(&body.purpose)?);
    let proof = on_details::<token_act::ReadDetail>(vault, ticket, whose).await?;
    let reading = vault.engine.read_detail(proof, body.of, ticket.request());
    let (detail, entry) = reading.await?;
    to_json(&OpenedBody {
        detail,
        entry: entry.seq(),
    })
}

pub(super) async fn erased(call: Call<'_>) -> Result<Response, Problem> {
    let (vault, ticket, body) = call.read::<DetailBody>().await?;
    let domain = body.domain.as_deref().map(DomainName::parse).transpose()?;
    let whose = (domain.as_ref(), &purpose(&body.purpose)?);
    let proof = on_details::<token_act::EraseDetail>(vault, ticket, whose).await?;
    let erasing = vault.engine.erase_detail(proof, body.of, ticket.request());
    let entry = erasing.await?.seq();
    to_json(&ErasedBody { entry })
}
