//! The ledger: entries linked by hash, in a log that others' tools can read and check.
//!
//! A log is a C2SP tiled transparency log: an RFC 6962 tree over the bytes of its entries, stored as
//! tiles, and signed as checkpoints. Entry *n* holds the leaf hash of entry *n-1*, so that the entries
//! alone are a chain; proofs come from the tree only. The one who writes a log encodes, appends, signs:
//!
//! ```
//! use ledger::{Boot, Checkpoint, Entry, Facts, Frontier, Origin, genesis_prev, leaf_hash};
//!
//! let origin = Origin::parse("bank.example/vault/node-1")?;
//! let boot = Boot { id: [7; 8], monotonic_us: 0 };
//! let prev = genesis_prev(&origin);
//! let entry = Entry { seq: 0, prev, time_us: 1_795_471_916_000_000, boot, facts: Facts::genesis() };
//! let mut tree = Frontier::new();
//! tree.append(leaf_hash(&entry.encode()?));
//! let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() };
//! assert!(checkpoint.body().starts_with("bank.example/vault/node-1\n1\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The one who checks calls [`verify_archive`] with a key of his own; the tool `jinku-ledger` does that.
//! Nothing here writes a file or reads a clock; only `verify` reads files.
//!
//! # An archive
//!
//! | file | holds |
//! | --- | --- |
//! | `checkpoint` | the latest signed checkpoint |
//! | `tile/<L>/<N>[.p/<W>]` | hash tiles of C2SP tlog-tiles: up to 256 hashes |
//! | `tile/entries/<N>[.p/<W>]` | up to 256 entries, each behind its length (2 bytes, big-endian) |
//! | `items/<N>[.p/<W>]` | our own: for each entry of that bundle its items behind their length (4 bytes); each item behind its length (2 bytes). No file where no entry of the bundle has items |
//! | `checkpoints/YYYY/MM/DD.notes` | every published checkpoint, each behind a line `#<bytes>` |
//! | `signers` | our own, once the log's key was handed over: the statements that old and new key signed, framed the same way |
//! | `stamps/YYYY/MM/DD/SIZE.tsr` | our own: a time stamp over the checkpoint of that size, as its authority answered (RFC 3161) |
//!
//! Partial files may be removed once the full one exists. Publish in this order: bundles, items and
//! tiles, then `checkpoint`, then its copy in `checkpoints/`.
//!
//! # Modules
//!
//! | module | owns |
//! | --- | --- |
//! | `entry`, `item`, `cbor` | what is recorded, in one spelling of bytes |
//! | `hash`, `frontier`, `proof` | the tree: hashes, root, inclusion, consistency |
//! | [`tile`] | where tiles and bundles stand, and what fills them |
//! | `origin`, `note`, `checkpoint`, `history` | signed statements about the tree, and their archive |
//! | `tlog_proof`, `receipt` | one entry and its proof, for whoever holds the log's key |
//! | `vkey`, `cosignature`, [`policy`] | named keys; what witnesses say of a checkpoint, and how many must |
//! | `stamp` | time stamps of checkpoints (RFC 3161), by others' authorities |
//! | `signer` | the keys that sign a log one after another |
//! | `second` | a log's second signature, with ML-DSA-44 |
//! | [`witness`] | whether a witness may cosign: the judgement alone, without network or state |
//! | [`verify`] | the auditor's judgement of a whole archive |

mod cbor;
mod checkpoint;
mod cosignature;
mod detail;
mod entry;
mod error;
mod frontier;
mod hash;
mod history;
mod item;
mod note;
mod origin;
pub mod policy;
pub mod proof;
mod receipt;
mod second;
mod signer;
mod stamp;
pub mod tile;
mod tlog_proof;
mod utc;
pub mod verify;
mod vkey;
pub mod witness;

pub use checkpoint::{Checkpoint, open_checkpoint};
pub use cosignature::{
    ANY_TIME, CLOCK_AHEAD_SECONDS_MAX, Cosigned, WitnessKey, cosignature_line, cosignature_lines,
    cosigned, cosigned_text, fresh,
};
pub use detail::{
    DETAIL_BYTES_MAX, DETAIL_FILE_BYTES_MAX, Detail, InvalidDetail, detail_commitment, is_detail,
};
pub use entry::{
    Batch, Boot, ENTRY_BYTES_MAX, Entry, FORMAT, Facts, Operation, Outcome, Pseudonym,
};
pub use error::{EntryError, NoteError, ReceiptError, TileError, TreeError};
pub use frontier::Frontier;
pub use hash::{Hash, genesis_prev, leaf_hash, node_hash};
pub use history::{framed_note, notes_path, read_frames, whole_frames};
pub use item::{
    BatchWriter, ITEM_BYTES_MAX, Item, ItemView, decode_items, encode_items, items_root,
    read_items, stated_items,
};
pub use note::{NOTE_BYTES_MAX, VerifierKey, signature_line, signed_note};
pub use origin::Origin;
pub use policy::{Policy, PolicyError, Quorum};
pub use receipt::{
    ProvenEntry, RECEIPT_BYTES_MAX, Receipt, VerifiedReceipt, named_origin, verify_proof,
    verify_proof_by, verify_receipt, verify_receipt_by,
};
pub use second::{SECOND_PUBLIC_BYTES, SECOND_SIGNATURE_BYTES, SecondKey};
pub use signer::{Rotation, RotationError, SIGNERS_BYTES_MAX, Signers};
pub use stamp::{
    STAMP_BYTES_MAX, StampError, StampTrust, Stamped, stamp_request, stated_in, verify_answer,
    verify_stamp,
};
pub use utc::{Utc, moment};
pub use verify::{Report, Trust, verify_archive};
