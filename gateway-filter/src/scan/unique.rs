//! Owns the question whether an object has a key already. Small objects are compared key by key, by
//! a mark of a few bytes first; large ones by a hash that no sender can foresee.

use std::borrow::Cow;
use std::collections::HashSet;

use super::tape::Tape;

/// From this many keys on, an object's keys are hashed.
const LINEAR_MAX: usize = 24;

/// The keys of all objects that are open, the innermost last.
#[derive(Default)]
pub(super) struct Names<'a> {
    open: Vec<Name>,
    /// Those of the objects that have many.
    hashed: Vec<HashSet<Cow<'a, str>>>,
}

struct Name {
    mark: u64,
    node: u32,
}

/// One object's part of the keys.
pub(super) struct Frame {
    first: usize,
    hashed: bool,
}

impl<'a> Names<'a> {
    #[inline]
    pub(super) fn enter(&self) -> Frame {
        Frame {
            first: self.open.len(),
            hashed: false,
        }
    }

    /// The innermost object ends.
    #[inline]
    pub(super) fn leave(&mut self, frame: &Frame) {
        self.open.truncate(frame.first);
        if frame.hashed {
            self.hashed.pop();
        }
    }

    /// False where the innermost object has the key already, however it is spelled. `plain` is its text, where
    /// it has no escapes.
    #[inline]
    pub(super) fn insert(
        &mut self,
        frame: &mut Frame,
        tape: &Tape<'a>,
        node: u32,
        plain: Option<&[u8]>,
    ) -> bool {
        if frame.hashed {
            let innermost = self.hashed.last_mut();
            return innermost.is_some_and(|hashed| hashed.insert(tape.text(node)));
        }
        let mark = match plain {
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
        self.open.push(Name { mark, node });
        if self.open.len() - frame.first > LINEAR_MAX {
            self.hash(frame, tape);
        }
        true
    }

    /// The innermost object has many keys.
    #[cold]
    fn hash(&mut self, frame: &mut Frame, tape: &Tape<'a>) {
        let keys = self.open.drain(frame.first..);
        self.hashed
            .push(keys.map(|key| tape.text(key.node)).collect());
        frame.hashed = true;
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
