//! Owns the question whether an object has a key already. Small objects are compared key by key, by
//! a mark of a few bytes first; large ones by a hash that no sender can foresee.

use std::borrow::Cow;
use std::collections::HashSet;

use super::tape::Tape;

/// From this many keys on, an object's keys are hashed.
const LINEAR_MAX: usize = 24;

/// The keys of all objects that are open, the innermost last.
#[derive(Default)]
pub(super) struct Names {
    open: Vec<Name>,
}

struct Name {
    mark: u64,
    node: u32,
}

/// One object's part of the keys.
pub(super) struct Frame<'a> {
    first: usize,
    hashed: Option<HashSet<Cow<'a, str>>>,
}

impl Names {
    pub(super) fn enter<'a>(&self) -> Frame<'a> {
        Frame {
            first: self.open.len(),
            hashed: None,
        }
    }

    pub(super) fn leave(&mut self, frame: &Frame<'_>) {
        self.open.truncate(frame.first);
    }

    /// False where the object has the key already, however it is spelled.
    pub(super) fn insert<'a>(&mut self, frame: &mut Frame<'a>, tape: &Tape<'a>, node: u32) -> bool {
        if let Some(hashed) = &mut frame.hashed {
            return hashed.insert(tape.text(node));
        }
        let mark = match tape.plain(node) {
            Some(plain) => mark(plain),
            None => mark(tape.text(node).as_bytes()),
        };
        let keys = &self.open[frame.first..];
        let taken = keys
            .iter()
            .any(|other| other.mark == mark && tape.text(other.node) == tape.text(node));
        if taken {
            return false;
        }
        if keys.len() == LINEAR_MAX {
            let mut hashed: HashSet<_> = keys.iter().map(|key| tape.text(key.node)).collect();
            hashed.insert(tape.text(node));
            frame.hashed = Some(hashed);
            self.open.truncate(frame.first);
            return true;
        }
        self.open.push(Name { mark, node });
        true
    }
}

/// Differs for most keys that differ; equal for equal ones.
#[inline]
fn mark(name: &[u8]) -> u64 {
    let ends = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29)
        }
        _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
            }
            _ => name
                .iter()
                .fold(0, |mark, byte| (mark << 8) | u64::from(*byte)),
        },
    };
    ends ^ (name.len() as u64).rotate_right(8)
}
