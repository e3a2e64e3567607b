//! Owns the number grammar of RFC 8259 §6. Numbers are checked, never converted.

use super::Fault;
use super::read::{Stopped, stopped};

/// From a number's first byte to behind its last.
#[inline]
pub(super) fn number(bytes: &[u8], start: usize) -> Result<usize, Stopped> {
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    if bytes.get(at) == Some(&b'0') {
        at += 1;
    } else {
        at = digits(bytes, at)?;
    }
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        at = digits(bytes, at)?;
    }
    // `01` and `0x1` are no numbers; the caller would report a missing separator.
    match bytes.get(at) {
        Some(b'0'..=b'9' | b'.' | b'+' | b'-' | b'a'..=b'z' | b'A'..=b'Z') => {
            Err(stopped(at, Fault::Number))
        }
        _ => Ok(at),
    }
}

#[inline]
fn digits(bytes: &[u8], start: usize) -> Result<usize, Stopped> {
    let mut at = start;
    while let Some(b'0'..=b'9') = bytes.get(at) {
        at += 1;
    }
    if at == start {
        Err(stopped(at, Fault::Number))
    } else {
        Ok(at)
    }
}
