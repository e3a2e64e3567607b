//! The three sizes of a log: sequenced, integrated, published; and how far the first may run ahead.

use tokio::sync::watch;

/// How many entries have come how far. Each state is a prefix of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Durable, with an index.
    pub sequenced: u64,
    /// In the tree, their tiles in their places.
    pub integrated: u64,
    /// Covered by a checkpoint that is signed, and cosigned where the policy asks for it.
    pub published: u64,
}

/// The sizes as they change, and a bound.
#[derive(Clone)]
pub struct Backlog {
    /// Of the writer.
    pub sequenced: watch::Receiver<u64>,
    /// Of the publisher.
    pub integrated: watch::Receiver<u64>,
    /// Of the publisher.
    pub published: watch::Receiver<u64>,
    /// So many entries may be sequenced that are not published; `None` for as many as there are.
    pub entries_max: Option<u64>,
}

impl Backlog {
    /// The sizes now. A later state is read first, so none is seen ahead of the one before.
    pub fn sizes(&self) -> Sizes {
        let published = *self.published.borrow();
        let integrated = (*self.integrated.borrow()).max(published);
        let sequenced = (*self.sequenced.borrow()).max(integrated);
        Sizes {
            sequenced,
            integrated,
            published,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        let Some(entries_max) = self.entries_max else {
            return false;
        };
        let Sizes {
            sequenced,
            published,
            ..
        } = self.sizes();
        sequenced - published >= entries_max
    }
}
