//! What came back for a row group's chosen columns, on disk until the group is whole: a file a column.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::choice::Choice;
use crate::cli::bulk::batch::Settled;
use crate::cli::bulk::place::append_from;

/// The spool of one row group. It goes with its owner.
pub(super) struct Spool {
    columns: Vec<(PathBuf, BufWriter<File>)>,
    defined: Vec<i16>,
    /// Of each row, whether it was set aside.
    pub(super) dropped: Vec<bool>,
}

impl Spool {
    pub(super) fn create(folder: &Path, choice: &Choice) -> anyhow::Result<Self> {
        let mut columns = Vec::with_capacity(choice.leaves.len());
        for column in 0..choice.leaves.len() {
            let path = folder.join(format!("spool-{column}"));
            let file = append_from(&path, 0, 0o600)?;
            columns.push((path, BufWriter::new(file)));
        }
        Ok(Self {
            columns,
            defined: choice.defined.clone(),
            dropped: Vec::new(),
        })
    }

    /// Adds a batch's rows but those that were set aside: of each, its level, and its value if it has one.
    pub(super) fn add(&mut self, settled: &Settled) -> anyhow::Result<()> {
        let Settled {
            batch,
            replacements,
        } = settled;
        let width = self.columns.len();
        for (row, levels) in batch.rows.iter().zip(batch.levels.chunks(width)) {
            self.dropped.push(row.fault.is_some());
            if row.fault.is_some() {
                continue;
            }
            let mut cells = row.cells.clone().peekable();
            for (column, &level) in levels.iter().enumerate() {
                let mine = |cell: &usize| batch.cells[*cell].column == column;
                // A value without a cell is an empty one: there is nothing to replace.
                let value = cells.next_if(mine).map_or("", |cell| &replacements[cell]);
                let (_, file) = &mut self.columns[column];
                let written = file.write_all(&level.to_be_bytes()).and_then(|()| {
                    if level < self.defined[column] {
                        return Ok(());
                    }
                    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
                    file.write_all(&length.to_be_bytes())?;
                    file.write_all(value.as_bytes())
                });
                written.context("the row group's values can't be kept: check the disk")?;
            }
        }
        Ok(())
    }

    /// Reads a column back.
    pub(super) fn column(&mut self, column: usize) -> anyhow::Result<Kept> {
        let (path, file) = &mut self.columns[column];
        file.flush()?;
        Ok(Kept {
            file: BufReader::new(File::open(path)?),
            defined: self.defined[column],
        })
    }

    pub(super) fn kept(&self) -> usize {
        self.dropped.iter().filter(|dropped| !**dropped).count()
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        for (path, _) in &self.columns {
            // A run that is taken up makes it anew.
            let _ = fs::remove_file(path);
        }
    }
}

/// A column that is read back.
pub(super) struct Kept {
    file: BufReader<File>,
    defined: i16,
}

impl Kept {
    /// Levels and values of the next rows, at most `count`.
    pub(super) fn rows(&mut self, count: usize) -> anyhow::Result<(Vec<i16>, Vec<Vec<u8>>)> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (mut level, mut length) = ([0; 2], [0; 4]);
            self.file.read_exact(&mut level)?;
            let level = i16::from_be_bytes(level);
            levels.push(level);
            if level == self.defined {
                self.file.read_exact(&mut length)?;
                let mut value = vec![0; u32::from_be_bytes(length) as usize];
                self.file.read_exact(&mut value)?;
                values.push(value);
            }
        }
        Ok((levels, values))
    }
}
