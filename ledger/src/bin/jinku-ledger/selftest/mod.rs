//! `selftest`: makes a ledger, attacks it in every way of the catalogue, and looks whether this tool finds
//! each: by which finding, at which place, with which exit code.

mod authority;
mod content;
mod details;
mod epochs;
mod files;
mod handover;
mod history;
mod incarnations;
mod proofs;
mod scene;
mod second;
mod signature;
mod stamps;
mod told;
mod witnesses;

use std::path::PathBuf;

use anyhow::ensure;
use ledger::verify::Class;
use serde_json::json;

use crate::screen::{Pretty, Screen, coloured};
use scene::{Attack, Bench, Found};

/// Names the shape of a line in JSON.
const SCHEMA: &str = "jinku-ledger.attack/1";

const EXAMPLES: &str = "\
Examples:
  jinku-ledger selftest
  jinku-ledger selftest --keep /tmp/attacked";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Make the ledgers in this folder, which is not there yet, and leave them for a look
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// One JSON object an attack (schema `jinku-ledger.attack/1`)
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<u8> {
    let bench = Bench::set_up(args.keep.as_deref())?;
    for honest in bench.honest()? {
        ensure!(
            honest.exit == 0,
            "the honest ledger was not verified: {:?}",
            honest.codes
        );
    }
    let (mut attacks, mut missed) = (0_u32, 0_u32);
    for attack in catalogue() {
        let found = bench.attack(attack)?;
        attacks += 1;
        missed += u32::from(!attack.is_found(&found));
        print(args, attack, &found)?;
    }
    bench.clear()?;
    Screen::remark(&format!(
        "{attacks} attacks on a ledger made for it, {missed} not found as they must be"
    ));
    let class = if missed == 0 {
        Class::Verified
    } else {
        Class::Tampered
    };
    Ok(class.exit_code())
}

fn catalogue() -> impl Iterator<Item = &'static Attack> {
    let all = [
        content::ATTACKS,
        files::ATTACKS,
        history::ATTACKS,
        incarnations::ATTACKS,
        signature::ATTACKS,
        handover::ATTACKS,
        witnesses::ATTACKS,
        second::ATTACKS,
        stamps::ATTACKS,
        details::ATTACKS,
        epochs::ATTACKS,
        proofs::ATTACKS,
        told::ATTACKS,
    ];
    all.into_iter().flatten()
}

fn print(args: &Args, attack: &Attack, found: &Found) -> anyhow::Result<()> {
    let good = attack.is_found(found);
    let place = found.place_of(attack.code);
    if args.json {
        let line = json!({
            "schema": SCHEMA,
            "attack": attack.id,
            "what": attack.what,
            "found_by": attack.code,
            "exit_code": found.exit,
            "place": place,
            "found": good,
        });
        return Screen::json(&line, Pretty::Compact);
    }
    let code = format!("{:<21}", attack.code.as_str());
    let (word, class) = if good {
        ("found ", Class::Verified)
    } else {
        ("MISSED", Class::Tampered)
    };
    Screen::line(&format!(
        "{}  {:<4} {:<66} {} exit {}  {place}",
        coloured(class, word),
        attack.id,
        attack.what,
        coloured(attack.code.class(), &code),
        found.exit,
    ))
}
