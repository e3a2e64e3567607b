//! Owns CSV (RFC 4180): commas, quotes, rows of one width. Columns are named by the first row, or
//! numbered. What programs read in different ways (a quote inside a cell, a ragged row) is refused.

use std::borrow::Cow;

use super::keep;
use crate::field::{Field, Spelling};
use crate::scan::{Bounds, Fault, ScanError};

/// What is wrong with a CSV body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvFault {
    /// Not UTF-8.
    #[error("the CSV body is not UTF-8")]
    NotUtf8,
    /// A quote within a cell that does not start with one, text after a closing quote, or a backslash
    /// before a quote, which PHP and Spark take for an escape.
    #[error(
        "a quote in a CSV cell must be doubled, with no backslash before it, and the cell quoted"
    )]
    Quote,
    /// A quoted cell that does not end.
    #[error("a quoted CSV cell does not end")]
    Open,
    /// A carriage return without a line feed, or NUL.
    #[error("a control character in a CSV cell that is not quoted")]
    Control,
    /// A row of another width than the first.
    #[error("a CSV row has another number of cells than the first one")]
    Ragged,
    /// The column that a rule names is not in the first row, or twice.
    #[error("the first CSV row must name the column `{column}` once")]
    Column {
        /// The column, as the settings name it.
        column: String,
    },
    /// The rows are narrower than the column that a rule numbers.
    #[error("the CSV rows have no column {column}")]
    Narrow {
        /// The column's number, from 1.
        column: usize,
    },
}

/// A column that a rule takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Position of the rule in its plan.
    pub(crate) rule: usize,
    pub(crate) place: Place,
}

/// How a rule says which column it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The cell of the first row with this text.
    Named(String),
    /// From 1.
    At(usize),
}

/// A byte order mark, which spreadsheets put before the first name.
const MARK: &str = "\u{feff}";

pub(crate) fn select<'a>(
    body: &'a [u8],
    columns: &[Column],
    header: Option<bool>,
    bounds: &Bounds,
) -> Result<Vec<Field<'a>>, ScanError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| ScanError::at(body, error.valid_up_to(), Fault::Csv(CsvFault::NotUtf8)))?;
    let mut reader = Reader {
        text,
        at: if text.starts_with(MARK) {
            MARK.len()
        } else {
            0
        },
        cells: 0,
    };
    let mut taking = Taking {
        columns,
        rules: Vec::new(),
        // The rules say it, not the sender: a first row that he calls a header would pass as it is.
        has_header: columns
            .iter()
            .any(|column| matches!(column.place, Place::Named(_))),
    };
    let mut fields = Vec::new();
    let mut row = Vec::new();
    let mut first = true;
    while reader.at < body.len() {
        let start = reader.at;
        row.clear();
        reader
            .row(&mut row, bounds)
            .map_err(|fault| ScanError::at(body, reader.at, fault))?;
        let fault = |fault| ScanError::at(body, start, Fault::Csv(fault));
        if first {
            first = false;
            taking.rules = taking.meant(&row, header).map_err(fault)?;
            if taking.has_header {
                continue;
            }
        }
        if row.len() != taking.rules.len() {
            return Err(fault(CsvFault::Ragged));
        }
        for (cell, rule) in row.drain(..).zip(&taking.rules) {
            if let Some(rule) = rule {
                let field = Field {
                    rule: *rule,
                    extent: cell.span.clone(),
                    span: cell.span,
                    value: cell.text,
                    spelling: Spelling::Csv {
                        quoted: cell.quoted,
                    },
                };
                keep(&mut fields, field, body, bounds)?;
            }
        }
    }
    Ok(fields)
}

/// The names of the first row.
pub(crate) fn header(body: &[u8], bounds: &Bounds) -> Option<Vec<String>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut reader = Reader {
        text,
        at: if text.starts_with(MARK) {
            MARK.len()
        } else {
            0
        },
        cells: 0,
    };
    let mut row = Vec::new();
    reader.row(&mut row, bounds).ok()?;
    Some(
        row.into_iter()
            .map(|cell| cell.text.trim().to_owned())
            .collect(),
    )
}

