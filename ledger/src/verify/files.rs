//! Reads the file of a tile or bundle position: the exact one, or the full one where only that is left;
//! and compares every other width that lies beside it.

use super::archive::{Archive, Kind, ReadError};
use super::code::Code;
use super::finding::{Finding, Findings};
use crate::tile::TILE_WIDTH;

/// A position in the archive that has one file per width.
pub(super) struct Position<'a> {
    pub(super) archive: &'a Archive,
    /// The path of a width (`None`: the full file).
    pub(super) path: &'a dyn Fn(Option<u8>) -> String,
    /// The width that the checkpoint's tree has here, 1 to 256.
    pub(super) width: u64,
    pub(super) bytes_max: u64,
}

/// The file that was read. It may be longer than the width asks for.
pub(super) struct Found {
    pub(super) path: String,
    /// Whether it is the file of the width asked for, and so has no more than that.
    pub(super) exact: bool,
    pub(super) bytes: Vec<u8>,
}

/// Where so many elements end in a file; nothing where it has not so many.
type EndOf<'a> = &'a dyn Fn(usize) -> Option<usize>;

impl Position<'_> {
    fn partial(&self) -> Option<u8> {
        crate::tile::partial(self.width)
    }

    /// The file of this width; where that is gone, the full one (tlog-tiles lets a log remove
    /// partial files once the full one exists).
    pub(super) fn read(&self) -> Result<Found, (String, ReadError)> {
        let exact = (self.path)(self.partial());
        match self.archive.read(&exact, self.bytes_max) {
            Ok(bytes) => Ok(Found {
                path: exact,
                exact: true,
                bytes,
            }),
            Err(ReadError::Missing) if self.partial().is_some() => {
                let path = (self.path)(None);
                match self.archive.read(&path, self.bytes_max) {
                    Ok(bytes) => Ok(Found {
                        path,
                        exact: false,
                        bytes,
                    }),
                    Err(error) => Err((exact, error)),
                }
            }
            Err(error) => Err((exact, error)),
        }
    }

    /// Compares the files of other widths: a narrower one must be the beginning of `found`, a wider
    /// one must begin with it.
    pub(super) fn compare_widths(&self, found: &Found, end_of: EndOf<'_>, findings: &mut Findings) {
        for (width, path) in self.other_widths(found, findings) {
            if path == found.path {
                continue;
            }
            let bytes = match self.archive.read(&path, self.bytes_max) {
                Ok(bytes) => bytes,
                Err(error) => {
                    findings.push(error.finding(&path));
                    continue;
                }
            };
            self.compare(width, &path, &bytes, (found, end_of), findings);
        }
    }

    fn compare(
        &self,
        width: u64,
        path: &str,
        bytes: &[u8],
        (found, end_of): (&Found, EndOf<'_>),
        findings: &mut Findings,
    ) {
        let shared = usize::try_from(width.min(self.width)).ok();
        let shared = shared.and_then(end_of).unwrap_or(found.bytes.len());
        let expected = found.bytes.get(..shared).unwrap_or(&found.bytes);
        let same = expected
            .iter()
            .zip(bytes)
            .take_while(|(a, b)| a == b)
            .count();
        let exact = width > self.width || bytes.len() == expected.len();
        if same < expected.len() || !exact {
            let message = format!("does not agree with {}", found.path);
            let finding = Finding::new(Code::PartialDiffers, message);
            findings.push(finding.file(path).offset(same));
        } else if width > self.width {
            let message = "has more than the checkpoint covers";
            findings.push(Finding::new(Code::BeyondCheckpoint, message).file(path));
        }
    }

    fn other_widths(&self, found: &Found, findings: &mut Findings) -> Vec<(u64, String)> {
        let full = match self.partial() {
            None => found.path.clone(),
            Some(_) => (self.path)(None),
        };
        let folder = format!("{full}.p");
        let mut names = Vec::new();
        if self.archive.may_have_partials(&folder) {
            names = self.archive.names(&folder).unwrap_or_else(|error| {
                findings.push(error.finding(&folder));
                Vec::new()
            });
        }
        let mut widths: Vec<(u64, String)> = names
            .iter()
            .filter(|name| name.kind == Kind::File)
            .filter_map(|name| {
                name.text
                    .parse::<u8>()
                    .ok()
                    .filter(|w| w.to_string() == name.text)
            })
            .map(|width| (u64::from(width), (self.path)(Some(width))))
            .collect();
        widths.sort_unstable();
        if self.partial().is_some() && self.archive.has(&full) {
            widths.push((TILE_WIDTH, full));
        }
        widths
    }
}
