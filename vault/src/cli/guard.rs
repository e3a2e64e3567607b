//! `jinku unit lock`, `jinku honeytoken`, `jinku grant`: a guard officer's tools, for a running vault.

use std::process::ExitCode;

use anyhow::Context;
use api::v1::{
    Grant, GrantRequest, GrantResponse, PlantHoneytokensRequest, RequestGrantRequest, UnitRequest,
};
use api::{GuardClient, UnitProof};
use serde_json::json;

use super::connection::{Connection, refused};
use super::reason::Because;
use super::screen;

/// Arguments of all three.
#[derive(clap::Args)]
pub(super) struct Options<V: clap::Subcommand> {
    #[command(flatten)]
    pub(super) connection: Connection,
    /// Answer in JSON, for scripts.
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) because: Because,
    #[command(subcommand)]
    pub(super) verb: V,
}

/// Those subcommands of `jinku unit` that are a guard officer's.
#[derive(clap::Subcommand)]
pub(super) enum UnitVerb {
    /// Lock a unit out: from now on its requests are refused.
    Lock {
        /// The unit's code.
        name: String,
    },
    /// Let a locked unit in again.
    Unlock {
        /// The unit's code.
        name: String,
    },
}

/// Subcommands of `jinku honeytoken`.
#[derive(clap::Subcommand)]
pub(super) enum HoneytokenVerb {
    /// Plant tokens of made-up values, and print them: put them where only a thief looks.
    Plant {
        /// The token domain.
        #[arg(long)]
        domain: String,
        /// The data class. Of classes of kind `text` nothing plausible can be made up.
        #[arg(long)]
        class: String,
        /// How many.
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// Lock a unit out that presents one.
        #[arg(long)]
        lock: bool,
    },
}

/// Subcommands of `jinku grant`.
#[derive(clap::Subcommand)]
pub(super) enum GrantVerb {
    /// Ask for a grant, for your unit.
    Request {
        /// The token domain.
        #[arg(long)]
        domain: String,
        /// The purpose that the values will be asked for with.
        #[arg(long)]
        purpose: String,
        /// A data class. Repeat for more.
        #[arg(long, required = true)]
        class: Vec<String>,
        /// How many values.
        #[arg(long)]
        values: u64,
        /// For how long from the last approval on, in seconds.
        #[arg(long, default_value_t = 3_600)]
        ttl_seconds: u32,
    },
    /// Approve another unit's grant.
    Approve {
        /// Its id.
        id: String,
    },
    /// Take a grant back, for good.
    Revoke {
        /// Its id.
        id: String,
    },
    /// Show a grant's terms and state.
    Show {
        /// Its id.
        id: String,
    },
}

/// A client with its proof, and whether scripts read the answers.
struct Session {
    client: GuardClient,
    proof: Option<UnitProof>,
    reason: Option<String>,
    json: bool,
}

impl Session {
    fn open<V: clap::Subcommand>(options: &Options<V>) -> anyhow::Result<Self> {
        let (settings, proof) = options.connection.settings()?;
        Ok(Self {
            client: GuardClient::new(&settings)?,
            proof,
            reason: options.because.read()?,
            json: options.json,
        })
    }

    /// An answer for scripts, or the same for people.
    fn say(&self, document: &serde_json::Value, text: impl FnOnce()) -> ExitCode {
        if self.json {
            screen::line(&document.to_string());
        } else {
            text();
        }
        ExitCode::SUCCESS
    }
}

pub(super) fn unit<V: clap::Subcommand>(
    options: &Options<V>,
    verb: &UnitVerb,
) -> anyhow::Result<ExitCode> {
    super::runtime()?.block_on(async {
        let session = Session::open(options)?;
        let (client, proof) = (&session.client, session.proof.as_ref());
        let request = |unit: &String| UnitRequest {
            unit: unit.clone(),
            reason: session.reason.clone(),
        };
        let (name, answer) = match verb {
            UnitVerb::Lock { name } => (name, client.lock_unit(request(name), proof).await),
            UnitVerb::Unlock { name } => (name, client.unlock_unit(request(name), proof).await),
        };
        let answer = answer.map_err(refused)?;
        let document = json!({ "unit": name, "locked": answer.locked, "entry": answer.entry });
        Ok(session.say(&document, || {
            let state = if answer.locked {
                "locked"
            } else {
                "not locked"
            };
            screen::good(&format!("`{name}` is {state} (entry {})", answer.entry));
        }))
    })
}

