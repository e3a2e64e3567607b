//! C2SP tlog-proof: a proof that an entry is in a log, as text that needs no server to be checked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::ReceiptError;
use crate::hash::Hash;

/// The first line of every proof of this version.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The most hashes of a proof: one for each level of a tree of less than 2^64 leaves.
const HASHES_MAX: usize = 64;

/// A proof taken apart; nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlogProof {
    /// What the application needs beside the proof, if it needs anything. The format itself does not
    /// authenticate it.
    pub(crate) extra: Option<Vec<u8>>,
    /// The entry's index in the log.
    pub(crate) index: u64,
    /// From the leaf's sibling up to the root's child (RFC 6962 §2.1.1).
    pub(crate) hashes: Vec<Hash>,
    /// The signed checkpoint as it was published.
    pub(crate) note: String,
}

impl TlogProof {
    pub(crate) fn encode(&self) -> String {
        let extra = self.extra.as_ref().map_or_else(String::new, |extra| {
            format!("extra {}\n", STANDARD.encode(extra))
        });
        let mut text = format!("{HEADER}\n{extra}index {}\n", self.index);
        for hash in &self.hashes {
            text.push_str(&STANDARD.encode(hash.0));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.note);
        text
    }

    /// Reads a proof in its one spelling.
    pub(crate) fn decode(text: &str) -> Result<Self, ReceiptError> {
        let rest = text
            .strip_prefix(HEADER)
            .and_then(|rest| rest.strip_prefix('\n'));
        let mut rest = rest.ok_or(ReceiptError::Format("no header"))?;
        let mut extra = None;
        if let Some(after) = rest.strip_prefix("extra ") {
            let cut = ReceiptError::Format("an extra line without an end");
            let (line, after) = after.split_once('\n').ok_or(cut)?;
            extra = Some(decoded(line)?);
            rest = after;
        }
        let (index, mut rest) = rest
            .strip_prefix("index ")
            .and_then(|rest| rest.split_once('\n'))
            .ok_or(ReceiptError::Format("no index line"))?;
        let mut hashes = Vec::new();
        let note = loop {
            let (line, after) = rest
                .split_once('\n')
                .ok_or(ReceiptError::Format("no empty line after the hashes"))?;
            if line.is_empty() {
                break after.to_owned();
            }
            if hashes.len() == HASHES_MAX {
                return Err(ReceiptError::Format("more than 64 hashes"));
            }
            hashes.push(hash(line)?);
            rest = after;
        };
        let index = index.parse().ok();
        let proof = Self {
            extra,
            index: index.ok_or(ReceiptError::Format("the index is no decimal number"))?,
            hashes,
            note,
        };
        // One spelling: what was read must be what is written (`+5`, `05` are numbers too).
        if proof.encode() == text {
            Ok(proof)
        } else {
            Err(ReceiptError::Format("a second spelling"))
        }
    }
}

fn hash(line: &str) -> Result<Hash, ReceiptError> {
    let bytes = decoded(line)?.try_into();
    let bytes = bytes.map_err(|_| ReceiptError::Format("a hash that has not 32 bytes"))?;
    Ok(Hash(bytes))
}

fn decoded(text: &str) -> Result<Vec<u8>, ReceiptError> {
    let bytes = STANDARD.decode(text);
    bytes.map_err(|_| ReceiptError::Format("text that is not base64"))
}
