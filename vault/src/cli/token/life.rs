//! `jinku token describe`, `disable`, `enable`, `replace`, `move`, `hold`, `release`, `holds`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use api::v1::{
    DescribedToken, HoldList, HoldRequest, ListHoldsRequest, MoveTokensRequest,
    ReplaceTokensRequest, ReplaceTokensResponse, ReplacedToken, TokenDescription, TokensRequest,
};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::session::{Session, Tokens, instant, one_line};
use crate::cli::connection::refused;
use crate::cli::consent::Consent;
use crate::cli::screen;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Say what tokens are, without their values.
    Describe(Tokens),
    /// Print what stands for tokens in the ledger, one a line: for `jinku-ledger filter ARCHIVE --token`.
    Pseudonyms(Tokens),
    /// Switch tokens off: they show nothing from now on.
    Disable(Tokens),
    /// Switch tokens on again.
    Enable(Tokens),
    /// Give values new tokens. The old ones stop for good.
    Replace(Replace),
    /// Move tokens to another class. Their text stays.
    Move {
        #[command(flatten)]
        tokens: Tokens,
        /// The class.
        #[arg(long, value_name = "CLASS")]
        to_class: String,
    },
    /// Place a legal hold: what it covers is neither erased, purged nor replaced.
    Hold {
        #[command(flatten)]
        whom: Whom,
        /// For which matter.
        #[arg(long)]
        matter: String,
    },
    /// Lift a legal hold. Those for other matters go on.
    Release {
        #[command(flatten)]
        whom: Whom,
        /// For which matter.
        #[arg(long)]
        matter: String,
    },
    /// List legal holds.
    Holds(Whom),
}

#[derive(clap::Args)]
pub(super) struct Replace {
    #[command(flatten)]
    tokens: Tokens,
    /// Write the new tokens here, one a line, an empty line where there is none; a new file for your eyes only.
    /// It is made before anything is done: new tokens that nobody keeps lead to no value.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Another class for the new tokens.
    #[arg(long, value_name = "CLASS")]
    to_class: Option<String>,
    /// Seconds that they serve.
    #[arg(long)]
    ttl_seconds: Option<u64>,
    /// How often they show their value.
    #[arg(long)]
    uses: Option<u32>,
    #[command(flatten)]
    consent: Consent,
}

/// Whom a legal hold is on.
#[derive(clap::Args)]
pub(super) struct Whom {
    #[command(flatten)]
    tokens: Tokens,
    /// A file with one line, the subject; instead of tokens.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    subject_file: Option<PathBuf>,
}

impl Whom {
    /// Tokens, or a subject.
    fn read(&self) -> anyhow::Result<(Vec<String>, Option<String>)> {
        match &self.subject_file {
            Some(file) => Ok((Vec::new(), Some(one_line(Some(file))?))),
            None => Ok((self.tokens.read()?, None)),
        }
    }
}

pub(super) async fn run(verb: Verb, session: &Session) -> anyhow::Result<ExitCode> {
    let (client, proof) = (&session.client, session.proof());
    match verb {
        Verb::Describe(tokens) => {
            let tokens = tokens.read()?;
            let answer = client.describe_tokens(session.of(&tokens), proof).await;
            let answer = answer.map_err(refused)?;
            session.each(&tokens, (answer.items, answer.entry), described)
        }
        Verb::Pseudonyms(tokens) => pseudonyms(session, &tokens.read()?).await,
        Verb::Disable(tokens) => {
            let tokens = tokens.read()?;
            let answer = client.disable_tokens(session.of(&tokens), proof).await;
            let answer = answer.map_err(refused)?;
            session.done(&tokens, (answer.items, answer.entry))
        }
        Verb::Enable(tokens) => {
            let tokens = tokens.read()?;
            let answer = client.enable_tokens(session.of(&tokens), proof).await;
            let answer = answer.map_err(refused)?;
            session.done(&tokens, (answer.items, answer.entry))
        }
        Verb::Replace(replace) => replace.run(session).await,
        Verb::Move { tokens, to_class } => {
            let tokens = tokens.read()?;
            let request = MoveTokensRequest {
                domain: session.domain.clone(),
                purpose: session.purpose.clone(),
                tokens: tokens.clone(),
                to_class,
                reason: session.reason.clone(),
            };
            let answer = client.move_tokens(request, proof).await.map_err(refused)?;
            session.done(&tokens, (answer.items, answer.entry))
        }
        Verb::Hold { whom, matter } => {
            let (tokens, request) = hold(session, &whom, matter)?;
            let answer = client.place_hold(request, proof).await.map_err(refused)?;
            on_whom(session, &tokens, answer)
        }
        Verb::Release { whom, matter } => {
            let (tokens, request) = hold(session, &whom, matter)?;
            let answer = client.lift_hold(request, proof).await.map_err(refused)?;
            on_whom(session, &tokens, answer)
        }
        Verb::Holds(whom) => holds(session, &whom).await,
    }
}