pub(super) fn honeytoken(options: &Options<HoneytokenVerb>) -> anyhow::Result<ExitCode> {
    let HoneytokenVerb::Plant {
        domain,
        class,
        count,
        lock,
    } = &options.verb;
    super::runtime()?.block_on(async {
        let session = Session::open(options)?;
        let request = PlantHoneytokensRequest {
            domain: domain.clone(),
            class: class.clone(),
            count: *count,
            lock: *lock,
            reason: session.reason.clone(),
        };
        let answer = session
            .client
            .plant_honeytokens(request, session.proof.as_ref());
        let answer = answer.await.map_err(refused)?;
        let document = json!({ "tokens": answer.tokens, "entry": answer.entry });
        Ok(session.say(&document, || {
            for token in &answer.tokens {
                screen::line(token);
            }
        }))
    })
}

pub(super) fn grant(options: &Options<GrantVerb>) -> anyhow::Result<ExitCode> {
    super::runtime()?.block_on(async {
        let session = Session::open(options)?;
        let (client, proof) = (&session.client, session.proof.as_ref());
        let named = |id: &String| GrantRequest {
            id: id.clone(),
            reason: session.reason.clone(),
        };
        let answer = match &options.verb {
            GrantVerb::Request {
                domain,
                purpose,
                class,
                values,
                ttl_seconds,
            } => {
                let request = RequestGrantRequest {
                    domain: domain.clone(),
                    purpose: purpose.clone(),
                    classes: class.clone(),
                    values_max: *values,
                    ttl_seconds: *ttl_seconds,
                    reason: session.reason.clone(),
                };
                client.request_grant(request, proof).await
            }
            GrantVerb::Approve { id } => client.approve_grant(named(id), proof).await,
            GrantVerb::Revoke { id } => client.revoke_grant(named(id), proof).await,
            GrantVerb::Show { id } => client.describe_grant(named(id), proof).await,
        };
        shown(&session, answer.map_err(refused)?)
    })
}

fn shown(session: &Session, answer: GrantResponse) -> anyhow::Result<ExitCode> {
    let grant = answer.grant.context("the vault's answer is empty")?;
    let document = json!({
        "id": grant.id, "unit": grant.unit, "domain": grant.domain, "purpose": grant.purpose,
        "classes": grant.classes, "values_max": grant.values_max, "values_spent": grant.values_spent,
        "ttl_seconds": grant.ttl_seconds, "state": grant.state,
        "approvals_needed": grant.approvals_needed, "approved_by": grant.approved_by,
        "ends_at": grant.ends_at, "entry": answer.entry,
    });
    Ok(session.say(&document, || for_people(&grant)))
}

fn for_people(grant: &Grant) {
    screen::field("grant", &grant.id);
    screen::field("state", &grant.state);
    screen::field("unit", &grant.unit);
    screen::field("domain", &grant.domain);
    screen::field("purpose", &grant.purpose);
    screen::field("classes", &grant.classes.join(", "));
    let (spent, most) = (grant.values_spent, grant.values_max);
    screen::field("values", &format!("{spent} of {most} spent"));
    let (by, needed) = (grant.approved_by.join(", "), grant.approvals_needed);
    screen::field(
        "approvals",
        &format!("{} of {needed} {by}", grant.approved_by.len()),
    );
    if grant.ends_at.is_empty() {
        screen::field("time", &format!("{} s once approved", grant.ttl_seconds));
    } else {
        screen::field("ends", &grant.ends_at);
    }
}
