//! Owns the reading of what the settings say of JWEs: keys, algorithms, and whole payloads.

use super::RouteFault;
use super::raw::{RawPayload, RawPayloadAction};
use crate::jose::{JweKey, Payload, PayloadAct};
use crate::media::essence;

/// Longest name of a key, in bytes: the vault's own limit.
const NAME_BYTES_MAX: usize = 64;
/// Most types that may come out of payloads of one route.
const CONTENT_TYPES_MAX: usize = 16;

/// A key by the name that the vault knows it by.
pub(super) fn key(name: String, alg: Option<&str>) -> Result<JweKey, RouteFault> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let first = name.bytes().next().is_some_and(plain);
    let rest = |byte: u8| plain(byte) || matches!(byte, b'.' | b'_' | b'-');
    if !first || name.len() > NAME_BYTES_MAX || !name.bytes().all(rest) {
        return Err(RouteFault::KeyName(name));
    }
    let alg = match alg {
        None => "",
        Some("dir") => "dir",
        Some("A256KW") => "A256KW",
        Some(other) => return Err(RouteFault::Alg(other.to_owned())),
    };
    Ok(JweKey { name, alg })
}

/// What becomes of the payload of one direction.
pub(super) fn payload(side: &'static str, raw: RawPayload) -> Result<Payload, RouteFault> {
    let act = match (raw.action, raw.content_types) {
        (RawPayloadAction::Encrypt, None) => PayloadAct::Encrypt,
        (RawPayloadAction::Encrypt, Some(_)) => {
            return Err(RouteFault::Unused {
                field: side.to_owned(),
                setting: "content_types",
            });
        }
        (RawPayloadAction::Decrypt, written) => PayloadAct::Decrypt {
            content_types: types(written.unwrap_or_default())?,
        },
    };
    let key = key(raw.key, raw.alg.as_deref())?;
    Ok(Payload { key, act })
}

/// Types as they are compared: in lower case, without parameters.
fn types(written: Vec<String>) -> Result<Vec<String>, RouteFault> {
    let one = |text: String| essence(&text).filter(|essence| *essence == text.to_ascii_lowercase());
    let types: Option<Vec<String>> = written.into_iter().map(one).collect();
    types
        .filter(|types| (1..=CONTENT_TYPES_MAX).contains(&types.len()))
        .ok_or(RouteFault::ContentTypes(CONTENT_TYPES_MAX))
}
