//! Receipts: one entry, its items, and the proof that a signed checkpoint covers them, in one text
//! that anyone checks offline with the log's public key.
//!
//! A receipt is a C2SP tlog-proof (`.tlog-proof`) and nothing else. Its extra data are the entry's bytes
//! and its items' bytes, each behind its length in two big-endian bytes: what a reader of the proof
//! needs to compute the leaf hash. The format does not authenticate them; [`verify_receipt`] does.

use crate::checkpoint::{Checkpoint, unauthenticated};
use crate::entry::{ENTRY_BYTES_MAX, Entry};
use crate::error::{EntryError, NoteError, ReceiptError};
use crate::hash::{Hash, leaf_hash};
use crate::item::{Item, stated_items};
use crate::note::VerifierKey;
use crate::origin::Origin;
use crate::proof::verify_inclusion;
use crate::signer::Signers;
use crate::tlog_proof::TlogProof;
use crate::verify::Code;

/// The most bytes of a receipt: room for the items of a million tokens.
pub const RECEIPT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// A receipt taken apart; nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The entry's bytes, as the log holds them.
    pub entry: Vec<u8>,
    /// Its items, as [`crate::encode_items`] writes them; empty where it has none.
    pub items: Vec<u8>,
    /// The entry's index in the log.
    pub index: u64,
    /// The inclusion proof (RFC 6962 §2.1.1).
    pub proof: Vec<Hash>,
    /// The signed checkpoint that covers the entry.
    pub note: String,
}

/// What a receipt proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedReceipt {
    /// The entry.
    pub entry: Entry,
    /// Its items, in order.
    pub items: Vec<Item>,
    /// What the log stated, and signed, of itself.
    pub checkpoint: Checkpoint,
}

impl Receipt {
    /// Its text. Refuses more than [`RECEIPT_BYTES_MAX`] bytes.
    pub fn encode(&self) -> Result<String, ReceiptError> {
        let length = u16::try_from(self.entry.len()).map_err(|_| ReceiptError::TooLarge)?;
        let text = TlogProof {
            extra: Some([&length.to_be_bytes(), self.entry.as_slice(), &self.items].concat()),
            index: self.index,
            hashes: self.proof.clone(),
            note: self.note.clone(),
        }
        .encode();
        if text.len() > RECEIPT_BYTES_MAX {
            Err(ReceiptError::TooLarge)
        } else {
            Ok(text)
        }
    }

    /// Reads a receipt in its one spelling. This proves nothing: see [`verify_receipt`].
    pub fn decode(text: &str) -> Result<Self, ReceiptError> {
        if text.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLarge);
        }
        let TlogProof {
            extra,
            index,
            hashes,
            note,
        } = TlogProof::decode(text)?;
        let extra = extra.ok_or(ReceiptError::Format("no extra line with the entry"))?;
        let cut = ReceiptError::Format("the entry is cut short");
        let (length, rest) = extra.split_first_chunk::<2>().ok_or(cut)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, items) = rest.split_at_checked(length).ok_or(cut)?;
        Ok(Self {
            entry: entry.to_vec(),
            items: items.to_vec(),
            index,
            proof: hashes,
            note,
        })
    }
}

/// Checks a receipt, offline: the checkpoint is signed by this key and of the log that the key names;
/// the entry is in its one spelling and stands at the proven index of that log; the items are those
/// that the entry commits to. Signature lines of others, such as witnesses, are not looked at.
pub fn verify_receipt(text: &str, key: &VerifierKey) -> Result<VerifiedReceipt, ReceiptError> {
    verify_receipt_by(text, &Signers::pinned(key.clone()))
}

