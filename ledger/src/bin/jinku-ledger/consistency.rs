//! `consistency`: whether of two signed checkpoints the newer continues the older.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::proof::verify_consistency;
use ledger::verify::{Book, BookError, Code, second_fault, signers_of};
use ledger::{Checkpoint, Hash, Signers, Trust, VerifierKey, named_origin};

use crate::args::{Keys, Statements};
use crate::files::{create, read};
use crate::record::note;
use crate::trust::{Keyring, followed, outside};
use crate::verdict;

/// A witness takes no longer proof (C2SP tlog-witness).
const HASHES_MAX: usize = 63;
const PROOF_BYTES_MAX: u64 = 128 * 1024;

const EXAMPLES: &str = "\
Examples:
  jinku-ledger consistency monday.note friday.note --archive /mnt/ledger --key-file ~/audit/node-1.vkey
  jinku-ledger consistency monday.note friday.note --proof friday.proof --key-file ~/audit/node-1.vkey";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "source", required = true, multiple = false, args = ["archive", "proof"])]
pub(crate) struct Args {
    /// The older signed checkpoint
    old: PathBuf,
    /// The newer signed checkpoint
    new: PathBuf,
    /// Make the proof from this archive, which may be of a later time
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Check this proof: `old SIZE`, a line in base64 for each hash, an empty line, the newer
    /// checkpoint (C2SP tlog-witness `add-checkpoint`)
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    statements: Statements,
    /// Write the proof here, as --proof reads it and as a witness takes it
    #[arg(long, value_name = "FILE", requires = "archive")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let dirs: Vec<&Path> = args.archive.as_deref().into_iter().collect();
    let keys = Keyring::open(&args.keys, &dirs)?;
    for dir in &dirs {
        outside(&args.old, dir).context("the older checkpoint")?;
    }
    let (old_note, new_note) = (note(&args.old)?, note(&args.new)?);
    let Some(key) = keys.of(named_origin(&new_note).as_ref())? else {
        return verdict::refused(
            "consistency",
            Code::NoKey,
            "nothing was checked: pass --key",
        );
    };
    // The archive's own statements where there is one: both keys signed each.
    let signers = match (&args.archive, &args.statements.signers) {
        (Some(dir), None) => signers_of(dir, &key),
        _ => match followed(&key, &args.statements)? {
            Ok(signers) => signers,
            Err(error) => {
                let message = error.to_string();
                return verdict::refused("consistency", Code::SignerStatement, &message);
            }
        },
    };
    // The newer one vouches for what is to be believed from now on.
    let second = keys.second(named_origin(&new_note).as_ref())?;
    let second = second.and_then(|key| key.signed(&new_note).ok());
    if let Some(code) = second.and_then(second_fault) {
        return verdict::refused("consistency", code, code.meaning());
    }
    let (old, new) = match (open(&old_note, &signers), open(&new_note, &signers)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err((code, message)), _) => {
            let message = format!("the older: {message}");
            return verdict::refused("consistency", code, &message);
        }
        (_, Err((code, message))) => {
            let message = format!("the newer: {message}");
            return verdict::refused("consistency", code, &message);
        }
    };
    judge(args, &key, (&old, &new), &new_note)
}

fn judge(
    args: &Args,
    key: &VerifierKey,
    (old, new): (&Checkpoint, &Checkpoint),
    new_note: &str,
) -> anyhow::Result<u8> {
    if new.size < old.size {
        let message = format!("{} entries, and {} before", new.size, old.size);
        return verdict::refused("consistency", Code::Rollback, &message);
    }
    if new.size == old.size && new.root != old.root {
        let message = "both are signed, for one size, with two roots: keep both notes as evidence";
        return verdict::refused("consistency", Code::Fork, message);
    }
    if old.size == 0 || new == old {
        let message = "one statement, or the empty log before: nothing is left to prove";
        return verdict::good("consistency", message);
    }
    let proof = match (&args.archive, &args.proof) {
        (Some(dir), _) => match from_archive(dir, key, old, new) {
            Ok(proof) => proof,
            Err(error) => {
                let code = of_archive(&error);
                return verdict::refused("consistency", code, &error.to_string());
            }
        },
        (None, Some(file)) => read_proof(&read(file, PROOF_BYTES_MAX)?, old.size)?,
        (None, None) => Vec::new(),
    };
    if let Err(error) = verify_consistency((old.size, &old.root), (new.size, &new.root), &proof) {
        return verdict::refused("consistency", Code::Fork, &error.to_string());
    }
    if let Some(file) = &args.out {
        create(file, written(old.size, &proof, new_note).as_bytes())?;
    }
    let message = format!(
        "{} of {} entries continue {}; proof of {} hashes",
        new.origin,
        new.size,
        old.size,
        proof.len()
    );
    verdict::good("consistency", &message)
}

fn open(note: &str, signers: &Signers) -> Result<Checkpoint, (Code, String)> {
    match signers.open(note) {
        Ok(stated) if stated.origin.as_str() == signers.name() => Ok(stated),
        Ok(other) => Err((Code::OriginOther, format!("it is of {}", other.origin))),
        Err(error) => {
            let error = BookError::Checkpoint(error);
            Err((error.code(), error.to_string()))
        }
    }
}

fn from_archive(
    dir: &Path,
    key: &VerifierKey,
    old: &Checkpoint,
    new: &Checkpoint,
) -> Result<Vec<Hash>, BookError> {
    let trust = Trust {
        key: Some(key.clone()),
        ..Trust::default()
    };
    Book::open(dir, &trust)?.consistency(old, new)
}

/// Tiles that do not lead to both roots are damaged, or there is no proof: `verify` tells which.
fn of_archive(error: &BookError) -> Code {
    match error {
        BookError::Tree(_) => Code::Fork,
        other => other.code(),
    }
}

fn written(old_size: u64, proof: &[Hash], note: &str) -> String {
    let mut text = format!("old {old_size}\n");
    for hash in proof {
        text.push_str(&STANDARD.encode(hash.as_bytes()));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(note);
    text
}

fn read_proof(bytes: &[u8], old_size: u64) -> anyhow::Result<Vec<Hash>> {
    let text = std::str::from_utf8(bytes).context("the proof is not text")?;
    let rest = text.strip_prefix(&format!("old {old_size}\n"));
    let rest = rest.context("the proof does not begin with `old` and the older size")?;
    let mut hashes = Vec::new();
    for line in rest.lines().take_while(|line| !line.is_empty()) {
        ensure!(
            hashes.len() < HASHES_MAX,
            "the proof has more than 63 hashes"
        );
        let hash = STANDARD
            .decode(line)
            .ok()
            .and_then(|hash| hash.try_into().ok());
        hashes.push(Hash(
            hash.context("a line of the proof is not a hash in base64")?,
        ));
    }
    Ok(hashes)
}
