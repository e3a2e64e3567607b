//! `Content-Digest` (RFC 9530 section 2): what a body must hash to. Hashing is the caller's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use sfv::{BareItem, ListEntry};

use super::fault::SignatureFault;
use super::structured;

/// The digests of a body that count here. At least one is there; all that are must be the body's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ContentDigest {
    /// SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// SHA-512.
    pub sha512: Option<[u8; 64]>,
}

impl ContentDigest {
    /// The message's, if it has one. Digests of other algorithms are passed over (RFC 9530 section 5).
    pub fn read(headers: &HeaderMap) -> Result<Option<Self>, SignatureFault> {
        if !headers.contains_key("content-digest") {
            return Ok(None);
        }
        let text = structured::combined(headers, "content-digest");
        let read = text.as_deref().and_then(structured::canonical_dictionary);
        let read = read.ok_or(SignatureFault::Digest)?;
        let digest = Self {
            sha256: bytes(read.get("sha-256"))?,
            sha512: bytes(read.get("sha-512"))?,
        };
        if digest.sha256.is_none() && digest.sha512.is_none() {
            return Err(SignatureFault::Digest);
        }
        Ok(Some(digest))
    }

    /// The field's value that says this SHA-256.
    pub fn of_sha256(digest: &[u8; 32]) -> String {
        format!("sha-256=:{}:", STANDARD.encode(digest))
    }
}

fn bytes<const N: usize>(member: Option<&ListEntry>) -> Result<Option<[u8; N]>, SignatureFault> {
    match member {
        None => Ok(None),
        Some(ListEntry::Item(item)) => match &item.bare_item {
            BareItem::ByteSequence(bytes) if item.params.is_empty() => {
                let bytes = bytes.as_slice().try_into();
                bytes.map(Some).map_err(|_| SignatureFault::Digest)
            }
            _ => Err(SignatureFault::Digest),
        },
        Some(ListEntry::InnerList(_)) => Err(SignatureFault::Digest),
    }
}
