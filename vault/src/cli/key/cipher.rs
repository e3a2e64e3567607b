//! `jinku key encrypt`, `decrypt`, `re-encrypt`, `data-key`, `random`: one item a call, from files to files.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use api::v1::{
    Context as ContextMessage, DataKeyItem, DecryptItem, DecryptRequest, EncryptItem,
    EncryptRequest, GenerateDataKeyRequest, GenerateRandomRequest, ReEncryptItem, ReEncryptRequest,
    data_key_result, decrypt_result, encrypt_result, re_encrypt_result,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use serde_json::json;

use super::act::{Act, Belonging, Input, failed, only, unknown};
use super::connection::{Form, Session, refused};
use super::show::document;
use super::words::{Pair, deliver, pair, pairs, vacant, write_new};

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Encrypt a file.
    Encrypt {
        /// Id or alias.
        name: String,
        #[command(flatten)]
        input: Input,
        #[command(flatten)]
        context: Belonging,
        #[command(flatten)]
        act: Act,
        /// Under this version instead of the current one.
        #[arg(long)]
        version: Option<u32>,
    },
    /// Decrypt a file. The ciphertext names its key.
    Decrypt {
        #[command(flatten)]
        input: Input,
        /// Insist on this key: id or alias.
        #[arg(long, value_name = "NAME")]
        with: Option<String>,
        #[command(flatten)]
        context: Belonging,
        #[command(flatten)]
        act: Act,
    },
    /// Move a ciphertext to another key, version or context. The vault gives no plaintext out.
    ReEncrypt {
        /// The key it leaves: id or alias.
        name: String,
        #[command(flatten)]
        input: Input,
        /// The key it comes to; the same one if not said.
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
        #[command(flatten)]
        context: Belonging,
        /// The context it shall belong to; the same one if not said. Repeat for more.
        #[arg(long = "new-context", value_parser = pair, value_name = "NAME=VALUE")]
        new_context: Vec<Pair>,
        #[command(flatten)]
        act: Act,
    },
    /// Make a data key. Its wrapped form opens with `decrypt`.
    DataKey {
        /// Id or alias.
        name: String,
        /// How long it is: 1 to 1,024.
        #[arg(long, default_value_t = 32)]
        bytes: u32,
        /// Write the key itself here, too; a new file for your eyes only.
        #[arg(long, value_name = "FILE")]
        plain: Option<PathBuf>,
        #[command(flatten)]
        context: Belonging,
        #[command(flatten)]
        act: Act,
    },
    /// Draw random bytes: 1 to 1,024.
    Random {
        /// How many.
        bytes: u32,
        #[command(flatten)]
        act: Act,
    },
}

pub(super) async fn run(verb: Verb, session: &Session) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Encrypt {
            name,
            input,
            context,
            act,
            version,
        } => encrypt(session, name, (&input, &context), &act, version).await,
        Verb::Decrypt {
            input,
            with,
            context,
            act,
        } => decrypt(session, with, (&input, &context), &act).await,
        Verb::ReEncrypt {
            name,
            input,
            to,
            context,
            new_context,
            act,
        } => {
            let to = (to.unwrap_or_default(), new_context);
            re_encrypt(session, name, to, (&input, &context), &act).await
        }
        Verb::DataKey {
            name,
            bytes,
            plain,
            context,
            act,
        } => data_key(session, name, (bytes, plain), &context, &act).await,
        Verb::Random { bytes, act } => random(session, bytes, &act).await,
    }
}

async fn encrypt(
    session: &Session,
    key: String,
    (input, context): (&Input, &Belonging),
    act: &Act,
    version: Option<u32>,
) -> anyhow::Result<ExitCode> {
    act.ready()?;
    let item = EncryptItem {
        plaintext: input.read()?,
        context: pairs(&context.context)?,
    };
    let request = EncryptRequest {
        key,
        purpose: act.purpose(),
        version,
        items: vec![item],
    };
    let done = session.client.encrypt(request, session.proof()).await;
    let done = done.map_err(refused)?;
    let made = match only(done.items)?.result {
        Some(encrypt_result::Result::Encrypted(made)) => made,
        Some(encrypt_result::Result::Error(error)) => return Err(failed(&error)),
        None => return Err(unknown()),
    };
    let made = ("ciphertext", made.ciphertext, made.version);
    act.give(session, &done.key, made, done.entry)
}

