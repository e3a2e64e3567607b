//! REST: registered units and proposals. `/v1/units`, `/v1/unit-proposals` and below.

use std::sync::Arc;

use axum::extract::{Extension, Path, Query, Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::guard::ReasonBody;
use super::{answer, decode, keys, to_json};
use crate::engine::units::UnitActed;
use crate::model::{Proposal, ProposalId, Unit, UnitDocument, UnitName};
use crate::policy::unit_act;
use crate::server::Vault;
use crate::server::corridor::{self, Ticket};
use crate::server::problem::Problem;

/// Units of one answer where the caller does not say.
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetBody {
    document: Box<RawValue>,
    #[serde(default)]
    dry_run: bool,
    reason: Option<String>,
}

#[derive(Serialize)]
struct ActedBody {
    outcome: &'static str,
    revision: u64,
    /// The keys that differ; of a proposal, those that widen.
    keys: Vec<String>,
    document: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<ProposalBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<u64>,
}

#[derive(Serialize)]
struct ProposalBody {
    id: String,
    act: &'static str,
    unit: String,
    base_revision: u64,
    document: Box<RawValue>,
    /// With it, name, revision and document, the id can be made again.
    salt: String,
    proposed_by: String,
    proposed_at: String,
    ends_at: String,
    approvals_needed: usize,
    approved_by: Vec<String>,
}

#[derive(Serialize)]
struct UnitBody {
    name: String,
    /// `file` or `registered`.
    source: &'static str,
    revision: u64,
    document: Box<RawValue>,
}

#[derive(Serialize)]
struct OneUnit {
    unit: UnitBody,
    entry: u64,
}

#[derive(Serialize)]
struct UnitsBody {
    units: Vec<UnitBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    entry: u64,
}

#[derive(Serialize)]
struct OneProposal {
    proposal: ProposalBody,
    entry: u64,
}

#[derive(Serialize)]
struct ProposalsBody {
    proposals: Vec<ProposalBody>,
    entry: u64,
}

#[derive(Serialize)]
struct EndedBody {
    id: String,
    entry: u64,
}

/// A document as it is: it was read as JSON before.
fn json_of(document: &UnitDocument) -> Result<Box<RawValue>, Problem> {
    RawValue::from_string(document.as_str().to_owned()).map_err(|_| Problem::no_ticket())
}

fn unit_body(unit: &Unit) -> Result<UnitBody, Problem> {
    let revision = unit.registration.revision();
    Ok(UnitBody {
        name: unit.name.to_string(),
        source: if revision == 0 { "file" } else { "registered" },
        revision,
        document: json_of(&unit.document)?,
    })
}

fn proposal_body(vault: &Vault, proposal: &Proposal) -> Result<ProposalBody, Problem> {
    let salt = u128::from_be_bytes(proposal.salt);
    Ok(ProposalBody {
        id: proposal.id.to_string(),
        act: proposal.act.as_str(),
        unit: proposal.unit.to_string(),
        base_revision: proposal.base,
        document: json_of(&proposal.document)?,
        salt: format!("{salt:032x}"),
        proposed_by: proposal.by.to_string(),
        proposed_at: keys::instant(proposal.made),
        ends_at: keys::instant(proposal.ends(vault.engine.proposals_wait())),
        approvals_needed: proposal.approvals,
        approved_by: proposal
            .approved_by
            .iter()
            .map(ToString::to_string)
            .collect(),
    })
}

fn acted(vault: &Vault, acted: &UnitActed) -> Result<Response, Problem> {
    let proposal = acted.proposal.as_ref();
    let proposal = proposal.map(|proposal| proposal_body(vault, proposal));
    to_json(&ActedBody {
        outcome: acted.outcome.as_str(),
        revision: acted.revision,
        keys: acted.keys.iter().map(ToString::to_string).collect(),
        document: json_of(&acted.document)?,
        proposal: proposal.transpose()?,
        entry: acted.entry.map(crate::commit::Sequenced::seq),
    })
}

/// `POST /v1/units`: a unit as it shall be, new or not.
pub(in crate::server) async fn set(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    request: Request,
) -> Response {
    let done = async {
        let body: SetBody = decode(request, vault.limits.body_bytes_max).await?;
        ticket.because(body.reason)?;
        let document = UnitDocument::parse(body.document.get())?;
        let run = body.dry_run.into();
        let done = corridor::units::set_unit(&vault, &ticket, &document, run).await?;
        acted(&vault, &done)
    };
    let closed = corridor::closed(&vault, &ticket, done.await).await;
    answer(ticket.request(), closed)
}

/// What of a list is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct PageQuery {
    after: Option<String>,
    limit: Option<usize>,
}

