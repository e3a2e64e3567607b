//! Checks entry after entry: spelling, index, link, time; and says whether an entry or its tile is at
//! fault when the two disagree, for the next entry's link is a third witness.

use std::collections::BTreeSet;

use super::code::Code;
use super::finding::{Finding, Findings};
use super::part::{Read, Said};
use super::stretch::Stretch;
use crate::entry::{Boot, Operation};
use crate::hash::{Hash, genesis_prev};
use crate::origin::Origin;
use crate::tile::TILE_WIDTH;

/// Whether the tree over the entries has the root that the checkpoint states.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Holds,
    Differs,
}

/// Where an entry stands, and what the tree says its hash is.
pub(super) struct Place<'a> {
    pub(super) seq: u64,
    pub(super) file: &'a str,
    pub(super) offset: usize,
    /// The leaf tile's file and this entry's hash in it, if the tile could be read.
    pub(super) stored: Option<(&'a str, Hash)>,
}

/// An entry whose hash is not the one in its leaf tile.
struct Suspect {
    seq: u64,
    file: String,
    offset: usize,
    tile: String,
    computed: Hash,
    stored: Hash,
}

/// What the next entry's `prev` may be.
struct Link {
    computed: Option<Hash>,
    stored: Option<Hash>,
}

/// The keys that the log was handed over to, where the auditor gave one to begin with.
pub(super) struct Handovers {
    /// The entries whose statements were followed.
    pub(super) followed: BTreeSet<u64>,
    /// How many entries the log has. What its last one states may not be in `signers` yet.
    pub(super) size: u64,
}

pub(super) struct Chain {
    origins: Vec<Origin>,
    handovers: Option<Handovers>,
    /// Whether the last entry hands over, and was not followed.
    handing_over: bool,
    before: Option<Link>,
    suspect: Option<Suspect>,
    clock: Option<(u64, Boot)>,
}

/// What the next entry is held to, where a walk goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    /// The leaf hash of the entry before.
    pub(super) leaf: Option<Hash>,
    /// Its wall clock, and its run with the monotonic clock.
    pub(super) clock: Option<(u64, Boot)>,
}

/// Whether neither clock went back from one entry to the next.
#[inline]
pub(super) fn in_time((time_us, boot): (u64, Boot), said: &Said) -> bool {
    let other_boot = boot.id != said.boot.id;
    said.time_us >= time_us && (other_boot || said.boot.monotonic_us >= boot.monotonic_us)
}

impl Chain {
    /// `origins` are the names that the first entry may be linked to: the expected, the stated.
    pub(super) fn new(origins: Vec<Origin>, handovers: Option<Handovers>) -> Self {
        Self {
            origins,
            handovers,
            handing_over: false,
            before: None,
            suspect: None,
            clock: None,
        }
    }

    /// Goes on behind entries that were checked.
    pub(super) fn behind(&mut self, before: Before) {
        self.before = before.leaf.map(|leaf| Link {
            computed: Some(leaf),
            stored: Some(leaf),
        });
        self.clock = before.clock;
    }

    /// What the next entry is held to, if nothing about the last one is open.
    pub(super) fn before(&self) -> Option<Before> {
        let link = self.before.as_ref().filter(|_| self.suspect.is_none())?;
        let leaf = link.computed.filter(|_| link.computed == link.stored)?;
        Some(Before {
            leaf: Some(leaf),
            clock: self.clock,
        })
    }

    /// Whether the log ends in a handover that was not followed: it must be when the log has more entries.
    pub(super) fn hands_over(&self) -> bool {
        self.handing_over
    }

    /// Checks an entry as it was read.
    pub(super) fn entry(&mut self, read: &Read, place: &Place<'_>, findings: &mut Findings) {
        let prev = read.said.as_ref().ok().map(|said| said.prev);
        self.settle(prev, findings);
        match &read.said {
            Ok(said) => {
                self.check(said, place, findings);
                self.check_handover(said, place, findings);
                self.suspect = Suspect::of(read.leaf, place);
            }
            Err(error) => {
                let finding = Finding::new(Code::EntryMalformed, error.to_string());
                let offset = place.offset + error.offset();
                findings.push(finding.file(place.file).offset(offset).seq(place.seq));
            }
        }
        self.before = Some(Link {
            computed: Some(read.leaf),
            stored: place.stored.map(|(_, hash)| hash),
        });
    }

    /// Whether a stretch that begins at `seq` goes on from here in order, and nothing is open before it.
    pub(super) fn joins(&self, stretch: &Stretch, seq: u64) -> bool {
        let first = &stretch.first;
        let in_order = self.clock.is_none_or(|clock| in_time(clock, first));
        self.suspect.is_none() && in_order && self.links(first, seq)
    }

