//! `jinku token erase`. Tokens and subjects are read from files: none stands on the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use api::v1::{EraseTokensRequest, EraseTokensResponse, ErasedItem};
use serde_json::json;

use super::session::{Session, Tokens, one_line};
use crate::cli::connection::refused;
use crate::cli::consent::Consent;
use crate::cli::key::words::{vacant, write_new};
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
    #[command(flatten)]
    consent: Consent,
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
        let tokens = self.tokens_file.clone().map(Tokens::of);
        let subject = self.subject_file.as_deref();
        Ok(EraseTokensRequest {
            domain: session.domain.clone(),
            purpose: session.purpose.clone(),
            tokens: match tokens {
                Some(tokens) => tokens.read()?,
                None => Vec::new(),
            },
            subject: subject.map(|file| one_line(Some(file))).transpose()?,
            reason: session.reason.clone(),
        })
    }

    fn consented(&self, request: &EraseTokensRequest) -> anyhow::Result<()> {
        let what = match &request.subject {
            Some(_) => "All tokens about this subject".to_owned(),
            None => format!("{} tokens", request.tokens.len()),
        };
        let act = format!("{what} and their values will be gone for good.");
        self.consent.given(("domain", &request.domain), &act)
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
