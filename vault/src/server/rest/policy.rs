//! REST: policy sets under the rule of two. `/v1/policy-set` and below.

use std::sync::Arc;

use axum::extract::{Extension, Path, Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::{answer, decode, keys, to_json};
use crate::model::KeptSet;
use crate::server::Vault;
use crate::server::corridor::{self, Ticket};
use crate::server::policy_words;
use crate::server::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActBody {
    /// The set to approve; nothing is said where one is put up.
    digest: Option<String>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct DoneBody {
    digest: String,
    entry: u64,
}

/// `POST /v1/policy-set/propose` and `…/approve`
pub(in crate::server) async fn act(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path(act): Path<String>,
    request: Request,
) -> Response {
    let done = acted(&vault, &ticket, &act, request).await;
    let closed = corridor::closed(&vault, &ticket, done).await;
    answer(ticket.request(), closed)
}

async fn acted(
    vault: &Vault,
    ticket: &Ticket,
    act: &str,
    request: Request,
) -> Result<Response, Problem> {
    let body: ActBody = decode(request, vault.limits.body_bytes_max).await?;
    ticket.because(body.reason)?;
    let (digest, entry) = match (act, body.digest) {
        ("propose", None) => policy_words::propose(vault, ticket).await?,
        ("approve", Some(digest)) => policy_words::approve(vault, ticket, &digest).await?,
        ("propose" | "approve", _) => {
            let detail = "`approve` takes the set's `digest`, `propose` takes nothing";
            return Err(Problem::invalid("body-invalid", detail));
        }
        _ => return Err(Problem::no_such_path()),
    };
    to_json(&DoneBody {
        digest: digest.to_string(),
        entry,
    })
}

#[derive(Serialize)]
struct SetBody {
    digest: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    proposed_by: String,
    proposed_at: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    approved_by: String,
}

#[derive(Serialize)]
struct StandingBody {
    deciding: String,
    policy: String,
    activation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<SetBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<SetBody>,
}

/// `GET /v1/policy-set`
pub(in crate::server) async fn standing(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
) -> Response {
    let read = async {
        let standing = policy_words::standing(&vault, &ticket).await?;
        let activation = if standing.by_approval {
            "approval"
        } else {
            "reload"
        };
        to_json(&StandingBody {
            deciding: standing.deciding,
            policy: standing.policy,
            activation,
            active: standing.active.as_ref().map(body),
            waiting: standing.waiting.as_ref().map(body),
        })
    };
    let closed = corridor::closed(&vault, &ticket, read.await).await;
    answer(ticket.request(), closed)
}

fn body(set: &KeptSet) -> SetBody {
    let (proposed_by, approved_by) = policy_words::by(set);
    SetBody {
        digest: set.digest.to_string(),
        proposed_by,
        proposed_at: keys::instant(set.proposed),
        approved_by,
    }
}