    /// Steps over an entry that could not be read.
    pub(super) fn gap(&mut self, stored: Option<Hash>, findings: &mut Findings) {
        self.settle(None, findings);
        self.before = Some(Link {
            computed: None,
            stored,
        });
    }

    /// At the end the root is the witness for the last entry.
    pub(super) fn finish(mut self, root: Root, findings: &mut Findings) {
        let witness = self
            .suspect
            .as_ref()
            .filter(|_| root == Root::Holds)
            .map(|s| s.computed);
        self.settle(witness, findings);
    }

    fn settle(&mut self, witness: Option<Hash>, findings: &mut Findings) {
        let Some(suspect) = self.suspect.take() else {
            return;
        };
        let finding = if witness == Some(suspect.computed) {
            let index = suspect.seq % TILE_WIDTH;
            let message = format!(
                "hash {index} is {}, not {}",
                suspect.stored, suspect.computed
            );
            let finding = Finding::new(Code::TileHash, message).file(&suspect.tile);
            finding.offset(usize::try_from(index * 32).unwrap_or(usize::MAX))
        } else {
            let message = format!(
                "leaf hash {}, but {} in {}",
                suspect.computed, suspect.stored, suspect.tile
            );
            Finding::new(Code::EntryAltered, message)
                .file(&suspect.file)
                .offset(suspect.offset)
        };
        findings.push(finding.seq(suspect.seq));
    }

    fn check(&mut self, entry: &Said, place: &Place<'_>, findings: &mut Findings) {
        let mut push = |code, message: String| {
            let finding = Finding::new(code, message).file(place.file);
            findings.push(finding.offset(place.offset).seq(place.seq));
        };
        if entry.seq != place.seq {
            push(
                Code::EntrySequence,
                format!("entry {} stands at {}", entry.seq, place.seq),
            );
        }
        if !self.links(entry, place.seq) {
            push(Code::ChainBroken, format!("its prev is {}", entry.prev));
        }
        if (entry.operation == Operation::Genesis) != (place.seq == 0) {
            push(Code::GenesisRule, format!("operation {}", entry.operation));
        }
        if place.seq == 0 && !entry.format_known {
            push(
                Code::FormatDiffers,
                "another format text, or none".to_owned(),
            );
        }
        if let Some((time_us, boot)) = self.clock.replace((entry.time_us, entry.boot)) {
            let same_boot = boot.id == entry.boot.id;
            if same_boot && entry.boot.monotonic_us < boot.monotonic_us {
                let step = boot.monotonic_us - entry.boot.monotonic_us;
                push(Code::ClockMonotonic, format!("back by {step} microseconds"));
            }
            if entry.time_us < time_us {
                let run = if same_boot {
                    "within a run"
                } else {
                    "between two runs"
                };
                let step = time_us - entry.time_us;
                push(
                    Code::TimeStepBack,
                    format!("back by {step} microseconds {run}"),
                );
            }
        }
    }

    /// A key that was retired could take the statement away and go on signing.
    fn check_handover(&mut self, entry: &Said, place: &Place<'_>, findings: &mut Findings) {
        let Some(known) = self.handovers.as_ref().filter(|_| entry.hands_over) else {
            return;
        };
        if known.followed.contains(&place.seq) {
            return;
        }
        if place.seq + 1 < known.size {
            let message = "the entry hands over to another key, and `signers` does not";
            let finding = Finding::new(Code::SignerStatement, message).file(place.file);
            findings.push(finding.offset(place.offset).seq(place.seq));
        } else {
            self.handing_over = true;
        }
    }

    /// Whether `prev` is right, or right for an entry before that is itself reported as altered.
    fn links(&self, entry: &Said, seq: u64) -> bool {
        match &self.before {
            _ if seq == 0 => {
                let mut origins = self.origins.iter();
                self.origins.is_empty() || origins.any(|name| genesis_prev(name) == entry.prev)
            }
            None
            | Some(Link {
                computed: None,
                stored: None,
            }) => true,
            Some(link) => [link.computed, link.stored].contains(&Some(entry.prev)),
        }
    }
}

impl Suspect {
    fn of(leaf: Hash, place: &Place<'_>) -> Option<Self> {
        let (tile, stored) = place.stored.filter(|(_, stored)| *stored != leaf)?;
        Some(Self {
            seq: place.seq,
            file: place.file.to_owned(),
            offset: place.offset,
            tile: tile.to_owned(),
            computed: leaf,
            stored,
        })
    }
}