impl Session {
    fn of(&self, tokens: &[String]) -> TokensRequest {
        TokensRequest {
            domain: self.domain.clone(),
            purpose: self.purpose.clone(),
            tokens: tokens.to_vec(),
            reason: self.reason.clone(),
        }
    }
}

/// Each token has one for each epoch whose key stands.
async fn pseudonyms(session: &Session, tokens: &[String]) -> anyhow::Result<ExitCode> {
    let asked = session
        .client
        .describe_tokens(session.of(tokens), session.proof());
    let answer = asked.await.map_err(refused)?;
    if session.json {
        return session.each(tokens, (answer.items, answer.entry), |item| {
            let token = item.token.unwrap_or_default();
            let named = json!({ "pseudonyms": token.pseudonyms });
            item.error.map_or_else(|| Ok((String::new(), named)), Err)
        });
    }
    let mut exit = ExitCode::SUCCESS;
    for (line, item) in (1..).zip(answer.items) {
        if let Some(error) = item.error {
            screen::bad(&format!("token {line}: {}: {}", error.code, error.detail));
            exit = ExitCode::FAILURE;
        }
        for pseudonym in item.token.unwrap_or_default().pseudonyms {
            screen::line(&pseudonym);
        }
    }
    Ok(exit)
}

fn described(item: DescribedToken) -> Result<(String, Value), api::v1::ItemError> {
    if let Some(error) = item.error {
        return Err(error);
    }
    let token = item.token.unwrap_or_default();
    let flags = [
        (token.disabled, "disabled"),
        (!token.serves, "does not serve"),
        (token.held, "held"),
        (token.has_subjects, "has subjects"),
        (token.repeatable, "repeatable"),
        (token.bound, "bound"),
        (token.searchable, "searchable"),
    ];
    let flags: Vec<&str> = flags
        .iter()
        .filter_map(|(set, word)| set.then_some(*word))
        .collect();
    let expires = token
        .expires_at_us
        .map(|us| format!("until {}", instant(us)));
    let uses = token.uses_left.map(|uses| format!("{uses} uses left"));
    let first = format!(
        "{}  {}  {}",
        token.class,
        token.format,
        instant(token.created_at_us)
    );
    let key = format!("key version {}", token.key_version);
    let parts = [
        Some(first),
        expires,
        uses,
        Some(key),
        Some(flags.join(", ")),
    ];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join("  ");
    Ok((
        text.trim_end().to_owned(),
        json!({ "token": document(&token) }),
    ))
}

/// A token as REST shows it.
fn document(token: &TokenDescription) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("class", json!(token.class));
    put("format", json!(token.format));
    put("created_at", json!(instant(token.created_at_us)));
    if let Some(us) = token.expires_at_us {
        put("expires_at", json!(instant(us)));
    }
    if let Some(uses) = token.uses_left {
        put("uses_left", json!(uses));
    }
    put("disabled", json!(token.disabled));
    put("serves", json!(token.serves));
    put("held", json!(token.held));
    put("has_subjects", json!(token.has_subjects));
    put("repeatable", json!(token.repeatable));
    put("bound", json!(token.bound));
    put("searchable", json!(token.searchable));
    put("key_version", json!(token.key_version));
    put("pseudonyms", json!(token.pseudonyms));
    Value::Object(shown)
}

