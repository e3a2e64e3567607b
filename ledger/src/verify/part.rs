//! One bundle position read and hashed by itself: what can be done without its neighbours, and so by
//! many threads at once.

use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use super::archive::Archive;
use super::bundle::Bundle;
use super::epochs::{self, Named};
use super::finding::{Finding, Findings};
use super::items::{self, Stated};
use super::stretch::Stretch;
use super::tiles::{self, Stored};
use crate::entry::decode::view;
use crate::entry::glance::Glance;
use crate::entry::view::EntryView;
use crate::entry::{Batch, Boot, FORMAT, Operation};
use crate::error::EntryError;
use crate::hash::{Hash, leaf_hash};
use crate::signer::Rotation;
use crate::tile::TILE_WIDTH;

/// Parts that a thread reads before it hands them over: to wake another thread takes as long as to read some entries.
const RUN: usize = 8;
/// Runs that wait for their turn, for each thread; bounds the memory.
const WAITING_MAX: usize = 1;

/// Finds out whether a whole bundle, beside its whole leaf tile, is a stretch.
type StretchOf = fn(&Bundle, &Stored, u64) -> Option<Stretch>;

/// A position of the log.
pub(super) struct Part {
    pub(super) width: u64,
    /// The bundle's file, if it could be read.
    pub(super) bundle: Option<String>,
    /// Its entries' two ends, if they are in order between them: then they are not kept.
    pub(super) stretch: Option<Stretch>,
    /// Otherwise its entries; none where one could not be cut out.
    pub(super) entries: Vec<Option<Read>>,
    pub(super) stored: Option<Stored>,
    /// Their leaf hashes: computed, or from the tile where there is no entry. Those of a stretch are the tile's.
    pub(super) leaves: Vec<Option<Hash>>,
    /// The root over them, if all are known.
    pub(super) root: Option<Hash>,
    /// The root over a whole leaf tile as it is stored.
    pub(super) claimed: Option<Hash>,
    /// How many items agree with their entries.
    pub(super) items: u64,
    /// The epochs that the items name.
    pub(super) epochs: Named,
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
#[derive(Clone, Copy)]
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
    /// The epoch that it opens or erases.
    pub(super) epoch: Option<u32>,
}

impl Part {
    /// Reads the position; its width is what a log of `size` entries has there.
    pub(super) fn read(archive: &Archive, n: u64, size: u64) -> Self {
        Self::of(archive, n, size, Stretch::of)
    }

    /// The same with each of its entries, to say what is wrong between it and the one before.
    pub(super) fn entry_by_entry(archive: &Archive, n: u64, size: u64) -> Self {
        Self::of(archive, n, size, |_, _, _| None)
    }

    fn of(archive: &Archive, n: u64, size: u64, stretch: StretchOf) -> Self {
        let width = (size - n * TILE_WIDTH).min(TILE_WIDTH);
        let count = usize::try_from(width).unwrap_or(0);
        let mut findings = Findings::new(usize::MAX);
        let bundle = Bundle::read(archive, n, width, &mut findings);
        let stored = tiles::read(archive, (0, n), width, &mut findings);
        let complete = bundle
            .as_ref()
            .zip(stored.as_ref())
            .filter(|(bundle, tile)| bundle.entries().len() == count && tile.hashes.len() == count);
        let stretch = complete.and_then(|(bundle, tile)| stretch(bundle, tile, n));
        let mut part = Self {
            width,
            bundle: None,
            stretch,
            entries: Vec::new(),
            stored,
            leaves: Vec::new(),
            root: None,
            claimed: None,
            items: 0,
            epochs: Named::default(),
            files_found: findings.into_found(),
            items_found: Vec::new(),
        };
        part.hash(bundle.as_ref(), count);
        part.check_items(archive, n, count);
        part.bundle = bundle.map(Bundle::into_path);
        part
    }

    /// Reads the entries, unless they are a stretch, and hashes the tree over them.
    fn hash(&mut self, bundle: Option<&Bundle>, count: usize) {
        let stored = self.stored.as_ref();
        if let Some((_, tile)) = self.stretch.as_ref().zip(stored) {
            let root = Some(tiles::root(&tile.hashes));
            (self.root, self.claimed) = (root, root.filter(|_| self.width == TILE_WIDTH));
            return;
        }
        self.entries = (0..count).map(|index| Read::of(bundle?, index)).collect();
        self.leaves = leaves(&self.entries, stored);
        (self.root, self.claimed) = roots(&self.leaves, stored);
    }

    fn check_items(&mut self, archive: &Archive, n: u64, count: usize) {
        let mut found = Findings::new(usize::MAX);
        let checked = if let Some(stretch) = &self.stretch {
            items::check(archive, n, stretch.stated(count), &mut found)
        } else {
            let stated: Vec<Stated> = self
                .entries
                .iter()
                .map(|read| stated(read.as_ref()))
                .collect();
            items::check(archive, n, &stated, &mut found)
        };
        (self.items, self.epochs) = checked;
        self.items_found = found.into_found();
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
    /// Of an entry that has none of the rarer facts.
    #[inline]
    pub(super) fn at(seen: &Glance) -> Self {
        Self {
            seq: seen.seq,
            prev: seen.prev,
            time_us: seen.time_us,
            boot: seen.boot,
            operation: seen.operation,
            batch: seen.batch,
            format_known: false,
            hands_over: false,
            epoch: None,
        }
    }

    pub(super) fn of(entry: &EntryView<'_>) -> Self {
        Self {
            seq: entry.seq,
            prev: entry.prev,
            time_us: entry.time_us,
            boot: entry.boot,
            operation: entry.facts.operation,
            batch: entry.facts.batch,
            format_known: entry.facts.format == Some(FORMAT),
            hands_over: hands_over(entry),
            epoch: epochs::told(&entry.facts),
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
    let end = positions.end;
    let runs = positions.step_by(RUN);
    let runs = runs.map(|first| first..end.min(first + RUN as u64));
    let read = |run: Range<u64>| run.map(|n| Part::read(archive, n, size)).collect();
    thread::scope(|scope| {
        let lanes: Vec<Receiver<Vec<Part>>> = (0..threads)
            .map(|lane| {
                let (sender, receiver) = sync_channel(WAITING_MAX);
                let mut own = runs.clone().skip(lane).step_by(threads);
                scope.spawn(move || own.all(|run| sender.send(read(run)).is_ok()));
                receiver
            })
            .collect();
        for (run, lane) in runs.zip(lanes.iter().cycle()) {
            // A thread that is gone leaves its work to this one.
            let parts = lane.recv().unwrap_or_else(|_| read(run.clone()));
            run.zip(parts).for_each(|(n, part)| take(n, part));
        }
    });
}
