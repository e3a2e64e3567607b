//! Puts new values into a row's bytes. All other bytes stay as they came.

use super::batch::{Batch, Cell, Row, RowFault};
use super::csv;
use super::encoding::Encoding;
use super::map::Layout;

/// How new values are written into text.
#[derive(Clone, Copy)]
pub(super) struct Hand {
    pub(super) layout: Layout,
    pub(super) encoding: Encoding,
    pub(super) delimiter: u8,
}

impl Hand {
    /// Writes a row, whole, or why it can't be written; then nothing was.
    pub(super) fn write(
        self,
        out: &mut Vec<u8>,
        batch: &Batch,
        row: &Row,
        replacements: &[String],
    ) -> Result<(), RowFault> {
        let begun = out.len();
        let bytes = &batch.bytes[row.bytes.clone()];
        let mut at = 0;
        for place in row.cells.clone() {
            let cell = &batch.cells[place];
            out.extend_from_slice(&bytes[at..cell.span.start]);
            if let Err(fault) = self.value(out, cell, &replacements[place]) {
                out.truncate(begun);
                return Err(fault);
            }
            at = cell.span.end;
        }
        out.extend_from_slice(&bytes[at..]);
        Ok(())
    }

    fn value(self, out: &mut Vec<u8>, cell: &Cell, text: &str) -> Result<(), RowFault> {
        let unwritable = || {
            let encoding = self.encoding.as_str();
            let message = format!("what shall stand there can't be written in {encoding}");
            RowFault::new("not-writable", message).of(cell.column)
        };
        if self.layout == Layout::Csv {
            let value = self.encoding.encode(text).ok_or_else(unwritable)?;
            csv::write(out, &value, cell.quoting, self.delimiter);
            return Ok(());
        }
        let value = serde_json::to_string(text).map_err(|_| unwritable())?;
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }
}
