//! Which life of the database this is: looked at when the vault starts, and opened anew where it is another one.

use std::sync::Arc;

use anyhow::{Context, ensure};
use rand::TryRng;

use crate::commit::{Committer, Opening, Withheld, incarnation_opened, standing_tree};
use crate::config::Config;
use crate::model::Clock;
use crate::store::{IncarnationRow, Mark, Marked, Reader};

/// Goes on in the incarnation that was left here, or opens the next one.
pub(super) async fn take_up(
    config: &Config,
    reader: &Reader,
    committer: &Committer,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<()> {
    let mark = Mark::beside(&config.shreds.file);
    let why = match reader.incarnation()? {
        None => Opening::First,
        Some(present) => match looked(&mark, &present)? {
            Marked::Here => return Ok(()),
            Marked::Missing => Opening::MarkMissing,
            Marked::Other => Opening::MarkDiffers,
            Marked::Moved => Opening::Moved,
        },
    };
    let opened = open(reader, committer, clock, why).await?;
    set(&mark, &opened)?;
    if why != Opening::First {
        tracing::warn!(
            incarnation = opened.number,
            why = why.as_str(),
            "the database is not where it was left: a new incarnation of the log is open. If the vault that it was \
             copied from still runs, two nodes write under one name: stop one of them"
        );
    }
    Ok(())
}

/// Opens the next incarnation. Nothing else may be written meanwhile.
pub(super) async fn open(
    reader: &Reader,
    committer: &Committer,
    clock: &Arc<dyn Clock>,
    why: Opening,
) -> anyhow::Result<IncarnationRow> {
    // Behind the first entry of a new log, which the writer writes by itself.
    committer.settle_alerts(Vec::new()).await?;
    let tree = standing_tree(reader)?;
    let mut id = [0; 16];
    rand::rngs::SysRng
        .try_fill_bytes(&mut id)
        .context("the system's random numbers failed")?;
    let row = IncarnationRow {
        number: reader.incarnation()?.map_or(1, |last| last.number + 1),
        id,
        opened: clock.now(),
    };
    let record = incarnation_opened(row, why, &tree);
    let ((), entry) = committer.record(record, Withheld::nothing()).await?;
    ensure!(
        entry.seq() == tree.size(),
        "entry {} was written meanwhile: stop what else writes, and start again",
        tree.size()
    );
    Ok(row)
}

/// Leaves the mark of an incarnation that stands.
pub(super) fn set(mark: &Mark, row: &IncarnationRow) -> anyhow::Result<()> {
    mark.set(&row.id).context(
        "the mark of the incarnation can't be written beside the shred keys: check the disk and its rights",
    )
}

fn looked(mark: &Mark, row: &IncarnationRow) -> anyhow::Result<Marked> {
    mark.look(&row.id).context(
        "the mark of the incarnation can't be read beside the shred keys: check the disk and its rights",
    )
}
