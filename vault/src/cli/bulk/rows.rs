//! Rows of a text file, read bit by bit: each record's bytes, and the cells that the map chooses.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use anyhow::{Context, bail};

use super::batch::{Batch, Cell, Mark, Portion, Row, RowFault, request_bytes};
use super::csv::{self, Behind, Field, Found, Quoting};
use super::encoding::Encoding;
use super::map::{Column, Layout, Map, Place};
use super::pointer::{self, Pointed};

/// Longest record, in bytes: one that is longer ends the run.
pub(super) const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes read at a time.
const CHUNK_BYTES: usize = 256 * 1024;
/// The byte order mark of UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What the rows of a file are read by.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) map: std::sync::Arc<Map>,
    pub(super) layout: Layout,
    pub(super) encoding: Encoding,
    /// Longest value that the vault takes, in bytes; its stable code for longer ones.
    pub(super) value_max: (usize, &'static str),
}

/// A file's rows, in order.
pub(super) struct Rows {
    input: File,
    reading: Reading,
    buffer: Vec<u8>,
    /// Where the unread part of the buffer begins.
    at: usize,
    /// What comes behind the buffer.
    behind: Behind,
    mark: Mark,
    fields: Vec<Field>,
    /// Fields of each row, once known; and which field each column of the map is.
    shape: Option<Shape>,
    /// A row that did not fit in the batch before.
    held: Option<(Row, Vec<u8>, Vec<Cell>, Mark)>,
    batches: u64,
}

struct Shape {
    fields: usize,
    places: Vec<usize>,
}

impl Rows {
    /// From the beginning of a file, whose header is looked at.
    pub(super) fn open(input: File, reading: Reading) -> anyhow::Result<Self> {
        let mut rows = Self {
            input,
            reading,
            buffer: Vec::new(),
            at: 0,
            behind: Behind::More,
            mark: Mark::default(),
            fields: Vec::new(),
            shape: None,
            held: None,
            batches: 0,
        };
        rows.begin()?;
        Ok(rows)
    }

    /// Goes on at a place where a batch ended.
    pub(super) fn skip_to(&mut self, mark: Mark, batches: u64) -> anyhow::Result<()> {
        if mark.offset > 0 {
            self.input.seek(SeekFrom::Start(mark.offset))?;
            self.buffer.clear();
            (self.at, self.behind) = (0, Behind::More);
            self.mark = mark;
        }
        self.batches = batches;
        Ok(())
    }

    /// What stands before the first row: a byte order mark, and a header.
    pub(super) fn preamble(&self) -> u64 {
        self.mark.offset
    }

