//! What can be wrong with an entry, a signed note, a statement about the tree, or a receipt.

use thiserror::Error;

/// An entry or an item that this format does not allow. Never holds its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EntryError {
    /// More bytes than an entry, an item or a batch may have.
    #[error("too long: an entry has at most 4096 bytes, an item at most 1024")]
    TooLong,
    /// Text that is not in Unicode's NFC form, or has control characters.
    #[error("text that is not NFC or has control characters: normalise it first")]
    Text,
    /// A field that the operation must not have.
    #[error("only a genesis entry carries the format text")]
    FormatOutsideGenesis,
    /// A statement in an entry of another operation.
    #[error("only an entry signer-rotate carries a statement")]
    StatementMisplaced,
    /// Items that are not those of their entry.
    #[error("the items do not have the count and root that the entry states")]
    OtherItems,
    /// Bytes that are not the one spelling of an entry.
    #[error("not an entry at byte {offset}: {rule}")]
    Spelling {
        /// Where in the entry, from its first byte.
        offset: usize,
        /// The rule that is broken.
        rule: &'static str,
    },
}

impl EntryError {
    /// Where in the entry the fault stands, if one place can be named.
    #[must_use]
    pub fn offset(&self) -> usize {
        if let Self::Spelling { offset, .. } = self {
            *offset
        } else {
            0
        }
    }
}

/// A note, a checkpoint, a key or a name that cannot be read, or a signature that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoteError {
    /// A name that notes cannot carry.
    #[error("a name has 1 to 255 bytes, no white space, no control character, no '+', no scheme")]
    Name,
    /// A verifier key that is not `name+hash+base64`, or whose parts disagree.
    #[error("not a verifier key: expected name+8 hex digits+base64 of a key")]
    Key,
    /// A key of another use or algorithm than is asked for here.
    #[error(
        "a key of another type: a log's is Ed25519 (type 1), a witness's Ed25519 (type 4) or ML-DSA-44 (type 6)"
    )]
    KeyType,
    /// A note that is not text, a blank line, and signature lines.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// A note's text that is not a checkpoint of three lines.
    #[error("not a checkpoint: {0}")]
    Checkpoint(&'static str),
    /// No signature line by the pinned key.
    #[error("no signature by the pinned key")]
    Unsigned,
    /// A signature line by the pinned key that does not hold.
    #[error("the signature by the pinned key does not hold")]
    Signature,
}

/// A statement about the tree that is not true, or cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The saved hashes are not as many as a tree of that size has.
    #[error("the number of saved hashes does not fit the size of the tree")]
    Shape,
    /// An index or a size outside the tree.
    #[error("outside the tree")]
    Bounds,
    /// A proof with too many or too few hashes.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// A proof that leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// A receipt that proves nothing, and why. Never holds its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// More bytes than a receipt may have.
    #[error("too large: a receipt has at most 128 MiB")]
    TooLarge,
    /// Text that is not a receipt in its one spelling.
    #[error("not a receipt: {0}")]
    Format(&'static str),
    /// The entry cannot be read.
    #[error("the entry: {0}")]
    Entry(EntryError),
    /// The entry names another place than the proof.
    #[error("the entry states another index than the proof")]
    Place,
    /// The items cannot be read, or are not those of the entry.
    #[error("the items: {0}")]
    Items(EntryError),
    /// The proof does not lead from the entry to the checkpoint's root.
    #[error("the proof from the entry to the checkpoint's root: {0}")]
    Proof(TreeError),
    /// The checkpoint cannot be read, or is not signed by the key.
    #[error("the checkpoint: {0}")]
    Checkpoint(NoteError),
    /// The checkpoint is of another log than the one that the key is named after.
    #[error("the checkpoint is of another log than the key's")]
    Origin,
}

/// Why tiles yield no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TileError<E> {
    /// A tile could not be read.
    #[error("a tile can't be read: {0}")]
    Read(E),
    /// A tile is shorter than the tree needs it.
    #[error("a tile is cut short")]
    Short,
    /// The tiles are not those of the tree: a hash that they hold was changed.
    #[error("the tiles do not lead to the root of the tree: {0}")]
    Tree(TreeError),
}
