//! A run over a Parquet file, row group by row group: each becomes a segment of its own, and at the end they
//! are joined. Columns that the map does not name are copied as they are encoded, page for page.
//!
//! | file | owns |
//! | --- | --- |
//! | `choice` | which columns the map means, and whether they can be read |
//! | `group` | a row group's chosen values as batches |
//! | `spool` | what came back, until the group is whole |
//! | `segment` | one row group's output, and the joining of all |

mod choice;
mod group;
mod segment;
mod spool;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use anyhow::{Context, bail};

use crate::cli::bulk::Job;
use crate::cli::bulk::aside::Aside;
use crate::cli::bulk::batch::Settled;
use crate::cli::bulk::flow::{Appetite, Ended, flow};
use crate::cli::bulk::meter::Meter;
use crate::cli::bulk::place::Places;
use crate::cli::bulk::progress::{Progress, sync_folder};
use choice::Choice;
use group::Group;
use spool::Spool;

/// A Parquet file that is read.
struct Source {
    file: File,
    metadata: ParquetMetaData,
}

impl Source {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let unread = || format!("`{}` can't be read as Parquet", path.display());
        let file = File::open(path).with_context(unread)?;
        let metadata = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .parse_and_finish(&file)
            .with_context(unread)?;
        Ok(Self { file, metadata })
    }
}

/// Works on the job until it is done, stopped or failed. The progress says how many row groups are.
pub(super) async fn run(job: &mut Job) -> anyhow::Result<Ended> {
    let source = Source::open(&job.places.input)?;
    let choice = Choice::of(&source.metadata, &job.reading.map)?;
    fs::create_dir_all(&job.places.part)?;
    let lock = File::open(&job.places.part)?;
    if lock.try_lock().is_err() {
        bail!("`{}` is written by another run", job.places.part.display());
    }
    job.progress.save(&job.places.progress)?;
    let total = u64::try_from(source.metadata.file_metadata().num_rows())?;
    let mut meter = Meter::start(total, job.progress.rows, job.progress.rows);
    for group in job.progress.groups..source.metadata.num_row_groups() {
        let (ended, progress) = one(job, &source, &choice, group, &mut meter).await?;
        job.errors_seen = progress.errors;
        if ended != Ended::Whole {
            meter.end();
            return Ok(ended);
        }
        job.progress = progress;
        job.progress.save(&job.places.progress)?;
    }
    meter.end();
    if !job.progress.is_of(&job.places.input)? {
        bail!("the file was changed while it was read: begin anew with --force");
    }
    let segments: Vec<PathBuf> = (0..job.progress.groups)
        .map(|group| segment_of(job, group))
        .collect();
    segment::join(
        &joined(&job.places),
        &source,
        &choice,
        &segments,
        job.out_mode,
    )?;
    job.progress.whole = true;
    job.progress.save(&job.places.progress)?;
    job.finish()?;
    Ok(Ended::Whole)
}

/// Where the segments are joined.
pub(super) fn joined(places: &Places) -> PathBuf {
    places.part.join("joined")
}

fn segment_of(job: &Job, group: usize) -> PathBuf {
    job.places.part.join(format!("{group:06}.parquet"))
}

/// One row group to the vault and back, and into its segment. Gives the progress with it.
async fn one(
    job: &mut Job,
    source: &Source,
    choice: &Choice,
    group: usize,
    meter: &mut Meter,
) -> anyhow::Result<(Ended, Progress)> {
    let mut progress = job.progress.clone();
    let mut aside = Aside::open(&job.places.errors, progress.errors_bytes)?;
    let mut spool = Spool::create(&job.places.part, choice)?;
    let mut rows = Group::open(source, choice, group, &job.reading, &progress)?;
    let (portion, verb, errors_max) = (job.portion, job.verb, job.errors_max);
    let map = &job.reading.map;
    let sink = |settled: Settled| {
        let Settled { batch, .. } = &settled;
        for row in &batch.rows {
            match &row.fault {
                Some(fault) => {
                    aside.add(map, row, fault)?;
                    progress.errors += 1;
                }
                None => progress.values += row.cells.len() as u64,
            }
        }
        spool.add(&settled)?;
        progress.rows = batch.end.rows;
        progress.batch = batch.number + 1;
        meter.note(verb, progress.rows, progress.rows);
        let enough = errors_max.is_some_and(|max| progress.errors >= max);
        Ok(if enough {
            Appetite::Enough
        } else {
            Appetite::More
        })
    };
    let next = move || rows.batch(portion);
    let ended = flow(next, &job.desk, job.in_flight, &job.stop, sink).await?;
    progress.errors_bytes = aside.sync()?;
    if ended == Ended::Whole {
        let file = segment_of(job, group);
        segment::write(&file, source, choice, group, spool, job.out_mode)?;
        sync_folder(&file)?;
        progress.groups = group + 1;
    }
    Ok((ended, progress))
}
