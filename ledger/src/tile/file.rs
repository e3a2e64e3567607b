//! The files of a log by their paths (C2SP tlog-tiles), in their one spelling, and which of them a
//! checkpoint covers.

use super::{TILE_WIDTH, entries_path, tile_path};

/// The highest level that a tree of less than 2^63 entries has.
const LEVEL_MAX: u8 = 7;

/// A tile or a bundle, full or partial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFile {
    /// `tile/<L>/<N>[.p/<W>]`
    Tile {
        /// 0 to 7.
        level: u8,
        /// The tile's index in its level.
        n: u64,
        /// Its width, 1 to 255, if it is not full.
        partial: Option<u8>,
    },
    /// `tile/entries/<N>[.p/<W>]`
    Entries {
        /// The bundle's index.
        n: u64,
        /// How many entries it has, 1 to 255, if it is not full.
        partial: Option<u8>,
    },
}

impl LogFile {
    /// Reads a path. Whatever [`LogFile::path`] would not write is none: no `..`, no second spelling.
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, partial) = match rest.split_once(".p/") {
            Some((index, width)) => (index, Some(width.parse().ok()?)),
            None => (rest, None),
        };
        let mut n: u64 = 0;
        for group in index.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            let group: u64 = digits.parse().ok().filter(|group| *group < 1000)?;
            n = n.checked_mul(1000)?.checked_add(group)?;
        }
        let file = match kind {
            "entries" => Self::Entries { n, partial },
            level => Self::Tile {
                level: level.parse().ok().filter(|level| *level <= LEVEL_MAX)?,
                n,
                partial,
            },
        };
        // One spelling, and no width of 0.
        (file.path() == path && partial != Some(0)).then_some(file)
    }

    /// Where it stands.
    pub fn path(&self) -> String {
        match *self {
            Self::Tile { level, n, partial } => tile_path(level, n, partial),
            Self::Entries { n, partial } => entries_path(n, partial),
        }
    }

    /// Whether a tree of this size has all that is in it.
    pub fn is_covered(&self, size: u64) -> bool {
        let (level, n, partial) = match *self {
            Self::Tile { level, n, partial } => (level, n, partial),
            Self::Entries { n, partial } => (0, n, partial),
        };
        let width = partial.map_or(TILE_WIDTH, u64::from);
        let end = n
            .checked_mul(TILE_WIDTH)
            .and_then(|first| first.checked_add(width));
        end.is_some_and(|end| end <= size >> (8 * u32::from(level)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        let tile = |level, n, partial| Some(LogFile::Tile { level, n, partial });
        let entries = |n, partial| Some(LogFile::Entries { n, partial });
        for (path, expected) in [
            ("tile/0/000", tile(0, 0, None)),
            ("tile/7/000.p/1", tile(7, 0, Some(1))),
            ("tile/1/x001/x234/067", tile(1, 1_234_067, None)),
            ("tile/entries/x001/000.p/255", entries(1000, Some(255))),
        ] {
            assert_eq!(LogFile::parse(path), expected, "{path}");
        }
        for bad in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile//0/000",
            "tile/0/00",
            "tile/0/0000",
            "tile/00/000",
            "tile/+0/000",
            "tile/8/000",
            "tile/-1/000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/x001",
            "tile/0/x001/x002",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p/1/",
            "tile/0/000/",
            "tile/entries/../../key",
            "tile/0/..",
            "tile/0/x18/446/744/073/709/551/616",
            "tile/Entries/000",
            "tile/0/000.P/1",
            "tile/0/\u{661}00",
            "checkpoint",
            "items/000",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert_eq!(LogFile::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_file_is_covered_when_all_of_it_is_in_the_tree() {
        let covered = |path: &str, size| LogFile::parse(path).unwrap().is_covered(size);
        assert!(covered("tile/0/000", 256) && !covered("tile/0/000", 255));
        assert!(covered("tile/0/001.p/4", 260) && !covered("tile/0/001.p/4", 259));
        assert!(covered("tile/entries/001.p/4", 300) && !covered("tile/entries/001", 511));
        assert!(covered("tile/1/000.p/2", 512) && !covered("tile/1/000.p/2", 511));
        assert!(!covered("tile/7/000.p/1", u64::MAX >> 9) && covered("tile/7/000.p/1", u64::MAX));
        assert!(!covered("tile/0/x072/x057/x594/x037/x927/936", u64::MAX));
    }

    proptest! {
        #[test]
        fn every_path_that_is_written_is_read(level in 0_u8..8, n in any::<u64>(), width in 0_u8..=255) {
            let partial = Some(width).filter(|width| *width > 0);
            for file in [LogFile::Tile { level, n, partial }, LogFile::Entries { n, partial }] {
                prop_assert_eq!(LogFile::parse(&file.path()), Some(file));
                let _ = file.is_covered(n);
            }
        }

        #[test]
        fn garbage_is_none_or_its_own_spelling(path in "(tile/)?[0-9a-z./xp]{0,40}") {
            if let Some(file) = LogFile::parse(&path) {
                prop_assert_eq!(file.path(), path);
            }
        }
    }
}
