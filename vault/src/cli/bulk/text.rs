//! A run over a text file: rows to the vault, the output spliced, and how far it has come made durable.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::Job;
use super::aside::Aside;
use super::batch::Settled;
use super::flow::{Appetite, Ended, flow};
use super::meter::Meter;
use super::place::append_from;
use super::progress::Progress;
use super::rows::Rows;
use super::splice::Hand;

/// Between two checkpoints.
const CHECKPOINT_PERIOD: Duration = Duration::from_millis(500);

/// Works on the job until it is done, stopped or failed. The progress says how far it came.
pub(super) async fn run(job: &mut Job) -> anyhow::Result<Ended> {
    let open = || {
        let input = File::open(&job.places.input).context("the file can't be read")?;
        Rows::open(input, job.reading.clone())
    };
    let bytes = fs::metadata(&job.places.input)?.len();
    if job.progress.offset == 0 {
        let mut meter = Meter::start(bytes, 0, 0);
        open()?.check(|offset| meter.note("check", offset, 0))?;
        meter.end();
    }
    let mut rows = open()?;
    let preamble = rows.preamble();
    rows.skip_to(job.progress.mark(), job.progress.batch)?;
    job.progress.save(&job.places.progress)?;
    let (portion, in_flight) = (job.portion, job.in_flight);
    let (desk, stop) = (job.desk.clone(), job.stop.clone());
    let mut sink = Sink::open(job, bytes)?;
    if sink.written == 0 {
        sink.copy_preamble(preamble)?;
    }
    let source = move || rows.batch(portion);
    let ended = flow(source, &desk, in_flight, &stop, |settled| {
        sink.take(settled)
    })
    .await;
    sink.meter.end();
    // Also after a failure: what is written need not be done again.
    sink.checkpoint()?;
    let ended = ended?;
    if ended == Ended::Whole {
        if !sink.job.progress.is_of(&sink.job.places.input)? {
            bail!("the file was changed while it was read: begin anew with --force");
        }
        sink.job.progress.whole = true;
        sink.checkpoint()?;
        drop(sink);
        job.finish()?;
    }
    Ok(ended)
}

struct Sink<'a> {
    job: &'a mut Job,
    part: BufWriter<File>,
    aside: Aside,
    hand: Hand,
    meter: Meter,
    /// What is written of one batch, and how long the output is with it.
    scratch: Vec<u8>,
    written: u64,
    saved: Instant,
}

impl<'a> Sink<'a> {
    fn open(job: &'a mut Job, bytes: u64) -> anyhow::Result<Self> {
        let Progress {
            out_bytes,
            errors_bytes,
            offset,
            rows,
            ..
        } = job.progress;
        let part = append_from(&job.places.part, out_bytes, job.out_mode)?;
        Ok(Self {
            part: BufWriter::with_capacity(1 << 20, part),
            aside: Aside::open(&job.places.errors, errors_bytes)?,
            hand: Hand {
                layout: job.reading.layout,
                encoding: job.reading.encoding,
                delimiter: job.reading.map.delimiter,
            },
            meter: Meter::start(bytes, offset, rows),
            scratch: Vec::new(),
            written: out_bytes,
            saved: Instant::now(),
            job,
        })
    }

    /// A byte order mark and the header are copied.
    fn copy_preamble(&mut self, bytes: u64) -> anyhow::Result<()> {
        let mut input = File::open(&self.job.places.input)?.take(bytes);
        self.written += std::io::copy(&mut input, &mut self.part)?;
        Ok(())
    }

    fn take(&mut self, settled: Settled) -> anyhow::Result<Appetite> {
        let Settled {
            batch,
            replacements,
        } = settled;
        let map = &self.job.reading.map;
        let progress = &mut self.job.progress;
        self.scratch.clear();
        for row in &batch.rows {
            let refused = match &row.fault {
                Some(fault) => self.aside.add(map, row, fault).map(|()| true)?,
                None => match self
                    .hand
                    .write(&mut self.scratch, &batch, row, &replacements)
                {
                    Ok(()) => false,
                    Err(fault) => self.aside.add(map, row, &fault).map(|()| true)?,
                },
            };
            if refused {
                progress.errors += 1;
            } else {
                progress.values += row.cells.len() as u64;
            }
        }
        let unwritten = || format!("`{}` can't be written", self.job.places.part.display());
        self.part.write_all(&self.scratch).with_context(unwritten)?;
        self.written += self.scratch.len() as u64;
        progress.stands_at(batch.end);
        progress.batch = batch.number + 1;
        self.meter
            .note(self.job.verb, progress.offset, progress.rows);
        let enough = self
            .job
            .errors_max
            .is_some_and(|max| progress.errors >= max);
        if self.saved.elapsed() >= CHECKPOINT_PERIOD {
            self.checkpoint()?;
        }
        Ok(if enough {
            Appetite::Enough
        } else {
            Appetite::More
        })
    }

    /// Output and errors first, then the progress that counts on them.
    fn checkpoint(&mut self) -> anyhow::Result<()> {
        let synced = self
            .part
            .flush()
            .and_then(|()| self.part.get_ref().sync_data());
        let shown = self.job.places.part.display();
        synced.with_context(|| format!("`{shown}` can't be written"))?;
        let progress = &mut self.job.progress;
        progress.errors_bytes = self.aside.sync()?;
        progress.out_bytes = self.written;
        progress.save(&self.job.places.progress)?;
        self.saved = Instant::now();
        Ok(())
    }
}
