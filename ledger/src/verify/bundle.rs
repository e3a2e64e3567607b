//! Cuts an entry bundle into its entries, naming the place where it cannot be cut.

use super::archive::{Archive, spare};
use super::code::Code;
use super::files::{Found, Position};
use super::finding::{Finding, Findings};
use crate::entry::ENTRY_BYTES_MAX;
use crate::tile::{TILE_WIDTH, entries_path};

/// Twice what a bundle has, so that one with bytes too many is read and reported as such.
const BUNDLE_BYTES_MAX: u64 = 2 * TILE_WIDTH * (2 + ENTRY_BYTES_MAX as u64);

/// The entries of a position, as far as they could be read.
pub(super) struct Bundle {
    pub(super) path: String,
    bytes: Vec<u8>,
    /// Start and end of each entry that could be cut.
    spans: Vec<(usize, usize)>,
}

impl Bundle {
    pub(super) fn read(
        archive: &Archive,
        n: u64,
        width: u64,
        findings: &mut Findings,
    ) -> Option<Self> {
        let path = |partial| entries_path(n, partial);
        let position = Position {
            archive,
            path: &path,
            width,
            bytes_max: BUNDLE_BYTES_MAX,
        };
        let first = n * TILE_WIDTH;
        match position.read() {
            Ok(found) => Some(Self::cut(&position, found, first, findings)),
            Err((path, error)) => {
                findings.push(error.finding(&path).seqs(first, first + width - 1));
                None
            }
        }
    }

    /// Its path; what was read is needed no longer.
    pub(super) fn into_path(self) -> String {
        spare(self.bytes);
        self.path
    }

    /// The offset in the file, and the bytes, of an entry.
    pub(super) fn entry(&self, index: usize) -> Option<(usize, &[u8])> {
        let (start, end) = *self.spans.get(index)?;
        Some((start, &self.bytes[start..end]))
    }

    /// The bytes of each entry that could be cut out.
    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let spans = self.spans.iter();
        spans.map(|(start, end)| &self.bytes[*start..*end])
    }

    fn cut(position: &Position<'_>, found: Found, first: u64, findings: &mut Findings) -> Self {
        let room = usize::try_from(position.width).unwrap_or(0);
        let (bytes, mut spans, mut at) = (&found.bytes, Vec::with_capacity(room), 0);
        while (spans.len() as u64) < position.width {
            let Some(span) = next_span(bytes, at) else {
                break;
            };
            spans.push(span);
            at = span.1;
        }
        let cut = spans.len() as u64;
        // A full file may stand in for a partial one; only then may bytes follow.
        if cut < position.width {
            let message = format!("entries cannot be cut out from here on: {cut} readable");
            let finding = Finding::new(Code::BundleFraming, message).file(&found.path);
            findings.push(
                finding
                    .offset(at)
                    .seqs(first + cut, first + position.width - 1),
            );
        } else if found.exact && at < bytes.len() {
            let message = "bytes after the last entry";
            let finding = Finding::new(Code::BundleFraming, message).file(&found.path);
            findings.push(finding.offset(at).seq(first + cut - 1));
        }
        let end_of = |count: usize| match count.checked_sub(1) {
            None => Some(0),
            Some(last) => spans.get(last).map(|span: &(usize, usize)| span.1),
        };
        position.compare_widths(&found, &end_of, findings);
        Self {
            path: found.path,
            bytes: found.bytes,
            spans,
        }
    }
}

fn next_span(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let prefix = bytes.get(at..at + 2)?;
    let start = at + 2;
    let end = start + usize::from(u16::from_be_bytes([prefix[0], prefix[1]]));
    bytes.get(start..end).map(|_| (start, end))
}
