//! `jinku token purge`, `search`, `reindex`: acts that find their tokens themselves.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use api::v1::purge_tokens_request::Age;
use api::v1::{PurgeTokensRequest, ReindexTokensRequest, SearchRequest};
use clap::Subcommand;
use serde_json::json;

use super::session::{Session, instant_us, one_line};
use crate::cli::connection::refused;
use crate::cli::consent::Consent;
use crate::cli::screen;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Remove tokens by their age for good, or count them.
    Purge(Purge),
    /// Find the tokens of exactly one value.
    Search {
        /// A file with one line, the value; standard input if not said.
        file: Option<PathBuf>,
        /// What the value is.
        #[arg(long)]
        class: String,
    },
    /// Index a class's values anew, after its normal form was changed.
    Reindex {
        /// The class.
        #[arg(long)]
        class: String,
        /// Tokens of one step: 1 to 10,000. Each step is one ledger entry.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        step_rows: u32,
    },
}

#[derive(clap::Args)]
#[group(id = "age", required = true, multiple = false, args = ["created_before", "expired_before"])]
pub(super) struct Purge {
    /// Tokens that were issued before this instant, for example 2020-01-01T00:00:00Z.
    #[arg(long, value_parser = instant_us, value_name = "INSTANT")]
    created_before: Option<u64>,
    /// Tokens whose time was over before this instant.
    #[arg(long, value_parser = instant_us, value_name = "INSTANT")]
    expired_before: Option<u64>,
    /// Of one class; of all that you may purge if not said.
    #[arg(long)]
    class: Option<String>,
    /// Count them only.
    #[arg(long)]
    dry_run: bool,
    /// Tokens of one step: 1 to 10,000. Each step is one ledger entry.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    step_rows: u32,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn run(verb: Verb, session: &Session) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Purge(purge) => purge.run(session).await?,
        Verb::Search { file, class } => {
            let request = SearchRequest {
                domain: session.domain.clone(),
                purpose: session.purpose.clone(),
                class,
                value: one_line(file.as_deref())?,
            };
            let found = session.client.search(request, session.proof()).await;
            let found = found.map_err(refused)?;
            let (tokens, more, entry) = (found.tokens, found.more, found.entry);
            if session.json {
                let answer = json!({ "tokens": tokens, "more": more, "entry": entry });
                screen::line(&answer.to_string());
                return Ok(ExitCode::SUCCESS);
            }
            for token in &tokens {
                screen::line(token);
            }
            let rest = if more { ", and there may be more" } else { "" };
            screen::quiet(&format!("{} found{rest} (entry {entry})", tokens.len()));
        }
        Verb::Reindex { class, step_rows } => reindex(session, class, step_rows).await?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Purge {
    async fn run(self, session: &Session) -> anyhow::Result<()> {
        let age = match (self.created_before, self.expired_before) {
            (Some(us), None) => Age::CreatedBeforeUs(us),
            (None, Some(us)) => Age::ExpiredBeforeUs(us),
            _ => bail!("name --created-before or --expired-before"),
        };
        if !self.dry_run {
            let act =
                "These tokens and their values will be gone for good: no backup brings them back.";
            self.consent.given(("domain", &session.domain), act)?;
        }
        let (mut place, mut steps) = (0, 0_u64);
        let (mut matching, mut held, mut purged) = (0, 0, 0);
        let mut entries = (0, 0);
        loop {
            let request = PurgeTokensRequest {
                domain: session.domain.clone(),
                purpose: session.purpose.clone(),
                class: self.class.clone(),
                age: Some(age),
                dry_run: self.dry_run,
                place,
                limit: self.step_rows,
                reason: session.reason.clone(),
            };
            let step = session.client.purge_tokens(request, session.proof()).await;
            let step = step.map_err(|error| {
                refused(error).context(format!(
                    "{purged} tokens are gone so far; say it again to go on"
                ))
            })?;
            matching += step.matching;
            held += step.held;
            purged += step.purged;
            entries = (if steps == 0 { step.entry } else { entries.0 }, step.entry);
            steps += 1;
            let Some(next) = step.next else { break };
            place = next;
            screen::progress(&format!("{matching} so old, {purged} gone"));
        }
        let (first, last) = entries;
        if session.json {
            let answer = json!({
                "matching": matching, "held": held, "purged": purged, "dry_run": self.dry_run,
                "steps": steps, "first_entry": first, "last_entry": last,
            });
            screen::line(&answer.to_string());
        } else {
            let gone = if self.dry_run {
                "nothing was done".to_owned()
            } else {
                format!("{purged} gone")
            };
            let line = format!(
                "{matching} so old, {held} of them held, {gone} (entries {first} to {last})"
            );
            screen::good(&line);
        }
        Ok(())
    }
}

async fn reindex(session: &Session, class: String, limit: u32) -> anyhow::Result<()> {
    let (mut place, mut moved) = (0, 0);
    loop {
        let request = ReindexTokensRequest {
            domain: session.domain.clone(),
            purpose: session.purpose.clone(),
            class: class.clone(),
            place,
            limit,
            reason: session.reason.clone(),
        };
        let step = session
            .client
            .reindex_tokens(request, session.proof())
            .await;
        let step = step.map_err(refused)?;
        moved += step.moved;
        if let Some(next) = step.next {
            place = next;
            screen::progress(&format!("{moved} indexed anew"));
            continue;
        }
        let remaining = step.remaining.unwrap_or_default();
        if session.json {
            let answer =
                json!({ "moved": moved, "remaining": remaining, "last_entry": step.entry });
            screen::line(&answer.to_string());
        } else {
            screen::good(&format!(
                "{moved} indexed anew, {remaining} left (entry {})",
                step.entry
            ));
        }
        if remaining > 0 {
            bail!(
                "{remaining} tokens are left: new ones came meanwhile, or their values don't open; say it again"
            );
        }
        return Ok(());
    }
}
