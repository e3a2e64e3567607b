//! `proof`: judges a C2SP tlog-proof of bytes that lie beside it.

use std::path::PathBuf;

use ledger::verify::Code;
use ledger::{RECEIPT_BYTES_MAX, verify_proof_by};

use crate::args::{Keys, Statements};
use crate::receipt::{origin_of, said, text, unsigned_again};
use crate::screen::Screen;
use crate::show::row;
use crate::trust::{Keyring, followed};
use crate::verdict;

const EXAMPLES: &str = "\
Examples:
  jinku-ledger proof 1234.tlog-proof --entry 1234.cbor --key-file ~/audit/node-1.vkey";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The proof, a C2SP tlog-proof
    file: PathBuf,
    /// The bytes of the entry that it proves
    #[arg(long, value_name = "FILE")]
    entry: PathBuf,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    statements: Statements,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let keys = Keyring::open(&args.keys, &[])?;
    let Some(text) = text(&args.file)? else {
        let broken = Code::ReceiptMalformed;
        return verdict::refused("proof", broken, "text that is not UTF-8");
    };
    let Some(key) = keys.of(origin_of(&text).as_ref())? else {
        return verdict::refused("proof", Code::NoKey, "nothing was checked: pass --key");
    };
    let bytes = crate::files::read(&args.entry, RECEIPT_BYTES_MAX as u64)?;
    let signers = match followed(&key, &args.statements)? {
        Ok(signers) => signers,
        Err(error) => {
            return verdict::refused("proof", Code::SignerStatement, &error.to_string());
        }
    };
    if let Some(code) = unsigned_again(&keys, &text)? {
        return verdict::refused("proof", code, code.meaning());
    }
    match verify_proof_by(&text, &bytes, &signers) {
        Ok(proven) => {
            let stated = &proven.checkpoint;
            let message = format!(
                "entry {} of {} of {}, covered by a checkpoint signed by {}; not checked: witnesses",
                proven.index,
                stated.size,
                stated.origin,
                said(signers.at(stated.size), Some(&key))
            );
            let exit = verdict::good("proof", &message)?;
            match &proven.entry {
                Some(entry) => Screen::line(&row(proven.index, entry))?,
                None => Screen::line("  the bytes are no entry of this format")?,
            }
            Ok(exit)
        }
        Err(error) => verdict::refused("proof", error.code(), &error.to_string()),
    }
}
