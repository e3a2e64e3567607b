//! `jinku key create`, `list`, `show`, `set`, `enable`, `disable`, `rotate`, `compromise`,
//! `destroy-version`, `schedule-deletion`, `cancel-deletion`.

use std::process::ExitCode;

use api::ClientError;
use api::v1::{
    Aliases, CreateKeyRequest, KeyRequest, KeyResponse, KeyVersionRequest, ListKeysRequest,
    ScheduleKeyDeletionRequest, SetKeyRequest, Tags,
};
use clap::Subcommand;
use serde_json::json;

use super::connection::{Form, Session, refused};
use super::show;
use super::words::{Pair, pair, pairs, period};
use crate::cli::consent::Consent;
use crate::cli::screen;

/// Keys of a page, so that a long list begins at once.
const PAGE_KEYS: u32 = 200;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Make a key. It belongs to your unit.
    Create(Create),
    /// List keys.
    List,
    /// Show a key and its versions.
    Show {
        /// Id or alias.
        name: String,
    },
    /// Change a key's names, tags, description, schedule or lowest version.
    Set(Set),
    /// Switch a suspended key on.
    Enable {
        /// Id or alias.
        name: String,
    },
    /// Switch a key off, at once.
    Disable {
        /// Id or alias.
        name: String,
    },
    /// Give a key a new version, which protects from now on. Older ones open.
    Rotate {
        /// Id or alias.
        name: String,
    },
    /// Declare a version compromised. The current one is replaced first.
    Compromise {
        /// Id or alias.
        name: String,
        /// Which version.
        #[arg(long)]
        version: u32,
    },
    /// Destroy an older version for good: one below the key's lowest version, that nothing needs.
    DestroyVersion {
        /// Id or alias.
        name: String,
        /// Which version.
        #[arg(long)]
        version: u32,
        #[command(flatten)]
        consent: Consent,
    },
    /// Retire a key now, and destroy it after a waiting period.
    ScheduleDeletion {
        /// Id or alias.
        name: String,
        /// The waiting period, for example 30d.
        #[arg(long, value_parser = period, value_name = "PERIOD")]
        waiting: u64,
        #[command(flatten)]
        consent: Consent,
    },
    /// Call a key's destruction off. The key is suspended then.
    CancelDeletion {
        /// Id or alias.
        name: String,
    },
}

#[derive(clap::Args)]
pub(super) struct Create {
    /// aes-256, hmac-sha-256, hmac-sha-384, hmac-sha-512, ed25519, ecdsa-p256, jwe-dir or jwe-a256kw.
    kind: String,
    /// A first other name.
    #[arg(long)]
    alias: Option<String>,
    /// For people.
    #[arg(long)]
    description: Option<String>,
    /// A tag, which policies may decide on. Repeat for more.
    #[arg(long = "tag", value_parser = pair, value_name = "NAME=VALUE")]
    tags: Vec<Pair>,
    /// Rotate by itself this often, for example 90d.
    #[arg(long, value_parser = period, value_name = "PERIOD")]
    rotation: Option<u64>,
    /// The material will be imported.
    #[arg(long)]
    external: bool,
}

#[derive(clap::Args)]
pub(super) struct Set {
    /// Id or alias.
    name: String,
    /// For people.
    #[arg(long)]
    description: Option<String>,
    /// Add an alias. Repeat for more.
    #[arg(long = "alias", value_name = "ALIAS")]
    aliases: Vec<String>,
    /// Take an alias away.
    #[arg(long = "remove-alias", value_name = "ALIAS")]
    removed_aliases: Vec<String>,
    /// Add or change a tag. Repeat for more.
    #[arg(long = "tag", value_parser = pair, value_name = "NAME=VALUE")]
    tags: Vec<Pair>,
    /// Take a tag away.
    #[arg(long = "remove-tag", value_name = "NAME")]
    removed_tags: Vec<String>,
    /// Rotate by itself this often; 0s for never.
    #[arg(long, value_parser = period, value_name = "PERIOD")]
    rotation: Option<u64>,
    /// The lowest version that opens and verifies.
    #[arg(long, value_name = "VERSION")]
    open_from: Option<u32>,
    /// Change the key only if it is at this revision still, as `show` told it.
    #[arg(long)]
    revision: Option<u64>,
}

