//! REST: the guard. `/v1/units/{unit}/{act}`, `/v1/honeytokens`, `/v1/grants` and below.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Path, Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::{answer, decode, keys, purpose, to_json, units};
use crate::model::{ClassName, DomainName, Grant, GrantId, TokenText, UnitName};
use crate::policy::guard_act;
use crate::server::Vault;
use crate::server::corridor::{self, Ticket};
use crate::server::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReasonBody {
    pub(super) reason: Option<String>,
}

#[derive(Serialize)]
struct UnitBody {
    unit: String,
    locked: bool,
    entry: u64,
}

/// `POST /v1/units/{unit}/lock` and `…/unlock`, and the acts on registered units
pub(in crate::server) async fn unit(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path((unit, act)): Path<(String, String)>,
    request: Request,
) -> Response {
    let done = unit_act(&vault, &ticket, (&unit, &act), request).await;
    let closed = corridor::closed(&vault, &ticket, done).await;
    answer(ticket.request(), closed)
}

async fn unit_act(
    vault: &Vault,
    ticket: &Ticket,
    (unit, act): (&str, &str),
    request: Request,
) -> Result<Response, Problem> {
    // By its spelling the act was let in: another spelling of it would be another group's.
    if request.uri().path().rsplit('/').next() != Some(act) {
        return Err(Problem::no_such_path());
    }
    let ReasonBody { reason } = decode(request, vault.limits.body_bytes_max).await?;
    ticket.because(reason)?;
    let unit = UnitName::parse(unit)?;
    let (locked, entry) = match act {
        "lock" => {
            let proof = corridor::on_unit::<guard_act::Lock>(vault, ticket, &unit).await?;
            (true, vault.engine.lock_unit(proof, ticket.request()).await?)
        }
        "unlock" => {
            let proof = corridor::on_unit::<guard_act::Unlock>(vault, ticket, &unit).await?;
            (
                false,
                vault.engine.unlock_unit(proof, ticket.request()).await?,
            )
        }
        _ => return units::act(vault, ticket, (&unit, act)).await,
    };
    to_json(&UnitBody {
        unit: unit.to_string(),
        locked,
        entry: entry.seq(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlantBody {
    domain: String,
    class: String,
    count: usize,
    #[serde(default)]
    lock: bool,
    reason: Option<String>,
}

#[derive(Serialize)]
struct PlantedBody<'a> {
    tokens: Vec<&'a str>,
    entry: u64,
}

/// `POST /v1/honeytokens`
pub(in crate::server) async fn plant(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    request: Request,
) -> Response {
    let planted = planted(&vault, &ticket, request).await;
    let closed = corridor::closed(&vault, &ticket, planted).await;
    answer(ticket.request(), closed)
}

async fn planted(vault: &Vault, ticket: &Ticket, request: Request) -> Result<Response, Problem> {
    let body: PlantBody = decode(request, vault.limits.body_bytes_max).await?;
    ticket.because(body.reason)?;
    let domain = DomainName::parse(&body.domain)?;
    let class = BTreeSet::from([ClassName::parse(&body.class)?]);
    let proof = corridor::on_classes::<guard_act::Plant>(vault, ticket, &domain, class, None);
    let planted = vault
        .engine
        .plant_honeytokens(proof.await?, body.count, body.lock.into(), ticket.request())
        .await?;
    to_json(&PlantedBody {
        tokens: planted.tokens.iter().map(TokenText::expose).collect(),
        entry: planted.entry.seq(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskBody {
    domain: String,
    #[serde(default)]
    purpose: String,
    classes: Vec<String>,
    values_max: u64,
    ttl_seconds: u64,
    reason: Option<String>,
}

#[derive(Serialize)]
struct GrantBody {
    id: String,
    unit: String,
    domain: String,
    purpose: String,
    classes: Vec<String>,
    values_max: u64,
    values_spent: u64,
    ttl_seconds: u64,
    state: &'static str,
    approvals_needed: usize,
    approved_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
}

#[derive(Serialize)]
struct OneGrant {
    grant: GrantBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<u64>,
}

fn one_grant(vault: &Vault, grant: &Grant, entry: Option<u64>) -> Result<Response, Problem> {
    let terms = &grant.terms;
    let grant = GrantBody {
        id: grant.id.to_string(),
        unit: terms.unit.to_string(),
        domain: terms.domain.to_string(),
        purpose: terms.purpose.to_string(),
        classes: terms.classes.iter().map(ToString::to_string).collect(),
        values_max: terms.values_max,
        values_spent: grant.spent,
        ttl_seconds: terms.ttl.as_secs(),
        state: vault.engine.grant_state(grant).as_str(),
        approvals_needed: grant.approvals,
        approved_by: grant.approved_by.iter().map(ToString::to_string).collect(),
        ends_at: grant.ends.map(keys::instant),
    };
    to_json(&OneGrant { grant, entry })
}

/// `POST /v1/grants`
pub(in crate::server) async fn ask(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    request: Request,
) -> Response {
    let asked = asked(&vault, &ticket, request).await;
    let closed = corridor::closed(&vault, &ticket, asked).await;
    answer(ticket.request(), closed)
}

async fn asked(vault: &Vault, ticket: &Ticket, request: Request) -> Result<Response, Problem> {
    let body: AskBody = decode(request, vault.limits.body_bytes_max).await?;
    ticket.because(body.reason)?;
    let (domain, why) = (DomainName::parse(&body.domain)?, purpose(&body.purpose)?);
    let classes = body.classes.iter().map(|class| ClassName::parse(class));
    let classes = classes.collect::<Result<BTreeSet<_>, _>>()?;
    let proof =
        corridor::on_classes::<guard_act::AskGrant>(vault, ticket, &domain, classes, Some(&why));
    let ttl = Duration::from_secs(body.ttl_seconds);
    let (grant, entry) = vault
        .engine
        .request_grant(proof.await?, body.values_max, ttl, ticket.request())
        .await?;
    one_grant(vault, &grant, Some(entry.seq()))
}

/// `GET /v1/grants/{id}`
pub(in crate::server) async fn grant(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path(id): Path<String>,
) -> Response {
    let read = async {
        let id = GrantId::parse(&id)?;
        let proof = corridor::on_grant::<guard_act::ReadGrant>(&vault, &ticket, id).await?;
        one_grant(&vault, proof.grant().grant(), None)
    };
    answer(ticket.request(), read.await)
}

/// `POST /v1/grants/{id}/approve` and `…/revoke`
pub(in crate::server) async fn grant_act(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path((id, act)): Path<(String, String)>,
    request: Request,
) -> Response {
    let done = async {
        let ReasonBody { reason } = decode(request, vault.limits.body_bytes_max).await?;
        ticket.because(reason)?;
        let id = GrantId::parse(&id)?;
        let (engine, request) = (&vault.engine, ticket.request());
        let (grant, entry) = match act.as_str() {
            "approve" => {
                let proof = corridor::on_grant(&vault, &ticket, id).await?;
                engine.approve_grant(proof, request).await?
            }
            "revoke" => {
                let proof = corridor::on_grant(&vault, &ticket, id).await?;
                engine.revoke_grant(proof, request).await?
            }
            _ => return Err(Problem::no_such_path()),
        };
        one_grant(&vault, &grant, Some(entry.seq()))
    };
    let closed = corridor::closed(&vault, &ticket, done.await).await;
    answer(ticket.request(), closed)
}
