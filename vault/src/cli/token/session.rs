//! The client with its proof, where tokens and values come from, and how answers are shown.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use api::v1::{ItemError, TokenDone};
use api::{TokensClient, UnitProof};
use serde_json::{Value, json};

use super::Options;
use crate::cli::key::words::read;
use crate::cli::screen;
use crate::model::Timestamp;

/// A client with its proof, and what each of its requests says.
pub(super) struct Session {
    pub(super) client: TokensClient,
    proof: Option<UnitProof>,
    pub(super) domain: String,
    pub(super) purpose: String,
    /// The same in words.
    pub(super) reason: Option<String>,
    pub(super) json: bool,
}

impl Session {
    /// Prepares the client; it connects with its first call.
    pub(super) fn open(options: &Options) -> anyhow::Result<Self> {
        let (settings, proof) = options.connection.settings()?;
        let purpose = options.purpose.clone();
        Ok(Self {
            client: TokensClient::new(&settings)?,
            proof,
            domain: options.domain.clone(),
            purpose: purpose.context("state the purpose with --purpose: the ledger keeps it")?,
            reason: options.because.read()?,
            json: options.json,
        })
    }

    pub(super) fn proof(&self) -> Option<&UnitProof> {
        self.proof.as_ref()
    }

    /// What came of each token, and in which entry. One that was not done makes the exit code 1.
    pub(super) fn each<T>(
        &self,
        tokens: &[String],
        (items, entry): (Vec<T>, u64),
        read: impl Fn(T) -> Result<(String, Value), ItemError>,
    ) -> anyhow::Result<ExitCode> {
        if items.len() != tokens.len() {
            bail!("the vault's answer has another number of items than were asked for");
        }
        let mut failed = 0;
        let mut shown = Vec::with_capacity(items.len());
        for (token, item) in tokens.iter().zip(items) {
            let (text, mut document) = match read(item) {
                Ok((text, document)) => (format!("{token}  {text}"), document),
                Err(error) => {
                    failed += 1;
                    let document =
                        json!({ "error": { "code": error.code, "detail": error.detail } });
                    (
                        format!("{token}  {}: {}", error.code, error.detail),
                        document,
                    )
                }
            };
            if self.json {
                document["asked"] = json!(token);
                shown.push(document);
            } else {
                screen::line(&text);
            }
        }
        if self.json {
            screen::line(&json!({ "items": shown, "entry": entry }).to_string());
        } else {
            let done = tokens.len() - failed;
            screen::quiet(&format!("{done} done, {failed} not (entry {entry})"));
        }
        Ok(if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// The same, where an item that was done has nothing to say.
    pub(super) fn done(
        &self,
        tokens: &[String],
        answer: (Vec<TokenDone>, u64),
    ) -> anyhow::Result<ExitCode> {
        self.each(tokens, answer, |item| match item.error {
            None => Ok(("done".to_owned(), json!({}))),
            Some(error) => Err(error),
        })
    }
}

/// Where tokens come from.
#[derive(clap::Args)]
pub(super) struct Tokens {
    /// A file with one token a line; standard input if not said.
    file: Option<PathBuf>,
}

impl Tokens {
    pub(super) fn of(file: PathBuf) -> Self {
        Self { file: Some(file) }
    }

    /// The tokens. An empty line is none.
    pub(super) fn read(&self) -> anyhow::Result<Vec<String>> {
        let text = text(self.file.as_deref())?;
        let tokens: Vec<String> = text
            .lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        if tokens.is_empty() {
            bail!("there are no tokens: write one a line");
        }
        Ok(tokens)
    }
}

/// A file's text, or that of standard input.
fn text(file: Option<&Path>) -> anyhow::Result<String> {
    let text = String::from_utf8(read(file)?);
    text.context("what was read is not UTF-8: tokens, values and subjects are text")
}

/// One line of a file: a value or a subject, without the end of the line.
pub(super) fn one_line(file: Option<&Path>) -> anyhow::Result<String> {
    let text = text(file)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.contains('\n') {
        bail!("one line is needed, and no other");
    }
    Ok(line.to_owned())
}

/// RFC 3339, in UTC.
pub(super) fn instant(us: u64) -> String {
    Timestamp(us).rfc3339()
}

/// Reads an instant of RFC 3339, in microseconds.
pub(super) fn instant_us(text: &str) -> Result<u64, String> {
    let wrong = "write an instant as in 2026-01-31T00:00:00Z (RFC 3339), from 1970 on";
    let time = Timestamp::from_rfc3339(text).ok_or_else(|| wrong.to_owned())?;
    Ok(time.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("value");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            one_line(Some(&file)).ok()
        };
        for text in ["A123456789", "A123456789\n", "A123456789\r\n"] {
            assert_eq!(read(text).as_deref(), Some("A123456789"));
        }
        assert_eq!(read(" a b ").as_deref(), Some(" a b "));
        assert!(read("").is_none() && read("\n").is_none() && read("a\nb\n").is_none());
    }
}
