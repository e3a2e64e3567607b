//! Rows on their way to the vault and back, some at a time: one request, and one step of the output.

use std::borrow::Cow;
use std::ops::Range;

use super::csv::Quoting;

/// Some rows that follow each other.
pub(super) struct Batch {
    /// From 0; the same rows have the same number in a run that is taken up again.
    pub(super) number: u64,
    /// The rows' bytes, where the layout is text.
    pub(super) bytes: Vec<u8>,
    pub(super) rows: Vec<Row>,
    pub(super) cells: Vec<Cell>,
    /// Of Parquet rows: how far each column of the map is defined, row by row.
    pub(super) levels: Vec<i16>,
    /// Where the input stands behind them.
    pub(super) end: Mark,
}

impl Batch {
    pub(super) fn new(number: u64, end: Mark) -> Self {
        Self {
            number,
            bytes: Vec::new(),
            rows: Vec::new(),
            cells: Vec::new(),
            levels: Vec::new(),
            end,
        }
    }

    /// Adds a row with its cells.
    pub(super) fn push(&mut self, mut row: Row, cells: Vec<Cell>) {
        row.cells = self.cells.len()..self.cells.len() + cells.len();
        self.cells.extend(cells);
        self.rows.push(row);
    }
}

/// A place in the input.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Mark {
    /// Bytes before it.
    pub(super) offset: u64,
    /// Line ends before it.
    pub(super) lines: u64,
    /// Rows before it.
    pub(super) rows: u64,
}

/// One row, or what stands between rows and is only copied.
pub(super) struct Row {
    /// From 1; 0 for a header or a blank line.
    pub(super) number: u64,
    /// The line on which it begins, from 1; 0 where there are no lines.
    pub(super) line: u64,
    /// Its bytes in the batch.
    pub(super) bytes: Range<usize>,
    /// Its cells in the batch.
    pub(super) cells: Range<usize>,
    /// Why it does not get into the output.
    pub(super) fault: Option<RowFault>,
}

/// One value that is replaced.
pub(super) struct Cell {
    /// Which column of the map.
    pub(super) column: usize,
    /// Where it lies in its row's bytes.
    pub(super) span: Range<usize>,
    /// What it says.
    pub(super) value: String,
    /// Whether a CSV field is in quotes.
    pub(super) quoting: Quoting,
}

/// Why a row is set aside. It never holds a value.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct RowFault {
    /// Which column of the map.
    pub(super) column: Option<usize>,
    /// Character of the line, from 1.
    pub(super) position: Option<u64>,
    /// Stable.
    pub(super) code: Cow<'static, str>,
    pub(super) message: String,
}

impl RowFault {
    pub(super) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            column: None,
            position: None,
            code: code.into(),
            message: message.into(),
        }
    }

    pub(super) fn of(mut self, column: usize) -> Self {
        self.column = Some(column);
        self
    }

    pub(super) fn at(mut self, position: u64) -> Self {
        self.position = Some(position);
        self
    }

    pub(super) fn missing(column: usize) -> Self {
        Self::new("value-missing", "the row has no value there").of(column)
    }
}

/// A batch, and what stands in each cell from now on. A row with a fault has nothing.
pub(super) struct Settled {
    pub(super) batch: Batch,
    pub(super) replacements: Vec<String>,
}

/// How much goes into one request.
#[derive(Clone, Copy)]
pub(super) struct Portion {
    pub(super) items_max: usize,
    /// Of the request's message.
    pub(super) bytes_max: usize,
}

/// Bytes around a value in the request's message: tags, lengths, the class.
const ITEM_BYTES: usize = 80;
/// Rows of a batch, where few of them hold values.
const ROWS_MAX: usize = 16_384;
/// Bytes of a batch's rows.
const RAW_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Portion {
    /// Whether a batch takes this row too. An empty one takes any.
    pub(super) fn takes(
        self,
        batch: &Batch,
        requested_bytes: usize,
        row_bytes: usize,
        cells: &[Cell],
    ) -> bool {
        let items = batch.cells.len() + cells.len();
        let requested = requested_bytes + request_bytes(cells);
        batch.rows.is_empty()
            || (items <= self.items_max
                && requested <= self.bytes_max
                && batch.rows.len() < ROWS_MAX
                && batch.bytes.len() + row_bytes <= RAW_BYTES_MAX)
    }
}

/// What cells add to a request's message, in bytes; at most.
pub(super) fn request_bytes(cells: &[Cell]) -> usize {
    cells.iter().map(|cell| cell.value.len() + ITEM_BYTES).sum()
}
