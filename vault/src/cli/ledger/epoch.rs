//! `jinku ledger epoch`, `next-epoch`, `erase-epoch`: the epochs of the ledger's pseudonyms.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};

use super::stopped::{Place, Stopped};
use crate::cli::backup::Manifest;
use crate::cli::consent::Consent;
use crate::cli::screen;
use crate::config::Config;
use crate::engine::{epoch_erased, epoch_opened};
use crate::store::{EpochRow, Reader, Shreds};

/// Arguments of `jinku ledger epoch`.
#[derive(clap::Args)]
pub(in crate::cli) struct Listing {
    /// The configuration file. The vault may run.
    #[arg(long, env = "JINKU_CONFIG")]
    config: PathBuf,
}

/// Arguments of `jinku ledger next-epoch`.
#[derive(clap::Args)]
pub(in crate::cli) struct Next {
    #[command(flatten)]
    place: Place,
}

/// Arguments of `jinku ledger erase-epoch`.
#[derive(clap::Args)]
#[command(
    after_help = "A backup from before the end of the epoch can't be restored after this wherever it lacks more than \
    erasures of single tokens: which tokens were switched off, moved or held since is in pseudonyms of the epoch alone. \
    So a backup is asked for that was made after the epoch's end.\nWhat the vault's log, an auditor's archive and \
    receipts hold stays as it is, and verifies."
)]
pub(in crate::cli) struct Erase {
    /// Its number, as `jinku ledger epoch` gives it.
    epoch: u32,
    /// A backup that was made after the end of the epoch.
    #[arg(long, value_name = "DIR", conflicts_with = "no_backup")]
    backup: Option<PathBuf>,
    /// There is none, and older ones are given up.
    #[arg(long)]
    no_backup: bool,
    /// Only say whether it could be done.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    place: Place,
}

pub(super) fn list(options: &Listing) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.config)?;
    let rows = Reader::of_copy(&config.data.join("vault.db"))?.epochs()?;
    if rows.is_empty() {
        screen::quiet("no epoch is open yet: the vault opens the first one when it starts");
    }
    let present = rows.last().map(|row| row.number);
    for row in &rows {
        let state = match (row.erased, row.slot) {
            (Some(erased), _) => format!("erased {}", erased.rfc3339()),
            (None, _) if Some(row.number) == present => "present".to_owned(),
            (None, None) => "stands, and can't be erased: its key is in every backup".to_owned(),
            (None, Some(_)) => "stands".to_owned(),
        };
        let since = match row.entry {
            0 => "from before there were epochs".to_owned(),
            entry => format!("since {} (entry {entry})", row.opened.rfc3339()),
        };
        screen::line(&format!("{}  {since}  {state}", row.number));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn open_next(options: &Next) -> anyhow::Result<ExitCode> {
    let vault = Stopped::open(&options.place)?;
    let number = present(&vault.reader.epochs()?)?.number + 1;
    let shreds = Shreds::open(&vault.config.shreds, &vault.database)?;
    let (slot, _) = shreds.take()?;
    let entry = vault.record(epoch_opened(number, slot, vault.clock.now()))?;
    vault.published()?;
    screen::good(&format!(
        "epoch {number} of pseudonyms is open (entry {})",
        entry.seq()
    ));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn erase(options: &Erase) -> anyhow::Result<ExitCode> {
    let vault = Stopped::open(&options.place)?;
    let number = options.epoch;
    let end = erasable(&vault.reader, number)?;
    backed_up(options, &vault, end)?;
    if options.dry_run {
        screen::good(&format!(
            "epoch {number} of pseudonyms could be erased: nothing was done"
        ));
        return Ok(ExitCode::SUCCESS);
    }
    let act = format!(
        "Nobody will be able to tell any more whom the pseudonyms of epoch {number} stand for."
    );
    let name = number.to_string();
    options.consent.given(("epoch", &name), &act)?;
    let shreds = Shreds::open(&vault.config.shreds, &vault.database)?;
    let entry = vault.record(epoch_erased(number, vault.clock.now()))?;
    // The entry stands: what is broken off here is done by the next start.
    shreds.destroy(&vault.reader.shreds_due()?).context(
        "the entry stands, and the key can't be destroyed on disk yet: check the disk of the shred keys; the \
         next start of the vault tries again",
    )?;
    vault.published()?;
    screen::good(&format!(
        "epoch {number} of pseudonyms is erased (entry {})",
        entry.seq()
    ));
    screen::quiet("Old copies of the file of shred keys, if anybody kept one, still have its key.");
    Ok(ExitCode::SUCCESS)
}

fn present(rows: &[EpochRow]) -> anyhow::Result<EpochRow> {
    let newest = rows.last().copied();
    newest.context("no epoch is open yet: start the vault once")
}

/// The entry that ended an epoch whose key may go.
fn erasable(reader: &Reader, number: u32) -> anyhow::Result<u64> {
    let rows = reader.epochs()?;
    ensure!(
        present(&rows)?.number != number,
        "epoch {number} is the present one: open the next one first, with `jinku ledger next-epoch`"
    );
    let row = rows.iter().find(|row| row.number == number);
    let row = row.with_context(|| format!("there is no epoch {number}"))?;
    ensure!(row.erased.is_none(), "epoch {number} is erased already");
    ensure!(
        row.slot.is_some(),
        "epoch {number} is from before there were epochs: its key lies in every backup of the database, and can't \
         be destroyed by itself"
    );
    // What a matter may need as evidence is not made unreadable: which tokens the ledger speaks of.
    let holds = reader.hold_count()?;
    ensure!(
        holds == 0,
        "{holds} legal holds stand: who was shown what they cover may be asked for, so no epoch is erased until they \
         are lifted"
    );
    let next = rows.iter().find(|next| next.number == number + 1);
    Ok(next.map_or(0, |next| next.entry))
}

/// Whether a backup is there that needs no pseudonym of the epoch to be made good.
fn backed_up(options: &Erase, vault: &Stopped, end: u64) -> anyhow::Result<()> {
    let Some(from) = &options.backup else {
        if options.no_backup || options.dry_run {
            return Ok(());
        }
        bail!(
            "name a backup with --backup that was made after entry {end}, or say --no-backup: older ones can't be \
             made good any more"
        );
    };
    let manifest = Manifest::of(from)?;
    ensure!(
        manifest.origin == vault.config.ledger.origin.as_str(),
        "the backup is of the log `{}`",
        manifest.origin
    );
    ensure!(
        manifest.entries > end,
        "the backup ends at entry {}, and the epoch ended with entry {end}: make a new one with `jinku backup`",
        manifest.entries
    );
    Ok(())
}
