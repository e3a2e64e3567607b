//! Signatures of requests under keys of the key service: asked by `identity`, before anybody is known.

use std::sync::Arc;

use kms::{KeyKind, Usage};

use super::KeyFault;
use super::act::usable;
use crate::engine::Engine;
use crate::identity::{ED25519, HMAC_SHA256, KeyAnswer, RequestKeys};
use crate::model::{KeyRecord, KeyRef};

impl RequestKeys for Arc<Engine> {
    async fn verify(
        &self,
        key: &KeyRef,
        alg: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyAnswer> {
        let record = self.find_key(key).await.map_err(|_| KeyAnswer::Away)?;
        let record = record.ok_or(KeyAnswer::Wrong)?;
        let asked = self.request_verdict(&record, alg, message, signature).await;
        asked.map_err(|fault| match fault {
            KeyFault::Unavailable | KeyFault::Hsm(_) | KeyFault::Broken => KeyAnswer::Away,
            _ => KeyAnswer::Wrong,
        })
    }
}

impl Engine {
    /// Whether the key's current version made the signature. Older versions prove nobody: a key that was replaced is
    /// not to speak for its unit any longer, nor is one that is known to others.
    async fn request_verdict(
        self: &Arc<Self>,
        record: &Arc<KeyRecord>,
        alg: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), KeyFault> {
        let (name, usage) = match record.kind {
            KeyKind::HmacSha256 => (HMAC_SHA256, Usage::Mac),
            KeyKind::Ed25519 => (ED25519, Usage::Sign),
            other => return Err(KeyFault::Usage(other)),
        };
        usable(record, usage)?;
        if alg.is_some_and(|alg| alg != name) {
            return Err(KeyFault::Usage(record.kind));
        }
        let open = self.opened_to_protect(record, None).await?;
        let verdict = match usage {
            Usage::Mac => open.mac().and_then(|key| key.verify(message, signature)),
            _ => open.signer().and_then(|key| key.verify(message, signature)),
        };
        // One answer for every signature that is not the message's.
        verdict.map_err(|_| KeyFault::Version)
    }
}
