//! `jinku open-sealed`: a unit opens what was sealed to its key. Nothing leaves this program but to its terminal.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use kms::jwe::RecipientSecret;
use zeroize::Zeroizing;

use super::screen;
use crate::config;

/// Longest message that is read, in bytes.
const MESSAGE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Arguments of `jinku open-sealed`.
#[derive(clap::Args)]
pub(super) struct Options {
    /// The private key: PKCS#8 in PEM (`openssl genpkey -algorithm x25519`), or a private JWK.
    #[arg(long)]
    key: PathBuf,
    /// Print the public half as a JWK, for `public_key` in units.toml, and open nothing.
    #[arg(long, conflicts_with_all = ["message", "header"])]
    public: bool,
    /// Print what the message says of itself (unit, purpose, request, class, view) before its value.
    #[arg(long)]
    header: bool,
    /// The message; without it, standard input.
    message: Option<String>,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let text = Zeroizing::new(config::read(&options.key)?);
    let secret = RecipientSecret::from_text(&text)?;
    if options.public {
        screen::line(&secret.public().jwk());
        return Ok(ExitCode::SUCCESS);
    }
    let message = match &options.message {
        Some(message) => message.clone(),
        None => typed()?,
    };
    let Ok(opened) = secret.open(message.trim()) else {
        bail!("it does not open: it was altered, or sealed to another key");
    };
    if options.header {
        screen::line(&opened.header);
    }
    let value = std::str::from_utf8(opened.plaintext.expose());
    screen::line(value.context("what it holds is no text")?);
    Ok(ExitCode::SUCCESS)
}

fn typed() -> anyhow::Result<String> {
    let mut message = String::new();
    let input = std::io::stdin().take(MESSAGE_BYTES_MAX + 1);
    std::io::BufReader::new(input).read_to_string(&mut message)?;
    Ok(message)
}