    /// Looks at the beginning: a byte order mark, and the header of a CSV file.
    fn begin(&mut self) -> anyhow::Result<()> {
        while self.behind == Behind::More && self.buffer.len() < BOM.len() {
            self.fill()?;
        }
        if self.buffer.starts_with(BOM) && self.reading.encoding == Encoding::Utf8 {
            self.pass(BOM.len());
        } else if self.buffer.starts_with(b"\xff\xfe") || self.buffer.starts_with(b"\xfe\xff") {
            bail!("the file is UTF-16: convert it to UTF-8 first");
        }
        if self.reading.layout != Layout::Csv || !self.reading.map.header {
            return Ok(());
        }
        let Some(length) = self.record()? else {
            bail!("the file has no header");
        };
        let header = &self.buffer[self.at..self.at + length];
        let mut names = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let content = csv::content(&header[field.span.clone()], field.quoting);
            // What is no text is no name of the map either.
            names.push(
                self.reading
                    .encoding
                    .decode(&content)
                    .map(std::borrow::Cow::into_owned),
            );
        }
        self.shape = Some(shape(&self.reading.map, names.len(), &names)?);
        self.pass(length);
        Ok(())
    }

    /// Reads all rows without looking at values: whether the file can be read to its end. Yields its rows.
    pub(super) fn check(mut self, mut progress: impl FnMut(u64)) -> anyhow::Result<u64> {
        while let Some(length) = self.record()? {
            if !self.is_blank(length) {
                self.mark.rows += 1;
                self.known_shape()?;
            }
            self.pass(length);
            progress(self.mark.offset);
        }
        Ok(self.mark.rows)
    }

    /// The next rows; nothing at the file's end.
    pub(super) fn batch(&mut self, portion: Portion) -> anyhow::Result<Option<Batch>> {
        let mut batch = Batch::new(self.batches, self.mark);
        let mut requested = 0;
        if let Some((row, bytes, cells, end)) = self.held.take() {
            requested += request_bytes(&cells);
            add(&mut batch, row, &bytes, cells, end);
        }
        while let Some(length) = self.record()? {
            let (row, cells) = self.row(length)?;
            let bytes = &self.buffer[self.at..self.at + length];
            let fits = portion.takes(&batch, requested, length, &cells);
            requested += request_bytes(&cells);
            let (rows, bytes) = (u64::from(row.number > 0), bytes.to_vec());
            self.pass(length);
            self.mark.rows += rows;
            if !fits {
                self.held = Some((row, bytes, cells, self.mark));
                break;
            }
            add(&mut batch, row, &bytes, cells, self.mark);
        }
        self.batches += 1;
        Ok((!batch.rows.is_empty()).then_some(batch))
    }

    fn pass(&mut self, length: usize) {
        let passed = &self.buffer[self.at..self.at + length];
        self.mark.lines += line_ends(passed);
        self.mark.offset += length as u64;
        self.at += length;
    }

    /// Has one whole record at the buffer's place, and gives its length; nothing at the end.
    fn record(&mut self) -> anyhow::Result<Option<usize>> {
        loop {
            let unread = &self.buffer[self.at..];
            if unread.is_empty() && self.behind == Behind::Nothing {
                return Ok(None);
            }
            let found = match self.reading.layout {
                Layout::Csv => csv::record(
                    unread,
                    self.behind,
                    self.reading.map.delimiter,
                    &mut self.fields,
                ),
                _ => line(unread, self.behind),
            };
            match found {
                Found::Record(length) if length > RECORD_BYTES_MAX => {
                    return Err(self.refused(TOO_LONG, 0));
                }
                Found::Record(length) => {
                    // A line of JSON that is no text is that row's fault alone.
                    let text = self.reading.layout == Layout::Jsonl;
                    let fault = self.reading.encoding.fault(&unread[..length]);
                    return match fault.filter(|_| !text) {
                        Some(at) => Err(self.refused(NOT_UTF8, at)),
                        None => Ok(Some(length)),
                    };
                }
                Found::More if unread.len() > RECORD_BYTES_MAX => {
                    return Err(self.refused(TOO_LONG, 0));
                }
                Found::More => self.fill()?,
                Found::Fault(fault, at) => return Err(self.refused(&fault.to_string(), at)),
            }
        }
    }

    fn fill(&mut self) -> anyhow::Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let room = CHUNK_BYTES.max(self.buffer.len());
        let wanted = u64::try_from(room)?;
        let read = (&mut self.input).take(wanted).read_to_end(&mut self.buffer);
        let read = read.context("the file can't be read")?;
        if read < room {
            self.behind = Behind::Nothing;
        }
        Ok(())
    }

    fn refused(&self, what: &str, at: usize) -> anyhow::Error {
        let before = &self.buffer[self.at..self.at + at];
        let line = self.mark.lines + line_ends(before) + 1;
        let column = self.column(before);
        anyhow::anyhow!("line {line}, column {column}: {what}")
    }

    /// The character at which `before` ends, from 1, in its last line.
    fn column(&self, before: &[u8]) -> u64 {
        let start = before
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        self.reading.encoding.characters(&before[start..]) + 1
    }

    fn is_blank(&self, length: usize) -> bool {
        let record = &self.buffer[self.at..self.at + length];
        let blank = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let blank_in_json = |byte: &u8| matches!(byte, b'\r' | b'\n' | b' ' | b'\t');
        match self.reading.layout {
            Layout::Csv => record.iter().all(blank),
            _ => record.iter().all(blank_in_json),
        }
    }

    /// Without a header, the first row says how many fields there are.
    fn known_shape(&mut self) -> anyhow::Result<()> {
        if self.reading.layout == Layout::Csv && self.shape.is_none() {
            self.shape = Some(shape(&self.reading.map, self.fields.len(), &[])?);
        }
        Ok(())
    }

    fn row(&mut self, length: usize) -> anyhow::Result<(Row, Vec<Cell>)> {
        let mut row = Row {
            number: 0,
            line: self.mark.lines + 1,
            bytes: 0..length,
            cells: 0..0,
            fault: None,
        };
        if self.is_blank(length) {
            return Ok((row, Vec::new()));
        }
        row.number = self.mark.rows + 1;
        self.known_shape()?;
        let bytes = &self.buffer[self.at..self.at + length];
        let cells = match (self.reading.layout, &self.shape) {
            (Layout::Csv, Some(shape)) => self.csv_cells(bytes, shape),
            _ => self.json_cells(bytes),
        };
        Ok(match cells {
            Ok(cells) => (row, cells),
            Err(fault) => {
                row.fault = Some(fault);
                (row, Vec::new())
            }
        })
    }

    fn csv_cells(&self, bytes: &[u8], shape: &Shape) -> Result<Vec<Cell>, RowFault> {
        let (found, expected) = (self.fields.len(), shape.fields);
        if found != expected {
            let at = self.fields.get(expected).or(self.fields.last());
            let at = at.map_or(0, |field| {
                if found > expected {
                    field.span.start
                } else {
                    field.span.end
                }
            });
            let message = format!("the row has {found} fields, and not {expected}");
            return Err(RowFault::new("ragged", message).at(self.column(&bytes[..at])));
        }
        let mut cells = Vec::with_capacity(shape.places.len());
        for (column, &place) in shape.places.iter().enumerate() {
            let field = &self.fields[place];
            let position = || self.column(&bytes[..field.span.start]);
            let content = csv::content(&bytes[field.span.clone()], field.quoting);
            let Some(value) = self.reading.encoding.decode(&content) else {
                let message = "the field is no text that Big5 writes back as it was";
                return Err(RowFault::new("not-text", message).of(column).at(position()));
            };
            let cell = Cell {
                column,
                span: field.span.clone(),
                value: value.into_owned(),
                quoting: field.quoting,
            };
            cells.extend(self.judged(cell).map_err(|fault| fault.at(position()))?);
        }
        cells.sort_by_key(|cell| cell.span.start);
        Ok(cells)
    }

    fn json_cells(&self, bytes: &[u8]) -> Result<Vec<Cell>, RowFault> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let position = self.column(&bytes[..error.valid_up_to()]);
            RowFault::new("not-utf-8", "the line is not UTF-8").at(position)
        })?;
        let told = |fault: pointer::Fault| RowFault::new(fault.code(), fault.to_string());
        pointer::check(text).map_err(|fault| match fault {
            pointer::Fault::NotJson { column } => {
                let before = bytes.get(..column.saturating_sub(1)).unwrap_or(bytes);
                told(fault).at(self.column(before))
            }
            _ => told(fault),
        })?;
        let mut cells = Vec::with_capacity(self.reading.map.columns.len());
        for (column, Column { place, .. }) in self.reading.map.columns.iter().enumerate() {
            let Place::Pointer(_, pointer) = place else {
                continue;
            };
            let (span, value) = match pointer.find(text).map_err(|fault| told(fault).of(column))? {
                Pointed::Text(span, value) => (span, value),
                Pointed::Nothing => (0..0, String::new()),
            };
            let cell = Cell {
                column,
                span,
                value,
                quoting: Quoting::Quoted,
            };
            cells.extend(self.judged(cell)?);
        }
        cells.sort_by_key(|cell| cell.span.start);
        Ok(cells)
    }

    /// A cell that is sent; nothing where there is no value, or why the row is set aside.
    fn judged(&self, cell: Cell) -> Result<Option<Cell>, RowFault> {
        judged(&self.reading, cell)
    }
}

