//! `jinku tokenize FILE` and `jinku detokenize FILE`: whole files through a running vault, row by row.
//!
//! | file | owns |
//! | --- | --- |
//! | `options` | the command line |
//! | `map` | which columns hold what |
//! | `place`, `progress`, `aside` | the run's files: output, how far it has come, rows that were set aside |
//! | `rows` | a text file's records, bit by bit, and the cells that the map chooses |
//! | `csv`, `pointer`, `encoding` | where a CSV field or a JSON string lies, and what it says |
//! | `batch` | rows on their way |
//! | `desk` | one batch at the vault |
//! | `flow` | batches at once, in order |
//! | `splice` | new values in a row's bytes |
//! | `text`, `parquet` | a run over a text file, and over a Parquet file |
//! | `meter` | how far it has come, on a terminal |

mod aside;
mod batch;
mod csv;
mod desk;
mod encoding;
mod flow;
mod map;
mod meter;
mod options;
#[cfg(feature = "parquet")]
mod parquet;
mod place;
mod pointer;
mod progress;
mod rows;
mod splice;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{anyhow, bail};
use serde_json::json;

use batch::Portion;
use desk::{Act, Desk};
use encoding::Encoding;
use flow::{Ended, Stop};
use map::{Layout, Map};
use options::Work;
use place::{Places, Start};
use progress::{Progress, Standing};
use rows::Reading;

use crate::cli::screen;
use crate::model::{GrantId, TokenText};
use crate::token::VALUE_BYTES_MAX;

pub(super) use options::{Detokenize, Tokenize};

/// One run over one file.
struct Job {
    /// For people: what is being done.
    verb: &'static str,
    reading: Reading,
    places: Places,
    progress: Progress,
    desk: Arc<Desk>,
    portion: Portion,
    in_flight: usize,
    errors_max: Option<u64>,
    /// Of the output: what was opened is for its owner alone.
    out_mode: u32,
    stop: Stop,
    json: bool,
    resumed: bool,
    /// Rows set aside, also those of a part that is not kept.
    errors_seen: u64,
}

/// Runs `jinku tokenize`.
pub(super) fn tokenize(options: &Tokenize) -> anyhow::Result<ExitCode> {
    start(&options.work, Act::Tokenize)
}

/// Runs `jinku detokenize`.
pub(super) fn detokenize(options: Detokenize) -> anyhow::Result<ExitCode> {
    let Detokenize {
        work,
        purpose,
        grant,
        keep_unavailable,
    } = options;
    // The vault would say so too, but only once the file was read.
    crate::model::Purpose::parse(&purpose)?;
    grant.as_deref().map(GrantId::parse).transpose()?;
    let act = Act::Detokenize {
        purpose,
        grant,
        keep_unavailable,
    };
    start(&work, act)
}

fn start(work: &Work, act: Act) -> anyhow::Result<ExitCode> {
    crate::cli::runtime()?.block_on(async {
        let begun = Instant::now();
        let mut job = Job::prepare(work, act)?;
        let outcome = if job.progress.whole {
            job.finish().map(|()| Ended::Whole)
        } else {
            job.run().await
        };
        match outcome {
            Ok(ended) => Ok(job.told(ended, begun)),
            Err(error) => Err(job.failed(&error)),
        }
    })
}

