//! `jinku key encrypt-jwe`, `decrypt-jwe`: one JWE a call, for trying by hand what the gateway filter asks for.

use std::process::ExitCode;

use api::v1::{
    DecryptJweRequest, EncryptJweItem, EncryptJweRequest, decrypt_jwe_result, encrypt_jwe_result,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use serde_json::json;

use super::act::{Act, Input, failed, only, unknown};
use super::connection::{Form, Session, refused};
use super::show::document;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Make a JWE (RFC 7516) of a file, for who has the same key.
    EncryptJwe {
        /// Id or alias of a key of kind `jwe-dir` or `jwe-a256kw`.
        name: String,
        #[command(flatten)]
        input: Input,
        /// The file's media type (`cty`), for example application/json.
        #[arg(long = "type", value_name = "TYPE")]
        cty: Option<String>,
        #[command(flatten)]
        act: Act,
        /// Under this version instead of the current one.
        #[arg(long)]
        version: Option<u32>,
    },
    /// Open a JWE. It names its key.
    DecryptJwe {
        #[command(flatten)]
        input: Input,
        /// Insist on this key: id or alias.
        #[arg(long, value_name = "NAME")]
        with: Option<String>,
        #[command(flatten)]
        act: Act,
    },
}

pub(super) async fn run(verb: Verb, session: &Session) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::EncryptJwe {
            name,
            input,
            cty,
            act,
            version,
        } => {
            let item = EncryptJweItem {
                plaintext: input.read()?,
                cty: cty.unwrap_or_default(),
            };
            let request = EncryptJweRequest {
                key: name,
                purpose: act.purpose(),
                version,
                items: vec![item],
                ..EncryptJweRequest::default()
            };
            encrypt(session, request, &act).await
        }
        Verb::DecryptJwe { input, with, act } => {
            // A file of text has a line's end, and a message has none.
            let text = String::from_utf8(input.read()?)?.trim_end().to_owned();
            let request = DecryptJweRequest {
                key: with.unwrap_or_default(),
                purpose: act.purpose(),
                items: vec![text],
                ..DecryptJweRequest::default()
            };
            decrypt(session, request, &act).await
        }
    }
}

async fn encrypt(
    session: &Session,
    request: EncryptJweRequest,
    act: &Act,
) -> anyhow::Result<ExitCode> {
    act.ready()?;
    let done = session.client.encrypt_jwe(request, session.proof()).await;
    let done = done.map_err(refused)?;
    let made = match only(done.items)?.result {
        Some(encrypt_jwe_result::Result::Encrypted(made)) => made,
        Some(encrypt_jwe_result::Result::Error(error)) => return Err(failed(&error)),
        None => return Err(unknown()),
    };
    let (jwe, version) = (made.jwe, made.version);
    if act.out.is_none() && session.form == Form::Json {
        let (key, entry) = (done.key, done.entry);
        document(&json!({ "jwe": jwe, "version": version, "key": key, "entry": entry }));
        return Ok(ExitCode::SUCCESS);
    }
    let made = ("jwe", jwe.into_bytes(), version);
    act.give(session, &done.key, made, done.entry)
}

async fn decrypt(
    session: &Session,
    request: DecryptJweRequest,
    act: &Act,
) -> anyhow::Result<ExitCode> {
    act.ready()?;
    let done = session.client.decrypt_jwe(request, session.proof()).await;
    let done = done.map_err(refused)?;
    let opened = match only(done.items)?.result {
        Some(decrypt_jwe_result::Result::Decrypted(opened)) => opened,
        Some(decrypt_jwe_result::Result::Error(error)) => return Err(failed(&error)),
        None => return Err(unknown()),
    };
    if act.out.is_none() && session.form == Form::Json {
        let plaintext = STANDARD.encode(&opened.plaintext);
        document(&json!({
            "plaintext": plaintext, "cty": opened.cty, "version": opened.version,
            "key": done.key, "entry": done.entry,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let opened = ("plaintext", opened.plaintext, opened.version);
    act.give(session, &done.key, opened, done.entry)
}