const TOO_LONG: &str = "a record has more than 16 MiB";
const NOT_UTF8: &str = "the bytes are not UTF-8: if the file is Big5, say --encoding big5";

/// A cell that is sent; nothing where there is no value, or why the row is set aside.
pub(super) fn judged(reading: &Reading, cell: Cell) -> Result<Option<Cell>, RowFault> {
    let (bytes_max, code) = reading.value_max;
    let required = reading
        .map
        .columns
        .get(cell.column)
        .is_some_and(|c| c.required);
    if cell.value.is_empty() {
        return if required {
            Err(RowFault::missing(cell.column))
        } else {
            Ok(None)
        };
    }
    if cell.value.len() > bytes_max {
        let message = format!("it has more than {bytes_max} bytes of UTF-8");
        return Err(RowFault::new(code, message).of(cell.column));
    }
    Ok(Some(cell))
}

fn add(batch: &mut Batch, mut row: Row, bytes: &[u8], cells: Vec<Cell>, end: Mark) {
    let start = batch.bytes.len();
    row.bytes = start..start + bytes.len();
    batch.bytes.extend_from_slice(bytes);
    batch.push(row, cells);
    batch.end = end;
}

fn line_ends(bytes: &[u8]) -> u64 {
    let pieces = bytes.split(|byte| *byte == b'\n').count();
    pieces.saturating_sub(1) as u64
}

/// One line, its end with it.
fn line(input: &[u8], behind: Behind) -> Found {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(at) => Found::Record(at + 1),
        None if behind == Behind::Nothing => Found::Record(input.len()),
        None => Found::More,
    }
}

/// Which fields the map's columns are.
fn shape(map: &Map, fields: usize, names: &[Option<String>]) -> anyhow::Result<Shape> {
    let mut places = Vec::with_capacity(map.columns.len());
    for column in &map.columns {
        let place = match &column.place {
            Place::Number(number) => number - 1,
            Place::Name(name) => {
                let mut found = names.iter().enumerate();
                let mut found = found
                    .by_ref()
                    .filter(|(_, known)| known.as_ref() == Some(name))
                    .map(|(at, _)| at);
                match (found.next(), found.next()) {
                    (Some(at), None) => at,
                    (None, _) => bail!("the header has no column `{name}`"),
                    (Some(_), Some(_)) => {
                        bail!("the header has two columns `{name}`: give the one by `number`")
                    }
                }
            }
            Place::Pointer(text, _) => bail!("`{text}` is no column of a CSV file"),
        };
        if place >= fields {
            bail!("the file has {fields} columns, and no column {}", place + 1);
        }
        if places.contains(&place) {
            bail!("column `{}` is named twice", column.place.label());
        }
        places.push(place);
    }
    Ok(Shape { fields, places })
}