/// The same for a log whose key was handed over: the checkpoint is signed by the key of its size.
pub fn verify_receipt_by(text: &str, signers: &Signers) -> Result<VerifiedReceipt, ReceiptError> {
    let receipt = Receipt::decode(text)?;
    let checkpoint = opened(&receipt.note, signers)?;
    let entry = entry_of(&receipt)?;
    let (leaf, index) = (leaf_hash(&receipt.entry), receipt.index);
    let (size, root) = (checkpoint.size, &checkpoint.root);
    verify_inclusion(&leaf, index, size, root, &receipt.proof).map_err(ReceiptError::Proof)?;
    if entry.seq != index {
        return Err(ReceiptError::Place);
    }
    let items = stated_items(entry.facts.batch, &receipt.items).map_err(ReceiptError::Items)?;
    Ok(VerifiedReceipt {
        entry,
        items,
        checkpoint,
    })
}

/// What a proof proves of bytes that lie beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenEntry {
    /// The entry, if the bytes are one of this format; a proof proves any bytes.
    pub entry: Option<Entry>,
    /// Where it stands.
    pub index: u64,
    /// What the log stated, and signed, of itself.
    pub checkpoint: Checkpoint,
}

/// Checks a C2SP tlog-proof of these bytes, offline. What the proof carries in its extra line is not
/// looked at: the bytes are what is proven.
pub fn verify_proof(
    text: &str,
    bytes: &[u8],
    key: &VerifierKey,
) -> Result<ProvenEntry, ReceiptError> {
    verify_proof_by(text, bytes, &Signers::pinned(key.clone()))
}

/// The same for a log whose key was handed over: the checkpoint is signed by the key of its size.
pub fn verify_proof_by(
    text: &str,
    bytes: &[u8],
    signers: &Signers,
) -> Result<ProvenEntry, ReceiptError> {
    if text.len() > RECEIPT_BYTES_MAX {
        return Err(ReceiptError::TooLarge);
    }
    let proof = TlogProof::decode(text)?;
    let checkpoint = opened(&proof.note, signers)?;
    let (leaf, index) = (leaf_hash(bytes), proof.index);
    let (size, root) = (checkpoint.size, &checkpoint.root);
    verify_inclusion(&leaf, index, size, root, &proof.hashes).map_err(ReceiptError::Proof)?;
    let entry = Entry::decode(bytes).ok();
    if entry.as_ref().is_some_and(|entry| entry.seq != index) {
        return Err(ReceiptError::Place);
    }
    Ok(ProvenEntry {
        entry,
        index,
        checkpoint,
    })
}

/// The log that a note names. Nothing vouches for it: it may choose among the reader's own keys.
#[must_use]
pub fn named_origin(note: &str) -> Option<Origin> {
    Some(unauthenticated(note).ok()?.origin)
}

fn opened(note: &str, signers: &Signers) -> Result<Checkpoint, ReceiptError> {
    let checkpoint = signers.open(note).map_err(ReceiptError::Checkpoint)?;
    if checkpoint.origin.as_str() == signers.name() {
        Ok(checkpoint)
    } else {
        Err(ReceiptError::Origin)
    }
}

fn entry_of(receipt: &Receipt) -> Result<Entry, ReceiptError> {
    if receipt.entry.len() > ENTRY_BYTES_MAX {
        return Err(ReceiptError::Entry(EntryError::TooLong));
    }
    Entry::decode(&receipt.entry).map_err(ReceiptError::Entry)
}

impl ReceiptError {
    /// The finding that it is, with its class, its meaning and its remedy.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::TooLarge => Code::FileTooLarge,
            Self::Format(_) => Code::ReceiptMalformed,
            Self::Entry(_) => Code::EntryMalformed,
            Self::Place => Code::EntrySequence,
            Self::Items(EntryError::OtherItems) => Code::ItemsAltered,
            Self::Items(_) => Code::ItemsMalformed,
            Self::Proof(_) => Code::ProofBroken,
            Self::Origin => Code::OriginOther,
            Self::Checkpoint(NoteError::Unsigned) => Code::SignatureMissing,
            Self::Checkpoint(NoteError::Signature) => Code::SignatureBad,
            Self::Checkpoint(_) => Code::CheckpointMalformed,
        }
    }
}