pub(super) async fn run(verb: Verb, session: &Session) -> anyhow::Result<ExitCode> {
    let (client, proof) = (&session.client, session.proof());
    let (answer, done) = match verb {
        Verb::Create(create) => (create.sent(session).await?, "the key is made"),
        Verb::List => return list(session).await,
        Verb::Show { name } => (client.describe_key(session.of(name), proof).await, ""),
        Verb::Set(set) => (set.sent(session).await?, "the key is changed"),
        Verb::Enable { name } => (
            client.enable_key(session.of(name), proof).await,
            "the key is on",
        ),
        Verb::Disable { name } => (
            client.disable_key(session.of(name), proof).await,
            "the key is off",
        ),
        Verb::Rotate { name } => {
            let rotated = client.rotate_key(session.of(name), proof).await;
            (rotated, "a new version protects")
        }
        Verb::Compromise { name, version } => {
            let request = session.of_version(name, version);
            let declared = client.compromise_key_version(request, proof).await;
            (
                declared,
                "the version is declared compromised: move what it protects",
            )
        }
        Verb::DestroyVersion {
            name,
            version,
            consent,
        } => {
            let act = format!("Version {version} will be destroyed for good.");
            consent.given(("key", &name), &act)?;
            let request = session.of_version(name, version);
            let destroyed = client.destroy_key_version(request, proof).await;
            (destroyed, "the version is destroyed")
        }
        Verb::ScheduleDeletion {
            name,
            waiting,
            consent,
        } => {
            let act = "The key stops working now, and will be destroyed for good.";
            consent.given(("key", &name), act)?;
            let request = ScheduleKeyDeletionRequest {
                key: name,
                waiting_seconds: waiting,
                reason: session.reason.clone(),
            };
            let scheduled = client.schedule_key_deletion(request, proof).await;
            (scheduled, "the key is retired, and will be destroyed")
        }
        Verb::CancelDeletion { name } => {
            let cancelled = client.cancel_key_deletion(session.of(name), proof).await;
            (
                cancelled,
                "the destruction is called off, and the key is off: enable it to use it",
            )
        }
    };
    show::answered(session, answer.map_err(refused)?, done)?;
    Ok(ExitCode::SUCCESS)
}

impl Session {
    pub(super) fn of(&self, key: String) -> KeyRequest {
        let reason = self.reason.clone();
        KeyRequest { key, reason }
    }

    fn of_version(&self, key: String, version: u32) -> KeyVersionRequest {
        let reason = self.reason.clone();
        KeyVersionRequest {
            key,
            version,
            reason,
        }
    }
}

impl Create {
    async fn sent(self, session: &Session) -> anyhow::Result<Result<KeyResponse, ClientError>> {
        let origin = if self.external { "external" } else { "vault" };
        let request = CreateKeyRequest {
            kind: self.kind,
            origin: origin.to_owned(),
            alias: self.alias.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            tags: pairs(&self.tags)?,
            rotation_seconds: self.rotation,
            reason: session.reason.clone(),
        };
        Ok(session.client.create_key(request, session.proof()).await)
    }
}

impl Set {
    /// Reads what stands, and changes what was asked for: the vault takes all aliases or tags at once.
    async fn sent(self, session: &Session) -> anyhow::Result<Result<KeyResponse, ClientError>> {
        let (added, changed) = (self.aliases, pairs(&self.tags)?);
        let names = !added.is_empty() || !self.removed_aliases.is_empty();
        let labels = !changed.is_empty() || !self.removed_tags.is_empty();
        let mut request = SetKeyRequest {
            key: self.name.clone(),
            description: self.description,
            rotation_seconds: self.rotation,
            open_from: self.open_from,
            revision: self.revision,
            reason: session.reason.clone(),
            ..SetKeyRequest::default()
        };
        if names || labels {
            let name = KeyRequest {
                key: self.name,
                reason: None,
            };
            let read = session.client.describe_key(name, session.proof()).await;
            let key = read.map_err(refused)?.key.unwrap_or_default();
            request.key = key.id;
            // What was read is what is changed: another officer's change in between is not undone.
            request.revision = self.revision.or(Some(key.revision));
            if names {
                let mut all = key.aliases;
                all.extend(added);
                all.retain(|alias| !self.removed_aliases.contains(alias));
                request.aliases = Some(Aliases { names: all });
            }
            if labels {
                let mut pairs = key.tags;
                pairs.extend(changed);
                pairs.retain(|name, _| !self.removed_tags.contains(name));
                request.tags = Some(Tags { pairs });
            }
        }
        Ok(session.client.set_key(request, session.proof()).await)
    }
}

/// Pages are shown as they come. As JSON, each line is one key.
async fn list(session: &Session) -> anyhow::Result<ExitCode> {
    let mut after = String::new();
    let mut heading = Some(show::HEADING).filter(|_| session.form == Form::Text);
    loop {
        let request = ListKeysRequest {
            after,
            limit: Some(PAGE_KEYS),
        };
        let page = session.client.list_keys(request, session.proof()).await;
        let page = page.map_err(refused)?;
        if let Some(heading) = heading.take() {
            screen::line(heading);
        }
        for key in &page.keys {
            if session.form == Form::Json {
                show::document(&json!({ "key": show::of_key(key), "entry": page.entry }));
            } else {
                screen::line(&show::row(key));
            }
        }
        after = page.next;
        if after.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}
