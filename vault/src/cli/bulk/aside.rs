//! The file of errors: a line of JSON for each row that was set aside. It holds no value.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::batch::{Row, RowFault};
use super::map::Map;
use super::place::append_from;

/// The file, as far as it is written.
pub(super) struct Aside {
    file: BufWriter<File>,
    bytes: u64,
}

#[derive(Serialize)]
struct Report<'a> {
    row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    code: &'a str,
    message: &'a str,
}

impl Aside {
    pub(super) fn open(path: &Path, bytes: u64) -> anyhow::Result<Self> {
        let file = BufWriter::new(append_from(path, bytes, 0o600)?);
        Ok(Self { file, bytes })
    }

    pub(super) fn add(&mut self, map: &Map, row: &Row, fault: &RowFault) -> anyhow::Result<()> {
        let column = fault.column.and_then(|column| map.columns.get(column));
        let report = Report {
            row: row.number,
            line: (row.line > 0).then_some(row.line),
            column: column.map(|column| column.place.label()),
            position: fault.position,
            code: &fault.code,
            message: &fault.message,
        };
        let mut text = serde_json::to_vec(&report)?;
        text.push(b'\n');
        let written = self.file.write_all(&text);
        written.context("the file of errors can't be written")?;
        self.bytes += text.len() as u64;
        Ok(())
    }

    /// Makes it durable, and says how long it is.
    pub(super) fn sync(&mut self) -> anyhow::Result<u64> {
        let synced = self
            .file
            .flush()
            .and_then(|()| self.file.get_ref().sync_data());
        synced.context("the file of errors can't be written")?;
        Ok(self.bytes)
    }
}
