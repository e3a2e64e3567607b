//! `jinku ledger new-incarnation`: an operator says that the database goes on in another life.

use std::process::ExitCode;

use super::stopped::{Place, Stopped};
use crate::cli::{incarnation, screen};
use crate::commit::Opening;
use crate::store::Mark;

pub(super) fn open(place: &Place) -> anyhow::Result<ExitCode> {
    let vault = Stopped::open(place)?;
    let opened = vault.writing(async |committer, clock| {
        incarnation::open(&vault.reader, committer, clock, Opening::Operator).await
    })?;
    incarnation::set(&Mark::beside(&vault.config.shreds.file), &opened)?;
    vault.published()?;
    screen::good(&format!("incarnation {} of the log is open", opened.number));
    Ok(ExitCode::SUCCESS)
}
