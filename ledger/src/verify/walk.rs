//! Goes through the log once, bundle by bundle: entries, items, tiles, tree, and what was signed on the way.

use super::archive::Archive;
use super::chain::{Before, Chain, Place};
use super::code::Code;
use super::epochs::Epochs;
use super::finding::{Finding, Findings};
use super::incarnations::Found;
use super::part::{self, Part};
use super::past::Past;
use super::tiles::{Known, Tiles};
use crate::frontier::Frontier;
use crate::hash::Hash;
use crate::tile::{TILE_WIDTH, entries_path, partial};

/// The height of a whole leaf tile's subtree.
const TILE_HEIGHT: u32 = TILE_WIDTH.ilog2();

pub(super) struct Walk<'a> {
    pub(super) archive: &'a Archive,
    pub(super) chain: Chain,
    pub(super) past: Past<'a>,
    pub(super) tiles: Tiles,
    /// None once leaf hashes are missing: then no root can be known.
    pub(super) tree: Option<Frontier>,
    pub(super) entries: u64,
    pub(super) items: u64,
    /// Entries that open an incarnation.
    pub(super) incarnations: Vec<Found>,
    /// What entries say of epochs.
    pub(super) epochs: Epochs,
}

/// Which part of the log is gone through, and how.
pub(super) struct Route {
    /// How many entries the log has.
    pub(super) size: u64,
    /// How many bundle positions are looked at.
    pub(super) bundles: u64,
    /// How many threads read.
    pub(super) threads: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(archive: &'a Archive, chain: Chain, past: Past<'a>) -> Self {
        let tree = Some(Frontier::new());
        Self {
            archive,
            chain,
            past,
            tiles: Tiles::default(),
            tree,
            entries: 0,
            items: 0,
            incarnations: Vec::new(),
            epochs: Epochs::default(),
        }
    }

    /// Goes on behind the first `size` entries, which are whole bundles, as the tiles have them.
    /// False if the tiles are not there or not those of `root`: then begin with the first entry.
    pub(super) fn behind(
        &mut self,
        (size, root): (u64, Option<Hash>),
        before: Before,
        now: u64,
    ) -> bool {
        let restored = Tiles::restore(self.archive, size, now);
        let Some((tiles, tree)) =
            restored.filter(|(_, tree)| root.is_none_or(|root| root == tree.root()))
        else {
            return false;
        };
        self.chain.behind(before);
        self.epochs.behind();
        self.tiles = tiles;
        self.tree = Some(tree);
        true
    }

    /// Steps over what was signed for the entries before; whether it is what was compared with them.
    pub(super) fn past_is(&mut self, compared: Hash) -> bool {
        // What is found on the way is found again by the walk from the first entry, or was compared.
        let mut found = Findings::new(0);
        self.reached(&mut found);
        self.past.compared() == compared && found.is_clean()
    }

    /// Goes through the entries from where the tree ends; says after each bundle how far it came.
    pub(super) fn run(
        &mut self,
        route: &Route,
        findings: &mut Findings,
        watch: &mut dyn FnMut(&Self, &Findings),
    ) {
        let mut start = 0;
        if let Some(tree) = &self.tree {
            start = tree.size() / TILE_WIDTH;
            self.past.reached(tree, findings);
        }
        let positions = route.size.div_ceil(TILE_WIDTH);
        let there = start..positions.min(route.bundles).max(start);
        let missing = there.end;
        let archive = self.archive;
        part::in_order(archive, there, route.size, route.threads, |n, part| {
            self.position((n, route.size), part, findings);
            watch(self, findings);
        });
        if missing < positions {
            self.rest_missing(missing, route.size, findings);
        } else {
            self.tiles.finish(self.archive, findings);
        }
    }

    fn rest_missing(&mut self, n: u64, size: u64, findings: &mut Findings) {
        let first = n * TILE_WIDTH;
        let path = entries_path(n, partial(size).filter(|_| size - first < TILE_WIDTH));
        let message = "not there, and next to nothing after it";
        let finding = Finding::new(Code::FileMissing, message).file(&path);
        findings.push(finding.seqs(first, size - 1));
        self.tree = None;
    }

    fn position(&mut self, (n, size): (u64, u64), part: Part, findings: &mut Findings) {
        let first = n * TILE_WIDTH;
        let joins = |stretch| self.chain.joins(stretch, first);
        let part = if part.stretch.as_ref().is_none_or(joins) {
            part
        } else {
            Part::entry_by_entry(self.archive, n, size)
        };
        part.files_found
            .iter()
            .for_each(|found| findings.push(found.clone()));
        self.tiles.read += u64::from(part.stored.is_some());
        let whole = self.whole(first, &part, findings) && !part.opens_incarnation();
        if let Some((stretch, tile)) = part.stretch.as_ref().zip(part.stored.as_ref()) {
            self.chain.behind(stretch.last);
            self.entries += part.width;
            let one_by_one = tile.hashes.iter().filter(|_| !whole);
            one_by_one.for_each(|hash| self.append(Some(*hash), findings));
        }
        for index in 0..part.leaves.len() {
            self.entry(&part, index, first + index as u64, findings);
            if !whole {
                self.append(part.leaves[index], findings);
            }
        }
        if let Some(root) = part.root.filter(|_| whole) {
            self.append_whole(root, findings);
        }
        let file = part.bundle.as_deref().unwrap_or_default();
        self.epochs.named(&part.epochs, file, findings);
        self.items += part.items;
        part.items_found
            .into_iter()
            .for_each(|found| findings.push(found));
        if part.width == TILE_WIDTH {
            let root = Known {
                computed: part.root,
                claimed: part.claimed,
            };
            self.tiles.leaf_tile(self.archive, root, findings);
        }
    }

    /// Whether the tree takes the part as one subtree: nothing was signed in its midst.
    fn whole(&mut self, first: u64, part: &Part, findings: &mut Findings) -> bool {
        part.width == TILE_WIDTH
            && part.root.is_some()
            && self
                .past
                .next_stop(first, findings)
                .is_none_or(|stop| stop >= first + TILE_WIDTH)
    }

    fn entry(&mut self, part: &Part, index: usize, seq: u64, findings: &mut Findings) {
        let stored = part.stored.as_ref().and_then(|tile| {
            tile.hashes
                .get(index)
                .map(|hash| (tile.path.as_str(), *hash))
        });
        let read = part.entries[index].as_ref();
        let Some((read, file)) = read.zip(part.bundle.as_deref()) else {
            return self.chain.gap(stored.map(|(_, hash)| hash), findings);
        };
        self.entries += 1;
        if read.opens_incarnation() {
            let (file, root) = (file.to_owned(), self.tree.as_ref().map(Frontier::root));
            self.incarnations.push(Found { seq, file, root });
        }
        if let Ok(said) = &read.said {
            self.epochs.entry(said, (seq, file), findings);
        }
        let place = Place {
            seq,
            file,
            offset: read.offset,
            stored,
        };
        self.chain.entry(read, &place, findings);
    }

    fn append(&mut self, leaf: Option<Hash>, findings: &mut Findings) {
        self.tree = self.tree.take().zip(leaf).map(|(mut tree, leaf)| {
            tree.append(leaf);
            tree
        });
        self.reached(findings);
    }

    fn append_whole(&mut self, root: Hash, findings: &mut Findings) {
        if let Some(tree) = &mut self.tree {
            tree.append_subtree(root, TILE_HEIGHT);
        }
        self.reached(findings);
    }

    fn reached(&mut self, findings: &mut Findings) {
        if let Some(tree) = &self.tree {
            self.past.reached(tree, findings);
        }
    }
}
