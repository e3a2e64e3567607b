//! `jinku key mac`, `verify-mac`, `sign`, `verify`, `public`: one item a call, from files to files.

use std::path::PathBuf;
use std::process::ExitCode;

use api::v1::{
    GenerateMacRequest, MacItem, ReadPublicKeyRequest, SignItem, SignRequest, SignatureForm,
    VerdictResponse, VerifyItem, VerifyMacItem, VerifyMacRequest, VerifyRequest, mac_result,
    sign_item, sign_result, verdict_result, verify_item,
};
use clap::Subcommand;
use serde_json::json;

use super::act::{Act, Check, Input, failed, only, unknown};
use super::connection::{Form, Session, refused};
use super::show::document;
use super::words::read;
use crate::cli::screen;

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Make a message authentication code of a file.
    Mac {
        /// Id or alias.
        name: String,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        act: Act,
        /// With this version instead of the current one.
        #[arg(long)]
        version: Option<u32>,
    },
    /// Check a file's message authentication code.
    VerifyMac {
        /// Id or alias.
        name: String,
        #[command(flatten)]
        input: Input,
        /// The code.
        #[arg(long, value_name = "FILE")]
        mac: PathBuf,
        #[command(flatten)]
        check: Check,
    },
    /// Sign a file.
    Sign {
        /// Id or alias.
        name: String,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        written: Written,
        #[command(flatten)]
        act: Act,
        /// With this version instead of the current one.
        #[arg(long)]
        version: Option<u32>,
    },
    /// Check a file's signature.
    Verify {
        /// Id or alias.
        name: String,
        #[command(flatten)]
        input: Input,
        /// The signature.
        #[arg(long, value_name = "FILE")]
        signature: PathBuf,
        #[command(flatten)]
        written: Written,
        #[command(flatten)]
        check: Check,
    },
    /// Print the public half of a key that signs, as PEM.
    Public(Public),
}

#[derive(clap::Args)]
pub(super) struct Written {
    /// The ECDSA signature is DER (RFC 3279), instead of `r` and `s`.
    #[arg(long)]
    der: bool,
}

impl Written {
    fn form(&self) -> SignatureForm {
        if self.der {
            SignatureForm::Der
        } else {
            SignatureForm::Raw
        }
    }
}

#[derive(clap::Args)]
pub(super) struct Public {
    /// Id or alias.
    name: String,
    /// Of this version instead of the current one.
    #[arg(long)]
    version: Option<u32>,
    /// As a JSON Web Key.
    #[arg(long)]
    jwk: bool,
}

pub(super) async fn run(verb: Verb, session: &Session) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Mac {
            name,
            input,
            act,
            version,
        } => mac(session, name, &input, &act, version).await,
        Verb::VerifyMac {
            name,
            input,
            mac,
            check,
        } => verify_mac(session, name, (&input, mac), check).await,
        Verb::Sign {
            name,
            input,
            written,
            act,
            version,
        } => sign(session, name, (&input, written.form()), &act, version).await,
        Verb::Verify {
            name,
            input,
            signature,
            written,
            check,
        } => verify(session, name, (&input, signature, written.form()), check).await,
        Verb::Public(public) => public.run(session).await,
    }
}

async fn mac(
    session: &Session,
    key: String,
    input: &Input,
    act: &Act,
    version: Option<u32>,
) -> anyhow::Result<ExitCode> {
    act.ready()?;
    let message = input.read()?;
    let request = GenerateMacRequest {
        key,
        purpose: act.purpose(),
        version,
        items: vec![MacItem { message }],
    };
    let done = session.client.generate_mac(request, session.proof()).await;
    let done = done.map_err(refused)?;
    let made = match only(done.items)?.result {
        Some(mac_result::Result::Mac(made)) => made,
        Some(mac_result::Result::Error(error)) => return Err(failed(&error)),
        None => return Err(unknown()),
    };
    act.give(
        session,
        &done.key,
        ("mac", made.mac, made.version),
        done.entry,
    )
}

async fn verify_mac(
    session: &Session,
    key: String,
    (input, mac): (&Input, PathBuf),
    check: Check,
) -> anyhow::Result<ExitCode> {
    let item = VerifyMacItem {
        message: input.read()?,
        mac: read(Some(&mac))?,
        version: check.version,
    };
    let request = VerifyMacRequest {
        key,
        purpose: check.purpose.unwrap_or_default(),
        items: vec![item],
    };
    let done = session.client.verify_mac(request, session.proof()).await;
    judged(session, done.map_err(refused)?)
}

async fn sign(
    session: &Session,
    key: String,
    (input, form): (&Input, SignatureForm),
    act: &Act,
    version: Option<u32>,
) -> anyhow::Result<ExitCode> {
    act.ready()?;
    let item = SignItem {
        input: Some(sign_item::Input::Message(input.read()?)),
        form: form.into(),
    };
    let request = SignRequest {
        key,
        purpose: act.purpose(),
        version,
        items: vec![item],
    };
    let done = session.client.sign(request, session.proof()).await;
    let done = done.map_err(refused)?;
    let made = match only(done.items)?.result {
        Some(sign_result::Result::Signature(made)) => made,
        Some(sign_result::Result::Error(error)) => return Err(failed(&error)),
        None => return Err(unknown()),
    };
    let made = ("signature", made.signature, made.version);
    act.give(session, &done.key, made, done.entry)
}

async fn verify(
    session: &Session,
    key: String,
    (input, signature, form): (&Input, PathBuf, SignatureForm),
    check: Check,
) -> anyhow::Result<ExitCode> {
    let item = VerifyItem {
        input: Some(verify_item::Input::Message(input.read()?)),
        signature: read(Some(&signature))?,
        form: form.into(),
        version: check.version,
    };
    let request = VerifyRequest {
        key,
        purpose: check.purpose.unwrap_or_default(),
        items: vec![item],
    };
    let done = session.client.verify(request, session.proof()).await;
    judged(session, done.map_err(refused)?)
}

/// A verdict is the exit code, too: 0 for valid, 1 for not.
fn judged(session: &Session, done: VerdictResponse) -> anyhow::Result<ExitCode> {
    let verdict = match only(done.items)?.result {
        Some(verdict_result::Result::Verdict(verdict)) => verdict,
        Some(verdict_result::Result::Error(error)) => return Err(failed(&error)),
        None => return Err(unknown()),
    };
    let (valid, version, entry) = (verdict.valid, verdict.version, done.entry);
    if session.form == Form::Json {
        let key = done.key;
        document(&json!({ "valid": valid, "version": version, "key": key, "entry": entry }));
    } else if valid {
        screen::good(&format!("valid, under version {version} (entry {entry})"));
    } else {
        screen::bad(&format!(
            "not valid under version {version} (entry {entry})"
        ));
    }
    Ok(if valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Public {
    async fn run(self, session: &Session) -> anyhow::Result<ExitCode> {
        let request = ReadPublicKeyRequest {
            key: self.name,
            version: self.version,
        };
        let read = session
            .client
            .read_public_key(request, session.proof())
            .await;
        let read = read.map_err(refused)?;
        if session.form == Form::Json {
            let jwk: serde_json::Value = serde_json::from_str(&read.jwk)?;
            document(&json!({
                "key": read.key, "version": read.version, "kind": read.kind, "pem": read.pem,
                "jwk": jwk, "entry": read.entry,
            }));
        } else if self.jwk {
            screen::line(&read.jwk);
        } else {
            screen::line(read.pem.trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}
