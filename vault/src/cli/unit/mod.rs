//! `jinku unit`: a registrar's tool, for a running vault, beside a guard officer's locks.

mod carry;
mod show;
mod wish;

use std::path::PathBuf;
use std::process::ExitCode;

use api::v1::{NamedProposal, NamedUnit, SetUnitRequest};
use api::{UnitProof, UnitsClient};

use crate::cli::connection::refused;
use crate::cli::consent::Consent;
use crate::cli::{guard, screen};
use crate::engine::units::Run;

use carry::Exported;

/// Arguments of `jinku unit`.
pub(super) type Options = guard::Options<Verb>;

/// Subcommands of `jinku unit`.
#[derive(clap::Subcommand)]
pub(super) enum Verb {
    #[command(flatten)]
    Lock(guard::UnitVerb),
    /// Propose a new unit. Another unit approves it.
    Register {
        /// The unit's code.
        name: String,
        /// `KEY=VALUE`, as in a `[[unit]]` of units.toml: `clearance=public`, `groups=["city"]`. Repeat for more.
        #[arg(long, required = true, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Only say what it would take.
        #[arg(long)]
        dry_run: bool,
    },
    /// Change a unit: at once where nothing widens, by a proposal where anything does.
    Change {
        /// The unit's code.
        name: String,
        /// `KEY=VALUE`, as in a `[[unit]]` of units.toml. Repeat for more.
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// A key to take out. Repeat for more.
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
        /// Only say what it would take.
        #[arg(long)]
        dry_run: bool,
    },
    /// Approve what another unit proposes.
    Approve {
        /// The proposals' ids.
        #[arg(required = true)]
        id: Vec<String>,
    },
    /// Turn down what another unit proposes.
    Refuse {
        /// The proposals' ids.
        #[arg(required = true)]
        id: Vec<String>,
    },
    /// Take back what you proposed.
    Withdraw {
        /// The proposals' ids.
        #[arg(required = true)]
        id: Vec<String>,
    },
    /// Suspend a unit: from now on its requests are refused.
    Suspend {
        /// The unit's code.
        name: String,
    },
    /// Propose that a suspended unit acts again.
    Resume {
        /// The unit's code.
        name: String,
    },
    /// Retire a unit, for good. Its name stays taken.
    Retire {
        /// The unit's code.
        name: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// List all units.
    List,
    /// Show a unit, or a proposal by its id.
    Show {
        /// The unit's code, or the proposal's id.
        name: String,
    },
    /// List what is proposed and waits.
    Proposals,
    /// Print registered units as a units.toml.
    Export {
        /// Write it to a new file.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// With the units of the vault's own units.toml.
        #[arg(long)]
        all: bool,
    },
    /// Register or change the units of a units.toml: what differs, and nothing else.
    Import {
        /// The file.
        file: PathBuf,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
}

/// How a proposal ends without being approved.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Refused,
    Withdrawn,
}

/// A client with its proof, and whether scripts read the answers.
struct Session {
    client: UnitsClient,
    proof: Option<UnitProof>,
    reason: Option<String>,
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if let Verb::Lock(verb) = &options.verb {
        return guard::unit(options, verb);
    }
    crate::cli::runtime()?.block_on(async {
        let (settings, proof) = options.connection.settings()?;
        let session = Session {
            client: UnitsClient::new(&settings)?,
            proof,
            reason: options.because.read()?,
            json: options.json,
        };
        session.done(&options.verb).await
    })
}

impl Session {
    async fn done(&self, verb: &Verb) -> anyhow::Result<ExitCode> {
        match verb {
            // `run` has seen to it.
            Verb::Lock(_) => Ok(ExitCode::FAILURE),
            Verb::Register { name, set, dry_run } => {
                let document = wish::fresh(name, set)?;
                self.set(document, (*dry_run).into()).await
            }
            Verb::Change {
                name,
                set,
                unset,
                dry_run,
            } => {
                let now = self.described(name).await?.document;
                let document = wish::changed(&now, set, unset)?;
                self.set(document, (*dry_run).into()).await
            }
            Verb::Approve { id } => self.approve(id).await,
            Verb::Refuse { id } => self.end(id, Ending::Refused).await,
            Verb::Withdraw { id } => self.end(id, Ending::Withdrawn).await,
            Verb::Suspend { name } => {
                let acted = self
                    .client
                    .suspend_unit(self.named(name), self.proof.as_ref());
                self.acted(&acted.await.map_err(refused)?)
            }
            Verb::Resume { name } => {
                let acted = self
                    .client
                    .resume_unit(self.named(name), self.proof.as_ref());
                self.acted(&acted.await.map_err(refused)?)
            }
            Verb::Retire { name, consent } => {
                consent.given(("unit", name), "A retired unit never comes back.")?;
                let acted = self
                    .client
                    .retire_unit(self.named(name), self.proof.as_ref());
                self.acted(&acted.await.map_err(refused)?)
            }
            Verb::List => self.list().await,
            Verb::Show { name } => self.show(name).await,
            Verb::Proposals => self.list_proposals().await,
            Verb::Export { to, all } => {
                let of = if *all {
                    Exported::All
                } else {
                    Exported::Registered
                };
                self.export(to.as_deref(), of).await
            }
            Verb::Import { file, dry_run } => self.import(file, (*dry_run).into()).await,
        }
    }

    async fn set(&self, document: String, run: Run) -> anyhow::Result<ExitCode> {
        let dry_run = run == Run::Dry;
        let request = SetUnitRequest {
            document,
            dry_run,
            reason: self.reason.clone(),
        };
        let acted = self.client.set_unit(request, self.proof.as_ref());
        self.acted(&acted.await.map_err(refused)?)
    }

    async fn approve(&self, ids: &[String]) -> anyhow::Result<ExitCode> {
        for id in ids {
            let acted = self
                .client
                .approve_unit(self.proposal(id), self.proof.as_ref());
            self.acted(&acted.await.map_err(refused)?)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn end(&self, ids: &[String], ending: Ending) -> anyhow::Result<ExitCode> {
        for id in ids {
            let proof = self.proof.as_ref();
            let ended = if ending == Ending::Refused {
                self.client.refuse_unit(self.proposal(id), proof).await
            } else {
                self.client.withdraw_unit(self.proposal(id), proof).await
            };
            let entry = ended.map_err(refused)?.entry;
            if self.json {
                screen::line(&serde_json::json!({ "id": id, "entry": entry }).to_string());
            } else {
                screen::good(&format!("{id} waits no longer (entry {entry})"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Session {
    fn named(&self, unit: &str) -> NamedUnit {
        NamedUnit {
            unit: unit.to_owned(),
            reason: self.reason.clone(),
        }
    }

    fn proposal(&self, id: &str) -> NamedProposal {
        NamedProposal {
            id: id.to_owned(),
            reason: self.reason.clone(),
        }
    }
}
