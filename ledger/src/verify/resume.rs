//! Where a verification had come to when it was broken off, so that another goes on there.
//! It is the auditor's own: kept apart from the archive, and written only while nothing was found.

use serde::{Deserialize, Serialize};

use super::Trust;
use super::chain::Before;
use super::epochs::Epochs;
use super::walk::Walk;
use crate::entry::Boot;
use crate::hash::Hash;
use crate::tile::TILE_WIDTH;

/// Names the shape of a place in JSON.
const SCHEMA: &str = "jinku-ledger.resume/1";

/// A place between two bundles up to which all was verified and nothing found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    schema: String,
    /// The key it was verified with.
    key: String,
    /// The entries verified: a multiple of 256.
    size: u64,
    root: Hex<32>,
    leaf: Hex<32>,
    time_us: u64,
    boot: Hex<8>,
    monotonic_us: u64,
    pinned: Option<(u64, Hex<32>)>,
    /// The handovers to other keys that were followed so far: the entry, and the new key.
    handovers: Vec<(u64, String)>,
    /// Stands for the archived checkpoints that were compared.
    compared: Hex<32>,
    items: u64,
    tiles: u64,
    /// What the entries said of epochs: those behind are held to it.
    epochs: Epochs,
}

/// Bytes as lower-case hex in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hex<const N: usize>([u8; N]);

impl Resume {
    /// Reads a place as [`Resume::to_json`] wrote it.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
        let place: Self = serde_json::from_str(json).ok()?;
        (place.schema == SCHEMA && place.size.is_multiple_of(TILE_WIDTH)).then_some(place)
    }

    /// The place as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// How many entries were verified.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.size
    }

    /// The place that a walk came to, if it is between two bundles and all agrees.
    pub(super) fn of(walk: &Walk<'_>, trust: &Trust) -> Option<Self> {
        let tree = walk.tree.as_ref()?;
        let before = walk.chain.before()?;
        let (time_us, boot) = before.clock?;
        let whole = tree.size() > 0 && tree.size().is_multiple_of(TILE_WIDTH);
        if !whole || !walk.past.agrees() || walk.chain.hands_over() {
            return None;
        }
        Some(Self {
            schema: SCHEMA.to_owned(),
            key: trust.key.as_ref()?.to_string(),
            size: tree.size(),
            root: Hex(tree.root().0),
            leaf: Hex(before.leaf?.0),
            time_us,
            boot: Hex(boot.id),
            monotonic_us: boot.monotonic_us,
            pinned: pinned(trust),
            handovers: handovers(trust, tree.size()),
            compared: Hex(walk.past.compared().0),
            items: walk.items,
            tiles: walk.tiles.read,
            epochs: walk.epochs.clone(),
        })
    }

    /// Puts a walk at this place; false if the archive, the trust or the signed past are others now.
    pub(super) fn take_up(&self, walk: &mut Walk<'_>, trust: &Trust, size: u64) -> bool {
        let key = trust.key.as_ref().map(ToString::to_string);
        if key.as_ref() != Some(&self.key) || self.pinned != pinned(trust) || self.size > size {
            return false;
        }
        if self.handovers != handovers(trust, self.size) {
            return false;
        }
        let before = Before {
            leaf: Some(Hash(self.leaf.0)),
            clock: Some((
                self.time_us,
                Boot {
                    id: self.boot.0,
                    monotonic_us: self.monotonic_us,
                },
            )),
        };
        let root = Hash(self.root.0);
        if !walk.behind((self.size, Some(root)), before, size) {
            return false;
        }
        (walk.entries, walk.items, walk.tiles.read) = (self.size, self.items, self.tiles);
        walk.epochs = self.epochs.clone();
        walk.past_is(Hash(self.compared.0))
    }
}

/// Those among the first `size` entries.
fn handovers(trust: &Trust, size: u64) -> Vec<(u64, String)> {
    let followed = trust.rotations.iter().filter(|step| step.seq < size);
    followed
        .map(|step| (step.seq, step.new.to_string()))
        .collect()
}

fn pinned(trust: &Trust) -> Option<(u64, Hex<32>)> {
    let pinned = trust.pinned.as_ref()?;
    Some((pinned.size, Hex(pinned.root.0)))
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        serializer.serialize_str(&digits.filter_map(digit).collect::<String>())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let broken = || serde::de::Error::custom("not lower-case hex of the right length");
        let digits: Option<Vec<u8>> = text.chars().map(digit).collect();
        let digits = digits.ok_or_else(broken)?;
        let (pairs, rest) = digits.as_chunks::<2>();
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        let bytes = bytes.try_into().ok().filter(|_| rest.is_empty());
        bytes.map(Self).ok_or_else(broken)
    }
}

fn digit(c: char) -> Option<u8> {
    let value = c.to_digit(16).filter(|_| !c.is_ascii_uppercase())?;
    u8::try_from(value).ok()
}
