//! What all verbs that use a key share: where input comes from, why, and where the answer goes.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use api::v1::ItemError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::connection::{Form, Session};
use super::show::document;
use super::words::{Pair, deliver, pair, read, vacant, write_new};

#[derive(clap::Args)]
pub(super) struct Input {
    /// The file; standard input if not said.
    file: Option<PathBuf>,
}

impl Input {
    pub(super) fn read(&self) -> anyhow::Result<Vec<u8>> {
        read(self.file.as_deref())
    }
}

#[derive(clap::Args)]
pub(super) struct Belonging {
    /// What the ciphertext belongs to: it opens with the same pairs only. Repeat for more.
    #[arg(long, value_parser = pair, value_name = "NAME=VALUE")]
    pub(super) context: Vec<Pair>,
}

#[derive(clap::Args)]
pub(super) struct Act {
    /// Why: policies may decide on it, and the ledger keeps it.
    #[arg(long)]
    pub(super) purpose: Option<String>,
    /// Write the answer here instead of standard output; a new file for your eyes only.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(super) struct Check {
    /// Why: policies may decide on it, and the ledger keeps it.
    #[arg(long)]
    pub(super) purpose: Option<String>,
    /// The version that made it; the current one if not said.
    #[arg(long)]
    pub(super) version: Option<u32>,
}

impl Act {
    /// Before the vault does anything: the answer will have a place.
    pub(super) fn ready(&self) -> anyhow::Result<()> {
        self.out.as_deref().map_or(Ok(()), vacant)
    }

    pub(super) fn purpose(&self) -> String {
        self.purpose.clone().unwrap_or_default()
    }

    /// Bytes go to the file, or to standard output; with `--json`, base64 goes there.
    pub(super) fn give(
        &self,
        session: &Session,
        key: &str,
        (what, bytes, version): (&str, Vec<u8>, u32),
        entry: u64,
    ) -> anyhow::Result<ExitCode> {
        match (&self.out, session.form) {
            (None, Form::Json) => {
                let text = STANDARD.encode(&bytes);
                document(&json!({ what: text, "version": version, "key": key, "entry": entry }));
            }
            (Some(file), Form::Json) => {
                write_new(file, &bytes)?;
                let name = file.display().to_string();
                document(&json!({ "file": name, "version": version, "key": key, "entry": entry }));
            }
            (out, Form::Text) => deliver(&bytes, out.as_ref(), entry)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn only<T>(items: Vec<T>) -> anyhow::Result<T> {
    items
        .into_iter()
        .next()
        .context("the vault's answer is empty")
}

pub(super) fn failed(error: &ItemError) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", error.code, error.detail)
}

pub(super) fn unknown() -> anyhow::Error {
    anyhow::anyhow!("the vault's answer is of another version of the contract: use its own `jinku`")
}