async fn decrypt(
    session: &Session,
    key: Option<String>,
    (input, context): (&Input, &Belonging),
    act: &Act,
) -> anyhow::Result<ExitCode> {
    act.ready()?;
    let item = DecryptItem {
        ciphertext: input.read()?,
        context: pairs(&context.context)?,
    };
    let request = DecryptRequest {
        key: key.unwrap_or_default(),
        purpose: act.purpose(),
        items: vec![item],
    };
    let done = session.client.decrypt(request, session.proof()).await;
    let done = done.map_err(refused)?;
    let opened = match only(done.items)?.result {
        Some(decrypt_result::Result::Decrypted(opened)) => opened,
        Some(decrypt_result::Result::Error(error)) => return Err(failed(&error)),
        None => return Err(unknown()),
    };
    let opened = ("plaintext", opened.plaintext, opened.version);
    act.give(session, &done.key, opened, done.entry)
}

async fn re_encrypt(
    session: &Session,
    key: String,
    (to, new_context): (String, Vec<Pair>),
    (input, context): (&Input, &Belonging),
    act: &Act,
) -> anyhow::Result<ExitCode> {
    act.ready()?;
    let new = match new_context.as_slice() {
        [] => None,
        new => Some(ContextMessage { pairs: pairs(new)? }),
    };
    let item = ReEncryptItem {
        ciphertext: input.read()?,
        context: pairs(&context.context)?,
        new_context: new,
    };
    let request = ReEncryptRequest {
        key,
        purpose: act.purpose(),
        to,
        items: vec![item],
    };
    let done = session.client.re_encrypt(request, session.proof()).await;
    let done = done.map_err(refused)?;
    let moved = match only(done.items)?.result {
        Some(re_encrypt_result::Result::ReEncrypted(moved)) => moved,
        Some(re_encrypt_result::Result::Error(error)) => return Err(failed(&error)),
        None => return Err(unknown()),
    };
    let moved = ("ciphertext", moved.ciphertext, moved.version);
    act.give(session, &done.key, moved, done.entry)
}

/// The plain key goes into a file or nowhere: it is not even asked for without one.
async fn data_key(
    session: &Session,
    key: String,
    (bytes, plain): (u32, Option<PathBuf>),
    context: &Belonging,
    act: &Act,
) -> anyhow::Result<ExitCode> {
    act.ready()?;
    plain.as_deref().map_or(Ok(()), vacant)?;
    let context = pairs(&context.context)?;
    let request = GenerateDataKeyRequest {
        key,
        purpose: act.purpose(),
        items: vec![DataKeyItem { bytes, context }],
    };
    let (client, proof) = (&session.client, session.proof());
    let done = match plain {
        Some(_) => client.generate_data_key(request, proof).await,
        None => client.generate_wrapped_data_key(request, proof).await,
    };
    let done = done.map_err(refused)?;
    let made = match only(done.items)?.result {
        Some(data_key_result::Result::DataKey(made)) => made,
        Some(data_key_result::Result::Error(error)) => return Err(failed(&error)),
        None => return Err(unknown()),
    };
    if let Some(file) = plain {
        write_new(&file, &made.plaintext.ok_or_else(unknown)?)?;
    }
    let made = ("ciphertext", made.ciphertext, made.version);
    act.give(session, &done.key, made, done.entry)
}

async fn random(session: &Session, bytes: u32, act: &Act) -> anyhow::Result<ExitCode> {
    act.ready()?;
    if act.purpose.is_some() {
        bail!("random bytes are drawn for no stated purpose: leave --purpose out");
    }
    let request = GenerateRandomRequest { bytes };
    let drawn = session
        .client
        .generate_random(request, session.proof())
        .await;
    let drawn = drawn.map_err(refused)?;
    if session.form == Form::Json {
        let bytes = STANDARD.encode(&drawn.bytes);
        document(&json!({ "bytes": bytes, "entry": drawn.entry }));
    } else {
        deliver(&drawn.bytes, act.out.as_ref(), drawn.entry)?;
    }
    Ok(ExitCode::SUCCESS)
}
