//! A row group's chosen values, read some rows at a time, as batches.

use std::collections::VecDeque;

use ::parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use ::parquet::data_type::{ByteArray, ByteArrayType};
use ::parquet::file::reader::FileReader;
use ::parquet::file::serialized_reader::SerializedFileReader;
use anyhow::{Context, bail};

use super::Source;
use super::choice::Choice;
use crate::cli::bulk::batch::{Batch, Cell, Mark, Portion, Row, RowFault, request_bytes};
use crate::cli::bulk::csv::Quoting;
use crate::cli::bulk::progress::Progress;
use crate::cli::bulk::rows::{Reading, judged};

/// Rows read at a time.
const ROWS: usize = 1_024;

/// One row group, as far as it is read.
pub(super) struct Group {
    reading: Reading,
    columns: Vec<Leaf>,
    ready: VecDeque<(Row, Vec<Cell>, Vec<i16>)>,
    /// Rows read of the whole file, and of this group those that are left.
    rows: u64,
    left: usize,
    sent: u64,
    batches: u64,
}

struct Leaf {
    reader: ColumnReaderImpl<ByteArrayType>,
    defined: i16,
}

impl Group {
    pub(super) fn open(
        source: &Source,
        choice: &Choice,
        group: usize,
        reading: &Reading,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let file = SerializedFileReader::new(source.file.try_clone()?)?;
        let reader = file.get_row_group(group)?;
        let mut columns = Vec::with_capacity(choice.leaves.len());
        for (&leaf, &defined) in choice.leaves.iter().zip(&choice.defined) {
            let reader = get_typed_column_reader(reader.get_column_reader(leaf)?);
            columns.push(Leaf { reader, defined });
        }
        Ok(Self {
            reading: reading.clone(),
            columns,
            ready: VecDeque::new(),
            rows: progress.rows,
            left: usize::try_from(reader.metadata().num_rows())?,
            sent: progress.rows,
            batches: progress.batch,
        })
    }

    /// The next rows; nothing at the group's end.
    pub(super) fn batch(&mut self, portion: Portion) -> anyhow::Result<Option<Batch>> {
        let end = |rows| Mark {
            rows,
            ..Mark::default()
        };
        let mut batch = Batch::new(self.batches, end(self.sent));
        let mut requested = 0;
        loop {
            if self.ready.is_empty() && self.left > 0 {
                self.read()?;
            }
            let Some((_, cells, _)) = self.ready.front() else {
                break;
            };
            if !portion.takes(&batch, requested, 0, cells) {
                break;
            }
            requested += request_bytes(cells);
            let Some((row, cells, levels)) = self.ready.pop_front() else {
                break;
            };
            self.sent += 1;
            batch.levels.extend(levels);
            batch.push(row, cells);
            batch.end = end(self.sent);
        }
        self.batches += 1;
        Ok((!batch.rows.is_empty()).then_some(batch))
    }

    fn read(&mut self) -> anyhow::Result<()> {
        let count = self.left.min(ROWS);
        let mut columns = Vec::with_capacity(self.columns.len());
        for leaf in &mut self.columns {
            columns.push(leaf.read(count)?.into_iter());
        }
        for _ in 0..count {
            self.rows += 1;
            let mut row = Row {
                number: self.rows,
                line: 0,
                bytes: 0..0,
                cells: 0..0,
                fault: None,
            };
            let (mut cells, mut levels) = (Vec::new(), Vec::new());
            for (column, values) in columns.iter_mut().enumerate() {
                let (level, value) = values.next().unwrap_or_default();
                levels.push(level);
                match self.cell(column, value.as_ref()) {
                    Ok(cell) => cells.extend(cell),
                    Err(fault) => row.fault = row.fault.or(Some(fault)),
                }
            }
            if row.fault.is_some() {
                cells.clear();
            }
            self.ready.push_back((row, cells, levels));
        }
        self.left -= count;
        Ok(())
    }

    fn cell(&self, column: usize, value: Option<&ByteArray>) -> Result<Option<Cell>, RowFault> {
        let bytes = value.map(ByteArray::data).unwrap_or_default();
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(RowFault::new("not-utf-8", "the value is not UTF-8").of(column));
        };
        let cell = Cell {
            column,
            span: 0..0,
            value: text.to_owned(),
            quoting: Quoting::Bare,
        };
        judged(&self.reading, cell)
    }
}

impl Leaf {
    /// So many rows: how far each is defined, and its value.
    fn read(&mut self, count: usize) -> anyhow::Result<Vec<(i16, Option<ByteArray>)>> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let mut rows = 0;
        while rows < count {
            let optional = (self.defined > 0).then_some(&mut levels);
            let read = self
                .reader
                .read_records(count - rows, optional, None, &mut values);
            let (found, _, _) = read.context("a column can't be read")?;
            if found == 0 {
                bail!("a column ends before its row group does: the file is damaged");
            }
            rows += found;
        }
        let mut values = values.into_iter();
        if self.defined == 0 {
            return Ok(values.map(|value| (0, Some(value))).collect());
        }
        let defined = self.defined;
        let row = |level| {
            (
                level,
                if level == defined {
                    values.next()
                } else {
                    None
                },
            )
        };
        Ok(levels.into_iter().map(row).collect())
    }
}