/// `GET /v1/units`
pub(in crate::server) async fn list(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    query: Result<Query<PageQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let listed = async {
        let Query(page) = query.map_err(|_| {
            Problem::invalid("query-invalid", "the query takes `after` and `limit` only")
        })?;
        let after = page.after.as_deref().map(UnitName::parse).transpose()?;
        let limit = page.limit.unwrap_or(PAGE);
        let proof = corridor::units::on_registry(&vault, &ticket).await?;
        let engine = &vault.engine;
        let page = engine
            .list_units(proof, after, limit, ticket.request())
            .await?;
        let units = page.units.iter().map(|unit| unit_body(unit));
        to_json(&UnitsBody {
            units: units.collect::<Result<_, _>>()?,
            next: page.next.map(|name| name.to_string()),
            entry: page.entry.seq(),
        })
    };
    let closed = corridor::closed(&vault, &ticket, listed.await).await;
    answer(ticket.request(), closed)
}

/// `GET /v1/units/{unit}`
pub(in crate::server) async fn describe(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path(unit): Path<String>,
) -> Response {
    let read = async {
        let unit = UnitName::parse(&unit)?;
        let proof = corridor::units::on_registered(&vault, &ticket, &unit).await?;
        let (unit, entry) = vault.engine.describe_unit(proof, ticket.request()).await?;
        to_json(&OneUnit {
            unit: unit_body(&unit)?,
            entry: entry.seq(),
        })
    };
    let closed = corridor::closed(&vault, &ticket, read.await).await;
    answer(ticket.request(), closed)
}

/// `POST /v1/units/{unit}/suspend`, `…/resume` and `…/retire`, from where locks are handled too.
pub(super) async fn act(
    vault: &Vault,
    ticket: &Ticket,
    (unit, act): (&UnitName, &str),
) -> Result<Response, Problem> {
    let (engine, request) = (&vault.engine, ticket.request());
    let done = match act {
        "suspend" => {
            let proof = corridor::units::on_registered(vault, ticket, unit).await?;
            engine.suspend_unit(proof, request).await?
        }
        "resume" => {
            let proof = corridor::units::on_registered(vault, ticket, unit).await?;
            engine.resume_unit(proof, request).await?
        }
        "retire" => {
            let proof = corridor::units::on_registered(vault, ticket, unit).await?;
            engine.retire_unit(proof, request).await?
        }
        _ => return Err(Problem::no_such_path()),
    };
    acted(vault, &done)
}

/// `GET /v1/unit-proposals`
pub(in crate::server) async fn proposals(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
) -> Response {
    let listed = async {
        let proof = corridor::units::on_registry(&vault, &ticket).await?;
        let listed = vault.engine.list_proposals(proof, ticket.request());
        let (proposals, entry) = listed.await?;
        let proposals = proposals.iter().map(|one| proposal_body(&vault, one));
        to_json(&ProposalsBody {
            proposals: proposals.collect::<Result<_, _>>()?,
            entry: entry.seq(),
        })
    };
    let closed = corridor::closed(&vault, &ticket, listed.await).await;
    answer(ticket.request(), closed)
}

/// `GET /v1/unit-proposals/{id}`
pub(in crate::server) async fn proposal(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path(id): Path<String>,
) -> Response {
    let read = async {
        let id = ProposalId::parse(&id)?;
        let proof = corridor::units::on_waiting(&vault, &ticket, id).await?;
        let engine = &vault.engine;
        let (proposal, entry) = engine
            .describe_proposal(proof, id, ticket.request())
            .await?;
        to_json(&OneProposal {
            proposal: proposal_body(&vault, &proposal)?,
            entry: entry.seq(),
        })
    };
    let closed = corridor::closed(&vault, &ticket, read.await).await;
    answer(ticket.request(), closed)
}

/// `POST /v1/unit-proposals/{id}/approve`, `…/refuse` and `…/withdraw`
pub(in crate::server) async fn decide(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path((id, act)): Path<(String, String)>,
    request: Request,
) -> Response {
    let done = async {
        let ReasonBody { reason } = decode(request, vault.limits.body_bytes_max).await?;
        ticket.because(reason)?;
        let id = ProposalId::parse(&id)?;
        let (engine, request) = (&vault.engine, ticket.request());
        let entry = match act.as_str() {
            "approve" => {
                let proof =
                    corridor::units::on_proposal::<unit_act::Approve>(&vault, &ticket, id).await?;
                return acted(&vault, &engine.approve_unit(proof, request).await?);
            }
            "refuse" => {
                let proof = corridor::units::on_proposal(&vault, &ticket, id).await?;
                engine.refuse_unit(proof, request).await?
            }
            "withdraw" => {
                let proof = corridor::units::on_proposal(&vault, &ticket, id).await?;
                engine.withdraw_unit(proof, request).await?
            }
            _ => return Err(Problem::no_such_path()),
        };
        to_json(&EndedBody {
            id: id.to_string(),
            entry: entry.seq(),
        })
    };
    let closed = corridor::closed(&vault, &ticket, done.await).await;
    answer(ticket.request(), closed)
}
