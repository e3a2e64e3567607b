//! `checkpoints`: every archived checkpoint, who signed it, and whether the tiles agree.

use std::path::PathBuf;

use ledger::verify::{Book, Class, Code, Published, published};
use serde_json::json;

use crate::args::Keys;
use crate::screen::{Pretty, Screen, coloured, shown};
use crate::trust::Keyring;
use crate::verdict;

/// Names the shape of a line in JSON.
const SCHEMA: &str = "jinku-ledger.checkpoint/1";

const EXAMPLES: &str = "\
Examples:
  jinku-ledger checkpoints /mnt/ledger --key-file ~/audit/node-1.vkey --faults";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The folder that holds `checkpoint` and `checkpoints/`
    dir: PathBuf,
    #[command(flatten)]
    keys: Keys,
    /// The log's name, if it is not the key's name
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// Only those with a fault
    #[arg(long)]
    faults: bool,
    /// One JSON object a line (schema `jinku-ledger.checkpoint/1`)
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let keys = Keyring::open(&args.keys, &[&args.dir])?;
    let trust = keys.trust(&args.dir, args.origin.as_deref())?;
    let book = match Book::open(&args.dir, &trust) {
        Ok(book) => book,
        Err(error) => return verdict::refused("checkpoints", error.code(), &error.to_string()),
    };
    let (mut count, mut faults, mut worst) = (0_u64, 0_u64, Class::Verified);
    let mut broken = None;
    let listed = published(&book, |one| {
        count += 1;
        faults += u64::from(one.fault.is_some());
        worst = worst.max(one.fault.map_or(Class::Verified, Code::class));
        if broken.is_none() && (one.fault.is_some() || !args.faults) {
            broken = print(&one, args).err();
        }
    });
    if let Some(error) = broken {
        return Err(error);
    }
    if let Err(error) = listed {
        return verdict::refused("checkpoints", error.code(), &error.to_string());
    }
    Screen::remark(&format!(
        "{count} archived checkpoints, {faults} with a fault: {}; not checked: entries, witnesses",
        worst.as_str()
    ));
    if trust.key.is_none() && worst < Class::Trust {
        return Ok(verdict::no_key("checkpoints"));
    }
    Ok(worst.exit_code())
}

fn print(one: &Published, args: &Args) -> anyhow::Result<()> {
    let stated = one.checkpoint.as_ref();
    if args.json {
        let line = json!({
            "schema": SCHEMA,
            "file": one.file,
            "offset": one.offset,
            "size": stated.map(|stated| stated.size),
            "root": stated.map(|stated| stated.root.to_string()),
            "signers": one.signers,
            "fault": one.fault,
        });
        return Screen::json(&line, Pretty::Compact);
    }
    let size = stated.map_or_else(|| "?".to_owned(), |stated| stated.size.to_string());
    let root = stated.map_or_else(String::new, |stated| stated.root.to_string());
    let judged = match one.fault {
        None => "ok".to_owned(),
        Some(code) => coloured(code.class(), code.as_str()),
    };
    let (file, signers) = (&one.file, shown(&one.signers.join(", ")));
    let place = format!("{}:{}", shown(file), one.offset);
    Screen::line(&format!(
        "{size:>12}  {root:.16}  {place:<36}  {judged}  {signers}"
    ))
}
