//! One bundle position read and hashed by itself: what can be done without its neighbours, and so by
//! many threads at once.

use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::archive::Archive;
use super::bundle::Bundle;
use super::finding::{Finding, Findings};
use super::items::{self, Stated};
use super::tiles::{self, Stored};
use crate::entry::decode::view;
use crate::entry::view::EntryView;
use crate::entry::{Batch, Boot, FORMAT, Operation};
use crate::error::EntryError;
use crate::hash::{Hash, leaf_hash};
use crate::signer::Rotation;
use crate::tile::TILE_WIDTH;

/// Parts that wait for their turn, for each thread; bounds the memory.
const WAITING_MAX: usize = 4;

/// A position of the log.
pub(super) struct Part {
    pub(super) width: u64,
    /// The bundle's file, if it could be read.
    pub(super) bundle: Option<String>,
    /// Its entries; none where one could not be cut out.
    pub(super) entries: Vec<Option<Read>>,
    pub(super) stored: Option<Stored>,
    /// The leaf hashes: computed, or from the tile where there is no entry.
    pub(super) leaves: Vec<Option<Hash>>,
    /// The root over them, if all are known.
    pub(super) root: Option<Hash>,
    /// The root over a whole leaf tile as it is stored.
    pub(super) claimed: Option<Hash>,
    /// How many items agree with their entries.
    pub(super) items: u64,
    /// What was found on reading bundle and tile.
    pub(super) files_found: Vec<Finding>,
    /// What was found on reading the items.
    pub(super) items_found: Vec<Finding>,
}

/// An entry as it stands in its bundle.
pub(super) struct Read {
    pub(super) leaf: Hash,
    pub(super) offset: usize,
    pub(super) said: Result<Said, EntryError>,
}

/// What an entry says that it is held to.
pub(super) struct Said {
    pub(super) seq: u64,
    pub(super) prev: Hash,
    pub(super) time_us: u64,
    pub(super) boot: Boot,
    pub(super) operation: Operation,
    pub(super) batch: Option<Batch>,
    pub(super) format_known: bool,
    /// Whether it carries a statement, for its own place, that hands over to another key.
    pub(super) hands_over: bool,
}

impl Part {
    /// Reads the position; its width is what a log of `size` entries has there.
    pub(super) fn read(archive: &Archive, n: u64, size: u64) -> Self {
        let width = (size - n * TILE_WIDTH).min(TILE_WIDTH);
        let count = usize::try_from(width).unwrap_or(0);
        let mut findings = Findings::new(usize::MAX);
        let bundle = Bundle::read(archive, n, width, &mut findings);
        let stored = tiles::read(archive, (0, n), width, &mut findings);
        let entries: Vec<Option<Read>> = (0..count)
            .map(|index| Read::of(bundle.as_ref()?, index))
            .collect();
        let leaves = leaves(&entries, stored.as_ref());
        let (root, claimed) = roots(&leaves, stored.as_ref());
        let mut items_found = Findings::new(usize::MAX);
        let stated: Vec<Stated> = entries.iter().map(|read| stated(read.as_ref())).collect();
        let items = items::check(archive, n, &stated, &mut items_found);
        Self {
            width,
            bundle: bundle.map(|bundle| bundle.path),
            entries,
            stored,
            leaves,
            root,
            claimed,
            items,
            files_found: findings.into_found(),
            items_found: items_found.into_found(),
        }
    }
}

impl Part {
    /// Whether one of its entries opens an incarnation: then the root before it is asked for.
    pub(super) fn opens_incarnation(&self) -> bool {
        self.entries.iter().flatten().any(Read::opens_incarnation)
    }
}

impl Read {
    pub(super) fn opens_incarnation(&self) -> bool {
        let said = self.said.as_ref();
        said.is_ok_and(|said| said.operation == Operation::IncarnationOpen)
    }

    fn of(bundle: &Bundle, index: usize) -> Option<Self> {
        let (offset, bytes) = bundle.entry(index)?;
        Some(Self {
            leaf: leaf_hash(bytes),
            offset,
            said: view(bytes).map(|entry| Said::of(&entry)),
        })
    }
}

impl Said {
    fn of(entry: &EntryView<'_>) -> Self {
        Self {
            seq: entry.seq,
            prev: entry.prev,
            time_us: entry.time_us,
            boot: entry.boot,
            operation: entry.facts.operation,
            batch: entry.facts.batch,
            format_known: entry.facts.format == Some(FORMAT),
            hands_over: hands_over(entry),
        }
    }
}

/// One that both keys did not sign, or that names another place, hands over nothing.
fn hands_over(entry: &EntryView<'_>) -> bool {
    let statement = entry.facts.statement;
    let statement = statement.filter(|_| entry.facts.operation == Operation::SignerRotate);
    let rotation = statement.and_then(|note| Rotation::open(note).ok());
    rotation.is_some_and(|rotation| rotation.seq == entry.seq)
}

fn stated(read: Option<&Read>) -> Stated {
    let said = read?.said.as_ref().ok()?;
    Some(said.batch)
}

fn leaves(entries: &[Option<Read>], stored: Option<&Stored>) -> Vec<Option<Hash>> {
    let in_tile = |index: usize| stored.and_then(|tile| tile.hashes.get(index).copied());
    let entries = entries.iter().enumerate();
    entries
        .map(|(index, read)| read.as_ref().map(|read| read.leaf).or(in_tile(index)))
        .collect()
}

/// The root over the leaves, and over the tile: hashed once where the two agree, as they mostly do.
fn roots(leaves: &[Option<Hash>], stored: Option<&Stored>) -> (Option<Hash>, Option<Hash>) {
    let computed: Option<Vec<Hash>> = leaves.iter().copied().collect();
    let root = computed.as_deref().map(tiles::root);
    let whole = stored.filter(|tile| tile.hashes.len() as u64 == TILE_WIDTH);
    let claimed = whole.and_then(|tile| {
        let agrees = computed.as_ref() == Some(&tile.hashes);
        if agrees {
            root
        } else {
            Some(tiles::root(&tile.hashes))
        }
    });
    (root, claimed)
}

/// Reads the positions with this many threads and takes them one by one, in their order.
pub(super) fn in_order(
    archive: &Archive,
    positions: Range<u64>,
    size: u64,
    threads: usize,
    mut take: impl FnMut(u64, Part),
) {
    if threads < 2 {
        return positions.for_each(|n| take(n, Part::read(archive, n, size)));
    }
    thread::scope(|scope| {
        let lanes: Vec<Receiver<Part>> = (0..threads)
            .map(|lane| {
                let (sender, receiver) = sync_channel(WAITING_MAX);
                let own = positions.clone().skip(lane).step_by(threads);
                scope.spawn(move || {
                    for n in own {
                        if sender.send(Part::read(archive, n, size)).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for (n, lane) in positions.zip(lanes.iter().cycle()) {
            // A thread that is gone leaves its work to this one.
            let part = lane.recv();
            take(n, part.unwrap_or_else(|_| Part::read(archive, n, size)));
        }
    });
}