impl Job {
    fn prepare(work: &Work, act: Act) -> anyhow::Result<Self> {
        let (map, text) = Map::load(&work.map)?;
        let tokenizes = matches!(act, Act::Tokenize);
        if tokenizes {
            map.needs_classes()?;
        }
        let layout = work.layout.or(map.layout).or(Layout::of(&work.file));
        let Some(layout) = layout else {
            bail!("the file's name does not say what it is: say --layout csv, jsonl or parquet");
        };
        map.fits(layout)?;
        if work.encoding != Encoding::Utf8 && layout != Layout::Csv {
            bail!("--encoding is for CSV: JSON and Parquet are UTF-8");
        }
        let (verb, suffix, value_max) = if tokenizes {
            (
                "tokenize",
                ".tokenized",
                (VALUE_BYTES_MAX, "value-too-long"),
            )
        } else {
            let max = (TokenText::BYTES_MAX, "token-too-long");
            ("detokenize", ".detokenized", max)
        };
        let begin = work.start();
        let places = Places::of(
            work.file.clone(),
            work.out.clone(),
            work.errors.clone(),
            suffix,
            begin,
        )?;
        let setting = work.setting(&act, layout);
        let setting = [text.as_bytes(), setting.as_bytes()];
        let progress = match begin {
            Start::Resumed => Progress::take_up(&places.progress, &places.input, &setting)?,
            Start::Fresh => Progress::begin(&places.input, &setting, Standing::Kept)?,
            Start::Forced => {
                places.clear()?;
                Progress::begin(&places.input, &setting, Standing::Replaced)?
            }
        };
        let stop = Stop::on_signals()?;
        let desk = work.desk(&map, act, &progress.run)?;
        Ok(Self {
            verb,
            reading: Reading {
                map: Arc::new(map),
                layout,
                encoding: work.encoding,
                value_max,
            },
            places,
            progress,
            desk: Arc::new(desk),
            portion: work.portion(),
            in_flight: work.in_flight.into(),
            errors_max: work.max_errors,
            out_mode: if tokenizes { 0o666 } else { 0o600 },
            stop,
            json: work.json,
            resumed: begin == Start::Resumed,
            errors_seen: 0,
        })
    }

    async fn run(&mut self) -> anyhow::Result<Ended> {
        match self.reading.layout {
            Layout::Csv | Layout::Jsonl => text::run(self).await,
            #[cfg(feature = "parquet")]
            Layout::Parquet => parquet::run(self).await,
            #[cfg(not(feature = "parquet"))]
            Layout::Parquet => bail!("this jinku was built without Parquet"),
        }
    }

    /// What is whole, and wants its name.
    fn finished(&self) -> PathBuf {
        #[cfg(feature = "parquet")]
        if self.reading.layout == Layout::Parquet {
            return parquet::joined(&self.places);
        }
        self.places.part.clone()
    }

    /// Gives the output its name, and removes what only a run in progress needs. May be done again.
    fn finish(&self) -> anyhow::Result<()> {
        let finished = self.finished();
        // It may have got its name already.
        if finished.exists() {
            self.places.name(&finished, self.progress.standing)?;
        }
        if self.progress.errors == 0 {
            let _ = std::fs::remove_file(&self.places.errors);
        }
        if self.places.part.is_dir() {
            std::fs::remove_dir_all(&self.places.part)?;
        }
        std::fs::remove_file(&self.places.progress)?;
        progress::sync_folder(&self.places.progress)
    }

    /// Says why, and how to go on. Where the vault has answered nothing, nothing is left to go on with.
    fn failed(&self, error: &anyhow::Error) -> anyhow::Error {
        let answered = self.desk.reached.load(Ordering::Relaxed) || self.resumed;
        if answered && self.places.progress.exists() {
            let part = self.places.part.display();
            anyhow!("{error:#}; what is done is in {part}: the same command with --resume goes on")
        } else {
            // What can't be removed is found, and named, by the next run.
            let _ = self.places.clear();
            anyhow!("{error:#}")
        }
    }

    /// Says what came of it. Any row that was set aside is a failure of the command.
    fn told(&self, ended: Ended, begun: Instant) -> ExitCode {
        let Progress { rows, values, .. } = self.progress;
        let errors = self.progress.errors.max(self.errors_seen);
        let (out, aside) = (self.places.out.display(), self.places.errors.display());
        let whole = ended == Ended::Whole;
        if self.json {
            let text = json!({
                "ended": match ended {
                    Ended::Whole => "whole",
                    Ended::Stopped => "stopped",
                    Ended::Enough => "max-errors",
                },
                "rows": rows,
                "values": values,
                "errors": errors,
                "out": whole.then(|| out.to_string()),
                "errors_file": (errors > 0).then(|| aside.to_string()),
                "resumed": self.resumed,
                "seconds": begun.elapsed().as_secs_f64(),
            });
            screen::line(&text.to_string());
        } else if whole {
            let written = rows - errors;
            screen::good(&format!(
                "{written} rows are in {out}, {values} values replaced"
            ));
        } else {
            let part = self.places.part.display();
            screen::bad(&format!(
                "stopped after {rows} rows: they are in {part}; the same command with --resume goes on"
            ));
        }
        if errors > 0 && !self.json {
            screen::bad(&format!("{errors} rows were set aside: {aside} says why"));
        }
        if whole && errors == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