struct Taking<'c> {
    columns: &'c [Column],
    /// For each column of the body, the rule that takes it.
    rules: Vec<Option<usize>>,
    has_header: bool,
}

impl Taking<'_> {
    /// Which rule takes which column. A column that can't be found is refused: its values would
    /// pass unseen.
    fn meant(
        &self,
        row: &[Cell<'_>],
        header: Option<bool>,
    ) -> Result<Vec<Option<usize>>, CsvFault> {
        let mut rules = vec![None; row.len()];
        for column in self.columns {
            let index = match &column.place {
                Place::At(number) => number
                    .checked_sub(1)
                    .filter(|index| *index < row.len())
                    .ok_or(CsvFault::Narrow { column: *number })?,
                Place::Named(name) => {
                    let mut found = (row.iter().enumerate())
                        .filter(|(_, cell)| cell.text.trim() == name)
                        .map(|(index, _)| index);
                    match (found.next(), found.next()) {
                        (Some(index), None) if header != Some(false) => index,
                        _ => {
                            return Err(CsvFault::Column {
                                column: name.clone(),
                            });
                        }
                    }
                }
            };
            rules[index].get_or_insert(column.rule);
        }
        Ok(rules)
    }
}

struct Cell<'a> {
    /// Quotes included.
    span: std::ops::Range<usize>,
    text: Cow<'a, str>,
    quoted: bool,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    cells: usize,
}

impl<'a> Reader<'a> {
    /// One row and its end.
    fn row(&mut self, row: &mut Vec<Cell<'a>>, bounds: &Bounds) -> Result<(), Fault> {
        loop {
            self.cells += 1;
            if self.cells > bounds.nodes_max {
                return Err(Fault::TooManyNodes {
                    nodes_max: bounds.nodes_max,
                });
            }
            row.push(self.cell().map_err(Fault::Csv)?);
            match self.text.as_bytes().get(self.at) {
                None => return Ok(()),
                Some(b',') => self.at += 1,
                Some(b'\n') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\r') if self.text.as_bytes().get(self.at + 1) == Some(&b'\n') => {
                    self.at += 2;
                    return Ok(());
                }
                Some(_) => return Err(Fault::Csv(CsvFault::Quote)),
            }
        }
    }

    fn cell(&mut self) -> Result<Cell<'a>, CsvFault> {
        let start = self.at;
        if self.text.as_bytes().get(start) == Some(&b'"') {
            return self.quoted();
        }
        for byte in &self.text.as_bytes()[start..] {
            match byte {
                b',' | b'\n' => break,
                b'\r' if self.text.as_bytes().get(self.at + 1) == Some(&b'\n') => break,
                b'"' => return Err(CsvFault::Quote),
                b'\r' | 0 => return Err(CsvFault::Control),
                _ => self.at += 1,
            }
        }
        Ok(Cell {
            span: start..self.at,
            text: Cow::Borrowed(&self.text[start..self.at]),
            quoted: false,
        })
    }

    fn quoted(&mut self) -> Result<Cell<'a>, CsvFault> {
        let start = self.at;
        let mut text = Cow::Borrowed("");
        self.at += 1;
        loop {
            let run = &self.text[self.at..];
            let length = run.find('"').ok_or(CsvFault::Open)?;
            if run[..length].ends_with('\\') {
                return Err(CsvFault::Quote);
            }
            if text.is_empty() {
                text = Cow::Borrowed(&run[..length]);
            } else {
                text.to_mut().push_str(&run[..length]);
            }
            self.at += length + 1;
            if self.text.as_bytes().get(self.at) != Some(&b'"') {
                return Ok(Cell {
                    span: start..self.at,
                    text,
                    quoted: true,
                });
            }
            text.to_mut().push('"');
            self.at += 1;
        }
    }
}
