//! `jinku token erase`. Tokens and subjects are read from files: none stands on the command line.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use api::v1::{EraseTokensRequest, EraseTokensResponse, ErasedItem};
use serde_json::json;

use super::session::Session;
use crate::cli::connection::refused;
use crate::cli::key::words::{read, vacant, write_new};
use crate::cli::screen;

#[derive(clap::Args)]
pub(super) struct Erase {
    /// A file of tokens, one a line; `-` is standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "subject_file")]
    tokens_file: Option<PathBuf>,
    /// A file with one subject, as it was given when values were tokenized: all that is about it goes.
    #[arg(long, value_name = "FILE", conflicts_with = "tokens_file")]
    subject_file: Option<PathBuf>,
    /// Put the certificate, which is the receipt of the entry, here: a new file.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Do not ask: for scripts.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(erase: Erase, session: &Session) -> anyhow::Result<ExitCode> {
    if let Some(file) = &erase.receipt {
        vacant(file)?;
    }
    let request = erase.request(session)?;
    erase.consented(&request)?;
    let answer = session.client.erase_tokens(request, session.proof()).await;
    let answer = answer.map_err(refused)?;
    if let (Some(file), Some(text)) = (&erase.receipt, &answer.certificate) {
        write_new(file, text.as_bytes())?;
    }
    shown(&erase, &answer, session);
    // As for other acts: what was asked for and not done makes the exit code 1.
    let done = answer.items().all(|item| item == ErasedItem::Erased);
    Ok(if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Erase {
    fn request(&self, session: &Session) -> anyhow::Result<EraseTokensRequest> {
        let text = |file: &Path| {
            String::from_utf8(read(Some(file))?)
                .with_context(|| format!("`{}` is not UTF-8", file.display()))
        };
        let tokens = self.tokens_file.as_deref().map(text).transpose()?;
        let tokens = tokens.as_deref().unwrap_or_default().lines();
        let subject = self.subject_file.as_deref().map(text).transpose()?;
        Ok(EraseTokensRequest {
            domain: session.domain.clone(),
            purpose: session.purpose.clone(),
            tokens: tokens
                .map(|line| line.trim_end_matches('\r').to_owned())
                .filter(|line| !line.is_empty())
                .collect(),
            subject: subject.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()),
        })
    }

    /// Whoever is at the terminal types a word; a script has said `--yes`.
    fn consented(&self, request: &EraseTokensRequest) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        let from_stdin = self.tokens_file.as_deref() == Some(Path::new("-"));
        if from_stdin || !std::io::stdin().is_terminal() {
            bail!("nobody is at a terminal to confirm this: say --yes if it is meant");
        }
        let what = match &request.subject {
            Some(_) => "all tokens about this subject".to_owned(),
            None => format!("{} tokens", request.tokens.len()),
        };
        screen::ask(&format!(
            "{what} and their values will be gone for good. Type `erase` to go on"
        ));
        let mut typed = String::new();
        std::io::stdin().read_line(&mut typed)?;
        if typed.trim_end_matches(['\r', '\n']) != "erase" {
            bail!("that is not `erase`: nothing was done");
        }
        Ok(())
    }
}

fn shown(erase: &Erase, answer: &EraseTokensResponse, session: &Session) {
    let words: Vec<&str> = answer.items().map(word).collect();
    if session.json {
        screen::line(
            &json!({
                "items": words, "erased": answer.erased, "unlinked": answer.unlinked,
                "entry": answer.entry, "certificate": answer.certificate,
            })
            .to_string(),
        );
        return;
    }
    let (erased, entry) = (answer.erased, answer.entry);
    screen::good(&format!(
        "{erased} tokens and their values are gone (entry {entry})"
    ));
    if answer.unlinked > 0 {
        let kept = answer.unlinked;
        screen::quiet(&format!(
            "{kept} stay, for their values are about someone else too"
        ));
    }
    for (line, word) in (1..).zip(&words).filter(|(_, word)| **word != "erased") {
        screen::bad(&format!("token {line}: {word}"));
    }
    match (&erase.receipt, &answer.certificate) {
        (Some(file), Some(_)) => {
            screen::good(&format!("the certificate is in {}", file.display()));
        }
        (None, Some(_)) => {}
        (_, None) => screen::quiet(&format!(
            "no checkpoint covers the entry yet: `jinku receipt {entry}` gives the certificate later"
        )),
    }
}

fn word(item: ErasedItem) -> &'static str {
    match item {
        ErasedItem::Erased => "erased",
        ErasedItem::Held => "held",
        ErasedItem::NotAvailable | ErasedItem::Unspecified => "not-available",
    }
}