impl Replace {
    async fn run(self, session: &Session) -> anyhow::Result<ExitCode> {
        let tokens = self.tokens.read()?;
        let act = format!(
            "{} tokens get others in their place and stop for good.",
            tokens.len()
        );
        self.consent.given(("domain", &session.domain), &act)?;
        let mut out = new_file(&self.out)?;
        let request = ReplaceTokensRequest {
            domain: session.domain.clone(),
            purpose: session.purpose.clone(),
            tokens: tokens.clone(),
            to_class: self.to_class,
            ttl_seconds: self.ttl_seconds,
            uses: self.uses,
            idempotency_key: String::new(),
            reason: session.reason.clone(),
        };
        let answer = session
            .client
            .replace_tokens(request, session.proof())
            .await;
        let nothing =
            |answer: &ReplaceTokensResponse| answer.items.iter().all(|item| item.token.is_empty());
        if answer.as_ref().map_or(true, nothing) {
            // Nothing goes into it, and its name is free for the next try.
            let _ = std::fs::remove_file(&self.out);
        }
        let answer = answer.map_err(refused)?;
        let new = answer.items.iter().map(|item| item.token.as_str());
        let lines = new.collect::<Vec<_>>().join("\n") + "\n";
        let kept = out
            .write_all(lines.as_bytes())
            .and_then(|()| out.sync_all());
        if let Err(error) = kept {
            // The old ones are gone: better seen by others than lost.
            screen::line(&lines);
            bail!(
                "`{}` can't be written ({error}): keep the new tokens above",
                self.out.display()
            );
        }
        session.each(
            &tokens,
            (answer.items, answer.entry),
            |item: ReplacedToken| match item.error {
                None => Ok(("replaced".to_owned(), json!({ "replaced": true }))),
                Some(error) => Err(error),
            },
        )
    }
}

fn new_file(file: &Path) -> anyhow::Result<File> {
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    opened.with_context(|| {
        let file = file.display();
        format!("`{file}` can't be made; a file that is there is never overwritten")
    })
}

fn hold(
    session: &Session,
    whom: &Whom,
    matter: String,
) -> anyhow::Result<(Vec<String>, HoldRequest)> {
    let (tokens, subject) = whom.read()?;
    let request = HoldRequest {
        domain: session.domain.clone(),
        purpose: session.purpose.clone(),
        matter,
        tokens: tokens.clone(),
        subject,
        reason: session.reason.clone(),
    };
    Ok((tokens, request))
}

fn on_whom(
    session: &Session,
    tokens: &[String],
    answer: api::v1::TokensResponse,
) -> anyhow::Result<ExitCode> {
    if !tokens.is_empty() {
        return session.done(tokens, (answer.items, answer.entry));
    }
    if session.json {
        screen::line(&json!({ "entry": answer.entry }).to_string());
    } else {
        screen::good(&format!("done (entry {})", answer.entry));
    }
    Ok(ExitCode::SUCCESS)
}

async fn holds(session: &Session, whom: &Whom) -> anyhow::Result<ExitCode> {
    let (tokens, subject) = whom.read()?;
    let request = ListHoldsRequest {
        domain: session.domain.clone(),
        purpose: session.purpose.clone(),
        tokens: tokens.clone(),
        subject,
    };
    let answer = session.client.list_holds(request, session.proof()).await;
    let answer = answer.map_err(refused)?;
    let asked = if tokens.is_empty() {
        vec!["the subject".to_owned()]
    } else {
        tokens
    };
    session.each(&asked, (answer.items, answer.entry), |list: HoldList| {
        if let Some(error) = list.error {
            return Err(error);
        }
        let one = |hold: &api::v1::LegalHold| {
            let (matter, placed) = (&hold.matter, instant(hold.placed_at_us));
            (
                format!("{matter} since {placed}"),
                json!({ "matter": matter, "placed_at": placed }),
            )
        };
        let (texts, documents): (Vec<_>, Vec<_>) = list.holds.iter().map(one).unzip();
        let text = if texts.is_empty() {
            "no holds".to_owned()
        } else {
            texts.join(", ")
        };
        Ok((text, json!({ "holds": documents })))
    })
}
