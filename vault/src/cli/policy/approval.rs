//! `jinku policy propose`, `approve`, `status`: a policy officer's tools, for a running vault.

use std::process::ExitCode;

use api::v1::{
    ApprovePolicySetRequest, DescribePolicySetRequest, DescribePolicySetResponse, PolicySet,
    ProposePolicySetRequest,
};
use api::{PolicyClient, UnitProof};
use serde_json::json;

use crate::cli::connection::{Connection, refused};
use crate::cli::reason::Because;
use crate::cli::{runtime, screen};

/// Arguments of all three.
#[derive(clap::Args)]
struct Session {
    #[command(flatten)]
    connection: Connection,
    /// Answer in JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// Arguments of `jinku policy propose`.
#[derive(clap::Args)]
pub(in crate::cli) struct Propose {
    #[command(flatten)]
    session: Session,
    #[command(flatten)]
    because: Because,
}

/// Arguments of `jinku policy approve`.
#[derive(clap::Args)]
pub(in crate::cli) struct Approve {
    /// The digest of the set that you looked at: `jinku policy diff` prints it.
    digest: String,
    #[command(flatten)]
    session: Session,
    #[command(flatten)]
    because: Because,
}

/// Arguments of `jinku policy status`.
#[derive(clap::Args)]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    session: Session,
}

impl Session {
    fn open(&self) -> anyhow::Result<(PolicyClient, Option<UnitProof>)> {
        let (settings, proof) = self.connection.settings()?;
        Ok((PolicyClient::new(&settings)?, proof))
    }
}

pub(super) fn propose(options: &Propose) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let (client, proof) = options.session.open()?;
        let reason = options.because.read()?;
        let request = ProposePolicySetRequest { reason };
        let answer = client.propose_policy_set(request, proof.as_ref());
        let answer = answer.await.map_err(refused)?;
        if options.session.json {
            let document = json!({ "digest": answer.digest, "entry": answer.entry });
            screen::line(&document.to_string());
        } else {
            let entry = answer.entry;
            screen::good(&format!("the set waits for another unit (entry {entry}):"));
            screen::line(&format!("jinku policy approve {}", answer.digest));
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn approve(options: &Approve) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let (client, proof) = options.session.open()?;
        let digest = options.digest.clone();
        let reason = options.because.read()?;
        let request = ApprovePolicySetRequest { digest, reason };
        let answer = client.approve_policy_set(request, proof.as_ref()).await;
        let answer = answer.map_err(refused)?;
        if options.session.json {
            let document = json!({ "digest": answer.digest, "entry": answer.entry });
            screen::line(&document.to_string());
        } else {
            screen::good(&format!("the set decides (entry {})", answer.entry));
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn status(options: &Status) -> anyhow::Result<ExitCode> {
    runtime()?.block_on(async {
        let (client, proof) = options.session.open()?;
        let answer = client.describe_policy_set(DescribePolicySetRequest {}, proof.as_ref());
        let answer = answer.await.map_err(refused)?;
        if options.session.json {
            screen::line(&document(&answer).to_string());
        } else {
            show(&answer);
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn document(answer: &DescribePolicySetResponse) -> serde_json::Value {
    let set = |set: &PolicySet| {
        json!({
            "digest": set.digest, "proposed_by": set.proposed_by,
            "proposed_at": set.proposed_at, "approved_by": set.approved_by,
        })
    };
    json!({
        "deciding": answer.deciding, "policy": answer.policy,
        "activation": activation(answer),
        "active": answer.active.as_ref().map(set),
        "waiting": answer.waiting.as_ref().map(set),
    })
}

fn activation(answer: &DescribePolicySetResponse) -> &'static str {
    if answer.by_approval {
        "approval"
    } else {
        "reload"
    }
}

fn show(answer: &DescribePolicySetResponse) {
    screen::field("deciding", &answer.deciding);
    screen::field("in entries", &answer.policy);
    screen::field("activation", activation(answer));
    if let Some(set) = &answer.active {
        screen::field("approved by", nobody(&set.approved_by));
    }
    if let Some(set) = &answer.waiting {
        screen::field("waiting", &set.digest);
        screen::field("put up by", nobody(&set.proposed_by));
        screen::field("at", &set.proposed_at);
    }
}

fn nobody(unit: &str) -> &str {
    if unit.is_empty() { "no unit" } else { unit }
}
