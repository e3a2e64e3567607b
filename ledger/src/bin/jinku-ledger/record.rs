//! `record`: takes one entry out of an archive, with the proof that the signed checkpoint covers it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ledger::verify::{Book, Class, Code, Listing};
use ledger::{DETAIL_FILE_BYTES_MAX, Detail, Entry, NOTE_BYTES_MAX};

use crate::args::Keys;
use crate::files::{create, read};
use crate::screen::{Screen, shown};
use crate::show::row;
use crate::trust::Keyring;
use crate::verdict;

const EXAMPLES: &str = "\
Examples:
  jinku-ledger record /mnt/ledger --seq 1234 --key-file ~/audit/node-1.vkey --out 1234.tlog-proof
  jinku-ledger record /mnt/ledger --seq 1234 --key-file ~/audit/node-1.vkey --detail 1234.detail
  jinku-ledger record /mnt/ledger --request 00112233445566778899aabbccddeeff --key-file ~/audit/node-1.vkey";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "which", required = true, multiple = false, args = ["seq", "request"])]
pub(crate) struct Args {
    /// The folder that holds `checkpoint` and `tile/`
    dir: PathBuf,
    /// The entry's index in the log
    #[arg(long, value_name = "N")]
    seq: Option<u64>,
    /// The request's id, 32 hex digits
    #[arg(long, value_name = "ID", value_parser = request)]
    request: Option<[u8; 16]>,
    #[command(flatten)]
    keys: Keys,
    /// The log's name, if it is not the key's name
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// A detail of this entry that the vault handed out (`jinku ledger detail`): is it the one that the entry commits to?
    #[arg(long, value_name = "FILE")]
    detail: Option<PathBuf>,
    /// Write the receipt here instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let keys = Keyring::open(&args.keys, &[&args.dir])?;
    let trust = keys.trust(&args.dir, args.origin.as_deref())?;
    let seq = match (args.seq, args.request) {
        (Some(seq), _) => seq,
        (None, Some(request)) => of_request(args, request)?,
        (None, None) => bail!("name the entry with --seq or --request"),
    };
    let receipt = Book::open(&args.dir, &trust).and_then(|book| book.receipt(seq));
    let receipt = match receipt {
        Ok(receipt) => receipt,
        Err(error) => return verdict::refused("record", error.code(), &error.to_string()),
    };
    let text = receipt.encode()?;
    let entry = Entry::decode(&receipt.entry)?;
    Screen::remark(&row(seq, &entry));
    if let Some(file) = &args.detail {
        let detail = Detail::parse(&read(file, DETAIL_FILE_BYTES_MAX as u64)?)?;
        if !detail.is_of(&entry) {
            let message = format!("entry {seq} commits to another text, or to none");
            return verdict::refused("record", Code::DetailDiffers, &message);
        }
        Screen::remark(&format!(
            "the detail is entry {seq}'s: {}",
            shown(&detail.text)
        ));
    }
    match &args.out {
        Some(file) => create(file, text.as_bytes())?,
        None => Screen::text(&text)?,
    }
    // The book opened its checkpoint with the key, and proved the entry against it.
    match trust.key {
        Some(_) => Ok(Class::Verified.exit_code()),
        None => Ok(verdict::no_key("record")),
    }
}

fn of_request(args: &Args, request: [u8; 16]) -> anyhow::Result<u64> {
    let mut found = Vec::new();
    for listed in Listing::open(&args.dir)? {
        let facts = listed.entry.map(|entry| entry.facts);
        if facts.is_some_and(|facts| facts.request == Some(request)) {
            found.push(listed.seq);
        }
    }
    match found.as_slice() {
        [seq] => Ok(*seq),
        [] => bail!("no entry has this request id"),
        several => {
            let several: Vec<String> = several.iter().map(ToString::to_string).collect();
            bail!(
                "entries {} have this request id: pass --seq with one of them",
                several.join(", ")
            )
        }
    }
}

/// An id of 16 bytes in hex.
pub(crate) fn request(text: &str) -> Result<[u8; 16], String> {
    bytes(text).ok_or_else(|| "expected 32 hex digits".to_owned())
}

/// Bytes from hex digits, if they are as many.
pub(crate) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok().filter(|_| rest.is_empty())
}

/// Reads a signed note.
pub(crate) fn note(file: &Path) -> anyhow::Result<String> {
    let text = read(file, NOTE_BYTES_MAX as u64)?;
    String::from_utf8(text).with_context(|| format!("{} is not text", file.display()))
}
