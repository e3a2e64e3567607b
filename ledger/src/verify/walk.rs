//! Goes through the log once, bundle by bundle: entries, items, tiles, tree, and what was signed on the way.

use super::archive::Archive;
use super::bundle::Bundle;
use super::chain::{Chain, Place};
use super::code::Code;
use super::finding::{Finding, Findings};
use super::items::{self, Stated};
use super::past::Past;
use super::tiles::{Stored, Tiles};
use crate::frontier::Frontier;
use crate::hash::Hash;
use crate::tile::{TILE_WIDTH, entries_path, partial};

pub(super) struct Walk<'a> {
    pub(super) archive: &'a Archive,
    pub(super) chain: Chain,
    pub(super) past: Past<'a>,
    pub(super) tiles: Tiles,
    /// None once leaf hashes are missing: then no root can be known.
    pub(super) tree: Option<Frontier>,
    pub(super) entries: u64,
    pub(super) items: u64,
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
        }
    }

    /// Goes through `size` entries, of which `bundles` positions have files.
    pub(super) fn run(&mut self, size: u64, bundles: u64, findings: &mut Findings) {
        if let Some(tree) = &self.tree {
            self.past.reached(tree, findings);
        }
        for n in 0..size.div_ceil(TILE_WIDTH) {
            let first = n * TILE_WIDTH;
            if n >= bundles {
                let path = entries_path(n, partial(size).filter(|_| size - first < TILE_WIDTH));
                let message = "not there, and nothing after it";
                let finding = Finding::new(Code::FileMissing, message).file(&path);
                findings.push(finding.seqs(first, size - 1));
                self.tree = None;
                return;
            }
            self.position(n, (size - first).min(TILE_WIDTH), findings);
        }
        self.tiles.finish(self.archive, findings);
    }

    fn position(&mut self, n: u64, width: u64, findings: &mut Findings) {
        let bundle = Bundle::read(self.archive, n, width, findings);
        let stored = self.tiles.read(self.archive, (0, n), width, findings);
        let (mut leaves, mut stated) = (Vec::new(), Vec::new());
        for (index, seq) in (n * TILE_WIDTH..)
            .take(usize::try_from(width).unwrap_or(0))
            .enumerate()
        {
            let (leaf, batch) = self.entry(bundle.as_ref(), index, seq, stored.as_ref(), findings);
            self.append(leaf, findings);
            leaves.push(leaf);
            stated.push(batch);
        }
        self.items += items::check(self.archive, n, &stated, findings);
        if width == TILE_WIDTH {
            self.tiles
                .leaf_tile(self.archive, &leaves, stored.as_ref(), findings);
        }
    }

    /// The leaf hash of an entry (from its tile where the entry cannot be read), and its batch.
    fn entry(
        &mut self,
        bundle: Option<&Bundle>,
        index: usize,
        seq: u64,
        stored: Option<&Stored>,
        findings: &mut Findings,
    ) -> (Option<Hash>, Stated) {
        let stored = stored.and_then(|tile| {
            tile.hashes
                .get(index)
                .map(|hash| (tile.path.as_str(), *hash))
        });
        let found = bundle.and_then(|bundle| bundle.entry(index).map(|found| (bundle, found)));
        let Some((bundle, (offset, bytes))) = found else {
            let hash = stored.map(|(_, hash)| hash);
            self.chain.gap(hash, findings);
            return (hash, None);
        };
        self.entries += 1;
        let place = Place {
            seq,
            file: &bundle.path,
            offset,
            stored,
        };
        let (leaf, entry) = self.chain.entry(bytes, &place, findings);
        (Some(leaf), entry.map(|entry| entry.facts.batch))
    }

    fn append(&mut self, leaf: Option<Hash>, findings: &mut Findings) {
        self.tree = self.tree.take().zip(leaf).map(|(mut tree, leaf)| {
            tree.append(leaf);
            tree
        });
        if let Some(tree) = &self.tree {
            self.past.reached(tree, findings);
        }
    }
}
