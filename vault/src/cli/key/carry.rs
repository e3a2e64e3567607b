//! `jinku key import-parameters`, `import`, `backup`, `restore`, `reseal`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use api::v1::{ImportKeyRequest, ResealValuesRequest, RestoreKeyRequest};
use clap::Subcommand;
use serde_json::json;

use super::connection::{Form, Session, code, refused};
use super::show;
use super::words::{read, vacant, write_new};
use crate::cli::screen;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Get the public key to wrap material under, and the ticket to bring it in with.
    ImportParameters {
        /// Id or alias of a key made with --external.
        name: String,
        /// Write the wrapping key here, PEM; a new file.
        #[arg(long, value_name = "FILE")]
        public_key: PathBuf,
        /// Write the ticket here; a new file for your eyes only.
        #[arg(long, value_name = "FILE")]
        ticket_file: PathBuf,
    },
    /// Bring wrapped material in, as the key's next version.
    Import {
        /// Id or alias.
        name: String,
        /// The material, wrapped under the wrapping key.
        #[arg(long, value_name = "FILE")]
        wrapped: PathBuf,
        /// The ticket that came with the wrapping key.
        #[arg(long, value_name = "FILE")]
        ticket_file: PathBuf,
    },
    /// Save a key as a backup. It opens under the same root key only.
    Backup {
        /// Id or alias.
        name: String,
        /// A new file for your eyes only.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Bring a key back from its backup. It comes back suspended.
    Restore {
        /// The backup.
        file: PathBuf,
    },
    /// Move all stored values to the newest version of one of the vault's own keys.
    Reseal(Reseal),
}

#[derive(clap::Args)]
pub(super) struct Reseal {
    /// The key, for example `value.city`.
    name: String,
    /// Rows of one step: 1 to 10,000. Each step is one ledger entry.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    step_rows: u32,
}

pub(super) async fn run(verb: Verb, session: &Session) -> anyhow::Result<ExitCode> {
    let (client, proof) = (&session.client, session.proof());
    match verb {
        Verb::ImportParameters {
            name,
            public_key,
            ticket_file,
        } => import_parameters(session, name, public_key, ticket_file).await?,
        Verb::Import {
            name,
            wrapped,
            ticket_file,
        } => {
            let request = ImportKeyRequest {
                key: name,
                ticket: read(Some(&ticket_file))?,
                wrapped: read(Some(&wrapped))?,
                reason: session.reason.clone(),
            };
            let imported = client.import_key(request, proof).await.map_err(refused)?;
            show::answered(session, imported, "the material is in, and protects")?;
        }
        Verb::Backup { name, to } => {
            vacant(&to)?;
            let saved = client.backup_key(session.of(name), proof).await;
            let saved = saved.map_err(refused)?;
            write_new(&to, saved.backup.as_bytes())?;
            let (key, entry, file) = (saved.key, saved.entry, to.display().to_string());
            if session.form == Form::Json {
                show::document(&json!({ "key": key, "backup_file": file, "entry": entry }));
            } else {
                screen::good(&format!("the key's backup is in {file} (entry {entry})"));
            }
        }
        Verb::Restore { file } => {
            let backup = String::from_utf8(read(Some(&file))?).ok();
            let backup = backup.context("the file is no backup: it is not text")?;
            let reason = session.reason.clone();
            let request = RestoreKeyRequest { backup, reason };
            let restored = client.restore_key(request, proof).await;
            let done = "the key is back, and off: enable it to use it";
            show::answered(session, restored.map_err(refused)?, done)?;
        }
        Verb::Reseal(reseal) => reseal.run(session).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn import_parameters(
    session: &Session,
    key: String,
    public_key: PathBuf,
    ticket_file: PathBuf,
) -> anyhow::Result<()> {
    vacant(&public_key)?;
    vacant(&ticket_file)?;
    let request = session.of(key);
    let given = session
        .client
        .import_parameters(request, session.proof())
        .await;
    let given = given.map_err(refused)?;
    write_new(&public_key, given.public_key_pem.as_bytes())?;
    write_new(&ticket_file, &given.ticket)?;
    let until = show::instant(given.expires_at_us);
    if session.form == Form::Json {
        show::document(&json!({
            "key": given.key,
            "algorithm": given.algorithm,
            "public_key_file": public_key.display().to_string(),
            "ticket_file": ticket_file.display().to_string(),
            "expires_at": until,
            "entry": given.entry,
        }));
        return Ok(());
    }
    let (file, entry) = (public_key.display(), given.entry);
    screen::good(&format!(
        "wrap the material under {file} until {until} (entry {entry})"
    ));
    screen::quiet(&format!(
        "{}: an AES-256 key of your own, encrypted by RSA-OAEP with SHA-256, then the material, \
         wrapped by that AES key (RFC 5649); one after the other",
        given.algorithm
    ));
    Ok(())
}

/// Times in a row that a step may meet a row that a request is changing.
const OUTRUN_MAX: u32 = 20;

impl Reseal {
    /// Step by step, until no row is under another version.
    async fn run(self, session: &Session) -> anyhow::Result<()> {
        let started = Instant::now();
        let (mut place, mut moved, mut moved_this_pass, mut outrun) = (0, 0_u64, 0_u64, 0);
        let (remaining, entry) = loop {
            let request = ResealValuesRequest {
                key: self.name.clone(),
                place,
                limit: self.step_rows,
                reason: session.reason.clone(),
            };
            let step = match session.client.reseal_values(request, session.proof()).await {
                Err(error) if outrun < OUTRUN_MAX && may_repeat(code(&error).as_deref()) => {
                    outrun += 1;
                    continue;
                }
                step => step.map_err(refused)?,
            };
            outrun = 0;
            moved += step.moved;
            moved_this_pass += step.moved;
            if session.form == Form::Text {
                screen::progress(&line(moved, step.remaining, started));
            }
            match step.next {
                Some(next) => place = next,
                // The end of the table: rows that came meanwhile are under the newest version.
                None if step.remaining == 0 || moved_this_pass == 0 => {
                    break (step.remaining, step.entry);
                }
                None => (place, moved_this_pass) = (0, 0),
            }
        };
        if remaining > 0 {
            bail!("{remaining} rows did not move: show the key, and run this again");
        }
        if session.form == Form::Json {
            let name = self.name;
            show::document(&json!({
                "key": name, "moved": moved, "remaining": remaining, "entry": entry,
            }));
        } else {
            screen::progress_ends();
            screen::good(&format!(
                "{moved} rows moved, none is under an older version (last entry {entry})"
            ));
        }
        Ok(())
    }
}

/// Whether another request came first, and the step changed nothing.
fn may_repeat(code: Option<&str>) -> bool {
    matches!(
        code,
        Some("key-changed" | "contended" | "overloaded" | "ledger-slow")
    )
}

fn line(moved: u64, remaining: u64, started: Instant) -> String {
    let milliseconds = started.elapsed().as_millis().max(1);
    let rate = u128::from(moved) * 1_000 / milliseconds;
    format!("{moved} rows moved, {remaining} remain, {rate} rows/s")
}
