//! A node that arrived, as memory that a C module may read and write: aligned, with addresses in
//! place of its pointers, and wiped when it is dropped.

use hsm_wire::{Node, Shape};
use zeroize::{Zeroize, Zeroizing};

/// Bytes behind every buffer, for modules that write an IV where none was announced.
const SLACK_BYTES: usize = 64;

/// One piece of memory and all that it leads to.
pub(super) struct Memory {
    sent: Node,
    words: Vec<u64>,
    children: Vec<Option<Memory>>,
}

impl Memory {
    /// Lays a node out.
    pub(super) fn new(sent: Node) -> Self {
        let mut words = words(sent.bytes());
        let children = sent.children().iter().cloned();
        let mut children: Vec<_> = children.map(|child| child.map(Self::new)).collect();
        if let Shape::Items(layout, _) = sent.shape() {
            let pointers = layout.pointers.len();
            for (place, child) in children.iter_mut().enumerate() {
                let Some(child) = child else { continue };
                let (item, pointer) = (place / pointers, place % pointers);
                let at = layout.pointers.get(pointer).map_or(0, |pointer| pointer.at);
                if let Some(word) = words.get_mut((item * layout.bytes + at) / 8) {
                    *word = child.address();
                }
            }
        }
        Self {
            sent,
            words,
            children,
        }
    }

    /// Where it is, as long as it lives.
    pub(super) fn address(&mut self) -> u64 {
        self.words.as_mut_ptr().expose_provenance() as u64
    }

    /// As it was sent, or last told.
    pub(super) fn sent(&self) -> &Node {
        &self.sent
    }

    /// As it is now, if the module changed it; from now on that counts as told.
    pub(super) fn take_change(&mut self) -> Option<(Node, Node)> {
        let now = self.now()?;
        if now == self.sent {
            return None;
        }
        let before = std::mem::replace(&mut self.sent, now.clone());
        Some((before, now))
    }

    /// As it is now, addresses cut out.
    pub(super) fn now(&self) -> Option<Node> {
        let length = self.sent.bytes().len();
        let bytes = self.words.iter().flat_map(|word| word.to_ne_bytes());
        let mut copied = Zeroizing::new(Vec::with_capacity(length));
        copied.extend(bytes.take(length));
        match self.sent.shape() {
            Shape::Bytes(_) => Some(Node::leaf(copied)),
            Shape::Items(layout, items) => {
                let children = self.children.iter();
                let children = children.map(|child| child.as_ref().and_then(Self::now));
                Node::structures(layout, items, copied, children.collect()).ok()
            }
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}

/// Bytes in aligned memory, with slack behind.
fn words(bytes: &[u8]) -> Vec<u64> {
    let mut words = Vec::with_capacity((bytes.len() + SLACK_BYTES).div_ceil(8));
    let (whole, rest) = bytes.as_chunks::<8>();
    words.extend(whole.iter().map(|word| u64::from_ne_bytes(*word)));
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    words.push(u64::from_ne_bytes(last));
    words.resize(words.capacity().max(words.len()), 0);
    words
}
